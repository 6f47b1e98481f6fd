#!/usr/bin/perl

# The tenant by an element of a body that is proven: one sender, one secret,
# many accounts.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Webhook;

my $t = Test::Sync->new(workers => 2);

my $app = 'c4n4ry-hubspot-app-5d2c';
my $own = 'c4n4ry-hubspot-own-7777';

$t->canary($_) for $app, $own, 'c4n4ry-master-secret-0123456789';
$t->write('app.key', "$app\n");
$t->write('master.key', 'c4n4ry-master-secret-0123456789');
$t->write('secrets/t_delta/own', $own);

sub doc {
    my ($name, $account, %more) = @_;

    return {
        tenant => $name, id => "t_$name",
        match => { accounts => { hubspot => $account } },
        sources => { hubspot => { key => '$[0].eventId', maps => {} } },
        plans => { small => { limits => [ { rate => '2/h' } ] } },
        clients => { hub => { signature => 'hubspot',
                              source => 'hubspot' } },
        %more,
    };
}

$t->write('tenants/acme.json', doc('acme', '62515'));
$t->write('tenants/beta.json', doc('beta', '99', clients => {
    hub => { signature => 'hubspot', plan => 'small' } }));
$t->write('tenants/gamma.json', doc('gamma', '77', clients => {
    api => { api_keys => ['secret:none'] } }));
$t->write('tenants/delta.json', doc('delta', '88', clients => {
    hub => { signature => 'hubspot', secrets => ['secret:own'] } }));
$t->write('tenants/long.json', doc('long', '62515.0'));

$t->peer(up => sub { return "seen $_[0]{n}" });

my $shared = <<'CONF';
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_secrets %%TESTDIR%%/secrets;
    sync_secret  file:%%TESTDIR%%/master.key;
CONF

my $auth = 'sync_auth signature=hubspot secret=file:%%TESTDIR%%/app.key;';

