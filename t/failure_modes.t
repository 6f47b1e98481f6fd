#!/usr/bin/perl

# docs/failure-modes.md: each row of its tables is brought about and measured,
# with the test's own store and with a real Redis.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Test::Sync::Token;
use Test::Sync::Webhook;
use File::Path qw(remove_tree);
use Time::HiRes qw(sleep time);

my $timeout = 0.2;
my $slack = 0.15;           # what is no wait at all on a busy machine
my $delay = 0.08;           # of a store that is slow, and in time
my $upstream = 0.6;         # what it takes, where it matters
my $large = 'done' x 300;   # and says: more than a full store takes

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $t;                      # the gateway
my $redis;
my $master;                 # of a Redis that has become a replica
my $serial = 0;

my %uri = (
    'sync_idempotency'                  => '/closed',
    'sync_idempotency fail=open'        => '/open',
    'sync_limit mode=exact'             => '/local',
    'sync_limit mode=exact fail=open'   => '/pass',
    'sync_limit mode=exact fail=closed' => '/refuse',
    'sync_auth dpop=on'                 => '/proof',
);

my $issuer = Test::Sync::Token->new(issuer => 'https://platform.example',
                                    claims => { aud => 'https://sync.example',
                                                azp => 'crm', tenant => 'x' })
             ->key('i1', 'ES256');
my $holder = Test::Sync::Token->new(issuer => 'holder')->key('c', 'ES256');
my $bound = $issuer->token({ cnf => { jkt => $holder->thumbprint },
                             exp => time + 3600 });
my $free = $issuer->token({ exp => time + 3600 });

