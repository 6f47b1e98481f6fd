#!/usr/bin/perl

# Errors in the target's own words, as the map of its connector knows them:
# what is answered, and how the key ends.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new(workers => 2);

my $js = { 'Content-Type' => 'application/json' };

my %say = (
    created  => [ 201, $js, '{"ok":true,"id":"4711"}' ],
    credit   => [ 200, $js, '{"ok":false,"errors":[{"code":"CREDIT",'
                            . '"text":"Customer 42 is blocked"}]}' ],
    dump     => [ 200, $js, '{"ok":false,"errors":[{"code":"DUMP",'
                            . '"text":"short dump"}]}' ],
    busy     => [ 200, $js, '{"ok":false,"errors":[{"code":503.5}]}' ],
    new      => [ 200, $js, '{"ok":false,"fault":"what is this?"}' ],
    invalid  => [ 400, $js, '{"errors":[{"code":"REQUIRED","text":"no name"}]}'
                ],
    throttle => [ 400, $js, '{"errors":[{"code":"THROTTLED"}]}' ],
    credit500 => [ 500, $js, '{"errors":[{"code":"CREDIT"}]}' ],
    broken   => [ 500, $js, '{"errors":[{"code":"X","text":"\u00fc"}]}' ],
    denied   => [ 403, $js, '{"errors":[{"code":"CREDIT"}]}' ],
    html     => [ 400, { 'Content-Type' => 'text/html' },
                  '<p>secret of the target</p>' ],
    list     => [ 200, $js, '[]' ],
    refused_soap => [ 200, { 'Content-Type' => 'text/xml' },
        '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/">'
        . '<S:Body><S:Fault><faultcode>S:Server</faultcode><faultstring>x'
        . '</faultstring><detail><e xmlns="urn:e"><no>KNA1</no></e></detail>'
        . '</S:Fault></S:Body></S:Envelope>' ],
);

$t->peer(erp => sub {
    my ($req, $ctl) = @_;

    return $say{ $ctl->{say} };
});

my $key = $t->canary('c4n4ry-key-of-the-client');
my @rules = ({ from => '$.order_number', to => '/number' });

sub map_file {
    my ($name, %error) = @_;

    $t->write("library/maps/$name.json", {
        write => { rules => \@rules },
        read => { rules => [ { from => '$.id', to => '/id' } ] },
        error => \%error });
}

map_file(erp =>
    when => '@.ok == false',
    code => '$.errors[0].code',
    message => [ '$.errors[0].text', '$.fault' ],
    business => [ 'CREDIT', 'STOCK' ],
    technical => [ 'DUMP' ],
    transient => [ 'THROTTLED', 503.5 ]);
map_file(soap =>
    code => '$.Fault.detail.e.no',
    business => ['KNA1']);
map_file(plain => message => '$.fault');

my %erp = (upstream => 'erp', entities => { sales_order => {
    map => 'maps/erp.json', create => { request => 'POST /in' } } });

$t->write('secrets/t_acme/key', $key);
$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    clients => { crm => { source => 'canonical', api_keys => ['secret:key'],
                          entities => { sales_order => ['create'] } } },
    connectors => {
        erp => { %erp, format => 'json' },
        rolls => { %erp, format => 'json',
                   idempotency => { rolls_back => \1 } },
        soap => { upstream => 'erp', format => 'soap-1.1',
                  entities => { sales_order => { map => 'maps/soap.json',
                      create => { request => 'POST /soap',
                                  action => 'urn:x' } } } },
        plain => { upstream => 'erp', format => 'json',
                   entities => { sales_order => { map => 'maps/plain.json',
                       create => { request => 'POST /in' } } } },
    },
    routes => [
        (map { { entity => 'sales_order', when => { '/sold_to/id' => $_ },
                 to => $_ } } qw(rolls soap plain)),
        { entity => 'sales_order', to => 'erp' } ],
});

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
            sync_entity      sales_order at=/v1/orders;
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

my $n = 0;

