#!/usr/bin/perl

# What every store keeps: a store that joins is a line in @stores.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep time);

my @stores = (
    { name => 'shm',     conf => 'sync_store shm;' },
    { name => 'default', conf => '' },
    { name => 'waiting', conf => 'sync_store test:delay=2ms timeout=2s;',
      again => 1 },
    { name => 'redis',   again => 1 },
    { name => 'cluster', again => 1, places => 16 },
);

my $one = Test::Sync::Redis->start;
my ($any) = Test::Sync::Redis->cluster(3);

my ($t, $store);

$stores[-2]{conf} = 'sync_store ' . $one->url . ';';
$stores[-1]{conf} = 'sync_store redis+cluster://127.0.0.1:' . $any->port . ';';

$_->{server} = Test::Sync->new(workers => 2) for @stores;

for (@stores) {
    $store = $_;
    $t = $store->{server};

    $t->http(<<"CONF");
    $store->{conf}

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        location = /op { sync_test_store; }
    }
CONF

    $t->start;

    subtest "$store->{name}: claims" => \&claims;
    subtest "$store->{name}: leases" => \&leases;
    subtest "$store->{name}: settling" => \&settling;
    subtest "$store->{name}: release" => \&release;
    subtest "$store->{name}: resolving" => \&resolving;
    subtest "$store->{name}: caps of a tenant" => \&caps;
    subtest "$store->{name}: names under two secrets" => \&names;
    subtest "$store->{name}: retention" => \&retention;
    subtest "$store->{name}: the sweeper" => \&sweeper;
    subtest "$store->{name}: limits" => \&limits;
    subtest "$store->{name}: counts of a window" => \&counts;
    subtest "$store->{name}: leases of tokens" => \&tokens;
    subtest "$store->{name}: slots" => \&slots;
    subtest "$store->{name}: seen" => \&seen;
    subtest "$store->{name}: cache" => \&cache;
    subtest "$store->{name}: one of many" => \&one_of_many;
    subtest "$store->{name}: reload under load" => \&reload;

    $t->done;
}


sub uri {
    my ($op, %args) = @_;

    return "/op?op=$op" . join '', map { "&$_=$args{$_}" } sort keys %args;
}


sub op {
    my $res = $t->get(uri(@_));

    return $res->json || { result => "status $res->{status}" };
}


sub says {
    my ($want, $name, @op) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $res = op(@op);

    is($res->{result}, $want, $name);

    return $res;
}


# a claim that is granted; returns what names it from then on

sub claimed {
    my ($key, %args) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %hold = (key => $key, owner => "o-$key", %args);

    my $res = says('OK', "$key is claimed", 'claim', print => 'p', %hold);

    return (%hold, epoch => $res->{epoch});
}


sub claims {
    my $first = says('OK', 'an absent key is granted', 'claim',
                     key => 'k', owner => 'a', print => 'p');

    is($first->{state}, 'P', 'in progress');
    cmp_ok($first->{epoch}, '>', 0, 'an epoch');
    is($first->{again} ? 1 : 0, $store->{again} || 0, 'as the store answers');

    my $now = time() * 1000;

    ok(abs($first->{created} - $now) < 5000, 'times are of the wall clock');
    ok(abs($first->{until} - $now - 60000) < 5000, 'end of the lease');
    ok(abs($first->{expires} - $now - 3600000) < 5000, 'end of retention');

    my $again = says('OK', 'its owner may ask again', 'claim',
                     key => 'k', owner => 'a', print => 'p');

    is($again->{epoch}, $first->{epoch}, 'and has the same epoch');

    my $busy = says('BUSY', 'another one meets the lease', 'claim',
                    key => 'k', owner => 'b', print => 'p');

    ok(abs($busy->{until} - $first->{until}) < 50, 'and learns its end');

    says('MISMATCH', 'another print', 'claim',
         key => 'k', owner => 'b', print => 'q');
    says('OK', 'another key', 'claim', key => 'k2', owner => 'b',
         print => 'q');

    my $look = says('OK', 'it can be looked at', 'look', key => 'k');

    is($look->{state}, 'P', 'and is in progress still');

    says('NO', 'an absent one cannot', 'look', key => 'absent');
}


