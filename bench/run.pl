#!/usr/bin/perl

# What each policy costs: CPU of the worker per request, in one interleaved
# run.  Machines are noisy; the ratios of a run are what counts.
#
#     make bench [QUICK=1]
#
# Two gateways of one worker each (one without the module) on one core, as a
# worker has it in production; upstream, load (wrk, 64 connections, a 2 KB order
# by POST) and a redis-server on another one.  The upstream answers with the id
# of the new order, but for "both ways": there it sends the whole document.
#
# "token, RS256" sends 6,000 tokens in turn, more than all caches hold, so each is
# verified; HAProxy does the same beside it with its jwt_verify, where there is
# one (`apt-get install haproxy`), and is compared with a bare proxy of its own.
#
# Variants of Redis run on a third gateway.  What a request costs that server is
# the last column.
#
# "user" is what of it was spent outside the kernel.  "of bare" compares with a
# bare proxy_pass that is sent the same headers: a token of 700 bytes has to be
# read and passed on by it, too.
#
# To wake a core that sleeps costs the one that wakes it some microseconds, most
# of all in a virtual machine, and the slower a variant, the more often the second
# core would sleep: the slower ones would pay for a wait that is not theirs, and
# for none of their system calls, which are the same.  So an idle process keeps
# that core awake, and what runs there is a batch job, for which nothing is
# interrupted; --asleep measures without.
#
# Whoever shares a core of the host with a virtual machine slows down what runs
# in user space, to 60 % of its speed where we looked, and the kernel's part less;
# in turns, of a tenth of a second or of hours.  What a policy adds is user space.
# So a small loop runs on the worker's core, every ten milliseconds, and a
# measurement is cut in slices of fifty: "of bare" comes from those in which the
# loop was never 15 % slower than at its best, "all" has every slice in it.  A
# line that has less than three pairs of four such slices says all, behind a "~".
#
# --one-core puts all on one core: nobody waits for another core, but a worker
# finds its caches used by all the others, the more of it the more it does.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();
use IO::Socket::INET;
use List::Util qw(sum);
use Time::HiRes qw(sleep time clock_gettime);

my $root = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{SYNC_BUILD} || "$root/build";
my $nginx = $ENV{SYNC_NGINX} || '/usr/sbin/nginx';
my $quick = grep { $_ eq '--quick' } @ARGV;
my $two = !grep { $_ eq '--one-core' } @ARGV;
my $asleep = grep { $_ eq '--asleep' } @ARGV;
my @only = grep { !/^--/ } @ARGV;

my ($rounds, $seconds) = $quick ? (7, 1) : (15, 3);

my $dir = File::Temp->newdir('/tmp/sync-bench-XXXXXX');
my $json = Cpanel::JSON::XS->new->canonical;
my %pids;

# sched_yield, by number: nothing of Perl calls it

my ($yield) = grep { $_ } map { qx(uname -m) =~ /^$_->[0]/ && $_->[1] }
              [ 'x86_64', 24 ], [ 'aarch64', 124 ];

my $batch = $asleep ? '' : 'chrt -b 0 ';
my $pin = $batch . 'taskset ' . ($two ? 2 : 1);
my $affinity = $two ? '10' : '01';
my $awake = 0;

sub slurp { local (@ARGV, $/) = shift; return scalar <> }

sub spew {
    my ($name, $text) = @_;

    make_path(dirname("$dir/$name"));
    open my $f, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $f $text;
    close $f;
}

sub free_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
        or die "no free port: $!\n";
    return $s->sockport;
}

my %port = map { $_ => free_port() } qw(up bare sync redis store haproxy);


# the order in Salesforce's words, 2 KB, and the answer of the ERP

my $order = slurp("$root/t/unit/golden/salesforce-order.json");
my $answer = slurp("$root/t/unit/golden/s4-answer.json");

