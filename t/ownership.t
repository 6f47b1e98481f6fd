#!/usr/bin/perl

# sync_ownership: which system writes which attribute.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new(workers => 2);

$t->peer(erp => sub { return [ 201, {}, '{"id":"1"}' ] });

my %key = map { $_ => $t->canary("c4n4ry-key-of-the-$_") } qw(crm erp raw);

$t->write("secrets/t_acme/$_", $key{$_}) for keys %key;
$t->write('secret', 'a secret of the edge, long enough');

$t->write('library/maps/crm.json', {
    write => { rules => [
        { from => '$.Number', to => '/order_number' },
        { from => '$.Date', to => '/order_date' },
        { from => '$.Currency', to => '/currency' },
        { from => '$.Total', to => '/total' },
        { from => '$.Customer', to => '/sold_to/id' },
        { from => '$.Lines[*]', to => '/items',
          each => [ { from => '$.Sku', to => '/sku' },
                    { from => '$.Quantity', to => '/quantity' },
                    { from => '$.Price', to => '/unit_price' } ] } ] } });

$t->write('library/maps/erp.json', {
    write => { rules => [ map { { from => "\$.$_", to => "/$_" } }
                          qw(status total notes) ] } });

# the schema says whose what is, and the document has the last word

$t->write('library/schemas/sales_order/1.json', {
    properties => {
        status => { 'x-owner' => 'erp' },
        notes => { 'x-owner' => [qw(crm canonical)] },
        total => { 'x-owner' => 'erp' },
        items => { items => { '$ref' => '#/$defs/item' } } },
    '$defs' => { item => { properties => {
        unit_price => { 'x-owner' => 'erp' } } } } });

my @all = qw(create read replace update delete list);

$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    sources => { crm => { maps => { sales_order => 'maps/crm.json' } },
                 erp => { maps => { sales_order => 'maps/erp.json' } } },
    clients => { map { $_ => {
        source => $_ eq 'raw' ? 'canonical' : $_, api_keys => ["secret:$_"],
        entities => { sales_order => \@all } } } keys %key },
    connectors => { erp => { upstream => 'erp', entities => {
        sales_order => { create => 'POST /o', update => 'PATCH /o/{id}',
                         read => 'GET /o/{id}' } } } },
    ownership => { sales_order => {
        '/total' => ['crm', 'erp'], '/payment' => 'erp',
        '/items/*/discount' => 'crm', '/a~1b' => 'crm' } },
    routes => [ { entity => 'sales_order', to => 'erp' } ] });

my $shared = <<'CONF';
    sync_secret  file:%%TESTDIR%%/secret;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp { server %%PEER_erp%%; }
CONF

my $locations = '';

for my $place (
    [ 'orders', '' ], [ 'off', 'sync_ownership off;' ],
    [ 'drop', 'sync_ownership on wrong=drop;' ],
    [ 'shadow', 'sync_ownership shadow;' ],
    [ 'lost', 'sync_ownership shadow wrong=drop;' ],
    [ 'plain', 'sync_ownership on wrong=drop; sync_normalize off;' ],
    [ 'file', 'client_body_in_file_only clean;' ],
    [ 'keyed', 'sync_idempotency required;' ],
) {
    $locations .= <<"CONF";
        location /$place->[0] {
            sync_auth   api_key;
            sync_entity sales_order at=/$place->[0];
            $place->[1]
            proxy_pass  http://\$sync_upstream\$sync_upstream_uri;
        }
CONF
}

$t->main("\n");
$t->http($shared . <<"CONF");
    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% http2;

        sync_tenant    host;
        sync_normalize on;
        sync_ownership on;

        proxy_http_version 1.1;
        proxy_set_header   Connection "";
        proxy_method       \$sync_upstream_method;
        proxy_redirect     off;
        proxy_ignore_client_abort on;

$locations
        location /status { sync_status; }
    }
CONF

$t->start;

