#!/usr/bin/perl

# Certificates of clients: of the TLS connection, or of a proxy's header where
# the proxy is one of ours; tokens that are bound to them (RFC 8705).

use strict;
use warnings;

use Crypt::Digest::SHA256 qw(sha256);
use MIME::Base64 qw(decode_base64 decode_base64url encode_base64
                    encode_base64url);

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;

my $t = Test::Sync->new(workers => 2);

# self-signed, by names that nobody looks at

my %pem;
my %print;

for my $name (qw(server one two three four)) {
    my $file = $t->path($name);

    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
           . "-nodes -days 2 -subj /CN=$name -keyout $file.key -out $file.crt "
           . '2>/dev/null') == 0 or die "openssl: $?";

    $pem{$name} = $t->read("$name.crt");
    my ($der) = $pem{$name} =~ /-----\n(.*)\n-----END/s;
    $print{$name} = encode_base64url(sha256(decode_base64($der)));
}

sub sequence {
    my ($der) = $pem{ $_[0] } =~ /-----\n(.*)\n-----END/s;
    return ':' . encode_base64(decode_base64($der), '') . ':';
}

# as openssl x509 -fingerprint writes it

sub hex_of {
    my $hex = uc unpack 'H*', decode_base64url($print{ $_[0] });
    return join ':', $hex =~ /../g;
}

sub escaped { return $pem{ $_[0] } =~ s/([^A-Za-z0-9-])/sprintf '%%%02X',
                                         ord $1/ger }

my $aud = 'https://sync.example';
my $issuer = Test::Sync::Token->new(issuer => 'https://acme.example',
                                    claims => { aud => $aud, sub => 'ann',
                                                azp => 'crm' });
$issuer->key('i1', 'ES256');

my $client = Test::Sync::Token->new(issuer => 'client')->key('c', 'ES256');

$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme',
    match => { hosts => [ 'acme.test' ] },
    issuers => [ { issuer => 'https://acme.example', jwks => $issuer->jwks,
                   audience => [$aud] } ],
    clients => { crm => {}, partner => { certificates => [$print{one}] },
                 other => { certificates => [hex_of('two')] },
                 named => { certificates => [ map { { subject_dn => $_ } }
                                              'CN=three', 'CN=four' ] } },
});

