#!/usr/bin/perl

# Routes and connectors: who is asked, in which words, with which headers,
# keys and credentials.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new;

for my $name (qw(s4 ns)) {
    $t->peer($name => sub {
        my ($req, $ctl) = @_;

        return { reset => 1, cut => 0 } if $ctl->{reset};

        my @location = defined $ctl->{location}
                       ? (Location => $ctl->{location}) : ();

        return [ 201, [ ETag => '"1"', 'Content-Type' => 'application/json',
                        'X-Kept' => 'k', 'X-Powered-By' => 'p',
                        'Set-Cookie' => 'a=b', 'WWW-Authenticate' => 'Basic',
                        'X-Accel-Redirect' => '/v1/orders',
                        'X-Sync-Outcome' => 'success', @location ],
                 '{"ok":true}' ];
    });
}

my $doc = {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.example'] },
    ids => 'prefixed',
    connectors => {
        s4 => { upstream => 's4_odata', host => 'my300.s4.example',
                path => '/sap/opu', format => 'odata-v2',
                headers => { request => ['X-Extra'],
                             response => ['X-Kept'] },
                credentials => { basic => { user => 'secret:s4-user',
                                            password => 'secret:s4-pass' } },
                idempotency => { send => 'header:RequestID',
                                 as => 'uuid-hex', on_unknown => 'resend' },
                entities => { sales_order => {
                    create => 'POST /A_SalesOrder',
                    read   => q{GET /A_SalesOrder('{id}')?$expand=to_Item},
                    update => { request => q{PATCH /A_SalesOrder('{id}')},
                                if_match => 'required' },
                    list   => 'GET /A_SalesOrder' } } },
        ns => { upstream => 'netsuite',
                credentials => { api_key => { header => 'X-NS-Key',
                                              value => 'secret:ns-key' } },
                idempotency => { send => 'path', on_unknown => 'resend' },
                entities => { sales_order => {
                    create  => 'PUT /salesOrder/eid:{idempotency_key}',
                    read    => 'GET /salesOrder/{id}',
                    replace => 'PUT /salesOrder/{/order_number}' } } },
    },
    routes => [
        { entity => 'sales_order',
          when => { '/ship_to/region' => ['eu', 'uk'] }, to => 's4' },
        { entity => 'sales_order', when => { '/ship_to/region' => 'us' },
          to => 'ns' },
    ],
};

$t->write('tenants/acme.json', $doc);

my $plain = { %$doc, tenant => 'plain', id => 't_plain', ids => 'plain',
              match => { hosts => ['plain.example'] },
              routes => [ @{ $doc->{routes} },
                          { entity => 'sales_order', to => 'ns' } ] };

$t->write('tenants/plain.json', $plain);
$t->write('tenants/bare.json',
          { %$plain, tenant => 'bare', id => 't_bare',
            match => { hosts => ['bare.example'] } });

$t->canary('c4n4ry-s4-password', 'c4n4ry-ns-key', 'c4n4ry-ns-second');

for my $id (qw(t_acme t_plain)) {
    $t->write("secrets/$id/s4-user", "sync\n");
    $t->write("secrets/$id/s4-pass", "c4n4ry-s4-password\n");
    $t->write("secrets/$id/ns-key", 'c4n4ry-ns-key');
}

$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->canary('c4n4ry-master-secret-0123456789');

$t->http(<<'CONF');
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_secrets %%TESTDIR%%/secrets;

    upstream s4_odata { server %%PEER_s4%%; }
    upstream netsuite { server %%PEER_ns%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;

        proxy_http_version 1.1;
        proxy_ignore_client_abort on;
        proxy_method       $sync_upstream_method;
        proxy_set_header   Connection "";
        proxy_ignore_headers X-Accel-Redirect;
        proxy_set_header   Host $sync_upstream_host;
        proxy_set_header   Authorization $sync_upstream_authorization;

        add_header X-Connector "$sync_connector $sync_upstream" always;

        location = /hook {
            sync_entity sales_order operation=create;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }
        location /v1/orders {
            sync_entity      sales_order at=/v1/orders;
            sync_idempotency on scope=$http_x_client;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }
    }
CONF

$t->start;

sub ask {
    my ($tenant, $method, $path, $body, @headers) = @_;

    return $t->request($method, "/v1/orders$path",
                       (defined $body ? (body => $body) : ()),
                       headers => [ Host => "$tenant.example",
                                    (defined $body
                                     ? ('Content-Type' => 'application/json')
                                     : ()), @headers ]);
}

sub last_of {
    my @seen = $t->ledger($_[0]);
    return $seen[-1] || {};
}

