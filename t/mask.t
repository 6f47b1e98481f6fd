#!/usr/bin/perl

# sync_mask: what of an answer a client does not see.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;

my $t = Test::Sync->new(workers => 2);

my $iban = 'DE89370400440532013000';
my $open = '{"id":"7", "total" : 0.10,"payment":{"iban":"' . $iban
           . '","code":"12345","ref":9007199254740993},"notes":"n\u00fc",'
           . '"card":9007199254740993,"margin":"9.90","items":[{"cost":"5",'
           . '"sku":"A"},{"cost":6}]}';
my $masked = '{"id":"7","total":0.10,"payment":{"iban":"***3000",'
             . '"code":"***","ref":9007199254740993},"notes":"n\u00fc",'
             . '"card":"***0993","margin":null,"items":[{"sku":"A"},{}]}';

my %answer = (
    html   => [ 200, { 'Content-Type' => 'text/html' }, "<p>$iban</p>" ],
    broken => [ 200, { 'Content-Type' => 'application/json' },
                '{"payment":{"iban":"' . $iban . '"' ],
    twice  => [ 200, { 'Content-Type' => 'application/json' },
                '{"payment":{"iban":"' . $iban . '"},"payment":{}}' ],
    packed => [ 200, { 'Content-Type' => 'application/json',
                       'Content-Encoding' => 'gzip' }, $open ],
    large  => [ 200, { 'Content-Type' => 'application/json' },
                '{"n":"' . 'x' x 5_000_000 . '","payment":{"iban":"' . $iban
                . '"}}' ],
    error  => [ 422, { 'Content-Type' => 'application/problem+json' }, $open ],
    failed => [ 500, { 'Content-Type' => 'text/plain' }, $iban ],
    list   => [ 200, { 'Content-Type' => 'application/json' },
                "{\"records\":[$open,7,$open]}" ],
    array  => [ 200, { 'Content-Type' => 'application/json' },
                "[$open,null]" ],
    none   => [ 204, {} ],
    plain  => [ 200, { 'Content-Type' => 'application/json' },
                '{ "payment" : 7, "items":{} }' ],
);

