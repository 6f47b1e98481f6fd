#!/usr/bin/perl

# What a client may know before it has a token (RFC 9728), where it is told of
# it, and that 400, 401 and 403 are never mixed.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;

my $aud = 'https://sync.example';
my $t = Test::Sync->new;

my %issuer = map {
    $_ => Test::Sync::Token->new(issuer => "https://$_.example",
                                 claims => { aud => $aud, sub => 'ann',
                                             azp => 'crm' })
              ->key($_, 'ES256')
} qw(acme beta platform);

$t->write('platform.jwks', $issuer{platform}->jwks);
$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    issuers => [ { issuer => 'https://acme.example', audience => [$aud],
                   jwks => $issuer{acme}->jwks } ],
    clients => { crm => {} },
});
$t->write('tenants/beta.json', {
    tenant => 'beta', id => 't_beta', match => { hosts => ['beta.test'] },
    issuers => [ { issuer => 'https://beta.example', audience => [$aud],
                   jwks => $issuer{beta}->jwks } ],
    clients => { crm => {} },
});
$t->peer(up => sub { return [ 200, {}, 'up' ] });

$t->http(<<'CONF');
    sync_tenants    %%TESTDIR%%/tenants interval=20ms;
    sync_issuer     https://platform.example audience=https://sync.example
                    jwks=%%TESTDIR%%/platform.jwks tenant_claim=tenant;
    sync_public_url https://$host;

    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_auth   token api_key dpop=on;

        location / { proxy_pass http://up; }
        location /v1/orders {
            sync_scope orders:write;
            proxy_pass http://up;
        }
        location = /.well-known/oauth-protected-resource {
            sync_metadata scope=orders:read scope=orders:write;
        }
        location = /.well-known/oauth-protected-resource/v1/orders {
            sync_auth token dpop=required;
            sync_client_certificate tls;
            sync_metadata;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        sync_auth token;

        location / { proxy_pass http://up; }
    }

    # behind a proxy that takes a path away

    map $http_x_forwarded_prefix $prefix {
        default /edge;
        ~.      $http_x_forwarded_prefix;
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        sync_public_url https://API.example:443$prefix;
        sync_auth token dpop=on;

        location / { proxy_pass http://up; }

        location = /.well-known/oauth-protected-resource {
            sync_metadata;
        }
        location = /.well-known/oauth-protected-resource/v1/orders {
            sync_metadata;
        }
        location = /.well-known/oauth-protected-resource/edge/v1/orders {
            rewrite ^ /.well-known/oauth-protected-resource/v1/orders last;
        }
    }
CONF

$t->start;

my $well = '/.well-known/oauth-protected-resource';

sub ask {
    my ($uri, %opt) = @_;

    return $t->request($opt{method} // 'GET', $uri,
                       host => $opt{host} // 'acme.test',
                       headers => $opt{headers} // []);
}

sub bearer { return headers => [ Authorization => "Bearer $_[0]" ] }

my @algs = qw(RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA);

my $r = ask($well);

is($r->{status}, 200, 'metadata, without a proof');
is($r->header('content-type'), 'application/json', 'as JSON');
is_deeply($r->json, {
    resource => 'https://acme.test',
    authorization_servers => [ 'https://acme.example',
                               'https://platform.example' ],
    scopes_supported => [ 'orders:read', 'orders:write' ],
    bearer_methods_supported => ['header'],
    dpop_signing_alg_values_supported => \@algs,
}, 'of the whole host');

is_deeply(ask("$well/v1/orders")->json, {
    resource => 'https://acme.test/v1/orders',
    authorization_servers => [ 'https://acme.example',
                               'https://platform.example' ],
    bearer_methods_supported => ['header'],
    dpop_signing_alg_values_supported => \@algs,
    dpop_bound_access_tokens_required => Cpanel::JSON::XS::true(),
    tls_client_certificate_bound_access_tokens => Cpanel::JSON::XS::true(),
}, 'of a path');

is_deeply([ map { ask($well, host => $_)->json->{resource},
                  ask($well, host => $_)->json->{authorization_servers}[0] }
                'beta.test' ],
          [ 'https://beta.test', 'https://beta.example' ],
          'of another tenant');
is(ask($well, host => 'nobody.test')->{status}, 404, 'of nobody');
is(ask("$well/v2")->{status}, 401, 'of what has none: like anything else');
is(ask($well, method => 'POST')->{status}, 405, 'it is read only');
$r = ask($well, method => 'HEAD');
is("$r->{status} $r->{body}", '200 ', 'HEAD');

# where it is told

$r = ask('/x');
like($r->header('www-authenticate'),
     qr{^Bearer realm="sync", resource_metadata="https://acme.test$well", DPoP realm="sync", resource_metadata="https://acme.test$well", algs=},
     'a challenge names it');
like(ask('/v1/orders/7')->header('www-authenticate'),
     qr{resource_metadata="https://acme.test$well/v1/orders"},
     'the nearest one');
like(ask('/v1/ordersx')->header('www-authenticate'),
     qr{resource_metadata="https://acme.test$well"},
     'which ends where a segment does');
is($t->request('GET', '/x', port => 1)->header('www-authenticate'),
   'Bearer realm="sync"', 'another server has none');

# where the public URL has a path: the well-known path stands before it, and
# what that URL was made of is what the metadata say (RFC 9728, 3.1 and 3.3)

for ([ '/x', '', undef, '/edge' ],
     [ '/v1/orders/7', '/v1/orders', undef, '/edge/v1/orders' ],
     [ '/v1/orders', '/v1/orders', '/a/b/', '/a/b/v1/orders' ],
     [ '/x', '', '/a/', '/a' ],
     [ '/x', '', '/', '' ],
     [ '/v1/orders', '/v1/orders', '/%7ea', '/~a/v1/orders' ])
{
    my ($uri, $path, $prefix, $public) = @$_;
    my @prefix = defined $prefix ? ('X-Forwarded-Prefix' => $prefix) : ();
    my $name = "$uri at " . ($public || 'a host');
    my $url = "https://api.example$well$public";

    is($t->request('GET', $uri, port => 2, headers => \@prefix)
         ->header('www-authenticate'),
       qq{Bearer realm="sync", resource_metadata="$url", }
       . qq{DPoP realm="sync", resource_metadata="$url", algs="@algs"},
       "$name: where the metadata are");
    is($t->request('GET', "$well$path", port => 2, headers => \@prefix)
         ->json->{resource}, "https://api.example$public",
       "$name: and of what");
}

is($t->request('GET', "$well/edge/v1/orders", port => 2)->json->{resource},
   'https://api.example/edge/v1/orders', 'a proxy that leaves the path there');

for ('/a"b', '/a\\b') {
    is($t->request('GET', '/x', port => 2,
                   headers => [ 'X-Forwarded-Prefix' => $_ ])
         ->header('www-authenticate'),
       qq{Bearer realm="sync", DPoP realm="sync", algs="@algs"},
       "$_ does not get out of its quotes");
}

# 400, 401 and 403, a row each

my $good = $issuer{acme}->token;
my $old = $issuer{acme}->token({ exp => time - 60 });
my $evil = $issuer{beta}->token({ iss => 'https://acme.example' });
my $foreign = $issuer{beta}->token;
my $nobody = $issuer{acme}->token({ azp => 'nobody' });

my @rows = (
    [ 'nothing', '/x', [], 401, undef ],
    [ 'two proofs', '/x', [ Authorization => "Bearer $good",
                            'X-API-Key' => 'c4n4ry-key-0001' ],
      400, 'invalid_request' ],
    [ 'no token', '/x', [ Authorization => 'Bearer a,b' ], 400,
      'invalid_request' ],
    [ 'old', '/x', [ Authorization => "Bearer $old" ], 401,
      'invalid_token' ],
    [ 'forged', '/x', [ Authorization => "Bearer $evil" ], 401,
      'invalid_token' ],
    [ 'no proof of its key', '/x', [ Authorization => "DPoP " .
        $issuer{acme}->token({ cnf => { jkt =>
                               $issuer{acme}->thumbprint } }) ],
      401, 'invalid_dpop_proof' ],
    [ 'a wrong API key', '/x', [ 'X-API-Key' => 'c4n4ry-key-0002' ], 401,
      undef ],
    [ 'another tenant\'s', '/x', [ Authorization => "Bearer $foreign" ],
      403, '' ],
    [ 'an unknown client', '/x', [ Authorization => "Bearer $nobody" ],
      403, '' ],
    [ 'without the scope', '/v1/orders', [ Authorization =>
                                           "Bearer $good" ],
      403, 'insufficient_scope' ],
    [ 'well', '/x', [ Authorization => "Bearer $good" ], 200, '' ],
);

for (@rows) {
    my ($name, $uri, $headers, $status, $error) = @$_;

    $r = ask($uri, headers => $headers);

    my $challenge = $r->header('www-authenticate');

    is($r->{status}, $status, "$name: $status");

    if (!defined $error) {
        ok($challenge && $challenge !~ /error=/, "$name: a challenge alone");

    } elsif ($error) {
        like($challenge, qr/error="$error"/, "$name: $error");

    } else {
        is($challenge, undef, "$name: no challenge");
    }
}

like(ask('/v1/orders', bearer($good))->header('www-authenticate'),
     qr/scope="orders:write"/, 'and which scope');

# load

my $server = 'server { listen 127.0.0.1:%%PORT_3%%;';

$t->refused("$server $$_[0] }", $$_[1], $$_[0])
    for [ "location $well { sync_metadata; }", qr/needs an exact location/ ],
        [ "location = $well/ { sync_metadata; }",
          qr/needs a location without the slash at its end/ ],
        [ 'location = /x { sync_metadata; }', qr/needs a location "= / ],
        [ "location = ${well}x { sync_metadata; }", qr/needs a location "= / ],
        [ "location = $well { sync_metadata scopes; }",
          qr/invalid "scopes" of "sync_metadata"/ ],
        [ "location = $well { sync_metadata; }",
          qr/sync_metadata needs sync_public_url/ ],
        [ "sync_public_url https://a; location = $well { sync_metadata; "
          . 'sync_metadata; }', qr/is duplicate/ ];

$t->done;
