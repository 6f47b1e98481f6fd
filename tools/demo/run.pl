#!/usr/bin/perl

# An order's way from a CRM into an ERP, told step by step on a real NGINX with
# conf.example/ and two fake peers.  Leaves 0 if each step answered as told.
# --stay: leaves all of it running, with lines to try.  --store=redis: keys stand
# in a redis-server of its own, a second node shares them, and it is killed.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Digest::SHA qw(hmac_sha256);
use FindBin;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Time::HiRes qw(time);

use lib "$FindBin::Bin", "$FindBin::Bin/../../t/lib";
use Demo::Peers;
use Demo::Stage;

$| = 1;
binmode STDOUT, ':raw';
$SIG{PIPE} = 'IGNORE';
$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP);

# both in scalar context: a match that fails is a value, too

sub expect($$);

my %ink = -t STDOUT ? (bold => "\e[1m", dim => "\e[2m", red => "\e[31m",
                       green => "\e[32m", off => "\e[0m")
                    : map { $_ => '' } qw(bold dim red green off);

my $reader = Cpanel::JSON::XS->new->utf8;
my ($store) = map { /^--store=(shm|redis)$/ ? $1 : () } @ARGV;
my $stage = Demo::Stage->new($store ||= 'shm');
my ($gate, $erp, $crm) = map { $stage->port($_) } 8480, 8481, 8482;
my $started = time();
my $unknown = qr/"Warehouse__r":\s*\{ "Code__c": "CGN-2", "Dock__c": null \}/;
my ($step, $checks, $failed) = (0, 0, 0);

my $order = Demo::Stage::slurp("$stage->{dir}/requests/order.json");
my $status = Demo::Stage::slurp("$stage->{dir}/requests/status.json");
my $shop = Demo::Stage::slurp("$stage->{dir}/requests/shop.json");

my %token = (
    crm     => $stage->token('acme', 'crm'),
    nightly => $stage->token('acme', 'nightly'),
    globex  => $stage->token('globex', 'crm'),
    initech => $stage->token('initech', 'crm'),
);

$stage->peer('erp', $erp, Demo::Peers::erp());
$stage->peer('crm', $crm, Demo::Peers::crm());
$stage->redis if $store eq 'redis';
my $nginx = $stage->start;

if (grep { $_ eq '--stay' } @ARGV) {
    stay();

} else {
    story();
}

undef $stage;
exit($failed ? 1 : 0);


sub story {
    out("${\ bold('An order, end to end')}\n\n"
        . "    NGINX  127.0.0.1:$gate   conf.example/, its ports made free\n"
        . "    ERP    127.0.0.1:$erp   books whatever it is sent, twice if "
        . "sent twice\n"
        . "    CRM    127.0.0.1:$crm   takes upserts by external id\n"
        . ($store eq 'redis' ? "    Redis  127.0.0.1:${\ $stage->port('redis')}"
                               . "   keeps what was claimed and answered\n"
                             : ''));

    first_order();
    what_the_erp_received();
    read_back();
    replay();
    other_node() if $store eq 'redis';
    other_body();
    foreign_token();
    burst();
    unknown_outcome();
    resolved_outcome();
    status_event();
    webhook();
    new_tenant();
    killed() if $store eq 'redis';
    ending();
}


sub first_order {
    title('acme\'s CRM sends an order, in Salesforce\'s words');

    my $res = ask('acme', 'POST', '/v1/orders', 'crm', 'order-101', $order,
                  show => 'all');

    expect($res->{status} == 201, 'answered 201');
    expect(is($res, 'idempotency-status', 'executed'), 'executed');
    expect($res->{body} =~ /"OrderReferenceNumber":"4711"/,
           'the ERP\'s number came back as OrderReferenceNumber');
    expect(is($res, 'location', '/v1/orders/4711'),
           'Location names our own order, not the ERP\'s');
    expect(booked('00000101') == 1, 'the ERP\'s ledger says one');

    $stage->{first} = $res;
}


