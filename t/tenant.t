#!/usr/bin/perl

# Tenants: how a request finds one, documents that change under way, broken
# ones, names that two want.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Token;
use Time::HiRes qw(sleep);

my $t = Test::Sync->new(workers => 2);

$t->peer(erp => sub { return [ 200, {}, 'x' ] });

sub doc {
    my ($name, %more) = @_;

    return { tenant => $name, id => "t_$name",
             match => { hosts => ["$name.example"] }, %more };
}

mkdir $t->path($_) for qw(tenants library secrets empty);

$t->write('tenants/acme.json', doc('acme'));
$t->write('tenants/globex.json', doc('globex'));
$t->write('tenants/broken.json', doc('broken', clinets => {}));
$t->write('tenants/.hidden.json', doc('.hidden'));
$t->write('tenants/README.txt', 'not a document');
$t->write('elsewhere.json', doc('linked'));
symlink $t->path('elsewhere.json'), $t->path('tenants/linked.json');

# two want one host: the first file name has it

$t->write('tenants/second.json',
          doc('second', match => { hosts => ['acme.example'] }));

$t->http(<<'CONF');
    sync_tenants %%TESTDIR%%/tenants interval=20ms;
    sync_library %%TESTDIR%%/library;
    sync_secrets %%TESTDIR%%/secrets;

    map $sync_tenant_name $by_map { volatile; default "map:$sync_tenant_name"; }

    log_format tenant '$sync_tenant $uri';

    server {
        listen 127.0.0.1:%%PORT_0%% default_server;
        server_name _;
        sync_tenant host;

        add_header X-Tenant-Id   $sync_tenant always;
        add_header X-Tenant-Name $sync_tenant_name always;

        location / { proxy_pass http://%%PEER_erp%%; }

        # asked for before PREACCESS
        location /early { set $early $by_map; add_header X-Early $early;
                          add_header X-Tenant-Name $sync_tenant_name;
                          proxy_pass http://%%PEER_erp%%; }

        location /off { sync_tenant off;
                        add_header X-Tenant-Id "<$sync_tenant>";
                        proxy_pass http://%%PEER_erp%%; }

        location /t/ { sync_tenant path=/t/; proxy_pass http://%%PEER_erp%%; }

        location /h/ { sync_tenant header=X-Tenant;
                       proxy_pass http://%%PEER_erp%%; }

        location /own { error_page 404 = @own; proxy_pass http://%%PEER_erp%%; }
        location @own { sync_tenant off; return 200 "own"; }
    }
CONF

$t->start;

sub at {
    my ($host, $uri) = @_;

    return $t->get($uri // '/', Host => $host);
}

# by every worker, also by one that looks late: for some intervals of theirs

sub until_is {
    my ($want, $host, $uri) = @_;

    return $t->wait_for(sub {
        for (1 .. 12) {
            my $s = at($host, $uri)->{status} // 0;
            return 0 if $s != $want;
            select undef, undef, undef, 0.02;
        }
        return 1;
    });
}

# by host

my $r = at('acme.example');

is($r->{status}, 200, 'a host of a tenant');
is($r->header('X-Tenant-Id'), 't_acme', 'its id');
is($r->header('X-Tenant-Name'), 'acme', 'its name');

is(at($_)->{status}, 200, "host \"$_\"")
    for 'ACME.Example', 'acme.example:8443', 'acme.example.', 'globex.example',
        'linked.example';

my ($raw) = $t->raw("GET http://acme.example/ HTTP/1.1\r\nHost: other\r\n"
                    . "Connection: close\r\n\r\n");
like($raw, qr{^HTTP/1.1 200}, 'an absolute URI goes before the header');

($raw) = $t->raw("GET / HTTP/1.0\r\n\r\n");
like($raw, qr{^HTTP/1.1 404}, 'no host at all');

for my $host ('nobody.example', '[::1]', '127.0.0.1', 'example',
              'sub.acme.example')
{
    $r = at($host);
    is($r->{status}, 404, "no tenant: \"$host\"");
}

is($r->json->{type}, 'urn:sync:problem:unknown-tenant', 'as a problem');
is($r->header('X-Tenant-Id'), undef, 'and without an id');

$r = at('broken.example');
is($r->{status}, 503, 'a broken document is 503');
is($r->json->{type}, 'urn:sync:problem:tenant-misconfigured', 'as a problem');
is($r->json->{category}, 'technical', 'that is ours');
$t->log_like(qr{broken\.json" is refused: at "/clinets": .*"clients"},
             'the log has file, pointer and cure');

# in other phases and places

$r = at('acme.example', '/early');
is($r->header('X-Early'), 'map:acme', 'a variable that is asked in REWRITE');
is(at('acme.example', '/off')->header('X-Tenant-Id'), '<>', 'switched off');
is(at('nobody.example', '/off')->{status}, 200, 'off asks for no tenant');
is(at('nobody.example', '/early')->{status}, 404, 'asked early, refused late');
is(at('nobody.example', '/own')->{body}, 'own', 'an error_page of the user');

# by path

is(at('nobody.example', '/t/acme/orders')->header('X-Tenant-Id'), 't_acme',
   'by path');
is(at('nobody.example', '/t/acme')->{status}, 200, 'nothing behind the name');
is(at('x', $_)->{status}, 404, "path $_")
    for '/t/', '/t/nobody/x', '/t/t_acme/x', '/t/ACME/x',
        '/t/.hidden/x', '/t/README/x';
is(at('x', '/t/broken/x')->{status}, 503, 'by path, broken');

# by header

is($t->get('/h/x', Host => 'x', 'X-Tenant' => 'globex')->header('X-Tenant-Id'),
   't_globex', 'by header');
is($t->get('/h/x', Host => 'x')->{status}, 404, 'no header');
is($t->get('/h/x', Host => 'x', 'X-Tenant' => '')->{status}, 404,
   'an empty one');
$r = $t->request('GET', '/h/x', host => 'x',
                 headers => ['X-Tenant', 'acme', 'X-Tenant', 'globex']);
is($r->{status}, 400, 'two of them');
is($r->json->{type}, 'urn:sync:problem:tenant-ambiguous', 'as a problem');

# two want one host

is(at('acme.example')->header('X-Tenant-Name'), 'acme', 'acme keeps its host');
is(at('x', '/t/second/x')->{status}, 503, 'the newcomer is down');
$t->log_like(qr{second\.json" is refused: at "/match/hosts": host "acme},
             'and told why');
$t->log_like(qr{"acme\.example" belongs to the tenant acme}, 'and by whom');

# live: a new tenant, a changed one, a broken one, one that goes

$t->write('tenants/later.json', doc('later'));
ok(until_is(200, 'later.example'), 'a tenant added without a reload');

$t->write('tenants/later.json',
          doc('later', match => { hosts => ['moved.example'] }));
ok(until_is(200, 'moved.example'), 'it has moved');
is(at('later.example')->{status}, 404, 'and left its old host');

$t->write('tenants/later.json', '{ "tenant": "later", ');
ok($t->wait_for(sub { $t->log_text =~ /later\.json" is refused.*good copy/ }),
   'broken under way, and logged');
is(at('moved.example')->{status}, 200, 'the last good copy stays');

$t->write('tenants/later.json',
          doc('later', id => 't_other',
              match => { hosts => ['moved.example'] }));
ok($t->wait_for(sub { $t->log_text =~ /"\/id": a tenant's id never/ }),
   'an id never changes');
is(at('moved.example')->header('X-Tenant-Id'), 't_later', 'the old one stays');

$t->write('tenants/later.json',
          doc('later', match => { hosts => ['moved.example'] }));
ok($t->wait_for(sub { $t->log_text =~ /later\.json" is good again/ }),
   'repaired');

$t->write('tenants/thief.json',
          doc('thief', id => 't_globex',
              match => { hosts => ['thief.example'] }));
ok($t->wait_for(sub { $t->log_text =~ /thief\.json" is refused: at "\/id"/ }),
   'an id that is taken');
ok(until_is(503, 'thief.example'), 'is down');
unlink $t->path('tenants/globex.json');
ok(until_is(200, 'thief.example'), 'and up once the owner has gone');
is(at('globex.example')->{status}, 404, 'who is gone');

unlink $t->path('tenants/acme.json');
ok($t->wait_for(sub { (at('acme.example')->header('X-Tenant-Name') // '')
                      eq 'second' }),
   'a host is free when its owner goes');
$t->write('tenants/acme.json', doc('acme'));
ok($t->wait_for(sub { at('x', '/t/acme/x')->{status} == 503 }),
   'who comes back is the newcomer');
unlink $t->path('tenants/second.json');
ok($t->wait_for(sub { (at('acme.example')->header('X-Tenant-Name') // '')
                      eq 'acme' }),
   'until the other leaves');

# a link that is pointed elsewhere, as Kubernetes does it

$t->write('v2.json', doc('linked', match => { hosts => ['v2.example'] }));
symlink $t->path('v2.json'), $t->path('swap');
rename $t->path('swap'), $t->path('tenants/linked.json');
ok(until_is(200, 'v2.example'), 'a swapped link is seen');

# templates

$t->write('library/templates/base.json',
          { plans => { gold => { limits => [ { rate => '5/s',
                                               burst => 5 } ] } } });
$t->write('tenants/child.json',
          doc('child', extends => 'templates/base.json',
              clients => { c => { plan => 'gold', entities =>
                                  { sales_order => ['read'] } } }));
ok(until_is(200, 'child.example'), 'a document that extends a template');
$t->write('library/templates/base.json', { plans => {} });
ok($t->wait_for(sub { $t->log_text =~ /child\.json" is refused/ }),
   'a template that breaks its children');
is(at('child.example')->{status}, 200, 'whose good copies stay');
unlink $t->path('tenants/child.json');

# the folder is emptied, and comes back

rename $t->path('tenants'), $t->path('away');
ok($t->wait_for(sub { $t->log_text =~ /folder of tenants .* cannot be read/ }),
   'a folder that vanishes is told');
is(at('acme.example')->{status}, 200, 'its tenants stay');
rename $t->path('empty'), $t->path('tenants');
ok($t->wait_for(sub { sleep 0.1; 1 }) && at('acme.example')->{status} == 200,
   'an emptied folder, too');
rename $t->path('tenants'), $t->path('empty');
rename $t->path('away'), $t->path('tenants');
ok($t->wait_for(sub { $t->log_text =~ /is there again/ }), 'and comes back');

# reload: the names stay with their owners

$t->write('tenants/aaa.json',
          doc('aaa', match => { hosts => ['acme.example'] }));
ok($t->wait_for(sub { $t->log_text =~ /aaa\.json" is refused/ }),
   'a newcomer whose file name comes first');
ok($t->reload, 'reload');
is(at('acme.example')->header('X-Tenant-Name'), 'acme',
   'the owner is the owner, also after a reload');
is(at('x', '/t/aaa/x')->{status}, 503, 'the newcomer waits');
unlink $t->path('tenants/aaa.json');

# a reload while a document is broken

$t->write('tenants/keep.json', doc('keep'));
$t->write('tenants/lose.json', doc('lose'));
ok(until_is(200, 'keep.example') && until_is(200, 'lose.example'), 'two more');
ok($t->reload, 'that the master knows');
$t->write('tenants/lose.json', doc('lose', residency => 'new'));
sleep 0.2;
$t->write("tenants/$_.json", '{') for qw(keep lose);
ok($t->reload, 'are broken, and a reload');
is(at('keep.example')->{status}, 200, 'the copy of the last load stays');
is(at('x', '/t/lose/x')->{status}, 503,
   'but not one that was replaced under way');
unlink $t->path("tenants/$_.json") for qw(keep lose);
ok(until_is(404, 'keep.example'), 'gone');

# requests in flight keep theirs; under change nobody gets an error

my $bad = 0;

for my $i (1 .. 40) {
    $t->write('tenants/acme.json', doc('acme', residency => "r$i"));
    $bad++ if at('acme.example')->{status} != 200;
}

is($bad, 0, 'no error while a document is rewritten 40 times');

# a file of the library that cannot be read when it is wanted, and then can be

$t->write('library/jwks.json', Test::Sync::Token->new->key('k1', 'ES256')->jwks);
$t->write('tenants/uses.json', doc('uses', extends => 'jwks.json'));
ok($t->wait_for(sub { 2 == (() = $t->log_text =~ /uses\.json" is refused/g) }),
   'a file that is no template is known');
rename $t->path('library/jwks.json'), $t->path('jwks.json') or die;
symlink $t->path('jwks.json'), $t->path('library/jwks.json') or die;
$t->write('tenants/wants.json', doc('wants', issuers => [
    { issuer => 'https://wants.test', jwks => 'jwks.json',
      audience => 'https://sync.example' } ]));
ok($t->wait_for(sub {
    2 == (() = $t->log_text =~ /wants\.json" is refused: .*a link leads out/g)
}), 'its keys cannot be read');
rename $t->path('jwks.json'), $t->path('library/jwks.json') or die;
ok(until_is(200, 'wants.example'), 'then they can be, and it is told');
unlink $t->path("tenants/$_.json") for qw(uses wants);

# a worker that cannot open files for a while: nothing of them has changed

sub files {
    my ($most) = @_;

    system('prlimit', '--pid', $_, "--nofile=$most:") == 0 or die
        for $t->workers;
}

sub denied {
    return scalar(() = $t->log_text
                       =~ /acme.json" is refused: it cannot be read: Too many/g);
}

files(3);
$t->write('tenants/acme.json', doc('acme', match => {
    hosts => ['acme.example', 'late.example'] }));
ok($t->wait_for(sub { denied() == 2 }), 'no worker can read a document');
sleep 0.3;
is(denied(), 2, 'each says so once');
files(1024);
ok(until_is(200, 'late.example'), 'it is read as soon as it can be');
$t->write('tenants/acme.json', doc('acme'));

# load

my $base = <<"CONF";
    sync_tenants @{[ $t->path('tenants') ]};
    server { listen 127.0.0.1:%%PORT_1%%;
CONF

$t->accepted("$base sync_tenant host; }", 'broken documents are no refusal');

my ($code, $out) = $t->check("$base sync_tenant host; }");
like($out, qr{broken\.json" is refused: at "/clinets"}, 'but nginx -t says so');

sub strict {
    my ($doc, $like, $name) = @_;

    unlink glob($t->path('strict') . '/*');
    $t->write('strict/x.json', $doc);
    $t->refused("sync_tenants @{[ $t->path('strict') ]} strict; "
                . 'server { listen 127.0.0.1:%%PORT_1%%; sync_tenant host; }',
                $like, $name);
}

strict('{', qr{x\.json" is refused: at "": .*\(syntax\)}, 'strict: syntax');
strict({ tenant => 'y', id => 't' }, qr{at "/tenant"}, 'strict: another name');
strict({ tenant => 'x', id => 't', extends => 'a.json' },
       qr{at "/extends"}, 'strict: no library');
strict({ tenant => 'x', id => 't', connectors => { c => {
           upstream => 'nowhere', entities => {} } } },
       qr{at "/connectors/c/upstream": .*nowhere}, 'strict: no such upstream');

$t->refused($_->[0], $_->[1], $_->[2]) for
    [ 'sync_tenants nowhere; server { listen 127.0.0.1:%%PORT_1%%; }',
      qr/the folder ".*nowhere" cannot be read/, 'no such folder' ],
    [ "sync_tenants a; sync_tenants b; server { }",
      qr/"sync_tenants" directive is duplicate/, 'two folders' ],
    [ "sync_tenants a interval=1ms; server { }",
      qr/not a time of 10ms or more/, 'too often' ],
    [ "sync_tenants a zone=1; server { }", qr/not a size/,
      'a zone of nothing' ],
    [ "sync_tenants a loose; server { }",
      qr/unknown parameter "loose", "strict", /, 'an unknown parameter' ],
    [ 'sync_library /; server { }', qr/does nothing without "sync_tenants"/,
      'a library alone' ],
    [ 'sync_secrets /nowhere; server { }', qr/there is no folder/,
      'secrets nowhere' ],
    [ 'server { listen 127.0.0.1:%%PORT_1%%; sync_tenant host; }',
      qr/sync_tenant needs sync_tenants .* in server, .*check\.conf:\d+/,
      'a tenant without documents' ],
    [ "$base sync_tenant element=portalId; }",
      qr/"element=portalId": .* at byte 0/, 'an element that is no path' ],
    [ "$base sync_tenant hots; }", qr/unknown "hots"; "host"/,
      'a mistyped one' ],
    [ "$base sync_tenant path=t; }", qr/begins and ends with a slash/,
      'a path without slashes' ],
    [ "$base sync_tenant header=; }", qr/does not name a header/,
      'a header without a name' ],
    [ "$base sync_tenant host; sync_tenant off; }", qr/is duplicate/,
      'twice' ],
    [ "$base location / { if (\$uri) { sync_tenant host; } } }",
      qr/not allowed here/, 'in if' ];

# secrets that are not there are told, too

$t->write('wanting/x.json',
          doc('x', clients => { c => { api_keys => ['secret:k1', 'secret:k2'],
              entities => { sales_order => ['read'] } } }));
$t->write('secrets/t_x/k1', 'key');

($code, $out) = $t->check("sync_tenants @{[ $t->path('wanting') ]} strict; "
                          . "sync_secrets @{[ $t->path('secrets') ]}; "
                          . 'server { listen 127.0.0.1:%%PORT_1%%; }');
is($code, 0, 'a secret that is not there: a warning');
like($out, qr/secret "k2" of tenant "x" is not there/, 'which names it');
unlike($out, qr/secret "k1"/, 'and no other');

# what the workers could not read is told

SKIP: {
    skip 'root alone can try', 4 if $>;

    $t->write('private/x.json', doc('x'));
    chmod 0600, $t->path('private/x.json');

    my $conf = "sync_tenants @{[ $t->path('private') ]}; "
               . 'server { listen 127.0.0.1:%%PORT_1%%; sync_tenant host; }';
    my $whole = $t->whole($t->in_http($conf));
    $whole =~ s/user root;/user nobody nogroup;/;
    my $file = $t->write('user.conf', $whole);

    ($code, $out) = $t->nginx('-t', '-c', $file, '-e', 'stderr');
    is($code, 0, 'a file that only root can read: a warning');
    like($out, qr{x\.json" cannot be read by the user of the workers},
         'which says so');

    # error_log keeps errors alone, as it does where nobody says more

    $whole =~ s/^(error_log\s+\S+) .*;/$1;/m or die;
    $whole =~ s{(sync_tenants [^;]+);}{$1 strict;} or die;
    $t->write('user.conf', $whole);

    ($code, $out) = $t->nginx('-t', '-c', $file, '-e', 'stderr');
    is($code, 1, 'under strict: refused');
    like($out, qr{\[emerg\].*x\.json" cannot be read by the user},
         'and told why');
}

# a name whose owner has gone between two loads is free

my $u = Test::Sync->new;

$u->write('tenants/b.json', doc('b', match => { hosts => ['h.example'] }));
$u->http(<<'CONF');
    sync_tenants %%TESTDIR%%/tenants interval=1h;
    server {
        listen 127.0.0.1:%%PORT_0%%;
        sync_tenant host;
        location / { return 200 $sync_tenant_name; }
    }
CONF
$u->start;

is($u->get('/', Host => 'h.example')->{body}, 'b', 'an owner');
unlink $u->path('tenants/b.json');
$u->write('tenants/c.json', doc('c', match => { hosts => ['h.example'] }));
ok($u->reload, 'that no worker saw go');
is($u->get('/', Host => 'h.example')->{body}, 'c', 'has left its names');

$u->done;
$t->done;
