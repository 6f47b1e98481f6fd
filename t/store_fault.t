#!/usr/bin/perl

# Operations that wait: deadlines, cancelling, and answers that come too late.
# The store is shared memory behind timers.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Time::HiRes qw(sleep time);

my $t = Test::Sync->new(workers => 2);

$t->http(<<'CONF');
    sync_store test:delay=20ms timeout=2s;

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        location = /op { sync_test_store; }
        location = /local { sync_test_store local; }
        location = /fault { sync_test_fault; }
    }
CONF

$t->start;


sub uri {
    my ($op, %args) = @_;

    return "/op?op=$op" . join '', map { "&$_=$args{$_}" } sort keys %args;
}


sub op {
    return $t->get(uri(@_))->json || {};
}


# what stands, without faults

sub look {
    my ($key) = @_;

    my $r = $t->get("/local?op=look&key=$key")->json;

    return $r->{state} // $r->{result};
}


sub fault {
    my (%args) = @_;

    return $t->get('/fault?' . join '&', map { "$_=$args{$_}" } keys %args)
             ->json;
}


my %k = (key => 'k', owner => 'a', print => 'p');

my $res = $t->get(uri('claim', %k));

is($res->json->{result}, 'OK', 'an answer that waits');
is($res->json->{again}, 1, 'is called back');
cmp_ok($res->{time}, '>=', 0.015, 'after a while');
is(fault()->{claim}{calls}, 1, 'and counted');


# down, full

fault(op => 'claim', fault => 'down', n => 2);

is(op('claim', %k)->{result}, 'DOWN', 'down');
is(op('look', key => 'k')->{result}, 'OK', 'for one operation');
is(op('claim', %k)->{result}, 'DOWN', 'twice');
is(op('claim', %k)->{result}, 'OK', 'no more');

fault(fault => 'down');
is(op('look', key => 'k')->{result}, 'DOWN', 'all of them');
is(op('seen', key => 'k')->{result}, 'DOWN', 'as long as it is set');
fault(fault => 'clear');
is(op('seen', key => 'k')->{result}, 'OK', 'or cleared');

fault(op => 'claim', fault => 'full', n => 1);
is(op('claim', %k, key => 'f')->{result}, 'FULL', 'full');
is(look('f'), 'NO', 'did not run');


# late: the caller hears DOWN at its deadline, the claim stands until the
# answer comes, and is released then

fault(op => 'claim', fault => 'delay', ms => 400, n => 1);

$res = $t->get(uri('claim', %k, key => 'late', timeout => 100));

is($res->json->{result}, 'DOWN', 'no answer within the deadline');
ok(!defined $res->json->{state}, 'and nothing of it');
ok($res->{time} >= 0.09 && $res->{time} < 0.35, 'at the deadline');
is(look('late'), 'P', 'the claim stands');
ok($t->wait_for(sub { look('late') eq 'NO' }, 2),
   'until it is released by its owner');

my $counts = fault();

is($counts->{released}, 1, 'by the store itself');
is($counts->{claim}{timeouts}, 1, 'after a timeout');


# lost: it ran, nobody hears of it

$k{epoch} = op('claim', %k)->{epoch};

fault(op => 'settle', fault => 'lost', n => 1);

is(op('settle', %k, outcome => 'C', record => 'r', timeout => 50)->{result},
   'DOWN', 'no answer');
is(look('k'), 'C', 'it ran all the same');
is(op('settle', %k, outcome => 'C', record => 'r')->{result}, 'OK',
   'said again it is answered');

fault(op => 'claim', fault => 'lost', n => 1);

is(op('claim', %k, key => 'lost', timeout => 50)->{result}, 'DOWN',
   'a claim whose answer is lost');
ok($t->wait_for(sub { look('lost') eq 'NO' }, 2), 'is released as well');


# cancelled: the client leaves

fault(op => 'claim', fault => 'delay', ms => 300, n => 1);

$t->abort(GET => uri('claim', %k, key => 'left'), after => 0.05);

ok($t->wait_for(sub { fault()->{claim}{cancelled} == 1 }, 2), 'cancelled');
is(look('left'), 'P', 'the claim stands');
ok($t->wait_for(sub { look('left') eq 'NO' }, 2), 'until the answer comes');
is(fault()->{released}, 3, 'three were released');

fault(fault => 'delay', ms => 50);

$t->storm(n => 60, at_once => 20, within => 0.1, request => sub {
    return (GET => uri('claim', key => "storm$_[0]", owner => 'a',
                       print => 'p'));
});

fault(fault => 'clear');

# who was answered before it left holds its claim: that is the caller's to end

my @held = grep { look("storm$_") eq 'P' } 0 .. 59;
my @stray = grep { look("storm$_") !~ /^(?:P|NO)$/ } 0 .. 59;

cmp_ok(scalar @held, '<', 60, 'some were released');
is(scalar @stray, 0, 'none is anything else');


# a worker that is told to quit waits for what waits

fault(op => 'claim', fault => 'delay', ms => 500, n => 1);

my $pid = open my $fh, '-|' // die "fork: $!";

if (!$pid) {
    print op('claim', %k, key => 'quit')->{result} // 'none';
    close STDOUT;
    POSIX::_exit(0);
}

sleep 0.1;
ok($t->reload, 'reloaded');
is(scalar <$fh>, 'OK', 'and answered');
is(look('quit'), 'P', 'granted');

$t->done;