sub what_the_erp_received {
    title('What the ERP received, in SAP\'s words');

    my ($req) = requests('erp');
    my $body = $req->{body};

    out(quote('>', "$req->{method} $req->{uri}",
              map({ "$_->[0]: " . (lc $_->[0] eq 'authorization'
                    ? $_->[1] =~ s/ .*/ .../r : $_->[1]) }
                  @{ $req->{headers} }), '', split /\n/, pretty($body)));

    expect($req->{uri} =~ m{/API_SALES_ORDER_SRV/A_SalesOrder$},
           'an OData create of A_SalesOrder');
    expect(header($req, 'authorization') =~ /^Basic /,
           'with the connector\'s own credentials');
    expect(header($req, 'requestid') =~ /^[0-9A-Fa-f]{32}$/,
           'with a RequestID derived from tenant, client and key');
    expect(index(encode($req), $token{crm}) < 0,
           'the client\'s token stayed at the edge');
    expect($body =~ /"Legacy_Number__c":9007199254740993[,}]/,
           '9007199254740993 arrived as sent');
    expect($body =~ /"NetPriceAmount":"0\.10"/, '0.10 arrived as sent');
    expect($body =~ /:123456789012345678901234567890\.5[,}]/,
           '123456789012345678901234567890.5 arrived as sent');
    expect($body =~ /$unknown/,
           'Warehouse__r, which no map names, arrived as sent');
}


sub read_back {
    title('The order read back by its id, in Salesforce\'s words again');

    my $res = ask('acme', 'GET', '/v1/orders/4711', 'crm', undef, undef,
                  show => 'all');
    my $body = $res->{body};

    expect($res->{status} == 200, 'answered 200');
    expect($body =~ /"OrderNumber":"00000101"/, 'the same order number');
    expect($body =~ /"EffectiveDate":"2026-03-02"/,
           'the date is a date, not /Date(1772409600000)/');
    expect($body =~ /"UnitPrice":0\.10[,}]/, '0.10 came back as 0.10');
    expect($body =~ /"Legacy_Number__c":9007199254740993[,}]/
           && $body =~ /:123456789012345678901234567890\.5[,}]/
           && $body =~ /$unknown/,
           'so did the large numbers and the unknown member');
    expect(!defined $res->{h}{'set-cookie'},
           'the ERP\'s session cookie did not');
}


sub replay {
    title('The network hiccups, the CRM sends the same key again');

    my $res = ask('acme', 'POST', '/v1/orders', 'crm', 'order-101', $order);

    expect($res->{status} == 201, 'answered 201');
    expect(is($res, 'idempotent-replayed', 'true'), 'a replay');
    expect($res->{body} eq $stage->{first}{body},
           'with the very bytes of the first answer');
    expect(booked('00000101') == 1, 'the ERP\'s ledger still says one');
}


sub other_node {
    my $node = $stage->port('node');

    title("And again, to a second node of the gateway, 127.0.0.1:$node");

    $stage->node;

    my $res = ask('acme', 'POST', '/v1/orders', 'crm', 'order-101', $order,
                  port => $node);

    expect($res->{status} == 201, 'answered 201');
    expect(is($res, 'idempotent-replayed', 'true'), 'a replay');
    expect($res->{body} eq $stage->{first}{body},
           'with the bytes that the first node was answered');
    expect(booked('00000101') == 1, 'the ERP\'s ledger still says one');
}


sub killed {
    title('Redis is killed');

    my $seen = requests('erp');
    my $new = $order =~ s/00000101/00000105/r;

    $stage->redis_kill;

    my $res = ask('acme', 'POST', '/v1/orders', 'crm', 'order-105', $new);

    expect($res->{status} == 503, 'an order that nobody can claim: 503');
    expect(problem($res, 'store-unavailable'), 'store-unavailable');
    expect(requests('erp') == $seen, 'the ERP was not asked');

    $stage->redis;

    out("\n    It is started again, and the first order comes once more:\n");

    $stage->wait_for(sub {
        $res = ask('acme', 'POST', '/v1/orders', 'crm', 'order-101', $order,
                   show => 'none');

        return $res->{status} != 503;
    }, 10);

    show($res);

    expect($res->{status} == 201, 'answered 201');
    expect(is($res, 'idempotent-replayed', 'true'),
           'a replay, by a gateway that nobody has touched');
    expect(booked('00000101') == 1, 'the ERP\'s ledger still says one');
}


