#!/usr/bin/perl

# Shared memory: what its bounds are, and what a worker that is killed inside
# a lock leaves behind.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Time::HiRes qw(sleep);

my $t = Test::Sync->new(workers => 2);
my $full = Test::Sync->new(workers => 2);
my $none = Test::Sync->new;


# directives

$t->accepted('sync_store shm timeout=300ms name=main;
              sync_zone limits:1m records:2m;
              sync_zone tokens:1m keys:64k metrics:1m; server { }',
             'all of it');

for (
    [ 'sync_store memory;', qr/unknown store "memory": "shm", "redis", / ],
    [ 'sync_store shm:/x;', qr/store "shm:\/x" has no address/ ],
    [ 'sync_store shm wait=1;', qr/"shm" does not know parameter "wait=1"/ ],
    [ 'sync_store shm timeout=soon;', qr/a time such as "timeout=500ms"/ ],
    [ 'sync_store shm timeout=0;', qr/a time such as "timeout=500ms"/ ],
    [ 'sync_store shm; sync_store shm;', qr/"sync_store" directive is dup/ ],
    [ 'sync_zone records;', qr/invalid zone "records", KIND:SIZE/ ],
    [ 'sync_zone colours:1m;', qr/unknown kind of zone "colours": "limits"/ ],
    [ 'sync_zone records:lots;', qr/invalid size in zone "records:lots"/ ],
    [ 'sync_zone records:64k;', qr/"records:64k" is too small, at least 128k/ ],
    [ 'sync_zone limits:1m limits:2m;', qr/zone "limits" is set twice/ ],
    [ 'sync_zone keys:1m; sync_zone keys:1m;', qr/"keys" is set twice/ ],
    [ 'server { sync_store shm; }', qr/"sync_store" directive is not allowed/ ],
    [ 'server { sync_zone keys:1m; }', qr/"sync_zone" directive is not all/ ],
) {
    my ($conf, $like) = @$_;

    $conf .= ' server { }' if $conf !~ /server/;
    $t->refused($conf, $like);
}

my (undef, $out) = $t->check('sync_store redis://:canary@redis; server { }');

unlike($out, qr/canary/, 'an address is not shown, it may hold a password');


sub uri {
    my ($op, %args) = @_;

    return "/op?op=$op" . join '', map { "&$_=$args{$_}" } sort keys %args;
}


sub op {
    my ($s, @op) = @_;

    return $s->get(uri(@op))->json || {};
}


sub state {
    my ($s, $zone) = @_;

    return op($s, 'state')->{"sync_$zone"};
}


# not used, not there

$none->server(<<'CONF');
    location = /fault { sync_test_fault; }
CONF

$none->start;

my $maps = join '', map { do { local (@ARGV, $/) = "/proc/$_/maps"; <> } }
                    $none->workers;
no warnings 'portable';

my @large = grep { /^(\w+)-(\w+) rw-s/ && hex($2) - hex($1) >= 10 << 20 }
            split /\n/, $maps;

is(scalar @large, 0, 'no zone where nobody asks for one');

$none->done;


# full zones

$full->http(<<'CONF');
    sync_zone limits:64k records:128k tokens:64k;

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        location = /op { sync_test_store; }
    }
CONF

$full->start;

my $free = state($full, 'records')->{free};
my $res = op($full, 'claim', key => 'f', owner => 'a', print => 'p',
             repeat => 200, retention => 500, lease => 500);

cmp_ok($res->{OK}, '>=', 64, 'claims until the zone is full');
is($res->{OK} + $res->{FULL}, 200, 'are refused from then on');
is(state($full, 'records')->{refused}, $res->{FULL}, 'and counted');
is(state($full, 'records')->{free}, $free - 1024 * ($res->{OK} + 1),
   'a block each, and one for the account');

is(op($full, 'claim', key => 'x', owner => 'a', print => 'p')->{result},
   'FULL', 'full');
