#!/usr/bin/perl

# Many tenants: how long they take to load, what an idle one costs a worker, how
# soon a change has reached all workers and what it costs.
#
# 2,000 documents, or 50,000 with SYNC_STORM.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;
use List::Util qw(max min);
use Time::HiRes qw(sleep time);

my $n = $ENV{SYNC_STORM} ? 50_000 : 2_000;
my $interval = 1;

# what is asserted; machines are shared, so this is not what is measured

my %at_most = (
    load => $ENV{SYNC_STORM} ? 30 : 5,          # seconds
    bytes => $ENV{SYNC_STATIC} ? 65536 : 8192,  # resident, per tenant, worker;
                                                # sanitizers pad
    idle => 0.03,                               # of a core
    change => $interval + 0.5,                  # seconds, until all have it
    work => 0.05,                               # seconds of CPU for it
    template => $ENV{SYNC_STORM} ? 60 : 5,      # seconds, all tenants anew
    stall => 0.5,                               # of a request meanwhile
);

my $t = Test::Sync->new(workers => 2, quit_timeout => 20);

my $issuer = Test::Sync::Token->new(issuer => 'https://login.example');

$issuer->key('k1', 'RS256')->key('k2', 'ES256');
$t->write('library/jwks/shared.json', $issuer->jwks);

for my $map (qw(salesforce s4)) {
    my $path = "conf.example/library/maps/$map.json";

    open my $f, '<', $path or die "$path: $!\n";
    local $/;
    $t->write("library/maps/$map.json", scalar <$f>);
}

sub template {
    my ($plan) = @_;

    return {
        issuers => [ { issuer => 'https://login.example',
                       jwks => 'jwks/shared.json', tenant_claim => 'org',
                       audience => ['https://sync.example'] } ],
        plans => {
            gold => { limits => [ { rate => $plan, burst => 100 },
                                  { rate => '500000/day' } ] },
            trial => { limits => [ { rate => '6/m', burst => 3 } ] } },
        sources => { salesforce => { format => 'json',
            maps => { sales_order => 'maps/salesforce.json' } } },
        clients => { map { $_ => { source => 'salesforce', plan => 'gold',
            entities => { sales_order => ['create', 'read'] } } }
            qw(crm nightly partner) },
        connectors => { map { $_ => {
            upstream => $_, path => '/sap/opu/odata/sap/API_SALES_ORDER_SRV',
            format => 'odata-v2',
            credentials => { basic => { user => 'secret:user',
                                        password => 'secret:password' } },
            idempotency => { send => 'header:RequestID', as => 'uuid-hex' },
            entities => { sales_order => {
                map => 'maps/s4.json', create => 'POST /A_SalesOrder',
                read => q{GET /A_SalesOrder('{id}')?$expand=to_Item} } } } }
            qw(eu us) },
        routes => [ { entity => 'sales_order', to => 'us',
                      when => { '/ship_to/region' => 'us' } },
                    { entity => 'sales_order', to => 'eu' } ],
    };
}

sub document {
    my ($i, @hosts) = @_;

    return { tenant => "t$i", id => "t_$i", extends => 'templates/o2c.json',
             match => { hosts => ["t$i.example", @hosts] },
             connectors => { eu => { host => "t$i.s4.example" },
                             us => { host => "t$i.us.s4.example" } } };
}

$t->write('library/templates/o2c.json', template('50/s'));
$t->write("tenants/t$_.json", document($_)) for 1 .. $n;
mkdir $t->path('secrets');

$t->peer(erp => sub { return [200, {}, 'x'] });

$t->http(<<"CONF" . <<'CONF');
    sync_tenants %%TESTDIR%%/tenants interval=${interval}s zone=32m;
CONF
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;

    upstream eu { server %%PEER_erp%%; }
    upstream us { server %%PEER_erp%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;

        location / {
            add_header X-Id $sync_tenant always;
            proxy_pass http://eu;
        }
        location /status { sync_tenant off; sync_status; }
    }
CONF

my $begun = time;

$t->start;

my $load = time - $begun;

cmp_ok($load, '<', $at_most{load}, sprintf '%d documents: loaded in %.1f s',
       $n, $load);
like($t->get('/status', Host => 'status')->{body}, qr/^sync_tenants $n$/m,
     'all of them answer');


# memory that a worker has, whether or not it shares it with the others

sub resident {
    my ($pid, $what) = @_;

    open my $f, '<', "/proc/$pid/smaps_rollup" or return 0;
    local $/;
    return <$f> =~ /^$what:\s+(\d+) kB/m ? $1 * 1024 : 0;
}

# seconds that workers have computed

sub cpu {
    return map {
        open my $f, '<', "/proc/$_/schedstat" or die "$_: $!";
        (split ' ', <$f>)[0] / 1e9;
    } $t->workers;
}

