#!/usr/bin/perl

# Certificates by what they call their holder (RFC 8705, 2.1.2): clients that
# are known by a subject or an alternative name.  Such a name is worth
# something where the chain was verified, and nowhere else.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Pki;

my $t = Test::Sync->new(workers => 2);
my $pki = Test::Sync::Pki->new($t);

# who shows a name of his own making

$pki->self(liar => '/O=Acme/CN=erp');

# one host, with a NUL in it

my $nul = "erp.acme.example\0.evil.example";
$nul = "\x82" . chr(length $nul) . $nul;
$nul = "\x30" . chr(length $nul) . $nul;

$pki->issue(erp => '/O=Acme/CN=erp');
$pki->issue(utf => "/O=Acme/CN=M\xc3\xbcller, West");
$pki->issue(dns => '/CN=dns', 'DNS:other.example,DNS:ERP.acme.example');
$pki->issue(idn => '/CN=idn', 'DNS:xn--bcher-kva.example');
$pki->issue(uri => '/CN=uri', 'URI:spiffe://acme/ERP');
$pki->issue(uri2 => '/CN=uri', 'URI:spiffe://acme/erp');
$pki->issue(email => '/CN=email', 'email:Ann@ACME.example');
$pki->issue(ip => '/CN=ip', 'IP:192.0.2.7,IP:2001:db8::7');
$pki->issue(both => '/CN=both', 'DNS:erp.acme.example,URI:spiffe://acme/ERP');
$pki->issue(print => '/O=Acme/CN=erp', 'DNS:erp.acme.example');
$pki->issue(wild => '/CN=wild', 'DNS:*.acme.example');
$pki->issue(nul => '/CN=nul', 'DER:' . join ':', unpack '(H2)*', $nul);
$pki->issue(many => '/O=Acme/CN=erp', join ',', map { "DNS:h$_.example" } 1 .. 256);
$pki->issue(long => '/O=Acme/OU=west/CN=erp');

my %acme = (
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    clients => {
        subject => { certificates => [ { subject_dn => $pki->subject('erp') } ] },
        utf => { certificates => [ { subject_dn => $pki->subject('utf') } ] },
        dns => { certificates => [ { san_dns => 'Erp.Acme.Example' } ] },
        idn => { certificates => [ { san_dns => 'xn--bcher-kva.example' } ] },
        uri => { certificates => [ { san_uri => 'spiffe://acme/ERP' } ] },
        email => { certificates => [ { san_email => 'Ann@acme.example' } ] },
        ip => { certificates => [ { san_ip => '2001:db8::7' } ] },
        print => { certificates => [ $pki->sha256('print'),
                                     { san_dns => 'nobody.example' } ] },
    },
);

$t->write('tenants/acme.json', \%acme);

