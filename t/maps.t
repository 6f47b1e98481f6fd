#!/usr/bin/perl

# Maps on the wire: what they do to values, what is refused and where, and
# files that they look up in, changed while requests run.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Time::HiRes qw(sleep);

use lib 't/lib';
use Test::Sync;

my $json = Cpanel::JSON::XS->new->canonical;

my $t = Test::Sync->new(workers => 1);

$t->peer(erp => sub {
    return [ 201, { 'Content-Type' => 'application/json' }, '{}' ];
});

my $key = $t->canary('c4n4ry-key-of-the-client');

$t->write('library/maps/base.json', {
    lookups => { plants => 'lookups/plants.json' },
    write => { rules => [
        { from => '$.order_number', to => '/no', split => '-', take => -1 },
        { from => '$.order_date', to => '/date', format => 'DD.MM.YYYY' },
        { from => '$.total', to => '/total', type => 'decimal', scale => 2 },
        { from => '$.ship_to.region', to => '/plant', lookup => 'plants',
          required => \1 },
        { constant => 'RE', to => '/kind', when => '@.order_type == "ret"' },
        { constant => 'OR', to => '/kind' } ] } });
$t->write('library/maps/erp.json', {
    extends => 'maps/base.json',
    write => { rules => [
        { from => '$.notes', to => '/note', trim => \1, case => 'upper' } ] },
});
$t->write('library/lookups/plants.json', { EU => '1710', US => '1010' });

$t->write('secrets/t_acme/key', $key);
$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    clients => { crm => { source => 'canonical', api_keys => ['secret:key'],
                          entities => { sales_order => ['create'] } } },
    connectors => { erp => { upstream => 'erp', format => 'json',
        entities => { sales_order => { map => 'maps/erp.json',
            create => { request => 'POST /in' } } } } },
    routes => [ { entity => 'sales_order', to => 'erp' } ],
});

$t->main("\n");
$t->http(<<'CONF');
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp { server %%PEER_erp%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;

        location /v1/orders {
            sync_tenant    host;
            sync_auth      api_key;
            sync_entity    sales_order at=/v1/orders;
            sync_normalize on;
            proxy_pass     http://$sync_upstream$sync_upstream_uri;
        }
    }
CONF

$t->start;

sub post {
    my (%order) = @_;

    return $t->request('POST', '/v1/orders',
        headers => [ Host => 'acme.test', 'X-API-Key' => $key,
                     'Content-Type' => 'application/json' ],
        body => $json->encode({ order_number => 'A-7-42', currency => 'EUR',
            order_date => '2026-11-21', sold_to => { id => '1' },
            ship_to => { region => 'EU' }, total => '1.5E2',
            items => [ { sku => 'R', quantity => '1' } ], %order }));
}

sub sent { return ($t->ledger('erp'))[-1]->{body} }


is(post(notes => " stra\x{c3}\x{9f}e \x{c3}\x{bc}\n")->{status}, 201,
   'an order');
is(sent(), '{"no":"42","date":"21.11.2026","total":"150.00","plant":"1710",'
           . qq("kind":"OR","note":"STRA\x{c3}\x{9f}E \x{c3}\x{9c}"}), 'mapped');

is(post(order_type => 'ret')->{status}, 201, 'a return');
like(sent(), qr/"kind":"RE"/, 'is the other alternative');

my $calls = $t->ledger('erp');

for my $row ([ { total => '1.005' }, '/total', 'decimal' ],
             [ { total => '1E6145' }, '/total', 'decimal' ],
             [ { ship_to => { region => 'AQ' } }, '/ship_to/region',
               'required' ])
{
    my ($order, $pointer, $keyword) = @$row;

    my $res = post(%$order);
    is($res->{status}, 422, "$keyword at $pointer");
    is($res->json->{errors}[0]{pointer}, $pointer, 'the place');
    is($res->json->{errors}[0]{keyword}, $keyword, 'and why');
    unlike($res->{body}, qr/1\.005|6145|AQ/, 'and never the value');
}

is(scalar $t->ledger('erp'), $calls, 'nothing of it was sent');


# a file that a map looks up in is read live

$t->write('library/lookups/plants.json', { EU => '1720', AQ => '9' });

ok($t->wait_for(sub {
    return post(ship_to => { region => 'AQ' })->{status} == 201;
}), 'a word more');
like(sent(), qr/"plant":"9"/, 'is found');

post();
like(sent(), qr/"plant":"1720"/, 'as what is there now');

$t->write('library/lookups/plants.json', '[ "torn"');
sleep 0.2;

is(post()->{status}, 201, 'a torn file');
like(sent(), qr/"plant":"1720"/, 'leaves the last good map');

$t->done;