is(op($full, 'due', n => 10)->{expired}, 0, 'no live record is evicted');

ok($full->wait_for(sub { state($full, 'records')->{free} == $free }, 5),
   'what is past its retention is swept by itself');

# a long answer that is replaced gives its blocks back

my %again = (key => 'again', owner => 'a', print => 'p');

$again{epoch} = op($full, 'claim', %again)->{epoch};
$res = state($full, 'records')->{free};

is(op($full, 'settle', %again, outcome => 'U', record => '@5000')->{kept},
   'U', 'unknown, with a long record');
cmp_ok(state($full, 'records')->{free}, '<', $res, 'which takes blocks');
is(op($full, 'settle', %again, outcome => 'C', record => '@300',
      retention => 1)->{kept}, 'C', 'known, with a short one');
is(state($full, 'records')->{free}, $res, 'they are free again');

$full->wait_for(sub { state($full, 'records')->{free} == $free }, 5);

# settling in a full zone

my @held = map { { key => "s$_", owner => 'a', print => 'p' } } 1 .. 3;

$_->{epoch} = op($full, 'claim', %$_)->{epoch} for @held;

op($full, 'extend', %{ $held[1] }, note => '@512', lease => 60000);
op($full, 'extend', %{ $held[2] }, note => '@400', lease => 60000);

$res = op($full, 'claim', key => 'g', owner => 'b', print => 'p',
          repeat => 200);

is(state($full, 'records')->{free}, 0, 'not a block is left');

$res = op($full, 'settle', %{ $held[0] }, outcome => 'C', record => '@5000',
          trimmed => '@768');
is("$res->{result} $res->{kept}", 'OK T', 'a settle succeeds, trimmed');

$res = op($full, 'look', key => 's1');
is("$res->{state} $res->{len} $res->{whole}", 'T 768 1', 'to 768 bytes');

$res = op($full, 'settle', %{ $held[1] }, outcome => 'C', record => '@5000',
          trimmed => '@768');
is("$res->{result} $res->{kept}", 'OK T', 'also where a note was in the way');

$res = op($full, 'look', key => 's2');
is("$res->{state} $res->{len} $res->{note}", 'T 768 ', 'which goes then');

$res = op($full, 'settle', %{ $held[2] }, outcome => 'Q', record => '@5000');
is($res->{result}, 'FULL', 'Q is refused');
is(op($full, 'look', key => 's3')->{state}, 'P', 'and changes nothing');

is(op($full, 'settle', %{ $held[2] }, outcome => 'C', record => '@300')
   ->{kept}, 'C', 'a short answer fits');
is(op($full, 'release', key => 's4', owner => 'a')->{result}, 'OK',
   'a release succeeds');

# limits: live ones stay, those that are over make room

$free = state($full, 'limits')->{free};
$res = op($full, 'limit_take', key => 'l', count => 1, per => 700, burst => 1,
          repeat => 1000);

cmp_ok($res->{OK}, '>', 100, 'limits until the zone is full');
cmp_ok($res->{FULL}, '>', 100, 'are refused from then on');
is(op($full, 'limit_take', key => 'l0', count => 1, per => 700, burst => 1)
   ->{result}, 'NO', 'the first one stands');

sleep 0.9;

is(op($full, 'limit_take', key => 'm', count => 1, per => 700, burst => 1)
   ->{result}, 'OK', 'what is over makes room');

ok($full->wait_for(sub { state($full, 'limits')->{free} == $free }, 4),
   'and is swept by itself');

# the cache goes by use: the first one was used since, the second was not

op($full, 'cache_put', key => "use$_", value => '@100') for 1, 2;
sleep 1.2;
op($full, 'cache_get', key => 'use1');

op($full, 'cache_put', key => 'u', value => '@100',
   repeat => int(state($full, 'tokens')->{free} / 256) + 1);

