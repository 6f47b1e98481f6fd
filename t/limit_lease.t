#!/usr/bin/perl

# Leased limits, on each store: what is admitted at most, what is given back,
# how seldom the store is asked.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep time);

my @stores = (
    { name => 'shm',     conf => 'sync_store shm;' },
    { name => 'waiting', conf => 'sync_store test:delay=2ms timeout=300ms;',
      faults => 1 },
);

# what real servers do is in t/limit_redis.t

push @stores, { name => 'redis',
                conf => 'sync_store ' . Test::Sync::Redis->start->url . ';' }
    if Test::Sync::Redis->available;

my ($t, $store);

for (@stores) {
    $store = $_;
    $t = Test::Sync->new(workers => 2);

    $t->peer(up => sub { return [200, {}, 'up'] });

    $t->write("secrets/t_acme/$_", "c4n4ry-lease-$_") for qw(one two);
    $t->write('tenants/acme.json', {
        tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
        plans => { gold => { limits => [
            { rate => '1/h', burst => 400 },
            { rate => '1/day', burst => 300 } ] } },
        clients => { map { $_ => { api_keys => ["secret:$_"],
                                   plan => 'gold' } } qw(one two) },
    });

    my %is = (
        small  => 'rate=1/h burst=3',
        one    => 'rate=1/h burst=1',
        large  => 'rate=1/h burst=80 lease=1s',
        quick  => 'rate=100000/s burst=100000',
        open   => 'rate=1/h burst=80 fail=open',
        closed => 'rate=1/h burst=80 fail=closed',
        part   => 'rate=1/h burst=80 fail=local nodes=4',
        bound  => 'rate=50/s burst=100 lease=1s',
        strict => 'rate=50/s burst=100 lease=1s strict',
        cost   => 'rate=1/h burst=80 cost=$arg_cost',
    );

    my $locations = join '', map {
        "location /$_/ { sync_limit $_ $is{$_} key=\$arg_k mode=leased;"
        . " proxy_pass http://up; }\n"
    } sort keys %is;

    $t->http(<<"CONF");
    $store->{conf}

    sync_tenants %%TESTDIR%%/tenants;
    sync_secrets %%TESTDIR%%/secrets;

    upstream up { server %%PEER_up%%; keepalive 8; }

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;

        proxy_http_version 1.1;
        proxy_set_header   Connection "";

        location = /fault { sync_test_fault; }
        location = /status { sync_status; }
        location /plan/   { sync_tenant host; sync_auth api_key;
                            sync_limit plan mode=leased;
                            proxy_pass http://up; }
        location /strict-plan/ {
                            sync_tenant host; sync_auth api_key;
                            sync_limit plan mode=leased strict lease=60s;
                            proxy_pass http://up; }
        location /after/  { sync_limit large rate=1/h burst=80 lease=1s
                                       key=\$arg_k mode=leased;
                            sync_limit never rate=1/h burst=1 key=\$arg_n;
                            proxy_pass http://up; }
$locations
    }
CONF

    $t->start;

    subtest "$store->{name}: small" => \&small;
    subtest "$store->{name}: costs" => \&costs;
    subtest "$store->{name}: a plan" => \&windows;
    subtest "$store->{name}: hoarded, then spent" => \&bound;
    subtest "$store->{name}: what is not spent comes back" => \&back;
    subtest "$store->{name}: the store is away" => \&away
        if $store->{faults};
    subtest "$store->{name}: seldom asked" => \&seldom if $store->{faults};
    subtest "$store->{name}: told by sync_status" => \&told;

    $t->allow(qr/exited on signal 9/, qr/\[alert\].*worker process \d+ exited/);
    $t->done;
}


sub statuses {
    my ($n, $uri) = @_;

    return join ' ', map { $t->get($uri)->{status} } 1 .. $n;
}


sub passed {
    return scalar grep { $_->{status} == 200 } @_;
}


# n requests, some at once

sub flood {
    my ($uri, $n) = @_;

    my $passed = 0;

    for (1 .. $n / 20) {
        $passed += passed($t->parallel(map { ['GET', $uri] } 1 .. 20));
    }

    return $passed;
}


# all that is there, also what another worker returns after a lease

sub drain {
    my ($uri) = @_;

    my $passed = 0;
    my $none = 0;

    while ($none < 3) {
        my $n = flood($uri, 40);

        $passed += $n;
        $none = $n ? 0 : $none + 1;
        sleep 0.5 if !$n;
    }

    return $passed;
}


sub fault {
    return $t->get('/fault?' . join '&', @_)->json;
}


sub small {
    is(statuses(5, '/small/?k=a'), '200 200 200 429 429', 'a burst of three');

    my $r = $t->get('/small/?k=a');

    like($r->header('ratelimit-policy'), qr/^"small";q=3;w=10800;pk=/,
         'RateLimit-Policy');
    like($r->header('ratelimit'), qr/^"small";r=0;t=3600;/, 'RateLimit');
    is($r->header('retry-after'), 3600, 'Retry-After: when a token is due');

    my @r = $t->parallel(map { ['GET', '/one/?k=par'] } 1 .. 100);

    is(passed(@r), 1, 'a hundred at once, exactly one is admitted');

    is(drain('/large/?k=all'), 80, 'all of a burst, and no more');

    my @calm = $t->parallel((map { ['GET', '/small/?k=flood'] } 1 .. 60),
                            (map { ['GET', "/small/?k=calm$_"] } 1 .. 5));
    is(passed(@calm[60 .. 64]), 5, 'one that floods does not touch another');
}


sub told {
    my $m = $t->metrics('/status');
    my %n = map { $_ => $m->{qq(sync_limit_leases_total{event="$_"})} // -1 }
            qw(refill dry lost wait exact);

    cmp_ok($n{refill}, '>', 10, 'refills');
    cmp_ok($n{dry}, '>', 3, 'some of which found less');
    cmp_ok($n{dry}, '<', $n{refill}, 'not all');
    cmp_ok($n{wait}, '>=', 0, 'requests that waited');
    is($n{exact}, 0, 'nothing was taken exactly');

    if ($store->{faults}) {
        cmp_ok($n{lost}, '>', 0, 'a store that was away');

    } else {
        is($n{lost}, 0, 'the store was always there');
    }
}


sub costs {
    is(statuses(1, '/cost/?k=a&cost=81'), '413', 'over the burst');
    is(statuses(3, '/cost/?k=a&cost=30'), '200 200 429', 'more than a chunk');

    # who was refused keeps nothing that others may have

    my $rest = drain('/cost/?k=a&cost=1');
    ok($rest >= 16 && $rest <= 20, "what is left is for smaller ones ($rest)");

    # given back to where it came from

    is(statuses(1, '/after/?k=refund&n=x'), '200', 'two limits');
    is(statuses(4, '/after/?k=refund&n=x'), '429 429 429 429',
       'the second refuses');
    is(drain('/large/?k=refund'), 79, 'and the first was given back');
}


sub client {
    my ($client, $uri, $n) = @_;

    return map { [GET => $uri, host => 'acme.test',
                  headers => ['X-API-Key' => "c4n4ry-lease-$client"]] }
           1 .. $n;
}


sub windows {
    my $passed = 0;

    for (1 .. 20) {
        $passed += passed($t->parallel(client('one', '/plan/', 20)));
    }

    sleep 1.2;
    $passed += passed($t->parallel(client('one', '/plan/', 40)));

    is($passed, 300, 'the narrower of two windows');

    my ($r) = $t->parallel(client('one', '/plan/', 1));

    like($r->header('ratelimit-policy'), qr/^"gold\.1";q=400;.*"gold\.2";q=300/,
         'both are told');
    like($r->header('ratelimit'), qr/^"gold\.2";r=0;/, 'the one that refused');

    # 1/h in a minute is less than a token: strict takes one off

    ($r) = $t->parallel(client('two', '/strict-plan/', 1));
    is($r->{status}, 200, 'a plan, strictly');
}


# workers that hold chunks while the bucket fills, then spend all at once

sub bound {
    for ([ bound => 1 ], [ strict => 0 ]) {
        my ($name, $lease) = @$_;

        my @spent;
        my $until = time() + 2.5;

        while (time() < $until) {

            # grow the chunks, be quiet for most of a lease, spend

            my $from = time();
            my @r;

            push @r, $t->parallel(map { ['GET', "/$name/?k=b"] } 1 .. 20)
                while time() - $from < 0.3;

            push @spent, [ $from, time(), passed(@r) ];

            sleep 0.6;
        }

        my $over = 0;

        for my $i (0 .. $#spent) {
            my $sum = 0;

            for my $k ($i .. $#spent) {
                $sum += $spent[$k][2];

                my $d = $spent[$k][1] - $spent[$i][0];

                $over++ if $sum > 100 + 50 * ($d + $lease);
            }
        }

        my $all = 0;
        $all += $_->[2] for @spent;

        is($over, 0, "$name: in no interval more than it promises");

        my $d = $spent[-1][1] - $spent[0][0];

        cmp_ok($all, '>=', ($lease ? 100 : 50) + 50 * ($d - 1) * 0.7,
               'and most of what it allows is used');
    }
}


sub back {
    my $uri = '/large/?k=back';

    # chunks grow to ten, so that some of the last is left

    my $passed = flood($uri, 40);

    is($passed, 40, 'half of it');
    sleep 1.3;

    # two requests: of each worker one would do; then a reload, whose workers
    # begin with nothing and leave what the old ones hold

    $passed += flood($uri, 20);
    ok($t->reload, 'reload');
    sleep 1.3;

    # of what is given back a token has begun to come by itself: each of the
    # four workers keeps one back

    $passed += drain($uri);
    cmp_ok($passed, '>=', 76, 'over leases and a reload nearly all come back');
    cmp_ok($passed, '<=', 80, 'and none twice');

    # a worker that is killed takes with it what it held

    $uri = '/large/?k=kill';
    $passed = flood($uri, 40);

    my @pids = $t->workers;
    kill 'KILL', @pids;

    ok($t->wait_for(sub {
        my %old = map { $_ => 1 } @pids;
        return 2 == grep { !$old{$_} } $t->workers;
    }), 'the workers are killed');

    $passed += drain($uri);
    cmp_ok($passed, '<=', 80, 'never more than the burst');
    cmp_ok($passed, '>=', 80 - 2 * 2 * 10, 'less two chunks a worker at most');
}


sub away {
    fault('fault=down');

    is(statuses(3, '/open/?k=a'), '200 200 200', 'fail=open lets pass');
    is(statuses(2, '/closed/?k=a'), '503 503', 'fail=closed refuses');
    is(flood('/part/?k=a', 60), 20, 'a quarter for each of four nodes');

    fault('fault=lost');

    my $from = time();
    is(flood('/open/?k=b', 20), 20, 'no answer, open');
    ok(time() - $from < 1, 'is waited for once');

    fault('fault=clear');
    sleep 0.6;

    is(statuses(3, '/closed/?k=a'), '200 200 200', 'the store is back');
    is(drain('/closed/?k=c'), 80, 'and all of it');
}


sub seldom {
    my $calls = fault()->{lease_take}{calls};
    my $from = time();

    is(flood('/quick/?k=a', 1000), 1000, 'a thousand requests');

    my $took = time() - $from;

    $calls = fault()->{lease_take}{calls} - $calls;

    # both workers grow their chunks, and ask four times a lease or so

    cmp_ok($calls, '<', 2 * (12 + 10 * $took),
           sprintf '%d chunks in %.1f s', $calls, $took);
    is(fault()->{limit_take}{calls} > 0 ? 1 : 0, 1, 'nodes are counted');
}
