#!/usr/bin/perl

# What stands in the store is sealed: nothing of a payload can be read there, a
# rotated secret still opens it, and what somebody has bent or moved is never
# shown and never executed again.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;

my $t = Test::Sync->new(workers => 2);

my $canary = 'c4n4ry-iban-DE02120300000000202051';

for my $n (1 .. 3) {
    $t->write("$n.key", "c4n4ry-master-secret-number-$n");
    $t->canary("c4n4ry-master-secret-number-$n");
}

my $issuer = Test::Sync::Token->new(issuer => 'https://acme.example',
    claims => { aud => 'https://sync.example', sub => 'ann', azp => 'crm',
                iban => $canary });

$issuer->key('k1', 'ES256');

for my $name (qw(acme beta)) {
    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.test"] },
        issuers => [ { issuer => 'https://acme.example',
                       jwks => $issuer->jwks,
                       audience => 'https://sync.example' } ],
        clients => { crm => {} } });
}

$t->peer(erp => sub {
    my ($req) = @_;

    my ($what) = $req->{uri} =~ m{/(\w+)$};

    return { status => 201, body => "paid from $canary, $what",
             headers => ['Content-Type' => 'text/plain',
                         Location => "/o/$canary/$what"] };
});

sub conf {
    my (@secrets) = @_;

    return join('', map { "sync_secret file:%%TESTDIR%%/$_.key;\n" } @secrets)
           . <<'CONF';
    sync_tenants %%TESTDIR%%/tenants;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    upstream erp { server %%PEER_erp%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;

        location /o {
            sync_idempotency required scope=none;
            proxy_pass http://erp;
        }

        location /cut {
            sync_idempotency required scope=none cap=4;
            proxy_pass http://erp;
        }

        location = /status { sync_status; }

        location /who {
            sync_auth token;
            proxy_pass http://erp;
        }
    }
CONF
}

$t->http(conf(1));
$t->start;

sub ask {
    my ($uri, $key, %more) = @_;

    return $t->request('POST', $uri, body => $more{body} // "order $canary",
                       host => $more{host} // 'acme.test',
                       headers => ['Content-Type' => 'text/plain',
                                   'Idempotency-Key' => $key]);
}

