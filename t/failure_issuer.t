#!/usr/bin/perl

# docs/failure-modes.md, "At the token": each row is brought about.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Https;
use Cpanel::JSON::XS ();
use Time::HiRes qw(sleep time);

my $slack = 0.4;            # what is no wait at all on a busy machine
my $delay = 0.8;            # of an issuer that is slow, and in time
my $longest = 5;            # that it is waited for

my $t = Test::Sync->new(workers => 2);
my $ca = Test::Sync::Https->ca;

# tokens say what they are worth

sub issuer {
    my ($req, $ctl) = @_;

    my %active = (active => $req->{body} =~ /^token=ok/ ? \1 : \0,
                  client_id => 'crm', tenant => 'x',
                  $ctl->{more} ? (more => 'x' x $ctl->{more}) : ());

    return { status => 200, body => Cpanel::JSON::XS->new->encode(\%active),
             %{ $ctl->{how} // {} } };
}

$t->peer(idp => \&issuer, https => ['idp.test']);
$t->peer(stranger => \&issuer,
         https => { '' => { stranger => 1 }, 'idp.test' => { stranger => 1 } });
$t->peer(up => sub { return [200, {}, 'up'] });
$t->write('secret', 'c4n4ry-introspect');
$t->canary('c4n4ry-introspect');

my $sync = "sync_issuer https://%s.test tenant_claim=tenant client_id=edge "
         . "client_secret=file:%%%%TESTDIR%%%%/secret "
         . "introspect=https://%%%%PEER_%s%%%%/introspect;\n";

sub gateway {
    my ($name) = @_;

    $t->http("    sync_trusted_certificate $ca;\n    sync_zone keys:64k;\n    "
             . sprintf($sync, $name, $name) . <<'CONF');
    upstream up { server %%PEER_up%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location / { sync_auth token; proxy_pass http://up; }
    }
CONF
}

gateway('idp');
$t->start;

my $serial = 0;

sub ask {
    my ($token) = @_;

    return $t->request('GET', '/', timeout => 20,
                       headers => [ Authorization => "Bearer $token" ]);
}

my %state = (
    'is well' => [ sub { }, sub { } ],
    'says it is gone' => [ sub { $t->peer_stop('idp') },
                           sub { $t->peer_start('idp') } ],
    'says more than the zone keys has room for' =>
        [ sub { $t->tell(idp => { more => 50_000 }) } ],
    'has a certificate that nobody trusts' =>
        [ sub { gateway('stranger'); $t->reload },
          sub { gateway('idp'); $t->reload } ],
);

my %how = (
    'hangs'                 => { never => 1 },
    'slow, in time'         => { delay => $delay },
    'answers 500'           => { status => 500 },
    'answers 401'           => { status => 401 },
    'answers what is no JSON' => { body => '<html>' },
    'answers 2 MB'          => { body => 'x' x 2_000_000 },
    'resets the connection' => { reset => 1, cut => 1 },
);

$state{$_} = [ do { my $how = $how{$_};
                    sub { $t->tell(idp => { how => $how }) } } ] for keys %how;

sub rows {
    my @rows;
    my $on;

    open my $f, '<', 'docs/failure-modes.md' or die "the document: $!";

    while (<$f>) {
        $on = $1 eq 'At the token' if /^## (.*)/;
        next if !$on || !/^\| / || /^\| state/;

        chomp;
        s/^\| | \|$//g;
        s/`//g;
        push @rows, [ split / \| /, $_, -1 ];
    }

    return @rows;
}

for (rows()) {
    my ($state, $which, $answer, $wait) = @$_;
    my $name = "$state, $which";
    my $token = ($which =~ /inactive/ ? 'no' : 'ok') . ++$serial;

    if ($which =~ /^known/) {
        is(ask($token)->{status}, $which =~ /inactive/ ? 401 : 200,
           "$name: before");
    }

    $state{$state} or die "the state \"$state\"?";
    $state{$state}[0]->();

    my $began = time;
    my $res = ask($token);
    my $seconds = time - $began;
    my $said = $res->{status};

    if ($said != 200) {
        $said .= ' ' . ($res->json->{type} =~ s/^urn:sync:problem://r);
    }

    is($said, $answer, "$name: $answer");

    my $again = $said !~ /^503/ ? '' : $state =~ /room/ ? 10 : 1;

    is($res->header('retry-after') // '', $again,
       "$name: when to come again");

    my ($from, $to) = $wait eq 'none' ? (0, 0)
                    : $wait eq '5 s' ? ($longest - 0.1, $longest)
                    : $wait eq 'its own' ? ($delay * 0.9, $delay)
                    : die "the wait \"$wait\"?";

    ok($seconds >= $from && $seconds < $to + $slack,
       sprintf '%s: %.3f s, %s', $name, $seconds, $wait);

    $state{$state}[1] ? $state{$state}[1]->() : $t->tell(idp => {});

    if ($said =~ /^503/) {
        ok($t->wait_for(sub { ask($token)->{status} == 200 }, $again + 3),
           "$name: and then");
    }
}

$t->done;
