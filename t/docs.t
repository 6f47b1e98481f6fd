#!/usr/bin/perl

# Every example of configuration in README.md and docs/, and conf.example/
# itself, goes through nginx -t; the seven lines of README.md are run as they
# stand there, but for ports and paths.
#
# A block is marked by where it stands: "nginx http", "nginx server", "nginx
# location"; what it needs around it is added here.  Other blocks are JSON,
# which the units compile, C, which is built, or what t/syncctl.t runs.

use strict;
use warnings;

use lib 't/lib', 'tools/demo';
use Demo::Peers;
use Demo::Stage;
use Digest::SHA qw(hmac_sha256_base64);
use File::Path qw(make_path remove_tree);
use File::Temp ();
use Test::More;

my $root = Demo::Stage::root();
my $stage = Demo::Stage->new;
my $dir = $stage->{dir};
my %known = map { $_ => 1 } qw(xml soap csv form), 'json', 'sh', 'sh debug', 'text', 'c policy',
                          'console';

$stage->write("sync/$_.jwks",
              Demo::Stage::slurp("$dir/library/jwks/acme.json"))
    for qw(login fleet);
$stage->write('sync/master.key', "0123456789abcdef0123456789abcdef\n");
$stage->write('sync/redis.password', "secret\n");
$stage->write('sync/debug.key', "0123456789abcdef0123456789abcdef\n");
$stage->write('sync/revoked', "jti 8f14e45f-ceea-467f\n");
$stage->write('sync/introspect.secret', "secret\n");

# a certificate of this run, for what listens by TLS

make_path("$dir/tls");
system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
       . "-nodes -days 2 -subj /CN=edge -keyout $dir/tls/edge.key "
       . "-out $dir/tls/edge.pem >$dir/openssl.log 2>&1") == 0
    or die Demo::Stage::slurp("$dir/openssl.log");

for my $file ("$root/README.md", sort glob "$root/docs/*.md") {
    my $name = substr $file, 1 + length $root;
    my $text = Demo::Stage::slurp($file);
    my $n = 0;

    while ($text =~ /^```([a-z ]+)\n(.*?)^```$/msg) {
        my ($mark, $block) = ($1, $2);

        if ($mark =~ /^nginx (http|server|location)$/) {
            nginx($1, $block, sprintf '%s, example %d', $name, ++$n);

        } elsif (!$known{$mark} && $mark !~ /^json /) {
            fail("$name: nobody runs a block of \"$mark\"");
        }
    }

    ok($n, "$name has examples")
        if $name =~ /directives|README/;
}

whole('conf.example/nginx.conf', "$dir/nginx.conf");
whole('conf.example/alone.conf', "$dir/alone.conf");
whole('conf.example/production.conf', "$dir/production.conf");

documents();
directives();
architecture();
policy();
signed();
seven();

done_testing();


# an example amid what it needs: what it says itself is not said again

