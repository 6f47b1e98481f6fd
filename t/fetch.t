#!/usr/bin/perl

# What the gateway asks for itself: whom it may call, what it believes, when
# it gives up, what it keeps.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync;
use Test::Sync::Dns;
use Test::Sync::Https;
use Time::HiRes qw(sleep time);

my $ca = Test::Sync::Https->ca;
my $dns = Test::Sync::Dns->start(
    map { $_ => ['127.0.0.1'] } qw(idp.test two.test old.test wrong.test
                                   stranger.test other.test unlisted.test));

my ($t, $port);


sub gateway {
    my (%opt) = @_;

    my $conf = $opt{conf} // 'sync_egress '
        . join(' ', (map { "$_:$port" } 'idp.test', 'two.test', 'old.test',
                     'wrong.test', 'stranger.test', 'other.test',
                     'many.test', 'rebind.test', 'none.test', 'slow.test',
                     'six.test', 'case.test'),
               '127.0.0.1', '127.0.0.1:' . $port) . ';';

    $t->http(<<"CONF");
    resolver 127.0.0.1:@{[ $dns->port ]} ipv6=off valid=1s;
    resolver_timeout 1s;
    sync_trusted_certificate $ca;
    $conf

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location = /fetch { sync_test_fetch; }
        location = /status { sync_status; }
    }
CONF

    return $t->start;
}


sub encode {
    my ($text) = @_;

    $text =~ s/([^A-Za-z0-9.])/sprintf '%%%02X', ord $1/ge;

    return $text;
}


sub fetch {
    my ($url, %args) = @_;

    $url = "https://idp.test:$port$url" if $url =~ m{^/};
    $args{url} = $url;

    my $res = $t->get('/fetch?'
                      . join '&', map { "$_=" . encode($args{$_}) }
                                  sort keys %args);

    return $res->json || { result => "status $res->{status} $res->{error}",
                           error => '', status => 0 };
}


# NGINX keeps names by the second, valid=1s is up to two

sub forget {
    sleep 2.1;
}


# a test of the result, perhaps of the words of its error

sub ends {
    my ($what, $result, $name, $error) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($what->{result}, $result, $name) or diag(explain($what));
    like($what->{error}, $error, "... says: $what->{error}") if $error;
}


