#!/usr/bin/perl

# What nginx -t refuses: configurations that would do nothing, or not what
# they seem to, each with its place and its cure.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;

my $t = Test::Sync->new;

my $secret = 'c4n4ry-master-secret-0123456789';

$t->canary($secret);
$t->write('master.key', $secret);
$t->write('short.key', 'short');
$t->write('empty.jwks', '{"keys":[]}');
$t->write('none/.keep', '');

# a line of http {} and a place; a server and a place; what the message says

my $s = 'sync_secret file:%%TESTDIR%%/master.key;';
my $d = 'sync_tenants %%TESTDIR%%/none;';
my $safe = 'include %%ROOT%%/conf.example/sync/safe.conf;';
my $to = 'proxy_pass http://127.0.0.1:1;';
my $idem = "$safe sync_idempotency on scope=\$remote_addr;";
my $k = 'sync_limit rate=1/s burst=1 key=$remote_addr';

my @http = (

    # the core

    [ 'sync_secret plain-secret-of-mine;', qr/never the secret itself/ ],
    [ 'sync_secret file:%%TESTDIR%%/gone.key;', qr/gone\.key" failed/ ],
    [ 'sync_secret file:%%TESTDIR%%/short.key;',
      qr/16 to 4096 bytes.*has 5.*openssl rand/ ],
    [ 'sync_secret env:NO_SUCH_NAME;', qr/no variable "NO_SUCH_NAME"/ ],
    [ "$s $s $s", qr/a third "sync_secret".*current and the previous/ ],
    [ 'sync_buffers 4k;', qr/too small, at least 256k/, 'whole' ],
    [ 'sync_buffers 1m; sync_buffers 2m;', qr/"sync_buffers".*duplicate/ ],
    [ 'sync_deadline never;', qr/"never" is not a time above 0, as "60s"/ ],
    [ 'sync_deadline 0;', qr/"0" is not a time above 0/ ],
    [ 'sync_deadline 1s head=X;', qr/unknown parameter "head=X", "header=/ ],
    [ 'sync_deadline 1s; sync_deadline 2s;', qr/"sync_deadline".*duplicate/ ],
    [ 'sync_status;', qr/"sync_status" directive is not allowed here/ ],

    # the store

    [ 'sync_store etcd://a;', qr/unknown store "etcd": "shm", "redis", / ],
    [ 'sync_store shm timeout=x;', qr/"timeout=x".*"timeout=500ms"/ ],
    [ 'sync_store shm; sync_store shm;', qr/"sync_store".*duplicate/ ],
    [ 'sync_store shm size=1m;', qr/does not know parameter "size=1m"/ ],
    [ 'sync_zone records;', qr/"records", KIND:SIZE such as "records:64m"/ ],
    [ 'sync_zone bees:1m;', qr/unknown kind of zone "bees": "limits"/ ],
    [ 'sync_zone records:1;', qr/"records:1" is too small, at least \d+k/ ],
    [ 'sync_zone records:much;', qr/"records:much", one such as "64m"/ ],
    [ 'sync_zone limits:1m limits:1m;', qr/zone "limits" is set twice/ ],

    # tenants

    [ 'sync_tenants %%TESTDIR%%/nowhere;', qr/nowhere/, 'whole' ],
    [ 'sync_tenants %%TESTDIR%%/none interval=1ms;',
      qr/"interval=1ms" is not a time of 10ms or more/ ],
    [ 'sync_tenants %%TESTDIR%%/none zone=1k;',
      qr/"zone=1k" is not a size of \d+k or more/ ],
    [ 'sync_tenants %%TESTDIR%%/none lax;',
      qr/unknown parameter "lax", "strict"/ ],
    [ "$d $d", qr/"sync_tenants".*duplicate/ ],
    [ 'sync_library %%TESTDIR%%;',
      qr/"sync_library" does nothing without "sync_tenants"/, 'whole' ],
    [ 'sync_secrets %%TESTDIR%%;',
      qr/"sync_secrets" does nothing without "sync_tenants"/, 'whole' ],

    # issuers

    [ 'sync_issuer idp;', qr/invalid "sync_issuer idp", the URL/ ],
    [ 'sync_issuer https://idp.example introspect=https://i/;',
      qr/needs "client_id=" and "client_secret="/ ],
    [ 'sync_issuer https://idp.example bees=1;',
      qr/invalid parameter "bees=1".*audience=, jwks=/ ],
    [ 'sync_issuer https://idp.example audience=a jwks=gone.jwks'
      . ' tenant_claim=t;', qr/gone\.jwks/ ],
    [ 'sync_issuer https://idp.example audience=a'
      . ' jwks=%%TESTDIR%%/empty.jwks tenant_claim=t;', qr/empty\.jwks/ ],
);

my @server = (

    # tenant

    [ 'sync_tenant host;', qr/needs sync_tenants with the folder/, 'in' ],
    [ 'sync_tenant hots;', qr/unknown "hots"; "host", "path=/ ],
    [ 'sync_tenant path=t;', qr/begins and ends with a slash/ ],
    [ 'sync_tenant header=;', qr/"sync_tenant"/ ],
    [ "location /a { sync_tenant certificate; $to }",
      qr/certificate needs sync_client_certificate, by/, 'in' ],

    # proof

    [ 'sync_auth magic;', qr/invalid "magic".*known are off, token, api_key/ ],
    [ "location /a { sync_auth certificate; $to }",
      qr/certificate needs sync_client_certificate, by/, 'in' ],
    [ 'sync_auth optional;', qr/needs "token", "api_key", "certificate" or/ ],
    [ 'sync_auth token token;', qr/has "token" twice/ ],
    [ 'sync_auth off token;', qr/"off" beside a proof|invalid "off"/ ],
    [ 'sync_auth api_key typ=at+jwt;', qr/has "typ" without "token"/ ],
    [ 'sync_auth api_key=Cookie:;', qr/invalid "api_key=Cookie:"/ ],
    [ "location /a { sync_auth token; $to }",
      qr/sync_auth token needs sync_tenant or sync_issuer/, 'in' ],
    [ "location /a { sync_auth api_key; $to }",
      qr/sync_auth api_key needs sync_tenant/, 'in' ],
    [ "sync_tenant host; location /a { satisfy any; sync_auth token; $to }",
      qr/sync_auth needs "satisfy all"/, 'in', $d ],
    [ "location /a { sync_scope orders; $to }",
      qr/sync_scope needs sync_auth, or sync_scope off/, 'in' ],
    [ "location /a { sync_require role admin; $to }",
      qr/sync_require needs sync_auth, or sync_require off/, 'in' ],
    [ 'sync_scope "a\"b";', qr/invalid scope/ ],
    [ 'sync_scope a for=;', qr/"sync_scope".*"for=POST,PATCH"/ ],
    [ 'sync_require role;', qr/needs a claim and its value/ ],

    # limits

    [ 'sync_limit rate=1/s;', qr/"sync_limit"|needs one "key"/ ],
    [ "$k mode=sideways;", qr/invalid parameter "mode=sideways".*known are/ ],
    [ "$k bees=1;", qr/invalid parameter "bees=1".*known are plan, rate=/ ],
    [ "$k cost=5;", qr/"cost=5" is over the burst of 1/ ],
    [ "$k cost=0;", qr/invalid "cost=0", a number of at least 1/ ],
    [ 'sync_limit rate=fast burst=1 key=$remote_addr;',
      qr/invalid "rate=fast"/ ],
    [ 'sync_limit rate=1/s burst=1 key=all;',
      qr/"key=all" has no variable in it/ ],
    [ 'sync_limit plan rate=1/s;', qr/plan takes its rates from the tenant/ ],
    [ "location /a { sync_limit plan; $to }",
      qr/sync_limit plan needs sync_tenant/, 'in' ],
    [ "sync_tenant host; location /a { sync_limit plan; $to }",
      qr/sync_limit plan needs sync_auth/, 'in', $d ],

    # idempotency

    [ 'sync_idempotency maybe;', qr/not one of "off", "on" and "required"/ ],
    [ 'sync_idempotency off lease=1s;', qr/takes no parameters with "off"/ ],
    [ 'sync_idempotency on bees=1;', qr/unknown parameter "bees"; known are/ ],
    [ 'sync_idempotency on scope=all;', qr/has no variable.*scope=none/ ],
    [ 'sync_idempotency on methods=GET;',
      qr/"GET" is not one of POST, PATCH, PUT and DELETE/ ],
    [ 'sync_idempotency on keep=Set-Cookie;', qr/not a header that may be/ ],
    [ 'sync_idempotency on on_unknown=probe;',
      qr/probe is not supported.*"hold", "resend"/ ],
    [ 'sync_idempotency on fail=often;', qr/"often" is not a value of "fail"/ ],
    [ 'sync_idempotency on retention=1ms;', qr/"1ms" is not a value of/ ],
    [ "location /a { $idem $to }", qr/needs sync_secret, as in/, 'in' ],
    [ "location /a { $safe sync_idempotency on; $to }",
      qr/needs sync_auth, or "scope=\$remote_user"/, 'in', $s ],
    [ "location /a { $safe sync_idempotency on scope=none lease=1s; $to }",
      qr/lease of sync_idempotency, 1000 ms.*sync_deadline, 60000/, 'in', $s ],
    [ "send_timeout 1s; location /a { $idem $to }",
      qr/timeout of sync_store, 5000 ms, must be shorter than send_timeout/,
      'in', "$s sync_store shm timeout=5s;" ],
    [ "location ~ ^/a { $idem $to }", qr/regular expression needs "name="/,
      'in', $s ],

    # what NGINX itself must not do

    [ "location /a { sync_idempotency on scope=none; $to }",
      qr/needs "proxy_ignore_client_abort on".*include sync\/safe\.conf/,
      'in', $s ],
    [ "location /a { sync_idempotency on scope=none;"
      . ' proxy_pass http://$host; }',
      qr/needs "proxy_ignore_client_abort on"/, 'in', $s ],
    [ 'location /a { sync_idempotency on scope=none;'
      . ' fastcgi_pass 127.0.0.1:1; }',
      qr/needs "fastcgi_ignore_client_abort on"/, 'in', $s ],
    [ 'location /a { sync_idempotency on scope=none;'
      . ' grpc_pass grpc://127.0.0.1:1; }',
      qr/grpc_pass has none: use proxy_pass/, 'in', $s ],
    [ "sync_idempotency on scope=none; location /a {"
      . " proxy_ignore_client_abort on;"
      . " proxy_next_upstream error non_idempotent; $to }",
      qr/"proxy_next_upstream" without "non_idempotent"/, 'in', $s ],
    [ "$idem location /a { proxy_intercept_errors on; $to }",
      qr/needs "proxy_intercept_errors off"/, 'in', $s, 'apart' ],
    [ "$idem location /a { proxy_cache c; proxy_cache_methods POST;"
      . " proxy_cache_key \$request_uri; $to }",
      qr/needs "proxy_cache_methods" without POST/,
      'in', "$s proxy_cache_path %%TESTDIR%%/cache keys_zone=c:1m;", 'apart' ],
    [ "$idem location /a { proxy_buffering off; $to }",
      qr/sync_idempotency holds the whole answer.*"proxy_buffering on"/,
      'in', $s, 'apart' ],
    [ "sync_tenant host; location /a { proxy_cache c; $to }",
      qr/proxy_cache beside sync_tenant needs \$sync_tenant in its key/,
      'in', "$d proxy_cache_path %%TESTDIR%%/cache keys_zone=c:1m;" ],
    [ 'sync_tenant host; proxy_cache_key $sync_tenant_name$request_uri;'
      . " location /a { proxy_cache c; $to }",
      qr/needs \$sync_tenant in its key, as in "proxy_cache_key/,
      'in', "$d proxy_cache_path %%TESTDIR%%/cache keys_zone=c:1m;" ],
    [ 'sync_tenant host; proxy_cache_key $sync_tenant$request_uri;'
      . " sync_auth token; location /a { proxy_cache c; $to }",
      qr/beside sync_auth needs \$sync_client in its key/,
      'in', "$d proxy_cache_path %%TESTDIR%%/cache keys_zone=c:1m;" ],

    # entities

    [ 'sync_entity sales_ordre at=/a;', qr/unknown entity "sales_ordre"/ ],
    [ 'sync_entity sales_order;', qr/needs "at=PREFIX"/ ],
    [ 'sync_entity sales_order at=a;', qr/not a path with a slash at its/ ],
    [ 'sync_entity sales_order bees=1;', qr/unknown parameter "bees=1"/ ],
    [ 'sync_entity sales_order operation=burn;',
      qr/unknown operation "burn"/ ],
    [ "location /a { sync_entity sales_order at=/a; $to }",
      qr/sync_entity needs sync_tenant, whose document/, 'in' ],
    [ "sync_tenant host; location /a { sync_entity sales_order at=/a; $to }",
      qr/a fixed proxy_pass does, too; write "proxy_pass https:/, 'in', $d ],

    # payloads and debugging

    [ 'sync_normalize perhaps;', qr/"sync_normalize"|"perhaps"/ ],
    [ "location /a { $safe sync_normalize on; $to }",
      qr/sync_normalize needs sync_entity/, 'in' ],
    [ 'sync_debug a-key;', qr/takes "off" or "file:PATH", never the key/ ],
    [ 'sync_debug file:%%TESTDIR%%/short.key;', qr/a key of \d+ to \d+ bytes/ ],

    # places

    [ "location /a { if (\$args) { sync_idempotency off; } }",
      qr/"sync_idempotency" directive is not allowed here/ ],
    [ "location /a { limit_except GET { sync_auth off; } }",
      qr/"sync_auth" directive is not allowed here/ ],
    [ "location /a { if (\$args) { sync_limit plan; } }",
      qr/"sync_limit" directive is not allowed here/ ],
    [ "location /a { limit_except GET { sync_entity off; } }",
      qr/"sync_entity" directive is not allowed here/ ],
    [ 'location /a { sync_status; sync_status; }',
      qr/"sync_status".*duplicate/ ],
);

# every message says where: the file, and the line of the fault or its block

my $place = qr{check\.conf:\d+};

for (@http) {
    my ($text, $like, $whole) = @$_;
    my $name = $text =~ s/%%TESTDIR%%\///gr;

    $t->refused("$text\nserver { listen 127.0.0.1:%%PORT_0%%; }",
                $whole ? qr/\[emerg\].*$like/ : qr/$like.*$place/, $name);
}

for (@server) {
    my ($text, $like, $in, $http, $apart) = @$_;
    my $name = $text =~ s/\Q$safe\E //r;

    # settings that safe.conf has said before at the same level are others

    $text =~ s/\Q$safe\E/proxy_ignore_client_abort on;/ if $apart;

    my $where = !$in ? $place : $text =~ /location/
        ? qr{in location "[^"]+", \S+$place} : qr{in server, \S+$place};

    $t->refused(($http // '') . "\nserver { listen 127.0.0.1:%%PORT_0%%;\n"
                . "$text\n}\n", qr/$like.*$where/, $name);
}

# the same, whole: a table that refuses everything would prove nothing

$t->accepted("$s server { listen 127.0.0.1:%%PORT_0%%;"
             . " location /a { $idem $to } }", 'what safe.conf is for');

$t->accepted("$d proxy_cache_path %%TESTDIR%%/cache keys_zone=c:1m;"
             . 'server { listen 127.0.0.1:%%PORT_0%%; sync_tenant host;'
             . ' sync_auth token;'
             . ' proxy_cache_key ${sync_tenant}:$sync_client:$request_uri;'
             . " location /a { proxy_cache c; $to } }", 'a key for each');

$t->accepted("proxy_cache_path %%TESTDIR%%/cache keys_zone=c:1m; server {"
             . " listen 127.0.0.1:%%PORT_0%%;"
             . " location /a { proxy_cache c; $to } }", 'nobody to tell apart');

$t->accepted("$s server { listen 127.0.0.1:%%PORT_0%%;"
             . ' sync_idempotency required scope=none;'
             . ' location = /status { sync_status; }'
             . " location /a { sync_idempotency off; proxy_buffering off; $to"
             . ' } location /b { return 204; } }',
             'nothing is claimed where nothing is proxied');

$t->write('sync/safe.conf',
          do { local (@ARGV, $/) = $t->root . '/conf.example/sync/safe.conf';
               <> });
$t->write('sync/connector.conf',
          do { local (@ARGV, $/) = $t->root
                   . '/conf.example/sync/connector.conf'; <> });

my $connector = "$s $d server { listen 127.0.0.1:%%PORT_0%%;"
    . ' sync_tenant host; sync_auth api_key;'
    . ' include %%TESTDIR%%/sync/connector.conf; location /a {'
    . ' sync_entity sales_order at=/a; sync_idempotency required;'
    . ' sync_normalize on;'
    . ' proxy_pass https://$sync_upstream$sync_upstream_uri; } }';

$t->accepted($connector, 'connector.conf, with all that it serves');

# warnings: slow, but right

for ([ '', qr/\[warn\].*client_body_buffer_size, 8k.*location "\/a", \S+:\d/,
       'small buffers' ],
     [ 'client_body_buffer_size 64k; proxy_request_buffering off;',
       qr/\[warn\].*"proxy_request_buffering off" has no effect.*"\/a"/,
       'bodies that are not buffered' ])
{
    my ($code, $out) = $t->check("$s server { listen 127.0.0.1:%%PORT_0%%;"
                                 . " location /a { $_->[0] $idem $to } }");
    is($code, 0, "$_->[2]: not refused");
    like($out, $_->[1], "$_->[2]: warned of");
}

# documents, where "strict" says that a broken one is a broken configuration

my %good = ( tenant => 'acme', id => 't_acme',
             match  => { hosts => [ 'acme.example' ] } );

my @documents = (
    [ '{"tenant":"acme",', qr/line 1, column 17/ ],
    [ '[]', qr/object/ ],
    [ { %good, tenant => 'other' }, qr{"/tenant".*"other".*"acme"} ],
    [ { match => $good{match}, id => 't_1' }, qr/"tenant"/ ],
    [ { match => $good{match}, tenant => 'acme' }, qr/"id"/ ],
    [ { %good, id => '' }, qr{"/id"} ],
    [ { %good, clinets => {} }, qr{"/clinets".*"clients"} ],
    [ { %good, match => { hosts => 'acme.example' } }, qr{"/match/hosts"} ],
    [ { %good, match => { hosts => [ 'a b' ] } }, qr{"/match/hosts/0"} ],
    [ { %good, extends => '../up.json' }, qr{"/extends"} ],
    [ { %good, extends => 'templates/none.json' }, qr/none\.json|library/ ],
    [ { %good, mask => [ { path => 'iban' } ] },
      qr{"/mask/0/path".*a JSON Pointer} ],
    [ { %good, schemas => { invoice => 7 } },
      qr{"/schemas/invoice".*no file "schemas/invoice/7.json"} ],
    [ { %good, ownership => { sales_order => { '/total' => 'sap' } } },
      qr{"/ownership/sales_order/~1total".*no source "sap"} ],
    [ { %good, plans => { gold => { limits => [ { rate => 'fast',
        burst => 1 } ] } } }, qr{"/plans/gold/limits/0/rate"} ],
    [ { %good, plans => { gold => { limits => [ { rate => '1/s',
        burst => 0 } ] } } }, qr{"/plans/gold/limits/0/burst"} ],
    [ { %good, clients => { a => { plan => 'none' } } },
      qr{"/clients/a/plan"} ],
    [ { %good, clients => { a => { source => 'none' } } },
      qr{"/clients/a/source"} ],
    [ { %good, clients => { a => { api_keys => [ 'in-the-clear' ] } } },
      qr{"/clients/a/api_keys/0".*secret:} ],
    [ { %good, clients => { a => { entities => { sales_ordre => [] } } } },
      qr{"/clients/a/entities/sales_ordre".*sales_order} ],
    [ { %good, clients => { a => { entities => { sales_order => [ 'burn' ] }
        } } }, qr{"/clients/a/entities/sales_order/0"} ],
    [ { %good, connectors => { erp => { entities => { sales_order =>
        { read => 'GET /o/{id}' } } } } }, qr{"/connectors/erp".*"upstream"} ],
    [ { %good, connectors => { erp => { url => 'https://erp.example' } } },
      qr{"/connectors/erp/url".*"upstream sync_connectors \{ sync_peers; \}"}
      ],
    [ { %good, connectors => { erp => { upstream => 'nowhere',
        format => 'json' } } }, qr{"/connectors/erp/upstream".*nowhere} ],
    [ { %good, connectors => { erp => { upstream => 'erp',
        format => 'edifact' } } }, qr{"/connectors/erp/format"} ],
    [ { %good, routes => [ { entity => 'sales_order', to => 'none' } ] },
      qr{"/routes/0/to"} ],
    [ { %good, issuers => [ { issuer => 'https://i.example',
        jwks => 'http://i.example/k', audience => [ 'a' ] } ] },
      qr{"/issuers/0/jwks".*is not the URL of a key set} ],
    [ { %good, issuers => [ { issuer => 'https://i.example' } ] },
      qr{"/issuers/0"} ],
    [ { %good, retention => { idempotency => 'long' } },
      qr{"/retention/idempotency"} ],
);

my $strict = 'sync_tenants %%TESTDIR%%/docs strict;'
    . ' sync_library %%TESTDIR%%/library; sync_secrets %%TESTDIR%%/secrets;'
    . ' upstream erp { server 127.0.0.1:1; }'
    . ' server { listen 127.0.0.1:%%PORT_0%%; sync_tenant host; }';

mkdir $t->path($_) for qw(library secrets);

for (@documents) {
    my ($doc, $like) = @$_;

    $t->write('docs/acme.json', $doc);
    $t->refused($strict, qr/\[emerg\].*docs\/acme\.json.*$like|
                            \[emerg\].*$like.*docs\/acme\.json/x,
                "document: $like");

    # without "strict" it takes nobody else down

    $t->accepted($strict =~ s/ strict//r, 'and only its tenant is down');
}

$t->write('docs/acme.json', \%good);
$t->accepted($strict, 'a good document');

$t->write('docs/beta.json', { %good, tenant => 'beta' });
$t->refused($strict, qr/beta\.json.*t_acme|beta\.json.*acme/,
            'an id that is another one\'s');

$t->write('docs/beta.json', { %good, tenant => 'beta', id => 't_beta' });
$t->refused($strict, qr/beta\.json.*acme\.example|beta\.json.*"acme"/,
            'a host that is another one\'s');

$t->done;
