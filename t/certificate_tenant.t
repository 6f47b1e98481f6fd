#!/usr/bin/perl

# sync_tenant certificate: the tenant is found by the certificate of one of its
# clients.  No certificate finds two.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Pki;

my $t = Test::Sync->new(workers => 2);
my $pki = Test::Sync::Pki->new($t);

$pki->issue(erp => '/O=Acme/CN=erp');
$pki->issue(shop => '/CN=shop', 'DNS:shop.acme.example,DNS:www.acme.example');
$pki->issue(globex => '/CN=globex', 'URI:spiffe://globex/erp');
$pki->issue(globex2 => '/CN=globex2', 'DNS:shop.acme.example');
$pki->issue(both => '/CN=both', 'DNS:shop.acme.example,URI:spiffe://globex/erp');
$pki->issue(down => '/CN=down', 'DNS:down.example');
$pki->issue(down2 => '/O=Acme/CN=erp', 'DNS:shop.acme.example');
$pki->issue(wild => '/CN=wild', 'DNS:*.acme.example');
$pki->issue(hosted => '/CN=hosted', 'DNS:hosted.example');
$pki->issue(nobody => '/CN=nobody');
$pki->self(liar => '/O=Acme/CN=erp');

sub document {
    my ($name, %clients) = @_;

    return { tenant => $name, id => "t_$name",
             match => { certificates => 'clients' }, clients => \%clients };
}

sub known { return { certificates => [@_] } }

my $acme = document('acme',
                    erp => known({ subject_dn => $pki->subject('erp') }),
                    shop => known({ san_dns => 'Shop.acme.example' }));
my $globex = document('globex',
                      'erp/2' => known($pki->sha256('globex2'),
                                     { san_uri => 'spiffe://globex/erp' }));

$t->write('tenants/acme.json', $acme);
$t->write('tenants/globex.json', $globex);
$t->write('tenants/second.json', document('second',
          'a/b' => known({ san_dns => 'new.example' },
                         { san_dns => 'shop.ACME.example' })));
$t->write('tenants/broken.json', { %{ document('broken',
          a => known(7, {}, { san_dns => '*' }, { san_dns => 'Down.example' },
                     $pki->sha256('down2'))) }, wrong => 1 });

# the same names, of a tenant that is not found by them

$t->write('tenants/hosted.json', { tenant => 'hosted', id => 't_hosted',
    match => { hosts => ['hosted.test'] },
    clients => { a => known({ san_dns => 'shop.acme.example' },
                            { san_dns => 'hosted.example' }) } });

$t->peer(up => sub { return [ 200, {}, 'up' ] });

