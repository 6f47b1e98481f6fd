#!/usr/bin/perl

# Internal redirects: what one location has judged is not what the next one
# asks, and what was counted is not counted twice.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new;

$t->write('master.key', $t->canary('c4n4ry-master-secret-0123456789'));

$t->peer($_ => sub {
    my ($req) = @_;

    return { never => 1 } if $req->{uri} =~ /never/;
    return [ 502, {}, 'bad' ] if $req->{uri} =~ /bad/;
    return [ 201, { 'Content-Type' => 'application/json' }, '{"ok":1}' ];
}) for qw(one two);

$t->peer(gone => sub { 'x' });
$t->peer_stop('gone');

my $may = { sales_order => [qw(create list)], invoice => ['create'] };

$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.example'] },
    clients => {
        full => { api_keys => ['secret:full'], entities => $may },
        read => { api_keys => ['secret:read'], entities =>
                  { sales_order => ['list'] } },
    },
    connectors => {
        dead => { upstream => 'gone', entities => { sales_order => {
            create => 'POST /orders', list => 'GET /orders' } },
            credentials => { basic => { user => 'secret:user',
                                        password => 'secret:password' } } },
        alive => { upstream => 'two', entities => {
            invoice => { create => 'POST /invoices' } } },
    },
    routes => [ { entity => 'sales_order', to => 'dead' },
                { entity => 'invoice', to => 'alive' } ],
});

$t->write('tenants/pre.json', {
    tenant => 'pre', id => 't_pre', ids => 'prefixed',
    match => { hosts => ['pre.example'] },
    connectors => {
        dead => { upstream => 'gone', entities => { sales_order => {
            read => 'GET /orders/{id}' } } },
    },
    routes => [ { entity => 'sales_order', to => 'dead' } ],
});

$t->write('secrets/t_acme/full', "key-of-full-0123456789\n");
$t->write('secrets/t_acme/read', "key-of-read-0123456789\n");
$t->write('secrets/t_acme/user', "user\n");
$t->write('secrets/t_acme/password', "password-0123456789\n");

