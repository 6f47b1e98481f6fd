#!/usr/bin/perl

# Webhooks and idempotency, on Redis.

use strict;
use warnings;

use lib 't/lib';
use Test::Sync::Redis;

our $store = 'sync_store ' . Test::Sync::Redis->start->url . ' timeout=2s;';

do './t/webhook.t';
die $@ if $@;
