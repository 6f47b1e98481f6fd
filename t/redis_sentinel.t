#!/usr/bin/perl

# A master that sentinels name: it is killed, it is demoted, it is cut off, and
# sentinels that lie.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $owner = $$;
my (@liars, $t);


sub gateway {
    my ($conf, %opt) = @_;

    return $t = Test::Sync::Redis->gateway($conf, %opt);
}


sub claim {
    my ($key, %args) = @_;

    return Test::Sync::Redis->op($t, 'claim', key => $key, owner => "o-$key",
                                 print => 'p', %args)->{result};
}


sub claimed {
    my ($name, $seconds) = @_;

    my $n = 0;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($t->wait_for(sub { claim($name . $n++) eq 'OK' }, $seconds || 8), $name)
        or diag($t->log_text);
}


sub set_up {
    my (%opt) = @_;

    my $master = Test::Sync::Redis->start(failover => 1, %opt);
    my $replica = Test::Sync::Redis->start(failover => 1, %opt,
                                           replica_of => $master);

    Test::Sync::Redis::wait_for('the link', 10, sub {
        $replica->info('master_link_status') eq 'up' });

    return ($master, $replica);
}


sub address {
    return 'redis+sentinel://'
           . join(',', map { ref $_ ? '127.0.0.1:' . $_->port : $_ } @_)
           . '/mymaster';
}


# a sentinel of our own; ends with the test

sub liar {
    my ($named) = @_;

    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
        or die "liar: $!";
    my @said = ('ip', '127.0.0.1', 'port', $named, 'config-epoch', 99);
    my $answer = '*6' . "\r\n"
                 . join '', map { '$' . length() . "\r\n$_\r\n" } @said;
    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        my $all = IO::Select->new($s);

        while (getppid() == $owner) {
            for my $fh ($all->can_read(0.2)) {
                if ($fh == $s) {
                    $all->add(scalar $s->accept);

                } elsif (sysread $fh, my $in, 4096) {
                    syswrite $fh, $answer x (() = $in =~ /MASTER/g);

                } else {
                    $all->remove($fh);
                }
            }
        }

        POSIX::_exit(0);
    }

    push @liars, $pid;

    return '127.0.0.1:' . $s->sockport;
}


subtest 'a failover' => sub {
    my ($master, $replica) = set_up();
    my @s = Test::Sync::Redis->sentinels(3, $master);

    gateway('sync_store ' . address(@s) . ';', workers => 2);

    claimed('a master is found');

    my $at = time;

    $master->kill9;

    my ($slowest, $n) = (0, 0);

    $t->wait_for(sub {
        my $began = time;
        my $said = claim('during' . $n++);
        my $took = time - $began;
        $slowest = $took if $took > $slowest;
        return $said eq 'OK';
    }, 15);

    is($replica->role, 'master', 'the replica has taken over');
    note(sprintf 'after %.1f s, %d refused', time - $at, $n - 1);
    cmp_ok($slowest, '<', 1.5, 'and no request has waited for it');
    claimed('goes on');
    my $said;

    $t->wait_for(sub {
        ($said = claim('a master is found0', owner => 'other')) ne 'DOWN';
    }, 5);

    is($said, 'BUSY', 'what was claimed before is known to it');

    # the old one comes back as a master, until the sentinels tell it

    $master->launch;
    claimed('goes on');
    is($master->commands('evalsha') + $master->commands('eval'), 0,
       'and is not spoken to');

    $t->done;
};


subtest 'a master that is demoted while it lives' => sub {
    my ($master, $replica) = set_up();
    my @s = Test::Sync::Redis->sentinels(3, $master);

    gateway('sync_store ' . address(@s) . ';');
    claimed('a master is found');

    $s[0]->cmd('SENTINEL', 'FAILOVER', 'mymaster');

    ok($t->wait_for(sub { $replica->role eq 'master' }, 15), 'another one');
    claimed('is followed');
    ok($t->wait_for(sub { claim('x' . rand) eq 'OK'
                          && $replica->commands('evalsha') > 0 }, 10),
       'and written to');

    $t->done;
};


