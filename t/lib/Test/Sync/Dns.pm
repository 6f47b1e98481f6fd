package Test::Sync::Dns;

=head1 NAME

Test::Sync::Dns - a name server that says what a test wants it to

=head1 SYNOPSIS

    my $dns = Test::Sync::Dns->start('redis.test' => ['127.0.0.1']);

    resolver 127.0.0.1:PORT ipv6=off valid=1s;      # $dns->port

    $dns->set('redis.test' => ['127.0.0.2', '127.0.0.1']);
    $dns->set('redis.test' => []);                  # no such name
    $dns->set('rebind.test' => ['192.0.2.1'], turns => [['127.0.0.1']],
              ttl => 0);                            # another answer each time;
                                                    # the last one stays
    $dns->set('slow.test' => ['127.0.0.1'], delay => 0.5);
    $dns->set('six.test' => ['::1', '127.0.0.1']);  # AAAA and A
    $dns->silent(1);                                # asked, says nothing

    $dns->asked('redis.test');                      # how often, for A

=cut

use strict;
use warnings;

use Cpanel::JSON::XS ();
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(AF_INET6 inet_aton inet_pton);
use Time::HiRes qw(time);

my $json = Cpanel::JSON::XS->new->canonical;


sub start {
    my ($class, %names) = @_;

    my $sock = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
        or die "dns: $!";

    pipe my $rd, my $wr or die "pipe: $!";

    my $self = bless {
        port => $sock->sockport, owner => $$, log => File::Temp->new,
    }, $class;

    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        close $wr;
        $self->{sock} = $sock;
        $self->{names} = { map { $_ => { addrs => $names{$_} } } keys %names };
        $self->serve($rd);
        POSIX::_exit(0);
    }

    close $rd;
    $wr->autoflush(1);
    @$self{qw(pid wr)} = ($pid, $wr);

    return $self;
}


sub port { return $_[0]{port} }


sub set {
    my ($self, $name, $addrs, %opt) = @_;

    print { $self->{wr} } $json->encode({ name => $name, addrs => $addrs,
                                          %opt }) . "\n";
    select undef, undef, undef, 0.05;
}


sub silent {
    my ($self, $on) = @_;

    print { $self->{wr} } $json->encode({ silent => $on ? 1 : 0 }) . "\n";
    select undef, undef, undef, 0.05;
}


sub asked {
    my ($self, $name) = @_;

    open my $fh, '<', $self->{log}->filename or die "dns: $!";

    return scalar grep { $_ eq "$name\n" } <$fh>;
}


# ends when the test does: its end of the pipe is then closed

sub serve {
    my ($self, $rd) = @_;

    my $sock = $self->{sock};
    my $both = IO::Select->new($sock, $rd);
    my ($text, @later) = ('');

    while (1) {
        my $wait = @later ? $later[0][0] - time : undef;

        for my $fh ($both->can_read(defined $wait && $wait < 0 ? 0 : $wait)) {

            if ($fh == $rd) {
                return if !sysread $rd, $text, 65536, length $text;

                $self->told($json->decode($1)) while $text =~ s/^(.*)\n//;
                next;
            }

            my $from = recv $sock, my $query, 512, 0;
            next if !defined $from;

            my ($delay, $answer) = $self->answer($query);

            @later = sort { $a->[0] <=> $b->[0] }
                          @later, [ time + $delay, $answer, $from ]
                if !$self->{silent};
        }

        while (@later && $later[0][0] <= time) {
            my (undef, $answer, $from) = @{ shift @later };
            send $sock, $answer, 0, $from;
        }
    }
}


sub told {
    my ($self, $what) = @_;

    if (defined $what->{silent}) {
        $self->{silent} = $what->{silent};
        return;
    }

    $self->{names}{ delete $what->{name} } = $what;
}


# RFC 1035: one question of type A or AAAA; answers are not kept for long

sub answer {
    my ($self, $query) = @_;

    my ($id) = unpack 'n', $query;
    my ($at, @labels) = (12);

    while (my $len = ord substr $query, $at, 1) {
        push @labels, substr $query, $at + 1, $len;
        $at += $len + 1;
    }

    my $type = unpack 'n', substr $query, $at + 1, 2;
    my $question = substr $query, 12, $at + 5 - 12;
    my $name = lc join '.', @labels;
    my $known = $self->{names}{$name} || {};
    my @addrs = @{ $known->{addrs} || [] };
    my $none = !@addrs;

    if ($type == 1) {
        open my $fh, '>>', $self->{log}->filename or die "dns: $!";
        syswrite $fh, "$name\n";

        $known->{addrs} = shift @{ $known->{turns} }
            if @{ $known->{turns} || [] };
    }

    my @data = map { $type == 1 && !/:/ ? inet_aton($_)
                     : $type == 28 && /:/ ? inet_pton(AF_INET6, $_) : () }
               @addrs;

    return ($known->{delay} || 0,
            pack('n6', $id, $none ? 0x8183 : 0x8180, 1, scalar @data, 0, 0)
            . $question
            . join '', map { pack('nnnNn', 0xc00c, $type, 1,
                                  $known->{ttl} // 1, length) . $_ } @data);
}


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$ || !$self->{pid};

    local $?;
    kill 'KILL', $self->{pid};
    waitpid delete $self->{pid}, 0;
}


1;
