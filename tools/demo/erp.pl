#!/usr/bin/perl

# erp.pl PORT: an ERP that books whatever it is sent, in the background until
# it is asked to stop.  GET /ledger says what it booked, /stop ends it.

use strict;
use warnings;

use FindBin;
use POSIX ();

use lib "$FindBin::Bin", "$FindBin::Bin/../../t/lib";
use Demo::Peers;

my $port = shift // die "usage: erp.pl PORT\n";

Demo::Peers::start($port, Demo::Peers::erp(), alone => 1);

print "an ERP with a ledger listens on 127.0.0.1:$port\n";
