#!/usr/bin/perl

# Formats beside JSON, from clients and to connectors, and what a connector
# says in its own words where the status says another thing.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Time::HiRes qw(sleep);

my $t = Test::Sync->new(workers => 2);

my $S11 = 'http://schemas.xmlsoap.org/soap/envelope/';
my $S12 = 'http://www.w3.org/2003/05/soap-envelope';

sub soap {
    my ($ns, $body) = @_;

    return qq{<?xml version="1.0"?><S:Envelope xmlns:S="$ns"><S:Body>}
           . $body . '</S:Body></S:Envelope>';
}

sub fault {
    my ($code, $text) = @_;

    return soap($S11, "<S:Fault><faultcode>S:$code</faultcode>"
                      . "<faultstring>$text</faultstring></S:Fault>");
}

sub fault12 {
    my ($code, $sub, $text) = @_;

    return soap($S12, "<S:Fault><S:Code><S:Value>S:$code</S:Value><S:Subcode>"
                      . "<S:Value>m:$sub</S:Value></S:Subcode></S:Code>"
                      . '<S:Reason><S:Text xml:lang="en">' . $text
                      . '</S:Text></S:Reason></S:Fault>');
}

my $xml = { 'Content-Type' => 'text/xml;charset=UTF-8' };
my $xml12 = { 'Content-Type' => 'application/soap+xml' };
my $js = { 'Content-Type' => 'application/json' };

my %say = (
    created  => [ 200, $xml, soap($S11, '<m:CreateOrderResponse '
                  . 'xmlns:m="urn:erp"><Order><Id>4711</Id><Number>000123'
                  . '</Number><Total>123456789012345678901234567890.50</Total>'
                  . '<Note>&lt;&amp;&gt; &#252;</Note></Order>'
                  . '</m:CreateOrderResponse>') ],
    read     => [ 200, $xml, soap($S11, '<m:GetOrderResponse '
                  . 'xmlns:m="urn:erp"><Order><Id>4711</Id><Number>000123'
                  . '</Number><Line><Sku>R100</Sku></Line></Order>'
                  . '</m:GetOrderResponse>') ],
    client   => [ 500, $xml, fault('Client', 'Customer 42 is blocked') ],
    client200 => [ 200, $xml, fault('Client.Credit', 'no credit') ],
    server   => [ 500, $xml, fault('Server', 'dump in FORM X') ],
    server200 => [ 200, $xml, fault('Server', 'dump in FORM X') ],
    html     => [ 200, { 'Content-Type' => 'text/html' }, '<p>Login</p>' ],
    broken   => [ 200, $xml, '<S:Envelope' ],
    doctype  => [ 200, $xml, '<!DOCTYPE a [<!ENTITY b "c">]>'
                             . soap($S11, '<a>&b;</a>') ],
    latin    => [ 200, $xml, '<?xml version="1.0" encoding="ISO-8859-1"?>'
                             . soap($S11, '<a/>') ],
    charset  => [ 200, { 'Content-Type' => 'text/xml; charset=ISO-8859-1' },
                  soap($S11, '<a/>') ],
    other    => [ 200, $xml, soap($S12, '<a/>') ],
    sender12 => [ 400, $xml12, fault12('Sender', 'NoStock', 'no stock') ],
    ok12     => [ 200, $xml12, soap($S12, '<Created xmlns="urn:erp"><Id>9</Id>'
                                          . '</Created>') ],
    odoo     => [ 200, $js, '{"jsonrpc":"2.0","id":"x","result":4711}' ],
    odoo_read => [ 200, $js, '{"jsonrpc":"2.0","id":"x","result":[{"id":4711,'
                   . '"client_order_ref":"000123","amount_total":0.10}]}' ],
    odoo_refused => [ 200, $js, '{"jsonrpc":"2.0","id":"x","error":{"code":200'
                      . ',"message":"Odoo Server Error","data":{"name":"odoo.'
                      . 'exceptions.UserError","message":"No such partner"}}}' ],
    odoo_broken => [ 200, $js, '{"jsonrpc":"2.0","id":"x","error":{"code":'
                     . '-32603,"message":"Internal error"}}' ],
    odoo_strange => [ 200, $js, '{"ok":true}' ],
    odata    => [ 400, $js, '{"error":{"code":"V1/042","message":{"lang":"en",'
                  . '"value":"Customer is blocked"}}}' ],
    odata4   => [ 404, $js, '{"error":{"code":"0x80040217","message":'
                  . '"salesorder does not exist"}}' ],
    odata503 => [ 503, $js, '{"error":{"code":"X","message":"later"}}' ],
    page1    => [ 200, $js, '{"d":{"results":[{"id":"1","number":"a"},'
                  . '{"id":"2"}],"__next":"https://s4.example/odata/in?'
                  . '$skiptoken=\\u00274\\u0027"}}' ],
    page2    => [ 200, $js, '{"d":{"results":[{"id":"3"}]}}' ],
    beside   => [ 200, $js, '{"d":{"results":[],"__next":"in?p=2"}}' ],
    query    => [ 200, $js, '{"d":{"results":[],"__next":"?p=2"}}' ],
    outside  => [ 200, $js, '{"d":{"results":[],"__next":"https://evil/x"}}' ],
    up       => [ 200, $js, '{"d":{"results":[],"__next":"/odata/../x"}}' ],
    spaced   => [ 200, $js, '{"d":{"results":[],"__next":"/odata/x y"}}' ],
    number   => [ 200, $js, '{"d":{"results":[],"__next":7}}' ],
    xml      => [ 200, { 'Content-Type' => 'application/xml' },
                  '<Order xmlns="urn:o"><Id>7</Id></Order>' ],
    csv      => [ 200, { 'Content-Type' => 'text/csv' },
                  "id,number\r\n7,\"0001\"\r\n" ],
    form     => [ 200, { 'Content-Type' => 'application/x-www-form-urlencoded' },
                  'id=7&number=a+b' ],
);

