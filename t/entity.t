#!/usr/bin/perl

# sync_entity: operations by method and path, ids as they were sent, the
# partner's contract, what nginx -t refuses.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new;

$t->peer(erp => sub {
    my ($req) = @_;
    return [ 200, { 'X-Seen' => "$req->{method} $req->{uri}" }, 'x' ];
});

$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.example'] },
    clients => {
        full => { api_keys => ['secret:full'], entities =>
                  { sales_order => [qw(create read replace update delete
                                       list)] } },
        read => { api_keys => ['secret:read'], entities =>
                  { sales_order => ['read'] } },
    },
    connectors => { erp => { upstream => 'erp',
        headers => { response => ['X-Seen'] }, entities => { sales_order => {
        create => 'POST /o', read => 'GET /o/{id}', replace => 'PUT /o/{id}',
        update => 'PATCH /o/{id}', delete => 'DELETE /o/{id}',
        list => 'GET /o' } } } },
    routes => [ { entity => 'sales_order', to => 'erp' } ],
});

$t->write('secrets/t_acme/full', "key-of-full-0123456789\n");
$t->write('secrets/t_acme/read', "key-of-read-0123456789\n");

$t->http(<<'CONF');
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp { server %%PEER_erp%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;

        proxy_http_version 1.1;
        proxy_set_header   Connection "";
        proxy_method       $sync_upstream_method;
        proxy_ignore_client_abort on;

        add_header X-Entity    "$sync_entity/$sync_operation" always;
        add_header X-Object-Id $sync_object_id always;

        location /v1/orders {
            sync_entity sales_order at=/v1/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /keyed/orders {
            sync_auth   api_key;
            sync_entity sales_order at=/keyed/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /t/ {
            sync_tenant path=/t/;
            sync_entity sales_order at=/t/*/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /hook {
            sync_entity sales_order operation=create;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /by-name {
            sync_entity sales_order operation=$arg_op;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /old/ {
            rewrite ^/old/(.*)$ /v1/orders/$1 last;
        }

        location /outer {
            sync_entity sales_order at=/outer;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;

            location /outer/off {
                sync_entity off;
                proxy_method GET;
                proxy_pass  http://%%PEER_erp%%;
            }
        }
    }
CONF

$t->start;

sub ask {
    my ($method, $uri, @headers) = @_;

    my @body = $method =~ /^P/ ? (body => '{"a":1}') : ();

    return $t->request($method, $uri, host => 'acme.example', @body,
                       headers => [ Host => 'acme.example',
                                    ('Content-Type' => 'application/json')
                                        x !!@body, @headers ]);
}

# method and id give the operation

for ([ 'POST',   '',   'create',  'POST /o' ],
     [ 'GET',    '',   'list',    'GET /o' ],
     [ 'HEAD',   '',   'list',    'GET /o' ],
     [ 'GET',    '/7', 'read',    'GET /o/7' ],
     [ 'HEAD',   '/7', 'read',    'GET /o/7' ],
     [ 'PUT',    '/7', 'replace', 'PUT /o/7' ],
     [ 'PATCH',  '/7', 'update',  'PATCH /o/7' ],
     [ 'DELETE', '/7', 'delete',  'DELETE /o/7' ])
{
    my ($method, $path, $op, $seen) = @$_;
    my $r = ask($method, "/v1/orders$path");

    is($r->{status}, 200, "$method $path");
    is($r->header('X-Entity'), "sales_order/$op", "is $op");
    is($r->header('X-Seen'), $seen, "and arrives as $seen");
}

# others are 405

for ([ 'PUT', '', 'GET, HEAD, POST' ], [ 'DELETE', '', 'GET, HEAD, POST' ],
     [ 'PATCH', '', 'GET, HEAD, POST' ],
     [ 'POST', '/7', 'GET, HEAD, PUT, PATCH, DELETE' ],
     [ 'OPTIONS', '', 'GET, HEAD, POST' ],
     [ 'MKCOL', '/7', 'GET, HEAD, PUT, PATCH, DELETE' ])
{
    my ($method, $path, $allow) = @$_;
    my $r = ask($method, "/v1/orders$path");

    is($r->{status}, 405, "$method $path is 405");
    is($r->header('Allow'), $allow, 'and says what is allowed');
}

is(ask('PUT', '/v1/orders')->json->{type},
   'urn:sync:problem:method-not-allowed', 'as a problem');

# ids

for ([ '4711', '4711' ], [ 'a%2Fb', 'a/b', 'GET /o/a%2Fb' ],
     [ 'a%20b', 'a b', 'GET /o/a%20b' ], [ '%C3%A4', "\xc3\xa4" ],
     [ 'a%252Fb', 'a%2Fb', 'GET /o/a%252Fb' ], [ '...', '...' ],
     [ '~x', '~x' ], [ 'a+b', 'a+b' ],
     [ 'a%2F%2Fb', 'a//b', 'GET /o/a%2F%2Fb' ],
     [ '%34711', '4711', 'GET /o/4711' ])
{
    my ($sent, $id, $seen) = @$_;
    my $r = ask('GET', "/v1/orders/$sent");

    is($r->{status}, 200, "id $sent");
    is($r->header('X-Object-Id'), $id, 'unescaped once');
    is($r->header('X-Seen'), $seen, 'and escaped again') if $seen;
}

for ('', '%2E', '%2e%2E', 'x' x 1025) {
    my $r = ask('GET', "/v1/orders/$_");
    ok($r->{status} == 400 || $r->{status} == 404,
       'refused: "' . substr($_, 0, 10) . '"');
    is($r->header('X-Seen'), undef, 'and nothing is sent');
}

is(ask('GET', '/v1/orders/')->json->{type},
   'urn:sync:problem:invalid-object-id', 'an empty id');

is(ask('GET', $_)->{status}, 404, "no such path: $_")
    for '/v1/orders/7/items', '/v1/ordersx', '/v1/orders/7/';

is(ask('GET', '/v1/orders/../orders/8')->header('X-Seen'), 'GET /o/8',
   'dots in the path are resolved first');
is(ask('GET', '//v1/orders/8')->header('X-Object-Id'), '8',
   'and slashes merged');
is(ask('GET', '/old/9')->header('X-Object-Id'), '9', 'after a rewrite');

# other ways to name it

is(ask('GET', '/t/acme/orders/5')->header('X-Object-Id'), '5',
   'behind the tenant in the path');
is(ask('GET', '/t/acme/other/5')->{status}, 404, 'another path');
is(ask('POST', '/hook')->header('X-Entity'), 'sales_order/create',
   'operation=create');
is(ask('PUT', '/hook')->header('X-Entity'), 'sales_order/create',
   'whatever the method');
is(ask('GET', '/by-name?op=nothing')->{status}, 400,
   'a variable that is no operation');
is(ask('GET', '/by-name?op=find')->{status}, 400, 'probing is not for clients');
is(ask('GET', '/outer/off/x')->header('X-Entity'), '/', 'switched off');
is(ask('GET', '/outer/x')->header('X-Object-Id'), 'x', 'beside it on');

# the partner's contract

my $full = 'key-of-full-0123456789';
my $read = 'key-of-read-0123456789';

is(ask('GET', '/keyed/orders/7', 'X-API-Key' => $read)->{status}, 200,
   'granted');
my $r = ask('POST', '/keyed/orders', 'X-API-Key' => $read);
is($r->{status}, 403, 'not granted');
is($r->json->{type}, 'urn:sync:problem:not-allowed', 'as a problem');
like($r->json->{detail}, qr/"create" of "sales_order"/, 'that says what');
is(ask('GET', '/keyed/orders', 'X-API-Key' => $read)->{status}, 403,
   'a list is not a read');
is(ask('POST', '/keyed/orders', 'X-API-Key' => $full)->{status}, 200,
   'granted to the other client');

# load

my $head = 'sync_tenants ' . $t->path('tenants') . '; '
           . 'upstream erp { server 127.0.0.1:1; } '
           . 'server { listen 127.0.0.1:%%PORT_1%%; sync_tenant host; '
           . 'proxy_http_version 1.1; proxy_ignore_client_abort on; '
           . 'proxy_set_header Connection ""; ';
my $pass = 'proxy_pass http://$sync_upstream$sync_upstream_uri;';

$t->refused("$head location /o { $_->[0] } }", $_->[1], $_->[2]) for
    [ "sync_entity sales_ordr at=/o; $pass",
      qr/unknown entity "sales_ordr"; known are account, .*sales_order/,
      'an unknown entity' ],
    [ "sync_entity sales_order; $pass", qr/needs "at=PREFIX"/, 'no path' ],
    [ "sync_entity sales_order at=o; $pass", qr/as "at=\/v1\/orders" is/,
      'no slash' ],
    [ "sync_entity sales_order at=/o/; $pass", qr/none at its end/,
      'one too many' ],
    [ "sync_entity sales_order at=/o*; $pass", qr/a whole segment/,
      'half a segment' ],
    [ "sync_entity sales_order operation=make; $pass",
      qr/unknown operation "make"; known are create, read/,
      'an unknown operation' ],
    [ "sync_entity sales_order operation=read; $pass", qr/needs an object's id/,
      'a read without an id' ],
    [ "sync_entity sales_order on=/o; $pass", qr/unknown parameter "on=\/o"/,
      'an unknown parameter' ],
    [ "sync_entity off at=/o; $pass", qr/takes no parameters/,
      'off, and more' ],
    [ "sync_entity sales_order at=/o; sync_entity off; $pass",
      qr/is duplicate/, 'twice' ],
    [ "sync_tenant off; sync_entity sales_order at=/o; $pass",
      qr{sync_entity needs sync_tenant.*, in location "/o", .*check\.conf:\d+},
      'without a tenant' ],
    [ "sync_entity sales_order at=/o; proxy_pass http://erp;",
      qr{a fixed proxy_pass does, too; write .*, in location "/o"},
      'a fixed proxy_pass' ],
    [ "sync_entity sales_order at=/o; proxy_pass http://erp/fixed/;",
      qr{a fixed proxy_pass}, 'a fixed one with a path' ];

$t->accepted("$head location /o { sync_entity sales_order at=/o; $pass } "
             . 'location / { proxy_pass http://erp; } }',
             'a fixed one where no entity is');

# a path that is not the location's

for ([ '/o', '/o', 0 ], [ '/o/', '/o', 0 ], [ '/o', '/o/deep', 0 ],
     [ '/o', '/p', 1 ], [ '~ ^/p', '/o', 0 ])
{
    my ($location, $at, $warned) = @$_;
    my ($code, $out) = $t->check("$head location $location { "
                                 . "sync_entity sales_order at=$at; $pass } }");

    is($code, 0, "location $location, at=$at");
    is($out =~ m{\[warn\].*no object below "at=$at".*location "$location"}
       ? 1 : 0, $warned, $warned ? 'a warning' : 'no warning');
}

# a document's words that would not be sent

my $sent = 'proxy_method $sync_upstream_method; '
           . join ' ', map { "proxy_set_header $_;" }
             'Host $sync_upstream_host', 'Cookie $sync_upstream_cookie',
             'Authorization $sync_upstream_authorization';

sub told {
    my ($server, $location) = @_;

    my ($code, $out) = $t->check("$head $server location /o { "
        . "sync_entity sales_order at=/o; $location $pass } }");

    my ($line) = $out =~ m{\[warn\].*\ documents\ say\ without
                           \ "([^"]+)".*\ "/o"}x;

    return "$code " . ($line // 'no');
}

is(told($sent, ''), '0 no', 'all that a document says is sent');
is(told('', ''), '0 proxy_method $sync_upstream_method', 'no method');
is(told($sent, 'proxy_method POST;'),
   '0 proxy_method $sync_upstream_method', 'a method of the location');
is(told($sent, 'proxy_set_header X-Env prod;'),
   '0 proxy_set_header Host $sync_upstream_host',
   'a header of the location: the others are not inherited');
is(told($sent =~ s/Host \S+;/Host x;/r, ''),
   '0 proxy_set_header Host $sync_upstream_host', 'another host');
is(told($sent =~ s/proxy_set_header Auth\S+ \S+;//r, ''),
   '0 proxy_set_header Authorization $sync_upstream_authorization',
   'no credentials');

$t->done;
