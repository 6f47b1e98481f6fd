#!/usr/bin/perl

# A key that its issuer has taken back: tokens that were verified by it are
# worth nothing at the next look at the file, whoever has read it before.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;

my $t = Test::Sync->new(workers => 1);

my %opt = (issuer => 'https://acme.example',
           claims => { aud => 'https://sync.example', azp => 'crm' });

my $lost = Test::Sync::Token->new(%opt)->key('lost', 'ES256');
my $next = Test::Sync::Token->new(%opt)->key('next', 'ES256');

$t->peer(up => sub { return [ 200, {}, 'up' ] });

$t->write('library/jwks.json', $lost->jwks);
$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    issuers => [ { issuer => 'https://acme.example', jwks => 'jwks.json',
                   audience => 'https://sync.example' } ],
    clients => { crm => {} } });

$t->http(<<'CONF');
    sync_tenants %%TESTDIR%%/tenants interval=2s;
    sync_library %%TESTDIR%%/library;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_auth   token;

        location / { proxy_pass http://%%PEER_up%%; }
    }
CONF

$t->start;

my %token = (lost => $lost->token, next => $next->token);

sub status {
    return $t->request('GET', '/', host => 'acme.test', headers =>
                       [ Authorization => "Bearer $token{$_[0]}" ])->{status};
}

is(status('lost'), 200, 'a key of the set');
is(status('next'), 401, 'a key that is not');

# the new worker has read nothing yet: the first token makes it read

$t->reload;
$t->write('library/jwks.json', $next->jwks);

is(status('next'), 200, 'the key that has taken its place');
ok($t->wait_for(sub { return status('lost') == 401 }, 10),
   'a token of the key that is gone is refused, verified before or not');
is(status('next'), 200, 'the other is still good');

$t->done;
