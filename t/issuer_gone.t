#!/usr/bin/perl

# Keys that get old: when they are asked for again, what serves while their
# issuer is gone, and for how long.  And floods: of tenants at one host, of
# keys in a small zone.  The table of issuers in docs/failure-modes.md.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Https;
use Test::Sync::Redis;      # the clock
use Test::Sync::Token;
use Time::HiRes qw(sleep time);

my $slack = 0.8;            # what is no wait on a busy machine
my $aud = 'https://sync.example';
my $json = Cpanel::JSON::XS->new->canonical;

my $t = Test::Sync->new(workers => 2);
my $dns = Test::Sync::Dns->start(map { $_ => ['127.0.0.1'] }
                                 qw(idp.test victim.test));
my $ca = Test::Sync::Https->ca;
my $port = $t->peer(idp => \&answer, https => [ 'idp.test', 'victim.test' ]);

my (%ctl, %issuer);
my $late = 0;               # seconds that have passed by the clock of zones


sub answer {
    my ($req, $ctl) = @_;

    my ($name) = $req->{uri} =~ m{^/([^/]+)/} or return [ 404, {}, '' ];
    my $is = $ctl->{$name} || {};

    return { never => 1 } if $is->{never};

    return { status => 200, delay => $is->{delay} // 0,
             headers => { $is->{cache} ? ('Cache-Control' => $is->{cache})
                                       : () },
             body => $is->{body} // $is->{keys} // '' };
}


sub says {
    my ($name, %is) = @_;

    $ctl{$name} = { %{ $ctl{$name} || {} }, %is };
    $t->tell(idp => \%ctl);
}


sub publish {
    my ($name, @kids) = @_;

    says($name, keys => $json->encode($issuer{$name}->jwks(@kids)));
}


sub tenant {
    my ($name, $url, %opt) = @_;

    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.host"] }, clients => { crm => {} },
        issuers => [ { issuer => "https://$name.test", jwks => $url,
                       audience => $aud } ] });
}


