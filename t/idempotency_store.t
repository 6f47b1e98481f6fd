#!/usr/bin/perl

# Idempotency while its store is slow, full or gone: every row of the table of
# failures, and the suspension of requests and answers that a store on a
# network brings.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Time::HiRes qw(time);

my $t = Test::Sync->new(workers => 2);

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->canary('c4n4ry-master-secret-0123456789');

$t->peer(erp => sub {
    my ($req) = @_;

    return { never => 1 } if $req->{uri} =~ /never/;
    return [ 403, {}, 'session is over' ]
        if ($req->{h}{'x-session'} // '') eq '1';
    return { status => 201, body => 'z' x 40000 } if $req->{uri} =~ /large/;
    return { status => 201, body => 'z' x 9000, piece => 5000, drip => 0.35 }
        if $req->{uri} =~ /halves/;
    return { status => 201, body => "n $req->{n}",
             delay => $req->{uri} =~ /slow/ ? 0.25 : 0,
             headers => ['Content-Type' => 'text/plain'] };
});

$t->http(<<'CONF');
    sync_store  test:delay=10ms timeout=150ms;
    sync_secret file:%%TESTDIR%%/master.key;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    upstream erp { server %%PEER_erp%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT_0%%;

        sync_deadline    500ms;
        sync_idempotency required scope=none lease=1500ms cap=8k;

        location /closed/ { proxy_pass http://erp; }
        location /open/   { sync_idempotency required scope=none fail=open;
                            proxy_pass http://erp; }
        location /resend/ { sync_idempotency required scope=none
                                             on_unknown=resend;
                            proxy_pass http://erp; }
        location /free/   { sync_idempotency required scope=none fail=open
                                             on_unknown=release;
                            proxy_pass http://erp; }
        location /again/  { sync_idempotency required scope=none fail=open
                                             on_unknown=resend;
                            proxy_pass http://erp; }
        location /small/  { sync_idempotency required scope=none cap=1k;
                            proxy_pass http://erp; }
        location /dead/   { proxy_pass http://127.0.0.1:%%PORT_3%%; }
        location /after/  { post_action /afterwards;
                            proxy_pass http://erp; }
        location /stale/  { sync_test_again session 403;
                            proxy_pass http://erp; }
        location = /afterwards { internal; sync_idempotency off; return 204; }
        location /later/  { post_action /waits;
                            proxy_pass http://erp; }
        location = /waits { internal; sync_idempotency off;
                            proxy_pass http://erp; }
        location /wait/   { sync_idempotency required scope=none fail=open
                                             wait=400ms;
                            proxy_pass http://erp; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        location = /fault { sync_test_fault; }
    }

    server {
        listen 127.0.0.1:%%PORT_2%% http2;
        sync_idempotency required scope=none;
        location / { proxy_pass http://erp; }
    }
CONF

$t->start;

my $serial = 0;

sub fresh { return 'key-' . ++$serial . '-' . $$ }

sub fault {
    my $args = join '&', @_;

    return $t->request('GET', "/fault?$args", port => 1)->json;
}

sub ask {
    my ($uri, $key) = @_;

    return $t->post($uri, 'body', 'Content-Type' => 'text/plain',
                    'Idempotency-Key' => $key);
}

sub status_is {
    my ($res, $status, $idem, $name) = @_;

    is($res->{status}, $status, "$name: status");
    is($res->header('Idempotency-Status') // '', $idem, "$name: $idem");
}

my ($k, $r, $n);


# slow: everything waits, and all is as with a fast one

$k = fresh();
$n = $t->ledger('erp');
status_is(ask('/closed/a', $k), 201, 'executed', 'slow store');
status_is(ask('/closed/a', $k), 201, 'replayed', 'slow store');
is($t->ledger('erp'), $n + 1, 'slow store: asked once');

$k = fresh();
$r = ask('/closed/large', $k);
status_is($r, 201, 'executed', 'slow store, over the cap');
is(length $r->{body}, 40000, 'slow store, over the cap: whole');
status_is(ask('/closed/large', $k), 201, 'replayed', 'slow store, trimmed');

# a connection of its own: only there is it told when the answer begins

$k = fresh();
my $s = $t->connect;
my $asked = time;

print $s "POST /small/halves HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
         . "Connection: close\r\nIdempotency-Key: $k\r\n\r\nb";
sysread $s, my $begins, 1;
my $began = time - $asked;
{ local $/; $begins .= readline $s }

cmp_ok($began, '<', 0.3, 'slow store, over the cap: begins when it is told');
is(length($begins =~ s/^.*?\r\n\r\n//sr), 9000, 'and comes whole');

$r = $t->h2('POST', '/a', body => 'b', port => 2,
            headers => [ 'Content-Type' => 'text/plain',
                         'Idempotency-Key' => fresh() ]);
is($r->{status}, 201, 'slow store, HTTP/2');

my @all = $t->parallel(map { [ 'POST', '/closed/slow', body => 'b',
    headers => [ 'Content-Type' => 'text/plain',
                 'Idempotency-Key' => 'together' ] ] } 1 .. 10);
is(scalar(grep { $_->{status} == 201 } @all), 1, 'slow store: one of ten');

$k = fresh();
status_is(ask('/resend/never', $k), 504, 'outcome-unknown', 'slow, never')
    for 1 .. 2;


# gone at the claim

fault('op=claim', 'fault=down');

$n = $t->ledger('erp');
$r = ask('/closed/a', fresh());
status_is($r, 503, 'refused', 'down, fail=closed');
is($r->json->{type}, 'urn:sync:problem:store-unavailable', 'and says why');
ok($r->header('Retry-After'), 'and when to come again');
is($t->ledger('erp'), $n, 'nothing was sent');

$r = ask('/open/a', fresh());
status_is($r, 201, 'bypassed', 'down, fail=open');

fault('fault=clear');
fault('op=claim', 'fault=lost', 'n=1');

$r = ask('/closed/a', fresh());
status_is($r, 503, 'refused', 'no answer to the claim');
cmp_ok($r->{time}, '<', 1, 'a deadline ends the wait');


# gone when it has said that the key is in use: fail=open is for a key of which
# nothing is known

for my $at (['again', 'resolve_begin'], ['free', 'resolve_begin'],
            ['free', 'resolve_end'])
{
    my ($rule, $op) = @$at;

    $k = fresh();
    status_is(ask("/$rule/never", $k), 504, 'outcome-unknown', "$rule, never");

    fault("op=$op", 'fault=down');
    $n = $t->ledger('erp');
    $r = ask("/$rule/never", $k);
    status_is($r, 409, 'outcome-unknown', "$rule, down at $op");
    ok($r->header('Retry-After'), 'to come again');
    is($t->ledger('erp'), $n, 'nothing was sent');
    fault('fault=clear');
}

$k = fresh();
$n = $t->ledger('erp');
$t->abort('POST', '/wait/slow', body => 'body', after => 0.06,
          headers => [ 'Content-Type' => 'text/plain',
                       'Idempotency-Key' => $k ]);
my $polled = fork;

if (!$polled) {
    select undef, undef, undef, 0.04;
    fault('op=claim', 'fault=down');
    POSIX::_exit(0);
}

status_is(ask('/wait/slow', $k), 409, 'in-progress', 'down while it waits');
waitpid $polled, 0;
fault('fault=clear');
is($t->ledger('erp'), $n + 1, 'sent once');


# full

fault('op=claim', 'fault=full');
$r = ask('/closed/a', fresh());
status_is($r, 503, 'refused', 'full');
is($r->json->{type}, 'urn:sync:problem:store-full', 'and says so');
fault('fault=clear');


# granted too late: released, so that the key is free at once

fault('op=claim', 'fault=delay', 'ms=300', 'n=1');
$k = fresh();
status_is(ask('/closed/a', $k), 503, 'refused', 'granted too late');

ok($t->wait_for(sub {
    (ask('/closed/a', $k)->header('Idempotency-Status') // '')
        =~ /executed|replayed/;
}, 1), 'the late claim was released');

fault('op=claim', 'fault=delay', 'ms=120', 'n=1');
$k = fresh();
$t->abort('POST', '/closed/a', body => 'body', after => 0.03,
          headers => [ 'Content-Type' => 'text/plain',
                       'Idempotency-Key' => $k ]);

ok($t->wait_for(sub {
    (ask('/closed/a', $k)->header('Idempotency-Status') // '') eq 'executed';
}, 1), 'the claim of a client that left was released');

# the same where another location still has words after the client has gone,
# which begin when the claim is granted

for my $where ('after', 'later') {
    fault('op=claim', 'fault=delay', 'ms=120', 'n=1');
    $k = fresh();
    $n = $t->ledger('erp');
    $t->abort('POST', "/$where/a", body => 'body', after => 0.03,
              headers => [ 'Content-Type' => 'text/plain',
                           'Idempotency-Key' => $k ]);

    ok($t->wait_for(sub {
        (ask("/$where/a", $k)->header('Idempotency-Status') // '')
            eq 'executed';
    }, 1), "$where: the claim of a client that left was released");
}

# a resolver that left before or after it was told to begin

for my $op (qw(resolve_begin resolve_end)) {
    my $rule = $op eq 'resolve_begin' ? 'resend' : 'free';

    $k = fresh();
    status_is(ask("/$rule/never", $k), 504, 'outcome-unknown',
              "$rule: nobody knows");
    fault("op=$op", 'fault=delay', 'ms=120', 'n=1');
    $t->abort('POST', "/$rule/never", body => 'body', after => 0.06,
              headers => [ 'Content-Type' => 'text/plain',
                           'Idempotency-Key' => $k ]);

    ok($t->wait_for(sub {
        (ask("/$rule/never", $k)->header('Idempotency-Status') // '')
            eq 'outcome-unknown';
    }, 1), "$op: a resolver that left keeps nobody waiting");
}


# the same when the store was too slow for it, or did not answer

for my $fault ('fault=delay&ms=300', 'fault=lost', 'fault=down') {
    for my $op (qw(resolve_begin resolve_end)) {
        my $rule = $op eq 'resolve_begin' ? 'resend' : 'free';

        $k = fresh();
        status_is(ask("/$rule/never", $k), 504, 'outcome-unknown',
                  "$rule: nobody knows");
        $n = $t->ledger('erp');
        fault("op=$op", $fault, 'n=1');
        status_is(ask("/$rule/never", $k), 409, 'outcome-unknown',
                  "$op, $fault: nothing is sent");
        is($t->ledger('erp'), $n, "$op, $fault: nothing was sent");

        ok($t->wait_for(sub {
            return ask("/$rule/never", $k)->{status} == 504;
        }, 2), "$op, $fault: the key is not left to the lease");
        is($t->ledger('erp'), $n + 1, "$op, $fault: and sent again");
    }
}


# nothing was sent, and the store does not hear of it before the lease is over

$k = fresh();
fault('op=release', 'fault=down');
status_is(ask('/dead/', $k), 502, 'not-sent', 'nobody is there');

ok($t->wait_for(sub {
    (ask('/dead/', $k)->header('Idempotency-Status') // '')
        eq 'outcome-unknown';
}, 4), 'unknown when the lease is over');
sleep 2;
fault('fault=clear');

ok($t->wait_for(sub {
    (ask('/dead/', $k)->header('Idempotency-Status') // '') eq 'not-sent';
}, 4), 'and free when the store hears that nothing was sent');


# sent again while the first note is still under way

fault('op=extend', 'fault=delay', 'ms=140');
$k = fresh();
$n = $t->ledger('erp');
status_is(ask('/stale/slow', $k), 201, 'executed', 'two notes');
is($t->ledger('erp'), $n + 2, 'sent again');
status_is(ask('/stale/slow', $k), 201, 'replayed', 'two notes');
fault('fault=clear');


# gone when it should settle

fault('op=settle', 'fault=down');
$k = fresh();
$n = $t->ledger('erp');
status_is(ask('/closed/a', $k), 201, 'executed-unrecorded', 'not settled');
status_is(ask('/closed/a', $k), 409, 'in-progress', 'the key is not free');
fault('fault=clear');

ok($t->wait_for(sub {
    (ask('/closed/a', $k)->header('Idempotency-Status') // '') eq 'replayed';
}, 2), 'settled later, without the request');
is($t->ledger('erp'), $n + 1, 'asked once');

fault('op=settle', 'fault=down');
$k = fresh();
status_is(ask('/closed/a', $k), 201, 'executed-unrecorded', 'never settled');

ok($t->wait_for(sub {
    (ask('/closed/a', $k)->header('Idempotency-Status') // '')
        eq 'outcome-unknown';
}, 4), 'unknown when the lease is over');
fault('fault=clear');

# the client leaves while its answer is settled

fault('op=settle', 'fault=delay', 'ms=120', 'n=1');
$k = fresh();
$n = $t->ledger('erp');
$t->abort('POST', '/closed/a', body => 'body', after => 0.06,
          headers => [ 'Content-Type' => 'text/plain',
                       'Idempotency-Key' => $k ]);
ok($t->wait_for(sub {
    (ask('/closed/a', $k)->header('Idempotency-Status') // '') eq 'replayed';
}, 2), 'settled although the client left');
is($t->ledger('erp'), $n + 1, 'asked once');


# the note is not awaited

fault('op=extend', 'fault=delay', 'ms=140');
$k = fresh();
status_is(ask('/closed/a', $k), 201, 'executed', 'a slow note');
fault('fault=clear');

fault('op=extend', 'fault=down');
$k = fresh();
status_is(ask('/resend/never', $k), 504, 'outcome-unknown', 'no note');
fault('fault=clear');
status_is(ask('/resend/never', $k), 409, 'outcome-unknown',
          'a record without a note is held');


# a reload while requests wait for the store

fault('op=claim', 'fault=delay', 'ms=100');
my @waiting = map { fresh() } 1 .. 5;
my $pid = fork;

if (!$pid) {
    my @res = $t->parallel(map { [ 'POST', '/closed/a', body => 'b',
        headers => [ 'Content-Type' => 'text/plain',
                     'Idempotency-Key' => $_ ] ] } @waiting);
    POSIX::_exit(scalar grep { $_->{status} != 201 } @res);
}

$t->reload;
waitpid $pid, 0;
is($? >> 8, 0, 'all were answered');
fault('fault=clear');

$t->done;
