#!/usr/bin/perl

# Shares of a connector: what one tenant asks for at its month's end is not
# taken from the others, and what nobody asks for is not left empty.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Time::HiRes qw(sleep time);

my $t = Test::Sync->new(workers => 2);

# answers after a while; what is under way at a time is in its ledger's order

$t->peer(erp => sub {
    my ($req) = @_;

    return { delay => $1, body => '{}' } if $req->{uri} =~ /id-([\d.]+)-/;
    return { delay => 0.1, body => '{}' };
});

for my $name (qw(acme beta gamma free)) {
    $t->write("secrets/t_$name/key", "c4n4ry-share-$name");
    $t->canary("c4n4ry-share-$name");

    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.test"] },
        ($name eq 'gamma' ? (weight => 3) : ()),
        clients => { crm => { api_keys => ['secret:key'],
                              entities => { sales_order => ['read'] } } },
        connectors => { erp => {
            upstream => $name eq 'free' ? 'other' : 'erp',
            ($name eq 'free' ? () : (capacity => 4)),
            entities => { sales_order => { read => 'GET /o/{id}' } } } },
        routes => [ { entity => 'sales_order', to => 'erp' } ],
    });
}

$t->http(<<'CONF');
    sync_tenants %%TESTDIR%%/tenants;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp   { server %%PEER_erp%%; }
    upstream other { server %%PEER_erp%%; }

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        sync_tenant host;

        location /v1/orders {
            sync_auth   api_key;
            sync_entity sales_order at=/v1/orders;
            proxy_ignore_client_abort on;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }
        location /v1/wait {
            sync_auth     api_key;
            sync_entity   sales_order at=/v1/wait;
            sync_deadline 400ms;
            proxy_ignore_client_abort on;
            proxy_pass    http://$sync_upstream$sync_upstream_uri;
        }
        location = /status { sync_status; }
        location /v1/abort {
            sync_auth   api_key;
            sync_entity sales_order at=/v1/abort;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }
    }
CONF

$t->start;

my $serial = 0;

sub order {
    my ($tenant, %opt) = @_;

    my $path = $opt{path} || 'orders';
    my $delay = $opt{delay} || 0.1;

    return [GET => "/v1/$path/id-$delay-" . $serial++, host => "$tenant.test",
            headers => ['X-API-Key' => "c4n4ry-share-$tenant"]];
}


sub passed {
    return scalar grep { $_->{status} == 200 } @_;
}


sub one {
    my ($method, $uri, %opt) = @{ order(@_) };

    return $t->request($method, $uri, %opt);
}


# goes on asking until it is killed

sub flood {
    my ($tenant, $clients, $seconds) = @_;

    my $pid = open my $fh, '-|' // die "fork: $!";

    if (!$pid) {
        my %seen;
        my $until = time() + $seconds;

        while (time() < $until) {
            $seen{ $_->{status} }++
                for $t->parallel(map { order($tenant, delay => 0.05) }
                                 1 .. $clients);
        }

        print join ' ', map { "$_=$seen{$_}" } sort keys %seen;
        close STDOUT;
        POSIX::_exit(0);
    }

    return $fh;
}


sub result {
    my ($fh) = @_;

    my $line = <$fh> // '';

    return { $line =~ /(\d+)=(\d+)/g };
}


my @r = $t->parallel(map { order('acme', delay => 0.4) } 1 .. 8);

is(passed(@r), 4, 'one alone has all four places');

my ($no) = grep { $_->{status} != 200 } @r;

is($no->{status}, 429, 'what is over is refused');
is($no->json->{type}, 'urn:sync:problem:share-exceeded', 'as problem');
is($no->header('retry-after'), 1, 'Retry-After');

is(passed($t->parallel(map { order('acme') } 1 .. 4)), 4, 'they are free again');
is(passed($t->parallel(map { order('free', delay => 0.3) } 1 .. 12)), 12,
   'no capacity, no bound');

# one floods, another one asks now and then

my $flood = flood('acme', 12, 3);

sleep 0.5;