sub other_body {
    title('The same key with another body is a mistake, not a retry');

    my $res = ask('acme', 'POST', '/v1/orders', 'crm', 'order-101',
                  $order =~ s/"Quantity": 3,/"Quantity": 30,/r);

    expect($res->{status} == 422, 'answered 422');
    expect(problem($res, 'idempotency-key-reused'), 'idempotency-key-reused');
    expect(booked('00000101') == 1, 'the ERP\'s ledger still says one');
}


sub foreign_token {
    title('A good token, of another tenant');

    my $res = ask('acme', 'GET', '/v1/orders/4711', 'globex');

    expect($res->{status} == 403, 'answered 403');
    expect(problem($res, 'foreign-tenant'), 'foreign-tenant');
}


sub burst {
    title('A client on the plan "trial" (6/m, burst 3) asks five times');

    my $seen = requests('erp');
    my @res = map { ask('acme', 'GET', '/v1/orders/4711', 'nightly', undef,
                        undef, show => 'none') } 1 .. 5;

    out(quote('<', map { $_->{first} } @res[0 .. 2]));
    show($res[3]);

    my @codes = map { $_->{status} } @res;

    expect("@codes" eq '200 200 200 429 429', 'three pass, two are 429');
    expect(problem($res[3], 'limit-exceeded'), 'limit-exceeded');
    expect(($res[3]{h}{'retry-after'} // 0) >= 1,
           'Retry-After says when to come again');
    expect(requests('erp') - $seen == 3, 'the ERP saw three');
}


sub unknown_outcome {
    title('The ERP books an order and falls silent; the client waits 0.7 s');

    control('00000102');

    my $other = $order =~ s/00000101/00000102/r;
    my $res = ask('acme', 'POST', '/v1/orders', 'crm', 'order-102', $other,
                  deadline => 700);

    expect($res->{status} == 504, 'answered 504');
    expect(is($res, 'idempotency-status', 'outcome-unknown'),
           'outcome-unknown: nobody can tell whether it was booked');

    out("\n    The CRM tries again, as clients do:\n");

    $res = ask('acme', 'POST', '/v1/orders', 'crm', 'order-102', $other);

    expect($res->{status} == 409, 'answered 409');
    expect(problem($res, 'outcome-unknown'), 'outcome-unknown');
    expect(booked('00000102') == 1, 'the ERP\'s ledger says one, not two');
}


sub resolved_outcome {
    title('The same in the US, whose ERP honours RequestID: "on_unknown": '
          . '"resend"');

    control('00000103');

    my $other = $order =~ s/00000101/00000103/r
                       =~ s/"Region__c": "EU"/"Region__c": "US"/r;
    my $res = ask('acme', 'POST', '/v1/orders', 'crm', 'order-103', $other,
                  deadline => 700);

    expect($res->{status} == 504, 'answered 504');
    expect(is($res, 'idempotency-status', 'outcome-unknown'),
           'outcome-unknown');

    out("\n    The CRM tries again:\n");

    $res = ask('acme', 'POST', '/v1/orders', 'crm', 'order-103', $other);

    my @keys = map { header($_, 'requestid') }
                   grep { $_->{body} =~ /"00000103"/ } requests('erp');

    expect($res->{status} == 201, 'resolved: answered 201');
    expect(is($res, 'idempotency-status', 'executed'), 'executed');
    expect(@keys == 2 && $keys[0] eq $keys[1],
           'the ERP was asked twice, by the same RequestID');
    expect(booked('00000103') == 1, 'its ledger still says one');
}


sub status_event {
    title('globex\' ERP tells its CRM that an order was shipped');

    my $res = ask('globex', 'PATCH', '/v1/orders/4711', undef, 'status-1',
                  $status, show => 'all');
    my ($req) = requests('crm');

    expect($res->{status} =~ /^20[04]$/, "answered $res->{status}");

    if (!expect(defined $req, 'the CRM was asked once')) {
        return;
    }

    out("\n    What the CRM received:\n");
    out(quote('>', "$req->{method} $req->{uri}", '',
              split /\n/, pretty($req->{body})));

    expect($req->{method} eq 'PATCH'
           && $req->{uri} =~ m{/Order/CRM_Order_Number__c/00000101$},
           'an upsert by external id');
    expect($req->{body} =~ /"Status":"Shipped"/, 'SHIPPED became Shipped');
    expect($req->{body} =~ /"Shipped_At__c":"2026-03-04T08:00:00Z"/,
           '/Date(1772611200000)/ became 2026-03-04T08:00:00Z');
    expect($req->{body} =~ /"HandlingUnits":9007199254740993[,}]/,
           '9007199254740993 arrived as sent');
}


