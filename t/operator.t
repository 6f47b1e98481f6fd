#!/usr/bin/perl

# What an operator asks at night: how a key stands, who holds it, whether the
# store is well; and the release of a key whose outcome nobody knows.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Test::Sync::Token;

sub operator {

my ($store) = @_;
my $t = Test::Sync->new(workers => 2);

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->write('secrets/t_7f3a/partner', 'c4n4ry-key-of-partner-0001');
$t->canary($_) for 'c4n4ry-key-of-partner-0001', 'c4n4ry-payload';

my $issuer = Test::Sync::Token->new(issuer => 'https://acme.example',
    claims => { aud => 'https://sync.example', azp => 'crm', sub => 'crm' });

$issuer->key('k1', 'ES256');

$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_7f3a', match => { hosts => ['acme.test'] },
    issuers => [ { issuer => 'https://acme.example', jwks => $issuer->jwks,
                   audience => 'https://sync.example' } ],
    clients => { crm => {}, nightly => {},
                 partner => { api_keys => ['secret:partner'] } } });

$t->peer(erp => sub {
    my ($req) = @_;

    return { never => 1 } if $req->{uri} =~ /never/;
    return { status => 201, body => 'c4n4ry-payload',
             delay => $req->{uri} =~ /slow/ ? 1 : 0,
             headers => ['Content-Type' => 'text/plain'] };
});

