#!/usr/bin/perl

# sync_validate: what a payload must look like before it is mapped, and after.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new(workers => 2);

$t->peer(erp => sub { return [ 201, {}, '{"id":"1"}' ] });

my $crm = $t->canary('c4n4ry-key-of-the-crm');
my $raw = $t->canary('c4n4ry-key-of-the-raw');
my $odd = $t->canary('c4n4ry-key-of-the-odd');

$t->write('secrets/t_acme/crm', $crm);
$t->write('secrets/t_acme/raw', $raw);
$t->write('secrets/t_acme/odd', $odd);
$t->write('secret', 'a secret of the edge, long enough');

$t->write('library/maps/crm.json', {
    write => { rules => [
        { from => '$.Number', to => '/order_number' },
        { from => '$.Date', to => '/order_date' },
        { from => '$.Total', to => '/total' },
        { from => '$.Lines[*]', to => '/items',
          each => [ { from => '$.Sku', to => '/sku' } ] } ] } });

# the schema of a source, in draft-07

$t->write('library/schemas/crm/order.json', {
    '$schema' => 'http://json-schema.org/draft-07/schema#',
    type => 'object', required => ['Number'],
    properties => {
        Number => { type => 'string' }, Total => { '$ref' => '#/definitions/t' },
        Lines => { items => [ { required => ['Sku'] } ] } },
    definitions => { t => { type => 'number', multipleOf => 0.01 } } });

# and that of the entity, with another file

my %entity = (
    '$schema' => 'https://json-schema.org/draft/2020-12/schema',
    '$id' => 'https://sync.example/schemas/sales_order/1.json',
    type => 'object', required => [qw(order_number items)],
    properties => {
        order_number => { type => 'string', maxLength => 10 },
        order_date => { type => 'string', format => 'date' },
        total => { '$ref' => '../common/money.json' },
        note => { type => 'string', 'x-owner' => 'crm' },
        items => { type => 'array', minItems => 1, items => {
            type => 'object', required => ['sku'],
            properties => { sku => { pattern => '^[A-Z]' } },
            unevaluatedProperties => \0 } } },
    additionalProperties => \0);

$t->write('library/schemas/sales_order/1.json', \%entity);
$t->write('library/schemas/common/money.json',
          { type => 'number', exclusiveMinimum => 0 });

my @all = qw(create read replace update delete list);

sub document {
    my (%more) = @_;

    return {
        tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
        sources => { crm => { maps => { sales_order => 'maps/crm.json' },
                              schema => 'schemas/crm/order.json' },
                     odd => { maps => { sales_order => 'maps/crm.json' } } },
        clients => { map { $_ => {
            source => $_ eq 'raw' ? 'canonical' : $_,
            api_keys => ["secret:$_"], entities => { sales_order => \@all },
        } } qw(crm raw odd) },
        connectors => { erp => { upstream => 'erp', entities => {
            sales_order => { create => 'POST /o', update => 'PATCH /o/{id}',
                             replace => 'PUT /o/{id}',
                             read => 'GET /o/{id}' } } } },
        routes => [ { entity => 'sales_order', to => 'erp' } ],
        %more };
}

$t->write('tenants/acme.json', document());

my $shared = <<'CONF';
    sync_secret  file:%%TESTDIR%%/secret;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp { server %%PEER_erp%%; }
CONF

my $locations = '';

for my $place (
    [ 'orders', '' ], [ 'off', 'sync_validate off;' ],
    [ 'shadow', 'sync_validate shadow;' ],
    [ 'maybe', 'sync_normalize shadow;' ],
    [ 'plain', 'sync_normalize off;' ],
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
    log_format sync '\$uri \$status \$sync_verdict \$sync_reason';
    access_log %%TESTDIR%%/sync.log sync;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% http2;

        sync_tenant    host;
        sync_normalize on;
        sync_validate  on;

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

    my $port = delete $opt{port};
    my $client = delete $opt{client} // $crm;

    return $t->request($method, $uri, body => $body,
                       (port => $port) x !!$port,
                       headers => [ Host => 'acme.test',
                                    'X-API-Key' => $client, %opt ]);
}

