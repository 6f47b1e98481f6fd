#!/usr/bin/perl

# Connectors by URL: who shares a connection or a session of TLS, and with
# whom nothing is shared.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Erp;
use Test::Sync::Https;
use Time::HiRes qw(sleep);

my $t = Test::Sync->new;
my $https = 'Test::Sync::Https';

# one server for many tenants, as clouds have it

my $cloud = $t->peer(cloud => sub { { body => '{}', delay => $_[1]{delay} } },
                     https => [ 'one.test', 'two.test' ]);

# what is wrong with certificates

my $wrong = $t->peer(wrong => sub { '{}' }, https => {
    'expired.test'  => { expired => 1 },
    'stranger.test' => { stranger => 1 },
    'other.test'    => { san => 'one.test' },
});

# who must show a certificate

my $mutual = $t->peer(mutual => sub { '{}' }, https => {
    'mutual.test' => {}, '-options' => { client => 1 },
});

my $stall = $t->peer(stall => sub { '{}' }, https => {
    'stall.test' => {}, '-options' => { stall => 1 },
});

my %port = (one => $cloud, two => $cloud, alias => $cloud,
            (map { $_ => $wrong } qw(expired stranger other)),
            mutual => $mutual, mutual2 => $mutual, nobody => $mutual,
            stall => $stall);

my $dns = Test::Sync::Dns->start(map { ("$_.test" => ['127.0.0.1']) }
                                 keys %port, qw(twelve thirteen six));

my $six = -e '/proc/net/if_inet6'
          && IO::Socket::IP->new(LocalHost => '::1', Listen => 1) ? 1 : 0;

$dns->set('six.test' => [ $six ? '::1' : '127.0.0.1' ]);

my $ca = $https->ca;
my ($crt, $key) = map { $https->file("client.$_") } qw(pem key);
my $stranger = $https->file('stranger-ca.pem');

# servers of NGINX' own: IPv6, and sessions of either version

Test::Sync::Https->prepare([ map { "$_.test" } qw(twelve thirteen six) ]);

my $listen6 = $six ? 'listen [::1]:%%PORT_5%% ssl;'
                   : 'listen 127.0.0.1:%%PORT_5%% ssl;';

my $servers = join '', map {
    my ($name, $listen, $protocol) = @$_;

    my ($cert, $cert_key) = map { $https->file("$name.test.$_") } qw(pem key);

    <<"CONF";
    server {
        $listen
        server_name          $name.test;
        ssl_certificate      $cert;
        ssl_certificate_key  $cert_key;
        ssl_protocols        $protocol;
        keepalive_timeout    0;
        access_log           %%TESTDIR%%/$name.log seen;
        location / { default_type application/json; return 200 "{}"; }
    }
CONF
} [ 'twelve', 'listen 127.0.0.1:%%PORT_3%% ssl;', 'TLSv1.2' ],
  [ 'thirteen', 'listen 127.0.0.1:%%PORT_4%% ssl;', 'TLSv1.3' ],
  [ 'six', $listen6, 'TLSv1.2 TLSv1.3' ];

$port{twelve} = $t->port(3);
$port{thirteen} = $t->port(4);
$port{six} = $t->port(5);

my $erp = Test::Sync::Erp->new($t, $dns, egress => join(' ', map {
    "*.test:$_" } sort keys %{{ map { $_ => 1 } values %port }}),
    peers => 'keepalive=2 total=3', http => <<"CONF" . $servers);

    log_format  seen '\$server_addr \$ssl_session_reused';

    map \$sync_tenant \$shown_certificate {
        volatile;
        t_mutual   $crt;
        t_mutual2  $crt;
        default    "";
    }

    map \$sync_tenant \$shown_key {
        volatile;
        t_mutual   $key;
        t_mutual2  $key;
        default    "";
    }
CONF

for my $name (sort keys %port) {
    my $host = $name =~ /^(?:mutual2|nobody)$/ ? 'mutual' : $name;

    $erp->tenant($name, "https://$host.test:$port{$name}",
                 $name eq 'alias' ? (tls_name => 'one.test') : ());
}

