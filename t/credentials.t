#!/usr/bin/perl

# Who we are to a connector: signatures over a request, secrets inside a body,
# certificates; each verified as a target would; and where none is sent.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Cpanel::JSON::XS qw(decode_json encode_json);
use Digest::SHA qw(hmac_sha1_base64 hmac_sha256_base64 sha1_base64 sha256_hex
                   hmac_sha256);
use MIME::Base64 qw(decode_base64 encode_base64 encode_base64url);
use POSIX qw(strftime);

my $t = Test::Sync->new(workers => 2);

my %secret = (
    user     => 'sync',
    password => $t->canary('c4n4ry-pass:word&<>'),
    key      => $t->canary('c4n4ry-key "quoted\\'),
    plain    => $t->canary('c4n4ry-plain-key'),
    ckey     => 'consumer/+key',
    csecret  => $t->canary('c4n4ry-consumer secret'),
    token    => 'tok~en',
    tsecret  => $t->canary('c4n4ry-token%secret'),
    line     => "c4n4ry-with\nline",
);

$t->peer(erp => sub {
    my ($req, $ctl) = @_;

    return [ 200, { 'Content-Type' => 'text/xml' },
             '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/">'
             . '<S:Body><Order><Id>1</Id></Order></S:Body></S:Envelope>' ]
        if $req->{uri} =~ /soap/;

    return [ 200, { 'Content-Type' => 'application/json' },
             '{"jsonrpc":"2.0","id":"x","result":1}' ];
});

$t->write('library/maps/order.json', {
    write => { rules => [ { from => '$.order_number', to => '/Number' },
                          { from => '$.notes', to => '/Note' } ] },
    read  => { rules => [ { from => '$.Id', to => '/id' } ] } });

my %kinds = (
    basic  => { credentials => { basic => { user => 'secret:user',
                                            password => 'secret:password' } } },
    auth   => { credentials => { api_key => { header => 'Authorization',
                                              value => 'secret:plain' } } },
    line   => { credentials => { api_key => { header => 'X-Key',
                                              value => 'secret:line' } } },
    oauth1 => { host => 'Acct.suitetalk.example:443',
                credentials => { oauth1 => {
                    consumer_key => 'secret:ckey',
                    consumer_secret => 'secret:csecret',
                    token => 'secret:token', token_secret => 'secret:tsecret',
                    realm => '123_SB1' } } },
    form1  => { host => 'shop.example:8443', format => 'form',
                credentials => { oauth1 => {
                    consumer_key => 'secret:ckey',
                    consumer_secret => 'secret:csecret',
                    token => 'secret:token', token_secret => 'secret:tsecret',
                    method => 'HMAC-SHA1' } } },
    odoo   => { format => 'json-rpc',
                credentials => { body => { pointer => '/params/args/2',
                                           value => 'secret:key' } } },
    member => { credentials => { body => { pointer => '/auth~1key',
                                           value => 'secret:key' } } },
    nowhere => { credentials => { body => { pointer => '/a/b/c',
                                            value => 'secret:key' } } },
    wsse   => { format => 'soap-1.1',
                credentials => { wsse => { user => 'secret:user',
                                           password => 'secret:password' } } },
    wsset  => { format => 'soap-1.2',
                credentials => { wsse => { user => 'secret:user',
                                           password => 'secret:password',
                                           type => 'PasswordText' } } },
    missing => { credentials => { oauth1 => {
                    consumer_key => 'secret:ckey',
                    consumer_secret => 'secret:gone', token => 'secret:token',
                    token_secret => 'secret:tsecret' } } },
    tls    => { host => 'erp.test',
                credentials => { basic => { user => 'secret:user',
                                            password => 'secret:password' } } },
    none   => { host => 'erp.test' },
);

for my $name (sort keys %kinds) {
    my $c = $kinds{$name};
    my $format = $c->{format} // 'json';
    my $soap = $format =~ /soap/ ? 'soap' : 'orders';
    my $rpc = $format eq 'json-rpc';

    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.test"] },
        connectors => { erp => {
            upstream => $name =~ /^(tls|none)$/ ? 'tls' : 'erp', %$c,
            entities => { sales_order => {
                map => 'maps/order.json',
                create => $rpc
                    ? { request => 'POST /jsonrpc', action => 'call',
                        body => { service => 'object', method => 'execute_kw',
                                  args => [ 'prod', 2, undef, 'sale.order',
                                            'create', ['{payload}'] ] } }
                    : "POST /$soap",
                ($rpc || $soap eq 'soap' ? () : (
                    update => "PATCH /$soap/{id}?b5=%3D%253D&a=1&a=0",
                    read   => "GET /$soap/{id}")),
            } } } },
        routes => [ { entity => 'sales_order', to => 'erp' } ] });

    $t->write("secrets/t_$name/$_", $secret{$_}) for keys %secret;
}

