#!/usr/bin/perl

# Webhooks: who has signed the body, by the profiles of their senders; whatever
# is wrong is answered in one way.

use strict;
use warnings;

use lib 't/lib';
use Crypt::Mac::HMAC qw(hmac hmac_b64 hmac_hex);
use Crypt::PK::Ed25519;
use MIME::Base64 qw(encode_base64);
use Test::Sync;
use Test::Sync::Webhook;

my $t = Test::Sync->new(workers => 2);

my %key = (
    standard => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    rotated => 'whsec_' . encode_base64('r' x 32, ''),
    stripe => 'whsec_c4n4ry-stripe-1b7e',
    github => "It's a c4n4ry to everybody",
    shopify => 'c4n4ry-shopify-90aa', 'shopify-old' => 'c4n4ry-shopify-0ld1',
    hubspot => 'c4n4ry-hubspot-5d2c', generic => 'c4n4ry-generic-3e3e',
    shared => 'c4n4ry-shared-6f6f', beta => 'c4n4ry-beta-7777',
    platform => 'c4n4ry-platform-8888', 'platform-old' => 'c4n4ry-pl-old-99',
);

my $ed = Crypt::PK::Ed25519->new->generate_key;
my $whpk = 'whpk_' . encode_base64($ed->export_key_raw('public'), '');

$t->canary($_) for values %key;

$t->write("secrets/t_acme/$_", "$key{$_}\n")
    for qw(standard stripe github shopify shopify-old hubspot generic shared);
$t->write('secrets/t_acme/public', $whpk);
$t->write('secrets/t_acme/bent', 'whsec_not base64');
$t->write('secrets/t_beta/beta', $key{beta});
$t->write('platform.key', "$key{platform}\n");
$t->write('platform-old.key', "$key{'platform-old'}\r\n");

$t->write('tenants/acme.json', {
    tenant => 'acme', id => 't_acme', match => { hosts => ['acme.test'] },
    clients => {
        svix => { signature => 'standard',
                  secrets => ['secret:standard', 'secret:rotated'] },
        keys => { signature => 'standard',
                  secrets => ['secret:public', 'secret:bent'] },
        pay => { signature => 'stripe', secrets => ['secret:stripe'] },
        repo => { signature => 'github', secrets => ['secret:github'] },
        shop => { signature => 'shopify',
                  secrets => ['secret:shopify', 'secret:shopify-old'] },
        hub => { signature => 'hubspot', secrets => ['secret:hubspot'] },
        plain => { signature => 'generic', secrets => ['secret:generic'] },
        one => { signature => 'github', secrets => ['secret:shared'] },
        two => { signature => 'github', secrets => ['secret:shared'] },
        api => { api_keys => ['secret:generic'] },
    },
});

$t->write('tenants/beta.json', {
    tenant => 'beta', id => 't_beta', match => { hosts => ['beta.test'] },
    clients => {
        shop => { signature => 'shopify', secrets => ['secret:beta'] },
        git => { signature => 'github' },
    },
});

$t->write('tenants/gamma.json', {
    tenant => 'gamma', id => 't_gamma', match => { hosts => ['gamma.test'] },
    clients => { git => { signature => 'github' },
                 got => { signature => 'github' } },
});