$answer =~ s/\s*\n\s*//g;
$answer =~ s/(['\\])/\\$1/g;


# keys, a token, a tenant

spew('master.key', 'bench-master-secret-0123456789');

make_path("$dir/library/maps");

for my $map (qw(salesforce s4)) {
    spew("library/maps/$map.json",
         slurp("$root/conf.example/library/maps/$map.json"));
}

system("$build/synctoken", 'keygen', 'RS256', 'k1', "$dir/key.pem",
       "$dir/library/jwks.json") == 0 or die "synctoken keygen failed\n";

sub mint {
    my ($id) = @_;

    my $claims = $json->encode({ iss => 'https://login.bench.example',
        aud => 'https://sync.example', sub => 'crm', azp => 'crm',
        scope => 'orders', exp => '+7200', iat => '+0', jti => $id });

    my $token = qx($build/synctoken mint $dir/key.pem k1 RS256 '$claims');
    $? == 0 or die "synctoken mint failed\n";
    chomp $token;

    return $token;
}

my $token = mint('b1');

my %tenant = (
    issuers => [ { issuer => 'https://login.bench.example',
                   jwks => 'jwks.json',
                   audience => ['https://sync.example'] } ],
    plans => { gold => { limits => [ { rate => '1000000/s',
                                       burst => 1000000 } ] } },
    sources => { salesforce => { format => 'json',
        maps => { sales_order => 'maps/salesforce.json' } } },
    clients => {
        crm => { source => 'salesforce', plan => 'gold',
                 api_keys => ['secret:key'],
                 entities => { sales_order => [ 'create', 'read' ] } } },
    routes => [ { entity => 'sales_order', to => 's4' } ]);

for (['bench', ''], ['full', '/full']) {
    my ($name, $path) = @$_;

    spew("secrets/t_$name/$_->[0]", $_->[1])
        for [ 'erp-user', 'user' ], [ 'erp-password', 'password' ],
            [ 'key', 'bench-api-key-0123456789' ];

    spew("tenants/$name.json", $json->encode({ %tenant,
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.sync.example"] },
        connectors => { s4 => {
            upstream => 'up', path => "$path/sap/API_SALES_ORDER_SRV",
            format => 'odata-v2',
            credentials => { basic => { user => 'secret:erp-user',
                                        password => 'secret:erp-password' } },
            idempotency => { send => 'header:RequestID', as => 'uuid-hex' },
            entities => { sales_order => { map => 'maps/s4.json',
                create => 'POST /A_SalesOrder',
                read => "GET /A_SalesOrder('{id}')" } } } } }));
}

chmod 0755, "$dir";
system("chmod -R a+rX $dir");


# upstream and gateways

my $common = <<"END";
user root;
worker_processes 1;
error_log $dir/error.log warn;
events { worker_connections 1024; }
END

spew('up.conf', "worker_cpu_affinity $affinity;\npid $dir/up.pid;\n$common" . <<"END");
http {
    access_log off;
    keepalive_requests 1000000;
    keepalive_timeout 1h;
    default_type application/json;
    client_body_buffer_size 64k;
    server {
        listen 127.0.0.1:$port{up} backlog=1024;
        location = /count { stub_status; }
        location / { return 201 '{"d":{"SalesOrder":"4711"}}'; }
        location /full/ { return 201 '$answer'; }
    }
}
END

my $proxy = <<'END';
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_ignore_client_abort on;
        proxy_pass http://up;
END

my $http = <<"END";
    access_log off;
    keepalive_requests 1000000;
    keepalive_timeout 1h;
    client_body_buffer_size 64k;
    client_header_buffer_size 4k;
    request_pool_size 16k;
    upstream up { server 127.0.0.1:$port{up}; keepalive 128;
                  keepalive_requests 1000000; }
END

spew('bare.conf', "worker_cpu_affinity 01;\npid $dir/bare.pid;\n$common"
     . <<"END");
http {
$http
    server {
        listen 127.0.0.1:$port{bare} backlog=1024;
        location = /count { stub_status; }
        location / {
$proxy        }
    }
}
END

sub gateway {
    my ($v) = @_;

    return !defined $v->[1] ? 'bare' : $v->[2]{redis} ? 'redis'
           : $v->[2]{haproxy} ? 'haproxy' : 'sync';
}

# name, settings of the location, who asks how

my $idem = 'sync_deadline 2s; sync_idempotency required scope=$http_x_client lease=3s retention=5s;';

my @variants = (
    [ bare  => undef,                                     {} ],
    [ 'bare, API key' => undef,                           { apikey => 1 } ],
    [ 'bare, token' => undef,                             { token => 1 } ],
    [ 'bare, key' => undef,                               { key => 1 } ],
    [ 'bare, token, key' => undef,              { token => 1, key => 1 } ],
    [ off   => '',                                        {} ],
    [ 'limit' => 'sync_limit rate=1000000/s burst=1000000 '
                 . 'key=$binary_remote_addr;',            {} ],
    [ 'tenant' => 'sync_tenant host;',                    {} ],
    [ 'api key' => 'sync_tenant host; sync_auth api_key;', { apikey => 1 } ],
    [ 'token, cached' => 'sync_tenant host; sync_auth token;',
      { token => 1 } ],
    [ 'token, RS256' => 'sync_tenant host; sync_auth token;',
      { token => 1, many => 1 } ],
    [ 'HAProxy' => '/plain/',                { token => 1, haproxy => 1 } ],
    [ 'HAProxy, RS256' => '/jwt/',
      { token => 1, many => 1, haproxy => 1 } ],
    [ 'idempotency, first' => $idem,                      { key => 1 } ],
    [ 'idempotency, replay' => $idem =~ s/retention=5s/retention=10m/r,
      { key => 'same' } ],
    [ 'map' => 'sync_tenant host; sync_entity sales_order at=%%; '
               . 'sync_auth api_key; sync_normalize on;',
      { apikey => 1 } ],
    [ 'map, both ways' => 'sync_tenant host; sync_entity sales_order at=%%; '
                          . 'sync_auth api_key; sync_normalize on;',
      { apikey => 1, host => 'full' } ],
    [ 'chain' => 'sync_tenant host; sync_auth token; '
                 . 'sync_entity sales_order at=%%; sync_limit plan; '
                 . 'sync_deadline 2s; sync_idempotency required lease=3s retention=5s; '
                 . 'sync_normalize on;',
      { token => 1, key => 1 } ],
    [ 'limit, exact' => 'sync_limit rate=1000000/s burst=1000000 mode=exact '
                        . 'key=$binary_remote_addr;',    { redis => 1 } ],
    [ 'limit, leased' => 'sync_limit rate=1000000/s burst=1000000 '
                         . 'mode=leased key=$binary_remote_addr;',
      { redis => 1 } ],
    [ 'first, Redis' => $idem,                 { key => 1, redis => 1 } ],
    [ 'replay, Redis' => $idem =~ s/retention=5s/retention=10m/r,
      { key => 'same', redis => 1 } ],
    [ 'chain, exact' => 'sync_tenant host; sync_auth token; '
                 . 'sync_entity sales_order at=%%; sync_limit plan mode=exact; '
                 . 'sync_deadline 2s; sync_idempotency required lease=3s '
                 . 'retention=5s; sync_normalize on;',
      { token => 1, key => 1, redis => 1 } ],
    [ 'chain, leased' => 'sync_tenant host; sync_auth token; '
                 . 'sync_entity sales_order at=%%; '
                 . 'sync_limit plan mode=leased; '
                 . 'sync_deadline 2s; sync_idempotency required lease=3s '
                 . 'retention=5s; sync_normalize on;',
      { token => 1, key => 1, redis => 1 } ],
);

my %locations = (sync => '', redis => '');
my $n = 0;

for my $v (@variants) {
    my ($name, $conf, $opt) = @$v;

    next if !defined $conf;

    if ($opt->{haproxy}) {
        $v->[3] = $conf;
        next;
    }

    my $path = '/v' . $n++;
    my $pass = $proxy;

    $v->[3] = "$path/orders";
    $conf =~ s/%%/$path\/orders/;

    $pass =~ s{http://up;}{http://\$sync_upstream\$sync_upstream_uri;}
        if $conf =~ /sync_normalize/;

    $locations{ gateway($v) } .= "    location $path/ {\n        $conf\n$pass    }\n";
}

# names on the command line: these alone are measured

@variants = grep { my $v = $_; !defined $v->[1]
                   || grep { $v->[0] =~ /\Q$_/ } @only } @variants if @only;

my ($haproxy) = grep { -x } map { "$_/haproxy" } qw(/usr/sbin /usr/local/sbin);

@variants = grep { !$_->[2]{haproxy} } @variants if !$haproxy;

my @gateways = grep { my $g = $_; grep { gateway($_) eq $g } @variants }
               qw(bare sync redis);

if (grep { $_->[2]{many} } @variants) {
    spew('tokens', join '', map { mint("m$_") . "\n" } 1 .. 6000);
}

my %store = (sync => "sync_zone records:512m tokens:1m;",
             redis => "sync_store redis://127.0.0.1:$port{store};");

for my $name (qw(sync redis)) {
    spew("$name.conf", "load_module $build/ngx_http_sync_module.so;\n"
         . "worker_cpu_affinity 01;\npid $dir/$name.pid;\n$common" . <<"END");
http {
$http
    sync_secret  file:$dir/master.key;
    $store{$name}
    sync_tenants $dir/tenants;
    sync_library $dir/library;
    sync_secrets $dir/secrets;
    server {
        listen 127.0.0.1:$port{$name} backlog=1024;
        location = /count { stub_status; }
$locations{$name}
    }
}
END
}

if (grep { $_ eq 'redis' } @gateways) {
    defined($pids{store} = fork()) or die "fork: $!\n";

    if ($pids{store} == 0) {
        open STDOUT, '>', "$dir/redis.log";
        exec(split(' ', $pin), qw(redis-server --port),
             $port{store}, '--bind', '127.0.0.1', '--dir', "$dir", '--save',
             '', '--maxmemory-policy', 'noeviction')
            or kill 'KILL', $$;
    }

    for (1 .. 100) {
        last if IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                      PeerPort => $port{store});
        sleep 0.05;
    }
}

if (grep { gateway($_) eq 'haproxy' } @variants) {

    system("openssl pkey -in $dir/key.pem -pubout -out $dir/key.pub") == 0
        or die "openssl cannot read the key\n";

    # algorithm, issuer and audience are checked here as there

    my $claim = 'http-request deny deny_status 401 if { path_beg /jwt/ } '
                . '!{ var(txn.token),';

    spew('haproxy.cfg', <<"END");
global
    nbthread 1
    cpu-map 1 0
    tune.bufsize 65536
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 2s
frontend gateway
    bind 127.0.0.1:$port{haproxy} backlog 1024
    http-request set-var(txn.token) http_auth_bearer if { path_beg /jwt/ }
    ${claim}jwt_header_query('\$.alg') -m str RS256 }
    ${claim}jwt_payload_query('\$.iss') -m str https://login.bench.example }
    ${claim}jwt_payload_query('\$.aud') -m str https://sync.example }
    ${claim}jwt_verify("RS256","$dir/key.pub") -m int 1 }
    default_backend up
backend up
    http-reuse always
    server up 127.0.0.1:$port{up}
END

    defined($pids{haproxy} = fork()) or die "fork: $!\n";

    if ($pids{haproxy} == 0) {
        exec($haproxy, '-db', '-q', '-f', "$dir/haproxy.cfg")
            or kill 'KILL', $$;
    }

    sleep 1;
}