sub leases {
    my %k = claimed('lease', lease => 50);

    sleep 0.08;

    my $late = says('UNKNOWN', 'when the lease is over nobody knows', 'claim',
                    %k, owner => 'other', print => 'p');

    is($late->{state}, 'U', 'unknown');

    says('MISMATCH', 'whose print still counts', 'claim', %k, print => 'q');
    says('FENCED', 'nobody extends that', 'extend', %k, lease => 1000);

    %k = claimed('longer', lease => 150);

    says('OK', 'a lease is extended, with a note', 'extend', %k,
         lease => 5000, note => 'connector-7');

    sleep 0.2;

    my $busy = says('BUSY', 'and lasts', 'claim', %k, owner => 'other',
                    print => 'p');

    is($busy->{note}, 'connector-7', 'the note is kept');

    says('OK', 'a note is replaced', 'extend', %k, lease => 50,
         note => 'second');
    says('OK', 'and stays where there is none', 'extend', %k, lease => 50);
    says('FENCED', 'another owner does not extend', 'extend', %k,
         owner => 'x', lease => 50);
    says('FENCED', 'nor another epoch', 'extend', %k,
         epoch => $k{epoch} + 1, lease => 50);
    says('FULL', 'a note has a bound', 'extend', %k, lease => 50,
         note => '@513');

    sleep 0.08;

    my $late2 = says('UNKNOWN', 'until it ends', 'claim', %k,
                     owner => 'other', print => 'p');

    is($late2->{note}, 'second', 'the note tells how to resolve it');
}


sub settling {
    my %k = claimed('settle');

    my $res = says('OK', 'its owner settles', 'settle', %k, outcome => 'C',
                   record => '@10000');

    is($res->{kept}, 'C', 'complete');

    $res = says('OK', 'and may say so again', 'settle', %k, outcome => 'C',
                record => 'x');
    is($res->{kept}, 'C', 'nothing changes');

    my $done = says('DONE', 'the next one gets the record', 'claim', %k,
                    owner => 'other', print => 'p');

    is($done->{state}, 'C', 'complete');
    is($done->{len}, 10000, 'in its length');
    ok($done->{whole}, 'and every byte');

    says('DONE', 'so does its owner', 'claim', %k, print => 'p');
    says('MISMATCH', 'the print still counts', 'claim', %k, print => 'q');
    says('FENCED', 'what is settled is not released', 'release', %k);
    says('FENCED', 'nor extended', 'extend', %k, lease => 1000);

    for my $len (0, 1, 255, 800, 832, 833, 1016, 1017, 5000, 262144) {
        my %l = claimed("len$len");

        op('settle', %l, outcome => 'C', record => "\@$len");

        my $d = op('claim', %l, owner => 'x', print => 'p');

        is("$d->{result} $d->{len} $d->{whole}", "DONE $len 1",
           "$len bytes come back");
    }

    %k = claimed('fence', lease => 30);
    sleep 0.06;

    my $other = says('OK', 'somebody resolves it', 'resolve_begin',
                     key => 'fence', owner => 'r');

    cmp_ok($other->{epoch}, '>', $k{epoch}, 'under a higher epoch');

    $res = says('FENCED', 'the first owner is fenced', 'settle', %k,
                outcome => 'C', record => 'late');
    is($res->{state}, 'P', 'and told what stands');

    says('OK', 'the resolver settles', 'resolve_end', key => 'fence',
         owner => 'r', epoch => $other->{epoch}, outcome => 'C',
         record => 'right');

    $res = says('FENCED', 'still fenced', 'settle', %k, outcome => 'C',
                record => 'late');
    is($res->{record}, 'right', 'with the record that stands');

    %k = claimed('trim');

    $res = says('OK', 'T is kept trimmed', 'settle', %k, outcome => 'T',
                record => 'whole', trimmed => 'short');
    is($res->{kept}, 'T', 'complete, not kept');

    $done = says('DONE', 'and answers', 'claim', %k, print => 'p');
    is("$done->{state} $done->{record}", 'T short', 'in short');

    %k = claimed('large');

    $res = says('OK', 'what is too long is trimmed', 'settle', %k,
                outcome => 'C', record => '@1048577', trimmed => 'head');
    is($res->{kept}, 'T', 'complete, not kept');

    $done = op('claim', %k, print => 'p');
    is("$done->{state} $done->{record}", 'T head', 'what it was trimmed to');

    %k = claimed('unknown');
    op('extend', %k, lease => 60000, note => 'how');

    $res = says('OK', 'it is settled as unknown', 'settle', %k,
                outcome => 'U');
    is($res->{kept}, 'U', 'unknown');

    $done = says('UNKNOWN', 'and that is told', 'claim', %k, owner => 'x',
                 print => 'p');
    is($done->{note}, 'how', 'with the note');

    $res = says('OK', 'its owner may learn better', 'settle', %k,
                outcome => 'C', record => 'found');
    is($res->{kept}, 'C', 'complete');

    %k = claimed('queued');
    $res = says('OK', 'it is queued', 'settle', %k, outcome => 'Q',
                record => 'job');
    is($res->{kept}, 'Q', 'queued');
    says('QUEUED', 'and that is told', 'claim', %k, owner => 'x',
         print => 'p');

    says('FENCED', 'what is not there cannot be settled', 'settle',
         key => 'nothing', owner => 'a', epoch => 1, outcome => 'C');
}


