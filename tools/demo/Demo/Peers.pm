package Demo::Peers;

# The two systems behind the gateway: an ERP that books whatever it is sent,
# as ERPs do, and a CRM.  Payloads are kept as text: a fake that read 0.10 into
# a number could not tell whether 0.10 arrived.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Socket qw(SOMAXCONN);
use Time::HiRes ();

use Test::Sync::Peer;

my $ARRAY = qr/(\[(?:[^\[\]"]++|"(?:[^"\\]|\\.)*+"|(?1))*+\])/s;


# A peer of its own process; returns its pid.  The socket is there before it
# returns, so whoever asks at once is answered.

sub start {
    my ($port, $code, %opt) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                       LocalPort => $port, Proto => 'tcp',
                                       Listen => SOMAXCONN, ReuseAddr => 1)
        or die "port $port: $!\n";

    my $pid = fork() // die "fork: $!";

    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM);
    $SIG{PIPE} = 'IGNORE';

    if ($opt{alone}) {
        POSIX::setsid();
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
    }

    Test::Sync::Peer->new(listen => $listen, code => $code,
                          ledger => $opt{ledger} || '/dev/null',
                          ctl => $opt{ctl} // '')->run;
    exit 0;
}


# An ERP with a ledger.  It speaks A_SalesOrder of S/4 at its own path, and
# takes an order of any kind elsewhere.  {"slow":{"00000102":1}} in its control
# file: that order is booked and never answered.  Only the system in the US
# honours RequestID: asked again with the same one, it says what it did then.
# The one in the EU takes an order with a token against forged requests alone.
# With SYNC_DEMO_ROUNDS it answers as if it had read numbers into doubles.

sub erp {
    my (@booked, %slept);
    my $requests = 0;

    return sub {
        my ($req, $ctl) = @_;

        return [ 200, {}, ledger(\@booked, $requests) ]
            if $req->{uri} eq '/ledger';
        return stop() if $req->{uri} eq '/stop';

        return erp_token() if fetches($req);

        $requests++;

        return [ 403, { 'X-CSRF-Token' => 'Required' }, '' ]
            if $req->{method} ne 'GET' && !erp_trusts($req);

        return erp_read($req, \@booked) if $req->{method} eq 'GET';

        my $key = $req->{h}{requestid};
        my $honours = ($req->{h}{host} // '') =~ /^s4-us\./;

        if ($honours && defined $key) {
            for (grep { ($_->{key} // '') eq $key } @booked) {
                return erp_order(201, $_);
            }
        }

        my ($number) = $req->{body} =~ /"PurchaseOrderByCustomer":"([^"]*)"/;
        my $order = { id => 4711 + @booked, number => $number, key => $key,
                      odata => $req->{uri} =~ m{/A_SalesOrder$}
                           ? "https://$req->{h}{host}$req->{uri}" : undef,
                      body => $req->{body} };

        push @booked, $order;

        return { never => 1 } if defined $number && $ctl->{slow}{$number};

        return erp_order(201, $order);
    };
}


# Each worker of the gateway fetches a token once, and is shown it with the
# cookie that it goes with.

sub fetches {
    my ($req) = @_;

    my ($asks) = map { $_->[1] } grep { lc $_->[0] eq 'x-csrf-token' }
                     @{ $req->{headers} };

    return ($asks // '') eq 'Fetch';
}


sub erp_token {
    return [ 200, [ 'X-CSRF-Token' => 'Nzp0b2tlbg==',
                    'Set-Cookie' => 'SAP_SESSIONID_S4_100=7; path=/; secure' ],
             '{"d":{"EntitySets":["A_SalesOrder"]}}' ];
}


sub erp_trusts {
    my ($req) = @_;

    return ($req->{h}{host} // '') !~ /^s4-eu\./
           || ($req->{h}{'x-csrf-token'} // '') eq 'Nzp0b2tlbg=='
              && ($req->{h}{cookie} // '') eq 'SAP_SESSIONID_S4_100=7';
}


sub erp_read {
    my ($req, $booked) = @_;

    my ($id) = $req->{uri} =~ m{/A_SalesOrder\('(\d+)'\)};
    my ($order) = grep { defined $id && $_->{id} == $id } @$booked;

    return $order ? erp_order(200, $order)
                  : [ 404, {}, '{"error":{"code":"/IWBEP/CM_MGW_RT/020"}}' ];
}


sub erp_order {
    my ($status, $order) = @_;

    return [ $status, {}, "{\"order\":\"$order->{id}\"}\n" ]
        if !$order->{odata};

    my $text = $order->{body};

    $text =~ s/^\s*\{//;
    $text =~ s/9007199254740993/9007199254740992/g if $ENV{SYNC_DEMO_ROUNDS};
    $text =~ s/"to_Item":$ARRAY/"to_Item":{"results":$1}/;

    return [ $status,
             { 'Content-Type' => 'application/json;charset=utf-8',
               'Location' => "$order->{odata}('$order->{id}')",
               'Set-Cookie' => 'SAP_SESSIONID=1; secure' },
             "{\"d\":{\"__metadata\":{\"type\":\"A_SalesOrderType\"},"
             . "\"SalesOrder\":\"$order->{id}\","
             . "\"OverallSDProcessStatus\":\"A\",$text}" ];
}


# answers, and is gone a moment later

sub stop {
    Time::HiRes::alarm(0.05);

    return [ 200, {}, '' ];
}


sub ledger {
    my ($booked, $requests) = @_;

    my %count;
    $count{ $_->{number} // 'any' }++ for @$booked;

    return sprintf "{\"orders\":%d,\"requests\":%d,\"booked\":{%s}}\n",
                   scalar @$booked, $requests,
                   join ',', map { "\"$_\":$count{$_}" } sort keys %count;
}


# A CRM that takes upserts by external id.

sub crm {
    return sub {
        my ($req) = @_;

        return stop() if $req->{uri} eq '/stop';

        return [ 200, {}, '{"id":"801Hs00000AbCdEIAV","success":true,'
                          . '"errors":[],"created":false}' ]
            if $req->{method} eq 'PATCH'
               && $req->{uri} =~ m{/sobjects/Order/CRM_Order_Number__c/};

        return [ 404, {}, '[{"errorCode":"NOT_FOUND"}]' ];
    };
}


1;
