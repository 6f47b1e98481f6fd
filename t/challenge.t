#!/usr/bin/perl

# Whom each step that refuses tells of which scheme: by what the location takes
# and by what came (RFC 6750, 3; RFC 9110, 11.6.1; RFC 9449, 7.1; RFC 9728,
# 5.1).

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;
use Test::Sync::Webhook;

my $aud = 'https://sync.example';
my $base = 'https://api.example';

my %key = (api => 'c4n4ry-challenge-key-4d11',
           shopify => 'c4n4ry-challenge-shop-9a02');

my $issuer = Test::Sync::Token->new(issuer => 'https://acme.example',
                                    claims => { aud => $aud, sub => 'ann',
                                                azp => 'crm', scope => 'x' });
my $client = Test::Sync::Token->new(issuer => 'client')->key('c', 'ES256');

$issuer->key('i1', 'ES256');

my $t = Test::Sync->new;

$t->canary($_) for values %key;

for my $name (qw(server cert)) {
    my $file = $t->path($name);

    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
           . "-nodes -days 2 -subj /CN=$name -keyout $file.key -out $file.crt "
           . '2>/dev/null') == 0 or die "openssl: $?";
}

my ($print) = `openssl x509 -in @{[ $t->path('cert.crt') ]} -noout \\
               -fingerprint -sha256` =~ /=(\S+)/;
my $pem = $t->read('cert.crt') =~ s/([^A-Za-z0-9-])/sprintf '%%%02X',
                                                       ord $1/ger;

$t->write("secrets/t_acme/$_", $key{$_}) for keys %key;
$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    issuers => [ { issuer => 'https://acme.example', jwks => $issuer->jwks,
                   audience => [$aud] } ],
    clients => {
        crm => {}, api => { api_keys => ['secret:api'] },
        shop => { signature => 'shopify', secrets => ['secret:shopify'] },
        cert => { certificates => [$print] },
    },
});
$t->peer(up => sub { return [ 200, {}, 'up' ] });

my $entity = 'sync_entity sales_order operation=create; '
             . 'proxy_pass http://$sync_upstream$sync_upstream_uri;';

