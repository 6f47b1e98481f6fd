package Test::Sync::Https;

=head1 NAME

Test::Sync::Https - a fake server of others: issuers, token endpoints, ERPs

=head1 SYNOPSIS

    use Test::Sync;
    use Test::Sync::Dns;
    use Test::Sync::Https;

    my $t = Test::Sync->new;
    my $port = $t->peer(idp => sub {
        my ($req, $ctl) = @_;

        return [ 404, {}, '' ] if $req->{uri} ne '/jwks';
        return [ 200, {}, $ctl->{keys} // '{"keys":[]}' ];
    }, https => [ 'idp.test', 'login.test' ]);

    my $dns = Test::Sync::Dns->start('idp.test' => ['127.0.0.1']);
    my $ca = Test::Sync::Https->ca;

    $t->http(<<"CONF");
        resolver 127.0.0.1:@{[ $dns->port ]} ipv6=off valid=1s;
        resolver_timeout 1s;
        sync_trusted_certificate $ca;
        sync_egress idp.test:$port 127.0.0.1;
        ...
    CONF

    is($t->ledger('idp'), 1, 'asked once');
    is($t->connections('idp'), 1, 'over one connection');

=head1 DESCRIPTION

A peer of L<Test::Sync> (answers, control, ledger: see there, C<delay>, C<cut>,
C<reset>, C<raw> and all) that speaks TLS.  C<cut>, C<hangup> and C<reset> end
the connection without TLS' own end.

C<https> is a list of names, or a hash of names with a hash of what is wrong
with their certificate (and a name of C<''> for who asks for none, else the
first):

    san => 'other.test'     it is for another name
    expired => 1            its time is over
    stranger => 1           by a CA that nobody trusts

and, at the name C<-options>, of the whole server:

    client => 1             wants a certificate of ours (client.pem)
    stall => 1              never answers the handshake

Requests have C<sni> and C<client> (the common name of our certificate) beside
what every peer's have.  A handshake that fails is an event C<tls> of
C<< $t->events(NAME) >>.

C<ca> is the file of the CA, C<file(NAME)> any file of the folder: C<client.pem>
and C<client.key> (by the CA), C<stranger-client.pem> and C<.key>.

=cut

use strict;
use warnings;

use File::Path ();
use File::Temp ();
use IO::Socket::SSL;
use IO::Socket::SSL::Utils;
use Socket qw(SOL_SOCKET SO_LINGER);

use Test::Sync::Peer;

use parent -norequire, 'Test::Sync::Peer';

my ($dir, %ca);
my $owner = $$;


sub file {
    my ($class, $name) = @_;

    folder();

    return "$dir/$name";
}


sub ca {
    my ($class) = @_;

    return $class->file('ca.pem');
}


sub folder {
    return $dir if $dir;

    $dir = File::Temp::tempdir('sync-https-XXXXXX', TMPDIR => 1);
    chmod 0755, $dir;

    for my $name ('ca', 'stranger-ca') {
        $ca{$name} = [ issue($name, CA => 1, purpose => 'ca') ];
    }

    issue('client', issuer => $ca{ca}, purpose => 'client');
    issue('stranger-client', issuer => $ca{'stranger-ca'},
          purpose => 'client');

    return $dir;
}


sub issue {
    my ($name, %opt) = @_;

    my $key = KEY_create_ec('prime256v1');
    my ($cert) = CERT_create(
        subject => { commonName => $name }, key => $key, version => 2,
        not_before => time - 86400, not_after => time + 86400, %opt);

    PEM_cert2file($cert, "$dir/$name.pem");
    PEM_key2file($key, "$dir/$name.key");
    chmod 0644, "$dir/$name.pem", "$dir/$name.key";

    return ($cert, $key);
}


# before the server's process: its files are then there for all

sub prepare {
    my ($class, $names) = @_;

    folder();

    my @names = ref $names eq 'ARRAY' ? @$names : sort keys %$names;
    my %opt = ref $names eq 'ARRAY' ? () : %$names;
    my %tls = %{ delete $opt{-options} || {} };

    @names = grep { $_ ne '-options' } @names;

    for my $name (@names, $opt{''} ? () : '') {
        my $as = $name ne '' || $opt{''} ? $name : $names[0];
        my $how = $opt{$as} || {};
        my $file = join '-', $as || 'default', map { "$_$how->{$_}" }
                                               sort keys %$how;

        if (!-f "$dir/$file.pem") {
            issue($file,
                  issuer => $ca{ $how->{stranger} ? 'stranger-ca' : 'ca' },
                  purpose => 'server',
                  subjectAltNames => [
                      [ DNS => $how->{san} || $as || 'default.test' ],
                      $how->{san} ? () : [ IP => '127.0.0.1' ] ],
                  $how->{expired} ? (not_after => time - 3600) : ());
        }

        $tls{SSL_cert_file}{$name} = "$dir/$file.pem";
        $tls{SSL_key_file}{$name} = "$dir/$file.key";
    }

    return \%tls;
}


sub new {
    my ($class, %opt) = @_;

    my $self = $class->SUPER::new(%opt);
    my $tls = $self->{tls} = $opt{tls};

    $self->{ssl} = IO::Socket::SSL::SSL_Context->new(
        SSL_server => 1,
        SSL_cert_file => $tls->{SSL_cert_file},
        SSL_key_file => $tls->{SSL_key_file},
        SSL_ca_file => "$dir/ca.pem",
        SSL_verify_mode => $tls->{client} ? SSL_VERIFY_PEER
                                            | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                          : SSL_VERIFY_NONE,
    ) or die "tls: $SSL_ERROR";

    return $self;
}


sub adopt {
    my ($self, $s) = @_;

    my $c = $self->SUPER::adopt($s);

    $self->note({ connected => $c->{id} });

    IO::Socket::SSL->start_SSL($s, SSL_server => 1, SSL_startHandshake => 0,
                               SSL_reuse_ctx => $self->{ssl})
        or die "tls: $SSL_ERROR";

    return $c;
}


sub input {
    my ($self, $c) = @_;

    my $s = $c->{sock};

    if (!$c->{facts}) {

        if ($self->{tls}{stall}) {
            $c->{eof} = 1;
            return;
        }

        if (!$s->accept_SSL) {
            return if $SSL_ERROR == SSL_WANT_READ
                      || $SSL_ERROR == SSL_WANT_WRITE;

            $self->note({ tls => "$SSL_ERROR", conn => $c->{id} });
            $c->{rude} = 1;
            $self->close_conn($c);
            return;
        }

        $c->{facts} = {
            sni => scalar $s->get_servername,
            client => $self->{tls}{client}
                      ? scalar $s->peer_certificate('commonName') : undef,
        };

        return if !$s->pending;
    }

    # what TLS has read already makes no event

    do {
        $self->SUPER::input($c);
    } while (!$c->{closed} && $s->pending);
}


sub close_conn {
    my ($self, $c, $reset) = @_;

    return if $c->{closed}++;

    if ($reset) {
        setsockopt($c->{sock}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
    }

    delete $self->{conns}{ $c->{fd} };

    # rude: TCP ends, TLS does not; where none stands it is a plain socket

    $c->{sock}->close($c->{sock}->isa('IO::Socket::SSL')
                      ? (SSL_no_shutdown => $c->{rude} || 0) : ());
}


sub END {
    my $code = $?;

    File::Path::remove_tree($dir) if $dir && $owner == $$ && !$ENV{SYNC_KEEP};

    $? = $code;
}


1;
