#!/usr/bin/perl

# The transcript of `make demo`: every step answers as told, it leaves 0, and
# nothing of it stays behind.  A step that goes wrong is told and leaves 1.

use strict;
use warnings;

use lib 't/lib';
use File::Temp ();
use Test::More;

$ENV{TMPDIR} = File::Temp::tempdir(CLEANUP => 1);
chmod 0755, $ENV{TMPDIR};

my ($code, $text) = run('perl tools/demo/run.pl');

is($code, 0, 'the demo leaves 0');
is(join("\n", $text =~ /^ *FAILED.*$/mg), '', 'no check of it failed');
is(join("\n", $text =~ /^.* at \S+ line \d+.*$/mg), '',
   'and Perl had nothing to say');

my @titles = $text =~ /^ ?\d+\. (.*)$/mg;

is(scalar @titles, 13, 'thirteen steps');

ok($text =~ $_->[0], $_->[1]) for (
    [ qr/^    > POST \/sap\/opu\/.*A_SalesOrder$/m, 'the ERP\'s words' ],
    [ qr/^    < Idempotent-Replayed: true$/m, 'a replay' ],
    [ qr/^    < HTTP\/1\.1 422/m, 'the same key, another body' ],
    [ qr/^    < HTTP\/1\.1 403/m, 'a foreign token' ],
    [ qr/^    < HTTP\/1\.1 429/m, 'a burst' ],
    [ qr/^    < HTTP\/1\.1 504/m, 'an ERP that falls silent' ],
    [ qr/^    < HTTP\/1\.1 409/m, 'outcome unknown' ],
    [ qr/^    > PATCH \/services\/data.*__c\/00000101$/m, 'the CRM\'s words' ],
    [ qr/ok     answered 201, [\d.]+ s later$/m, 'a tenant without a reload' ],
    [ qr/^    < HTTP\/1\.1 401/m, 'a forged webhook' ],
    [ qr/ERP: \{"orders":5,/, 'five orders in the ledger' ],
    [ qr/^(\d+) of \1 checks held, /m, 'all of its checks' ],
);

is_deeply([ glob "$ENV{TMPDIR}/*" ], [], 'its folder is gone');

# the keys in Redis, with a second node

($code, $text) = run('perl tools/demo/run.pl --store=redis');

is($code, 0, 'with STORE=redis it leaves 0');
is(join("\n", $text =~ /^ *FAILED.*$/mg), '', 'no check of it failed');
is(scalar(() = $text =~ /^ ?\d+\. /mg), 15, 'fifteen steps');
ok($text =~ /^    ok     a replay, by a gateway that nobody has touched$/m,
   'Redis was killed');

is_deeply([ glob "$ENV{TMPDIR}/*" ], [], 'its folder is gone');

# the checks can fail: an ERP that rounds, as many do

($code, $text) = run('SYNC_DEMO_ROUNDS=1 perl tools/demo/run.pl');

is($code, 1, 'an ERP that rounds: it leaves 1');
ok($text =~ /FAILED so did the large numbers/, 'and says what is wrong');

is_deeply([ glob "$ENV{TMPDIR}/*" ], [], 'its folder is gone, too');

done_testing();


sub run {
    my ($command) = @_;

    my $out = `$command 2>&1`;

    return ($? >> 8, $out);
}