$t->http(<<"CONF");
    sync_tenants    %%TESTDIR%%/tenants;
    sync_secrets    %%TESTDIR%%/secrets;
    sync_public_url $base;
    sync_client_certificate header=Client-Cert from=127.0.0.1;

    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_auth   token api_key certificate dpop=on
                    signature=shopify;

        proxy_http_version        1.1;
        proxy_set_header          Connection "";
        proxy_ignore_client_abort on;

        location /auth     { proxy_pass http://up; }
        location /scope    { sync_scope a b all; proxy_pass http://up; }
        location /claim    { sync_require role admin; proxy_pass http://up; }
        location /entity   { $entity }

        location /required {
            sync_auth token dpop=required;
            location /required/scope { sync_scope a; proxy_pass http://up; }
            location /required/claim { sync_require role admin;
                                       proxy_pass http://up; }
            location /required/auth  { proxy_pass http://up; }
        }

        location /off {
            sync_auth token api_key;
            location /off/scope { sync_scope a; proxy_pass http://up; }
            location /off/auth  { proxy_pass http://up; }
        }

        location /maybe {
            sync_auth token api_key certificate dpop=on optional
                      signature=shopify;
            location /maybe/scope  { sync_scope a; proxy_pass http://up; }
            location /maybe/claim  { sync_require role admin;
                                     proxy_pass http://up; }
            location /maybe/entity { $entity }
        }

        location /keys {
            sync_auth api_key optional;
            location /keys/scope { sync_scope a; proxy_pass http://up; }
            location /keys/auth  { sync_auth api_key; proxy_pass http://up; }
        }

        location /twice {
            sync_auth token;
            sync_scope a;
            error_page 401 = /off/auth;
            error_page 403 = /keys/auth;
            proxy_pass http://up;
        }

        location = /.well-known/oauth-protected-resource/scope {
            sync_metadata;
        }
        location = /.well-known/oauth-protected-resource/maybe/scope {
            sync_metadata;
        }
        location = /.well-known/oauth-protected-resource/required {
            sync_metadata;
        }
    }
CONF

$t->start;

my $free = $issuer->token;
my $bound = $issuer->token({ cnf => { jkt => $client->thumbprint } });
my $alien = Test::Sync::Token->new(issuer => 'https://acme.example',
                                   claims => { aud => $aud, azp => 'crm' })
            ->key('i1', 'ES256')->token;

my %shown = (
    nothing => sub { },
    bearer  => sub { (Authorization => "Bearer $free") },
    forged  => sub { (Authorization => "Bearer $alien") },
    broken  => sub { (Authorization => 'Bearer a,b') },
    dpop    => sub {
        (Authorization => "DPoP $bound",
         DPoP => $client->proof('POST', "$base$_[0]", $bound));
    },
    'dpop without a proof' => sub { (Authorization => "DPoP $bound") },
    'dpop, forged' => sub { (Authorization => "DPoP $alien") },
    'dpop, broken' => sub { (Authorization => 'DPoP a,b') },
    key     => sub { ('X-API-Key' => $key{api}) },
    'a wrong key' => sub { ('X-API-Key' => "$key{api}x") },
    'two keys' => sub { ('X-API-Key' => $key{api}, 'X-API-Key' => 'x') },
    'key and bearer' => sub { ('X-API-Key' => $key{api},
                               Authorization => "Bearer $free") },
    'key and dpop' => sub { ('X-API-Key' => $key{api},
                             Authorization => "DPoP $bound") },
    signature => sub { webhook('shopify', $key{shopify}, '{}') },
    'a wrong signature' => sub { webhook('shopify', 'x', '{}') },
    certificate => sub { ('Client-Cert' => $pem) },
);

my $algs = 'algs="RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 '
           . 'EdDSA"';
my $realm = 'realm="sync"';
my $meta = qq{resource_metadata="$base/.well-known/oauth-protected-resource};
my $all = qq{Bearer $realm, DPoP $realm, $algs, ApiKey $realm, }
          . qq{Signature $realm, Certificate $realm};

my %desc = (
    forged => qq{error="invalid_token"},
    less => qq{error="insufficient_scope"},
    bad => qq{error="invalid_request"},
    missing => qq{error="invalid_dpop_proof", }
               . qq{error_description="the proof is missing"},
    unbound => qq{error="invalid_token", }
               . qq{error_description="the token is not bound to a key"},
);

my @rows = (

    # where nothing came: all that is taken, and no error

    [ '/auth', 'nothing', 401, $all ],
    [ '/off/auth', 'nothing', 401, "Bearer $realm, ApiKey $realm" ],
    [ '/required/auth', 'nothing', 401, qq{DPoP $realm, $meta/required", }
                                        . $algs ],
    [ '/keys/auth', 'nothing', 401, "ApiKey $realm" ],

    # tokens that are none, and two proofs

    [ '/auth', 'forged', 401,
      "Bearer $realm, $desc{forged}, DPoP $realm, $algs" ],
    [ '/auth', 'dpop, forged', 401, "DPoP $realm, $desc{forged}, $algs" ],
    [ '/auth', 'dpop without a proof', 401,
      "DPoP $realm, $desc{missing}, $algs" ],
    [ '/required/auth', 'bearer', 401,
      qq{DPoP $realm, $desc{unbound}, $meta/required", $algs} ],
    [ '/auth', 'broken', 400, "Bearer $realm, $desc{bad}" ],
    [ '/auth', 'dpop, broken', 400, "DPoP $realm, $desc{bad}, $algs" ],
    [ '/auth', 'key and bearer', 400, "Bearer $realm, $desc{bad}" ],
    [ '/auth', 'key and dpop', 400, "DPoP $realm, $desc{bad}, $algs" ],
    [ '/required/auth', 'dpop, broken', 400,
      qq{DPoP $realm, $desc{bad}, $meta/required", $algs} ],

    # other proofs

    [ '/auth', 'a wrong key', 401, "ApiKey $realm" ],
    [ '/auth', 'a wrong signature', 401, "Signature $realm" ],
    [ '/auth', 'two keys', 400, undef ],

    # scopes, and claims: a token that says less is told by its scheme

    [ '/scope', 'bearer', 403,
      qq{Bearer $realm, $desc{less}, scope="a b", $meta/scope"} ],
    [ '/scope', 'dpop', 403,
      qq{DPoP $realm, $desc{less}, scope="a b", $meta/scope", $algs} ],
    [ '/claim', 'bearer', 403, "Bearer $realm, $desc{less}" ],
    [ '/claim', 'dpop', 403, "DPoP $realm, $desc{less}, $algs" ],
    [ '/required/scope', 'dpop', 403,
      qq{DPoP $realm, $desc{less}, scope="a", $meta/required", $algs} ],
    [ '/required/claim', 'dpop', 403,
      qq{DPoP $realm, $desc{less}, $meta/required", $algs} ],
    [ '/off/scope', 'bearer', 403, qq{Bearer $realm, $desc{less}, scope="a"} ],

    # who came without a token is not told of any

    (map { [ '/scope', $_, 403, undef ], [ '/claim', $_, 403, undef ] }
         qw(key signature certificate)),
    [ '/keys/scope', 'key', 403, undef ],

    # what is not for tokens to give

    (map { [ '/entity', $_, 403, undef ] }
         qw(bearer dpop key signature certificate)),

    # nobody, where that is let in: a token would do, or any proof

    [ '/maybe/scope', 'nothing', 401,
      qq{Bearer $realm, $meta/maybe/scope", }
      . qq{DPoP $realm, $meta/maybe/scope", $algs} ],
    [ '/maybe/claim', 'nothing', 401, "Bearer $realm, DPoP $realm, $algs" ],
    [ '/maybe/entity', 'nothing', 401, $all ],
    [ '/keys/scope', 'nothing', 401, "ApiKey $realm" ],

    # an error_page that leads where it is refused again: one challenge

    [ '/twice', 'nothing', 401, "Bearer $realm, ApiKey $realm" ],
    [ '/twice', 'bearer', 401, "ApiKey $realm" ],
);

for (@rows) {
    my ($uri, $what, $status, $challenge) = @$_;

    my $r = $t->request('POST', $uri, host => 'acme.test', body => '{}',
                        headers => [ 'Content-Type' => 'application/json',
                                     $shown{$what}->($uri) ]);
    my @told = map { $_->[1] } grep { lc $_->[0] eq 'www-authenticate' }
                               @{ $r->{headers} };

    is($r->{status}, $status, "$uri, $what: $status") or diag($r->{body});
    is_deeply(\@told, [ $challenge // () ],
              "$uri, $what: " . ($challenge ? 'its challenge'
                                            : 'no challenge'));
}

like($t->request('GET', '/auth', host => 'acme.test')->json->{detail},
     qr/one of those that WWW-Authenticate names/, 'as the problem says');

$t->done;
