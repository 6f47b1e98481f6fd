#!/usr/bin/perl

# Penalties: who is answered in vain too often is not let in for a while.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep time);

my @stores = (
    { name => 'shm', conf => 'sync_store shm;' },
    { name => 'waiting', conf => 'sync_store test:delay=2ms timeout=300ms;',
      faults => 1 },
);

push @stores, { name => 'redis',
                conf => 'sync_store ' . Test::Sync::Redis->start->url . ';' }
    if Test::Sync::Redis->available;

my ($t, $store);

for (@stores) {
    $store = $_;
    $t = Test::Sync->new(workers => 2);

    $t->peer(up => sub {
        my ($req) = @_;

        return [404, {}, 'no'] if $req->{uri} =~ /missing/;
        return [200, {}, 'up'];
    });

    $t->write("secrets/t_acme/$_", "c4n4ry-penalty-$_") for qw(one two);
    $t->write('tenants/acme.json', {
        tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
        plans => { gold => {
            limits => [ { rate => '2/s', burst => 2 } ],
            penalty => { after => 4, within => '1m', for => '2s' } } },
        clients => { map { $_ => { api_keys => ["secret:$_"],
                                   plan => 'gold' } } qw(one two) },
    });

    $t->http(<<"CONF");
    $store->{conf}

    sync_tenants %%TESTDIR%%/tenants;
    sync_secrets %%TESTDIR%%/secrets;

    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        sync_tenant host;
        sync_penalty guess after=3 within=1m for=2s key=\$arg_k mode=exact;

        location = /fault { sync_penalty off; sync_test_fault; }
        location /auth/   { sync_auth api_key; proxy_pass http://up; }
        location /more/   { sync_auth api_key; proxy_pass http://up; }
        location /off/    { sync_auth api_key; sync_penalty off;
                            proxy_pass http://up; }
        location /dark/   { sync_auth api_key;
                            sync_penalty dark after=1 within=1m for=2s
                                         key=\$arg_k shadow;
                            proxy_pass http://up; }
        location /limit/  { sync_limit rate=1/h burst=1 key=\$arg_k;
                            sync_penalty pushy after=2 within=1m for=1h
                                         on=429,404 key=\$arg_k;
                            proxy_pass http://up; }
        location /short/  { sync_penalty brief after=2 within=1s for=1m on=404
                                         key=\$arg_k;
                            proxy_pass http://up; }
        location /page/   { sync_penalty page after=1 within=1m for=1m on=404
                                         key=\$arg_k;
                            proxy_intercept_errors on;
                            error_page 404 = /other/;
                            error_page 429 = \@sorry;
                            proxy_pass http://up; }
        location /other/  { proxy_pass http://up; }
        location \@sorry  { return 200 "sorry\\n"; }
        location /plan/   { sync_auth api_key; sync_limit plan mode=exact;
                            proxy_pass http://up; }
    }
CONF

    $t->start;

    subtest "$store->{name}: penalties" => \&penalties;
    subtest "$store->{name}: of a plan" => \&of_a_plan;
    subtest "$store->{name}: the store is away" => \&away
        if $store->{faults};

    $t->done;
}


sub ask {
    my ($uri, $key) = @_;

    # what an answer counts for is known a moment after it

    sleep 0.03;

    return $t->request('GET', $uri, host => 'acme.test',
                       headers => [$key ? ('X-API-Key' => $key) : ()]);
}


sub statuses {
    my ($n, @args) = @_;

    return join ' ', map { ask(@args)->{status} } 1 .. $n;
}


sub penalties {
    my $right = 'c4n4ry-penalty-one';

    is(statuses(2, '/auth/?k=a', $right), '200 200', 'the right key');
    is(statuses(3, '/auth/?k=a', 'wrong'), '401 401 401', 'three wrong ones');

    my $r = ask('/auth/?k=a', $right);

    is($r->{status}, 429, 'and not even the right one is heard');
    is($r->json->{type}, 'urn:sync:problem:penalty', 'as problem');
    like($r->json->{detail}, qr/^penalty "guess" is over in [12] s$/,
         'which says when it is over');
    like($r->header('retry-after'), qr/^[12]$/, 'and Retry-After');
    is(statuses(1, '/more/?k=a', $right), '429', 'wherever it stands');
    is(statuses(2, '/off/?k=a', $right), '200 200', 'but where it is off');
    is(statuses(1, '/auth/?k=b', $right), '200', 'nobody else is touched');
    $t->log_like(qr/\[warn\].*penalty "guess" begins, for 2 s/, 'said once');

    sleep 2.1;
    is(statuses(1, '/auth/?k=a', $right), '200', 'it is over');

    # on both workers, at once

    my @r = $t->parallel(map { [GET => '/auth/?k=par', host => 'acme.test',
                                headers => ['X-API-Key' => "wrong$_"]] }
                         1 .. 20);
    sleep 0.1;
    is(statuses(4, '/auth/?k=par', $right), '429 429 429 429',
       'both workers refuse');

    is(statuses(3, '/dark/?k=a', 'wrong'), '401 401 401', 'a shadow lets pass');
    $t->log_like(qr/would refuse, penalty "dark"/, 'and says so');

    # other answers

    is(statuses(4, '/limit/?k=a'), '200 429 429 429', 'refused by a limit');
    is(ask('/limit/?k=a')->json->{type}, 'urn:sync:problem:penalty',
       'twice, and then for an hour');
    is(statuses(3, '/limit/missing?k=b'), '404 429 429', 'by either status');

    is(statuses(1, '/short/missing?k=a'), '404', 'once');
    sleep 1.1;
    is(statuses(2, '/short/missing?k=a'), '404 404',
       'in another window it is the first again');
    is(statuses(1, '/short/?k=a'), '429', 'and the second');

    # where error_page leads to

    is(ask('/page/missing?k=a')->{body}, 'up', 'what error_page made good');
    is(ask('/page/x?k=a')->{body}, 'up', 'is not counted');
}


sub of_a_plan {
    my $key = 'c4n4ry-penalty-two';
    my @r;

    for (1 .. 8) {
        push @r, ask('/plan/', $key);
    }

    my $got = join ' ', map { $_->{status} } @r;

    is($got, '200 200 429 429 429 429 429 429', 'a limit that is not kept');
    is($r[5]->json->{type}, 'urn:sync:problem:limit-exceeded', 'four times');
    is($r[6]->json->{type}, 'urn:sync:problem:penalty', 'then the penalty');
    like($r[6]->json->{detail}, qr/^penalty "gold" is over in/, 'of the plan');

    sleep 1;
    is(ask('/plan/', $key)->{status}, 429, 'although the limit has room again');
    is(ask('/plan/', 'c4n4ry-penalty-one')->{status}, 200,
       'another client of it is not touched');
    sleep 1.2;
    is(ask('/plan/', $key)->{status}, 200, 'it is over');
}


sub away {
    $t->get('/fault?fault=down');

    is(statuses(4, '/auth/?k=down', 'wrong'), '401 401 401 429',
       'this node counts what it sees');

    $t->get('/fault?fault=clear');
}


$t = Test::Sync->new;

my $needs = 'after=3 within=1m for=1m key=$uri';

for (
    ['sync_penalty', qr/invalid number of arguments/],
    ['sync_penalty x', qr/"sync_penalty" needs "after=", "within="/],
    ['sync_penalty after=3 within=1m for=1m key=$uri', qr/invalid name/],
    ["sync_penalty x $needs on=500", qr/invalid "on=500"/],
    ["sync_penalty x $needs on=401,", qr/invalid "on=401,"/],
    ["sync_penalty x $needs mode=leased", qr/invalid parameter "mode=leased"/],
    ["sync_penalty x $needs colour=red",
        qr/invalid parameter "colour=red" of "sync_penalty", known are/],
    ['sync_penalty x after=0 within=1m for=1m key=$uri', qr/invalid "after=0"/],
    ['sync_penalty x after=1 within=1ms for=1m key=$uri',
        qr/invalid "within=1ms"/],
    ['sync_penalty x after=1 within=1m for=31d key=$uri',
        qr/invalid "for=31d"/],
    ['sync_penalty x after=1 within=1m for=1m key=all', qr/has no variable/],
    ["sync_penalty x $needs; sync_penalty off", qr/same level/],
    ["sync_penalty off; sync_penalty x $needs", qr/same level/],
) {
    my ($text, $like) = @$_;

    $t->refused("location /x { $text; }", $like, "refused: $text");
}

$t->accepted("location /x { sync_penalty x $needs; }", 'alone');
$t->done;
