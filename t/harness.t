#!/usr/bin/perl

# The harness itself, over a plain NGINX.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;

use Crypt::JWT qw(decode_jwt);

my $t = Test::Sync->new(workers => 2);

my $count = 0;

$t->peer(up => sub {
    my ($req, $ctl) = @_;

    $count++;

    return "count $count\n" if $req->{uri} eq '/count';
    return [ 201, { 'X-Mode' => $ctl->{mode} }, '{}' ] if $ctl->{mode};
    return { body => 'late', delay => 0.2 } if $req->{uri} eq '/delay';
    return { body => 'x' x 100, cut => 120 } if $req->{uri} eq '/cut';
    return { reset => 1, cut => 0 } if $req->{uri} eq '/reset';
    return { never => 1 } if $req->{uri} eq '/never';
    return { body => 'abcdef', drip => 0.005, piece => 20 }
        if $req->{uri} eq '/drip';
    return { body => 'pieces', chunked => 1 } if $req->{uri} eq '/chunked';
    return { status => 204 } if $req->{uri} eq '/none';
    return { body => $req->{body} };
});

$t->peer(early => sub { return [ 413, {}, 'no' ] }, early => 1);

$t->http(<<'CONF');
    log_format seen "$http_x_secret";

    upstream up { server %%PEER_up%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_read_timeout 400ms;

        location / { proxy_pass http://up; }
        location /early { proxy_pass http://%%PEER_early%%;
                          proxy_request_buffering off; }
        location /logged { access_log %%TESTDIR%%/seen.log seen;
                           return 204; }
        location = /metrics { return 200 "# HELP a b\na{x=\"y z\"} 3\n"; }
    }

    server { listen 127.0.0.1:%%PORT_1%% http2;
             location / { proxy_pass http://up; } }
CONF

$t->start;

is(scalar $t->workers, 2, 'two workers');

# clients

my $res = $t->post('/echo', '{"a":0.10}', 'X-One' => 'a', 'X-One' => 'b');
is($res->{status}, 200, 'status');
is($res->{body}, '{"a":0.10}', 'body as sent');
is($res->json->{a}, 0.1, 'json');
is($res->header('Content-Type'), 'application/json', 'header');
is(($t->ledger('up'))[-1]{h}{'x-one'}, 'a', 'the ledger has the headers');
is(scalar(grep { $_->[0] eq 'X-One' } @{ ($t->ledger('up'))[-1]{headers} }),
   2, 'all of them');

my $bytes = join '', map { chr } 0 .. 255;
is($t->post('/echo', $bytes)->{body}, $bytes, 'all bytes, there and back');
is(($t->ledger('up'))[-1]{body}, $bytes, 'and in the ledger');

is($t->request('POST', '/echo', chunked => [ 'ab', 'cd' ])->{body}, 'abcd',
   'chunked');
is($t->request('POST', '/echo', body => 'packets', packets => 3)->{body},
   'packets', 'packets');

$res = $t->request('POST', '/echo', body => 'x' x 5000, expect => 1);
ok($res->{continue}, '100-continue came');
is($res->{body}, 'x' x 5000, 'then the answer');

is($t->request('HEAD', '/none')->{status}, 204, 'HEAD');
like($t->raw("GET /echo HTTP/1.0\r\n\r\n"), qr/^HTTP\/1.1 200/, 'raw');

my $c = $t->connect;
my $first = $t->request('GET', '/count', conn => $c)->{body};
my $second = $t->request('GET', '/count', conn => $c)->{body};
close $c;
isnt($first, $second, 'a peer keeps its state, a connection stays open');

my @all = $t->parallel(map { [ 'POST', '/delay', body => $_ ] } 1 .. 8);
is(scalar(grep { $_->{body} eq 'late' } @all), 8, 'parallel');

$res = $t->h2('POST', '/echo', port => 1, body => 'two');
is($res->{status}, 200, 'HTTP/2 status');
is($res->{body}, 'two', 'HTTP/2 body');

is($t->metrics('/metrics')->{'a{x="y z"}'}, 3, 'metrics');

# what peers can do

$res = $t->get('/delay');
ok($res->{time} >= 0.2, 'delay');
is($t->get('/drip')->{body}, 'abcdef', 'drip');
is($t->get('/chunked')->{body}, 'pieces', 'a chunked answer');
is($t->get('/reset')->{status}, 502, 'reset');

$res = $t->get('/cut');
is($res->{status}, 200, 'cut: the head arrives');
is($res->{error}, 'cut', 'cut: the body does not');

is($t->get('/never')->{status}, 504, 'never');
ok($t->wait_for(sub { grep { $_->{gone} } $t->lost('up') }),
   'the peer saw that it was left');

is($t->post('/early', 'x' x 100)->{status}, 413, 'early');

$t->tell('up', { mode => 'odd' });
is($t->get('/echo')->header('X-Mode'), 'odd', 'told');
$t->tell('up', {});

my $before = $t->ledger('up');
$t->peer_stop('up');
is($t->get('/echo')->{status}, 502, 'stopped');
$t->peer_start('up');
ok($t->wait_for(sub { $t->get('/echo')->{status} == 200 }, 15), 'started');
is(($t->ledger('up'))[$before]{n}, $before + 1, 'the ledger goes on');

# leaving

$t->abort('GET', '/never', after => 0.05, reset => 1);
ok($t->wait_for(sub { grep { $_->{gone} } $t->lost('up') }), 'abort');
$t->storm(n => 40, at_once => 20, within => 0.05,
          request => sub { ('POST', '/delay', body => "b$_[0]") });
is($t->get('/echo')->{status}, 200, 'alive after a storm');

# tokens, read by somebody else

my $issuer = Test::Sync::Token->new(issuer => 'https://idp.example');

for my $alg (qw(RS256 PS384 ES256 ES512 EdDSA HS384)) {
    $issuer->key($alg, $alg);

    my $read = sub {
        return eval { decode_jwt(token => $issuer->token(@_),
                                 kid_keys => $issuer->jwks) };
    };

    is(($read->({ sub => 'u' }, kid => $alg) || {})->{sub}, 'u', $alg);

    for my $part (qw(signature payload)) {
        is($read->({}, kid => $alg, tamper => $part), undef,
           "$alg: $part tampered with");
    }
}

# reload, nginx -t

my @old = $t->workers;
ok($t->reload, 'reload');
ok($t->wait_for(sub { my %now = map { $_ => 1 } $t->workers;
                      !grep { $now{$_} } @old }), 'other workers');
is($t->get('/echo')->{status}, 200, 'after the reload');

$t->refused('location / { no_such_directive on; }',
            qr/unknown directive "no_such_directive"/);
$t->accepted('location / { return 204; }', 'a good one');

# the assertions at the end can fail

sub fault {
    my ($name) = @_;
    my ($fault) = grep { $_->[0] eq $name } $t->faults;
    return scalar(@$fault) - 1;
}

sub planted {
    my ($file, $line, $name) = @_;

    is(fault($name), 0, "$name: nothing yet");

    my $kept = $t->read($file);
    open my $fh, '>>', $t->path($file);
    print $fh "$line\n";
    close $fh;

    isnt(fault($name), 0, "$name: caught");

    open $fh, '>', $t->path($file);
    print $fh $kept;
    close $fh;
}

$t->canary('s3cr3t-canary');
$t->get('/logged', Authorization => 'Bearer abcdefghij',
        'X-Secret' => 's3cr3t-canary');
$t->wait_for(sub { $t->read('seen.log') });
isnt(fault('no secrets in logs'), 0, 'a logged secret is caught');
unlink $t->path('seen.log');

$t->get('/logged', 'X-Secret' => 'abcdefghij');
$t->wait_for(sub { -s $t->path('access.log') });

planted('stderr.log', '2026/01/01 [alert] 1#1: open socket left',
        'no alerts');
planted('stderr.log', '1#1: worker process 7 exited on signal 11',
        'no worker died');
planted('asan.77', '==77==ERROR: AddressSanitizer: heap-use-after-free',
        'no sanitizer reports');
planted('other.log', 'token=abcdefghij', 'no secrets in logs');

$t->allow(qr/open socket left/);
open my $fh, '>>', $t->path('stderr.log');
print $fh "[alert] 1#1: open socket left\n";
close $fh;
is(fault('no alerts'), 0, 'an allowed alert');

$t->done;