sub post {
    my ($say, $to, %opt) = @_;

    $t->tell('erp', { say => $say });

    return $t->request('POST', $opt{at} // '/v1/orders',
        headers => [ Host => 'acme.test', 'X-API-Key' => $key,
                     'Content-Type' => 'application/json',
                     'Idempotency-Key' => $opt{key} // '"k' . ++$n . '"' ],
        body => '{"order_number":"1","order_date":"2026-11-21","currency":'
                . '"EUR","sold_to":{"id":"' . $to . '"},"items":[{"sku":"R",'
                . '"quantity":"1"}]}');
}


my $res = post('created', 'erp');

is($res->{status}, 201, 'an answer that is no error');
is($res->{body}, '{"id":"4711"}', 'is mapped');
is($res->header('Idempotency-Status'), 'executed', 'and recorded');


for my $row (
    # what is said, by whom, status, name, category, code, message, the key
    [ 'credit', 'erp', 422, 'upstream-refused', 'business', 'CREDIT',
      'Customer 42 is blocked', 'executed' ],
    [ 'dump', 'erp', 502, 'upstream-failed', 'technical', 'DUMP',
      'short dump', 'outcome-unknown' ],
    [ 'dump', 'rolls', 503, 'upstream-failed', 'technical', 'DUMP',
      'short dump', 'released' ],
    [ 'busy', 'erp', 503, 'upstream-failed', 'technical', '503.5', undef,
      'released' ],
    [ 'new', 'erp', 502, 'upstream-failed', 'technical', undef,
      'what is this?', 'outcome-unknown' ],
    [ 'invalid', 'erp', 400, 'upstream-refused', 'business', 'REQUIRED',
      'no name', 'executed' ],
    [ 'throttle', 'erp', 503, 'upstream-failed', 'technical', 'THROTTLED',
      undef, 'released' ],
    [ 'credit500', 'erp', 422, 'upstream-refused', 'business', 'CREDIT',
      undef, 'executed' ],
    [ 'broken', 'erp', 500, 'upstream-failed', 'technical', 'X', "\xc3\xbc",
      'outcome-unknown' ],
    [ 'denied', 'erp', 403, 'upstream-failed', 'technical', 'CREDIT', undef,
      'released' ],
    [ 'html', 'erp', 400, 'upstream-refused', 'business', undef, undef,
      'executed' ],
    [ 'refused_soap', 'soap', 422, 'upstream-refused', 'business', 'KNA1',
      'x', 'executed' ],
    [ 'new', 'plain', 200 ],
    [ 'invalid', 'plain', 400, 'upstream-refused', 'business', undef, undef,
      'executed' ])
{
    my ($say, $to, $status, $name, $category, $code, $message, $end) = @$row;

    $res = post($say, $to);
    is($res->{status}, $status, "$say of $to: the status");

    if (!$name) {
        is($res->{body}, '{}', 'without a condition 200 is a success');
        next;
    }

    is($res->header('Content-Type'), 'application/problem+json', 'a problem');

    my $p = $res->json;

    is($p->{type}, "urn:sync:problem:$name", 'of that name');
    is($p->{status}, $status, 'with its status');
    is($p->{category}, $category, 'its category');
    is($p->{target_code}, $code, 'the code of the target');
    is($p->{target_message}, $message, 'and its message');
    is($res->header('Idempotency-Status'), $end, 'the key ends so');
    unlike($res->{body}, qr/secret of the target/, 'no page is told');

    next if $end ne 'executed';

    my $calls = $t->ledger('erp');
    my $again = post('created', $to, key => '"k' . $n . '"');

    is($again->{body}, $res->{body}, 'replayed word for word');
    is($again->{status}, $status, 'with its status');
    is(scalar $t->ledger('erp'), $calls, 'and not sent again');
}

# what is released may be tried again under the same key

$res = post('throttle', 'erp', key => '"again"');
is($res->{status}, 503, 'refused for now');
$res = post('created', 'erp', key => '"again"');
is($res->{status}, 201, 'and done when it is tried again');

$res = post('list', 'erp');
is($res->{status}, 502, 'what the map cannot read is a bad answer');
is($res->json->{type}, 'urn:sync:problem:bad-upstream-answer', 'and said so');

$res = post('credit', 'erp', at => '/shadow/orders');
is($res->{status}, 200, 'in shadow the answer passes as it came');
like($res->{body}, qr/CREDIT/, 'word for word');

$t->done;