sub nginx {
    my ($place, $block, $name) = @_;

    my $has = sub { $block =~ /^\s*(?:server \{ .*)?\b$_[0]\s/m };
    my $http = '';

    $http .= "sync_secret file:sync/master.key;\n" if !$has->('sync_secret');
    $http .= "sync_tenants tenants;\n" if !$has->('sync_tenants');
    $http .= "sync_library library;\n" if !$has->('sync_library');
    $http .= "sync_secrets secrets;\n" if !$has->('sync_secrets');
    $http .= "ssl_certificate $dir/tls/edge.pem;\n"
             . "ssl_certificate_key $dir/tls/edge.key;\n"
        if $block =~ /listen .*\bssl;/ && !$has->('ssl_certificate');
    $http .= 'map $host $region { default eu; }' . "\n";
    $http .= "upstream $_ { server 127.0.0.1:9; }\n"
        for grep { $block !~ /upstream\s+$_\b/ }
            qw(erp s4_eu s4_us salesforce);

    my $tenant = $block =~ /sync_tenant\s/ ? '' : "sync_tenant host;\n";
    my $safe = $block =~ /include\s+sync\// ? '' : "include sync/safe.conf;\n";

    if ($place eq 'location') {
        my $auth = $block =~ /sync_auth\s/ ? '' : "sync_auth token;\n";
        my $entity = $block =~ /sync_normalize/ && $block !~ /sync_entity/
                     ? "sync_entity sales_order at=/;\n" : '';
        my $pass = $block =~ /proxy_pass/ ? '' : $block =~ /entity|normalize/
                   ? "proxy_pass http://\$sync_upstream\$sync_upstream_uri;\n"
                   : "proxy_pass http://erp;\n";

        $block = "location / {\n$auth$entity$block$pass}\n";
        $place = 'server';
    }

    if ($place eq 'server') {
        $safe =~ s/safe/connector/ if $block =~ /sync_upstream/;
        $block = "server {\nlisten 127.0.0.1:8480;\n$safe$tenant$block}\n";
    }

    $block =~ s{/etc/nginx/sync/(tenants|library)\b}{$dir/$1}g;
    $block =~ s{/etc/nginx/sync/}{$dir/sync/}g;
    $block =~ s{/run/secrets/sync\b}{$dir/secrets}g;
    $block =~ s{/run/secrets/}{$dir/sync/}g;

    my $conf = $stage->fit("load_module  x;\nuser  www-data;\n"
                           . "error_log  $dir/error.log;\n"
                           . "pid  /run/nginx.pid;\nevents { }\n"
                           . "http {\n$http$block}\n");

    whole($name, $stage->write('example.conf', $conf));
}


sub whole {
    my ($name, $path) = @_;

    my $out = `'$stage->{nginx}' -t -p '$dir/' -c '$path' 2>&1`;

    ok($? == 0, "$name: nginx -t") or diag($out, Demo::Stage::slurp($path));
}


# tenant documents of conf.example/, by what nginx -t says of broken ones

sub documents {
    my $conf = Demo::Stage::slurp("$dir/nginx.conf");

    $conf =~ s/(sync_tenants\s+tenants)/$1 strict/;

    $stage->write("tenants/initech.json",
                  Demo::Stage::slurp("$dir/onboarding/initech.json"));
    $stage->give;

    whole('conf.example/, strict', $stage->write('strict.conf', $conf));
}


# each directive of the module is in the reference, and no other is

sub directives {
    my $text = Demo::Stage::slurp("$root/docs/directives.md");
    my @told = $text =~ /^## (sync_\w+)$/mg;
    my %built;

    for my $file (glob("$root/ngx_sync_module/*.c"),
                  glob("$root/ngx_sync_module/store/*.c"),
                  glob("$root/lua-free-policies/*.c"),
                  glob("$root/filters/*.c"))
    {
        my $code = Demo::Stage::slurp($file);

        while ($code =~ /\{\ ngx_string\("(sync_\w+)"\),
                         \s+((?:\|?NGX_\w+\s*)+),/gx)
        {
            my ($name, $flags) = ($1, $2);

            next if $flags !~ /NGX_HTTP_[A-Z]+_CONF/;

            $built{$name} = join ', ',
                map { $_->[1] } grep { $flags =~ /NGX_HTTP_$_->[0]_CONF/ }
                [ MAIN => 'http' ], [ SRV => 'server' ], [ LOC => 'location' ],
                [ UPS => 'upstream' ];
        }
    }

    is_deeply([ sort @told ], [ sort keys %built ],
              'docs/directives.md has all directives');

    for my $section (split /^(?=## )/m, $text) {
        my ($name) = $section =~ /^## (sync_\w+)$/m or next;
        my @lacks = grep { $section !~ /$_/ }
                    '\| Syntax \|', '\| Default \|', '\| Context \|',
                    '\| Phase \|', '(?i)on failure', '```nginx ';

        is("@lacks", '', "$name: all of its parts");

        my ($context) = $section =~ /^\| Context \| (.*) \|$/m;

        is($context, $built{$name}, "$name: its context");
    }
}


# docs/architecture.md: all steps in their order; each file has its line, what
# is a module of NGINX by its full name; and no line is of nothing

sub architecture {
    my $text = Demo::Stage::slurp("$root/docs/architecture.md");
    my ($enum) = Demo::Stage::slurp("$root/ngx_sync_module/ngx_http_sync.h")
                 =~ /(NGX_HTTP_SYNC_STEP_DEBUG = 0.*?)NGX_HTTP_SYNC_STEPS/s;
    my ($way) = $text =~ /^\| phase \| step \|.*\n\|[-|]+\n((?:\|.*\n)+)/m;

    is_deeply([ $way =~ /^\| [A-Za-z]* ?\| (\w+) \|/mg ],
              [ map { lc } $enum =~ /\bNGX_HTTP_SYNC_STEP_(\w+)/g ],
              'docs/architecture.md has all steps');

    my ($section) = $text =~ /^## Where what stands\n(.*?)^## /ms;
    my @names = map { /`(\w+\*?)`/g }
                $section =~ /^\| ((?:`\w+\*?`(?:, )?)+) \|/mg;
    my (@lacks, %used);

    for my $file (glob("$root/ngx_sync_module/*.[ch]"),
                  glob("$root/ngx_sync_module/{lib,net,store}/*.[ch]"),
                  glob("$root/lua-free-policies/*.[ch]"),
                  glob("$root/filters/*.[ch]"))
    {
        my ($dir, $stem, $ext) = $file =~ m{^(.*)/(.*)\.([ch])$};
        my $module = $ext eq 'c'
                     && Demo::Stage::slurp($file) =~ /^ngx_module_t /m;
        my @found = grep {
            my $like = s/\*$/.*/r;
            $stem =~ /^$like$/ && !($module && /\*$/);
        } @names;

        $used{$_} = 1 for @found;

        push @lacks, "$stem.$ext"
            if !@found && ($ext eq 'c' || !header($stem, $text));
    }

    is("@lacks", '', 'and all files');
    is(join(' ', grep { !$used{$_} } @names), '',
       'and none that is not there');
}


# of files that begin so, or told of by its name

sub header {
    my ($stem, $text) = @_;
    my @family = glob("$root/{ngx_sync_module,lua-free-policies}/${stem}_*.c");

    return ($stem ne 'ngx_http_sync' && @family) || $text =~ /\b$stem\.h\b/;
}


# the policy of docs/architecture.md compiles as it stands there; its place in
# the enum is what the text tells to add

sub policy {
    my ($code) = Demo::Stage::slurp("$root/docs/architecture.md")
                 =~ /^```c policy\n(.*?)^```$/ms;

    if (!ok($code, 'docs/architecture.md has a policy')) {
        return;
    }

    my $make = Demo::Stage::slurp("$stage->{build}/nginx/objs/Makefile");
    my ($flags) = $make =~ /^CFLAGS = (.*)$/m;
    my ($incs) = $make =~ /^ALL_INCS = ((?:.*\\\n)*.*)$/m;

    $incs =~ s/\\\n//g;

    my $path = $stage->write('ngx_http_sync_freeze_module.c', $code);
    my $place = '-DNGX_HTTP_SYNC_STEP_FREEZE=NGX_HTTP_SYNC_STEP_ENTITY+1';
    my $out = `cd '$stage->{build}/nginx' && cc $flags $incs $place \\
               -fsyntax-only '$path' 2>&1`;

    ok($? == 0, 'and it compiles under NGINX\' own flags') or diag($out);
}


# the shell lines that sign X-Sync-Debug

sub signed {
    my ($block) = Demo::Stage::slurp("$root/docs/directives.md")
                  =~ /^```sh debug\n(.*?)^```$/ms;
    my $key = Demo::Stage::slurp("$dir/sync/debug.key") =~ s/\n//r;

    $block =~ s/\bKEY\b/$dir\/sync\/debug.key/;
    $block =~ s/^curl .*$/printf '%s %s' "\$sig" "\$text"/m;

    my ($sig, $text) = split / /, `$block`, 2;

    is($sig, hmac_sha256_base64($text, $key) =~ tr{+/=}{-_}dr,
       'the lines that sign X-Sync-Debug');
}


# README.md: order idempotency in seven lines

sub seven {
    my ($block) = Demo::Stage::slurp("$root/README.md")
                  =~ /^```sh\n(.*?)^```$/ms;
    my @lines = split /\n/, $block // '';

    is(scalar @lines, 7, 'seven lines in README.md');

    # built it is already, and ports and files are this test's own

    is(shift @lines, 'make build', 'the first builds');

    $block = join '', map { "$_\n" } @lines;
    $block =~ s{ -c conf\.example/alone\.conf}{ -c $dir/alone.conf};
    $block =~ s/(erp\.pl) 8481/"$1 " . $stage->port(8481)/e;
    $block = $stage->fit($block =~ s/^nginx /$stage->{nginx} /mr);

    $stage->release($stage->port($_)) for 8480, 8481;

    my $out = `cd '$root' && PATH=\$PATH:/usr/sbin && set -e
               { $block } 2>'$dir/seven.err'`;

    is($?, 0, 'they run') or diag(Demo::Stage::slurp("$dir/seven.err"));

    my @answers = $out =~ /(\{"order":"4711"\})/g;

    is(scalar @answers, 2, 'curl twice, and two answers of one order');
    like($out, qr/"orders":1,/, 'the ledger says one') or diag($out);

    # and the line that ends them

    my ($end) = Demo::Stage::slurp("$root/README.md")
                =~ /^To stop[^`]*`([^`]+)`/m;

    ok($end, 'README.md says how to stop them');

    $end = $stage->fit(($end // ':') =~ s/^nginx /$stage->{nginx} /r);
    $end =~ s{ -c conf\.example/alone\.conf}{ -c $dir/alone.conf};

    system("cd '$root' && PATH=\$PATH:/usr/sbin; { $end; } >/dev/null 2>&1");
    is($?, 0, 'and that works');

    ok($stage->wait_for(sub { !-e "$dir/sync.pid" }, 5), 'nothing runs on');
}