$t->peer(erp => sub {
    my ($req, $ctl) = @_;

    return $say{ $ctl->{say} } || [ 500, {}, 'nothing to say' ];
});

my $secret = $t->canary('c4n4ry-key-for-odoo');
my %clients = map { $_ => $t->canary("c4n4ry-key-of-$_") }
                  qw(json soap12 soap xml rpc csv form typed);

$t->write("secrets/t_acme/$_", $clients{$_}) for keys %clients;
$t->write('secrets/t_acme/odoo', $secret);

my @rules = (
    { from => '$.number', to => '/order_number' },
    { from => '$.date', to => '/order_date' },
    { from => '$.currency', to => '/currency' },
    { from => '$.customer', to => '/sold_to/id' },
    { from => '$.note', to => '/notes' },
    { from => '$.total', to => '/total' },
    { from => '$.lines[*]', to => '/items',
      each => [ { from => '$.sku', to => '/sku' },
                { from => '$.quantity', to => '/quantity' } ] } );

sub map_of {
    my ($write, $read) = @_;

    return { write => { rules => $write }, read => { rules => $read } };
}

# the words of clients

sub below {
    my ($at, @names) = @_;

    return map { my ($from, $to) = @$_; { from => "$at$from", to => $to } }
               @names;
}

my @named = ([ '.Number', '/order_number' ], [ '.Date', '/order_date' ],
             [ '.Currency', '/currency' ], [ '.Customer', '/sold_to/id' ],
             [ '.Note', '/notes' ], [ '.Total', '/total' ]);

my @back = ({ from => '$.id', to => '/Result/Id' },
            { from => '$.total', to => '/Result/Total' },
            { from => '$.notes', to => '/Result/Note' });

sub lines {
    my ($from, $sku, $quantity) = @_;

    return { from => $from, to => '/items',
             each => [ { from => $sku, to => '/sku' },
                       { from => $quantity, to => '/quantity' } ] };
}

$t->write('library/maps/json.json', map_of(\@rules,
    [ { from => '$.id', to => '/id' }, { from => '$.total', to => '/total' },
      { from => '$.order_number', to => '/number' },
      { from => '$.notes', to => '/note' } ]));
$t->write('library/maps/in-soap.json', map_of(
    [ below('$.PlaceOrder', @named),
      lines('$.PlaceOrder.Line[*]', '$.Sku', '$.Quantity') ],
    [ { constant => 'urn:in', to => '/PlaceOrderResponse/@xmlns' },
      { from => '$.id', to => '/PlaceOrderResponse/Id' },
      { from => '$.total', to => '/PlaceOrderResponse/Total' },
      { from => '$.notes', to => '/PlaceOrderResponse/Note' } ]));
$t->write('library/maps/in-xml.json', map_of(
    [ below('$.Order', @named),
      lines('$.Order.Line[*]', "\$['\@sku']", '$.Quantity') ], \@back));
$t->write('library/maps/in-rpc.json', map_of(
    [ below('$', @named), lines('$.Lines[*]', '$.Sku', '$.Quantity') ],
    [ { from => '$.id', to => '/Id' } ]));
$t->write('library/maps/in-csv.json', map_of(
    [ below('$[0]', @named), lines('$[*]', '$.Sku', '$.Quantity') ],
    [ { from => '$.id', to => '/Id' } ]));
$t->write('library/maps/in-form.json', map_of(
    [ below('$', @named), lines('$.Sku[*]', '$', '$') ],
    [ { from => '$.id', to => '/Id' } ]));

# the words of connectors

