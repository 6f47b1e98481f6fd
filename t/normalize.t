#!/usr/bin/perl

# sync_normalize: in whose words a request goes on and its answer comes back.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new(workers => 2);

my $said = '{"id":"7","order_number":"1", "total" : "0.10"}';

my %answer = (
    'said'     => [ 200, { 'Content-Type' => 'application/vnd.o+json',
                           'ETag' => '"1"' }, $said ],
    '/gone'    => [ 204, {} ],
    '/html'    => [ 200, { 'Content-Type' => 'text/html' }, '<p>hello</p>' ],
    '/packed'  => [ 200, { 'Content-Type' => 'application/json',
                           'Content-Encoding' => 'gzip' },
                    '{"d":{"SalesOrder":"1"}}' ],
    '/text'    => [ 200, { 'Content-Type' => 'text/plain' },
                    '{"d":{"SalesOrder":"1"}}' ],
    '/cut'     => [ 200, { 'Content-Type' => 'application/json' }, '{"d":' ],
    '/other'   => [ 200, { 'Content-Type' => 'application/json' }, '[1]' ],
    '/refused' => [ 400, { 'Content-Type' => 'application/json',
                           'Set-Cookie' => 'SAP_SESSION=1',
                           'X-Backend' => 's4-host-7' },
                    '{"error":{"code":"V1/042"}}' ],
    '/large'   => [ 200, { 'Content-Type' => 'application/json' },
                    '{"d":{"SalesOrder":"1","Note":"' . 'x' x 5_000_000
                    . '"}}' ],
    '/loose'   => [ 200, { 'Content-Type' => 'application/json',
                      'X-Accel-Buffering' => 'no' },
                    '{"d":{"SalesOrder":"1","Note":"' . 'x' x 5_000_000
                    . '"}}' ],
    '/half'    => [ 200, { 'Content-Type' => 'application/json' },
                    '{"d":{"SalesOrder":"1","Note":"' . 'x' x 400_000
                    . '"}}' ],
    '/many'    => [ 200, { 'Content-Type' => 'application/json' },
                    '{"d":{"results":[{"SalesOrder":"1","Amount":0.10},'
                    . '{"SalesOrder":"2","Amount":1E400}]}}' ],
);

