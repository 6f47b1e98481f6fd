#!/usr/bin/perl

# Limits by address and variable: what is counted together, what a refusal
# says, what happens where the store has no room.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new(workers => 2);

$t->peer(up => sub { return [200, {}, 'up'] });

$t->http(<<'CONF');
    sync_zone limits:64k;

    log_format limit '$uri $status limit=$sync_limit';
    access_log %%TESTDIR%%/limit.log limit;

    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Real-IP;

    upstream up { server %%PEER_up%%; }

    # a rate of one an hour: nothing comes back while the test runs

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_limit rate=1/h burst=3 key=$arg_k;

        location /inherit/one/  { proxy_pass http://up; }
        location /inherit/two/  { proxy_pass http://up; }
        location /off/    { sync_limit off; proxy_pass http://up; }

        location /own/    { sync_limit rate=1/h burst=1 key=$arg_k;
                            proxy_pass http://up; }
        location /own2/   { sync_limit rate=1/h burst=1 key=$arg_k;
                            proxy_pass http://up; }

        location /named/a/ { sync_limit both rate=1/h burst=2 key=$arg_k;
                             proxy_pass http://up; }
        location /named/b/ { sync_limit both rate=1/h burst=2 key=$arg_k;
                             proxy_pass http://up; }

        location /addr/   { sync_limit rate=1/h burst=1
                                       key=$binary_remote_addr;
                            proxy_pass http://up; }

        location /cost/   { sync_limit rate=1/h burst=10 key=$arg_k
                                       cost=$arg_cost;
                            proxy_pass http://up; }
        location /fixed/  { sync_limit rate=1/h burst=10 key=$arg_k cost=4;
                            proxy_pass http://up; }

        location /shadow/ { sync_limit dark rate=1/h burst=1 key=$arg_k
                                       shadow;
                            proxy_pass http://up; }

        location /two/    { sync_limit first  rate=1/h burst=5 key=$arg_a;
                            sync_limit second rate=1/h burst=1 key=$arg_b;
                            proxy_pass http://up; }
        location /two/a/  { sync_limit first  rate=1/h burst=5 key=$arg_a;
                            proxy_pass http://up; }

        location /fast/   { sync_limit rate=1000/s burst=1 key=$arg_k;
                            proxy_pass http://up; }

        location /late/   { sync_limit rate=1/h burst=1 key=$arg_k
                                       stage=client;
                            return 200 "rewrite\n"; }
        location /page/   { sync_limit rate=1/h burst=1 key=$arg_k;
                            error_page 429 = @page;
                            proxy_pass http://up; }
        location @page    { sync_limit off; return 200 "page\n"; }

        location /fill/   { sync_limit fill rate=1/h burst=1 key=$arg_k
                                       fail=open;
                            proxy_pass http://up; }
        location /closed/ { sync_limit rate=1/h burst=1 key=$arg_k
                                       fail=closed;
                            proxy_pass http://up; }
        location /local/  { sync_limit rate=1/h burst=2 key=$arg_k;
                            proxy_pass http://up; }
        location /dark/   { sync_limit rate=1/h burst=4 key=$arg_k
                                       fail=closed shadow;
                            proxy_pass http://up; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%% http2;
        location / { sync_limit rate=1/h burst=1 key=$arg_k;
                     proxy_pass http://up; }
    }
CONF

$t->start;

sub statuses {
    my ($n, $uri, @headers) = @_;

    return join ' ', map { $t->get($uri, @headers)->{status} } 1 .. $n;
}

# inherited, off, overridden

is(statuses(4, '/inherit/one/?k=i'), '200 200 200 429', 'a burst of 3');
is(statuses(1, '/inherit/two/?k=i'), '429',
   'an inherited limit is one limit, whichever location');
is(statuses(1, '/inherit/two/?k=j'), '200', 'another key, another bucket');
is(statuses(5, '/off/?k=i'), '200 200 200 200 200', 'off');
is(statuses(3, '/own/?k=i'), '200 429 429', 'overridden');
is(statuses(1, '/own2/?k=i'), '200', 'written twice, two limits');
is(statuses(3, '/named/a/?k=i'), '200 200 429', 'by name');
is(statuses(1, '/named/b/?k=i'), '429', 'one name, one limit');
is(statuses(5, '/own/'), '200 200 200 200 200',
   'an empty key is not counted');

my $long = 'x' x 500;
is(statuses(2, "/own/?k=$long"), '200 429', 'a long key');
is(statuses(1, "/own/?k=${long}y"), '200', 'another long key');

# what a refusal says

my $r = $t->get('/own/?k=i');

is($r->header('content-type'), 'application/problem+json', '429 as problem');
is($r->json->{type}, 'urn:sync:problem:limit-exceeded', 'its type');
like($r->json->{detail}, qr/"1\/h"/, 'names the limit');
like($r->header('retry-after'), qr/^3(?:600|59\d)$/, 'Retry-After');
like($r->header('ratelimit-policy'),
     qr/^"1\/h";q=1;w=3600;pk=:[A-Za-z0-9+\/]{6}==:$/, 'RateLimit-Policy');
like($r->header('ratelimit'),
     qr/^"1\/h";r=0;t=3(?:600|59\d);pk=:[A-Za-z0-9+\/]{6}==:$/, 'RateLimit');

$r = $t->get('/inherit/one/?k=fields');
like($r->header('ratelimit'),
     qr/^"1\/h";r=2;t=3600;pk=:[A-Za-z0-9+\/]{6}==:$/,
     'RateLimit on an answer that passed');
is($r->header('ratelimit-policy'), undef, 'but the policy');

my $other = $t->get('/inherit/one/?k=other');
isnt($other->header('ratelimit') =~ s/.*pk=//r,
     $r->header('ratelimit') =~ s/.*pk=//r, 'pk tells buckets apart');

$r = $t->get('/page/?k=1');
$r = $t->get('/page/?k=1');
is($r->{status} . $r->{body}, "200page\n", 'error_page wins');

is(statuses(3, '/late/?k=1'), '200 200 200',
   'what "return" answers, no later stage sees');

# addresses

my @v6 = map { ['X-Real-IP' => $_] }
         '2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:db8:1:3::1';

is(statuses(1, '/addr/', @{ $v6[0] }), '200', 'IPv6');
is(statuses(1, '/addr/', @{ $v6[1] }), '429', 'the same /64');
is(statuses(1, '/addr/', @{ $v6[2] }), '200', 'another /64');
is(statuses(1, '/addr/', 'X-Real-IP' => '192.0.2.1'), '200', 'IPv4');
is(statuses(1, '/addr/', 'X-Real-IP' => '192.0.2.2'), '200',
   'another address');
is(statuses(1, '/addr/', 'X-Real-IP' => '192.0.2.1'), '429', 'the same');

# costs

is(statuses(3, '/cost/?k=a&cost=4'), '200 200 429', 'cost by variable');
is(statuses(1, '/cost/?k=a&cost=2'), '200', 'a smaller one still fits');

$r = $t->get('/cost/?k=b&cost=11');
is($r->{status}, 413, 'more than the burst');
is($r->json->{type}, 'urn:sync:problem:cost-over-burst', 'as problem');
is($r->header('retry-after'), undef, 'waiting does not help');
is(statuses(1, '/cost/?k=b&cost=99999999999999999999999999'), '413',
   'more than any number');
is(statuses(1, '/cost/?k=b&cost=10'), '200', 'nothing was taken');

is(statuses(11, '/cost/?k=c&cost=-5'), '200 ' x 10 . '429',
   'a negative cost is 1');
is(statuses(11, '/cost/?k=d&cost=0'), '200 ' x 10 . '429', 'so is 0');
is(statuses(11, '/cost/?k=e&cost=x'), '200 ' x 10 . '429',
   'and what is no number');
is(statuses(11, '/cost/?k=f'), '200 ' x 10 . '429', 'and nothing');
is(statuses(3, '/fixed/?k=a'), '200 200 429', 'a fixed cost');

# shadow

is(statuses(3, '/shadow/?k=1'), '200 200 200', 'shadow lets pass');
$t->log_like(qr/limit: would refuse, "dark"/, 'and says so');

# several: the second refuses, the first is given back

is(statuses(4, '/two/?a=x&b=y'), '200 429 429 429', 'two limits');
is(statuses(5, '/two/a/?a=x'), '200 200 200 200 429',
   'what the first had taken was given back');
is($t->get('/two/?a=z&b=zz')->header('ratelimit'), undef,
   'RateLimit only where there is one limit');

# time

my $n = grep { $t->get('/fast/?k=1')->{status} == 200 } 1 .. 20;
cmp_ok($n, '>=', 2, 'tokens come back');

# HTTP/2, HEAD

is($t->h2('GET', '/?k=1', port => 1)->{status}, 200, 'HTTP/2');
is($t->h2('GET', '/?k=1', port => 1)->{status}, 429, 'HTTP/2 refused');

is($t->request('HEAD', '/own/?k=head')->{status}, 200, 'HEAD');
$r = $t->request('HEAD', '/own/?k=head');
is("$r->{status}$r->{body}", '429', 'HEAD refused without a body');

# a reload keeps the buckets

ok($t->reload, 'reload');
is(statuses(1, '/own/?k=i'), '429', 'kept over a reload');
is(statuses(1, '/inherit/one/?k=i'), '429', 'inherited ones, too');

# under load: two workers share a bucket

my @res = $t->parallel(map { ['GET', '/inherit/one/?k=par'] } 1 .. 30);
is(scalar(grep { $_->{status} == 200 } @res), 3,
   'exactly the burst at once');

# a full zone

my $full = 0;

for my $i (1 .. 3000) {
    $t->get("/fill/?k=fill$i");
    if ($i % 100 == 0 && $t->log_text =~ /zone "limits" is full/) {
        $full = $i;
        last;
    }
}

ok($full, "the zone is full after $full keys or less");

# a bucket of an earlier test that has filled up makes room for a key more

my $over = 0;

for ([ fill => 'fail=open passes' ], [ local => 'so does fail=local' ],
     [ dark => 'and a shadow' ])
{
    my ($path, $name) = @$_;

    ok($t->wait_for(sub {
        return statuses(3, "/$path/?k=over" . $over++) eq '200 200 200';
    }), $name);
}

is(statuses(1, '/own/?k=i'), '429', 'a bucket that is there counts on');

$r = $t->get('/closed/?k=over');
is($r->{status}, 503, 'fail=closed refuses');
is($r->json->{type}, 'urn:sync:problem:limit-unavailable', 'as problem');
ok($r->header('retry-after'), 'with Retry-After');
$t->log_like(qr/\[warn\].*limit: zone "limits" is full/, 'and a warning');

# $sync_limit

my $log = $t->read('limit.log');
like($log, qr{^/own/ 429 limit=1/h$}m, '$sync_limit names what refused');
like($log, qr{^/own/ 200 limit=-?$}m, 'is empty where nothing did');
like($log, qr{^/shadow/ 200 limit=shadow:dark$}m, 'and names shadows');

# refused at load

my @refused = (
    ['sync_limit', qr/invalid number of arguments/],
    ['sync_limit rate=1/s', qr/needs "plan", or "rate=" and "key="/],
    ['sync_limit key=$uri', qr/needs "plan", or "rate=" and "key="/],
    ['sync_limit rate=0/s key=$uri', qr/invalid "rate=0\/s": /],
    ['sync_limit rate=5 key=$uri', qr/invalid "rate=5": /],
    ['sync_limit rate=1/s burst=0 key=$uri', qr/invalid "burst=0"/],
    ['sync_limit rate=1/s burst=-1 key=$uri', qr/invalid "burst=-1"/],
    ['sync_limit rate=1/month burst=1000000 key=$uri',
        qr/invalid "sync_limit": /],
    ['sync_limit rate=1/s key=all', qr/"key=all" has no variable/],
    ['sync_limit rate=1/s key=$nothing', qr/unknown "nothing" variable/],
    ['sync_limit rate=1/s rate=2/s key=$uri', qr/has "rate" twice/],
    ['sync_limit rate=1/s key=$uri cost=0', qr/invalid "cost=0"/],
    ['sync_limit rate=1/s burst=2 key=$uri cost=3',
        qr/"cost=3" is over the burst of 2/],
    ['sync_limit rate=1/s key=$uri mode=exact mode=local',
        qr/invalid parameter "mode=local".*each once/],
    ['sync_limit rate=1/s key=$uri nodes=0', qr/invalid "nodes=0"/],
    ['sync_limit rate=1/s key=$uri nodes=1001', qr/from 1 to 1000/],
    ['sync_limit rate=1/s key=$uri lease=5s',
        qr/which is for "mode=leased"/],
    ['sync_limit rate=1/s key=$uri strict', qr/which is for "mode=leased"/],
    ['sync_limit rate=1/s key=$uri mode=leased lease=50ms',
        qr/invalid "lease=50ms", a time from 100ms to 60s is needed/],
    ['sync_limit rate=1/s key=$uri mode=leased lease=61s',
        qr/invalid "lease=61s"/],
    ['sync_limit rate=10/s burst=20 key=$uri mode=leased lease=2s strict',
        qr/"strict" needs a "burst" above what "rate" gives in a "lease"/],
    ['sync_limit rate=10/s burst=20 cost=11 key=$uri mode=leased strict',
        qr/"cost=11" is over the burst of 10/],
    ['sync_limit concurrency=5 key=$uri mode=leased',
        qr/is counted "mode=local" or "mode=exact"/],
    ['sync_limit plan lease=5s', qr/which is for "mode=leased"/],
    ['sync_limit rate=5/s unit=content-bytes burst=x key=$uri',
        qr/invalid "burst=x", a size such as 4m is needed/],
    ['sync_limit rate=5 unit=content-bytes key=$uri',
        qr/invalid "rate=5": a rate of bytes is a size/],
    ['sync_limit rate=5k/s unit=content-bytes cost=2 key=$uri',
        qr/"cost" does not go with it/],
    ['sync_limit rate=5k/s unit=bytes key=$uri', qr/invalid parameter/],
    ['sync_limit rate=5/s concurrency=5 key=$uri', qr/make them two limits/],
    ['sync_limit concurrency=0 key=$uri', qr/invalid "concurrency=0"/],
    ['sync_limit concurrency=1000001 key=$uri', qr/from 1 to 1000000/],
    ['sync_limit concurrency=5', qr/or "concurrency=" and "key="/],
    ['sync_limit concurrency=5 burst=3 key=$uri',
        qr/do not go with "concurrency"/],
    ['sync_limit concurrency=5 lease=500ms key=$uri',
        qr/invalid "lease=500ms", a time from 1000ms to 3600s/],
    ['sync_limit plan concurrency=5', qr/plan takes its rates/],
    ['sync_limit plan quota=5/day', qr/plan takes its rates/],
    ['sync_limit quota=5/h key=$uri', qr/a quota is by day or month/],
    ['sync_limit quota=5/day burst=2 key=$uri', qr/"burst" does not go/],
    ['sync_limit quota=x/day key=$uri', qr/invalid "quota=x\/day": a rate/],
    ['sync_limit quota=5/day cost=6 key=$uri', qr/over the quota of 5/],
    ['sync_limit quota=5/day time_zone=Mars key=$uri',
        qr/"time_zone=Mars" is no time zone/],
    ['sync_limit rate=5/s time_zone=UTC key=$uri', qr/is for "quota"/],
    ['sync_limit quota=5/day mode=leased strict key=$uri',
        qr/"strict" does not go with it/],
    ['sync_limit rate=1/s key=$uri mode=what', qr/invalid parameter/],
    ['sync_limit rate=1/s key=$uri fail=maybe', qr/invalid parameter/],
    ['sync_limit rate=1/s key=$uri colour=red',
        qr/invalid parameter "colour=red".*known are/],
    ['sync_limit rate=1/s key=$uri extra', qr/invalid parameter "extra"/],
    ['sync_limit rate=1/s key=$sync_client stage=edge',
        qr/not known yet at the edge, "stage=client" is needed/],
    ['sync_limit plan rate=1/s', qr/plan takes its rates/],
    ['sync_limit plan', qr/sync_limit plan needs sync_tenant.*location/],
    ['sync_limit off; sync_limit rate=1/s key=$uri', qr/same level/],
    ['sync_limit rate=1/s key=$uri; sync_limit off', qr/same level/],
    ['sync_limit rate=1/s key=$uri; sync_limit rate=1/s key=$args',
        qr/two limits "1\/s" at the same level: give one/],
    ['sync_limit a rate=1/s key=$uri; '
     . 'location /x/y { sync_limit a rate=2/s key=$uri; } '
     . 'sync_limit b rate=1/s key=$args',
        qr/"sync_limit a" stands twice with different/],
);

for (@refused) {
    my ($text, $like) = @$_;

    $t->refused("location /x { $text; }", $like, "refused: $text");
}

$t->refused('location /x { if ($arg_a) { sync_limit off; } }',
            qr/"sync_limit" directive is not allowed here/,
            'refused: in "if"');
$t->accepted('location /x { sync_limit rate=1/s key=$sync_client; }',
             'a key of ours moves to its stage by itself');

$t->done;