$t->peer(up => sub {
    my ($req) = @_;

    return [ 200, { map { ("X-Seen-$_" => $req->{h}{$_} // 'nothing') }
                    'client-cert', 'client-verify' }, 'up' ];
});

$t->http(<<'CONF');
    sync_tenants    %%TESTDIR%%/tenants interval=20ms;

    upstream up { server %%PEER_up%%; }

    ssl_certificate         %%TESTDIR%%/server.crt;
    ssl_certificate_key     %%TESTDIR%%/server.key;
    ssl_client_certificate  %%TESTDIR%%/ca.crt;

    large_client_header_buffers 4 16k;

    sync_tenant host;
    sync_auth   certificate;
    sync_client_certificate tls;

    server {
        listen 127.0.0.1:%%PORT_0%% ssl http2;
        ssl_verify_client on;
        location / { add_header X-Client $sync_client always;
                     add_header X-Subject $ssl_client_s_dn always;
                     proxy_pass http://up; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%% ssl;
        ssl_verify_client optional_no_ca;
        location / { add_header X-Client $sync_client always;
                     proxy_pass http://up; }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        location /plain/    { sync_client_certificate header=Client-Cert
                                  from=127.0.0.1;
                              add_header X-Client $sync_client always;
                              proxy_pass http://up; }
        location /verified/ { sync_client_certificate header=Client-Cert
                                  from=127.0.0.1 verified;
                              add_header X-Client $sync_client always;
                              proxy_pass http://up; }
        location /says/     { sync_client_certificate header=Client-Cert
                                  from=127.0.0.1 verified=Client-Verify;
                              add_header X-Client $sync_client always;
                              proxy_pass http://up;
                              location /says/below/ {
                                  add_header X-Client $sync_client always;
                                  proxy_pass http://up; } }
        location /strange/  { sync_client_certificate header=Client-Cert
                                  from=192.0.2.0/24 verified=Client-Verify;
                              sync_auth certificate optional;
                              add_header X-Client $sync_client always;
                              proxy_pass http://up; }
    }
CONF

$t->start;

# status and client, once for each answer

sub who {
    my ($port, $name, $uri, @args) = @_;

    return join ', ', map { join ' ', $_->{status}, $_->{h}{'x-client'} // () }
                          $pki->shown($uri // '/', $name, port => $port,
                                      host => 'acme.test', args => \@args);
}

sub by_header {
    my ($uri, $name, @headers) = @_;

    my $r = $t->request('GET', $uri, port => 2, host => 'acme.test',
                        headers => [ 'Client-Cert' => $pki->sequence($name),
                                     @headers ]);

    return join ' ', $r->{status}, $r->header('X-Client') // ();
}

# verified by TLS

is(who(0, 'erp'), '200 subject', 'a subject');
is(($pki->shown('/', 'erp', host => 'acme.test'))[0]{h}{'x-subject'},
   $pki->subject('erp'), 'as NGINX has it');
is(who(0, 'utf'), '200 utf', 'a subject that needs escapes');
is(who(0, 'dns'), '200 dns', 'a host, one of two, in any case');
is(who(0, 'idn'), '200 idn', 'an A-label');
is(who(0, 'uri'), '200 uri', 'a URI');
is(who(0, 'email'), '200 email', 'an address, its domain in any case');
is(who(0, 'ip'), '200 ip', 'an IP address');
is(who(0, 'print'), '200 print', 'its digest goes before its names');

is(who(0, 'uri2'), '401', 'a URI in another case is another one');
is(who(0, 'wild'), '401', 'a wildcard stands for nobody');
is(who(0, 'nul'), '401', 'a NUL ends no name');
is(who(0, 'long'), '401', 'a longer subject is another one');
is(who(0, 'both'), '401', 'one that names two clients is nobody\'s');
$t->log_like(qr/auth: a certificate names two clients/, 'and logged');
is(who(0, 'liar'), '400', 'NGINX refuses what is not verified');

is(who(0, 'dns', '/', '--http2'), '200 dns', 'HTTP/2');
is(who(0, 'dns', ['/', '/'], '--http1.1'), '200 dns, 200 dns',
   'a connection that is kept');

# taken, but not verified

is(who(1, 'erp'), '200 subject', 'verified where it need not be');
is(who(1, 'liar'), '401', 'who has made his name himself has none');
$t->log_like(qr/edge: a certificate that was not verified counts by its/,
             'which is logged');

# by a proxy

is(by_header('/plain/', 'erp'), '401', 'a proxy that says nothing of it');
is(by_header('/plain/', 'print'), '200 print', 'but for its digest');
is(by_header('/verified/', 'erp'), '200 subject', 'a proxy that verifies all');
is(by_header('/verified/', 'nul'), '401', 'a NUL from a proxy');
is(by_header('/verified/', 'many'), '401', 'more names than are read');
$t->log_like(qr/edge: a certificate without names, it has more than 256/,
             'which is logged');
is(by_header('/says/', 'dns', 'Client-Verify' => 'SUCCESS'), '200 dns',
   'one that says so');
is(by_header('/says/below/', 'dns', 'Client-Verify' => 'SUCCESS'), '200 dns',
   'inherited');
is(by_header('/says/', 'dns'), '401', 'one that does not');
is(by_header('/says/', 'dns', 'Client-Verify' => $_), '401', "\"$_\"")
    for 'FAILED:self-signed certificate', 'success', 'SUCCESS ok', 'NONE', '';
is(by_header('/says/', 'dns', 'Client-Verify' => 'SUCCESS',
             'Client-Verify' => 'SUCCESS'), '401', 'says it twice');
is(by_header('/says/', 'print', 'Client-Verify' => 'NONE'), '200 print',
   'a digest needs no word of it');
is(by_header('/strange/', 'dns', 'Client-Verify' => 'SUCCESS'), '200',
   'from elsewhere it is nobody\'s word');

my $seen = ($t->ledger('up'))[-1]{h};
is(join(' ', map { $seen->{$_} // 'nothing' } 'client-cert', 'client-verify'),
   'nothing nothing', 'and none of it goes on');

# live

$acme{clients}{late} = { certificates => [ { subject_dn => $pki->subject('long') } ] };
delete $acme{clients}{uri};
$t->write('tenants/acme.json', \%acme);

ok($t->wait_for(sub {
    for (1 .. 6) {
        return 0 if who(0, 'long') ne '200 late' || who(0, 'uri') ne '401'
                    || who(0, 'both') ne '200 dns';
    }
    return 1;
}), 'a document that has changed');

$acme{clients}{dns2} = { certificates => [ { san_dns => 'ERP.acme.example' } ] };
$t->write('tenants/acme.json', \%acme);

ok($t->wait_for(sub {
    $t->log_text =~ m{at "/clients/dns2/certificates/0": is a certificate of the client "dns", too}
}), 'one that names it twice is refused');
is(who(0, 'dns'), '200 dns', 'and the one before it stays');

delete $acme{clients}{dns2};
$t->write('tenants/acme.json', \%acme);

ok($t->reload, 'reload');
is(who(0, 'erp'), '200 subject', 'as before') for 1 .. 2;

# load

my $server = 'server { listen 127.0.0.1:%%PORT_3%%;';

$t->refused("$server sync_client_certificate $$_[0]; }", $$_[1],
            "sync_client_certificate $$_[0]")
    for [ 'tls verified', qr/needs "header=" with "verified"/ ],
        [ 'header=A from=10.0.0.1 verified verified', qr/invalid "verified"/ ],
        [ 'header=A from=10.0.0.1 verified verified=B',
          qr/invalid "verified=B"/ ],
        [ 'header=A from=10.0.0.1 verified=B_C', qr/invalid "verified=b_c"/ ],
        [ 'header=A from=10.0.0.1 verified=', qr/invalid "verified="/ ];

$t->done;