$t->write('library/maps/soap.json', map_of(
    [ { constant => 'urn:erp', to => '/CreateOrder/@xmlns' },
      { constant => '', to => '/CreateOrder/@xmlns:in' },
      { from => '$.order_number', to => '/CreateOrder/Order/Number' },
      { from => '$.notes', to => '/CreateOrder/Order/Note' },
      { from => '$.total', to => '/CreateOrder/Order/Total' },
      { from => '$.items[*]', to => '/CreateOrder/Order/Line',
        each => [ { from => '$.sku', to => '/@sku' },
                  { from => '$.quantity', to => '/#text' } ] } ],
    [ { from => [ '$.CreateOrderResponse.Order.Id',
                  '$.GetOrderResponse.Order.Id', '$.Created.Id' ],
        to => '/id' },
      { from => [ '$.CreateOrderResponse.Order.Number',
                  '$.GetOrderResponse.Order.Number' ],
        to => '/order_number' },
      { from => '$.CreateOrderResponse.Order.Total', to => '/total' },
      { from => '$.CreateOrderResponse.Order.Note', to => '/notes' },
      { from => '$.GetOrderResponse.Order.Line[*]', to => '/items',
        each => [ { from => '$.Sku', to => '/sku' } ] } ]));
$t->write('library/maps/odoo.json', map_of(
    [ { from => '$.order_number', to => '/client_order_ref' },
      { from => '$.total', to => '/amount_total', type => 'number' } ],
    [ { from => [ '$[0].id', '$' ], to => '/id', type => 'string' },
      { from => '$[0].client_order_ref', to => '/order_number' },
      { from => '$[0].amount_total', to => '/total', type => 'decimal' } ]));
my @flat = ({ from => '$.order_number', to => '/number' },
            { from => '$.notes', to => '/note' });

$t->write('library/maps/flat.json', map_of(\@flat,
    [ { from => '$.id', to => '/id' },
      { from => '$.number', to => '/order_number' } ]));
$t->write('library/maps/table.json', map_of(\@flat,
    [ { from => '$[0].id', to => '/id' },
      { from => '$[0].number', to => '/order_number' } ]));
$t->write('library/maps/xml.json', map_of(
    [ { constant => 'urn:o', to => '/Order/@xmlns' },
      { from => '$.order_number', to => '/Order/Number' } ],
    [ { from => '$.Order.Id', to => '/id' } ]));

sub connector {
    my ($format, $map, %more) = @_;

    my $ops = delete $more{ops} || {
        create => { request => 'POST /in' },
        read => 'GET /in/{id}',
        delete => 'DELETE /in/{id}' };

    return { upstream => 'erp', format => $format,
             entities => { sales_order => { map => "maps/$map.json", %$ops } },
             %more };
}

my %soap_ops = (
    create => { request => 'POST /soap', action => 'urn:erp:CreateOrder' },
    read => { request => 'POST /soap', action => 'urn:erp:GetOrder',
              body => { GetOrder => { '@xmlns' => 'urn:erp',
                                      '@xmlns:in' => '',
                                      Id => '{id}' } } },
    delete => { request => 'POST /soap',
                body => { DeleteOrder => { Id => '{id}' } } } );

my %odoo_ops = (
    create => { request => 'POST /jsonrpc', action => 'call', body => {
        service => 'object', method => 'execute_kw',
        args => [ 'prod', 2, 'secret:odoo', 'sale.order', 'create',
                  [ '{payload}' ] ] } },
    read => { request => 'POST /jsonrpc', action => 'call', body => {
        service => 'object', method => 'execute_kw',
        args => [ 'prod', 2, 'secret:odoo', 'sale.order', 'read',
                  [ [ '{id:number}' ] ] ] } } );

my @all = qw(create read update delete list);

$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    sources => {
        json => { maps => { sales_order => 'maps/json.json' } },
        soap => { format => 'soap-1.1', lists => ['Line'],
                  maps => { sales_order => 'maps/in-soap.json' } },
        soap12 => { format => 'soap-1.2', lists => ['Line'],
                    maps => { sales_order => 'maps/in-soap.json' } },
        xml => { format => 'xml', lists => ['Line'],
                 maps => { sales_order => 'maps/in-xml.json' } },
        rpc => { format => 'json-rpc',
                 maps => { sales_order => 'maps/in-rpc.json' } },
        csv => { format => 'csv',
                 maps => { sales_order => 'maps/in-csv.json' } },
        form => { format => 'form', lists => ['Sku'],
                  maps => { sales_order => 'maps/in-form.json' } },
        typed => { format => 'json', media_types => ['Text/X-Order'],
                   maps => { sales_order => 'maps/json.json' } },
    },
    clients => { map { $_ => { source => $_, api_keys => ["secret:$_"],
                               entities => { sales_order => \@all } } }
                     keys %clients },
    connectors => {
        soap => connector('soap-1.1', 'soap', lists => ['Line'],
                          ops => \%soap_ops),
        rolls => connector('soap-1.1', 'soap', ops => \%soap_ops,
                           idempotency => { rolls_back => \1 }),
        soap12 => connector('soap-1.2', 'soap', ops => \%soap_ops),
        odoo => connector('json-rpc', 'odoo', ops => \%odoo_ops),
        odata => connector('odata-v2', 'flat'),
        odata4 => connector('odata-v4', 'flat'),
        xml => connector('xml', 'xml'),
        csv => connector('csv', 'table'),
        form => connector('form', 'flat'),
    },
    routes => [
        (map { { entity => 'sales_order', when => { '/sold_to/id' => $_ },
                 to => $_ } }
             qw(rolls soap12 odoo odata odata4 xml csv form)),
        { entity => 'sales_order', to => 'soap' } ],
});