sub sent { return scalar $t->ledger('erp') }

# pointer and keyword of each fault

sub faults {
    my ($res) = @_;

    return $res->{status} . join '', map { " $_->{pointer}:$_->{keyword}" }
                                     @{ $res->json->{errors} };
}


# of requests that validate would have refused; counted when they are logged,
# which may be after the client has its answer

sub counted {
    return $t->metrics('/status')->{'sync_shadow_total{step="validate"}'} // 0;
}


my $good = '{"Number":"1","Date":"2026-11-21","Total":19.99,'
           . '"Lines":[{"Sku":"A1"}]}';
my $canonical = '{"order_number":"1","total":0.10,"items":[{"sku":"A1"}]}';

# both schemas

my $res = ask('POST', '/orders', $good);
is($res->{status}, 201, 'a good order');

is(faults(ask('POST', '/orders', '{"Number":7,"Total":19.999,"Lines":[{}]}')),
   '422 /Number:type /Total:multipleOf /Lines/0/Sku:required',
   'the schema of the source, every fault');

is(faults(ask('POST', '/orders', '{"Number":"12345678901","Date":"21.11.2026",'
              . '"Total":-1,"Lines":[{"Sku":"a"}]}')),
   '422 /order_number:maxLength /order_date:format /total:exclusiveMinimum'
   . ' /items/0/sku:pattern',
   'the schema of the entity, behind the map, and what it refers to');

is(faults(ask('POST', '/orders', '{"Number":"1"}', client => $odd)),
   '422 /items:required', 'a source without a schema');
is(faults(ask('POST', '/orders', '{"order_number":"1","items":[{"sku":"A",'
              . '"secret":"s3cret"}],"x":1}', client => $raw)),
   '422 /items/0/secret:unevaluatedProperties /x:additionalProperties',
   'canonical words');
is(sent(), 1, 'none of it was sent');

$res = ask('POST', '/orders', '{"order_number":"1","items":[{"sku":"s3cret"}]}',
           client => $raw);
unlike($res->{body} . $t->log_text, qr/s3cret/, 'no value is told');
$t->log_like(qr/validate: the canonical payload does not meet its schema, 1 faults, the first "\/items\/0\/sku": pattern/,
             'the log has the place');

is(ask('POST', '/orders', $canonical, client => $raw)->{status}, 201,
   'canonical and good');
like(($t->ledger('erp'))[-1]{body}, qr/"total":0\.10,/, 'no digit changed');

# updates: what is absent stays, null clears

is(ask('PATCH', '/orders/7', '{"total":5}', client => $raw)->{status}, 201,
   'an update need not be whole');
is(ask('PATCH', '/orders/7', '{"note":null}', client => $raw)->{status}, 201,
   'null clears');
is(faults(ask('PATCH', '/orders/7', '{"order_number":null,"total":0,'
              . '"items":[{}]}', client => $raw)),
   '422 /order_number:required /total:exclusiveMinimum /items/0/sku:required',
   'but not what is required, and items are whole');
is(faults(ask('PUT', '/orders/7', '{"total":5}', client => $raw)),
   '422 /order_number:required /items:required', 'a replacement is whole');
is(ask('GET', '/orders/7', '', client => $raw)->{status}, 201,
   'a read has nothing to judge');

# where it stands

my $bad = '{"order_number":"12345678901","items":[]}';

is(ask('POST', '/off', '{"Number":7}')->{status}, 422,
   'off: the list of fields still judges');
is(ask('POST', '/plain', $bad, client => $raw)->{status}, 422,
   'without a map canonical words are judged');
is(ask('POST', '/plain', '{"Number":"1"}', client => $odd)->{status}, 201,
   'and those of others are not');
is(faults(ask('POST', '/file', $bad, client => $raw)),
   '422 /order_number:maxLength /items:minItems', 'a body in a file');
