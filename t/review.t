#!/usr/bin/perl

# Where NGINX and the collector meet at their edges: lists of headers in parts,
# ranges, interim answers, encodings of a kept answer, bodies without a length.

use strict;
use warnings;

use IO::Compress::Gzip qw(gzip);

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new;

$t->write('master.key', 'c4n4ry-master-secret-0123456789');

gzip(\('{"packed":1}' . ' ' x 2000), \my $packed);

$t->peer(erp => sub {
    my ($req) = @_;

    my ($what) = $req->{uri} =~ m{/([a-z]+)$};

    return [ 200, { 'Content-Type' => 'text/plain' }, '0123456789' x 10 ]
        if $what eq 'range';
    return { raw => "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"
                    . "Content-Length: 2\r\n\r\nok", close => 1 }
        if $what eq 'interim';
    return [ 200, { 'Content-Type' => 'application/json',
                    'Content-Encoding' => 'gzip' }, $packed ]
        if $what eq 'packed';
    return [ 201, { 'Content-Type' => 'text/plain',
                    Location => 'http://erp.example/o/1' }, 'there' ]
        if $what eq 'moved';
    return [ 200, { 'Content-Type' => 'text/plain; a=' . 'x' x 70_000 },
             'long' ]
        if $what eq 'long';
    return [ 200, { 'Content-Type' => 'text/plain' }, 'fine' ];
});

$t->http(<<'CONF');
    sync_secret   file:%%TESTDIR%%/master.key;
    sync_buffers  256k;

    proxy_http_version         1.1;
    proxy_ignore_client_abort  on;
    client_body_buffer_size      512k;
    large_client_header_buffers  4 16k;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_idempotency on scope=none;

        location /o/ { proxy_pass http://%%PEER_erp%%; }

        location /range/ {
            proxy_force_ranges on;
            proxy_pass         http://%%PEER_erp%%;
        }

        location /gzip/ {
            gzip        on;
            gzip_types  *;
            gzip_proxied any;
            proxy_pass  http://%%PEER_erp%%;
        }

        location /to/ {
            proxy_redirect  http://erp.example/ /;
            proxy_pass      http://%%PEER_erp%%;
        }

        location /long/ {
            proxy_buffer_size 128k;
            proxy_buffers     4 128k;
            proxy_busy_buffers_size 128k;
            proxy_pass http://%%PEER_erp%%;
        }

        location /for/ {
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_pass       http://%%PEER_erp%%;
        }
    }
CONF

$t->start;

my $r;

sub key { return 'Idempotency-Key' => $_[0] }


# request headers stand in parts of twenty

$t->raw(join "\r\n",
        'POST /o/parts HTTP/1.1', 'Host: localhost',
        (map { "A$_: a" } 1 .. 19), (map { "X-Sync-$_: lie" } 1 .. 20),
        'Connection: close', 'Content-Length: 2', 'Idempotency-Key: p1',
        '', '{}');

my ($seen) = reverse $t->ledger('erp');

is(join(' ', grep { /^x-sync-/ } sort keys %{ $seen->{h} }), '',
   'no X-Sync-* goes on when they fill a part of the list');

$t->raw(join "\r\n",
        'POST /for/parts HTTP/1.1', 'Host: localhost', (map { "X-Sync-$_: lie" } 1 .. 2),
        'Connection: close', 'Content-Length: 2', 'Idempotency-Key: p2',
        'X-Forwarded-For: 192.0.2.7', '', '{}');

($seen) = reverse $t->ledger('erp');

is($seen->{h}{'x-forwarded-for'}, '192.0.2.7, 127.0.0.1',
   'a header that NGINX points at stays itself');


# a range of an answer that is held

$r = $t->post('/range/range', '{}', key('r1'), Range => 'bytes=0-9');

is("$r->{status} $r->{h}{'content-length'} " . length $r->{body},
   '200 100 100', 'a held answer is whole');


# what comes before an answer is none

$r = $t->post('/o/interim', '{}', key('i1'));
is($r->{status}, 504, 'an interim answer is not the end');
is($r->header('Idempotency-Status'), 'outcome-unknown');

$r = $t->post('/o/interim', '{}', key('i1'));
is($r->{status}, 409, 'and it is not kept');


# kept answers meet the filters that the first one met

my @first;

for my $what (qw(/gzip/packed /to/moved)) {
    for my $n (0, 1) {
        $r = $t->post($what, '{}', key($what), 'Accept-Encoding' => 'gzip');

        my $all = join ', ', $r->{status}, map { $_ // '' }
                      join('+', $r->all('Content-Encoding')),
                      $r->header('Location'),
                      length($r->header('Content-Type')), length $r->{body};
        push @first, $all if $n == 0;

        is($all, $first[-1], "$what, the replay is as the answer was")
            if $n == 1;
    }

    is($r->header('Idempotent-Replayed'), 'true', 'a replay');
}

$t->post('/long/long', '{}', key('l1'));
$r = $t->post('/long/long', '{}', key('l1'));
is("$r->{status} $r->{body}", '200 long', 'a type too long to keep');


# a body without a length counts, too

$r = $t->post('/o/large', 'x' x 200_000, key('c1'));
is($r->{status}, 503, 'over sync_buffers');

$r = $t->request('POST', '/o/large', headers => [ key('c2') ],
                 body => 'x' x 200_000, chunked => 1);
is($r->{status}, 503, 'and so it is in chunks');

$t->done;
