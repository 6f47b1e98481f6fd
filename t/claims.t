#!/usr/bin/perl

# What an issuer calls things: client, tenant, scopes and plan by the name of
# a claim, or by a JSON Pointer into the claims.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;

my $t = Test::Sync->new(workers => 2);

my $aud = 'https://sync.example';

my %issuer = map {
    $_ => Test::Sync::Token->new(issuer => "https://$_.example",
                                 claims => { aud => $aud })
              ->key('k1', 'ES256')
} qw(acme platform);

$t->write('platform.jwks', $issuer{platform}->jwks);
$t->write('library/jwks/acme.json', $issuer{acme}->jwks);

my %acme = (
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    issuers => [ { issuer => 'https://acme.example',
                   jwks => 'jwks/acme.json', audience => $aud,
                   client_claim => '/app/id', tenant_claim => '/org/0/name',
                   scope_claim => '/realm_access/roles',
                   plan_claim => 'tier' } ],
    plans => { small => { limits => [ { rate => '2/day' } ] },
               large => { limits => [ { rate => '5/day' } ] } },
    clients => { crm => { plan => 'small' }, free => {} },
);

$t->write('tenants/acme.json', \%acme);
$t->peer(up => sub { return [200, {}, 'up'] });

$t->http(<<'CONF');
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_issuer  https://platform.example audience=https://sync.example
                 jwks=%%TESTDIR%%/platform.jwks tenant_claim=/ids/tenant
                 client_claim=/ids/client scope_claim=permissions
                 plan_claim=/ids/plan;
    upstream up { server %%PEER_up%%; }
    add_header X-Who "$sync_client|$sync_scope" always;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_auth   token;

        location /        { proxy_pass http://up; }
        location /read/   { sync_scope orders:read; proxy_pass http://up; }
        location /limited/ { sync_limit plan; proxy_pass http://up; }
    }
CONF

$t->start;

sub ask {
    my ($uri, $from, $claims) = @_;

    return $t->request('GET', $uri, host => 'acme.test', headers =>
        [ Authorization => 'Bearer ' . $issuer{$from}->token($claims) ]);
}

sub acme {
    my ($uri, %more) = @_;

    return ask($uri, 'acme', { app => { id => 'crm' },
                               org => [ { name => 'acme' } ], %more });
}

# documents

my $r = acme('/', realm_access => { roles => ['orders:read', 'b'] });
is($r->{status}, 200, 'client and tenant by pointers');
is($r->header('x-who'), 'crm|orders:read b', 'scopes, too');

is(acme('/read/', realm_access => { roles => ['orders:read'] })->{status},
   200, 'a scope of that claim');
is(acme('/read/', realm_access => { roles => ['b'] })->{status}, 403,
   'another one');
is(acme('/read/', scope => 'orders:read')->{status}, 403,
   'not of the claim that is usual');
is(acme('/', realm_access => { roles => ['a b'] })->{status}, 401,
   'what is no scope spoils the token');
is(acme('/', org => [ { name => 'beta' } ])->{status}, 403,
   'another tenant\'s');
is(acme('/', org => [])->{status}, 401, 'no tenant');
is(acme('/', org => { 0 => { name => 7 } })->{status}, 401,
   'a tenant of another type');
is(acme('/', app => {})->{status}, 403, 'no client');

# plans

is(join(' ', map { acme('/limited/')->{status} } 1 .. 3), '200 200 429',
   'the client\'s plan where the token names none');
is(join(' ', map { acme('/limited/', tier => 'large')->{status} } 1 .. 6),
   '200 200 200 200 200 429', 'the plan that it names');
is(acme('/limited/', tier => '')->{status}, 429, 'an empty one is none');
is(acme('/limited/', app => { id => 'free' })->{status}, 200,
   'a client without a plan') for 1 .. 3;
is(join(' ', map {
       acme('/limited/', app => { id => 'free' }, tier => 'small')->{status}
   } 1 .. 3), '200 200 429', 'has the one that its token names');

$r = acme('/limited/', tier => 'unlimited');
is($r->{status}, 403, 'a plan that the document does not have');
is($r->json->{type}, 'urn:sync:problem:unknown-plan', 'is unknown');
is(acme('/', tier => 'unlimited')->{status}, 403, 'wherever it is asked');
is(acme('/', tier => ['large'])->{status}, 401, 'a plan is a string');

# sync_issuer

$r = ask('/', 'platform', { ids => { tenant => 't_acme', client => 'crm' },
                            permissions => 'orders:read' });
is($r->{status}, 200, 'an issuer of the platform');
is($r->header('x-who'), 'crm|orders:read', 'by its own names');
is(ask('/limited/', 'platform',
       { ids => { tenant => 'acme', client => 'crm', plan => 'large' } })
       ->{status}, 429, 'the plan that it names, the bucket of the client');
is(ask('/', 'platform', { tenant => 'acme', azp => 'crm' })->{status}, 401,
   'and by no other');

$t->done;
