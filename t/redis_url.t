#!/usr/bin/perl

# What sync_store says of a Redis: what is taken, what is refused, and with
# which cure.  None of it opens a socket.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;

my $t = Test::Sync->new;
my $certs = Test::Sync::Redis->certificates;

$t->write('password', "canary-pass\n");
$t->write('empty', "\n");
$t->write('long', 'x' x 4097);
$t->write('not.pem', "nothing of the kind\n");

$ENV{SYNC_TEST_PASSWORD} = 'canary-env';
$ENV{SYNC_TEST_EMPTY} = '';

my $pw = 'password=file:%%TESTDIR%%/password';
my $ca = "ca=$certs/ca.pem";


# addresses

for (
    'redis://127.0.0.1',
    'redis://127.0.0.1:6380/3',
    'redis://127.0.0.1/',
    'redis://[::1]:6379',
    'redis://[::1]',
    "redis://app\@127.0.0.1 $pw",
    "redis://127.0.0.1 user=app $pw",
    'redis://127.0.0.1 user=app password=env:SYNC_TEST_PASSWORD',
    "redis://127.0.0.1 $pw db=3 timeout=500ms name=main",
    'redis+unix:/run/redis.sock',
    'redis+unix:///run/redis.sock db=2',
    'redis+sentinel://127.0.0.1,127.0.0.2:26380,[::1]/mymaster',
    'redis+sentinel://127.0.0.1/mymaster/2',
    "redis+sentinel://127.0.0.1/m $pw sentinel_user=watch "
        . 'sentinel_password=env:SYNC_TEST_PASSWORD',
    'redis+cluster://127.0.0.1:7000,127.0.0.1:7001',
    'redis+cluster://127.0.0.1:7000/0',
    'redis://127.0.0.1 eviction=refuse after_loss=execute quarantine=1h',
    'redis://127.0.0.1 eviction=warn after_loss=refuse',
    'redis://127.0.0.1 wait=1/300ms',
    'rediss://127.0.0.1',
    "rediss://127.0.0.1 $ca tls_name=redis.test",
    "rediss+sentinel://127.0.0.1/m $ca cert=$certs/client.pem "
        . "key=$certs/client.key",
    "rediss+cluster://127.0.0.1 $ca verify=on",
) {
    $t->accepted("sync_store $_; server { }", $_ =~ s{/\S*/}{.../}gr);
}

