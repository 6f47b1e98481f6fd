#!/usr/bin/perl

# sync_debug: a signed header shows what the steps did, or what would be sent.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64url);

my $t = Test::Sync->new(workers => 2);

$t->peer(erp => sub {
    my ($req) = @_;
    return [ 201, { 'Content-Type' => 'application/json',
                    'X-Sync-Trace' => 'a lie',
                    'X-Sync-Debug' => 'another' }, '{"id":"4711"}' ];
});

my $key = 'a key of those who debug';
my $crm = $t->canary('c4n4ry-key-of-the-crm');
my $erp = $t->canary('c4n4ry-key-for-the-erp');
my $password = $t->canary('c4n4ry-password-of-the-erp');

$t->write('debug.key', "$key\n");
$t->write('other.key', 'another key, also long');
$t->write('short.key', 'short');
$t->write('secret', 'a secret of the edge, long enough');
$t->write('secrets/t_acme/crm', $crm);
$t->write('secrets/t_acme/erp', $erp);
$t->write('secrets/t_acme/user', 'user');
$t->write('secrets/t_acme/password', $password);

my %operations = (create => 'POST /orders', read => 'GET /orders/{id}');

$t->write('library/maps/erp.json', { write => { rules => [
    { from => '$.order_number', to => '/Number' },
    { from => '$.sold_to.name', to => '/Name' } ] } });

$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    clients => { crm => { api_keys => ['secret:crm'],
                          entities => { sales_order => ['create', 'read'] } } },
    connectors => {
        erp => { upstream => 'erp',
                 headers => { request => ['x-secret-thing'] },
                 credentials => { api_key => { header => 'X-Key',
                                               value => 'secret:erp' } },
                 idempotency => { send => 'header:RequestID',
                                  as => 'uuid-hex' },
                 entities => { sales_order => { map => 'maps/erp.json',
                                                %operations } } },
        basic => { upstream => 'erp',
                   credentials => { basic => {
                       user => 'secret:user',
                       password => 'secret:password' } },
                   entities => { sales_order => { %operations } } },
    },
    routes => [ { entity => 'sales_order', when => { '/sold_to/id' => 'basic' },
                  to => 'basic' },
                { entity => 'sales_order', to => 'erp' } ],
});

my $shared = <<'CONF';
    sync_secret  file:%%TESTDIR%%/secret;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp { server %%PEER_erp%%; }
CONF