is(op($full, 'cache_get', key => 'use2')->{result}, 'NO',
   'what was not used goes first');
is(op($full, 'cache_get', key => 'use1')->{result}, 'OK', 'what was stays');

# tokens: the cache yields, what was seen does not

op($full, 'cache_put', key => 'old', value => '@100');

$res = op($full, 'cache_put', key => 'c', value => '@100', repeat => 2000);

is($res->{OK}, 2000, 'the cache takes whatever comes');
is(op($full, 'cache_get', key => 'old')->{result}, 'NO', 'and drops the old');
is(op($full, 'cache_get', key => 'c1999')->{result}, 'OK', 'for the new');
is(op($full, 'cache_put', key => 'big', value => '@30000')->{result}, 'FULL',
   'one value is not all of it');

$res = op($full, 'seen', key => 's', repeat => 2000);

cmp_ok($res->{OK}, '>', 100, 'what was seen takes the place of the cache');
cmp_ok($res->{FULL}, '>', 100, 'until it is full');
is(op($full, 'seen', key => 's0')->{result}, 'NO', 'the first is known');
is(op($full, 'cache_put', key => 'c', value => 'v')->{result}, 'FULL',
   'the cache does not take that place');

# a size that changes

$full->{conf} =~ s/records:128k/records:256k/;
ok($full->reload, 'a reload changes the size of a zone');

$full->log_like(qr/zone "sync_records" changes its size: what is in it will/,
                'and says what that means');
is(op($full, 'look', key => 's1')->{result}, 'NO', 'that is forgotten');
is(op($full, 'seen', key => 's0')->{result}, 'NO', 'that is not');

$full->done;


# killed inside a lock

$t->allow(qr/exited on signal 9/,
          qr/shared memory zone "sync_\w+" was locked by/);

$t->http(<<'CONF');
    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        location = /op { sync_test_store; }
        location = /crash { sync_test_crash; }
    }
CONF

$t->start;


# Kills a worker; the other one and its successor go on.

sub crash {
    my ($zone, $point) = @_;

    my $before = state($t, $zone)->{rebuilt};
    my @old = $t->workers;

    $t->get("/crash?zone=$zone&point=$point", timeout => 5);

    $t->wait_for(sub {
        my @new = $t->workers;
        return @new == 2 && "@new" ne "@old";
    }, 5);

    # whoever takes the lock next

    op($t, 'due', n => 0);
    op($t, 'limit_take', key => 'any', count => 1, burst => 1);
    op($t, 'cache_get', key => 'any');

    is(state($t, $zone)->{rebuilt}, $before + 1, "$zone, $point: rebuilt");
}


for my $i (1 .. 40) {
    my %k = (key => "k$i", owner => 'a', print => 'p', tenant => 'x');

    $k{epoch} = op($t, 'claim', %k, max_keys => 45)->{epoch};

    op($t, 'extend', %k, lease => 60000, note => "note$i");
    op($t, 'settle', %k, outcome => 'C', record => '@' . $i * 200,
       retention => 600000) if $i % 2;
}

# others beside it, and one whose lease ends while the zone is in pieces

op($t, 'claim', key => 'short', owner => 'a', print => 'p', lease => 50,
   tenant => 'x');


