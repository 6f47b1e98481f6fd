#!/usr/bin/perl

# Orders under load while a Redis fails over, and while a cluster moves its
# slots, again and again.  Bounded samples of it are t/redis_failover.t and
# t/redis_cluster.t.

use strict;
use warnings;

use lib 't/lib';
use Test::More;

$ENV{SYNC_STORM} or plan skip_all => 'long; SYNC_STORM=1 runs it';

for my $file ('t/redis_failover.t', 't/redis_cluster.t') {
    my $said = `$^X -It/lib $file 2>&1`;

    is($?, 0, $file) or diag($said);
    note(grep { /# \d+ orders/ } split /^/, $said);
}

done_testing();
