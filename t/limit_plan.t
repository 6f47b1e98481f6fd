#!/usr/bin/perl

# Limits by the plan of a client: all windows of a plan hold at once, for the
# tenant's client and wherever it asks.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Time::HiRes qw(sleep);

# one worker: each learns of a changed document by itself

my $t = Test::Sync->new;

my @clients = qw(one two three four five six seven free);

for (@clients) {
    $t->write("secrets/t_acme/$_", "c4n4ry-plan-$_");
    $t->canary("c4n4ry-plan-$_");
}

$t->write('secrets/t_beta/one', 'c4n4ry-plan-beta');

my %acme = (
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    plans => {
        gold => { limits => [ { rate => '1/h', burst => 3 } ] },
        wide => { limits => [ { rate => '1/h', burst => 5 },
                              { rate => '1/day', burst => 2 } ] },
    },
    clients => {
        (map { $_ => { api_keys => ["secret:$_"], plan => 'gold' } }
            qw(one two five six seven)),
        (map { $_ => { api_keys => ["secret:$_"], plan => 'wide' } }
            qw(three four)),
        free => { api_keys => ['secret:free'] },
    },
);

my %beta = (
    tenant => 'beta', id => 't_beta', match => { hosts => ['beta.test'] },
    plans => { gold => { limits => [ { rate => '1/h', burst => 3 } ] } },
    clients => { one => { api_keys => ['secret:one'], plan => 'gold' } },
);

$t->write('tenants/acme.json', \%acme);
$t->write('tenants/beta.json', \%beta);

$t->peer(up => sub { return [200, {}, 'up'] });

my $shared = <<'CONF';
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_secrets %%TESTDIR%%/secrets;
CONF

