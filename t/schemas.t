#!/usr/bin/perl

# The canonical schemas of conf.example: each takes a whole payload and a
# small one, and says where one is wrong.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $ctl = ($ENV{SYNC_BUILD} || "$root/build") . '/syncctl';
my $library = "$root/conf.example/library";
my $work = File::Temp->newdir;
my $run = "'$ctl' schema --format-assertion --ref-dir '$library'";
my $json = Cpanel::JSON::XS->new->canonical->utf8;

my %party = (id => '7', name => 'ACME', tax_id => 'DE1', street => 'A 1',
             city => 'Ulm', postal_code => '89073', state => 'BW',
             region => 'eu', country => 'DE', email => 'a@acme.example',
             phone => '1', 'x-ext' => { a => 1 });
my %item = (line_number => '10', id => '1', sku => 'A', product_id => '2',
            description => 'An A', quantity => '0.125', unit => 'PC',
            unit_price => '19.90', net_amount => '1e2', tax_amount => '-1',
            requested_date => '2026-12-01', status => 'draft', 'x-ext' => {});
my %totals = (net_total => '1', tax_total => '0.19', total => '1.19',
              notes => "n\nn", created_at => '2026-11-21T10:00:00Z',
              changed_at => '2026-11-21T10:00:00.5+01:00', 'x-ext' => {});
my %payment = (terms => 'NET30', method => 'bank', iban => 'DE1',
               reference => 'r');

# whole; small; what is wrong by its pointer and keyword

