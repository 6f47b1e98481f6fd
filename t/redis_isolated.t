#!/usr/bin/perl

# An old master that is cut off from all but us, and a replica that is behind.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep time);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $t;


sub claim {
    my ($key, %args) = @_;

    return Test::Sync::Redis->op($t, 'claim', key => $key, owner => "o-$key",
                                 print => 'p', %args)->{result};
}


sub gateway { return $t = Test::Sync::Redis->gateway(@_) }


sub sentinels {
    my (%opt) = @_;

    my $password = delete $opt{password};
    my @same = (failover => 1, password => $password);
    my $master = Test::Sync::Redis->start(@same);
    my @replicas = map {
        Test::Sync::Redis->start(@same, replica_of => $master)
    } 1 .. delete $opt{replicas} || 1;

    for my $replica (@replicas) {
        Test::Sync::Redis::wait_for('the link', 10, sub {
            $replica->info('master_link_status') eq 'up' });
    }

    my @s = Test::Sync::Redis->sentinels(3, $master,
                                         down => 300, failover_timeout => 10000,
                                         %opt);

    return ('redis+sentinel://'
            . join(',', map { '127.0.0.1:' . $_->port } @s) . '/mymaster',
            $master, @replicas);
}


# replica and sentinels lose the master, the gateway does not

sub isolate {
    my ($master) = @_;

    $master->cmd('ACL', 'SETUSER', 'test-admin', 'off');
    $master->cmd('CLIENT', 'KILL', 'USER', 'test-admin', 'SKIPME', 'yes');
}


for my $wait ('', 'wait=1/200ms') {
    subtest 'an old master that is cut off' . ($wait && ", $wait") => sub {
        my ($url, $master, @replicas) = sentinels(password => 'data-pw',
                                                  replicas => $wait ? 2 : 1);
        my (@granted, $n, $new);

        local $ENV{SYNC_TEST_PW} = 'data-pw';

        gateway("sync_store $url timeout=500ms after_loss=execute $wait "
                . 'password=env:SYNC_TEST_PW;');
        ok($t->wait_for(sub { claim('first') eq 'OK' }, 5), 'a master');

        isolate($master);

        my $promoted;

        $t->wait_for(sub {
            my $key = 'k' . ++$n;

            push @granted, [ $key, time ]
                if claim($key, tenant => $key) eq 'OK';
            ($new) = grep { $_->role eq 'master' } @replicas if !$new;
            $promoted ||= time if $new;

            # with wait=, not before a replica has followed the new one

            return $promoted
                   && grep({ $_->[1] > $promoted + 3 } @granted) > 10;
        }, 40);

        ok($promoted, 'another one');

        my @lost = grep {
            !@{ $new->cmd('KEYS', "sync:{$_->[0]:*}r:*") }
        } @granted;
        my @late = grep { $_->[1] > $promoted + 3 } @lost;

        note(sprintf '%d claims granted, %d by the old one alone',
             scalar @granted, scalar @lost);
        cmp_ok(scalar(grep { $_->[1] > $promoted + 3 } @granted), '>', 10,
               'which is gone on with');
        is(scalar @late, 0, 'soon nothing goes to the old one');
        is(scalar @lost, 0, 'and nothing was granted by it alone') if $wait;
        cmp_ok(scalar @lost, '>', 0, 'which is what wait= is for') if !$wait;
        $t->done;
    };
}


subtest 'a replica that is behind takes over' => sub {
    # a replica that has been without its master for longer than ten times
    # this is none to take over

    my ($url, $master, $replica) = sentinels(down => 1500);

    gateway("sync_store $url timeout=500ms;");
    ok($t->wait_for(sub { claim('old') eq 'OK' }, 5), 'a claim');
    sleep 1.2;

    $replica->cmd('CONFIG', 'SET', 'masterauth', 'wrong');
    $master->cmd('ACL', 'SETUSER', 'test-admin', 'resetpass', '>any');
    $master->cmd('CLIENT', 'KILL', 'TYPE', 'replica');

    is(claim('young'), 'OK', 'one that does not reach it');
    sleep 3.4;
    is(claim('youngest'), 'OK', 'nor this');

    $master->kill9;

    ok($t->wait_for(sub { $replica->role eq 'master' }, 20), 'it takes over');
    ok($t->wait_for(sub { $t->log_text =~ /data was lost: it is back at a/ },
                    10), 'that it is behind is seen') or diag($t->log_text);
    is(claim('young', owner => 'other'), 'DOWN',
       'what it does not know is not executed again');
    is(claim('old', owner => 'other'), 'BUSY', 'what it knows is known');

    $t->done;
};
