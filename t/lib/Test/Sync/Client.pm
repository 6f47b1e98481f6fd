package Test::Sync::Client;

# The clients of Test::Sync: requests over sockets of their own, so that a
# test can send them in pieces, leave in the middle and see what came back
# byte by byte.  See Test::Sync for how they are called.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Errno qw(EINTR);
use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time sleep);


sub connect {
    my ($self, $port) = @_;

    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->port($port // 0),
        Proto => 'tcp', Timeout => 10) or die "connect: $@";

    setsockopt($s, IPPROTO_TCP, TCP_NODELAY, 1);

    return $s;
}


sub get {
    my ($self, $uri, @headers) = @_;

    return $self->request('GET', $uri, headers => \@headers);
}


sub post {
    my ($self, $uri, $body, @headers) = @_;

    return $self->request('POST', $uri, body => $body,
                          headers => \@headers);
}


# the head of a request and the pieces of its body

sub compose {
    my ($self, $method, $uri, %opt) = @_;

    my @headers = @{ $opt{headers} || [] };
    my $head = '';
    my %have;

    while (my ($name, $value) = splice @headers, 0, 2) {
        $have{ lc $name } = 1;
        $head .= "$name: $value\r\n";

        if ($name =~ /^(?:authorization|x-api-key|cookie)$/i) {
            $self->canary($_) for grep { length >= 8 } split ' ', $value;
        }
    }

    my $http = $opt{http} // '1.1';
    my $host = $opt{host} // 'localhost';
    my $first = "$method $uri HTTP/$http\r\n";

    $first .= "Host: $host\r\n" if !$have{host};
    $first .= "Connection: close\r\n"
        if !$opt{conn} && !$have{connection} && $http eq '1.1';

    my @body;

    if ($opt{chunked}) {
        my @pieces = ref $opt{chunked} ? @{ $opt{chunked} } : $opt{body};

        $first .= "Transfer-Encoding: chunked\r\n";
        @body = map { sprintf "%x\r\n%s\r\n", length, $_ }
                    grep { length } @pieces;
        push @body, "0\r\n\r\n";

    } elsif (defined $opt{body}) {
        $first .= 'Content-Length: ' . length($opt{body}) . "\r\n"
            if !$have{'content-length'};
        @body = $opt{body};
    }

    if (defined $opt{body} && !$have{'content-type'}) {
        $first .= "Content-Type: application/json\r\n";
    }

    $first .= "Expect: 100-continue\r\n" if $opt{expect};

    return ($first . $head . "\r\n", @body);
}


sub request {
    my ($self, $method, $uri, %opt) = @_;

    my $began = time();
    my $s = $opt{conn} || $self->connect($opt{port});
    my ($head, @body) = $self->compose($method, $uri, %opt);
    my $res = { buf => '' };

    $opt{timeout} ||= 10;

    if ($opt{expect}) {
        send_all($s, $head);
        $res = read_response($s, $method, $opt{timeout}, '', 1);

        if ($res->{status} == 100) {
            send_all($s, @body);
            my $rest = $res->{rest};
            $res = read_response($s, $method, $opt{timeout}, $rest);
            $res->{continue} = 1;
        }

    } else {
        my $all = join '', $head, @body;

        if ($opt{packets}) {
            my $size = int(length($all) / $opt{packets}) + 1;

            while (length $all) {
                send_all($s, substr $all, 0, $size, '');
                sleep 0.01 if length $all;
            }

        } else {
            send_all($s, $all);
        }

        $res = read_response($s, $method, $opt{timeout}, '');
    }

    $res->{time} = time() - $began;
    close $s if !$opt{conn};

    return $res;
}


sub send_all {
    my ($s, @bytes) = @_;

    my $bytes = join '', @bytes;

    while (length $bytes) {
        my $n = syswrite $s, $bytes;

        if (!defined $n) {
            next if $! == EINTR;
            return 0;
        }

        substr($bytes, 0, $n, '');
    }

    return 1;
}


# one answer from a socket; interim ones are skipped unless wanted

sub read_response {
    my ($s, $method, $timeout, $buf, $interim) = @_;

    my $until = time() + $timeout;
    my $error = '';
    my $res;

    while (1) {
        $res = parse_response($buf, $method, $error ne '');

        if ($res && $res->{status} < 200 && $res->{status} != 101
            && !$interim)
        {
            $buf = $res->{rest};
            next;
        }

        last if $res && !$res->{partial} || $error;

        my $left = $until - time();

        if ($left <= 0 || !IO::Select->new($s)->can_read($left)) {
            $error = 'timeout';
            next;
        }

        my $n = sysread $s, $buf, 65536, length $buf;

        $error = 'closed' if !$n;
    }

    $res ||= { status => 0, headers => [], h => {}, body => '', head => '',
               rest => $buf };

    if ($res->{partial}) {
        $error = 'cut' if $error eq 'closed';

    } elsif ($res->{status}) {
        $error = '';
    }

    $res->{error} = $error;

    return bless $res, 'Test::Sync::Response';
}


