package Test::Sync::Peer;

# A fake upstream: one process, one select loop, so that its callback keeps
# state between requests (a ledger of orders, a counter) and many connections
# can hang at once.  Started by Test::Sync, see there.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Handle;
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

our %REASON = (
    200 => 'OK', 201 => 'Created', 202 => 'Accepted', 204 => 'No Content',
    300 => 'Multiple Choices', 302 => 'Found', 304 => 'Not Modified',
    400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden',
    404 => 'Not Found', 409 => 'Conflict', 412 => 'Precondition Failed',
    422 => 'Unprocessable Entity', 429 => 'Too Many Requests',
    500 => 'Internal Server Error', 502 => 'Bad Gateway',
    503 => 'Service Unavailable', 504 => 'Gateway Timeout',
);

# bytes stand in the ledger as characters below 256, whatever they mean

my $json = Cpanel::JSON::XS->new->ascii->canonical;


sub new {
    my ($class, %opt) = @_;

    return bless {
        listen => $opt{listen},
        ledger => $opt{ledger},
        ctl    => $opt{ctl},
        code   => $opt{code},
        early  => $opt{early},
        conns  => {},
        timers => [],
        n      => $opt{n} || 0,
        serial => 0,
    }, $class;
}


sub run {
    my ($self) = @_;

    $self->{listen}->blocking(0);

    while (1) {
        my ($rd, $wr) = ('', '');

        vec($rd, fileno($self->{listen}), 1) = 1;

        for my $c (values %{ $self->{conns} }) {
            vec($rd, $c->{fd}, 1) = 1 unless $c->{eof};
            vec($wr, $c->{fd}, 1) = 1 if length $c->{out};
        }

        my $timers = $self->{timers};
        my $wait;

        if (@$timers) {
            $wait = $timers->[0][0] - time();
            $wait = 0 if $wait < 0;
        }

        my $n = select($rd, $wr, undef, $wait);

        while (@$timers && $timers->[0][0] <= time()) {
            (shift @$timers)->[1]->();
        }

        next if $n <= 0;

        if (vec($rd, fileno($self->{listen}), 1)) {
            $self->accept_all;
        }

        for my $c (values %{ $self->{conns} }) {
            if (vec($wr, $c->{fd}, 1) && !$c->{closed}) {
                $self->flush($c);
            }

            if (vec($rd, $c->{fd}, 1) && !$c->{closed}) {
                $self->input($c);
            }
        }
    }
}


sub after {
    my ($self, $delay, $code) = @_;

    my $at = time() + $delay;

    @{ $self->{timers} } = sort { $a->[0] <=> $b->[0] }
                                @{ $self->{timers} }, [ $at, $code ];
}


sub accept_all {
    my ($self) = @_;

    while (my $s = $self->{listen}->accept) {
        $s->blocking(0);
        setsockopt($s, IPPROTO_TCP, TCP_NODELAY, 1);

        $self->adopt($s);
    }
}


sub adopt {
    my ($self, $s) = @_;

    return $self->{conns}{ fileno $s } = {
        sock => $s, fd => fileno $s, in => '', out => '',
        id => ++$self->{serial},
    };
}