sub issuer {
    my ($name, %opt) = @_;

    $issuer{$name} = Test::Sync::Token->new(
        issuer => "https://$name.test",
        claims => { aud => $aud, sub => 'ann', azp => 'crm' })
        ->key('k1', 'ES256');

    publish($name);
    tenant($name, 'https://' . ($opt{at} // 'idp.test') . ":$port/$name/jwks")
        if !$opt{alone};
}


sub ask {
    my ($name, %opt) = @_;

    my $token = $opt{token}
        // $issuer{$name}->token({ jti => 'j' . rand },
                                 exists $opt{kid}
                                 ? (header => { kid => $opt{kid} }) : (),
                                 $opt{forged}
                                 ? (tamper => 'signature') : ());

    return $t->request('GET', '/', host => "$name.host", headers =>
                       [ Authorization => "Bearer $token" ]);
}


sub asked {
    my ($name) = @_;

    return scalar grep { $_->{uri} =~ m{^/$name/} } $t->ledger('idp');
}


# by the clock of the zones; each worker looks again after a second of its own

sub later {
    my ($seconds) = @_;

    $late += $seconds;
    $t->write('boot', $late);
    sleep 1.1;
}


sub status {
    my ($res, $status, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($res->{status}, $status, $name) or diag($res->{body});
}


my @rows = do {
    my ($on, @found);

    open my $f, '<', 'docs/failure-modes.md' or die "the document: $!";

    while (<$f>) {
        $on = $1 eq 'Issuers' if /^## (.*)/;
        next if !$on || !/^\| / || /^\| state/;

        chomp;
        s/^\| | \|$//g;
        s/`//g;
        push @found, [ split / \| /, $_, -1 ];
    }

    @found;
};

issuer($_) for qw(due wait cached brief removed), map { "row$_" } 0 .. $#rows;
says('cached', cache => 'public, max-age=120');
says('brief', cache => 'max-age=5');
says('removed', cache => 'no-store');

issuer('held', at => 'victim.test');
issuer('platform', at => 'victim.test', alone => 1);
$t->write('tenants/platform.json', {
    tenant => 'platform', id => 't_platform',
    match => { hosts => ['platform.host'] }, clients => { crm => {} } });

for my $n (1 .. 1000) {
    tenant("v$n", "https://victim.test:$port/v$n/jwks");
}

$issuer{victim} = Test::Sync::Token->new(
    claims => { aud => $aud, sub => 'ann', azp => 'crm' })
    ->key('k1', 'ES256');

$t->write('boot', 0);
$t->main("env SYNC_BOOT;\n");
$t->peer(up => sub { return [ 200, {}, 'up' ] });
$t->http(<<"CONF");
    resolver 127.0.0.1:@{[ $dns->port ]} ipv6=off valid=1s;
    resolver_timeout 1s;
    sync_trusted_certificate $ca;
    sync_egress idp.test:$port victim.test:$port 127.0.0.1/32:$port;
    sync_tenants %%TESTDIR%%/tenants;
    sync_issuer https://platform.test audience=$aud tenant_claim=org
                jwks=https://victim.test:$port/platform/jwks;

    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        sync_tenant host;
        sync_auth   token;
        location / { proxy_pass http://up; }
        location = /status { sync_status; }
    }
CONF

{
    # sanitizers want to be the first of what is loaded

    chomp(my $asan = $ENV{SYNC_STATIC} ? `cc -print-file-name=libasan.so` : '');

    local $ENV{LD_PRELOAD} = join ' ', $asan || (),
                                       Test::Sync::Redis::clock_lib();
    local $ENV{SYNC_BOOT} = $t->path('boot');

    $t->start;
}


# asked for again while they serve

for my $name (qw(due wait cached brief removed)) {
    status(ask($name), 200, "$name: fetched");
    is(asked($name), 1, 'once');
}

my $kept = $issuer{removed}->token;

status(ask('removed', token => $kept), 200, 'a token is known') for 1 .. 4;

later(30);
status(ask('brief'), 200, 'max-age below a minute') for 1 .. 4;
is(asked('brief'), 1, 'counts as a minute');

says('due', delay => 1);
says('cached', delay => 1);
later(80);

my $start = time;

status(ask('cached'), 200, 'max-age=120, after 110 s') for 1 .. 4;
cmp_ok(time - $start, '<', $slack, 'nobody waits');
ok($t->wait_for(sub { asked('cached') == 2 }), 'and it is asked for');
sleep 1.2;
status(ask('cached'), 200, 'once for both workers') for 1 .. 4;
is(asked('cached'), 2, 'that is');
is(asked('due'), 1, 'others are not due');

# a key that its issuer has withdrawn, and a token that was verified by it

$issuer{removed}->key('k2', 'ES256');
publish('removed', 'k2');
later(70);
is(scalar(grep { ask('removed', token => $kept)->{status} == 200 } 1 .. 4),
   0, 'withdrawn: the cached token is over when the set is');
later(2);
status(ask('removed', token => $kept), 401, 'which is for good') for 1 .. 4;

later(365);
$start = time;
status(ask('due'), 200, 'ten minutes, nearly');
cmp_ok(time - $start, '<', $slack, 'nobody waits');
ok($t->wait_for(sub { asked('due') == 2 }), 'and it is asked for');

says('wait', delay => 1);
later(200);
$start = time;
status(ask('wait'), 200, 'past its time');
cmp_ok(time - $start, '>', 0.9, 'it is waited for');
is(asked('wait'), 2, 'once');


# the table

is(scalar @rows, 20, 'rows of the table of issuers');

for my $i (0 .. $#rows) {
    my ($state, $keys, $by, $answer, $wait) = @{ $rows[$i] };

    subtest "$state, $keys, by $by" => sub {
        row("row$i", $state, $keys, $by, $answer, $wait);
    };
}


sub row {
    my ($name, $state, $keys, $by, $answer, $wait) = @_;

    my ($status, $problem) = split ' ', $answer;
    my $unknown = $by eq 'an unknown key';
    my @by = ($unknown ? (kid => 'unknown') : (),
              $by =~ /without a name/ ? (kid => undef) : (),
              $by =~ /forged/ ? (forged => 1) : ());

    if ($keys ne 'none') {
        $t->wait_for(sub { ask($name)->{status} == 200 }, 3);
        later(700) if $state ne 'has answered just now';
    }

    if ($state =~ /^gone/) {
        $t->peer_stop('idp');

        if ($state =~ /day/) {
            later(86400);
        }

    } elsif ($state eq 'hangs') {
        says($name, never => 1);

    } elsif ($state eq 'answers nonsense') {
        says($name, body => '<html>sign in</html>');
    }

    # who learns that it fails; then nobody waits for what is remembered

    ask($name) if $keys eq 'at hand' && $state ne 'is well';

    if (@by && $state =~ /^(?:gone|hangs|answers)/) {
        later(10);           # by then it may be asked again
    }

    if ($state eq 'its budget is spent') {
        for my $n (1 .. 8) {
            last if ask($name, kid => "kid-$n")->{status} == 503;
            later(1);
        }
    }

    my ($most, $then) = $wait =~ /^up to 5 s/ ? (5 + $slack, $slack)
                                              : ($slack, $slack);

    for my $n (1 .. 4) {
        later(2) if $unknown && $state eq 'is well';

        my $start = time;
        my $res = ask($name, @by);

        status($res, $status, "answer $n");
        is($res->json->{type}, "urn:sync:problem:$problem", $problem)
            if $problem;
        like($res->{h}{'retry-after'} // '', qr/^[1-9]\d*$/, 'Retry-After')
            if $status == 503;
        cmp_ok(time - $start, '<', $n == 1 ? $most : $then, $wait);
    }

    if ($state =~ /^gone/) {
        $t->peer_start('idp');

        if ($status == 503) {
            later(10);
            $t->wait_for(sub { ask($name)->{status} == 200 }, 8);
            status(ask($name), 200, 'and when it is back it counts again');
        }
    }
}


# 1,000 tenants aim at one victim, who has withdrawn a key of another

sub withdraw {
    my ($name, $old, $kid) = @_;

    my $gone = $issuer{$name}->token({}, kid => $old);

    status(ask($name, token => $gone), 200, 'a token is known') for 1 .. 4;
    $issuer{$name}->key($kid, 'ES256');
    publish($name, $kid);
    later(700);

    return $gone;
}

my $gone = withdraw('held', 'k1', 'k2');

$start = time;

my $new = $issuer{held}->token({}, kid => 'k2');
my (%held, %next, $platform);

for my $round (0 .. 9) {
    my @res = $t->parallel(map {
        my $name = 'v' . ($round * 100 + $_);
        my $token = $issuer{victim}->token({ iss => "https://$name.test" });

        [ 'GET', '/', host => "$name.host",
          headers => [ Authorization => "Bearer $token" ] ]
    } 1 .. 100);

    is(scalar(grep { $_->{status} == 503 } @res), 100,
       'tenants that aim at one victim: 503') if $round == 9;

    $held{ask('held', token => $gone)->{status}}++ for 1 .. 4;
    $next{ask('held', token => $new)->{status}}++ for 1 .. 4;
    $platform = ask('platform', token => $issuer{platform}->token(
                    { org => 'platform' })) if $round == 8;
}

is_deeply(\%next, { 200 => 40 }, 'one that has answered before is asked')
    or diag($json->encode(\%next));
is($held{200}, undef, 'and what it has withdrawn is over')
    or diag($json->encode(\%held));
status($platform, 200, 'a sync_issuer at the same host is asked');

my $most = 30 + int((time - $start) * 2) + 1;
my $victim = grep { ($_->{h}{host} // '') =~ /victim/
                    && $_->{uri} =~ m{^/v\d} } $t->ledger('idp');

cmp_ok($victim, '<=', $most, "1,000 of them: $victim questions");
cmp_ok($victim, '>=', 30, 'which is what its budget gives');
cmp_ok($t->metrics('/status')->{'sync_issuer_keys_total{result="refused"}'},
       '>=', 800, 'the others are counted as refused');


# those that have answered have a budget as well: 60 are past their time at once

for my $n (1 .. 60) {
    says("v$n", keys => $json->encode($issuer{victim}->jwks));
}

sub ask_victims {
    my ($from, $to) = @_;

    my @res = $t->parallel(map {
        my $token = $issuer{victim}->token({ iss => "https://v$_.test" });

        [ 'GET', '/', host => "v$_.host",
          headers => [ Authorization => "Bearer $token" ] ]
    } $from .. $to);

    return scalar grep { $_->{status} == 200 } @res;
}

for my $third (0 .. 2) {
    later(60);
    is(ask_victims($third * 20 + 1, $third * 20 + 20), 20, 'twenty answer');
}

$gone = withdraw('held', 'k2', 'k3');
ask_victims(1, 60);

%held = ();
$held{ask('held', token => $gone)->{status}}++ for 1 .. 4;

cmp_ok($held{503} // 0, '>', 0, 'a budget that is spent: they are not asked for')
    or diag($json->encode(\%held));
is($held{200}, undef, 'and those that are past their time do not serve');

$t->done;


# a zone that is too small

my $small = Test::Sync->new;
my $sport = $small->peer(idp => sub {
    return [ 200, {}, $json->encode({ %{ $issuer{victim}->jwks },
                                      more => 'x' x 20000 }) ];
}, https => [ 'idp.test' ]);

$small->http(<<"CONF");
    sync_trusted_certificate $ca;
    sync_zone keys:64k;
    sync_issuer https://127.0.0.1:$sport/ audience=$aud tenant_claim=org
                jwks=https://127.0.0.1:$sport/jwks;

    upstream up { server %%PEER_idp%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location / { sync_auth token; proxy_pass http://up; }
    }
CONF

$small->start;

my $res = $small->get('/', Authorization => 'Bearer '
    . $issuer{victim}->token({ iss => "https://127.0.0.1:$sport/" }));

is($res->{status}, 503, 'keys that the zone has no room for: 503');
$small->log_like(qr/no room for the \d+ bytes of keys of issuer .*"sync_zone/,
                 'and the log says what to do');
$small->done;
