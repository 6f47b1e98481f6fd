#!/usr/bin/env perl

# Sending again: a refusal that executed nothing is dismissed, whatever its
# shape, and the same request enters the content phase once more.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new(workers => 1);

$t->write('master.key', $t->canary('c4n4ry-master-secret-0123456789'));

# The path says how the first try is refused; what is asked with X-Session: 2
# (or X-Credentials: 2) is executed.

$t->peer(erp => sub {
    my ($req) = @_;

    my ($how) = $req->{uri} =~ m{/(\w+)(?:\?.*)?$};

    my $try = $req->{h}{'x-session'} // 9;
    my $token = $req->{h}{'x-credentials'} // 9;

    return { never => 1 } if $how eq 'hang' && $try > 1;
    return { cut => 0, reset => 1 } if $how eq 'reset' && $try > 1;

    if ($try == 1 && $token >= 2 || $how eq 'both' && $token == 2
        || $how eq 'always' || $how eq 'stubborn')
    {
        my %refusal = (
            status => 403,
            headers => [ 'X-CSRF-Token' => 'Required',
                         'Set-Cookie' => 'refused=1', 'ETag' => '"refused"',
                         'Last-Modified' => 'Sat, 01 Jan 2000 00:00:00 GMT',
                         'Location' => '/refused', 'Cache-Control' => 'private',
                         'WWW-Authenticate' => 'Refused',
                         'Content-Type' => 'text/html; charset=latin1',
                         'Accept-Ranges' => 'bytes',
                         $how eq 'rate' ? ('X-Accel-Limit-Rate' => '1') : () ],
            body => 'refused: no token',
        );

        return { %refusal, chunked => 1 } if $how eq 'chunked';
        return { %refusal, no_length => 1 } if $how eq 'length';
        return { %refusal, length => 500, close => 1 } if $how eq 'short';
        return { %refusal, body => '' } if $how eq 'empty';
        return { %refusal, body => 'r' x 3_000_000 } if $how eq 'large';
        return { %refusal, drip => 0.05, piece => 300_000,
                 body => 'r' x 6_000_000 } if $how eq 'endless';
        return { %refusal, drip => 0.002, piece => 40 } if $how eq 'slow';
        return { %refusal, status => 200, body => 'session is over' }
            if $how eq 'words';
        return { %refusal, status => 204, body => '' } if $how eq 'none';
        return { %refusal, delay => 0.3 } if $how eq 'late';
        return \%refusal;
    }

    return [ 401, { 'WWW-Authenticate' => 'Refused' }, 'refused: a token' ]
        if $token == 1;

    return { status => 200, body => 'x' x 2_000_000 } if $how eq 'big';
    return { status => 200, delay => 0.2, body => 'late' } if $how eq 'wait';

    return [ 200, { 'X-Seen' => "s$try t$token" },
             "$req->{method} " . length($req->{body}) . ' '
             . substr($req->{body}, 0, 20) ];
});

$t->peer(copy => sub { '' });

