#!/usr/bin/perl

# Quotas by the calendar, on a clock of the test: the end of a day and of a
# month, time zones, clocks that step.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep time);

my $lib = Test::Sync::Redis->libfaketime
    or plan skip_all => 'no libfaketime';

$ENV{SYNC_STATIC} and plan skip_all => 'sanitizers must be loaded first';

my @stores = ({ name => 'shm', conf => 'sync_store shm;' });

push @stores, { name => 'redis', conf => 'sync_store '
                                         . Test::Sync::Redis->start->url . ';' }
    if Test::Sync::Redis->available;

my $t;

for my $store (@stores) {
    $t = Test::Sync->new(workers => 2);

    $t->peer(up => sub { return [200, {}, 'up'] });

    $t->write('secrets/t_acme/one', 'c4n4ry-quota-one');
    $t->write('tenants/acme.json', {
        tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
        plans => { gold => { time_zone => 'Asia/Tokyo', limits => [
            { rate => '100/s' }, { quota => '3/day' },
            { quota => '6/month' },
            { quota => '4k/day', unit => 'content-bytes' } ] } },
        clients => { one => { api_keys => ['secret:one'], plan => 'gold' } },
    });

    # the workers' environment is what is named

    $t->main("env LD_PRELOAD; env TZ; env FAKETIME_TIMESTAMP_FILE;\n"
             . "env FAKETIME_NO_CACHE; env DONT_FAKE_MONOTONIC;\n");

    $t->http(<<"CONF");
    $store->{conf}

    sync_tenants %%TESTDIR%%/tenants;
    sync_secrets %%TESTDIR%%/secrets;

    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;

        location /day/    { sync_limit day quota=3/day key=\$arg_k mode=exact;
                            proxy_pass http://up; }
        location /month/  { sync_limit month quota=3/month key=\$arg_k
                                       mode=exact time_zone=Europe/Berlin;
                            proxy_pass http://up; }
        location /leased/ { sync_limit leased quota=40/day key=\$arg_k
                                       mode=leased;
                            proxy_pass http://up; }
        location /bytes/  { sync_limit bytes quota=4k/day key=\$arg_k
                                       unit=content-bytes;
                            proxy_pass http://up; }
        location /plan/   { sync_tenant host; sync_auth api_key;
                            sync_limit plan mode=exact;
                            proxy_pass http://up; }
    }
CONF

    clock('@2026-11-30 22:00:00');

    {
        local $ENV{LD_PRELOAD} = $lib;
        local $ENV{TZ} = 'UTC';
        local $ENV{FAKETIME_TIMESTAMP_FILE} = $t->path('clock');
        local $ENV{FAKETIME_NO_CACHE} = 1;
        local $ENV{DONT_FAKE_MONOTONIC} = 1;

        $t->start;
    }

    subtest "$store->{name}: quotas" => \&quotas;

    $t->done;
}


# absolute, and it goes on from there

sub clock {
    my ($at) = @_;

    $t->write('clock', "$at\n");
}


sub set {
    my ($at, $name) = @_;

    clock($at);

    # NGINX looks at the clock when it has something to do

    my ($day) = $at =~ /@\d+-\d+-(\d+) /;

    ok($t->wait_for(sub {
        return $t->get('/day/?k=')->header('date') =~ /, $day /;
    }), $name);
}


sub statuses {
    my ($n, $uri) = @_;

    return join ' ', map { $t->get($uri)->{status} } 1 .. $n;
}


sub plan_of {
    my ($n) = @_;

    return join ' ', map {
        $t->request('GET', '/plan/', host => 'acme.test',
                    headers => ['X-API-Key' => 'c4n4ry-quota-one'])->{status}
    } 1 .. $n;
}


sub quotas {
    is(statuses(4, '/day/?k=a'), '200 200 200 429', 'three a day');

    my $r = $t->get('/day/?k=a');

    like($r->header('ratelimit-policy'), qr/^"day";q=3;w=86400;pk=/,
         'RateLimit-Policy');

    my $wait = $r->header('retry-after');

    ok($wait > 7000 && $wait <= 7200, "Retry-After: until midnight ($wait)");

    # Berlin is an hour ahead of UTC, Tokyo nine

    is(statuses(4, '/month/?k=a'), '200 200 200 429', 'three a month');
    $wait = $t->get('/month/?k=a')->header('retry-after');
    ok($wait > 3500 && $wait <= 3600, "which ends in Berlin first ($wait)");

    is(plan_of(4), '200 200 200 429', 'a plan: it is December in Tokyo');

    my $n = grep { $_->{status} == 200 }
            map { $t->parallel(map { ['GET', '/leased/?k=a'] } 1 .. 20) }
            1 .. 4;
    is($n, 40, 'leased, never more than the quota');

    is($t->post('/bytes/?k=a', 'x' x 4000)->{status}, 200, 'of bytes');
    is($t->post('/bytes/?k=a', 'x')->{status}, 429, 'used up');

    # an hour later

    set('@2026-11-30 23:00:01', 'it is December in Berlin');
    is(statuses(4, '/month/?k=a'), '200 200 200 429', 'a month has begun');
    is(statuses(1, '/day/?k=a'), '429', 'but no day');
    like($t->get('/month/?k=a')->header('ratelimit-policy'),
         qr/^"month";q=3;w=2678400;pk=/, 'a month of 31 days');

    # midnight passes while requests come

    set('@2026-11-30 23:59:58', 'two seconds to midnight');
    is(statuses(1, '/day/?k=a'), '429', 'used up');
    is($t->get('/day/?k=a')->header('retry-after') <= 2, 1, 'for two seconds');
    sleep 2.3;
    is(statuses(4, '/day/?k=a'), '200 200 200 429', 'a new day');
    is($t->post('/bytes/?k=a', 'x' x 4000)->{status}, 200, 'for bytes, too');

    # Tokyo's day ends at three in the afternoon, and a month has six

    set('@2026-12-01 15:00:01', 'tomorrow in Tokyo');
    is(plan_of(4), '200 200 200 429', 'a day of the plan');
    set('@2026-12-02 15:00:01', 'and another');
    is(plan_of(1), '429', 'but the month is used up');

    my $r2 = $t->request('GET', '/plan/', host => 'acme.test',
                         headers => ['X-API-Key' => 'c4n4ry-quota-one']);
    like($r2->header('ratelimit'), qr/^"gold\.3";r=0;/, 'which is told');

    # clocks step

    is(statuses(4, '/day/?k=step'), '200 200 200 429', 'a day');
    set('@2026-12-01 12:00:00', 'the clock is set back');
    is(statuses(1, '/day/?k=a'), '429', 'yesterday is as it was left');
    set('@2026-12-02 16:00:00', 'and forward');
    is(statuses(1, '/day/?k=step'), '429', 'so is today');
    set('@2027-03-01 00:00:10', 'far ahead');
    is(statuses(4, '/day/?k=step'), '200 200 200 429', 'a new day');
    is(statuses(4, '/month/?k=a'), '200 200 200 429', 'a new month');
    is(plan_of(4), '200 200 200 429', 'and plan');
}
