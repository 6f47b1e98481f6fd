#!/usr/bin/perl

# Connectors by URL: names, addresses, and who may be called.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Erp;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);

my $t = Test::Sync->new;

my $port = $t->peer(erp => sub {
    my ($req, $ctl) = @_;

    return { hangup => 1, cut => 0 }
        if $ctl->{hangup} && $req->{conn} <= $ctl->{hangup};

    return { status => 200, body => '{"ok":true}', close => $ctl->{close} };
}, https => [ 'erp.test', map { "$_.test" } qw(two dead slow never none
              private mixed rebind turns later six pair) ]);

my $dns = Test::Sync::Dns->start(map { $_ => ['127.0.0.1'] }
                                 'erp.test', 'later.test');

my $erp = Test::Sync::Erp->new($t, $dns, egress => "*.test:$port 127.0.0.1:$port",
                               resolver => 'ipv6=off',
                               http => 'upstream other { server 127.0.0.1:1; }');

$erp->tenant('acme', "https://ERP.test:$port/base");
$erp->tenant($_, "https://$_.test:$port")
    for qw(two dead slow never none private mixed rebind turns later pair);
$erp->tenant('literal', "https://127.0.0.1:$port", tls_name => 'erp.test');
$erp->tenant('away', "https://erp.test.evil.example:$port");
$erp->tenant('metadata', "https://169.254.169.254:$port",
             tls_name => 'erp.test');

my $inside = '            proxy_pass https://$sync_upstream$sync_upstream_uri;';

$t->http($erp->text("            sync_idempotency on scope=none;\n"
                    . '            add_header X-Group $sync_upstream always;'
                    . "\n$inside", <<"CONF"));
        location /plain {
            sync_entity sales_order at=/plain;
$inside
        }

        location /clear {
            sync_entity sales_order at=/clear;
            proxy_pass  http://\$sync_upstream\$sync_upstream_uri;
        }

        location /unverified {
            sync_entity      sales_order at=/unverified;
            proxy_ssl_verify off;
$inside
        }

        location /misnamed {
            sync_entity    sales_order at=/misnamed;
            proxy_ssl_name erp.test;
$inside
        }

        location /direct {
            proxy_pass https://sync_connectors/orders;
        }

        location /late {
            sync_entity    sales_order at=/late;
            sync_deadline  400ms;
$inside
        }

        location /first {
            sync_entity sales_order at=/first;
            error_page  502 = \@second;
$inside
        }

        location \@second {
            sync_entity sales_order at=/first;
$inside
        }
CONF

$t->start;

sub at {
    my ($tenant, $path, $method, @more) = @_;

    return $t->request($method || 'GET', "$path/1",
                       headers => [ Host => "$tenant.example",
                                    'Content-Type' => 'application/json' ],
                       @more);
}

# asks in a process of its own; the answer is read later

sub apart {
    my (@args) = @_;

    pipe my $rd, my $wr or die "pipe: $!";

    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        close $rd;
        my $r = at(@args);
        syswrite $wr, "$r->{status} $r->{time}";
        POSIX::_exit(0);
    }

    close $wr;

    return sub {
        my $text = <$rd> // '';
        waitpid $pid, 0;
        return split / /, $text;
    };
}

