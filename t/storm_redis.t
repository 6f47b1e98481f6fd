#!/usr/bin/perl

# Orders under load while a Redis fails over, and while a cluster moves its
# slots, again and again.  Bounded samples of it are t/redis_failover.t and
# t/redis_cluster.t.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

$ENV{SYNC_STORM} or plan skip_all => 'long; SYNC_STORM=1 runs it';

for my $file ('t/redis_failover.t', 't/redis_cluster.t') {
    subtest $file => sub {
        is(system($^X, '-It/lib', $file), 0, $file);
    };
}
