#!/usr/bin/perl

# syncctl over the conformance suites, each of them whole, and the examples of
# docs/syncctl.md as they stand there.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use MIME::Base64 qw(decode_base64);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $ctl = abs_path(($ENV{SYNC_BUILD} || "$root/build") . '/syncctl');
my $suites = $ENV{SYNC_SUITES} || "$root/../shared/data";
my $dir = File::Temp::tempdir('syncctl-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $json = Cpanel::JSON::XS->new->canonical->allow_nonref->utf8;

chdir $dir or die "$dir: $!";

usage();

suite('json-parsing', \&json_parsing);
suite('strings/blns.json', \&strings);
suite('jsonpath/cts.json', \&jsonpath);
suite("json-schema/draft$_", \&json_schema) for qw(2020-12 7);
suite("structured-fields/$_.json", \&structured_fields)
    for qw(item string string-generated);
suite('jose/jws', \&cookbook);
suite('jose/curve25519/jws.json', \&curve25519);

shipped();
examples("$root/docs/syncctl.md");

done_testing();


# Exit code, standard output and standard error, without a shell.

sub ctl {
    my (@args) = @_;

    my $pid = fork // die "fork: $!";

    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/.out";
        open STDERR, '>', "$dir/.err";
        exec $ctl, @args or POSIX::_exit(127);
    }

    waitpid $pid, 0;

    my $code = $? & 127 ? 128 + ($? & 127) : $? >> 8;

    return ($code, slurp("$dir/.out"), slurp("$dir/.err"));
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!";
    local $/;

    return <$fh> // '';
}


sub put {
    my ($name, $text) = @_;

    open my $fh, '>:raw', "$dir/$name" or die "$name: $!";
    print $fh $text;
    close $fh or die "$name: $!";

    return $name;
}


sub suite {
    my ($name, $code) = @_;

    SKIP: {
        skip "$name is absent", 1 if !-e "$suites/$name";
        $code->("$suites/$name");
    }
}


# Cases that went wrong, and what is counted.

sub counted {
    my ($wrong, $n, $what) = @_;

    ok($n > 0 && !@$wrong, "$what: $n of $n")
        or diag(scalar(@$wrong) . " went wrong:\n"
                . join "\n", splice @$wrong, 0, 10);
}


sub usage {
    my ($code, $out, $err) = ctl();
    is($code, 0, 'syncctl alone helps');

    my @commands = $out =~ /^  (\S+) /mg;
    cmp_ok(scalar @commands, '>=', 2, 'and lists its commands');

    ($code, $out, $err) = ctl('help');
    is($code, 0, 'as help does');

    ($code, $out, $err) = ctl('nothing');
    is($code, 2, 'a command that is none');
    is($err, "syncctl: unknown command \"nothing\"; \"syncctl help\" lists "
             . "them\n", 'is named');

    for my $command (@commands) {
        ($code, $out, $err) = ctl('help', $command);
        is($code, 0, "help $command");
        like($out, qr/^usage: syncctl $command \S/, 'tells its usage');

        ($code, $out, $err) = ctl($command, '--no-such-option');
        is($code, 2, "$command: an option that is none");
        like($err, qr/^syncctl $command: .+\nusage: syncctl $command /,
             'is told with the usage');
        is($out, '', 'and nothing else');
    }

    ($code, $out, $err) = ctl('json', "$dir/none.json");
    is($code, 2, 'a file that is not there');
    like($err, qr/^syncctl: .*none\.json: No such file/, 'is named');

    open my $full, '>', '/dev/full' or return;
    is(system("'$ctl' help json >/dev/null"), 0, 'help to a pipe');
    isnt(system("echo 1 | '$ctl' path '\$' - >/dev/full 2>/dev/null"), 0,
         'a full disk is no verdict');
}


# every y_ accepted, every n_ refused, each i_ as docs/syncctl.md has it