# a CA of the test's own

sub openssl {
    system('openssl', @_) == 0 or die "openssl @_";
}

sub certificate {
    my ($name, $ca) = @_;

    open my $fh, '>', $t->path("$name.ext") or die;
    print $fh $ca ? "subjectAltName=DNS:$name\n" : "basicConstraints=CA:TRUE\n";
    close $fh;

    openssl(qw(req -newkey rsa:2048 -nodes -subj), "/CN=$name", '-keyout',
            $t->path("$name.key"), '-out', $t->path("$name.csr"), '-batch');
    openssl(qw(x509 -req -days 2 -in), $t->path("$name.csr"), '-extfile',
            $t->path("$name.ext"), '-out', $t->path("$name.pem"),
            $ca ? ('-CA', $t->path("$ca.pem"), '-CAkey', $t->path("$ca.key"),
                   '-CAcreateserial')
                : ('-signkey', $t->path("$name.key")));
}

open my $stderr, '>&', \*STDERR;
open STDERR, '>', '/dev/null';
certificate('ca');
certificate('erp.test', 'ca');
open STDERR, '>&', $stderr;

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->write('debug.key', 'a key of those who debug it all, long');

$t->http(<<'CONF');
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp { server %%PEER_erp%%; keepalive 4; }
    upstream tls { server 127.0.0.1:%%PORT_1%%; }

    proxy_http_version        1.1;
    proxy_method              $sync_upstream_method;
    proxy_ignore_client_abort on;
    proxy_set_header          Connection "";
    proxy_set_header          Host $sync_upstream_host;
    proxy_set_header          Authorization $sync_upstream_authorization;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_debug  file:%%TESTDIR%%/debug.key;

        location /v1/orders {
            sync_entity      sales_order at=/v1/orders;
            sync_normalize   on;
            sync_idempotency on scope=$http_x_client;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }

        location /raw/orders {
            sync_entity sales_order at=/raw/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /safe/orders {
            sync_entity      sales_order at=/safe/orders;
            sync_idempotency on scope=$http_x_client;
            proxy_pass       https://$sync_upstream$sync_upstream_uri;

            proxy_ssl_server_name         on;
            proxy_ssl_name                $sync_upstream_tls_name;
            proxy_ssl_verify              on;
            proxy_ssl_trusted_certificate %%TESTDIR%%/ca.pem;

            # NGINX leaves the last session of a group to the end of the process
            proxy_ssl_session_reuse       off;
        }

        location /blind/orders {
            sync_entity      sales_order at=/blind/orders;
            sync_idempotency on scope=$http_x_client;
            proxy_pass       https://$sync_upstream$sync_upstream_uri;

            proxy_ssl_server_name   on;
            proxy_ssl_name          $sync_upstream_tls_name;
            proxy_ssl_session_reuse off;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_1%% ssl;

        ssl_certificate     %%TESTDIR%%/erp.test.pem;
        ssl_certificate_key %%TESTDIR%%/erp.test.key;

        location / { return 200 "[$http_authorization]"; }
    }
CONF

$t->start;

my $order = '{"order_number":"a\u00e9 1","notes":"<&>",'
            . '"order_date":"2026-11-21","currency":"EUR",'
            . '"sold_to":{"id":"1"},"items":[{"sku":"R","quantity":"1"}]}';

sub ask {
    my ($tenant, $method, $path, $body, @headers) = @_;

    $path = "/v1/orders$path" if $path !~ m{^/(raw|safe|blind)/};

    return $t->request($method, $path, (defined $body ? (body => $body) : ()),
                       headers => [ Host => "$tenant.test",
                                    (defined $body
                                     ? ('Content-Type' => 'application/json')
                                     : ()), @headers ]);
}

sub last_of {
    my @seen = $t->ledger('erp');
    return $seen[-1] || {};
}

sub percent {
    my ($s) = @_;
    $s =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;
    return $s;
}

sub unpercent {
    my ($s) = @_;
    $s =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    return $s;
}

# what a target does: it makes the signature again, from what it has received

sub oauth1 {
    my ($seen, $base, $sign) = @_;

    my ($rest) = ($seen->{h}{authorization} // '') =~ /^OAuth (.*)$/ or return;
    my %said = map { /^(\w+)="([^"]*)"$/ ? ($1 => unpercent($2)) : () }
               split /, /, $rest;

    my ($path, $query) = split /\?/, $seen->{uri}, 2;
    my @pairs;

    for my $from ($query, ($seen->{h}{'content-type'} // '') =~ /urlencoded/
                          ? $seen->{body} : undef)
    {
        next if !defined $from;

        for (split /&/, $from) {
            my ($name, $value) = map { s/\+/ /g; unpercent($_) }
                                 split /=/, $_, 2;
            push @pairs, [ percent($name), percent($value // '') ];
        }
    }

    my $signature = delete $said{oauth_signature};
    my $realm = delete $said{realm};

    push @pairs, [ percent($_), percent($said{$_}) ] for keys %said;

    my $members = join '&', map { "$_->[0]=$_->[1]" }
                  sort { $a->[0] cmp $b->[0] || $a->[1] cmp $b->[1] } @pairs;
    my $text = join '&', $seen->{method}, percent("$base$path"),
                         percent($members);
    my $want = $sign->($text, percent($secret{csecret}) . '&'
                              . percent($secret{tsecret}));

    $want .= '=' while length($want) % 4;

    return { %said, realm => $realm, good => $want eq $signature };
}

# basic, and an API key that is the Authorization

my $r = ask('basic', 'POST', '', $order);
is($r->{status}, 200, 'basic');
is(last_of()->{h}{authorization},
   'Basic ' . encode_base64("$secret{user}:$secret{password}", ''), 'as ever');

ask('auth', 'POST', '', $order);
is(last_of()->{h}{authorization}, $secret{plain},
   'an API key in Authorization goes by the variable');

my $n = $t->ledger('erp');
$r = ask('line', 'POST', '', $order);
is($r->{status}, 503, 'a key that no header may have');
is($r->json->{type}, 'urn:sync:problem:connector-credentials', 'is told');
is($t->ledger('erp'), $n, 'and nothing is sent');

# oauth1

ask('oauth1', 'POST', '', $order);
my $seen = last_of();
my $said = oauth1($seen, 'https://acct.suitetalk.example',
                  \&hmac_sha256_base64);
ok($said->{good}, 'oauth1: the signature is right');
is($said->{realm}, '123_SB1', 'the realm');
is($said->{oauth_consumer_key}, $secret{ckey}, 'the consumer');
is($said->{oauth_token}, $secret{token}, 'the token');
is($said->{oauth_signature_method}, 'HMAC-SHA256', 'by SHA-256');
is($said->{oauth_version}, '1.0', 'version');
cmp_ok(abs($said->{oauth_timestamp} - time), '<', 10, 'now');
like($said->{oauth_nonce}, qr/^[0-9a-f]{32}$/, 'a nonce');

ask('oauth1', 'PATCH', "/o'1%2F2", $order);
my $again = oauth1(last_of(), 'https://acct.suitetalk.example',
                   \&hmac_sha256_base64);
like(last_of()->{uri}, qr/%2F2\?b5=/, 'a path to encode, and a query');
ok($again->{good}, 'are signed as they are sent');
isnt($again->{oauth_nonce}, $said->{oauth_nonce}, 'with a nonce of its own');

ask('oauth1', 'GET', '/7');
ok(oauth1(last_of(), 'https://acct.suitetalk.example',
          \&hmac_sha256_base64)->{good}, 'without a body');

ask('form1', 'POST', '', $order);
$seen = last_of();
like($seen->{body}, qr/^Number=a%C3%A9(\+|%20)1&Note=/, 'a form');
$said = oauth1($seen, 'https://shop.example:8443', \&hmac_sha1_base64);
ok($said->{good}, 'is signed with the request, by SHA-1');
is($said->{realm}, undef, 'without a realm');

# a secret inside the body

ask('odoo', 'POST', '', $order);
$seen = decode_json(last_of()->{body});
is($seen->{params}{args}[2], $secret{key}, 'body: in its place');
is($seen->{params}{args}[5][0]{Note}, '<&>', 'beside the payload');
is(last_of()->{h}{'content-length'}, length last_of()->{body}, 'its length');

ask('member', 'POST', '', $order);
is(decode_json(last_of()->{body})->{'auth/key'}, $secret{key},
   'a member that was not there');

ask('member', 'POST', '/raw/orders', '{"x":0.10}');
is(last_of()->{body}, '{"x":0.10,"auth/key":"c4n4ry-key \"quoted\\\\"}',
   'in a body that goes on as it came');

ask('member', 'POST', '/raw/orders', '{"x":"' . 'y' x 70_000 . '"}');
like(last_of()->{body}, qr/y","auth\/key":"c4n4ry/, 'from a file, too');

ask('member', 'GET', '/raw/orders/1');
is(last_of()->{body}, '', 'what has no body gets none');

$n = $t->ledger('erp');
$r = ask('nowhere', 'POST', '', $order);
is($r->{status}, 422, 'no place for it');
is($r->json->{type}, 'urn:sync:problem:bad-value', 'is told');
is($t->ledger('erp'), $n, 'and nothing is sent');

# WS-Security

sub wsse {
    my ($body) = @_;

    my ($user) = $body =~ m{<wsse:Username>(.*?)</wsse:Username>};
    my ($type, $password) =
        $body =~ m{<wsse:Password Type="[^"#]*\#(\w+)">(.*?)</wsse:Password>};
    my ($nonce) = $body =~ m{#Base64Binary">(.*?)</wsse:Nonce>};
    my ($created) = $body =~ m{<wsu:Created>(.*?)</wsu:Created>};

    return ($user, $type, $password, $nonce, $created);
}

ask('wsse', 'POST', '', $order);
my ($user, $type, $password, $nonce, $created) = wsse(last_of()->{body});
is($user, 'sync', 'wsse: the user');
is($type, 'PasswordDigest', 'a digest');
is($password, sha1_base64(decode_base64($nonce) . $created
                          . $secret{password}) . '=', 'of the password');
is(length decode_base64($nonce), 16, 'and a nonce');
like($created, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'and the time');
like(last_of()->{body},
     qr{^<\?xml.*<soap:Header><wsse:Security.*</soap:Header><soap:Body>.*Note}s,
     'in the header of the envelope');

ask('wsse', 'POST', '', $order);
isnt((wsse(last_of()->{body}))[3], $nonce, 'each with a nonce of its own');

ask('wsset', 'POST', '', $order);
($user, $type, $password) = wsse(last_of()->{body});
is($type, 'PasswordText', 'as text');
is($password, 'c4n4ry-pass:word&amp;&lt;&gt;', 'as XML has it');

$r = ask('wsse', 'POST', '/raw/orders', '{}');
is($r->{status}, 503, 'an envelope of somebody else');
is($r->json->{type}, 'urn:sync:problem:connector-credentials', 'is told');

# a secret that is missing burns no key

my @key = ('Idempotency-Key' => '"m1"', 'X-Client' => 'me');

$r = ask('missing', 'POST', '', $order, @key);
is($r->{status}, 503, 'a secret that is not there');
is($r->json->{type}, 'urn:sync:problem:connector-credentials', 'is told');
$t->log_like(qr/secret "gone" of tenant "missing" cannot be read/, 'the log');

$t->write('secrets/t_missing/gone', $secret{csecret});
ok($t->wait_for(sub { ask('missing', 'POST', '', $order, @key)->{status}
                      == 200 }), 'when it comes, the same key goes on');
ok(oauth1(last_of(), 'https://erp', \&hmac_sha256_base64)->{good}, 'signed');

# where credentials do not go: to whom nobody has verified

$r = ask('tls', 'GET', '/safe/orders/1');
is($r->{body}, '[Basic ' . encode_base64("$secret{user}:$secret{password}", '')
               . ']', 'by TLS that is verified they go');

$r = ask('tls', 'GET', '/blind/orders/1');
is($r->{status}, 500, 'by TLS that is not they do not');
is($r->json->{type}, 'urn:sync:problem:connector-unverified',
   'and that is told');
$t->log_like(qr/credentials: not sent to upstream "tls", whose TLS is not/,
             'with the cure in the log');

$r = ask('none', 'GET', '/blind/orders/1');
is($r->{body}, '[]', 'a connector without any is asked');

$r = ask('tls', 'POST', '/blind/orders', '{}', 'Idempotency-Key' => '"b1"',
         'X-Client' => 'me');
is($r->{status}, 500, 'with a key');
is($r->header('Idempotency-Status'), 'not-sent', 'nothing was sent');

# what is shown

sub debug {
    my ($mode) = @_;
    my $text = 'exp=' . (time() + 600) . "; mode=$mode";

    return "$text; sig=" . encode_base64url(
               hmac_sha256($text, 'a key of those who debug it all, long'));
}

for my $name (sort keys %kinds) {
    $n = $t->ledger('erp');
    $r = ask($name, 'POST', '', $order, 'X-Sync-Debug' => debug('dry-run'));

    is($r->{status}, 200, "a dry run, $name");
    unlike($r->{body}, qr/c4n4ry|oauth_|Security/, 'shows nothing of it');
    ok(defined eval { decode_json($r->{body}) }, 'as JSON');
    is($t->ledger('erp'), $n, 'and sends nothing');

    next if $name !~ /^(basic|oauth1|auth|line)$/;

    my $h = decode_json($r->{body})->{request}{headers};
    my $in = $name eq 'line' ? 'x-key' : 'authorization';

    ok(exists $h->{$in} && !defined $h->{$in}, 'but where it will stand');
}

for my $name (qw(basic oauth1 odoo wsset)) {
    $r = ask($name, 'POST', '', $order, 'X-Sync-Debug' => debug('trace'));
    ok($r->header('X-Sync-Trace'), "a trace, $name");
    unlike($r->{head}, qr/c4n4ry/, 'shows nothing of it');
}

$t->done;
