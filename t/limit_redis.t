#!/usr/bin/perl

# Limits of two NGINX instances with two workers each, on a real Redis: what
# they admit together, and what each does when Redis is gone.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep time);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $redis = Test::Sync::Redis->start;
my @nodes = map { Test::Sync->new(workers => 2) } 1, 2;

for my $t (@nodes) {
    $t->peer(up => sub {
        my ($req) = @_;

        return { delay => $1 } if $req->{uri} =~ /slow=([\d.]+)/;
        return [200, {}, 'up'];
    });

    my $url = $redis->url;

    $t->http(<<"CONF");
    sync_store $url timeout=300ms;

    upstream up { server %%PEER_up%%; keepalive 8; }

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;

        proxy_http_version 1.1;
        proxy_set_header   Connection "";

        location /one/    { sync_limit one rate=1/h burst=1 key=\$arg_k
                                       mode=exact;
                            proxy_pass http://up; }
        location /slot/   { sync_limit slot concurrency=3 key=\$arg_k
                                       lease=1s mode=exact;
                            proxy_pass http://up; }
        location /bound/  { sync_limit bound rate=50/s burst=100 key=\$arg_k
                                       mode=leased lease=1s;
                            proxy_pass http://up; }
        location /strict/ { sync_limit strict rate=50/s burst=100 key=\$arg_k
                                       mode=leased lease=1s strict;
                            proxy_pass http://up; }
        location /seen/   { sync_limit seen rate=1/h burst=8 key=\$arg_k
                                       mode=exact;
                            proxy_pass http://up; }
        location /leased/ { sync_limit leased rate=1/h burst=8 key=\$arg_k
                                       mode=leased;
                            proxy_pass http://up; }
        location /places/ { sync_limit places concurrency=4 key=\$arg_k
                                       mode=exact lease=1s;
                            proxy_pass http://up; }
        location /closed/ { sync_limit closed rate=1/h burst=8 key=\$arg_k
                                       mode=exact fail=closed;
                            proxy_pass http://up; }
        location /open/   { sync_limit open rate=1/h burst=8 key=\$arg_k
                                       mode=exact fail=open;
                            proxy_pass http://up; }
    }
CONF

    $t->start;
}

subtest 'exact, together'         => \&exact;
subtest 'concurrency, together'   => \&concurrency;
subtest 'four workers, one bound' => \&bound;
subtest 'Redis is gone'           => \&gone;
subtest 'Redis does not answer'   => \&stopped;

$_->done for @nodes;


# the same on both nodes at once: n requests each, so many at a time

sub both {
    my ($uri, $n, $each) = @_;

    my @out;

    for my $t (@nodes) {
        my $pid = open my $fh, '-|' // die "fork: $!";

        if (!$pid) {
            my %seen;

            for (1 .. $n / $each) {
                $seen{ $_->{status} }++
                    for $t->parallel(map { ['GET', $uri] } 1 .. $each);
            }

            print join ' ', map { "$_=$seen{$_}" } sort keys %seen;
            close STDOUT;
            POSIX::_exit(0);
        }

        push @out, $fh;
    }

    my %sum;

    for (@out) {
        my $line = <$_>;
        $sum{$1} += $2 while $line =~ /(\d+)=(\d+)/g;
    }

    return \%sum;
}


sub statuses {
    my ($t, $n, $uri) = @_;

    return join ' ', map { $t->get($uri)->{status} } 1 .. $n;
}


sub exact {
    my $sum = both('/one/?k=par', 100, 100);

    is($sum->{200}, 1, 'two hundred at once on two nodes, one is admitted');
    is($sum->{429}, 199, 'all others are refused');
}


sub concurrency {
    my $sum = both('/slot/?k=par&slow=0.5', 10, 10);

    is($sum->{200}, 3, 'three places for both nodes');
    ok($nodes[0]->wait_for(sub {
        return both('/slot/?k=par&slow=0.2', 1, 1)->{200} == 2;
    }), 'and they are free again');
}


# all four workers hold chunks while the bucket fills; then all is spent

sub bound {
    for ([ bound => 1, 150 ], [ strict => 0, 100 ]) {
        my ($name, $lease, $most) = @$_;
        my ($worst, @spent) = (0);
        my $until = time() + 5;

        while (time() < $until) {
            my $from = time();
            my $passed = 0;

            # chunks grow under load, and are there in the pause that follows

            $passed += both("/$name/?k=b", 60, 20)->{200} || 0
                for 1 .. 3;

            push @spent, [ $from, time(), $passed ];
            sleep 0.5 + rand 0.4;
        }

        my ($over, $near) = (0, 0);

        for my $i (0 .. $#spent) {
            my $sum = 0;

            for my $k ($i .. $#spent) {
                $sum += $spent[$k][2];

                my $may = 100 + 50 * ($spent[$k][1] - $spent[$i][0] + $lease);

                $over++ if $sum > $may;
                $near = $sum / $may if $sum / $may > $near;
            }
        }

        is($over, 0, sprintf '%s: never more than it promises, at most '
                             . '%d %% of it', $name, 100 * $near);
        cmp_ok($near, '>', 0.6, 'and most of it is used');
    }
}


sub gone {
    # each has seen both: they count themselves every ten seconds

    my $seen = 0;

    ok($nodes[0]->wait_for(sub {
        my ($key) = grep { defined } map { /nodes/ ? $_ : undef }
                    @{ $redis->cmd('KEYS', '*nodes*') };
        return defined $key;
    }, 12), 'nodes are counted');

    sleep 11;

    $redis->kill9;

    for my $t (@nodes) {
        is(statuses($t, 6, '/seen/?k=gone'), '200 200 200 200 429 429',
           'exact: half of it for each of two nodes that were seen');
    }

    is(statuses($nodes[0], 6, '/leased/?k=gone'), '200 200 200 200 429 429',
       'leased: half of it');

    my @r = $nodes[0]->parallel(map { ['GET', '/places/?k=gone&slow=0.4'] }
                                1 .. 6);
    is(scalar(grep { $_->{status} == 200 } @r), 2, 'two of four places');
    is(statuses($nodes[0], 2, '/closed/?k=gone'), '503 503', 'closed');
    is(statuses($nodes[0], 2, '/open/?k=gone'), '200 200', 'open');

    $redis->again(empty => 1);

    ok($nodes[0]->wait_for(sub {
        return $nodes[0]->get('/closed/?k=back')->{status} == 200;
    }, 10), 'Redis is back');

    ok($nodes[0]->wait_for(sub {
        return $nodes[0]->get('/slot/?k=back')->{status} == 200;
    }, 5), 'and places are');
}


sub stopped {
    my $t = $nodes[1];

    ok($t->wait_for(sub { $t->get('/closed/?k=up')->{status} == 200 }, 10),
       'all is well');

    $redis->stop_signal;

    my $from = time();
    my @took;

    for (1 .. 40) {
        my $r = $t->get('/open/?k=stop');

        push @took, $r->{time};
        is($r->{status}, 200, 'open') if $r->{status} != 200;
    }

    my @slow = grep { $_ > 0.1 } @took;

    cmp_ok(scalar @slow, '<', 20, scalar(@slow)
           . ' of forty waited, then the store is known to be away');
    cmp_ok($took[-1], '<', 0.1, 'the last one did not wait');
    is(statuses($t, 2, '/closed/?k=stop'), '503 503', 'closed');

    $redis->cont_signal;

    ok($t->wait_for(sub { $t->get('/closed/?k=cont')->{status} == 200 }, 15),
       'and back again');
}
