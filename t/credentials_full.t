#!/usr/bin/perl

# Tokens for connectors where the zone that keeps them is too small: a request
# is refused or served, and the token server is not asked for each of them.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Https;
use Cpanel::JSON::XS qw(encode_json);
use Time::HiRes qw(time);

my $TENANTS = 60;

my $t = Test::Sync->new(workers => 2);
my $ca = Test::Sync::Https->ca;
my $dns = Test::Sync::Dns->start('as.test' => ['127.0.0.1']);

my $json = { 'Content-Type' => 'application/json' };

# a token of 2,600 bytes: some twenty of them are what the zone holds; those of
# /large/ are more than a single one may have there

my $as = $t->peer(as => sub {
    my ($req) = @_;
    my ($name) = $req->{uri} =~ m{^/(\w+)/token};

    return [ 200, $json, encode_json({
        access_token => "tok-$name-$req->{n}-"
                        . 'x' x ($name eq 'large' ? 6000 : 2600),
        token_type => 'Bearer', expires_in => 3600 }) ];
}, https => [ 'as.test' ]);

$t->peer(erp => sub {
    my ($req) = @_;
    my ($as) = ($req->{h}{authorization} // '') =~ /^Bearer tok-(\w+)-\d+-x+$/;

    return [ $as ? 200 : 401, $json, encode_json({ id => '1', as => $as }) ];
}, https => [ 'erp.test' ]);

$t->canary('tok-large');

sub tenant {
    my ($name) = @_;

    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.test"] },
        connectors => { erp => {
            upstream => 'erp', host => 'erp.test',
            credentials => { client_credentials => {
                token_url => "https://as.test:$as/$name/token",
                client_id => 'secret:id', client_secret => 'secret:secret' } },
            entities => { sales_order => { read => 'GET /orders/{id}' } } } },
        routes => [ { entity => 'sales_order', to => 'erp' } ] });

    $t->write("secrets/t_$name/id", 'us');
    $t->write("secrets/t_$name/secret", 'a secret');
}

tenant($_) for 'large', 'small', map { "many$_" } 1 .. $TENANTS;

$t->write('master.key', 'c4n4ry-master-secret-0123456789');

$t->http(<<"CONF");
    resolver 127.0.0.1:@{[ $dns->port ]} ipv6=off;
    sync_trusted_certificate $ca;
    sync_egress as.test:$as 127.0.0.1;

    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_secrets %%TESTDIR%%/secrets;
    sync_zone    keys:64k;

    upstream erp { server %%PEER_erp%%; keepalive 8; }

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_set_header          Host \$sync_upstream_host;
    proxy_set_header          Authorization \$sync_upstream_authorization;

    proxy_ssl_server_name         on;
    proxy_ssl_name                \$sync_upstream_tls_name;
    proxy_ssl_verify              on;
    proxy_ssl_trusted_certificate $ca;
    proxy_ssl_session_reuse       off;

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        sync_tenant host;

        location /v1/orders {
            sync_entity sales_order at=/v1/orders;
            proxy_pass  https://\$sync_upstream\$sync_upstream_uri;
        }
    }
CONF

$t->start;

sub asking {
    my ($name) = @_;
    return [ GET => '/v1/orders/1', headers => [ Host => "$name.test" ] ];
}

sub asked {
    my ($what) = @_;
    return scalar grep { $_->{uri} =~ m{^/$what/} } $t->ledger('as');
}


# one that never fits: asked for once, and not again for a while

my @res = map { $t->parallel(map { asking('large') } 1 .. 10) } 1 .. 5;

is(scalar(grep { $_->{status} == 503 } @res), 50, 'no room: all are refused');
is($res[-1]->json->{type}, 'urn:sync:problem:credentials-unavailable',
   'and told');
cmp_ok($res[-1]->header('Retry-After') // 0, '>=', 2, 'with a time');
is(asked('large'), 1, 'the token server was asked once');
my $told = qr/no room for the token of connector "erp" of tenant "large"/;
$t->log_like($told, 'the operator is told');
is(scalar(() = $t->log_text =~ /$told/g), 1, 'once');

is($t->request(@{ asking('small') })->{status}, 200, 'who fits is served');


# more than fit: the ones that were asked for longest ago give way, and what is
# asked for in their place is within the budget of the token server

my $began = time;
@res = ();
push @res, $t->parallel(map { asking("many$_") } 1 .. $TENANTS) for 1 .. 8;

my %n;
$n{ $_->{status} }++ for @res;

is(($n{200} // 0) + ($n{503} // 0), 8 * $TENANTS, 'served or refused');
cmp_ok($n{200} // 0, '>=', 150, 'served as long as the budget lasts');
cmp_ok(asked('many\d+'), '>', $TENANTS, 'tokens have given way to others');
cmp_ok(asked('many\d+'), '<=', 200 + 10 * (time - $began + 1),
       'the token server is not asked for each request');

is(scalar(grep { $_->{status} == 200
                 && $_->json->{as} !~ /^many\d+$/ } @res), 0,
   'each with a token');
is(scalar(grep { $_->{status} == 503 && !$_->header('Retry-After') } @res), 0,
   'who is refused knows when to come again');

$t->done;