sub ask {
    my ($method, $uri, $body, %opt) = @_;

    my $client = $key{ delete $opt{client} // 'crm' };

    return $t->request($method, $uri, body => $body,
                       headers => [ Host => 'acme.test',
                                    'X-API-Key' => $client, %opt ]);
}

sub sent { return ($t->ledger('erp'))[-1]{body} }

sub faults {
    my ($res) = @_;

    return $res->{status} . join '', map { " $_->{pointer}:$_->{keyword}" }
                                     @{ $res->json->{errors} };
}

my $order = '{"Number":"1","Date":"2026-11-21","Currency":"EUR",'
            . '"Total":"1.10","Customer":"7","Lines":[{"Sku":"A",'
            . '"Quantity":"1"}]}';
my $priced = $order =~ s/"Sku":"A"/"Sku":"A","Price":"s3cret"/r;

my $res = ask('POST', '/orders', $order);
is($res->{status}, 201, 'what is its own');
is(faults(ask('POST', '/orders', $priced =~ s/s3cret/9.90/r)),
   '403 /items/0/unit_price:owner', 'by the schema, behind the map');
is(scalar $t->ledger('erp'), 1, 'is not sent');

is(faults(ask('PATCH', '/orders/1', '{"status":"shipped","total":"5",'
              . '"notes":"n"}', client => 'erp')),
   '403 /notes:owner', 'the ERP has other attributes');
is(faults(ask('PATCH', '/orders/1', '{"status":null,"total":"5","notes":"n",'
              . '"payment":{"reference":"1"}}', client => 'raw')),
   '403 /status:owner /total:owner /payment:owner',
   'who speaks canonical is one more');
is(ask('GET', '/orders/1', '')->{status}, 201, 'who reads owns nothing');

# dropped, and told

my $n = $t->ledger('erp');
$res = ask('PATCH', '/drop/1', '{"status":"shipped", "notes" : "n\u00fc",'
           . '"total":"1.10", "x-ext":{"a~":0.10},"items":[{"sku":"A",'
           . '"unit_price":"1","line":1E400}]}', client => 'raw');
is($res->{status}, 422, 'what is left is judged') or diag($res->{body});

$res = ask('PATCH', '/drop/1', '{"status":"shipped", "notes" : "n\u00fc",'
           . '"total":"1.10", "x-ext":{"a~":0.10},"items":[{"sku":"A",'
           . '"quantity":"1","unit_price":"1"}],"ship_to":{"name":"x"}}', client => 'raw');
is($res->{status}, 201, 'the rest goes on');
is(sent(), '{"notes":"n\u00fc","x-ext":{"a~":0.10},"items":[{"sku":"A","quantity":"1"}],'
           . '"ship_to":{"name":"x"}}', 'as it was written');
is($res->header('X-Sync-Dropped'), '/status, /total, /items/0/unit_price',
   'and the client is told');
$t->log_like(qr/ownership: dropped attributes that are another system's, 3 faults, the first "\/status": owner/,
             'as the log is');

$res = ask('POST', '/drop', $priced =~ s/s3cret/9.90/r);
is($res->{status}, 201, 'behind a map, too');
unlike(sent(), qr/unit_price/, 'without it');
is($res->header('X-Sync-Dropped'), '/items/0/unit_price', 'in canonical words');
is(ask('POST', '/drop', $order)->header('X-Sync-Dropped'), undef,
   'nothing dropped, nothing told');

$res = ask('POST', '/plain', '{"a/b": 1, "order_number":"00","payment":{},'
           . '"items":[{"discount":"1","q":1.0}, {"q":2}]}', client => 'raw');
is($res->{status}, 201, 'without a map');
is(sent(), '{"order_number":"00","items":[{"q":1.0},{"q":2}]}',
   'the body is written again');
is($res->header('X-Sync-Dropped'), '/a~1b, /payment, /items/0/discount',
   'escapes and items');
is(ask('POST', '/plain', '{"payment":{}}')->{status}, 201,
   'words that nobody maps are not judged');

# in shadow, off, from a file, over HTTP/2

# counted in the LOG phase, after the answer has gone

sub counted {
    my ($n) = @_;

    return $t->wait_for(sub {
        return ($t->metrics('/status')->{'sync_shadow_total{step="ownership"}'} // 0) == $n;
    }, 5);
}

$res = ask('PATCH', '/shadow/1', '{"status":"shipped"}', client => 'raw');
is($res->{status}, 201, 'shadow');
is(sent(), '{"status":"shipped"}', 'changes nothing');
$t->log_like(qr/ownership: shadow: attributes that are another system's, 1 faults/,
             'logs');
ok(counted(1), 'and counts');
$res = ask('PATCH', '/lost/1', '{"status":"shipped"}', client => 'raw');
is(sent(), '{"status":"shipped"}', 'what it would drop, too');
is($res->header('X-Sync-Dropped'), undef, 'of which nobody is told');
ok(counted(2), 'and counted');

is(ask('PATCH', '/off/1', '{"status":"shipped"}', client => 'raw')->{status},
   201, 'off');
is(faults(ask('PATCH', '/file/1', '{"status":"shipped"}', client => 'raw')),
   '403 /status:owner', 'a body in a file');
is($t->h2('PATCH', '/orders/1', port => 1, body => '{"status":"shipped"}',
          headers => [ Host => 'acme.test', 'X-API-Key' => $key{raw} ])
   ->{status}, 403, 'HTTP/2');

# a refusal never burns a key

my @key = ('Idempotency-Key' => '"k1"');

is(ask('POST', '/keyed', $priced =~ s/s3cret/9/r, @key)->{status}, 403,
   'a key, refused');
is(ask('POST', '/keyed', $order, @key)->{status}, 201, 'is free again');

ask('POST', '/orders', $priced);
unlike($t->log_text, qr/s3cret/, 'no value in the log');

$t->refused($shared . 'server { location /a { sync_ownership on; '
            . 'proxy_pass http://erp; } }',
            qr/sync_ownership needs sync_entity, in location "\/a"/,
            'without an entity nobody owns');
$t->refused($shared . 'server { sync_ownership on wrong=ignore; }',
            qr/unknown parameter "wrong=ignore"/, 'drop or refuse');
$t->refused($shared . 'server { sync_ownership maybe; }',
            qr/"maybe" is not one of "off", "on" and "shadow"/, 'on, off, shadow');

$t->done;
