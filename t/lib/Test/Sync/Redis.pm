package Test::Sync::Redis;

=head1 NAME

Test::Sync::Redis - real Redis servers for a test file

=head1 SYNOPSIS

    use Test::Sync;
    use Test::Sync::Redis;

    Test::Sync::Redis->available or plan skip_all => 'no redis-server';

    my $r = Test::Sync::Redis->start(password => 'secret');

    $r->url;                        # redis://127.0.0.1:PORT
    $r->cmd('SET', 'a', 1);         # 'OK'; dies when Redis says -ERR
    my ($v, $err) = $r->try('GET', 'a');

=head1 SERVERS

C<start(OPTIONS)> starts one and returns when it answers:

    password => TEXT        of the user "default"
    acl => [ LINES ]        as in an ACL file: 'app on >pw ~s:* +@all'
    tls => 1                the port speaks TLS; { auth => 'yes' } wants a
                            client certificate, cert => NAME takes another
    unix => 1               no port at all; path() is the socket
    replica_of => SERVER
    config => [ NAME, VALUE, ... ]      more lines of redis.conf
    port => PORT  bind => ADDRESS       127.0.0.1 and a free port
    clock => FILE           its wall clock is off by the seconds in FILE
    prefix => [ WORDS ]     of the command that starts it (nsenter)

C<sentinels(N, MASTER, OPTIONS)> starts N sentinels that watch MASTER under
C<< name => >> ('mymaster'), C<< quorum => >> (2), C<< down => >> (ms, 500),
with C<tls>, C<password> (their own) as above; returns when they know each
other and the replicas.  C<cluster(N, OPTIONS)> starts N masters that share the
slots and returns them when each says C<cluster_state:ok>; with
C<< replicas => M >> as many more follow, replica i of master i mod N.

Servers are on good terms with the test alone: a user of its own, over a
socket of its own, so that passwords, ACL and TLS never stand in the way of an
assertion.

=head1 METHODS

C<url>, C<port>, C<path>, C<pid>, C<dir>, C<log>; C<cmd>, C<try>, C<connect>
(a connection: C<cmd>, C<send>, C<receive>), C<info(FIELD)>, C<role>, C<cpu>
(seconds so far), C<commands(NAME)> (calls so far).

Faults: C<kill9>, C<quit> (SHUTDOWN NOSAVE), C<again> (starts it once more on its
port; C<< empty => 1 >> forgets its data), C<stop_signal>, C<cont_signal>,
C<pause(MS, 'ALL' or 'WRITE')>, C<unpause>.  C<move_slot(SLOT, FROM, TO, CODE)> of a
cluster migrates keys one by one and calls CODE between its steps.

C<certificates> is a folder with ca.pem, server.pem/.key (redis.test, localhost,
127.0.0.1), other.pem/.key (other.test), client.pem/.key, and stranger.pem/.key
with its stranger-ca.pem.

C<gateway(CONF, OPTIONS)> is a started L<Test::Sync> with CONF inside of
C<http {}> and C</op> for C<op(T, NAME, ARGUMENTS)>: an operation of the store as
a hash, of which C<result> is the first to look at.

Everything is killed when the test ends, however it ends.

=head1 ENVIRONMENT

SYNC_REDIS is the server that is started instead of C<redis-server>: another
version, or C<valkey-server>.

=cut

use strict;
use warnings;

use File::Path ();
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);
use Socket qw(SOL_SOCKET SO_REUSEADDR);
use Time::HiRes qw(time sleep);

my $ADMIN = 'test-admin';

my (@live, $certificates, $clock_lib);
my $owner = $$;


sub available {
    my $name = $ENV{SYNC_REDIS} || 'redis-server';

    return -x $name ? $name : undef if $name =~ m{/};

    return (grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH} // ''),
            '/usr/bin', '/usr/local/bin')[0];
}


# starting

