package Test::Sync;

=head1 NAME

Test::Sync - a real NGINX, fake peers and clients, for one test file

=head1 SYNOPSIS

    use lib 't/lib';
    use Test::Sync;                     # brings Test::More with it

    my $t = Test::Sync->new(workers => 2);

    $t->peer(erp => sub {
        my ($req, $ctl) = @_;           # runs in the peer's own process
        return { never => 1 } if $ctl->{down};
        return [ 201, { Location => '/o/1' }, '{"id":"1"}' ];
    });

    $t->server(<<'CONF');               # or http(), or conf()
        location / { proxy_pass http://%%PEER_erp%%; }
    CONF

    $t->start;

    my $res = $t->post('/orders', '{"a":1}', 'Idempotency-Key' => 'k1');
    is($res->{status}, 201);
    is($t->ledger('erp'), 1, 'the ERP was asked once');

    $t->done;                           # instead of done_testing

=head1 CONFIGURATION

C<server(TEXT)> is the inside of one server listening on port 0, C<http(TEXT)>
the inside of C<http {}>, C<conf(TEXT)> the whole file after the module lines.
C<main(TEXT)> adds lines at the top level.  In all of them C<%%PORT_0%%> to
C<%%PORT_9%%> are free ports, C<%%PEER_name%%> the address of a peer,
C<%%TESTDIR%%> the folder of this test.  C<write(NAME, TEXT or DATA)> puts a
file there by rename, as live files must be written; data becomes JSON.

C<start>, C<stop([SIGNAL])>, C<reload> (returns when every old worker has been
told to leave and the new ones serve; false, with the reason in the log, when
the configuration was refused), C<workers> (pids).

C<check(TEXT)> is C<nginx -t> over the inside of C<http {}> and returns exit
code and output; C<refused(TEXT, REGEX, NAME)> and C<accepted(TEXT, NAME)> are
tests of that.  TEXT without C<server {> is the inside of a server.

C<new> takes C<workers> (1), C<log> (info, or debug), C<connections> (1024),
C<stop> (the last signal, QUIT), C<quit_timeout> (seconds, 5).

=head1 PEERS

C<< peer(NAME => CODE, OPTIONS) >>.  CODE gets the request: method, uri,
version, headers (list of pairs), h (by lower case name), body, conn (serial
of the connection), n (serial of the request); and what C<tell(NAME, DATA)>
said last.  It answers with a body, with C<[status, headers, body]> or with

    status headers body      headers are a list or a hash
    delay => 0.2             seconds before the first byte
    never => 1               no answer, the connection stays open
    cut => 20                the first bytes of the answer, then the end
    reset => 1               the end is an RST
    close => 1               says so, and closes
    hangup => 1              closes without having said so
    drip => 0.01             seconds between pieces of
    piece => 1               so many bytes
    chunked => 1  no_length => 1  length => 5 (a lie)
    raw => BYTES             instead of all that

C<< early => 1 >> as an option calls CODE after the headers, body unread;
C<< https => ... >> makes it a server of TLS, see L<Test::Sync::Https>.

C<ledger(NAME)> is the list of requests seen (in scalar context their number),
C<lost(NAME)> those that the asking side left unanswered or incomplete.
C<peer_stop>, C<peer_start>: the port refuses, serves again.

=head1 CLIENTS

C<< get(URI, HEADERS), post(URI, BODY, HEADERS), request(METHOD, URI, ...) >>
with C<headers> (list of pairs, repeated names stay), C<body>, C<chunked>
(true, or a list of pieces), C<packets> (a number: the request leaves in so
many), C<expect>, C<http> ('1.0'), C<host>, C<port> (index), C<timeout> (10),
C<conn> (a socket of C<connect>, kept alive).  The answer is a hash with
status, headers (list of pairs), h (first by lower case name), body, head,
error ('', 'timeout', 'closed' or 'cut'), time, continue; and methods
C<header(NAME)>, C<all(NAME)>, C<json>.

C<raw(BYTES)> all that comes back until the end; C<h2(METHOD, URI, ...)> by
curl over HTTP/2; C<parallel([ARGS], ...)> all at once;
C<< abort(METHOD, URI, ..., after => SECONDS, reset => 1, part => BYTES) >>
leaves; C<storm> does so many times.  C<wait_for(CODE)> polls until true.
C<log_text>, C<log_like(REGEX, NAME)>, C<metrics(URI)>.

=head1 WHAT EVERY FILE ASSERTS

C<done> stops everything and adds tests: NGINX left when asked to; no alert,
emerg or crit in the error log (C<allow(REGEX)> names exceptions); no worker
killed by a signal; no sanitizer report; no secret in any log.  Secrets are
what C<canary(TEXT)> registers, and by themselves the values of Authorization,
X-API-Key and Cookie that the clients above sent.

=head1 ENVIRONMENT

SYNC_BUILD (folder of the modules), SYNC_NGINX (binary), SYNC_STATIC (modules
are inside the binary), SYNC_KEEP (keep the folder of the test).

=cut

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Socket qw(SOL_SOCKET SO_REUSEADDR SOMAXCONN);
use Test::More;
use Time::HiRes qw(time sleep);

use Test::Sync::Peer;

use parent 'Test::Sync::Client';

our @EXPORT = @Test::More::EXPORT;

my $json = Cpanel::JSON::XS->new->canonical->allow_nonref;
my $root = abs_path(dirname(__FILE__) . '/../../..');
my @live;

my $REPORT = qr/AddressSanitizer|LeakSanitizer|runtime error:/;


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        workers => 1, log => 'info', connections => 1024, stop => 'QUIT',
        quit_timeout => 5, %opt,
        peers => {}, held => {}, ports => [], main => '', allow => [],
        canaries => {}, owner => $$,
    }, $class;

    $self->{dir} = File::Temp::tempdir('sync-XXXXXX', TMPDIR => 1);
    chmod 0755, $self->{dir};

    $self->{build} = abs_path($ENV{SYNC_BUILD} || "$root/build") || '';
    $self->{nginx} = $ENV{SYNC_NGINX}
        || (grep { -x } '/usr/sbin/nginx', '/usr/local/sbin/nginx')[0]
        || 'nginx';

    $SIG{PIPE} = 'IGNORE';
    push @live, $self;

    return $self;
}