my $eu = '{"order_number":"1/2","ship_to":{"region":"eu"}}';
my $us = '{"order_number":"1/2","ship_to":{"region":"us"}}';

# the first route that matches

my $r = ask('acme', 'POST', '', $eu);
is($r->header('X-Connector'), 's4 s4_odata', 'a condition that holds');

my $seen = last_of('s4');
is($seen->{method} . ' ' . $seen->{uri}, 'POST /sap/opu/A_SalesOrder',
   'the path of the connector, then the template');
is($seen->{h}{host}, 'my300.s4.example', 'its host');
is($seen->{h}{authorization}, 'Basic c3luYzpjNG40cnktczQtcGFzc3dvcmQ=',
   'its credentials, without the line feeds of the files');
is($seen->{body}, $eu, 'the payload');
like($seen->{h}{requestid}, qr/^[0-9a-f]{12}8[0-9a-f]{3}[89ab][0-9a-f]{15}$/,
     'a key, even where the client gave none');

is(ask('acme', 'POST', '', '{"ship_to":{"region":"\u0065u"}}')
       ->header('X-Connector'), 's4 s4_odata', 'compared unescaped');

$r = ask('acme', 'POST', '', $us);
is($r->header('X-Connector'), 'ns netsuite', 'the second route');
$seen = last_of('ns');
is($seen->{method}, 'PUT', 'with its own method');
like($seen->{uri}, qr{^/salesOrder/eid:[0-9a-f-]{36}$}, 'and the key in path');
is($seen->{h}{'x-ns-key'}, 'c4n4ry-ns-key', 'an API key in its header');
is($seen->{h}{authorization}, undef, 'and no other credentials');

for my $body ('{"ship_to":{"region":"mars"}}', '{}', '[]', '{"ship_to":"eu"}') {
    $r = ask('acme', 'POST', '', $body);
    is($r->{status}, 422, "no route: $body");
}

is($r->json->{type}, 'urn:sync:problem:no-route', 'as a problem');
unlike($r->{body}, qr/mars/, 'without values');
is(ask('plain', 'POST', '', '{}')->header('X-Connector'), 'ns netsuite',
   'a route without conditions takes the rest');

# headers

my $before = $t->ledger('s4');

ask('acme', 'POST', '', $eu, 'X-Extra' => 'e', 'X-Other' => 'o',
    Cookie => 'c=1', 'X-API-Key' => 'k', 'X-HTTP-Method-Override' => 'DELETE',
    'X-Method-Override' => 'DELETE', 'X-Sync-Tenant' => 'other',
    Digest => 'd', 'Content-Digest' => 'd', Signature => 's',
    'Signature-Input' => 'i', 'Idempotency-Key' => '"one"',
    'X-Client' => 'me', Accept => 'application/json', Range => 'bytes=0-1',
    'X-Forwarded-For' => '1.2.3.4', traceparent =>
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'X-Correlation-ID' => 'corr-1', Authorization => 'Bearer t');

$seen = last_of('s4');
is($t->ledger('s4'), $before + 1, 'asked once');
is($seen->{h}{'x-extra'}, 'e', 'a header that the document lists');
is($seen->{h}{accept}, 'application/json', 'Accept');
is($seen->{h}{'x-correlation-id'}, 'corr-1', 'the correlation');
like($seen->{h}{traceparent}, qr/^00-0af7651916cd43dd8448eb211c80319c-/,
     'the trace');
like($seen->{h}{authorization}, qr/^Basic /, 'the connector\'s credentials');
is($seen->{h}{ lc $_ }, undef, "not $_")
    for qw(X-Other Cookie X-API-Key X-HTTP-Method-Override X-Method-Override
           X-Sync-Tenant Digest Content-Digest Signature Signature-Input
           Idempotency-Key X-Client Range X-Forwarded-For);
is($seen->{method}, 'POST', 'and no overridden method');

# the key is the same for every try of one key, and for no other

my %keys;

for my $key (qw(a b)) {
    ask('acme', 'POST', '', $eu, 'Idempotency-Key' => "\"$key\"",
        'X-Client' => 'me');
    $keys{ last_of('s4')->{h}{requestid} } = $key;
}

is(keys %keys, 2, 'two keys, two of the connector');

# ids