$t->http($shared . <<'CONF');
    upstream up { server %%PEER_up%%; }
    add_header X-Who "$sync_tenant|$sync_tenant_name|$sync_client" always;
    client_body_buffer_size 1k;
    proxy_http_version 1.1;
    proxy_set_header   Connection "";
    proxy_ignore_client_abort on;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% http2;
        sync_tenant element=$.portalId;
        sync_auth   signature=hubspot secret=file:%%TESTDIR%%/app.key;

        location = /hooks  { sync_limit plan; proxy_pass http://up; }
        location = /once   { sync_idempotency required;
                             proxy_pass http://up; }
        location = /deep   { sync_tenant element=$.meta.portal['id'];
                             proxy_pass http://up; }
        location = /page   { error_page 404 422 = @page;
                             proxy_pass http://up; }
        location @page     { sync_auth off; sync_tenant off;
                             return 200 "page\n"; }
        location = /again  { error_page 502 = /hooks;
                             proxy_intercept_errors on;
                             proxy_pass http://127.0.0.1:1; }
    }
CONF

$t->start;

sub hook {
    my ($uri, $body, %o) = @_;
    my $secret = delete $o{secret} // $app;

    return $t->request('POST', $uri, body => $body, host => 'hooks.test',
                       headers => [webhook('hubspot', $secret, $body,
                                       url => "http://hooks.test$uri")], %o);
}

sub who { return $_[0]{status} . ' ' . ($_[0]->header('X-Who') // '') }
sub type { return $_[0]{status} . ' '
                  . (($_[0]{body} =~ /urn:sync:problem:([\w-]+)/)[0] // '') }

my $acme = '200 t_acme|acme|hub';
my $one = '[{"eventId":1,"portalId":62515}]';

is(who(hook('/hooks', $one)), $acme, 'an element names the account');
is(who(hook('/hooks', '{"portalId":62515}')), $acme, 'an object, too');
is(who(hook('/hooks', '{"portalId":"62515"}')), $acme, 'as a string');
is(who(hook('/hooks', '{"portalId":"\u00362515"}')), $acme, 'escaped');
is(who(hook('/hooks', '[{"portalId":62515},{"portalId":"62515"}]')), $acme,
   'all elements name one');
is(who(hook('/hooks', '{"portalId":62515.0}')), '403 t_long|long|'
   =~ s/403/200/r =~ s/\|$/|hub/r, 'a number by its text, octet for octet');
is(who(hook('/deep', '[{"meta":{"portal":{"id":62515}}}]')), $acme,
   'from further down');

my $big = '[' . join(',', ('{"portalId":62515,"x":"' . 'y' x 500 . '"}')
                          x 100) . ']';

is(who(hook('/hooks', $big)), $acme, 'a body in a file');
is(who(hook('/hooks', $big, chunked => 1)), $acme, 'chunked');

my $r = $t->h2('POST', '/hooks', port => 1, body => $big,
               host => 'hooks.test', headers =>
               [webhook('hubspot', $app, $big,
                        url => 'http://hooks.test/hooks')]);
is(who($r), $acme, 'by HTTP/2');

is(type(hook('/hooks', '[{"portalId":62515},{"portalId":99}]')),
   '422 tenant-ambiguous', 'two tenants in one body');
is(type(hook('/hooks', $big =~ s/62515(?!.*62515)/62516/sr)),
   '422 tenant-ambiguous', 'the last of a hundred');

for ('{}', '[]', '[{"portalId":62515},{}]', '{"portalId":null}',
     '{"portalId":{"id":62515}}', '{"portalId":""}', '[[62515]]', '"62515"',
     '62515', '{"portalId":"' . 'x' x 257 . '"}')
{
    is(type(hook('/hooks', $_)), '400 tenant-missing',
       'no account: ' . substr $_, 0, 40);
}

is(type(hook('/hooks', '[{"portalId":62515}')), '400 invalid-json',
   'what does not parse');
is(type($t->request('POST', '/hooks', host => 'hooks.test', headers =>
        [webhook('hubspot', $app, '', url => 'http://hooks.test/hooks')])),
   '400 tenant-missing', 'no body');
is(type(hook('/hooks', '{"portalId":62514}')), '404 unknown-tenant',
   'nobody\'s account');
is(type(hook('/hooks', '{"portalId":"hubspot:62515"}')),
   '404 unknown-tenant', 'the account alone counts');
is(type(hook('/hooks', '{"portalId":"acme"}')), '404 unknown-tenant',
   'and no name');

is(type(hook('/hooks', $one, secret => $own)), '401 invalid-signature',
   'who has not signed it names nobody');
is(who(hook('/hooks', $one, secret => $own)), '401 ||',
   'and no tenant is told');
is(type(hook('/hooks', '{"portalId":88}', secret => $own)),
   '401 invalid-signature', 'a tenant\'s own secret is not the app\'s');
is(type(hook('/hooks', '{"portalId":88}')), '403 unknown-client',
   'and its client is another one');
is(type(hook('/hooks', '{"portalId":77}')), '403 unknown-client',
   'a tenant without such a client');

is(hook('/page', '{"portalId":1}')->{body}, "page\n", 'an error_page wins');
is(who(hook('/again', $one)), $acme, 'judged anew where an error_page leads');

# what comes behind it knows the tenant

is(who(hook('/hooks', '{"portalId":99}')), '200 t_beta|beta|hub',
   'the limit of its plan') for 1 .. 2;
is(hook('/hooks', '{"portalId":99}')->{status}, 429, 'holds');
is(who(hook('/hooks', $one)), $acme, 'and is not another\'s');

is(who(hook('/once', $one)), $acme, 'a key');
$r = hook('/once', '[{"eventId":1,"portalId":62515,"attemptNumber":1}]');
is($r->header('Idempotent-Replayed'), 'true', 'and its redelivery');

# accounts are owned as hosts are

$t->write('tenants/thief.json', doc('thief', '62515'));
ok($t->wait_for(sub {
    $t->log_text =~ m{thief\.json" is refused: at "/match/accounts": account}
    && $t->log_text =~ m{"hubspot:62515" belongs to the tenant acme already}
}), 'an account that another tenant has');
is(who(hook('/hooks', $one)), $acme, 'stays where it is');
unlink $t->path('tenants/thief.json');

$t->write('tenants/acme.json', doc('acme', '62000'));
ok($t->wait_for(sub {
    8 == grep { who(hook('/hooks', '{"portalId":62000}')) eq $acme } 1 .. 8
}), 'an account that was changed, without a reload');
is(type(hook('/hooks', $one)), '404 unknown-tenant', 'and the one before');

$t->write('tenants/heir.json', doc('heir', '62515'));
ok($t->wait_for(sub {
    8 == grep { who(hook('/hooks', $one)) eq '200 t_heir|heir|hub' } 1 .. 8
}), 'is free for another tenant');

ok($t->reload, 'reload');
is(who(hook('/hooks', $one)), '200 t_heir|heir|hub', 'and stays its');

# a document that never was good: 503, so that the sender comes again

$t->write('tenants/broken.json', doc('broken', '4711', colour => 'red'));
ok($t->wait_for(sub {
    8 == grep { type(hook('/hooks', '{"portalId":4711}'))
                eq '503 tenant-misconfigured' } 1 .. 8
}), 'a broken document is 503, not 404');
$t->write('tenants/broken.json', doc('broken', '4711'));
ok($t->wait_for(sub {
    8 == grep { who(hook('/hooks', '{"portalId":4711}'))
                eq '200 t_broken|broken|hub' } 1 .. 8
}), 'until it is good');

# refused at load

my $in = sub {
    return "$shared server { listen 127.0.0.1:%%PORT_9%%; location / { @_ } }";
};

for (['sync_tenant element=portalId;', $auth, qr/element=portalId": .*byte/],
     ['sync_tenant element=$[*].portalId;', $auth, qr/not a path to one value/],
     ['sync_tenant element=;', $auth, qr/"element=": /],
     ['sync_tenant element=$.portalId;', '', qr/element= needs sync_auth/],
     ['sync_tenant element=$.portalId;', 'sync_auth signature=hubspot;',
      qr/with "signature=" and "secret=" alone/],
     ['sync_tenant element=$.portalId;', 'sync_auth api_key;',
      qr/with "signature=" and "secret=" alone/],
     ['sync_tenant element=$.portalId;', $auth =~ s/;/ api_key;/r,
      qr/with "signature=" and "secret=" alone/],
     ['sync_tenant element=$.portalId;', $auth =~ s/;/ optional;/r,
      qr/with "signature=" and "secret=" alone/])
{
    $t->refused($in->(@$_[0, 1]), $_->[2], "refused: $_->[0] $_->[1]");
}

$t->done;
