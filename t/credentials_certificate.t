#!/usr/bin/perl

# Certificates of our own: for a connector by URL, alone or beside another
# credential, and for its token endpoint.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Erp;
use Test::Sync::Https;

my $t = Test::Sync->new;
$t->allow(qr/alert certificate required/);     # who has none
my $https = 'Test::Sync::Https';

my $json = { 'Content-Type' => 'application/json' };

my $erp_port = $t->peer(erp => sub { [ 200, $json, '{}' ] }, https => {
    'erp.test' => {}, '-options' => { client => 1 } });

my $as_port = $t->peer(as => sub {
    my ($req) = @_;

    return [ 200, $json, '{"access_token":"t1","token_type":"Bearer",'
                         . '"expires_in":60}' ]
        if $req->{client} eq 'client' && !$req->{h}{authorization}
           && $req->{body} eq 'grant_type=client_credentials&client_id=me';

    return [ 401, $json, '{"error":"invalid_client"}' ];
}, https => { 'as.test' => {}, '-options' => { client => 1 } });

my $dns = Test::Sync::Dns->start(map { $_ => ['127.0.0.1'] }
                                 qw(erp.test as.test));

my $erp = Test::Sync::Erp->new($t, $dns,
    egress => "erp.test:$erp_port as.test:$as_port", peers => 'keepalive=4');

my %slurp = map {
    my ($name) = ($_);
    open my $fh, '<', $https->file($name) or die "$name: $!";
    local $/;
    ($name => scalar <$fh>);
} qw(client.pem client.key stranger-client.key);

my ($line) = $slurp{'client.key'} =~ /^(\w\S{40,})$/m;
my ($other) = $slurp{'stranger-client.key'} =~ /^(\w\S{40,})$/m;

$t->canary($line, $other);

my %certificate = (certificate => { certificate => 'secret:cert',
                                    key => 'secret:key' });
my %basic = (basic => { user => 'secret:user', password => 'secret:password' });

my %credentials = (
    alone  => { %certificate },
    both   => { %certificate, %basic },
    token  => { %certificate, client_credentials => {
                    token_url => "https://as.test:$as_port/token",
                    client_id => 'secret:id', auth => 'certificate' } },
    nobody => { %basic },
    odd    => { %certificate },
    cut    => { %certificate },
    locked => { %certificate },
);

# a key that asks for a password, which nobody is asked for

open my $stderr, '>&', \*STDERR;
open STDERR, '>', '/dev/null';
my $locked = $t->path('locked.key');
system('openssl', 'pkey', '-in', $https->file('client.key'), '-aes128',
       '-passout', 'pass:x', '-out', $locked) == 0 or die;
open STDERR, '>&', $stderr;

for my $name (sort keys %credentials) {
    $erp->tenant($name, "https://erp.test:$erp_port",
                 credentials => $credentials{$name});

    $t->write("secrets/t_$name/id", 'me');
    $t->write("secrets/t_$name/cert", $slurp{'client.pem'});
    $t->write("secrets/t_$name/key",
              $name eq 'odd' ? $slurp{'stranger-client.key'}
              : $name eq 'cut' ? substr($slurp{'client.key'}, 0, 150)
              : $name eq 'locked' ? $t->read('locked.key')
              : $slurp{'client.key'});
}

$erp->conf(<<'CONF');
            sync_idempotency          on scope=none;
            proxy_ssl_certificate     $sync_upstream_certificate;
            proxy_ssl_certificate_key $sync_upstream_certificate_key;
            proxy_pass                https://$sync_upstream$sync_upstream_uri;
CONF

$t->start;

sub last_of {
    my @seen = $t->ledger('erp');
    return $seen[-1] || {};
}

is($erp->read('alone', '1')->{status}, 200, 'a certificate');
is(last_of()->{client}, 'client', 'is shown');
is(last_of()->{h}{authorization}, undef, 'and nothing else');

is($erp->read('both', '1')->{status}, 200, 'beside another credential');
is(last_of()->{client}, 'client', 'the one');
like(last_of()->{h}{authorization}, qr/^Basic /, 'and the other');

is($erp->read('token', '1')->{status}, 200, 'a token for a certificate');
is(last_of()->{h}{authorization}, 'Bearer t1', 'which is sent');
is(last_of()->{client}, 'client', 'with it');

my $n = $t->ledger('erp');
my $r = $erp->read('nobody', '1');
cmp_ok($r->{status}, '>=', 400, 'who has none');
is($t->ledger('erp'), $n, 'does not ride on the connections of others');

for my $name (qw(odd cut locked)) {
    $r = $erp->read($name, '1');
    is($r->{status}, 503, "a key that is no good, $name");
    is($r->json->{type}, 'urn:sync:problem:connector-credentials', 'is told');
    $t->log_like(qr/of tenant "$name" and its key are not a pair/, 'the log');
}

$t->write('secrets/t_odd/key', $slurp{'client.key'});
ok($t->wait_for(sub { $erp->read('odd', '1')->{status} == 200 }),
   'until it is');

$t->done;