is(faults(ask('POST', '/file', $good =~ s/19.99/1e-3/r)),
   '422 /Total:multipleOf', 'and of a source');

is(ask('POST', '/maybe', $bad, client => $raw)->{status}, 201,
   'what is only mapped in shadow refuses nothing');
is(($t->ledger('erp'))[-1]{body}, $bad, 'and goes as it came');

ok($t->wait_for(sub { counted() == 1 }, 5), 'and is counted');

is(ask('POST', '/shadow', '{"Number":"12345678901","Date":"2026-11-21",'
       . '"Lines":[{}]}')->{status}, 422,
   'in shadow the list of fields still judges');
is(ask('PATCH', '/shadow/1', '{"total":-1}', client => $raw)->{status}, 422,
   'all of it');

is(ask('PATCH', '/shadow/1', '{"order_number":"12345678901"}',
       client => $raw)->{status}, 201, 'what a schema alone refuses goes on');
$t->log_like(qr/validate: shadow, would answer 422 invalid-payload/,
             'and is logged');
ok($t->wait_for(sub { counted() == 2 }, 5), 'and counted');

# HTTP/2, JSON that is none, work

is($t->h2('POST', '/orders', port => 1, body => $bad,
          headers => [ Host => 'acme.test', 'X-API-Key' => $raw ])->{status},
   422, 'HTTP/2');
is(ask('POST', '/orders', '{"a":', client => $raw)->{status}, 400, 'no JSON');
is(ask('POST', '/orders', 'a=b', client => $raw,
       'Content-Type' => 'text/plain')->{status}, 415, 'no JSON by its type');

# a refusal never burns a key

my @key = ('Idempotency-Key' => '"k1"');

is(ask('POST', '/keyed', $bad, client => $raw, @key)->{status}, 422,
   'a key with a bad payload');
is(ask('POST', '/keyed', $canonical, client => $raw, @key)->{status}, 201,
   'is free for the good one');

# schemas change while NGINX runs, in every worker

sub soon {
    my ($want, $name, @args) = @_;

    my $right = 0;

    $t->wait_for(sub {
        $right = ask(@args)->{status} == $want ? $right + 1 : 0;
        return $right >= 12;
    }, 10);

    cmp_ok($right, '>=', 12, $name);
}

$t->write('library/schemas/common/money.json', { type => 'string' });
soon(422, 'a file that is referred to has changed', 'POST', '/orders',
     $canonical, client => $raw);

$t->write('library/schemas/common/money.json', { typ => 'string' });
$t->allow(qr/tenant document .* is refused/);
$t->wait_for(sub { $t->log_text =~ /did you mean "type"/ }, 10);
$t->log_like(qr/acme\.json" is refused: schema "schemas\/sales_order\/1\.json".*unknown keyword "typ", did you mean "type"\?.*the last good copy stays/,
             'one that is broken');
is(ask('POST', '/orders', $canonical, client => $raw)->{status}, 422,
   'leaves what was');

$t->write('library/schemas/common/money.json', { type => 'number' });
soon(201, 'until it is right again', 'POST', '/orders', $canonical,
     client => $raw);

$t->write('library/schemas/sales_order/2.json',
          { %entity, '$id' => 'https://sync.example/schemas/sales_order/2.json',
            required => ['currency'],
            additionalProperties => \1 });
$t->write('tenants/acme.json', document(schemas => { sales_order => 2 }));
soon(422, 'another version of the entity', 'POST', '/orders', $canonical,
     client => $raw);
is(faults(ask('POST', '/orders', $canonical, client => $raw)),
   '422 /currency:required', 'by the document');

# what cannot be

$t->refused($shared . 'server { location /a { sync_validate on; '
            . 'proxy_pass http://erp; } }',
            qr/sync_validate needs sync_entity, in location "\/a"/,
            'without an entity there is no schema');
$t->refused($shared . 'server { sync_validate maybe; }',
            qr/"maybe" is not one of "off", "on" and "shadow"/, 'on, off, shadow');

$t->done;
