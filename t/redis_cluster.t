#!/usr/bin/perl

# A cluster: slots that move under load, nodes that die, slots that nobody has.
# SYNC_STORM: slots move all the time, and for long.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Orders;
use Test::Sync::Redis;
use Time::HiRes qw(sleep time);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $t;


sub claim {
    my ($key, %args) = @_;

    # a tenant for each key spreads them

    return Test::Sync::Redis->op($t, 'claim', key => $key, owner => "o-$key",
                                 print => 'p', tenant => $key,
                                 %args)->{result};
}


# the slots of our keys: "sync:{TENANT:B}..."

sub slots {
    my ($node) = @_;

    return map { $node->cmd('CLUSTER', 'KEYSLOT', "sync:{:$_}") } 0 .. 15;
}


# by its id: which port a node tells of depends on who asks, and we do over a
# socket that has no TLS

sub owner {
    my ($slot, @nodes) = @_;

    for my $range (@{ $nodes[0]->cmd('CLUSTER', 'SLOTS') }) {
        next if $slot < $range->[0] || $slot > $range->[1];
        return (grep { $_->cmd('CLUSTER', 'MYID') eq $range->[2][2] }
                @nodes)[0];
    }
}


subtest 'slots move under load' => sub {
    my @nodes = Test::Sync::Redis->cluster(3);
    my $orders = Test::Sync::Orders->new(
        store => 'redis+cluster://127.0.0.1:' . $nodes[0]->port
                 . ' timeout=1s');
    my ($moves, $keys, $last) = (0, 0, time + ($ENV{SYNC_STORM} ? 60 : 3));

    $t = $orders->gateway;
    $orders->begin(clients => 6, seconds => $last - time);
    sleep 0.3;

    MOVE: while (1) {
        for my $slot (slots($nodes[0])) {
            last MOVE if time > $last;

            my $from = owner($slot, @nodes);
            my ($to, @other) = grep { $_ != $from } @nodes;

            # half moved, commands of several keys are told to try again

            $from->move_slot($slot, $from, $to, sub {
                $keys++ if $_[0] eq 'moved';
                sleep 0.02 if $_[0] eq 'begun' || rand() < 0.1;
            }, @other);
            $moves++;
        }
    }

    my $all = $orders->end;

    note("$all->{orders} orders, $moves slots with $keys keys moved");
    cmp_ok($moves, '>', 5, 'slots were moved');
    cmp_ok($keys, '>', 20, 'with keys in them');
    cmp_ok($all->{done}, '>', 50, 'orders went through');
    is($all->{done}, $all->{orders}, 'every one of them')
        or diag explain $all->{open};
    is(scalar @{ $all->{twice} }, 0, 'none twice')
        or diag explain $all->{twice};
    is(scalar @{ $all->{lost} }, 0, 'none was answered and not executed');

    my %said = map { $_ => 0 } qw(MOVED ASK TRYAGAIN);

    for my $node (@nodes) {
        my $errors = $node->cmd('INFO', 'errorstats');
        $said{$_} += $errors =~ /errorstat_$_:count=(\d+)/ ? $1 : 0
            for keys %said;
    }

    note(join ', ', map { "$_ $said{$_}" } sort keys %said);
    cmp_ok($said{MOVED} + $said{ASK}, '>', 0, 'the gateway was sent elsewhere');

    $t->done;
};


subtest 'a node dies, its replica takes over' => sub {
    my @nodes = Test::Sync::Redis->cluster(3, replicas => 1,
        config => [ 'cluster-require-full-coverage' => 'no' ]);
    my $replica = $nodes[3];
    my $dead = '127.0.0.1:' . Test::Sync::Redis::free_port();

    # the first of the addresses is nobody's, the last is a replica

    $t = Test::Sync::Redis->gateway("sync_store redis+cluster://$dead,"
                                    . '127.0.0.1:' . $replica->port
                                    . ' timeout=500ms after_loss=execute;');

    my @keys = map { "k$_" } 1 .. 40;

    ok($t->wait_for(sub { claim('first') eq 'OK' }, 5), 'the map is found');
    is(scalar(grep { claim($_) eq 'OK' } @keys), 40, 'all slots are served');
    cmp_ok($nodes[$_]->cmd('DBSIZE'), '>', 3, "node $_ has some") for 0 .. 2;

    $t->wait_for(sub {
        $replica->cmd('DBSIZE') == $nodes[0]->cmd('DBSIZE') }, 3);

    $nodes[0]->kill9;

    my %said;
    my $at = time;

    $said{ claim($_, owner => 'other') }++ for @keys;
    cmp_ok($said{BUSY} || 0, '>', 10, 'the others answer at once');

    ok($t->wait_for(sub {
        40 == grep { claim($_, owner => 'other') eq 'BUSY' } @keys;
    }, 20), 'the replica knows what was claimed')
        or diag join ' ', map { claim($_, owner => 'other') } @keys;
    note(sprintf 'after %.1f s', time - $at);
    is($replica->role, 'master', 'it has taken over');

    $t->done;
};