sub release {
    my %k = claimed('rel');

    says('FENCED', 'not by another owner', 'release', %k, owner => 'x');
    says('OK', 'by its owner', 'release', %k);
    says('OK', 'who may say so again', 'release', %k);

    my $res = says('OK', 'the key is free', 'claim', %k, owner => 'b',
                   print => 'q');

    cmp_ok($res->{epoch}, '>', $k{epoch}, 'under a higher epoch');

    says('FENCED', 'the first owner has no more to say', 'release', %k);
    says('FENCED', 'nor to settle', 'settle', %k, outcome => 'C');
    says('FENCED', 'an epoch that is not its own', 'release', key => 'rel',
         owner => 'b', epoch => $k{epoch});
    says('OK', 'without an epoch the owner counts', 'release', key => 'rel',
         owner => 'b');

    %k = claimed('rel-late', lease => 30);
    sleep 0.06;
    op('look', key => 'rel-late');

    says('OK', 'an unknown one is released by who knows', 'release', %k);
    says('NO', 'and is gone', 'look', key => 'rel-late');
}


sub resolving {
    says('NO', 'nothing to resolve', 'resolve_begin', key => 'none',
         owner => 'r');

    my %k = claimed('res');

    says('BUSY', 'in progress', 'resolve_begin', key => 'res', owner => 'r');

    op('extend', %k, lease => 60000, note => 'probe-me');
    op('settle', %k, outcome => 'U');

    my @res = map { $_->json } $t->parallel(
        map { [ GET => uri('resolve_begin', key => 'res',
                           owner => "r$_") ] } 1 .. 20);

    my @won = grep { $_->{result} eq 'OK' } @res;

    is(scalar @won, 1, 'one resolver at a time');
    is(scalar(grep { $_->{result} eq 'BUSY' } @res), 19, 'others are told');
    is($won[0]{note}, 'probe-me', 'with the note');
    is($won[0]{state}, 'P', 'in progress again');

    my ($who) = grep {
        op('resolve_begin', key => 'res', owner => "r$_")->{result} eq 'OK'
    } 1 .. 20;

    ok($who, 'the resolver may ask again');

    my %r = (key => 'res', owner => "r$who", epoch => $won[0]{epoch});

    says('FENCED', 'nobody else ends it', 'resolve_end', %r, owner => 'x',
         outcome => 'C');
    says('OK', 'it gives up', 'resolve_end', %r, outcome => 'U');
    says('UNKNOWN', 'and it is unknown', 'claim', key => 'res',
         owner => 'z', print => 'p');

    my $next = says('OK', 'another begins', 'resolve_begin', key => 'res',
                    owner => 'n', lease => 40);

    is($next->{note}, 'probe-me', 'still with the note');
    sleep 0.07;

    my $last = says('OK', 'a resolver that died is followed',
                    'resolve_begin', key => 'res', owner => 'm');

    says('FENCED', 'and fenced', 'resolve_end', key => 'res', owner => 'n',
         epoch => $next->{epoch}, outcome => 'C');
    says('OK', 'it was not executed', 'resolve_end', key => 'res',
         owner => 'm', epoch => $last->{epoch});
    says('NO', 'so the key is free', 'look', key => 'res');

    %k = claimed('res-done');
    op('settle', %k, outcome => 'C', record => 'r');

    my $res = says('DONE', 'nothing to resolve', 'resolve_begin',
                   key => 'res-done', owner => 'r');
    is($res->{record}, 'r', 'here is the record');
}