for my $name ('up', @gateways) {
    my $how = $name eq 'up' ? $batch : '';
    my $out = qx($how$nginx -p $dir -c $dir/$name.conf 2>&1);
    $? == 0 or die "$name does not start:\n$out";
}

system("taskset -p 2 $$ > /dev/null") if $two;

if ($two && $batch && $yield) {
    defined($awake = fork()) or die "fork: $!\n";

    if ($awake == 0) {
        exec(split(' ', $batch), qw(taskset 2 nice -n 19 perl -e),
             "syscall($yield) while getppid() != 1") or kill 'KILL', $$;
    }
}

sub worker {
    my ($name) = @_;

    return $pids{$name} ||= do {
        my $master = slurp("$dir/$name.pid") + 0;
        my ($worker) = grep { /^\d+$/ } split ' ',
            slurp("/proc/$master/task/$master/children");
        $worker;
    };
}

# microseconds of CPU, up to now; ticks in user space and in the kernel

sub cpu {
    my ($pid) = @_;

    return (clock_gettime(-8 * $pid - 6) * 1e6,     # clock_getcpuclockid(3)
            (split ' ', slurp("/proc/$pid/stat"))[13, 14]);
}

# requests a gateway has had, up to now: HAProxy is asked for by its upstream

my %asked;