subtest 'sentinels that are gone, behind or wrong' => sub {
    my ($master, $replica) = set_up();
    my @s = Test::Sync::Redis->sentinels(3, $master);

    # names a replica, with an epoch beyond all others

    my $liar = liar($replica->port);
    my $dead = '127.0.0.1:' . Test::Sync::Redis::free_port();

    gateway('sync_store ' . address($dead, $liar, @s) . ';');
    claimed('a majority is believed');
    is($replica->commands('evalsha'), 0, 'whoever says something else');
    $t->done;

    gateway('sync_store ' . address($liar) . ';');
    is(claim('k'), 'DOWN', 'what a sentinel names must be a master');
    ok($t->wait_for(sub { $t->log_text =~ /is a replica, a master is/ }, 3),
       'and this is said');
    $t->done;

    gateway('sync_store ' . address($dead) . ';');
    is(claim('k'), 'DOWN', 'no sentinel');
    ok($t->wait_for(sub { $t->log_text =~ /no sentinel answers/ }, 5),
       'is said');
    $t->done;

    gateway('sync_store ' . address(@s) =~ s/mymaster/another/r . ';');
    is(claim('k'), 'DOWN', 'no such master');
    ok($t->wait_for(sub { $t->log_text =~ /names no master "another": ERR No/ },
                    3), 'is said by the sentinel');
    $t->done;

    # two of three are gone: the one that is left is no majority, but it is
    # not behind either

    $_->kill9 for @s[0, 1];

    gateway('sync_store ' . address(@s) . ';');
    claimed('one of three is enough');
    $t->done;

    kill 'KILL', @liars;
    waitpid $_, 0 for @liars;
};


subtest 'by TLS, with passwords of their own' => sub {
    $ENV{SYNC_TEST_PW} = 'data-pw';
    $ENV{SYNC_TEST_SENTINEL_PW} = 'sentinel-pw';

    my $certs = Test::Sync::Redis->certificates;
    my $tls = { auth => 'yes' };     # and our certificate is asked for
    my ($master, $replica) = set_up(tls => $tls, password => 'data-pw');
    my @s = Test::Sync::Redis->sentinels(3, $master, tls => $tls,
                                         password => 'sentinel-pw');
    my $conf = address(@s) =~ s/^redis/rediss/r
               . " password=env:SYNC_TEST_PW";
    my $own = 'sentinel_password=env:SYNC_TEST_SENTINEL_PW';
    my $cert = "cert=$certs/client.pem key=$certs/client.key";

    gateway("sync_store $conf $own ca=$certs/ca.pem $cert;");
    claimed('all is verified');
    $t->done;

    gateway("sync_store $conf $own ca=$certs/ca.pem;");
    $t->allow(qr/alert certificate required/);
    is(claim('k'), 'DOWN', 'sentinels that want a certificate');
    ok($t->wait_for(sub { my $p = $s[0]->port;
        $t->log_text =~ /alert certificate required/
        && $t->log_text =~ /:$p closed the connection/ }, 3), 'say so')
        or diag($t->log_text);
    $t->done;

    gateway("sync_store $conf $own ca=$certs/stranger-ca.pem;");
    is(claim('k'), 'DOWN', 'sentinels are verified as well');
    ok($t->wait_for(sub { my $p = $s[0]->port;
        $t->log_text =~ /:$p has a certificate that is not to be trusted/ },
        3), 'and this is said');
    $t->done;

    gateway("sync_store $conf ca=$certs/ca.pem $cert;");
    is(claim('k'), 'DOWN', 'sentinels that want a password');
    ok($t->wait_for(sub { $t->log_text =~ /names no master.*NOAUTH/ }, 3),
       'say so');
    $t->done;
};