$t->accepted('sync_store redis://redis.internal; resolver 127.0.0.1;
              server { }', 'a name, and a resolver that comes after it');

for (
    [ 'redis:127.0.0.1', qr{has no "//" after the scheme} ],
    [ 'redis:', qr{has no "//" after the scheme} ],
    [ 'redis://', qr/no host in "" of sync_store/ ],
    [ 'redis://:6379', qr/no host in ":6379"/ ],
    [ 'redis://127.0.0.1:0', qr/invalid port in "127.0.0.1:0".*1 to 65535/ ],
    [ 'redis://127.0.0.1:65536', qr/invalid port/ ],
    [ 'redis://127.0.0.1:x', qr/invalid port/ ],
    [ 'redis://127.0.0.256', qr/no host in "127.0.0.256"/ ],
    [ 'redis://[::1', qr/no host in|invalid port/ ],
    [ 'redis://[zz]:1', qr/no host in "\[zz\]:1"/ ],
    [ 'redis://a_b!c', qr/no host in "a_b!c"/ ],
    [ 'redis://127.0.0.1,127.0.0.2', qr/one address is needed.*sentinel/ ],
    [ 'redis://127.0.0.1/x', qr/invalid database "x"/ ],
    [ 'redis://127.0.0.1/1/2', qr{invalid database "1/2"} ],
    [ 'redis://127.0.0.1/1 db=2', qr/sets something twice/ ],
    [ 'redis://127.0.0.1?db=1', qr/parameters after the address.*spaces/ ],
    [ 'redis://app@127.0.0.1', qr/a user and no password; add "password=f/ ],
    [ 'redis://@127.0.0.1', qr/no plain user name before the "\@"/ ],
    [ 'redis://a%40b@127.0.0.1', qr/no plain user name.*"user=NAME"/ ],
    [ 'redis+unix:', qr/has no path, as in "redis\+unix:\/run/ ],
    [ 'redis+unix:run/redis.sock', qr/has no path/ ],
    [ 'redis+unix:/' . 'x' x 200, qr/too long for a socket|too long path/ ],
    [ 'redis+sentinel://127.0.0.1', qr/names no master, as in/ ],
    [ 'redis+sentinel://127.0.0.1/', qr/names no master/ ],
    [ 'redis+sentinel://127.0.0.1,/m', qr/no host in ""/ ],
    [ 'redis+cluster://127.0.0.1/2', qr/a cluster has only number 0/ ],
    [ 'redis+unix+tls:/x', qr/unknown store "redis\+unix\+tls"/ ],
    [ 'redis+cluster://' . join(',', map { "127.0.0.1:$_" } 1 .. 65),
      qr/more than 64 addresses/ ],
) {
    my ($url, $like) = @$_;

    $t->refused("sync_store $url; server { }", qr/$like.*check\.conf:\d+/);
}


# parameters

for (
    [ 'redis://127.0.0.1 colour=red',
      qr/"redis" does not know parameter "colour"; timeout, name, user/ ],
    [ 'redis://127.0.0.1 canary-typo', qr/does not know parameter "canary-t/ ],
    [ 'redis://127.0.0.1 user=', qr/"user=" of sync_store has no value/ ],
    [ 'redis://a@127.0.0.1 user=b', qr/sets something twice/ ],
    [ 'redis://127.0.0.1 password=canary-pass',
      qr/"password=file:PATH" or "password=env:NAME", never the password/ ],
    [ 'redis://app:canary-pass@127.0.0.1',
      qr/holds a password.*"redis:\/\/USER\@HOST password=file:PATH"/ ],
    [ 'redis://127.0.0.1 password=file:%%TESTDIR%%/none',
      qr{cannot be read from "\S+/none".*2: No such file} ],
    [ 'redis://127.0.0.1 password=file:%%TESTDIR%%/empty',
      qr/cannot be read.*1 to 4096 bytes/ ],
    [ 'redis://127.0.0.1 password=file:%%TESTDIR%%/long',
      qr/cannot be read.*1 to 4096 bytes/ ],
    [ 'redis://127.0.0.1 password=env:SYNC_TEST_NONE',
      qr/no variable "SYNC_TEST_NONE" in the environment/ ],
    [ 'redis://127.0.0.1 password=env:SYNC_TEST_EMPTY', qr/no variable/ ],
    [ "redis://127.0.0.1 $pw $pw", qr/sets something twice/ ],
    [ 'redis://127.0.0.1 sentinel_user=x',
      qr/"sentinel_user=" of sync_store is for "redis\+sentinel/ ],
    [ 'redis+sentinel://127.0.0.1/m sentinel_user=x',
      qr/a sentinel_user and no "sentinel_password="/ ],
    [ 'redis://127.0.0.1 eviction=maybe',
      qr/"eviction=maybe" of sync_store: "warn", "refuse" are known/ ],
    [ 'redis://127.0.0.1 after_loss=pray',
      qr/"after_loss=pray".*"refuse", "probe", "execute" are/ ],
    [ 'redis://127.0.0.1 after_loss=probe',
      qr/after_loss=probe is not supported by this version/ ],
    [ 'redis://127.0.0.1 quarantine=soon', qr/such as "quarantine=24h"/ ],
    [ 'redis://127.0.0.1 wait=1', qr/such as "wait=1\/300ms"/ ],
    [ 'redis://127.0.0.1 wait=0/1s', qr/such as "wait=1\/300ms"/ ],
    [ 'redis://127.0.0.1 wait=17/1s', qr/such as "wait=1\/300ms"/ ],
    [ 'redis://127.0.0.1 wait=1/x', qr/such as "wait=1\/300ms"/ ],
    [ 'redis://127.0.0.1 wait=1/1s timeout=500ms',
      qr/as long as its "timeout=", or longer/ ],
    [ "redis://127.0.0.1 $ca", qr/"ca=" .* nothing without TLS; write "red/ ],
    [ 'redis://127.0.0.1 verify=off', qr/"verify=" .* without TLS/ ],
    [ 'rediss://127.0.0.1 verify=maybe', qr/"verify=maybe"/ ],
    [ "rediss://127.0.0.1 verify=off $ca", qr/with which "ca=" and "tls_n/ ],
    [ "rediss://127.0.0.1 cert=$certs/client.pem",
      qr/needs "cert=" and "key=" together/ ],
    [ "rediss://127.0.0.1 cert=$certs/client.pem key=$certs/server.key",
      qr/key values mismatch|cannot use its "cert=" or "key="/ ],
    [ 'rediss://127.0.0.1 ca=%%TESTDIR%%/none', qr/cannot use its "ca="/ ],
    [ 'rediss://127.0.0.1 ca=%%TESTDIR%%/not.pem', qr/cannot use its "ca="/ ],
    [ 'redis://redis.internal',
      qr/needs a resolver for the name "redis.internal"; add "resolver ADD/ ],
    [ 'redis+cluster://127.0.0.1,b.internal',
      qr/needs a resolver for the name "b.internal"/ ],
) {
    my ($url, $like) = @$_;
    my ($code, $out) = $t->check($t->expand("sync_store $url; server { }"));

    ok($code == 1 && $out =~ $like && $out =~ /check\.conf:\d+/,
       "refused: $like") or diag($url, "\n", $out);
    unlike($out, qr/canary-(?:pass|env)/, 'no secret is shown');
}

my (undef, $out) = $t->check('sync_store rediss://127.0.0.1 verify=off;
                              server { }');
like($out, qr/\[warn\].*"verify=off" of sync_store.*check\.conf:\d+/,
     'verification that is off is told of');

$t->done;
