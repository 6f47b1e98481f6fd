#!/usr/bin/perl

# Scopes and claims that a location asks for beyond the proof itself.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;

my $t = Test::Sync->new(workers => 2);

my $issuer = Test::Sync::Token->new(
    issuer => 'https://platform.example',
    claims => { aud => 'https://sync.example', azp => 'crm', tenant => 'x' });

$issuer->key('k1', 'ES256');
$t->write('platform.jwks', $issuer->jwks);
$t->write('secrets/t_acme/key', 'c4n4ry-scope-key-0b1d');
$t->canary('c4n4ry-scope-key-0b1d');
$t->write('tenants/acme.json',
          { tenant => 'acme', id => 't_acme',
            match => { hosts => ['acme.test'] },
            clients => { partner => { api_keys => ['secret:key'] } } });

$t->peer(up => sub {
    return [$_[0]{uri} =~ /jump/ ? 404 : 200, {}, 'up'];
});

my $shared = <<'CONF';
    sync_issuer  https://platform.example audience=https://sync.example
                 jwks=%%TESTDIR%%/platform.jwks tenant_claim=tenant;
    sync_tenants %%TESTDIR%%/tenants;
    sync_secrets %%TESTDIR%%/secrets;
CONF

$t->http($shared . <<'CONF');
    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_auth  token;
        sync_scope orders:read;
        proxy_intercept_errors on;

        location /inherited/ { proxy_pass http://up; }
        location /off/    { sync_scope off; proxy_pass http://up; }
        location /any/    { sync_scope a b; proxy_pass http://up; }
        location /all/    { sync_scope a b all; proxy_pass http://up; }
        location /methods/ { sync_scope orders:read for=GET;
                             sync_scope orders:write for=POST,PUT;
                             proxy_pass http://up; }
        location /optional/ { sync_auth token optional;
                              proxy_pass http://up; }
        location /free/   { sync_auth token optional;
                            sync_scope orders:write for=POST;
                            proxy_pass http://up; }
        location /claim/  { sync_scope off;
                            sync_require role admin;
                            sync_require /org/region $arg_region;
                            proxy_pass http://up; }
        location /claim/off/ { sync_scope off; sync_require off;
                               proxy_pass http://up; }
        location /number/ { sync_scope off; sync_require level 3;
                            proxy_pass http://up; }
        location /yes/    { sync_scope off; sync_require mfa true;
                            proxy_pass http://up; }
        location /url/    { sync_scope off;
                            sync_require https://x.example/role admin;
                            proxy_pass http://up; }
        location /key/    { sync_tenant host; sync_auth token api_key;
                            proxy_pass http://up; }
        location /key/claim/ { sync_tenant host; sync_auth api_key;
                            sync_scope off; sync_require role admin;
                            proxy_pass http://up; }
        location /same/   { error_page 403 = /same/page;
                            proxy_pass http://up; }
        location /page/   { error_page 403 = @page; proxy_pass http://up; }
        location /jump/   { error_page 404 = /any/; proxy_pass http://up; }
        location @page    { sync_scope off; sync_auth off;
                            return 200 "page\n"; }
    }
CONF

$t->start;

sub ask {
    my ($method, $uri, $claims) = @_;

    return $t->request($method, $uri, headers => [
        Authorization => 'Bearer ' . $issuer->token($claims) ]);
}

sub status { return ask(@_)->{status} }

# inherited, off, overridden

is(status('GET', '/inherited/', { scope => 'orders:read' }), 200,
   'the scope is there');
is(status('GET', '/inherited/', { scope => 'x orders:read y' }), 200,
   'among others');
is(status('GET', '/inherited/', { scp => ['x', 'orders:read'] }), 200,
   'in a list');
is(status('GET', '/inherited/', { scope => 'orders:readx' }), 403,
   'not a longer one');
is(status('GET', '/inherited/', { scope => 'xorders:read' }), 403,
   'nor one that ends so');
is(status('GET', '/inherited/', { scope => 'Orders:Read' }), 403,
   'the case counts');
is(status('GET', '/off/', {}), 200, 'off');
is(status('GET', '/inherited/', {}), 403, 'no scope at all');

my $r = ask('GET', '/inherited/', { scope => 'x' });
is($r->header('www-authenticate'), 'Bearer realm="sync", '
   . 'error="insufficient_scope", scope="orders:read"', 'RFC 6750');
is($r->json->{type}, 'urn:sync:problem:insufficient-scope', 'as problem');
like($r->json->{detail}, qr/one of these scopes needed: orders:read/,
     'which names the scope');

# the cache does not carry a verdict from one location to the next

my $token = $issuer->token({ scope => 'a' });
my $with = sub {
    return $t->request('GET', $_[0],
                       headers => [Authorization => "Bearer $token"])
             ->{status};
};

is($with->('/any/'), 200, 'one token, here') for 1 .. 3;
is($with->('/all/'), 403, 'and there') for 1 .. 3;

# any, all

is(status('GET', '/any/', { scope => 'b' }), 200, 'any of two');
is(status('GET', '/any/', { scope => 'c' }), 403, 'none of two');
is(status('GET', '/all/', { scope => 'b' }), 403, 'one, where all are due');
is(status('GET', '/all/', { scope => 'b a' }), 200, 'all of two');
is(ask('GET', '/all/', {})->header('www-authenticate'),
   'Bearer realm="sync", error="insufficient_scope", scope="a b"',
   'all are named');

# methods

is(status('GET', '/methods/', { scope => 'orders:read' }), 200, 'GET');
is(status('HEAD', '/methods/', {}), 403, 'GET stands for HEAD, too');
is(status('POST', '/methods/', { scope => 'orders:read' }), 403, 'POST');
is(status('POST', '/methods/', { scope => 'orders:write' }), 200,
   'POST by its own scope');
is(status('DELETE', '/methods/', {}), 200, 'DELETE was not named');

# nobody

$r = $t->get('/optional/');
is($r->{status}, 401, 'nobody has no scope');
is($r->header('www-authenticate'), 'Bearer realm="sync"', 'and may log in');
is($t->get('/free/')->{status}, 200, 'where none is due, nobody passes');
is($t->post('/free/', '{}')->{status}, 401, 'where one is due, not');

# claims

my $org = { org => { region => 'eu' } };
my $uri = '/claim/?region=eu';

is(status('GET', $uri, { role => 'admin', %$org }), 200, 'claims');
is(status('GET', $uri, { role => ['user', 'admin'], %$org }), 200,
   'in a list');
is(status('GET', $uri, { role => 'user', %$org }), 403, 'another value');
is(status('GET', $uri, { role => { admin => 1 }, %$org }), 403, 'an object');
is(status('GET', $uri, { role => 'admin' }), 403, 'the second is missing');
is(status('GET', '/claim/?region=us', { role => 'admin', %$org }), 403,
   'its value by variable');
is(status('GET', '/claim/', { role => 'admin', org => { region => '' } }),
   403, 'nothing is no value');
is(status('GET', '/claim/off/', {}), 200, 'off');
is(status('GET', '/number/', { level => 3 }), 200, 'a number');
is(status('GET', '/number/', { level => '3' }), 200, 'or its text');
is(status('GET', '/number/', { level => 30 }), 403, 'another number');
is(status('GET', '/yes/', { mfa => \1 }), 200, 'true');
is(status('GET', '/yes/', { mfa => \0 }), 403, 'false');
is(status('GET', '/url/', { 'https://x.example/role' => 'admin' }), 200,
   'a name with slashes');

$r = ask('GET', $uri, { role => 'c4n4ry-role', %$org });
is($r->json->{type}, 'urn:sync:problem:claim-required', 'as problem');
unlike($r->{body}, qr/c4n4ry|admin/, 'without values');
like($r->header('www-authenticate'), qr/error="insufficient_scope"/,
     'RFC 6750');

# API keys have neither

my @key = (host => 'acme.test',
           headers => ['X-API-Key' => 'c4n4ry-scope-key-0b1d']);
is($t->request('GET', '/key/', @key)->{status}, 403, 'no scope');
is($t->request('GET', '/key/claim/', @key)->{status}, 403, 'no claims');

$r = ask('GET', '/page/', {});
is("$r->{status} $r->{body}", "200 page\n", 'error_page wins');
is(ask('GET', '/same/', {})->{status}, 403, 'but not within the location');

is(status('GET', '/jump/', { scope => 'orders:read' }), 403,
   'where a redirect leads, another scope is due');
is(status('GET', '/jump/', { scope => 'orders:read a' }), 200, 'both');

ok($t->reload, 'reload');
is(status('GET', '/any/', { scope => 'b' }), 200, 'after a reload');
is(status('GET', '/any/', { scope => 'c' }), 403, 'as before');

# refused at load

my @refused = (
    ['sync_auth token; sync_scope;', qr/invalid number of arguments/],
    ['sync_auth token; sync_scope all;', qr/needs the name of a scope/],
    ['sync_auth token; sync_scope a"b;', qr/invalid scope "a"b"/],
    ['sync_auth token; sync_scope a for=GET,;', qr/invalid "for=GET,"/],
    ['sync_auth token; sync_scope a for=get;', qr/invalid "for=get"/],
    ['sync_auth token; sync_scope a; sync_scope off;', qr/same level/],
    ['sync_auth token; sync_scope off; sync_scope a;', qr/same level/],
    ['sync_auth token; sync_scope off a;', qr/same level/],
    ['sync_auth token; sync_require role;', qr/needs a claim and its value/],
    ['sync_auth token; sync_require role "";', qr/neither empty/],
    ['sync_auth token; sync_require a $nothing;', qr/unknown "nothing"/],
    ['sync_auth token; sync_require off; sync_require a b;', qr/same level/],
    ['sync_scope a;', qr/sync_scope needs sync_auth.*in location "\/x"/],
    ['sync_require a b;', qr/sync_require needs sync_auth.*location "\/x"/],
    ['if ($arg_a) { sync_scope off; }', qr/not allowed here/],
);

for (@refused) {
    my ($text, $like) = @$_;

    $t->refused("$shared server { listen 127.0.0.1:%%PORT_9%%; "
                . "location /x { $text } }", $like, "refused: $text");
}

$t->done;