my %entity = (
    account => [
        { id => '1', account_number => 'A-1', name => 'ACME', type => 'partner',
          status => 'blocked', industry => 'Retail', phone => '1',
          email => 'a@acme.example', website => 'https://acme.example',
          language => 'de', currency => 'EUR',
          parent => { number => 'A-0', name => 'Holding' },
          legal_entity => \%party, bill_to => \%party, ship_to => \%party,
          contacts => [ { role => 'billing', name => 'B',
                          email => 'b@acme.example' } ],
          tax_ids => [ { type => 'VAT', value => 'DE1', country => 'DE' } ],
          payment_terms => 'NET30', delivery_terms => 'DAP',
          credit_limit => '10000.00', created_at => undef },
        { account_number => 'A-1', name => 'ACME', email => undef },
        '/name:type' => { name => undef },
        '/name:minLength' => { name => '' },
        '/tax_ids/0/value:required' => { tax_ids => [ { type => 'VAT' } ] },
        '/bill_to/country:enum' => { bill_to => { country => 'DEU' } },
        '/bill_to/town:additionalProperties' => { bill_to => { town => 'x' } },
        '/credit_limit:type' => { credit_limit => 10000 },
        '/contacts/0/role:enum' => { contacts => [ { role => 'boss' } ] },
    ],
    contact => [
        { id => '1', contact_number => 'C-1', salutation => 'Ms',
          first_name => 'A', last_name => 'B', email => 'a@acme.example',
          phone => '1', mobile => '2', job_title => 'CFO', department => 'F',
          language => 'EN', account => { id => '1', number => 'A-1' },
          roles => [ 'main', 'billing' ], address => \%party,
          status => 'active', notes => 'n' },
        { contact_number => 'C-1', last_name => 'B',
          account => { number => 'A-1' } },
        '/account:anyOf' => { account => { name => 'ACME' } },
        '/language:pattern' => { language => 'deu' },
        '/roles/1:enum' => { roles => [ 'main', 'x' ] },
    ],
    product => [
        { id => '1', sku => 'A', name => 'An A', description => 'd',
          type => 'goods', status => 'active', category => 'c', unit => 'PC',
          gtin => '4006381333931', list_price => '1.00', currency => 'EUR',
          tax_category => 'full', weight => '0.5', weight_unit => 'KG',
          country_of_origin => 'DE', customs_code => '8471' },
        { sku => 'A', name => 'An A', gtin => undef },
        '/currency:dependentRequired' => { list_price => '1' },
        '/gtin:pattern' => { gtin => '123' },
        '/list_price:pattern' => { list_price => '1,00', currency => 'EUR' },
    ],
    quote => [
        { id => '1', quote_number => 'Q-1', version => '2',
          quote_date => '2026-11-21', valid_until => '2026-12-21',
          status => 'sent', currency => 'USD', opportunity => { id => '006' },
          order_number => '1', customer_reference => 'r',
          sales_area => { organization => '1710' }, sold_to => \%party,
          ship_to => \%party, bill_to => \%party, payment => \%payment,
          items => [ \%item ], %totals },
        { quote_number => 'Q-1', quote_date => '2026-11-21',
          currency => 'EUR', sold_to => {}, items => [ { sku => 'A',
                                                         quantity => '1' } ] },
        '/items:minItems' => { items => [] },
        '/valid_until:format' => { valid_until => '2026-02-30' },
    ],
    sales_order => [
        { id => '1', order_number => '1', order_date => '2026-11-21',
          order_type => 'OR', status => 'shipped', currency => 'EUR',
          customer_reference => 'r', requested_date => '2026-12-01',
          sales_area => { organization => '1710', channel => '10',
                          division => '00' },
          sold_to => \%party, ship_to => \%party, bill_to => \%party,
          payment => \%payment,
          delivery => { carrier => 'DHL', tracking_number => '1',
                        shipped_at => '2026-11-21T10:00:00+01:00',
                        delivered_at => undef },
          items => [ \%item, \%item ], %totals },
        { order_number => '1', order_date => '2026-11-21', currency => 'EUR',
          sold_to => { id => '7' }, items => [ { sku => 'A',
                                                 quantity => '1' } ] },
        '/sold_to:type' => { sold_to => undef },
        '/currency:enum' => { currency => 'EURO' },
        '/currency:type' => { currency => undef },
        '/items/0/quantity:type' => { items => [ { sku => 'A',
                                                   quantity => 1 } ] },
        '/delivery/shipped_at:format' =>
            { delivery => { shipped_at => '2026-11-21T10:00:00' } },
    ],
    invoice => [
        { id => '1', invoice_number => 'I-1', type => 'credit_note',
          invoice_date => '2026-11-21', due_date => '2026-12-21',
          status => 'open', currency => 'EUR', order_number => '1',
          credited_invoice => 'I-0', customer_reference => 'r',
          legal_entity => \%party, sold_to => \%party, ship_to => \%party,
          bill_to => \%party, payment => \%payment, items => [ \%item ],
          taxes => [ { code => 'A1', rate => '19', base => '1',
                       amount => '0.19' } ], open_amount => '1', %totals },
        { invoice_number => 'I-1', invoice_date => '2026-11-21',
          currency => 'EUR', bill_to => { name => 'x' }, total => '1',
          items => [ { sku => 'A', quantity => '1' } ] },
        '/credited_invoice:required' => { type => 'credit_note' },
        '/total:type' => { total => undef },
        '/taxes/0/amount:required' => { taxes => [ { rate => '19' } ] },
    ],
    payment => [
        { id => '1', payment_number => 'P-1', payment_date => '2026-11-21',
          value_date => '2026-11-22', direction => 'incoming',
          method => 'bank_transfer', status => 'settled', amount => '1.19',
          currency => 'EUR', legal_entity => \%party, payer => \%party,
          payee => \%party, iban => 'DE89370400440532013000',
          bic => 'COBADEFFXXX', reference => 'r',
          allocations => [ { invoice_number => 'I-1', amount => '1.19' } ],
          notes => undef },
        { payment_number => 'P-1', payment_date => '2026-11-21',
          amount => '9007199254740993.10', currency => 'JPY' },
        '/iban:pattern' => { iban => 'DE89 3704' },
        '/amount:pattern' => { amount => '1.' },
        '/allocations/0/amount:required' =>
            { allocations => [ { invoice_number => 'I' } ] },
    ],
    subscription => [
        { id => '1', subscription_number => 'S-1', status => 'active',
          start_date => '2026-12-01', end_date => undef, order_number => '1',
          currency => 'EUR', sold_to => \%party, bill_to => \%party,
          ship_to => \%party, payment => \%payment,
          billing => { interval => 'month', every => 3,
                       next_date => '2027-03-01', in_advance => \1 },
          renewal => { automatic => \1, months => 12, notice_days => 30 },
          items => [ \%item ], %totals },
        { subscription_number => 'S-1', start_date => '2026-12-01',
          currency => 'EUR', sold_to => {}, billing => { interval => 'year' },
          items => [ { sku => 'A', quantity => '1' } ] },
        '/billing/interval:enum' => { billing => { interval => 'monthly' } },
        '/billing/every:minimum' => { billing => { interval => 'month',
                                                   every => 0 } },
        '/renewal/months:type' => { renewal => { months => '12' } },
    ],
);

