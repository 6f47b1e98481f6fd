#!/usr/bin/perl

# Keys that are fetched: by URL and by discovery, from issuers that rotate,
# stall, lie and go.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Https;
use Test::Sync::Token;
use Time::HiRes qw(sleep time);

my $t = Test::Sync->new(workers => 2);
my $aud = 'https://sync.example';
my @names = qw(idp.test keys.test many.test victim.test rebind.test
               outside.test);

my $port = $t->peer(idp => \&issuers, https => \@names);
my $base = "https://idp.test:$port";
my $dns = Test::Sync::Dns->start(map { $_ => ['127.0.0.1'] } @names);
my $ca = Test::Sync::Https->ca;

$t->peer(up => sub { return [ 200, {}, 'up' ] });


# What the fake issuers say; $ctl by the first part of the path:
# keys, status, body, cache, delay, reset, never, location; issuer and
# jwks_uri of the metadata; oauth (no OpenID metadata).

sub issuers {
    my ($req, $ctl) = @_;

    my ($name, $what) = $req->{uri} =~ m{^/([^/]+)/(.*)};

    return [ 404, {}, '<html>no</html>' ] if !defined $name;

    if ($name eq '.well-known') {
        ($what, $name) = $req->{uri} =~ m{^(/.well-known/[^/]+)/([^/]+)};
    }

    my $is = $ctl->{$name // ''} || {};
    my $url = "https://$req->{h}{host}/$name";

    if ($what =~ /well-known/) {
        return [ 404, {}, '' ]
            if ($what =~ /openid/ ? 1 : 0) == ($is->{oauth} ? 1 : 0);
        return [ 200, { 'Content-Type' => 'application/json' },
                 $is->{metadata}
                 // '{"issuer":"' . ($is->{issuer} // $url)
                    . '","jwks_uri":"' . ($is->{jwks_uri} // "$url/jwks")
                    . '"}' ];
    }

    return { never => 1 } if $is->{never};
    return { reset => 1 } if $is->{reset};
    return { cut => 100, body => 'x' x 200 } if $is->{cut};
    return [ 302, { Location => $is->{location} }, '' ] if $is->{location};

    return { status => $is->{status} // 200,
             headers => { $is->{cache} ? ('Cache-Control' => $is->{cache})
                                       : () },
             delay => $is->{delay} // 0,
             body => $is->{body} // $is->{keys} // '{"keys":[]}' };
}


my (%ctl, %issuer);


sub says {
    my ($name, %is) = @_;

    $ctl{$name} = { %{ $ctl{$name} || {} }, %is };
    $t->tell(idp => \%ctl);
}


# an issuer, its keys published, and a tenant of that name

sub issuer {
    my ($name, %opt) = @_;

    my $url = $opt{url} // "$base/$name";
    my $is = Test::Sync::Token->new(
        issuer => $url,
        claims => { aud => $aud, sub => 'ann', azp => 'crm' });

    $is->key('k1', 'ES256');
    $issuer{$name} = $is;

    publish($name) if !$opt{silent};
    tenant($name, $url, $opt{jwks} // 'discover') if !$opt{alone};

    return $is;
}


sub publish {
    my ($name, @kids) = @_;

    my $json = Cpanel::JSON::XS->new->canonical;

    says($name, keys => $json->encode($issuer{$name}->jwks(@kids)));
}


sub tenant {
    my ($name, $url, $jwks, %more) = @_;

    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.host"] },
        issuers => [ { issuer => $url, jwks => $jwks, audience => $aud } ],
        clients => { crm => {} }, %more });
}


sub ask {
    my ($name, $token, %opt) = @_;

    return $t->request('GET', $opt{uri} // '/', host => "$name.host",
                       headers => [ Authorization => "Bearer $token" ]);
}


sub asks {
    my ($n, $name, $token) = @_;

    return $t->parallel(map {
        [ 'GET', '/', host => "$name.host", headers =>
              [ Authorization => 'Bearer '
                                 . (ref $token ? $token->($_) : $token) ] ]
    } 1 .. $n);
}


sub asked {
    my ($like) = @_;

    return scalar grep { $_->{uri} =~ $like } $t->ledger('idp');
}


# wait until forced fetches are allowed again, and all workers look again

sub pause {
    sleep 1.3;
}


sub status {
    my ($res, $status, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($res->{status}, $status, $name) or diag($res->{body});
}


issuer('acme');
issuer('url', jwks => "https://keys.test:$port/url/jwks");
issuer('oauth');
says('oauth', oauth => 1);
issuer($_) for qw(rotate same html none large reset cut moved liar rebind
                  stall flood removed gone late young);
issuer('platform', alone => 1);
issuer('outside', alone => 1);
issuer('inner', alone => 1);

$t->write('tenants/platform.json', {
    tenant => 'platform', id => 't_platform',
    match => { hosts => ['platform.host'] }, clients => { crm => {} } });

my $CONF = <<"CONF";
    resolver 127.0.0.1:@{[ $dns->port ]} ipv6=off valid=1s;
    resolver_timeout 1s;
    sync_trusted_certificate $ca;
    sync_zone keys:16m;
    sync_egress idp.test:$port keys.test:$port many.test:$port
                victim.test:$port rebind.test:$port 127.0.0.1/32:$port;
    sync_tenants %%TESTDIR%%/tenants interval=50ms;
    sync_issuer  $base/platform audience=$aud jwks=discover
                 tenant_claim=org;
    sync_issuer  $base/outside audience=$aud jwks=discover
                 tenant_claim=org;
    sync_issuer  https://127.0.0.1:$port/inner audience=$aud
                 jwks=https://127.0.0.1:$port/inner/jwks tenant_claim=org;

    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        sync_tenant host;
        sync_auth   token;
        location / { proxy_pass http://up; }
        location = /status { sync_status; }
    }
CONF

$t->http($CONF);
$t->start;


# the ways to a key set

status(ask('acme', $issuer{acme}->token), 200, 'by discovery');
is(asked(qr{^/acme/.well-known/openid-configuration$}), 1, 'of OpenID');
is(asked(qr{^/acme/jwks$}), 1, 'and its keys');
status(ask('acme', $issuer{acme}->token), 200, 'another token');
is(asked(qr{^/acme/}), 2, 'asks nothing');

status(ask('url', $issuer{url}->token), 200, 'by URL');
is(asked(qr{^/url/}), 1, 'with one question');

status(ask('oauth', $issuer{oauth}->token), 200, 'by metadata of OAuth');
is(asked(qr{^/.well-known/oauth-authorization-server/oauth$}), 1,
   'where RFC 8414 has them');

my $for = { org => 'platform' };

status(ask('platform', $issuer{platform}->token($for)), 200, 'sync_issuer');

$issuer{inner}{issuer} = "https://127.0.0.1:$port/inner";
status(ask('platform', $issuer{inner}->token($for)), 200,
       'an address in nginx.conf is the owner\'s word');

my @res = asks(40, 'late', $issuer{late}->token);

is(scalar(grep { $_->{status} == 200 } @res), 40, '40 at once');
is(asked(qr{^/late/jwks}), 1, 'one fetch for two workers');


# who lies, and who is not well: 503, never 401

my @never = (
    html  => { body => '<html>sign in</html>' },
    none  => { status => 404 },
    large => { body => Cpanel::JSON::XS->new->encode($issuer{large}->jwks)
                       . ' ' x 300_000 },      # all of it is good
    reset => { reset => 1 },
    cut   => { cut => 1 },
    moved => { location => "$base/acme/jwks" },
    liar  => { issuer => "$base/acme" },
);

while (my ($name, $is) = splice @never, 0, 2) {
    says($name, %$is);

    my $res = ask($name, $issuer{$name}->token);

    status($res, 503, "$name: 503");
    is($res->json->{type}, 'urn:sync:problem:issuer-unavailable',
       'issuer-unavailable');
    like($res->{h}{'retry-after'} // '', qr/^[1-9]\d*$/, 'with Retry-After');
    unlike($res->{head}, qr/www-authenticate/i, 'no challenge');

    my $n = asked(qr{^/$name/});

    status(ask($name, $issuer{$name}->token), 503, 'and again');
    is(asked(qr{^/$name/}), $n, 'but it was not asked again');
}

# slashes count

says('liar', issuer => "$base/liar/");
$t->log_like(qr/"$base\/liar" cannot be fetched: its metadata are of another/,
             'the log says who lied');

# who says that its keys are where documents may not lead

issuer('inward');
says('inward', jwks_uri => "https://outside.test:$port/inward/jwks");
issuer('plain');
says('plain', jwks_uri => "http://idp.test:$port/plain/jwks");
ok($t->wait_for(sub {
    ask('inward', $issuer{inward}->token)->{status} == 503
    && ask('plain', $issuer{plain}->token)->{status} == 503
}), 'keys outside of sync_egress, and without TLS');
is(asked(qr{^/(inward|plain)/jwks}), 0, 'are not asked for');

says('outside', jwks_uri => "https://outside.test:$port/outside/jwks");
status(ask('platform', $issuer{outside}->token($for)), 503,
       'another host than the issuer\'s must be listed for a sync_issuer, too');
is(asked(qr{^/outside/jwks}), 0, 'or is not asked');

# a name that leads inward

$dns->set('rebind.test' => ['10.0.0.1']);
issuer('bound', url => "https://rebind.test:$port/bound");
ok($t->wait_for(sub {
    ask('bound', $issuer{bound}->token)->{status} == 503
}), 'a name of a private address');
$t->log_like(qr{rebind.test:$port/bound" cannot be fetched: .*address},
             'is not called');

# a document that leads where it may not

issuer('stray', url => "https://outside.test:$port/stray");
ok($t->wait_for(sub {
    $t->log_text =~ m{"/issuers/0/jwks": is not within "sync_egress" of nginx.conf}
}), 'a document whose issuer is not within sync_egress is refused');


# rotation

my $old = $issuer{rotate}->token;

status(ask('rotate', $old), 200, 'a key');
pause();
$issuer{rotate}->key('k2', 'ES256');
publish('rotate');
@res = asks(20, 'rotate', $issuer{rotate}->token({}, kid => 'k2'));
is(scalar(grep { $_->{status} == 200 } @res), 20, 'another key is fetched');
is(asked(qr{^/rotate/jwks}), 2, 'once');
status(ask('rotate', $issuer{rotate}->token), 200, 'the old one counts');

status(ask('same', $issuer{same}->token), 200, 'a key');
pause();
$old = $issuer{same}->token;
status(ask('same', $old), 200, 'a token is known');
$issuer{same}->key('k1', 'ES256');
publish('same');
@res = asks(20, 'same', sub { $issuer{same}->token({ jti => "j$_[0]" }) });
is(scalar(grep { $_->{status} == 200 } @res), 20,
   'another key under the same kid');
is(asked(qr{^/same/jwks}), 2, 'is fetched once');
pause();
status(ask('same', $old), 401, 'what the withdrawn key has signed is over');

my $forged = $issuer{same}->token({}, tamper => 'signature');

status(ask('same', $forged), 401, 'a bad signature is 401');

status(ask('removed', $issuer{removed}->token), 200, 'a key');
$old = $issuer{removed}->token;
status(ask('removed', $old), 200, 'a token of it') for 1 .. 4;
pause();
$issuer{removed}->key('k2', 'ES256');
publish('removed', 'k2');
status(ask('removed', $issuer{removed}->token({}, kid => 'k2')), 200,
       'a key is replaced');
pause();
is(scalar(grep { ask('removed', $old)->{status} == 200 } 1 .. 4), 0,
   'cached as verified, and no more');
pause();
status(ask('removed', $old), 401, 'which is for good') for 1 .. 4;

# a key that is published within a second of a fetch

status(ask('young', $issuer{young}->token), 200, 'a key');
$issuer{young}->key('k2', 'ES256');
publish('young');

for (1 .. 4) {
    my $res = ask('young', $issuer{young}->token({}, kid => 'k2'));

    status($res, 503, 'one more, at once: nobody can tell');
    is($res->header('retry-after'), 1, 'until a second is over');
}

pause();
status(ask('young', $issuer{young}->token({}, kid => 'k2')), 200,
       'then it counts') for 1 .. 4;
is(asked(qr{^/young/jwks}), 2, 'with one fetch');


# keys that nobody has

status(ask('flood', $issuer{flood}->token), 200, 'a key');
pause();
my $n = asked(qr{^/flood/jwks});
my $start = time;
my $unknown = $issuer{flood}->token({}, header => { kid => 'nobody' });
status(ask('flood', $unknown), 401, 'an unknown key is 401');
is(asked(qr{^/flood/jwks}), $n + 1, 'after a fetch');
pause();
status(ask('flood', $unknown), 401, 'and again') for 1 .. 3;
cmp_ok(asked(qr{^/flood/jwks}), '<=', $n + 2, 'remembered');

my %seen;

for my $round (1 .. 10) {
    my @at = asks(100, 'flood', sub {
        $issuer{flood}->token({}, header => { kid => "r$round-$_[0]" });
    });

    $seen{$_->{status}}++ for @at;
    sleep 1.1;          # as far apart as fetches have to be
}

is(join(' ', grep { $_ ne '401' && $_ ne '503' } keys %seen), '',
   '1,000 random keys: 401, or 503 where nobody can tell');

my $most = 4 + int((time - $start) / 10) + 1;

cmp_ok(asked(qr{^/flood/jwks}) - $n, '<=', $most,
       'and no more fetches than the budget has');
status(ask('flood', $issuer{flood}->token({ jti => 'after' })), 200,
       'known keys go on');


# two tenants, one issuer's name, different keys

my %two = map { $_ => Test::Sync::Token->new(
                    issuer => "$base/two",
                    claims => { aud => $aud, sub => 'ann', azp => 'crm' })
                    ->key('k1', 'ES256') } qw(one other);

for my $name (qw(one other)) {
    says($name, keys => Cpanel::JSON::XS->new->encode($two{$name}->jwks));
    tenant($name, "$base/two", "$base/$name/jwks");
}

for my $name (qw(one other)) {
    ok($t->wait_for(sub {
        ask($name, $two{$name}->token)->{status} == 200
    }), 'an issuer that two tenants declare, each with its keys');
}

sleep 0.3;
status(ask('one', $two{other}->token), 401, 'the other\'s are worth nothing');
status(ask('other', $two{one}->token), 401, 'here and there');

status(ask('one', $issuer{acme}->token), 403, 'another tenant\'s token is '
       . 'foreign');


# an issuer that stalls

says('stall', never => 1);
my @start = map { time } 1;
@res = asks(10, 'stall', $issuer{stall}->token);
is(scalar(grep { $_->{status} == 503 } @res), 10, 'it stalls: 503');
cmp_ok(time - $start[0], '<', 8, 'in time');
is(asked(qr{^/stall/jwks}), 1, 'all waited for one');


# what sync_status shows

my $m = $t->metrics('/status');

cmp_ok($m->{'sync_issuer_keys_total{result="fetched"}'}, '>=', 10,
       'fetches are counted');
cmp_ok($m->{'sync_issuer_keys_total{result="failed"}'}, '>=', 8,
       'failures');
cmp_ok($m->{'sync_issuer_keys_total{result="refused"}'}, '>=', 1,
       'what budgets refused');
cmp_ok($m->{'sync_issuer_keys_total{result="unknown"}'}, '>=', 1,
       'and unknown keys');
like($m->{"sync_issuer_keys_age_seconds{issuer=\"$base/platform\"}"},
     qr/^\d+$/, 'the age of a sync_issuer\'s keys');


# reload while a fetch is under way, and a client that leaves

issuer('slow');
says('slow', delay => 1.5);
sleep 0.3;

my $s = $t->connect;

Test::Sync::Client::send_all($s, $t->compose(
    'GET', '/', host => 'slow.host', headers =>
        [ Authorization => 'Bearer ' . $issuer{slow}->token ]));
sleep 0.3;
ok($t->reload, 'reload while a fetch is under way');

my $res = Test::Sync::Client::read_response($s, 'GET', 10, '');

status($res, 200, 'the request that waited is answered');
is(asked(qr{^/slow/jwks}), 1, 'by that fetch');
status(ask('slow', $issuer{slow}->token), 200, 'and its keys are there');
is(asked(qr{^/slow/jwks}), 1, 'in new workers, too');
status(ask('acme', $issuer{acme}->token), 200, 'what was fetched is there');
is(asked(qr{^/acme/jwks}), 1, 'still');

issuer('left');
says('left', delay => 1);
sleep 0.3;
$t->abort('GET', '/', host => 'left.host', after => 0.3, headers =>
          [ Authorization => 'Bearer ' . $issuer{left}->token ]);
status(ask('left', $issuer{left}->token), 200,
       'a client that leaves: its fetch goes on');
is(asked(qr{^/left/jwks}), 1, 'for all');

$t->done;
