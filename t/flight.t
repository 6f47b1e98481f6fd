#!/usr/bin/perl

# What is fetched and shared by all workers: who leads, who waits, what serves
# how long, and what happens to it when workers die or the zone is full.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Time::HiRes qw(sleep time);

my $t = Test::Sync->new(workers => 2);
my $full = Test::Sync->new(workers => 2);

my $CONF = <<'END';
    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        location = /flight { sync_test_flight; }
        location = /status { sync_status; }
    }
END

$t->http($CONF);
$t->start;


sub uri {
    my ($op, %args) = @_;

    return "/flight?op=$op" . join '', map { "&$_=$args{$_}" } sort keys %args;
}


sub flight {
    my ($s, @args) = @_;

    return $s->get(uri(@args))->json || {};
}


sub many {
    my ($s, $n, @args) = @_;

    return map { $_->json || {} }
               $s->parallel(map { [ GET => uri(@args) ] } 1 .. $n);
}


# one leads, all get it

my @res = many($t, 100, 'look', key => 'a', fetch => 300, value => 'first');

is(scalar(grep { $_->{first} eq 'LEAD' } @res), 1, '100 at once: one leads');
is(scalar(grep { $_->{first} eq 'WAIT' } @res), 99, 'the others wait');
is(scalar(grep { ($_->{value} // '') eq 'first' } @res), 100,
   'and all get what it fetched');
is(scalar(keys %{ { map { $_->{pid} => 1 } @res } }), 2, 'in both workers');
is(scalar(keys %{ { map { $_->{version} => 1 } @res } }), 1,
   'by the same version');
like($t->log_text, qr/test: landed, 0/, 'landed');
is(() = $t->log_text =~ /test: landed/g, 1, 'once');

my $v = $res[0]{version};

is(flight($t, 'look', key => 'a', have => $v)->{value}, undef,
   'what the caller has is not copied');

cmp_ok(abs($res[0]{fetched} / 1000 - time), '<', 5, 'when it was fetched');


# waiting ends soon, also in the other worker

my $start = time;

@res = many($t, 40, 'look', key => 'soon', fetch => 100, value => 's');

cmp_ok(time - $start, '<', 1.5, 'nobody waits much longer than the fetch');
is(scalar(grep { $_->{result} eq 'VALUE' } @res), 40, 'all are woken');


# who fails

@res = many($t, 20, 'look', key => 'f', fetch => 100, fail => 600);

is(scalar(grep { $_->{first} eq 'LEAD' } @res), 1, 'one fails for all');
is(scalar(grep { $_->{result} eq 'FAILED' } @res), 20, 'all learn it');
cmp_ok($res[0]{retry}, '>', 300, 'and when to try again');
is(flight($t, 'look', key => 'f')->{first}, 'FAILED', 'remembered');
sleep 0.7;
is(flight($t, 'look', key => 'f', value => 'f')->{first}, 'LEAD',
   'for so long, not longer');
is(flight($t, 'look', key => 'f')->{value}, 'f', 'and it is well again');

my $res = flight($t, 'look', key => 'none', fetch => 10, fail => 0,
                 nowait => 1);
my $n = flight($t, 'state')->{entries};

is($res->{first}, 'LEAD', 'one that remembers nothing');
ok($t->wait_for(sub { flight($t, 'state')->{entries} == $n - 1 }),
   'leaves nothing behind');


# serving while it is refreshed

flight($t, 'look', key => 'r', fetch => 1, value => 'old', fresh => 2000,
       stale => 60000);
is(flight($t, 'look', key => 'r')->{refresh}, 0, 'not due');
sleep 1.85;
@res = many($t, 20, 'look', key => 'r', fetch => 300, value => 'new');

is(scalar(grep { $_->{result} eq 'VALUE' && $_->{value} eq 'old' } @res), 20,
   'due: it serves');
is(scalar(grep { $_->{refresh} } @res), 1, 'and one refreshes it');
ok($t->wait_for(sub { flight($t, 'look', key => 'r')->{value} eq 'new' }),
   'until there is a new one');
isnt(flight($t, 'look', key => 'r')->{version}, $res[0]{version},
     'of another version');


# past fresh nothing serves unless its source fails

flight($t, 'look', key => 'p', fetch => 1, value => 'old', fresh => 100,
       stale => 60000);
sleep 0.3;
$res = flight($t, 'look', key => 'p', fetch => 50, value => 'new');
is("$res->{first} $res->{value}", 'LEAD new', 'past fresh: waited for');

flight($t, 'look', key => 'q', fetch => 1, value => 'old', fresh => 100,
       stale => 1500);
sleep 0.3;
$res = flight($t, 'look', key => 'q', fetch => 50, fail => 300);
is("$res->{first} $res->{value} $res->{failing}", 'LEAD old 1',
   'its source fails: the old one serves');
is(flight($t, 'look', key => 'q')->{refresh}, 0, 'nobody tries for a while');
sleep 0.4;
$res = flight($t, 'look', key => 'q', fetch => 50, fail => 300);
is("$res->{first} $res->{value} $res->{refresh}", 'VALUE old 1',
   'then one does, and nobody waits for it');
sleep 1;
$res = flight($t, 'look', key => 'q', fetch => 50, fail => 300);
is("$res->{first} $res->{result}", 'LEAD FAILED', 'past stale it is gone');


# that we did not ask, or have no room, is no failure of its source

sub past {
    my ($s, @keys) = @_;

    flight($s, 'look', key => $_, fetch => 1, value => 'old', fresh => 100,
           stale => 60000) for @keys;
    sleep 0.3;
}

past($t, 'ours', 'theirs');
$res = flight($t, 'look', key => 'ours', fetch => 20, refuse => 600);
is("$res->{first} $res->{result}", 'LEAD FAILED',
   'past fresh a refusal does not make it serve');
cmp_ok($res->{retry}, '>', 200, 'and says when to come again');
is(flight($t, 'look', key => 'ours')->{first}, 'FAILED', 'is remembered');
sleep 0.7;
$res = flight($t, 'look', key => 'ours', value => 'new');
is("$res->{first} $res->{value}", 'LEAD new', 'and then it is asked again');

$res = flight($t, 'look', key => 'theirs', fetch => 20, fail => 300);
is("$res->{first} $res->{value}", 'LEAD old', 'its source has failed');
sleep 0.4;
$res = flight($t, 'look', key => 'theirs', fetch => 20, refuse => 300);
is("$res->{first} $res->{value}", 'VALUE old', 'it serves');
sleep 0.2;
is(flight($t, 'look', key => 'theirs')->{value}, 'old',
   'also where it cannot be asked again at once');


# the same again is no other version

flight($t, 'look', key => 's', fetch => 1, value => 'same');
$v = flight($t, 'look', key => 's')->{version};
sleep 0.05;
$res = flight($t, 'force', key => 's', have => $v, min => 1, value => 'same');
is("$res->{first} $res->{result} $res->{version}", "LEAD VALUE $v",
   'the same bytes are the same version');

$res = flight($t, 'force', key => 's', have => $v, min => 60000);
is("$res->{first} $res->{failing}", 'FAILED 0', 'too early to ask again');
cmp_ok($res->{retry}, '>', 50000, 'by min_interval');

is(flight($t, 'force', key => 's', have => 1, min => 60000)->{first}, 'VALUE',
   'who has another one shall take this one');

@res = many($t, 30, 'force', key => 's', have => $v, min => 1, fetch => 200,
            value => 'other');
is(scalar(grep { $_->{first} eq 'LEAD' } @res), 1, 'forced: one leads');
is(scalar(grep { $_->{value} eq 'other' } @res), 30, 'all get the other');

$v = flight($t, 'look', key => 's')->{version};
flight($t, 'drop', key => 's', have => 1);
is(flight($t, 'look', key => 's')->{value}, 'other', 'another is not dropped');
is(flight($t, 'find', text => 'canary-of-a-value')->{found}, 0, 'not there');
flight($t, 'look', key => 'd', fetch => 1, value => 'canary-of-a-value');
is(flight($t, 'find', text => 'canary-of-a-value')->{found}, 1, 'there');
$v = flight($t, 'look', key => 'd')->{version};
flight($t, 'drop', key => 'd', have => $v);
is(flight($t, 'find', text => 'canary-of-a-value')->{found}, 0,
   'what was dropped is wiped');
is(flight($t, 'look', key => 'd', value => 'z')->{first}, 'LEAD', 'and gone');


# a client that leaves while it waits

$t->abort('GET', uri('look', key => 'gone', fetch => 400, value => 'g'),
          after => 0.1);
is(flight($t, 'look', key => 'gone')->{first}, 'WAIT',
   'the fetch of a leader that left goes on');
is(flight($t, 'look', key => 'gone')->{value}, 'g', 'and serves others');


# budgets

my %b = (key => 'host', rate => 120, burst => 5);

@res = many($t, 50, 'budget', %b);
is(scalar(grep { $_->{result} eq 'VALUE' } @res), 5, 'a budget is for all');
sleep 1.1;
@res = many($t, 50, 'budget', %b);
$n = grep { $_->{result} eq 'VALUE' } @res;
ok($n == 2 || $n == 3, "and fills at its rate: $n");


# a leader that is killed

$t->allow(qr/exited on signal 9/, qr/shared memory zone "sync_keys"/);

my $lead = flight($t, 'look', key => 'k', fetch => 60000, lead => 800,
                  nowait => 1);

is($lead->{first}, 'LEAD', 'a leader');
kill 'KILL', $lead->{pid};

$start = time;
$res = flight($t, 'look', key => 'k', fetch => 50, value => 'second');
is("$res->{first} $res->{result} $res->{value}", 'WAIT VALUE second',
   'who is killed is replaced');
cmp_ok(time - $start, '>', 0.5, 'when its time is over');


# a leader that is late

$lead = flight($t, 'look', key => 'late', fetch => 800, value => 'late',
               lead => 200, nowait => 1);
sleep 0.3;
$res = flight($t, 'look', key => 'late', fetch => 50, value => 'second');
is("$res->{first} $res->{value}", 'LEAD second', 'who is late is replaced');
ok($t->wait_for(sub { $t->log_text =~ /test: landed, -5/ }),
   'and lands nothing');
is(flight($t, 'look', key => 'late')->{value}, 'second', 'over the new one');


# reload

$lead = flight($t, 'look', key => 'reload', fetch => 1000, value => 'over',
               nowait => 1);
ok($t->reload, 'reload while a fetch is under way');
$res = flight($t, 'look', key => 'reload');
is("$res->{first} $res->{value}", 'WAIT over',
   'a worker that quits lands what it leads');
is(flight($t, 'look', key => 'a')->{value}, 'first', 'what was there is there');


# a worker that dies in the lock

flight($t, 'look', key => 'before', fetch => 1, value => '@5000');
$n = flight($t, 'state')->{entries};
$t->get(uri('die'));
ok($t->wait_for(sub {
    my $whole = flight($t, 'look', key => 'before')->{value} // '';
    return length $whole == 5000;
}), 'a worker dies inside the lock: what was there is there');
is(flight($t, 'state')->{rebuilt}, 1, 'the zone was rebuilt');
is(flight($t, 'state')->{entries}, $n, 'with all that was in it');

like($t->get('/status')->{body},
     qr/^sync_store_rebuilt_total\{zone="sync_keys"\} 1$/m, 'and counted');

$t->done;


# a full zone

$full->http("sync_zone keys:64k;\n$CONF");
$full->start;

flight($full, 'look', key => 'used', fetch => 1, value => 'used');
$lead = flight($full, 'look', key => 'flying', fetch => 9000, value => 'flew',
               lead => 20000, nowait => 1);

for my $i (1 .. 250) {
    flight($full, 'look', key => "n$i", fetch => 0, value => '@400');

    if ($i % 40 == 0) {
        sleep 1.05;
        flight($full, 'look', key => 'used');
    }
}

is(flight($full, 'look', key => 'used')->{value}, 'used',
   'full: what is used stays');
is(flight($full, 'look', key => 'n250')->{result}, 'VALUE',
   'what is new gets in');
is(flight($full, 'look', key => 'n3', nowait => 1, fetch => 1)->{first}, 'LEAD',
   'what nobody used is gone');
$res = flight($full, 'look', key => 'flying');
is("$res->{first} $res->{value}", 'WAIT flew', 'what is in flight lands');

$res = flight($full, 'look', key => 'large', fetch => 1, value => '@6000');
is($res->{result}, 'FAILED', 'what is larger than a part of it does not fit');

past($full, 'outgrown');
$res = flight($full, 'look', key => 'outgrown', fetch => 1, value => '@6000');
is("$res->{first} $res->{result}", 'LEAD FAILED',
   'what it was before does not serve instead');

@res = many($full, 400, 'budget', key => 'one', rate => 1, burst => 3);
is(scalar(grep { $_->{result} eq 'VALUE' } @res), 3, 'a budget in a full zone');

for my $i (1 .. 300) {
    flight($full, 'look', key => "m$i", fetch => 0, fail => 60000,
           nowait => 1);
}

is(flight($full, 'budget', key => 'one', rate => 1, burst => 3)->{result},
   'FAILED', 'is not forgotten for the memory of failures');
is(flight($full, 'look', key => 'used')->{value}, 'used', 'nor is a value');

# nothing but what is in flight

for my $i (1 .. 400) {
    $res = flight($full, 'look', key => "x$i", fetch => 1500, nowait => 1);
    last if $res->{first} eq 'FULL';
}

is($res->{first}, 'FULL', 'where all is in flight there is no room');
cmp_ok(flight($full, 'state')->{refused}, '>', 0, 'and that is counted');

$full->done;
