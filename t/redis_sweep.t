#!/usr/bin/perl

# Keys whose owner is gone become U, though nobody asks for them: whoever of all
# workers and nodes has its turn writes it down.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep time);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $places = 'sync:{w}places';


sub leave {
    my ($t, $key, %args) = @_;

    my %k = (key => $key, owner => "o-$key", tenant => 'acme', %args);
    my $claim = Test::Sync::Redis->op($t, 'claim', %k, print => 'p');
    my $note = Test::Sync::Redis->op($t, 'extend', %k, note => 'how',
                                     epoch => $claim->{epoch});

    return "$claim->{result} $note->{result}";
}


# as they are written: look() would say U of a P whose lease is over

sub states {
    my ($r, $tenant) = @_;

    return join ' ', sort map { substr($r->cmd('GET', $_), 1, 1) }
                     @{ $r->cmd('KEYS', "sync:{$tenant:*}r:*") };
}


sub becomes {
    my ($t, $r, $tenant, $states, $seconds) = @_;

    return $t->wait_for(sub { states($r, $tenant) eq $states }, $seconds);
}


subtest 'a lease is over' => sub {
    my $r = Test::Sync::Redis->start;
    my $t = Test::Sync::Redis->gateway('sync_store ' . $r->url . ';',
                                       workers => 2);

    is(leave($t, 'lives', lease => 60000), 'OK OK', 'one that lives');
    is(leave($t, 'late', lease => 1000), 'OK OK', 'one that will be late');
    is(states($r, 'acme'), 'P P', 'nothing is over so far');
    is(leave($t, "b$_", lease => 1000, tenant => "t$_"), 'OK OK', "tenant $_")
        for 1 .. 40;

    ok(becomes($t, $r, 'acme', 'P U', 10), 'U, and nobody has asked');
    ok(becomes($t, $r, 't*', join(' ', ('U') x 40), 10), 'wherever it is');

    ok($t->wait_for(sub { $r->cmd('ZCARD', $places) == 1 }, 10),
       'places where nothing is left are forgotten');

    my ($place, $at) = @{ $r->cmd('ZRANGE', $places, 0, -1, 'WITHSCORES') };

    is($place, 'acme:0', 'one has somebody who lives');
    cmp_ok($at / 1000 - time, '>', 30, 'and is visited when that is over');
    cmp_ok($r->cmd('PTTL', $places), '>', 60_000, 'the list has an end');

    is(leave($t, 'next', lease => 1000), 'OK OK', 'in a place that is known');
    ok(becomes($t, $r, 'acme', 'P U U', 10), 'it is visited for the sooner one');

    $t->done;
};


subtest 'who left the note is gone' => sub {
    my $r = Test::Sync::Redis->start;
    my $conf = 'sync_store ' . $r->url . ';';
    my $one = Test::Sync::Redis->gateway($conf);

    is(leave($one, 'k', lease => 4000), 'OK OK', 'a node leaves a note');
    ok($one->wait_for(sub { $r->cmd('ZCARD', $places) == 1 }, 3),
       'and tells where');
    $one->done;

    is(states($r, 'acme'), 'P', 'it goes');

    my $other = Test::Sync::Redis->gateway($conf);

    ok(becomes($other, $r, 'acme', 'U', 12), 'another one finds it');
    $other->done;
};


subtest 'several stores, and one that goes' => sub {
    my @r = map { Test::Sync::Redis->start } 1, 2;
    my $t = Test::Sync::Redis->gateway(
        'sync_store ' . $r[0]->url . " timeout=200ms;\n"
        . '    sync_store ' . $r[1]->url . ' name=b timeout=200ms;');

    is(leave($t, 'a', lease => 1000), 'OK OK', 'a note');

    my $key = $r[0]->cmd('KEYS', 'sync:{acme:*}r:*')->[0];

    # what somebody has left in the other one

    $r[1]->cmd('SET', $key, $r[0]->cmd('GET', $key));
    $r[1]->cmd('ZADD', 'sync:{acme:0}due', 1, $key =~ /r:(.*)/);
    $r[1]->cmd('ZADD', $places, 1, 'acme:0');

    ok(becomes($t, $r[0], 'acme', 'U', 10), 'in the first store');
    ok(becomes($t, $r[1], 'acme', 'U', 10), 'and in the other one');

    $r[0]->stop_signal;
    sleep 3;
    $r[0]->cont_signal;

    ok($t->wait_for(sub {
        return Test::Sync::Redis->op($t, 'look', key => 'x')->{result} eq 'NO';
    }, 10), 'one was silent, and is back');

    is(leave($t, 'again', lease => 1000), 'OK OK', 'a note');
    ok(becomes($t, $r[0], 'acme', 'U U', 15), 'and it is visited');

    $t->done;
};


