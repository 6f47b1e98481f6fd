#!/usr/bin/perl

# What was executed is forgotten when a Redis loses its data: it is noticed,
# and nothing is executed under an absent key for a while.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use POSIX ();
use Time::HiRes qw(sleep time);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $t;


sub gateway {
    my ($conf, %opt) = @_;

    return $t = Test::Sync::Redis->gateway($conf, %opt);
}


sub claim {
    my ($key, %args) = @_;

    return Test::Sync::Redis->op($t, 'claim', key => $key, owner => "o-$key",
                                 print => 'p', %args)->{result};
}


sub noticed {
    my ($like, $name) = @_;

    my $yes = $t->wait_for(sub { $t->log_text =~ $like }, 5);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($yes, $name) or diag($t->log_text);
}


subtest 'everything is gone under open connections' => sub {
    my $r = Test::Sync::Redis->start;

    gateway('sync_store ' . $r->url . ' quarantine=4s;');

    is(claim('before'), 'OK', 'a new store is not a loss');
    like($r->cmd('GET', 'sync:{m:0}'), qr/^[0-9a-f]{16} \d+ \d+ 0$/,
         'its mark');

    my $first = $r->cmd('GET', 'sync:{m:0}');

    ok($t->wait_for(sub { $r->cmd('GET', 'sync:{m:0}') ne $first }, 3),
       'is counted up');

    $r->cmd('FLUSHALL');

    noticed(qr/data was lost: its mark is gone/, 'is noticed in a moment');
    noticed(qr/for [34]s nothing is executed.*after_loss=refuse/,
            'and what it means is said');
    is(claim('after'), 'DOWN', 'an absent key is not granted');
    is($r->cmd('KEYS', '*r:*')->@*, 0, 'and nothing was written');

    my $other = Test::Sync::Redis->gateway('sync_store ' . $r->url
                                           . ' quarantine=4s;');
    is(Test::Sync::Redis->op($other, 'claim', key => 'x', owner => 'o',
                             print => 'p')->{result}, 'DOWN',
       'nor on a node that was not there');
    like($other->log_text, qr/data was lost: for \ds nothing is executed/,
         'which read it in the mark');
    $other->done;

    ok($t->wait_for(sub { claim('after') eq 'OK' }, 8),
       'the quarantine ends');

    $t->done;
};


subtest 'a claim that was under way' => sub {
    my $r = Test::Sync::Redis->start;

    gateway('sync_store ' . $r->url . ' timeout=5s;');
    is(claim('before'), 'OK', 'a claim');

    # Redis reads: forget all, a look at the mark, and the claim

    my $admin = $r->connect;

    $r->stop_signal;
    $admin->send('FLUSHALL');
    sleep 1.3;

    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        sleep 0.3;
        kill 'CONT', $r->pid;
        POSIX::_exit(0);
    }

    is(claim('before', owner => 'another'), 'DOWN',
       'is not granted where the loss is known when its answer comes');
    waitpid $pid, 0;
    noticed(qr/data was lost: its mark is gone/, 'which it is');

    ok($t->wait_for(sub { $r->cmd('KEYS', '*r:*')->@* == 0 }, 3),
       'and is given back');

    $t->done;
};


subtest 'a server that comes back empty' => sub {
    my $r = Test::Sync::Redis->start;

    gateway('sync_store ' . $r->url . ';');
    is(claim('before'), 'OK', 'a claim');

    $r->again(empty => 1);

    my ($tries, $last) = (0, '');
    my $granted = 0;

    $t->wait_for(sub {
        $last = claim('k' . $tries++);
        $granted++ if $last eq 'OK';
        return $t->log_text =~ /data was lost: its mark is gone/;
    }, 5);

    like($t->log_text, qr/data was lost: its mark is gone/, 'is noticed');
    like($t->log_text, qr/for (?:600|599)s nothing/, 'ten minutes by default');
    is($granted, 0, 'before a claim is granted');
    is(claim('new'), 'DOWN', 'nor is one later');

    $t->done;
};


subtest 'a server that comes back older' => sub {
    my $r = Test::Sync::Redis->start;

    gateway('sync_store ' . $r->url . ';');
    is(claim('old'), 'OK', 'a claim that is saved');

    $r->cmd('SAVE');
    is(claim('young'), 'OK', 'one that is not');
    sleep 3.2;

    $r->kill9;
    $r->launch;

    noticed(qr/data was lost: it is back at a state of \d{4} ms before/,
            'is noticed');
    is(claim('young'), 'DOWN', 'what is not there is not granted');
    is(claim('old', owner => 'another'), 'BUSY',
       'what is there answers as before');

    $t->done;
};


