#!/usr/bin/perl

# A store that does not answer, or not in time, costs a request nothing after
# the first few: all workers know, one of them asks, and when it answers all
# is as before.  Times are measured.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Time::HiRes qw(sleep time);

my $timeout = 0.2;
my $soon = 0.1;         # less than any wait for the store, more than a request

my $t = Test::Sync->new(workers => 2);

$t->write('master.key', 'c4n4ry-master-secret-0123456789');

$t->peer(erp => sub {
    my ($req) = @_;

    return { status => 201, body => "n $req->{n}",
             delay => $req->{uri} =~ /slow/ ? 1.6 : 0,
             headers => ['Content-Type' => 'text/plain'] };
});

sub conf {
    my ($breaker) = @_;

    return <<"STORE" . <<'CONF';
    sync_store  test: timeout=200ms $breaker;
STORE
    sync_secret file:%%TESTDIR%%/master.key;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    upstream erp { server %%PEER_erp%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT_0%%;

        sync_deadline    3s;
        sync_idempotency required scope=none lease=10s;

        location /closed/ { proxy_pass http://erp; }
        location /open/   { sync_idempotency required scope=none fail=open
                                             lease=10s;
                            proxy_pass http://erp; }
        location = /status { sync_status; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        location = /fault { sync_test_fault; }
    }
CONF
}

$t->http(conf(''));
$t->start;

my $serial = 0;

sub fresh { return 'key-' . ++$serial . '-' . $$ }

sub fault {
    return $t->request('GET', '/fault?' . join('&', @_), port => 1)->json;
}

# a new connection each time: any worker may have it

sub ask {
    my ($uri, $key) = @_;

    return $t->post($uri, 'body', 'Content-Type' => 'text/plain',
                    'Idempotency-Key' => $key // fresh());
}

sub gauge {
    my ($name) = @_;

    my ($n) = $t->get('/status')->{body}
              =~ /^sync_store_breaker_$name\{store="default"\} (\d+)$/m;

    return $n;
}

sub timed_is {
    my ($res, $status, $from, $to, $name) = @_;

    is($res->{status}, $status, "$name: status");
    cmp_ok($res->{time}, '>=', $from, "$name: it waited") if $from;
    cmp_ok($res->{time}, '<', $to, "$name: no longer than that");
}

sub opened { return $t->wait_for(sub { gauge('open') }) }
sub closed { return $t->wait_for(sub { !gauge('open') }) }

my ($r, $n, @all);


# in calm

is(gauge('open'), 0, 'closed at first');
timed_is(ask('/closed/a'), 201, 0, $soon, 'in calm');


# dead: the first five wait, nobody after them, in no worker

fault('fault=lost');

timed_is(ask('/closed/a'), 503, $timeout * 0.8, $timeout + $soon, "dead, $_")
    for 1 .. 5;

is(gauge('open'), 1, 'dead: open');
is(gauge('opened_total'), 1, 'dead: opened once');

$n = fault()->{claim}{calls};

timed_is(ask('/closed/a'), 503, 0, $soon, "dead, $_") for 6 .. 20;
timed_is(ask('/open/a'), 201, 0, $soon, "dead, fail=open, $_") for 1 .. 5;

is($r = ask('/open/a')->header('Idempotency-Status'), 'bypassed',
   'dead, fail=open: says so');
is(fault()->{claim}{calls}, $n, 'dead: the store is left alone');
cmp_ok(gauge('refused_total'), '>=', 20, 'dead: what it did not see');

# ... but for a question now and then, on which nobody waits

$n = fault()->{look}{calls};
$t->wait_for(sub { fault()->{look}{calls} > $n });
cmp_ok(fault()->{look}{calls}, '>', $n, 'dead: it is asked');
is(gauge('open'), 1, 'dead: still open');

fault('fault=clear');
ok(closed(), 'it answers: closed');
timed_is(ask('/closed/a'), 201, 0, $soon, "after it, $_") for 1 .. 5;
$t->log_like(qr/store: "default" misses its deadlines of 200 ms/, 'logged');
$t->log_like(qr/store: "default" answers again/, 'logged that it answers');


# many at once: those under way wait for their deadline, and no more

fault('fault=lost');
$n = time;

@all = $t->parallel(map { [ 'POST', '/closed/a', body => 'b',
    headers => [ 'Content-Type' => 'text/plain',
                 'Idempotency-Key' => fresh() ] ] } 1 .. 40);

is(scalar(grep { $_->{status} == 503 } @all), 40, 'forty at once: refused');
cmp_ok(time - $n, '<', 2 * $timeout, 'forty at once: none waited twice');
is(gauge('open'), 1, 'forty at once: open');

fault('fault=clear');
ok(closed(), 'forty at once: closed');


# slow, but in time: that is what timeout= allows

fault('fault=delay', 'ms=80');
timed_is(ask('/closed/a'), 201, 0.07, 2 * $timeout + $soon, "in time, $_")
    for 1 .. 10;
is(gauge('open'), 0, 'slow, but in time: closed');

# too slow

fault('fault=delay', 'ms=600');
ask('/closed/a') for 1 .. 5;
is(gauge('open'), 1, 'too slow: open');
timed_is(ask('/closed/a'), 503, 0, $soon, "too slow, $_") for 1 .. 5;
fault('fault=delay', 'ms=20');
ok(closed(), 'fast enough: closed');
fault('fault=clear');


# one part of the store is dead, the others answer: nobody is refused for it

for (1 .. 8) {
    fault('op=claim', 'fault=lost', 'n=1');
    ask('/closed/a');
    ask('/closed/a');
}

is(gauge('open'), 0, 'every third is lost: closed');

# but not when most of it is

$n = gauge('opened_total');

for (1 .. 12) {
    last if gauge('open') || gauge('opened_total') > $n;
    fault('op=claim', 'fault=lost', 'n=9');
    $t->parallel(map { [ 'POST', '/closed/a', body => 'b',
        headers => [ 'Content-Type' => 'text/plain',
                     'Idempotency-Key' => fresh() ] ] } 1 .. 10);
}

cmp_ok(gauge('opened_total'), '>', $n, 'most of it is lost: opened');
fault('fault=clear');
ok(closed(), 'most of it is lost: closed again');


# a store that says at once that it is not there costs nothing anyway

fault('fault=down');
timed_is(ask('/closed/a'), 503, 0, $soon, "at once, $_") for 1 .. 10;
is(gauge('open'), 0, 'down at once: nothing to open for');
fault('fault=clear');


# an outcome that finds it open is not lost: it is told when the store is back

my ($key, $pid) = (fresh());

$n = $t->ledger('erp');

pipe my $out, my $in;

if (!($pid = fork)) {
    my $res = ask('/closed/slow', $key);
    syswrite $in, join ' ', $res->{status}, $res->{time},
                       $res->header('Idempotency-Status') // '-';
    POSIX::_exit(0);
}

close $in;
$t->wait_for(sub { $t->ledger('erp') > $n });
fault('fault=lost');
ask('/closed/a') for 1 .. 5;
is(gauge('open'), 1, 'open while the upstream works');

waitpid $pid, 0;
my ($status, $took, $idem) = split ' ', <$out>;

is("$status $idem", '201 executed-unrecorded', 'its answer goes out');
cmp_ok($took, '<', 1.6 + $soon, 'and waits for nobody');

fault('fault=clear');
ok(closed(), 'closed again');
$t->wait_for(sub {
    ($r = ask('/closed/slow', $key))->{status} == 201
});
is($r->header('Idempotency-Status'), 'replayed', 'the outcome has arrived');


# what stands open is seen to, whoever is left

fault('fault=lost');
ask('/closed/a') for 1 .. 5;
is(gauge('open'), 1, 'open before a reload');
ok($t->reload, 'reload');
timed_is(ask('/closed/a'), 503, 0, $soon, 'the new workers know');
fault('fault=clear');
ok(closed(), 'and close it');

fault('fault=lost');
ask('/closed/a') for 1 .. 5;

my @old = $t->workers;

$t->allow(qr/exited on signal 9/);
kill 'KILL', @old;
$t->wait_for(sub {
    my %old = map { $_ => 1 } @old;
    2 == grep { !$old{$_} } $t->workers;
});
fault('fault=clear');
ok(closed(), 'workers that have died: their successors close it');


# by choice

$t->http(conf('breaker=off'));
ok($t->reload, 'breaker=off');
fault('fault=lost');
timed_is(ask('/closed/a'), 503, $timeout * 0.8, $timeout + $soon,
         "breaker=off, $_") for 1 .. 7;
fault('fault=clear');
is(gauge('open'), undef, 'breaker=off: nothing to show');

$t->refused('sync_store test: breaker=maybe; server { }',
            qr/invalid "breaker=maybe", "on" and "off" are known/, 'a word');
$t->refused('sync_store shm breaker=on; server { }',
            qr/shm answers at once, it takes no "breaker="/, 'shm');

$t->done;