sub start {
    my ($class, %opt) = @_;

    my $self = bless { bind => '127.0.0.1', %opt }, $class;

    # in memory: a test is about what the gateway does, and a disk that takes
    # 300 ms for an fsync() is a store that is down

    $self->{dir} = File::Temp::tempdir('sync-redis-XXXXXX',
        -w '/dev/shm' ? (DIR => '/dev/shm') : (TMPDIR => 1));
    chmod 0755, $self->{dir};
    $self->{admin} = "$self->{dir}/admin.sock";
    $self->{unix_path} = $self->{admin};
    $self->{port} ||= $opt{unix} ? 0 : free_port($self->{bind});
    $self->{bus} = free_port($self->{bind}) if $opt{cluster};

    push @live, $self;

    return $self->launch;
}


sub free_port {
    my ($bind) = @_;

    for (1 .. 1000) {
        my $port = 10240 + int rand 22000;
        my $s = IO::Socket::INET->new(LocalAddr => $bind || '127.0.0.1',
                                      LocalPort => $port, Proto => 'tcp',
                                      Listen => 1)
            or next;

        close $s;
        return $port;
    }

    die "no free port";
}


sub config_text {
    my ($self) = @_;

    my @acl = @{ $self->{acl} || [] };
    my @line = (
        [ dir => $self->{dir} ], [ bind => $self->{bind} ],
        [ logfile => "$self->{dir}/redis.log" ], [ daemonize => 'no' ],
        [ unixsocket => $self->{admin} ], [ unixsocketperm => 777 ],
        [ save => '""' ], [ appendonly => 'no' ], [ 'protected-mode' => 'no' ],
        [ 'enable-debug-command' => 'yes' ],
        [ 'repl-diskless-sync-delay' => 0 ],
        [ 'shutdown-timeout' => 0 ],
        [ user => "$ADMIN on nopass ~* &* +\@all" ],
    );

    if (my $master = $self->{replica_of}) {
        push @line, [ replicaof => "$master->{bind} $master->{port}" ],
                    [ masteruser => $ADMIN ], [ masterauth => 'any' ];

    } elsif ($self->{failover}) {
        push @line, [ masteruser => $ADMIN ], [ masterauth => 'any' ];
    }

    push @line, [ requirepass => $self->{password} ]
        if defined $self->{password};
    push @line, [ user => $_ ] for @acl;

    if ($self->{tls}) {
        my $tls = ref $self->{tls} ? $self->{tls} : {};
        push @line, [ port => 0 ], $self->tls_lines($tls),
                    [ 'tls-cluster' => 'yes' ];
        push @line, [ 'tls-replication' => 'yes' ];

    } else {
        push @line, [ port => $self->{port} ];
    }

    if ($self->{cluster}) {
        push @line, [ 'cluster-enabled' => 'yes' ],
                    [ 'cluster-port' => $self->{bus} ],
                    [ 'cluster-config-file' => 'nodes.conf' ],
                    [ 'cluster-node-timeout' => $self->{node_timeout}
                                                || 1000 ];
    }

    my @more = @{ $self->{config} || [] };

    while (my ($name, $value) = splice @more, 0, 2) {
        push @line, [ $name, $value ];
    }

    return join '', map { "$_->[0] $_->[1]\n" } @line;
}


sub tls_lines {
    my ($self, $tls) = @_;

    my $dir = $self->certificates;
    my $cert = $tls->{cert} || 'server';

    return (
        [ 'tls-port' => $self->{port} ],
        [ 'tls-cert-file' => "$dir/$cert.pem" ],
        [ 'tls-key-file' => "$dir/$cert.key" ],
        [ 'tls-ca-cert-file' => "$dir/ca.pem" ],
        [ 'tls-auth-clients' => $tls->{auth} || 'no' ],
    );
}


