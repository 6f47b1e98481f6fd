#!/usr/bin/perl

# The maps of conf.example, with what real systems send: each folder below
# t/golden is an entity, each in it a system. A client's input becomes
# canonical, that becomes the target's words in the target's format; the
# target's answer becomes canonical, and that goes back in the client's words.
#
# SYNC_GOLDEN=write writes what is computed, to be looked at and committed.

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Temp ();
use Test::More;

my $root = Cwd::realpath(dirname(__FILE__) . '/..');
my $ctl = ($ENV{SYNC_BUILD} || "$root/build") . '/syncctl';
my $maps = "$root/conf.example/library/maps";
my $golden = "$root/t/golden";
my $work = File::Temp->newdir;

my %source = (sales_order => 'salesforce.json',
              account => 'salesforce-account-source.json');
my %word = (sales_order => 'order', account => 'account');

# a connector's format, and the names that are lists in it

my %format = (soap => [ 'soap-1.1', 'Line', 'TaxNumber' ],
              odoo => [ 'json-rpc' ]);

for my $entity (sort keys %source) {
    my $in = "$golden/$entity";

    same("$in/canonical.json",
         mapped($source{$entity}, 'write', "$in/input.json"),
         "$entity: a client's words are canonical");

    like(ran('schema', "$root/conf.example/schemas/$entity/1.json",
             "$in/canonical.json", '--ref-dir', "$root/conf.example/schemas"),
         qr/: valid$/m, "$entity: which its schema takes");

    for my $system (qw(salesforce dataverse netsuite s4 odoo soap)) {
        my $dir = "$in/$system";
        my $map = "$system-$word{$entity}.json";
        my ($format, @lists) = @{ $format{$system} || [ 'json' ] };

        $map = 's4.json' if $map eq 's4-order.json';

        my $target = mapped($map, 'write', "$in/canonical.json");
        my $answer;

        if ($format eq 'soap-1.1') {
            $target = ran('format', $format, kept('target', $target),
                          '--write');
            $answer = kept('answer', ran('format', $format, "$dir/answer.xml",
                                         map { ('--list', $_) } @lists));
            same("$dir/target.xml", $target, "$entity: in the words of "
                 . $system);

        } else {
            $answer = "$dir/answer.json";
            $answer = kept('answer', result($answer)) if $system eq 'odoo';
            same("$dir/target.json", $target, "$entity: in the words of "
                 . $system);
        }

        my $canonical = mapped($map, 'read', $answer);

        same("$dir/canonical.json", $canonical,
             "$entity: the answer of $system is canonical");
        same("$dir/back.json",
             mapped($source{$entity}, 'read', kept('canonical', $canonical)),
             "$entity: and goes back in the client's words");
    }
}

done_testing();


sub mapped {
    my ($map, $section, $file) = @_;

    return ran('map', "$maps/$map", $file, '--section', $section,
               '--library', "$root/conf.example/library");
}


sub ran {
    my (@args) = @_;

    open my $fh, '-|', $ctl, @args or die "$ctl: $!";
    local $/;
    my $out = <$fh>;

    close $fh or fail("syncctl @args");

    return $out;
}


# the result of a call, without a change to any of its bytes

sub result {
    my ($file) = @_;

    my ($result) = read_file($file) =~ /"result":\s*(.*)\}\s*$/s;

    return $result;
}


sub kept {
    my ($name, $text) = @_;

    open my $fh, '>', "$work/$name" or die "$work/$name: $!";
    print $fh $text;
    close $fh;

    return "$work/$name";
}


sub read_file {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;

    return scalar <$fh>;
}


sub same {
    my ($file, $got, $name) = @_;

    if (($ENV{SYNC_GOLDEN} || '') eq 'write') {
        open my $fh, '>', $file or die "$file: $!";
        print $fh $got;
        close $fh;
    }

    return is($got, read_file($file), $name);
}