sub requests {
    my ($name) = @_;

    $name = 'up' if $name eq 'haproxy';

    my $s = $asked{$name}
            ||= IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port{$name}")
        or die "no connection to $name: $!\n";

    syswrite $s, "GET /count HTTP/1.1\r\nHost: count\r\n\r\n";

    my $text = '';

    while ($text !~ /Waiting: \d+ \n/) {
        sysread $s, $text, 4096, length $text or die "$name does not count\n";
    }

    return ($text =~ /requests\n \d+ \d+ (\d+)/)[0];
}

# how long a small loop takes on the core of the workers, and when

open my $probe, '-|', 'taskset', 1, 'perl',
     '-MTime::HiRes=sleep,time,clock_gettime', '-e', <<'END' or die "perl: $!\n";
    $| = 1;

    while (getppid() != 1) {
        sleep 0.01;

        for (0, 1) {                            # the first warms caches up
            my ($t, $n) = (clock_gettime(2), 0);
            $n += $_ for 1 .. 10000;
            $took = clock_gettime(2) - $t;
        }

        print time, " $took\n";
    }
END

$probe->blocking(0);

my (@probed, @paces);

sub probes {
    my $text = '';

    1 while sysread $probe, $text, 65536, length $text;

    @probed = map { [ split ] } split /\n/, $text;
    push @paces, map { $_->[1] } @probed;
}