sub launch {
    my ($self) = @_;

    my $conf = "$self->{dir}/redis.conf";

    if (!$self->{sentinel} || !-f $conf) {
        open my $fh, '>', $conf or die "$conf: $!";
        print $fh $self->{sentinel} ? $self->sentinel_text
                                    : $self->config_text;
        close $fh or die "$conf: $!";
    }

    unlink $self->{admin};

    my $binary = $self->available or die 'no redis-server';
    my @args = ($conf, $self->{sentinel} ? '--sentinel' : ());

    $self->{pid} = spawn("$self->{dir}/stderr.log", $self->{clock},
                         @{ $self->{prefix} || [] }, $binary, @args);

    for (1 .. 1000) {
        if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
            delete $self->{pid};
            last;
        }

        my $up = eval { ($self->try('PING'))[0] };

        return $self if $up && $up eq 'PONG';

        sleep 0.01;
    }

    die "redis-server did not start:\n" . slurp("$self->{dir}/stderr.log")
        . $self->log;
}


# Dies with us: the kernel sends SIGKILL when the process that forked is gone,
# whatever it died of.

sub spawn {
    my ($log, $clock, @command) = @_;

    my $parent = $$;

    clock_lib() if defined $clock;

    my $pid = fork() // die "fork: $!";

    return $pid if $pid;

    require Config;
    my $prctl = $Config::Config{archname} =~ /^(?:aarch64|arm64)/ ? 167 : 157;

    syscall($prctl, 1, POSIX::SIGKILL(), 0, 0, 0);
    POSIX::_exit(1) if getppid() != $parent;

    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', $log;
    open STDERR, '>&', \*STDOUT;

    @ENV{qw(LD_PRELOAD SYNC_CLOCK)} = (clock_lib(), $clock)
        if defined $clock;

    { no warnings 'exec'; exec @command }
    POSIX::_exit(127);
}


# built once per test file

sub clock_lib {
    return $clock_lib if $clock_lib;

    my $dir = File::Temp::tempdir('sync-clock-XXXXXX', TMPDIR => 1,
                                  CLEANUP => 1);
    my $source = __FILE__ =~ s/Redis\.pm$/clock.c/r;

    run('cc', '-shared', '-fPIC', '-O1', '-o', "$dir/clock.so", $source);

    return $clock_lib = "$dir/clock.so";
}


sub libfaketime {
    return (glob '/usr/lib/*/faketime/libfaketime.so.1')[0];
}


# several at once

sub sentinels {
    my ($class, $n, $master, %opt) = @_;

    my $name = $opt{name} || 'mymaster';
    my $replicas = () = $master->cmd('INFO', 'replication')
                        =~ /^slave\d+:/mg;

    my @all = map {
        $class->start(sentinel => { name => $name, master => $master,
                                    quorum => 2, down => 500, %opt },
                      tls => $opt{tls}, password => $opt{password});
    } 1 .. $n;

    for my $s (@all) {
        wait_for("sentinels to meet", 30, sub {
            my %m = @{ $s->cmd('SENTINEL', 'MASTER', $name) };
            return $m{'num-other-sentinels'} == $n - 1
                   && $m{'num-slaves'} >= $replicas;
        });
    }

    return @all;
}


sub sentinel_text {
    my ($self) = @_;

    my $s = $self->{sentinel};
    my $m = $s->{master};
    my @line = (
        [ dir => $self->{dir} ], [ bind => $self->{bind} ],
        [ logfile => "$self->{dir}/redis.log" ], [ daemonize => 'no' ],
        [ unixsocket => $self->{admin} ], [ unixsocketperm => 777 ],
        [ user => "$ADMIN on nopass ~* &* +\@all" ],
        [ sentinel => "monitor $s->{name} $m->{bind} $m->{port} $s->{quorum}" ],
        [ sentinel => "down-after-milliseconds $s->{name} $s->{down}" ],
        [ sentinel => "failover-timeout $s->{name} "
                      . ($s->{failover_timeout} || 2000) ],
        [ sentinel => "parallel-syncs $s->{name} 1" ],
        [ sentinel => "auth-user $s->{name} $ADMIN" ],
        [ sentinel => "auth-pass $s->{name} any" ],
        [ sentinel => "sentinel-user $ADMIN" ],
        [ sentinel => "sentinel-pass any" ],
    );

    push @line, [ requirepass => $self->{password} ]
        if defined $self->{password};

    if ($self->{tls}) {
        push @line, [ port => 0 ], [ 'tls-replication' => 'yes' ],
                    $self->tls_lines(ref $self->{tls} ? $self->{tls} : {});

    } else {
        push @line, [ port => $self->{port} ];
    }

    return join '', map { "$_->[0] $_->[1]\n" } @line;
}