$t->http($shared . <<'CONF');
    log_format limit '$uri $status limit=$sync_limit';
    access_log %%TESTDIR%%/limit.log limit;

    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_limit  plan;

        location /a/      { sync_auth api_key; proxy_pass http://up; }
        location /b/      { sync_auth api_key; proxy_pass http://up; }
        location /off/    { sync_auth api_key; sync_limit off;
                            proxy_pass http://up; }
        location /some/   { sync_auth api_key optional; proxy_pass http://up; }
        location /cost/   { sync_auth api_key; sync_limit plan cost=$arg_cost;
                            proxy_pass http://up; }
        location /shadow/ { sync_auth api_key; sync_limit plan shadow;
                            proxy_pass http://up; }
        location /more/   { sync_auth api_key;
                            sync_limit route rate=1/h burst=4
                                       key=$sync_client;
                            sync_limit plan;
                            proxy_pass http://up; }
        location /more/route/ { sync_auth api_key;
                            sync_limit route rate=1/h burst=4
                                       key=$sync_client;
                            proxy_pass http://up; }
        location /status/ { sync_status; }
    }
CONF

$t->start;

sub ask {
    my ($client, $uri, $host) = @_;

    my $key = $client ? "c4n4ry-plan-$client" : undef;

    return $t->request('GET', $uri, host => $host // 'acme.test',
                       headers => [$key ? ('X-API-Key' => $key) : ()]);
}

sub statuses {
    my ($n, @args) = @_;

    return join ' ', map { ask(@args)->{status} } 1 .. $n;
}

is(statuses(4, 'one', '/a/'), '200 200 200 429', 'a plan');
is(statuses(1, 'one', '/b/'), '429', 'is one, whichever location');
is(statuses(1, 'two', '/a/'), '200', 'another client has its own');
is($t->request('GET', '/a/', host => 'beta.test',
               headers => ['X-API-Key' => 'c4n4ry-plan-beta'])->{status}, 200,
   'and so has the same client of another tenant');
is(statuses(2, 'one', '/off/'), '200 200', 'off');
is(statuses(5, 'free', '/a/'), '200 200 200 200 200', 'no plan, no limit');
is(statuses(5, undef, '/some/'), '200 200 200 200 200', 'nobody has none');
is(statuses(1, undef, '/a/'), '401', 'and costs nothing elsewhere');

my $r = ask('one', '/a/');
is($r->json->{type}, 'urn:sync:problem:limit-exceeded', 'as problem');
like($r->header('ratelimit-policy'), qr/^"gold";q=3;w=10800;pk=:[^:]+:$/,
     'RateLimit-Policy names the plan');
like($r->header('ratelimit'), qr/^"gold";r=0;t=3(?:600|59\d);pk=:[^:]+:$/,
     'RateLimit');

# all windows or none

is(statuses(3, 'three', '/a/'), '200 200 429', 'the narrower window refuses');

$r = ask('three', '/a/');
like($r->header('ratelimit-policy'),
     qr/^"wide\.1";q=5;w=18000;pk=:[^:]+:, "wide\.2";q=2;w=172800;pk=:[^:]+:$/,
     'all windows are told');
like($r->header('ratelimit'), qr/^"wide\.2";r=0;t=86[34]\d\d;/,
     'and which of them refused');

# a changed burst counts from where the bucket stands; no reload

$acme{plans}{wide}{limits}[1]{burst} = 9;
$t->write('tenants/acme.json', \%acme);

ok($t->wait_for(sub {
    return ask('three', '/a/')->{status} == 200;
}), 'the document changes the plan');
sleep 0.3;      # many intervals: the other worker has seen it, too
is(statuses(3, 'three', '/a/'), '200 200 429',
   'what the other window had counted stays');
like(ask('three', '/a/')->header('ratelimit'), qr/^"wide\.1";/,
     'and refuses');

# a changed rate begins anew

is(statuses(6, 'four', '/a/'), '200 200 200 200 200 429', 'another client');
$acme{plans}{wide}{limits}[0]{rate} = '2/h';
$t->write('tenants/acme.json', \%acme);
ok($t->wait_for(sub { return ask('four', '/a/')->{status} == 200 }),
   'another rate is another window');
sleep 0.3;
is(statuses(4, 'four', '/a/'), '200 200 200 429', 'the other one stays');
like(ask('four', '/a/')->header('ratelimit'), qr/^"wide\.2";/,
     'and refuses');

# costs

is(statuses(2, 'two', '/cost/?cost=2'), '200 429', 'a cost by variable');
$r = ask('five', '/cost/?cost=4');
is($r->{status}, 413, 'over the burst of the plan');
is(statuses(1, 'five', '/cost/?cost=3'), '200', 'nothing was taken');

# several limits, and shadow

is(statuses(4, 'six', '/more/'), '200 200 200 429', 'two limits');
is(statuses(2, 'six', '/more/'), '429 429', 'the plan refuses');
is(statuses(2, 'six', '/more/route/'), '200 429',
   'and each time gives back what the other has taken');
is(statuses(5, 'seven', '/shadow/'), '200 200 200 200 200', 'shadow');
$t->log_like(qr/limit: would refuse, "gold"/, 'and says so');

ok($t->reload, 'reload');
is(statuses(1, 'one', '/a/'), '429', 'kept over a reload');

is($t->request('GET', '/status/')->{status}, 200,
   'a plan of the server does not reach sync_status');

like($t->read('limit.log'), qr{^/a/ 429 limit=wide\.2$}m, '$sync_limit');

# refused at load

for (['sync_tenant host;',
      qr/sync_limit plan needs sync_auth, or sync_limit off, in location/],
     ['', qr/sync_limit plan needs sync_tenant, or sync_limit off/])
{
    my ($text, $like) = @$_;

    $t->refused("$shared server { listen 127.0.0.1:%%PORT_9%%; "
                . "sync_limit plan; location /x { $text } }", $like,
                "refused: plan with \"$text\"");
}

$t->accepted("$shared server { listen 127.0.0.1:%%PORT_9%%; sync_limit plan; "
             . 'location /x { sync_limit off; } }',
             'a location may do without');

$t->done;