$t->write('tenants/beta.json', {
    tenant => 'beta', id => 't_beta', match => { hosts => ['beta.test'] },
    sources => { json => { maps => { sales_order => 'maps/json.json' } } },
    clients => { json => { source => 'json', api_keys => ['secret:json'],
                           entities => { sales_order => \@all } } },
    connectors => { odoo => connector('json-rpc', 'odoo', ops => \%odoo_ops) },
    routes => [ { entity => 'sales_order', to => 'odoo' } ],
});

$t->write('tenants/gamma.json', {
    tenant => 'gamma', id => 't_gamma', match => { hosts => ['gamma.test'] },
    sources => { json => { maps => { sales_order => 'maps/list.json' } } },
    clients => { map { $_ => { source => 'json', api_keys => ["secret:$_"],
                               entities => { sales_order => ['list'] } } }
                     qw(json rpc) },
    connectors => { odata => connector('odata-v2', 'flat', path => '/odata',
        ops => { list => { request => 'GET /in?$top=2',
                           items => '$.d.results[*]',
                           next => '$.d.__next' } }) },
    routes => [ { entity => 'sales_order', to => 'odata' } ],
});

$t->write('library/maps/list.json', {
    write => { rules => \@rules },
    read => { in => { many => '/records' }, out => { many => '/orders' },
              rules => [ { from => '$.id', to => '/id' },
                         { from => '$.order_number', to => '/number' } ] } });

$t->write("secrets/t_gamma/$_", $clients{$_}) for qw(json rpc);
$t->write('secrets/t_beta/json', $clients{json});
$t->write('secret', 'a secret of the edge, long enough');