# and two with a certificate of their own, in their documents

for my $name (qw(client stranger-client)) {
    $erp->tenant($name, "https://mutual.test:$mutual", credentials => {
        certificate => { certificate => 'secret:crt', key => 'secret:key' } });

    for (qw(crt key)) {
        open my $fh, '<', $https->file("$name." . ($_ eq 'crt' ? 'pem' : $_))
            or die "$name: $!";
        local $/;
        $t->write("secrets/t_$name/$_", <$fh>);
    }
}

my $inside = '            proxy_pass https://$sync_upstream$sync_upstream_uri;';

$t->http($erp->text(<<"CONF", <<"MORE"));
            proxy_ssl_certificate      \$shown_certificate;
            proxy_ssl_certificate_key  \$shown_key;
$inside
CONF
        listen 127.0.0.1:%%PORT_1%% http2;

        location /strangers {
            sync_entity  sales_order at=/strangers;
            proxy_ssl_certificate         \$shown_certificate;
            proxy_ssl_certificate_key     \$shown_key;
            proxy_ssl_trusted_certificate $stranger;
$inside
        }

        location /certified {
            sync_entity  sales_order at=/certified;
            proxy_ssl_certificate         \$sync_upstream_certificate;
            proxy_ssl_certificate_key     \$sync_upstream_certificate_key;
$inside
        }

        location /wordless {
            sync_entity  sales_order at=/wordless;
            proxy_set_header Host \$sync_upstream_host;
            proxy_set_header X-Own 1;
$inside
        }
MORE

$t->start;

