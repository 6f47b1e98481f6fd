#!/usr/bin/perl

# The core: correlation, problem details, metrics, the deadline, the buffer
# budget, subrequests and variables, with policies that do not get in the way.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;
use IO::Socket::INET;
use Time::HiRes qw(sleep);

my $t = Test::Sync->new(workers => 2);

$t->write('master.key', $t->canary('c4n4ry-master-secret-0123456789'));

$t->peer(erp => sub {
    my ($req) = @_;

    my ($what) = $req->{uri} =~ m{/([a-z]+)$};
    $what //= '';

    return { never => 1 } if $what eq 'never';
    return { delay => 0.2, status => 200, body => 'slow' }
        if $what eq 'slow';
    return { drip => 0.05, piece => 10, status => 200, body => 'd' x 2000 }
        if $what eq 'drip';
    return [ 404, { 'Content-Type' => 'text/plain' }, 'erp: none' ]
        if $what eq 'none';
    return [ 502, { 'Content-Type' => 'text/plain' }, 'erp: 502' ]
        if $what eq 'bad';

    return [ 200, [ 'X-Sync-Lie' => '1', 'X-Correlation-ID' => 'erp-own',
                    'X-Sync-Trace' => 'lie' ],
             "$req->{method} " . length $req->{body} ];
});

$t->peer(gone => sub { 'never' });
$t->peer_stop('gone');

