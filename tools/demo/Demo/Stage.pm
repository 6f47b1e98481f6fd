package Demo::Stage;

# conf.example/ brought to life in a folder of its own: free ports instead of
# the ones it names, keys and secrets made for this run, NGINX, Redis where it is
# the store, and a client.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Find ();
use File::Path ();
use File::Temp ();
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Socket qw(SOL_SOCKET SO_REUSEADDR);
use Time::HiRes qw(time sleep);

my $root = abs_path(dirname(__FILE__) . '/../../..');

# what stands for itself in conf.example/

my @PORTS = (8480, 8481, 8482, 8483);


sub new {
    my ($class, $store) = @_;

    $store ||= 'shm';

    my $self = bless { owner => $$, pids => [], ports => {},
                       store => $store }, $class;

    $self->{build} = abs_path($ENV{SYNC_BUILD} || "$root/build");
    $self->{nginx} = $ENV{SYNC_NGINX}
                     || (grep { -x } '/usr/sbin/nginx',
                                     '/usr/local/sbin/nginx')[0]
                     || 'nginx';

    # under sanitizers: nginx -t leaves its memory to the end of the process

    $ENV{ASAN_OPTIONS} = join ':', grep { defined } $ENV{ASAN_OPTIONS},
                                   'detect_leaks=0' if $ENV{SYNC_STATIC};

    $self->{dir} = File::Temp::tempdir('sync-demo-XXXXXX', TMPDIR => 1);
    chmod 0755, $self->{dir};

    for my $name (@PORTS, $store eq 'redis' ? qw(redis node node_status)
                                            : ())
    {
        $self->{ports}{$name} = $self->free_port;
    }

    $self->copy;
    $self->make_keys;
    $self->give;

    return $self;
}


sub root {
    return $root;
}


sub port {
    my ($self, $name) = @_;

    return $self->{ports}{$name};
}


# Below the range that the kernel takes for outgoing connections, and bound
# until NGINX or a peer takes it.

sub free_port {
    my ($self) = @_;

    for (1 .. 1000) {
        my $port = 10240 + int rand 22000;
        my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                      LocalPort => $port, Proto => 'tcp')
            or next;

        setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
        $self->{held}{$port} = $s;

        return $port;
    }

    die "no free port\n";
}


sub copy {
    my ($self) = @_;

    my $from = "$root/conf.example";

    File::Find::find({ no_chdir => 1, wanted => sub {
        my $name = substr $_, length $from;

        if (-d $_) {
            File::Path::make_path("$self->{dir}$name");
            return;
        }

        my $text = slurp($_);

        $text = $self->fit($text) if /\.conf$/;
        $self->write(substr($name, 1), $text);
    } }, $from);
}


# the paths and ports of this run

sub fit {
    my ($self, $text) = @_;

    my $dir = $self->{dir};
    my $so = "$self->{build}/ngx_http_sync_module.so";

    $text =~ s/127\.0\.0\.1:(848\d)\b/127.0.0.1:$self->{ports}{$1}/g;
    $text =~ s{^load_module\s+\S+;}
              {$ENV{SYNC_STATIC} ? '' : "load_module  $so;"}me;
    $text =~ s{/var/log/nginx/}{$dir/}g;
    $text =~ s{/run/nginx\.pid}{$dir/nginx.pid};
    $text =~ s{/tmp/sync\.}{$dir/sync.}g;
    $text =~ s{^user\s.*\n}{}m if $> != 0;

    $text =~ s/^http \{\n/"http {\n" . join '', map {
        "    ${_}_temp_path  $dir\/tmp_$_;\n"
    } qw(client_body proxy fastcgi uwsgi scgi)/me;

    if ($self->{store} eq 'redis') {
        my $url = "redis://127.0.0.1:$self->{ports}{redis}";

        $text =~ s/^(    sync_secret )/    sync_store     $url;\n$1/m;
    }

    return $text;
}


# A second node: the same files, other ports.

sub node {
    my ($self) = @_;

    my $text = slurp("$self->{dir}/nginx.conf");

    $text =~ s/\b$self->{ports}{8480}\b/$self->{ports}{node}/g;
    $text =~ s/\b$self->{ports}{8483}\b/$self->{ports}{node_status}/g;
    $text =~ s{(\Q$self->{dir}\E/(?:nginx\.pid|[\w.]+\.log|tmp_\w+))}{$1.2}g;

    $self->write('node.conf', $text);

    return $self->start('node.conf', 'node');
}


# What is written is on the disk before it is answered.  SYNC_REDIS is another
# server, as in the tests.

sub redis {
    my ($self) = @_;

    my $port = $self->{ports}{redis};
    my $server = $ENV{SYNC_REDIS} || 'redis-server';

    $self->release($port);

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', "$self->{dir}/redis.log";
        open STDERR, '>&', \*STDOUT;
        exec $server, '--port', $port, '--bind', '127.0.0.1',
             '--dir', $self->{dir}, '--save', '', '--appendonly', 'yes',
             '--appendfsync', 'always';
        exit 127;
    }

    push @{ $self->{pids} }, $self->{redis} = $pid;

    my $up = $self->wait_for(sub {
        return -1 if waitpid($pid, WNOHANG) == $pid;
        return ($self->redis_says('PING') // '') eq '+PONG';
    }, 10);

    if ($up != 1) {
        die "$server did not start:\n" . slurp("$self->{dir}/redis.log");
    }
}


# The first line of the answer to a command in one line; for INFO all of it.

sub redis_says {
    my ($self, $command) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', Proto => 'tcp',
                                  PeerPort => $self->{ports}{redis})
        or return undef;

    print $s "$command\r\n";
    my $line = <$s> // return undef;

    if ($line =~ /^\$(\d+)/) {
        read $s, $line, $1;
    }

    return $line =~ s/\r?\n\z//r;
}