$t->http($shared . <<'CONF');
    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% http2;

        sync_tenant host;
        sync_debug  file:%%TESTDIR%%/debug.key;

        proxy_http_version 1.1;
        proxy_set_header   Connection "";
        proxy_set_header   Authorization $sync_upstream_authorization;
        proxy_method       $sync_upstream_method;
        proxy_ignore_client_abort on;

        location /v1/orders {
            sync_auth        api_key;
            sync_entity      sales_order at=/v1/orders;
            sync_idempotency on;
            sync_normalize   on;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }

        location /off/orders {
            sync_debug  off;
            sync_auth   api_key;
            sync_entity sales_order at=/off/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /other/orders {
            sync_debug  file:%%TESTDIR%%/other.key;
            sync_auth   api_key;
            sync_entity sales_order at=/other/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /paged/orders {
            sync_auth   api_key;
            sync_entity sales_order at=/paged/orders;
            sync_normalize on;
            error_page  422 = @elsewhere;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location @elsewhere {
            sync_debug       off;
            sync_idempotency on scope=none;
            proxy_pass       http://%%PEER_erp%%;
        }
    }
CONF

$t->start;

sub signed {
    my ($mode, $exp, $with) = @_;

    $exp //= time() + 600;

    my $text = "exp=$exp; mode=$mode";

    return "$text; sig=" . encode_base64url(hmac_sha256($text, $with // $key));
}

my $order = '{"order_number":"n-1","order_date":"2026-11-21",'
    . '"currency":"EUR","sold_to":{"id":"1","name":"M\u00fcller \ud83d\ude00"},'
    . '"items":[{"sku":"R100","quantity":"9007199254740993.10"}]}';

sub ask {
    my ($debug, %opt) = @_;

    my %req = (method => 'POST', uri => '/v1/orders', body => $order, %opt);
    my %h = (Host => 'acme.test', 'X-API-Key' => $crm,
             %{ $req{headers} || {} });

    $h{'X-Sync-Debug'} = $debug if defined $debug;

    return $t->request($req{method}, $req{uri}, headers => [ %h ],
                       $req{method} eq 'POST' ? (body => $req{body}) : (),
                       $req{port} ? (port => $req{port}) : ());
}

sub trace {
    my ($res) = @_;

    my $text = $res->header('X-Sync-Trace') // return;

    return eval { Cpanel::JSON::XS->new->decode($text) };
}

sub sent { return scalar $t->ledger('erp') }

# who may ask

my $res = ask();
is($res->{status}, 201, 'nobody asks');
is($res->header('X-Sync-Trace'), undef, 'nothing is told');

my $steps = trace(ask(signed('trace')));
ok($steps, 'a trace is a JSON array');
ok(scalar(grep { $_->{step} eq 'route' && $_->{text} =~ m{erp: POST /orders} }
          @$steps), 'what a step did');
is(scalar(() = ask(signed('trace'))->all('X-Sync-Trace')), 1,
   "and the ERP's own is dropped");

my ($req) = reverse $t->ledger('erp');
is($req->{h}{'x-sync-debug'}, undef, 'the header stays here');

my $now = time();

for ([ 'expired' => signed('trace', $now - 1), qr/it has expired/ ],
     [ 'too far ahead' => signed('trace', $now + 3700), qr/more than an hour/ ],
     [ 'another key' => signed('trace', undef, 'another key, also long'),
       qr/its signature is wrong/ ],
     [ 'another mode' => signed('trace') =~ s/mode=trace/mode=dry-run/r,
       qr/its signature is wrong/ ],
     [ 'a longer time' => signed('trace', $now + 60) =~ s/exp=\d+/'exp='
                          . ($now + 61)/er, qr/its signature is wrong/ ],
     [ 'a part of a signature' => substr(signed('trace'), 0, -3),
       qr/its signature is wrong/ ],
     [ 'no signature' => "exp=" . ($now + 60) . "; mode=trace; sig=",
       qr/malformed/ ],
     [ 'an unknown mode' => signed('all'), qr/malformed/ ],
     [ 'no number' => signed('trace', 'never'), qr/malformed/ ],
     [ 'a huge number' => signed('trace', '9' x 30), qr/malformed/ ],
     [ 'a long signature' => signed('trace') . 'A' x 100, qr/malformed/ ],
     [ 'nothing' => '', qr/malformed/ ])
{
    my ($name, $header, $log) = @$_;

    my $before = sent();
    my $read = length $t->log_text;

    $res = ask($header);
    is($res->{status}, 201, "$name: the request goes on");
    is($res->header('X-Sync-Trace'), undef, "$name: nothing is told");
    is(sent(), $before + 1, "$name: and it is sent");
    ok($t->wait_for(sub { substr($t->log_text, $read)
                          =~ /debug: X-Sync-Debug is ignored, .*$log/ }),
       "$name: the log says why");
}

$res = $t->request('POST', '/v1/orders', body => $order, headers => [
    Host => 'acme.test', 'X-API-Key' => $crm,
    'X-Sync-Debug' => signed('trace'), 'X-Sync-Debug' => signed('trace') ]);
is($res->header('X-Sync-Trace'), undef, 'one header, not two');

is(ask(signed('trace'), uri => '/off/orders')->header('X-Sync-Trace'), undef,
   'off');
is(ask(signed('trace'), uri => '/other/orders')->header('X-Sync-Trace'),
   undef, 'overridden: not by the key of the server');
ok(trace(ask(signed('trace', undef, 'another key, also long'),
             uri => '/other/orders')), 'but by its own');

# on every answer

$res = ask(signed('trace'), body => '{"order_number":');
is($res->{status}, 400, 'a refusal');
is(trace($res)->[-1]{step}, 'canonical', 'has its trace');

$res = ask(signed('trace'), headers => { 'X-API-Key' => 'wrong' });
is($res->{status}, 401, 'so has one before the tenant let it in');
ok(trace($res), 'with its trace');

ask(undef, headers => { 'Idempotency-Key' => 'k1' });
$res = ask(signed('trace'), headers => { 'Idempotency-Key' => 'k1' });
is($res->header('Idempotent-Replayed'), 'true', 'a replay');
ok(trace($res), 'with its trace');

ok(trace($t->request('HEAD', '/v1/orders/1', headers => [
    Host => 'acme.test', 'X-API-Key' => $crm,
    'X-Sync-Debug' => signed('trace') ])), 'HEAD');

$res = $t->h2('POST', '/v1/orders', port => 1, body => $order, headers => [
    'X-API-Key' => $crm, 'X-Sync-Debug' => signed('trace') ],
    host => 'acme.test');
ok(trace($res), 'HTTP/2');

$res = ask(signed('trace'), method => 'GET',
           uri => '/v1/orders/%C3%BC%F0%9F%98%80');
like($res->header('X-Sync-Trace'), qr/^[\x20-\x7e]+$/, 'a trace is ASCII');
like(join(' ', map { $_->{text} } @{ trace($res) }), qr{GET /orders/%C3%BC},
     'also of other ids');

# dry run

my $before = sent();

$res = ask(signed('dry-run'), headers => { 'Idempotency-Key' => 'dry-1',
                                           'X-Secret-Thing' => 'do-not-show' });
my $dry = $res->json;

is($res->{status}, 200, 'a dry run');
is($res->header('Content-Type'), 'application/json', 'answers JSON');
is(sent(), $before, 'and sends nothing');
is($res->header('Idempotency-Status'), undef, 'and claims nothing');
is($dry->{tenant}, 't_acme', 'tenant');
is("$dry->{entity} $dry->{operation}", 'sales_order create', 'what');
is($dry->{source}, 'canonical', 'source');
is($dry->{connector}, 'erp', 'connector');
is($dry->{canonical}{items}[0]{quantity}, '9007199254740993.10', 'canonical');
is("$dry->{request}{method} $dry->{request}{uri}", 'POST /orders', 'request');
is_deeply($dry->{request}{body}, { Number => 'n-1',
                                   Name => "M\x{fc}ller \x{1f600}" }, 'body');
is($dry->{request}{headers}{'content-length'},
   length($res->{body} =~ /"body":(\{[^}]*\})/ ? $1 : ''), 'headers');
like($dry->{request}{headers}{requestid} // '', qr/^[0-9a-f]{32}$/,
     'the downstream key');
ok(exists $dry->{request}{headers}{'x-secret-thing'},
   'of other headers the name');
unlike($res->{body}, qr/do-not-show/, 'and not the value');
unlike($res->{body}, qr/\Q$erp\E/, 'no credential of the ERP');
unlike($res->{body}, qr/\Q$crm\E/, 'none of the client');
ok(scalar(@{ $dry->{trace} }), 'trace');

$res = ask(undef, headers => { 'Idempotency-Key' => 'dry-1' });
is($res->header('Idempotency-Status'), 'executed',
   'the key was not used up by the dry run');

is(ask(signed('dry-run'), headers => { 'Idempotency-Key' => 'dry-1' })
   ->json->{connector}, 'erp', 'a dry run is no replay');

$res = ask(signed('dry-run'), body => $order =~ s/"id":"1"/"id":"basic"/r);
is($res->json->{connector}, 'basic', 'another connector');
ok(exists $res->json->{request}{headers}{authorization},
   'an authorization is told of');
unlike($res->{body}, qr/Basic|\Q$password\E/, 'and not shown');
is_deeply($res->json->{request}{body}, $res->json->{canonical},
          'what is canonical goes as it is');

$before = sent();
$res = ask(signed('dry-run'), body => '{}');
is($res->{status}, 422, 'what would be refused is refused');

$res = ask(signed('dry-run'), method => 'GET', uri => '/v1/orders/7');
is($res->json->{request}{uri}, '/orders/7', 'a read');
ok(!exists $res->json->{request}{body}, 'has no body');

$res = ask(signed('dry-run'), uri => '/paged/orders', body => '{}');
is($res->{status}, 200, 'a dry run stays one across error_page');
is(sent(), $before, 'all of them sent nothing');

# what is wrong at load

for ([ 'sync_debug;', qr/invalid number of arguments/ ],
     [ 'sync_debug secret-key-itself;', qr/takes "off" or "file:PATH"/ ],
     [ 'sync_debug file:;', qr/takes "off" or "file:PATH"/ ],
     [ 'sync_debug file:%%TESTDIR%%/none.key;', qr/open\(\) .* failed/ ],
     [ 'sync_debug file:%%TESTDIR%%;', qr/reading .* failed/ ],
     [ 'sync_debug file:%%TESTDIR%%/short.key;', qr/16 to 4096 bytes/ ],
     [ 'sync_debug off; sync_debug off;', qr/is duplicate/ ])
{
    $t->refused(@$_);
}

$t->done;