my @files = map { m{/schemas/(\w+)/1\.json$} } glob "$library/schemas/*/1.json";
is_deeply([ grep { $_ ne 'common' } @files ], [ sort keys %entity ],
          'a schema for each entity');

for my $name (sort keys %entity) {
    my ($whole, $small, @wrong) = @{ $entity{$name} };
    my $schema = $json->decode(slurp("$library/schemas/$name/1.json"));

    like($schema->{'x-business-key'}, qr/^\/\w+$/, "$name: its business key");
    is_deeply([ grep { $_ eq substr $schema->{'x-business-key'}, 1 }
                @{ $schema->{required} } ],
              [ substr $schema->{'x-business-key'}, 1 ], 'is required');
    is($schema->{'$id'}, "https://sync.example/schemas/$name/1.json",
       'its name has its version');

    is(judged($name, $whole), 'valid', "$name: whole");
    is(judged($name, $small), 'valid', "$name: what must be");
    is(join(' ', sort keys %{ $schema->{properties} }),
       join(' ', sort keys %{ { %$whole,
            map { $_ => 1 } qw(x-ext created_at changed_at) } }),
       'whole is every member');

    while (my ($fault, $change) = splice @wrong, 0, 2) {
        like(judged($name, { %$small, %$change }), qr/^  \Q$fault\E:/m, $fault);
    }

    for my $key (@{ $schema->{required} }) {
        my %less = %$small;
        delete $less{$key};
        like(judged($name, \%less), qr/^  \/$key:required:/m,
             "$name: not without $key");
    }

    like(judged($name, { %$small, zzz => 1 }), qr/^  \/zzz:additionalProperties:/m,
         "$name: nothing unknown");
}

like(`$run '$library/schemas/$_/1.json' '$root/t/golden/$_/canonical.json'`,
     qr/: valid$/, "what the maps make of a client's $_")
    for qw(account sales_order);

# the example of docs/schemas.md, as it stands there

my ($command, $said) = slurp("$root/docs/schemas.md")
                       =~ /^```console\n\$ syncctl (.*)\n((?s:.*?))^```$/m;

open my $fh, '>:raw', "$work/payment.json" or die "payment.json: $!";
print $fh $json->encode({ payment_number => 'P-1', currency => 'EURO',
                          payment_date => '2026-11-21', amount => '1,19' });
close $fh or die "payment.json: $!";
symlink $library, "$work/library" or die "library: $!";

is(`cd '$work' && '$ctl' $command`, $said, 'docs/schemas.md: its example');

done_testing();


sub judged {
    my ($name, $payload) = @_;

    open my $fh, '>:raw', "$work/payload" or die "payload: $!";
    print $fh $json->encode($payload);
    close $fh or die "payload: $!";

    my $said = `$run '$library/schemas/$name/1.json' '$work/payload' 2>&1`;

    $said =~ s/: (\w+): .*/:$1:/mg;

    return $said =~ /payload: valid$/ ? 'valid' : $said;
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!";
    local $/;

    return scalar <$fh>;
}