sub status_is {
    my ($res, $status, $idem, $name) = @_;

    is($res->{status}, $status, "$name: status");
    is($res->header('Idempotency-Status') // '', $idem, "$name: $idem");
}


# the shared memory of the workers, by address

sub zones {
    my ($pid) = $t->workers;
    my @zones;

    open my $maps, '<', "/proc/$pid/maps" or return;
    open my $mem, '<', "/proc/$pid/mem" or return;

    while (<$maps>) {
        my ($from, $to) = /^(\w+)-(\w+) rw-s .*\(deleted\)/ or next;
        my $text;

        no warnings 'portable';
        $_ = hex for $from, $to;

        sysseek $mem, $from, 0 or return;
        sysread($mem, $text, $to - $from) == $to - $from or return;

        push @zones, [ $from, $text ];
    }

    return @zones;
}

sub poke {
    my ($at, $bytes) = @_;
    my ($pid) = $t->workers;

    open my $mem, '+<', "/proc/$pid/mem" or die "/proc/$pid/mem: $!";
    sysseek $mem, $at, 0 or die "seek: $!";
    syswrite($mem, $bytes) == length $bytes or die "write: $!";
}

# kept answers whose body is so long: address and bytes, as many as stand there

sub records {
    my ($body, $flags) = @_;
    my @found;

    for (zones()) {
        my ($base, $text) = @$_;

        while ($text =~ /\x02$flags(.)([\x00\x01])\x00\xc9(\x00.)/gs) {
            my $at = pos($text) - 8;

            next if unpack('N', substr $text, $at + 8, 4) != $body;
            push @found, [ $base + $at, substr $text, $at, 12 + 16 + 16 + 300 ];
        }
    }

    return @found;
}

my ($r, $n);

SKIP: {
    zones() or skip 'the memory of a worker cannot be read here', 1;

    # nothing of a payload stands in a store; what must stand there does, so
    # that we know where we look

    status_is(ask('/o/first', 'k-first'), 201, 'executed', 'sealed');
    $r = ask('/o/first', 'k-first');
    status_is($r, 201, 'replayed', 'sealed');
    is($r->{body}, "paid from $canary, first", 'the body comes back');
    is($r->header('Location'), "/o/$canary/first", 'the header comes back');

    status_is(ask('/cut/first', 'k-cut'), 201, 'executed', 'trimmed');
    $r = ask('/cut/first', 'k-cut');
    status_is($r, 201, 'replayed', 'trimmed');
    is($r->header('Location'), "/o/$canary/first", 'trimmed: the header');

    my $token = $issuer->token;

    for (1 .. 8) {
        $r = $t->get('/who/x', Host => 'acme.test',
                     Authorization => "Bearer $token", Connection => 'close');
    }

    is($r->{status}, 201, 'a token, seen by both workers');

    my $all = join '', map { $_->[1] } zones();

    cmp_ok(index($all, 't_acme'), '>=', 0, 'the tenant stands in a zone');
    is(index($all, $canary), -1, 'nothing of payload, answer or claims does');
    is(index($all, 'k-first'), -1, 'nor a key of a client');
    is(index($all, 'c4n4ry'), -1, 'nor a secret');

    my $len = length "paid from $canary, first";

    is(scalar records($len, "\x01"), 1, 'one whole answer');
    is(scalar records(0, "\x03"), 1, 'one without its body');


    # bent: in head, salt, text and tag

    my ($rec) = records($len, "\x01");
    my ($at, $text) = @$rec;

    $n = $t->ledger('erp');

    for my $i (1, 2, 3, 5, 7, 11, 12, 27, 28, 60, 28 + $len) {
        poke($at + $i, chr(ord(substr $text, $i, 1) ^ 0x10));
        $r = ask('/o/first', 'k-first');
        status_is($r, 503, 'unreadable', "byte $i is bent");
        unlike($r->{head} . $r->{body}, qr/paid|c4n4ry|\/o\//,
               "byte $i is bent: nothing is shown");
        poke($at + $i, substr $text, $i, 1);
    }

    is($r->json->{type}, 'urn:sync:problem:record-unreadable', 'its problem');
    is($t->ledger('erp'), $n, 'and nothing was sent again');
    status_is(ask('/o/first', 'k-first'), 201, 'replayed', 'put right');
    $t->log_like(qr/a kept answer cannot be opened/, 'the operator is told');
    like($t->get('/status', Host => 'acme.test')->{body},
         qr/tenant="t_acme",verdict="unreadable"\} 11/, 'and it is counted');


    # planted: an answer that nobody has sealed

    my $plain = "\x02\x00\x00\x00\x00\xc9\x00\x00" . pack('N', 4) . 'mine'
                . "\0" x 28;

    poke($at, $plain);
    status_is(ask('/o/first', 'k-first'), 503, 'unreadable', 'not sealed');
    poke($at, $text);


    # moved: to another key, and to another tenant

    for my $other (['acme.test', 'k-other', 'another key'],
                   ['beta.test', 'k-first', 'another tenant'])
    {
        my ($host, $key, $name) = @$other;

        my %before = map { $_->[0] => 1 } records($len, "\x01");

        status_is(ask('/o/other', $key, host => $host), 201, 'executed', $name);

        my ($new) = grep { !$before{$_->[0]} } records($len, "\x01");

        poke($new->[0], substr $text, 0, 12 + 32 + $len);
        $r = ask('/o/other', $key, host => $host);
        status_is($r, 503, 'unreadable', "moved to $name");
        unlike($r->{body}, qr/first/, "moved to $name: nothing is shown");
        poke($new->[0], $new->[1]);
        status_is(ask('/o/other', $key, host => $host), 201, 'replayed', $name);
    }
}


# rotation: what the previous secret has sealed still opens

status_is(ask('/o/old', 'k-old'), 201, 'executed', 'before the rotation');

$t->http(conf(2, 1));
ok($t->reload, 'a new secret, and the previous one');

$n = $t->ledger('erp');
$r = ask('/o/old', 'k-old');
status_is($r, 201, 'replayed', 'sealed under the previous secret');
is($r->{body}, "paid from $canary, old", 'it opens');
is($t->ledger('erp'), $n, 'nothing was sent again');

status_is(ask('/o/new', 'k-new'), 201, 'executed', 'under the new secret');

$t->http(conf(2));
ok($t->reload, 'the new secret alone');
status_is(ask('/o/new', 'k-new'), 201, 'replayed', 'the new secret alone');
status_is(ask('/o/old', 'k-old'), 201, 'executed',
          'too early: a key of the secret that was taken away is unknown');

# a fleet is told of a secret before it is used: the second one opens as well

$t->http(conf(2, 3));
ok($t->reload, 'the next secret stands second');
status_is(ask('/o/new', 'k-new'), 201, 'replayed', 'the next one is announced');
status_is(ask('/o/next', 'k-next'), 201, 'executed', 'still under the old one');

$t->http(conf(3, 2));
ok($t->reload, 'the next secret is in use');
status_is(ask('/o/next', 'k-next'), 201, 'replayed', 'the next one is used');

$t->done;