$t->main("\n");
$t->http(<<'CONF');
    sync_secret  file:%%TESTDIR%%/secret;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp { server %%PEER_erp%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;

        sync_tenant    host;
        sync_normalize on;
        sync_auth      api_key;

        proxy_http_version 1.1;
        proxy_set_header   Connection "";
        proxy_method       $sync_upstream_method;
        proxy_redirect     off;
        proxy_ignore_client_abort on;

        location /v1/orders {
            sync_entity sales_order at=/v1/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /keyed/orders {
            sync_entity      sales_order at=/keyed/orders;
            sync_idempotency required;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }

        location /shadow/orders {
            sync_entity      sales_order at=/shadow/orders;
            sync_normalize   shadow;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }
    }
CONF

$t->start;

sub ask {
    my ($method, $uri, $body, %opt) = @_;

    my $client = delete $opt{client} // 'json';
    my $host = delete $opt{host} // 'acme.test';

    return $t->request($method, $uri, body => $body,
                       headers => [ Host => $host,
                                    'X-API-Key' => $clients{$client}, %opt ]);
}

sub order {
    my ($to) = @_;

    return '{"number":"000123","date":"2026-11-21","currency":"EUR",'
           . '"customer":"' . $to . '","note":"<&> \u00fc","total":'
           . '"123456789012345678901234567890.50","lines":[{"sku":"R100",'
           . '"quantity":"10.0"}]}';
}

sub say { $t->tell('erp', { say => $_[0] }) }

sub sent { return ($t->ledger('erp'))[-1] }

# one order and what is answered to it

my $n = 0;

sub post {
    my ($to, $say, %opt) = @_;

    say($say);
    return ask('POST', $opt{at} // '/v1/orders', $opt{body} // order($to),
               client => $opt{client} // 'json',
               'Content-Type' => $opt{type} // 'application/json',
               ('Idempotency-Key' => $opt{key}) x !!$opt{key});
}


# SOAP 1.1, both ways

my $res = post('soap', 'created');
my $req = sent();

is($res->{status}, 200, 'an order by SOAP');
is("$req->{method} $req->{uri}", 'POST /soap', 'goes where the document says');
is($req->{h}{'content-type'}, 'text/xml; charset=utf-8', 'as XML');
is($req->{h}{soapaction}, '"urn:erp:CreateOrder"', 'with its action');
is($req->{h}{accept}, 'text/xml', 'and asks for XML');
is($req->{h}{'content-length'}, length $req->{body}, 'its length');
is($req->{body}, qq{<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope }
   . qq{xmlns:soap="$S11"><soap:Body><CreateOrder xmlns="urn:erp"><Order }
   . 'xmlns=""><Number>000123</Number><Note>&lt;&amp;&gt; ' . "\xc3\xbc"
   . '</Note><Total>123456789012345678901234567890.50</Total><Line '
   . 'sku="R100">10.0</Line></Order></CreateOrder></soap:Body>'
   . '</soap:Envelope>', 'in its words, in an envelope');
is($res->{body}, '{"id":"4711","total":"123456789012345678901234567890.50",'
   . '"number":"000123","note":"<&> ' . "\xc3\xbc" . '"}',
   'the answer in the words of the client');
is($res->header('Content-Type'), 'application/json', 'as JSON');

say('read');
$res = ask('GET', '/v1/orders/4711');
$req = sent();

is($res->{status}, 200, 'a read by SOAP');
is($req->{method}, 'POST', 'is a POST');
is($req->{h}{soapaction}, '"urn:erp:GetOrder"', 'with its action');
is($req->{h}{'content-type'}, 'text/xml; charset=utf-8', 'as XML');
like($req->{body}, qr{<soap:Body><GetOrder\ xmlns="urn:erp"><Id\ xmlns="">4711
                      </Id></GetOrder></soap:Body>}x, 'that asks by the id');
is($res->{body}, '{"id":"4711","number":"000123"}', 'its answer');

say('read');
ask('GET', '/v1/orders/a%3C%2FId%3E%26b');
like(sent()->{body}, qr{<Id xmlns="">a&lt;/Id&gt;&amp;b</Id>},
     'an id says no more than itself');

say('created');
ask('DELETE', '/v1/orders/4711');
like(sent()->{body}, qr{<soap:Body><DeleteOrder><Id>4711</Id></DeleteOrder>},
     'a delete by POST');
is(sent()->{h}{soapaction}, '""', 'an action that says nothing');

my $before = $t->ledger('erp');
$res = post('soap', 'created', body => order('soap') =~ s/u00fc/u0001/r);

is($res->{status}, 422, 'what XML cannot say');
is($res->json->{errors}[0]{pointer}, '/CreateOrder/Order/Note', 'where');
is(scalar $t->ledger('erp'), $before, 'goes nowhere');


# faults, whatever the status is

for my $row (
    # say, to, status, name, category, code, message, key's end
    [ 'client', 'soap', 422, 'upstream-refused', 'business', 'Client',
      'Customer 42 is blocked', 'executed' ],
    [ 'client200', 'soap', 422, 'upstream-refused', 'business',
      'Client.Credit', 'no credit', 'executed' ],
    [ 'server', 'soap', 502, 'upstream-failed', 'technical', 'Server',
      'dump in FORM X', 'outcome-unknown' ],
    [ 'server200', 'soap', 502, 'upstream-failed', 'technical', 'Server',
      'dump in FORM X', 'outcome-unknown' ],
    [ 'server200', 'rolls', 503, 'upstream-failed', 'technical', 'Server',
      'dump in FORM X', 'released' ],
    [ 'sender12', 'soap12', 422, 'upstream-refused', 'business', 'NoStock',
      'no stock', 'executed' ],
    [ 'odoo_refused', 'odoo', 422, 'upstream-refused', 'business',
      'odoo.exceptions.UserError', 'No such partner', 'executed' ],
    [ 'odoo_broken', 'odoo', 502, 'upstream-failed', 'technical', '-32603',
      'Internal error', 'outcome-unknown' ],
    [ 'odata', 'odata', 400, 'upstream-refused', 'business', 'V1/042',
      'Customer is blocked', 'executed' ],
    [ 'odata4', 'odata4', 404, 'upstream-refused', 'business', '0x80040217',
      'salesorder does not exist', 'executed' ],
    [ 'odata503', 'odata4', 503, 'upstream-failed', 'technical', 'X', 'later',
      'outcome-unknown' ])
{
    my ($say, $to, $status, $name, $category, $code, $message, $end) = @$row;

    $res = post($to, $say);
    is($res->{status}, $status, "$say from $to: the status");
    is($res->header('Content-Type'), 'application/problem+json', 'a problem');

    my $p = $res->json;
    is($p->{type}, "urn:sync:problem:$name", 'of that name');
    is($p->{status}, $status, 'its status');
    is($p->{category}, $category, 'its category');
    is($p->{target_code}, $code, 'the code of the target');
    is($p->{target_message}, $message, 'and its message');
    ok($p->{instance}, 'with a correlation');

    # the key knows it

    my $key = 'fault-' . ++$n;
    $res = post($to, $say, at => '/keyed/orders', key => $key);
    is($res->{status}, $status, 'the same with a key');
    is($res->header('Idempotency-Status'), $end, 'which ends so');

    next if $end ne 'executed';

    my $calls = $t->ledger('erp');
    my $again = post($to, 'created', at => '/keyed/orders', key => $key);
    is($again->{status}, $status, 'it is replayed');
    is($again->{body}, $res->{body}, 'word for word');
    is($again->header('Content-Type'), 'application/problem+json', 'as it was');
    is(scalar $t->ledger('erp'), $calls, 'and not sent again');
}

# what is no answer of the format

for my $say (qw(html broken doctype latin charset other)) {
    $res = post('soap', $say);
    is($res->{status}, 502, "$say: no SOAP");
    is($res->json->{type}, 'urn:sync:problem:bad-upstream-answer', 'says so');

    $res = post('soap', $say, at => '/keyed/orders', key => "no-$say");
    is($res->header('Idempotency-Status'), 'outcome-unknown',
       'nobody knows what was done');
}

$res = post('odoo', 'odoo_strange', at => '/keyed/orders', key => 'strange');
is($res->{status}, 502, 'no JSON-RPC');
is($res->header('Idempotency-Status'), 'outcome-unknown',
   'nobody knows what was done');


# SOAP 1.2

$res = post('soap12', 'ok12');
$req = sent();

is($res->{status}, 200, 'an order by SOAP 1.2');
is($req->{h}{'content-type'}, 'application/soap+xml; charset=utf-8; '
   . 'action="urn:erp:CreateOrder"', 'the action stands in the media type');
is($req->{h}{soapaction}, undef, 'and in no header');
like($req->{body}, qr{<soap:Envelope xmlns:soap="$S12">}, 'its namespace');
is($res->{body}, '{"id":"9"}', 'the answer');


# JSON-RPC

$res = post('odoo', 'odoo');
$req = sent();

is($res->{status}, 200, 'an order by JSON-RPC');
is($req->{uri}, '/jsonrpc', 'goes where the document says');
like($req->{body}, qr/^\{"jsonrpc":"2.0","method":"call","params":\{
     "args":\["prod",2,"\Q$secret\E",
     "sale.order","create",\[\{"client_order_ref":"000123",
     "amount_total":123456789012345678901234567890.50\}\]\],
     "method":"execute_kw","service":"object"\},
     "id":"[A-Za-z0-9._-]+"\}$/x, 'as a call, with its secret');
is($res->{body}, '{"id":"4711"}', 'the answer');

say('odoo_read');
$res = ask('GET', '/v1/orders/4711', undef, host => 'beta.test');
is($res->{status}, 503, 'a secret that is not there');
is($res->json->{type}, 'urn:sync:problem:tenant-misconfigured', 'says so');

$t->write('secrets/t_beta/odoo', 'another');

# each worker reads it in its own time

my $in_a_row = 0;

$t->wait_for(sub {
    my $got = ask('GET', '/v1/orders/4711', undef, host => 'beta.test');

    $in_a_row = $got->{status} == 200 ? $in_a_row + 1 : 0;
    sleep 0.02;

    return $in_a_row > 20;
});
$res = ask('GET', '/v1/orders/4711', undef, host => 'beta.test');
is($res->{status}, 200, 'a read by JSON-RPC');
like(sent()->{body}, qr/"sale.order","read",\[\[4711\]\]\]/,
     'that asks by a number');