sub computed {
    my ($code) = @_;

    my @before = cpu();
    $code->();
    my @after = cpu();

    return max map { $after[$_] - $before[$_] } 0 .. $#after;
}

my @rss = map { resident($_, 'Anonymous') / $n } $t->workers;
my @own = map { resident($_, 'Private_Dirty') / $n } $t->workers;

cmp_ok(max(@rss), '<=', $at_most{bytes},
       sprintf 'an idle tenant takes %d bytes of a worker', max @rss);

sub id {
    my ($host) = @_;

    my $res = $t->request('GET', '/', host => $host);

    return $res->{status} == 200 ? $res->header('X-Id') : $res->{status};
}

is(id("t$_.example"), "t_$_", "tenant $_") for 1, $n / 2, $n;

# all workers know: so often in a row it is not one of them alone

sub known {
    my ($host, $id) = @_;

    for (1 .. 16) {
        return 0 if id($host) ne $id;
    }

    return 1;
}

sub within {
    my ($seconds, $code) = @_;

    my $from = time;

    until ($code->()) {
        return if time - $from > $seconds;
        sleep 0.02;
    }

    return time - $from;
}


# the first look at all of them has gone by

sleep 3 * $interval;

my $idle = computed(sub { sleep($ENV{SYNC_STORM} ? 20 : 4) })
           / ($ENV{SYNC_STORM} ? 20 : 4);

cmp_ok($idle, '<', $at_most{idle},
       sprintf 'an idle worker takes %.2f %% of a core', $idle * 100);

@own = map { resident($_, 'Private_Dirty') / $n } $t->workers;
diag(sprintf 'of the memory %d bytes per tenant are a worker\'s own, the rest '
     . 'is shared', max @own);


# one change: a host that is new

my @took;

for my $i (7, $n / 2, $n - 1) {
    $t->write("tenants/t$i.json", document($i, "new$i.example"));

    my $took = within($at_most{change} + 5,
                     sub { known("new$i.example", "t_$i") });

    cmp_ok($took // 99, '<', $at_most{change},
           sprintf 'a change of tenant %d reaches all in %.2f s', $i,
           $took // 99);
}

# ... and what it costs: turns with a change against turns without; a look at
# all of them falls into some

my (@with, @without);

for my $i (1 .. 3) {
    push @with, computed(sub {
        $t->write('tenants/t9.json', document(9, "new9-$i.example"));
        sleep 2 * $interval;
    });
    push @without, computed(sub { sleep 2 * $interval });
}

my $work = max(0, min(@with) - min(@without));

ok(known('new9-3.example', 't_9'), 'another change');
cmp_ok($work, '<', $at_most{work},
       sprintf 'a change costs a worker %.1f ms', $work * 1000);

# one that goes is found by a look at all, and nothing waits for that

my @behind;

for my $i (1 .. 6) {
    unlink $t->path("tenants/t" . ($n - 10 - $i) . '.json');
    sleep $interval * (0.5 + $i / 6);
    $t->write('tenants/t8.json', document(8, "new8-$i.example"));
    push @behind, within($at_most{change} + 5,
                         sub { known("new8-$i.example", 't_8') }) // 99;
}

cmp_ok(max(@behind), '<', $at_most{change},
       sprintf 'a change during looks at all reaches all in %.2f s',
       max @behind);

# one that comes, and one that goes

$t->write('tenants/tnew.json', document('new'));
ok(defined within($at_most{change}, sub { known('tnew.example', 't_new') }),
   'a new tenant');

unlink $t->path('tenants/tnew.json');
ok(defined within($at_most{change} + 3, sub { known('tnew.example', 404) }),
   'a tenant that has gone');


# a template: all tenants anew, in slices that no request feels

$t->write('library/templates/o2c.json', { %{template('60/s')},
                                          match => { hosts => [] } });

my ($worst, $from) = (0, time);

my $loads = sub {
    my $res = $t->request('GET', '/status', host => 'status');

    $worst = max($worst, $res->{time});

    return $res->{body} =~ /^sync_tenants_broken (\d+)$/m ? $1 : 0;
};

# a template may not match: each document is refused, and its copy stays

my $left = $n - @behind;
my $took = within($at_most{template}, sub { $loads->() == $left });

cmp_ok($took // 999, '<', $at_most{template},
       sprintf 'a template of all: through in %.1f s', $took // 999);
is(id('t3.example'), 't_3', 'the last good copy stays');

$t->write('library/templates/o2c.json', template('60/s'));

$took = within($at_most{template}, sub { $loads->() == 0 });

cmp_ok($took // 999, '<', $at_most{template},
       sprintf 'a template of all, put right: through in %.1f s',
       $took // 999);
cmp_ok($worst, '<', $at_most{stall},
       sprintf 'no request waited longer than %.0f ms', $worst * 1000);
is(id('t3.example'), 't_3', 'and all answer');

$t->done;
