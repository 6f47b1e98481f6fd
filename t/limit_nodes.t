#!/usr/bin/perl

# How many nodes a limit is divided by, when the store that counts them comes
# and goes: never fewer than there are.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep time);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $window = 10;

# two nodes for each of three stores

my %redis = map { $_ => Test::Sync::Redis->start } qw(flaps forgets shrinks);

# all begin within one window, and not at its end

sleep $window - time() % $window + 0.1 if time() % $window > $window - 5;

my $first = int(time() / $window);

my %nodes = map { my $name = $_; $name => [ map { node($name) } 1, 2 ] }
            sort keys %redis;

is(int(time() / $window), $first, 'all have begun');


sub node {
    my ($name) = @_;

    my $t = Test::Sync->new(workers => 1);
    my $url = $redis{$name}->url;

    $t->peer(up => sub { return [200, {}, 'up'] });
    $t->http(<<"CONF");
    sync_store $url timeout=300ms;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location / { sync_limit seen rate=1/h burst=8 key=\$arg_k mode=exact;
                     proxy_pass http://%%PEER_up%%; }
    }
CONF

    return $t->start;
}


# every node has been here in this window: within two seconds of its begin

sub settled {
    my ($n) = @_;

    my $left = ($first + $n) * $window + 2.5 - time();

    sleep $left if $left > 0;
}


# limits are refused, and nothing else, until they are not

sub away {
    my ($name, $yes) = @_;

    $redis{$name}->cmd('ACL', 'SETUSER', 'default',
                       $yes ? '-@scripting' : '+@all');
}


# of eight, on each node, when the store is away

sub divided {
    my ($name) = @_;

    away($name, 1);

    my @passed = map {
        my $t = $_;
        scalar grep { $t->get('/?k=' . int time())->{status} == 200 } 1 .. 9;
    } @{$nodes{$name}};

    away($name, 0);

    return "@passed";
}


sub counted {
    my ($name, $n) = @_;

    my $keys = $redis{$name}->cmd('KEYS', '*sync nodes ' . ($first + $n));

    return @$keys;
}


settled(1);
is(scalar counted($_, 1), 1, "$_: nodes are counted") for sort keys %redis;
is(divided($_), '4 4', "$_: two are seen") for sort keys %redis;

# one node stops

(pop @{$nodes{shrinks}})->done;

# the store is away where one window ends and the next begins

sleep +($first + 2) * $window - time() - 0.5;
away('flaps', 1);

# what the others have counted in a window, and none in the next

$redis{forgets}->cmd('DEL', counted('forgets', 1));

settled(2);
away('flaps', 0);
is(scalar counted('flaps', 2), 0, 'nobody was counted');
is(divided('forgets'), '4 4', 'one window of which nothing is left');

settled(3);
is(divided('flaps'), '4 4', 'the store flaps: as many as before');

settled(4);
is(divided('shrinks'), '8', 'one node has gone: the other has all of it');
is(divided('flaps'), '4 4', 'and again in the next window');

$_->done for map { @$_ } values %nodes;