# all keys here are of one place, which has its share of a cap in a cluster

sub cap { return $_[0] * ($store->{places} || 1) }


sub caps {
    my %t = (tenant => 'capped', max_keys => cap(3));

    claimed("cap$_", %t) for 1 .. 3;

    says('FULL', 'no more live keys', 'claim', key => 'cap4', owner => 'a',
         print => 'p', %t);
    says('OK', 'for others there are', 'claim', key => 'cap4', owner => 'a',
         print => 'p', tenant => 'other', max_keys => cap(3));
    says('BUSY', 'what is live answers as ever', 'claim', key => 'cap3',
         owner => 'x', print => 'p', %t);

    op('release', key => 'cap1', owner => 'o-cap1', %t);

    my %k = claimed('cap5', %t);

    op('settle', %k, outcome => 'C', record => 'r', retention => 40);
    sleep 0.5;

    claimed('cap6', %t);

    %t = (tenant => 'bytes', max_bytes => cap(5000));

    %k = claimed('b1', %t);

    my $res = says('OK', 'bytes within the cap', 'settle', %k,
                   outcome => 'C', record => '@4000', trimmed => 't');
    is($res->{kept}, 'C', 'are kept');

    %k = claimed('b2', %t);

    $res = says('OK', 'bytes over the cap', 'settle', %k, outcome => 'C',
                record => '@4000', trimmed => '@200');
    is($res->{kept}, 'T', 'are not');

    $res = op('look', key => 'b2', %t);
    is("$res->{state} $res->{len}", 'T 200', 'but trimmed');

    %k = claimed('b3', %t);
    op('settle', %k, outcome => 'C', record => '@800');

    says('FULL', 'at the cap no key is claimed', 'claim', key => 'b4',
         owner => 'a', print => 'p', %t);

    # what goes no longer counts, while another key keeps the account

    %t = (tenant => 'gone', max_bytes => cap(5000));

    claimed('b5', %t);

    for my $key ('b6', 'b7') {
        %k = claimed($key, %t);
        $res = says('OK', "$key is settled", 'settle', %k, outcome => 'C',
                    record => '@4000', trimmed => 't', retention => 40);
        is($res->{kept}, 'C', "$key is kept");
        sleep 0.1;
        op('look', key => $key, %t);
    }

    my $long = 'x' x 100;

    %t = (tenant => $long, max_keys => cap(1));
    claimed('l1', %t);
    says('FULL', 'a long tenant id', 'claim', key => 'l2', owner => 'a',
         print => 'p', %t);
}