subtest 'a node hangs, nobody takes over' => sub {
    my @nodes = Test::Sync::Redis->cluster(3,
        config => [ 'cluster-require-full-coverage' => 'no' ]);

    # the one whom a question always at the same place would ask

    my ($first) = slots($nodes[0]);
    my $gone = owner($first, @nodes);
    my ($left) = grep { $_ != $gone } @nodes;

    $t = Test::Sync::Redis->gateway('sync_store redis+cluster://127.0.0.1:'
                                    . $left->port . ' timeout=200ms'
                                    . ' after_loss=execute;');

    ok($t->wait_for(sub { claim('first') eq 'OK' }, 5), 'the map is found');

    my (@here, @there, $n);

    for my $key (map { "k$_" } 1 .. 200) {
        my $slot = $left->cmd('CLUSTER', 'KEYSLOT', "sync:{$key:0}");

        push @{ owner($slot, @nodes) == $gone ? \@there : \@here }, $key;
    }

    $gone->stop_signal;

    ok($t->wait_for(sub {
        claim($there[ $n++ % @there ]);
        $t->log_text =~ /nobody waits for it/;
    }, 15), 'those who ask for what it had open the breaker');

    ok($t->wait_for(sub { claim($here[ $n++ % @here ]) eq 'OK' }, 15),
       'the others, who serve, close it') or diag($t->log_text);

    $t->done;
};


subtest 'slots that nobody has; TLS' => sub {
    my $certs = Test::Sync::Redis->certificates;
    my @nodes = Test::Sync::Redis->cluster(3, tls => { auth => 'yes' });
    my $conf = 'sync_store rediss+cluster://127.0.0.1:' . $nodes[1]->port
               . " ca=$certs/ca.pem timeout=400ms";

    $t = Test::Sync::Redis->gateway("$conf;");
    $t->allow(qr/alert certificate required/);

    is(claim('none'), 'DOWN', 'nodes that want a certificate');
    ok($t->wait_for(sub { $t->log_text =~ /alert certificate required/ }, 3),
       'say so') or diag($t->log_text);
    $t->done;

    $t = Test::Sync::Redis->gateway(
        "$conf cert=$certs/client.pem key=$certs/client.key;");

    ok($t->wait_for(sub { claim('first') eq 'OK' }, 5), 'all is verified');

    is(join(' ', map { claim("all$_") } 1 .. 12), join(' ', ('OK') x 12),
       'on all of them');
    cmp_ok(scalar @{ $_->cmd('KEYS', '*r:*') }, '>', 0, 'each has some')
        for @nodes;

    my ($slot) = $nodes[0]->cmd('CLUSTER', 'KEYSLOT', 'sync:{x:0}');
    my $from = owner($slot, @nodes);

    $_->cmd('CLUSTER', 'DELSLOTS', $slot) for @nodes;

    my $at = time;
    my $said = claim('k', tenant => 'x', bucket => 0);

    is($said, 'DOWN', 'nobody has it');
    cmp_ok(time - $at, '<', 1.5, 'which is known in time');

    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        sleep 0.15;
        $from->cmd('CLUSTER', 'ADDSLOTS', $slot);
        POSIX::_exit(0);
    }

    ok($t->wait_for(sub { claim('k', tenant => 'x', bucket => 0) eq 'OK' }, 5),
       'once somebody has it, it is served');
    waitpid $pid, 0;

    $t->done;

    $t = Test::Sync::Redis->gateway(
        'sync_store redis+cluster://127.0.0.1:'
        . Test::Sync::Redis->start->port . ' timeout=400ms;');
    is(claim('k'), 'DOWN', 'a server that is no cluster');
    ok($t->wait_for(sub { $t->log_text =~ /has no map of a cluster: ERR This/ },
                    3), 'is told of');
    $t->done;
};