for ([ 's4~4711', q{GET /sap/opu/A_SalesOrder('4711')?$expand=to_Item}, 's4' ],
     [ 'ns~7', 'GET /salesOrder/7', 'ns' ],
     [ q{s4~1')%20or%20('1'='1}, undef, 's4' ],
     [ 's4~a~b', q{GET /sap/opu/A_SalesOrder('a~b')?$expand=to_Item}, 's4' ],
     [ 's4~%C3%A4', q{GET /sap/opu/A_SalesOrder('%C3%A4')?$expand=to_Item},
       's4' ])
{
    my ($id, $want, $name) = @$_;

    $r = ask('acme', 'GET', "/$id");
    is($r->{status}, 201, "prefixed id $id");
    $seen = last_of($name);
    is("$seen->{method} $seen->{uri}", $want, 'goes there') if $want;
    unlike($seen->{uri}, qr/'1'='1|' or|\) or/, 'and says no more') if !$want;
}

for ('4711', 'gone~1', 's4~', '~1') {
    $r = ask('acme', 'GET', "/$_");
    is($r->{status}, 404, "no object: $_");
}

is($r->json->{type}, 'urn:sync:problem:unknown-object', 'as a problem');

for ('s4~..', 'ns~..', 'ns~%2E', 'ns~a%00b', 'ns~%0d%0aX:1', 'ns~%ff') {
    $before = $t->ledger('s4') + $t->ledger('ns');
    $r = ask('acme', 'GET', "/$_");
    ok($r->{status} == 400 || $r->{status} == 201 && /^s4/,
       "hostile id $_: $r->{status}");
}

is(last_of('ns')->{h}{x}, undef, 'no header was smuggled');
is(ask('plain', 'GET', '/7')->header('X-Connector'), 'ns netsuite',
   'without prefixes a read takes the route without conditions');
is(ask('acme', 'GET', '')->{status}, 422, 'a list without such a route');

# what an operation wants

$r = ask('acme', 'PATCH', '/s4~1', '{}');
is($r->{status}, 428, 'If-Match is required');
is($r->json->{type}, 'urn:sync:problem:if-match-required', 'as a problem');
is(ask('acme', 'PATCH', '/s4~1', '{}', 'If-Match' => '"e"')->{status}, 201,
   'and there');
is(last_of('s4')->{h}{'if-match'}, '"e"', 'it is carried');
$r = ask('acme', 'DELETE', '/s4~1');
is($r->{status}, 422, 'an operation that the connector has not');
is($r->json->{type}, 'urn:sync:problem:no-operation', 'as a problem');
$r = ask('acme', 'POST', '?debug=1', $eu);
is($r->{status}, 400, 'a query');
is($r->json->{type}, 'urn:sync:problem:unknown-query', 'as a problem');

is(ask('plain', 'PUT', '/x', $us)->{status}, 201, 'a value of the payload');
is(last_of('ns')->{uri}, '/salesOrder/1%2F2', 'is one segment');
$r = $t->request('PUT', '/v1/orders/ns~1~2', body => $us, packets => 4,
                 headers => [ Host => 'acme.example',
                              'Content-Type' => 'application/json' ]);
is($r->{status}, 201, 'a body that comes in pieces');
is(last_of('ns')->{uri}, '/salesOrder/1%2F2', 'and an id with a prefix');
$r = ask('plain', 'PUT', '/x',
         '{"ship_to":{"region":"us"},"order_number":".."}');
is($r->{status}, 422, 'a value that cannot stand there');
is($r->json->{errors}[0]{pointer}, '/order_number', 'and where it is')
    or diag($r->{body});

# what comes back

$r = ask('acme', 'POST', '', $eu);
is($r->header('ETag'), '"1"', 'an answer has its ETag');
is($r->header('X-Kept'), 'k', 'and what the document lists');
is($r->header($_), undef, "not $_")
    for qw(X-Powered-By Set-Cookie WWW-Authenticate X-Accel-Redirect
           X-Sync-Outcome Location);
ok($r->header('X-Correlation-ID'), 'our own headers stay');

for ([ 'acme', 'https://my300.s4.example/sap/opu/A_SalesOrder(\'4711\')',
       '/v1/orders/s4~4711' ],
     [ 'plain', '/sap/opu/A_SalesOrder(\'4711\')', '/v1/orders/4711' ],
     [ 'plain', '/sap/opu/A_SalesOrder(\'O\'\'Neil\')',
       '/v1/orders/O%27Neil' ],
     [ 'plain', '/sap/opu/A_SalesOrder(\'a%2Fb\')?x=1',
       '/v1/orders/a%2Fb' ],
     [ 'plain', '/sap/opu/A_SalesOrder(\'\')', undef ],
     [ 'plain', '/sap/opu/Other(\'4711\')', undef ],
     [ 'plain', 'https://elsewhere.example/login', undef ],
     [ 'plain', 'https://elsewhere.example', undef ])
{
    my ($tenant, $location, $want) = @$_;

    $t->tell('s4', { location => $location });
    $r = ask($tenant, 'POST', '', $eu, 'Idempotency-Key' => "\"l$location\"",
             'X-Client' => 'me');

    my $got = $r->header("Location");

    is($got, $want, "Location $location");

    next if !$want;

    my $again = ask($tenant, 'POST', '', $eu,
                    'Idempotency-Key' => "\"l$location\"",
                    'X-Client' => 'me');
    is($again->header('Idempotent-Replayed'), 'true', 'replayed');
    is($again->header('Location'), $r->header('Location'), 'the same');
    is($again->header('X-Powered-By'), undef, 'and no more');
}