$t->peer(up => sub {
    return [ 200, { 'X-Seen' => $_[0]{h}{'client-cert'} // 'nothing' },
             'up' ];
});

$t->http(<<'CONF');
    sync_tenants    %%TESTDIR%%/tenants interval=20ms;
    sync_public_url https://acme.test;

    upstream up { server %%PEER_up%%; }

    ssl_certificate         %%TESTDIR%%/server.crt;
    ssl_certificate_key     %%TESTDIR%%/server.key;
    ssl_verify_client       optional_no_ca;

    large_client_header_buffers 4 16k;

    server {
        listen 127.0.0.1:%%PORT_0%% ssl http2;
        sync_tenant host;
        sync_auth   token dpop=on;
        sync_client_certificate tls;

        location /tls/    { proxy_pass http://up; }
        location /off/    { sync_client_certificate off;
                            proxy_pass http://up; }
        location /header/ { sync_client_certificate
                                header=Client-Cert from=192.0.2.0/24;
                            proxy_pass http://up; }
        location /either/ { sync_client_certificate tls
                                header=Client-Cert from=192.0.2.0/24;
                            proxy_pass http://up; }
        location /alone/  { sync_auth certificate;
                            add_header X-Client $sync_client always;
                            proxy_pass http://up; }
        location /any/    { sync_auth token api_key certificate;
                            add_header X-Client $sync_client always;
                            proxy_pass http://up; }
        location /perhaps/ { sync_auth certificate optional;
                            add_header X-Client $sync_client always;
                            proxy_pass http://up; }
        location /proxy/  { sync_client_certificate tls
                                header=Client-Cert from=127.0.0.0/8;
                            proxy_pass http://up; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        sync_tenant host;
        sync_auth   token dpop=on;
        sync_client_certificate header=Client-Cert from=127.0.0.1;

        location /            { proxy_pass http://up; }
        location /else/       { sync_client_certificate
                                    header=Client-Cert from=10.0.0.0/8;
                                proxy_pass http://up; }
        location /real/       { set_real_ip_from 127.0.0.1;
                                real_ip_header   X-Real-IP;
                                sync_client_certificate
                                    header=Client-Cert from=10.0.0.0/8;
                                proxy_pass http://up; }
        location /real/proxy/ { set_real_ip_from 127.0.0.1;
                                real_ip_header   X-Real-IP;
                                proxy_pass http://up; }
        location /plain/      { sync_auth off;
                                sync_client_certificate
                                    header=Client-Cert from=10.0.0.0/8;
                                proxy_pass http://up; }
    }
CONF

$t->start;

# by curl: who shows which certificate

sub tls {
    my ($uri, $name, $token, @headers) = @_;

    my @args = ('curl', '-sk', '-i', '-m', 10, '--http1.1', '-H',
                'Host: acme.test', '-H', 'Authorization: '
                . ($token =~ / / ? $token : "Bearer $token"));

    @args = grep { $_ ne '--http1.1' } @args if ($headers[0] // '') eq 'h2';
    shift @headers if ($headers[0] // '') eq 'h2';

    push @args, '--cert', $t->path("$name.crt"), '--key',
         $t->path("$name.key") if $name;

    while (my ($key, $value) = splice @headers, 0, 2) {
        push @args, '-H', "$key: $value";
    }

    open my $f, '-|', @args, 'https://127.0.0.1:' . $t->port(0) . $uri
        or die "curl: $!";
    my $text = do { local $/; <$f> };
    close $f;

    my ($status) = $text =~ m{^HTTP/[\d.]+ (\d+)};
    my %h = map { /^([^:]+): (.*)\r/ ? (lc $1 => $2) : () } split /^/, $text;

    return { status => $status // 0, h => \%h };
}

sub plain {
    my ($uri, $token, @headers) = @_;

    return $t->request('GET', $uri, port => 1, host => 'acme.test',
                       headers => [ Authorization => "Bearer $token",
                                    @headers ]);
}

my $one = $issuer->token({ cnf => { 'x5t#S256' => $print{one} } });
my $free = $issuer->token;

# the connection's

is(tls('/tls/', 'one', $one)->{status}, 200, 'its certificate');
is(tls('/tls/', 'one', $one)->{status}, 200, 'again, from the cache');
is(tls('/tls/', 'one', $one, 'h2')->{status}, 200, 'HTTP/2');

my $r = tls('/tls/', 'two', $one);
is($r->{status}, 401, 'another certificate');
like($r->{h}{'www-authenticate'}, qr/^Bearer realm="sync", error="invalid_token", error_description="the token is bound to another certificate"/,
     'is told so');
$r = tls('/tls/', undef, $one);
is($r->{status}, 401, 'no certificate: a bound token as plain Bearer');
like($r->{h}{'www-authenticate'},
     qr/bound to a certificate and comes without it"/, 'is told so');
is(tls('/off/', 'one', $one)->{status}, 401, 'where none is looked at');
is(tls('/tls/', 'two', $free)->{status}, 200, 'a token that is not bound');
is(tls('/tls/', undef, $free)->{status}, 200, 'needs none');

# both: a key and a certificate

my $both = $issuer->token({ cnf => { 'x5t#S256' => $print{one},
                                     jkt => $client->thumbprint } });

sub dpop {
    my ($name) = @_;

    return tls('/tls/', $name, "DPoP $both", DPoP =>
               $client->proof('GET', 'https://acme.test/tls/', $both));
}

is(tls('/tls/', 'one', $both)->{status}, 401, 'bound to both: the first');
is(dpop('two')->{status}, 401, 'the second');
is(dpop('one')->{status}, 200, 'both');

# spoofed: who is no proxy of ours says what he likes, and nobody hears it

for my $uri ('/header/', '/either/') {
    is(tls($uri, undef, $one, 'Client-Cert' => sequence('one'))->{status},
       401, "$uri: a header from anywhere");
    $r = tls($uri, undef, $free, 'Client-Cert' => sequence('one'));
    is("$r->{status} $r->{h}{'x-seen'}", '200 nothing', 'and it is removed');
}

is(tls('/either/', 'one', $one, 'Client-Cert' => sequence('two'))->{status},
   200, 'the certificate of the connection counts there');
is(tls('/header/', 'one', $one)->{status}, 401,
   'or not, where only a header would');

# a proxy of ours, by TLS itself

is(tls('/proxy/', 'two', $one, 'Client-Cert' => sequence('one'))->{status},
   200, 'what a proxy says');
is(tls('/proxy/', 'one', $one)->{status}, 401,
   'its own certificate is not the client\'s');

# the forms

is(plain('/', $one, 'Client-Cert' => sequence('one'))->{status}, 200,
   'RFC 9440');
is(plain('/', $one, 'Client-Cert' => escaped('one'))->{status}, 200,
   'PEM, escaped');
is(plain('/', $one, 'Client-Cert' => sequence('two'))->{status}, 401,
   'another one');
is(plain('/', $one)->{status}, 401, 'none');
is(plain('/', $one, 'Client-Cert' => '')->{status}, 401, 'an empty one');
is(plain('/', $one, 'Client-Cert' => 'rubbish')->{status}, 401, 'rubbish');
is(plain('/', $one, 'Client-Cert' => sequence('one'),
         'Client-Cert' => sequence('one'))->{status}, 401, 'two lines');
is(plain('/', $free, 'Client-Cert' => sequence('one'))->header('x-seen'),
   sequence('one'), 'it goes on to the upstream');

$r = plain('/else/', $free, 'Client-Cert' => sequence('one'),
           'client-cert' => 'again');
is("$r->{status} " . $r->header('x-seen'), '200 nothing',
   'from elsewhere it does not, all lines of it');
is(plain('/else/', $one, 'Client-Cert' => sequence('one'))->{status}, 401,
   'nor does it count');

# an address that ngx_http_realip_module was told is no proxy's

is(plain('/real/', $one, 'X-Real-IP' => '10.0.0.1',
         'Client-Cert' => sequence('one'))->{status}, 401,
   'X-Real-IP makes nobody a proxy');
is(plain('/real/proxy/', $one, 'X-Real-IP' => '10.0.0.1',
         'Client-Cert' => sequence('one'))->{status}, 200,
   'nor does it make a proxy somebody else');

# where another step acts the header is removed, where none does nobody looks

is(plain('/plain/', 'x', 'Client-Cert' => 'x')->header('x-seen'), 'nothing',
   'also where nobody proves anything');

# the certificate as the proof itself

sub who {
    my ($uri, $name, @headers) = @_;

    my $r = tls($uri, $name, 'Basic YTpi', @headers);

    return join ' ', $r->{status}, $r->{h}{'x-client'} // ();
}

is(who('/alone/', 'one'), '200 partner', 'a certificate');
is(who('/alone/', 'two'), '200 other', 'another, named in hex');
is(who('/alone/', 'three'), '401',
   'what nobody has verified counts by its digest alone');
is(who('/alone/', 'four'), '401', 'one that nobody has');
is(who('/alone/', undef), '401', 'none');
$r = tls('/alone/', 'four', 'Basic YTpi');
is($r->{h}{'www-authenticate'}, 'Certificate realm="sync"', 'the challenge');
is(tls('/alone/', 'four', $one)->{status}, 401, 'tokens do not count there');
is(who('/any/', 'one'), '200 partner', 'beside others');
is(tls('/any/', 'one', $one)->{h}{'x-client'}, 'crm',
   'a token is meant where there is one');
is(tls('/any/', 'one', 'x.y.z')->{status}, 401, 'also a bad one');
is(who('/any/', 'one', 'X-API-Key' => 'c4n4ry-key-4711'), '401',
   'and an API key');
is(tls('/any/', undef, 'Basic YTpi')->{h}{'www-authenticate'},
   'Bearer realm="sync", ApiKey realm="sync", Certificate realm="sync"',
   'all that is taken there');
is(who('/perhaps/', undef), '200', 'optional: none');
is(who('/perhaps/', 'four'), '401', 'optional: a bad one');

# after a reload

ok($t->reload, 'reload');
is(tls('/tls/', 'one', $one)->{status}, 200, 'as before');
is(tls('/tls/', 'two', $one)->{status}, 401, 'as before');

# load

my $server = 'server { listen 127.0.0.1:%%PORT_3%%;';

$t->refused("$server sync_client_certificate $$_[0]; }", $$_[1],
            "sync_client_certificate $$_[0]")
    for [ 'header=Client-Cert', qr/needs both "header=" and "from="/ ],
        [ 'tls from=10.0.0.0/8', qr/needs both "header=" and "from="/ ],
        [ 'tls tls', qr/invalid "tls"/ ],
        [ 'yes', qr/invalid "yes".*known are off, tls/ ],
        [ 'header=A from=x', qr/invalid "from=x".*a network/ ],
        [ 'header=A_B from=10.0.0.1', qr/invalid "header=a_b"/ ],
        [ 'tls; sync_client_certificate tls', qr/is duplicate/ ];

$t->done;
