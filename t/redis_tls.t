#!/usr/bin/perl

# Who a Redis is, and who we are to it: TLS, names, users.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Redis;
use Time::HiRes qw(sleep time);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $certs = Test::Sync::Redis->certificates;
my $ca = "ca=$certs/ca.pem";
my $t;


sub gateway {
    my ($conf, %opt) = @_;

    return $t = Test::Sync::Redis->gateway($conf, %opt);
}


sub claim {
    my ($key) = @_;

    return Test::Sync::Redis->op($t, 'claim', key => $key, owner => "o-$key",
                                 print => 'p')->{result};
}


# the store answers, or says why not

sub works {
    my ($name, $conf) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    gateway($conf);
    is(claim('k'), 'OK', $name) or diag($t->log_text);
    $t->done;
}


sub fails {
    my ($name, $conf, $like, @servers) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    gateway($conf);
    $t->allow(qr/alert certificate required|none\.sock failed/);
    is(claim('k'), 'DOWN', $name);
    ok($t->wait_for(sub { $t->log_text =~ $like }, 3), "says: $like")
        or diag($t->log_text);
    is($_->commands('auth'), 0, 'and no password was sent') for @servers;
    $t->done;
}


$ENV{SYNC_TEST_PW} = 'canary-redis-pw';

my $pw = 'password=env:SYNC_TEST_PW';


subtest 'certificates' => sub {
    my $r = Test::Sync::Redis->start(tls => 1);
    my $url = $r->url;

    works('an address in the certificate', "sync_store $url $ca;");
    works('a name in it', "sync_store $url $ca tls_name=redis.test;");
    works('verify=off', "sync_store $url verify=off;");

    $r->cmd('CONFIG', 'RESETSTAT');

    # our own user comes by AUTH as well, once, and before

    fails('the wrong CA', "sync_store $url ca=$certs/stranger-ca.pem $pw;",
          qr/certificate .* trusted for "127\S+": \(\d+: /, $r);
    fails('the CAs of the system', "sync_store $url $pw;",
          qr/certificate that is not to be trusted/, $r);
    fails('the wrong name', "sync_store $url $ca tls_name=other.test $pw;",
          qr/trusted for "other.test": \(62: hostname mismatch\)/i, $r);
    fails('plain to a TLS port', 'sync_store redis://127.0.0.1:'
          . $r->port . ';', qr/closed the connection|does not speak/);

    my $other = Test::Sync::Redis->start(tls => { cert => 'other' });

    fails('another address', 'sync_store ' . $other->url . " $ca $pw;",
          qr/trusted for "127.0.0.1": \(64: IP address mismatch\)/i);

    my $plain = Test::Sync::Redis->start;

    fails('TLS to a plain port', 'sync_store rediss://127.0.0.1:'
          . $plain->port . " $ca;",
          qr/the TLS handshake failed|does not answer|closed/);
};


subtest 'client certificates' => sub {
    my $r = Test::Sync::Redis->start(tls => { auth => 'yes' });
    my $url = $r->url;

    works('the right one', "sync_store $url $ca cert=$certs/client.pem "
          . "key=$certs/client.key;");
    fails('none', "sync_store $url $ca;",
          qr/(?s)alert certificate required.*closed the connection/);
    fails('a stranger\'s', "sync_store $url $ca cert=$certs/stranger.pem "
          . "key=$certs/stranger.key;",
          qr/(?s)alert unknown ca.*closed the connection/);
};


subtest 'users' => sub {
    my $r = Test::Sync::Redis->start(
        password => 'canary-redis-pw',
        acl => [ 'app on >canary-redis-pw ~sync:* +@all',
                 'reader on >canary-redis-pw ~sync:* +@read +info',
                 'nokeys on >canary-redis-pw ~other:* +@all' ]);
    my $url = $r->url;

    works('the default user', "sync_store $url $pw;");
    works('a user of its own', "sync_store $url user=app $pw;");
    works('one in the address',
          'sync_store redis://app@127.0.0.1:' . $r->port . " $pw;");
    works('a database', "sync_store $url/3 $pw;");
    fails('no password', "sync_store $url;", qr/127\S+ wants a password: NOAUTH/);
    fails('no such user', "sync_store $url user=nobody $pw;",
          qr/does not let us in: WRONGPASS/);
    fails('no such database', "sync_store $url/99 $pw;",
          qr/does not let us in: ERR DB index/);
    fails('no right to run scripts', "sync_store $url user=reader $pw;",
          qr/(?:claim|sweep) was refused: NOPERM/);
    fails('no right to its keys', "sync_store $url user=nokeys $pw;",
          qr/(?:claim|sweep) was refused: NOPERM/);

    # a password that is changed while we run

    my $file = $t->path . '-pw';

    gateway("sync_store $url user=app password=file:$file;")
        if spit($file, "canary-redis-pw\n");
    $t->canary('canary-redis-pw', 'canary-new-pw');
    is(claim('a'), 'OK', 'a password of a file');

    $r->cmd('ACL', 'SETUSER', 'app', 'resetpass', '>canary-new-pw');
    spit($file, "canary-new-pw\n");
    $r->cmd('CLIENT', 'KILL', 'USER', 'app');

    ok($t->wait_for(sub { claim('b') eq 'OK' }, 5),
       'which is read again for the next connection');
    $t->done;
    unlink $file;
};


sub spit {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "$file: $!";
    print $fh $text;

    return close $fh;
}


subtest 'a socket of this machine' => sub {
    my $r = Test::Sync::Redis->start(unix => 1);

    works('takes commands', 'sync_store ' . $r->url . ';');
    fails('or is not there', 'sync_store redis+unix:/tmp/none.sock;',
          qr/could not be connected to/);
};


subtest 'names' => sub {
    my $r = Test::Sync::Redis->start(tls => 1);
    my $dns = Test::Sync::Dns->start('redis.test' => ['127.0.0.1']);
    my $conf = 'resolver 127.0.0.1:' . $dns->port . ' ipv6=off valid=1s;'
               . ' resolver_timeout 500ms;'
               . ' sync_store rediss://redis.test:' . $r->port . " $ca"
               . ' after_loss=execute;';

    works('a name, verified', $conf);

    (my $plain = $conf) =~ s/resolver_timeout \S+;//;
    $dns->set('redis.test' => ['127.0.0.1'], delay => 0.1);
    works('a slow name server, and no resolver_timeout', $plain);

    $dns->set('redis.test' => [ '127.0.0.2', '127.0.0.3', '127.0.0.1' ]);

    gateway($conf);
    ok($t->wait_for(sub { claim('many') eq 'OK' }, 5),
       'several addresses are tried in turn');

    # found once, it is not lost with the name server

    $dns->silent(1);
    sleep 2.1;
    $r->again;
    ok($t->wait_for(sub { claim('silent') eq 'OK' }, 8),
       'the last addresses serve where no name server answers')
        or diag($t->log_text);
    like($t->log_text, qr/resolved \(110: .*, trying its last addresses/,
         'and this is told of');
    $t->done;

    $dns->silent(0);
    $dns->set('redis.test' => []);

    gateway($conf);
    is(claim('none'), 'DOWN', 'a name that nobody knows');
    ok($t->wait_for(sub { $t->log_text =~ /could not be resolved \(3: / }, 3),
       'is told of');

    $dns->set('redis.test' => ['127.0.0.1']);
    ok($t->wait_for(sub { claim('found') eq 'OK' }, 6),
       'and is asked for again') or diag($t->log_text);
    $t->done;
};
