#!/usr/bin/perl

# sync_decode: bodies that come compressed, and bombs.

use strict;
use warnings;

use lib 't/lib';
use IO::Compress::Gzip qw(gzip);
use Test::Sync;

my $t = Test::Sync->new;

$t->peer(erp => sub { [ 200, {}, 'done' ] });

$t->write('secret', 'a secret of the edge, long enough');

$t->main("\n");
$t->http(<<'CONF');
    sync_secret  file:%%TESTDIR%%/secret;
    sync_buffers 40m;

    upstream erp { server %%PEER_erp%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% http2;

        client_max_body_size 20m;

        proxy_http_version 1.1;
        proxy_set_header   Connection "";
        proxy_ignore_client_abort on;
        proxy_pass_request_headers on;

        location /on { sync_decode gzip;  proxy_pass http://erp; }

        location /small {
            sync_decode gzip max=1k;
            proxy_pass  http://erp;
        }

        location /ratio {
            sync_decode gzip ratio=5;
            proxy_pass  http://erp;
        }

        location /file {
            sync_decode gzip;
            client_body_in_file_only clean;
            proxy_pass  http://erp;
        }

        location /keyed {
            sync_decode      gzip;
            sync_idempotency on scope=none;
            proxy_pass       http://erp;
        }

        location /off {
            sync_idempotency on scope=none;
            proxy_pass       http://erp;
        }

        location /inner {
            sync_decode gzip max=1k;

            location /inner/off { sync_decode off; proxy_pass http://erp; }
            location /inner/on { proxy_pass http://erp; }
        }
    }
CONF

$t->start;

sub packed {
    my ($text) = @_;

    gzip(\$text, \my $out, -Minimal => 1, -Level => 9);

    return $out;
}

sub post {
    my ($uri, $body, %opt) = @_;

    my %more = map { $_ => delete $opt{$_} }
               grep { exists $opt{$_} } qw(chunked port);

    my %headers = ('Content-Type' => 'application/json',
                   'Content-Encoding' => 'gzip', %opt);

    return $t->request('POST', $uri, body => $body, %more,
                       headers => [ %headers ]);
}

sub sent { return ($t->ledger('erp'))[-1] }

my $text = '{"number":9007199254740993,"note":"' . 'n' x 3000 . '"}';

for my $row ([ '/on', 'a body' ], [ '/on', 'a chunked one', chunked => 1 ],
             [ '/file', 'one on disk' ], [ '/on', 'x-gzip',
             'Content-Encoding' => 'X-GZip' ])
{
    my ($uri, $name, %opt) = @$row;

    my $res = post($uri, packed($text), %opt);
    my $req = sent();

    is($res->{status}, 200, "$name: taken");
    is($req->{body}, $text, "$name: upstream gets what was inside");
    is($req->{h}{'content-encoding'}, undef, 'not its encoding');
    is($req->{h}{'content-length'}, length $text, 'its length');
    is($req->{h}{'content-type'}, 'application/json', 'its media type');
}

my $res = $t->h2('POST', '/on', body => packed($text), port => 1,
                 headers => [ 'content-encoding' => 'gzip' ]);
is($res->{status}, 200, 'by HTTP/2');
is(sent()->{body}, $text, 'the same');

is(post('/on', packed('a') . packed('b'))->{status}, 200, 'two members');
is(sent()->{body}, 'ab', 'are one body');

is(post('/on', packed(''))->{status}, 200, 'nothing inside');
is(sent()->{body}, '', 'is nothing');

is(post('/on', $text, 'Content-Encoding' => 'identity')->{status}, 200,
   'one that came plain');
is(sent()->{body}, $text, 'goes as it came');

# what is not taken

for my $row (
    [ 'gzip, gzip', 415 ], [ 'deflate', 415 ], [ 'br', 415 ], [ '', 415 ])
{
    $res = post('/on', packed($text), 'Content-Encoding' => $row->[0]);
    is($res->{status}, 415, "\"$row->[0]\" is not taken");
    is($res->json->{type}, 'urn:sync:problem:unsupported-media-type',
       'says so');
    is($res->header('Accept-Encoding'), 'gzip', 'and what would be');
}

for my $row ([ $text, 'plain text' ], [ substr(packed($text), 0, -1), 'a cut' ],
             [ packed($text) . 'x', 'more behind it' ])
{
    $res = post('/on', $row->[0]);
    is($res->{status}, 400, "$row->[1] is no gzip");
    is($res->json->{type}, 'urn:sync:problem:invalid-encoding', 'says so');
}

# bombs

my $before = $t->ledger('erp');
my $bomb = packed("\0" x 60_000_000);

cmp_ok(length $bomb, '<', 70_000, 'a bomb');

for my $row ([ '/on', $bomb ], [ '/ratio', packed('{}' x 50_000) ],
             [ '/small', packed('x' x 1025) ], [ '/inner/on', $bomb ],
             [ '/on', packed("\0" x 60_000) x 30 ])
{
    $res = post($row->[0], $row->[1]);
    is($res->{status}, 413, "does not go off at $row->[0]");
    is($res->json->{type}, 'urn:sync:problem:decoded-too-large', 'says so');
}

is(post('/small', packed('x' x 1024))->{status}, 200, 'up to the bound');
is(scalar $t->ledger('erp'), $before + 1, 'nothing of a bomb is sent');

# the noise of 15 MB is more than sync_buffers have for its tape

my $noise = join '', map { pack 'N', rand 2 ** 32 } 1 .. 3_900_000;

$res = post('/on', packed($noise));
is($res->{status}, 503, 'no room for it');
is($res->json->{type}, 'urn:sync:problem:buffers-exhausted', 'says so');

is(post('/inner/off', packed($text))->{status}, 200, 'where it is off');
is(sent()->{h}{'content-encoding'}, 'gzip', 'it goes as it came');

# the print of a key is over what was inside

my @key = ('Idempotency-Key' => 'one');

is(post('/keyed', packed('{"a":1,"b":2}'), @key)->{status}, 200,
   'with a key');
$res = post('/keyed', '{"b":2,"a":1}', @key, 'Content-Encoding' => 'identity');
is($res->{status}, 200, 'a retry that comes plain');
is($res->header('Idempotent-Replayed'), 'true', 'is the same');
is(post('/keyed', packed('{"a":2}'), @key)->{status}, 422, 'another is not');
is(post('/keyed', 'x', 'Idempotency-Key' => 'two')->{status}, 400,
   'what is no gzip');
is(post('/keyed', packed('x'), 'Idempotency-Key' => 'two')->{status}, 200,
   'has not used its key');

# load

for my $row (
    [ 'deflate', 'is not one of "off" and "gzip"' ],
    [ 'off max=1m', 'takes no parameters' ],
    [ 'gzip max=0', 'is not one size' ],
    [ 'gzip max=1m max=2m', 'is not one size' ],
    [ 'gzip ratio=0', 'is not one ratio from 1 to 1032' ],
    [ 'gzip ratio=1033', 'is not one ratio from 1 to 1032' ],
    [ 'gzip min=1', 'unknown parameter "min=1"' ])
{
    $t->refused("sync_decode $row->[0];", qr/\Q$row->[1]\E/,
                "sync_decode $row->[0]");
}

$t->done;
