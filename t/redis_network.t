#!/usr/bin/perl

# A network that swallows, and clocks that step.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $t;


sub claim {
    my ($key, %args) = @_;

    return Test::Sync::Redis->op($t, 'claim', key => $key, owner => "o-$key",
                                 print => 'p', %args)->{result};
}


sub gateway { return $t = Test::Sync::Redis->gateway(@_) }


# a network namespace with a Redis in it, which goes with the test

sub namespace {
    my $net = '10.' . (100 + $$ % 100) . '.' . ($$ / 100 % 250);
    my $dev = "sync$$";

    return if $> != 0 || !-x '/usr/bin/unshare' && !-x '/bin/unshare';

    my $pid = Test::Sync::Redis::spawn('/dev/null', undef, 'unshare', '-n',
                                       'sleep', 1000);

    sleep 0.2;

    for ("ip link add $dev type veth peer name in$$ netns $pid",
         "ip addr add $net.1/24 dev $dev", "ip link set $dev up",
         "nsenter -t $pid -n ip addr add $net.2/24 dev in$$",
         "nsenter -t $pid -n ip link set in$$ up")
    {
        if (system("$_ 2>/dev/null")) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            return;
        }
    }

    return ($pid, $net, $dev);
}


# The port of what stands before $r, whose answers $says changes to what another
# version would say, and its pid.

sub elder {
    my ($r, $says) = @_;

    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
        or die "elder: $!";
    my $pid = fork() // die "fork: $!";

    return ($s->sockport, $pid) if $pid;

    my $all = IO::Select->new($s);
    my %other;

    while (1) {
        for my $fh ($all->can_read) {
            if ($fh == $s) {
                my $c = $s->accept;
                my $up = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                               PeerPort => $r->port) or next;
                @other{$c, $up} = ([ $up, 0 ], [ $c, 1 ]);
                $all->add($c, $up);
                next;
            }

            my ($to, $answer) = @{ $other{$fh} || next };

            if (!sysread $fh, my $bytes, 65536) {
                $all->remove($fh, $to);
                delete @other{$fh, $to};
                close $_ for $fh, $to;

            } else {
                $bytes = $says->($bytes) if $answer;
                syswrite $to, $bytes;
            }
        }
    }
}


subtest 'a master becomes a replica under way' => sub {
    my $r = Test::Sync::Redis->start;

    # 6.2 tells of a script on a replica in the middle of its words

    my ($port, $pid) = elder($r, sub {
        return $_[0] =~ s/^-(READONLY[^\r]*)/-ERR Error running script (call to f_0): \@user_script:7: \@user_script: 7: -$1/mgr;
    });

    gateway("sync_store redis://127.0.0.1:$port timeout=500ms breaker=off;");
    ok($t->wait_for(sub { claim('first') eq 'OK' }, 5), 'it serves');

    $r->cmd('REPLICAOF', '127.0.0.1', 1);
    is(claim('a'), 'DOWN', 'and then it does not');
    like($t->log_text, qr/has become a replica/, 'which is told as it is');
    unlike($t->log_text, qr/was refused: ERR/, 'and not as a refusal');

    $r->cmd('REPLICAOF', 'NO', 'ONE');
    ok($t->wait_for(sub { claim('b') eq 'OK' }, 5), 'it serves again');

    $t->done;
    kill 'KILL', $pid;
    waitpid $pid, 0;
};


subtest 'one that is too old' => sub {
    my ($port, $pid) = elder(Test::Sync::Redis->start, sub {
        return $_[0] =~ s/^(redis_version:)\d\.\d/${1}6.0/mr;
    });

    gateway("sync_store redis://127.0.0.1:$port timeout=300ms;");
    is(claim('a'), 'DOWN', 'is not used');
    $t->log_like(qr/127\.0\.0\.1:$port is older than Redis 6\.2/,
                 'which is told');

    $t->done;
    kill 'KILL', $pid;
    waitpid $pid, 0;
};


subtest 'a network that swallows' => sub {
    my ($ns, $net, $dev) = namespace()
        or plan skip_all => 'no network namespaces';

    my $r = Test::Sync::Redis->start(bind => "$net.2", port => 6390,
                                     prefix => [ 'nsenter', '-t', $ns, '-n' ]);

    # nobody has .3, and whoever asks for it is not told so

    system("ip neigh add $net.3 lladdr 02:00:00:00:00:03 dev $dev");

    gateway("sync_store redis://$net.3 timeout=300ms;");

    my @took = map {
        my $at = time;
        is(claim("k$_"), 'DOWN', 'an address that swallows');
        time - $at;
    } 1 .. 8;

    cmp_ok($_, '<', 0.6, 'is known in time') for @took;
    cmp_ok($took[-1], '<', 0.1, 'and soon not waited for');
    $t->done;

    gateway("sync_store redis://$net.2:6390 timeout=300ms;");
    is(claim('before'), 'OK', 'one that answers');

    system("nsenter -t $ns -n ip link set in$$ down");

    my $at = time;
    is(claim('during'), 'DOWN', 'until the network is gone');
    cmp_ok(time - $at, '<', 0.6, 'which is known in time');
    claim("d$_") for 1 .. 6;
    $at = time;
    is(claim('later'), 'DOWN', 'nor is it there later');
    cmp_ok(time - $at, '<', 0.1, 'without waiting');

    system("nsenter -t $ns -n ip link set in$$ up");

    ok($t->wait_for(sub { claim('after') eq 'OK' }, 10),
       'and is there again');
    is(claim('before', owner => 'other'), 'BUSY', 'with what it knew');
    $t->done;

    kill 'KILL', $ns;
    waitpid $ns, 0;
};


subtest 'clocks that step' => sub {
    my $clock = File::Temp::tempdir(CLEANUP => 1) . '/clock';
    my $set = sub {
        open my $fh, '>', "$clock.new" or die "$clock: $!";
        print $fh "$_[0]\n";
        close $fh;
        rename "$clock.new", $clock;
    };

    $set->(0);

    my $r = Test::Sync::Redis->start(clock => $clock);

    gateway('sync_store ' . $r->url . ';');
    is(claim('k', lease => 20000, retention => 7200000), 'OK', 'a claim');

    $set->(-3600);
    is(claim('k', owner => 'other'), 'BUSY', 'an hour back: still its own');

    my $res = Test::Sync::Redis->op($t, 'claim', key => 'back', owner => 'o',
                                    print => 'p', lease => 20000,
                                    retention => 86400000);
    is($res->{result}, 'OK', 'claims go on');

    $set->(3600);
    is(claim('k', owner => 'other'), 'UNKNOWN',
       'an hour on: its lease is over, nobody knows, and it is not granted');
    is(claim('back', owner => 'other'), 'UNKNOWN', 'nor is the other');

    $set->(0);
    unlike($t->log_text, qr/data was lost/, 'a clock is no loss of data');

    $t->done;
};