sub names {
    my %k = claimed('old-name');

    op('settle', %k, outcome => 'C', record => 'kept');

    my $res = says('DONE', 'found under the previous name', 'claim',
                   key => 'new-name', previous => 'old-name', owner => 'b',
                   print => 'p');
    is($res->{record}, 'kept', 'with its record');

    %k = claimed('old-live');

    says('BUSY', 'in progress under the previous name', 'claim',
         key => 'new-live', previous => 'old-live', owner => 'b',
         print => 'p');
    says('OK', 'settled by its owner under both', 'settle', %k,
         key => 'new-live', previous => 'old-live', outcome => 'C',
         record => 'r');
    says('DONE', 'is complete', 'claim', %k, print => 'p');

    says('OK', 'a new one', 'claim', key => 'new-only',
         previous => 'old-only', owner => 'b', print => 'p');
    says('OK', 'stands under the new name', 'look', key => 'new-only');
    says('NO', 'alone', 'look', key => 'old-only');
}


sub retention {
    my %k = claimed('ret');

    op('settle', %k, outcome => 'C', record => 'r', retention => 60);

    says('DONE', 'within its retention', 'claim', %k, print => 'p');
    sleep 0.1;
    says('NO', 'past it', 'look', key => 'ret');
    says('OK', 'the key is free', 'claim', %k, owner => 'n', print => 'q');

    %k = claimed('ret2', retention => 60, lease => 30);
    sleep 0.1;

    says('OK', 'an unknown one is forgotten too', 'claim', %k, owner => 'n',
         print => 'q');

    %k = claimed('ret3', retention => 10, lease => 300);
    sleep 0.05;

    says('BUSY', 'a lease is never shorter', 'claim', %k, owner => 'n',
         print => 'p');
}


# nobody asks for the key: due() visits it, and so does a worker by itself

sub sweeper {
    claimed('sweep1', lease => 20, tenant => 'swept', max_keys => cap(2));

    my %k = claimed('sweep2', tenant => 'swept', max_keys => cap(2));
    op('settle', %k, outcome => 'C', retention => 20);

    # looking at it would do it as well: the time of the change tells who did

    sleep 3;

    my $look = op('look', key => 'sweep1', tenant => 'swept');

    is($look->{state}, 'U', 'P became U');
    cmp_ok($look->{changed} - $look->{until}, '<', 2000,
           'before anybody asked');

    ok($t->wait_for(sub {
        return op('claim', key => 'sweep3', owner => 'a', print => 'p',
                  tenant => 'swept', max_keys => cap(2))->{result} eq 'OK';
    }, 3), 'what is past its retention makes room');
}


