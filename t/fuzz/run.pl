#!/usr/bin/perl

# run.pl FOLDER NAME SECONDS: runs a fuzzer from its seeds and from what the
# runs before have found, which stays in FOLDER/NAME.corpus.  What it finds is
# FOLDER/NAME-crash-..., -timeout-... or -oom-..., and the exit code is not 0.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Path qw(make_path);

my ($folder, $name, $seconds) = @ARGV;

@ARGV == 3 or die "usage: run.pl FOLDER NAME SECONDS\n";

my $fuzzer = "$folder/$name";

-x $fuzzer or die "there is no fuzzer \"$name\"\n";

make_path("$fuzzer.corpus", "$fuzzer.seeds");

system $^X, dirname(__FILE__) . '/seeds.pl', $name, "$fuzzer.seeds";

die "no seeds\n" if $? != 0;

exec $fuzzer, "-max_total_time=$seconds", '-timeout=10', '-rss_limit_mb=1024',
     '-max_len=4096', "-artifact_prefix=$fuzzer-", '-print_final_stats=1',
     '-verbosity=0', "$fuzzer.corpus", "$fuzzer.seeds"
    or die "$fuzzer: $!\n";