sub cluster {
    my ($class, $n, %opt) = @_;

    my $replicas = delete $opt{replicas} || 0;
    my @all = map { $class->start(cluster => 1, failover => 1, %opt) }
                  1 .. $n + $replicas;
    my $each = 16384 / $n;

    for my $i (0 .. $n - 1) {
        my @slots = (int($each * $i), int($each * ($i + 1)) - 1);
        $all[$i]->cmd('CLUSTER', 'ADDSLOTSRANGE', @slots);
        $all[$i]->cmd('CLUSTER', 'SET-CONFIG-EPOCH', $i + 1);
    }

    for my $s (@all[1 .. $#all]) {
        $all[0]->cmd('CLUSTER', 'MEET', $s->{bind}, $s->{port}, $s->{bus});
    }

    my $settled = sub {
        for my $s (@all) {
            my $info = $s->cmd('CLUSTER', 'INFO');
            return 0 if $info !~ /cluster_state:ok/;
            return 0 if $info !~ /cluster_known_nodes:${\ scalar @all}\b/;
        }
        return 1;
    };

    wait_for('the nodes to meet', 30, sub {
        my @met = grep {
            $_->cmd('CLUSTER', 'INFO')
                =~ /cluster_known_nodes:${\ scalar @all}\b/
        } @all;
        return @met == @all;
    });

    for my $i ($n .. $#all) {
        my $master = $all[($i - $n) % $n]->cmd('CLUSTER', 'MYID');
        wait_for('a replica to know its master', 10, sub {
            return !($all[$i]->try('CLUSTER', 'REPLICATE', $master))[1];
        });
    }

    wait_for('the cluster', 30, $settled);

    return @all;
}


sub move_slot {
    my ($self, $slot, $from, $to, $between, @others) = @_;

    my ($from_id, $to_id) = map { $_->cmd('CLUSTER', 'MYID') } $from, $to;

    $between ||= sub { };

    $to->cmd('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from_id);
    $from->cmd('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to_id);
    $between->('begun');

    while (1) {
        my $keys = $from->cmd('CLUSTER', 'GETKEYSINSLOT', $slot, 1);
        last if !@$keys;
        $from->cmd('MIGRATE', $to->{bind}, $to->{port}, '', 0, 5000,
                   'AUTH2', $ADMIN, 'any', 'KEYS', @$keys);
        $between->('moved');
    }

    for my $node ($to, $from, @others) {
        $node->cmd('CLUSTER', 'SETSLOT', $slot, 'NODE', $to_id);
    }

    $between->('done');
}


# who it is

sub port { return $_[0]{port} }
sub path { return $_[0]{unix_path} }
sub pid  { return $_[0]{pid} }
sub dir  { return $_[0]{dir} }
sub log  { return slurp("$_[0]{dir}/redis.log") }


sub url {
    my ($self) = @_;

    return "redis+unix:$self->{unix_path}" if $self->{unix};

    return ($self->{tls} ? 'rediss' : 'redis')
           . "://$self->{bind}:$self->{port}";
}


sub info {
    my ($self, $field) = @_;

    return $self->cmd('INFO', 'everything') =~ /^\Q$field\E:(.*?)\r?$/m
           ? $1 : undef;
}


sub role {
    my ($self) = @_;

    return $self->cmd('ROLE')->[0];
}


sub commands {
    my ($self, $name) = @_;

    my $line = $self->info('cmdstat_' . lc $name) // 'calls=0';

    return $line =~ /calls=(\d+)/ ? $1 : 0;
}


sub cpu {
    my ($self) = @_;

    my @f = split / /, slurp("/proc/$self->{pid}/stat") =~ s/^.*\) //sr;

    return ($f[11] + $f[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


# asking

sub connect {
    my ($self, $timeout) = @_;

    my $c = Test::Sync::Redis::Connection->new($self->{admin}, $timeout || 10);

    my $said = $c->cmd('AUTH', $ADMIN, 'any');

    return $c;
}


sub try {
    my ($self, @command) = @_;

    # one connection per process: a fork has its own; and a new one where the
    # server has closed it, as it does when a failover changes its role

    for (0, 1) {
        my $new = $_;
        my $c = $self->{conn};

        if ($new || !$c || $self->{conn_pid} != $$ || $c->{broken}) {
            $c = eval { $self->connect } or return (undef, "$@");
            @$self{qw(conn conn_pid)} = ($c, $$);
            $new = 1;
        }

        my $value = eval { $c->cmd(@command) };

        return ($value, undef) if !$@;
        next if !$new && $@ eq "closed\n";

        return (undef, $@ =~ s/ at \S+ line \d+\.\n\z//r);
    }
}


sub cmd {
    my ($self, @command) = @_;

    my ($value, $err) = $self->try(@command);

    if (defined $err) {
        require Carp;
        Carp::croak("$command[0]: $err");
    }

    return $value;
}


# faults

sub kill9 {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill 'KILL', $pid;
    waitpid $pid, 0;
    delete $self->{conn};
}


sub quit {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill 'CONT', $pid;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    delete $self->{conn};
}


sub again {
    my ($self, %opt) = @_;

    $self->kill9;

    if ($opt{empty}) {
        unlink glob("$self->{dir}/*.rdb"), glob("$self->{dir}/*.aof");
    }

    return $self->launch;
}


sub stop_signal {
    my ($self) = @_;

    kill 'STOP', $self->{pid};
}


sub cont_signal {
    my ($self) = @_;

    kill 'CONT', $self->{pid};
}


sub pause {
    my ($self, $ms, $what) = @_;

    return $self->cmd('CLIENT', 'PAUSE', $ms, $what || 'ALL');
}


sub unpause {
    my ($self) = @_;

    return $self->cmd('CLIENT', 'UNPAUSE');
}


# certificates, made once per test file

sub certificates {
    return $certificates if $certificates;

    my $dir = File::Temp::tempdir('sync-certs-XXXXXX', TMPDIR => 1);
    my @ec = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
              '-nodes', '-days', '2');

    chmod 0755, $dir;

    for my $ca ('ca', 'stranger-ca') {
        run('openssl', 'req', '-x509', @ec, '-subj', "/CN=$ca", '-keyout',
            "$dir/$ca.key", '-out', "$dir/$ca.pem");
    }

    for ([ server => 'ca', 'DNS:redis.test,DNS:localhost,IP:127.0.0.1' ],
         [ other => 'ca', 'DNS:other.test' ],
         [ client => 'ca', 'DNS:client.test' ],
         [ stranger => 'stranger-ca', 'DNS:client.test' ])
    {
        my ($name, $ca, $san) = @$_;

        run('openssl', 'req', '-x509', @ec, '-subj', "/CN=$name", '-addext',
            "subjectAltName=$san", '-addext',
            'basicConstraints=critical,CA:FALSE', '-CA', "$dir/$ca.pem",
            '-CAkey', "$dir/$ca.key", '-keyout', "$dir/$name.key", '-out',
            "$dir/$name.pem");
    }

    chmod 0644, glob "$dir/*";

    return $certificates = $dir;
}


sub run {
    my (@command) = @_;

    my $pid = open(my $out, '-|') // die "fork: $!";

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }

    local $/;
    my $text = <$out> // '';
    close $out or die "@command:\n$text";
}


# helpers

sub gateway {
    my ($class, $conf, %opt) = @_;

    require Test::Sync;

    # a worker that quits waits for a store that hangs, up to 10 s

    my $t = Test::Sync->new(quit_timeout => 15, %opt);

    $t->http(<<"CONF");
    $conf

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        location = /op { sync_test_store; }
    }
CONF

    return $t->start;
}


sub op {
    my ($class, $t, $op, %args) = @_;

    my $res = $t->get("/op?op=$op"
                      . join '', map { "&$_=" . $args{$_} =~ tr/ /_/r }
                                 sort keys %args);

    return $res->json || { result => "status $res->{status}" };
}


sub wait_for {
    my ($what, $seconds, $code) = @_;

    my $end = time + $seconds;

    while (time < $end) {
        my $yes = eval { $code->() };
        return $yes if $yes;
        sleep 0.02;
    }

    die "waited $seconds s for $what" . ($@ ? ": $@" : '');
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or return '';
    local $/;

    return <$fh> // '';
}


sub END {
    return if $owner != $$;

    my $code = $?;

    for my $self (@live) {
        $self->kill9;
        File::Path::remove_tree($self->{dir}) if !$ENV{SYNC_KEEP};
    }

    File::Path::remove_tree($certificates)
        if $certificates && !$ENV{SYNC_KEEP};

    $? = $code;
}


package Test::Sync::Redis::Connection;

use strict;
use warnings;

use IO::Socket::UNIX;
use Time::HiRes qw(time);


sub new {
    my ($class, $where, $timeout) = @_;

    my $sock = $where =~ m{^/}
        ? IO::Socket::UNIX->new(Peer => $where)
        : IO::Socket::INET->new(PeerAddr => $where, Timeout => $timeout);

    $sock or die "$where: $!\n";

    return bless { sock => $sock, in => '', timeout => $timeout || 10 },
                 $class;
}


sub cmd {
    my ($self, @command) = @_;

    $self->send(@command);

    my $value = $self->receive;

    die $$value if ref $value eq 'Test::Sync::Redis::Error';

    return $value;
}


sub send {
    my ($self, @command) = @_;

    my $out = '*' . @command . "\r\n"
              . join '', map { '$' . length() . "\r\n$_\r\n" } @command;

    local $SIG{PIPE} = 'IGNORE';

    while (length $out) {
        my $n = syswrite $self->{sock}, $out;

        if (!defined $n) {
            $self->{broken} = 1;
            die "closed\n";
        }

        substr $out, 0, $n, '';
    }
}


# a string, a number, undef, a list, or a Test::Sync::Redis::Error

sub receive {
    my ($self) = @_;

    my $line = $self->line;
    my $type = substr $line, 0, 1, '';

    return $line if $type eq '+' || $type eq ':';
    return bless \$line, 'Test::Sync::Redis::Error' if $type eq '-';

    if ($type eq '$') {
        return undef if $line < 0;
        return substr $self->bytes($line + 2), 0, $line;
    }

    if ($type eq '*') {
        return undef if $line < 0;
        return [ map { $self->receive } 1 .. $line ];
    }

    $self->{broken} = 1;
    die "unknown reply \"$type$line\"\n";
}


sub line {
    my ($self) = @_;

    while ($self->{in} !~ /\r\n/) {
        $self->more;
    }

    $self->{in} =~ s/^(.*?)\r\n//s;

    return $1;
}


sub bytes {
    my ($self, $n) = @_;

    while (length $self->{in} < $n) {
        $self->more;
    }

    return substr $self->{in}, 0, $n, '';
}


sub more {
    my ($self) = @_;

    my $rd = '';
    vec($rd, fileno($self->{sock}), 1) = 1;

    if (select($rd, undef, undef, $self->{timeout}) <= 0) {
        $self->{broken} = 1;
        die "timeout\n";
    }

    my $n = sysread $self->{sock}, $self->{in}, 65536, length $self->{in};

    if (!$n) {
        $self->{broken} = 1;
        die "closed\n";
    }
}


1;
