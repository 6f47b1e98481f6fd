#!/usr/bin/perl

# Every fuzzer of t/fuzz for a short time, two at once, from seeds that are
# made anew.  SYNC_FUZZ: seconds for each, 20.  `make fuzz` runs one for long.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $build = abs_path($ENV{SYNC_BUILD} || "$root/build") . '/fuzz';
my $seconds = $ENV{SYNC_FUZZ} || 20;
my $dir = File::Temp::tempdir('fuzz-XXXXXX', TMPDIR => 1, CLEANUP => 1);

my @names = map { s{.*/(.*)\.c}{$1}r } sort glob "$root/t/fuzz/*.c";

plan tests => scalar @names;

SKIP: {
    skip 'fuzzers are built by clang, which is absent', scalar @names
        if !grep { -x "$_/clang" } split /:/, $ENV{PATH};

    my @left = @names;
    my %running;

    while (@left || %running) {
        while (@left && keys %running < 2) {
            my $name = shift @left;
            $running{ start($name) } = $name;
        }

        my $pid = wait;
        my $name = delete $running{$pid} or next;

        judge($name, $?);
    }
}


sub start {
    my ($name) = @_;

    my $pid = fork // die "fork: $!";

    if (!$pid) {
        symlink "$build/$name", "$dir/$name";
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/$name.log";
        open STDERR, '>&', \*STDOUT;
        exec "$root/t/fuzz/run.pl", $dir, $name, $seconds
            or POSIX::_exit(127);
    }

    return $pid;
}


sub judge {
    my ($name, $status) = @_;

    open my $fh, '<', "$dir/$name.log" or die "$name.log: $!";
    my $log = do { local $/; <$fh> };

    my ($runs) = $log =~ /^stat::number_of_executed_units:\s*(\d+)/m;

    $runs //= 0;

    return if ok($status == 0 && $runs > 100, "$name: $runs inputs");

    # what it found is all that is left of it

    diag($log);

    for my $file (glob "$dir/$name-*") {
        open my $found, '<:raw', $file or next;
        diag(unpack 'H*', do { local $/; <$found> });
    }
}