$t->peer(up => sub {
    my ($req) = @_;

    return { never => 1 } if $req->{uri} =~ /never/;
    return [ 200, { 'X-Length' => length($req->{body} // '') }, 'up' ];
});

my $shared = <<'CONF';
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_secrets %%TESTDIR%%/secrets;
CONF

$t->http($shared . <<'CONF');
    sync_buffers 4m;
    upstream up { server %%PEER_up%%; }
    add_header X-Who "$sync_tenant|$sync_client" always;
    client_max_body_size 512k;
    client_body_buffer_size 16k;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% http2;
        sync_tenant host;

        location /standard { sync_auth signature=standard;
                             proxy_pass http://up; }
        location /quick    { sync_auth signature=standard window=10s;
                             proxy_pass http://up; }
        location /stripe   { sync_auth signature=stripe;
                             proxy_pass http://up; }
        location /github   { sync_auth signature=github;
                             proxy_pass http://up; }
        location /shopify  { sync_auth signature=shopify;
                             proxy_pass http://up; }
        location /decoded  { sync_auth signature=shopify; sync_decode gzip;
                             proxy_pass http://up; }
        location /hubspot  { sync_auth signature=hubspot;
                             proxy_pass http://up; }
        location /edge/    { sync_auth signature=hubspot;
                             sync_public_url https://hooks.example/acme;
                             proxy_pass http://up; }
        location /no/      { sync_auth signature=hubspot;
                             sync_public_url https://$arg_host;
                             proxy_pass http://up; }
        location /generic  {
            sync_auth signature=generic header=X-Acme-Signature
                      algorithm=sha512 encoding=base64 prefix=hs512=
                      timestamp=X-Acme-Time id=X-Acme-Id window=1m
                      "signed={method} {url}\n{id}\n{timestamp}\n{body}";
            proxy_pass http://up;
        }
        location /either   { sync_auth api_key signature=shopify;
                             proxy_pass http://up; }
        location /maybe    { sync_auth signature=shopify optional;
                             proxy_pass http://up; }
        location /page     { sync_auth signature=shopify;
                             error_page 401 = @page;
                             proxy_pass http://up; }
        location @page     { sync_auth off; return 200 "page\n"; }
        location /back     { sync_auth signature=shopify; sync_decode gzip;
                             error_page 502 = /shopify;
                             proxy_intercept_errors on;
                             proxy_pass http://127.0.0.1:1; }
        location /ours     {
            sync_auth signature=github
                      secret=file:%%TESTDIR%%/platform.key
                      secret=file:%%TESTDIR%%/platform-old.key;
            proxy_pass http://up;
        }
        location /bare     {
            sync_tenant off;
            sync_auth signature=github secret=file:%%TESTDIR%%/platform.key;
            proxy_pass http://up;
        }
    }
CONF

$t->start;

my $port = $t->port(0);
my $body = '{"id":820982911946154508,"total":"0.10"}';

sub hook {
    my ($uri, $body, $headers, %opt) = @_;

    return $t->request('POST', $uri, body => $body, headers => $headers,
                       host => $opt{host} // 'acme.test', %opt);
}

sub who { return $_[0]{status} . ' ' . ($_[0]->header('X-Who') // '') }

my $refused = '401 t_acme|';

sub is_refused {
    my ($r, $name) = @_;

    is(who($r), $refused, "$name: 401");
    is($r->json->{type}, 'urn:sync:problem:invalid-signature',
       "$name: with one and the same problem");
}


# each profile, right and wrong

my $url = "http://acme.test/hubspot?a=%3A%20b";

my %case = (
    standard => { uri => '/standard', client => 'svix',
                  header => 'webhook-signature' },
    stripe   => { uri => '/stripe', client => 'pay',
                  header => 'Stripe-Signature' },
    github   => { uri => '/github', client => 'repo',
                  header => 'X-Hub-Signature-256' },
    shopify  => { uri => '/shopify', client => 'shop',
                  header => 'X-Shopify-Hmac-Sha256' },
    hubspot  => { uri => '/hubspot?a=%3A%20b', client => 'hub',
                  url => "http://acme.test/hubspot?a=:%20b",
                  header => 'X-HubSpot-Signature-v3' },
);

for my $profile (sort keys %case) {
    my $c = $case{$profile};
    my @opt = (url => $c->{url});
    my @good = webhook($profile, $key{$profile}, $body, @opt);
    my $who = "200 t_acme|$c->{client}";

    is(who(hook($c->{uri}, $body, [@good])), $who, "$profile: signed");

    is(who(hook($c->{uri}, '', [webhook($profile, $key{$profile}, '',
                                        @opt)])),
       $who, "$profile: an empty body");

    is(who($t->request('POST', $c->{uri}, host => 'acme.test', headers =>
           [webhook($profile, $key{$profile}, '', @opt)])),
       $who, "$profile: no body");

    my $bytes = join '', map { chr } 0 .. 255;
    is(who(hook($c->{uri}, $bytes,
                [webhook($profile, $key{$profile}, $bytes, @opt)])),
       $who, "$profile: any bytes");

    is_refused(hook($c->{uri}, $body =~ s/0\.10/0.11/r, [@good]),
               "$profile: one byte of the body is another");
    is_refused(hook($c->{uri}, $body . ' ', [@good]),
               "$profile: one byte more");
    is_refused(hook($c->{uri}, $body, []), "$profile: no header");
    is_refused(hook($c->{uri}, $body, [webhook($profile,
                                          'whsec_d3JvbmdzZWNyZXQ=', $body,
                                          @opt)]),
               "$profile: another secret");

    my %h = @good;

    for my $bad ('', ' ', 'x', 'v1,', 't=1', '=' x 3000,
                 substr $h{ $c->{header} }, 0, -1)
    {
        is_refused(hook($c->{uri}, $body, [%h, $c->{header} => $bad]),
                   "$profile: bent, " . length $bad);
    }

    is_refused(hook($c->{uri}, $body,
                    [@good, $c->{header} => $h{ $c->{header} }]),
               "$profile: the header twice");

    is(who(hook($c->{uri}, $body, [@good], host => 'beta.test')),
       '401 t_beta|', "$profile: another tenant's secret");

    is(hook($c->{uri}, $body, [@good], host => 'nobody.test')->{status}, 404,
       "$profile: no tenant");

    my @late = grep { $profile !~ /github|shopify/ } -310, 310;

    for my $off (@late) {
        is_refused(hook($c->{uri}, $body,
                        [webhook($profile, $key{$profile}, $body, @opt,
                                 time => time() + $off)]),
                   "$profile: $off seconds away");
    }

    for my $off (map { $_ < 0 ? -290 : 290 } @late) {
        is(who(hook($c->{uri}, $body,
                    [webhook($profile, $key{$profile}, $body, @opt,
                             time => time() + $off)])),
           $who, "$profile: $off seconds away is in time");
    }

    is(scalar(grep { $_->[0] =~ /^WWW-Authenticate/i
                     && $_->[1] eq 'Signature realm="sync"' }
              @{ hook($c->{uri}, $body, [])->{headers} }),
       1, "$profile: one challenge");
}

is_refused($t->get('/shopify', Host => 'acme.test'), 'a GET without a header');
is(who($t->get('/shopify', Host => 'acme.test',
               webhook('shopify', $key{shopify}, ''))),
   '200 t_acme|shop', 'a GET that signs nothing');

for (['https://hooks.example/acme', '200 t_acme|hub'],
     ['https://hooks.example', $refused], ['http://acme.test', $refused])
{
    is(who(hook('/edge/a%2Fb//c?x=%20&y', $body,
                [webhook('hubspot', $key{hubspot}, $body,
                         url => "$_->[0]/edge/a/b//c?x=%20&y")])),
       $_->[1], "hubspot: behind a proxy, by $_->[0]");
}

is(who(hook('/no/?host=h.example', $body,
            [webhook('hubspot', $key{hubspot}, $body,
                     url => 'https://h.example/no/?host=h.example')])),
   '200 t_acme|hub', 'hubspot: a public URL with a variable');
is_refused(hook('/no/', $body, [webhook('hubspot', $key{hubspot}, $body,
                                        url => 'http://acme.test/no/')]),
           'hubspot: one that gives none');
is_refused(hook('/hubspot?a=%3A%20c', $body,
                [webhook('hubspot', $key{hubspot}, $body,
                         url => 'http://acme.test/hubspot?a=:%20b')]),
           'hubspot: another URL');
is_refused($t->request('PUT', '/hubspot', body => $body, host => 'acme.test',
               headers => [webhook('hubspot', $key{hubspot}, $body,
                                   url => 'http://acme.test/hubspot')]),
           'hubspot: another method');

# Standard Webhooks: lists, keys, ids

my @a = webhook('standard', $ed, $body);
is(who(hook('/standard', $body, [@a])), '200 t_acme|keys', 'v1a');
is_refused(hook('/standard', "$body ", [@a]), 'v1a: another body');
is_refused(hook('/standard', $body,
                [webhook('standard', Crypt::PK::Ed25519->new->generate_key,
                         $body)]), 'v1a: another key');
is(who(hook('/standard', $body,
            [webhook('standard', 'whsec_b3RoZXI=', $body,
                     also => $key{standard})])),
   '200 t_acme|svix', 'two signatures, the second is ours');
is_refused(hook('/standard', $body,
                [webhook('standard', $key{standard}, $body, id => 'a.1')]),
           'an id with a dot');
is_refused(hook('/standard', $body,
                [webhook('standard', $key{standard}, $body),
                 'webhook-id' => 'msg_1']), 'two ids');
is_refused(hook('/quick', $body,
                [webhook('standard', $key{standard}, $body,
                         time => time() - 15)]), 'a window of ten seconds');
is(who(hook('/quick', $body, [webhook('standard', $key{standard}, $body)])),
   '200 t_acme|svix', 'and within it');
like($t->log_text, qr/secret "bent" of tenant "t_acme" is not used: /,
     'a secret that is none is told');

# generic

sub generic {
    my ($secret, $body, %o) = @_;
    my $time = $o{time} // time();
    my $text = "POST http://acme.test/generic?x=1\n7\n$time\n$body";

    return ('X-Acme-Signature' => 'hs512='
            . encode_base64(hmac('SHA512', $secret, $text), ''),
            'X-Acme-Time' => $time, 'X-Acme-Id' => 7);
}

is(who(hook('/generic?x=1', $body, [generic($key{generic}, $body)])),
   '200 t_acme|plain', 'generic');
is(who(hook('/generic?x=1', $body,
            [generic($key{generic}, $body, time => time() . '000')])),
   '200 t_acme|plain', 'generic: milliseconds');
is_refused(hook('/generic?x=2', $body, [generic($key{generic}, $body)]),
           'generic: another URL');
is_refused(hook('/generic?x=1', $body, [generic($key{generic}, $body,
                                              time => time() - 61)]),
           'generic: late');
is_refused(hook('/generic?x=1', $body, [generic($key{shopify}, $body)]),
           'generic: another secret');

# two secrets while they change; the same secret with two clients

is(who(hook('/shopify', $body,
            [webhook('shopify', $key{'shopify-old'}, $body)])),
   '200 t_acme|shop', 'the secret before');
is_refused(hook('/github', $body, [webhook('github', $key{shared}, $body)]),
           'a secret of two clients is nobody\'s');
like($t->log_text, qr/two clients have the same secret for signatures/,
     'and that is told');

$t->write('secrets/t_acme/shopify-old', 'c4n4ry-shopify-new2');
ok($t->wait_for(sub {
    return 8 == grep {
        hook('/shopify', $body,
             [webhook('shopify', 'c4n4ry-shopify-new2', $body)])->{status}
        == 200
    } 1 .. 8;
}), 'a secret that was changed is taken by all workers, without a reload');
is_refused(hook('/shopify', $body,
                [webhook('shopify', $key{'shopify-old'}, $body)]),
           'and the one before is no more');

is_refused(hook('/standard', $body,
                [webhook('standard', $key{rotated}, $body)]),
           'a secret that is not there yet');
$t->write('secrets/t_acme/rotated', $key{rotated});
ok($t->wait_for(sub {
    hook('/standard', $body, [webhook('standard', $key{rotated}, $body)])
        ->{status} == 200
}), 'is taken when it is there');

# how the body comes

my $big = '{"x":"' . 'y' x 300_000 . '"}';
my @big = webhook('shopify', $key{shopify}, $big);

for my $how (['in a file'], ['chunked', chunked => 1],
             ['chunked in pieces', pieces => 50_000],
             ['in packets', packets => 7],
             ['after 100-continue', expect => 1],
             ['chunked, after 100-continue', expect => 1, chunked => 1],
             ['by HTTP/1.0', http => '1.0'])
{
    my ($name, %opt) = @$how;
    my $size = delete $opt{pieces};
    my $send = sub {
        my ($bytes) = @_;

        $opt{chunked} = [unpack "(a$size)*", $bytes] if $size;
        return hook('/shopify', $bytes, [@big], %opt);
    };
    my $r = $send->($big);

    is(who($r), '200 t_acme|shop', "a body $name");
    is($r->header('X-Length'), length $big, "goes on whole, $name");
    is_refused($send->($big =~ s/y"/z"/r), "another body $name");
}

my $r = hook('/shopify', $big, [$big[0] => "$big[1]x"], expect => 1);
is($r->{continue}, undef, 'of a bent header no body is asked for');

is(hook('/shopify', 'x' x 600_000, [@big])->{status}, 413, 'too large');
is(hook('/shopify', 'x' x 600_000, [@big], chunked => 1)->{status}, 413,
   'too large, chunked');

$r = $t->h2('POST', '/shopify', port => 1, body => $big, host => 'acme.test',
            headers => [@big]);
is(who($r), '200 t_acme|shop', 'a body by HTTP/2');
is($r->header('X-Length'), length $big, 'goes on whole');
is_refused($t->h2('POST', '/shopify', port => 1, body => "$big ",
                  host => 'acme.test', headers => [@big]),
           'another body by HTTP/2');

# who leaves in the middle, and the worker lives on

$t->abort('POST', '/shopify', body => $big, headers => [@big],
          host => 'acme.test', part => 5000, after => 0.05, reset => $_)
    for 0, 1;
is(who(hook('/shopify', $body, [webhook('shopify', $key{shopify}, $body)])),
   '200 t_acme|shop', 'who leaves in the middle of a body harms nobody');

# more bodies at a time than the buffers take: 503, and later again

my @open = map { $t->connect } 1 .. 12;
my $half = 'x' x 400_000;

for (@open) {
    my ($head) = $t->compose('POST', '/shopify', body => $half, host =>
                             'acme.test', headers =>
                             [webhook('shopify', $key{shopify}, $half)]);
    Test::Sync::Client::send_all($_, $head . 'x' x 1000);
}

ok($t->wait_for(sub {
    hook('/shopify', $half,
         [webhook('shopify', $key{shopify}, $half)])->{status} == 503
}), 'no room for another body: 503');
close $_ for @open;
ok($t->wait_for(sub {
    4 == grep {
        hook('/shopify', $half,
             [webhook('shopify', $key{shopify}, $half)])->{status} == 200
    } 1 .. 4;
}), 'and room again when they have gone');

# beside other proofs

my @shop = webhook('shopify', $key{shopify}, $body);

is(who(hook('/either', $body, [@shop])), '200 t_acme|shop',
   'a signature where a key would do');
is(who(hook('/either', $body, ['X-API-Key' => $key{generic}])),
   '200 t_acme|api', 'and the key');
is(who(hook('/either', $body, [@shop, 'X-API-Key' => $key{generic}])),
   '400 t_acme|', 'both are one too many');
$r = hook('/either', $body, []);
is($r->{status}, 401, 'neither');
is($r->header('WWW-Authenticate'),
   'ApiKey realm="sync", Signature realm="sync"', 'challenges for both');
is(who(hook('/maybe', $body, [])), '200 t_acme|', 'optional: none');
is(who(hook('/maybe', $body, [@shop])), '200 t_acme|shop', 'optional: one');
is_refused(hook('/maybe', "$body ", [@shop]), 'optional: a wrong one');
is(hook('/page', "$body ", [@shop])->{body}, "page\n", 'an error_page wins');

# a body that comes compressed is signed as it came

my $gz = do {
    my $file = $t->write('plain', $body);
    open my $fh, '-|', 'gzip', '-nc', $file or die "gzip: $!";
    local $/;
    <$fh>;
};
my @gz = ('Content-Encoding' => 'gzip',
          webhook('shopify', $key{shopify}, $gz));

$r = hook('/decoded', $gz, [@gz]);
is(who($r), '200 t_acme|shop', 'compressed');
is($r->header('X-Length'), length $body, 'and decoded when it was proven');
is(who(hook('/back', $gz, [@gz])), '200 t_acme|shop',
   'and proven again where an error_page leads');

# the platform's secret

my @ours = webhook('github', $key{platform}, $body);

is(who(hook('/ours', $body, [@ours], host => 'beta.test')),
   '200 t_beta|git', 'signed by the platform\'s sender');
is(who(hook('/ours', $body, [webhook('github', $key{'platform-old'}, $body)],
            host => 'beta.test')),
   '200 t_beta|git', 'with its secret before');
is(who(hook('/ours', "$body ", [@ours], host => 'beta.test')),
   '401 t_beta|', 'another body');
$r = hook('/ours', $body, [@ours]);
is("$r->{status} " . $r->json->{type}, '403 urn:sync:problem:unknown-client',
   'a tenant without a client for it');
$r = hook('/ours', $body, [@ours], host => 'gamma.test');
is($r->{status}, 403, 'a tenant with two');
is(who(hook('/ours', $body, [webhook('github', $key{github}, $body)])),
   '401 t_acme|', 'a tenant\'s own secret is not taken there');
is(who(hook('/bare', $body, [@ours])), '200 |github', 'without tenants');
is(who(hook('/bare', "$body ", [@ours])), '401 |', 'and refused');

# a reload while a body comes

my $s = $t->connect;
my ($head, $rest) = $t->compose('POST', '/shopify', body => $big,
                                host => 'acme.test', headers => [@big]);
Test::Sync::Client::send_all($s, $head . substr $rest, 0, 100_000);
ok($t->reload, 'reload');
Test::Sync::Client::send_all($s, substr $rest, 100_000);
$r = Test::Sync::Client::read_response($s, 'POST', 10, '');
is(who($r), '200 t_acme|shop', 'a body that came over a reload');

unlike($t->log_text, qr/\Q$whpk\E/, 'no key in the log');


# refused at load

my $in = sub {
    return "$shared server { listen 127.0.0.1:%%PORT_9%%; sync_tenant host;"
           . " location / { sync_auth @_; } }";
};

for (['signature=', qr/unknown "signature="/],
     ['signature=paypal', qr/known are standard, stripe, github/],
     ['signature=github signature=stripe', qr/"signature" twice/],
     ['secret=env:X signature=github', qr/stands behind "signature=PROFILE"/],
     ['signature=github header=X', qr/belongs to "signature=generic"/],
     ['signature=github window=1m', qr/without a timestamp/],
     ['signature=stripe window=0', qr/from 1s to 1d/],
     ['signature=stripe window=2d', qr/from 1s to 1d/],
     ['signature=stripe window=x', qr/from 1s to 1d/],
     ['signature=generic', qr/needs "header="/],
     ['signature=generic header=X:Y', qr/the name of a header/],
     ['signature=generic header=', qr/has no value/],
     ['signature=generic header=X "signed={nonce}"', qr/is made of \{body\}/],
     ['signature=generic header=X "signed={timestamp}.{body}"',
      qr/"timestamp=" with a header/],
     ['signature=generic header=X timestamp=Y', qr/"timestamp=" with a/],
     ['signature=generic header=X id=Y', qr/"id=" with a header/],
     ['signature=generic header=X algorithm=md5', qr/sha256, sha512 and/],
     ['signature=generic header=X encoding=b64', qr/hex and base64/],
     ['signature=github secret=hush', qr/never the secret itself/],
     ['signature=github secret=env:SYNC_NOT_THERE', qr/no variable/],
     ['signature=github secret=file:%%TESTDIR%%/none', qr/"[^"]*none" failed/],
     ['signature=standard secret=file:%%TESTDIR%%/platform.key',
      qr/a secret of Standard Webhooks is/],
     ['signature=standard typ=at+jwt', qr/"typ" without/])
{
    $t->refused($in->($_->[0]), $_->[1], "refused: $_->[0]");
}

$t->refused("$shared server { listen 127.0.0.1:%%PORT_9%%; "
            . 'location / { sync_auth signature=github; } }',
            qr/signature needs sync_tenant, whose document/,
            'refused: no tenant');

$t->done;