END {
    my $code = $?;

    kill 'TERM', grep { $_ } $awake, @pids{qw(store haproxy)};

    for my $name (qw(up bare sync redis)) {
        my $pid = -e "$dir/$name.pid" ? slurp("$dir/$name.pid") + 0 : 0;
        kill 'TERM', $pid if $pid;
    }

    sleep 0.3;
    $? = $code;
}

my $serial = 0;

sub script {
    my ($v) = @_;

    my ($name, $conf, $opt, $path) = @$v;
    my %h = ('Content-Type' => 'application/json', 'X-Client' => 'bench');

    $h{Host} = ($opt->{host} || 'bench') . '.sync.example';
    $h{Authorization} = "Bearer $token" if $opt->{token};
    $h{'X-API-Key'} = 'bench-api-key-0123456789' if $opt->{apikey};

    my $lua = "wrk.method = 'POST'\nwrk.body = [==[$order]==]\n";

    $lua .= "wrk.headers['$_'] = '$h{$_}'\n" for sort keys %h;

    $lua .= "local t, at = {}, 0\n"
          . "for l in io.lines('$dir/tokens') do t[#t + 1] = l end\n"
          . "request = function()\n    at = at % #t + 1\n"
          . "    wrk.headers['Authorization'] = 'Bearer ' .. t[at]\n"
          . "    return wrk.format()\nend\n" if $opt->{many};

    if ($opt->{key}) {
        my $key = $opt->{key} eq 'same' ? "'\"same-key\"'"
                : "'\"" . ++$serial . "-' .. n .. '\"'";

        $lua .= "local n = 0\nrequest = function()\n    n = n + 1\n"
              . "    wrk.headers['Idempotency-Key'] = $key\n"
              . "    return wrk.format()\nend\n";
    }

    # a status that is not the upstream's would be measured as cheap

    $lua .= "done = function(s, l, r)\n"
          . "    io.write('BAD ', s.errors.status, ' ALL ', s.requests, "
          . "'\\n')\nend\n";

    spew('load.lua', $lua);

    return "$dir/load.lua";
}

# what such an answer says

sub one {
    my ($v) = @_;

    my ($name, $conf, $opt, $path) = @$v;
    my @h = ('-H', 'Content-Type: application/json', '-H', 'X-Client: bench',
             '-H', 'Host: ' . ($opt->{host} || 'bench') . '.sync.example');

    push @h, '-H', "Authorization: Bearer $token" if $opt->{token};
    push @h, '-H', 'X-API-Key: bench-api-key-0123456789' if $opt->{apikey};
    push @h, '-H', 'Idempotency-Key: "one"' if $opt->{key};

    open my $curl, '-|', 'curl', '-si', @h, '--data-binary', $order,
         "http://127.0.0.1:$port{gateway($v)}$path" or return '';

    return join('', <$curl>), "\n", qx(tail -n 3 $dir/error.log);
}

# one measurement: its slices of CPU and ticks of the worker, CPU of Redis,
# requests, and how long the small loop took at worst

