#!/usr/bin/perl

# docs/failure-modes.md, "A connector by URL": each row is brought about and
# measured.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Erp;
use Socket qw(SOCK_STREAM AF_INET pack_sockaddr_in inet_aton);
use Time::HiRes qw(sleep);

my $resolver = 1;           # resolver_timeout, s
my $connect = 0.5;          # proxy_connect_timeout, s
my $slack = 0.25;           # what is no wait at all on a busy machine

my $t = Test::Sync->new;

my $port = $t->peer(erp => sub {
    my ($req, $ctl) = @_;

    return { hangup => 1, cut => 0 }
        if $ctl->{hangup} && $req->{conn} <= $ctl->{hangup};

    return [ 201, [ 'Content-Type' => 'application/json' ], '{"ok":true}' ];
}, https => { 'erp.test' => {}, 'wrong.test' => { san => 'erp.test' } });

my $stall = $t->peer(stall => sub { '{}' }, https => {
    'erp.test' => {}, '-options' => { stall => 1 } });

my $dns = Test::Sync::Dns->start('erp.test' => ['127.0.0.1'],
                                 'wrong.test' => ['127.0.0.1']);

my $erp = Test::Sync::Erp->new($t, $dns, peers => 'fail_timeout=60s',
    egress => "*.test:$port *.test:$stall", resolver => 'ipv6=off');

$erp->tenant('acme', "https://erp.test:$port");

