#!/usr/bin/perl

# An abort storm: clients that leave at random moments, under two workers and
# with a reload in between.  No worker dies, no alert, no claim is stranded,
# and nothing is done twice.
#
# 60 clients; 500 with SYNC_STORM, several times over.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $clients = $ENV{SYNC_STORM} ? 500 : 60;
my $rounds = $ENV{SYNC_STORM} ? 4 : 1;

my $t = Test::Sync->new(workers => 2, connections => 4096);

$t->write('master.key', 'storm-master-secret-0123456789');

$t->peer(erp => sub {
    my ($req) = @_;

    my ($key) = ($req->{h}{'x-order'} // '') =~ /(\S+)/;

    return { status => 201, body => "done $req->{n}",
             delay => (length($key) * 7 + $req->{n}) % 10 / 50,
             headers => [ 'Content-Type' => 'text/plain' ] };
});

$t->http(<<'CONF');
    sync_secret file:%%TESTDIR%%/master.key;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_ignore_client_abort on;
    upstream erp { server %%PEER_erp%%; keepalive 32; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_deadline 3s;
        sync_idempotency required scope=none lease=4s;
        location / { proxy_pass http://erp; }
        location = /status { sync_status; }
    }
CONF

$t->start;

srand(7);

my %body;

for my $round (1 .. $rounds) {

    my @keys = map { "r$round-k" . int($_ / 2) } 1 .. $clients;

    for my $half (0, 1) {
        my @part = grep { $_ % 2 == $half } 0 .. $#keys;

        $t->storm(n => scalar @part, at_once => 40, within => 0.15,
                  request => sub {
            my $key = $keys[$part[shift]];

            return 'POST', '/o', body => "{\"order\":\"$key\"}",
                   headers => [ 'Content-Type' => 'application/json',
                                'X-Order' => $key,
                                'Idempotency-Key' => $key ];
        });

        ok($t->reload, "round $round: a reload in the middle") if !$half;
    }

    my %seen;
    @keys = grep { !$seen{$_}++ } @keys;

    my $stranded = 0;

    for my $key (@keys) {
        my $res;

        $t->wait_for(sub {
            $res = $t->post('/o', "{\"order\":\"$key\"}",
                            'Content-Type' => 'application/json',
                            'X-Order' => $key, 'Idempotency-Key' => $key);
            $res->{status} == 201;
        }) or $stranded++;
    }

    is($stranded, 0, "round $round: every key answers");

    my %done;

    for my $req ($t->ledger('erp')) {
        $done{$req->{h}{'x-order'}}++;
    }

    is(join(' ', grep { $done{$_} > 1 } sort keys %done), '',
       "round $round: nothing was done twice");
}

is(scalar $t->workers, 2, 'both workers live');

$t->done;
