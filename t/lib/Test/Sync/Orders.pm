package Test::Sync::Orders;

=head1 NAME

Test::Sync::Orders - clients that book orders, each of them until it is booked

=head1 SYNOPSIS

    my $orders = Test::Sync::Orders->new(store => 'redis://...');

    $orders->begin(clients => 6, seconds => 5);
    $redis->kill9;                          # while they book
    $orders->answered_since(time, 20, 30);
    my $all = $orders->end;

    is(@{ $all->{twice} }, 0, 'none was executed twice');

An order has a key of its own, and a client sends it again as long as it is told
that nothing was done (503), that it is under way (409 in-progress), or nothing
at all.  An order whose outcome is unknown is left to an operator.

They book until C<seconds> are over, or, without them, until C<end>.
C<answered_since(TIME, N, SECONDS)> waits until more than N orders were answered
201 after TIME.

C<end> returns: orders (sent at least once), done (answered 201), unknown,
answered (key to the time of the 201), executed (key to the times at the ERP),
twice (list of key, first, times), lost (keys answered 201 that the ERP never
saw), open (a line of each that was not done: what it was told, and how often).
C<gateway> is the L<Test::Sync> in between.

=cut

use strict;
use warnings;

use Cpanel::JSON::XS ();
use POSIX ();
use Test::Sync;
use Time::HiRes qw(sleep time);


sub new {
    my ($class, %opt) = @_;

    my $t = Test::Sync->new(workers => $opt{workers} || 2);

    $t->write('master.key', 'c4n4ry-master-secret-0123456789');
    $t->canary('c4n4ry-master-secret-0123456789');

    $t->peer(erp => sub {
        my ($req) = @_;

        # the ledger keeps what was asked, this when

        open my $fh, '>>', $t->path('executed') or die "executed: $!";
        syswrite $fh, $req->{body} . ' ' . time() . "\n";
        close $fh;

        return { status => 201, body => 'booked', delay => 0.01 };
    });

    $t->http("    sync_store $opt{store};\n" . <<'CONF');
    sync_secret file:%%TESTDIR%%/master.key;

    proxy_http_version        1.1;
    proxy_set_header          Connection "";
    proxy_ignore_client_abort on;

    upstream erp { server %%PEER_erp%%; keepalive 16; }

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;

        sync_deadline    2s;
        sync_idempotency required scope=none lease=4s;

        location / { proxy_pass http://erp; }
    }
CONF

    return bless { t => $t->start, clients => [] }, $class;
}


sub gateway { return $_[0]{t} }


sub begin {
    my ($self, %opt) = @_;

    my $end = time + ($opt{seconds} || 60);

    for my $i (1 .. $opt{clients} || 4) {
        my $pid = fork() // die "fork: $!";

        if (!$pid) {
            my $n = 0;

            # longer than a lease, of a claim that nobody has heard of

            $self->book("$i-" . ++$n, $end + 6)
                while time < $end && !-e $self->{t}->path('enough');
            POSIX::_exit(0);
        }

        push @{ $self->{clients} }, $pid;
    }

    $self->{counted} = $opt{seconds};
}


sub answered_since {
    my ($self, $since, $n, $seconds) = @_;

    return $self->{t}->wait_for(sub {
        return $n < grep { / done (\S+)$/ && $1 > $since }
                         split /\n/, $self->{t}->read('answered');
    }, $seconds);
}


sub book {
    my ($self, $key, $until) = @_;

    my ($said, %told) = 'gave up';

    while (time < $until) {
        my $res = $self->{t}->post('/orders', $key,
                                   'Content-Type' => 'text/plain',
                                   'Idempotency-Key' => "\"$key\"",
                                   timeout => 4);
        my $status = $res->header('Idempotency-Status') // '';

        if ($res->{status} == 201) {
            $said = 'done';
            last;
        }

        if ($status eq 'outcome-unknown') {
            $said = 'unknown';
            last;
        }

        $told{"$res->{status} $status"}++;

        sleep 0.02;
    }

    open my $fh, '>>', $self->{t}->path('answered') or die "answered: $!";
    syswrite $fh, "$key $said " . time() . "\n";
    close $fh;

    return if $said eq 'done';

    open $fh, '>>', $self->{t}->path('open') or die "open: $!";
    syswrite $fh, "$key: $said, " . join(', ', map { "$told{$_} times $_" }
                                               sort keys %told) . "\n";
    close $fh;
}


sub end {
    my ($self) = @_;

    $self->{t}->write('enough', '') if !$self->{counted};
    waitpid $_, 0 for @{ $self->{clients} };
    $self->{clients} = [];

    my %all = (orders => 0, done => 0, unknown => 0, answered => {},
               executed => {}, twice => [], lost => []);

    for (split /\n/, $self->{t}->read('executed')) {
        my ($key, $when) = split / /;
        push @{ $all{executed}{$key} }, $when;
    }

    for (split /\n/, $self->{t}->read('answered')) {
        my ($key, $said, $when) = split / (?=done|unknown|gave)| (?=\d+\.)/;

        $all{orders}++;
        $all{unknown}++ if $said eq 'unknown';
        next if $said ne 'done';

        $all{done}++;
        $all{answered}{$key} = $when;
        push @{ $all{lost} }, $key if !$all{executed}{$key};
    }

    for my $key (sort keys %{ $all{executed} }) {
        my @times = sort { $a <=> $b } @{ $all{executed}{$key} };

        push @{ $all{twice} }, { key => $key, first => $times[0],
                                 times => \@times }
            if @times > 1;
    }

    $all{open} = [ split /\n/, $self->{t}->read('open') ];

    return \%all;
}


1;