sub limits {
    my %l = (count => 1, per => 60000, burst => 3);

    my @left = map { op('limit_take', key => 'a', %l)->{answers}[0] } 1 .. 3;

    is(join(' ', map { $_->{remaining} } @left), '2 1 0', 'a burst of three');

    my $no = says('NO', 'and no more', 'limit_take', key => 'a', %l);

    my $retry = $no->{answers}[0]{retry};

    ok($retry > 55_000_000 && $retry <= 60_000_000, 'until a token is there');
    is($no->{answers}[0]{remaining}, 0, 'nothing is left');

    says('OK', 'a refund', 'limit_refund', key => 'a', %l);
    says('OK', 'can be taken', 'limit_take', key => 'a', %l);
    says('NO', 'once', 'limit_take', key => 'a', %l);

    my $cost = says('OK', 'costs', 'limit_take', key => 'c', %l, cost => 2);

    is($cost->{answers}[0]{remaining}, 1, 'are counted');
    says('NO', 'all at once', 'limit_take', key => 'c', %l, cost => 2);

    $no = says('NO', 'more than the burst', 'limit_take', key => 'c', %l,
               cost => 4);
    is($no->{answers}[0]{retry}, -1, 'is never there');

    my $look = says('OK', 'a cost of 0 looks', 'limit_take', key => 'c', %l,
                    cost => 0);
    is($look->{answers}[0]{remaining}, 1, 'and takes nothing');

    # groups

    my %g = (count => 1, per => 60000);

    my $ok = says('OK', 'a group', 'limit_take', key => 'g1,g2,g3', %g,
                  burst => '5,2,4');

    is(join(' ', map { $_->{remaining} } @{ $ok->{answers} }), '4 1 3',
       'each is charged');

    op('limit_take', key => 'g1,g2,g3', %g, burst => '5,2,4');

    $no = says('NO', 'one refuses', 'limit_take', key => 'g1,g2,g3', %g,
               burst => '5,2,4');

    is($no->{refused}, 1, 'it is named');
    is(join(' ', map { $_->{remaining} } @{ $no->{answers} }), '3 0 2',
       'and none is charged');

    $no = says('NO', 'two refuse', 'limit_take', key => 'g1,g2,g3', %g,
               burst => '5,2,4', cost => 3);

    is($no->{refused}, 1, 'the one that never could is named');

    op('limit_take', key => 'h2', %g, burst => 2);
    op('limit_take', key => 'h1,h2', %g, burst => '2,2');

    $no = says('NO', 'two refuse, in their time', 'limit_take',
               key => 'h1,h2', %g, burst => '2,2', cost => 2);

    is($no->{refused}, 1, 'the one that takes longer is named');

    says('OK', 'a group is refunded', 'limit_refund', key => 'g1,g2,g3', %g,
         burst => '5,2,4', cost => 2);

    $ok = op('limit_take', key => 'g1,g2,g3', %g, burst => '5,2,4',
             cost => 0);
    is(join(' ', map { $_->{remaining} } @{ $ok->{answers} }), '5 2 4',
       'to the full');

    # time

    %l = (count => 1, per => 50, burst => 1);

    says('OK', 'one', 'limit_take', key => 't', %l);
    says('NO', 'not yet', 'limit_take', key => 't', %l)
        if !$store->{again};
    sleep 0.06;
    says('OK', 'in time', 'limit_take', key => 't', %l);
}


# so many in all until a window is over, and nothing comes back before

sub counts {
    my %w = (burst => 3, window => 60000);

    my $ok = says('OK', 'two of three', 'limit_take', key => 'w1', %w,
                  cost => 2);
    is($ok->{answers}[0]{remaining}, 1, 'one is left');

    my $reset = $ok->{answers}[0]{reset};
    ok($reset > 55_000_000 && $reset <= 60_000_000, 'until the window ends');

    my $no = says('NO', 'not two more', 'limit_take', key => 'w1', %w,
                  cost => 2);
    is($no->{answers}[0]{remaining}, 1, 'one is still there');
    ok($no->{answers}[0]{retry} > 55_000_000, 'the others in the next window');
    is(op('limit_take', key => 'w1', %w, cost => 4)->{answers}[0]{retry}, -1,
       'more than there are, never');

    says('OK', 'given back', 'limit_refund', key => 'w1', %w);
    says('OK', 'two again', 'limit_take', key => 'w1', %w, cost => 2);
    says('NO', 'and no more', 'limit_take', key => 'w1', %w);
    is(op('limit_take', key => 'w1', %w, cost => 0)->{answers}[0]{remaining},
       0, 'a look');

    # beside a bucket, in a group

    my %g = (key => 'wb,wc', burst => '5,2', window => '0,60000', count => 1,
             per => 60000);

    $ok = says('OK', 'a bucket and a count', 'limit_take', %g);
    is(join(' ', map { $_->{remaining} } @{ $ok->{answers} }), '4 1',
       'each is charged');
    says('OK', 'again', 'limit_take', %g);
    $no = says('NO', 'until the count is used up', 'limit_take', %g);
    is($no->{refused}, 1, 'which is named');
    is($no->{answers}[0]{remaining}, 3, 'and the bucket keeps what it has');

    # leased

    my $lease = says('OK', 'a lease of a count', 'lease_take', key => 'wl',
                     burst => 10, window => 60000, wanted => 20,
                     nonce => 'w', lease => 5000);
    is($lease->{tokens}, 10, 'all there are');
    says('NO', 'no more', 'lease_take', key => 'wl', burst => 10,
         window => 60000, wanted => 1, nonce => 'x', lease => 5000);
    says('OK', 'given back', 'lease_return', key => 'wl', burst => 10,
         window => 60000, nonce => 'w', tokens => 4);
    is(op('limit_take', key => 'wl', burst => 10, window => 60000, cost => 0)
           ->{answers}[0]{remaining}, 4, 'is there');

    # the end of the window

    %w = (burst => 1, window => 400);

    says('OK', 'a short window', 'limit_take', key => 'w2', %w);
    says('NO', 'is used up', 'limit_take', key => 'w2', %w);
    sleep 0.45;
    says('OK', 'and begins anew', 'limit_take', key => 'w2', %w);
}


