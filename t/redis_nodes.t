#!/usr/bin/perl

# Two gateways, one Redis: a key is executed once by both together, and what one
# of them was answered the other replays.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep);

my $redis = Test::Sync::Redis->start;
my $url = $redis->url;
my @nodes = map { Test::Sync->new(workers => 2) } 1 .. 2;

$nodes[0]->peer(erp => sub {
    my ($req) = @_;

    return { status => 201, body => "n $req->{n}",
             delay => $req->{uri} =~ /slow/ ? 0.3 : 0.02,
             headers => ['Content-Type' => 'text/plain'] };
});

my $erp = $nodes[0]{peers}{erp}{port};

for my $t (@nodes) {
    $t->write('master.key', 'c4n4ry-master-secret-0123456789');

    $t->http(<<"STORE" . <<'CONF');
    sync_store $url timeout=2s;
    upstream erp { server 127.0.0.1:$erp; keepalive 8; }
STORE
    sync_secret file:%%TESTDIR%%/master.key;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;

        sync_deadline    3s;
        sync_idempotency required scope=none lease=5s;

        location / { proxy_pass http://erp; }
    }
CONF

    $t->start;
}

sub post {
    my ($key, $uri) = @_;

    return [ 'POST', $uri || '/a', body => 'b', headers => [
        'Content-Type' => 'text/plain', 'Idempotency-Key' => $key ] ];
}

sub sent { return scalar $nodes[0]->ledger('erp') }

sub said { return $_[0]->header('Idempotency-Status') // $_[0]{status} }

# the same key at both, at the same time

my @said;

for my $round (1 .. 5) {
    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        my @res = $nodes[1]->parallel(map { post("race-$round", '/slow') }
                                      1 .. 10);
        POSIX::_exit(scalar grep { said($_) eq 'executed' } @res);
    }

    my @res = $nodes[0]->parallel(map { post("race-$round", '/slow') }
                                  1 .. 10);

    waitpid $pid, 0;
    push @said, ($? >> 8) + grep { said($_) eq 'executed' } @res;

    my %other = map { said($_) => 1 } grep { said($_) ne 'executed' } @res;
    is(join(' ', sort keys %other), 'in-progress', "round $round: others wait");
}

is("@said", '1 1 1 1 1', 'of twenty at two nodes one is executed');
is(sent(), 5, 'sent once each');

# what one was answered

my $n = sent();
my $first = $nodes[0]->request(@{ post('answer') });
my @again = map { $_->request(@{ post('answer') }) } @nodes;

is(said($first), 'executed', 'one executes');
is(join(' ', map { said($_) } @again), 'replayed replayed', 'both replay');
is($again[1]{body}, $first->{body}, 'the same bytes');
is(sent(), $n + 1, 'sent once');

# a node that dies under its claim: its key is unknown, not free

my $pid = fork() // die "fork: $!";

if (!$pid) {
    $nodes[0]->request(@{ post('dies', '/slow') });
    POSIX::_exit(0);
}

sleep 0.15;
kill 'KILL', $nodes[0]->workers;
waitpid $pid, 0;

my $res = $nodes[1]->request(@{ post('dies', '/slow') });

is(said($res), 'in-progress', 'as long as its lease lasts it may be executed');

ok($nodes[1]->wait_for(sub {
    said($nodes[1]->request(@{ post('dies', '/slow') })) eq 'outcome-unknown';
}, 7), 'then nobody knows');

is(sent(), $n + 2, 'and nothing was sent again');

$nodes[0]->allow(qr/exited on signal 9/);
$_->done for reverse @nodes;
