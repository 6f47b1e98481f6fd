#!/usr/bin/perl

# The tables of states and outcomes, on Redis.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync::Redis;

our $store = 'sync_store ' . Test::Sync::Redis->start->url . ' timeout=2s;';

do './t/idempotency.t';
die $@ if $@;