$t->http(<<'CONF');
    sync_secret  file:%%TESTDIR%%/master.key;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    log_format seen '$uri|$status|$upstream_status|$sync_verdict|'
                    '$sync_idempotency_status';
    access_log %%TESTDIR%%/seen.log seen;

    upstream erp { server %%PEER_erp%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% http2;

        client_body_buffer_size 8k;
        client_max_body_size 10m;

        location /plain/  { sync_test_again session 403;
                            proxy_pass http://erp; }
        location /fresh/  { sync_test_again session 403;
                            proxy_buffering off; proxy_pass http://erp; }
        location /stream/ { sync_test_again session 403;
                            proxy_request_buffering off;
                            proxy_pass http://erp; }
        location /words/  { sync_test_again session 200 body=over;
                            proxy_pass http://erp; }
        location /none/   { sync_test_again session 204;
                            proxy_pass http://erp; }
        location /wait/   { sync_test_again session 403 wait=80;
                            proxy_pass http://erp; }
        location /two/    { sync_test_again credentials 401 wait=20;
                            sync_test_again session 403 wait=20;
                            proxy_pass http://erp; }
        location /fail/   { sync_test_again session 403 wait=20 fail=503;
                            proxy_pass http://erp; }
        location /page/   { sync_test_again session 403 fail=503;
                            error_page 503 /words;
                            proxy_pass http://erp; }
        location = /words { internal; return 200 "the user's words"; }
        location /moved/  { rewrite ^/moved/(.*) /plain/$1; }
        location /index/  { sync_test_again session 403; index none;
                            try_files /none @named; }
        location @named   { sync_test_again session 403;
                            proxy_pass http://erp; }
        location /mirror/ { sync_test_again session 403 wait=20;
                            mirror /copy; proxy_pass http://erp; }
        location = /copy  { internal; proxy_pass http://%%PEER_copy%%; }
        location /cut/    { sync_test_again session 403 wait=2000;
                            sync_deadline 200ms; proxy_pass http://erp; }
        location /cuts/   { sync_test_again session 403;
                            sync_deadline 200ms; proxy_pass http://erp; }
        location /off/    { proxy_pass http://erp; }

        location /key/ {
            sync_idempotency required scope=none;
            sync_test_again session 403;
            proxy_pass http://erp;

            location /key/wait/ {
                sync_test_again session 403 wait=150;
                proxy_pass http://erp;
            }
            location /key/fail/ {
                sync_test_again session 403 wait=20 fail=503;
                proxy_pass http://erp;
            }
            location /key/cut/ {
                sync_test_again session 403 wait=2000;
                sync_deadline 250ms;
                proxy_pass http://erp;
            }
        }

        location = /status { sync_status; }
    }
CONF

$t->start;

my ($res, $n);

# how many times upstream was asked by what follows

sub asked {
    my ($code) = @_;

    my $before = $t->ledger('erp');

    $res = $code->();

    return $t->ledger('erp') - $before;
}

sub executed {
    my ($name, $code) = @_;

    $n = asked($code);

    is($res->{status}, 200, "$name: the second answer");
    is($n, 2, "$name: after one refusal");
    unlike($res->{head} . $res->{body}, qr/refused/i,
           "$name: of which nothing is left");
    is($res->{error}, '', "$name: whole");
}

my $body = '{"a":"' . 'b' x 100 . '"}';
my $file = '{"a":"' . 'b' x 200_000 . '"}';

# refusals in all their shapes

for my $how (qw(plain chunked length short empty large slow endless rate)) {
    executed("a refusal, $how", sub { $t->post("/plain/$how", $body) });
    like($res->{body}, qr/^POST 108 /, "$how: the body went along");
    is($res->{h}{'x-seen'}, 's2 t9', "$how: with headers of its own");

    for my $name (qw(set-cookie etag last-modified location cache-control
                     www-authenticate accept-ranges x-csrf-token))
    {
        ok(!defined $res->{h}{$name}, "$how: no $name is left");
    }

    cmp_ok($res->{time}, '<', 2, "$how: nor a rate") if $how ne 'endless';
}

executed('large, not buffered', sub { $t->post('/fresh/large', $body) });
executed('not buffered', sub { $t->post('/fresh/plain', $body) });
executed('an answer without a body', sub { $t->get('/none/none') });

executed('words in a 200', sub { $t->post('/words/words', $body) });
is(asked(sub { $t->post('/words/plain', $body) }), 1,
   'another status is not looked into');
is($res->{status}, 403, 'and goes out');
is($res->{body}, 'refused: no token', 'as it came');

# requests in all their shapes

executed('GET', sub { $t->get('/plain/a?b=c') });
executed('HEAD', sub { $t->request('HEAD', '/plain/a') });
executed('a body in a file', sub { $t->post('/plain/a', $file) });
like($res->{body}, qr/^POST 200008 \{"a":"bbb/, 'whole, twice');
executed('a chunked body', sub {
    $t->request('POST', '/plain/a', body => $body,
                chunked => [ substr($body, 0, 50), substr($body, 50) ]);
});
like($res->{body}, qr/^POST 108 /, 'chunked: whole');
executed('a chunked body in a file', sub {
    $t->request('POST', '/plain/a', body => $file, chunked => 1);
});
like($res->{body}, qr/^POST 200008 /, 'chunked, in a file: whole');
executed('Expect', sub {
    $t->request('PUT', '/plain/a', body => $file, expect => 1);
});
executed('in packets', sub {
    $t->request('POST', '/plain/a', body => $file, packets => 4);
});
executed('HTTP/1.0', sub { $t->request('GET', '/plain/a', http => '1.0') });
executed('HTTP/2', sub { $t->h2('POST', '/plain/a', port => 1,
                                body => $body) });
executed('HTTP/2, GET', sub { $t->h2('GET', '/plain/large', port => 1) });
executed('HTTP/2, HEAD', sub { $t->h2('HEAD', '/plain/a', port => 1) });
executed('HTTP/2, waiting', sub { $t->h2('POST', '/wait/a', port => 1,
                                         body => $file) });
executed('after a rewrite', sub { $t->post('/moved/a', $body) });
executed('in a named location', sub { $t->post('/index/a', $body) });

my $s = $t->connect;
for (1 .. 3) {
    executed("on one connection, $_", sub {
        $t->request('POST', '/wait/a', body => $body, conn => $s);
    });
}

is(asked(sub { $t->request('POST', '/stream/a', body => $file,
                           packets => 5) }), 1,
   'a body that streamed is not there any more');
is($res->{status}, 403, 'and the refusal goes out');

# the steps before it may wait, once for each reason

executed('waiting', sub { $t->post('/wait/a', $body) });
cmp_ok($res->{time}, '>=', 0.08, 'as long as it takes');

is(asked(sub { $t->post('/two/both', $body) }), 3, 'two reasons, three tries');
is($res->{status}, 200, 'two reasons: executed');
is($res->{h}{'x-seen'}, 's3 t3', 'the steps before it ran for each');

is(asked(sub { $t->post('/plain/stubborn', $body) }), 2,
   'who always refuses is asked twice');
is($res->{status}, 403, 'and the refusal goes out');
is($res->{h}{'x-csrf-token'}, 'Required', 'with its headers');
is($res->{h}{'set-cookie'}, 'refused=1', 'its own');
is($res->{body}, 'refused: no token', 'and its words');
is(asked(sub { $t->post('/two/always', $body) }), 2, 'by two that may, too');

is(asked(sub { $t->post('/fail/a', $body) }), 1, 'a step refuses');
is($res->{status}, 503, 'its status');
is($res->json->{type}, 'urn:sync:problem:test-failed', 'and its words');
unlike($res->{head}, qr/refused/i, 'nothing of the refusal');
is($t->post('/page/a', $body)->{body}, "the user's words",
   'error_page wins');

# where nothing refuses, nothing is held

is(asked(sub { $t->get('/plain/big', 'X-Session' => 7) }), 2, 'a big answer');
is(length $res->{body}, 2_000_000, 'streams after a refusal');
is(asked(sub { $t->post('/off/a', $body) }), 1, 'off: one try');

# beside it

executed('a mirror', sub { $t->post('/mirror/a', $body) });
ok($t->wait_for(sub { $t->ledger('copy') == 1 }), 'one copy');
executed('a mirror, HTTP/2', sub { $t->h2('POST', '/mirror/a', port => 1,
                                          body => $body) });
ok($t->wait_for(sub { $t->ledger('copy') == 2 }), 'one copy');

my @all = $t->parallel(map { [ 'POST', '/wait/a', body => $body ] } 1 .. 40);
is(scalar(grep { $_->{status} == 200 } @all), 40, '40 at a time');

# the deadline is that of the whole exchange

is(asked(sub { $t->post('/cut/a', $body) }), 1, 'cut while a step waits');
is($res->{status}, 504, 'its status');
is($res->json->{type}, 'urn:sync:problem:deadline-exceeded', 'and why');
cmp_ok($res->{time}, '<', 1, 'in time');

is(asked(sub { $t->post('/cuts/hang', $body) }), 2, 'cut at the second try');
is($res->{status}, 504, 'its status');
cmp_ok($res->{time}, '<', 1, 'in time');

is(asked(sub { $t->post('/cuts/endless', $body) }), 2,
   'a refusal without an end does not last');

# claims

sub key {
    my ($uri, $key, $with, %opt) = @_;

    return $t->request('POST', $uri, body => $with // $body,
                       headers => [ 'Idempotency-Key' => $key ], %opt);
}

executed('a claim', sub { key('/key/a', 'k1') });
is($res->{h}{'idempotency-status'}, 'executed', 'is settled by the second');
is(asked(sub { key('/key/a', 'k1') }), 0, 'and replayed');
like($res->{body}, qr/^POST 108/, 'with the answer of the second');
is($res->{h}{'idempotent-replayed'}, 'true', 'as a replay');
unlike($res->{head}, qr/refused/i, 'nothing of the refusal');

executed('a claim, a body in a file', sub { key('/key/a', 'k2', $file) });
executed('a claim, waiting', sub { key('/key/wait/a', 'k3') });
executed('a claim, a large refusal', sub { key('/key/large', 'k4') });

is(asked(sub { key('/key/stubborn', 'k5') }), 2, 'refused for good');
is($res->{status}, 403, 'the refusal goes out');
is($res->{h}{'idempotency-status'}, 'released', 'and the key is free');

is(asked(sub { key('/key/fail/a', 'k6') }), 1, 'a step refuses');
is($res->{status}, 503, 'its status');
is($res->{h}{'idempotency-status'}, 'released',
   'nothing was executed: the key is free');
is(asked(sub { key('/key/fail/a', 'k6') }), 1, 'for the next one');

is(asked(sub { key('/key/cut/a', 'k7') }), 1, 'the deadline, while waiting');
is($res->{status}, 504, 'its status');
is($res->{h}{'idempotency-status'}, 'released', 'the key is free');

is(asked(sub { key('/key/reset', 'k8') }), 2, 'the second try ends in a reset');
is($res->{status}, 504, 'nobody knows');
is($res->{h}{'idempotency-status'}, 'outcome-unknown', 'and the key says so');
is(asked(sub { key('/key/reset', 'k8') }), 0, 'it is not sent a third time');

# another one with the key while a step waits

my @two = $t->parallel(
    map { [ 'POST', '/key/wait/a', body => $body,
            headers => [ 'Idempotency-Key' => 'k9' ] ] } 1 .. 2);
is(join(' ', sort map { $_->{status} } @two), '200 409',
   'the claim is held while a step waits');

# clients that leave

sub left {
    my ($name, $uri, $tries, $status) = @_;

    my $before = $t->ledger('erp');

    (my $key = "left-$name") =~ tr/ /-/;

    $t->abort('POST', $uri, body => $body, after => 0.1,
              headers => [ 'Idempotency-Key' => $key ]);

    ok($t->wait_for(sub { ($t->read('seen.log') =~ /^\Q$uri\E\|/m) }),
       "$name: it ends");
    is($t->ledger('erp') - $before, $tries, "$name: tries");

    $res = key($uri, $key);
    is($res->{h}{'idempotency-status'} // '', $status, "$name: the key");
    is($res->{status}, 200, "$name: and the order");
}

$n = $t->ledger('erp');
left('while it waits', '/key/wait/one', 1, 'executed');
is($t->ledger('erp') - $n, 3, 'one order');

$n = $t->ledger('erp');
left('before the refusal', '/key/late', 2, 'replayed');
is($t->ledger('erp') - $n, 2, 'one order');

$n = $t->ledger('erp');
left('in the second try', '/key/slow/wait', 2, 'replayed');
is($t->ledger('erp') - $n, 2, 'one order');

$n = $t->ledger('erp');
is($t->h2('POST', '/key/late', port => 1, body => $body, timeout => 0.1,
          headers => [ 'Idempotency-Key' => 'left-h2' ])->{error}, 'timeout',
   'a client of HTTP/2 leaves before the refusal');
ok($t->wait_for(sub { $t->ledger('erp') - $n == 2 }),
   'its order is executed');
ok($t->wait_for(sub { (key('/key/late', 'left-h2')->{h}{'idempotent-replayed'}
                       // '') eq 'true' }),
   'and settled');
is($t->ledger('erp') - $n, 2, 'once');

$t->storm(n => 60, at_once => 20, within => 0.3, request => sub {
    return ('POST', '/key/wait/a', body => $body,
            headers => [ 'Idempotency-Key' => "storm-$_[0]" ]);
});

# reload and quit while a step waits

my $pid = fork() // die;

if (!$pid) {
    my $r = $t->post('/wait/wait', $body);
    POSIX::_exit($r->{status} == 200 && $r->{body} eq 'late' ? 0 : 1);
}

select undef, undef, undef, 0.03;
ok($t->reload, 'reload while a step waits');
waitpid $pid, 0;
is($?, 0, 'the request is sent again all the same');

# numbers and logs

my $m = $t->metrics('/status');
cmp_ok($m->{'sync_sent_again_total{step="session_expired"}'} // 0, '>=', 50,
       'counted');
is($m->{'sync_sent_again_total{step="credentials_expired"}'} // 0, 1,
   'by reason');

ok($t->wait_for(sub { $t->read('seen.log') =~ /^\/status\|/m }), 'logged');
like($t->read('seen.log'), qr{^/key/a\|200\|403 : 200\|pass\|executed$}m,
     'the log has both statuses');

$t->done;
