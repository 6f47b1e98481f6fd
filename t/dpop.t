#!/usr/bin/perl

# Tokens that are bound to a key: what a proof must be of (RFC 9449), and that
# it counts once, for all workers and all nodes.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Test::Sync::Token;

my $aud = 'https://sync.example';
my $base = 'https://api.example';

my $issuer = Test::Sync::Token->new(issuer => 'https://acme.example',
                                    claims => { aud => $aud, sub => 'ann',
                                                azp => 'crm' });
$issuer->key('i1', 'ES256');

my $client = Test::Sync::Token->new(issuer => 'client');

$client->key($_, $_) for qw(ES256 ES384 ES512 EdDSA RS256 PS384 PS512);

my %acme = (
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    issuers => [ { issuer => 'https://acme.example', jwks => $issuer->jwks,
                   audience => [$aud] } ],
    clients => { crm => {} },
);
my %beta = (%acme, tenant => 'beta', id => 't_beta',
            match => { hosts => ['beta.test'] });

my $t;                      # the gateway that is asked

sub gateway {
    my ($store, $redis) = @_;

    my $t = Test::Sync->new(workers => 2);

    $t->write('master.key', 'c4n4ry-master-secret-0123456789');
    $t->write('tenants/acme.json', \%acme);
    $t->write('tenants/beta.json', \%beta);

    $t->peer(up => sub {
        return [ $_[0]{uri} =~ /gone/ ? 404 : 200,
                 { 'X-Token' => $_[0]{h}{authorization} // 'none' }, 'up' ];
    });

    $t->http("    sync_store $store;\n" . <<'CONF');
    sync_secret     file:%%TESTDIR%%/master.key;
    sync_tenants    %%TESTDIR%%/tenants interval=20ms;
    sync_public_url https://api.example;

    upstream up { server %%PEER_up%%; }

    map $http_x_forwarded_host $public {
        default https://api.example;
        ~.      https://$http_x_forwarded_host/edge;
    }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_auth   token api_key dpop=on;

        proxy_intercept_errors on;

        location /on/       { proxy_pass http://up; }
        location /off/      { sync_auth token; proxy_pass http://up; }
        location /required/ { sync_auth token dpop=required;
                              proxy_pass http://up; }
        location /young/    { sync_auth token dpop=on dpop_age=5s;
                              proxy_pass http://up; }
        location /nonce/    { sync_auth token dpop=on dpop_nonce=1h;
                              proxy_pass http://up; }
        location /short/    { sync_auth token dpop=on dpop_nonce=1s;
                              proxy_pass http://up; }
        location /proxy/    { sync_public_url $public;
                              proxy_pass http://up; }
        location /bad/      { sync_public_url $arg_base;
                              proxy_pass http://up; }
        location /page/     { error_page 401 = @page; proxy_pass http://up; }
        location @page      { sync_auth off; return 200 "page\n"; }
        location /gone/     { error_page 404 = /on/; proxy_pass http://up; }
        location /jump/     { sync_auth off; try_files /none /on/; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%% http2;
        sync_tenant host;

        location / { sync_auth token dpop=required; proxy_pass http://up; }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        location = /fault { sync_test_fault; }
    }
CONF

    $t->start;

    return $t;
}

my $bound = $issuer->token({ cnf => { jkt => $client->thumbprint } });
my $free = $issuer->token;

sub ask {
    my ($uri, $scheme, $token, $proof, %opt) = @_;

    return $t->request($opt{method} // 'GET', $uri,
                       host => $opt{host} // 'acme.test',
                       headers => [
                           Authorization => "$scheme $token",
                           (map { (DPoP => $_) }
                                ref $proof ? @$proof : $proof // ()),
                           @{ $opt{headers} || [] } ]);
}

sub proof {
    my ($uri, %opt) = @_;

    return $client->proof($opt{method} // 'GET', $opt{url} // "$base$uri",
                          $opt{token} // $bound, %opt);
}

sub with { return ask($_[0], 'DPoP', $bound, $_[1]) }

my $algs = 'algs="RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 '
           . 'EdDSA"';

sub refused {
    my ($r, $error, $name, $text) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{status}, 401, "$name: 401");
    is($r->header('www-authenticate'), qq{DPoP realm="sync", error="$error", }
       . qq{error_description="$text", $algs}, "$name: told so")
        if defined $text;
    like($r->header('www-authenticate'), qr/^DPoP .*error="$error"/,
         "$name: $error");
}


# the same against both stores

sub both {
    my ($store) = @_;

    my $proof = proof('/on/');
    my $r = with('/on/', $proof);

    is($r->{status}, 200, "$store: a proof");
    is($r->header('x-token'), "DPoP $bound", 'the token goes on as it came');

    # the two workers are asked over as many connections

    is(join(' ', map { with('/on/', $proof)->{status} } 1 .. 8),
       join(' ', (401) x 8), 'a proof counts once');
    refused(with('/on/', $proof), 'invalid_dpop_proof', 'again',
            'the proof was used before');

    my @all = $t->parallel(map {
        [ GET => '/on/', host => 'acme.test',
          headers => [ Authorization => "DPoP $bound", DPoP => $proof ] ]
    } ($proof = proof('/on/')) x 12);

    is(scalar(grep { $_->{status} == 200 } @all), 1,
       "$store: of twelve at once one passes");
    is(scalar(grep { $_->{status} == 401 } @all), 11, 'and eleven do not');

    # ids are those of a tenant and of a key

    $proof = proof('/on/', claims => { jti => 'same' });
    is(with('/on/', $proof)->{status}, 200, 'an id of acme');
    is(with('/on/', proof('/on/', claims => { jti => 'same' }))->{status},
       401, 'in another proof');
    is(ask('/on/', 'DPoP', $bound, $proof, host => 'beta.test')->{status},
       200, 'is none of beta');

    my $other = $issuer->token({ cnf => { jkt =>
                                          $client->thumbprint('EdDSA') } });

    is(ask('/on/', 'DPoP', $other,
           proof('/on/', kid => 'EdDSA', token => $other,
                 claims => { jti => 'same' }))->{status}, 200,
       'or of another key');

    # after a reload

    $proof = proof('/on/');
    is(with('/on/', $proof)->{status}, 200, 'before a reload');
    ok($t->reload, 'reload');
    is(with('/on/', $proof)->{status}, 401, 'and after it');
}


$t = gateway('test:');

both('shm');

# who shows nothing, or too little

my $r = ask('/on/', 'Basic', 'YTpi');
is($r->{status}, 401, 'no token');
is($r->header('www-authenticate'),
   qq{Bearer realm="sync", DPoP realm="sync", $algs, ApiKey realm="sync"},
   'all that is taken here');
is(ask('/required/', 'Basic', 'YTpi')->header('www-authenticate'),
   qq{DPoP realm="sync", $algs}, 'or DPoP alone');

$r = ask('/on/', 'Bearer', $bound);
is($r->{status}, 401, 'a bound token as Bearer');
is($r->header('www-authenticate'), 'Bearer realm="sync", '
   . 'error="invalid_token", error_description="the token is bound to a key '
   . qq{and comes without proof", DPoP realm="sync", $algs},
   'is told how it would pass');
is($r->json->{type}, 'urn:sync:problem:invalid-token', 'as problem');
is(ask('/on/', 'Bearer', $bound, proof('/on/'))->{status}, 401,
   'also with a proof beside it');
is(ask('/off/', 'Bearer', $bound)->{status}, 401, 'and where DPoP is off');
is(ask('/off/', 'DPoP', $bound, proof('/off/'))->header('www-authenticate'),
   'Bearer realm="sync"', 'where the scheme is none');

$r = ask('/on/', 'DPoP', $bound);
refused($r, 'invalid_dpop_proof', 'no proof', 'the proof is missing');
is($r->json->{type}, 'urn:sync:problem:invalid-proof', 'as problem');
refused(with('/on/', [ proof('/on/'), proof('/on/') ]),
        'invalid_dpop_proof', 'two DPoP headers',
        'there is more than one proof');
refused(ask('/on/', 'DPoP', $free, proof('/on/', token => $free)),
        'invalid_token', 'a token that is not bound',
        'the token is not bound to a key');
refused(ask('/required/', 'Bearer', $free), 'invalid_token',
        'Bearer where DPoP is required', 'the token is not bound to a key');
is(ask('/on/', 'Bearer', $free)->{status}, 200, 'Bearer where it is not');
is(ask('/on/', 'Bearer', $free, 'rubbish')->{status}, 200,
   'and a proof that nobody asks for');
is(ask('/on/', 'dpop', $bound, proof('/on/'))->{status}, 200,
   'the scheme in any case');
is(ask('/on/', 'DPoP', '', proof('/on/'))->{status}, 400, 'no token at all');

for my $cnf ({}, undef, { kid => 'x' }, { jwk => {} }) {
    my $claims = { iss => 'https://acme.example', aud => $aud, azp => 'crm',
                   iat => time, exp => time + 300, cnf => $cnf };
    my $odd = $issuer->token({}, payload =>
                             Cpanel::JSON::XS->new->canonical->encode($claims));
    my $name = Cpanel::JSON::XS->new->allow_nonref->encode($cnf);

    is(ask('/on/', 'Bearer', $odd)->{status}, 401, "cnf $name as Bearer");
    is(ask('/on/', 'Bearer', $odd)->{status}, 401, "cnf $name, again");
    is(ask('/on/', 'DPoP', $odd, proof('/on/', token => $odd))->{status}, 401,
       "cnf $name with a proof");
}

# keys

for my $kid (qw(ES384 ES512 EdDSA RS256 PS384 PS512)) {
    my $token = $issuer->token({ cnf => { jkt => $client->thumbprint($kid) } });

    is(ask('/on/', 'DPoP', $token,
           proof('/on/', token => $token, kid => $kid))->{status}, 200,
       "a key for $kid");
}

refused(with('/on/', proof('/on/', kid => 'EdDSA')), 'invalid_dpop_proof',
        'another key',
        'the proof is by another key than that of the token');

# what a proof must be of

my %bad = (
    'another method' => [ { htm => 'POST' },
                          'the proof is for another method' ],
    'no method' => [ { htm => undef }, 'the proof is for another method' ],
    'another path' => [ { htu => "$base/on" },
                        'the proof is for another URL' ],
    'another host' => [ { htu => 'https://other.example/on/' },
                        'the proof is for another URL' ],
    'another scheme' => [ { htu => 'http://api.example/on/' },
                          'the proof is for another URL' ],
    'another port' => [ { htu => 'https://api.example:8443/on/' },
                        'the proof is for another URL' ],
    'another token' => [ { ath => 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksm'
                                  . 'QEo' },
                         'the proof is for another token' ],
    'no token' => [ { ath => undef }, 'the proof is for another token' ],
    'old' => [ { iat => time - 120 },
               'the proof is too old or from the future' ],
    'of the future' => [ { iat => time + 90 },
                         'the proof is too old or from the future' ],
    'no time' => [ { iat => undef }, 'the proof is not valid' ],
    'no id' => [ { jti => undef }, 'the proof is not valid' ],
    'an endless id' => [ { jti => 'x' x 300 }, 'the proof is not valid' ],
);

for (sort keys %bad) {
    my ($claims, $text) = @{ $bad{$_} };

    refused(with('/on/', proof('/on/', claims => $claims)),
            'invalid_dpop_proof', $_, $text);
}

my $jwk = $client->jwk('ES256');
my $private = $client->{keys}{ES256}{pk}->export_key_jwk('private', 1);
my %shape = (
    'another typ' => proof('/on/', header => { typ => 'JWT' }),
    'a private key' => proof('/on/', header => { jwk => $private }),
    'no key' => proof('/on/', header => { jwk => undef }),
    'alg none' => proof('/on/', alg => 'none'),
    'a shared secret' => proof('/on/', alg => 'HS256', secret => 'x' x 32,
        header => { jwk => { kty => 'oct', k => 'eHh4' x 11 } }),
    'a signature changed' => proof('/on/', tamper => 'signature'),
    'claims changed' => proof('/on/', tamper => 'payload'),
    'rubbish' => 'rubbish',
    'nothing' => '',
);

refused(with('/on/', $shape{$_}), 'invalid_dpop_proof', $_)
    for sort keys %shape;

is(with('/on/', proof('/on/', claims => { iat => time - 80 }))->{status},
   200, 'as old as it may be, and a clock behind');
is(with('/on/', proof('/on/', claims => { iat => time + 25 }))->{status},
   200, 'a clock ahead');
is(with('/young/', proof('/young/',
                         claims => { iat => time - 45 }))->{status}, 401,
   'dpop_age=');
is(with('/young/', proof('/young/',
                         claims => { iat => time - 20 }))->{status}, 200,
   'dpop_age= and the leeway');

# the URL, RFC 3986, 6

is(with("/on/%7ea?q=1", proof('', url => "$base/on/~a"))->{status}, 200,
   'escapes, and no query');
is(with('/on/a', proof('', url => 'HTTPS://API.example:443/on/x/../a?q#f'))
   ->{status}, 200, 'case, port, dots, query and fragment');
is(with('/on/%2f', proof('', url => "$base/on/%2F"))->{status}, 200,
   'escapes in capitals');
is(with('/on/%2f', proof('', url => "$base/on//"))->{status}, 401,
   'a slash is not its escape');

# behind a proxy

my @edge = (headers => [ 'X-Forwarded-Host' => 'edge.example' ]);

is(ask('/proxy/x', 'DPoP', $bound,
       proof('', url => 'https://edge.example/edge/proxy/x'), @edge)
   ->{status}, 200, 'sync_public_url by a variable, with a path');
is(ask('/proxy/x', 'DPoP', $bound, proof('/proxy/x'), @edge)->{status}, 401,
   'which is then the only one');
is(ask('/proxy/x', 'DPoP', $bound, proof('/proxy/x'))->{status}, 200,
   'for whom it concerns');
is(ask('/bad/?base=nothing', 'DPoP', $bound, proof('/bad/'))->{status}, 401,
   'a variable that gives no URL');

# other proofs beside it

is(ask('/on/', 'DPoP', $bound, proof('/on/'),
       headers => [ 'X-API-Key' => 'c4n4ry-key-0815' ])->{status}, 400,
   'with an API key');
like($t->raw("GET /on/ HTTP/1.1\r\nHost: acme.test\r\n"
             . "Authorization: DPoP x.y.z\r\n"
             . "Authorization: Bearer x.y.z\r\nConnection: close\r\n\r\n"),
     qr{^HTTP/1.1 400 }, 'with another token');

# NGINX' own ways

is(ask('/page/', 'DPoP', $bound)->{body}, "page\n", 'error_page wins');
my $once = proof('/jump/');
is(with('/jump/', $once)->{status}, 200, 'an internal redirect to it');
is(with('/jump/', $once)->{status}, 401, 'counts once, too');
$once = proof('/gone/');
is(with('/gone/', $once)->{status}, 200,
   'is no replay of itself where error_page leads on');
is(with('/gone/', $once)->{status}, 401, 'but the next one is');

$r = $t->h2('GET', '/h2', host => 'acme.test', port => 1,
            headers => [ Authorization => "DPoP $bound",
                         DPoP => proof('/h2') ]);
is($r->{status}, 200, 'HTTP/2');

is(with('/on/', proof('/on/'))->{status}, 200, 'the token is known by now');

# nonces

$r = with('/nonce/', proof('/nonce/'));
refused($r, 'use_dpop_nonce', 'no nonce',
        'the proof needs the nonce that is given here');

my $nonce = $r->header('dpop-nonce');

like($nonce, qr/^[\w-]{24}$/, 'and gets one');
like($r->header('cache-control'), qr/no-store/, 'that no cache keeps');
$r = with('/nonce/', proof('/nonce/', claims => { nonce => $nonce }));
is($r->{status}, 200, 'by which it passes');
is($r->header('dpop-nonce'), undef, 'no other one is needed');
is(with('/nonce/', proof('/nonce/', claims => { nonce => $nonce }))
   ->{status}, 200, 'nor for the next proof');
refused(with('/nonce/', proof('/nonce/', claims => { nonce => 'x' x 24 })),
        'use_dpop_nonce', 'a nonce of somebody\'s own');
refused(with('/short/', proof('/short/', claims => { nonce => $nonce })),
        'use_dpop_nonce', 'a nonce of another length');

$nonce = with('/short/', proof('/short/'))->header('dpop-nonce');
$t->wait_for(sub {
    my $r = with('/short/', proof('/short/', claims => { nonce => $nonce }));
    return $r->{status} == 200 && $r->header('dpop-nonce');
}, 3);
$r = with('/short/', proof('/short/', claims => { nonce => $nonce }));
ok($r->{status} == 401 || defined $r->header('dpop-nonce'),
   'a nonce of before passes and a new one comes along');
sleep 3;
is(with('/short/', proof('/short/', claims => { nonce => $nonce }))
   ->{status}, 401, 'an old one does not');

# the store is gone: nobody knows, so nobody passes

for my $fault (qw(down full)) {
    $t->request('GET', "/fault?fault=$fault", port => 2);
    $r = with('/on/', proof('/on/'));
    is($r->{status}, 503, "store $fault");
    is($r->json->{type}, 'urn:sync:problem:store-unavailable', 'says so');
    ok($r->header('retry-after'), 'and to come again');
    is(ask('/on/', 'Bearer', $free)->{status}, 200,
       'who needs no store needs none');
    $t->request('GET', '/fault?fault=clear', port => 2);
}

is(with('/on/', proof('/on/'))->{status}, 200, 'it is back');

# a client that goes while the store is asked

$t->request('GET', '/fault?fault=delay&ms=300', port => 2);
$t->abort('GET', '/on/', host => 'acme.test', after => 0.1,
          headers => [ Authorization => "DPoP $bound",
                       DPoP => proof('/on/') ]) for 1 .. 3;
$r = with('/on/', proof('/on/'));
is($r->{status}, 200, 'a store that is slow');
cmp_ok($r->{time}, '>', 0.2, 'is waited for');
$t->request('GET', '/fault?fault=clear', port => 2);

# load

my $server = 'server { listen 127.0.0.1:%%PORT_3%%;';
my $trust = "sync_tenants %%TESTDIR%%/tenants;";

$t->refused("$trust $server sync_tenant host; location / { "
            . 'sync_auth token dpop=on; return 200; } }',
            qr/sync_auth dpop needs sync_public_url/, 'no public URL');
$t->refused("$trust sync_public_url https://a; $server sync_tenant host; "
            . 'location / { sync_auth token dpop=on dpop_nonce=60s; '
            . 'return 200; } }', qr/dpop_nonce needs sync_secret/,
            'nonces without a secret');
$t->refused("$server location / { sync_auth $$_[0]; } }", $$_[1], $$_[0])
    for [ 'api_key dpop=on', qr/has "dpop" without "token"/ ],
        [ 'token dpop_age=5s', qr/"dpop_nonce" without "dpop"/ ],
        [ 'token dpop=yes', qr/invalid "dpop=yes"/ ],
        [ 'token dpop=on dpop_age=2h', qr/a time from 1 s to 3600 s/ ],
        [ 'token dpop=on dpop_nonce=0', qr/a time from 1 s to 86400 s/ ];
$t->refused("$server sync_public_url $$_[0]; }", $$_[1],
            "sync_public_url $$_[0]")
    for [ 'api.example', qr{begins with https://} ],
        [ 'https://a/?q', qr/it has no query/ ],
        [ 'https://u@a/', qr/no user stands before/ ],
        [ 'https://a; sync_public_url https://b', qr/is duplicate/ ];

$t->done;


SKIP: {
    skip 'no redis-server', 1 if !Test::Sync::Redis->available;

    my $redis = Test::Sync::Redis->start;

    $t = gateway($redis->url . ' timeout=200ms');
    both('redis');

    my $caught = proof('/on/');

    is(with('/on/', $caught)->{status}, 200, 'a proof');
    is(with('/on/', $caught)->{status}, 401, 'that was used');

    $redis->kill9;
    is(with('/on/', proof('/on/'))->{status}, 503, 'redis is gone');
    is(ask('/on/', 'Bearer', $free)->{status}, 200, 'Bearer goes on');
    $redis->again;
    ok($t->wait_for(sub { with('/on/', proof('/on/'))->{status} == 200 }, 10),
       'redis is back');

    # one worker may be back before the other

    for (200, 401) {
        $t->wait_for(sub {
            $r = with('/on/', $caught);
            return $r->{status} != 503;
        });
        is($r->{status}, $_, "what it has forgotten, once more: $_");
    }

    $t->done;
}

