package Test::Sync::Dns;

=head1 NAME

Test::Sync::Dns - a name server that says what a test wants it to

=head1 SYNOPSIS

    my $dns = Test::Sync::Dns->start('redis.test' => ['127.0.0.1']);

    resolver 127.0.0.1:PORT ipv6=off valid=1s;      # $dns->port

    $dns->set('redis.test' => ['127.0.0.2', '127.0.0.1']);
    $dns->set('redis.test' => []);                  # no such name
    $dns->silent(1);                                # asked, says nothing

=cut

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(inet_aton);


sub start {
    my ($class, %names) = @_;

    my $sock = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
        or die "dns: $!";

    pipe my $rd, my $wr or die "pipe: $!";

    my $self = bless { port => $sock->sockport, owner => $$ }, $class;
    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        close $wr;
        serve($sock, $rd, \%names);
        POSIX::_exit(0);
    }

    close $rd;
    $wr->autoflush(1);
    @$self{qw(pid wr)} = ($pid, $wr);

    return $self;
}


sub port { return $_[0]{port} }


sub set {
    my ($self, $name, $addrs) = @_;

    print { $self->{wr} } join(' ', $name, @$addrs) . "\n";
    select undef, undef, undef, 0.05;
}


sub silent {
    my ($self, $on) = @_;

    print { $self->{wr} } ($on ? '-' : '+') . "\n";
    select undef, undef, undef, 0.05;
}


# ends when the test does: its end of the pipe is then closed

sub serve {
    my ($sock, $rd, $names) = @_;

    my $both = IO::Select->new($sock, $rd);
    my $silent;

    while (1) {
        for my $fh ($both->can_read) {

            if ($fh == $rd) {
                my $n = sysread $rd, my $text, 65536;
                return if !$n;

                for (split /\n/, $text) {
                    my ($name, @addrs) = split / /;

                    if ($name eq '-' || $name eq '+') {
                        $silent = $name eq '-';
                        next;
                    }

                    $names->{$name} = \@addrs;
                }

                next;
            }

            my $from = recv $sock, my $query, 512, 0;
            send $sock, answer($query, $names), 0, $from
                if defined $from && !$silent;
        }
    }
}


# RFC 1035: one question of type A; the answers are not kept for long

sub answer {
    my ($query, $names) = @_;

    my ($id) = unpack 'n', $query;
    my ($at, @labels) = (12);

    while (my $len = ord substr $query, $at, 1) {
        push @labels, substr $query, $at + 1, $len;
        $at += $len + 1;
    }

    my $type = unpack 'n', substr $query, $at + 1, 2;
    my $question = substr $query, 12, $at + 5 - 12;
    my @addrs = @{ $names->{ lc join '.', @labels } || [] };
    my $none = !@addrs;

    @addrs = () if $type != 1;

    return pack('n6', $id, $none ? 0x8183 : 0x8180, 1, scalar @addrs, 0, 0)
           . $question
           . join '', map { pack('nnnNn', 0xc00c, 1, 1, 1, 4) . inet_aton($_) }
                      @addrs;
}


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$ || !$self->{pid};

    local $?;
    kill 'KILL', $self->{pid};
    waitpid delete $self->{pid}, 0;
}


1;