$t->peer(erp => sub {
    my ($req, $ctl) = @_;

    my ($say) = $req->{uri} =~ m{/say/(\w+)};

    return $answer{ $say // '' }
           || [ $req->{method} eq 'POST' ? 201 : 200,
                { 'Content-Type' => 'application/json; charset=utf-8' },
                $open ];
});

my $issuer = Test::Sync::Token->new(
    issuer => 'https://acme.example',
    claims => { aud => 'https://sync.example', client_id => 'crm',
                sub => 'me' });

$issuer->key('k1', 'ES256');
$t->write('library/jwks/acme.json', $issuer->jwks);
$t->write('secret', 'a secret of the edge, long enough');

my $key = $t->canary('c4n4ry-key-of-the-shop');
$t->write('secrets/t_acme/shop', $key);

my @all = qw(create read replace update delete list);

$t->write('library/maps/shop.json', { write => { rules => [] } });

my @masks = (
    { path => '/payment/iban', unless_scope => 'finance:read', as => 'last4' },
    { path => '/payment/code', unless_scope => 'finance:read' },
    { path => '/card', unless_scope => 'finance:read', as => 'last4' },
    { path => '/margin', unless_scope => 'finance:read', as => 'null',
      entity => 'sales_order' },
    { path => '/items/*/cost', unless_scope => 'finance:read',
      as => 'remove' },
    { path => '/id', unless_scope => 'finance:read', entity => 'invoice' },
    { path => '/notes', source => 'shop' } );

sub document {
    my (%more) = @_;

    return {
        tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
        issuers => [ { issuer => 'https://acme.example',
                       jwks => 'jwks/acme.json',
                       audience => 'https://sync.example' } ],
        sources => { shop => { maps => { sales_order => 'maps/shop.json' } } },
        clients => {
            crm => { entities => { sales_order => \@all, invoice => \@all } },
            shop => { api_keys => ['secret:shop'], source => 'shop',
                      entities => { sales_order => \@all } } },
        connectors => { erp => { upstream => 'erp', entities => {
            invoice => { create => 'POST /say/html' },
            sales_order => { create => 'POST /o',
                             read => 'GET /say/{id}' } } } },
        routes => [ { entity => 'sales_order', to => 'erp' },
                    { entity => 'invoice', to => 'erp' } ],
        mask => \@masks, %more };
}

$t->write('tenants/acme.json', document());

my $shared = <<'CONF';
    sync_secret  file:%%TESTDIR%%/secret;
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;

    upstream erp { server %%PEER_erp%%; }
CONF

$t->main("\n");
$t->http($shared . <<'CONF');
    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% http2;

        sync_tenant host;
        sync_auth   token api_key;
        sync_mask   on;

        proxy_http_version 1.1;
        proxy_set_header   Connection "";
        proxy_redirect     off;
        proxy_ignore_client_abort on;

        location /orders {
            sync_entity sales_order at=/orders;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }

        location /off/   { sync_mask off; proxy_pass http://erp; }
        location /shadow {
            sync_mask   shadow;
            sync_entity sales_order at=/shadow;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }
        location /raw/   { proxy_pass http://erp; }
        location /keyed  {
            sync_entity      sales_order at=/keyed;
            sync_idempotency required;
            proxy_method     $sync_upstream_method;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }
        location /long  {
            sync_entity      invoice at=/long;
            sync_idempotency required;
            proxy_pass       http://$sync_upstream$sync_upstream_uri;
        }
        location /file   {
            sync_entity sales_order at=/file;
            client_body_in_file_only clean;
            proxy_pass  http://$sync_upstream$sync_upstream_uri;
        }
        location /anyone/ { sync_auth off; sync_tenant host;
                            proxy_pass http://erp; }
        location /status  { sync_auth off; sync_mask off; sync_status; }
    }
CONF

$t->start;

my $finance = $issuer->token({ scope => 'orders finance:read' });
my $sales = $issuer->token({ scope => 'orders finance:readx' });

sub ask {
    my ($method, $uri, $token, %opt) = @_;

    my $port = delete $opt{port};

    return $t->request($method, $uri, body => delete $opt{body} // '',
        headers => [ Host => 'acme.test',
                     $token eq $key ? ('X-API-Key' => $key)
                     : ('Authorization' => "Bearer $token") x !!$token,
                     %opt ]);
}

# by the scopes of the client

my $res = ask('GET', '/orders/7', $sales);
is($res->{status}, 200, 'an order');
is($res->{body}, $masked, 'masked for sales, all else as it came');
is($res->header('Content-Length'), length $masked, 'with its length');
is($res->header('Content-Type'), 'application/json; charset=utf-8',
   'and its type');

$res = ask('GET', '/orders/7', $finance);
is($res->{body}, $open, 'open for finance, byte for byte');

is(ask('GET', '/orders/7', $issuer->token({ scp => ['finance:read'] }))
   ->{body}, $open, 'scopes in a list');
is(ask('GET', '/orders/x', $key)->{body}, $masked =~ s/"n\\u00fc"/"***"/r,
   'an API key has no scope, and its source a mask of its own');

ask('GET', '/raw/7', $sales, 'Accept-Encoding' => 'gzip',
    Range => 'bytes=0-1');
my $h = ($t->ledger('erp'))[-1]{h};
ok(!$h->{'accept-encoding'} && !$h->{range},
   'the ERP is asked for an answer that can be read');
ask('GET', '/raw/7', $finance, 'Accept-Encoding' => 'gzip');
is(($t->ledger('erp'))[-1]{h}{'accept-encoding'}, 'gzip',
   'or as the client asked');

# lists

is(ask('GET', '/orders/list', $sales)->{body}, "{\"records\":[$masked,7,$masked]}",
   'a list');
is(ask('GET', '/orders/array', $sales)->{body}, "[$masked,null]", 'an array');
is(ask('GET', '/orders/plain', $sales)->{body}, $answer{plain}[2],
   'nothing to hide, nothing changed');
is(ask('GET', '/orders/error', $sales)->{body}, $masked, 'an error that says it');

# closed where it cannot be read

for my $case (qw(html broken twice packed large failed)) {
    $res = ask('GET', "/orders/$case", $sales);
    is($res->{status}, 502, "$case: not shown");
    unlike($res->{body}, qr/$iban|3000/, 'nothing of it');
    is($res->json->{type}, 'urn:sync:problem:answer-not-shown', 'but why');
    is(ask('GET', "/orders/$case", $finance)->{body}, $answer{$case}[2],
       'finance sees it');
}

$t->log_like(qr/mask: the answer is not shown: it is not JSON by media type/,
             'the log has why');
is(ask('GET', '/orders/none', $sales)->{status}, 204, 'there is nothing to see');

$res = ask('HEAD', '/orders/7', $sales);
is($res->{status}, 200, 'HEAD');
is($res->header('Content-Length'), undef,
   'the length of what is hidden stays hidden');

is(ask('GET', '/orders/x/y', $sales)->{status}, 404,
   'our own answers are ours');

# where it stands

is(ask('GET', '/off/7', $sales)->{body}, $open, 'off');
is(ask('GET', '/raw/7', $sales)->{body}, $masked =~ s/null/"9.90"/r,
   'without an entity the masks of all');
is(ask('GET', '/anyone/7', '')->{body}, $masked =~ s/null/"9.90"/r,
   'who is nobody has no scope');
is($t->h2('GET', '/orders/7', port => 1,
          headers => [ Host => 'acme.test',
                       Authorization => "Bearer $sales" ])->{body},
   $masked, 'HTTP/2');
is(ask('POST', '/file', $sales, body => '{"items":[]}',
       'Content-Type' => 'application/json')->{body}, $masked,
   'a body in a file');

# counted in the LOG phase, after the answer has gone

sub counted {
    my ($n) = @_;

    return $t->wait_for(sub {
        return ($t->metrics('/status')->{'sync_shadow_total{step="mask"}'} // 0) == $n;
    }, 5);
}

is(ask('GET', '/shadow/7', $sales)->{body}, $open, 'shadow shows it');
$t->log_like(qr/mask: shadow, would hide something/, 'and logs');
ok(counted(1), 'and counts');
is(ask('GET', '/shadow/html', $sales)->{body}, $answer{html}[2],
   'what could not be read, too');
is(ask('GET', '/shadow/large', $sales)->{body}, $answer{large}[2],
   'and what is too large');
$t->log_like(qr/mask: shadow, would not show the answer/, 'and says so');
ok(counted(3), 'counted');

# replays, by the scopes of today: what is kept is not masked

sub keyed {
    my ($uri, $token, $k) = @_;

    return ask('POST', $uri, $token, body => '{"items":[]}',
               'Content-Type' => 'application/json',
               'Idempotency-Key' => "\"$k\"");
}

$res = keyed('/keyed', $sales, 'k1');
is($res->{status}, 201, 'a key');
is($res->{body}, $masked, 'masked');

$res = keyed('/keyed', $finance, 'k1');
is($res->header('Idempotent-Replayed'), 'true', 'replayed for finance');
is($res->{body}, $open, 'open');

$res = keyed('/keyed', $sales, 'k1');
is($res->header('Idempotent-Replayed'), 'true', 'and for sales');
is($res->{status}, 201, 'with its status');
is($res->{body}, $masked, 'masked again');
is($res->header('Content-Length'), length $masked, 'with its length');
is(scalar(grep { $_->{method} eq 'POST' && $_->{uri} eq '/o' }
          $t->ledger('erp')), 2, 'the ERP was asked once');

$res = keyed('/long', $sales, 'k2');
is($res->{status}, 502, 'what cannot be masked is done and not shown');
$res = keyed('/long', $sales, 'k2');
is($res->{status}, 502, 'nor is its replay');
is($res->json->{type}, 'urn:sync:problem:answer-not-shown', 'but why');
unlike($res->{body}, qr/3000/, 'nothing of it');
$res = keyed('/long', $finance, 'k2');
is($res->{body}, $answer{html}[2], 'finance sees the replay');

# a mask that is deployed counts for what was kept before

push @masks, { path => '/total' };
$t->write('tenants/acme.json', document());

ok($t->wait_for(sub {
    (() = grep { keyed('/keyed', $finance, 'k1')->{body} =~ /"total":"\*\*\*"/ }
               1 .. 8) == 8;
}, 10), 'a new mask, in each worker, on an old answer');

unlike($t->log_text, qr/$iban/, 'no value in the log');

$t->refused($shared . 'server { sync_mask maybe; }',
            qr/"maybe" is not one of "off", "on" and "shadow"/, 'on, off, shadow');
$t->refused($shared . 'server { sync_mask on; location /a { '
            . 'proxy_buffering off; proxy_pass http://erp; } }',
            qr/sync_mask holds the whole answer, and "proxy_buffering off"/,
            'an answer that streams cannot be masked');

$t->done;
