#!/usr/bin/perl

# Seeds of a fuzzer, made of the conformance suites and of what the project
# ships: seeds.pl NAME FOLDER.  Nothing of a suite is kept in the project.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use Digest::SHA qw(sha1_hex);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use MIME::Base64 qw(encode_base64 encode_base64url);

my ($name, $folder) = @ARGV;

my $root = abs_path(dirname(__FILE__) . '/../..');
my $suites = $ENV{SYNC_SUITES} || "$root/../shared/data";
my $json = Cpanel::JSON::XS->new->canonical->allow_nonref->utf8;

my %seeds = (
    cert      => \&certificates,
    csv       => \&csv,
    doc       => sub { shipped('tenants/*.json'), shipped('onboarding/*') },
    dpop      => \&proofs,
    formats   => \&formats,
    http      => \&http,
    json      => \&json_texts,
    jws       => \&jws,
    map       => \&maps,
    path      => \&paths,
    schema    => \&schemas,
    sfv       => \&fields,
    signature => \&signatures,
    template  => \&templates,
    xml       => \&xml,
);

my $seeds = $seeds{$name} or die "no seeds for \"$name\"\n";

make_path($folder);

for my $seed ($seeds->()) {
    next if length $seed > 16384;

    utf8::encode($seed) if utf8::is_utf8($seed);

    open my $fh, '>:raw', "$folder/" . sha1_hex($seed) or die "$folder: $!";
    print $fh $seed;
    close $fh;
}


# profile, id, timestamp, signature; then a body, which is the secret, too

sub signatures {
    my $mac = 'g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
    my $hex = '5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd';
    my $long = 'tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqta'
               . 'iHeYGb7KaaBRdM5WqyeFiL8Ag==';
    my $key = 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    my $public = 'ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=';
    my $now = 1614265330;

    return map { join "\n", @$_ }
        [ 'standard', 'msg_1', $now, "v1,$mac v1,$mac", "whsec_$key" ],
        [ 'standard', 'msg_1', $now, "v1,$mac v1a,$long", "whpk_$public" ],
        [ 'stripe', '', '', "t=$now,v1=$hex,v1=$hex,v0=$hex", '{}' ],
        [ 'github', '', '', "sha256=$hex", 'Hello, World!' ],
        [ 'shopify', '', '', $mac, '{}' ],
        [ 'hubspot', '', "${now}000", $mac, 'https://a.example/%3A%20?a=%40' ],
        [ 'generic', '', $now, $hex, '{timestamp}.{method}{url}{body}' ],
        [ 'other', '', "${now}123", "v=$hex$hex", '{id}{body}' ];
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or return '';
    local $/;

    return <$fh> // '';
}


sub shipped {
    my ($pattern) = @_;

    return map { slurp($_) } glob "$root/conf.example/$pattern";
}


# a suite that is absent has no seeds

sub cases {
    my ($file) = @_;

    my $text = slurp("$suites/$file");

    return $text eq '' ? [] : $json->decode($text);
}


sub one_line {
    my ($text) = @_;

    return $json->encode($json->decode($text));
}


sub json_texts {
    return (map { slurp($_) } glob "$suites/json-parsing/test_parsing/*.json"),
           (map { $json->encode($_) } @{ cases('strings/blns.json') }),
           shipped('requests/*.json');
}


sub formats {
    my @answers = ('{"jsonrpc":"2.0","id":1,"method":"a","params":{"b":1}}',
                   '{"jsonrpc":"2.0","id":1,"error":{"code":-32600,'
                   . '"message":"m","data":{"name":"n"}}}',
                   '{"error":{"code":"c","message":{"value":"m"}}}',
                   '{"Fault":{"faultcode":"a:Client","faultstring":"s"}}',
                   '{"Fault":{"Code":{"Value":"e:Sender"},'
                   . '"Reason":{"Text":"t"}}}', '{"d":{"results":[]}}');
    my @bodies = ('{"a":["{payload}","{id}","{id:number}","{/error/code}",'
                  . '"{idempotency_key}","secret:key"]}', '"{payload}"');

    return map { my $body = $_; map { "$body\n$_" } @answers } @bodies;
}


sub paths {
    my $cts = cases('jsonpath/cts.json');

    return map { "$_->{selector}\n" . ($_->{invalid_selector} ? 'null'
                                       : $json->encode($_->{document})) }
           ref $cts eq 'HASH' ? @{ $cts->{tests} } : ();
}


sub maps {
    my @maps = map { one_line($_) } shipped('library/maps/*.json');
    my @payloads = shipped('requests/*.json');
    my @seeds;

    for my $map (@maps) {
        push @seeds, map { "$map\n$_" } @payloads;
    }

    # the cookbook: a map, and what it is given

    my $text = slurp("$root/docs/maps.md");
    my $map = '{}';

    while ($text =~ /^```json (map|write|read|error)[^\n]*\n(.*?)^```$/msg) {
        if ($1 eq 'map') {
            $map = $2 =~ s/\s*\n\s*/ /gr;

        } else {
            push @seeds, "$map\n$2";
        }
    }

    return @seeds;
}


sub fields {
    return map { join ', ', @{ $_->{raw} } }
           map { @{ cases("structured-fields/$_.json") } }
               qw(item string string-generated);
}