sub root {
    return $root;
}


sub path {
    my ($self, $name) = @_;

    return defined $name ? "$self->{dir}/$name" : $self->{dir};
}


sub write {
    my ($self, $name, $what) = @_;

    my $path = $self->path($name);

    $what = $json->pretty->encode($what) if ref $what;

    make_path(dirname $path);

    open my $fh, '>', "$path.new" or die "$path.new: $!";
    binmode $fh;
    print $fh $what;
    close $fh or die "$path.new: $!";
    rename "$path.new", $path or die "$path: $!";

    return $path;
}


sub read {
    my ($self, $name) = @_;

    open my $fh, '<', $self->path($name) or return '';
    binmode $fh;
    local $/;

    return <$fh> // '';
}


# Ports lie below the range the kernel takes for outgoing connections, and are
# held by a bound socket until NGINX or a peer takes them, so that test files
# can run beside each other.

sub port {
    my ($self, $i) = @_;

    return $self->{ports}[$i] //= $self->free_port;
}


sub free_port {
    my ($self) = @_;

    for (1 .. 1000) {
        my $port = 10240 + int rand 22000;
        my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                      LocalPort => $port, Proto => 'tcp')
            or next;

        # not before: bind() would share a port; for who binds it again

        setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);

        $self->{held}{$port} = $s;
        return $port;
    }

    die "no free port";
}


# configuration

sub main {
    my ($self, $text) = @_;

    $self->{main} .= $text;
}


sub conf {
    my ($self, $text) = @_;

    $self->{conf} = $self->whole($text);
}


sub http {
    my ($self, $text) = @_;

    $self->conf($self->in_http($text));
}


sub server {
    my ($self, $text) = @_;

    $self->http($self->in_server($text));
}


sub in_server {
    my ($self, $text) = @_;

    return "server {\n    listen 127.0.0.1:%%PORT_0%%;\n"
           . "    server_name localhost;\n$text\n}\n";
}


