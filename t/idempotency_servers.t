#!/usr/bin/perl

# Two servers have a location of one name: a key of the one is not a key of the
# other, unless a name or a tenant says that they are one.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new(workers => 2);

for my $name (qw(a b)) {
    $t->peer($name => sub { return [ 201, {}, $name ] });
}

$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme',
    match => { hosts => [ 'a.example', 'b.example' ] } });

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->http(<<'CONF');
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants;

    proxy_ignore_client_abort on;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        server_name a.example;

        location /orders { sync_idempotency on scope=$http_x_client;
                           proxy_pass http://%%PEER_a%%; }
        location /one    { sync_idempotency on scope=none name=one;
                           proxy_pass http://%%PEER_a%%; }
        location /tenant { sync_tenant host;
                           sync_idempotency on scope=none;
                           proxy_pass http://%%PEER_a%%; }
        location = /keys { sync_keys; }
    }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        server_name b.example;

        location /orders { sync_idempotency on scope=$http_x_client;
                           proxy_pass http://%%PEER_b%%; }
        location /two    { sync_idempotency on scope=none name=one;
                           proxy_pass http://%%PEER_b%%; }
        location /tenant { sync_tenant host;
                           sync_idempotency on scope=none;
                           proxy_pass http://%%PEER_b%%; }
    }
CONF
$t->start;

sub order {
    my ($host, $uri) = @_;

    my $r = $t->request('POST', $uri, body => 'x', headers => [
        Host => "$host.example", 'X-Client' => 'c',
        'Idempotency-Key' => 'k1' ]);

    return "$r->{body} " . ($r->header('Idempotency-Status') // 'none');
}

is(order('a', '/orders'), 'a executed', 'the first server');
is(order('b', '/orders'), 'b executed', 'a key of its own on the second one');
is(order('a', '/orders'), 'a replayed', 'and a replay');
is(order('b', '/orders'), 'b replayed', 'of either');
is($t->ledger('b'), 1, 'sent once');

is(order('a', '/one'), 'a executed', 'with a name');
is(order('b', '/two'), 'a replayed', 'they share');

is(order('a', '/tenant'), 'a executed', 'a tenant');
is(order('b', '/tenant'), 'a replayed', 'has its keys whatever host it asks');

# an operator finds both

my $keys = $t->get('/keys?key=k1&scope=c', Host => 'a.example')->json;

is(join(' ', sort map { $_->{server} // 'none' }
        grep { $_->{location} eq '/orders' } @{ $keys->{found} }),
   'a.example b.example', 'an operator is told of which server');

$t->done;
