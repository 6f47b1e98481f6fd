#!/usr/bin/perl

# A claim that is granted in the very turn of the event loop in which its
# client leaves: nobody is there any more to take it over.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Redis;
use Time::HiRes qw(sleep);

Test::Sync::Redis->available or plan skip_all => 'no redis-server';

my $redis = Test::Sync::Redis->start;
my $t = Test::Sync->new(workers => 1);

$t->write('master.key', $t->canary('c4n4ry-master-secret-0123456789'));

$t->peer(erp => sub {
    my ($req, $ctl) = @_;

    return { never => 1 } if $ctl->{ill};
    return [ 201, {}, "n $req->{n}" ];
});

$t->http('    sync_store ' . $redis->url . " timeout=5s;\n" . <<'CONF');
    sync_secret file:%%TESTDIR%%/master.key;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_deadline 500ms;
        sync_idempotency required scope=none on_unknown=resend;
        location / { proxy_pass http://%%PEER_erp%%; }
    }
CONF

$t->start;


sub ask {
    my ($key) = @_;

    my $r = $t->post('/a', 'b', 'Content-Type' => 'text/plain',
                     'Idempotency-Key' => $key);

    return "$r->{status} " . ($r->header('Idempotency-Status') // '');
}


# Redis answers and the client leaves while the worker stands still: it finds
# both at once, in this order

sub leaves {
    my ($key, $answered) = @_;

    my ($worker) = $t->workers;
    my $before = $redis->commands('evalsha');

    $redis->stop_signal;

    my $s = $t->connect;
    print $s "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
             . "Content-Type: text/plain\r\nIdempotency-Key: $key\r\n\r\nb";
    $s->flush;
    sleep 0.2;

    # not before it stands still: what wakes it up would be the answer alone

    kill STOP => $worker;
    $t->wait_for(sub {
        return Test::Sync::Redis::slurp("/proc/$worker/stat") =~ /\) T /;
    });

    $redis->cont_signal;

    ok($t->wait_for(sub { $redis->commands('evalsha') > $before }),
       'Redis has answered');
    sleep 0.05;
    close $s;
    sleep 0.05;

    kill CONT => $worker;
}

is(ask('warm'), '201 executed', 'the script is known');

leaves('claimed');

ok($t->wait_for(sub { ask('claimed') =~ /executed/ }, 2),
   'a claim that nobody came to look at was released');

$t->tell(erp => { ill => 1 });
is(ask('unknown'), '504 outcome-unknown', 'nobody knows');
is(ask('unknown'), '504 outcome-unknown', 'nor after it was sent again');
$t->tell(erp => {});

my $n = $t->ledger('erp');
leaves('unknown');
is(ask('unknown'), '201 executed', 'the next one resolves it');
is($t->ledger('erp'), $n + 1, 'once');

$t->done;
