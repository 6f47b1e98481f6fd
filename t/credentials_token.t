#!/usr/bin/perl

# Tokens for connectors: asked for as each kind says, verified as a server
# would, shared, renewed, and what becomes of a request when there is none.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Https;
use Cpanel::JSON::XS qw(encode_json);
use Crypt::JWT qw(decode_jwt);
use Digest::SHA qw(hmac_sha256 sha256);
use MIME::Base64 qw(decode_base64 encode_base64url);
use Time::HiRes qw(sleep time);

my $t = Test::Sync->new(workers => 2);
my $ca = Test::Sync::Https->ca;
my $dns = Test::Sync::Dns->start('as.test' => ['127.0.0.1'],
                                 'other.test' => ['127.0.0.1'],
                                 'inner.test' => ['10.0.0.1']);

# keys of the test's own

open my $stderr, '>&', \*STDERR;
open STDERR, '>', '/dev/null';
system(qw(openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out),
       $t->path('rsa.pem')) == 0 or die;
system(qw(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out),
       $t->path('ec.pem')) == 0 or die;
system(qw(openssl req -x509 -batch -subj /CN=x -key), $t->path('ec.pem'),
       '-out', $t->path('ec.crt')) == 0 or die;
system('openssl', 'pkey', '-in', $t->path("$_.pem"), '-pubout', '-out',
       $t->path("$_.pub")) == 0 or die for qw(rsa ec);
open STDERR, '>&', $stderr;

my ($rsa, $ec) = map { $t->read("$_.pub") } qw(rsa ec);
my ($der) = $t->read('ec.crt') =~ /-----\n(.*)\n-----/s;
my $thumb = encode_base64url(sha256(decode_base64($der)));

$t->canary(($t->read('rsa.pem') =~ /^(\w\S{40})/mg)[3]);

my %secret = (
    id     => 'the client:id',
    secret => $t->canary('c4n4ry secret/+%'),
    key    => $t->read('rsa.pem'),
    eckey  => $t->read('ec.pem'),
    cert   => $t->read('ec.crt'),
);

sub unpercent {
    my ($s) = @_;
    $s =~ s/\+/ /g;
    $s =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    return $s;
}

# what the server says, when it has verified who asks; told what else to say