$t->http(<<'CONF');
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_buffers 256k;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    log_format seen '$uri|$status|$sync_correlation_id|$sync_trace_id|'
                    '$sync_verdict|$sync_reason|$sync_idempotency_status|'
                    '$sync_tenant|$sync_limit|$sync_entity';

    access_log %%TESTDIR%%/seen.log seen;

    upstream erp { server %%PEER_erp%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% http2;

        client_body_buffer_size 64k;
        sync_limit rate=1000/s burst=1000 key=$binary_remote_addr;

        location / { proxy_pass http://erp; }

        location /off/ { sync_limit off; proxy_pass http://erp; }
        location /off/tiny { sync_limit off; client_max_body_size 10;
                             proxy_pass http://erp; }
        location /off/gone { sync_limit off;
                             proxy_pass http://%%PEER_gone%%; }

        location /tiny { client_max_body_size 10; proxy_pass http://erp; }
        location /gone { proxy_pass http://%%PEER_gone%%; }
        location /late/ { proxy_read_timeout 150ms; proxy_pass http://erp; }
        location /one  { sync_limit rate=1/h burst=1 key=$binary_remote_addr;
                         proxy_pass http://erp; }

        location /page { error_page 502 /words;
                         proxy_pass http://%%PEER_gone%%; }
        location = /words { internal; return 200 "the user's words"; }

        location /cut/ { sync_deadline 250ms header=X-Deadline;
                         proxy_pass http://erp; }

        location /key/ { sync_idempotency required scope=none;
                         client_body_timeout 300ms;
                         client_max_body_size 2m; proxy_pass http://erp; }

        location /mirrored/ { mirror /copy; proxy_pass http://erp; }
        location = /copy { internal; sync_limit rate=1/h burst=1 key=$uri;
                           add_header X-Never 1;
                           proxy_set_header X-Main $sync_correlation_id;
                           proxy_pass http://erp/copy; }

        location /asked/ { auth_request /ask; proxy_pass http://erp; }
        location = /ask { internal; proxy_pass_request_body off;
                          proxy_set_header Content-Length "";
                          proxy_set_header X-Main $sync_correlation_id;
                          proxy_pass http://erp/ask; }

        location = /status { sync_status; }
        location = /open { sync_limit off; stub_status; }

        location /proven/ { auth_request /proof; proxy_pass http://erp; }
        location = /proof { sync_auth token; proxy_pass http://erp/proof; }
    }

    sync_issuer https://idp.example audience=me tenant_claim=t
                jwks=%%TESTDIR%%/keys.json;
CONF

my $issuer = Test::Sync::Token->new(issuer => 'https://idp.example');
$issuer->key('k', 'ES256');
$t->write('keys.json', $issuer->jwks);

$t->start;

# correlation

my ($res, $seen);

$res = $t->get('/a', 'X-Correlation-ID' => 'My.id_1-2');
is($res->{h}{'x-correlation-id'}, 'My.id_1-2', 'an id comes back');
is(scalar(() = $res->{head} =~ /^X-Correlation-ID/mgi), 1,
   'once, whatever the upstream says');
unlike($res->{head}, qr/X-Sync-/i, 'X-Sync-* of the upstream is dropped');
($seen) = reverse $t->ledger('erp');
is($seen->{h}{'x-correlation-id'}, 'My.id_1-2', 'and goes upstream');
like($seen->{h}{traceparent}, qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/,
     'a new trace');

for my $id ('a b', 'x' x 129, '<b>', "\xc3\xa9", '') {
    $res = $t->get('/a', 'X-Correlation-ID' => $id);
    like($res->{h}{'x-correlation-id'}, qr/^[0-9a-f]{32}$/,
         'not an id: replaced');
    ($seen) = reverse $t->ledger('erp');
    is($seen->{h}{'x-correlation-id'}, $res->{h}{'x-correlation-id'},
       'upstream too');
}

$res = $t->get('/a', 'X-Correlation-ID' => 'x' x 128);
is($res->{h}{'x-correlation-id'}, 'x' x 128, '128 bytes are an id');

$res = $t->get('/a', 'X-Correlation-ID' => 'a', 'X-Correlation-ID' => 'b');
like($res->{h}{'x-correlation-id'}, qr/^[0-9a-f]{32}$/, 'two are none');
($seen) = reverse $t->ledger('erp');
is(scalar(grep { lc $_->[0] eq 'x-correlation-id' } @{ $seen->{headers} }),
   1, 'and one goes upstream');

my $trace = '4bf92f3577b34da6a3ce929d0e0e4736';

$t->get('/a', traceparent => "00-$trace-00f067aa0ba902b7-01",
        tracestate => 'vendor=1', 'X-Sync-Tenant' => 'me',
        'x-sync-debug' => 'all', 'X-Synch' => 'mine');
($seen) = reverse $t->ledger('erp');
like($seen->{h}{traceparent}, qr/^00-$trace-(?!00f067aa0ba902b7)\w{16}-01$/,
     'a trace is continued by a new parent');
is($seen->{h}{tracestate}, 'vendor=1', 'its state goes with it');
is(scalar(grep { $_->[0] =~ /^x-sync-/i } @{ $seen->{headers} }), 0,
   'X-Sync-* of a client is dropped');
is($seen->{h}{'x-synch'}, 'mine', 'other headers are not');

for my $bad ("00-$trace-0000000000000000-01", "ff-$trace-00f067aa0ba902b7-01",
             "00-$trace-00f067aa0ba902b7-01-x", '00-' . uc($trace)
             . '-00f067aa0ba902b7-01', '00-' . '0' x 32
             . '-00f067aa0ba902b7-01', 'x')
{
    $t->get('/a', traceparent => $bad);
    ($seen) = reverse $t->ledger('erp');
    like($seen->{h}{traceparent}, qr/^00-(?!$trace)[0-9a-f]{32}-\w{16}-00$/,
         "not a trace: $bad");
}

# problem details, for us and for NGINX, where a policy acts

sub problem {
    my ($res, $status, $type, $name) = @_;

    is($res->{status}, $status, "$name: status");
    is($res->{h}{'content-type'}, 'application/problem+json', "$name: type");

    my $p = eval { $res->json } || {};
    is($p->{status}, $status, "$name: said");
    like($p->{type} // '', qr/^urn:sync:problem:$type$/, "$name: of what kind");
    is($p->{instance}, $res->{h}{'x-correlation-id'}, "$name: instance");
    like($p->{category} // '', qr/^(?:business|technical)$/, "$name: category");
}

problem($t->post('/tiny', 'x' x 20), 413, '[a-z-]+', '413');
problem($t->get('/gone'), 502, '[a-z-]+', '502');
problem($t->get('/late/never'), 504, '[a-z-]+', '504');
problem($t->post('/key/a', '{}'), 400, 'idempotency-key-missing', '400');

$t->get('/one');
$res = $t->get('/one');
problem($res, 429, '[a-z-]+', '429');
ok($res->{h}{'retry-after'}, 'and when to come back');

for ("GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
     "GET /a HTTP/1.1\r\n\r\n", "no request\r\n\r\n",
     "\x16\x03\x01\r\n\r\n",
     "GET /a HTTP/1.1\r\nHost: a\r\nX: " . 'x' x 40000 . "\r\n\r\n",
     "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n")
{
    like($t->raw($_), qr/ 400 /, 'a head that is none');
}

for ([ POST => '/off/tiny', 413 ], [ GET => '/off/gone', 502 ]) {
    my ($method, $uri, $status) = @$_;

    $res = $t->request($method, $uri, $method eq 'POST'
                       ? (body => 'x' x 20) : ());
    is($res->{status}, $status, "$uri: status");
    like($res->{h}{'content-type'}, qr{text/html}, "$uri: NGINX' own words");
    ok(!$res->{h}{'x-correlation-id'}, "$uri: nothing of ours");
}

$res = $t->get('/none');
is($res->{body}, 'erp: none', 'what the upstream says stays: 404');
$res = $t->get('/bad');
is($res->{body}, 'erp: 502', 'what the upstream says stays: 502');
is($t->get('/page')->{body}, 'the user\'s words', 'error_page wins');

# other ways to ask

$res = $t->request('HEAD', '/gone');
is($res->{status}, 502, 'HEAD');
is($res->{body}, '', 'HEAD: no body');
is($t->request('POST', '/e', body => 'abc', expect => 1)->{continue}, 1,
   'Expect');
is($t->request('POST', '/c', body => 'abcdef', chunked => ['abc', 'def'])
   ->{body}, 'POST 6', 'chunked');
problem($t->request('POST', '/tiny', body => 'x' x 20, chunked => 1), 413,
        'http', 'chunked');
$res = $t->h2('GET', '/a', port => 1, headers => [ 'X-Correlation-ID', 'h2' ]);
is($res->{h}{'x-correlation-id'}, 'h2', 'HTTP/2');
is($t->h2('GET', '/gone', port => 1)->{h}{'content-type'},
   'application/problem+json', 'HTTP/2: a problem');

# the deadline: for a slow upstream, and for one that never ends

for my $uri (qw(/cut/never /cut/drip)) {
    $res = $t->get($uri);
    cmp_ok($res->{time}, '<', 1.5, "$uri: cut");
    cmp_ok($res->{time}, '>', 0.2, "$uri: not before");
}

problem($t->get('/cut/never'), 504, '[a-z-]+', 'deadline');
is($t->get('/cut/slow')->{body}, 'slow', 'in time');
$res = $t->get('/cut/slow', 'X-Deadline' => '60');
is($res->{status}, 504, 'a client asks for less');
cmp_ok($res->{time}, '<', 0.19, 'and gets it');

$t->get('/cut/a', 'X-Deadline' => '99999');
($seen) = reverse $t->ledger('erp');
cmp_ok($seen->{h}{'x-deadline'}, '<=', 250, 'more is not given');
cmp_ok($seen->{h}{'x-deadline'}, '>', 100, 'what is left goes upstream');

# the buffer budget

my $n = $t->ledger('erp');
problem($t->request('POST', '/key/b', body => 'x' x 400_000,
                    headers => [ 'Idempotency-Key' => 'big' ]),
        503, '[a-z-]+', 'sync_buffers');
is(scalar $t->ledger('erp'), $n, 'nothing was sent');
$res = $t->post('/key/b', '{}', 'Idempotency-Key' => 'big');
is($res->{h}{'idempotency-status'}, 'executed', 'and nothing was claimed');

# subrequests

for (1, 2) {
    $res = $t->get('/mirrored/a', 'X-Correlation-ID' => "m$_");
    is($res->{status}, 200, 'mirror');
}

ok($t->wait_for(sub { 2 == grep { $_->{uri} eq '/copy'
                                  && ($_->{h}{'x-main'} // '') =~ /^m[12]$/ }
                      $t->ledger('erp') }),
   'subrequests run no step, and see the variables of the main request');

$res = $t->get('/asked/a', 'X-Correlation-ID' => 'asked');
is($res->{status}, 200, 'auth_request');
ok((grep { $_->{uri} eq '/ask' && ($_->{h}{'x-main'} // '') eq 'asked' }
    $t->ledger('erp')), 'it sees the id as well');

is($t->get('/proven/a')->{status}, 403,
   'a subrequest into a location with sync_auth is refused');
is(scalar(grep { $_->{uri} eq '/proof' } $t->ledger('erp')), 0,
   'and goes nowhere');

# variables

for my $rest ('', 'de') {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $t->port(0));

    print $s "POST /key/half HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
             . "Idempotency-Key: \"half\"\r\nContent-Length: 5\r\n\r\nabc";
    sleep 0.05;
    print $s $rest;
    local $/;
    my $answer = <$s> // '';
    is($answer =~ / 200 / ? 1 : 0, $rest ? 1 : 0,
       $rest ? 'a body that comes in two parts' : 'a body that never comes');
}

ok($t->wait_for(sub { $t->read('seen.log') =~ m{^/key/half\|200\|}m }),
   'logged');

my $log = $t->read('seen.log');

like($log, qr{^/a\|200\|My\.id_1-2\|[0-9a-f]{32}\|pass\|\|\|\|\|$}m,
     'variables: pass');
like($log, qr{^/one\|429\|\w+\|\w+\|refused\|[a-z-]+\|\|\|\S+\|$}m,
     'variables: refused by a limit');
like($log, qr{^/key/a\|400\|\w+\|\w+\|refused\|idempotency-key-missing\|}m,
     'variables: why');
like($log, qr{^/key/b\|200\|\w+\|\w+\|pass\|\|executed\|}m,
     'variables: a key');
like($log, qr{^/key/half\|408\|\w+\|\w+\|refused\|http\|}m,
     'variables: a body that never came');
like($log, qr{^/key/half\|200\|\w+\|\w+\|pass\|\|executed\|}m,
     'variables: one that came later');
like($log, qr{^/off/gone\|502\|-?\|-?\|-?\|-?\|-?\|-?\|-?\|-?$}m,
     'variables: where no policy acts');

# metrics: text that Prometheus reads, one number from all workers

sub metrics {
    my %m;

    my $text = $t->get('/status')->{body};
    my $bad = 0;

    for (split /\n/, $text) {
        next if /^# (?:HELP|TYPE) \w+ /;

        if (/^(\w+(?:\{(?:\w+="(?:[^"\\]|\\.)*",?)*\})?) ([\d.e+-]+)$/) {
            $m{$1} = $2;

        } else {
            $bad++;
        }
    }

    $m{bad} = $bad;
    return \%m;
}

# A request is counted after its client has the answer: none may be under way.

sub settled {
    return $t->wait_for(sub {
        my $res = $t->get('/open');
        return $res->{body} =~ /^Active connections: 1 /;
    }, 10);
}

my $pass = 'sync_requests_total{tenant="",verdict="pass"}';

ok(settled(), 'every request so far has ended');

my $before = metrics();

is($before->{bad}, 0, 'every line is one of Prometheus');
like($t->get('/status')->{h}{'content-type'}, qr{^text/plain; version=0\.0\.4},
     'and the type says so');
cmp_ok($before->{'sync_requests_total{tenant="",verdict="refused"}'}, '>=', 4,
       'refusals are counted');
cmp_ok($before->{'sync_store_size_bytes{zone="sync_limits"}'}
       // $before->{'sync_store_size_bytes{zone="limits"}'} // 0, '>', 0,
       'the zone of limits');
cmp_ok($before->{'sync_step_seconds_count{step="correlation"}'} // 0, '>', 0,
       'the time of steps');
is($t->request('POST', '/status', body => 'x')->{status}, 405,
   'status is read only');

$t->parallel(map { [ 'GET', '/a' ] } 1 .. 40);
ok(settled(), 'and 40 more');
my $after = metrics();

is($after->{$pass}, $before->{$pass} + 40, 'both workers count into one');

my $timed = $after->{'sync_step_seconds_count{step="correlation"}'}
            - $before->{'sync_step_seconds_count{step="correlation"}'};

ok($timed >= 3 && $timed <= 8, "one request in eight is timed: $timed of 40");

ok($t->reload, 'reload');
cmp_ok(metrics()->{$pass}, '==', $before->{$pass} + 40, 'kept by a reload');

# a client that leaves

$t->abort('POST', '/key/slow', body => '{}', after => 0.05,
          headers => [ 'Idempotency-Key' => 'left' ]);
ok($t->wait_for(sub { ($t->post('/key/slow', '{}', 'Idempotency-Key' => 'left')
                       ->{h}{'idempotent-replayed'} // '') eq 'true' }),
   'the exchange goes on without its client');

# what is shared between workers

sub shared {
    my ($at) = @_;

    my ($pid) = reverse $at->workers;
    open my $maps, '<', "/proc/$pid/maps" or return 0;

    return scalar grep { m{ rw-s .*/dev/zero} } <$maps>;
}

# loaded but off

my $zones = shared($t);

$t->stop;

my $o = Test::Sync->new;

$o->peer(erp => sub { 'plain' });
$o->write('jwks.json', { keys => [] });
$o->http(<<'CONF');
    server {
        listen 127.0.0.1:%%PORT_0%%;
        location / { proxy_pass http://%%PEER_erp%%; }
        location /broken { return 500; }
    }
CONF
$o->start;
$res = $o->get('/', 'X-Correlation-ID' => 'mine', 'X-Sync-Me' => '1');
is($res->{body}, 'plain', 'off: nothing happens');
ok(!$res->{h}{'x-correlation-id'}, 'off: no header');
($seen) = $o->ledger('erp');
is($seen->{h}{'x-sync-me'}, '1', 'off: nothing is stripped');
ok(!$seen->{h}{traceparent}, 'off: nothing is added');
like($o->get('/broken')->{h}{'content-type'}, qr{text/html}, 'off: no words');
unlike($o->log_text, qr/sync_/, 'off: no zone is told of');

cmp_ok(shared($o), '<', $zones, 'off: no zone is there');

$o->done;
$t->done;