sub redis_kill {
    my ($self) = @_;

    my $pid = delete $self->{redis};

    kill 'KILL', $pid;
    waitpid $pid, 0;
    $self->{pids} = [ grep { $_ != $pid } @{ $self->{pids} } ];
}


# A key pair for each issuer, whose public half is what the library holds,
# and what stands below sync_secrets: nothing of it outlives the run.

sub make_keys {
    my ($self) = @_;

    my %secrets = (
        'master.key'               => random(),
        'sync.key'                 => random(),
        't_7f3a/s4-user'           => 'SYNC_ACME',
        't_7f3a/s4-password'       => random(),
        't_7f3a/shopify'           => random(),
        't_90c1/erp-new'           => random(),
        't_90c1/erp-old'           => random(),
        't_90c1/crm-authorization' => 'Bearer ' . random(),
        't_c35b/s4-user'           => 'SYNC_INITECH',
        't_c35b/s4-password'       => random(),
    );

    $self->write("secrets/$_", "$secrets{$_}\n") for sort keys %secrets;
    $self->write('sync.key', "$secrets{'sync.key'}\n");

    $self->{secrets} = \%secrets;

    File::Path::make_path("$self->{dir}/library/jwks", "$self->{dir}/issuers");
    chmod 0700, "$self->{dir}/issuers";

    for (qw(acme globex initech)) {
        $self->tool('synctoken', 'keygen', 'ES256', "$_-1",
                    "$self->{dir}/issuers/$_.pem",
                    "$self->{dir}/library/jwks/$_.json");
    }
}


sub secret {
    my ($self, $name) = @_;

    return $self->{secrets}{$name};
}


sub token {
    my ($self, $tenant, $client) = @_;

    my $claims = "{\"iss\":\"https://login.$tenant.example\","
                 . "\"aud\":\"https://sync.example\",\"sub\":\"$client\","
                 . "\"client_id\":\"$client\",\"jti\":\"" . random() . "\","
                 . "\"iat\":\"+0\",\"exp\":\"+3600\"}";

    my $token = $self->tool('synctoken', 'mint',
                            "$self->{dir}/issuers/$tenant.pem", "$tenant-1",
                            'ES256', $claims);
    chomp $token;

    return $token;
}


sub tool {
    my ($self, $name, @args) = @_;

    open my $fh, '-|', "$self->{build}/$name", @args or die "$name: $!\n";
    local $/;
    my $out = <$fh> // '';
    close $fh or die "$name @args[0 .. 1] failed\n";

    return $out;
}


# NGINX' workers read documents, maps and secrets for themselves

sub give {
    my ($self) = @_;

    return if $> != 0;

    my (undef, undef, $uid, $gid) = getpwnam 'www-data' or return;

    File::Find::find({ no_chdir => 1, wanted => sub {
        chown $uid, $gid, $_;
    } }, map { "$self->{dir}/$_" } qw(tenants library secrets));
}