$t->http($erp->text(<<'CONF') =~ s/resolver_timeout\s+3s/resolver_timeout ${resolver}s/r
            sync_idempotency required scope=none;
            proxy_connect_timeout 500ms;
            proxy_pass https://$sync_upstream$sync_upstream_uri;
CONF
         =~ s/proxy_connect_timeout\s+2s;//r =~ s/\$\{resolver\}/$resolver/r);

$t->start;

my $serial = 0;

sub ask {
    my ($tenant, $key) = @_;

    $key //= 'key-' . ++$serial;

    return $t->post('/v1/orders', qq({"order_number":"$key"}),
                    Host => "$tenant.example",
                    'Content-Type' => 'application/json',
                    'Idempotency-Key' => qq("$key"));
}

sub said {
    my ($res) = @_;

    my $problem = $res->{body} =~ /"urn:sync:problem:([\w-]+)"/ ? $1 : undef;

    return join ' ', $res->{status}, grep { defined }
                     $problem // $res->header('Idempotency-Status');
}

# A tenant of its own for each row: what one has done to a name is not another
# row's matter.

sub tenant {
    my ($name, $port_of, %dns) = @_;

    $erp->tenant($name, "https://$name.test:$port_of", tls_name => 'erp.test');
    $dns->set("$name.test" => @{ $dns{dns} }) if $dns{dns};
    sleep 0.15;
}

# an address that never takes a connection: its queue is full

my @full;

sub silent {
    my ($addr) = @_;

    socket my $l, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
    bind $l, pack_sockaddr_in($port, inet_aton($addr)) or die "bind: $!";
    listen $l, 0 or die "listen: $!";
    push @full, $l;

    for (1 .. 3) {
        my $s = IO::Socket::INET->new(PeerAddr => $addr, PeerPort => $port,
                                      Blocking => 0);
        push @full, $s if $s;
    }
}

my %state = (
    'its name does not exist' => sub { tenant('none', $port, dns => [ [] ]) },

    'no name server answers, no address is known' => sub {
        $dns->silent(1);
        tenant('dark', $port);
    },

    'no name server answers, addresses are known' => sub {
        tenant('stale', $port, dns => [ ['127.0.0.1'] ]);
        ask('stale');
        $dns->silent(1);
        sleep 2.2;
    },

    'its name leads to an address that is not public' => sub {
        tenant('private', $port, dns => [ ['10.0.0.1'] ]);
    },

    'its name leads elsewhere than before, and nobody may call there' => sub {
        tenant('rebind', $port, dns => [ ['127.0.0.1'] ]);
        ask('rebind');
        $dns->set('rebind.test' => ['169.254.169.254']);
        sleep 2.2;
    },

    'one of its addresses refuses' => sub {
        tenant('half', $port, dns => [ [ '127.0.0.2', '127.0.0.1' ] ]);
    },

    'one of its addresses is silent' => sub {
        silent('127.0.0.4');
        tenant('mute', $port, dns => [ [ '127.0.0.4', '127.0.0.1' ] ]);
    },

    'all of its addresses refuse' => sub {
        tenant('dead', $port, dns => [ [ '127.0.0.2', '127.0.0.3' ] ]);
    },

    'its certificate is for another name' => sub {
        $erp->tenant('wrong', "https://wrong.test:$port");
        sleep 0.15;
    },

    'it does not answer the handshake' => sub {
        tenant('stall', $stall, dns => [ ['127.0.0.1'] ]);
    },

    'it has closed a connection that was kept' => sub {
        ask('acme');
        $t->peer_stop('erp');
        $t->peer_start('erp');
    },

    'it closes a kept connection instead of an answer' => sub {
        ask('acme');
        $t->tell(erp => { hangup => $t->connections('erp') });
    },
);

my %tenant = (
    'its name does not exist' => 'none',
    'no name server answers, no address is known' => 'dark',
    'no name server answers, addresses are known' => 'stale',
    'its name leads to an address that is not public' => 'private',
    'its name leads elsewhere than before, and nobody may call there'
        => 'rebind',
    'one of its addresses refuses' => 'half',
    'one of its addresses is silent' => 'mute',
    'all of its addresses refuse' => 'dead',
    'its certificate is for another name' => 'wrong',
    'it does not answer the handshake' => 'stall',
    'it has closed a connection that was kept' => 'acme',
    'it closes a kept connection instead of an answer' => 'acme',
);

# from and to, for request number i

my %wait = (
    'none' => sub { (0, 0) },
    'proxy_connect_timeout' => sub { ($connect * 0.8, $connect) },
    'proxy_connect_timeout for one, then none'
        => sub { $_[0] <= 2 ? (0, $connect) : (0, 0) },
    '0.5 s for one, then none' => sub { $_[0] == 1 ? (0.4, 0.5) : (0, 0) },
    'resolver_timeout for who comes first, then what is left of it'
        => sub { (0, $resolver) },
);

sub row {
    my ($state, $answer, $wait, $key) = @_;

    my $tenant = $tenant{$state};
    my $waited = 0;
    my ($first, $sent);

    $state{$state}->();
    $sent = $t->ledger('erp');

    for my $i (1 .. 3) {
        my $mine = 'row-' . ++$serial;
        my $res = ask($tenant, $mine);
        my ($from, $to) = $wait{$wait}->($i);

        $first //= $mine;
        $waited += $res->{time};

        is(said($res), $answer, "$state, $i");
        ok($res->{time} >= $from && $res->{time} < $to + $slack,
           sprintf '%s, %d: %.3f s, %s', $state, $i, $res->{time}, $wait);

        # it is the first that may be closed

        last if $state =~ /instead of an answer/;
    }

    if ($wait =~ /for one|comes first/) {
        cmp_ok($waited, '>', 0.8 * ($wait =~ /resolver/ ? $resolver
                                    : $wait =~ /0\.5/ ? 0.5 : $connect),
               "$state: somebody has waited");
    }

    $sent = $t->ledger('erp') - $sent;

    if ($key eq 'free') {
        is($sent, 0, "$state: nothing was sent");
        is(said(ask($tenant, $first)), $answer, "$state: its key is free");
    }

    $dns->silent(0);
    $t->tell(erp => {});

    if ($key eq 'free') {

        # the next one finds it well, where a name can help

        return if $tenant =~ /wrong|stall/;

        $dns->set("$tenant.test" => ['127.0.0.1']);

        ok($t->wait_for(sub { said(ask($tenant, $first)) eq '201 executed' },
                        5), "$state: and is executed later");

    } elsif ($key eq 'held') {
        is($sent, 3, "$state: sent once each");
        is(ask($tenant, $first)->header('Idempotent-Replayed'), 'true',
           "$state: its key");

    } else {
        is($sent, 1, "$state: sent once");
        is(said(ask($tenant, $first)), '409 outcome-unknown',
           "$state: its key");
    }
}

my %rows;
my $on;

open my $f, '<', 'docs/failure-modes.md' or die "the document: $!";

while (<$f>) {
    $on = $1 eq 'A connector by URL' if /^## (.*)/;
    next if !$on || !/^\| / || /^\| state/;

    chomp;
    s/^\| | \|$//g;
    s/`//g;

    my @row = split / \| /, $_, -1;

    $rows{ $row[0] } = 1;

    if ($state{ $row[0] } && $wait{ $row[2] }) {
        row(@row);

    } else {
        fail("\"$row[0]\", \"$row[2]\": what is that?");
    }
}

ok($rows{$_}, "$_: a row") for sort keys %state;

$t->done;