subtest 'other data, which has lost some before' => sub {
    my $r = Test::Sync::Redis->start;
    my $lost = sub { return scalar(() = $t->log_text =~ /lost: its mark/g) };
    my $granted = sub {
        my ($key) = @_;
        return $t->wait_for(sub { claim($key) eq 'OK' }, 8);
    };

    gateway('sync_store ' . $r->url . ' quarantine=3s;', workers => 2);

    is(claim('first'), 'OK', 'a claim');
    $r->cmd('FLUSHALL');

    # a worker that had never looked writes a new one, which is another then

    noticed(qr/data was lost: its mark is (?:gone|another)/, 'a loss');
    ok($granted->('second'), 'which is over');

    my $backup = $r->cmd('GET', 'sync:{m:0}');

    like($backup, qr/^[0-9a-f]{16} \d+ \d+ [1-9]\d*$/,
         'and stands in a backup');

    $r->cmd('FLUSHALL');
    ok($t->wait_for(sub { $lost->() == 2 }, 5), 'another loss');
    ok($granted->('third'), 'which is over, too');

    $r->cmd('MULTI');
    $r->cmd('FLUSHALL');
    $r->cmd('SET', 'sync:{m:0}', $backup);
    $r->cmd('EXEC');

    ok($t->wait_for(sub { $lost->() == 3 }, 5),
       'that the backup is there instead is noticed');
    like($t->log_text, qr/lost: its mark is another(?!.*its mark)/s, 'as such');

    # by whoever has looked: the other worker does within a second

    my ($tries, $down) = (0, 0);

    ok($t->wait_for(sub {
        $down = claim('late' . $tries++) eq 'DOWN' ? $down + 1 : 0;
        return $down == 6;
    }, 3), 'and what it does not have is not granted');

    isnt($r->cmd('GET', 'sync:{m:0}') =~ s/.* //r, $backup =~ s/.* //r,
         'it is written down for all');
    sleep 1.5;
    is($lost->(), 3, 'and noticed once, by whoever of two is first');

    $t->done;
};


subtest 'a server that comes back as it was' => sub {
    my $r = Test::Sync::Redis->start(config => [
        appendonly => 'yes', appendfsync => 'always' ]);

    gateway('sync_store ' . $r->url . ';');
    is(claim('old'), 'OK', 'a claim');

    $r->kill9;
    $r->launch;

    ok($t->wait_for(sub { claim('new') eq 'OK' }, 5), 'goes on');
    is(claim('old', owner => 'another'), 'BUSY', 'with what it has');
    unlike($t->log_text, qr/data was lost/, 'and no loss is seen');

    $t->done;
};


subtest 'execute all the same' => sub {
    my $r = Test::Sync::Redis->start;

    gateway('sync_store ' . $r->url . ' after_loss=execute;');
    is(claim('before'), 'OK', 'a claim');

    $r->cmd('FLUSHALL');

    noticed(qr/data was lost: its mark is gone/, 'the loss is told of');
    is(claim('before'), 'OK', 'and what is absent is granted');
    unlike($t->log_text, qr/nothing is executed/, 'nothing else is said');

    $t->done;
};


subtest 'a user who may not look' => sub {
    my $r = Test::Sync::Redis->start(acl => [
        'app on >pw ~sync:{?*}r:* ~sync:{?*}due ~sync:{?*}keys ~sync:{?*}bytes '
        . '+@all -info' ]);

    $ENV{SYNC_TEST_PW} = 'pw';
    gateway('sync_store ' . $r->url
            . ' user=app password=env:SYNC_TEST_PW;');

    is(claim('k', tenant => 't'), 'OK', 'can claim');
    noticed(qr/may not look at "sync:\{m:0\}", a loss of data is not noticed/,
            'but is told of what is missing');
    noticed(qr/may not ask \S+ for INFO: version, role and eviction are not/,
            'both things');

    $t->done;
};




subtest 'a Redis that evicts' => sub {
    my $r = Test::Sync::Redis->start;

    $r->cmd('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');

    gateway('sync_store ' . $r->url . ';');
    is(claim('k'), 'OK', 'serves');
    noticed(qr/has maxmemory-policy "allkeys-lru" and may forget/,
            'and is told of');

    # not at each connection

    $r->cmd('CLIENT', 'KILL', 'TYPE', 'normal');
    ok($t->wait_for(sub { claim('later') eq 'OK' }, 5), 'connected again');
    is(scalar(() = $t->log_text =~ /may forget what was executed/g), 1,
       'once');
    $t->done;

    gateway('sync_store ' . $r->url . ' eviction=refuse;');
    is(claim('refused'), 'DOWN', 'where it is refused it does not serve');
    noticed(qr/could forget what was executed; it is refused \(eviction=refuse\)/,
            'which is told of');

    $r->cmd('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    ok($t->wait_for(sub { claim('healed') eq 'OK' }, 10),
       'until it evicts nothing');
    $t->done;

    gateway('sync_store ' . $r->url . ' eviction=refuse;');
    is(claim('quiet'), 'OK', 'one that evicts nothing serves');
    unlike($t->log_text, qr/maxmemory-policy/, 'and nothing is said');

    my ($brand, $version) = ('Valkey', $r->info('valkey_version'));
    ($brand, $version) = ('Redis', $r->info('redis_version')) if !$version;

    noticed(qr/ is $brand \Q$version\E; it keeps no append-only file/,
            'but what it is, and what it does not keep');
    $t->done;
};
