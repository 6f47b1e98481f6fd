#!/usr/bin/perl

# Credentials are for the connector alone: not for whom an error_page asks
# instead of it, nor for who is sent a copy.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new(workers => 2);

my %secret = (
    user => 'sync',
    password => $t->canary('c4n4ry-password'),
    key => $t->canary('c4n4ry-key'),
    csrf => $t->canary('c4n4ry-csrf'),
);

my %kinds = (
    basic => { basic => { user => 'secret:user',
                          password => 'secret:password' } },
    auth  => { api_key => { header => 'Authorization',
                            value => 'secret:key' } },
    key   => { api_key => { header => 'X-Key', value => 'secret:key' } },
    body  => { body => { pointer => '/key', value => 'secret:key' } },
);

my $session = {
    request => 'GET /login', headers => { 'X-CSRF-Token' => 'Fetch' },
    take => { token => 'header:X-CSRF-Token', cookies => \1 },
    send => { 'X-CSRF-Token' => '{token}' },
    expired => { status => 403, header => { 'X-CSRF-Token' => 'Required' } },
};

my $ok = [ 201, { 'Content-Type' => 'application/json' }, '{"id":"1"}' ];

$t->peer(erp => sub {
    my ($req, $ctl) = @_;

    return [ 200, { 'X-CSRF-Token' => $secret{csrf},
                    'Set-Cookie' => "SAP=$secret{csrf}" }, '' ]
        if $req->{uri} eq '/login';

    return $req->{uri} =~ /lost/ ? { cut => 0, hangup => 1 } : $ok;
});
$t->peer($_ => sub { return $ok }) for qw(other copy);

for my $name (sort(keys %kinds), 'sap') {
    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name", match => { hosts => ["$name.test"] },
        connectors => { erp => {
            upstream => 'erp',
            ($name eq 'sap' ? (session => $session)
                            : (credentials => $kinds{$name})),
            entities => { sales_order => {
                create => 'POST /orders',
                read => 'GET /orders/{id}', update => 'PATCH /orders/{id}' } } } },
        routes => [ { entity => 'sales_order', to => 'erp' } ] });

    $t->write("secrets/t_$name/$_", $secret{$_}) for keys %secret;
}

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->http(<<'CONF');
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp   { server %%PEER_erp%%; }
    upstream other { server %%PEER_other%%; }
    upstream copy  { server %%PEER_copy%%; }

    proxy_http_version 1.1;
    proxy_set_header   Connection    "";
    proxy_set_header   Authorization $sync_upstream_authorization;
    proxy_set_header   Cookie        $sync_upstream_cookie;
    proxy_set_header   X-Pem         $sync_upstream_certificate_key;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;

        location /orders {
            sync_entity  sales_order at=/orders;
            proxy_method $sync_upstream_method;
            error_page   502 504 = @other;
            proxy_pass   http://$sync_upstream$sync_upstream_uri;
        }
        location @other { proxy_pass http://other; }

        location /twice {
            sync_entity  sales_order at=/twice;
            proxy_method $sync_upstream_method;
            mirror       /copy;
            proxy_pass   http://$sync_upstream$sync_upstream_uri;
        }
        location = /copy { internal; proxy_pass http://copy; }
    }
CONF

$t->start;

sub ask {
    my ($name, $method, $uri) = @_;

    return $t->request($method, $uri, body => '{"a":1}', headers => [
        Host => "$name.test", 'Content-Type' => 'application/json',
        'X-Extra' => 'mine' ]);
}

sub all { return join "\n", map { "@$_" } @{ $_[0]{headers} } }

for my $name (sort(keys %kinds), 'sap') {

    is(ask($name, POST => '/orders')->{status}, 201, "$name: booked");

    my ($seen) = reverse $t->ledger('erp');
    like(all($seen) . $seen->{body}, qr/c4n4ry|Basic /,
         "$name: by who has credentials");

    # the connector is lost, and an error_page asks somebody else

    my $n = $t->ledger('other');
    is(ask($name, PATCH => '/orders/lost')->{status}, 201, "$name: led on");
    is($t->ledger('other'), $n + 1, 'to another upstream');

    ($seen) = reverse $t->ledger('other');
    unlike(all($seen), qr/c4n4ry|Basic |SAP|data:/,
           "$name: no credentials in the headers");
    is($seen->{body}, '{"a":1}', 'nor in the body');

    # somebody is sent a copy

    $n = $t->ledger('copy');
    is(ask($name, POST => '/twice')->{status}, 201, "$name: with a mirror");

    ($seen) = reverse $t->ledger('erp');
    like(all($seen) . $seen->{body}, qr/c4n4ry|Basic /,
         "$name: the connector has its credentials");

    if ($name eq 'body') {
        $t->log_like(qr/has credentials in it, a subrequest may not take/,
                     'a body with a secret is not copied');
        is($t->ledger('copy'), $n, 'nobody has it');
        next;
    }

    ok($t->wait_for(sub { $t->ledger('copy') == $n + 1 }), 'is copied');

    ($seen) = reverse $t->ledger('copy');
    unlike(all($seen) . $seen->{body}, qr/c4n4ry|Basic |SAP|data:/,
           "$name: without credentials");
    is($seen->{body}, '{"a":1}', 'whole');
}

$t->done;
