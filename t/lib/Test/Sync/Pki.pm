package Test::Sync::Pki;

=head1 NAME

Test::Sync::Pki - a CA, certificates of clients, and who shows them

=head1 SYNOPSIS

    my $pki = Test::Sync::Pki->new($t);

    $pki->issue(erp => '/O=Acme/CN=erp', 'DNS:erp.acme.example');
    $pki->self(liar => '/O=Acme/CN=erp');

    ...  ssl_client_certificate %%TESTDIR%%/ca.crt;
         ssl_certificate        %%TESTDIR%%/server.crt;

    $pki->shown('/', 'erp', port => 0, host => 'acme.test');

=head1 DESCRIPTION

Certificates and keys are files of the test's folder, C<NAME.crt> and
C<NAME.key>; C<ca> and C<server> are there at once.  C<issue> has the CA sign
one, with alternative names as OpenSSL's configuration has them; C<self> makes
one that nobody has signed.

C<subject>, C<sha256>: as the documentation says to obtain them.  C<sequence>:
the certificate as in RFC 9440.

C<shown(URI, NAME, ARGUMENTS)> asks by curl with that certificate (undef: none)
for one URI or a list of them over one connection; C<args> are curl's.  The
answers are a list of hashes: status, h (by lower case name).

=cut

use strict;
use warnings;

use MIME::Base64 qw(decode_base64 encode_base64);

my $key = 'ec -pkeyopt ec_paramgen_curve:P-256 -nodes';


sub new {
    my ($class, $t) = @_;

    my $self = bless { t => $t, dir => $t->path('') }, $class;

    $self->self($_ => "/CN=$_") for 'ca', 'server';

    return $self;
}


sub openssl {
    system("openssl $_[0] 2>/dev/null") == 0 or die "openssl $_[0]\n";
}


sub self {
    my ($self, $name, $subject) = @_;

    my $file = "$self->{dir}/$name";

    openssl("req -x509 -newkey $key -days 2 -subj '$subject' -keyout $file.key "
            . "-out $file.crt");
}


sub issue {
    my ($self, $name, $subject, $san) = @_;

    my $file = "$self->{dir}/$name";
    my $ca = "$self->{dir}/ca";

    $self->{t}->write("$name.cnf", $san ? "subjectAltName=$san\n"
                                        : "basicConstraints=CA:FALSE\n");

    openssl("req -newkey $key -utf8 -subj '$subject' -keyout $file.key "
            . "-out $file.csr");
    openssl("x509 -req -days 2 -in $file.csr -CA $ca.crt -CAkey $ca.key "
            . "-CAcreateserial -extfile $file.cnf -out $file.crt");
}


sub said {
    my ($self, $name, $args) = @_;

    my $text = `openssl x509 -noout $args -in $self->{dir}/$name.crt`;

    return $text =~ /^[^=]*=(.*)$/m ? $1 : die "openssl x509 $args\n";
}


sub subject { return $_[0]->said($_[1], '-subject -nameopt RFC2253') }

sub sha256 { return $_[0]->said($_[1], '-fingerprint -sha256') }


sub sequence {
    my ($self, $name) = @_;

    my ($der) = $self->{t}->read("$name.crt") =~ /-----\n(.*)\n-----END/s;

    return ':' . encode_base64(decode_base64($der), '') . ':';
}


sub shown {
    my ($self, $uri, $name, %args) = @_;

    my $base = 'https://127.0.0.1:' . $self->{t}->port($args{port} // 0);

    my @cmd = ('curl', '-sk', '-m', 10, '-D', '-', '-H', "Host: $args{host}",
               @{ $args{args} || [] });

    push @cmd, '--cert', "$self->{dir}/$name.crt", '--key',
         "$self->{dir}/$name.key" if defined $name;
    push @cmd, '-o', '/dev/null', "$base$_" for ref $uri ? @$uri : $uri;

    open my $f, '-|', @cmd or die "curl: $!\n";
    my $text = do { local $/; <$f> };
    close $f;

    return map {
        my ($status) = m{^HTTP/[\d.]+ (\d+)};

        { status => $status, h => { map { /^([^:]+): (.*?)\r/ ? (lc $1 => $2)
                                                              : () }
                                    split /^/ } };
    } split /(?=^HTTP)/m, $text;
}


1;
