#!/usr/bin/perl

# A claimed request goes to one peer: what that one says reaches the client,
# also where proxy_next_upstream would have asked the next one.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new(workers => 2);
my $dead = $t->free_port;

$t->peer($_ => sub {
    my ($req) = @_;

    return [ $req->{uri} =~ /(\d+)$/ ? $1 : 201, {}, "said $req->{uri}" ];
}) for qw(a b);

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->http(<<"CONF");
    sync_secret file:%%TESTDIR%%/master.key;

    upstream two  { server %%PEER_a%% max_fails=0;
                    server %%PEER_b%% max_fails=0; keepalive 4; }
    upstream dead { server 127.0.0.1:$dead max_fails=0;
                    server 127.0.0.1:$dead max_fails=0;
                    server %%PEER_a%% backup; }

    proxy_ignore_client_abort on;
    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_next_upstream       error timeout http_403 http_404 http_429
                              http_500 http_502 http_503 http_504;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_idempotency on scope=none methods=POST,PUT,DELETE;

        location /two/  { proxy_pass http://two; }
        location /dead/ { proxy_pass http://dead; }
        location /free/ { sync_idempotency off; proxy_pass http://two; }
    }
CONF
$t->start;

sub ask {
    my ($method, $uri, $key) = @_;

    my $r = $t->request($method, $uri, body => 'x', headers => [
        'Idempotency-Key' => $key ]);

    return "$r->{status} " . ($r->header('Idempotency-Status') // 'none');
}

sub sent { return $t->ledger('a') + $t->ledger('b') }

for my $method (qw(PUT DELETE POST)) {
    for ([ 403, 'released' ], [ 404, 'executed' ], [ 429, 'released' ],
         [ 500, 'outcome-unknown' ], [ 502, 'outcome-unknown' ], [ 503, 'outcome-unknown' ],
         [ 504, 'outcome-unknown' ])
    {
        my ($status, $kind) = @$_;
        my $n = sent();
        my $said = ask($method, "/two/$status", "$method-$status");

        is(sent(), $n + 1, "$method, $status: sent once");
        is($said, "$status $kind", 'and what was said is passed on');
    }
}

# a peer that is not there has not been sent anything

my $n = sent();
is(ask(PUT => '/dead/1/201', 'd1'), '201 executed', 'on to a peer that lives');
is(sent(), $n + 1, 'sent once');

# without a claim nothing changes

$n = sent();
is($t->request('PUT', '/free/503', body => 'x')->{status}, 503, 'no claim');
is(sent(), $n + 2, 'both are asked');

$t->allow(qr/connect\(\) failed/, qr/no live upstreams/);
$t->done;
