#!/usr/bin/perl

# Who is not trusted, tried: a connector that gives NGINX orders, a document
# that borrows another tenant's name, a client that keeps its proof to itself.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;

use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64url);

my $t = Test::Sync->new;

my $platform = Test::Sync::Token->new(
    issuer => 'https://platform.example',
    claims => { aud => 'https://sync.example', azp => 'crm' });

$platform->key('p1', 'ES256');

$t->peer(erp => sub {
    my ($req, $ctl) = @_;

    return [ 200, [ 'Content-Type' => 'application/json',
                    %{ $ctl->{accel} || {} } ], '{"id":"1"}' ];
});

my $secret = $t->canary('c4n4ry-key-for-the-erp');
my $crm = $t->canary('c4n4ry-key-of-the-crm');

$t->write('platform.jwks', $platform->jwks);
$t->write('debug.key', 'a key of those who debug');
$t->write('library/README', '');

sub tenant {
    my ($name, $id) = @_;

    $t->write("secrets/$id/erp", $secret);
    $t->write("secrets/$id/crm", $crm);
    $t->write("tenants/$name.json", {
        tenant => $name, id => $id, match => { hosts => [ ($name =~ tr/_/-/r) . '.test' ] },
        clients => { crm => { api_keys => ['secret:crm'],
                              entities => { sales_order => ['read'] } } },
        connectors => { erp => {
            upstream => 'erp',
            credentials => { api_key => { header => 'RequestID',
                                          value => 'secret:erp' } },
            idempotency => { send => 'header:RequestID', as => 'uuid-hex' },
            entities => { sales_order => {
                create => 'POST /orders', read => 'GET /orders/{id}' } } } },
        routes => [ { entity => 'sales_order', to => 'erp' } ],
    });
}

tenant('acme', 't_acme');
tenant('beta', 't_beta');
tenant('zeta', 'acme');
tenant('zz', 't_zz');