sub parse_response {
    my ($buf, $method, $eof) = @_;

    my $end = index $buf, "\r\n\r\n";
    return if $end < 0;

    my $head = substr $buf, 0, $end + 4;
    my ($line, @lines) = split /\r\n/, $head;
    my ($status) = $line =~ m{^HTTP/[\d.]+ (\d+)};

    my $res = { status => $status // 0, head => $head, headers => [],
                h => {}, body => '', rest => '' };

    for (@lines) {
        my ($name, $value) = /^([^:]*):\s*(.*)$/ or next;
        push @{ $res->{headers} }, [ $name, $value ];
        $res->{h}{ lc $name } //= $value;
    }

    my $body = substr $buf, $end + 4;

    if ($method eq 'HEAD' || $res->{status} < 200 || $res->{status} == 204
        || $res->{status} == 304)
    {
        $res->{rest} = $body;

    } elsif (($res->{h}{'transfer-encoding'} // '') =~ /chunked/i) {
        $res->{partial} = 1;

        while ($body =~ /^([0-9a-fA-F]+)[^\r\n]*\r\n/) {
            my ($skip, $size) = ($+[0], hex $1);

            if (length $body < $skip + $size + 2) {
                $res->{body} .= substr $body, $skip, $size;
                last;
            }

            $res->{body} .= substr $body, $skip, $size;
            substr $body, 0, $skip + $size + 2, '';

            if ($size == 0) {
                delete $res->{partial};
                $res->{rest} = $body;
                last;
            }
        }

    } elsif (defined $res->{h}{'content-length'}) {
        my $length = $res->{h}{'content-length'};

        $res->{partial} = 1 if length $body < $length;
        $res->{body} = substr $body, 0, $length, '';
        $res->{rest} = $body;

    } else {
        $res->{body} = $body;
        $res->{partial} = 1 if !$eof;
    }

    return $res;
}


sub raw {
    my ($self, $bytes, %opt) = @_;

    my $s = $self->connect($opt{port});
    my $until = time() + ($opt{timeout} || 10);
    my $buf = '';

    send_all($s, $bytes);

    while ((my $left = $until - time()) > 0) {
        last if !IO::Select->new($s)->can_read($left);
        last if !sysread $s, $buf, 65536, length $buf;
    }

    return $buf;
}


# all requests are on their way before the first answer is read

sub parallel {
    my ($self, @requests) = @_;

    my @open;

    for my $args (@requests) {
        my ($method, $uri, %opt) = @$args;
        my $s = $self->connect($opt{port});

        send_all($s, $self->compose($method, $uri, %opt));
        push @open, [ $s, $method, $opt{timeout} || 10 ];
    }

    return map { read_response(@$_, '') } @open;
}


sub h2 {
    my ($self, $method, $uri, %opt) = @_;

    my @headers = @{ $opt{headers} || [] };
    my @args = ('-s', '-i', '--http2-prior-knowledge', '--max-time',
                $opt{timeout} || 10, '-X', $method);

    push @args, '-I' if $method eq 'HEAD';

    while (my ($name, $value) = splice @headers, 0, 2) {
        push @args, '-H', "$name: $value";
        $self->canary($value)
            if $name =~ /^(?:authorization|x-api-key|cookie)$/i;
    }

    push @args, '-H', "Host: $opt{host}" if defined $opt{host};

    if (defined $opt{body}) {
        my $file = $self->write('h2.body', $opt{body});

        push @args, '-H', 'Content-Type: application/json'
            if !grep { /^content-type:/i } @args;
        push @args, '--data-binary', "\@$file", '-H', 'Expect:';
    }

    my $port = $self->port($opt{port} // 0);

    open my $fh, '-|', 'curl', @args, "http://127.0.0.1:$port$uri"
        or die "curl: $!";
    binmode $fh;
    local $/;
    my $text = <$fh> // '';
    close $fh;

    my $code = $? >> 8;
    my $res = parse_response($text, $method, 1)
              || { status => 0, headers => [], h => {}, body => '',
                   head => '' };

    $res->{error} = $code == 0 ? '' : $code == 28 ? 'timeout'
                    : $code == 52 ? 'closed' : "curl $code";

    return bless $res, 'Test::Sync::Response';
}


# sends, waits, leaves

sub abort {
    my ($self, $method, $uri, %opt) = @_;

    my $s = $self->connect($opt{port});
    my $bytes = join '', $self->compose($method, $uri, %opt);

    $bytes = substr $bytes, 0, $opt{part} if defined $opt{part};

    send_all($s, $bytes);
    sleep $opt{after} if $opt{after};
    leave($s, $opt{reset});
}


sub leave {
    my ($s, $reset) = @_;

    setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $reset;
    close $s;
}


# n requests, at_once of them open, each left at a random moment of within
# seconds after it was sent, or in the middle of being sent, by FIN or RST;
# request => CODE(i) gives the arguments of request()

sub storm {
    my ($self, %opt) = @_;

    my $within = $opt{within} || 0.2;
    my $at_once = $opt{at_once} || 50;
    my @open;
    my $i = 0;

    while ($i < $opt{n} || @open) {
        while ($i < $opt{n} && @open < $at_once) {
            my ($method, $uri, %args) = $opt{request}->($i++);
            my $s = $self->connect($args{port});
            my $bytes = join '', $self->compose($method, $uri, %args);

            $bytes = substr $bytes, 0, int rand length $bytes
                if rand() < 0.2;

            send_all($s, $bytes);
            push @open, [ time() + rand $within, $s ];
        }

        my $now = time();

        leave($_->[1], rand() < 0.5) for grep { $_->[0] <= $now } @open;
        @open = grep { $_->[0] > $now } @open;

        sleep 0.002;
    }
}


package Test::Sync::Response;

sub header {
    my ($self, $name) = @_;

    return $self->{h}{ lc $name };
}


sub all {
    my ($self, $name) = @_;

    return map { $_->[1] } grep { lc $_->[0] eq lc $name }
               @{ $self->{headers} };
}


sub json {
    my ($self) = @_;

    return eval { Cpanel::JSON::XS->new->allow_nonref
                      ->decode($self->{body}) };
}


1;
