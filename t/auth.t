#!/usr/bin/perl

# Who asks: tokens by the issuers of a tenant and of the platform, API keys,
# and whose proof counts for which tenant.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;

my $t = Test::Sync->new(workers => 2);

my $aud = 'https://sync.example';

my %issuer = map {
    $_ => Test::Sync::Token->new(issuer => "https://$_.example",
                                 claims => { aud => $aud, sub => 'ann',
                                             azp => 'crm' })
} qw(acme beta delta platform evil);

my @algs = qw(RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA
              HS256 HS384 HS512);

$issuer{acme}->key("k$_", $_) for @algs;
$issuer{beta}->key('b1', 'ES256');
$issuer{delta}->key('d1', 'ES256');
$issuer{platform}->key('p1', 'ES256')->key('p2', 'ES256');
$issuer{evil}->key('e1', 'ES256');

$t->write('library/jwks/acme.json', $issuer{acme}->jwks);
$t->write('library/jwks/delta.json', $issuer{delta}->jwks);
$t->write('platform.jwks', $issuer{platform}->jwks);

my %key = (
    new => 'c4n4ry-key-new-7b1e', old => 'c4n4ry-key-old-90aa',
    shared => 'c4n4ry-key-shared-5d2c', beta => 'c4n4ry-key-beta-3e3e',
    late => 'c4n4ry-key-late-6a6a',
);

$t->canary($_) for values %key;

$t->write("secrets/t_acme/$_", "$key{$_}\n") for qw(new shared);
$t->write('secrets/t_acme/old', "$key{old}\r\n");
$t->write('secrets/t_acme/empty', '');
$t->write('secrets/t_beta/beta', $key{beta});

# it cannot be read as long as a link leads to it

$t->write('late', "$key{late}\n");
symlink $t->path('late'), $t->path('secrets/t_acme/late') or die;

my %acme = (
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    issuers => [ { issuer => 'https://acme.example',
                   jwks => 'jwks/acme.json', audience => [$aud, 'urn:x'] } ],
    clients => {
        crm => {}, other => {},
        partner => { api_keys => ['secret:new', 'secret:old',
                                  'secret:absent', 'secret:empty',
                                  'secret:late'] },
        one => { api_keys => ['secret:shared'] },
        two => { api_keys => ['secret:shared'] },
    },
);

my %beta = (
    tenant => 'beta', id => 't_beta', match => { hosts => ['beta.test'] },
    issuers => [ { issuer => 'https://beta.example',
                   jwks => $issuer{beta}->jwks, audience => $aud } ],
    clients => { crm => {}, partner => { api_keys => ['secret:beta'] } },
);

my %delta = (
    tenant => 'delta', id => 't_delta', match => { hosts => ['delta.test'] },
    issuers => [ { issuer => 'https://delta.example',
                   jwks => 'jwks/delta.json', audience => $aud,
                   tenant_claim => 'org' } ],
    clients => { crm => {} },
);

# an issuer that serves several tenants by a claim

my %gamma = (
    tenant => 'gamma', id => 't_gamma', match => { hosts => ['gamma.test'] },
    issuers => [ { issuer => 'https://beta.example',
                   jwks => $issuer{beta}->jwks, audience => $aud,
                   tenant_claim => 'org', client_claim => 'app' } ],
    clients => { crm => {} },
);

$t->write('tenants/acme.json', \%acme);
$t->write('tenants/beta.json', \%beta);
$t->write('tenants/gamma.json', \%gamma);
$t->write('tenants/delta.json', \%delta);

$t->peer(up => sub {
    return [$_[0]{uri} =~ /jump/ ? 404 : 200, {}, 'up'];
});

my $shared = <<'CONF';
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;
    sync_issuer  https://platform.example audience=https://sync.example
                 jwks=%%TESTDIR%%/platform.jwks tenant_claim=tenant;
CONF