is($res->{body}, '{"id":"4711","total":"0.10","number":"000123"}',
   'its answer');

$res = ask('GET', '/v1/orders/a,1', undef, host => 'beta.test');
is($res->{status}, 400, 'an id that is no number');
is($res->json->{type}, 'urn:sync:problem:bad-value', 'says so');


# lists, page by page

sub list {
    my ($say, $query, %opt) = @_;

    say($say);
    return ask('GET', "/v1/orders$query", undef, host => 'gamma.test', %opt);
}

$res = list('page1', '');

is($res->{status}, 200, 'a list');
is(sent()->{uri}, '/odata/in?$top=2', 'as the document asks for it');
is($res->{body}, '{"orders":[{"id":"1","number":"a"},{"id":"2"}]}',
   'its items in the words of the client');

my ($next) = ($res->header('Link') // '')
             =~ /^<(\?next=[A-Za-z0-9_-]+)>; rel="next"$/;

ok($next, 'a link to the next page');

$res = list('page2', $next);
is($res->{status}, 200, 'the next page');
is(sent()->{uri}, "/odata/in?\$skiptoken='4'", 'is where the target said');
is($res->{body}, '{"orders":[{"id":"3"}]}', 'its items');
is($res->header('Link'), undef, 'the last one');

for my $row ([ 'beside', '/odata/in?p=2' ], [ 'query', '/odata/in?p=2' ]) {
    $res = list($row->[0], '');
    ($next) = $res->header('Link') =~ /^<(.*)>/;
    list('page2', $next);
    is(sent()->{uri}, $row->[1], "a link that is relative, $row->[0]");
}

for my $say (qw(outside up spaced number page2)) {
    $res = list($say, '');
    is($res->{status}, 200, "$say: a list");
    is($res->header('Link'), undef, 'without a link');
}

my $calls = $t->ledger('erp');

($next) = list('page1', '')->header('Link') =~ /^<(.*)>/;

for my $query (substr($next, 0, -1) . ($next =~ /A$/ ? 'B' : 'A'), "$next&a=b",
               substr($next, 0, -3), '?next=', '?next=abc', '?next=%2f',
               '?$top=5', '?a=b', "?a=b&next=1")
{
    $res = list('page2', $query);
    is($res->{status}, 400, 'no such page: ' . substr($query, 0, 12));
}

is(list('page2', $next, client => 'rpc')->{status}, 400,
   'the page of another client');
say('page2');
is(ask('GET', "/v1/orders/1$next", undef, host => 'beta.test')->{status}, 400,
   'no page of an object');
is(scalar $t->ledger('erp'), $calls + 1, 'none of them is sent');

is(list('odata', '')->{status}, 400, 'an error in place of a list');


# XML, CSV, forms to connectors

$res = post('xml', 'xml');
$req = sent();
is($req->{h}{'content-type'}, 'application/xml', 'an order as XML');
is($req->{h}{accept}, 'application/xml', 'asks for XML');
like($req->{body}, qr{\n<Order xmlns="urn:o"><Number>000123</Number></Order>$},
     'in its words');
is($res->{body}, '{"id":"7"}', 'the answer');

$res = post('csv', 'csv');
$req = sent();
is($req->{h}{'content-type'}, 'text/csv', 'an order as CSV');
is($req->{body}, "number,note\r\n000123,<&> \xc3\xbc\r\n", 'in its words');
is($res->{body}, '{"id":"7","number":"0001"}', 'the answer');

$res = post('form', 'form');
$req = sent();
is($req->{h}{'content-type'}, 'application/x-www-form-urlencoded',
   'an order as a form');
is($req->{body}, 'number=000123&note=%3C%26%3E+%C3%BC', 'in its words');
is($res->{body}, '{"id":"7","number":"a b"}', 'the answer');


# clients in their formats

my $words = '<Number>000123</Number><Date>2026-11-21</Date><Currency>EUR'
    . '</Currency><Customer>soap</Customer><Note>&lt;&#252;</Note><Total>0.10'
    . '</Total>';

$res = post('', 'created', client => 'soap', type => 'text/xml',
            body => soap($S11, "<p:PlaceOrder xmlns:p='urn:in'>$words<Line>"
                               . '<Sku>R100</Sku><Quantity>1.50</Quantity>'
                               . '</Line></p:PlaceOrder>'));
is($res->{status}, 200, 'an order of a SOAP client');
is($res->header('Content-Type'), 'text/xml; charset=utf-8', 'answered as XML');
is($res->{body}, qq{<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope }
   . qq{xmlns:soap="$S11"><soap:Body><PlaceOrderResponse xmlns="urn:in"><Id>}
   . '4711</Id><Total>123456789012345678901234567890.50</Total><Note>&lt;&amp;'
   . "&gt; \xc3\xbc</Note></PlaceOrderResponse></soap:Body></soap:Envelope>",
   'in an envelope');
like(sent()->{body}, qr{<Note>&lt;\xc3\xbc</Note><Total>0.10</Total>
                        <Line\ sku="R100">1.50</Line>}x,
     'one line is a list');

$res = post('', 'created', client => 'soap12', type => 'application/soap+xml',
            body => soap($S12, "<PlaceOrder>$words<Line><Sku>a</Sku><Quantity>"
                               . '1</Quantity></Line></PlaceOrder>'));
is($res->{status}, 200, 'of a SOAP 1.2 client');
is($res->header('Content-Type'), 'application/soap+xml; charset=utf-8',
   'in its media type');

$res = post('', 'created', client => 'xml', type => 'application/xml',
            body => "<Order>$words<Line sku='R1'><Quantity>1</Quantity></Line>"
                    . '</Order>');
is($res->{status}, 200, 'of an XML client');
is($res->header('Content-Type'), 'application/xml', 'answered as XML');
like($res->{body}, qr{\n<Result><Id>4711</Id>}, 'with its root');

$res = post('', 'created', client => 'rpc', body => '{"jsonrpc":"2.0","method":'
    . '"order.create","id":7,"params":{"Number":"000123","Date":"2026-11-21",'
    . '"Currency":"EUR","Customer":"soap","Lines":[{"Sku":"a","Quantity":"1"}]'
    . '}}');
is($res->{status}, 200, 'of a JSON-RPC client');
is($res->{body}, '{"jsonrpc":"2.0","result":{"Id":"4711"},"id":7}',
   'answered with its id');

$res = post('', 'created', client => 'csv', type => 'text/csv',
            body => "Number,Date,Currency,Customer,Sku,Quantity\r\n"
                    . "000123,2026-11-21,EUR,soap,\"R,1\",2.0\r\n"
                    . "000123,2026-11-21,EUR,soap,R2,3\r\n");
is($res->{status}, 200, 'of a CSV client');
is($res->{body}, '{"Id":"4711"}', 'answered as JSON');
like(sent()->{body}, qr{<Line sku="R,1">2.0</Line><Line sku="R2">3</Line>},
     'its lines');

$res = post('', 'created', client => 'form',
            type => 'application/x-www-form-urlencoded; charset=UTF-8',
            body => 'Number=000123&Date=2026-11-21&Currency=EUR&Customer=soap'
                    . '&Note=a+%26+b&Sku=1');
is($res->{status}, 200, 'of a form client');
like(sent()->{body}, qr{<Note>a &amp; b</Note><Line sku="1">1</Line>},
     'its words');

$res = post('', 'created', client => 'typed', type => 'text/x-order',
            body => order('soap'));
is($res->{status}, 200, 'of a client with a media type of its own');
$res = post('', 'created', client => 'typed', body => order('soap'));
is($res->{status}, 415, 'which is the only one then');
like($res->json->{detail}, qr{"application/json".*text/x-order is right},
     'says so');


# what a client must not send

my $order = soap($S11, "<PlaceOrder>$words</PlaceOrder>");

for my $row (
    # client, type, body, status, name, keyword
    [ 'soap', 'application/json', '{}', 415, 'unsupported-media-type' ],
    [ 'soap', 'application/soap+xml', $order, 415, 'unsupported-media-type' ],
    [ 'json', 'text/xml', '<a/>', 415, 'unsupported-media-type' ],
    [ 'csv', 'application/json', '{}', 415, 'unsupported-media-type' ],
    [ 'soap', 'text/xml; charset=ISO-8859-1', $order, 415,
      'unsupported-media-type' ],
    [ 'soap', 'text/xml', '', 400, 'invalid-soap' ],
    [ 'soap', 'text/xml', '<a', 400, 'invalid-soap', 'syntax' ],
    [ 'soap', 'text/xml', "<!DOCTYPE a>$order", 400, 'invalid-soap',
      'doctype' ],
    [ 'soap', 'text/xml', soap($S12, '<a/>'), 400, 'invalid-soap',
      'envelope' ],
    [ 'soap', 'text/xml', qq{<S:Envelope xmlns:S="$S11"><S:Header><h }
      . 'S:mustUnderstand="1"/></S:Header><S:Body/></S:Envelope>', 400,
      'invalid-soap', 'must-understand' ],
    [ 'soap', 'text/xml', '<a>' x 200, 400, 'invalid-soap', 'too-deep' ],
    [ 'xml', 'text/xml', '<a></b>', 400, 'invalid-xml', 'syntax' ],
    [ 'xml', 'text/xml', "<a>\xff</a>", 400, 'invalid-xml', 'utf8' ],
    [ 'csv', 'text/csv', "a,b\r\n1\r\n", 400, 'invalid-csv', 'fields' ],
    [ 'form', 'application/x-www-form-urlencoded', 'a=1&a=2', 400,
      'invalid-form', 'duplicate-member' ],
    [ 'rpc', 'application/json', '{"a":1}', 400, 'invalid-json-rpc',
      'envelope' ],
    [ 'rpc', 'application/json', '[{"jsonrpc":"2.0"}]', 400,
      'invalid-json-rpc', 'envelope' ],
    [ 'rpc', 'application/json', '{"jsonrpc":"2.0","method":"m","id":1}', 400,
      'invalid-json-rpc', 'envelope' ],
    [ 'rpc', 'application/json', '{', 400, 'invalid-json', 'syntax' ])
{
    my ($client, $type, $body, $status, $name, $keyword) = @$row;

    $res = post('', 'created', client => $client, type => $type,
                body => $body);
    is($res->{status}, $status, "$client sends " . substr($body, 0, 30));
    is($res->json->{type}, "urn:sync:problem:$name", 'says so');
    is($res->json->{errors}[0]{keyword}, $keyword, 'and why') if $keyword;
}

is(post('soap', 'created', at => '/shadow/orders')->{status}, 200,
   'in shadow it goes as it came');
is(sent()->{body}, order('soap'), 'word for word');
is(sent()->{h}{'content-type'}, 'application/json', 'in its media type');
is(post('soap', 'client', at => '/shadow/orders')->{status}, 500,
   'and so does its answer');

$t->done;