sub who {
    my ($req, $form, $url) = @_;

    my $type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

    if (my ($basic) = ($req->{h}{authorization} // '') =~ /^Basic (.*)/) {
        my ($id, $secret) = map { unpercent($_) }
                            split /:/, decode_base64($basic), 2;
        return "basic" if $id eq $secret{id}
                          && $secret eq ($req->{ctl}{secret}
                                         // $secret{secret});

    } elsif (defined $form->{client_secret}) {
        return "post" if $form->{client_id} eq $secret{id}
                         && $form->{client_secret} eq $secret{secret};

    } elsif (($form->{client_assertion_type} // '') eq $type) {
        my $of_ec = $req->{uri} =~ /ec/;
        my ($head, $claims) = eval {
            decode_jwt(token => $form->{client_assertion}, decode_header => 1,
                       key => \($of_ec ? $ec : $rsa),
                       accepted_alg => $of_ec ? 'ES256' : 'PS256',
                       verify_exp => 1, verify_iat => 1,
                       verify_aud => $url, verify_iss => $secret{id},
                       verify_sub => $secret{id}, verify_jti => qr/^\w{32}$/) };

        return if !$claims || $claims->{exp} - time > 300
                  || $head->{typ} ne 'JWT'
                  || $form->{client_id} ne $secret{id};
        return 'thumb' if $of_ec && $head->{'x5t#S256'} eq $thumb;
        return 'jwt' if ($head->{kid} // '') eq 'k7'
                        && $claims->{scope}[0] eq 'rest_webservices';

    } elsif ($form->{grant_type} =~ /jwt-bearer$/) {
        my $claims = eval {
            decode_jwt(token => $form->{assertion}, key => \$rsa,
                       accepted_alg => 'RS256', verify_exp => 1,
                       verify_aud => 'https://login.example',
                       verify_iss => $secret{id},
                       verify_sub => 'sync@acme.example') };

        return 'bearer' if $claims && !defined $form->{client_id};
    }

    return;
}

my $json = { 'Content-Type' => 'application/json' };

my $as = $t->peer(as => sub {
    my ($req, $ctl) = @_;

    my ($name) = $req->{uri} =~ m{^/(\w+)/token$} or return [ 404, {}, '' ];
    my $how = $ctl->{$name} // {};
    my %form = map { map { unpercent($_) } split /=/, $_, 2 }
               split /&/, $req->{body};

    $req->{ctl} = $how;

    return { never => 1 } if $how->{never};
    return [ $how->{status}, { %$json, %{ $how->{headers} // {} } },
             $how->{body} ] if $how->{status};

    my $who = $req->{method} eq 'POST'
              && $req->{h}{'content-type'} =~ /urlencoded/
              && who($req, \%form, "https://$req->{h}{host}$req->{uri}");

    return [ 401, $json, encode_json({ error => 'invalid_client',
                                       error_description => 'c4n4ry' }) ]
        if !$who;

    return { status => 200, headers => $json, delay => $how->{delay} // 0,
             body => encode_json({
                 access_token => "tok-$name-$who-$req->{n}",
                 token_type => 'Bearer', scope => $form{scope},
                 expires_in => 3600, %{ $how->{answer} // {} } }) };
}, https => [ 'as.test', 'other.test' ]);

$t->peer(erp => sub {
    my ($req, $ctl) = @_;
    my $token = $req->{h}{authorization} // '-';

    return [ 401, $json, '{"error":"token"}' ]
        if $token !~ /^Bearer tok-/ || $ctl->{all}
           || ($ctl->{bad} && $token =~ /\Q$ctl->{bad}\E$/);

    return [ 200, $json, encode_json({ id => '1', as => $token,
                                       got => $req->{body} }) ];
}, https => [ 'erp.test' ]);

$t->canary('tok-basic');

my %client = (client_id => 'secret:id', client_secret => 'secret:secret');

sub kind {
    my ($name, $kind, %members) = @_;

    $members{token_url} //= "https://as.test:$as/$name/token";

    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.test"] },
        connectors => { erp => {
            upstream => 'erp', host => 'erp.test',
            credentials => { $kind => \%members },
            entities => { sales_order => {
                create => 'POST /orders', read => 'GET /orders/{id}' } } } },
        routes => [ { entity => 'sales_order', to => 'erp' } ] });

    $t->write("secrets/t_$name/$_", $secret{$_}) for keys %secret;
}

kind(basic => client_credentials => %client, scope => 'a b');
kind(post => client_credentials => %client, auth => 'post',
     audience => 'https://erp.test/&', resource => 'urn:x');
kind(jwt => private_key_jwt => client_id => 'secret:id', key => 'secret:key',
     alg => 'PS256', kid => 'k7', claims => { scope => ['rest_webservices'] });
kind(ec => private_key_jwt => client_id => 'secret:id', key => 'secret:eckey',
     certificate => 'secret:cert', alg => 'ES256');
kind(bearer => jwt_bearer => key => 'secret:key', alg => 'RS256',
     claims => { iss => 'secret:id', sub => 'sync@acme.example',
                 aud => 'https://login.example' });
kind($_ => client_credentials => %client)
    for qw(many short zero gone over reload leaves wrong stall late broken html
           big moved mac empty pause always twice);
kind(unsaid => client_credentials => %client, lifetime => '2s');
kind(inner => client_credentials => %client,
     token_url => "https://inner.test:$as/inner/token");
kind(badkey => private_key_jwt => client_id => 'secret:id',
     key => 'secret:secret');

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->write('debug.key', 'a key of those who debug it all, long');

$t->http(<<"CONF");
    resolver 127.0.0.1:@{[ $dns->port ]} ipv6=off;
    sync_trusted_certificate $ca;
    sync_egress as.test:$as inner.test:$as 127.0.0.1;

    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp { server %%PEER_erp%%; keepalive 8; }

    proxy_http_version        1.1;
    proxy_method              \$sync_upstream_method;
    proxy_ignore_client_abort on;
    proxy_set_header          Connection "";
    proxy_set_header          Host \$sync_upstream_host;
    proxy_set_header          Authorization \$sync_upstream_authorization;

    proxy_ssl_server_name         on;
    proxy_ssl_name                \$sync_upstream_tls_name;
    proxy_ssl_verify              on;
    proxy_ssl_trusted_certificate $ca;

    # NGINX leaves the last session of a group to the end of the process
    proxy_ssl_session_reuse       off;

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        sync_tenant host;
        sync_debug  file:%%TESTDIR%%/debug.key;

        location /v1/orders {
            sync_entity      sales_order at=/v1/orders;
            sync_idempotency on scope=\$http_x_client;
            proxy_pass       https://\$sync_upstream\$sync_upstream_uri;
        }

        location /late/orders {
            sync_entity   sales_order at=/late/orders;
            sync_deadline 700ms;
            proxy_pass    https://\$sync_upstream\$sync_upstream_uri;
        }

        location /plain/orders {
            sync_entity sales_order at=/plain/orders;
            proxy_pass  http://\$sync_upstream\$sync_upstream_uri;
        }

        location = /status { sync_status; }
    }
CONF

$t->start;

sub ask {
    my ($name, %opt) = @_;

    return $t->request($opt{method} // 'GET', $opt{uri} // '/v1/orders/1',
                       (defined $opt{body} ? (body => $opt{body}) : ()),
                       headers => [ Host => "$name.test",
                                    (defined $opt{body}
                                     ? ('Content-Type' => 'application/json')
                                     : ()), @{ $opt{headers} // [] } ]);
}

sub asked {
    my ($name) = @_;
    return scalar grep { $_->{uri} =~ m{^/\Q$name\E/} } $t->ledger('as');
}

my %how;

sub answers {
    my ($name, $how) = @_;
    $how{$name} = $how;
    $t->tell('as', \%how);
}

sub unavailable {
    my ($r, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{status}, 503, $what);
    is($r->json->{type}, 'urn:sync:problem:credentials-unavailable',
       'is told');
    cmp_ok($r->header('Retry-After') // 0, '>=', 1, 'with a time to come back');
}

# each kind, as the server verifies it

for my $case ([ basic => 'basic' ], [ post => 'post' ], [ jwt => 'jwt' ],
              [ ec => 'thumb' ], [ bearer => 'bearer' ])
{
    my ($name, $who) = @$case;

    my $r = ask($name);
    is($r->{status}, 200, "$name: a token");
    like($r->json->{as}, qr/^Bearer tok-$name-$who-\d+$/, 'of its own kind');

    my $again = ask($name);
    is($again->json->{as}, $r->json->{as}, 'for all that follow');
    is(asked($name), 1, 'asked for once');
}

my ($body) = map { $_->{body} } grep { $_->{uri} =~ /basic/ } $t->ledger('as');
is($body, 'grant_type=client_credentials&scope=a%20b', 'the scope');
($body) = map { $_->{body} } grep { $_->{uri} =~ /post/ } $t->ledger('as');
like($body, qr/audience=https%3A%2F%2Ferp.test%2F%26&resource=urn%3Ax$/,
     'audience and resource');

# one token for a hundred that come at once, in both workers

answers(many => { delay => 0.5 });
my @res = $t->parallel(map { [ GET => '/v1/orders/1',
                               headers => [ Host => 'many.test' ] ] } 1 .. 100);
is(scalar(grep { $_->{status} == 200 } @res), 100, 'a hundred at once');
is(asked('many'), 1, 'and one token');

# renewed before its end, without anybody waiting

answers(short => { answer => { expires_in => 3 }, delay => 0.3 });
my $first = ask('short')->json->{as};
my ($slowest, %seen, @order) = (0);
my $end = time + 5;

while (time < $end) {
    my $r = ask('short');
    my $as = $r->json->{as};

    push @order, $as if !$seen{$as}++;
    $slowest = $r->{time} if $r->{time} > $slowest;
    sleep 0.05;
}

cmp_ok(scalar(@order), '>=', 2, 'a short life: renewed');
cmp_ok($slowest, '<', 0.25, 'while the old one served');
is($order[0], $first, 'as long as it was good');

# a life of nothing, or of nobody knows how long

answers(zero => { answer => { expires_in => 0 } });
is(ask('zero')->{status}, 200, 'expires_in of 0: good for who waits');
sleep 1.1;
is(ask('zero')->{status}, 200, 'and not for ever');
is(asked('zero'), 2, 'another one');

answers(unsaid => { answer => { expires_in => undef } });
ask('unsaid') for 1 .. 3;
is(asked('unsaid'), 1, 'no expires_in: "lifetime" of the document');
sleep 2.1;
ask('unsaid');
is(asked('unsaid'), 2, 'and no longer');

# a target that knows it no more: once

my $r = ask('gone');
my $old = $r->json->{as};
my $landed = time;

# what goes wrong before: each is told, nothing is sent, and not asked again

my $sent = $t->ledger('erp');

answers(wrong => { secret => 'another' });
answers(broken => { status => 500, body => 'c4n4ry oops' });
answers(pause => { status => 503, body => '',
                   headers => { 'Retry-After' => '40' } });
answers(moved => { status => 302, body => '',
                   headers => { Location =>
                                "https://as.test:$as/basic/token" } });
answers(html => { status => 200, body => '<html>login</html>' });
answers(big => { status => 200, body => '{"x":"' . 'y' x 2_000_000 . '"}' });
answers(mac => { answer => { token_type => 'mac' } });
answers(empty => { answer => { access_token => "a\r\nX: y" } });
answers(stall => { never => 1 });
answers(over => { answer => { expires_in => 6 } });

ask('over');
sleep 4.9;                  # due at 90 % of 5.4, and good until 5.7
answers(over => { status => 500, body => '' });

my %row = (
    'refuses us with 401' => [ wrong => qr/answered 401 "invalid_client"/ ],
    'answers 500' => [ broken => qr/answered 500/ ],
    'answers 503 and Retry-After' => [ pause => qr/answered 503/ ],
    'redirects' => [ moved => qr/answered 302/ ],
    'answers HTML' => [ html => qr/line 1/ ],
    'answers 2 MB' => [ big => qr/too.large/ ],
    'gives a token that is no Bearer' => [ mac => qr/"token_type" is not/ ],
    'gives a token that no header may have' =>
        [ empty => qr/"access_token" is missing/ ],
    'has an address that nobody may call' => [ inner => qr/refused/ ],
    'does not answer' => [ stall => qr/timeout/ ],
    'answers 500, and a token is due' => [ over => qr/answered 500/ ],
);

my @key = (method => 'POST', uri => '/v1/orders', body => '{"n":0.10}',
           headers => [ 'Idempotency-Key' => '"w1"', 'X-Client' => 'me' ]);

# the table of docs/failure-modes.md: each row

open my $table, '<', 'docs/failure-modes.md' or die "the document: $!";
my $on;

while (<$table>) {
    $on = /^## At a token of a connector/ if /^## /;
    next if !$on || !/^\| (?!the token|-)/;

    s/^\| | \|$|`//g;
    chomp;

    my ($state, $answer, $wait, $state_of_key, $pause) = split / \| /;
    my ($name, $why) = @{ delete $row{$state} // [] };

    ok($name, "the endpoint $state: a test") or next;

    my $before = asked($name);
    my $began = time;
    my $r = ask($name, @key);
    my ($slow) = $wait =~ /^(\d+) s/;

    cmp_ok(time - $began, '<', ($slow // 0) + 0.5, "adds $wait");
    cmp_ok(time - $began, '>', $slow - 0.2, 'no less') if $slow;
    is($r->header('Idempotency-Status'), $state_of_key, 'the key');

    if ($answer =~ /^200/) {
        is($r->{status}, 200, 'an answer');
        ok($t->wait_for(sub { asked($name) == $before + 1 }), 'it was asked');

    } else {
        unavailable($r, 'an answer');
        my ($seconds) = $pause =~ /^(\d+) s/;
        cmp_ok(abs($r->header('Retry-After') - $seconds), '<=', 1,
               "for $pause");
        ask($name);
        cmp_ok(asked($name), '<=', 1, 'and not asked again');
    }

    ok($t->wait_for(sub {
        $t->log_text =~ /connector "erp" of tenant "$name".*$why/ }),
       'the log says why');
}

close $table;
is(join(', ', sort keys %row), '', 'each of them stands in the document');

# one that sync_egress does not list: its document is refused, with the place

for my $case ([ name => "https://other.test:$as/x/token" ],
              [ port => 'https://as.test/x/token' ],
              [ ip => "https://10.0.0.1:$as/x/token" ])
{
    my ($name, $url) = @$case;

    kind("outside$name" => $_ => %{ {
        client_credentials => { %client },
        private_key_jwt => { client_id => 'secret:id', key => 'secret:key' },
        jwt_bearer => { key => 'secret:key', claims => { iss => 'a' } },
    }->{$_} }, token_url => $url) for $name eq 'ip' ? 'private_key_jwt'
                                    : $name eq 'port' ? 'jwt_bearer'
                                    : 'client_credentials';

    $t->log_like(qr{outside$name\.json.*"/connectors/erp/credentials/\w+/token_url"
                    .*is\ not\ within\ "sync_egress".*lists\ what}x,
                 "a document with another $name is refused");
    my $r;
    ok($t->wait_for(sub { ($r = ask("outside$name"))->{status} == 503 }),
       'and its tenant has none');
    is($r->json->{type}, 'urn:sync:problem:tenant-misconfigured',
       'which is said');
}

is(scalar(grep { $_->{uri} =~ m{^/x/} } $t->ledger('as')), 0,
   'who is not listed is never asked');

unavailable(ask('badkey'), 'a key that cannot sign');
$t->log_like(qr/tenant "badkey".*not a private key for RS256/, 'the log');
is(asked('badkey'), 0, 'nobody was asked');

answers(late => { never => 1 });
my $from = time;
$r = ask('late', uri => '/late/orders/1');
is($r->{status}, 504, 'a server that stalls');
is($r->json->{type}, 'urn:sync:problem:deadline-exceeded', 'is told');
cmp_ok(time - $from, '<', 1.5, 'and keeps nobody beyond the deadline');

is($t->ledger('erp'), $sent + 2, 'in all that, only what had a token was sent');

# a rotated secret is another token, at once

$t->write('secrets/t_wrong/secret', 'another');
ok($t->wait_for(sub { ask('wrong', @key)->{status} == 200 }),
   'a secret that was changed');
is(scalar(grep { $_->{h}{authorization} =~ /tok-wrong/ } $t->ledger('erp')), 1,
   'the same key, sent once');

# who leaves does not take the token along

answers(leaves => { delay => 0.5 });
$t->abort(GET => '/v1/orders/1', headers => [ Host => 'leaves.test' ],
          after => 0.2, reset => 1);
sleep 0.7;
is(ask('leaves')->{status}, 200, 'a client that left');
is(asked('leaves'), 1, 'has fetched a token all the same');

# a reload while it is fetched

answers(reload => { delay => 0.8 });
my $pid = fork // die;

if (!$pid) {
    my $r = ask('reload');
    POSIX::_exit($r->{status} == 200 ? 0 : 1);
}

sleep 0.3;
ok($t->reload, 'a reload');
waitpid $pid, 0;
is($?, 0, 'a request that waits is served');
is(ask('reload')->{status}, 200, 'and one of the new workers');
is(asked('reload'), 1, 'by the same token');

# 401, and the token is old enough to be doubted

sleep 5.1 - (time - $landed) if time - $landed < 5.1;

$t->tell('erp', { bad => $old =~ s/^Bearer //r });
my ($n, $was) = (scalar $t->ledger('erp'), asked('gone'));

$r = ask('gone', method => 'POST', uri => '/v1/orders', body => '{"g":1}',
         headers => [ 'Idempotency-Key' => '"g1"', 'X-Client' => 'me' ]);
is($r->{status}, 200, 'a token that the target knows no more');
isnt($r->json->{as}, $old, 'is renewed');
is($r->json->{got}, '{"g":1}', 'and the same sent again');
is($r->header('Idempotency-Status'), 'executed', 'as one execution');
is($t->ledger('erp'), $n + 2, 'twice in all');
is(asked('gone'), $was + 1, 'with one more token');
is(ask('gone')->json->{as}, $r->json->{as}, 'which all use from then on');

ask('always');
ask('twice');
sleep 5.1;
$t->tell('erp', { all => 1 });
($n, $was) = (scalar $t->ledger('erp'), asked('always'));
$r = ask('always');
is($r->{status}, 401, 'a target that takes none');
is($t->ledger('erp'), $n + 2, 'is asked once more');
is(asked('always'), $was + 1, 'with a new token');

ask('always') for 1 .. 5;
is(asked('always'), $was + 1, 'and not for each request');
is($t->ledger('erp'), $n + 7, 'which then goes on as it is');

answers(twice => { status => 500, body => '' });
$n = $t->ledger('erp');
$r = ask('twice');
is($r->{status}, 401, 'no new token: the 401 is what is told');
is($t->ledger('erp'), $n + 1, 'and nothing is sent again');
$t->tell('erp', {});
is(ask('twice')->{status}, 200, 'the old one goes on');

# never without TLS

$n = $t->ledger('erp');
$r = ask('basic', uri => '/plain/orders/1');
is($r->{status}, 500, 'by http');
is($r->json->{type}, 'urn:sync:problem:connector-unverified', 'no token goes');

# a dry run asks for none

my $text = 'exp=' . int(time + 600) . '; mode=dry-run';
kind(dry => client_credentials => %client);
ok($t->wait_for(sub {
    $r = ask('dry', headers => [ 'X-Sync-Debug' => "$text; sig="
        . encode_base64url(hmac_sha256($text,
              'a key of those who debug it all, long')) ]);
    $r->{status} == 200 }), 'a dry run');
is(asked('dry'), 0, 'asks for no token');
ok(exists $r->json->{request}{headers}{authorization}, 'and says where');

$t->done;