sub records_stand {
    my ($name, $but) = @_;

    my $bad = 0;

    for my $i (grep { $_ != ($but // 0) } 1 .. 40) {
        my $r = op($t, 'claim', key => "k$i", owner => 'b', print => 'p');

        my $got = "$r->{result} $r->{note} "
                  . ($i % 2 ? "$r->{len} $r->{whole}" : '');
        my $want = $i % 2 ? "DONE note$i " . $i * 200 . ' 1'
                          : "BUSY note$i ";

        $bad++, diag("k$i: $got, not $want") if $got ne $want;
    }

    is($bad, 0, "$name: every record stands");
}


records_stand('before');

my $whole = state($t, 'records');

for my $point (qw(locked index new body change)) {
    crash('records', $point);
    records_stand($point);

    my $now = state($t, 'records');

    is("$now->{free} $now->{entries}", "$whole->{free} $whole->{entries}",
       "$point: nothing is lost, nothing is counted twice");
}

$t->log_like(qr/\[warn\].*a worker died inside zone "sync_records", \d+ entr/,
             'it is logged');

my $capped = sub {
    return op($t, 'claim', key => 'cap' . $_[0], owner => 'a', print => 'p',
              tenant => 'x', max_keys => 45)->{result};
};

is(join(' ', map { $capped->($_) } 1 .. 5), 'OK OK OK OK FULL',
   'the account of the tenant is right');

ok($t->wait_for(sub {
    return (op($t, 'look', key => 'short')->{state} // '') eq 'U';
}, 5), 'a lease ended as ever');

crash('records', 'torn');

my $first = op($t, 'look', key => 'k1');

is("$first->{state} $first->{note}", 'U note1',
   'an answer that is in pieces is unknown');
records_stand('torn', 1);

crash('records', 'drop');

is(op($t, 'look', key => 'k1')->{result}, 'NO', 'dropped is dropped');
records_stand('drop', 1);

# a lock that is wanted at that moment

my @res = $t->parallel(
    (map { [ GET => uri('look', key => "k$_") ] } 2 .. 20),
    [ GET => '/crash?zone=records&point=index' ],
    (map { [ GET => uri('look', key => "k$_") ] } 21 .. 40));

my @ok = grep { $_->{status} == 200 && $_->json->{result} eq 'OK' } @res;

cmp_ok(scalar @ok, '>=', 1, 'the other worker goes on');
records_stand('in the middle of others', 1);


# limits

my %l = (key => 'lim', count => 1, per => 600000, burst => 3);

op($t, 'limit_take', %l);
op($t, 'slot_acquire', key => 'slot', limit => 2, owner => $_) for qw(a b);

for my $point (qw(locked index new change)) {
    crash('limits', $point);

    is(op($t, 'limit_take', %l, cost => 0)->{answers}[0]{remaining}, 2,
       "$point: a limit stands");
    is(op($t, 'slot_acquire', key => 'slot', limit => 2, owner => 'c')
       ->{result}, 'NO', "$point: slots are held");
}

op($t, 'slot_release', key => 'slot', owner => 'a');
is(op($t, 'slot_acquire', key => 'slot', limit => 2, owner => 'c')->{result},
   'OK', 'and can be released');


# tokens

op($t, 'cache_put', key => 'cached', value => '@1000', ttl => 60000);
op($t, 'seen', key => 'jti', ttl => 60000);

for my $point (qw(locked index new body change)) {
    crash('tokens', $point);

    is(op($t, 'cache_get', key => 'cached')->{len}, 1000,
       "$point: a cached value stands");
    is(op($t, 'seen', key => 'jti')->{result}, 'NO',
       "$point: what was seen stands");
}

crash('tokens', 'torn');

is(op($t, 'cache_get', key => 'cached')->{result}, 'NO',
   'a value in pieces is not there');

my $room = state($t, 'tokens')->{free};

op($t, 'cache_put', key => 'cached', value => '@1000', ttl => 60000);
is(op($t, 'cache_get', key => 'cached')->{len}, 1000, 'but can be again');
cmp_ok($room - state($t, 'tokens')->{free}, '<', 2000, 'nothing was lost');


# what it costs

for (
    [ claim => print => 'p', owner => 'a' ],
    [ 'limit_take', count => 1, per => 60000, burst => 5 ],
    [ 'seen' ],
) {
    my ($name, @args) = @$_;

    my $r = op($t, $name, key => "bench-$name", @args, repeat => 5000);

    diag("$name: $r->{ns} ns");
    is($r->{OK}, 5000, "$name: 5,000 at once");
}

$t->done;