sub ok_all {
    my ($tenant, $times, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @got = map { $erp->read($tenant)->{status} } 1 .. $times;

    is("@got", join(' ', (200) x $times), $name);
}

# two tenants behind one address

for (1 .. 3) {
    ok_all('one', 2, 'a tenant of a cloud');
    ok_all('two', 2, 'and another, at the same address');
}

my %names;

$names{ $_->{conn} }{"$_->{h}{host} $_->{sni}"} = 1 for $t->ledger('cloud');

is($t->connections('cloud'), 2, 'each has a connection of its own');
is_deeply([ sort map { join ',', keys %$_ } values %names ],
          [ map { "$_.test:$cloud $_.test" } qw(one two) ],
          'on which nothing of the other one\'s ever was');

ok_all('alias', 2, 'a name of its own in DNS, with the TLS name of another');
is($t->connections('cloud'), 3, 'shares none either');

my @seen = $t->ledger('cloud');
is($seen[-1]{sni}, 'one.test', 'its handshake has the TLS name');
is($seen[-1]{h}{host}, "alias.test:$cloud", 'and its requests the host');

# settings of TLS

ok_all('one', 1, 'a connection that is verified is kept');
is($t->get('/strangers/1', Host => 'one.example')->{status}, 502,
   'and not for a location that trusts others');
$t->log_like(qr/upstream SSL certificate verify error/, 'which is said');

# certificates that are none

my $errors;

for my $name (qw(expired stranger other)) {
    my $r = $erp->create($name);
    is($r->{status}, 502, "a certificate: $name");
}

$t->log_like(qr/certificate has expired/, 'logged: expired');
$t->log_like(qr/unable to get local issuer|self.signed/, 'logged: stranger');
$t->log_like(qr/does not match "other\.test"/, 'logged: other name');
is($t->ledger('wrong'), 0, 'nothing was sent to them');

# certificates of ours

ok_all('mutual', 2, 'a certificate is shown');
ok_all('mutual2', 2, 'by another tenant, the same one');
is($t->connections('mutual'), 1, 'they may share a connection');
is($erp->read('nobody')->{status}, 502, 'who has none rides on none');
is_deeply([ map { $_->{client} } $t->ledger('mutual') ], [ ('client') x 4 ],
          'and did not get through');

my $certified = $t->connections('mutual');

for (1 .. 2) {
    is($t->get('/certified/1', Host => 'client.example')->{status}, 200,
       'a certificate of the document');
    is($t->get('/certified/1', Host => 'stranger-client.example')->{status},
       502, 'and that of another tenant');
}

is($t->connections('mutual') - $certified, 3, 'do not meet');
is($t->get('/certified/1', Host => 'one.example')->{status}, 200,
   'where a document has none, none is shown');

# a handshake that never ends

my $r = $erp->create('stall');
is($r->{status}, 504, 'a peer that says nothing') or diag $r->{body};
is($t->ledger('stall'), 0, 'has got nothing');

# sessions

for my $name (qw(twelve thirteen)) {
    ok_all($name, 4, "TLS 1.$name") ;
    is($t->read("$name.log"), "127.0.0.1 .\n" . "127.0.0.1 r\n" x 3,
       "$name: sessions are resumed");
}

# IPv6

SKIP: {
    skip 'no ::1 here', 2 if !$six;

    ok_all('six', 2, 'over IPv6');
    like($t->read('six.log'), qr/^(?:0:0:0:0:0:0:0:1|::1) /, 'really');
}

# how many are kept: two of a place, three of a worker

my $before = $t->connections('cloud');

$t->tell(cloud => { delay => 0.2 });

$t->parallel(map { [ 'GET', '/v1/orders/1',
                     headers => [ Host => 'one.example' ] ] } 1 .. 6);

my $made = $t->connections('cloud') - $before;
cmp_ok($made, '>=', 5, 'six at a time');

$before = $t->connections('cloud');

$t->parallel(map { [ 'GET', '/v1/orders/1',
                     headers => [ Host => 'one.example' ] ] } 1 .. 6);

is($t->connections('cloud') - $before, 4, 'two of them are kept');

$t->tell(cloud => {});

ok_all($_, 1, "one of $_") for qw(two alias);
$before = $t->connections('cloud');
ok_all($_, 1, "again $_") for qw(two alias);
is($t->connections('cloud') - $before, 0, 'kept, too');
ok_all('mutual', 1, 'a fourth');
$before = $t->connections('cloud');
ok_all('one', 1, 'the one that was not used longest');
is($t->connections('cloud') - $before, 1, 'has made room');

# HTTP/2

is($t->h2('GET', '/v1/orders/1', port => 1,
          headers => [ Host => 'one.example' ])->{status}, 200, 'by HTTP/2');
is($t->h2('POST', '/v1/orders', port => 1, body => '{"order_number":"h2"}',
          headers => [ Host => 'two.example' ])->{status}, 200, 'with a body');

# a reload closes what is kept

ok($t->reload, 'a reload');
ok_all('one', 2, 'the new worker makes its own');

$t->allow(qr/\[crit\].*SSL_read\(\) failed .*alert certificate required/,
          qr/\[crit\].*SSL_read\(\) failed .*alert unknown ca/);
$t->done;

# two workers, each with names and connections of its own

my $t2 = Test::Sync->new(workers => 2);
my $port2 = $t2->peer(erp => sub { { body => '{}', delay => 0.01 } },
                      https => [ 'erp.test' ]);
my $erp2 = Test::Sync::Erp->new($t2, $dns, egress => "erp.test:$port2");

$dns->set('erp.test' => [ '127.0.0.2', '127.0.0.1' ], delay => 0.1);

$erp2->tenant('acme', "https://erp.test:$port2");
$erp2->conf("            sync_idempotency on scope=none;\n$inside");
$t2->start;

my @all = map { $t2->parallel(map { [ 'GET', '/v1/orders/1',
              headers => [ Host => 'acme.example' ] ] } 1 .. 10) } 1 .. 5;

is(scalar(grep { $_->{status} == 200 } @all), 50, 'two workers');
is($t2->ledger('erp'), 50, 'each request once');

# configuration

my $groups = 'upstream other { server 127.0.0.1:1; }';
my $head = 'resolver 127.0.0.1:1; sync_egress *.erp.example; '
           . "sync_trusted_certificate $ca; sync_tenants %%TESTDIR%%/tenants;";

sub group {
    my ($inside) = @_;

    return "$head upstream c { $inside } server {"
           . ' listen 127.0.0.1:%%PORT_0%%; }';
}

$t2->write('tenants/acme.json', { tenant => 'acme', id => 't_acme',
                                  match => { hosts => [ 'acme.example' ] } });

$t2->accepted(group('sync_peers keepalive=0 total=9 requests=5 timeout=5s '
                    . 'time=1m max_fails=0 fail_timeout=1s stale=0;'),
              'all parameters');

for ([ 'sync_peers keepalive=x;', qr/"keepalive=x" is not a number/ ],
     [ 'sync_peers total=0;', qr/"total=0" is not a number above 0/ ],
     [ 'sync_peers timeout=soon;', qr/"timeout=soon" is not a time above 0/ ],
     [ 'sync_peers kept=1;', qr/unknown parameter "kept=1"; known are keep/ ],
     [ 'sync_peers; sync_peers;', qr/is duplicate/ ],
     [ 'sync_peers; server 127.0.0.1:1;', qr/takes no "server": documents/ ],
     [ 'server 127.0.0.1:1; sync_peers;', qr/takes no "server": documents/ ],
     [ 'least_conn; sync_peers;', qr/takes no other method/ ],
     [ 'sync_peers; least_conn;', qr/balancing method redefined/ ],
     [ 'zone z 64k; sync_peers;', qr/takes no "zone"/ ],
     [ 'sync_peers; } upstream d { sync_peers;',
       qr/stands in upstream "c" already/ ])
{
    $t2->refused(group($_->[0]), $_->[1], "refused: $_->[0]");
}

sub place {
    my ($groups, $settings) = @_;

    return "$head $groups upstream c { sync_peers; } client_body_buffer_size"
           . ' 64k; server { listen 127.0.0.1:%%PORT_0%%; sync_tenant host;'
           . ' location /v1 { sync_entity sales_order at=/v1;'
           . " $settings proxy_pass https://\$sync_upstream\$sync_upstream_uri;"
           . ' } }';
}

my $trust = "proxy_ssl_trusted_certificate $ca;";
my $verify = "proxy_ssl_verify on; $trust";
my $keeps = 'proxy_http_version 1.1; proxy_set_header Connection "";';

$t2->refused(place('', $keeps), qr/sync_peers needs "proxy_ssl_verify on"/,
             'verification is off, and there is nobody else to call');

# since 1.29.7 a header that is not set is no "Connection: close"

my ($minor, $patch) = ($t2->nginx('-v'))[1] =~ m{nginx/1\.(\d+)\.(\d+)};
my $kept = $minor > 29 || $minor == 29 && $patch >= 7;

my $sends = 'proxy_method $sync_upstream_method; proxy_set_header Host '
            . '$sync_upstream_host; proxy_set_header Cookie '
            . '$sync_upstream_cookie; proxy_set_header Authorization '
            . '$sync_upstream_authorization;';

for ([ $groups, "$verify $keeps $sends", qr/^(?!.*\[warn\])/s,
       'all is well' ],
     [ $groups, $keeps, qr/\[warn\].*without "proxy_ssl_verify on".*"\/v1"/,
       'verification is off, and others may be called' ],
     [ '', "$verify proxy_http_version 1.1; $sends",
       $kept ? qr/^(?!.*\[warn\])/s
             : qr/\[warn\].*sync_peers keeps no connection.*"\/v1"/,
       'without Connection' ],
     [ '', "$verify proxy_http_version 1.0; proxy_set_header Connection '';",
       qr/\[warn\].*sync_peers keeps no connection/, 'HTTP/1.0' ],
     [ '', "$verify proxy_http_version 1.1; proxy_set_header connection close;",
       qr/\[warn\].*sync_peers keeps no connection/, 'Connection: close' ])
{
    my ($code, $out) = $t2->check(place($_->[0], $_->[1]));
    is($code, 0, "$_->[3]: not refused") or diag $out;
    like($out, $_->[2], "$_->[3]: warned of, or not");
}

$t2->done;
