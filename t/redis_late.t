#!/usr/bin/perl

# A Redis that hangs runs what lies in its sockets when it goes on, however
# late, and whoever has left meanwhile: claims that nobody waits for any more
# are granted then, for a lease.  Nothing was sent for them, so their keys must
# be free at once, and are executed once.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use IO::Handle;
use IO::Socket::INET;
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);
use Time::HiRes qw(sleep time);

my $redis = Test::Sync::Redis->start;

my $t = Test::Sync->new(workers => 2, quit_timeout => 15);

$t->write('master.key', 'c4n4ry-master-secret-0123456789');

$t->peer(erp => sub {
    my ($req) = @_;

    return { status => 201, body => "n $req->{n}",
             headers => ['Content-Type' => 'text/plain'] };
});

my $url = $redis->url;

$t->http("    sync_store  $url timeout=300ms after_loss=execute;\n" . <<'CONF');
    sync_secret file:%%TESTDIR%%/master.key;

    proxy_ignore_client_abort on;

    upstream erp { server %%PEER_erp%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;

        sync_deadline    1s;
        sync_idempotency required scope=none lease=1200ms;

        location /  { proxy_pass http://erp; }
    }
CONF

$t->allow(qr/worker process \d+ exited on signal 9/);
$t->start;

my $serial = 0;

sub fresh { return 'key-' . ++$serial . '-' . $$ }
sub sent  { return scalar $t->ledger('erp') }

sub request {
    my ($key) = @_;

    return [ 'POST', '/a', body => 'body', headers => [
        'Content-Type' => 'text/plain', 'Idempotency-Key' => $key ] ];
}

sub ask {
    return map { "$_->{status} " . ($_->header('Idempotency-Status') // '-') }
               $t->parallel(map { request($_) } @_);
}

# CODE is called when the claims have timed out; Redis goes on after so many
# seconds

sub hung {
    my ($seconds, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    # who knows the scripts of claims need not know that of a release

    ok($t->wait_for(sub { !grep { $_ ne '201 executed' }
                              ask(map { fresh() } 1 .. 8) }, 10), 'it works');
    $redis->cmd('SCRIPT', 'FLUSH');
    $t->wait_for(sub { !grep { $_ ne '201 executed' }
                           ask(map { fresh() } 1 .. 8) }, 10);

    my @keys = map { fresh() } 1 .. 8;
    my $n = sent();

    $redis->stop_signal;

    my $stopped = time;

    is(join(' ', ask(@keys)), join(' ', ('503 refused') x 8), 'refused');

    $code->() if $code;
    sleep $stopped + $seconds - time if $stopped + $seconds > time;

    $redis->cont_signal;

    my $start = time;
    my %left = map { $_ => 1 } @keys;
    my %said;

    ok($t->wait_for(sub {
        my @left = sort keys %left;
        my @said = ask(@left);

        for my $i (0 .. $#left) {
            $said{$said[$i]}++;
            delete $left{$left[$i]} if $said[$i] eq '201 executed';
        }

        return !%left;
    }, 5), 'their keys are free') or diag(explain(\%said));

    cmp_ok(time - $start, '<', 4, 'soon');
    is(sent(), $n + 8, 'each was sent once');
    is(join(' ', ask(@keys)), join(' ', ('201 replayed') x 8), 'and no more');
}


subtest 'longer than a connection is believed' => sub { hung(1.5) };
subtest 'longer than the lease' => sub { hung(3) };

subtest 'a reload at once' => sub {
    hung(2, sub { ok($t->reload, 'reload') });
};

subtest 'a reload when the connection was given up' => sub {
    hung(3.5, sub { sleep 1.5; ok($t->reload, 'reload') });
};

subtest 'who claimed is killed' => sub {
    hung(2, sub {
        sleep 0.3;

        my @old = $t->workers;

        kill 'KILL', @old;
        $t->wait_for(sub { !grep { Test::Sync::alive($_) } @old }, 5);
    });
};


# How much a socket takes that nobody reads.

sub room {
    socketpair my $in, my $out, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!";

    $out->blocking(0);

    return syswrite $out, 'x' x 10_000_000;
}


# 20 values and 44 claims in one write, more than there is room for.  The last
# claim that leaves leaves in part, its time is up, and the rest follows when
# Redis goes on; or all of them leave, and what takes them back finds no room,
# until it is the turn of a worker that quits.

for my $reload (0, 1) {
    subtest $reload ? 'no room, and a reload'
                    : 'a claim that has left in part' => sub {
        my $local = Test::Sync::Redis->start(unix => 1);
        my $op = Test::Sync::Redis->gateway(
            "client_header_buffer_size 16k;\nsync_store " . $local->url
            . " timeout=300ms after_loss=execute;", workers => 1);

        is(Test::Sync::Redis->op($op, 'claim', key => 'first', owner => 'o',
                                 print => 'p', bucket => 0)->{result},
           'OK', 'it works');

        my @conns = map {
            my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                          PeerPort => $op->port(0))
                    or die "connect: $!";

            print $c "GET /op?op=look&key=none HTTP/1.1\r\nHost: a\r\n\r\n";
            sysread $c, my $answer, 4096 or die 'no answer';

            $c;
        } 1 .. 64;

        my $value = 'x' x ((room() - 7000) / 20 - 60);
        my ($worker) = $op->workers;

        kill 'STOP', $worker;
        $local->stop_signal;

        for my $i (0 .. $#conns) {
            syswrite $conns[$i], 'GET /op?'
                . (($reload ? $i > 43 : $i < 20)
                    ? "op=cache_put&key=c$i&value=" . $value
                    : "op=claim&key=part-$i&owner=o$i&print=p")
                . " HTTP/1.1\r\nHost: a\r\n\r\n";
        }

        kill 'CONT', $worker;
        sleep 0.6;
        ok($op->reload, 'reload') if $reload;

        my $down = grep { sysread $_, my $text, 4096; $text =~ /DOWN/ } @conns;

        $local->cont_signal;

        is($down, 64, 'nobody was answered in time');
        ok($op->wait_for(sub {
            return Test::Sync::Redis->op($op, 'look', key => 'first')->{result}
                   eq 'OK';
        }, 5), 'it goes on');
        ok($op->wait_for(sub {
            return @{ $local->cmd('KEYS', 'sync:*r:*') } == 1;
        }, 2), 'and no claim is left') or diag(explain(
            $local->cmd('KEYS', 'sync:*r:*')));

        $op->done;
    };
}

$t->done;
