#!/usr/bin/perl

# Webhooks and idempotency: where the key of a message comes from, and answers
# that make a sender come again or leave it.  On shared memory, or on the store
# that another file names.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Webhook;
use Time::Local qw(timegm);

our $store;

my $t = Test::Sync->new(workers => 2);
my $conf = $store || '';

my %key = (svix => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
           shop => 'c4n4ry-shopify-90aa', hub => 'c4n4ry-hubspot-5d2c',
           pay => 'whsec_c4n4ry-stripe-1b7e', soap => 'c4n4ry-soap-7777');

$t->canary($_) for values %key, 'c4n4ry-master-secret-0123456789';
$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->write("secrets/t_acme/$_", $key{$_}) for keys %key;
$t->write("secrets/t_beta/svix", $key{svix});

sub client { return { signature => $_[0], secrets => ["secret:$_[1]"],
                      @_[2 .. $#_] } }

$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    sources => {
        shopify => { key => 'header:X-Shopify-Webhook-Id', maps => {} },
        hubspot => { key => '$[0].eventId', maps => {} },
        stripe => { key => '$.id', maps => {} },
        soap => { format => 'xml', key => '$.event.Id', maps => {} },
        keyed => { key => 'header:X-Message', maps => {} },
    },
    clients => {
        svix => client('standard', 'svix'),
        shop => client('shopify', 'shop', source => 'shopify'),
        hub => client('hubspot', 'hub', source => 'hubspot'),
        pay => client('stripe', 'pay', source => 'stripe'),
        soap => client('github', 'soap', source => 'soap'),
        api => { api_keys => ['secret:shop'], source => 'keyed' },
    },
    retention => { idempotency => '1h', webhooks => '100h' },
});

$t->write('tenants/beta.json', {
    tenant => 'beta', id => 't_beta', match => { hosts => ['beta.test'] },
    clients => { svix => client('standard', 'svix') },
    retention => { idempotency => '1h' },
});

$t->peer(erp => sub {
    my ($req, $ctl) = @_;
    my $n = $req->{n};

    return { delay => 0.4, status => 202, body => "slow $n" }
        if $req->{body} =~ /slow/;
    return { never => 1 } if $req->{body} =~ /never/;
    return { status => 201, body => 'z' x 40_000 }
        if $req->{body} =~ /large/;
    return [ 422, {}, "no $n" ] if $req->{body} =~ /refuse/;

    return [ 202, { 'Content-Type' => 'text/plain' }, "done $n" ];
});

$t->http("    $conf\n" . <<'CONF');
    sync_secret  file:%%TESTDIR%%/master.key;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_secrets %%TESTDIR%%/secrets;

    proxy_http_version  1.1;
    proxy_set_header    Connection "";
    proxy_ignore_client_abort on;

    upstream erp { server %%PEER_erp%%; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        client_body_buffer_size 64k;
        sync_tenant   host;
        sync_auth     signature=standard;
        sync_deadline 600ms;
        sync_idempotency required lease=900ms cap=16k;

        location /svix { sync_auth signature=standard;
                         proxy_pass http://erp; }
        location /shop { sync_auth signature=shopify; proxy_pass http://erp; }
        location /hub  { sync_auth signature=hubspot; proxy_pass http://erp; }
        location /pay  { sync_auth signature=stripe; proxy_pass http://erp; }
        location /soap { sync_auth signature=github; proxy_pass http://erp; }
        location /on   { sync_auth signature=stripe; sync_idempotency on;
                         proxy_pass http://erp; }
        location /said { sync_auth signature=standard;
                         sync_idempotency required retention=2h;
                         proxy_pass http://erp; }
        location /api  { sync_auth api_key; proxy_pass http://erp; }
        location /keys { allow 127.0.0.1; deny all; sync_tenant off;
                         sync_idempotency off; sync_keys; }
    }
CONF

$t->start;

my %profile = (svix => 'standard', shop => 'shopify', hub => 'hubspot',
               pay => 'stripe', soap => 'github', on => 'stripe',
               said => 'standard');

sub args {
    my ($uri, $body, %o) = @_;
    my $host = delete $o{host} // 'acme.test';
    my $who = { on => 'pay', said => 'svix' }->{$uri} // $uri;
    my @extra = @{ delete $o{headers} // [] };

    return ('POST', "/$uri", body => $body, host => $host, headers => [
        webhook($profile{$uri}, $key{$who}, $body,
                url => "http://$host/$uri", %o), @extra ]);
}

sub hook { return $t->request(args(@_)) }

sub told {
    my ($r) = @_;

    return join ' ', $r->{status}, $r->header('Idempotency-Status') // '-',
                     $r->header('Idempotent-Replayed') // '-';
}

my $asked = 0;

sub sent {
    my ($more, $name) = @_;

    $asked += $more;
    is(scalar $t->ledger('erp'), $asked, $name);
}


# a delivery and its redelivery, whatever names it

my @shop = (headers => ['X-Shopify-Webhook-Id' => 'b5-1']);

my @case = (
    ['svix', '{"a":1}', '{"a":1}', id => 'msg_a'],
    ['shop', '{"id":1}', '{"id":1}', @shop],
    ['hub', '[{"eventId":7,"attemptNumber":0}]',
            '[{"attemptNumber":3,"eventId":7}]'],
    ['pay', '{"id":"evt_1"}', '{ "id": "evt_1" }'],
    ['soap', '<event><Id>a0B</Id></event>', '<event><Id>a0B</Id></event>',
     headers => ['Content-Type' => 'application/xml']],
);

for (@case) {
    my ($uri, $one, $two, @o) = @$_;
    my $r = hook($uri, $one, @o);
    my $body = $r->{body};

    is(told($r), '202 executed -', "$uri: the first delivery");
    $r = hook($uri, $two, @o);
    is(told($r), '202 replayed true', "$uri: the second");
    is($r->{body}, $body, "$uri: has the first one's answer");
}

sent(5, 'each was sent once');

is(told(hook('svix', '{"a":1}', id => 'msg_b')), '202 executed -',
   'another id is another message');
is(told(hook('svix', '{"a":1}', id => 'msg_a', host => 'beta.test')),
   '202 executed -', 'and so is the same of another tenant');
is(told(hook('svix', '{"a":1}', id => 'msg_a',
             headers => ['Idempotency-Key' => 'other'])),
   '202 replayed true', 'an Idempotency-Key names nothing here');
sent(2, 'two more');

# another event under the same id is told, not swallowed

my $r = hook('hub', '[{"eventId":7,"objectId":2}]');
is(told($r), '422 mismatch -', 'the same id, another event');
sent(0, 'is not sent');

# none, and what is no key

for (['shop', '{"id":2}', [], qr/x-shopify-webhook-id/],
     ['hub', '[]', [], qr/\$\[0\]\.eventId/],
     ['hub', '{"eventId":7}', [], qr/\$\[0\]\.eventId/],
     ['pay', '{"ID":"evt_1"}', [], qr/\$\.id/],
     ['soap', '<other><Id>a0B</Id></other>',
      ['Content-Type' => 'application/xml'], qr/\$\.event\.Id/])
{
    $r = hook($_->[0], $_->[1], headers => $_->[2]);
    is("$r->{status} " . $r->json->{type},
       '400 urn:sync:problem:idempotency-key-missing', "$_->[0]: no key");
    like($r->json->{detail}, $_->[3], 'and where it should be');
}

for (['shop', '{"id":2}', ['X-Shopify-Webhook-Id' => '']],
     ['shop', '{"id":2}', ['X-Shopify-Webhook-Id' => 'a b']],
     ['shop', '{"id":2}', ['X-Shopify-Webhook-Id' => 'x' x 256]],
     ['shop', '{"id":2}', ['X-Shopify-Webhook-Id' => 'a',
                           'X-Shopify-Webhook-Id' => 'a']],
     ['pay', '{"id":""}'], ['pay', '{"id":null}'], ['pay', '{"id":{}}'],
     ['pay', '{"id":"a\u0000b"}'], ['pay', '{"id":"a\r\nX-B: c"}'],
     ['pay', '{"id":"\u00e9"}'])
{
    $r = hook($_->[0], $_->[1], headers => $_->[2] // []);
    is("$r->{status} " . $r->json->{type},
       '400 urn:sync:problem:idempotency-key-malformed',
       "$_->[0]: a key that is none");
}

is(hook('pay', '{"id":')->{status}, 400, 'what does not parse has no key');
is(hook('soap', '<a/>')->{status}, 415, 'nor what is of another type');
sent(0, 'nothing of it is sent');

is(told(hook('on', '{"no":1}')), '202 - -', 'a key is not required there');
sent(1, 'and without one it is sent');

# a key in an escape, a long number

is(told(hook('pay', '{"id":"evt_\u0031"}')), '202 replayed true',
   'the same key, escaped');
is(told(hook('pay', '{"id":123456789012345678901234567890}')),
   '202 executed -', 'a number of 30 digits');
is(told(hook('pay', '{"id":123456789012345678901234567891}')),
   '202 executed -', 'and its neighbour is another');
sent(2, 'both were sent');

# busy: 503 and Retry-After, so that senders come again

my @slow = args('svix', '{"slow":1}', id => 'msg_slow');
my @two = $t->parallel([@slow], [@slow]);
my ($busy) = grep { $_->{status} == 503 } @two;
my ($good) = grep { $_->{status} == 202 } @two;

ok($busy && $good, 'one of two at once is told to come again');
is(told($busy), '503 in-progress -', 'it is in progress');
like($busy->header('Retry-After') // '', qr/^\d+$/, 'with Retry-After');
is($busy->json->{type}, 'urn:sync:problem:idempotency-in-progress',
   'and its own problem');
is(told(hook('svix', '{"slow":1}', id => 'msg_slow')), '202 replayed true',
   'later it is a success');
sent(1, 'and was sent once');

# an answer that was too large to keep is a success all the same

is(told(hook('svix', '{"large":1}', id => 'msg_large')), '201 executed -',
   'a large answer');
$r = hook('svix', '{"large":1}', id => 'msg_large');
is(told($r), '201 replayed true', 'its status is replayed');
is($r->{body}, '', 'without its body');
sent(1, 'once');

# a refusal of the target is replayed as it was

is(told(hook('svix', '{"refuse":1}', id => 'msg_no')), '422 executed -',
   'a refusal');
is(told(hook('svix', '{"refuse":1}', id => 'msg_no')), '422 replayed true',
   'again');
sent(1, 'once');

# nobody knows: 504 at first, then 503 until somebody does

is(told(hook('svix', '{"never":1}', id => 'msg_never')),
   '504 outcome-unknown -', 'no answer');
ok($t->wait_for(sub {
    $r = hook('svix', '{"never":1}', id => 'msg_never');
    return told($r) eq '503 outcome-unknown -';
}), 'its redelivery is told to come again');
ok($r->header('Retry-After') >= 10, 'not at once');
sent(1, 'and is not sent again');

# who is no webhook, by a source that has keys

my @api = ('X-API-Key' => $key{shop}, Host => 'acme.test');

is(told($t->post('/api', '{"a":1}', @api, 'X-Message' => 'm1')),
   '202 executed -', 'by an API key');
is(told($t->post('/api', '{"a":1}', @api, 'X-Message' => 'm1')),
   '202 replayed true', 'the source names the key');
is($t->post('/api', '{"a":1}', @api, 'Idempotency-Key' => 'm1')->{status},
   400, 'and nothing else does');
sent(1, 'once');

# how long keys are kept

sub kept {
    my ($key, $tenant) = @_;
    my $r = $t->get("/keys?tenant=$tenant&key=$key");
    my ($found) = @{ $r->json->{records} || $r->json->{found} || [] };
    my $until = $found->{kept_until} or return $r->{body};

    $until =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)Z$/;

    return sprintf '%.0fh',
                   (timegm($6, $5, $4, $3, $2 - 1, $1) - time()) / 3600;
}

is(told(hook('said', '{"a":1}', id => 'msg_said')), '202 executed -',
   'a location says how long');
is(kept('msg_b', 'acme'), '100h', 'the document says it');
is(kept('msg_a', 'beta'), '96h', 'four days where nobody does');
is(kept('msg_said', 'acme'), '2h', 'the location goes first');
is(kept('m1', 'acme'), '100h', 'a source with keys is one of webhooks');

# a reload in between

ok($t->reload, 'reload');
is(told(hook('svix', '{"a":1}', id => 'msg_a')), '202 replayed true',
   'a redelivery after a reload');

$t->done;