$t->tell('s4', { location => '/sap/opu/A_SalesOrder(\'7\')' });
$r = $t->request('POST', '/hook', body => $eu, headers => [
    Host => 'plain.example', 'Content-Type' => 'application/json' ]);
is($r->{status}, 201, 'where the path does not name objects');
is($r->header('Location'), undef, 'nothing is said of where they are');

is(ask('acme', 'GET', '/s4~1')->header('Location'), undef,
   'where nothing was created, there is none');

# secrets

$r = ask('bare', 'POST', '', $eu);
is($r->{status}, 503, 'no secret');
is($r->json->{type}, 'urn:sync:problem:connector-credentials', 'as a problem');
$t->log_like(qr/secret "s4-user" of tenant "bare" cannot be read/, 'the log');

$t->write('secrets/t_bare/ns-key', "c4n4ry-ns-key\n");
ok($t->wait_for(sub { ask('bare', 'POST', '', $us)->{status} == 201 }),
   'a secret that comes later');

$t->write('secrets/t_bare/ns-key', "c4n4ry-ns-second\n");
ok($t->wait_for(sub { ask('bare', 'POST', '', $us);
                      last_of('ns')->{h}{'x-ns-key'} eq 'c4n4ry-ns-second' }),
   'and is rotated');

# as Kubernetes mounts them: links inside the folder

mkdir $t->path('secrets/t_bare/..v1');
$t->write('secrets/t_bare/..v1/ns-key', "c4n4ry-ns-key\n");
symlink '..v1', $t->path('secrets/t_bare/..data');
symlink '..data/ns-key', $t->path('secrets/t_bare/link');
rename $t->path('secrets/t_bare/link'), $t->path('secrets/t_bare/ns-key');
ok($t->wait_for(sub { ask('bare', 'POST', '', $us);
                      last_of('ns')->{h}{'x-ns-key'} eq 'c4n4ry-ns-key' }),
   'links inside the folder are followed');

symlink '../t_acme/ns-key', $t->path('secrets/t_bare/link');
rename $t->path('secrets/t_bare/link'), $t->path('secrets/t_bare/ns-key');
ok($t->wait_for(sub { ask('bare', 'POST', '', $us)->{status} == 503 }),
   'a link to another tenant\'s is not');
$t->log_like(qr/"ns-key" of tenant "bare" .* a link leads out/, 'and told');

$t->write('secrets/t_plain/ns-key', "evil\r\nX-Evil: 1\n");
ok($t->wait_for(sub { ask('plain', 'POST', '', $us)->{status} == 503 }),
   'a secret that is no header\'s value');

# a retry stays where the first try of its key went

sub pinned {
    return ask('acme', 'POST', '', $eu, 'Idempotency-Key' => '"pin"',
               'X-Client' => 'me');
}

$t->tell('s4', { reset => 1 });
is(pinned()->header('Idempotency-Status'), 'outcome-unknown',
   'nobody knows how it ended');
$t->tell('s4', {});

$t->write('tenants/acme.json',
          { %$doc, routes => [ { entity => 'sales_order', to => 'ns' } ] });
ok($t->wait_for(sub { ask('acme', 'POST', '', $eu)->header('X-Connector')
                      eq 'ns netsuite' }), 'the routes have changed');

$r = pinned();
is($r->header('X-Connector'), 's4 s4_odata', 'this key goes where it went');
is($r->{status}, 201, 'and is resolved there');

$t->write('tenants/acme.json', $doc);

# a document that changes its routes

$t->write('tenants/plain.json',
          { %$plain, connectors => { ns => $doc->{connectors}{ns} },
            routes => [ { entity => 'sales_order', to => 'ns' } ] });
ok($t->wait_for(sub { ask('plain', 'POST', '', $eu)->{status} == 503 }),
   'a document that changes its routes');

$t->done;
