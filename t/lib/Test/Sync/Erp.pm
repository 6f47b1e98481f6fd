package Test::Sync::Erp;

=head1 NAME

Test::Sync::Erp - tenants whose systems are known by URL alone

=head1 SYNOPSIS

    use Test::Sync;
    use Test::Sync::Erp;

    my $t = Test::Sync->new;
    my $port = $t->peer(erp => sub { '{}' }, https => [ 'erp.test' ]);
    my $dns = Test::Sync::Dns->start('erp.test' => ['127.0.0.1']);

    my $erp = Test::Sync::Erp->new($t, $dns, egress => "erp.test:$port",
                                   peers => 'keepalive=4');

    $erp->tenant('acme', "https://erp.test:$port/base");
    $erp->conf;                         # or conf(inside of the location)
    $t->start;

    is($erp->create('acme')->{status}, 200);
    is($erp->read('acme', '4711')->{status}, 200);

=head1 DESCRIPTION

C<new> takes C<egress> (sync_egress, besides 127.0.0.0/8 and ::1), C<peers>
(parameters of sync_peers), C<resolver> (more of it), C<http> (lines for http).
C<tenant(NAME, URL, MEMBERS)> writes a document whose connector is there;
C<create> and C<read> take headers.

=cut

use strict;
use warnings;

use Test::Sync::Https;


sub new {
    my ($class, $t, $dns, %opt) = @_;

    $t->write('master.key', 'c4n4ry-master-secret-0123456789');
    $t->canary('c4n4ry-master-secret-0123456789', 'c4n4ry-erp-password');

    # NGINX' own, of an address above 127 in an answer

    $t->allow(qr{src/core/ngx_resolver\.c:.*left shift of});

    return bless { t => $t, dns => $dns, peers => '', resolver => '',
                   http => '', egress => '', %opt }, $class;
}


sub tenant {
    my ($self, $name, $url, %members) = @_;

    my $t = $self->{t};

    for my $secret (qw(user password)) {
        $t->write("secrets/t_$name/$secret", "c4n4ry-erp-$secret\n");
    }

    $t->write("tenants/$name.json", {
        tenant => $name, id => "t_$name",
        match => { hosts => ["$name.example"] },
        connectors => { erp => {
            url => $url,
            credentials => { basic => { user => 'secret:user',
                                        password => 'secret:password' } },
            entities => { sales_order => {
                create => 'POST /orders', read => 'GET /orders/{id}',
                replace => 'PUT /orders/{id}' } },
            %members } },
        routes => [ { entity => 'sales_order', to => 'erp' } ],
    });
}


# what connector.conf says, with the CA of the tests

sub tls {
    my ($self) = @_;

    my $ca = Test::Sync::Https->ca;

    return <<"CONF";
        proxy_http_version             1.1;
        proxy_method                   \$sync_upstream_method;
        proxy_set_header               Connection "";
        proxy_set_header               Host \$sync_upstream_host;
        proxy_set_header               Authorization
                                       \$sync_upstream_authorization;
        proxy_ignore_client_abort      on;
        proxy_connect_timeout          2s;
        proxy_ssl_protocols            TLSv1.2 TLSv1.3;
        proxy_ssl_server_name          on;
        proxy_ssl_name                 \$sync_upstream_tls_name;
        proxy_ssl_verify               on;
        proxy_ssl_trusted_certificate  $ca;
CONF
}


sub conf {
    my ($self, $inside) = @_;

    $self->{t}->http($self->text($inside));
}


sub text {
    my ($self, $inside, $more) = @_;

    my $port = $self->{dns}->port;

    $inside //= "            sync_idempotency on scope=none;\n"
                . '            proxy_pass https://$sync_upstream'
                . '$sync_upstream_uri;';
    $more //= '';

    my $ca = Test::Sync::Https->ca;
    my $tls = $self->tls;

    return <<"CONF";
    resolver          127.0.0.1:$port $self->{resolver};
    resolver_timeout  3s;

    sync_secret   file:%%TESTDIR%%/master.key;
    sync_tenants  %%TESTDIR%%/tenants interval=20ms;
    sync_secrets  %%TESTDIR%%/secrets;
    sync_egress   127.0.0.0/8 ::1 $self->{egress};

    sync_trusted_certificate  $ca;

    client_body_buffer_size  64k;

    upstream sync_connectors { sync_peers $self->{peers}; }

    $self->{http}

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;

        sync_tenant host;

$tls
        location /v1/orders {
            sync_entity sales_order at=/v1/orders;
$inside
        }

        $more
    }
CONF
}


my $n = 0;

sub create {
    my ($self, $tenant, @headers) = @_;

    return $self->{t}->post('/v1/orders', '{"order_number":"' . ++$n . '"}',
                            Host => "$tenant.example",
                            'Content-Type' => 'application/json', @headers);
}


sub read {
    my ($self, $tenant, $id, @headers) = @_;

    return $self->{t}->get('/v1/orders/' . ($id // 1),
                           Host => "$tenant.example", @headers);
}


1;