$t->peer(erp => sub {
    my ($req, $ctl) = @_;

    my ($last) = $req->{uri} =~ m{(/[^/]*)$};
    my $say = $answer{ $ctl->{say} // '' } || $answer{$last};
    return $say if $say;

    return [ $req->{method} eq 'POST' ? 201 : 200,
             [ 'Content-Type' => 'application/json;charset=utf-8',
               'Location'     => 'https://s4-host-7/A_SalesOrder/4711',
               'ETag'         => 'W/"7"',
               'Set-Cookie'   => 'SAP_SESSION=1',
               'X-Backend'    => 's4-host-7',
               'X-Let-Me'     => 'through',
               'X-Sync-Trace' => 'a lie' ],
             '{"d":{"__metadata":{"uri":"https://s4-host-7/"},'
             . '"SalesOrder":"4711","PurchaseOrderByCustomer":"00000123",'
             . '"Amount":123456789012345678901234567890.5,'
             . '"Ledger":9007199254740993,"Rate":0.10}}' ];
});

my $crm = $t->canary('c4n4ry-key-of-the-crm');
my $raw = $t->canary('c4n4ry-key-of-the-raw');
my $erp = $t->canary('c4n4ry-key-for-the-erp');

for my $id (qw(t_acme t_beta)) {
    $t->write("secrets/$id/crm", $crm);
    $t->write("secrets/$id/raw", $raw);
    $t->write("secrets/$id/erp", $erp);
}

my %crm_map = (
    write => {
        'x-ext' => { collect => 'crm' }, ignore => [ '$.attributes' ],
        rules => [
            { from => '$.Number', to => '/order_number', required => \1 },
            { from => '$.Date', to => '/order_date', type => 'date',
              required => \1 },
            { from => '$.Currency', to => '/currency', default => 'EUR' },
            { from => '$.Status', to => '/status',
              enum => { Active => 'submitted', Gone => 'no-such-status' } },
            { from => '$.Customer', to => '/sold_to/id' },
            { from => '$.Note', to => '/notes' },
            { from => '$.Total', to => '/total', type => 'decimal' },
            { from => '$.Lines[*]', to => '/items', required => \1,
              each => [ { from => '$.Sku', to => '/sku', required => \1 },
                        { from => '$.Quantity', to => '/quantity',
                          type => 'decimal' } ] } ] },
    read => {
        in => { many => '/records' }, out => { many => '/records' },
        'x-ext' => { spread => '*' },
        rules => [ { constant => 'Order', to => '/attributes/type' },
                   { from => '$.id', to => '/Id' },
                   { from => '$.order_number', to => '/Number' },
                   { from => '$.total', to => '/Total', type => 'number' } ] },
);

my %erp_map = (
    write => {
        'x-ext' => { spread => '*' },
        rules => [
            { from => '$.order_number', to => '/PurchaseOrderByCustomer' },
            { from => '$.order_type', to => '/Type', default => 'OR' },
            { from => '$.order_date', to => '/Date', type => 'odata-date' },
            { from => '$.sold_to.id', to => '/SoldTo' },
            { from => '$.notes', to => '/Note' },
            { from => '$.total', to => '/Amount', type => 'number' },
            { from => '$.payment.reference', to => '/Ref',
              enum => { A => 'a' } },
            { env => 'downstream_key', to => '/Key', update => \0 },
            { from => '$.items[*]', to => '/to_Item',
              each => [ { from => '$.sku', to => '/Material' },
                        { from => '$.quantity', to => '/Quantity' } ] } ] },
    read => {
        in => { one => '/d', many => '/d/results' },
        out => { many => '/records' },
        'x-ext' => { collect => 'erp' }, ignore => [ '$.__metadata' ],
        rules => [
            { from => '$.SalesOrder', to => '/id', required => \1 },
            { from => '$.PurchaseOrderByCustomer', to => '/order_number' },
            { from => '$.Note', to => '/notes' },
            { from => '$.Amount', to => '/total', type => 'decimal' } ] },
);

my %write_only = (write => $erp_map{write});

$t->write('library/maps/crm.json', \%crm_map);
$t->write('library/maps/erp.json', \%erp_map);
$t->write('library/maps/write-only.json', \%write_only);

my @all = qw(create read replace update delete list);
my %operations = (
    create => 'POST /A_SalesOrder', read => 'GET /A_SalesOrder/{id}',
    replace => 'PUT /A_SalesOrder/{id}', update => 'PATCH /A_SalesOrder/{id}',
    delete => 'DELETE /A_SalesOrder/{id}', list => 'GET /many',
);

sub document {
    my ($name, %more) = @_;

    return {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.test"] },
        sources => { crm => { maps => { sales_order => 'maps/crm.json' } } },
        clients => {
            crm => { source => 'crm', api_keys => ['secret:crm'],
                     entities => { sales_order => \@all } },
            raw => { api_keys => ['secret:raw'],
                     entities => { sales_order => \@all } },
        },
        connectors => {
            erp => {
                upstream => 'erp', headers => { response => ['x-let-me'] },
                credentials => { api_key => { header => 'X-Key',
                                              value => 'secret:erp' } },
                idempotency => { send => 'header:RequestID',
                                 as => 'uuid-hex' },
                entities => { sales_order => { map => 'maps/erp.json',
                                               %operations } } },
            plain => { upstream => 'erp',
                       entities => { sales_order => { %operations } } },
            mute => { upstream => 'erp',
                      entities => { sales_order => {
                          map => 'maps/write-only.json', %operations } } },
        },
        routes => [
            { entity => 'sales_order', when => { '/sold_to/id' => 'plain' },
              to => 'plain' },
            { entity => 'sales_order', when => { '/sold_to/id' => 'mute' },
              to => 'mute' },
            { entity => 'sales_order', to => 'erp' } ],
        %more };
}

$t->write('tenants/acme.json', document('acme'));
$t->write('tenants/beta.json', document('beta', ids => 'prefixed'));
$t->write('secret', 'a secret of the edge, long enough');

my $shared = <<'CONF';
    sync_secret  file:%%TESTDIR%%/secret;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp { server %%PEER_erp%%; }
CONF

$t->main("\n");
$t->http($shared . <<'CONF');
    log_format sync '$uri $status $sync_verdict $sync_reason';
    access_log %%TESTDIR%%/sync.log sync;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% http2;

        sync_tenant host;
        sync_normalize on;

        proxy_http_version 1.1;
        proxy_set_header   Connection "";
        proxy_method       $sync_upstream_method;
        proxy_redirect     off;
        proxy_ignore_client_abort on;

        location /v1/orders {
            sync_auth   api_key;
            sync_entity sales_order at=/v1/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /file/orders {
            sync_auth   api_key;
            sync_entity sales_order at=/file/orders;
            client_body_in_file_only clean;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /keyed/orders {
            sync_auth        api_key;
            sync_entity      sales_order at=/keyed/orders;
            sync_idempotency required;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }

        location /head/orders {
            sync_auth    api_key;
            sync_entity  sales_order at=/head/orders;
            proxy_method $request_method;
            proxy_pass   http://$sync_upstream$sync_upstream_uri;
        }

        location /shadow/orders {
            sync_auth      api_key;
            sync_entity    sales_order at=/shadow/orders;
            sync_normalize shadow;
            proxy_pass     http://$sync_upstream$sync_upstream_uri;
        }

        location /off/orders {
            sync_auth      api_key;
            sync_entity    sales_order at=/off/orders;
            sync_normalize off;
            proxy_pass     http://$sync_upstream$sync_upstream_uri;
        }

        location /anyone/orders {
            sync_entity sales_order at=/anyone/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /paged/orders {
            sync_auth   api_key;
            sync_entity sales_order at=/paged/orders;
            error_page  422 = @sorry;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /other/orders {
            sync_auth   api_key;
            sync_entity sales_order at=/other/orders;
            error_page  422 = /sorry;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location = /sorry {
            internal;
            sync_normalize off;
            proxy_pass http://erp/html;
        }

        location @sorry { sync_normalize off; return 418 "sorry"; }

        location /status { sync_status; }
    }
CONF

$t->start;

sub ask {
    my ($method, $uri, $body, %opt) = @_;

    my %more = map { $_ => delete $opt{$_} } grep { exists $opt{$_} }
                   qw(chunked packets expect port timeout);
    my $client = delete $opt{client} // $crm;
    my $host = delete $opt{host} // 'acme.test';

    return $t->request($method, $uri, body => $body, %more,
                       headers => [ Host => $host,
                                    ('X-API-Key' => $client) x !!$client,
                                    %opt ]);
}

sub last_sent { return ($t->ledger('erp'))[-1] }

sub sent { return scalar $t->ledger('erp') }

my $order = '{"attributes":{"a":1},"Number":"00000123","Date":"2026-11-21",'
    . '"Customer":"42","Note":"n\u00fc","Total":123456789012345678901234567890'
    . '.50,"Lines":[{"Sku":"R100","Quantity":10.0,"Serial":9007199254740993}],'
    . '"Ledger":9007199254740993,"Rate":0.10,"Huge":1E400}';

# both ways

my $res = ask('POST', '/v1/orders', $order);
my $req = last_sent();

is($res->{status}, 201, 'an order');
is($req->{method} . ' ' . $req->{uri}, 'POST /A_SalesOrder', 'by the document');
like($req->{body}, qr/^\{"PurchaseOrderByCustomer":"00000123","Type":"OR",
                      "Date":"\/Date\(1795219200000\)\/","SoldTo":"42",
                      "Note":"n\\u00fc",
                      "Amount":123456789012345678901234567890.50,
                      "Key":"[0-9a-f]{32}",
                      "to_Item":\[\{"Material":"R100","Quantity":"10.0",
                      "Serial":9007199254740993\}\],
                      "Ledger":9007199254740993,"Rate":0.10,"Huge":1E400\}$/x,
     'in the words of the ERP, each number and unknown member as sent');
is($req->{h}{'content-type'}, 'application/json', 'its media type');
is($req->{h}{'content-length'}, length $req->{body}, 'its length');
is($res->{body}, '{"attributes":{"type":"Order"},"Id":"4711",'
   . '"Number":"00000123","Total":123456789012345678901234567890.5,'
   . '"Ledger":9007199254740993,"Rate":0.10}',
   'the answer in the words of the CRM');
is($res->header('Content-Type'), 'application/json', 'as JSON');
is($res->header('Content-Length'), length $res->{body}, 'with its length');

# headers of the answer

is($res->header('Location'), '/v1/orders/4711', 'Location leads through us');
is($res->header('ETag'), 'W/"7"', 'ETag passes');
is($res->header('X-Let-Me'), 'through', 'so does what the document lists');
is($res->header('Set-Cookie'), undef, 'a cookie never');
is($res->header('X-Backend'), undef, 'nothing else of the ERP');
is($res->header('X-Sync-Trace'), undef, 'nor what is not its to say');
ok($res->header('X-Correlation-ID'), 'what is ours stays');


# who speaks canonical, who listens canonical

my $canonical = '{"order_number":"1","order_date":"2026-11-21",'
    . '"currency":"EUR","sold_to":{"id":"42"},'
    . '"items":[{"sku":"R100","quantity":"0.10"}]}';
my $plain = $canonical =~ s/"42"/"plain"/r;

$res = ask('POST', '/v1/orders', $canonical, client => $raw);
like(last_sent()->{body}, qr/^\{"PurchaseOrderByCustomer":"1","Type":"OR"/,
     'canonical words become those of the ERP');
is($res->{body}, '{"id":"4711","order_number":"00000123",'
   . '"total":"123456789012345678901234567890.5",'
   . '"x-ext":{"erp":{"Ledger":9007199254740993,"Rate":0.10}}}',
   'and its words canonical');

$res = ask('POST', '/anyone/orders', $canonical, client => '');
is($res->{status}, 201, 'without a client the words are canonical');
is($res->json->{id}, '4711', 'so is the answer');

$t->tell('erp', { say => 'said' });

my $spaced = "  $plain\n";
$res = ask('POST', '/v1/orders', $spaced, client => $raw,
           'Content-Type' => 'application/vnd.order+json; charset="UTF-8"');
is(last_sent()->{body}, $spaced, 'canonical to canonical: the very bytes');
is(last_sent()->{h}{'content-type'},
   'application/vnd.order+json; charset="UTF-8"', 'and their media type');
is($res->{body}, $said, 'both ways');
is($res->header('Content-Type'), 'application/vnd.o+json', 'likewise');

$res = ask('POST', '/v1/orders', $order =~ s/"42"/"plain"/r);
like(last_sent()->{body}, qr/^\{"order_number":"00000123",.*"x-ext":\{"crm":/,
     'a connector without a map hears canonical words');
is($res->{body}, '{"attributes":{"type":"Order"},"Id":"7","Number":"1",'
   . '"Total":0.10}', 'and speaks them');

$t->tell('erp', {});

$res = ask('POST', '/v1/orders', $canonical =~ s/"42"/"mute"/r);
is($res->{status}, 422, 'a client speaks its own words');
$res = ask('POST', '/v1/orders', $order =~ s/"42"/"mute"/r);
is("$res->{status} $res->{body}", '201 ',
   'of a connector without "read" the status is told');
is($res->header('Content-Type'), undef, 'and nothing else');

# what is not JSON

my $before = sent();

for ([ 'text/plain' ], [ 'application/xml' ], [ 'application/jsonp' ],
     [ 'application/json; charset=iso-8859-1' ],
     [ 'application/json;charset=utf-16' ],
     [ 'application/json; a=b ; charset="latin1"' ], [ '' ],
     [ 'application/json', 'Content-Encoding' => 'gzip' ],
     [ 'application/json', 'Content-Encoding' => 'identity, gzip' ])
{
    my ($type, @more) = @$_;

    $res = ask('POST', '/v1/orders', $order, 'Content-Type' => $type, @more);
    is($res->{status}, 415, "415: $type @more");
    is($res->json->{type}, 'urn:sync:problem:unsupported-media-type',
       'in our words');
}

$res = $t->request('POST', '/v1/orders', body => $order, headers => [
    Host => 'acme.test', 'X-API-Key' => $crm,
    'Content-Type' => 'application/json', 'Content-Type' => 'text/plain' ]);
is($res->{status}, 415, '415: two media types');
is(sent(), $before, 'nothing of it was sent');

for ([ 'application/json; charset=utf-8' ],
     [ 'Application/JSON ;charset=UTF-8' ],
     [ 'application/problem+json; charset="utf-8"; a="charset=x"' ],
     [ 'application/json', 'Content-Encoding' => 'identity' ])
{
    my ($type, @more) = @$_;

    is(ask('POST', '/v1/orders', $order, 'Content-Type' => $type,
           @more)->{status}, 201, "JSON: $type @more");
}

is(last_sent()->{h}{'content-encoding'}, undef,
   'what described the old body is gone');

for ([ '{"Number":}', 10 ], [ '{"Number":"1"', 13 ],
     [ "{\"Number\":\"\xff\"}", 11 ], [ '{"a":1,"a":2}', 7 ],
     [ 'null x', 5 ], [ '{"a":01}', 6 ])
{
    my ($body, $at) = @$_;

    $res = ask('POST', '/v1/orders', $body);
    is($res->{status}, 400, '400: not JSON');
    like($res->json->{detail}, qr/^at byte $at\b/, "at byte $at");
}

$res = ask('POST', '/v1/orders', '');
is($res->{status}, 400, '400: no body');
is($res->json->{type}, 'urn:sync:problem:invalid-json', 'is no JSON');

# faults

sub faults {
    my ($res) = @_;

    my $json = $res->json || {};

    return join ' ', $res->{status},
        map { "$_->{pointer}:$_->{keyword}" } @{ $json->{errors} || [] };
}

my $value = $t->canary('c4n4ry-value-of-a-payload');

for ([ '{}', '422 /Number:required /Date:required /Lines:required' ],
     [ $order =~ s/"Quantity":10.0/"Quantity":"$value"/r,
       '422 /Lines/0/Quantity:type' ],
     [ $order =~ s/"Sku":"R100",//r, '422 /Lines/0/Sku:required' ],
     [ $order =~ s/2026-11-21/$value/r, '422 /Date:date' ],
     [ $order =~ s/"Note"/"Status":"$value","Note"/r, '422 /Status:enum' ],
     [ $order =~ s/"Note"/"Status":"Gone","Note"/r, '422 /status:enum' ],
     [ $order =~ s/"Customer":"42"/"Customer":7/r, '422 /sold_to/id:type' ],
     [ '[]', '422 :type' ])
{
    my ($body, $want) = @$_;

    $res = ask('POST', '/v1/orders', $body);
    is(faults($res), $want, $want);
    unlike($res->{body}, qr/$value/, 'the value is not told');
}

is(faults(ask('POST', '/v1/orders', $canonical =~ s/"sku"/"colour":1,"sku"/r,
              client => $raw)), '422 /items/0/colour:unknown-member',
   'an unknown member of a canonical payload');
is(faults(ask('POST', '/v1/orders', '{"items":[' . join(',', ('{}') x 40)
              . ']}', client => $raw)) =~ tr/://, 32, 'at most 32 are told');
my $target = $canonical =~ s/^\{/{"payment":{"reference":"B"},/r;
is(faults(ask('POST', '/v1/orders', $target, client => $raw)),
   '422 /payment/reference:enum', 'what the ERP has no word for');
is(ask('POST', '/other/orders', $target, client => $raw)->{body},
   '<p>hello</p>', 'nothing is mapped where error_page leads');
is(faults(ask('POST', '/paged/orders', '{}')), '418',
   "the user's own error_page wins");

# updates

$before = sent();
$res = ask('PATCH', '/v1/orders/4711', '{"Note":null,"New":1}',
           'If-Match' => 'W/"7"');
is($res->{status}, 200, 'an update');
is(last_sent()->{method} . ' ' . last_sent()->{uri}, 'PATCH /A_SalesOrder/4711',
   'of an object');
is(last_sent()->{body}, '{"Note":null,"New":1}',
   'has what was sent, and no defaults; null clears');
is(last_sent()->{h}{'if-match'}, 'W/"7"', 'If-Match goes along');
is($res->json->{Id}, '4711', 'its answer is mapped');
is(faults(ask('PATCH', '/v1/orders/4711', '{"Number":7}')),
   '422 /order_number:type', 'what is there is judged');
is(faults(ask('PUT', '/v1/orders/4711', '{"Note":"n"}')),
   '422 /Number:required /Date:required /Lines:required',
   'replacing takes the whole object');
is(ask('PUT', '/v1/orders/4711', $order)->{status}, 200, 'as this one is');

# reads, and answers of all kinds

$res = ask('GET', '/v1/orders/4711');
is($res->{body}, '{"attributes":{"type":"Order"},"Id":"4711",'
   . '"Number":"00000123","Total":123456789012345678901234567890.5,'
   . '"Ledger":9007199254740993,"Rate":0.10}', 'a read');
is($res->header('Location'), undef, "the ERP's own Location is dropped");

$res = ask('GET', '/v1/orders');
is($res->{body}, '{"records":[{"attributes":{"type":"Order"},"Id":"1",'
   . '"Total":0.10},{"attributes":{"type":"Order"},"Id":"2","Total":1E400}]}',
   'a list');

$res = ask('HEAD', '/v1/orders/4711');
is($res->{status}, 200, 'HEAD');
is($res->header('ETag'), 'W/"7"', 'has headers');
is($res->header('Content-Length'),
   length ask('GET', '/v1/orders/4711')->{body}, 'and the length of GET');

$res = ask('HEAD', '/head/orders/4711');
is(last_sent()->{method}, 'HEAD', 'a HEAD that goes on as one');
is($res->header('Content-Length'), undef, 'has no length that would be wrong');

is(ask('DELETE', '/v1/orders/gone')->{status}, 204, 'an empty answer passes');

$res = ask('GET', '/v1/orders/refused');
is($res->{status} . $res->{body}, '400{"error":{"code":"V1/042"}}',
   'what the ERP refuses passes');
is($res->header('Set-Cookie') // $res->header('X-Backend'), undef,
   'without its headers');

for (qw(html packed text cut other)) {
    $res = ask('GET', "/v1/orders/$_");
    is($res->{status}, 502, "502: $_");
    is($res->json->{type}, 'urn:sync:problem:bad-upstream-answer',
       'in our words');
    is($res->header('Content-Encoding'), undef, 'which are not packed')
        if $_ eq 'packed';
}

is(ask('GET', '/v1/orders/half', undef, client => $raw)->json->{notes},
   'x' x 400_000, 'a large answer');

for my $uri (qw(/v1/orders/large /v1/orders/loose)) {
    my $conn = $t->connect;

    for my $n (1, 2) {
        $res = $t->request('GET', $uri, conn => $conn, headers => [
            Host => 'acme.test', 'X-API-Key' => $crm ]);
        is($res->{status}, 502, "an answer that is too large, $n");
        is(eval { $res->json->{type} },
           'urn:sync:problem:answer-too-large', 'is told so');
        is($res->{rest} // '', '', 'and nothing of it follows');
    }

    $res = $t->request('GET', '/v1/orders/4711', conn => $conn, headers => [
        Host => 'acme.test', 'X-API-Key' => $crm ]);
    is($res->{status}, 200, 'the connection goes on');
    close $conn;
}

# keys

$before = sent();
my @key = ('Idempotency-Key' => 'once');
my $first = ask('POST', '/keyed/orders', $order, @key);
my $again = ask('POST', '/keyed/orders', $order, @key);
is($first->header('Idempotency-Status'), 'executed', 'a key');
is($again->header('Idempotent-Replayed'), 'true', 'its replay');
is($again->{body}, $first->{body}, 'is in the words of the CRM');
is($again->header('Location'), $first->header('Location'), 'with Location');
is(sent(), $before + 1, 'the ERP was asked once');

for my $say (qw(/html /cut /large)) {
    $before = sent();
    @key = ('Idempotency-Key' => "bad-$say");
    $t->tell('erp', { say => $say });

    $res = ask('POST', '/keyed/orders', $order, @key);
    is($res->{status}, 502, "a key, and $say");
    is($res->header('Idempotency-Status'), 'executed', 'it was done');

    $t->tell('erp', {});
    $res = ask('POST', '/keyed/orders', $order, @key);
    is("$res->{status} $res->{body}", '200 ', 'a retry learns the status');
    is($res->header('Idempotent-Replayed'), 'true', 'as a replay');
    is(sent(), $before + 1, 'nothing is done twice');
}

@key = ('Idempotency-Key' => 'half');
$t->tell('erp', { say => '/half' });
$res = ask('POST', '/keyed/orders', $canonical, @key, client => $raw);
is(length $res->json->{notes}, 400_000, 'over the bound of what is kept');
$res = ask('POST', '/keyed/orders', $canonical, @key, client => $raw);
is("$res->{status} $res->{body}", '200 ', 'is replayed without its body');
$t->tell('erp', {});

for my $body ('{}', '{"Number":', 'x') {
    @key = ('Idempotency-Key' => 'released-' . length $body);
    $res = ask('POST', '/keyed/orders', $body, @key);
    like($res->{status}, qr/^4(?:00|22)$/, "refused with $res->{status}");
    is(ask('POST', '/keyed/orders', $order, @key)->{status}, 201,
       'a refusal does not burn the key');
}

# however the body comes

for my $uri (qw(/v1/orders /file/orders)) {
    for my $opt ([ chunked => 1 ], [ chunked => [ unpack '(a7)*', $order ] ],
                 [ packets => 20 ], [ expect => 1 ])
    {
        $res = ask('POST', $uri, $order, @$opt);
        is($res->{status}, 201, "$uri, @{[ $opt->[0] ]}");
        is(last_sent()->{h}{'transfer-encoding'}, undef, 'with a length');
        is(last_sent()->{body} =~ s/"Key":"\w*"//r,
           $req->{body} =~ s/"Key":"\w*"//r, 'the same is sent');
    }

    for my $method (qw(POST HEAD)) {
        $res = $t->h2($method, $uri . ($method eq 'HEAD' ? '/1' : ''),
                      port => 1, host => 'acme.test',
                      headers => [ 'X-API-Key' => $crm ],
                      $method eq 'POST' ? (body => $order) : ());
        is($res->{status}, $method eq 'POST' ? 201 : 200,
           "$uri, $method over HTTP/2");
    }
}

my $long = $order =~ s/"Ledger"/'"Long":"' . 'x' x 300_000 . '","Ledger"'/er;
$res = ask('POST', '/v1/orders', $long);
is($res->{status}, 201, 'a body of 300 kB');
is(length(last_sent()->{body}) - length($req->{body}), 300_000 + 10,
   'arrives whole');

# shadow and off

sub line {
    my ($uri, $n) = @_;

    my @lines;

    $t->wait_for(sub {
        @lines = $t->read('sync.log') =~ /^(\Q$uri\E \d+ .*)$/mg;
        return @lines == $n;
    });

    return $lines[-1];
}

$res = ask('POST', '/shadow/orders', $order);
is($res->{status}, 201, 'shadow');
is(last_sent()->{body}, $order, 'the request goes as it came');
is(last_sent()->{uri}, '/A_SalesOrder', 'where the canonical payload leads');
like($res->{body}, qr/^\{"d":\{"__metadata"/, 'and so does the answer');
is(line('/shadow/orders', 1), '/shadow/orders 201 pass ', 'nothing to say');

$res = ask('POST', '/shadow/orders', '{"Number":7}');
is($res->{status}, 201, 'shadow: a fault');
is(last_sent()->{body}, '{"Number":7}', 'is sent');
is(line('/shadow/orders', 2), '/shadow/orders 201 pass invalid-payload',
   'and seen in a log');
$t->log_like(qr/canonical: shadow, would answer 422 invalid-payload/,
             'by its status');

$t->tell('erp', { say => '/html' });
$res = ask('POST', '/shadow/orders', $order);
is($res->{body}, '<p>hello</p>', 'shadow: an answer that cannot be mapped');
$t->log_like(qr/map_back: shadow, would answer 502/, 'is told of');
$t->tell('erp', {});

is(ask('GET', '/shadow/orders/large')->{body}, $answer{'/large'}[2],
   'shadow: an answer that is too large to map streams');

$res = ask('POST', '/off/orders', $order);
is(last_sent()->{body}, $order, 'off: the request as it came');
like($res->{body}, qr/^\{"d":/, 'and the answer');
is($res->header('X-Backend'), undef, 'but for its headers');

# ids of several connectors

$res = ask('POST', '/v1/orders', $order, host => 'beta.test');
is($res->json->{Id}, 'erp~4711', 'prefixed: an id says whose it is');
like($res->header('Location'), qr{/v1/orders/erp~4711$}, 'in Location, too');
$res = ask('GET', '/v1/orders/erp~4711', undef, host => 'beta.test');
is(last_sent()->{uri}, '/A_SalesOrder/4711', 'prefixed: a read goes there');
is($res->json->{Id}, 'erp~4711', 'and comes back so');
is(join(' ', map { $_->{Id} }
        @{ ask('GET', '/v1/orders', undef, host => 'beta.test')
           ->json->{records} }), 'erp~1 erp~2', 'prefixed: a list');
$res = ask('GET', '/v1/orders/erp~4711', undef, host => 'beta.test',
           client => $raw);
like($res->{body}, qr/"total":"123456789012345678901234567890.5".*
                      "Ledger":9007199254740993,"Rate":0.10/x,
     'prefixed: all else as it was');
$t->tell('erp', { say => 'said' });
$res = ask('POST', '/v1/orders', $plain, host => 'beta.test', client => $raw);
is($res->{body}, '{"id":"plain~7","order_number":"1","total":"0.10"}',
   'prefixed: without a map');
$t->tell('erp', {});

# a map deployed live

@key = ('Idempotency-Key' => 'before-the-map');
$first = ask('POST', '/keyed/orders', $order, @key);
push @{ $crm_map{write}{rules} }, { constant => 'V2', to => '/order_type' };
push @{ $crm_map{read}{rules} }, { constant => 2, to => '/Version' };
$t->write('library/maps/crm.json', \%crm_map);
ok($t->wait_for(sub { ($res = ask('POST', '/v1/orders', $order))
                      ->json->{Version} }), 'a map deployed live');
like(last_sent()->{body}, qr/"Type":"V2"/, 'maps requests, too');
$again = ask('POST', '/keyed/orders', $order, @key);
is($again->{body}, $first->{body}, 'a replay is as it was');

ok($t->reload, 'reload');
is(ask('POST', '/v1/orders', $order)->json->{Version}, 2, 'and all is well');

# what is wrong at load

for ([ 'sync_normalize;', qr/invalid number of arguments/ ],
     [ 'sync_normalize yes;',
       qr/"yes" is not one of "off", "on" and "shadow"/ ],
     [ 'sync_normalize on; sync_normalize off;', qr/is duplicate/ ],
     [ "location /v1/orders {\n sync_normalize on;\n }",
       qr{sync_normalize\ needs\ sync_entity,\ in\ location\ "/v1/orders",
          \ \S+/check\.conf:\d+$}xm ],
     [ 'sync_normalize shadow; location /a { }',
       qr{sync_normalize needs sync_entity, in location "/a"} ])
{
    $t->refused(@$_);
}

$t->accepted('sync_normalize on; location /s { sync_status; }
              location /off { sync_normalize off; }',
             'where no entity passes it is not missed');

$t->done;

# a worker with little room

my $small = Test::Sync->new;

$small->peer(erp => sub {
    my ($req) = @_;
    return [ 200, { 'Content-Type' => 'application/json' },
             '{"d":{"SalesOrder":"1","Note":"' . 'x' x 200_000 . '"}}' ]
        if $req->{method} eq 'GET';
    return [ 201, { 'Content-Type' => 'application/json' },
             '{"d":{"SalesOrder":"1"}}' ];
});

$small->write('secret', 'a secret of the edge, long enough');
$small->write('secrets/t_acme/erp', $erp);
$small->write('secrets/t_acme/crm', $crm);
$small->write('secrets/t_acme/raw', $raw);
$small->write("library/maps/crm.json", \%crm_map);
$small->write("library/maps/erp.json", \%erp_map);
$small->write('library/maps/write-only.json', \%write_only);
$small->write('tenants/acme.json', document('acme'));

$small->http("sync_buffers 512k;\n" . $shared . <<'CONF');
    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        sync_normalize on;
        proxy_http_version 1.1;
        proxy_set_header   Connection "";
        proxy_ignore_client_abort on;
        client_max_body_size 4m;

        location /v1/orders {
            sync_auth        api_key;
            sync_entity      sales_order at=/v1/orders;
            sync_idempotency on;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }
    }
CONF

$small->start;

sub little {
    my ($size, %more) = @_;

    my $body = $order =~ s/"Ledger"/'"Long":"' . 'x' x $size . '","Ledger"'/er;

    return $small->post('/v1/orders', $body, Host => 'acme.test',
                        'X-API-Key' => $crm, %more);
}

is(little(10)->{status}, 201, 'a little goes through little room');
is(little(300_000)->{status}, 503, 'no room for a body');

$res = little(150_000, 'Idempotency-Key' => 'room');
is($res->{status}, 503, 'no room for its words');
is($res->json->{type}, 'urn:sync:problem:buffers-exhausted', 'in our words');
is(little(10, 'Idempotency-Key' => 'room')->{status}, 201,
   'the key was given back');

$res = $small->get('/v1/orders/1', Host => 'acme.test', 'X-API-Key' => $raw);
is($res->{status}, 502, 'no room for an answer');
is($res->json->{type}, 'urn:sync:problem:answer-too-large', 'is told so');

is(little(10)->{status}, 201, 'what was taken is given back') for 1 .. 20;

$small->done;
