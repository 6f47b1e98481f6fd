package Test::Sync::Webhook;

# Signs as the senders of webhooks do: the headers of one delivery.
#
#     my @h = webhook('stripe', $secret, $body, time => time() - 400);
#
# Options: time (seconds; now), id (standard), method and url (hubspot), and
# "also", a second secret of a list.  A secret of "standard" that is a
# Crypt::PK::Ed25519 signs v1a.

use strict;
use warnings;

use Crypt::Mac::HMAC qw(hmac hmac_b64 hmac_hex);
use Exporter qw(import);
use MIME::Base64 qw(decode_base64 encode_base64);
use Time::HiRes ();

our @EXPORT = qw(webhook);

my %sign = (
    standard => sub {
        my ($secret, $body, %o) = @_;
        my $id = $o{id} // 'msg_1';
        my @list;

        for my $key ($secret, defined $o{also} ? $o{also} : ()) {
            my $text = "$id.$o{time}.$body";

            push @list, ref $key
                ? 'v1a,' . encode_base64($key->sign_message($text), '')
                : 'v1,' . encode_base64(
                      hmac('SHA256', decode_base64($key =~ s/^whsec_//r),
                           $text), '');
        }

        return ('webhook-id' => $id, 'webhook-timestamp' => $o{time},
                'webhook-signature' => join ' ', @list);
    },

    stripe => sub {
        my ($secret, $body, %o) = @_;
        my @list = map { 'v1=' . hmac_hex('SHA256', $_, "$o{time}.$body") }
                       $secret, defined $o{also} ? $o{also} : ();

        return ('Stripe-Signature' => join ',', "t=$o{time}", @list,
                                           'v0=' . '6f' x 32);
    },

    github => sub {
        my ($secret, $body) = @_;

        return ('X-Hub-Signature-256' =>
                    'sha256=' . hmac_hex('SHA256', $secret, $body));
    },

    shopify => sub {
        my ($secret, $body) = @_;

        return ('X-Shopify-Hmac-Sha256' =>
                    encode_base64(hmac('SHA256', $secret, $body), ''));
    },

    hubspot => sub {
        my ($secret, $body, %o) = @_;
        my $ms = int($o{time} * 1000);
        my $method = $o{method} // 'POST';

        return ('X-HubSpot-Signature-v3' => encode_base64(
                    hmac('SHA256', $secret, "$method$o{url}$body$ms"), ''),
                'X-HubSpot-Request-Timestamp' => $ms,
                'X-HubSpot-Signature' => '69' x 32,
                'X-HubSpot-Signature-Version' => 'v1');
    },
);


sub webhook {
    my ($profile, $secret, $body, %o) = @_;

    $o{time} //= $profile eq 'hubspot' ? Time::HiRes::time() : time();

    return $sign{$profile}->($secret, $body, %o);
}


1;