my @calm;
my $slowest = 0;

for (1 .. 20) {
    my $res = one('beta', delay => 0.05);

    push @calm, $res;
    $slowest = $res->{time} if $res->{time} > $slowest;
    sleep 0.05;
}

is(passed(@calm), 20, 'a flood of one tenant refuses nothing to another');
cmp_ok($slowest, '<', 1, 'nor does it wait for long');

my $res = result($flood);

cmp_ok($res->{200}, '>', 3 * 20 * 2, 'and who floods has the rest');
cmp_ok($res->{429} || 0, '>', 10, 'which is less than it asks for');

# two flood, one of which weighs three times as much

sleep 2.1;

my @both = (flood('beta', 8, 4), flood('gamma', 8, 4));
my ($beta, $gamma) = map { result($_)->{200} } @both;

cmp_ok($gamma / $beta, '>', 1.7, "three to one: $gamma to $beta");
cmp_ok($gamma / $beta, '<', 5, 'and not much more');

# who is due a place waits for it, but not beyond its deadline

sleep 2.1;

my $long = open my $fh, '-|' // die "fork: $!";

if (!$long) {
    $t->parallel(map { order('acme', delay => 1.5) } 1 .. 4);
    close STDOUT;
    POSIX::_exit(0);
}

sleep 0.4;

my $wait = one('beta', path => 'wait');

is($wait->{status}, 503, 'all places are taken for longer than it may wait');
is($wait->json->{type}, 'urn:sync:problem:connector-busy', 'as problem');
cmp_ok($wait->{time}, '>', 0.3, 'it has waited');

my $due = one('beta');

is($due->{status}, 200, 'one that may wait has the next one');
cmp_ok($due->{time}, '>', 0.3, 'when it is free');
<$fh>;

# who leaves gives its place back

sleep 2.1;

for (1 .. 6) {
    my (undef, $uri, %opt) = @{ order('acme', path => 'abort', delay => 3) };

    $t->abort(GET => $uri, %opt, after => 0.1);
}

ok($t->wait_for(sub {
    return passed($t->parallel(map { order('acme') } 1 .. 4)) == 4;
}, 2), 'clients that leave hold no place');

# and so does a worker that is killed

my $gone = open my $busy, '-|' // die "fork: $!";

if (!$gone) {
    $t->parallel(map { [@{ order('acme', delay => 9) }, timeout => 2] }
                 1 .. 4);
    close STDOUT;
    POSIX::_exit(0);
}

sleep 0.4;

is(passed($t->parallel(order('acme'))), 0, 'no place is free');

my @pids = $t->workers;
kill 'KILL', @pids;

ok($t->wait_for(sub {
    my %old = map { $_ => 1 } @pids;
    return 2 == grep { !$old{$_} } $t->workers;
}), 'the workers are killed');

ok($t->wait_for(sub {
    return passed($t->parallel(map { order('acme') } 1 .. 4)) == 4;
}, 3), 'their places are free');
<$busy>;

ok($t->reload, 'reload');
is(passed($t->parallel(map { order('acme', delay => 0.3) } 1 .. 6)), 4,
   'the capacity stands');

$t->allow(qr/exited on signal 9/, qr/\[alert\].*worker process \d+ exited/);
# what sync_status tells of them

my $m = $t->metrics('/status');

cmp_ok($m->{'sync_shares_total{event="granted"}'}, '>', 50, 'places granted');
cmp_ok($m->{'sync_shares_total{event="waited"}'}, '>', 0, 'after a wait');
cmp_ok($m->{'sync_shares_total{event="over"}'}, '>', 0, 'over the share');
cmp_ok($m->{'sync_shares_total{event="busy"}'}, '>', 0, 'none free in time');
is($m->{'sync_shares_total{event="uncounted"}'}, 0, 'all counted');
ok($t->wait_for(sub { $t->metrics('/status')->{sync_shares_held} == 0 }, 3),
   'none is held');
cmp_ok($m->{sync_shares_room}, '>', $m->{sync_shares_entries}, 'room');

$t->done;
