#!/usr/bin/perl

# What the store leaves in Redis: names that share a slot, an end for each of
# them, records that a person can read, and an index of what is to be resolved.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep);

my $redis = Test::Sync::Redis->start;
my $url = $redis->url;
my $t = Test::Sync->new;

$t->http(<<"CONF");
    sync_store $url timeout=500ms breaker=off;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location = /op { sync_test_store; }
    }
CONF

$t->start;

sub op {
    my ($op, %args) = @_;

    my $res = $t->get("/op?op=$op"
                      . join '', map { "&$_=$args{$_}" } sort keys %args);

    return $res->json || { result => "status $res->{status}" };
}

sub keys_like {
    my ($re) = @_;

    my @all = sort grep { /$re/ && !/^sync:\{(?:m:|w\})/ }
                        @{ $redis->cmd('KEYS', '*') };

    return @all;
}

sub forget { $redis->cmd('DEL', $_) for keys_like(qr/^/) }


# names

my %k = (key => 'k', owner => 'a', tenant => 't_7f3a', lease => 60000);
my $claim = op('claim', %k, print => 'p', max_keys => 5, retention => 90000);

is($claim->{result}, 'OK', 'a claim');
op('extend', %k, epoch => $claim->{epoch}, note => 'how');

my ($record) = keys_like(qr/\}r:/);

is(join(' ', keys_like(qr/^/)),
   "sync:{t_7f3a:0}due $record sync:{t_7f3a}bytes sync:{t_7f3a}keys",
   'record and index share a tag, the account is the tenant\'s');
like($record, qr/^sync:\{t_7f3a:0\}r:[0-9a-f]{64}$/, 'a name is in hex');
like($redis->cmd('GET', $record),
     qr/^1P1\d{16}\d{13}\d{13}\d{13}\d{13}0{15}0003.{48}how$/s,
     'a record begins with version, state and times');

my $ttl = $redis->cmd('PTTL', $record);

cmp_ok($ttl, '>', 80000, 'it lasts');
cmp_ok($ttl, '<=', 90000, 'as long as its retention');

op('settle', %k, epoch => $claim->{epoch}, outcome => 'C', record => 'r',
   retention => 30000);

cmp_ok($redis->cmd('PTTL', $record), '<=', 30000, 'settled, as it is said');
is(join(' ', keys_like(qr/due/)), '', 'nothing is to be resolved');

op('limit_take', key => 'l', count => 1, per => 1000, burst => 9);
op('lease_take', key => 'l', count => 1, per => 1000, burst => 9, wanted => 2,
   nonce => 'n', lease => 5000);
op('slot_acquire', key => 's', owner => 'a', limit => 1);
op('seen', key => 'j' x 500, ttl => 5000);
op('seen', key => 'a}b', ttl => 5000);
op('cache_put', key => 'c', value => 'v', ttl => 5000);

my ($limit) = keys_like(qr/\}l:l$/);
my ($tag) = $limit =~ /(\{l:[0-9a-f]{8}\})/;

is(scalar(keys_like(qr/^sync:\Q$tag\Eg:[0-9a-f]{32}$/)), 1,
   'tokens that are leased stand beside their limit');
is(scalar(keys_like(qr/^sync:\{t:#[0-9a-f]{128}\}$/)), 1,
   'a long key stands as its digest');
is(scalar(keys_like(qr/^sync:\{t:a\}b\}$/)), 1, 'one that has a brace');

my @endless = grep { $redis->cmd('PTTL', $_) < 0 } keys_like(qr/^/);

is("@endless", '', 'all of them have an end');
forget();


# the index of notes

is(op('due', n => 10)->{unknown}, 0, 'nothing is due');

for my $n (1 .. 5) {
    my %d = (key => "due$n", owner => 'a', tenant => 'due');
    my $res = op('claim', %d, print => 'p',
                 $n == 5 ? (lease => 30, retention => 60) : ());

    op('extend', %d, epoch => $res->{epoch}, lease => $n == 4 ? 60000 : 30,
       note => 'n');
    op('settle', %d, epoch => $res->{epoch}, outcome => 'C') if $n == 3;
}

sleep 0.1;

# turns of the worker do it as well: what stands then is the same

op('due', n => 10) for 1 .. 4;

is(scalar(keys_like(qr/due.*r:/)), 4, 'what is past its retention is gone');

my @u = grep { substr($redis->cmd('GET', $_), 1, 1) eq 'U' }
        keys_like(qr/due.*r:/);

is(scalar @u, 2, 'and written down as such');
is(scalar @{ $redis->cmd('ZRANGE', 'sync:{due:0}due', 0, -1) }, 1,
   'who lives stays in the index');
is(op('look', key => 'due4', tenant => 'due')->{state}, 'P', 'and lives');
is(op('look', key => 'due3', tenant => 'due')->{state}, 'C', 'or is complete');
forget();


# under the previous secret

$claim = op('claim', key => 'old', owner => 'a', print => 'p', tenant => 'cap',
            max_keys => 1);
is(op('settle', key => 'new', previous => 'old', owner => 'a',
      tenant => 'cap', epoch => $claim->{epoch}, outcome => 'C',
      record => 'r')->{result}, 'OK', 'settled by a later name');
is(scalar(keys_like(qr/\}r:/)), 1, 'stands where it was');
is(scalar @{ $redis->cmd('ZRANGE', 'sync:{cap}keys', 0, -1) }, 1,
   'and counts once');
forget();


# nobody waits any more: by its deadline, and by its client

for my $left (0, 1) {
    my %l = (key => "late$left", owner => 'a', print => 'p', timeout => 100);

    $redis->pause(300, 'ALL');

    if ($left) {
        $t->abort('GET', '/op?op=claim' . join('', map { "&$_=$l{$_}" }
                                               grep { $_ ne 'timeout' }
                                               sort keys %l),
                  after => 0.1);
    } else {
        is(op('claim', %l)->{result}, 'DOWN', 'no answer in time');
    }

    sleep 0.4;
    is(op('look', key => "late$left")->{result}, 'NO',
       $left ? 'the claim of a client that left is released'
             : 'the claim that came late is released');
}

is($redis->commands('evalsha') > 0, 1, 'scripts go by their digest');

$t->done;
