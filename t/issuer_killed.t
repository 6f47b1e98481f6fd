#!/usr/bin/perl

# The worker that fetches keys is killed with its fetch under way: another one
# takes over when its time is over, and nobody waits beyond a deadline for it.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Https;
use Test::Sync::Redis;      # the clock
use Test::Sync::Token;
use Time::HiRes qw(sleep time);

my $LEAD = 16;              # seconds that a fetch of keys may take

my $aud = 'https://sync.example';
my $json = Cpanel::JSON::XS->new->canonical;

my $t = Test::Sync->new(workers => 2);
my $dns = Test::Sync::Dns->start('idp.test' => ['127.0.0.1']);
my $ca = Test::Sync::Https->ca;

my $issuer = Test::Sync::Token->new(
    issuer => 'https://idp.test', claims => { aud => $aud, sub => 'ann',
                                              azp => 'crm' })
    ->key('k1', 'ES256');
my $keys = $json->encode($issuer->jwks);

my $port = $t->peer(idp => sub {
    my ($req, $ctl) = @_;

    return { never => 1 } if $ctl->{never};
    return [ 200, {}, $keys ];
}, https => [ 'idp.test' ]);

for my $name (qw(first old)) {
    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.host"] }, clients => { crm => {} },
        issuers => [ { issuer => 'https://idp.test', audience => $aud,
                       jwks => "https://idp.test:$port/$name/jwks" } ] });
}

$t->write('tenants/told.json', {
    tenant => 'told', id => 't_told', match => { hosts => ['told.host'] },
    clients => { crm => {} },
    issuers => [ { issuer => 'https://idp.test', audience => $aud,
                   introspect => { url => "https://idp.test:$port/told/ask",
                                   client_id => 'us',
                                   client_secret => 'secret:two' } } ] });
$t->write('secrets/t_told/two', $t->canary('c4n4ry-two-0123456789'));
$t->write('master.key', $t->canary('c4n4ry-master-secret-0123456789'));

$t->write('boot', 0);
$t->main("env SYNC_BOOT;\n");
$t->peer(up => sub { return [ 200, {}, 'up' ] });
$t->http(<<"CONF");
    resolver 127.0.0.1:@{[ $dns->port ]} ipv6=off;
    sync_trusted_certificate $ca;
    sync_egress idp.test:$port 127.0.0.1/32:$port;
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_secrets %%TESTDIR%%/secrets;
    sync_tenants %%TESTDIR%%/tenants;

    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        sync_tenant host;
        sync_auth   token;
        location / { proxy_pass http://up; }
        location /short { sync_deadline 1500ms; proxy_pass http://up; }
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

$t->allow(qr/exited on signal 9/, qr/shared memory zone "sync_keys"/);

my $late = 0;

sub later {
    $late += shift;
    $t->write('boot', $late);
}

sub asking {
    my ($name, $uri) = @_;

    return ('GET', $uri // '/', host => "$name.host", headers => [
        Authorization => 'Bearer ' . $issuer->token({ jti => 'j' . rand }) ]);
}

sub asked {
    my ($name) = @_;
    return scalar grep { $_->{uri} =~ m{^/$name/} } $t->ledger('idp');
}

# who is connected to the issuer

sub leader {
    my %inode;

    open my $f, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!";

    while (<$f>) {
        my (undef, undef, $to, $state, @rest) = split;
        $inode{"socket:[$rest[5]]"} = 1
            if $to =~ /:0*(\w+)$/ && hex $1 == $port && $state eq '01';
    }

    for my $pid ($t->workers) {
        return $pid if grep { $inode{ readlink($_) // '' } }
                            glob "/proc/$pid/fd/*";
    }

    return;
}

sub kill_leader {
    my $pid;

    ok($t->wait_for(sub { $pid = leader() }), 'one worker leads') or return;
    kill KILL => $pid;
    ok($t->wait_for(sub { !grep { $_ == $pid } $t->workers }), 'is killed');
}


# the first fetch: all wait; some of them for a short time

$t->tell(idp => { never => 1 });

my @waiting;

for my $uri ('/', '/short') {
    my $out = $t->path('out' . length $uri);

    push @waiting, [ $uri, $out, fork ];

    if (!$waiting[-1][2]) {
        my $from = time;
        my @res = $t->parallel(map { [ asking('first', $uri) ] } 1 .. 12);

        open my $f, '>', $out or POSIX::_exit(1);
        printf $f "%s %.1f %s\n", $_->{status} || 0, time - $from,
                  $_->{h}{'retry-after'} // '-' for @res;
        close $f;
        POSIX::_exit(0);
    }
}

ok($t->wait_for(sub { asked('first') == 1 }), 'keys are asked for');
sleep 0.3;
kill_leader();
$t->tell(idp => {});
sleep 2;
is(asked('first'), 1, 'a leader has its time, dead or alive');

my $began = time;
later($LEAD + 1);

waitpid $_->[2], 0 for @waiting;
cmp_ok(time - $began, '<', 4, 'nobody waits for longer');

for my $wait (@waiting) {
    my ($uri, $out) = @$wait;

    # those of the worker that was killed have no answer at all

    my @res = map { [ split ] } grep { !/^0 / } split /\n/,
              $t->read('out' . length $uri);

    cmp_ok(scalar @res, '>', 0, "$uri: answers of the other worker");

    if ($uri eq '/') {
        is(scalar(grep { $_->[0] != 200 } @res), 0,
           'who has time is served by another leader');

    } else {
        is(scalar(grep { $_->[0] != 503 } @res), 0, 'who has not, is refused');
        cmp_ok(abs($res[0][1] - 1.9), '<', 0.6, 'when the deadline is over');
        is(scalar(grep { $_->[2] eq '-' } @res), 0, 'and told to come again');
    }
}

is(asked('first'), 2, 'by one other fetch');
is($t->request(asking('first'))->{status}, 200, 'for all that follow')
    for 1 .. 4;


# a refresh: what is at hand serves, and is refreshed by another one

$t->wait_for(sub { $t->workers == 2 });
is($t->request(asking('old'))->{status}, 200, 'keys at hand') for 1 .. 4;
is(asked('old'), 1, 'once');

$t->tell(idp => { never => 1 });
later(560);
sleep 1.1;                  # each worker looks again after a second

$began = time;
is($t->request(asking('old'))->{status}, 200, 'keys are due') for 1 .. 4;
ok($t->wait_for(sub { asked('old') == 2 }), 'and asked for');
sleep 0.3;
kill_leader();

$t->tell(idp => {});
is($t->request(asking('old', '/short'))->{status}, 200,
   'nobody waits for who was killed') for 1 .. 6;
is(asked('old'), 2, 'or asks again before its time is over');

later($LEAD + 1);
sleep 1.1;
is($t->request(asking('old', '/short'))->{status}, 200, 'and then') for 1 .. 6;
ok($t->wait_for(sub { asked('old') == 3 }), 'another one does');


# what an issuer is asked about a token is waited for as long, and no longer

$t->tell(idp => { never => 1 });
$began = time;
my $res = $t->request(asking('told', '/short'));
is($res->{status}, 503, 'an issuer that says nothing of a token');
cmp_ok(abs(time - $began - 1.5), '<', 0.9, 'is waited for until the deadline');

$t->done;