sub tokens {
    my %l = (key => 'lt', count => 1, per => 60000, burst => 10);

    my $res = says('OK', 'a lease', 'lease_take', %l, wanted => 4,
                   nonce => 'a', lease => 5000);

    is($res->{tokens}, 4, 'of four');
    ok($res->{lasts} > 4000 && $res->{lasts} <= 5000, 'for a while');

    $res = says('OK', 'asked again', 'lease_take', %l, wanted => 4,
                nonce => 'a', lease => 5000);
    is($res->{tokens}, 4, 'the same four');

    $res = says('OK', 'what is left', 'lease_take', %l, wanted => 100,
                nonce => 'b', lease => 5000);
    is($res->{tokens}, 6, 'may be fewer');

    says('NO', 'or none', 'lease_take', %l, wanted => 1, nonce => 'c',
         lease => 5000);
    says('NO', 'a single take meets the same bucket', 'limit_take', %l);

    says('OK', 'some come back', 'lease_return', %l, nonce => 'a',
         tokens => 3);
    says('NO', 'once', 'lease_return', %l, nonce => 'a', tokens => 3);

    $res = says('OK', 'and are there', 'lease_take', %l, wanted => 100,
                nonce => 'd', lease => 30);
    is($res->{tokens}, 3, 'three of them');

    sleep 0.06;
    says('NO', 'late is spent', 'lease_return', %l, nonce => 'd',
         tokens => 3);

    op('lease_return', %l, nonce => 'b', tokens => 1000);

    $res = op('limit_take', %l, cost => 0);
    is($res->{answers}[0]{remaining}, 6, 'no more comes back than was taken');
}


sub slots {
    my %s = (key => 'slot', limit => 2);

    says('OK', 'one', 'slot_acquire', %s, owner => 'a');
    says('OK', 'two', 'slot_acquire', %s, owner => 'b');
    says('NO', 'not three', 'slot_acquire', %s, owner => 'c');
    says('OK', 'a holder asks again', 'slot_acquire', %s, owner => 'a');
    says('OK', 'another key', 'slot_acquire', key => 'slot2', limit => 1,
         owner => 'a');
    says('NO', 'who holds none releases none', 'slot_release', %s,
         owner => 'c');
    says('OK', 'one leaves', 'slot_release', %s, owner => 'a');
    says('NO', 'once', 'slot_release', %s, owner => 'a');
    says('OK', 'there is room', 'slot_acquire', %s, owner => 'c',
         lease => 30);
    says('NO', 'for one', 'slot_acquire', %s, owner => 'd');

    ok($t->wait_for(sub {
        return op('slot_acquire', %s, owner => 'd')->{result} eq 'OK';
    }, 3), 'who died leaves too');

    says('NO', 'a limit of none', 'slot_acquire', key => 'slot3',
         limit => 0, owner => 'a');
}