sub problem {
    my ($r, $status, $type, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is("$r->{status} " . (eval { $r->json->{type} } // ''),
       "$status urn:sync:problem:$type", $name);
}

# what is sent

my $r = $erp->create('acme');
my ($seen) = $t->ledger('erp');

is($r->{status}, 200, 'a connector by URL');
is($r->header('X-Group'), 'sync_connectors', '$sync_upstream is the group');
is($seen->{uri}, '/base/orders', 'the path of the URL, then the template');
is($seen->{h}{host}, "erp.test:$port", 'its Host, in lower case');
is($seen->{sni}, 'erp.test', 'its name in the handshake');
like($seen->{h}{authorization}, qr/^Basic /, 'with credentials');

is($erp->read('acme')->{status}, 200, 'again') for 1 .. 5;
is($t->connections('erp'), 1, 'over the same connection');
is($dns->asked('erp.test'), 1, 'the name was asked for once');

is($erp->create('literal')->{status}, 200, 'an address with a TLS name');
is(($t->ledger('erp'))[-1]{h}{host}, "127.0.0.1:$port", 'its Host');

# documents

my $about = sub { $t->log_text =~ /"$_[0]" is broken|$_[0]\.json/
                  && $erp->read($_[0]) };

for my $tenant (qw(away metadata)) {
    problem($erp->read($tenant), 503, 'tenant-misconfigured',
            "$tenant: a URL that is not listed is refused when it is read");
    like($t->log_text, qr/$tenant\.json.*"\/connectors\/erp\/url".*"sync_egress"/,
         'with the reason');
}

# where nothing is sent

my $n = $t->ledger('erp');

problem(at('acme', '/clear'), 500, 'connector-unverified', 'without TLS');
problem(at('acme', '/unverified'), 500, 'connector-unverified',
        'with proxy_ssl_verify off');
problem(at('two', '/misnamed'), 503, 'connector-unresolved',
        'a name that nobody knows');
$dns->set('two.test' => [ '127.0.0.2', '127.0.0.1' ]);
sleep 1.1;
problem(at('two', '/misnamed'), 500, 'connector-unverified',
        'verified by another name than the document\'s');
is($t->get('/direct', Host => 'acme.example')->{status}, 500,
   'the group without a connector');
is($t->ledger('erp'), $n, 'nothing was sent');

for my $why ('proxy_pass says http://', 'proxy_ssl_verify is off',
             'proxy_ssl_name is not \$sync_upstream_tls_name')
{
    $t->log_like(qr/nothing is sent to connector "erp" by URL, because $why/,
                 "logged: $why");
}

$t->log_like(qr/upstream "sync_connectors" is for connectors by URL alone/,
             'and the last, too');

# several addresses, the first of which refuses

$t->tell(erp => { close => 1 });
my $refused = () = $t->log_text =~ /connect\(\) failed/g;

is(at('two', '/v1/orders')->{status}, 200, 'the next address') for 1 .. 8;
is($erp->create('two')->{status}, 200, 'also for a claimed POST, not sent yet');
is((() = $t->log_text =~ /connect\(\) failed/g) - $refused, 1,
   'one that failed is not asked for a while');
$t->log_like(qr/127\.0\.0\.2:$port pauses after a failure/, 'which is logged');

$dns->set('dead.test' => [ '127.0.0.2', '127.0.0.3' ]);
problem($erp->create('dead'), 502, 'not-sent', 'all of them refuse');

$refused = () = $t->log_text =~ /connect\(\) failed/g;
problem($erp->create('dead'), 502, 'not-sent', 'where all pause, none does');
is((() = $t->log_text =~ /connect\(\) failed/g) - $refused, 2, 'both asked');

# two that live, one of which is busy: it has taken a request and is silent

my $busy = IO::Socket::INET->new(LocalAddr => '127.0.0.4', LocalPort => $port,
                                 Listen => 8, ReuseAddr => 1) or die;

$dns->set('pair.test' => [ '127.0.0.1', '127.0.0.4' ]);

my @busy = map { apart('pair', '/v1/orders') } 1 .. 2;

ok(IO::Select->new($busy)->can_read(5), 'one of two addresses is busy');
sleep 0.3;
is(at('pair', '/late')->{status}, 200, 'the other one is asked') for 1 .. 8;
close $busy;
is(($_->())[0], 200, 'and asked instead when that one has gone') for @busy;

$t->tell(erp => {});

# who may be called

for my $addrs ([ '10.0.0.1' ], [ '169.254.169.254' ], [ '192.168.1.1' ],
               [ '0.0.0.0' ], [ '100.64.0.1', '10.0.0.1' ])
{
    $dns->set('private.test' => $addrs, ttl => 0);
    problem($erp->create('private'), 502, 'connector-forbidden',
            "refused: @$addrs");
    sleep 1.1;
}

$t->log_like(qr/"private\.test" is at 169\.254\.169\.254, which is not public/,
             'logged with the address');
unlike($t->log_text, qr/connect\(\).*(?:10\.0\.0\.1|169\.254)/,
       'and none was called');

$dns->set('mixed.test' => [ '10.0.0.1', '127.0.0.1' ]);
is(at('mixed', '/v1/orders')->{status}, 200, 'one of two may be') for 1 .. 4;

$dns->set('rebind.test' => ['127.0.0.1'], turns => [ ['10.0.0.1'] ], ttl => 0);
is($erp->read('rebind')->{status}, 200, 'a name that may be called');
sleep 2.1;
problem($erp->read('rebind'), 502, 'connector-forbidden',
        'and then leads elsewhere: its old address does not serve');

# DNS that changes

$dns->set('turns.test' => ['127.0.0.2'], ttl => 1);
is($erp->read('turns')->{status}, 502, 'an address that is dead');
$dns->set('turns.test' => ['127.0.0.1'], ttl => 1);
ok($t->wait_for(sub { $erp->read('turns')->{status} == 200 }, 4),
   'a new one is found when the old answer is due');

# no answer

problem($erp->create('none'), 503, 'connector-unresolved', 'no such name');
my $asked = $dns->asked('none.test');
problem($erp->create('none'), 503, 'connector-unresolved', 'still');
is($dns->asked('none.test'), $asked, 'which is remembered for a moment');

$dns->set('slow.test' => ['127.0.0.1'], delay => 0.5);

my @all = map { apart('slow', '/v1/orders') } 1 .. 6;
my @got = map { [ $_->() ] } @all;

is(join(' ', map { $_->[0] } @got), join(' ', (200) x 6), 'a slow answer');
cmp_ok($got[0][1], '>=', 0.3, 'is waited for');
is($dns->asked('slow.test'), 1, 'by all, and was asked for once');

# the client goes, the question stays

$dns->set('never.test' => ['127.0.0.1'], delay => 0.6);
$t->abort('GET', '/v1/orders/1', headers => [ Host => 'never.example' ],
          after => 0.1) for 1 .. 3;
@got = apart('never', '/v1/orders')->();
is($got[0], 200, 'clients that leave while a name is resolved');
is($dns->asked('never.test'), 1, 'its question was theirs');

# the deadline is of that, too

$dns->set('later.test' => ['127.0.0.1'], delay => 0.9);
$r = at('later', '/late');
problem($r, 504, 'deadline-exceeded', 'the deadline ends before');
cmp_ok($r->{time}, '<', 0.8, 'and is kept');

# an internal redirect chooses and resolves anew

$dns->set('dead.test' => [ '127.0.0.2' ]);
$r = at('dead', '/first');
is($r->{status}, 502, 'by error_page to another location');
is(at('acme', '/first')->{status}, 200, 'and past it');

# name servers that say nothing: what is known goes on

is($erp->read('two')->{status}, 200, 'known');
$dns->silent(1);
sleep 2.5;

my $took = time;
$r = $erp->read('two');
is($r->{status}, 200, 'stale addresses serve while nobody answers');
cmp_ok($r->{time}, '<', 1.5, 'not waited for long');

$r = $erp->read('two');
is($r->{status}, 200, 'and again');

$erp->tenant('fresh', "https://fresh.test:$port");
sleep 0.2;
problem($erp->create('fresh'), 503, 'connector-unresolved',
        'where none are known, there is nothing to send to');

$dns->silent(0);

# a kept connection that the peer had closed

is($erp->read('acme')->{status}, 200, 'a connection is kept');
$n = $t->ledger('erp');
$t->tell(erp => { hangup => $t->connections('erp') });

$r = $erp->create('acme', 'Idempotency-Key' => '"stale-1"');
is($r->{status}, 504, 'a claimed POST on it: nobody knows');
is($t->ledger('erp') - $n, 1, 'and it was sent once');
is($erp->create('acme', 'Idempotency-Key' => '"stale-1"')->{status}, 422,
   'the key is taken');

$t->tell(erp => {});
is(at('acme', '/plain')->{status}, 200, 'another connection is kept');
$n = $t->ledger('erp');
my $connections = $t->connections('erp');
$t->tell(erp => { hangup => $connections });

is(at('acme', '/plain', 'PUT', body => '{"order_number":"7"}')->{status}, 200,
   'a PUT without a claim');
is($t->ledger('erp') - $n, 2, 'is sent again');
is($t->connections('erp') - $connections, 1, 'over a new connection');

$t->tell(erp => {});

# while a name is resolved: a reload, and the end

$erp->tenant('slow', "https://later.test:$port");
$dns->set('later.test' => ['127.0.0.1'], delay => 1);
sleep 0.2;

my $waits = apart('slow', '/v1/orders');
sleep 0.2;
ok($t->reload, 'a reload');
@got = $waits->();
is($got[0], 200, 'the old worker resolves to the end');

$waits = apart('slow', '/v1/orders');
sleep 0.2;
ok($t->stop, 'the end');
@got = $waits->();
is($got[0], 200, 'does so, too');

$t->allow(qr/SSL_shutdown/);
$t->done;