sub write {
    my ($self, $name, $text) = @_;

    my $path = "$self->{dir}/$name";

    File::Path::make_path(dirname $path);

    # live files change by rename: nobody reads a half

    my $new = dirname($path) . '/.new';

    open my $fh, '>', $new or die "$new: $!\n";
    print $fh $text;
    close $fh or die "$new: $!\n";
    rename $new, $path or die "$path: $!\n";

    return $path;
}


sub release {
    my ($self, $port) = @_;

    delete $self->{held}{$port};
}


sub peer {
    my ($self, $name, $port, $code) = @_;

    $self->release($port);

    my $pid = Demo::Peers::start($port, $code,
                                 ledger => "$self->{dir}/$name.ledger",
                                 ctl => "$self->{dir}/$name.ctl");
    push @{ $self->{pids} }, $pid;
}


sub start {
    my ($self, $conf, $name) = @_;

    $conf ||= 'nginx.conf';
    $self->release($_) for values %{ $self->{ports} };

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', "$self->{dir}/stdout.log";
        open STDERR, '>&', \*STDOUT;
        exec $self->{nginx}, '-p', "$self->{dir}/", '-c',
             "$self->{dir}/$conf", '-g', 'daemon off;';
        exit 127;
    }

    push @{ $self->{pids} }, $pid;

    my $up = $self->wait_for(sub {
        return -1 if waitpid($pid, WNOHANG) == $pid;
        return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $self->{ports}{$name || 8480},
                                     Proto => 'tcp');
    }, 10);

    if (!ref $up) {
        die "NGINX did not start:\n" . slurp("$self->{dir}/stdout.log");
    }

    return $pid;
}


sub stop {
    my ($self) = @_;

    return if $self->{owner} != $$;

    my @pids = splice @{ $self->{pids} };

    kill 'TERM', @pids;

    my %left = map { $_ => 1 } @pids;

    $self->wait_for(sub {
        delete $left{$_} for grep { waitpid($_, WNOHANG) != 0 } keys %left;
        return !%left;
    }, 5);

    kill 'KILL', keys %left;
    waitpid $_, 0 for keys %left;
}


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    local ($?, $@);

    $self->stop;
    File::Path::remove_tree($self->{dir});
}


sub wait_for {
    my ($self, $code, $timeout) = @_;

    my $until = time() + $timeout;

    while (1) {
        my $got = $code->();

        return $got if $got;
        return 0 if time() > $until;

        sleep 0.01;
    }
}


# One request, one connection: { status, headers, h, body, time }.

sub ask {
    my ($self, $port, $method, $uri, $headers, $body) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                                  Proto => 'tcp', Timeout => 5)
        or return { status => 0, h => {}, body => "no connection: $!" };

    my @lines = ("$method $uri HTTP/1.1");

    for (my $i = 0; $i < @$headers; $i += 2) {
        push @lines, "$headers->[$i]: $headers->[$i + 1]";
    }

    push @lines, 'Content-Length: ' . length $body if defined $body;

    my $started = time();

    print $s join("\r\n", @lines, 'Connection: close', '', ''), $body // '';
    $s->flush;

    my ($first, %h) = '';
    my $body_in = '';

    while (defined(my $line = <$s>)) {
        $line =~ s/\r?\n\z//;
        last if $line eq '';

        if ($line =~ m{^HTTP/1\.\d \d+}) {
            $first = $line;

        } elsif ($line =~ /^([^:]+):\s*(.*)$/) {
            $h{ lc $1 } = $2;
        }
    }

    my ($status) = $first =~ /(\d{3})/;

    if (($h{'transfer-encoding'} // '') eq 'chunked') {
        while (defined(my $size = <$s>)) {
            $size = hex $size or last;
            read $s, $body_in, $size, length $body_in;
            readline $s;
        }

    } elsif ($h{'content-length'}) {
        read $s, $body_in, $h{'content-length'};
    }

    return { status => $status // 0, first => $first, h => \%h,
             body => $body_in, time => time() - $started };
}


sub random {
    open my $fh, '<:raw', '/dev/urandom' or die "urandom: $!\n";
    read $fh, my $bytes, 24;

    return unpack 'H*', $bytes;
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or return '';
    local $/;

    return <$fh> // '';
}


1;
