#!/usr/bin/perl

# Documents that are signed in one place and come to the nodes by Redis: what
# is new, what has gone, what nobody has signed, what comes again, and a Redis
# that is not there.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Cwd qw(abs_path);
use IO::Socket::INET;

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $build = abs_path($ENV{SYNC_BUILD} || 'build');
my $redis = Test::Sync::Redis->start;
my $url = $redis->url;
my ($log, $docs) = map { "sync:{fleet:eu}$_" } qw(log docs);

my $t = Test::Sync->new(workers => 2);

# where documents are written and signed

sub document {
    my ($name, %more) = @_;

    return { tenant => $name, id => "t_$name",
             match => { hosts => ["$name.test"] }, %more };
}

sub keygen {
    my ($name, $kid) = @_;

    system("$build/synctoken", 'keygen', 'EdDSA', $kid, $t->path("$name.pem"),
           $t->path("$name.jwks")) == 0 or die 'synctoken';
}

keygen('ci', 'ci-1');
keygen('stranger', 'ci-1');

$t->write("ci/tenants/$_.json", document($_)) for qw(acme globex);
mkdir $t->path($_) for qw(ci/library node node/secrets);
mkdir $t->path('node/tenants');
chmod 0777, $t->path('node/tenants');

# what syncctl says on both outputs, and its exit code

sub push_dir {
    my (%opt) = @_;

    my $key = $opt{key} // 'ci';
    my $out = $t->path('push.out');
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        open STDOUT, '>', $out;
        open STDERR, '>', "$out.err";
        exec "$build/syncctl", 'push', $t->path($opt{dir} // 'ci'),
             '--key', $t->path("$key.pem"), '--kid', 'ci-1', '--fleet', 'eu',
             $opt{all} ? () : ('--state', $t->path('state'))
            or POSIX::_exit(127);
    }

    waitpid $pid, 0;

    return ($? >> 8, $t->read('push.out'), $t->read('push.out.err'));
}

# as "redis-cli --pipe" does

sub pipe_in {
    my ($commands) = @_;

    my $n = () = $commands =~ /^\*4\r$/mg;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . $redis->port)
        or die "redis: $!";

    print $s $commands;

    for (1 .. $n) {
        my $line = <$s>;
        die "redis: $line" if $line !~ /^:/;
    }

    rename $t->path('state.new'), $t->path('state') if -e $t->path('state.new');
}

sub pushed {
    my ($said, $name, %opt) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($code, $commands, $err) = push_dir(%opt);

    is($code, 0, "$name: pushed") or diag($err);
    is($err, "$said\n", "$name: $said");
    pipe_in($commands);

    return $commands;
}

$t->peer(up => sub { return [200, {}, 'up'] });

my $conf = <<"FLEET" . <<'CONF';
    sync_fleet $url keys=%%TESTDIR%%/ci.jwks name=eu interval=50ms;
FLEET
    sync_tenants %%TESTDIR%%/node/tenants interval=50ms;

    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;

        location / {
            add_header X-Id $sync_tenant always;
            proxy_pass http://up;
        }
    }
CONF

$t->http($conf);

sub id {
    my ($host) = @_;

    my $res = $t->request('GET', '/', host => $host);

    return $res->{status} == 200 ? $res->header('X-Id') : $res->{status};
}

# both workers have it