sub webhook {
    title('acme\'s shop tells by a webhook that somebody has bought');

    my $sign = encode_base64(hmac_sha256($shop,
                                         $stage->secret('t_7f3a/shopify')),
                             '');
    my $res = hook($shop, $sign, 'b54557e4');

    expect($res->{status} == 201, 'answered 201');
    expect(booked('1001') == 1, 'the ERP\'s ledger says one');

    my ($req) = (requests('erp'))[-1];

    expect($req->{body} =~ /"SoldToParty":"115310627314723954"/,
           'its 64-bit ids arrived as sent');

    out("\n    Shopify delivers it once more, as it does when it is not "
        . "sure:\n");

    $res = hook($shop, $sign, 'b54557e4');

    expect($res->{status} == 201, 'answered 201: a success, to be left alone');
    expect(is($res, 'idempotent-replayed', 'true'), 'a replay');

    out("\n    Somebody else writes the price anew:\n");

    $res = hook($shop =~ s/199\.65/1.65/gr, $sign, 'b54557e5');

    expect($res->{status} == 401, 'answered 401');
    expect(problem($res, 'invalid-signature'), 'invalid-signature');
    expect(booked('1001') == 1, 'the ERP\'s ledger still says one');
}


sub hook {
    my ($body, $sign, $id) = @_;
    my $uri = '/hooks/shopify/orders';
    my @headers = (Host => 'acme.sync.example',
                   'Content-Type' => 'application/json',
                   'X-Shopify-Topic' => 'orders/create',
                   'X-Shopify-Webhook-Id' => $id,
                   'X-Shopify-Hmac-Sha256' => $sign);

    out(quote('>', "POST $uri",
              map({ "$headers[2 * $_]: $headers[2 * $_ + 1]" }
                  0 .. $#headers / 2),
              '', '{ ... "order_number": 1001 ... }'));

    my $res = $stage->ask($gate, 'POST', $uri, \@headers, $body);

    show($res);

    return $res;
}


sub new_tenant {
    title('A new tenant: one file into conf.example/tenants, no reload');

    my $new = $order =~ s/00000101/00000104/r;
    my $res = ask('initech', 'POST', '/v1/orders', 'initech', 'order-1', $new);

    expect($res->{status} == 404, 'before: nobody of that name');

    my $document = Demo::Stage::slurp("$stage->{dir}/onboarding/initech.json");

    out("\n    tenants/initech.json:\n");
    out(quote(' ', split /\n/, $document));

    $stage->write('tenants/initech.json', $document);
    $stage->give;

    my $took = time();

    # each worker looks for itself; the key makes it safe to ask until one does

    $stage->wait_for(sub {
        $res = ask('initech', 'POST', '/v1/orders', 'initech', 'order-1',
                   $new, show => 'none');

        return $res->{status} != 404;
    }, 10);

    $took = time() - $took;

    out("    The same order again:\n");
    show($res);

    expect($res->{status} == 201,
           sprintf 'answered 201, %.1f s later', $took);
    expect(booked('00000104') == 1, 'the ERP\'s ledger says one');
}


sub ending {
    title('What is left in the books');

    my $ledger = $stage->ask($erp, 'GET', '/ledger', [ Host => 'erp' ]);
    my $metrics = $stage->ask($stage->port(8483), 'GET', '/sync/status',
                              [ Host => 'status' ]);
    my @lines = grep { /^sync_(?:requests_total|tenants)\b/ }
                     split /\n/, $metrics->{body};

    if ($store eq 'redis') {
        my $keys = $stage->redis_says('DBSIZE') =~ s/^://r;

        push @lines, "Redis: $keys keys";
    }

    out(quote(' ', "ERP: $ledger->{body}", @lines));
    expect($ledger->{body} =~ /"orders":5,/, 'five orders, each booked once');
    expect($metrics->{status} == 200, 'sync_status tells the same');

    my $log = join '', map { Demo::Stage::slurp("$stage->{dir}/$_") }
                       'error.log', 'stdout.log';

    expect($log !~ /\[(?:alert|crit|emerg)\]|Sanitizer|runtime error:/, 'no alert in the error log');
    expect(!grep({ index($log, $_) >= 0 } values %token),
           'no token in it either');

    printf "\n%s%d of %d checks held, %.1f s%s\n",
           $failed ? $ink{red} : $ink{green}, $checks - $failed, $checks,
           time() - $started, $ink{off};
}


# the words of the transcript

sub out {
    print $_[0], "\n";
}


sub bold {
    return "$ink{bold}$_[0]$ink{off}";
}


sub title {
    print "\n", bold(sprintf '%2d. %s', ++$step, $_[0]), "\n\n";
}


sub expect($$) {
    my ($ok, $what) = @_;

    $checks++;
    $failed++ if !$ok;

    print '    ', $ok ? "$ink{green}ok$ink{off}    "
                      : "$ink{red}FAILED$ink{off}", " $what\n";

    return $ok;
}


sub quote {
    my ($mark, @lines) = @_;

    return join '', map { s/\s+\z//r . "\n" }
                    map { "$ink{dim}    $mark $_$ink{off}" } @lines;
}


sub ask {
    my ($tenant, $method, $uri, $who, $key, $body, %opt) = @_;

    my @headers = (Host => "$tenant.sync.example");
    my @seen = @headers;

    if (defined $who) {
        push @headers, Authorization => "Bearer $token{$who}";
        push @seen, Authorization => "Bearer (a token of $who)";

    } else {
        push @headers, 'X-API-Key' => $stage->secret('t_90c1/erp-new');
        push @seen, 'X-API-Key' => '(a key of its own)';
    }

    my @rest;

    push @rest, 'Idempotency-Key' => "\"$key\"" if defined $key;
    push @rest, 'X-Deadline' => $opt{deadline} if $opt{deadline};
    push @rest, 'Content-Type' => 'application/json' if defined $body;

    push @headers, @rest;
    push @seen, @rest;

    my $show = $opt{show} // 'some';

    if ($show ne 'none') {
        my @lines = "$method $uri";

        while (my ($name, $value) = splice @seen, 0, 2) {
            push @lines, "$name: $value";
        }

        push @lines, '', $show eq 'all' ? split /\n/, $body
                         : $body =~ /("(?:OrderNumber|SalesOrder)": "[^"]*")/
                           ? "{ ... $1 ... }" : '...'
            if defined $body;

        out(quote('>', @lines));
    }

    my $res = $stage->ask($opt{port} || $gate, $method, $uri, \@headers,
                          $body);

    show($res, $show eq 'all' ? 100 : 12) if $show ne 'none';

    return $res;
}


sub show {
    my ($res, $most) = @_;

    my @fields = map { "$_: $res->{h}{ lc $_ }" }
                 grep { defined $res->{h}{ lc $_ } }
                 qw(Content-Type Location Idempotency-Status
                    Idempotent-Replayed Retry-After RateLimit);
    my @body = split /\n/, pretty($res->{body});

    $most ||= 12;

    if (@body > $most) {
        @body = (@body[0 .. 5], '  ...', $body[-1]);
    }

    out(quote('<', $res->{first} // 'no answer', @fields,
              @body ? ('', @body) : ()));
}


# JSON on lines of its own, without reading it: numbers stay as they are

sub pretty {
    my ($text) = @_;

    my ($out, $depth) = ('', 0);

    while ($text =~ /\G\s*("(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+)/gc) {
        my $token = $1;

        if ($token =~ /[\[{]/ && length $token == 1) {
            $depth++;

            if ($text =~ /\G\s*([\]}])/gc) {
                $depth--;
                $out .= "$token$1";
                next;
            }

            $out .= "$token\n" . '  ' x $depth;

        } elsif ($token eq ']' || $token eq '}') {
            $depth--;
            $out .= "\n" . '  ' x $depth . $token;

        } elsif ($token eq ',') {
            $out .= ",\n" . '  ' x $depth;

        } elsif ($token eq ':') {
            $out .= ': ';

        } else {
            $out .= $token;
        }
    }

    return $out;
}


# what there is to look at

sub is {
    my ($res, $name, $value) = @_;

    return ($res->{h}{$name} // '') =~ /^"?\Q$value\E"?$/;
}


sub problem {
    my ($res, $name) = @_;

    return ($res->{h}{'content-type'} // '') =~ /^application\/problem\+json/
           && $res->{body} =~ /"urn:sync:problem:\Q$name\E"/;
}


sub requests {
    my ($peer) = @_;

    # a session is of a worker, not of a request

    my @all = grep { $_->{uri} && $_->{uri} ne '/ledger'
                     && !Demo::Peers::fetches($_) }
              map { $reader->decode($_) }
              split /\n/, Demo::Stage::slurp("$stage->{dir}/$peer.ledger");

    return wantarray ? @all : scalar @all;
}


sub header {
    my ($req, $name) = @_;

    my ($pair) = grep { lc $_->[0] eq $name } @{ $req->{headers} };

    return $pair ? $pair->[1] : '';
}


sub encode {
    return $reader->encode($_[0]);
}


sub booked {
    my ($number) = @_;

    my $ledger = $stage->ask($erp, 'GET', '/ledger', [ Host => 'erp' ]);

    return $ledger->{body} =~ /"$number":(\d+)/ ? $1 : 0;
}


sub control {
    my ($number) = @_;

    $stage->write('erp.ctl', "{\"slow\":{\"$number\":1}}");
}


# make run

sub stay {
    my $dir = $stage->{dir};

    $stage->write("$_.header", "Authorization: Bearer $token{$_}\n")
        for keys %token;
    $stage->write('erp.header', 'X-API-Key: '
                  . $stage->secret('t_90c1/erp-new') . "\n");
    chmod 0600, glob "$dir/*.header";

    print <<"END";
NGINX listens on 127.0.0.1:$gate with $dir, an ERP on $erp, a CRM on $crm.

Send an order, twice; read it back; look into the ERP's ledger:

    cd $dir
    curl -si -H 'Host: acme.sync.example' -H \@crm.header -H 'Idempotency-Key: a1' --json \@requests/order.json http://127.0.0.1:$gate/v1/orders
    curl -s -H 'Host: acme.sync.example' -H \@crm.header http://127.0.0.1:$gate/v1/orders/4711
    curl -s http://127.0.0.1:$erp/ledger

The status of an order, to the CRM; a new tenant, known 0.2 s later; the
counters:

    curl -si -X PATCH -H 'Host: globex.sync.example' -H \@erp.header -H 'Idempotency-Key: s1' --json \@requests/status.json http://127.0.0.1:$gate/v1/orders/4711
    cp onboarding/initech.json tenants/
    curl -si -H 'Host: initech.sync.example' -H \@initech.header -H 'Idempotency-Key: i1' --json \@requests/order.json http://127.0.0.1:$gate/v1/orders
    curl -s http://127.0.0.1:${\ $stage->port(8483)}/sync/status

Ctrl-C stops all of it.
END

    waitpid $nginx, 0;
}