sub answer {
    my ($req) = @_;

    my $path = $req->{uri};

    return [ 200, { 'X-Seen' => "$req->{method} " . ($req->{sni} // '-') },
             "body of $req->{method} $path" . ($req->{body} || '') ]
        if $path =~ m{^/(ok|post)};
    return [ 200, {}, $req->{h}{ $1 } // '-' ] if $path =~ m{^/header/(.*)};
    return [ 302, { Location => 'https://127.0.0.1/' }, '' ]
        if $path eq '/redirect';
    return [ 500, {}, 'x' x $1 ] if $path =~ m{^/size/(\d+)};
    return { chunked => 1, body => 'x' x $1 } if $path =~ m{^/chunks/(\d+)};
    return { no_length => 1, body => 'x' x $1 } if $path =~ m{^/close/(\d+)};
    return { no_length => 1, body => 'cut', hangup => 1 }
        if $path eq '/hangup';
    return { delay => $1, body => 'late' } if $path =~ m{^/delay/(.*)};
    return { drip => 0.1, body => 'x' x 200, piece => 10 }
        if $path eq '/drip';
    return { never => 1 } if $path eq '/never';
    return { cut => $1, body => 'x' x 100 } if $path =~ m{^/cut/(\d+)};
    return { reset => 1, cut => 20 } if $path eq '/reset';
    return { raw => "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                    . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" }
        if $path eq '/both';
    return { raw => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    . "zz\r\n" } if $path eq '/chunk';
    return { raw => "SSH-2.0\r\n\r\n" } if $path eq '/ssh';
    return { raw => "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n"
                    . "Link: x\r\n\r\nHTTP/1.1 201 Created\r\n"
                    . "Content-Length: 2\r\n\r\nhi" } if $path eq '/interim';
    return { raw => "HTTP/1.1 200 OK\r\n" . ("X: " . 'x' x 1000 . "\r\n") x 20
                    . "\r\n" } if $path eq '/headers';
    return { raw => "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 "
                    . "200 OK\r\nContent-Length: 4\r\n\r\nevil" }
        if $path eq '/second';
    return { hangup => 1, body => 'bye' } if $path eq '/bye';

    return [ 404, {}, 'no such path' ];
}


sub server {
    my (%opt) = @_;

    $t = Test::Sync->new(%opt);
    $port = $t->peer(idp => \&answer, https => {
        'idp.test' => {}, 'two.test' => {}, 'many.test' => {},
        'rebind.test' => {}, 'slow.test' => {}, 'other.test' => {},
        'old.test' => { expired => 1 },
        'wrong.test' => { san => 'elsewhere.test' },
        'stranger.test' => { stranger => 1 },
        '' => {},
    });
}


subtest 'answers' => sub {
    server();
    gateway();

    my $got = fetch('/ok?a=b', show => 'x-seen');

    ends($got, 'ok', 'a GET');
    is($got->{status}, 200, 'its status');
    is($got->{answer}, 'body of GET /ok?a=b', 'its body');
    is($got->{header}, 'GET idp.test', 'a header, and the name in SNI');

    $got = fetch('/post', method => 'POST', body => 'a=b', show => 'x-seen');
    is($got->{answer}, 'body of POST /posta=b', 'a POST');

    my ($req) = grep { $_->{method} eq 'POST' } $t->ledger('idp');
    is($req->{h}{'content-length'}, 3, 'with its length');
    is($req->{h}{host}, "idp.test:$port", 'and its Host');
    is($req->{h}{'accept-encoding'}, 'identity', 'asks for no compression');
    is($req->{h}{'user-agent'}, 'nginx', 'and says who it is');

    is(fetch('/header/x-a', name => 'X-A', value => 'b c')->{answer}, 'b c',
       'a header of the fetch');
    is(fetch('/header/user-agent', name => 'User-Agent', value => 'me')
       ->{answer}, 'me', 'which may be who it is');

    $got = fetch('/redirect', show => 'location');
    is($got->{status}, 302, 'a redirect is an answer');
    is($got->{header}, 'https://127.0.0.1/', 'and is not followed');

    is(fetch('/interim')->{status}, 201, 'answers of 1xx are not the answer');
    is(length fetch('/size/65536')->{answer}, 65536, '64 KB');
    is(length fetch('/chunks/65536')->{answer}, 65536, 'in chunks');
    is(length fetch('/close/65536')->{answer}, 65536, 'until the end');
    is(length fetch('/size/300000', max => 300000)->{answer}, 300000,
       'more, where it may be');
    is(fetch('/drip')->{answer}, 'x' x 200, 'slowly');
    is(fetch('/size/10', method => 'HEAD')->{answer}, '', 'HEAD');
    is(fetch('/ok', method => 'POST', body => 'x' x 6000)->{status}, 200,
       'a larger request');

    $t->done;
};


subtest 'what is broken' => sub {
    server();
    gateway();

    ends(fetch('/size/65537'), 'too_large', 'one byte too many',
         qr/too large/);
    ends(fetch('/size/2097152'), 'too_large', '2 MB');
    ends(fetch('/chunks/2097152'), 'too_large', '2 MB in chunks');
    ends(fetch('/close/2097152'), 'too_large', '2 MB without a length');
    ends(fetch('/headers'), 'too_large', 'headers without end', qr/headers/);

    ends(fetch("/cut/$_"), 'broken', "cut behind $_ bytes")
        for 1, 15, 40, 120;
    ends(fetch('/reset'), 'broken', 'reset');
    ends(fetch('/hangup'), 'broken', 'no length, and no end of TLS',
         qr/cut/);
    ends(fetch('/both'), 'broken', 'two lengths', qr/more than one length/);
    ends(fetch('/chunk'), 'broken', 'a bad chunk', qr/chunk/);
    ends(fetch('/ssh'), 'broken', 'no HTTP', qr/status line/);

    my $got = fetch('/second');
    ends($got, 'ok', 'a second answer behind the first');
    is($got->{answer}, 'x', 'is not it');
    is(fetch('/ok')->{answer}, 'body of GET /ok', 'nor the next');

    is($got->{sent}, 1, 'something was sent');

    my $m = $t->metrics('/status');
    is($m->{'sync_fetches_total{result="too_large"}'}, 5, 'all are counted');
    is($m->{'sync_fetches_total{result="broken"}'}, 9, 'by what came');
    is($m->{'sync_fetches_total{result="ok"}'}, 2, 'also those that went well');

    $t->done;
};


subtest 'deadlines' => sub {
    server();
    gateway();

    ends(fetch('/delay/0.3')->{answer} eq 'late' ? { result => 'late' } : {},
         'late', 'late is no fault');
    ends(fetch('/never', read => 200), 'timeout', 'no answer', qr/answer/);
    ends(fetch('/drip', timeout => 500, read => 400), 'timeout',
         'an answer that takes too long', qr/time is over/);
    ends(fetch('/never', timeout => 200), 'timeout', 'no answer at all');

    $dns->set('slow.test' => ['127.0.0.1'], delay => 0.3);
    ends(fetch("https://slow.test:$port/ok"), 'ok', 'a slow name server');

    $dns->silent(1);
    ends(fetch("https://case.test:$port/ok", timeout => 300), 'resolve',
         'a name server that says nothing', qr/name server/);
    $dns->silent(0);

    # listens, and never shakes hands

    my $silent = $t->peer(silent => sub { '' },
                          https => { 'idp.test' => {},
                                     -options => { stall => 1 } });

    ends(fetch("https://127.0.0.1:$silent/", trusted => 1, connect => 300),
         'timeout', 'TLS that does not come', qr/TLS/);

    $t->done;
};


subtest 'whom it believes' => sub {
    server();
    gateway();

    ends(fetch("https://old.test:$port/ok"), 'tls', 'an expired certificate',
         qr/expired/);
    ends(fetch("https://wrong.test:$port/ok"), 'tls', 'another name',
         qr/mismatch/i);
    ends(fetch("https://stranger.test:$port/ok"), 'tls', 'another CA',
         qr/verify|issuer|self.signed/);
    ends(fetch("https://127.0.0.1:$port/ok"), 'ok', 'an address');

    is(scalar(() = $t->ledger('idp')), 1, 'nothing was sent to those');

    # who speaks no TLS waits for the end of a line

    my $plain = $t->peer(plain => sub { '{}' });
    ends(fetch("https://127.0.0.1:$plain/", trusted => 1, connect => 300),
         'timeout', 'no TLS');

    $t->done;

    server();
    $t->http(<<"CONF");
    resolver 127.0.0.1:@{[ $dns->port ]} ipv6=off valid=1s;
    server {
        listen 127.0.0.1:%%PORT_0%%;
        location = /fetch { sync_test_fetch; }
    }
CONF
    $t->start;
    ends(fetch('/ok', trusted => 1), 'tls',
         'our CA is not among those of the system', qr/self.signed|issuer/);
    $t->done;
};


subtest 'a certificate of ours' => sub {
    server();

    my $mtls = $t->peer(mtls => sub { $_[0]{client} },
                        https => { 'two.test' => {},
                                   -options => { client => 1 } });

    gateway();
    $t->allow(qr/alert certificate required|alert unknown ca/);

    my $url = "https://127.0.0.1:$mtls/";
    my %ours = (cert => Test::Sync::Https->file('client'), trusted => 1);

    is(fetch($url, %ours)->{answer}, 'client', 'is shown');
    is(fetch($url, %ours)->{answer}, 'client', 'again');
    is($t->connections('mtls'), 1, 'over one connection');

    isnt(fetch($url, trusted => 1)->{result}, 'ok',
         'which serves nobody without it');
    isnt(fetch($url, trusted => 1, cert => Test::Sync::Https->file(
        'stranger-client'))->{result}, 'ok', 'nor with another');

    $t->done;
};


subtest 'where it may go' => sub {
    server();
    gateway();

    ends(fetch('/ok'), 'ok', 'a listed name');
    ends(fetch("https://unlisted.test:$port/ok"), 'refused',
         'a name that is not', qr/sync_egress/);
    ends(fetch("https://unlisted.test:$port/ok", trusted => 1), 'tls',
         'which the owner may call');
    ends(fetch('https://idp.test/ok'), 'refused', 'another port');
    ends(fetch("https://127.0.0.2:$port/ok"), 'refused', 'another address');

    ends(fetch($_), 'refused', "no URL: $_", qr/URL/)
        for "http://idp.test:$port/ok", "https://u\@idp.test:$port/",
            "https://idp.test:$port/#f", "https://127.1:$port/",
            "https://0x7f.1:$port/", "https://2130706433:$port/",
            "https://idp.test.:$port/", "https://[fe80::1%25lo]:$port/", '';

    ends(fetch('/ok', name => 'X', value => "a\r\nEvil: 1"), 'refused',
         'a header with a line of its own', qr/header/);
    ends(fetch('/ok', name => 'X: y', value => 'a'), 'refused',
         'a name with a value of its own');
    ends(fetch('/ok', method => 'GET /x HTTP/1.1'), 'refused',
         'a method that is more');

    # the name is listed, and leads where nobody may go

    my $before = $t->connections('idp');

    $dns->set('rebind.test' => ['127.0.0.2']);
    ends(fetch("https://rebind.test:$port/ok"), 'refused',
         'a name that leads to an address that is not public', qr/public/);

    $dns->set('many.test' => ['100.64.0.1', '10.0.0.1', '127.0.0.2']);
    ends(fetch("https://many.test:$port/ok"), 'refused', 'to several');

    is($t->connections('idp'), $before, 'nobody was connected to');

    $dns->set('many.test' => ['127.0.0.2', '127.0.0.1']);
    forget();
    ends(fetch("https://many.test:$port/ok"), 'ok',
         'the one among them that may be is');

    $dns->set('none.test' => []);
    ends(fetch("https://none.test:$port/ok"), 'resolve', 'nobody\'s name',
         qr/Host not found/);

    $dns->set('six.test' => ['::1']);
    ends(fetch("https://six.test:$port/ok"), 'resolve',
         'a name with addresses of another family');

    $t->done;
};


subtest 'names that move' => sub {
    server();

    my $conf = "sync_egress rebind.test:$port idp.test:$port 127.0.0.1;";
    gateway(conf => $conf);

    # public when it is looked at, not when it is used: there is one look

    $dns->set('rebind.test' => ['127.0.0.1'], ttl => 0,
              turns => [['127.0.0.2']]);
    ends(fetch("https://rebind.test:$port/bye"), 'ok', 'first here');
    forget();
    ends(fetch("https://rebind.test:$port/bye"), 'refused', 'then there');

    # several addresses, tried in turn; nobody listens at some

    $dns->set('rebind.test' => ['127.0.0.1']);
    $dns->set('idp.test' => ['127.0.0.1']);
    $t->done;

    server();
    gateway(conf => "sync_egress many.test:$port 127.0.0.0/8;");

    $dns->set('many.test' => ['127.0.0.2', '127.0.0.3', '127.0.0.1']);
    forget();
    ends(fetch("https://many.test:$port/bye"), 'ok', 'one of several answers')
        for 1 .. 3;

    $dns->set('many.test' => ['127.0.0.2', '127.0.0.3']);
    forget();

    my $got = fetch("https://many.test:$port/bye");
    ends($got, 'connect', 'none of them does', qr/connected/);
    is($got->{sent}, 0, 'nothing was sent');

    # blackholes do not eat the time of those behind them

    $dns->set('many.test' => ['127.0.0.1']);
    $t->done;
};


subtest 'connections are kept' => sub {
    server();
    gateway();

    is(fetch('/ok')->{status}, 200, 'asked') for 1 .. 5;
    is($t->connections('idp'), 1, 'five answers over one connection');
    is($dns->asked('idp.test') > 0, 1, 'its name was asked for');

    fetch("https://two.test:$port/ok");
    is($t->connections('idp'), 2, 'another name has another');
    is(fetch("https://two.test:$port/ok", show => 'x-seen')->{header},
       'GET two.test', 'which is not taken for the first');
    fetch("https://IDP.test:$port/ok");
    is($t->connections('idp'), 2, 'names are the same in any case');

    fetch('/close/10');
    fetch('/ok');
    is($t->connections('idp'), 3, 'one that ends is not kept');

    # closed while it was idle, told or not

    fetch('/bye');
    sleep 0.2;
    ends(fetch('/ok'), 'ok', 'what was closed is not used');

    $t->done;

    server();
    gateway(conf => "sync_egress idp.test:$port;");

    ends(fetch('/ok', trusted => 1), 'ok', 'the owner goes to a loopback');
    ends(fetch('/ok'), 'refused', 'nobody else does, over that connection',
         qr/public/);
    $t->done;
};


subtest 'a kept connection turns out to be closed' => sub {
    $t = Test::Sync->new;
    $port = $t->peer(idp => sub {
        my ($req) = @_;

        # the second request of each connection meets its end

        our %seen;
        return $seen{ $req->{conn} }++ ? { cut => 0 } : 'ok';
    }, https => ['idp.test']);
    gateway();

    ends(fetch('/1'), 'ok', 'the first');
    ends(fetch('/2'), 'ok', 'GET is asked again over a new one');
    is($t->connections('idp'), 2, 'a new one');

    my $got = fetch('/3', method => 'POST', body => 'x');
    ends($got, 'broken', 'POST is not');
    is($got->{sent}, 1, 'it was sent');

    ends(fetch('/4'), 'ok', 'once more');
    ends(fetch('/5', method => 'POST', body => 'x', repeat => 1), 'ok',
         'POST that may be repeated is');

    is(scalar(grep { $_->{uri} eq '/3' } $t->ledger('idp')), 1,
       'asked once');
    is(scalar(grep { $_->{uri} eq '/2' } $t->ledger('idp')), 2,
       'asked twice');
    $t->done;
};


subtest 'a client that leaves, workers that go' => sub {
    server(workers => 2, quit_timeout => 8);
    gateway();

    $t->abort('GET', '/fetch?url=' . encode("https://idp.test:$port/never"),
              after => 0.3);
    ends(fetch('/ok'), 'ok', 'a client that left takes its fetch along');

    my %pids;
    $pids{ fetch('/ok')->{pid} }++ for 1 .. 20;
    ok(keys %pids <= 2, 'served by ' . keys %pids);

    # one under way that somebody waits for, at a reload

    my @res;
    my $url = '/fetch?vital=1&url=' . encode("https://idp.test:$port/delay/1");
    my $pid = fork() // die;

    if (!$pid) {
        my $res = $t->get($url);
        POSIX::_exit(($res->json || {})->{answer} eq 'late' ? 0 : 1);
    }

    sleep 0.4;
    ok($t->reload, 'reloaded');
    waitpid $pid, 0;
    is($?, 0, 'what somebody waits for ends in the old worker');

    # and one that nobody waits for does not keep it

    fetch('/ok');
    $t->get('/fetch?leave=1&url=' . encode("https://idp.test:$port/never"));

    my $start = time;
    my @old = $t->workers;
    ok($t->reload, 'reloaded again');
    ok($t->wait_for(sub { !grep { kill 0, $_ } @old }, 4),
       'what nobody waits for keeps no worker');

    $t->get('/fetch?leave=1&vital=1&url='
            . encode("https://idp.test:$port/delay/1"));
    @old = $t->workers;
    ok($t->reload, 'and again');
    ok($t->wait_for(sub { $t->log_text =~ /test fetch ended: ok/ }, 4),
       'a vital one comes to its end');

    fetch('/ok') for 1 .. 10;                # idle ones, closed at the end
    $t->done;
};


subtest 'configuration' => sub {
    $t = Test::Sync->new;

    my $server = 'server { listen 127.0.0.1:%%PORT_0%%; ';
    my $resolver = 'resolver 127.0.0.1;';

    $t->accepted("$resolver sync_egress erp.example *.s4.example:8443 "
                 . "10.1.0.0/16; sync_egress fd00::/8; $server }",
                 'names and networks');
    $t->accepted("sync_egress 10.1.0.0/16; $server }",
                 'networks need no resolver');
    $t->refused("sync_egress erp.example; $server }",
                qr/the name "erp.example" needs a resolver; add "resolver ADDRESS;" to http, in .*:\d+/,
                'names do');
    $t->refused("$resolver sync_egress *; $server }",
                qr/"sync_egress" cannot list "\*": /, 'everything');
    $t->refused("$resolver sync_egress 0.0.0.0/0; $server }",
                qr/nearly everything/, 'all networks');
    $t->refused("sync_egress 10.1.2.3/16; $server }", qr/zeros behind/,
                'no network');
    $t->refused("sync_trusted_certificate /nowhere.pem; $server }",
                qr/cannot load certificate|nowhere.pem/, 'no such file');
    $t->refused("sync_trusted_certificate $ca; sync_trusted_certificate $ca; "
                . "$server }", qr/is duplicate/, 'twice');
    $t->refused("$resolver $server sync_egress a.example; }",
                qr/is not allowed here/, 'in a server');

    # a URL of the configuration

    my $where = "$server location /f { sync_test_fetch";

    $t->accepted("$resolver $where https://idp.example/jwks; } }",
                 'a URL of the configuration');
    $t->accepted("$where https://192.0.2.1/; } }", 'of an address');
    $t->refused("$where https://idp.example/; } }",
                qr/the name "idp.example" needs a resolver/, 'of a name');
    $t->refused("$resolver $where http://idp.example/; } }",
                qr{has the URL "http://idp.example/": a URL begins with "https://"},
                'not https');
    $t->done;
};