sub json_parsing {
    my ($folder) = @_;

    my @files = sort glob "$folder/test_parsing/*.json";
    my ($code, $out) = ctl('json', @files);
    my ($strict_code, $strict) = ctl('json', '--strict', @files);

    is($code, 1, 'json: not all are valid');

    my %verdict = $out =~ m{/([^/\n]+\.json): (valid|invalid)\b}g;
    my %strictly = $strict =~ m{/([^/\n]+\.json): (valid|invalid)\b}g;

    for my $kind (['y', 'valid'], ['n', 'invalid']) {
        my @names = grep { /^$kind->[0]_/ } map { s{.*/}{}r } @files;

        counted([ grep { ($verdict{$_} // 'none') ne $kind->[1] } @names ],
                scalar @names, "json: $kind->[0]_ is $kind->[1]");
    }

    my @open = grep { /^i_/ } map { s{.*/}{}r } @files;
    my @numbers = grep { /^i_number_/ } @open;

    counted([ grep { $verdict{$_} ne (/^i_number_/ ? 'valid' : 'invalid') }
              @open ],
            scalar @open, 'json: i_ as decided, numbers alone are valid');

    is(join(' ', grep { $verdict{$_} ne $strictly{$_} } sort keys %verdict),
       'y_object_duplicated_key.json '
       . 'y_object_duplicated_key_and_value.json',
       'json: --strict refuses duplicate members, and these alone');

    my @vague = $out =~ m{: invalid: (?!at byte \d+)(.*)}g;
    is(scalar @vague, 0, 'json: each refusal names the byte');
}


# every string comes out byte for byte as it went in

sub strings {
    my ($file) = @_;

    my $strings = $json->decode(slurp($file));
    my ($code, $out) = ctl('path', '$[*]', $file);

    is_deeply($json->decode($out), $strings, 'strings: read back');

    my @raw = slurp($file) =~ /^\s*("(?:[^"\\]|\\.)*"),?[ ]*$/mg;
    my $text = '[' . join(',', @raw) . "]\n";

    is(scalar @raw, scalar @$strings, 'strings: ' . @raw . ' of them');
    ok($out eq $text, 'strings: ' . @raw . ' of ' . @raw
                      . ' byte for byte as they were written');
}


sub jsonpath {
    my ($file) = @_;

    my (@wrong, @invalid);
    my ($valid, $refused) = (0, 0);

    for my $test (@{ $json->decode(slurp($file))->{tests} }) {
        my $selector = $test->{selector};
        utf8::encode($selector);

        put('document.json', $json->encode($test->{document} // undef));

        my ($code, $out) = ctl('path', $selector, 'document.json');

        if ($test->{invalid_selector}) {
            $refused++;
            push @invalid, $test->{name} if $code != 2 || $out ne '';
            next;
        }

        $valid++;

        my @may = $test->{results} ? @{ $test->{results} } : $test->{result};
        my $got = $code == 0 ? $json->encode($json->decode($out)) : 'nothing';

        push @wrong, "$test->{name}: $got"
            if !grep { $json->encode($_) eq $got } @may;
    }

    counted(\@wrong, $valid, 'jsonpath: what they find');
    counted(\@invalid, $refused, 'jsonpath: no selectors');
}


# every required case: one schema, its documents by the line

sub json_schema {
    my ($folder) = @_;

    my ($draft) = $folder =~ /draft([^\/]+)$/;
    my $remotes = "$folder/../remotes";
    my $exact = Cpanel::JSON::XS->new->allow_nonref->utf8->allow_bignum;
    my (@wrong, $n);

    for my $file (sort glob "$folder/*.json") {
        for my $group (@{ $exact->decode(slurp($file)) }) {
            my @tests = @{ $group->{tests} };

            put('schema.json', $exact->encode($group->{schema}));
            put('documents', join '', map { $exact->encode($_->{data}) . "\n" }
                                          @tests);

            my $run = "'$ctl' schema-stream --draft $draft "
                      . "--ref-dir '$remotes'";
            my @out = split /\n/, `$run schema.json <documents 2>&1`;

            for my $test (@tests) {
                my $got = shift @out // 'nothing';
                $n++;

                push @wrong, "$group->{description}: $test->{description}: "
                             . $got
                    if $got ne ($test->{valid} ? 'valid' : 'invalid');
            }
        }
    }

    counted(\@wrong, $n, "json-schema: $draft");
}


sub structured_fields {
    my ($file) = @_;

    my (@wrong, $n);
    my $what = $file =~ s{.*/(.*)\.json}{$1}r;

    for my $test (@{ $json->decode(slurp($file)) }) {
        next if $test->{header_type} ne 'item';

        my $field = join ', ', @{ $test->{raw} };

        utf8::encode($field);
        put('field', $field);
        $n++;

        open my $ctl, '-|', "'$ctl' sfv item - <field 2>/dev/null" or die $!;
        my $out = do { local $/; <$ctl> } // '';
        close $ctl;

        next if $? >> 8 == 1 && ($test->{must_fail} || $test->{can_fail});

        if ($? != 0 || $test->{must_fail}) {
            push @wrong, "$test->{name}: exit code " . ($? >> 8);
            next;
        }

        my $got = $json->encode(base32($json->decode($out)));

        push @wrong, "$test->{name}: $got"
            if $got ne $json->encode($test->{expected});
    }

    counted(\@wrong, $n, "structured fields: $what");
}


# The suite writes byte sequences in base32, so that no reader of base64 is
# needed to read it.

sub base32 {
    my ($item) = @_;

    for my $value ($item->[0], map { $_->[1] } @{ $item->[1] }) {
        next if ref $value ne 'HASH' || $value->{__type} ne 'binary';

        my $bits = unpack 'B*', decode_base64($value->{value});
        my @five = $bits =~ /(.{1,5})/g;
        my $text = join '', map {
            ('A' .. 'Z', 2 .. 7)[oct '0b' . substr "${_}0000", 0, 5]
        } @five;

        $value->{value} = $text . '=' x (-length($text) % 8);
    }

    return $item;
}


# The compact serialisations of RFC 7520, 4; each is then signed no more when
# a bit of it is another.

sub cookbook {
    my ($folder) = @_;

    my %key = ('4_1' => '3_3', '4_2' => '3_3', '4_3' => '3_1',
               '4_4' => '3_5', '4_5' => '3_5');
    my @wrong;
    my $n = 0;

    for my $file (sort glob "$folder/*.json") {
        my ($name) = $file =~ m{/(\d_\d)\.[^/]*$} or next;
        my $test = $json->decode(slurp($file));
        my $compact = $test->{output}{compact} // next;
        my ($jwk) = glob "$folder/../jwk/$key{$name}.*";

        # detached content is no compact serialisation

        signed(\@wrong, $name, $jwk, $compact, $compact !~ /\.\./);
        $n++;
    }

    counted(\@wrong, $n, 'jose: RFC 7520, compact');
}


sub curve25519 {
    my ($file) = @_;

    my @wrong;
    my $test = $json->decode(slurp($file));
    my $key = $test->{input}{key};

    put('private.jwk', $json->encode($key));

    my ($code) = ctl('jws', 'private.jwk', $file);
    is($code, 2, 'jose: a private key verifies nothing');

    delete $key->{d};
    put('ed25519.jwk', $json->encode($key));
    signed(\@wrong, 'RFC 8037', 'ed25519.jwk', $test->{output}{compact}, 1);

    counted(\@wrong, 1, 'jose: RFC 8037');
}


sub signed {
    my ($wrong, $name, $jwk, $compact, $good) = @_;

    put('compact', "$compact\n");

    my ($code, $out) = ctl('jws', $jwk, 'compact');

    push @$wrong, "$name: exit code $code, $out" if $code != ($good ? 0 : 1);

    my $at = rindex($compact, '.') + 10;
    my $other = substr($compact, $at, 1) eq 'A' ? 'B' : 'A';

    substr $compact, $at, 1, $other;
    put('compact', $compact);

    ($code, $out) = ctl('jws', $jwk, 'compact');

    push @$wrong, "$name: a bit was turned, exit code $code" if $code != 1;
}


# conf.example/, with the key sets that tools/demo makes for it

sub shipped {
    my $etc = "$dir/conf.example";

    system 'cp', '-r', "$root/conf.example", $etc;
    mkdir "$etc/library/jwks";

    my ($code, $out) = ctl('tenants', $etc);
    is($code, 1, 'conf.example: tenants without their keys');
    like($out, qr{/jwks: there is no file "jwks/acme\.json"}, 'are told');

    for my $tenant (map { s{.*/(.*)\.json}{$1}r } glob "$etc/tenants/*.json") {
        system dirname($ctl) . '/synctoken', 'keygen', 'ES256', 'k',
               "$dir/private.pem", "$etc/library/jwks/$tenant.json";
    }

    ($code, $out) = ctl('tenants', $etc);
    is($code, 0, 'conf.example: tenants') or diag($out);

    put('order.http', "POST /v1/orders HTTP/1.1\r\nHost: ACME.sync.example:80"
                      . "\r\n\r\n" . slurp("$etc/requests/order.json"));

    ($code, $out) = ctl('try', $etc, 'order.http', '--client', 'crm');
    is($code, 0, 'conf.example: an order');
    like($out, qr/"body":\{"SalesOrderType".*:9007199254740993,/,
         'in the words of the ERP, no digit changed');
    like($out, qr{"uri":"/sap/opu/.*/A_SalesOrder"}, 'and where to');

    ($code) = ctl('try', $etc, 'order.http');
    is($code, 2, 'one of several clients must be named');
}


# In a block of "console" a line after "$ " is run, "> " goes on with it, and
# what follows is what it prints.

sub examples {
    my ($file) = @_;

    my $text = slurp($file);
    my @runs;

    while ($text =~ /^```console\n(.*?)^```$/msg) {
        for my $line (split /^/, $1) {
            if ($line =~ s/^\$ //) {
                push @runs, { command => $line, out => '' };

            } elsif ($line =~ s/^> ?//) {
                $runs[-1]{command} .= $line;

            } else {
                $runs[-1]{out} .= $line;
            }
        }
    }

    cmp_ok(scalar @runs, '>', 5, 'docs/syncctl.md has examples');

    # one shell for all, so that "echo $?" means the one before

    my $script = "exec 2>&1\nPATH=" . dirname($ctl) . ":\$PATH\n";

    $script .= "$_->{command}\nshell_=\$?; echo '\x01'; (exit \$shell_)\n"
        for @runs;

    mkdir "$dir/examples";
    put('examples.sh', $script);

    my $out = `cd '$dir/examples' && bash '$dir/examples.sh'`;
    my @out = split /\x01\n/, $out, -1;

    for my $run (@runs) {
        my $name = $run->{command} =~ s/\n.*//sr;
        is(shift @out, $run->{out}, "example: $name");
    }
}
