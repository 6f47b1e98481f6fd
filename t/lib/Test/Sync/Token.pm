package Test::Sync::Token;

=head1 NAME

Test::Sync::Token - an issuer of tokens, honest or not

=head1 SYNOPSIS

    my $issuer = Test::Sync::Token->new(issuer => 'https://acme.example',
                                        claims => { aud => 'https://sync' });
    $issuer->key('k1', 'ES256');            # RS, PS, ES, HS and EdDSA
    $t->write('acme.jwks', $issuer->jwks);  # public; oct keys as they are

    $issuer->token({ sub => 'u', client_id => 'crm' });
    $issuer->token({ exp => time - 60 });   # a claim of undef is left out
    $issuer->token({}, kid => 'k2', header => { typ => 'at+jwt' });

Without C<kid> the first key signs.  Of what should not pass:

    alg => 'none'           header says so, the signature is empty
    alg => 'HS256', secret => BYTES    signed by these bytes
    alg => 'PS256'          with an RSA key of another algorithm
    header => { kid => undef }         members set, or left out
    payload => TEXT         instead of the claims
    tamper => 'signature' or 'payload' after signing
    signature => BYTES      instead of one

C<thumbprint(KID)> is that of RFC 7638, for C<< cnf => { jkt => ... } >>, and
C<< proof(METHOD, URL, TOKEN, claims => {}, ...) >> a proof of RFC 9449 by the
first key, or by C<kid>; what else C<token> takes, it takes.

CryptX alone signs here; the module under test uses OpenSSL.

=cut

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Crypt::Digest::SHA256 qw(sha256);
use Crypt::Mac::HMAC qw(hmac);
use Crypt::PK::ECC;
use Crypt::PK::Ed25519;
use Crypt::PK::RSA;
use Crypt::PRNG qw(random_bytes);
use MIME::Base64 qw(encode_base64url decode_base64url);

my $json = Cpanel::JSON::XS->new->canonical->utf8->allow_nonref;

my %CURVE = (256 => 'secp256r1', 384 => 'secp384r1', 512 => 'secp521r1');


sub new {
    my ($class, %opt) = @_;

    return bless { claims => {}, %opt, keys => {}, order => [] }, $class;
}


sub key {
    my ($self, $kid, $alg) = @_;

    my ($kind, $bits) = $alg =~ /^(RS|PS|ES|HS|EdDSA)(256|384|512)?$/
        or die "no algorithm \"$alg\"";
    my $pk;

    if ($kind eq 'HS') {
        $pk = random_bytes($bits / 8);

    } elsif ($kind eq 'ES') {
        $pk = Crypt::PK::ECC->new;
        $pk->generate_key($CURVE{$bits});

    } elsif ($kind eq 'EdDSA') {
        $pk = Crypt::PK::Ed25519->new;
        $pk->generate_key;

    } else {
        $pk = Crypt::PK::RSA->new;
        $pk->generate_key(256);
    }

    push @{ $self->{order} }, $kid if !$self->{keys}{$kid};
    $self->{keys}{$kid} = { alg => $alg, pk => $pk };

    return $self;
}


sub jwk {
    my ($self, $kid) = @_;

    my $key = $self->{keys}{$kid};

    my $jwk = ref $key->{pk}
        ? $key->{pk}->export_key_jwk('public', 1)
        : { kty => 'oct', k => encode_base64url($key->{pk}) };

    return { %$jwk, kid => $kid, alg => $key->{alg}, use => 'sig' };
}


# of these keys, or of all

sub jwks {
    my ($self, @kids) = @_;

    @kids = @{ $self->{order} } if !@kids;

    return { keys => [ map { $self->jwk($_) } @kids ] };
}


sub pem {
    my ($self, $kid) = @_;

    return $self->{keys}{$kid}{pk}->export_key_pem('public');
}


sub token {
    my ($self, $claims, %opt) = @_;

    my $kid = $opt{kid} // $self->{order}[0];
    my $key = $self->{keys}{$kid} || {};
    my $alg = $opt{alg} // $key->{alg};

    my %claims = (iss => $self->{issuer}, iat => time, exp => time + 300,
                  %{ $self->{claims} }, %{ $claims || {} });
    my %header = (alg => $alg, kid => $kid, typ => 'JWT',
                  %{ $opt{header} || {} });

    for my $set (\%claims, \%header) {
        delete @$set{ grep { !defined $set->{$_} } keys %$set };
    }

    my $head = encode_base64url($json->encode(\%header));
    my $body = encode_base64url($opt{payload} // $json->encode(\%claims));
    my $sig = $opt{signature}
              // $self->sign($alg, $opt{secret} // $key->{pk},
                             "$head.$body");

    if (($opt{tamper} // '') eq 'signature') {
        substr($sig, length($sig) / 2, 1) ^= "\x01";

    } elsif (($opt{tamper} // '') eq 'payload') {
        $claims{sub} = ($claims{sub} // '') . 'x';
        $body = encode_base64url($json->encode(\%claims));
    }

    return join '.', $head, $body, encode_base64url($sig);
}


sub thumbprint {
    my ($self, $kid) = @_;

    my $jwk = $self->jwk($kid // $self->{order}[0]);

    return encode_base64url(sha256($json->encode({
        map { $_ => $jwk->{$_} }
            grep { exists $jwk->{$_} } qw(crv e kty n x y) })));
}


sub proof {
    my ($self, $method, $url, $token, %opt) = @_;

    my $kid = $opt{kid} // $self->{order}[0];
    my $jwk = $self->jwk($kid);

    delete @$jwk{qw(kid alg use)};

    return $self->token({
        (map { $_ => undef } keys %{ $self->{claims} }, qw(iss exp)),
        htm => $method, htu => $url, jti => encode_base64url(random_bytes(12)),
        ath => encode_base64url(sha256($token)), %{ $opt{claims} || {} },
    }, %opt, kid => $kid, header => { typ => 'dpop+jwt', kid => undef,
                                      jwk => $jwk, %{ $opt{header} || {} } });
}


sub sign {
    my ($self, $alg, $pk, $text) = @_;

    return '' if $alg eq 'none';

    my ($kind, $bits) = $alg =~ /^(RS|PS|ES|HS|EdDSA)(\d+)?$/
        or die "no algorithm \"$alg\"";

    return hmac("SHA$bits", ref $pk ? $pk->export_key_pem('public') : $pk,
                $text) if $kind eq 'HS';
    return $pk->sign_message($text) if $kind eq 'EdDSA';
    return $pk->sign_message_rfc7518($text, "SHA$bits") if $kind eq 'ES';
    return $pk->sign_message($text, "SHA$bits", 'v1.5') if $kind eq 'RS';

    return $pk->sign_message($text, "SHA$bits", 'pss', $bits / 8);
}


1;
