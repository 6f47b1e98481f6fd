#!/usr/bin/env perl

# Sessions of connectors: one login for all who come, kept, shown, renewed once
# when the target says that it is over; and logins that fail.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Erp;
use Test::Sync::Logins;

my $t = Test::Sync->new(workers => 1);

$t->write('master.key', $t->canary('c4n4ry-master-secret-0123456789'));
$t->canary('c4n4ry-');

my @erps = qw(sap tryton odoo b1);

for my $erp (@erps) {
    $t->peer($erp => Test::Sync::Logins->can($erp)->());
}

$t->peer(copy => sub { '' });

sub tenant {
    my ($name, $erp, %connector) = @_;

    $t->write("secrets/t_$name/user", 'sync');
    $t->write("secrets/t_$name/password", $Test::Sync::Logins::PASSWORD);

    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.example"] },
        connectors => { $erp => { upstream => $erp,
                                  Test::Sync::Logins::connector($erp),
                                  %connector } },
        routes => [ { entity => 'sales_order', to => $erp } ],
    });
}

tenant($_, $_) for @erps;
tenant("sap$_", 'sap') for 2 .. 12;
tenant('tryton2', 'tryton');
tenant('odoo2', 'odoo');
tenant('b2', 'b1');
tenant('short', 'b1', session => {
    %{ { Test::Sync::Logins::connector('b1') }->{session} },
    max_age => '400ms' });
tenant('key', 'sap', headers => { request => ['X-Extra'] },
       idempotency => { send => 'header:RequestID', as => 'uuid-hex' });

$t->http(<<'CONF');
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_secrets %%TESTDIR%%/secrets;

    upstream sap    { server %%PEER_sap%%;    keepalive 8; }
    upstream tryton { server %%PEER_tryton%%; keepalive 8; }
    upstream odoo   { server %%PEER_odoo%%;   keepalive 8; }
    upstream b1     { server %%PEER_b1%%;     keepalive 8; }

    log_format seen '$sync_tenant_name|$uri|$status|$upstream_status|'
                    '$sync_upstream_method $sync_upstream_uri|$sync_verdict|'
                    '$sync_idempotency_status';
    access_log %%TESTDIR%%/seen.log seen;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% http2;

        sync_tenant host;

        client_body_buffer_size 8k;

        proxy_http_version 1.1;
        proxy_ignore_client_abort on;
        proxy_method       $sync_upstream_method;
        proxy_set_header   Connection "";
        proxy_set_header   Host $sync_upstream_host;
        proxy_set_header   Authorization $sync_upstream_authorization;
        proxy_set_header   Cookie $sync_upstream_cookie;
        proxy_hide_header  Set-Cookie;

        location /v1/orders {
            sync_entity      sales_order at=/v1/orders;
            sync_idempotency on scope=none;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }
        location /free/orders {
            sync_entity      sales_order at=/free/orders;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }
        location /left/orders {
            sync_entity      sales_order at=/left/orders;
            proxy_ignore_client_abort off;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }
        location /mirror/orders {
            sync_entity      sales_order at=/mirror/orders;
            mirror           /copy;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }
        location = /copy { internal; proxy_method POST;
                           proxy_set_header Cookie ""; proxy_pass http://%%PEER_copy%%; }
        location /cut/orders {
            sync_entity      sales_order at=/cut/orders;
            sync_idempotency on scope=none;
            sync_deadline    300ms;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }
        location /page/orders {
            sync_entity      sales_order at=/page/orders;
            error_page       502 503 504 /words;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }
        location = /words { internal; return 200 "the user's words"; }
        location = /status { sync_status; }
    }
CONF

$t->start;

my ($res, @seen, $n);
my $body = '{"order_number":"4711"}';

