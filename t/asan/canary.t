#!/usr/bin/perl

# The sanitizer build reports, and the harness reads the report: each of these
# locations does what must be caught.  Only make test-asan runs this.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my %says = (
    after_free => qr/heap-use-after-free/,
    beyond     => qr/heap-buffer-overflow/,
    overflow   => qr/runtime error: signed integer overflow/,
    leak       => qr/LeakSanitizer: detected memory leaks/,
);

for my $kind (sort keys %says) {
    my $t = Test::Sync->new;

    $t->server("location / { sync_canary $kind; }");
    $t->start;
    $t->get('/');
    $t->stop;

    my ($fault) = grep { $_->[0] eq 'no sanitizer reports' } $t->faults;
    my $reports = join '', map { $t->read(s{.*/}{}r) }
                      glob $t->path('asan.*');

    like(join("\n", @$fault) . $reports, $says{$kind}, "$kind: reported");
    cmp_ok(scalar(@$fault), '>', 1, "$kind: seen by the harness");

    $t->forgive;
    $t->done;
}