$t->http(<<'CONF');
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;
    sync_issuer  https://platform.example audience=https://sync.example
                 jwks=%%TESTDIR%%/platform.jwks tenant_claim=tenant;

    upstream erp { server %%PEER_erp%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_debug  file:%%TESTDIR%%/debug.key;

        proxy_http_version 1.1;
        proxy_ignore_client_abort on;
        proxy_method       $sync_upstream_method;
        proxy_set_header   Connection "";
        proxy_set_header   Authorization $sync_upstream_authorization;

        location /v1/orders {
            rewrite     ^/v1/orders/alias$ /v1/orders/4711 break;
            sync_auth   token api_key;
            sync_entity sales_order at=/v1/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /open/orders {
            sync_auth   token api_key optional;
            sync_entity sales_order at=/open/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /public/orders {
            sync_entity sales_order at=/public/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /plain/ { proxy_pass http://erp; }

        location /inside/ { internal; return 200 "inside"; }
    }
CONF

$t->start;

sub get {
    my ($uri, %h) = @_;

    return $t->request('GET', $uri, host => delete $h{host} // 'acme.test',
                       headers => [ %h ]);
}

sub last_of { return (reverse $t->ledger('erp'))[0] }

# a connector is named by a document: NGINX takes no orders from it

for my $accel ([ 'X-Accel-Redirect' => '/inside/' ],
               [ 'X-Accel-Limit-Rate' => '1' ],
               [ 'X-Accel-Buffering' => 'no' ],
               [ 'X-Accel-Charset' => 'koi8-r' ])
{
    $t->tell('erp', { accel => { @$accel } });

    my $res = get('/v1/orders/1', 'X-API-Key' => $crm);

    is($res->{body}, '{"id":"1"}', "$accel->[0] of a connector is ignored");
    is($res->header('Content-Type'), 'application/json', 'and its answer whole');
}

$t->tell('erp', {});

# an id that is another tenant's name

sub token { return $platform->token({ tenant => $_[0] }) }

my %bearer = map { $_ => "Bearer " . token($_) } qw(acme t_acme beta zz);

is(get('/v1/orders/1', Authorization => $bearer{acme})->{status}, 200,
   'a token that names its tenant');
is(get('/v1/orders/1', Authorization => $bearer{t_acme})->{status}, 200,
   'or has its id');
is(get('/v1/orders/1', host => 'zeta.test',
       Authorization => $bearer{acme})->{status}, 503,
   "a document whose id is another's name is refused");
$t->log_like(qr{zeta\.json" is refused: at "/id"}, 'and the log has it');

tenant('late', 'beta');
$t->wait_for(sub { get('/v1/orders/1', host => 'late.test')->{status} == 503 });
is(get('/v1/orders/1', host => 'late.test')->{status}, 503,
   'also one that comes later');
is(get('/v1/orders/1', host => 'beta.test',
       Authorization => $bearer{beta})->{status}, 200,
   'and who had the name keeps it');

tenant('t_zz', 't_other');
$t->wait_for(sub { get('/v1/orders/1', host => 't-zz.test')->{status} == 503 });
is(get('/v1/orders/1', host => 't-zz.test')->{status}, 503,
   "a name that is another's id is refused, too");
is(get('/v1/orders/1', host => 'zz.test',
       Authorization => $bearer{zz})->{status}, 200, 'its owner is served');

# who keeps the proof back has no more rights than who shows it

is(get('/open/orders/1', 'X-API-Key' => $crm)->{status}, 200,
   'a client does what it was granted');
is($t->request('POST', '/open/orders', host => 'acme.test', body => '{}',
               headers => [ 'X-API-Key' => $crm ])->{status}, 403,
   'and nothing else');

my $res = $t->request('POST', '/open/orders', host => 'acme.test',
                      body => '{}');
is($res->{status}, 401, 'nobody was granted anything');
is($res->json->{type}, 'urn:sync:problem:unauthenticated', 'as a problem');
like($res->header('WWW-Authenticate'), qr/Bearer/, 'with a challenge');
is(get('/public/orders/1')->{status}, 200,
   'where nobody asks for a proof all may');

# what a rewrite made of the path is what counts

is(get('/v1/orders/alias', 'X-API-Key' => $crm)->{status}, 200, 'rewritten');
is(last_of()->{uri}, '/orders/4711', 'the id is of the rewritten path');
is(get('/v1/orders/a%2Fb', 'X-API-Key' => $crm)->{status}, 200, 'not rewritten');
is(last_of()->{uri}, '/orders/a%2Fb', 'the id is of the path as sent');

# NGINX keeps 20 headers in a row: one that begins the next row and is dropped
# is gone as well

for my $n (19 .. 22) {
    my @fill = map { "X-Fill-$_: $_\r\n" } 1 .. $n - 4;

    $t->raw("GET /plain/$n HTTP/1.1\r\nHost: acme.test\r\n"
            . "Connection: close\r\nX-Correlation-ID: c1\r\n"
            . 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-'
            . "b7ad6b7169203331-01\r\n" . join('', @fill)
            . "X-Sync-Tenant: t_beta\r\n\r\n");

    my $h = last_of()->{h};

    is($h->{'x-sync-tenant'}, undef, "X-Sync-* behind $n headers does not go on");
    is($h->{'x-fill-' . ($n - 4)}, $n - 4, 'what stands before it does');
}

# a dry run shows no credential, whatever the header is used for besides

my $text = 'exp=' . (time() + 600) . '; mode=dry-run';

$res = get('/v1/orders/1', 'X-API-Key' => $crm, 'X-Sync-Debug' =>
           "$text; sig=" . encode_base64url(
               hmac_sha256($text, 'a key of those who debug')));

is($res->{status}, 200, 'a dry run');
unlike($res->{body}, qr/c4n4ry/, 'has no credential in it');

$t->done;