$t->http("    $store\n" . <<'CONF');
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants;
    sync_secrets %%TESTDIR%%/secrets;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    upstream erp { server %%PEER_erp%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_deadline    500ms;
        sync_tenant      host;
        sync_auth        token api_key;
        sync_idempotency required;

        location /v1/orders  { proxy_pass http://erp; }
        location /v1/refunds { proxy_pass http://erp; }
        location /slow/      { sync_deadline 3s; proxy_pass http://erp; }
        location ~ ^/old     { sync_idempotency required name=old;
                               proxy_pass http://erp; }
        location /scoped     { sync_tenant off; sync_auth off;
                               sync_idempotency required scope=$http_x_user;
                               proxy_pass http://erp; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        location = /sync/keys { allow 127.0.0.1; deny all; sync_keys; }
    }
CONF

$t->start;

my %proof = (
    crm => [ Authorization => 'Bearer ' . $issuer->token ],
    partner => [ 'X-API-Key' => 'c4n4ry-key-of-partner-0001' ],
);

sub ask {
    my ($t, $uri, $key, @headers) = @_;

    return $t->request('POST', $uri, body => 'c4n4ry-payload',
                       host => 'acme.test',
                       headers => ['Content-Type' => 'text/plain',
                                   'Idempotency-Key' => $key, @headers]);
}

my $at = 'http://127.0.0.1:' . $t->port(1) . '/sync/keys';
my $ctl = ($ENV{SYNC_BUILD} || 'build') . '/syncctl';

# exit code and what was printed, without a shell

my $ctl_run = sub {
    my (@args) = @_;

    my $pid = open(my $out, '-|') // die "fork: $!";

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        $ENV{SYNC_AT} = $at;
        exec $ctl, @args or POSIX::_exit(127);
    }

    local $/;
    my $text = <$out> // '';
    close $out;

    return ($? >> 8, $text);
};

my $is = sub {
    my ($args, $code, $like, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($got, $text) = $ctl_run->(@$args);

    is($got, $code, "$name: exit code");
    like($text, $like, $name);
    unlike($text, qr/c4n4ry/, "$name: no payload, no secret");

    return $text;
};


# an answer that is kept, by a token

my $odd = 'k 1 & "2"';

is(ask($t, '/v1/orders', '"k 1 & \\"2\\""', @{$proof{crm}})->{status}, 201,
   'an order');

my $text = $is->(['key', 'show', 'acme', $odd], 0,
                 qr/^found: 1\n/m, 'a kept answer');

like($text, qr/^  state: complete$/m, 'its state');
like($text, qr/^  status: 201$/m, 'its status');
like($text, qr/^  method: POST$/m, 'its method');
like($text, qr{^  location: /v1/orders$}m, 'where it was claimed');
like($text, qr/^  client: crm$/m, 'by whom');
like($text, qr{^  issuer: https://acme.example$}m, 'by whose token');
like($text, qr/^  claimed: 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m, 'when');

$is->(['key', 'show', 't_7f3a', $odd], 0, qr/^found: 1\n/m,
      'by the id of the tenant');
$is->(['key', 'release', 'acme', $odd], 1,
      qr/^error: it was executed and has its answer/, 'is not released');


# an outcome that nobody knows, by an API key

is(ask($t, '/v1/orders/never', 'k2', @{$proof{partner}})->{status}, 504,
   'no answer came');
is(ask($t, '/v1/orders/never', 'k2', @{$proof{partner}})->{status}, 409,
   'it is held');

$text = $is->(['key', 'show', 'acme', 'k2'], 0, qr/^  state: outcome-unknown$/m,
              'an unknown outcome');
like($text, qr/^  client: partner$/m, 'whose it is');
like($text, qr/^  on_unknown: hold$/m, 'and what is done with it');

$is->(['key', 'release', 'acme', 'k2'], 0, qr/^released: yes$/m, 'release');
$is->(['key', 'show', 'acme', 'k2'], 1, qr/^error: nobody holds this key/,
      'it is free');
$t->log_like(qr/an operator has released a key, tenant "t_7f3a"/, 'is logged');

my $n = $t->ledger('erp');

ask($t, '/v1/orders/never', 'k2', @{$proof{partner}});
is($t->ledger('erp'), $n + 1, 'and is executed when it comes again');


# in progress

my $pid = fork // die "fork: $!";

if (!$pid) {
    ask($t, '/slow/', 'k3', @{$proof{crm}});
    POSIX::_exit(0);
}

$t->wait_for(sub { $t->ledger('erp') > $n + 1 });

$is->(['key', 'show', 'acme', 'k3'], 0, qr/^  state: in-progress$/m,
      'in progress');
$is->(['key', 'release', 'acme', 'k3'], 1, qr/^error: it is in progress/,
      'in progress: not released');
waitpid $pid, 0;


# one key of several

ask($t, "/v1/$_/never", 'k4', @{$proof{partner}}) for qw(orders refunds);
ask($t, '/old/never', 'k4', @{$proof{crm}});

$text = $is->(['key', 'show', 'acme', 'k4'], 0, qr/^found: 3\n/m, 'three');
$is->(['key', 'show', 'acme', 'k4', '--client', 'crm'], 0,
      qr/^found: 1\n/m, 'one of the client');
$is->(['key', 'release', 'acme', 'k4'], 1, qr/^error: several.*record=/,
      'three: which?');

my ($record) = $text =~ m{^  record: (\w+)\n(?:.*\n)?  location: old$}m;

$is->(['key', 'release', 'acme', 'k4', '--record', $record // 'none'], 0,
      qr/^released: yes$/m, 'that one');
$is->(['key', 'show', 'acme', 'k4'], 0, qr/^found: 2\n/m, 'two are left');


# a scope

ask($t, '/scoped/never', 'k5', 'X-User' => 'ann');
$is->(['key', 'show', '-', 'k5'], 1, qr/say subject= or scope=/,
      'a scope is not guessed');
$is->(['key', 'show', '-', 'k5', '--scope', 'ann'], 0, qr/^found: 1\n/m,
      'with it');


# the store

$text = $is->(['store', 'check'], 0, qr/^well: yes$/m, 'the store is well');
like($text, qr/^  $_: \n  result: ok\n  us: \d+$/m, "it can $_")
    for qw(claim extend settle look resolve free);


# what cannot be asked

$is->(['key', 'show', 'nobody', 'k'], 1, qr/^error: there is no such tenant/,
      'no tenant');
$is->(['key', 'show', 'acme'], 2, qr/a tenant and a key are needed/, 'usage');
$is->(['key', 'show', 'acme', 'k', '--at', 'http://127.0.0.1:1/x'], 2,
      qr/refused/, 'nobody listens');
is($t->request('POST', '/sync/keys?key=a', port => 1)->{status}, 405, 'POST');
is($t->request('GET', '/sync/keys', port => 1)->{status}, 400, 'no key');
$t->refused('server { location /k { sync_keys; } }',
            qr/"sync_keys" has nothing to show: no location has "sync_idem/,
            'no keys are claimed');

$t->done;

}


subtest shm => sub { operator('sync_store shm;') };

SKIP: {
    Test::Sync::Redis->available or skip 'no redis-server', 1;

    my $url = Test::Sync::Redis->start->url;

    subtest redis => sub { operator("sync_store $url timeout=500ms;") };
}
