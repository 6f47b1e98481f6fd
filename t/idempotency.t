#!/usr/bin/perl

# Idempotency: the tables of states and outcomes, one policy alone in front of
# an upstream.  On shared memory, or on the store that another file names.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

our $store;

my $t = Test::Sync->new(workers => 2);
my $conf = $store || '';

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->canary('c4n4ry-master-secret-0123456789');

# an upstream that does what the path asks for, and counts what it has done

$t->peer(erp => sub {
    my ($req, $ctl) = @_;

    my $n = $req->{n};
    my ($what) = $req->{uri} =~ m{^/\w+/([a-z0-9-]+)};
    $what //= '';

    return { delay => 0.3, status => 201, body => "{\"n\":$n}",
             headers => ['Content-Type' => 'application/json'] }
        if $what eq 'slow';
    return { never => 1 } if $what eq 'never' && !$ctl->{well};

    if ($what =~ /^not-now-(\d+)$/ && !$ctl->{well}) {
        return $ctl->{busy} ? [ $1, {}, 'not now' ] : { cut => 0, reset => 1 };
    }

    return { reset => 1, cut => 0 } if $what eq 'reset' && !$ctl->{well};
    return { status => 200, body => 'x' x 500, cut => 300 }
        if $what eq 'cut';
    return { status => 409, body => 'y' x 500, cut => 300 }
        if $what eq 'cut4' && !$ctl->{well};
    return { status => 201, body => 'z' x 40000 } if $what eq 'large';
    return { drip => 0.05, piece => 10, status => 200, body => 'd' x 300 }
        if $what eq 'drip' && !$ctl->{well};
    return [ $1, { 'Content-Type' => 'text/plain', 'X-N' => $n },
             "status $1 n $n" ]
        if $what =~ /^s(\d\d\d)$/;
    return { status => 204 } if $what eq 'none';

    return { status => 201, body => "{\"n\":$n,\"len\":"
                                    . length($req->{body}) . "}",
             headers => [ 'Content-Type' => 'application/json',
                          'Location' => "/orders/$n", 'ETag' => "\"e$n\"",
                          'X-Kept' => "k$n", 'X-Lost' => "l$n",
                          'Set-Cookie' => 'a=b' ] };
});

$t->peer(gone => sub { return 'never' });
$t->peer_stop('gone');

$t->peer(both => sub { return { never => 1 } });