sub seen {
    says('OK', 'the first time', 'seen', key => 'jti', ttl => 60);
    says('NO', 'again', 'seen', key => 'jti', ttl => 60);
    sleep 0.1;
    says('OK', 'forgotten', 'seen', key => 'jti', ttl => 60);

    my $long = 'j' x 500;

    says('OK', 'a long one', 'seen', key => $long);
    says('NO', 'again', 'seen', key => $long);
    says('OK', 'one that differs at its end', 'seen', key => "${long}x");
}


sub cache {
    says('NO', 'nothing', 'cache_get', key => 'c');
    says('OK', 'put', 'cache_put', key => 'c', value => 'v1', ttl => 5000);

    my $res = says('OK', 'there', 'cache_get', key => 'c');
    is($res->{value}, 'v1', 'its value');

    says('OK', 'replaced', 'cache_put', key => 'c', value => 'v2',
         ttl => 60);
    $res = op('cache_get', key => 'c');
    is($res->{value}, 'v2', 'by the other');

    sleep 0.1;
    says('NO', 'over', 'cache_get', key => 'c');

    for my $len (1, 120, 121, 4096, 4097, 20000) {
        op('cache_put', key => "c$len", value => "\@$len");
        is(op('cache_get', key => "c$len")->{len}, $len, "$len bytes");
    }

    says('OK', 'an empty value', 'cache_put', key => 'none', value => '');
    is(op('cache_get', key => 'none')->{len}, 0, 'is one');
}


sub one_of_many {
    my @res = map { $_->json } $t->parallel(
        map { [ GET => uri('claim', key => 'race', owner => "o$_",
                           print => 'p') ] } 1 .. 100);

    is(scalar(grep { $_->{result} eq 'OK' } @res), 1,
       'of 100 claims one is granted');
    is(scalar(grep { $_->{result} eq 'BUSY' } @res), 99, 'the others wait');

    my %pids = map { $_->{pid} => 1 } @res;

    is(scalar keys %pids, 2, 'both workers were asked');

    @res = map { $_->json } $t->parallel(
        map { [ GET => uri('limit_take', key => 'race', count => 1,
                           per => 60000, burst => 1) ] } 1 .. 100);

    is(scalar(grep { $_->{result} eq 'OK' } @res), 1,
       'of 100 takes one is allowed');

    @res = map { $_->json } $t->parallel(
        map { [ GET => uri('seen', key => 'race') ] } 1 .. 100);

    is(scalar(grep { $_->{result} eq 'OK' } @res), 1, 'one is the first');

    @res = map { $_->json } $t->parallel(
        map { [ GET => uri('slot_acquire', key => 'race', limit => 7,
                           owner => "o$_") ] } 1 .. 100);

    is(scalar(grep { $_->{result} eq 'OK' } @res), 7, 'seven have slots');
}


sub reload {
    my %k = claimed('stays');

    op('settle', %k, outcome => 'C', record => '@3000');

    my %live = claimed('lives');

    op('limit_take', key => 'rl', count => 1, per => 60000, burst => 1);

    # claims run while workers change

    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        for my $i (1 .. 300) {
            op('claim', key => "load$i", owner => 'a', print => 'p');
        }

        POSIX::_exit(0);
    }

    ok($t->reload, 'reloaded') for 1 .. 2;

    waitpid $pid, 0;

    my $done = says('DONE', 'a record is there', 'claim', %k, print => 'p');

    is("$done->{len} $done->{whole}", '3000 1', 'whole');
    says('OK', 'a claim is its owner\'s', 'settle', %live, outcome => 'C');
    says('NO', 'a limit is spent', 'limit_take', key => 'rl', count => 1,
         per => 60000, burst => 1);

    my @lost = grep {
        op('claim', key => "load$_", owner => 'x', print => 'p')->{result}
            eq 'OK'
    } 1 .. 300;

    cmp_ok(scalar @lost, '<', 20, 'claims made meanwhile stand');
}
