#!/usr/bin/perl

# Tokens and clients that are revoked, also where the token is in a cache.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;

my $t = Test::Sync->new(workers => 2);

my $aud = 'https://sync.example';

my %issuer = map {
    $_ => Test::Sync::Token->new(issuer => "https://$_.example",
                                 claims => { aud => $aud, azp => 'crm' })
              ->key('k1', 'ES256')
} qw(acme platform);

$t->write('platform.jwks', $issuer{platform}->jwks);
$t->write('library/jwks/acme.json', $issuer{acme}->jwks);
$t->write("secrets/t_$_/key", "c4n4ry-revoked-$_-77aa") for qw(acme beta);
$t->canary("c4n4ry-revoked-$_-77aa") for qw(acme beta);

my %tenant = map {
    $_ => {
        tenant => $_, id => "t_$_", match => { hosts => ["$_.test"] },
        issuers => [ { issuer => 'https://acme.example',
                       jwks => 'jwks/acme.json', audience => $aud } ],
        clients => { crm => {}, shop => {},
                     partner => { api_keys => ['secret:key'] } },
    }
} qw(acme beta);

sub tenant {
    my ($name, %more) = @_;

    $t->write("tenants/$name.json", { %{ $tenant{$name} }, %more });
}

tenant('acme');
tenant('beta');
$t->write('revoked', "# nothing yet\n\n");
$t->write('broken', "jti\n");
$t->peer(up => sub { return [200, {}, 'up'] });

$t->http(<<'CONF');
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;
    sync_revoked %%TESTDIR%%/revoked;
    sync_issuer  https://platform.example audience=https://sync.example
                 jwks=%%TESTDIR%%/platform.jwks tenant_claim=tenant;
    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_auth   token api_key;

        location / { proxy_pass http://up; }
    }
CONF

$t->start;

sub ask {
    my ($token, $host) = @_;

    return $t->request('GET', '/', host => ($host // 'acme') . '.test',
                       headers => [Authorization => "Bearer $token"]);
}

sub status { return ask(@_)->{status} }

# what all workers say, each on connections of its own

sub all {
    my ($want, @ask) = @_;

    return $t->wait_for(sub {
        return 10 == grep { status(@ask) == $want } 1 .. 10;
    });
}

my $one = $issuer{acme}->token({ jti => 'j-1' });
my $two = $issuer{acme}->token({ jti => 'j-2' });
my $shop = $issuer{acme}->token({ azp => 'shop' });

# by a document

is(status($one), 200, 'a token, cached by both workers') for 1 .. 6;
is(status($one, 'beta'), 200, 'and elsewhere') for 1 .. 6;

tenant('acme', revoked => { jti => ['x', 'j-1', 'a'] });
ok(all(401, $one), 'revoked by its jti');

my $r = ask($one);
is($r->header('www-authenticate'), 'Bearer realm="sync", '
   . 'error="invalid_token", error_description="the token was revoked"',
   'and told so');
is($r->json->{type}, 'urn:sync:problem:invalid-token', 'as problem');
is(status($two), 200, 'another jti is not touched');
is(status($issuer{acme}->token({})), 200, 'nor is a token without one');
is(status($issuer{acme}->token({ jti => '' })), 200, 'or with an empty one');
is(status($issuer{acme}->token({ jti => 'j-1 ' })), 200,
   'octet for octet');
is(status($one, 'beta'), 200, 'another tenant says it for itself');
is(status($issuer{platform}->token({ tenant => 'acme', jti => 'j-1' })), 401,
   'whoever has issued it');

tenant('acme', revoked => { clients => ['crm', 'partner'] });
ok(all(401, $two), 'a client is revoked');
ok(all(200, $shop), 'another is not');

sub by_key {
    my ($tenant) = @_;

    return $t->request('GET', '/', host => "$tenant.test", headers =>
                       ['X-API-Key' => "c4n4ry-revoked-$tenant-77aa"]);
}

# a worker that did not answer any of the ten may be the last to know

ok($t->wait_for(sub { ($r = by_key('acme'))->{status} == 403 }),
   'its API key is good, and it is not let in');
is($r->json->{type}, 'urn:sync:problem:client-revoked', 'as problem');
is(by_key('beta')->{status}, 200, 'elsewhere it is');

tenant('acme', revoked => { jti => [], clients => [] });
ok(all(200, $one), 'and taken back');

tenant('acme', revoked => { jti => ['j-1', 'j-1', map { "n$_" } 1 .. 3000] });
ok(all(401, $one), 'one of many');
ok(all(200, $two), 'and none of them');

# by a file, tokens of the platform

my $p = $issuer{platform}->token({ tenant => 'beta', jti => 'p 1' });
my $b = $issuer{acme}->token({ jti => 'p 1' });

is(status($p, 'beta'), 200, 'a token of the platform, cached') for 1 .. 6;
is(status($b, 'beta'), 200, 'one of a tenant\'s issuer') for 1 .. 6;

$t->write('revoked', "# stolen\n\n  jti\tp 1 \r\njti other");
ok(all(401, $p, 'beta'), 'revoked by a file, without a reload');
is(status($b, 'beta'), 200, 'the tenant\'s issuer is not the platform\'s')
    for 1 .. 6;

$t->write('revoked', "jti p 1\nclients crm\n");
ok($t->wait_for(sub {
    status($p, 'beta');
    $t->log_text =~ /"client VALUE" is needed, in \S+revoked:2/;
}), 'a broken file is logged');
ok(all(401, $p, 'beta'), 'and the list before it goes on');

unlink $t->path('revoked');
ok($t->wait_for(sub {
    status($p, 'beta');
    $t->log_text =~ /revoked" cannot be read: there is no such file/;
}), 'so is a file that is gone');
ok(all(401, $p, 'beta'), 'which lifts nothing');

$t->write('revoked', "client crm\n");
ok(all(401, $issuer{platform}->token({ tenant => 'beta' }), 'beta'),
   'a client of the platform');
is(status($b, 'beta'), 200, 'and of nobody else');

$t->write('revoked', '');
ok(all(200, $p, 'beta'), 'an empty list');

# at load

$t->refused("sync_revoked %%TESTDIR%%/$_->[0]; server { listen "
            . '127.0.0.1:%%PORT_9%%; }', $_->[1], "refused: $_->[0]")
    for ['none', qr{none" is read live, and the workers' user cannot read it}],
        ['broken', qr/"client VALUE" is needed, in \S+broken:1/],
        ['revoked; sync_revoked x', qr/"sync_revoked" directive is duplicate/];

$t->done;
