package Test::Sync::Logins;

=head1 NAME

Test::Sync::Logins - ERPs that want a session, as peers

=head1 SYNOPSIS

    $t->peer(sap => Test::Sync::Logins::sap(), workers => 1);
    my %connector = Test::Sync::Logins::connector('sap');

Each is the code of a peer: C<sap>, C<tryton>, C<odoo>, C<b1>.  A session is a
number; C<tell(NAME, { over => N })> ends those up to N.  Besides:

    login   => 500        a login is answered so
    delay   => 0.2        so long after it came
    never   => 1          or never
    drop    => 1          or its connection is closed, if it was used before
    stuck   => 1          whatever is asked is refused, as if it were over

An order is booked by whoever asks with a session, and answered with its
number.  C<connector(NAME)> is the document's connector for it; user and password
are C<secret:user> and C<secret:password>, "sync" and "c4n4ry-password" here.

=cut

use strict;
use warnings;

use Cpanel::JSON::XS ();
use MIME::Base64 qw(encode_base64);

my $json = Cpanel::JSON::XS->new->canonical->allow_nonref;

our $PASSWORD = 'c4n4ry-password';


# what is common: sessions and orders, and what is told

sub erp {
    my ($login, $shows, $over) = @_;

    my ($sessions, $orders, %served) = (0, 0);

    return sub {
        my ($req, $ctl) = @_;

        my $answer = $login->($req, sub { ++$sessions });

        my $kept = $served{ $req->{conn} }++;

        if ($answer) {
            return { never => 1 } if $ctl->{never};
            return { cut => 0, hangup => 1 } if $ctl->{drop} && $kept;
            return { delay => $ctl->{delay} || 0, status => $ctl->{login},
                     body => 'no login', headers => [
                         'Set-Cookie' => "bad=c4n4ry-bad" ] }
                if $ctl->{login};
            return { delay => $ctl->{delay} || 0, %$answer };
        }

        my $n = $shows->($req);

        return $over->()
            if !$n || $n > $sessions || $n <= ($ctl->{over} // 0)
               || $ctl->{stuck};

        return { status => 200, body => '{"id":"1"}' }
            if $req->{method} eq 'GET';

        $orders++;

        return { status => $req->{uri} =~ /jsonrpc|^\/db/ ? 200 : 201,
                 headers => [ 'Content-Type' => 'application/json',
                              'X-Order' => $orders ],
                 body => '{"id":"' . $orders . '"}' };
    };
}


sub cookie {
    my ($req, $name) = @_;

    return ($req->{h}{cookie} // '') =~ /(?:^|; )\Q$name\E=([^;]*)/
           ? $1 : undef;
}


# SAP: a token that goes with its cookies, both given by any GET that asks

sub sap {
    return erp(
        sub {
            my ($req, $new) = @_;

            return if ($req->{h}{'x-csrf-token'} // '') ne 'Fetch';

            my $auth = 'Basic ' . encode_base64("sync:$PASSWORD", '');

            return { status => 401, body => 'who are you' }
                if ($req->{h}{authorization} // '') ne $auth;

            my $n = $new->();

            return {
                status => 200, body => '{"d":{"EntitySets":[]}}',
                headers => [
                    'X-CSRF-Token' => "c4n4ry-token-$n==",
                    'Set-Cookie' => 'sap-usercontext=sap-client=100; path=/',
                    'Set-Cookie' => "SAP_SESSIONID_S4_100=c4n4ry-sid-$n; "
                                    . 'path=/; secure; HttpOnly',
                    'Set-Cookie' => 'old=; expires=Thu, 01-Jan-1970 '
                                    . '00:00:00 GMT' ] };
        },
        sub {
            my ($req) = @_;

            my ($sid) = (cookie($req, 'SAP_SESSIONID_S4_100') // '')
                        =~ /^c4n4ry-sid-(\d+)$/ or return 0;

            return 0 if (cookie($req, 'sap-usercontext') // '')
                        ne 'sap-client=100';

            return $sid if $req->{method} eq 'GET';

            return ($req->{h}{'x-csrf-token'} // '')
                   eq "c4n4ry-token-$sid==" ? $sid : 0;
        },
        sub {
            return { status => 403, body => 'CSRF token validation failed',
                     headers => [ 'X-CSRF-Token' => 'Required',
                                  'Content-Type' => 'text/plain' ] };
        });
}


# Tryton: a login by JSON-RPC, a header made of what it gave

sub tryton {
    return erp(
        sub {
            my ($req, $new) = @_;

            my $call = eval { $json->decode($req->{body}) } || {};

            return if ($call->{method} // '') ne 'common.db.login';

            my ($user, $with) = @{ $call->{params} };
            my $good = $user eq 'sync' && $with->{password} eq $PASSWORD
                       && $req->{uri} eq '/db/';

            # one that is refused is answered by nothing at all

            return { status => 200, body => $json->encode({
                id => 0, result => $good
                    ? [ 7, 'c4n4ry-key-' . $new->(), undef ] : undef }) };
        },
        sub {
            my ($req) = @_;

            for my $n (1 .. 50) {
                my $b = encode_base64("sync:7:c4n4ry-key-$n", '');

                return $n if ($req->{h}{authorization} // '')
                             eq "Session $b";
            }

            return 0;
        },
        sub { return { status => 401, body => '' } });
}


# Odoo: a cookie, and errors that ride on 200

sub odoo {
    my $error = sub {
        my ($code, $name) = @_;

        return { status => 200, body => $json->encode({
            jsonrpc => '2.0', id => undef, error => {
                code => $code, message => 'Odoo Server Error',
                data => { name => $name } } }) };
    };

    return erp(
        sub {
            my ($req, $new) = @_;

            return if $req->{uri} ne '/web/session/authenticate';

            my $p = $json->decode($req->{body})->{params};

            return { %{ $error->(200, 'odoo.exceptions.AccessDenied') },
                     headers => [ 'Set-Cookie' =>
                                  'session_id=c4n4ry-nobody; Path=/' ] }
                if $p->{login} ne 'sync' || $p->{password} ne $PASSWORD
                   || $p->{db} ne 'prod';

            return { status => 200,
                     headers => [ 'Set-Cookie' => 'session_id=c4n4ry-odoo-'
                                  . $new->() . '; Expires=Sat, 21 Nov 2099 '
                                  . '10:00:00 GMT; Max-Age=604800; HttpOnly; '
                                  . 'Path=/' ],
                     body => '{"jsonrpc":"2.0","id":null,"result":{"uid":2}}' };
        },
        sub {
            my ($req) = @_;

            return (cookie($req, 'session_id') // '') =~ /^c4n4ry-odoo-(\d+)$/
                   ? $1 : 0;
        },
        sub { return $error->(100, 'odoo.http.SessionExpiredException') });
}


# SAP Business One: two cookies, one of which says on which node

sub b1 {
    return erp(
        sub {
            my ($req, $new) = @_;

            return if $req->{uri} ne '/b1s/v1/Login';

            my $p = $json->decode($req->{body});

            return { status => 401, body => '{"error":{"code":100000027}}' }
                if $p->{CompanyDB} ne 'SBO' || $p->{UserName} ne 'sync'
                   || $p->{Password} ne $PASSWORD;

            my $n = $new->();

            return { status => 200,
                     headers => [ 'Set-Cookie' => "B1SESSION=c4n4ry-b1-$n;"
                                                  . 'HttpOnly;SameSite=None',
                                  'Set-Cookie' => 'ROUTEID=.node2; path=/b1s' ],
                     body => '{"SessionId":"c4n4ry-b1-' . $n
                             . '","SessionTimeout":30}' };
        },
        sub {
            my ($req) = @_;

            return 0 if (cookie($req, 'ROUTEID') // '') ne '.node2';
            return (cookie($req, 'B1SESSION') // '') =~ /^c4n4ry-b1-(\d+)$/
                   ? $1 : 0;
        },
        sub {
            return { status => 401, body => '{"error":{"code":301,"message":{'
                     . '"lang":"en-us","value":"Invalid session or session '
                     . 'already timeout."}}}' };
        });
}


my %connectors = (
    sap => {
        path => '/sap/opu', format => 'odata-v2',
        credentials => { basic => { user => 'secret:user',
                                    password => 'secret:password' } },
        session => {
            request => 'GET /', headers => { 'X-CSRF-Token' => 'Fetch' },
            take => { token => 'header:X-CSRF-Token',
                      cookies => Cpanel::JSON::XS::true() },
            send => { 'X-CSRF-Token' => '{token}' },
            expired => { status => 403,
                         header => { 'X-CSRF-Token' => 'Required' } } },
        entities => { sales_order => {
            create => 'POST /A_SalesOrder',
            read => q{GET /A_SalesOrder('{id}')} } } },
    tryton => {
        path => '/db',
        session => {
            request => 'POST /',
            body => { id => 0, method => 'common.db.login',
                      params => [ 'secret:user',
                                  { password => 'secret:password' } ] },
            take => { id => '$.result[0]', key => '$.result[1]' },
            send => { Authorization =>
                      'Session base64({secret:user}:{id}:{key})' },
            expired => { status => 401 } },
        entities => { sales_order => { create => 'POST /' } } },
    odoo => {
        session => {
            request => 'POST /web/session/authenticate',
            body => { jsonrpc => '2.0', method => 'call', params => {
                db => 'prod', login => 'secret:user',
                password => 'secret:password' } },
            take => { uid => '$.result.uid',
                      cookies => Cpanel::JSON::XS::true() },
            expired => { status => 200,
                         body => { '$.error.code' => 100 } } },
        entities => { sales_order => { create => 'POST /jsonrpc' } } },
    b1 => {
        path => '/b1s/v1',
        session => {
            request => 'POST /Login',
            body => { CompanyDB => 'SBO', UserName => 'secret:user',
                      Password => 'secret:password' },
            take => { cookies => Cpanel::JSON::XS::true() },
            expired => [ { status => 401,
                           body => { '$.error.code' => '301' } } ],
            max_age => '25m' },
        entities => { sales_order => { create => 'POST /Orders',
                                       read => 'GET /Orders({id})' } } },
);


sub connector {
    my ($name) = @_;

    return %{ $json->decode($json->encode($connectors{$name})) };
}


1;