sub order {
    my ($tenant, $key, %opt) = @_;

    return $t->request('POST', ($opt{at} // '/v1') . '/orders',
                       body => $opt{body} // $body,
                       headers => [ Host => "$tenant.example",
                                    (defined $key
                                     ? ('Idempotency-Key' => $key) : ()),
                                    @{ $opt{headers} || [] } ],
                       map { $_ => $opt{$_} } grep { defined $opt{$_} }
                           qw(chunked packets timeout));
}

# a tenant that nobody has asked for anything; it says so with a 405

sub appears {
    my ($name) = @_;

    tenant($name, 'sap');

    ok($t->wait_for(sub {
        return $t->request('PUT', '/free/orders', headers => [
            Host => "$name.example" ])->{status} == 405;
    }), "a new tenant, $name");
}

# what a peer was asked since the last time, as "METHOD uri"

my %before;

sub asked {
    my ($erp) = @_;

    my @all = $t->ledger($erp);

    @seen = @all[ ($before{$erp} // 0) .. $#all ];
    $before{$erp} = @all;

    return join ', ', map { "$_->{method} $_->{uri}" } @seen;
}

# the four of them: login and order, order, renewal, and one who always refuses

my %how = (
    sap    => [ 'GET /sap/opu/', 'POST /sap/opu/A_SalesOrder', 201, 403 ],
    tryton => [ 'POST /db/', 'POST /db/', 200, 401 ],
    odoo   => [ 'POST /web/session/authenticate', 'POST /jsonrpc', 200, 200 ],
    b1     => [ 'POST /b1s/v1/Login', 'POST /b1s/v1/Orders', 201, 401 ],
);

for my $erp (@erps) {
    my ($login, $do, $status, $refusal) = @{ $how{$erp} };

    $res = order($erp, "$erp-1");
    is($res->{status}, $status, "$erp: an order");
    is($res->json->{id}, '1', "$erp: is booked");
    is(asked($erp), "$login, $do", "$erp: after a login");
    unlike($res->{head}, qr/Set-Cookie|CSRF|c4n4ry/i, "$erp: unseen");
    is($res->{h}{'idempotency-status'}, 'executed', "$erp: recorded");
    is($seen[1]{body}, $body, "$erp: the order is the client's");

    $res = order($erp, "$erp-2");
    is($res->json->{id}, '2', "$erp: another one");
    is(asked($erp), $do, "$erp: in the same session");

    $t->tell($erp, { over => 1 });
    $res = order($erp, "$erp-3");
    is($res->{status}, $status, "$erp: the session is over");
    is($res->json->{id}, '3', "$erp: it is booked all the same");
    is(asked($erp), "$do, $login, $do", "$erp: after a new login, once");
    is($seen[2]{body}, $body, "$erp: the same order");
    is($res->{h}{'idempotency-status'}, 'executed', "$erp: recorded");

    $res = order($erp, "$erp-3");
    is($res->{h}{'idempotent-replayed'}, 'true', "$erp: and replayed");
    is(asked($erp), '', "$erp: without the target");

    $t->tell($erp, { over => 1, stuck => 1 });
    $res = order($erp, "$erp-4");
    is($res->{status}, $refusal, "$erp: always refused");
    is(asked($erp), "$do, $login, $do", "$erp: two sends, then it goes out");
    unlike($res->{head}, qr/Set-Cookie/i, "$erp: without cookies");

    $t->tell($erp, { over => 1 });
    next if $erp eq 'odoo';

    is($res->{h}{'idempotency-status'}, 'released', "$erp: the key is free");
    $res = order($erp, "$erp-4");
    is($res->json->{id}, '4', "$erp: for the next one");
    asked($erp);
}

like($t->read('seen.log'), qr{^sap\|/v1/orders\|201\|200[ ]:[ ]201\|POST
                              [ ]/sap/opu/A_SalesOrder\|pass\|executed$}mx,
     'the log tells the request, and each exchange');

# a connection that was kept, and is closed instead of an answer to a login

$t->tell('sap', { over => 3, drop => 1 });
$res = order('sap', 'sap-5');
is($res->{status}, 201, 'a login may be asked for twice');
is(asked('sap'), join(', ', 'POST /sap/opu/A_SalesOrder',
                      ('GET /sap/opu/') x 2, 'POST /sap/opu/A_SalesOrder'),
   'over another connection');
$t->tell('sap', { over => 1 });

# what a login is made of, and what goes along

$t->tell('sap', {});
$res = order('key', 'k1', headers => [ 'X-Extra' => 'mine', Cookie => 'a=b',
                                       'If-Match' => '"1"',
                                       Accept => 'application/json' ]);
is($res->{status}, 201, 'a login');
is(asked('sap'), 'GET /sap/opu/, POST /sap/opu/A_SalesOrder', 'first');
is($seen[0]{body}, '', 'the login has no body');
ok(!defined $seen[0]{h}{$_}, "nor $_")
    for qw(content-length content-type transfer-encoding x-extra requestid
           if-match cookie idempotency-key);
like($seen[0]{h}{authorization}, qr/^Basic /, 'but credentials');
is($seen[0]{h}{'x-csrf-token'}, 'Fetch', 'headers of its own');
is($seen[0]{h}{'x-correlation-id'}, $seen[1]{h}{'x-correlation-id'},
   'the correlation');
is($seen[1]{h}{'x-extra'}, 'mine', 'the order has its headers');
like($seen[1]{h}{requestid}, qr/^[0-9a-f]{32}$/, 'and its key');
unlike($seen[1]{h}{cookie}, qr/a=b|old/, 'and cookies of the target alone');
is(scalar(grep { lc $_->[0] eq 'x-csrf-token' } @{ $seen[1]{headers} }), 1,
   'and one token');
is($seen[0]{conn}, $seen[1]{conn}, 'over the same connection');

order('tryton2', undef, at => '/free');
is(asked('tryton'), 'POST /db/, POST /db/', 'a login with a body');
is($seen[0]{h}{'content-type'}, 'application/json', 'has its type');
is($seen[0]{h}{'content-length'}, length $seen[0]{body}, 'and length');
ok(!defined $seen[0]{h}{authorization}, 'and no header of an older one');

$res = $t->request('GET', '/free/orders/7', headers => [
    Host => 'sap2.example' ]);
is($res->{status}, 200, 'a read');
is(asked('sap'), q{GET /sap/opu/, GET /sap/opu/A_SalesOrder('7')},
   'has a session as well');

# requests in other shapes

my $big = '{"a":"' . 'b' x 200_000 . '"}';

for ([ sap3 => 'a body in a file', body => $big ],
     [ sap4 => 'chunked', body => $big, chunked => 1 ],
     [ sap5 => 'in packets', body => $big, packets => 5 ])
{
    my ($tenant, $name, %opt) = @$_;

    $res = order($tenant, "s-$tenant", %opt);
    is($res->{status}, 201, "$name: booked");
    asked('sap');
    is($seen[1]{body}, $big, "$name: whole, after the login");
}

$res = $t->h2('POST', '/v1/orders', port => 1, body => $big, headers => [
    Host => 'sap6.example', 'Idempotency-Key' => 'h2' ]);
is($res->{status}, 201, 'HTTP/2');
asked('sap');
is($seen[1]{body}, $big, 'HTTP/2: whole, after the login');

is(order('sap6', undef, at => '/mirror')->{status}, 201, 'a mirror');
is(order('sap7', undef, at => '/mirror')->{status}, 201, 'with a login');
ok($t->wait_for(sub { $t->ledger('copy') == 2 }), 'has two copies');
is(scalar(grep { $_->{body} eq $body && !$_->{h}{cookie} }
          $t->ledger('copy')), 2, 'of the requests, not of the login');
asked('sap');

# one login for all who come

$t->tell('sap', { delay => 0.3 });

my @all = $t->parallel(map { [ 'POST', '/v1/orders', body => $body,
    headers => [ Host => 'sap8.example', 'Idempotency-Key' => "p$_" ] ] }
    1 .. 100);
is(scalar(grep { $_->{status} == 201 } @all), 100, '100 at a time');
$n = () = asked('sap') =~ /GET/g;
is($n, 1, 'one login');
is(scalar @seen, 101, 'and each order once');

$t->tell('sap', { delay => 0.3, over => 100 });
@all = $t->parallel(map { [ 'POST', '/v1/orders', body => $body,
    headers => [ Host => 'sap8.example', 'Idempotency-Key' => "q$_" ] ] }
    1 .. 30);
is(scalar(grep { $_->{status} == 403 } @all), 30,
   'one that does not serve any more');
$n = () = asked('sap') =~ /GET/g;
cmp_ok($n, '>=', 1, 'is renewed');
cmp_ok($n, '<=', 2, 'by one of them for all');

$t->tell('sap', {});
# logins that fail

$t->tell('sap', { login => 500 });
$res = order('sap9', 'f1');
is($res->{status}, 503, '500: no login');
is($res->json->{type}, 'urn:sync:problem:session-failed', 'says why');
is($res->{h}{'retry-after'}, 1, 'and when to come back');
is($res->{h}{'idempotency-status'}, 'not-sent', 'the key is free');
unlike($res->{head} . $res->{body}, qr/c4n4ry|no login/, 'nothing of it');
is(asked('sap'), 'GET /sap/opu/', 'one login was tried');
is(order('sap9', 'f1')->{status}, 503, 'and no other');
is(asked('sap'), '', 'for a while');

$t->tell('sap', {});
ok($t->wait_for(sub { order('sap9', 'f1')->{status} == 201 }),
   'then it is tried again');
is(asked('sap'), 'GET /sap/opu/, POST /sap/opu/A_SalesOrder', 'once');

for ([ tryton2 => 'tryton', 'POST /db/' ],
     [ odoo2 => 'odoo', 'POST /web/session/authenticate' ],
     [ b2 => 'b1', 'POST /b1s/v1/Login' ],
     [ sap10 => 'sap', 'GET /sap/opu/' ])
{
    my ($tenant, $erp, $login) = @$_;

    $t->write("secrets/t_$tenant/password", 'wrong');
    asked($erp);

    ok($t->wait_for(sub {
        asked($erp);
        $res = order($tenant, undef, at => '/free');
        return $res->{status} == 503;
    }), "$erp: a wrong password");

    cmp_ok($res->{h}{'retry-after'}, '>=', 4, "$erp: not so soon again");
    @all = $t->parallel(map { [ 'POST', '/v1/orders', body => $body,
        headers => [ Host => "$tenant.example" ] ] } 1 .. 20);
    is(scalar(grep { $_->{status} == 503 } @all), 20, "$erp: for nobody");
    $n = () = asked($erp) =~ /\Q$login\E/g;
    is($n, 1, "$erp: an account is not locked");

    $t->write("secrets/t_$tenant/password", $Test::Sync::Logins::PASSWORD);
    ok($t->wait_for(sub {
        return order($tenant, undef, at => '/free')->{status} =~ /^20/;
    }), "$erp: the right one is tried at once");
    asked($erp);
}

$t->log_like(qr/\[error\].*session:[ ]the[ ]login[ ]at[ ]connector[ ]"b1"
               [ ]of[ ]tenant[ ]"b2"[ ]failed[ ]with[ ]401/x, 'the operator is told');

# the table of docs/failure-modes.md: each row

my %login = (
    'finds nobody' => [ sub { $t->peer_stop('sap') },
                        sub { $t->peer_start('sap') } ],
    'does not end in time' => [ sub { $t->tell('sap', { never => 1 }) } ],
    'is answered 500' => [ sub { $t->tell('sap', { login => 500 }) } ],
    'is refused with 401' => [ sub { $t->tell('sap', { login => 401 }) } ],
    'gives nothing that is taken' =>
        [ sub { $t->tell('sap', { login => 200 }) } ],
    'works, and the request is refused again' =>
        [ sub { $t->tell('sap', { stuck => 1 }) } ],
);

open my $table, '<', 'docs/failure-modes.md' or die "the document: $!";

my ($on, %row);

while (<$table>) {
    $on = /^## At a login/ if /^## /;
    next if !$on || !/^\| (?!the login|-)/;

    s/^\| | \|$|`//g;
    chomp;

    my ($login, $answer, $key, $pause) = split / \| /;
    my $how = delete $login{$login};

    ok($how, "a login that $login: a test") or next;

    my $tenant = 'row' . ++$row{n};

    appears($tenant);
    $how->[0]->();

    $res = order($tenant, "row-$row{n}", at => '/cut');

    my ($status) = $answer =~ /(\d+)/;
    my ($name) = $answer =~ /([a-z]+-[a-z]+)/;

    is($res->{status}, $status, "$login: $answer");
    like($res->{body}, qr/"urn:sync:problem:$name"/, "$login: $name")
        if $name;
    is($res->{h}{'idempotency-status'}, $key, "$login: the key");
    is($res->{h}{'retry-after'}, $pause =~ /^(\d+) s/ ? $1 : undef,
       "$login: $pause");

    $how->[1]->() if $how->[1];
    $t->tell('sap', {});

    $res = order($tenant, "row-$row{n}");
    is($res->{status}, $pause =~ /^none/ ? 201 : 503,
       "$login: the next request");
}

is(join(' ', keys %login), '', 'and no test without its row');
asked('sap');

# and all who wait for a login that fails

appears('crowd');
$t->tell('sap', { login => 500, delay => 0.3 });
asked('sap');
my $began = time;
@all = $t->parallel(map { [ 'POST', '/v1/orders', body => $body,
    headers => [ Host => 'crowd.example' ] ] } 1 .. 10);
is(scalar(grep { $_->{status} == 503 } @all), 10, 'ten at a time');
cmp_ok(time - $began, '<', 5, 'are told at once');
is(asked('sap'), 'GET /sap/opu/', 'after one login');
$t->tell('sap', {});

# nobody there, nobody who answers, and deadlines

$t->peer_stop('sap');
$res = order('sap11', 'n1');
is($res->{status}, 503, 'nobody there');
is($res->{h}{'idempotency-status'}, 'not-sent', 'the key is free');
is(order('sap11', undef, at => '/page')->{body}, "the user's words",
   'error_page wins');
sleep 1;
is(order('sap11', undef, at => '/page')->{body}, "the user's words",
   'also over who logs in');
$t->peer_start('sap');

$t->tell('sap', { never => 1 });
ok($t->wait_for(sub { order('sap11', 'n2', at => '/cut')->{status} == 504 }),
   'a login that does not end: the deadline');
$res = order('sap11', 'n2', at => '/cut');
is($res->{status}, 504, 'each has its own');
is($res->json->{type}, 'urn:sync:problem:deadline-exceeded', 'and says so');
like($res->{h}{'idempotency-status'}, qr/^(?:not-sent|released)$/,
     'the key is free');

$began = time;
@all = $t->parallel(map { [ 'POST', '/cut/orders', body => $body,
    headers => [ Host => 'sap11.example' ] ] } 1 .. 10);
is(scalar(grep { $_->{status} == 504 } @all), 10, 'also of those that wait');
cmp_ok(time - $began, '<', 3, 'in time');

$t->tell('sap', {});
is(order('sap11', 'n2', at => '/cut')->{status}, 201, 'and then it works');
asked('sap');

# clients that leave

$t->tell('sap', { delay => 0.4 });
$t->abort('POST', '/v1/orders', body => $body, after => 0.1, headers => [
    Host => 'sap12.example', 'Idempotency-Key' => 'left' ]);
ok($t->wait_for(sub { ($t->ledger('sap'))[-1]{method} eq 'POST' }),
   'who logs in leaves: it is booked');
is(order('sap12', 'left')->{h}{'idempotent-replayed'}, 'true', 'once');
is(asked('sap'), 'GET /sap/opu/, POST /sap/opu/A_SalesOrder', 'in all');

appears('leader');

my $pid = fork() // die;

if (!$pid) {
    $t->abort('POST', '/left/orders', body => $body, after => 0.15,
              headers => [ Host => 'leader.example' ]);
    POSIX::_exit(0);
}

select undef, undef, undef, 0.05;
$res = order('leader', 'follow');
is($res->{status}, 201, 'who logs in leaves, where that ends it: another one does');
waitpid $pid, 0;
$n = () = asked('sap') =~ /GET/g;
is($n, 2, 'logins');
is(scalar(grep { $_->{method} eq 'POST' } @seen), 1, 'one order');

$t->storm(n => 60, at_once => 20, within => 0.6, request => sub {
    return ('POST', $_[0] % 2 ? '/left/orders' : '/v1/orders', body => $body,
            headers => [ Host => 'leader.example', 'Idempotency-Key' =>
                         "storm-$_[0]" ]);
});
is(order('leader', 'after')->{status}, 201, 'after a storm');

# time, reload, workers

$t->tell('b1', {});
order('short', undef);
asked('b1');
order('short', undef);
is(asked('b1'), 'POST /b1s/v1/Orders', 'young enough');
select undef, undef, undef, 0.5;
order('short', undef);
is(asked('b1'), 'POST /b1s/v1/Login, POST /b1s/v1/Orders', 'too old');

$t->tell('sap', { delay => 0.5 });
appears('reload');
asked('sap');

$pid = fork() // die;

if (!$pid) {
    my $r = order('reload', 'reload');
    POSIX::_exit($r->{status} == 201 ? 0 : 1);
}

select undef, undef, undef, 0.2;
$t->{workers} = 2;
$t->{conf} =~ s/worker_processes  1/worker_processes  2/;
ok($t->reload, 'reload while somebody logs in');
waitpid $pid, 0;
is($?, 0, 'and is served');

$t->tell('sap', {});
asked('sap');
@all = $t->parallel(map { [ 'POST', '/v1/orders', body => $body,
    headers => [ Host => 'sap8.example', 'Idempotency-Key' => "x$_" ] ] }
    1 .. 60);
is(scalar(grep { $_->{status} == 201 } @all), 60, 'two workers');
$n = () = asked('sap') =~ /GET/g;
ok($n >= 1 && $n <= 2, "a login for each: $n");

# a connector by URL: the login goes to its addresses, by its TLS name

my $u = Test::Sync->new;

my $sap = Test::Sync::Logins::sap();
my $port = $u->peer(erp => sub { $sap->(@_) }, https => [ 'erp.test' ]);
my $dns = Test::Sync::Dns->start('erp.test' => ['127.0.0.1']);
my $url = Test::Sync::Erp->new($u, $dns, egress => "erp.test:$port",
                               peers => 'keepalive=4');

my %sap = Test::Sync::Logins::connector('sap');

for my $secret (qw(user password)) {
    $u->write("secrets/t_acme/sap-$secret", $secret eq 'user'
              ? 'sync' : $Test::Sync::Logins::PASSWORD);
}

$url->tenant('acme', "https://erp.test:$port/sap/opu",
             session => $sap{session}, entities => $sap{entities},
             credentials => { basic => { user => 'secret:sap-user',
                                         password => 'secret:sap-password' }
             });
$url->conf(<<'CONF');
            sync_idempotency on scope=none;
            proxy_hide_header Set-Cookie;
            proxy_set_header  Connection "";
            proxy_set_header  Host $sync_upstream_host;
            proxy_set_header  Authorization $sync_upstream_authorization;
            proxy_set_header  Cookie $sync_upstream_cookie;
            proxy_pass        https://$sync_upstream$sync_upstream_uri;
CONF
$u->start;

for my $i (1, 2) {
    is($url->create('acme', 'Idempotency-Key' => "url-$i")->{status}, 201,
       "by URL: order $i");
}

is(join(', ', map { $_->{method} } $u->ledger('erp')), 'GET, POST, POST',
   'by URL: one login');

$u->tell('erp', { over => 1 });
is($url->create('acme', 'Idempotency-Key' => 'url-3')->{status}, 201,
   'by URL: a session that is over');
is(join(', ', map { $_->{method} } $u->ledger('erp')),
   'GET, POST, POST, POST, GET, POST', 'by URL: a new login');
is(($u->ledger('erp'))[-1]{conn}, 1, 'by URL: over one connection');

$u->done;

my $m = $t->metrics('/status');
cmp_ok($m->{'sync_sent_again_total{step="session_expired"}'} // 0, '>=', 8,
       'renewals are counted');

$t->done;