sub close_conn {
    my ($self, $c, $reset) = @_;

    return if $c->{closed}++;

    if ($reset) {
        setsockopt($c->{sock}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
    }

    delete $self->{conns}{ $c->{fd} };
    close $c->{sock};
}


sub input {
    my ($self, $c) = @_;

    my $n = sysread($c->{sock}, $c->{in}, 65536, length $c->{in});

    if (!defined $n) {
        return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
        $n = 0;
    }

    if ($n == 0) {
        if ($c->{busy}) {
            $self->note({ gone => 1, n => $c->{busy} });

        } elsif (length $c->{in}) {
            $self->note({ aborted => 1, conn => $c->{id},
                          bytes => length $c->{in} });
        }

        $self->close_conn($c);
        return;
    }

    $self->parse($c);
}


sub note {
    my ($self, $what) = @_;

    open my $fh, '>>', $self->{ledger} or die "ledger: $!";
    syswrite $fh, $json->encode($what) . "\n";
    close $fh;
}


sub parse {
    my ($self, $c) = @_;

    return if $c->{busy} || $c->{closed};

    my $req = $c->{req};

    if (!$req) {
        my $end = index $c->{in}, "\r\n\r\n";
        return if $end < 0;

        my ($line, @lines) = split /\r\n/, substr($c->{in}, 0, $end);
        substr($c->{in}, 0, $end + 4, '');

        my ($method, $uri, $version) = split / /, $line, 3;

        $req = $c->{req} = {
            method => $method, uri => $uri, version => $version,
            conn => $c->{id}, headers => [], body => '',
            %{ $c->{facts} || {} },
        };

        for (@lines) {
            my ($name, $value) = /^([^:]*):\s*(.*?)\s*$/ or next;
            push @{ $req->{headers} }, [ $name, $value ];
            $req->{h}{ lc $name } //= $value;
        }

        if (($req->{h}{expect} // '') =~ /100-continue/i) {
            syswrite $c->{sock}, "HTTP/1.1 100 Continue\r\n\r\n";
        }
    }

    if (!$self->{early}) {
        $self->body($c, $req) or return;
    }

    delete $c->{req};

    $req->{n} = $c->{busy} = ++$self->{n};
    $req->{t} = time();

    my $h = delete $req->{h};
    $self->note($req);
    $req->{h} = $h;

    my $res = eval { $self->{code}->($req, $self->control) };

    if ($@) {
        print STDERR "peer: $@";
        $res = { status => 500, body => "peer: $@" };
    }

    $self->answer($c, $req, $res);
}


sub body {
    my ($self, $c, $req) = @_;

    if (($req->{h}{'transfer-encoding'} // '') =~ /chunked/i) {
        while ($c->{in} =~ /^([0-9a-fA-F]+)[^\r\n]*\r\n/) {
            my ($head, $size) = ($+[0], hex $1);

            return 0 if length $c->{in} < $head + $size + 2;

            $req->{body} .= substr $c->{in}, $head, $size;
            substr($c->{in}, 0, $head + $size + 2, '');

            return 1 if $size == 0;
        }

        return 0;
    }

    my $want = $req->{h}{'content-length'} // 0;

    $req->{body} .= substr $c->{in}, 0, $want - length $req->{body}, '';

    return length $req->{body} == $want;
}


sub control {
    my ($self) = @_;

    open my $fh, '<', $self->{ctl} or return {};
    local $/;
    return $json->decode(<$fh>);
}


sub answer {
    my ($self, $c, $req, $res) = @_;

    $res = { body => $res } if !ref $res;
    $res = { status => $res->[0], headers => $res->[1], body => $res->[2] }
        if ref $res eq 'ARRAY';

    return if $res->{never};

    my $bytes = $res->{raw} // $self->compose($req, $res);

    if (defined $res->{cut}) {
        $bytes = substr $bytes, 0, $res->{cut};
    }

    my $end = defined $res->{cut} || $res->{close} || $res->{hangup}
              || $res->{reset} || $self->{early}
              || ($req->{version} // '') eq 'HTTP/1.0';

    my $go = sub {
        return if $c->{closed};

        $c->{end} = $end ? ($res->{reset} ? 'reset' : 'close') : 'keep';
        $c->{rude} = defined $res->{cut} || $res->{hangup} || $res->{reset};

        if ($res->{drip}) {
            $self->drip($c, $bytes, $res->{drip}, $res->{piece} || 1);

        } else {
            $c->{out} .= $bytes;
            $c->{done} = 1;
            $self->flush($c);
        }
    };

    if ($res->{delay}) {
        $self->after($res->{delay}, $go);

    } else {
        $go->();
    }
}


sub compose {
    my ($self, $req, $res) = @_;

    my $status = $res->{status} || 200;
    my $body = $res->{body} // '';
    my @headers = ref $res->{headers} eq 'HASH'
                  ? map { $_ => $res->{headers}{$_} }
                        sort keys %{ $res->{headers} }
                  : @{ $res->{headers} || [] };

    my $out = sprintf "HTTP/1.1 %d %s\r\n", $status,
                      $REASON{$status} || 'Status';
    my %have;

    while (my ($name, $value) = splice @headers, 0, 2) {
        $have{ lc $name } = 1;
        $out .= "$name: $value\r\n";
    }

    if (!$have{'content-type'} && length $body) {
        $out .= "Content-Type: application/json\r\n";
    }

    if ($res->{chunked}) {
        $out .= "Transfer-Encoding: chunked\r\n";

    } elsif (!$have{'content-length'} && !$res->{no_length}
             && $status != 204 && $status != 304)
    {
        $out .= 'Content-Length: ' . ($res->{length} // length $body)
                . "\r\n";
    }

    if ($res->{close} || $res->{no_length}) {
        $out .= "Connection: close\r\n";
        $res->{close} = 1;
    }

    $out .= "\r\n";

    return $out if $req->{method} eq 'HEAD' || $status == 204
                   || $status == 304;

    if ($res->{chunked}) {
        $out .= sprintf "%x\r\n%s\r\n", length $body, $body if length $body;
        return $out . "0\r\n\r\n";
    }

    return $out . $body;
}


sub drip {
    my ($self, $c, $bytes, $gap, $piece) = @_;

    return if $c->{closed};

    $c->{out} .= substr $bytes, 0, $piece, '';
    $c->{done} = 1 if !length $bytes;
    $self->flush($c);

    if (length $bytes) {
        $self->after($gap, sub { $self->drip($c, $bytes, $gap, $piece) });
    }
}


sub flush {
    my ($self, $c) = @_;

    while (length $c->{out}) {
        my $n = syswrite $c->{sock}, $c->{out};

        if (!defined $n) {
            return if $! == EAGAIN || $! == EWOULDBLOCK;
            next if $! == EINTR;
            $self->close_conn($c);
            return;
        }

        substr($c->{out}, 0, $n, '');
    }

    return if !$c->{done};

    $c->{done} = 0;
    $c->{busy} = 0;

    if ($c->{end} ne 'keep') {
        $self->close_conn($c, $c->{end} eq 'reset');
        return;
    }

    $self->parse($c) if length $c->{in};
}


1;
