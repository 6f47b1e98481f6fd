#!/usr/bin/perl

# Claims while Redis dies, hangs, forgets, is full or speaks nonsense: no key is
# executed twice that Redis could have told, no answer is lost, and nothing has
# to be restarted.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use IO::Select;
use Time::HiRes qw(sleep time);

my $redis = Test::Sync::Redis->start(
    config => [ appendonly => 'yes', appendfsync => 'always' ]);

my $t = Test::Sync->new(workers => 2);

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->canary('c4n4ry-master-secret-0123456789');

$t->peer(erp => sub {
    my ($req) = @_;

    return { status => 201, body => 'z' x 40000 } if $req->{uri} =~ /large/;
    return { status => 201, body => "n $req->{n} " . 'y' x 3000,
             delay => $req->{uri} =~ /slower/ ? 1.5
                    : $req->{uri} =~ /slow/ ? 0.4 : 0,
             headers => ['Content-Type' => 'text/plain'] };
});

my $url = $redis->url;

$t->http("    sync_store  $url timeout=300ms after_loss=execute;\n" . <<'CONF');
    sync_secret file:%%TESTDIR%%/master.key;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    upstream erp { server %%PEER_erp%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT_0%%;

        sync_deadline    3s;
        sync_idempotency required scope=none lease=8s cap=8k;

        location /  { proxy_pass http://erp; }
    }
CONF

my $serial = 0;

sub fresh { return 'key-' . ++$serial . '-' . $$ }

sub ask {
    my ($uri, $key) = @_;

    return $t->post($uri, 'body', 'Content-Type' => 'text/plain',
                    'Idempotency-Key' => $key);
}

sub said {
    my ($res) = @_;

    return "$res->{status} " . ($res->header('Idempotency-Status') // '-');
}

# asks in a process of its own; collect() waits for what was said

sub begin {
    my ($uri, $key) = @_;

    pipe my $in, my $out or die "pipe: $!";

    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        my $res = ask($uri, $key);
        syswrite $out, said($res) . ' ' . length($res->{body} // '') . "\n";
        POSIX::_exit(0);
    }

    close $out;

    return [ $pid, $in ];
}

# the same, once it is claimed and sent: /slower leaves 1.5 s to what comes;
# a store that was too slow for the claim is asked again

sub under_way {
    my ($key) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $n = sent();
    my $begun;

    for (1 .. 10) {
        $begun = begin('/slower', $key);

        my $select = IO::Select->new($begun->[1]);

        $t->wait_for(sub { sent() == $n + 1 || $select->can_read(0) }, 5);
        last if sent() == $n + 1;

        diag('not claimed: ' . collect($begun));
        sleep 0.2;
    }

    is(sent(), $n + 1, 'the ERP has it');

    return $begun;
}

sub collect {
    my ($begun) = @_;

    my $line = readline $begun->[1];
    waitpid $begun->[0], 0;
    chomp $line;

    return $line;
}

sub works {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($t->wait_for(sub { said(ask('/a', fresh())) eq '201 executed' }, 8),
       "$name: it works again");

    # each worker has found out for itself

    $t->wait_for(sub {
        my @res = $t->parallel(map { [ 'POST', '/a', body => 'b',
            headers => [ 'Content-Type' => 'text/plain',
                         'Idempotency-Key' => fresh() ] ] } 1 .. 8);
        return !grep { $_->{status} != 201 } @res;
    }, 8);
}

sub sent { return scalar $t->ledger('erp') }


subtest 'absent at first' => sub {
    $redis->kill9;
    $t->start;

    my $n = sent();
    is(said(ask('/a', fresh())), '503 refused', 'no store, no order');
    is(sent(), $n, 'nothing was sent');

    $redis->again;
    works('once it is there');
};


subtest 'killed between claim and settle' => sub {
    my $k = fresh();
    my $n = sent();
    my $begun = under_way($k);

    $redis->kill9;

    like(collect($begun), qr/^201 executed-unrecorded 30\d\d$/,
         'the answer goes out whole, and says so');

    $redis->again;

    ok($t->wait_for(sub {
        said(ask('/slower', $k)) eq '201 replayed';
    }, 6), 'it is recorded when Redis is back') or diag($t->log_text);
    is(sent(), $n + 1, 'sent once');
    works('after kill -9');
};


subtest 'a reload while an outcome waits for Redis' => sub {
    my $k = fresh();
    my $n = sent();
    my $begun = under_way($k);

    $redis->kill9;

    like(collect($begun), qr/^201 executed-unrecorded/, 'not recorded');
    ok($t->reload, 'who knows the outcome is told to leave');
    sleep 0.5;

    $redis->again;

    ok($t->wait_for(sub {
        said(ask('/slower', $k)) eq '201 replayed';
    }, 6), 'and tells it before') or diag($t->log_text);
    is(sent(), $n + 1, 'sent once');
    works('after the reload');
};


subtest 'connections are cut' => sub {
    my @begun = map { begin('/slow', fresh()) } 1 .. 6;

    for (1 .. 20) {
        $redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        sleep 0.06;

        # a machine that does much else needs longer to connect again

        $t->wait_for(sub {
            return (() = $redis->cmd('CLIENT', 'LIST') =~ /^id=/mg) > 1;
        }, 1);
    }

    is(collect($_) =~ s/ \d+$//r, '201 executed', 'not seen by who asks')
        for @begun;

    # what takes a deadline of the store and more was slow, not cut

    my @bad = map {
        $redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

        my $at = time;
        my $said = said(ask('/a', fresh()));

        $said eq '201 executed' || time - $at > 0.3 ? () : $said;
    } 1 .. 30;

    is(scalar @bad, 0, 'nor before each request') or diag("@bad");
};


subtest 'scripts are flushed' => sub {
    my @bad;
    my $n = sent();

    for (1 .. 20) {
        my $k = fresh();

        $redis->cmd('SCRIPT', 'FLUSH') if $_ % 2;
        push @bad, said(ask('/a', $k));
        $redis->cmd('SCRIPT', 'FLUSH');
        push @bad, said(ask('/a', $k));
    }

    is(join(' ', @bad), join(' ', ('201 executed', '201 replayed') x 20),
       'and are there again');
    is(sent(), $n + 20, 'each sent once');
};


subtest 'all is forgotten' => sub {
    my $k = fresh();
    my $begun = under_way($k);

    $redis->cmd('FLUSHALL');

    like(collect($begun), qr/^504 /, 'an order without its claim: unknown');
    works('after FLUSHALL');
};


subtest 'full between claim and settle' => sub {
    my $k = fresh();
    my $n = sent();
    my $begun = under_way($k);

    $redis->cmd('CONFIG', 'SET', 'maxmemory', 1);

    like(collect($begun), qr/^201 executed 30\d\d$/, 'the answer goes out');

    my $res = ask('/a', fresh());
    is(said($res), '503 refused', 'a new key is refused');
    is($res->json->{type}, 'urn:sync:problem:store-full', 'and told why');

    $res = ask('/slower', $k);
    is(said($res), '201 replayed', 'it was recorded');
    is($res->{body}, '', 'without its body, for which there is no room');
    is(sent(), $n + 1, 'sent once');

    $redis->cmd('CONFIG', 'SET', 'maxmemory', 0);
    works('with room');
};


for (
    [ 'paused', sub { $redis->pause(5000, 'ALL') }, sub { $redis->unpause } ],
    [ 'stopped', sub { $redis->stop_signal }, sub { $redis->cont_signal } ],
) {
    my ($what, $stop, $go) = @$_;

    subtest $what => sub {
        my @keys = map { fresh() } 1 .. 8;
        my $n = sent();

        $stop->();

        my @begun = map { begin('/a', $_) } @keys;

        is(collect($_) =~ s/ \d+$//r, '503 refused', 'refused in time')
            for @begun;

        my $start = time;
        ask('/a', fresh());
        cmp_ok(time - $start, '<', 0.2, 'and then at once');
        is(sent(), $n, 'nothing was sent');

        # Redis runs what it was sent, however late: the claims are granted now

        $go->();
        works($what);

        my %said;

        $t->wait_for(sub {
            $said{$_} ||= said(ask('/a', $_)) for @keys;
            delete $said{$_} for grep { $said{$_} !~ /executed/ } keys %said;
            return keys %said == @keys;
        }, 3);

        is(scalar keys %said, scalar @keys, 'their keys were freed');
    };
}


subtest 'over the cap while Redis is slow' => sub {
    my $k = fresh();
    my $begun = under_way($k);

    $redis->pause(2000, 'ALL');
    collect($begun);
    $redis->unpause;
    works('unpaused');

    $k = fresh();
    my $n = sent();
    my $res = ask('/large', $k);

    is(said($res), '201 executed', 'over the cap');
    is(length $res->{body}, 40000, 'whole');
    is(said(ask('/large', $k)), '201 replayed', 'trimmed');
    is(sent(), $n + 1, 'sent once');
};


subtest 'what is not ours' => sub {
    my $k = fresh();

    ask('/a', $k);

    my ($name) = grep { $redis->cmd('STRLEN', $_) > 3000 }
                 @{ $redis->cmd('KEYS', 'sync:*r:*') };

    $redis->cmd('DEL', @{ $redis->cmd('KEYS', 'sync:*') });
    ask('/a', $k);
    ($name) = @{ $redis->cmd('KEYS', 'sync:*r:*') };

    $redis->cmd('SET', $name, 'nonsense');
    is(said(ask('/a', $k)), '503 refused', 'a record that is none');

    $redis->cmd('DEL', $name);
    $redis->cmd('LPUSH', $name, 'x');
    is(said(ask('/a', $k)), '503 refused', 'a key of another type');
    is($redis->cmd('TYPE', $name), 'list', 'is left alone');

    $redis->cmd('DEL', $name);
    is(said(ask('/a', $k)), '201 executed', 'gone');
    $t->log_like(qr/claim was refused: .*not a record/, 'and said so');
};


subtest 'a reload' => sub {
    my @begun = map { begin('/slow', fresh()) } 1 .. 8;

    sleep 0.1;
    ok($t->reload, 'while orders are under way');

    is(collect($_) =~ s/ \d+$//r, '201 executed', 'settled by who claimed')
        for @begun;
};


subtest 'a reload, and connections are cut after it' => sub {
    my @begun = map { begin('/slower', fresh()) } 1 .. 4;

    sleep 0.1;
    ok($t->reload, 'while orders are under way');
    $redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

    is(collect($_) =~ s/ \d+$//r, '201 executed',
       'the old worker connects again to settle') for @begun;
};

$t->done;
