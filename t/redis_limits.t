#!/usr/bin/perl

# Limits in Redis count in Lua, whose numbers are doubles, and are answered by
# the integers of sync_gcra: both must come to the same verdict, which the store
# checks at each take and alerts about.  Rates from one a year to three million
# a second, bursts and costs up to their bounds.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;

my $redis = Test::Sync::Redis->start;
my $url = $redis->url;
my $t = Test::Sync->new(workers => 2);

$t->http(<<"CONF");
    sync_store $url;

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        location = /op { sync_test_store; }
    }
CONF

$t->start;

sub op {
    my ($op, %args) = @_;

    my $res = $t->get("/op?op=$op"
                      . join '', map { "&$_=$args{$_}" } sort keys %args);

    return $res->json || { result => "status $res->{status}" };
}

# count, per (ms), burst

my @rates = (
    [ 1, 1000, 1 ], [ 3, 1000, 10 ], [ 7, 1000, 3 ],
    [ 3_000_000, 1000, 3_000_000 ], [ 2_999_999, 1000, 4_000_000_000 ],
    [ 1, 30 * 86400_000, 1 ], [ 1, 366 * 86400_000, 9 ],
    [ 7_777_777, 3_600_000, 123_456 ], [ 999_983, 86400_000, 1_000_003 ],
    [ 4_294_967_291, 86400_000, 53_000_000 ],
);

srand 11;

my ($allowed, $refused, $partial) = (0, 0, 0);
my $n = 0;

for my $rate (@rates) {
    my ($count, $per, $burst) = @$rate;
    my %l = (count => $count, per => $per, burst => $burst);

    for my $round (1 .. 3) {
        my $key = 'k' . ++$n;
        my $whole = 1;

        for (1 .. 8) {
            my $cost = (1, $burst, int(rand $burst), int($burst / 2), 0,
                        $burst + 1)[rand 6];
            my $res = op('limit_take', %l, key => $key, cost => $cost);
            my $left = $res->{answers}[0]{remaining};

            $res->{result} =~ /^(?:OK|NO)$/ or $whole = 0;
            $res->{result} eq 'OK' ? $allowed++ : $refused++;
            defined $left && $left <= $burst or $whole = 0;

            op('limit_refund', %l, key => $key, cost => 1 + int rand $burst)
                if rand() < 0.3;
        }

        ok($whole, "$count per $per ms, burst $burst");

        # a lease takes what is there to the last token, and no more

        $key = "l$n";
        op('limit_take', %l, key => $key, cost => int rand $burst);

        my $left = op('limit_take', %l, key => $key, cost => 0)
                   ->{answers}[0]{remaining};
        my $lease = op('lease_take', %l, key => $key, wanted => $burst,
                       nonce => "n$n", lease => 60000);
        my $rest = op('limit_take', %l, key => $key, cost => 0)
                   ->{answers}[0]{remaining};
        my $tokens = $lease->{tokens} || 0;

        $partial++ if $tokens && $tokens < $burst;

        # what has come in the meantime: requests take milliseconds

        my $slack = 1 + $count / $per * 5000;

        ok($tokens >= $left && $tokens <= $left + $slack && $rest <= $slack,
           "a lease of the rest: $left, $tokens, then $rest");

        next if !$tokens;

        op('lease_return', %l, key => $key, nonce => "n$n",
           tokens => $tokens);

        my $back = op('limit_take', %l, key => $key, cost => 0)
                   ->{answers}[0]{remaining};

        ok($back >= $tokens && $back <= $tokens + $slack * 2,
           "all of it comes back: $back");
    }
}

cmp_ok($allowed, '>', 20, 'some were allowed');
cmp_ok($refused, '>', 20, 'some were refused');
cmp_ok($partial, '>', 10, 'some leases were in part');

# a state of another limit under the same name: a reload made it smaller

for my $burst (1_000_000, 1, 5) {
    my $res = op('limit_take', key => 'shrunk', count => 1, per => 60000,
                 burst => $burst);
    like($res->{result}, qr/^(?:OK|NO)$/, "a burst of $burst");
}

op('limit_take', key => 'window', window => 60000, burst => 5, cost => 5);
op('limit_take', key => 'window', window => 1000, burst => 2);

is($redis->cmd('PTTL', (grep { /window/ } @{ $redis->cmd('KEYS', '*') })[0])
   > 0, 1, 'what is counted has an end');

# -2 says that the end has come meanwhile

is(scalar(grep { $redis->cmd('PTTL', $_) == -1 }
               @{ $redis->cmd('KEYS', 'sync:*l:*') }), 0,
   'so has every key of a limit');

$t->done;