sub templates {
    my @seeds;

    for my $text (shipped('tenants/*.json')) {
        my @lines = $text =~ m{"((?:GET|POST|PUT|PATCH|DELETE) /[^"]*)"}g;

        push @seeds, map { "$_\n4711\nkey\n{\"order_number\":\"1\"}" } @lines;
    }

    return @seeds, "GET /a/{id}?q='{/b/c}'&x={idempotency_key}\n1') or ('1\n"
                   . "k\n{\"b\":{\"c\":\"d'e\"}}";
}


sub jws {
    my @keys = map { one_line($_) } grep { $_ ne '' }
               map { slurp($_) } glob "$suites/jose/jwk/*.json";
    my @tokens = map { $json->decode(slurp($_))->{output}{compact} // () }
                 glob "$suites/jose/jws/*.json";
    my @seeds;

    for my $key (@keys) {
        push @seeds, map { "{\"keys\":[$key]}\n$_" } @tokens;
    }

    return @seeds, "{\"keys\":[]}\ne30.e30.e30";
}


# the choice, then a name as it is written; or a certificate made by hand

sub certificates {
    my $der = sub { chr($_[0]) . (length $_[1] < 128 ? chr length $_[1]
                                 : pack 'Cn', 0x82, length $_[1]) . $_[1] };
    my $subject = sub { $der->(0x30, join '', map {
                        $der->(0x31, $der->(0x30, $der->(6, "\x55\x04\x03")
                                                  . $der->(0x0c, $_))) } @_) };
    my $alg = $der->(0x30, $der->(6, "\x2b\x65\x70"));
    my $key = $der->(0x30, $alg . $der->(3, "\0" x 33));
    my $time = $der->(0x17, '260101000000Z');
    my @made;

    for my $sans ([], [ 0x82, 'erp.example', 0x82, '*.Erp.example' ],
                  [ 0x86, 'spiffe://a/b', 0x81, 'Ann@ERP.example',
                    0x87, "\xc0\0\2\7", 0x87, "\x20" x 16,
                    0x82, "a.example\0b", 0x88, "\x2a\3" ])
    {
        my @list = @$sans;
        my $names = '';

        while (my ($tag, $value) = splice @list, 0, 2) {
            $names .= $der->($tag, $value);
        }

        my $more = $names && $der->(0xa3, $der->(0x30, $der->(0x30,
                       $der->(6, "\x55\x1d\x11")
                       . $der->(4, $der->(0x30, $names)))));
        my $tbs = $der->(0x30, $der->(0xa0, $der->(2, "\2")) . $der->(2, "\1")
                         . $alg . $subject->('CA')
                         . $der->(0x30, $time . $time)
                         . $subject->('erp, west', "M\xc3\xbcller")
                         . $key . $more);

        push @made, $der->(0x30, $tbs . $alg . $der->(3, "\0" x 65));
    }

    return "\0" . 'A' x 43, "\0" . join(':', ('0a') x 32),
        "\1CN=erp\\, west+UID=7,1.2.3=#0C0161,O=M\\C3\\BCller",
        "\2ERP.example", "\3spiffe://acme/erp", "\0042001:db8::7",
        "\5Ann\@ERP.example",
        map { ("\6$_", "\7:" . encode_base64($_, '') . ':',
               "\7-----BEGIN%20CERTIFICATE-----%0A"
               . encode_base64($_, '%0A') . '-----END%20CERTIFICATE-----') }
            @made;
}


sub proofs {
    my $jwk = { kty => 'EC', crv => 'P-256',
                x => 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
                y => '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA' };
    my $url = 'https://resource.example.org/protectedresource';
    my $claims = { jti => 'e1j3V_bKic8-LAEB', htm => 'GET', htu => $url,
                   iat => 1562262618, nonce => 'n',
                   ath => 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo' };
    my $head = { typ => 'dpop+jwt', alg => 'ES256', jwk => $jwk };

    my $proof = join '.', map { encode_base64url($_) }
                    $json->encode($head), $json->encode($claims), 's' x 64;

    return "$url\n$proof", "http://[::1]:0080/a/%2e./%c3?q#f\n$proof";
}


sub schemas {
    my @seeds;

    for my $file (glob("$suites/json-schema/draft2020-12/*.json"),
                  glob("$suites/json-schema/draft7/*.json"))
    {
        for my $group (@{ $json->decode(slurp($file)) }) {
            my $schema = $json->encode($group->{schema});

            push @seeds, map { "$schema\n" . $json->encode($_->{data}) }
                         @{ $group->{tests} };
        }
    }

    return @seeds;
}


# what the units of the readers are made of

sub literals {
    my ($unit) = @_;

    my @strings = slurp("$root/t/unit/$unit.c") =~ /"((?:[^"\\\n]|\\.)*)"/g;

    return map { s/\\n/\n/gr =~ s/\\r/\r/gr =~ s/\\(["\\])/$1/gr } @strings;
}


sub xml {
    return grep { /^</ } literals('xml'), literals('soap');
}


sub http {
    my $chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    return (map { ($_, /^HTTP/ ? () : $chunked . $_) } literals('http')),
           grep { /^https/ } literals('url');
}


sub csv {
    return (grep { /,|=|\n/ } literals('csv'), literals('form')),
           "a,b\r\n1,\"x\"\"y\"\r\n", 'a=1&b=%20&c=+';
}
