#!/usr/bin/perl

# What stands in Redis after requests with a payload: all keys, all values,
# and the file that Redis keeps of them, hold nothing of it.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Test::Sync::Token;
use MIME::Base64 qw(encode_base64);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $canary = 'c4n4ry-iban-DE02120300000000202051';
my $redis = Test::Sync::Redis->start(
    config => [ appendonly => 'yes', appendfsync => 'always' ]);
my $t = Test::Sync->new(workers => 2);

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->canary($canary, 'c4n4ry-master-secret');

my $issuer = Test::Sync::Token->new(issuer => 'https://acme.example',
    claims => { aud => 'https://sync.example', sub => 'c4n4ry-ann',
                azp => 'crm', iban => $canary });

$issuer->key('k1', 'ES256');

$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    issuers => [ { issuer => 'https://acme.example', jwks => $issuer->jwks,
                   audience => 'https://sync.example' } ],
    clients => { crm => {} } });

$t->peer(erp => sub {
    my ($req) = @_;

    return { reset => 1, cut => 0 } if $req->{uri} =~ /lost/;
    return { status => 201, body => "paid from $canary",
             headers => ['Content-Type' => 'text/plain',
                         Location => "/o/$canary"] };
});

$t->http(<<CONF . <<'CONF');
    sync_store @{[ $redis->url ]} timeout=2s;
CONF
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;
    client_body_buffer_size   64k;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_auth   token;
        sync_limit  rate=1000/m key=$http_authorization;

        location / {
            sync_idempotency required;
            proxy_pass http://%%PEER_erp%%;
        }
        location /cut {
            sync_idempotency required cap=4;
            proxy_pass http://%%PEER_erp%%;
        }
    }
CONF

$t->start;

my $token = $issuer->token;


sub ask {
    my ($uri, $key) = @_;

    return $t->post($uri, "order $canary", Host => 'acme.test',
                    Authorization => "Bearer $token",
                    'Content-Type' => 'text/plain',
                    'Idempotency-Key' => "$key-c4n4ry");
}


# every key with its value, whatever it is, and the log of commands

sub dump_all {
    my @all;

    for my $key (@{ $redis->cmd('KEYS', '*') }) {
        my $type = $redis->cmd('TYPE', $key);
        my @what = $type eq 'hash' ? @{ $redis->cmd('HGETALL', $key) }
                 : $type eq 'zset' ? @{ $redis->cmd('ZRANGE', $key, 0, -1) }
                 : $type eq 'set' ? @{ $redis->cmd('SMEMBERS', $key) }
                 : $type eq 'list' ? @{ $redis->cmd('LRANGE', $key, 0, -1) }
                                   : $redis->cmd('GET', $key);

        push @all, $key, grep { defined } @what;
    }

    return join "\n", @all;
}


sub files {
    my $all = '';

    for my $file (glob($redis->dir . '/*.aof'),
                  glob($redis->dir . '/appendonlydir/*'))
    {
        open my $fh, '<:raw', $file or next;
        local $/;
        $all .= <$fh> // '';
    }

    return $all;
}


for (1 .. 2) {
    my $res = ask('/o/first', 'first');
    is($res->{status}, 201, $_ == 1 ? 'executed' : 'replayed');
    is($res->{body}, "paid from $canary", 'its body');
    is($res->header('Location'), "/o/$canary", 'its header');
}

is(ask('/cut/first', 'cut')->{status}, 201, 'an answer of which a part is kept');
is(ask('/lost', 'lost')->{status}, 504, 'an outcome that nobody knows');
is(ask('/lost', 'lost')->{status}, 409, 'which is kept, too') for 1 .. 2;

my %seen = (keys => dump_all(), files => files());

for my $where (sort keys %seen) {
    my $all = $seen{$where};

    cmp_ok(length $all, '>', 300, "$where: there is something");
    like($all, qr/t_acme/, '... the tenant, so that we know where we look');

    my ($body) = $token =~ /\.(.*)\./;
    my %never = (
        'payload, answer or claim' => $canary,
        'a piece of it' => 'iban-DE02',     # digits alone: also in times
        'a key of a client, a subject or a secret' => 'c4n4ry',
        'it in hex' => unpack('H*', $canary),
        'it in base64' => substr(encode_base64($canary, ''), 0, 40),
        'a token' => $token, 'its claims' => $body,
        'where it came from' => '127.0.0.1',
    );

    for my $what (sort keys %never) {
        is(index($all, $never{$what}), -1, "... nothing of $what");
    }
}

$t->done;