$t->http("    $conf\n" . <<'CONF');
    sync_secret file:%%TESTDIR%%/master.key;

    proxy_http_version          1.1;
    proxy_set_header            Connection "";
    proxy_ignore_client_abort   on;
    proxy_next_upstream_tries   3;

    upstream erp  { server %%PEER_erp%%; keepalive 4; }
    upstream gone { server %%PEER_gone%%; }
    upstream both { server %%PEER_both%%; }
    upstream two  { server %%PEER_erp%%; server %%PEER_erp%% backup; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        client_body_buffer_size 32k;

        sync_deadline    600ms;
        sync_idempotency required scope=$http_x_client lease=900ms;

        location /off/  { sync_idempotency off; proxy_pass http://erp; }

        location /on/   { sync_idempotency on scope=$http_x_client
                                           keep=X-Kept;
                          proxy_pass http://erp; }

        location /must/ { proxy_pass http://erp; }
        location /other/ { proxy_pass http://erp; }

        location /resend/ {
            sync_idempotency required scope=$http_x_client lease=900ms
                             on_unknown=resend;
            proxy_pass http://erp;
        }

        location /release/ {
            sync_idempotency required scope=$http_x_client lease=900ms
                             on_unknown=release;
            proxy_pass http://erp;
        }

        location /wait/ {
            sync_idempotency required scope=$http_x_client wait=2s;
            proxy_pass http://erp;
        }

        location /small/ {
            sync_idempotency required scope=$http_x_client cap=1k;
            proxy_pass http://erp;
        }

        location /strict/ {
            sync_idempotency required scope=none syntax=strict;
            proxy_pass http://erp;
        }

        location /put/ {
            sync_idempotency required scope=none methods=PUT,DELETE;
            proxy_pass http://two;
        }

        location /gone/ { proxy_pass http://gone; }

        location /page/ {
            error_page 502 = @page;
            proxy_pass http://gone;
        }

        location /late/ {
            error_page 504 = @page;
            proxy_pass http://erp;
        }

        location /both/ {
            sync_idempotency required scope=$http_x_client lease=900ms
                             on_unknown=resend;
            proxy_pass http://both;
        }

        location @page { sync_idempotency off; return 200 "page\n"; }

        location /tiny/ { client_max_body_size 10; proxy_pass http://erp; }

        location /file/ { client_body_in_file_only clean;
                          proxy_pass http://erp; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%% http2;
        sync_idempotency required scope=none;
        location / { proxy_pass http://erp; }
    }
CONF

$t->start;

my $serial = 0;

sub fresh { return 'key-' . ++$serial . '-' . $$ }

sub ask {
    my ($uri, $key, $body, @headers) = @_;

    return $t->post($uri, $body // '{"a":1}',
                    'Content-Type' => 'application/json',
                    'X-Client' => 'crm',
                    (defined $key ? ('Idempotency-Key' => $key) : ()),
                    @headers);
}

sub status_is {
    my ($res, $status, $idem, $name) = @_;

    is($res->{status}, $status, "$name: status");
    is($res->header('Idempotency-Status') // '', $idem, "$name: $idem");
}

sub problem_is {
    my ($res, $type, $name) = @_;

    like($res->header('Content-Type') // '', qr!^application/problem\+json!,
         "$name: a problem");
    is(eval { $res->json->{type} } // '', "urn:sync:problem:$type",
       "$name: $type");
}

my ($k, $r, $r2, $n);


# off, on without a key, other methods

$r = ask('/off/a', fresh());
status_is($r, 201, '', 'off');

$r = ask('/on/a', undef);
status_is($r, 201, '', 'on, no key');

$r = $t->get('/must/a', 'X-Client' => 'crm');
is($r->{status}, 201, 'GET passes');


# first and replay

$k = fresh();
$n = $t->ledger('erp');

$r = ask('/on/a', $k);
status_is($r, 201, 'executed', 'first');

$r2 = ask('/on/a', $k);
status_is($r2, 201, 'replayed', 'replay');

is($r2->{body}, $r->{body}, 'the same body');
is($r2->header('Idempotent-Replayed'), 'true', 'marked as replayed');
is($r->header('Idempotent-Replayed'), undef, 'the first is not');
is($r2->header($_), $r->header($_), "$_ is kept")
    for qw(Content-Type Location ETag X-Kept);
is($r2->header('X-Lost'), undef, 'others are not');
is($r2->header('Set-Cookie'), undef, 'never a cookie');
is($t->ledger('erp'), $n + 1, 'the upstream was asked once');

$r = ask('/on/a', "\"$k\"");
status_is($r, 201, 'replayed', 'the quoted form is the same key');

for (1 .. 10) {
    $r = ask('/on/a', $k);
    $r->{body} eq $r2->{body} or last;
}
is($r->{body}, $r2->{body}, 'both workers replay');


# what makes another request, and what does not

$r = ask('/on/a', $k, '{ "a" : 1 }');
status_is($r, 201, 'replayed', 'white space');

$r = ask('/on/a', $k, '{"a":1.0}');
status_is($r, 422, 'mismatch', 'another number text');
problem_is($r, 'idempotency-key-reused', 'mismatch');

$r = ask('/on/b', $k);
status_is($r, 422, 'mismatch', 'another path');

$r = ask('/on/a?x=1', $k);
status_is($r, 422, 'mismatch', 'another query');

$r = ask('/on/a', $k, '{"a":1}', 'If-Match' => '"1"');
status_is($r, 422, 'mismatch', 'another If-Match');

$r = ask('/other/a', $k);
status_is($r, 201, 'executed', 'another location: another key');

$r = $t->post('/on/a', '{"a":1}', 'Content-Type' => 'application/json',
              'X-Client' => 'partner', 'Idempotency-Key' => $k);
status_is($r, 201, 'executed', 'another client: another key');

$r = $t->request('PATCH', '/on/a', body => '{"a":1}',
                 headers => ['Content-Type' => 'application/json',
                             'X-Client' => 'crm', 'Idempotency-Key' => $k]);
status_is($r, 201, 'executed', 'another method: another key');


# keys missing or malformed

$r = ask('/must/a', undef);
is($r->{status}, 400, 'required');
problem_is($r, 'idempotency-key-missing', 'missing');

for ('a b', '"open', 'a,b', '', 'x' x 256, "\"a\x{7f}\"") {
    $r = ask('/on/a', $_);
    is($r->{status}, 400, 'malformed key of ' . length($_));
    problem_is($r, 'idempotency-key-malformed', 'malformed');
}

$r = ask('/on/a', 'k1', undef, 'Idempotency-Key' => 'k1');
is($r->{status}, 400, 'two lines');

$r = ask('/strict/a', 'bare');
is($r->{status}, 400, 'strict refuses a bare key');

$r = ask('/strict/a', '"quoted"');
status_is($r, 201, 'executed', 'strict takes a string');

$r = $t->post('/must/a', '{}', 'Content-Type' => 'application/json',
              'Idempotency-Key' => fresh());
is($r->{status}, 400, 'an empty scope');
problem_is($r, 'idempotency-scope-missing', 'an empty scope');


# in progress

$k = fresh();
$n = $t->ledger('erp');

my @all = $t->parallel(map { [ 'POST', '/must/slow',
    body => '{"a":1}', headers => [ 'Content-Type' => 'application/json',
        'X-Client' => 'crm', 'Idempotency-Key' => $k ] ] } 1 .. 20);

is(scalar(grep { $_->{status} == 201 } @all), 1, 'one of 20 is executed');
is(scalar(grep { $_->{status} == 409 } @all), 19, 'the others are busy');
is($t->ledger('erp'), $n + 1, 'the upstream was asked once');

my ($busy) = grep { $_->{status} == 409 } @all;
status_is($busy, 409, 'in-progress', 'busy');
ok($busy->header('Retry-After'), 'busy: Retry-After');
problem_is($busy, 'idempotency-in-progress', 'busy');

$k = fresh();
@all = $t->parallel(map { [ 'POST', '/wait/slow',
    body => '{"a":1}', headers => [ 'Content-Type' => 'application/json',
        'X-Client' => 'crm', 'Idempotency-Key' => $k ] ] } 1 .. 5);

is(scalar(grep { $_->{status} == 201 } @all), 5, 'wait= gives all the answer');
is(scalar(grep { ($_->header('Idempotency-Status') // '') eq 'executed' }
          @all), 1, 'executed once');


# outcomes of the upstream

for my $s (200, 202, 303, 400, 404, 409, 422) {
    $k = fresh();
    $r = ask("/must/s$s", $k);
    status_is($r, $s, 'executed', "upstream $s");
    $r2 = ask("/must/s$s", $k);
    status_is($r2, $s, 'replayed', "replay of $s");
    is($r2->{body}, $r->{body}, "replay of $s: body");
}

for my $s (401, 403, 408, 423, 425, 429) {
    $k = fresh();
    $n = $t->ledger('erp');
    status_is(ask("/must/s$s", $k), $s, 'released', "upstream $s");
    status_is(ask("/must/s$s", $k), $s, 'released', "$s again");
    is($t->ledger('erp'), $n + 2, "$s: asked twice");
}

for my $s (500, 502, 503, 504) {
    $k = fresh();
    $n = $t->ledger('erp');
    $r = ask("/must/s$s", $k);
    status_is($r, $s, 'outcome-unknown', "upstream $s");
    like($r->{body}, qr/^status $s/, "the upstream's own $s");
    $r = ask("/must/s$s", $k);
    status_is($r, 409, 'outcome-unknown', "$s: held");
    problem_is($r, 'outcome-unknown', "$s: held");
    is($t->ledger('erp'), $n + 1, "$s: asked once");
}

$k = fresh();
status_is(ask('/must/none', $k), 204, 'executed', '204');
$r = ask('/must/none', $k);
status_is($r, 204, 'replayed', '204 replayed');
is($r->{body}, '', '204 has no body');


# no answer

for my $how (qw(never reset cut4)) {
    $k = fresh();
    $n = $t->ledger('erp');
    $r = ask("/must/$how", $k);
    status_is($r, 504, 'outcome-unknown', $how);
    problem_is($r, 'outcome-unknown', $how);
    status_is(ask("/must/$how", $k), 409, 'outcome-unknown', "$how: held");
    is($t->ledger('erp'), $n + 1, "$how: asked once");
}

cmp_ok($r->{time}, '<', 2, 'the deadline cuts');

$k = fresh();
$r = ask('/must/drip', $k);
status_is($r, 200, 'executed', 'a dripping answer is cut at the deadline');
cmp_ok($r->{time}, '<', 1.5, 'not after its last byte');

$k = fresh();
$n = $t->ledger('erp');
$r = ask('/must/cut', $k);
status_is($r, 200, 'executed', '2xx cut short');
is($r->{body}, '', '2xx cut short: status and headers alone');
$r = ask('/must/cut', $k);
status_is($r, 200, 'replayed', '2xx cut short, replayed');
is($r->{body}, '', 'without a body');
is($t->ledger('erp'), $n + 1, '2xx cut short: asked once');

$k = fresh();
$r = ask('/small/large', $k);
status_is($r, 201, 'executed', 'over the cap');
is(length $r->{body}, 40000, 'over the cap: the first answer is whole');
$r = ask('/small/large', $k);
status_is($r, 201, 'replayed', 'over the cap, replayed');
is($r->{body}, '', 'over the cap: no body was kept');


# nothing was sent

$k = fresh();
$r = ask('/gone/a', $k);
status_is($r, 502, 'not-sent', 'a dead upstream');
problem_is($r, 'not-sent', 'a dead upstream');
$t->peer_start('gone');
$r = ask('/gone/a', $k);
is($r->{status}, 200, 'and the key is free');
$t->peer_stop('gone');

$k = fresh();
$r = ask('/page/a', $k);
is($r->{status}, 200, 'error_page of the user wins');
is($r->{body}, "page\n", 'in the words of the user');

$k = fresh();
$r = ask('/late/never', $k);
is($r->{status}, 200, 'error_page after something was sent');
is($r->{body}, "page\n", 'in the words of the user');
status_is(ask('/late/never', $k), 409, 'outcome-unknown', 'and held');

$r = ask('/tiny/a', fresh(), '{"a":"12345678901234567890"}');
is($r->{status}, 413, 'a body too large');


# unknown, resolved by rule

for my $rule (qw(resend release)) {
    $k = fresh();
    $n = $t->ledger('erp');
    status_is(ask("/$rule/never", $k), 504, 'outcome-unknown', $rule);
    $t->tell(erp => { well => 1 });
    status_is(ask("/$rule/never", $k), 201, 'executed', "$rule: sent again");
    status_is(ask("/$rule/never", $k), 201, 'replayed', "$rule: replayed");
    is($t->ledger('erp'), $n + 2, "$rule: asked twice");
    $t->tell(erp => {});
}


# a resolver that could not send leaves the key as unknown as it was

$k = fresh();
status_is(ask('/both/a', $k), 504, 'outcome-unknown', 'both: sent');
$t->peer_stop('both');
status_is(ask('/both/a', $k), 502, 'not-sent', 'both: not sent again');
status_is(ask('/both/b', $k), 422, 'mismatch', 'both: the record stands');


# nor does one that was told "not now": the first try may have been executed

for my $status (401, 403, 408, 423, 425, 429) {
    $k = fresh();
    $n = $t->ledger('erp');
    status_is(ask("/resend/not-now-$status", $k), 504, 'outcome-unknown',
              "not now: sent");
    $t->tell(erp => { busy => 1 });
    status_is(ask("/resend/not-now-$status", $k), $status, 'outcome-unknown',
              "not now: sent again, $status");
    status_is(ask("/resend/not-now-$status", $k, '{"a":2}'), 422, 'mismatch',
              "not now: the record stands");
    $t->tell(erp => { well => 1 });
    status_is(ask("/resend/not-now-$status", $k), 201, 'executed',
              "not now: and once more");
    status_is(ask("/resend/not-now-$status", $k), 201, 'replayed',
              "not now: kept");
    is($t->ledger('erp'), $n + 3, 'not now: three tries');
    $t->tell(erp => {});
}


# a claimed request is never sent twice by NGINX, whatever its method

for my $m (qw(PUT DELETE)) {
    $k = fresh();
    $n = $t->ledger('erp');
    $r = $t->request($m, '/put/reset', body => '{}',
                     headers => [ 'Idempotency-Key' => $k,
                                  'Content-Type' => 'application/json' ]);
    is($r->{status}, 504, "$m: no answer");
    is($t->ledger('erp'), $n + 1, "$m: sent once");
}


# shapes of requests

$k = fresh();
my $big = '{"a":"' . ('b' x 200_000) . '"}';

$r = ask('/file/a', $k, $big);
status_is($r, 201, 'executed', 'body in a file');
is($r->json->{len}, length $big, 'body in a file: whole');
status_is(ask('/file/a', $k, $big), 201, 'replayed', 'body in a file');

$k = fresh();
my @h = ('Content-Type' => 'application/json', 'X-Client' => 'crm',
         'Idempotency-Key' => $k);

$r = $t->request('POST', '/must/a', chunked => [ '{"a"', ':1', '}' ],
                 headers => \@h);
status_is($r, 201, 'executed', 'chunked');
is($r->json->{len}, 7, 'chunked: whole');

$r = $t->request('POST', '/must/a', body => '{"a":1}', packets => 5,
                 headers => \@h);
status_is($r, 201, 'replayed', 'in five packets');

$r = $t->request('POST', '/must/a', body => '{"a":1}', expect => 1,
                 headers => \@h);
status_is($r, 201, 'replayed', 'with Expect');

$k = fresh();
$r = ask('/must/a', $k, '');
status_is($r, 201, 'executed', 'no body');
status_is(ask('/must/a', $k, ''), 201, 'replayed', 'no body, replayed');

$k = fresh();
$r = ask('/must/a', $k, '{"a":');
status_is($r, 201, 'executed', 'what is not JSON goes by its bytes');
status_is(ask('/must/a', $k, '{"a": '), 422, 'mismatch', 'and so compares');

$k = fresh();
$r = $t->h2('POST', '/a', body => '{"a":1}', port => 1,
            headers => [ 'Content-Type' => 'application/json',
                         'Idempotency-Key' => $k ]);
is($r->{status}, 201, 'HTTP/2');
$r = $t->h2('POST', '/a', body => '{"a":1}', port => 1,
            headers => [ 'Content-Type' => 'application/json',
                         'Idempotency-Key' => $k ]);
is($r->{status}, 201, 'HTTP/2 replay');
is($r->header('Idempotency-Status'), 'replayed', 'HTTP/2 replayed');


# clients that leave do not stop the exchange

$k = fresh();
$n = $t->ledger('erp');

$t->abort('POST', '/must/slow', body => '{"a":1}', after => 0.1,
          headers => [ 'Content-Type' => 'application/json',
                       'X-Client' => 'crm', 'Idempotency-Key' => $k ]);

ok($t->wait_for(sub {
    (ask('/must/slow', $k)->header('Idempotency-Status') // '') eq 'replayed'
}), 'the answer that nobody took is kept');

is($t->ledger('erp'), $n + 1, 'and was asked for once');


# a reload keeps the records

$k = fresh();
ask('/must/a', $k);
ok($t->reload, 'reload');
status_is(ask('/must/a', $k), 201, 'replayed', 'after a reload');

$t->done;