sub known {
    my ($host, $id, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($t->wait_for(sub { !grep { id($host) ne $id } 1 .. 12 }, 8), $name)
        or diag(id($host));
}

sub logged {
    my ($like, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($t->wait_for(sub { $t->log_text =~ $like }, 8), $name);
}


# a node that is new, and a fleet that is not

my $first = pushed('2 signed, 0 gone, 0 as they were', 'at first');

$t->start;
known('acme.test', 't_acme', 'a new node gets what there is');
known('globex.test', 't_globex', 'all of it');
is($t->read('node/tenants/acme.json'), $t->read('ci/tenants/acme.json'),
   'byte by byte');

pushed('0 signed, 0 gone, 2 as they were', 'nothing has changed');


# one that changes, comes, goes

$t->write('ci/tenants/acme.json',
          document('acme', match => { hosts => ['acme.test', 'new.test'] }));
my $second = pushed('1 signed, 0 gone, 1 as they were', 'a change');
known('new.test', 't_acme', 'a change comes');

$t->write('ci/tenants/initech.json', document('initech'));
pushed('1 signed, 0 gone, 2 as they were', 'a new tenant');
known('initech.test', 't_initech', 'a new tenant comes');

unlink $t->path('ci/tenants/initech.json');
pushed('0 signed, 1 gone, 2 as they were', 'a tenant that has gone');
known('initech.test', 404, 'and goes');


# what a gateway would refuse is not sent

$t->write('ci/tenants/globex.json', document('globex', clinets => {}));

my ($code, $commands, $err) = push_dir();

is($code, 1, 'a broken document: exit code');
is($commands, '', 'a broken document: nothing is sent');
like($err, qr/globex\.json.*did you mean "clients"/s, 'a broken document: why');
$t->write('ci/tenants/globex.json', document('globex'));


# old ones that come again: with their serial, and with a new one

my ($hset) = $first =~ /(\*4\r\n\$4\r\nHSET.*?)(?=\*4\r\n\$4\r\nZADD)/s;

pipe_in($first);
sleep 1;
is(id('new.test'), 't_acme', 'an old serial is not taken');

my $serial = $redis->cmd('ZRANGE', $log, -1, -1, 'WITHSCORES')->[1];

pipe_in($hset);
$redis->cmd('ZADD', $log, $serial + 1000, 'acme');
logged(qr/tenant "acme" is refused: another serial/, 'nor one with another');
is(id('new.test'), 't_acme', 'the newer document stays');


# what nobody has signed, and a stranger has

$redis->cmd('ZADD', $log, $serial + 2000, 'mallory');
$redis->cmd('HSET', $docs, 'mallory', "e30.e30.e30\n{}");
logged(qr/tenant "mallory" is refused: it is not signed/, 'no signature');

$redis->cmd('ZREM', $log, 'mallory', 'acme');
$t->write('forged/tenants/mallory.json', document('mallory'));
mkdir $t->path('forged/library');

(undef, $commands) = push_dir(dir => 'forged', key => 'stranger', all => 1);
pipe_in($commands);
logged(qr/(mallory" is refused: it is not signed.*){2}/s, 'a stranger');
is(id('mallory.test'), 404, 'it is not taken');

for my $name ('../evil', '.hidden', 'a/b') {
    $redis->cmd('ZADD', $log, $serial + 3000, $name);
    $redis->cmd('HSET', $docs, $name, "e30.e30.e30\n{}");
}

logged(qr/is refused: this is not the name of a tenant/, 'no other file');
$redis->cmd('ZREM', $log, 'mallory', '../evil', '.hidden', 'a/b');

# what comes behind what was refused is taken

$t->write('ci/tenants/hooli.json', document('hooli'));
pushed('1 signed, 0 gone, 2 as they were', 'after all that');
known('hooli.test', 't_hooli', 'a good one comes all the same');


# Redis is gone: nodes go on, and start, with what they have

$redis->kill9;
logged(qr/the Redis of "sync_fleet" does not answer/, 'Redis is gone: logged');
is(id('new.test'), 't_acme', 'Redis is gone: tenants stay');

ok($t->reload, 'Redis is gone: reload');
known('acme.test', 't_acme', 'Redis is gone: after it');

$redis->again(empty => 1);
sleep 1;
is(id('acme.test'), 't_acme', 'Redis is empty: tenants stay');

$t->write('ci/tenants/acme.json', document('acme'));
pushed('1 signed, 0 gone, 2 as they were', 'Redis is back');
known('new.test', 404, 'Redis is back: a change comes');
known('acme.test', 't_acme', 'Redis is back: and nothing else');


# at load

my $bad = $t->path('ci.pem');

$t->refused("sync_fleet $url name=eu; server { }", qr/needs "keys="/, 'no keys');
$t->refused("sync_fleet $url keys=$bad; server { }", qr/the key set/,
            'keys that are none');
$t->refused("sync_fleet $url keys=" . $t->path('ci.jwks') . '; server { }',
            qr/needs "sync_tenants"/, 'no folder');

$t->done;
