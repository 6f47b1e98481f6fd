#!/usr/bin/perl

# wait=N/TIME: what it promises, and what it costs who does not ask for it.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep time);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $master = Test::Sync::Redis->start;
my $replica = Test::Sync::Redis->start(replica_of => $master);
my $t = Test::Sync::Redis->gateway(
    'sync_store ' . $master->url . ' timeout=1s wait=1/200ms breaker=off;');


sub op {
    my ($op, $key, %args) = @_;

    return Test::Sync::Redis->op($t, $op, key => $key, owner => "o-$key",
                                 print => 'p', %args);
}


sub said { return op(@_)->{result} }


sub keys_of {
    my ($server) = @_;

    return scalar @{ $server->cmd('KEYS', 'sync:*r:*') };
}


sub linked {
    return $t->wait_for(sub {
        $replica->info('master_link_status') eq 'up' }, 10);
}


ok(linked(), 'a replica');
ok($t->wait_for(sub { said('claim', 'first') eq 'OK' }, 5), 'is waited for');


subtest 'a replica that is there' => sub {
    my ($ok, $there) = (0, 0);

    for my $i (1 .. 50) {
        my $res = op('claim', "k$i", tenant => "t$i");

        $ok++ if $res->{result} eq 'OK';
        $there++ if @{ $replica->cmd('KEYS', "sync:{t$i:*}r:*") };
    }

    is($ok, 50, 'claims are granted');
    is($there, 50, 'and stand on it by then');

    my $res = op('claim', 'settled');

    is(said('settle', 'settled', epoch => $res->{epoch}, outcome => 'C',
            record => 'r'), 'OK', 'a settlement');
    is($replica->cmd('GET', $_) =~ /^1C/ ? 1 : 0, 1, 'stands there as well')
        for grep { $master->cmd('GET', $_) =~ /^1C/ }
                 @{ $master->cmd('KEYS', 'sync:*r:*') };
};


subtest 'one that hangs' => sub {
    my $held = op('claim', 'held');
    my $keys = keys_of($master);

    $replica->stop_signal;

    my $at = time;

    is(said('claim', 'short'), 'DOWN', 'a claim is not granted');
    cmp_ok(time - $at, '>', 0.15, 'after the time');
    cmp_ok(time - $at, '<', 0.9, 'and no more');
    ok($t->wait_for(sub { keys_of($master) == $keys }, 3),
       'and is taken back');
    like($t->log_text, qr/is not known to 1 replica in time/, 'the log says');

    # WAIT of one is that of all who came before it

    $at = time;

    my @all = $t->parallel(map {
        [ GET => "/op?op=claim&key=m$_&owner=o&print=p" ] } 1 .. 40);

    cmp_ok(time - $at, '<', 1.5, '40 wait together');
    is(scalar(grep { $_->json->{result} eq 'DOWN' } @all), 40,
       'and none is granted');

    # what does not wait goes another way

    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        said('claim', 'behind');
        POSIX::_exit(0);
    }

    sleep 0.05;
    $at = time;
    is(said('look', 'first'), 'OK', 'a look');
    cmp_ok(time - $at, '<', 0.1, 'is not held up by it');
    waitpid $pid, 0;

    is(said('settle', 'held', epoch => $held->{epoch}, outcome => 'C',
            record => 'r'), 'DOWN', 'a settlement is not known to have stood');

    $replica->cont_signal;

    ok($t->wait_for(sub {
        said('settle', 'held', epoch => $held->{epoch}, outcome => 'C',
             record => 'r') eq 'OK'; }, 5), 'and is told again');
    is(said('claim', 'short'), 'OK', 'what was taken back is free');
};


subtest 'none' => sub {
    $replica->kill9;

    my $keys = keys_of($master);

    is(said('claim', 'alone'), 'DOWN', 'nothing is granted');
    ok($t->wait_for(sub { keys_of($master) == $keys }, 3), 'nor kept');

    $replica->launch;
    ok(linked(), 'it comes back');
    ok($t->wait_for(sub { said('claim', 'alone') eq 'OK' }, 5), 'all is well');
};


subtest 'a reload while they wait' => sub {
    $replica->stop_signal;

    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        POSIX::_exit(said('claim', 'reload') eq 'DOWN' ? 0 : 1);
    }

    sleep 0.05;
    ok($t->reload, 'a reload');
    waitpid $pid, 0;
    is($?, 0, 'they are answered');

    $replica->cont_signal;
    ok($t->wait_for(sub { said('claim', 'after') eq 'OK' }, 5), 'it goes on');
};


$t->done;