# what is due lies where its tenant does, and the list of places on one node

subtest 'in a cluster' => sub {
    my @nodes = Test::Sync::Redis->cluster(3);
    my $conf = 'sync_store redis+cluster://'
               . join(',', map { '127.0.0.1:' . $_->port } @nodes)
               . ' timeout=500ms;';
    my $one = Test::Sync::Redis->gateway($conf);

    # of the node that has a slot, whoever that is by now

    my $owner = sub {
        my ($key) = @_;

        for my $node (@nodes) {
            my ($n, $moved) = $node->try('ZCARD', $key);
            return $node if !$moved;
        }

        return;
    };

    my $all = sub {
        return join '', sort map { split / /, states($_, 't*') } @nodes;
    };

    my $after = sub {
        my ($states, $seconds) = @_;
        return $one->wait_for(sub { $all->() eq $states }, $seconds);
    };

    is(leave($one, "k$_", lease => 2000, tenant => "t$_"), 'OK OK',
       "tenant $_") for 1 .. 30;
    is($all->(), 'P' x 30, 'nothing is over so far');
    cmp_ok(scalar(grep { states($_, 't*') } @nodes), '==', 3,
           'each node has some');

    ok($after->('U' x 30, 12), 'U on each node, and nobody has asked');
    ok($one->wait_for(sub { $owner->($places)->cmd('ZCARD', $places) == 0 },
                      10), 'places where nothing is left are forgotten');

    # the list moves while something is due in it

    is(leave($one, "m$_", lease => 2500, tenant => "t$_"), 'OK OK',
       'another note') for 1 .. 5;
    ok($one->wait_for(sub { $owner->($places)->cmd('ZCARD', $places) == 5 },
                      3), 'places are told');

    my $from = $owner->($places);
    my ($to, @other) = grep { $_ != $from } @nodes;
    my $slot = $from->cmd('CLUSTER', 'KEYSLOT', $places);

    $to->move_slot($slot, $from, $to, sub {
        sleep 0.5 if $_[0] eq 'begun' || $_[0] eq 'moved';
    }, @other);

    is($owner->($places), $to, 'the list has moved');
    ok($after->('U' x 35, 15), 'and is followed');

    # who left the notes is gone, the places are those of several nodes

    is(leave($one, "d$_", lease => 4000, tenant => "t$_"), 'OK OK',
       'another note') for 1 .. 12;
    ok($one->wait_for(sub { $owner->($places)->cmd('ZCARD', $places) == 12 },
                      3), 'places are told');
    $one->done;
    is($all->(), 'P' x 12 . 'U' x 35, 'it goes');

    $one = Test::Sync::Redis->gateway($conf);

    ok($after->('U' x 47, 20), 'another one finds them') or diag($all->());

    $one->done;
};


subtest 'the node of the list dies' => sub {
    my @nodes = Test::Sync::Redis->cluster(3, replicas => 3,
        config => [ 'cluster-require-full-coverage' => 'no' ]);
    my $conf = 'sync_store redis+cluster://'
               . join(',', map { '127.0.0.1:' . $_->port } @nodes)
               . ' timeout=500ms after_loss=execute;';
    my $t = Test::Sync::Redis->gateway($conf);

    is(leave($t, "k$_", lease => 4000, tenant => "t$_"), 'OK OK',
       "tenant $_") for 1 .. 12;

    my $dead;

    ok($t->wait_for(sub {
        ($dead) = grep { (($_->try('ZCARD', $places))[0] // 0) == 12 }
                       @nodes[0 .. 2];
    }, 3), 'places are told');

    my ($follows) = grep { $_->info('master_port') == $dead->port }
                         @nodes[3 .. 5];

    ok($t->wait_for(sub { $follows->cmd('DBSIZE') == $dead->cmd('DBSIZE') },
                    3), 'and are known to its replica');
    $t->done;
    $dead->kill9;

    $t = Test::Sync::Redis->gateway($conf);

    ok($t->wait_for(sub {
        # one that knows of no successor yet shows nothing

        return 'U' x 12 eq join '', map { split / /,
                                          eval { states($_, 't*') } // '' }
               grep { $_->role eq 'master' && $_->cmd('DBSIZE') }
               grep { $_ != $dead } @nodes;
    }, 40), 'its replica goes on with it');

    $t->done;
};