sub gateway {
    my ($store) = @_;

    my $t = Test::Sync->new(workers => 1, log => 'info');

    $t->write('master.key', 'c4n4ry-master-secret-0123456789');
    $t->write('platform.jwks', $issuer->jwks);

    $t->peer(erp => sub {
        my ($req) = @_;

        return { status => 201, body => $large,
                 delay => $req->{uri} =~ /slow/ ? $upstream : 0 };
    });

    $t->http("    sync_store $store timeout=200ms;\n" . <<'CONF');
    sync_secret file:%%TESTDIR%%/master.key;
    sync_issuer https://platform.example audience=https://sync.example
                jwks=%%TESTDIR%%/platform.jwks tenant_claim=tenant;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    upstream erp { server %%PEER_erp%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT_0%%;

        location /closed { sync_idempotency required scope=none;
                           proxy_pass http://erp; }
        location /open   { sync_idempotency required scope=none fail=open;
                           proxy_pass http://erp; }
        location /local  { sync_limit local rate=100/s burst=100 key=$arg_k
                                      mode=exact nodes=1;
                           proxy_pass http://erp; }
        location /pass   { sync_limit pass rate=100/s burst=100 key=$arg_k
                                      mode=exact fail=open;
                           proxy_pass http://erp; }
        location /refuse { sync_limit refuse rate=100/s burst=100 key=$arg_k
                                      mode=exact fail=closed;
                           proxy_pass http://erp; }
        location /proof  { sync_public_url https://api.example;
                           sync_auth token dpop=on;
                           proxy_pass http://erp; }
        location = /status { sync_status; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        location = /fault { sync_test_fault; }
    }
CONF

    return $t;
}

sub ask {
    my ($policy, %opt) = @_;

    return $t->post($uri{$policy} . ($opt{slow} ? '/slow' : '') . '?k=a',
                    'body', 'Content-Type' => 'text/plain',
                    'Idempotency-Key' => $opt{key} // 'key-' . ++$serial
                                         . "-$$",
                    $policy =~ /dpop/ ? proof() : ());
}

sub proof {
    return (Authorization => "DPoP $bound",
            DPoP => $holder->proof('POST', 'https://api.example/proof',
                                   $bound));
}

# "503 store-unavailable", "201 bypassed", "201"

sub said {
    my ($res) = @_;

    my $problem = $res->{body} =~ /"urn:sync:problem:([\w-]+)"/ ? $1 : undef;
    my $status = $res->header('Idempotency-Status');

    return join ' ', $res->{status}, grep { defined }
                                     $problem // $status;
}

sub fault {
    $t->request('GET', '/fault?' . join('&', @_), port => 1);
}

sub calm {
    my ($policy) = @_;

    return $t->wait_for(sub {
        my $open = $t->get('/status')->{body}
                   =~ /^sync_store_breaker_open\{[^}]*\} 1$/m;

        return 0 if $open;

        for (1 .. 3) {
            my $res = ask($policy);
            return 0 if said($res) !~ /^201( executed)?$/
                        || $res->{time} > $slack;
        }

        return 1;
    }, 15);
}


# how each state of a store is brought about, and ended; the rest is a wait

my %state = (
    test => {
        'says it is gone' => [ sub { fault('fault=down') } ],
        'hangs'           => [ sub { fault('fault=lost') } ],
        'slow, in time'   => [ sub { fault('fault=delay',
                                               'ms=' . 1000 * $delay) } ],
        'too slow'        => [ sub { fault('fault=delay', 'ms=900') } ],
        'full'            => [ sub { fault('fault=full') } ],
    },
    redis => {
        'down at the start' => [ sub {
            $t->stop;
            $redis->kill9;
            $t->start;
        }, sub { $redis->again } ],
        'dies'  => [ sub { $redis->kill9 }, sub { $redis->again } ],
        'hangs' => [ sub { $redis->stop_signal },
                     sub { $redis->cont_signal } ],
        'full'  => [ sub { $redis->cmd('CONFIG', 'SET', 'maxmemory', 1) },
                     sub { $redis->cmd('CONFIG', 'SET', 'maxmemory', 0) } ],
        'comes back empty' => [ sub {
            $redis->kill9;
            remove_tree($redis->dir . '/appendonlydir');
            $redis->again(empty => 1);
            $t->wait_for(sub { said(ask('sync_idempotency')) =~ /^503/ });
        }, sub { } ],
        'becomes a replica' => [ sub {
            $redis->cmd('REPLICAOF', '127.0.0.1', $master->port);
            $t->wait_for(sub { $redis->role eq 'slave' });
        }, sub { $redis->cmd('REPLICAOF', 'NO', 'ONE') } ],
    },
);


# the tables

sub rows {
    my ($heading) = @_;
    my ($on, @rows);

    open my $f, '<', 'docs/failure-modes.md' or die "the document: $!";

    while (<$f>) {
        $on = $1 eq $heading if /^## (.*)/;
        next if !$on || !/^\| / || /^\| (?:state|what is not well)/;

        chomp;
        s/^\| | \|$//g;
        s/`//g;
        push @rows, [ split / \| /, $_, -1 ];
    }

    return @rows;
}

# what the document says of a wait, for request number i

sub wait_is {
    my ($seconds, $want, $i, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($from, $to);

    if ($want eq 'none') {
        ($from, $to) = (0, 0);

    } elsif ($want eq 'timeout= for at most five, then none') {

        # what a worker asks by itself may be among the five

        ($from, $to) = $i <= 3 ? (0.8 * $timeout, $timeout)
                     : $i <= 5 ? (0, $timeout) : (0, 0);

    } elsif ($want eq 'up to timeout= for one, then none') {
        ($from, $to) = (0, $i == 1 ? $timeout : 0);

    } elsif ($want eq 'up to timeout=') {
        ($from, $to) = (0, $timeout);

    } elsif ($want eq 'its own') {
        ($from, $to) = ($delay * 0.8, $delay);

    } elsif ($want eq 'its own, for the claim and for the outcome') {
        ($from, $to) = ($delay * 1.8, $delay * 2);

    } else {
        fail("$name: what is \"$want\"?");
        return;
    }

    ok($seconds >= $from && $seconds < $to + $slack,
       sprintf '%s: %.3f s, %s', $name, $seconds, $want);
}

sub well {
    my ($kind, $state) = @_;

    my $end = $state{$kind}{$state}[1];

    return $end ? $end->() : fault('fault=clear');
}

sub claim_row {
    my ($kind, $state, $policy, $answer, $wait) = @_;

    my $name = "$kind $state, $policy";

    ok(calm($policy), "$name: well before");

    $state{$kind}{$state}[0]->();

    for my $i (1 .. ($wait =~ /five/ ? 8 : 3)) {
        my $res = ask($policy);

        is(said($res), $answer, "$name, $i");
        wait_is($res->{time}, $wait, $i, "$name, $i");

        next if $policy !~ /dpop/;

        ok($res->header('Retry-After'), "$name, $i: Retry-After")
            if $answer =~ /^503/;
        is($t->post('/proof', 'body', Authorization => "Bearer $free")
             ->{status}, 201, "$name, $i: no store for who needs none");
    }

    well($kind, $state);
    ok(calm($policy), "$name: well after");
}

sub outcome_row {
    my ($kind, $state, $answer, $wait, $retry) = @_;

    my $name = "$kind $state, at the outcome";
    my $key = 'outcome-' . ++$serial . "-$$";
    my $n = $t->ledger('erp');
    my ($res, $body) = (undef, 'done');

    ok(calm('sync_idempotency'), "$name: well before");
    $n = $t->ledger('erp');

    pipe my $in, my $out or die "pipe: $!";

    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        $res = ask('sync_idempotency', key => $key, slow => 1);
        syswrite $out, said($res) . "\n$res->{time}\n$res->{body}\n";
        POSIX::_exit(0);
    }

    close $out;
    $t->wait_for(sub { $t->ledger('erp') > $n });
    sleep 0.1;
    $state{$kind}{$state}[0]->();

    chomp(my ($said, $time, $got) = <$in>);
    waitpid $pid, 0;

    is($said, $answer, $name);
    is($got, $large, "$name: the body is the upstream's");
    wait_is($time - $upstream, $wait, 1, $name);

    well($kind, $state);

    ok($retry =~ /^(\d+ replayed), (with|without) its body$/, "$name: $retry");

    my ($again, $with) = ($1, $2);

    $t->wait_for(sub {
        $res = ask('sync_idempotency', key => $key, slow => 1);
        return said($res) eq $again;
    }, 8);

    is(said($res), $again, "$name: a retry");
    is($res->{body}, $with eq 'with' ? $large : '',
       "$name: $with its body");
    is(scalar(grep { ($_->{h}{'idempotency-key'} // '') eq $key }
                   $t->ledger('erp')),
       1, "$name: sent once");
}

my %done;

sub tables {
    my ($kind) = @_;

    for (rows('At the claim, at a limit and at a proof')) {
        my ($state) = @$_;

        if ($state{$kind}{$state}) {
            claim_row($kind, @$_);
            $done{$state}++;
        }
    }

    for (rows('At the outcome')) {
        my ($state) = @$_;

        # the test's own store is never full of outcomes

        if ($state{$kind}{$state} && "$kind $state" ne 'test full') {
            outcome_row($kind, @$_);
            $done{"$state, at the outcome"}++;
        }
    }
}

$t = gateway('test:');
$t->start;
tables('test');
$t->stop;

my $test = $t;

$redis = Test::Sync::Redis->start(
    config => [ appendonly => 'yes', appendfsync => 'always' ]);
$master = Test::Sync::Redis->start;

$t = gateway($redis->url . ' quarantine=2s');
$t->start;
tables('redis');

# no row of the document is passed over, and no state that is known here

for (rows('At the claim, at a limit and at a proof')) {
    ok($done{$_->[0]}, "$_->[0], $_->[1]: a test");
}

for (rows('At the outcome')) {
    ok($done{"$_->[0], at the outcome"}, "$_->[0], at the outcome: a test");
}

for my $state (map { keys %$_ } values %state) {
    is(scalar(grep { $_->[0] eq $state }
              rows('At the claim, at a limit and at a proof')), keys %uri,
       "$state: a row for each policy");
}

$test->done(1);
$t->done(1);

# webhooks

$t = webhooks();
$t->start;

my %hook = (
    'the file of a secret is gone' => sub { said(hook('gone', 'c1')) },
    'a secret that is none' => sub { said(hook('bent', 'c1')) },
    'a clock that is off by more than the window' => sub {
        said(hook('acme', 'c1', time => time() - 301));
    },
    'the tenant\'s document never was good' => sub {
        said(hook('broken', 'c1'));
    },
    'no room for the body in sync_buffers' => sub {
        said(hook('acme', 'x' x 140_000));
    },
    'the store is gone' => sub {
        fault('fault=down');
        my $res = hook('acme', 'c2');
        fault('fault=clear');
        ok($res->header('Retry-After'), 'the store is gone: Retry-After');
        return said($res);
    },
    'the first delivery is under way' => sub {
        my @res = $t->parallel([hook_args('acme', 'slow')],
                               [hook_args('acme', 'slow')]);
        my ($busy) = grep { $_->{status} != 201 } @res;
        ok($busy->header('Retry-After'), 'under way: Retry-After');
        return said($busy);
    },
    'nobody knows how the first one ended' => sub {
        is(hook('acme', 'never')->{status}, 504, 'nobody knows: at first');
        my $res = hook('acme', 'never');
        ok($res->header('Retry-After'), 'nobody knows: Retry-After');
        return said($res);
    },
    'the sender leaves while it sends' => sub {
        my $n = $t->ledger('erp');
        my $body = 'leaves' . 'x' x 5000;
        $t->abort(hook_args('acme', $body), part => 2000, after => 0.05);
        my $first = said(hook('acme', $body));
        return $first eq '201 executed' && $t->ledger('erp') == $n + 1
               ? 'nothing is sent upstream; the next delivery is the first'
               : $first;
    },
);

for (rows('Webhooks')) {
    my ($what, $answer) = @$_;
    my $test = delete $hook{$what};

    ok($test, "$what: a test") && is($test->(), $answer, $what);
}

is_deeply([ sort keys %hook ], [], 'each has a row');

$t->done;


sub webhooks {
    my $t = Test::Sync->new(workers => 1, log => 'info');

    $t->write('master.key', 'c4n4ry-master-secret-0123456789');
    $t->write('secrets/t_acme/hook', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
    $t->write('secrets/t_bent/hook', 'whsec_?');

    for (qw(acme gone bent broken)) {
        $t->write("tenants/$_.json", {
            tenant => $_, id => "t_$_", match => { hosts => ["$_.test"] },
            clients => { hook => { signature => 'standard',
                                   secrets => ['secret:hook'] } },
            $_ eq 'broken' ? (colour => 'red') : (),
        });
    }

    $t->peer(erp => sub {
        my ($req) = @_;

        return { never => 1 } if $req->{body} =~ /never/;
        return { status => 201, body => 'done',
                 delay => $req->{body} =~ /slow/ ? 0.4 : 0 };
    });

    $t->http(<<'CONF');
    sync_store   test: timeout=200ms;
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants;
    sync_secrets %%TESTDIR%%/secrets;
    sync_buffers 256k;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    upstream erp { server %%PEER_erp%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant      host;
        sync_auth        signature=standard;
        sync_deadline    600ms;
        sync_idempotency required lease=900ms;
        location / { proxy_pass http://erp; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        location = /fault { sync_test_fault; }
    }
CONF

    return $t;
}


sub hook_args {
    my ($tenant, $body, %o) = @_;

    return ('POST', '/', body => $body, host => "$tenant.test", headers => [
        webhook('standard', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', $body,
                id => 'msg_' . substr($body, 0, 8), %o) ]);
}


sub hook {
    return $t->request(hook_args(@_));
}