$t->http(<<'CONF');
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_secrets %%TESTDIR%%/secrets;
    sync_secret  file:%%TESTDIR%%/master.key;

    upstream one  { server %%PEER_one%%; }
    upstream two  { server %%PEER_two%%; }
    upstream gone { server %%PEER_gone%%; }

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;
    proxy_read_timeout        200ms;
    client_body_buffer_size   64k;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;

        location /orders {
            sync_auth     api_key;
            sync_entity   sales_order operation=list;
            error_page    502 = @orders;
            proxy_pass    http://gone$request_uri;
            proxy_method  GET;
        }

        location @orders {
            sync_auth     api_key;
            sync_entity   sales_order operation=create;
            proxy_pass    http://one$request_uri;
        }

        location /failover {
            sync_auth     api_key;
            sync_entity   sales_order operation=create;
            error_page    502 = @invoices;
            proxy_method  $sync_upstream_method;
            proxy_set_header Authorization $sync_upstream_authorization;
            proxy_set_header Connection "";
            proxy_pass    http://$sync_upstream$sync_upstream_uri;
        }

        location @invoices {
            sync_auth     api_key;
            sync_entity   invoice operation=create;
            proxy_method  $sync_upstream_method;
            proxy_set_header Authorization $sync_upstream_authorization;
            proxy_set_header Connection "";
            proxy_pass    http://$sync_upstream$sync_upstream_uri;
        }

        location /prefixed {
            sync_entity   sales_order at=/prefixed;
            error_page    502 = @prefixed;
            proxy_method  $sync_upstream_method;
            proxy_pass    http://$sync_upstream$sync_upstream_uri;
        }

        location @prefixed {
            sync_entity   sales_order at=/prefixed;
            proxy_method  $sync_upstream_method;
            proxy_pass    http://two$sync_upstream_uri;
        }

        location /same/ {
            sync_auth     api_key;
            sync_entity   sales_order operation=create;
            error_page    403 /same/page;
            proxy_method  $sync_upstream_method;
            proxy_pass    http://one$request_uri;
        }

        location /words/ {
            sync_entity     sales_order operation=create;
            sync_normalize  on;
            error_page      422 /words/page;
            proxy_intercept_errors off;
            proxy_method    $sync_upstream_method;
            proxy_pass      http://one$request_uri;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;

        sync_limit all rate=1/h burst=3 key=$http_k;

        location /a {
            error_page 502 = @b;
            proxy_pass http://gone;
        }

        location @b {
            sync_limit all rate=1/h burst=3 key=$http_k;
            sync_limit own rate=1/h burst=1 key=$http_k;
            proxy_pass http://one;
        }

        location /client {
            sync_limit c1 rate=1/h burst=9 key=$http_k stage=client;
            error_page 502 = @client;
            proxy_pass http://gone;
        }

        location @client {
            sync_limit c2 rate=1/h burst=1 key=$http_k stage=client;
            proxy_pass http://one;
        }

        location /shown {
            error_page 429 /page;
            proxy_pass http://one;
        }

        location /page { proxy_pass http://one; }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;

        location /first {
            sync_idempotency required scope=none;
            error_page 502 = @second;
            proxy_pass http://gone;
        }

        location @second {
            sync_idempotency required scope=none name=second;
            proxy_pass http://one;
        }

        location /never {
            sync_idempotency required scope=none name=one;
            error_page 504 = @never;
            proxy_pass http://one;
        }

        location @never {
            sync_idempotency required scope=none name=one;
            proxy_pass http://two;
        }
    }
CONF

$t->start;

my $json = 'application/json';

sub as {
    my ($who, $method, $uri, %opt) = @_;

    return $t->request($method, $uri, host => 'acme.example', %opt,
                       headers => [ Host => 'acme.example',
                                    'Content-Type' => $json,
                                    'X-API-Key' => "key-of-$who-0123456789" ]);
}

# entity: read is not create

my $n = $t->ledger('one');
my $res = as('read', GET => '/orders');

is($res->{status}, 403, 'who may list may not create');
is($t->ledger('one'), $n, 'and is not sent');
is(as('full', GET => '/orders')->{status}, 201, 'who may create may');

# the words of a second refusal

like($res->{h}{'content-type'}, qr{^application/problem\+json},
     'refused where an error_page led to: a problem');
like($res->{body}, qr/"status":403/, 'of the second location');

# route: another entity, another connector, and none of the first's credentials

$res = as('full', POST => '/failover', body => '{}');
is($res->{status}, 201, 'the next location has a route of its own');

my ($seen) = reverse $t->ledger('two');
is("$seen->{method} $seen->{uri}", 'POST /invoices', 'and a target');
ok(!$seen->{h}{authorization}, 'and no credentials of the first connector');

$res = $t->request('GET', '/prefixed/dead~4711', host => 'pre.example',
                   headers => [ Host => 'pre.example' ]);
is($res->{status}, 201, 'an id with a prefix, twice');
($seen) = reverse $t->ledger('two');
is($seen->{uri}, '/orders/4711', 'has lost it both times');

# refused, and led back to where it was refused

$n = $t->ledger('one');
$res = as('read', POST => '/same/a', body => '{}');
is($res->{status}, 403, 'entity: refused is not done');
is($t->ledger('one'), $n, 'nothing is sent');

$res = $t->request('POST', '/words/a', host => 'acme.example', body => '{}',
                   headers => [ Host => 'acme.example',
                                'Content-Type' => $json ]);
is($res->{status}, 422, 'normalize: refused is not done');
is($t->ledger('one'), $n, 'nothing is sent');
like($res->{h}{'content-type'}, qr{problem\+json}, 'a problem once more');

# limits

sub statuses {
    my ($times, $uri, $k) = @_;

    return join ' ', map {
        $t->request('GET', $uri, port => 1, headers => [ K => $k ])->{status}
    } 1 .. $times;
}

is(statuses(2, '/a', 'x'), '201 429', 'the limit of the next location counts');
is(statuses(3, '/a', 'x'), '429 429 429', 'the shared one does not twice')
    or diag('the third of three would have been the first too many');
is(statuses(2, '/client', 'y'), '201 429', 'at stage=client, too');
is(statuses(4, '/shown', 'z'), '201 201 201 429', 'a page for 429');
is($t->ledger('one') - grep({ $_->{uri} ne '/page' } $t->ledger('one')), 1,
   'is not refused by the limit that led to it');

# a claim

sub key {
    my ($uri, $key) = @_;

    my $r = $t->request('POST', $uri, port => 2, body => '{}',
                        headers => [ 'Content-Type' => $json,
                                     'Idempotency-Key' => $key ]);

    return "$r->{status} " . ($r->header('Idempotency-Status') // '');
}

$n = $t->ledger('one');
is(key('/first', 'k1'), '201 executed', 'the next location claims');
is(key('/first', 'k1'), '201 replayed', 'and replays');
is($t->ledger('one'), $n + 1, 'sent once');

$n = $t->ledger('two');
is(key('/never', 'k2'), '422 mismatch',
   'a key of one name is another request there');
is($t->ledger('two'), $n, 'and is not sent again');

$t->done;

# a deadline alone, where nothing else of ours stands

my $d = Test::Sync->new;

$d->peer(erp => sub { return { delay => 3, status => 200, body => 'late' } });
$d->server(<<'CONF');
    location /cut  { sync_deadline 200ms header=X-Left;
                     proxy_pass http://%%PEER_erp%%; }
    location /long { proxy_read_timeout 600ms;
                     proxy_pass http://%%PEER_erp%%; }
CONF
$d->start;

$res = $d->get('/cut');
is($res->{status}, 504, 'a deadline alone');
cmp_ok($res->{time}, '<', 0.55, 'cuts');
like($res->{body}, qr/urn:sync:problem:deadline-exceeded/, 'and says so');
($seen) = $d->ledger('erp');
cmp_ok($seen->{h}{'x-left'} // 0, '>', 100, 'what is left goes upstream');
is($d->get('/long')->{status}, 504, 'elsewhere NGINX does');
unlike($d->get('/long')->{h}{'content-type'}, qr{problem}, 'in its own words');

$d->done;
