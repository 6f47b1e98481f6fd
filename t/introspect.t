#!/usr/bin/perl

# Tokens that only their issuer can read (RFC 7662): what it says, how long
# that serves, what happens when it says nothing.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Https;
use Test::Sync::Token;
use Cpanel::JSON::XS ();
use MIME::Base64 qw(decode_base64);
use Time::HiRes qw(sleep time);

my $t = Test::Sync->new(workers => 2);

my $aud = 'https://sync.example';
my $ca = Test::Sync::Https->ca;

# what a token is, is in the control file of its server; else it is inactive

sub server {
    my ($s, $name) = @_;

    return $s->peer($name => sub {
        my ($req, $ctl) = @_;

        my ($token) = $req->{body} =~ /^token=([^&]*)/;
        my $what = $ctl->{tokens}{ $token // '' } // { active => \0 };

        $what = $ctl->{all} if $ctl->{all};

        return { status => $what->[0], headers => $what->[1],
                 body => $what->[2], %{ $what->[3] // {} } }
            if ref $what eq 'ARRAY';

        return [ 200, { 'Content-Type' => 'application/json' },
                 Cpanel::JSON::XS->new->encode($what) ];
    }, https => ['idp.test']);
}

my %port = map { $_ => server($t, $_) } qw(acme two platform);

my %says;

sub says {
    my ($who, %tokens) = @_;

    $says{$who}{tokens} = { %{ $says{$who}{tokens} // {} }, %tokens };
    $t->tell($who => $says{$who});
}

sub all_say {
    my ($who, $what) = @_;

    $says{$who}{all} = $what;
    $t->tell($who => $says{$who});
}

sub active {
    return { active => \1, client_id => 'crm', sub => 'ann', @_ };
}

sub asked {
    my ($who, $token) = @_;

    return scalar grep {
        !defined $token || $_->{body} =~ /^token=\Q$token\E&/
    } $t->ledger($who);
}

my %secret = (acme => 'c4n4ry+secret/%:acme', two => 'c4n4ry-two',
              platform => 'c4n4ry-platform');

$t->canary(values %secret);
$t->write("secrets/t_acme/$_", "$secret{$_}\n") for qw(acme two);
$t->write('secrets/t_acme/id', 'gate:way');
$t->write('platform.secret', "$secret{platform}\n");

my $jwt = Test::Sync::Token->new(issuer => 'https://acme.example',
                                 claims => { aud => $aud, azp => 'crm' })
          ->key('k1', 'ES256');
my $asked = Test::Sync::Token->new(issuer => 'https://two.example',
                                   claims => { aud => $aud, azp => 'crm' })
            ->key('k2', 'ES256');

$t->write('library/jwks/acme.json', $jwt->jwks);

sub endpoint { return "https://127.0.0.1:$port{$_[0]}/introspect" }

my %acme = (
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    issuers => [
        { issuer => 'https://acme.example', jwks => 'jwks/acme.json',
          audience => $aud,
          introspect => { url => endpoint('acme'),
                          client_id => 'secret:id',
                          client_secret => 'secret:acme',
                          cache => '2s' } },
        { issuer => 'https://two.example',
          introspect => { url => endpoint('two'), client_id => 'gateway',
                          client_secret => 'secret:two' } },
    ],
    plans => { gold => { limits => [ { rate => '1000/s' } ] } },
    clients => { crm => { plan => 'gold' }, shop => {} },
);

my %beta = (
    tenant => 'beta', id => 't_beta', match => { hosts => ['beta.test'] },
    clients => { crm => {} },
);

$t->write('tenants/acme.json', \%acme);
$t->write('tenants/beta.json', \%beta);
$t->peer(up => sub { return [200, {}, 'up'] });

my $shared = <<"CONF";
    sync_trusted_certificate $ca;
    sync_egress 127.0.0.1:$port{acme} 127.0.0.1:$port{two};
CONF

$t->http($shared . <<"CONF");
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;
    sync_issuer  https://platform.example tenant_claim=tenant
                 introspect=@{[ endpoint('platform') ]} client_id=edge
                 client_secret=file:%%TESTDIR%%/platform.secret cache=1s;
    upstream up { server %%PEER_up%%; }
    add_header X-Who "\$sync_client|\$sync_subject|\$sync_scope|\$sync_issuer"
               always;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_auth   token;

        location /       { proxy_pass http://up; }
        location /at/    { sync_auth token typ=at+jwt; proxy_pass http://up; }
        location /role/  { sync_require /ext/role admin;
                           proxy_pass http://up; }
        location = /status { sync_auth off; sync_tenant off; sync_status; }
    }
CONF

$t->start;

sub ask {
    my ($token, %opt) = @_;

    return $t->request('GET', $opt{uri} // '/', %opt,
                       host => ($opt{tenant} // 'acme') . '.test',
                       headers => [ Authorization => "Bearer $token" ]);
}

sub status { return ask(@_)->{status} }

# what is asked, and what is said

says(acme => ok1 => active(scope => 'orders:read x', exp => time + 600,
                           aud => $aud, ext => { role => 'admin' }));

my $r = ask('ok1');
is($r->{status}, 200, 'an active token');
is($r->header('x-who'), 'crm|ann|orders:read x|https://acme.example',
   'who it is, by whom');

my ($req) = $t->ledger('acme');
is($req->{method}, 'POST', 'asked by POST');
is($req->{body}, 'token=ok1&token_type_hint=access_token', 'in a form');
is($req->{h}{'content-type'}, 'application/x-www-form-urlencoded',
   'which says so');
is($req->{h}{accept}, 'application/json', 'what is wanted');
my ($basic) = $req->{h}{authorization} =~ /^Basic (\S+)$/;
is(decode_base64($basic // ''), 'gate%3Away:c4n4ry%2Bsecret%2F%25%3Aacme',
   'credentials are encoded before they are Basic');
is(asked('two'), 0, 'who comes after is not asked');

is(status('ok1'), 200, 'again') for 1 .. 20;
is(asked('acme'), 1, 'it was asked once');
is(status('ok1', uri => '/role/'), 200, 'a claim of the answer');
is(status('ok1', uri => '/at/'), 200, 'typ=at+jwt is for JWTs');

sleep 2.2;
is(status('ok1'), 200, 'after its time');
is(asked('acme'), 2, 'it is asked again');

# not active

$r = ask('nobody');
is($r->{status}, 401, 'a token that nobody knows');
is($r->header('www-authenticate'), 'Bearer realm="sync", '
   . 'error="invalid_token"', 'and says so');
is($r->json->{type}, 'urn:sync:problem:invalid-token', 'as problem');
is(asked($_, 'nobody'), 1, "$_ was asked")
    for qw(acme two platform);
is(status('nobody'), 401, 'again') for 1 .. 10;
is(asked('acme', 'nobody'), 1, 'that is remembered');

says(acme => refresh => active(token_use => 'refresh_token'),
             offline => active(typ => 'Offline'));
is(status($_), 401, "a $_ token") for qw(refresh offline);

# the next one is asked; a JWT goes where it says it comes from

says(two => second => active(), other => active(client_id => 'shop'));

$r = ask('second');
is($r->header('x-who'), 'crm|ann||https://two.example', 'the second issuer');
is(asked('acme', 'second') . asked('two', 'second'), '11', 'both were asked');

my $signed = $jwt->token({});
is(status($signed), 200, 'a JWT of an issuer with keys');
is(asked('acme', $signed), 0, 'which is not asked about it');
is(status($jwt->token({}, tamper => 'signature')), 401, 'nor about a bad one');

my $its = $asked->token({});
(my $in = $its) =~ s/[^A-Za-z0-9._-]//g;
says(two => $in => active(iss => 'https://two.example'));
$r = ask($its);
is($r->{status}, 200, 'a JWT of one without keys');
is(asked('acme', $in) . asked('two', $in) . asked('platform', $in), '010',
   'it alone is asked');
is(status($asked->token({ jti => 'x' })), 401, 'and may say no');
is(status($asked->token({ iss => 'https://evil.example' })), 401,
   'nobody\'s issuer');

# claims that do not fit

says(acme => foreign => active(iss => 'https://two.example', aud => $aud),
     wrongaud => active(aud => 'https://else.example'),
     noaud => active(),
     stranger => active(client_id => 'nobody', aud => $aud),
     bound => active(aud => $aud, cnf => { jkt => 'A' x 43 }),
     future => active(aud => $aud, nbf => time + 600));
is(status('foreign'), 401, 'another issuer than was asked');
is(status('wrongaud'), 401, 'another audience');
is(status('noaud'), 401, 'no audience where one is wanted');
is(status('stranger'), 403, 'a client that is not known here');
is(status('bound'), 401, 'a token that is bound comes with its proof');
is(status('future'), 401, 'not yet valid');

# an exp in the past, and an expires_in of 0, are not kept

says(acme => past => active(aud => $aud, exp => time - 60),
             zero => active(aud => $aud, expires_in => 0));

for my $token (qw(past zero)) {
    for my $n (1 .. 3) {
        is(status($token), 401, "$token: over");
        is(asked('acme', $token), $n, "asked $n times");
        sleep 0.2;
    }
}

says(two => soon => active(exp => int(time) + 2));
is(status('soon'), 200, 'a token that expires soon');
says(two => soon => { active => \0 });
sleep 2.1;
is(status('soon'), 401, 'does not serve beyond its exp');

# answers that are none

my %bad = (
    text => 'active', number => active(active => 1), null => { active => undef },
    string => { active => 'true' }, none => {}, list => [ 200, {}, '[]' ],
    html => [ 200, {}, '<html>' ], cut => [ 200, {}, '{"active":tr' ],
    twice => [ 200, {}, '{"active":false,"active":true}' ],
    exp => active(aud => $aud, exp => 'soon'),
    iat => active(aud => $aud, iat => [1]), sub => active(aud => $aud, sub => 1),
    aud => active(aud => { a => 1 }), scope => active(aud => $aud, scope => 7),
    empty => [ 200, {}, '' ], error => [ 500, {}, '{"active":true}' ],
    redirect => [ 302, { Location => endpoint('two') }, '' ],
    created => [ 201, {}, '{"active":true}' ],
    large => [ 200, {}, '{"active":true,"x":"' . ('x' x 2_000_000) . '"}' ],
);

says(acme => map {
    ("bad-$_" => ref $bad{$_} ? $bad{$_} : [ 200, {}, $bad{$_} ])
} keys %bad);

for (sort keys %bad) {
    $r = ask("bad-$_");

    is($r->{status}, 503, "$_: 503");
    is($r->json->{type}, 'urn:sync:problem:issuer-unavailable', 'as problem');
    is($r->header('www-authenticate'), undef, 'not a word of the token');
}

is($r->header('retry-after'), 1, 'with Retry-After');
is(status('bad-error'), 503, 'again');
is(asked('acme', 'bad-error'), 1, 'not asked again at once');
says(acme => 'bad-error' => active(aud => $aud));
ok($t->wait_for(sub { status('bad-error') == 200 }, 3), 'but soon');

# one of several does not answer: nobody knows; or the next one does

all_say(acme => [ 500, {}, '' ]);
says(two => third => active());
is(status('third'), 200, 'the second issuer answers, the first does not');
is(status('fourth'), 503, 'nobody says yes, and not all say no');
all_say(acme => undef);
sleep 1.1;
is(status('fourth'), 401, 'all say no');

# many at once

says(acme => herd => active(aud => $aud));
all_say(acme => [ 200, {}, '{"active":true,"client_id":"crm","aud":"'
                           . $aud . '"}', { delay => 0.3 } ]);
my @all = $t->parallel(map {
    [ GET => '/', host => 'acme.test',
      headers => [ Authorization => 'Bearer herd' ] ]
} 1 .. 100);
is(scalar(grep { $_->{status} == 200 } @all), 100, '100 at once pass');
is(asked('acme', 'herd'), 1, 'it was asked once for both workers');

@all = $t->parallel(map {
    [ GET => '/', host => 'acme.test',
      headers => [ Authorization => "Bearer herd$_" ] ]
} 1 .. 20);
is(scalar(grep { $_->{status} == 200 } @all), 20, 'each token has its own');

# a client that leaves, and one that stays

my $s = $t->connect;
print $s "GET / HTTP/1.1\r\nHost: acme.test\r\n"
         . "Authorization: Bearer left\r\n\r\n";
ok($t->wait_for(sub { asked('acme', 'left') }), 'asked');
close $s;
is(status('left'), 200, 'who leaves does not take the answer along');
is(asked('acme', 'left'), 1, 'nobody asked again');

# a reload while one is under way

all_say(acme => [ 200, {}, '{"active":true,"client_id":"crm","aud":"'
                           . $aud . '"}', { delay => 1 } ]);
$s = $t->connect;
print $s "GET / HTTP/1.1\r\nHost: acme.test\r\nConnection: close\r\n"
         . "Authorization: Bearer reload\r\n\r\n";
ok($t->wait_for(sub { asked('acme', 'reload') }), 'asked');
ok($t->reload, 'reload');
like(join('', <$s>), qr{^HTTP/1.1 200 }, 'the old worker answers');
is(status('reload'), 200, 'and the new one knows');
is(asked('acme', 'reload'), 1, 'asked once');
all_say(acme => undef);

# the platform's

says(platform => p1 => active(tenant => 'beta'), p2 => active(),
                 p3 => active(tenant => 'acme'));
is(status('p1', tenant => 'beta'), 200, 'an issuer of the platform');
is(status('p2', tenant => 'beta'), 401, 'a token without a tenant');
is(status('p3', tenant => 'beta'), 403, 'a token of another tenant');
is(status('p1'), 403, 'for another tenant');
($req) = grep { $_->{body} =~ /^token=p1&/ } $t->ledger('platform');
is(decode_base64(($req->{h}{authorization} =~ /^Basic (\S+)$/)[0] // ''),
   "edge:$secret{platform}", 'its credentials');

# secrets change

$t->write('platform.secret', "c4n4ry-platform-2\n");
$t->write('secrets/t_acme/acme', "c4n4ry-acme-2\n");
$t->canary('c4n4ry-platform-2', 'c4n4ry-acme-2');

sub secret_of {
    my ($who, $tenant) = @_;
    my $token = "turn-$who-" . int(rand 1e9);

    status($token, tenant => $tenant);

    my ($req) = grep { $_->{body} =~ /^token=\Q$token\E&/ } $t->ledger($who);

    return (split /:/, decode_base64(
        (($req->{h}{authorization} // '') =~ /^Basic (\S+)$/)[0] // ''))[1];
}

ok($t->wait_for(sub {
    sleep 0.1;
    secret_of('platform', 'beta') eq 'c4n4ry-platform-2';
}), 'a secret of nginx.conf is read again');
ok($t->wait_for(sub {
    sleep 0.1;
    secret_of('acme', 'acme') eq 'c4n4ry-acme-2';
}), 'so is one of a document');

unlink $t->path('platform.secret');
sleep 1.1;
is(secret_of('platform', 'beta'), 'c4n4ry-platform-2',
   'one that is gone stays in force');

$says{platform}{all} = [ 401, {}, '' ];
$t->tell(platform => $says{platform});
is(status('refused', tenant => 'beta'), 503,
   'our own credentials are refused: that is not the client\'s fault');
$t->log_like(qr/does not take our client_id and client_secret, status 401/,
             'but the operator\'s');
all_say(platform => undef);

# a token that is revoked here, whatever its issuer says

says(acme => jti1 => active(aud => $aud, jti => 'j-1'));
is(status('jti1'), 200, 'a token with a jti') for 1 .. 4;
$t->write('tenants/acme.json', { %acme, revoked => { jti => ['j-1'] } });
ok($t->wait_for(sub {
    return 10 == grep { status('jti1') == 401 } 1 .. 10;
}), 'is revoked by a document');
$t->write('tenants/acme.json', \%acme);

# an endpoint that is not listed, a secret that is not there

$t->write('tenants/acme.json', { %acme, issuers => [
    { issuer => 'https://x.example',
      introspect => { url => 'https://127.0.0.1:1/', client_id => 'x',
                      client_secret => 'secret:two' } } ] });
$t->log_like(qr{/issuers/0/introspect/url": is not within "sync_egress"},
             'a document that leads elsewhere is refused');
is(status('second'), 200, 'the one before it goes on');

$t->write('tenants/acme.json', { %acme, issuers => [
    { issuer => 'https://x.example',
      introspect => { url => endpoint('two'), client_id => 'x',
                      client_secret => 'secret:none' } } ] });
ok($t->wait_for(sub { status('nosecret' . int rand 1e9) == 503 }),
   'a secret that is not there');
$t->log_like(qr/secret "none" of tenant "acme" cannot be read/, 'is logged');

# gone, and stalling

$t->write('tenants/acme.json', \%acme);
ok($t->wait_for(sub { status('second') == 200 }), 'as it was');
$t->peer_stop('acme');
is(status('gone1'), 503, 'nobody listens');
$t->peer_start('acme');
sleep 1.1;
is(status('gone1'), 401, 'and again it does');

all_say($_ => [ 200, {}, '{"active":false}', { delay => 8 } ])
    for qw(acme two platform);
my $began = time;
is(status('stalls', timeout => 20), 503, 'all stall');
ok(time - $began < 16, 'and are not waited for for ever');
all_say($_ => undef) for qw(acme two platform);

# a flood of tokens that nobody knows

my $started = time;
@all = $t->parallel(map {
    [ GET => '/', host => 'beta.test', timeout => 20,
      headers => [ Authorization => "Bearer flood$_" ] ]
} 1 .. 400);

my $floods = grep { $_->{body} =~ /^token=flood/ } $t->ledger('platform');

cmp_ok($floods, '<=', 205 + 100 * (time - $started),
       "of 400 at once $floods are asked about");
is(scalar(grep { $_->{status} == 401 || $_->{status} == 503 } @all), 400,
   'all are answered');
cmp_ok(scalar(grep { $_->{status} == 503 } @all), '>=', 1,
       'those beyond the budget by 503');

my $m = $t->metrics('/status');
cmp_ok($m->{"sync_introspections_total{result=\"$_->[0]\"}"}
       // -1, '>=', $_->[1], "counted as $_->[0]")
    for ['active', 10], ['inactive', 5], ['failed', 5], ['refused', 1];

# at load

my $cert = "sync_trusted_certificate $ca;";
my $start = 'sync_issuer https://x.example tenant_claim=t';
my $good = 'introspect=https://127.0.0.1/i client_id=a '
         . 'client_secret=file:%%TESTDIR%%/secrets/t_acme/two';

$t->write('empty', "\n");

for (
    [ "$start $good;", undef ],
    [ "$start $good cache=10s audience=a;", undef ],
    [ "$start introspect=https://127.0.0.1/i;",
      qr/needs "client_id=" and "client_secret="/ ],
    [ "$start client_id=a;", qr/without "introspect=URL"/ ],
    [ "$start $good client_id=b;", qr/has "client_id" twice/ ],
    [ "$start $good cache=2h;", qr/at most an hour/ ],
    [ "$start $good cache=x;", qr/at most an hour/ ],
    [ "$start introspect=http://127.0.0.1/i client_id=a "
      . 'client_secret=file:%%TESTDIR%%/secrets/t_acme/two;', qr/https/ ],
    [ "$start introspect=https://idp.test/i client_id=a "
      . 'client_secret=file:%%TESTDIR%%/secrets/t_acme/two;',
      qr/"idp.test" needs a resolver/ ],
    [ "$start introspect=https://127.0.0.1/i client_id=a "
      . 'client_secret=hush;', qr/never the secret itself/ ],
    [ "$start introspect=https://127.0.0.1/i client_id=a "
      . 'client_secret=file:%%TESTDIR%%/nothing;', qr/cannot read it/ ],
    [ "$start introspect=https://127.0.0.1/i client_id=a "
      . 'client_secret=file:%%TESTDIR%%/empty;', qr/is empty/ ],
    [ "$start introspect=https://127.0.0.1/i client_id=a "
      . 'client_secret=env:SYNC_NO_SUCH;', qr/no variable "SYNC_NO_SUCH"/ ],
    [ 'sync_issuer https://x.example ' . "$good;", qr/needs "tenant_claim="/ ],
) {
    my ($text, $like) = @$_;
    my $conf = "$cert $text server { listen 127.0.0.1:%%PORT_9%%; "
             . 'location / { sync_auth token; } }';
    my $name = $text =~ s/%%\w+%%//gr;

    $like ? $t->refused($conf, $like, "refused: $name")
          : $t->accepted($conf, "accepted: $name");
}

$t->done;
