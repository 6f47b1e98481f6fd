#!/usr/bin/perl

# Several stores: what is kept of a tenant stands where it lives.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my %redis = map { $_ => Test::Sync::Redis->start } qw(main eu us);
my $t = Test::Sync->new(workers => 2);

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->peer(erp => sub {
    my ($req) = @_;

    return { never => 1 } if $req->{uri} =~ /never/;
    return [ 201, {}, 'booked ' . $req->{n} ];
});

my %lives = (anywhere => undef, europe => 'eu', america => 'us',
             moon => 'lunar');

mkdir $t->path($_) for qw(tenants library secrets);

for my $name (keys %lives) {
    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.example"] },
        defined $lives{$name} ? (residency => $lives{$name}) : () });
}

my $stores = join "\n    ", 'sync_store ' . $redis{main}->url . ';',
             map { "sync_store $_->[0] name=$_->[1];" }
             map { [ $redis{$_}->url, $_ ] } qw(eu us);

$t->http("    $stores\n" . <<'CONF');
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        sync_tenant      host;
        sync_idempotency required scope=none;

        location / { proxy_pass http://%%PEER_erp%%; }

        # with an outcome that nobody knows

        location /never { sync_deadline 300ms; proxy_pass http://%%PEER_erp%%; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        location = /sync/keys { sync_keys; }
    }
CONF

$t->start;


sub order {
    my ($tenant, $key, $uri) = @_;

    my $res = $t->post($uri || '/orders', 'body',
                       'Content-Type' => 'text/plain',
                       'Idempotency-Key' => "\"$key\"",
                       host => "$tenant.example");

    return "$res->{status} " . ($res->header('Idempotency-Status') // '');
}


sub kept {
    my ($place, $tenant) = @_;

    return scalar @{ $redis{$place}->cmd('KEYS', "sync:{t_$tenant:*}r:*") };
}


for ([ anywhere => 'main' ], [ europe => 'eu' ], [ america => 'us' ]) {
    my ($tenant, $place) = @$_;

    is(order($tenant, 'k'), '201 executed', "$tenant: an order");
    is(order($tenant, 'k'), '201 replayed', 'is executed once');
    is(kept($_, $tenant), $_ eq $place ? 1 : 0, "kept in $_")
        for sort keys %redis;
}

my $sent = $t->ledger('erp');

is(order('moon', 'k'), '503 ', 'no store where it lives');
is(scalar $t->ledger('erp'), $sent, 'nothing is sent');
like($t->log_text, qr/tenant "moon" lives in "lunar", but no sync_store/,
     'the log says why');


# what an operator asks is asked of that store

sub keys_ask {
    my ($method, $query) = @_;

    my $res = $t->request($method, "/sync/keys?$query", port => 1);

    return ($res->{status}, $res->json);
}


is(order('europe', 'u', '/never'), '504 outcome-unknown',
   'nobody knows how it ended');

my ($status, $said) = keys_ask('GET', 'tenant=europe&key=u');

is($status, 200, 'an operator finds it');
is($said->{store}, 'eu', 'in the store of the tenant');
is($said->{found}[0]{state}, 'outcome-unknown', 'and sees how it stands');

is((keys_ask('GET', 'tenant=europe&key=k'))[0], 200, 'one that was executed');
is((keys_ask('GET', 'tenant=anywhere&key=u'))[0], 404,
   'nobody else has that key');

($status, $said) = keys_ask('DELETE', 'tenant=europe&key=u');

is($status, 200, 'it can be released');
ok($said->{released}, 'which is said');
is((keys_ask('GET', 'tenant=europe&key=u'))[0], 404, 'and is free');

($status, $said) = keys_ask('GET', 'tenant=moon&key=k');

is($status, 503, 'no store where it lives: nobody knows');
like($said->{error}, qr/no sync_store/, 'and why');


# a check is one of all stores, and of all places that a tenant has in one

sub check {
    my ($status, $said) = keys_ask('GET', 'check');

    return ($status, $said, map { $_->{store} => $_ } @{$said->{stores}});
}


my %store;
my @us = ('ACL', 'SETUSER', 'default', 'resetkeys');

($status, $said, %store) = check();

is($status, 200, 'all stores are well');
ok($said->{well}, 'which is said');
is(join(' ', map { $_->{store} } @{$said->{stores}}), 'default eu us',
   'each by its name');

for my $name (qw(default eu us)) {
    is(join(' ', map { $_->{result} } values %{$store{$name}{operations}}),
       'ok ok ok ok ok ok', "$name can do all");
    is($store{$name}{failed}, 0, "in all places");
}

is(scalar @{ $redis{$_}->cmd('KEYS', 'sync:{:*}r:*') }, 0, "$_: nothing stays")
    for sort keys %redis;

$redis{us}->cmd(@us, '~sync:{:3}*', '~sync:{}*', '~sync:{m:*}', '~sync:{w}*');
($status, $said, %store) = check();
$redis{us}->cmd(@us, '~*');

is($status, 503, 'a store with one good place of sixteen is not well');
is($store{us}{places} - $store{us}{failed}, 1, 'that many are good');
ok(!$store{us}{well}, 'and it is that one');
is($store{us}{operations}{claim}{result}, 'down', 'which is asked in vain');
is($store{us}{operations}{free}{result}, 'ok', 'and goes on where it can');
ok($store{$_}{well}, "$_ is well") for qw(default eu);
ok(!$said->{well}, 'so all are not');

$redis{eu}->kill9;

is(order('europe', 'k2'), '503 refused', 'one store is down');
is(order('america', 'k2'), '201 executed', 'the others are not');

($status, $said, %store) = check();

is($status, 503, 'and so says a check');
is($store{eu}{operations}{claim}{result}, 'down', 'by its name');
is(scalar keys %{$store{eu}{operations}}, 1, 'it is not asked on');
ok($store{$_}{well}, "$_ is well") for qw(default us);

ok($t->reload, 'a reload');
is(order('america', 'k2'), '201 replayed', 'after it all is as before');

$t->write('tenants/europe.json', { tenant => 'europe', id => 't_europe',
    match => { hosts => ['europe.example'] }, residency => 'us' });
ok($t->wait_for(sub { order('europe', 'k3') eq '201 executed' }, 10),
   'a tenant that moves');
is(kept('us', 'europe'), 1, 'is kept where it is now');

$t->refused('sync_store redis://127.0.0.1; sync_store redis://127.0.0.1;
             server { }', qr/"sync_store" directive is duplicate; a second/,
            'two of one name');
$t->refused('sync_store redis://127.0.0.1 name=a;
             sync_store redis+unix:/a name=a; server { }',
            qr/is duplicate; a second store needs a "name=" of its own/,
            'of whatever kind');
$t->refused('sync_store redis://127.0.0.1; sync_store shm name=b; server { }',
            qr/is duplicate.*cannot be shm/, 'shared memory as a second one');

$t->done;