$t->http(<<'CONF');
    sync_tenants    %%TESTDIR%%/tenants interval=20ms;

    upstream up { server %%PEER_up%%; }

    ssl_certificate         %%TESTDIR%%/server.crt;
    ssl_certificate_key     %%TESTDIR%%/server.key;
    ssl_client_certificate  %%TESTDIR%%/ca.crt;

    large_client_header_buffers 4 16k;

    sync_tenant certificate;
    sync_client_certificate tls;

    add_header X-Is "$sync_tenant_name $sync_client" always;

    server {
        listen 127.0.0.1:%%PORT_0%% ssl http2;
        ssl_verify_client optional;
        sync_auth certificate;

        location /        { proxy_pass http://up; }
        location /early   { set $early "$sync_tenant_name";
                            add_header X-Is "$early $sync_client" always;
                            proxy_pass http://up; }
        location /moved/  { error_page 502 = /again/;
                            proxy_pass http://127.0.0.1:1; }
        location /again/  { proxy_pass http://up; }
        location /named/  { try_files /nothing @named; }
        location @named   { proxy_pass http://up; }
        location /sub/    { sync_auth off;
                            auth_request /ask;
                            auth_request_set $asked $upstream_http_x_asked;
                            add_header X-Is "$sync_tenant_name $asked" always;
                            proxy_pass http://up; }
        location = /ask   { internal; sync_auth off;
                            proxy_set_header X-Asked $sync_tenant_name;
                            proxy_pass http://127.0.0.1:%%PORT_3%%; }
        location /host/   { sync_tenant host; proxy_pass http://up; }
        location /off/    { sync_tenant off; sync_auth off;
                            proxy_pass http://up; }
        location /none/   { sync_client_certificate header=Client-Cert
                                from=192.0.2.1 verified;
                            proxy_pass http://up; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%% ssl;
        ssl_verify_client optional_no_ca;
        sync_auth certificate;
        location / { proxy_pass http://up; }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        sync_auth certificate;
        sync_client_certificate header=Client-Cert from=127.0.0.1
                                verified=Client-Verify;
        location /         { proxy_pass http://up; }
        location /strange/ { sync_client_certificate header=Client-Cert
                                 from=192.0.2.1 verified=Client-Verify;
                             proxy_pass http://up; }
    }

    server {
        listen 127.0.0.1:%%PORT_3%%;
        sync_tenant off;
        location / { add_header X-Asked "asked-$http_x_asked";
                     return 204; }
    }
CONF

$t->start;

sub is_who {
    my ($name, $uri, $port, %args) = @_;

    return join ', ', map { join ' ', $_->{status}, $_->{h}{'x-is'} // () }
                          $pki->shown($uri // '/', $name, port => $port // 0,
                                      host => 'x', %args);
}

sub problem {
    my ($name, $uri) = @_;

    my $r = $t->request('GET', $uri // '/', port => 2, host => 'x',
                        headers => [ 'Client-Verify' => 'SUCCESS',
                                     'Client-Cert' => $pki->sequence($name) ]);

    return "$r->{status} " . ($r->{status} == 200 ? $r->header('X-Is')
                                                  : $r->json->{type});
}

is(is_who('erp'), '200 acme erp', 'by subject');
is(is_who('shop'), '200 acme shop', 'by one of two hosts');
is(is_who('globex'), '200 globex erp/2', 'by URI: another tenant');
is(is_who('globex2'), '200 globex erp/2', 'the digest goes before a host');
is(is_who('both'), '400  ', 'the names of two tenants');
$t->log_like(qr/tenant: a certificate has the names of two tenants/,
             'is logged');
is(is_who('nobody'), '404  ', 'a certificate that nobody has');
is(is_who('wild'), '404  ', 'a wildcard');
is(is_who(undef), '404  ', 'none');
is(is_who('down2'), '503  ', 'it is its document that is broken');
is(is_who('hosted'), '404  ', 'of a tenant that is not found so');
is(is_who('liar', '/', 1), '404  ', 'what is not verified');
is(is_who('erp', '/', 1), '200 acme erp', 'and what is');
is(is_who('globex2', '/', 1), '200 globex erp/2', 'by digest there, too');

# by a proxy

is(problem('erp'), '200 acme erp', 'a proxy of ours');
is(problem('erp', '/strange/'), '404 urn:sync:problem:unknown-tenant',
   'somebody else');
is(problem('both'), '400 urn:sync:problem:tenant-ambiguous', 'two of them');
is(problem('nobody'), '404 urn:sync:problem:unknown-tenant', 'nobody\'s');
is(problem('down'), '503 urn:sync:problem:tenant-misconfigured',
   'one whose document never was good');

# in other phases and places

is(is_who('erp', '/early'), '200 acme erp', 'asked in REWRITE');
is(is_who('erp', '/moved/'), '200 acme erp', 'an internal redirect');
is(is_who('erp', '/named/'), '200 acme erp', 'a named location');
is(is_who('erp', '/sub/'), '200 acme asked-acme', 'a subrequest');
is(is_who('erp', '/host/'), '404  ', 'a location that asks the host');
is(is_who('shop', '/host/', 0, host => 'hosted.test'), '200 hosted a',
   'another tenant\'s client by the same name');
is(is_who('erp', '/off/'), '200  ', 'off');
is(is_who('erp', '/none/'), '404  ', 'where it is not looked at');
is(is_who('erp', '/', 0, args => ['--http2']), '200 acme erp', 'HTTP/2');
is(is_who('globex', ['/', '/early', '/'], 0, args => ['--http1.1']),
   '200 globex erp/2, 200 globex erp/2, 200 globex erp/2',
   'a connection that is kept');

# one owner

$t->log_like(qr{second\.json" is refused: at "/clients/a~1b/certificates/1": certificate "san_dns=shop\.acme\.example" belongs to the tenant acme already, "acme\.json" at "/clients/shop/certificates/0"; take it out},
             'two documents, and where they have it');

# live: a name moves from one tenant to another

sub until_is {
    my ($want, $name) = @_;

    return $t->wait_for(sub {
        for (1 .. 6) {
            return 0 if is_who($name) ne $want;
        }
        return 1;
    });
}

$acme->{clients}{shop} = known({ san_dns => 'www.acme.example' });
$t->write('tenants/acme.json', $acme);
ok(until_is('400  ', 'shop'), 'it is free, and the document that waited has it');

$t->write('tenants/second.json', document('second', a => {}));
ok(until_is('200 acme shop', 'shop'), 'its other host is left');
is(is_who('both'), '200 globex erp/2', 'and what was two tenants\' is one\'s');

$globex->{clients}{shop} = known({ san_dns => 'shop.acme.example' });
$t->write('tenants/globex.json', $globex);
ok(until_is('400  ', 'shop'), 'another tenant takes the first');

$t->write('tenants/acme.json', document('acme'));
ok(until_is('200 globex shop', 'shop'), 'and has it alone');
is(is_who('erp'), '404  ', 'a client that is gone');

ok($t->reload, 'reload');
is(is_who('shop'), '200 globex shop', 'as before') for 1 .. 2;

# load

my $strict = 'sync_tenants %%TESTDIR%%/two strict; server { listen '
             . '127.0.0.1:%%PORT_4%%; sync_tenant certificate; '
             . 'sync_client_certificate tls; }';

$t->write('two/acme.json', document('acme',
          a => known($pki->sha256('shop'))));
$t->accepted($strict, 'one document');
$t->write('two/globex.json', document('globex',
          b => known({ san_dns => 'b.example' }, $pki->sha256('shop'))));
$t->refused($strict, qr{globex\.json".*at "/clients/b/certificates/1".*"acme\.json" at "/clients/a/certificates/0"},
            'two with one certificate');

my $ctl = ($ENV{SYNC_BUILD} || Test::Sync->root . '/build') . '/syncctl';

mkdir $t->path('ci');
$t->write('ci/tenants/acme.json', document('acme',
          a => known($pki->sha256('shop'))));
$t->write('ci/tenants/globex.json', document('globex',
          'b/2' => known({ san_dns => 'b.example' }, $pki->sha256('shop'))));
my $said = qx("$ctl" tenants "${\ $t->path('ci') }" 2>&1);

like($said, qr{^globex\.json: invalid: at /clients/b~12/certificates/1: the certificate "sha256=.{43}" is of acme\.json}m,
     'syncctl sees it, too');

$t->done;