sub in_http {
    my ($self, $text) = @_;

    return <<"END" . $text . "\n}\n";
events {
    worker_connections $self->{connections};
}

http {
    access_log             %%TESTDIR%%/access.log;
    client_body_temp_path  %%TESTDIR%%/tmp_body;
    proxy_temp_path        %%TESTDIR%%/tmp_proxy;
    fastcgi_temp_path      %%TESTDIR%%/tmp_fastcgi;
    uwsgi_temp_path        %%TESTDIR%%/tmp_uwsgi;
    scgi_temp_path         %%TESTDIR%%/tmp_scgi;
END
}


sub whole {
    my ($self, $text) = @_;

    my $head = '';

    if (!$ENV{SYNC_STATIC}) {
        for my $so ("ngx_http_sync_module.so", "ngx_http_sync_test_module.so")
        {
            my $file = "$self->{build}/$so";
            $head .= "load_module $file;\n" if -f $file;
        }
    }

    $head .= "user root;\n" if $> == 0;
    $head .= <<"END";
daemon            off;
worker_processes  $self->{workers};
error_log         %%TESTDIR%%/error.log $self->{log};
pid               %%TESTDIR%%/nginx.pid;
END

    return $self->expand($head . $self->{main} . $text);
}


sub expand {
    my ($self, $text) = @_;

    $text =~ s/%%PORT_(\d)%%/$self->port($1)/ge;
    $text =~ s/%%PEER_(\w+)%%/$self->peer_address($1)/ge;
    $text =~ s/%%TESTDIR%%/$self->{dir}/g;
    $text =~ s/%%ROOT%%/$root/g;

    return $text;
}


# nginx -t over a configuration of its own; the running one stays

sub check {
    my ($self, $text) = @_;

    $text = $self->in_server($text) if $text !~ /\bserver\s*\{/;

    my $conf = $self->write('check.conf',
                            $self->whole($self->in_http($text)));

    return $self->nginx('-t', '-c', $conf, '-e', 'stderr');
}


sub nginx {
    my ($self, @args) = @_;

    # a configuration that is only tested is never freed

    local $ENV{ASAN_OPTIONS} = join ':', $ENV{ASAN_OPTIONS} // (),
                                    'detect_leaks=0';

    my $pid = open my $out, '-|';

    defined $pid or die "fork: $!";

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        $self->environment;
        exec $self->{nginx}, '-p', $self->{dir}, @args
            or POSIX::_exit(127);
    }

    local $/;
    my $text = <$out> // '';
    close $out;

    my $code = $?;

    if ($text =~ /$REPORT/) {
        $self->write('asan.check', $self->read('asan.check') . $text);
    }

    return ($code & 127 ? 128 + ($code & 127) : $code >> 8, $text);
}


sub environment {
    my ($self) = @_;

    my $supp = "$root/tools/build/lsan.supp";

    $ENV{ASAN_OPTIONS} = join ':', 'detect_leaks=0', 'abort_on_error=0',
                              "log_path=$self->{dir}/asan",
                              split(/:/, $ENV{ASAN_OPTIONS} // '');
    $ENV{UBSAN_OPTIONS} = "print_stacktrace=1:log_path=$self->{dir}/asan";
    $ENV{LSAN_OPTIONS} = "suppressions=$supp:print_suppressions=0";
}


sub refused {
    my ($self, $text, $like, $name) = @_;

    my ($code, $out) = $self->check($text);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $ok = $code == 1 && $out =~ $like;

    ok($ok, $name // "refused: $like")
        or diag("exit code $code, expected $like in:\n$out");

    return $ok;
}


sub accepted {
    my ($self, $text, $name) = @_;

    my ($code, $out) = $self->check($text);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok($code == 0, $name // 'accepted')
           || !diag("exit code $code:\n$out");
}


# the server

sub start {
    my ($self) = @_;

    die "no configuration" if !defined $self->{conf};

    $self->write('nginx.conf', $self->{conf});

    for my $port (@{ $self->{ports} }) {
        delete $self->{held}{$port} if defined $port;
    }

    $self->{logged} = -s $self->path('error.log') || 0;

    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $self->path('stderr.log');
        open STDERR, '>&', \*STDOUT;
        $self->environment;
        exec $self->{nginx}, '-p', $self->{dir}, '-c',
             $self->path('nginx.conf'), '-e', $self->path('error.log')
            or POSIX::_exit(127);
    }

    $self->{master} = $pid;

    my $up = $self->wait_for(sub {
        return -1 if waitpid($pid, WNOHANG) == $pid;
        return $self->started >= $self->{workers};
    }, 20);

    if (!$up || $up < 0) {
        delete $self->{master} if $up && $up < 0;
        die "nginx did not start:\n" . $self->read('stderr.log')
            . $self->log_text;
    }

    return $self;
}


# workers announced in the log since the last start or reload

sub started {
    my ($self) = @_;

    my @pids = substr($self->log_text, $self->{logged})
               =~ /start worker process (\d+)/g;

    return @pids;
}


sub workers {
    my ($self) = @_;

    my @all = $self->log_text =~ /start worker process (\d+)/g;
    my %seen;

    @all = reverse grep { !$seen{$_}++ && alive($_, $self->{master}) }
                        reverse @all;

    return @all;
}


# Pids come again: where the parent is known, it must be the parent.

sub alive {
    my ($pid, $parent) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return 0;

    my ($state, $ppid) = (<$fh> // '') =~ /\) (\w) (\d+) / or return 0;

    return $state !~ /[ZX]/ && (!$parent || $ppid == $parent);
}


sub reload {
    my ($self, $timeout) = @_;

    my @old = $self->workers;
    my $from = $self->{logged} = -s $self->path('error.log') || 0;

    $self->write('nginx.conf', $self->{conf});

    kill 'HUP', $self->{master};

    my $up = $self->wait_for(sub {
        my $text = substr $self->log_text, $from;

        return -1 if $text =~ /\[emerg\]/;
        return 0 if $self->started < $self->{workers};

        for my $pid (@old) {
            next if $text =~ /\b$pid#\d+: gracefully shutting down/;
            return 0 if alive($pid);
        }

        return 1;
    }, $timeout || 20);

    return $up && $up > 0;
}


# SIGNAL and wait; false when it had to be killed

sub stop {
    my ($self, $signal) = @_;

    my $pid = delete $self->{master} or return 1;
    my $gone = sub { waitpid($pid, WNOHANG) != 0 };

    kill $signal || $self->{stop}, $pid;

    return 1 if $self->wait_for($gone, $self->{quit_timeout});

    diag('nginx did not leave in time, workers: '
         . join ' ', $self->workers);

    my @left = $self->workers;

    kill 'TERM', $pid;

    if (!$self->wait_for($gone, 5)) {
        kill 'KILL', $pid, @left;
        waitpid $pid, 0;
    }

    return 0;
}


sub restart {
    my ($self) = @_;

    $self->stop;
    $self->start;
}


# peers

sub peer {
    my ($self, $name, $code, %opt) = @_;

    my $peer = $self->{peers}{$name} = {
        name => $name, code => $code, opt => \%opt,
        port => $self->free_port, class => 'Test::Sync::Peer',
    };

    if (my $https = delete $opt{https}) {
        require Test::Sync::Https;
        $peer->{class} = 'Test::Sync::Https';
        $opt{tls} = Test::Sync::Https->prepare($https);
    }

    $self->peer_start($name);

    return $peer->{port};
}


sub peer_address {
    my ($self, $name) = @_;

    my $peer = $self->{peers}{$name} or die "no peer \"$name\"";

    return "127.0.0.1:$peer->{port}";
}


sub peer_start {
    my ($self, $name) = @_;

    my $peer = $self->{peers}{$name};
    my $listen = delete $self->{held}{ $peer->{port} };

    if (!$listen) {
        $listen = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $peer->{port},
            Proto => 'tcp', ReuseAddr => 1) or die "peer $name: $!";
    }

    listen $listen, SOMAXCONN or die "peer $name: $!";

    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        $SIG{TERM} = 'DEFAULT';
        $SIG{PIPE} = 'IGNORE';
        $self->{held} = {};

        eval {
            $peer->{class}->new(
                %{ $peer->{opt} }, code => $peer->{code}, listen => $listen,
                n => scalar $self->ledger($name),
                ledger => $self->path("$name.ledger"),
                ctl => $self->path("$name.ctl"))->run;
        };

        print STDERR "peer $name: $@";
        POSIX::_exit(1);
    }

    $peer->{pid} = $pid;
}


sub peer_stop {
    my ($self, $name) = @_;

    my $pid = delete $self->{peers}{$name}{pid} or return;

    kill 'TERM', $pid;
    waitpid $pid, 0;
}


sub tell {
    my ($self, $name, $what) = @_;

    $self->write("$name.ctl", $what);
}


sub events {
    my ($self, $name) = @_;

    return map { $json->decode($_) } split /\n/, $self->read("$name.ledger");
}


sub ledger {
    my ($self, $name) = @_;

    my @seen = grep { defined $_->{method} } $self->events($name);

    for my $req (@seen) {
        $req->{h}{ lc $_->[0] } //= $_->[1] for @{ $req->{headers} };
    }

    return @seen;
}


sub connections {
    my ($self, $name) = @_;

    return scalar grep { $_->{connected} } $self->events($name);
}


sub lost {
    my ($self, $name) = @_;

    my @lost = grep { !defined $_->{method} && !$_->{connected} }
               $self->events($name);

    return @lost;
}


sub wait_for {
    my ($self, $code, $timeout) = @_;

    my $until = time() + ($timeout || 5);

    while (1) {
        my $got = $code->();

        return $got if $got;
        return 0 if time() > $until;

        sleep 0.005;
    }
}


# what NGINX said

sub log_text {
    my ($self) = @_;

    return $self->read('error.log');
}


sub log_like {
    my ($self, $like, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok($self->wait_for(sub { $self->log_text =~ $like }, 2),
              $name // "logged: $like");
}


# the Prometheus text at URI: name with labels => value

sub metrics {
    my ($self, $uri, @headers) = @_;

    my %value;

    for (split /\n/, $self->get($uri, @headers)->{body}) {
        $value{$1} = $2 if /^([^#\s]\S*(?:\{.*\})?)\s+(\S+)$/;
    }

    return \%value;
}


# the end of the file

sub allow {
    my ($self, @likes) = @_;

    push @{ $self->{allow} }, @likes;
}


sub canary {
    my ($self, @texts) = @_;

    $self->{canaries}{$_} = 1 for @texts;

    return $texts[0];
}


sub finish {
    my ($self) = @_;

    my $left = $self->stop;

    $self->peer_stop($_) for keys %{ $self->{peers} };

    return $left;
}


# each is a list of offending lines, empty when all is well

sub faults {
    my ($self) = @_;

    my $log = $self->log_text . $self->read('stderr.log');
    my @lines = split /\n/, $log;
    my $allowed = sub {
        my ($line) = @_;
        return grep { $line =~ $_ } @{ $self->{allow} };
    };

    my @alerts = grep { /\[(?:alert|emerg|crit)\]/ && !/exited on signal/
                        && !$allowed->($_) } @lines;
    my @killed = grep { /exited on signal/ && !$allowed->($_) } @lines;

    my $reports = join '', map { $self->read($_) }
                      map { s{.*/}{}r } glob "$self->{dir}/asan.*";
    my @san = grep { /$REPORT/ && !$allowed->($_) } @lines,
                  split /\n/, $reports;

    my @spilled;

    for my $file (glob "$self->{dir}/*.log") {
        my $text = join "\n", grep { !/ \[debug\] / } split /\n/,
                       $self->read($file =~ s{.*/}{}r);

        for my $secret (keys %{ $self->{canaries} }) {
            push @spilled, "a secret in $file" if index($text, $secret) >= 0;
        }
    }

    return (
        [ 'no alerts', @alerts ],
        [ 'no worker died', @killed ],
        [ 'no sanitizer reports', @san ],
        [ 'no secrets in logs', @spilled ],
    );
}


# for a test that provoked reports and has read them

sub forgive {
    my ($self) = @_;

    $self->allow($REPORT, qr/exited on signal/);
}


sub done {
    my ($self) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $self->{finished} = 1;

    if ($self->{master}) {
        ok($self->finish, 'nginx left when asked to');
    }

    $self->finish;

    for ($self->faults) {
        my ($name, @lines) = @$_;
        ok(!@lines, $name) or diag(join "\n", splice @lines, 0, 10);
    }

}


sub END {
    my $code = $?;

    for my $self (@live) {
        next if $self->{owner} != $$;

        if (!$self->{finished}) {
            diag('Test::Sync: the file ended without done()');
            $code ||= 1;
        }

        $self->finish;

        if ($ENV{SYNC_KEEP} || $code && $ENV{SYNC_KEEP_FAILED}) {
            diag("kept $self->{dir}");

        } else {
            File::Path::remove_tree($self->{dir});
        }
    }

    done_testing() if $code == 0;

    $? = $code;
}


1;