sub measure {
    my ($v, $time) = @_;

    my ($name, $conf, $opt, $path) = @$v;
    my $which = gateway($v);
    my $lua = script($v);
    my @at;

    open my $load, '-|', "$pin wrk -t1 -c64 -d${time}s -s $lua "
         . "http://127.0.0.1:$port{$which}@{[$path // '/']} 2>&1"
        or die "wrk: $!\n";

    for (1 .. ($time - 0.1) / 0.05) {
        sleep 0.05;

        push @at, [ cpu(worker($which)),
                    $opt->{redis} ? (cpu($pids{store}))[0] : 0,
                    requests($which), time ];
    }

    my $out = do { local $/; <$load> };

    close $load;
    probes();

    my ($bad, $all) = $out =~ /BAD (\d+) ALL (\d+)/
        or die "wrk says:\n$out";

    # keepalive connections that wrk drops at its end do not count

    die "$name: $bad of $all answers are errors\n", one($v)
        if $bad > $all / 100 || $all == 0;

    return [ map {
        my ($from, $to) = @at[$_, $_ + 1];
        my @seen = sort { $a <=> $b } map { $_->[1] }
                   grep { $_->[0] > $from->[5] && $_->[0] < $to->[5] } @probed;

        [ (map { $to->[$_] - $from->[$_] } 0 .. 4), $seen[-1] // 1 ];
    } 0 .. $#at - 1 ];
}

# microseconds for a request, those in user space, and those of Redis, from the
# slices in which the loop took no longer than that; nothing: too few of them

sub cost {
    my ($slices, $pace) = @_;

    my @of = grep { $_->[5] <= $pace } @$slices;

    return if @of < 4;

    my ($cpu, $user, $system, $redis, $n)
        = map { my $i = $_; sum(map { $_->[$i] } @of) } 0 .. 4;

    return [ $cpu / $n, $cpu / $n * $user / ($user + $system || 1),
             $redis / $n ];
}

# a variant is compared with the bare proxy that reads the same headers

sub headers { return join ' ', grep { $_[0][2]{$_} } qw(apikey token key) }

sub bare {
    my ($v) = @_;

    my ($with) = $v->[2]{haproxy}
                 ? grep { $_->[0] eq 'HAProxy' } @variants
                 : grep { !defined $_->[1] && headers($_) eq headers($v) }
                   @variants;

    return $with;
}

sub median { my @s = sort { $a <=> $b } @_; return $s[$#s / 2] }

sub percent { return sprintf '%.1f%%', 100 * median(@_) }

# A virtual machine is faster in one second than in the next: each measurement
# has one of its bare proxy just before, and what is printed is the median of
# such pairs.

my %pairs;

sub pace { return (sort { $a <=> $b } @paces)[@paces / 20] * 1.15 }

sub pairs {
    my ($name, $pace) = @_;

    return grep { $_->[0] && $_->[1] }
           map { [ map { cost($_, $pace) } @$_ ] } @{ $pairs{$name} };
}

for my $round (0 .. 2 * $rounds) {
    for my $v (@variants) {
        my $bare = bare($v);

        next if $bare == $v
                || $round > $rounds && pairs($v->[0], pace()) >= 3;

        my @pair = map { measure($_, $round ? $seconds : 1) } $bare, $v;

        push @{ $pairs{$v->[0]} }, \@pair if $round;       # 0 warms up
    }
}

my $pace = pace();
my (%bare, %row);

for my $v (@variants) {
    my $name = $v->[0];

    next if !$pairs{$name};

    my @all = pairs($name, 9e9);
    my @calm = pairs($name, $pace);
    my @of = @calm >= 3 ? @calm : @all;

    push @{ $bare{bare($v)->[0]} }, map { $_->[0] } @of;

    $row{$name} = {
        cost => [ map { $_->[1] } @of ],
        added => median(map { $_->[1][0] - $_->[0][0] } @of),
        ratio => (@calm >= 3 ? ' ' : '~')
                 . percent(map { $_->[0][0] / $_->[1][0] } @of),
        all => percent(map { $_->[0][0] / $_->[1][0] } @all)
    };
}

printf "%-22s %10s %8s %9s %8s %8s%s\n", 'CPU of the worker', 'us/request',
       'added', 'of bare', 'all', 'user',
       (grep { $_->[2]{redis} } @variants) ? '    Redis' : '';

for my $v (@variants) {
    my $name = $v->[0];
    my $row = $row{$name};
    my @cost = $row ? @{ $row->{cost} } : @{ $bare{$name} || [] };

    next if !@cost;

    printf "%-22s %10.2f %8.2f %9s %8s %8.2f%s\n", $name,
           median(map { $_->[0] } @cost), $row ? $row->{added} : 0,
           $row ? @$row{qw(ratio all)} : ('', ''),
           median(map { $_->[1] } @cost),
           $v->[2]{redis} ? sprintf ' %8.2f', median(map { $_->[2] } @cost)
                          : '';
}

printf "\n%d pairs of %d s; order %d bytes; %s\n", $rounds, $seconds,
       length $order, !$two ? 'all on one core'
                      : $batch ? 'two cores, the other one awake'
                      : 'two cores, the other one may sleep';
printf "the small loop took %.0f us at best, more than %.0f in %.0f %% of its "
       . "runs\n", $pace / 1.15 * 1e6, $pace * 1e6,
       100 * (grep { $_ > $pace } @paces) / @paces;
