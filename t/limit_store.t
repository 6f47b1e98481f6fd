#!/usr/bin/perl

# Limits that all nodes share, on each store: what is admitted at once, what
# comes back, what happens while the store is away.

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

    # holds an answer back until it is told to

    $t->peer(up => sub {
        my ($req) = @_;

        return { delay => $1 } if $req->{uri} =~ /slow=([\d.]+)/;
        return [200, {}, 'up'];
    });

    $t->write('secrets/t_acme/one', 'c4n4ry-limit-one');
    $t->write('secrets/t_acme/two', 'c4n4ry-limit-two');
    $t->write('tenants/acme.json', {
        tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
        plans => { gold => { limits => [
            { rate => '1/h', burst => 5 },
            { rate => '1/h', burst => '4k', unit => 'content-bytes' },
            { concurrency => 2 } ] } },
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

        location = /fault { sync_test_fault; }

        location /exact/  { sync_limit exact rate=1/h burst=3 key=\$arg_k
                                       mode=exact;
                            proxy_pass http://up; }
        location /one/    { sync_limit one rate=1/h burst=1 key=\$arg_k
                                       mode=exact;
                            proxy_pass http://up; }
        location /month/  { sync_limit month rate=1/month burst=1 key=\$arg_k
                                       mode=exact;
                            proxy_pass http://up; }
        location /max/    { sync_limit max rate=3000000/s burst=3000000
                                       key=\$arg_k cost=\$arg_cost mode=exact;
                            proxy_pass http://up; }
        location /edge/   { sync_limit edge rate=1/s burst=1 key=\$arg_k
                                       mode=exact;
                            proxy_pass http://up; }
        location /two/    { sync_limit first rate=1/h burst=5 key=\$arg_a
                                       mode=exact;
                            sync_limit second rate=1/h burst=1 key=\$arg_b
                                       mode=exact;
                            sync_limit third concurrency=1 key=\$arg_c
                                       mode=exact;
                            proxy_pass http://up; }
        location /two/a/  { sync_limit first rate=1/h burst=5 key=\$arg_a
                                       mode=exact;
                            proxy_pass http://up; }
        location /bytes/  { sync_limit bytes rate=1k/h burst=10k key=\$arg_k
                                       unit=content-bytes mode=exact;
                            proxy_pass http://up; }

        location /slot/   { sync_limit slot concurrency=2 key=\$arg_k
                                       lease=1s mode=exact;
                            proxy_pass http://up; }
        location /ghost/  { sync_limit ghost concurrency=1 key=\$arg_k
                                       lease=1s mode=exact shadow;
                            proxy_pass http://up; }

        location /open/   { sync_limit open rate=1/h burst=2 key=\$arg_k
                                       mode=exact fail=open;
                            proxy_pass http://up; }
        location /closed/ { sync_limit closed rate=1/h burst=2 key=\$arg_k
                                       mode=exact fail=closed;
                            proxy_pass http://up; }
        location /local/  { sync_limit local rate=1/h burst=6 key=\$arg_k
                                       mode=exact nodes=3;
                            proxy_pass http://up; }
        location /least/  { sync_limit least rate=1/h burst=2 key=\$arg_k
                                       mode=exact nodes=3;
                            proxy_pass http://up; }
        location /places/ { sync_limit places concurrency=4 key=\$arg_k
                                       lease=1s mode=exact nodes=2;
                            proxy_pass http://up; }

        location /plan/   { sync_tenant host; sync_auth api_key;
                            sync_limit plan mode=exact;
                            proxy_pass http://up; }
    }
CONF

    $t->start;

    subtest "$store->{name}: exact" => \&exact;
    subtest "$store->{name}: several" => \&several;
    subtest "$store->{name}: content-bytes" => \&bytes;
    subtest "$store->{name}: concurrency" => \&concurrency;
    subtest "$store->{name}: a plan" => \&windows;
    subtest "$store->{name}: tenants and keys apart" => \&apart;
    subtest "$store->{name}: the store is away" => \&away
        if $store->{faults};
    subtest "$store->{name}: a worker is killed" => \&killed;

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


sub fault {
    return $t->get('/fault?' . join '&', @_)->json;
}


# one request in a process of its own, until it is answered

sub background {
    my ($uri, @args) = @_;

    my $pid = open my $fh, '-|' // die "fork: $!";

    if (!$pid) {
        print $t->request('GET', $uri, @args)->{status};
        close STDOUT;
        POSIX::_exit(0);
    }

    return $fh;
}


sub exact {
    is(statuses(4, '/exact/?k=a'), '200 200 200 429', 'a burst of three');

    my $r = $t->get('/exact/?k=a');

    like($r->header('ratelimit-policy'), qr/^"exact";q=3;w=10800;pk=/,
         'RateLimit-Policy');
    like($r->header('ratelimit'), qr/^"exact";r=0;t=3(?:600|59\d);/,
         'RateLimit');
    is($r->json->{type}, 'urn:sync:problem:limit-exceeded', 'as problem');
    like($t->get('/exact/?k=b')->header('ratelimit'), qr/;r=2;t=3600;/,
         'what is left, on an answer that passed');

    my @r = $t->parallel(map { ['GET', '/one/?k=par'] } 1 .. 100);

    is(passed(@r), 1, 'a hundred at once, exactly one is admitted');
    is(scalar(grep { $_->{status} == 429 } @r), 99, 'and the others refused');

    # both ends of what a rate may be

    is(statuses(2, '/month/?k=a'), '200 429', 'one a month');

    $r = $t->get('/month/?k=a');
    is($r->header('retry-after'), 30 * 24 * 3600, 'Retry-After of a month');

    is(statuses(1, '/max/?k=a&cost=3000000'), '200', '3,000,000 at once');
    sleep 0.2;
    is(statuses(1, '/max/?k=a&cost=500000'), '200',
       'and half a million more after a sixth of a second');

    # costs

    is(statuses(1, '/max/?k=b&cost=3000001'), '413', 'over the burst');
    is(statuses(1, '/max/?k=b&cost=99999999999999999999'), '413',
       'over any number');
    is(statuses(1, '/max/?k=b&cost=-1'), '200', 'a negative cost is one');
    like($t->get('/max/?k=c&cost=-1')->header('ratelimit'), qr/;r=2999999;/,
         'and takes one');

    # the edge of a window: what was refused is due when it was said to be

    is(statuses(2, '/edge/?k=a'), '200 429', 'one a second');
    sleep 1.05;
    is(statuses(2, '/edge/?k=a'), '200 429', 'and one more, a second later');

    my $n = 0;
    my $from = time();

    while (time() - $from < 2.5) {
        $n++ if $t->get('/edge/?k=b')->{status} == 200;
        sleep 0.01;
    }

    is($n, 3, 'three in two and a half seconds, however often asked');
}


sub several {
    is(statuses(3, '/two/?a=x&b=y&c=z'), '200 429 429', 'the second refuses');
    is(statuses(5, '/two/a/?a=x'), '200 200 200 200 429',
       'and the first was given back');

    my $busy = background('/two/?a=p&b=q&c=r&slow=1');

    ok($t->wait_for(sub { $t->ledger('up') > 0
                          && ($t->ledger('up'))[-1]{uri} =~ /a=p/ }),
       'one is under way');
    is(statuses(1, '/two/?a=p&b=other&c=r'), '429', 'the third refuses');
    is(scalar <$busy>, '200', 'the one under way is answered');

    # a place is free when its request has ended, which is after its answer

    ok($t->wait_for(sub { statuses(1, '/two/?a=p&b=other&c=r') eq '200' }),
       'what the second had taken was given back');
    is(statuses(4, '/two/a/?a=p'), '200 200 200 429', 'and the first');
}


sub bytes {
    my $kib = 'x' x 1024;

    is($t->post('/bytes/?k=a', $kib x 6)->{status}, 200, 'six of ten KiB');

    my $r = $t->post('/bytes/?k=a', $kib x 5);

    is($r->{status}, 429, 'five more are refused');
    like($r->header('ratelimit-policy'),
         qr/^"bytes";q=10240;w=36000;qu="content-bytes";pk=/,
         'RateLimit-Policy in bytes');
    like($r->header('ratelimit'), qr/^"bytes";r=4096;/, 'RateLimit, too');
    is($t->post('/bytes/?k=a', ($kib x 3) . 'x')->{status}, 200,
       'a KiB that has begun counts');
    is($t->post('/bytes/?k=a', 'x')->{status}, 429, 'so this is too much');
    is(statuses(2, '/bytes/?k=a'), '200 200', 'nothing costs nothing');

    $r = $t->post('/bytes/?k=b', $kib x 11);
    is($r->{status}, 413, 'over the burst');
    like($r->json->{detail}, qr/at most 10240 bytes at once/, 'in bytes');

    $r = $t->request('POST', '/bytes/?k=b', body => $kib, chunked => 1);
    is($r->{status}, 411, 'content without a length');
    is($r->json->{type}, 'urn:sync:problem:length-required', 'as problem');
}


sub concurrency {
    my @busy = map { background("/slot/?k=a&slow=1.5&n=$_") } 1 .. 2;

    ok($t->wait_for(sub {
        my @seen = grep { $_->{uri} =~ m{/slot/\?k=a} } $t->ledger('up');
        return @seen == 2;
    }), 'two are under way');

    my $r = $t->get('/slot/?k=a');

    is($r->{status}, 429, 'the third is refused');
    like($r->header('ratelimit-policy'),
         qr/^"slot";q=2;qu="concurrent-requests";pk=/, 'RateLimit-Policy');
    like($r->header('ratelimit'), qr/^"slot";r=0;t=1;/, 'RateLimit');
    is($r->header('retry-after'), 1, 'Retry-After');
    is(statuses(1, '/slot/?k=b'), '200', 'another key has its own');

    sleep 1.1;
    is(statuses(1, '/slot/?k=a'), '429', 'a lease is renewed');

    is(join(' ', map { scalar <$_> } @busy), '200 200', 'answered');
    ok($t->wait_for(sub { $t->get('/slot/?k=a')->{status} == 200 }),
       'their places are free');
    is(statuses(5, '/slot/?k=a'), '200 200 200 200 200',
       'each gives its place back');

    # a client that leaves

    $t->abort(GET => "/slot/?k=c&slow=0.1&n=$_", after => 0.05) for 1 .. 6;
    ok($t->wait_for(sub {
        return passed($t->parallel(map { ['GET', '/slot/?k=c&slow=0.05'] }
                                   1 .. 2)) == 2;
    }, 0.9), 'who has left holds nothing, and no lease need end for it');

    my @r = $t->parallel(map { ['GET', '/slot/?k=d&slow=0.5'] } 1 .. 20);
    is(passed(@r), 2, 'twenty at once, two places');

    @r = $t->parallel(map { ['GET', '/ghost/?k=d&slow=0.3'] } 1 .. 4);
    is(passed(@r), 4, 'a shadow refuses nobody');
    $t->log_like(qr/would refuse, "ghost"/, 'and says so');
}


sub client {
    my ($key, $method, @args) = @_;

    return $t->request($method, '/plan/', host => 'acme.test', @args,
                       headers => ['X-API-Key' => "c4n4ry-limit-$key"]);
}


sub windows {
    my $r = client('one', 'POST', body => 'x' x 4096);

    is($r->{status}, 200, 'two units of one plan');

    $r = client('one', 'POST', body => 'x');

    is($r->{status}, 429, 'the bytes are used up');
    like($r->header('ratelimit-policy'),
         qr/^"gold\.2";q=4096;w=14400;qu="content-bytes";pk=:[^:]+:$/,
         'the unit that refused is told');

    my @ok = map { client('one', 'GET')->{status} } 1 .. 5;

    is("@ok", '200 200 200 200 429',
       'what it had taken of the requests was given back');

    $r = client('one', 'GET');
    like($r->header('ratelimit-policy'),
         qr/^"gold\.1";q=5;w=18000;pk=:[^:]+:, "gold\.3";q=2;qu="concurrent/,
         'both lines of requests are told');

    my @r = $t->parallel(map { [GET => '/plan/?slow=0.4', host => 'acme.test',
                                headers => ['X-API-Key' =>
                                            'c4n4ry-limit-two']] } 1 .. 4);
    is(passed(@r), 2, 'two places');
    sleep 0.1;

    @ok = map { client('two', 'GET')->{status} } 1 .. 4;
    is("@ok", '200 200 200 429', 'who had none was not charged');
}


sub apart {
    my @r = $t->parallel((map { ['GET', '/exact/?k=flood'] } 1 .. 60),
                         (map { ['GET', "/exact/?k=calm$_"] } 1 .. 5));

    is(passed(@r[60 .. 64]), 5, 'one that floods does not touch another');
}


sub away {
    my $r;

    fault('fault=down');

    is(statuses(4, '/open/?k=a'), '200 200 200 200', 'fail=open lets pass');

    $r = $t->get('/closed/?k=a');
    is($r->{status}, 503, 'fail=closed refuses');
    is($r->json->{type}, 'urn:sync:problem:limit-unavailable', 'as problem');
    is($r->header('retry-after'), 1, 'Retry-After');

    is(statuses(3, '/local/?k=a'), '200 200 429',
       'fail=local: a third of six for each of three nodes');
    is(statuses(2, '/least/?k=a'), '200 429', 'at least one');

    my @r = $t->parallel(map { ['GET', '/places/?k=a&slow=0.4'] } 1 .. 6);
    is(passed(@r), 2, 'half of four places');

    # the nodes that were seen before it went: one

    is(statuses(4, '/exact/?k=away'), '200 200 200 429',
       'of the nodes that were seen');

    fault('fault=lost');

    my $from = time();

    is(statuses(1, '/open/?k=b'), '200', 'no answer');
    ok(time() - $from < 0.9, 'costs the timeout of the store');
    is(statuses(1, '/closed/?k=b'), '503', 'nor for who is closed');

    fault('fault=full');
    is(statuses(1, '/closed/?k=c'), '503', 'full, and closed');
    is(statuses(3, '/local/?k=c'), '200 200 429', 'full, and local');

    fault('fault=clear');

    is(statuses(3, '/closed/?k=d'), '200 200 429', 'the store is back');
    is(statuses(7, '/local/?k=d'), '200 200 200 200 200 200 429',
       'and all of it');

    # once a second is said what becomes of it

    fault('fault=down');

    for ([ open => 'is not enforced' ], [ closed => 'refuses' ],
         [ local => 'is divided by the nodes' ])
    {
        my ($name, $says) = @$_;

        ok($t->wait_for(sub {
            $t->get("/$name/?k=said");
            return $t->log_text
                   =~ /\[warn\].*the store is down, "$name" $says/;
        }), qq{"$name" $says, says the log});
    }

    fault('fault=clear');

    # a place whose answer comes when its request has gone

    fault('op=slot_acquire', 'fault=delay', 'ms=200', 'n=2');
    $t->abort(GET => '/slot/?k=late', after => 0.05) for 1 .. 2;
    sleep 0.3;
    is(passed($t->parallel(map { ['GET', '/slot/?k=late&slow=0.1'] } 1 .. 2)),
       2, 'is given back');
}


sub killed {
    my @busy = map { background("/slot/?k=kill&slow=20&n=$_", timeout => 4) }
               1 .. 2;

    ok($t->wait_for(sub {
        my @seen = grep { $_->{uri} =~ m{/slot/\?k=kill} } $t->ledger('up');
        return @seen == 2;
    }), 'two are under way');

    is(statuses(1, '/slot/?k=kill'), '429', 'no place is left');

    my @pids = $t->workers;
    kill 'KILL', @pids;

    ok($t->wait_for(sub {
        my %old = map { $_ => 1 } @pids;
        return 2 == grep { !$old{$_} } $t->workers;
    }), 'the workers are killed');

    my $from = time();

    ok($t->wait_for(sub { $t->get('/slot/?k=kill')->{status} == 200 }, 4),
       'their places return');
    ok(time() - $from < 2, 'when their leases are over');

    <$_> for @busy;
}