$t->http($shared . <<'CONF');
    upstream up { server %%PEER_up%%; }
    add_header X-Who
        "$sync_tenant|$sync_client|$sync_subject|$sync_scope|$sync_issuer"
        always;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_auth   token api_key;

        proxy_intercept_errors on;

        location /both/     { proxy_pass http://up; }
        location /off/      { sync_auth off; proxy_pass http://up; }
        location /token/    { sync_auth token; proxy_pass http://up; }
        location /key/      { sync_auth api_key; proxy_pass http://up; }
        location /named/    { sync_auth api_key=X-Partner-Key;
                              proxy_pass http://up; }
        location /optional/ { sync_auth token optional;
                              proxy_pass http://up; }
        location /at/       { sync_auth token typ=at+jwt;
                              proxy_pass http://up; }
        location /page/     { error_page 401 = @page;
                              proxy_pass http://up; }
        location /same/     { error_page 401 = /same/page;
                              proxy_pass http://up; }
        location @page      { sync_auth off; return 200 "page\n"; }
        location /mirrored/ { sync_auth off; mirror /both/;
                              proxy_pass http://up; }
        location /asked/    { sync_auth off; auth_request /both/;
                              proxy_pass http://up; }
        location /jump/     { sync_auth off; try_files /none /both/; }
        location /jump/nobody/ { sync_auth token optional;
                              error_page 404 = /token/;
                              proxy_pass http://up; }
        location /jump/key/ { sync_auth api_key; error_page 404 = /token/;
                              proxy_pass http://up; }
        location /jump/tenant/ { error_page 404 = /header/;
                              proxy_pass http://up; }
        location /jump/off/ { error_page 404 = /off/;
                              proxy_pass http://up; }
        location /header/   { sync_tenant header=X-Tenant;
                              proxy_pass http://up; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;

        location / { sync_auth token; proxy_pass http://up; }
    }

    server {
        listen 127.0.0.1:%%PORT_2%% http2;
        sync_tenant host;
        sync_auth   token;

        location / { proxy_pass http://up; }
    }
CONF

$t->start;

sub ask {
    my ($uri, @headers) = @_;

    return $t->request('GET', $uri, host => 'acme.test',
                       headers => \@headers);
}

sub bearer {
    my ($uri, $token, $host) = @_;

    return $t->request('GET', $uri, host => $host // 'acme.test',
                       headers => [Authorization => "Bearer $token"]);
}

sub status { return bearer(@_)->{status} }

my $acme = $issuer{acme};
my $good = $acme->token({}, kid => 'kES256');

# off, missing, optional

is(ask('/off/')->{status}, 200, 'off');

my $r = ask('/both/');
is($r->{status}, 401, 'no proof');
is($r->header('www-authenticate'), 'Bearer realm="sync", ApiKey realm="sync"',
   'a challenge without an error');
is($r->json->{type}, 'urn:sync:problem:unauthenticated', 'as problem');
is(ask('/token/')->header('www-authenticate'), 'Bearer realm="sync"',
   'the challenge of tokens');
is(ask('/key/')->header('www-authenticate'), 'ApiKey realm="sync"',
   'the challenge of API keys');
is(ask('/optional/')->{status}, 200, 'optional: nobody passes');
is(ask('/optional/')->header('x-who'), 't_acme||||', 'as nobody');
is(status('/optional/', 'a.b.c'), 401, 'optional: a bad token does not');
is(status('/optional/', $good), 200, 'optional: a good one does');
is(ask('/both/', Authorization => 'Basic YTpi')->{status}, 401,
   'another scheme is no token');

# algorithms, by the header of each key

for my $alg (@algs) {
    my $token = $acme->token({}, kid => "k$alg");

    is(status('/token/', $token), 200, "$alg");
    is(status('/token/', $token), 200, "$alg, again");
}

$r = bearer('/both/', $acme->token({ scope => 'a b' }, kid => 'kES256'));
is($r->header('x-who'), 't_acme|crm|ann|a b|https://acme.example',
   'what the proof says');

# RFC 6750: how it is told

for my $bad ('Bearer', 'Bearer ', 'Bearer a b', 'Bearer a,b', 'Bearer =',
             'bearer "a"')
{
    $r = ask('/token/', Authorization => $bad);

    is($r->{status}, 400, "\"$bad\" is malformed");
    is($r->header('www-authenticate'),
       'Bearer realm="sync", error="invalid_request"', 'and says so');
}

is(ask('/token/', Authorization => "bearer   $good")->{status}, 200,
   'the scheme in any case, spaces');
like($t->raw("GET /token/ HTTP/1.1\r\nHost: acme.test\r\n"
             . "Authorization: Bearer x.y.z\r\n"
             . "Authorization: Bearer x.y.z\r\nConnection: close\r\n\r\n"),
     qr{^HTTP/1.1 400 }, 'two Authorization lines');

# what must not pass

my %bad = (
    'no JWT' => 'abc',
    'two parts' => 'a.b',
    'alg none' => $acme->token({}, alg => 'none'),
    'no signature' => $acme->token({}, signature => ''),
    'signature changed' => $acme->token({}, tamper => 'signature'),
    'payload changed' => $acme->token({}, tamper => 'payload'),
    'HS256 by the public key' =>
        $acme->token({}, kid => 'kRS256', alg => 'HS256',
                     secret => $acme->pem('kRS256')),
    'another algorithm of the key' =>
        $acme->token({}, kid => 'kRS256', alg => 'PS256'),
    'unknown kid' => $acme->token({}, kid => 'kES256',
                                  header => { kid => 'nobody' },
                                  signature => 'x' x 64),
    'crit' => $acme->token({}, header => { crit => ['exp'] }),
    'no exp' => $acme->token({ exp => undef }),
    'no iss' => $acme->token({ iss => undef }),
    'no aud' => $acme->token({ aud => undef }),
    'another audience' => $acme->token({ aud => 'https://else.example' }),
    'not yet valid' => $acme->token({ nbf => time + 600 }),
    'exp as text' => $acme->token({ exp => 'soon' }),
    'typ of something else' =>
        $acme->token({}, header => { typ => 'logout+jwt' }),
    'bound to a key' => $acme->token({ cnf => { jkt => 'x' } }),
    'nobody\'s issuer' => $issuer{evil}->token({}),
    'our issuer by another key' =>
        $issuer{evil}->token({ iss => 'https://acme.example' }),
    'beta\'s issuer by another key' =>
        $issuer{evil}->token({ iss => 'https://beta.example' }),
    'platform without a tenant' => $issuer{platform}->token({}),
    'own key in the header' =>
        $issuer{evil}->token({ iss => 'https://acme.example' },
                       header => { jwk => $issuer{evil}->jwk('e1') }),
);

for (sort keys %bad) {
    $r = bearer('/token/', $bad{$_});

    is($r->{status}, 401, "$_: 401");
    like($r->header('www-authenticate'),
         qr/^Bearer realm="sync", error="invalid_token"/, "$_: invalid_token");
}

$r = bearer('/token/', $acme->token({ exp => time - 40 }));
is($r->{status}, 401, 'expired');
is($r->header('www-authenticate'), 'Bearer realm="sync", '
   . 'error="invalid_token", error_description="the token has expired"',
   'and says so');
is($r->json->{type}, 'urn:sync:problem:invalid-token', 'as problem');
is(status('/token/', $acme->token({ exp => time - 5 })), 200,
   'clocks may differ a little');

my $old = $acme->token({ exp => time - 28 });
is(status('/token/', $old), 200, 'as long as the leeway lasts') for 1 .. 4;

is(status('/token/', $acme->token({ aud => ['x', 'urn:x'] })), 200,
   'any audience of any');

# typ by choice

is(status('/at/', $good), 401, 'at+jwt required');
is(status('/at/', $acme->token({}, header => { typ => 'at+jwt' })), 200,
   'at+jwt');
is(status('/token/', $acme->token({}, header => { typ => 'at+jwt' })), 200,
   'at+jwt elsewhere');
is(status('/at/', $good), 401, 'also from the cache');

# tenants

is(status('/token/', $issuer{beta}->token({}), 'beta.test'), 200,
   'beta at home');
$r = bearer('/token/', $issuer{beta}->token({}));
is($r->{status}, 403, 'beta\'s token at acme\'s host');
is($r->json->{type}, 'urn:sync:problem:foreign-tenant', 'is foreign');
$r = bearer('/token/', $issuer{delta}->token({ org => 'acme' }));
is($r->{status}, 403, 'delta\'s issuer speaks of acme');
is($r->json->{type}, 'urn:sync:problem:foreign-tenant', 'for delta alone');
is(status('/token/', $issuer{beta}->token({ exp => time - 60 })), 401,
   'an expired foreign one is nothing');
is(status('/token/', $good, 'beta.test'), 403, 'acme\'s token at beta\'s');

is(status('/token/', $issuer{beta}->token({ org => 'gamma', app => 'crm' }),
          'gamma.test'), 200, 'a tenant claim by name');
is(status('/token/', $issuer{beta}->token({ org => 't_gamma', app => 'crm' }),
          'gamma.test'), 200, 'or by id');
is(status('/token/', $issuer{beta}->token({ org => 'beta', app => 'crm' }),
          'gamma.test'), 403, 'another tenant\'s');
is(status('/token/', $issuer{beta}->token({ app => 'crm' }), 'gamma.test'),
   401, 'or none');

$r = bearer('/token/', $acme->token({ azp => 'nobody' }));
is($r->{status}, 403, 'a client that the document does not name');
is($r->json->{type}, 'urn:sync:problem:unknown-client', 'is unknown');
is(status('/token/', $acme->token({ azp => undef })), 403,
   'and so is no client');
is(bearer('/token/', $issuer{beta}->token({ org => 'gamma', app => 'crm' }),
          'gamma.test')->header('x-who'),
   't_gamma|crm|ann||https://beta.example', 'the client claim of the issuer');

is(status('/token/', $good, 'nobody.test'), 404, 'no such tenant');

# the platform's issuer

my $platform = $issuer{platform};

is(status('/token/', $platform->token({ tenant => 'acme' })), 200,
   'sync_issuer');
is(status('/token/', $platform->token({ tenant => 't_beta' }), 'beta.test'),
   200, 'for another tenant');
is(status('/token/', $platform->token({ tenant => 'beta' })), 403,
   'but not at this one\'s host');

my $p2 = $platform->token({ tenant => 'acme' }, kid => 'p2');
$r = $t->request('GET', '/', port => 1,
                 headers => [Authorization => "Bearer $p2"]);
is($r->{status}, 200, 'sync_issuer without tenants');
is($r->header('x-who'), '|crm|ann||https://platform.example',
   'the client is the claim');
is($t->request('GET', '/', port => 1,
               headers => [Authorization => "Bearer $good"])->{status}, 401,
   'a tenant\'s issuer is nobody there');

# API keys

$r = ask('/both/', 'X-API-Key' => $key{new});
is($r->{status}, 200, 'an API key');
is($r->header('x-who'), 't_acme|partner|||', 'and whose it is');
is(ask('/key/', 'X-API-Key' => $key{old})->header('x-who'),
   't_acme|partner|||', 'the one before it');

for my $bad ('', 'x', substr($key{new}, 1), "$key{new}x", 'x' x 2000,
             $key{beta})
{
    is(ask('/key/', 'X-API-Key' => $bad)->{status}, 401,
       'a wrong API key of ' . length $bad);
}

$r = ask('/key/', 'X-API-Key' => 'wrong');
is($r->header('www-authenticate'), 'ApiKey realm="sync"', 'its challenge');
is($r->json->{type}, 'urn:sync:problem:invalid-api-key', 'its problem');

is(ask('/key/', 'X-API-Key' => $key{shared})->{status}, 401,
   'a key of two clients is nobody\'s');
$t->log_like(qr/auth: two clients have the same API key/, 'and logged');
$t->log_like(qr/secret "empty" of tenant "acme" cannot be read/,
             'so is an empty one');

is(ask('/named/', 'X-Partner-Key' => $key{new})->{status}, 200,
   'by another header');
is(ask('/named/', 'X-API-Key' => $key{new})->{status}, 401,
   'and not by the usual one');
is(ask('/token/', 'X-API-Key' => $key{new})->{status}, 401,
   'no API keys here');
is(status('/key/', $good), 401, 'no tokens here');

$r = ask('/both/', 'X-API-Key' => $key{new}, Authorization => "Bearer $good");
is($r->{status}, 400, 'two proofs');
is($r->json->{type}, 'urn:sync:problem:invalid-credentials', 'as problem');
is(ask('/both/', 'X-API-Key' => $key{new}, 'X-API-Key' => 'x')->{status}, 400,
   'two API keys');

# rotation without a reload: the key withdrawn, the next one known

$t->write('secrets/t_acme/old', 'c4n4ry-key-next-1f1f');
$t->canary('c4n4ry-key-next-1f1f');

ok($t->wait_for(sub {
    return 10 == grep {
        ask('/key/', 'X-API-Key' => 'c4n4ry-key-next-1f1f')->{status} == 200
    } 1 .. 10;
}), 'the new key is known to all workers');
ok($t->wait_for(sub {
    return 10 == grep {
        ask('/key/', 'X-API-Key' => $key{old})->{status} == 401
    } 1 .. 10;
}), 'and the old one to none');

# one that could not be read, and can be: the file itself is the same

sub unread {
    return scalar(() = $t->log_text =~ /secret "late" of .*cannot be read/g);
}

is(ask('/key/', 'X-API-Key' => $key{late})->{status}, 401,
   'a key that cannot be read') for 1 .. 10;
$t->log_like(qr/secret "late" of .*cannot be read: a link leads out/,
             'which is logged');

my $unread = unread();

sleep 0.5;
is(ask('/key/', 'X-API-Key' => $key{late})->{status}, 401, 'still') for 1 .. 10;
is(unread(), $unread, 'once, however often it is looked for');

rename $t->path('late'), $t->path('secrets/t_acme/late') or die;

ok($t->wait_for(sub {
    return 10 == grep {
        ask('/key/', 'X-API-Key' => $key{late})->{status} == 200
    } 1 .. 10;
}), 'it can be read: all workers know it');

# other ways in

is(ask('/jump/')->{status}, 401, 'an internal redirect asks for a proof');
is(ask('/jump/nobody/')->{status}, 401,
   'where it leads is nobody\'s, although nobody was let in before');
is(status('/jump/nobody/', $good), 200, 'a token is good for both');
is(ask('/jump/key/', 'X-API-Key' => $key{new})->{status}, 401,
   'another proof is not the one that is asked for');
is(status('/jump/off/', $good), 200, 'from a proof to none');

sub as_tenant {
    return $t->request('GET', '/jump/tenant/', host => 'acme.test', headers =>
        [ 'X-Tenant' => $_[0], Authorization => "Bearer $good" ])->{status};
}

is(as_tenant('acme'), 200, 'to the same tenant');
is(as_tenant('beta'), 403, 'but not to another');

is(ask('/asked/')->{status}, 403, 'a subrequest does not enter');
is(ask('/mirrored/')->{status}, 200, 'what a mirror is refused is its own');
is(status('/page/', 'a.b.c'), 200, 'error_page wins');
is(status('/same/', 'a.b.c'), 401, 'and leads to no place that refuses');

$r = $t->request('HEAD', '/token/', host => 'acme.test');
is("$r->{status}$r->{body}", 401, 'HEAD has no body');
ok($r->header('www-authenticate'), 'but a challenge');

is($t->h2('GET', '/', port => 2, host => 'acme.test',
          headers => [Authorization => "Bearer $good"])->{status}, 200,
   'HTTP/2');
is($t->h2('GET', '/', port => 2, host => 'acme.test')->{status}, 401,
   'HTTP/2 without');

# a key that is withdrawn takes what it has signed along

is(status('/token/', $good), 200, 'cached everywhere') for 1 .. 6;

my @left = grep { $_ ne 'kES256' } map { "k$_" } @algs;
$t->write('library/jwks/acme.json', $acme->jwks(@left));

ok($t->wait_for(sub {
    return 10 == grep { status('/token/', $good) == 401 } 1 .. 10;
}), 'a cached token of a withdrawn key does not pass');
is(status('/token/', $acme->token({}, kid => 'kRS256')), 200,
   'others are not touched');

is($t->request('GET', '/', port => 1,
               headers => [Authorization => "Bearer $p2"])->{status}, 200,
   'the platform\'s, cached');
$t->write('platform.jwks', $platform->jwks('p1'));
ok($t->reload, 'reload');
is($t->request('GET', '/', port => 1,
               headers => [Authorization => "Bearer $p2"])->{status}, 401,
   'a key of the platform, withdrawn by a reload') for 1 .. 4;
is(status('/token/', $platform->token({ tenant => 'acme' })), 200,
   'the other key is not touched');

ok($t->wait_for(sub { return status('/token/', $old) == 401 }),
   'a cached token expires');

# keys that cannot be read

# one connection is one worker, which has its own copy of them

my $conn = $t->connect;

sub again {
    my $token = $acme->token({ jti => "j$_[0]" }, kid => 'kHS256');

    return $t->request('GET', '/token/', host => 'acme.test', conn => $conn,
                       headers => [Authorization => "Bearer $token"])
             ->{status};
}

is(again(1), 200, 'keys are read');
unlink $t->path('library/jwks/acme.json');
is(again($_), 200, 'those that were read stay') for 2 .. 5;

unlink $t->path('library/jwks/delta.json');
my $delta = $issuer{delta}->token({ org => 'delta' });
$r = bearer('/token/', $delta, 'delta.test');
is($r->{status}, 503, 'not 401: nobody can say');
is(eval { $r->json->{type} }, 'urn:sync:problem:issuer-unavailable',
   'as problem');
ok($r->header('retry-after'), 'with Retry-After');
$t->write('library/jwks/delta.json', $issuer{delta}->jwks);
ok($t->wait_for(sub {
    return 10 == grep {
        status('/token/', $delta, 'delta.test') == 200
    } 1 .. 10;
}), 'and they are read when they are there again');

# refused at load

my $in = sub { return "$shared server { listen 127.0.0.1:%%PORT_9%%; @_ }" };
my $iss = 'sync_issuer https://i.example';
my $ok = "$iss audience=a jwks=%%TESTDIR%%/platform.jwks tenant_claim=t";

my @refused = (
    ['location / { sync_auth; }', qr/invalid number of arguments/],
    ['location / { sync_auth tokens; }',
        qr/invalid "tokens" of "sync_auth", known are/],
    ['location / { sync_auth token token; }', qr/has "token" twice/],
    ['location / { sync_auth off token; }', qr/"off" beside a proof/],
    ['location / { sync_auth optional; }', qr/needs "token", "api_key", /],
    ['location / { sync_auth api_key typ=at+jwt; }', qr/"typ" without/],
    ['location / { sync_auth token; sync_auth token; }', qr/is duplicate/],
    ['location / { sync_auth certificate; }',
        qr/needs sync_client_certificate/],
    ['location / { sync_auth api_key=; }', qr/name of a header/],
    ['location / { sync_auth api_key=X:Y; }', qr/name of a header/],
    ['location / { sync_auth api_key=Authorization; }',
        qr/name of a header/],
    ['location / { sync_auth api_key; }',
        qr/sync_auth api_key needs sync_tenant.*in location "\/", .*:\d+/],
    ['location / { sync_tenant host; sync_auth token; satisfy any; }',
        qr/sync_auth needs "satisfy all".*in location "\/"/],
    ['if ($arg_a) { sync_auth off; }', qr/not allowed here/],
);

$t->refused($in->($_->[0]), $_->[1], "refused: $_->[0]") for @refused;

my @issuers = (
    ["$iss", qr/needs "audience="/],
    ["$iss audience=a jwks=x", qr/needs "tenant_claim="/],
    ["$iss audience=a tenant_claim=t", qr/needs "jwks=": "discover"/],
    ["$iss audience=a tenant_claim=t jwks=%%TESTDIR%%/none",
        qr/"[^"]*\/none" failed/],
    ["$iss audience=a tenant_claim=t jwks=%%TESTDIR%%/tenants/acme.json",
        qr/key set "[^"]*" at ".*": /],
    ["$iss audience=a tenant_claim=t jwks=discover",
        qr/the name "i.example" needs a resolver/],
    ["$iss audience=a tenant_claim=t jwks=https://x.example/k",
        qr/the name "x.example" needs a resolver/],
    ["$iss audience=a tenant_claim=t jwks=http://x.example/k",
        qr/has the URL "http:\/\/x.example\/k": /],
    ['sync_issuer https://i.example?x audience=a tenant_claim=t jwks=discover',
        qr/"jwks=discover" and a query/],
    ["$iss introspect=https://x.example", qr/needs "client_id=" and/],
    ["$iss colour=red", qr/invalid parameter "colour=red"/],
    ["$iss audience=", qr/invalid parameter "audience="/],
    ['sync_issuer acme audience=a', qr/the URL that stands in "iss"/],
    ["$ok; $ok", qr/duplicate "sync_issuer https:\/\/i.example"/],
);

for (@issuers) {
    my $name = $_->[0] =~ s/%%\w+%%//gr;

    $t->refused("$_->[0]; server { listen 127.0.0.1:%%PORT_9%%; }",
                $_->[1], "refused: $name");
}

$t->refused('location / { sync_auth token; }',
            qr/sync_auth token needs sync_tenant or sync_issuer.*location/,
            'refused: nobody to issue a token');
$t->accepted("$ok; server { listen 127.0.0.1:%%PORT_9%%; "
             . 'location / { sync_auth token; } }', 'a sync_issuer will do');

$t->done;
