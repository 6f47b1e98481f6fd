# make            build the module, the tools and their library into $(BUILD)
# make test       everything prove can run: C units, then NGINX
# make unit       the C units alone
# make fuzz TARGET=json TIME=60
#                 one fuzzer of t/fuzz for so many seconds
# make demo       an order from a CRM to an ERP, told as a transcript; with
#                 STORE=redis on a redis-server that it starts, and two nodes
# make run        the same gateway and peers, left running, with curl lines
# make install    the module and sync/*.conf into the NGINX of the host
# make bench QUICK=1
#                 what each policy costs; ONE_CORE=1: all on one core
# make test-asan, test-storm, test-distros
#                 with sanitizers; the long ones; on other NGINX, Redis, Valkey
#
# BUILD names the output folder, so that several trees stand side by side:
#     make build BUILD=/tmp/mine

BUILD   ?= build
JOBS    ?= $(shell nproc)
CC      ?= cc

out     := $(abspath $(BUILD))
top     := $(CURDIR)

lib     := ngx_sync_module/lib
libs    := -ljansson -lssl -lcrypto -lpcre2-8 -lxml2 -lz
incs    := -I/usr/include/libxml2

PACKAGES := gcc libc6-dev make nginx nginx-dev libjansson-dev libssl-dev \
            libpcre2-dev libhiredis-dev libxml2-dev zlib1g-dev perl \
            libcryptx-perl libcrypt-jwt-perl libio-socket-ssl-perl \
            libjson-perl libcpanel-json-xs-perl ca-certificates curl \
            nghttp2-client openssl redis-server

WARN    := -Wall -Wextra -Werror -Wno-unused-parameter
CFLAGS  ?= -O2 -g
STD     := -std=c11 -D_GNU_SOURCE
SAN     := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
           -fno-sanitize-recover=undefined

lib_srcs   := $(wildcard $(lib)/*.c)
tool_srcs  := $(wildcard tools/*.c)
ctl_srcs   := $(wildcard tools/syncctl/*.c)
unit_srcs  := $(wildcard t/unit/*.c)
fuzz_srcs  := $(wildcard t/fuzz/*.c)

lib_objs   := $(lib_srcs:$(lib)/%.c=$(out)/lib/%.o)
san_objs   := $(lib_srcs:$(lib)/%.c=$(out)/lib-san/%.o)
tool_bins  := $(tool_srcs:tools/%.c=$(out)/%)
ctl_objs   := $(ctl_srcs:tools/syncctl/%.c=$(out)/ctl/%.o)
unit_bins  := $(unit_srcs:t/unit/%.c=$(out)/unit/%)
fuzz_objs  := $(lib_srcs:$(lib)/%.c=$(out)/lib-fuzz/%.o)
fuzz_bins  := $(fuzz_srcs:t/fuzz/%.c=$(out)/fuzz/%)

dirs       := $(lib) ngx_sync_module/net ngx_sync_module/store \
              ngx_sync_module lua-free-policies filters t/module
mod_srcs   := $(wildcard $(dirs:%=%/*.[ch]))

export SYNC_BUILD := $(out)

# one file at a time: leases and deadlines of the tests are milliseconds
PROVE   := prove -It/lib


.PHONY: all deps build module unit install demo run test test-storm \
        fuzz test-asan test-distros bench bench-lib clean list

all: build


deps:
	@tools/build/deps $(PACKAGES)


build: deps
	@$(MAKE) --no-print-directory -j$(JOBS) module lib-tools

.PHONY: lib-tools
lib-tools: $(out)/libsync.a $(tool_bins) $(out)/syncctl
	@:


# the NGINX module: its list of files and modules decides when to configure
# again, NGINX' own Makefile does the rest; a name of ours that is nowhere
# defined would only show when NGINX loads the module, so it is looked for

$(out)/sources: list
	@mkdir -p $(out)
	@{ printf '%s\n' $(mod_srcs) $(wildcard t/module/config); \
	   grep -hoE '^ngx_module_t +ngx_http_sync_[a-z0-9_]+' \
	       $(filter %.c,$(mod_srcs)) /dev/null || :; } > $@.new
	@cmp -s $@ $@.new && rm $@.new || mv $@.new $@

$(out)/nginx/objs/Makefile: $(out)/sources config tools/build/configure \
                            $(wildcard t/module/config) t/asan/config \
                            /usr/share/nginx/src/conf_flags
	@tools/build/configure $(out) $(KIND)
	@touch $@

.PHONY: configured
configured: $(out)/nginx/objs/Makefile

module: $(out)/nginx/objs/Makefile
	@$(MAKE) -s --no-print-directory -C $(out)/nginx \
	    -f objs/Makefile modules
	@! nm -D --undefined-only $(out)/nginx/objs/ngx_http_sync_module.so \
	    | grep -wE '(ngx_|ngx_http_)?sync_[a-z0-9_]+'
	@for so in $(out)/nginx/objs/*.so; do \
	    cmp -s $$so $(out)/$${so##*/} || install -m 644 $$so $(out)/; \
	done


# lib alone, for the tools and the units

$(out)/lib/%.o: $(lib)/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) $(incs) -MMD -MP -c -o $@ $<

$(out)/lib-san/%.o: $(lib)/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(SAN) $(incs) -MMD -MP -c -o $@ $<

$(out)/libsync.a: $(lib_objs)
	@rm -f $@
	@ar rcs $@ $^

$(out)/libsync-san.a: $(san_objs)
	@rm -f $@
	@ar rcs $@ $^

$(tool_bins): $(out)/%: tools/%.c $(out)/libsync.a
	$(CC) $(STD) $(WARN) $(CFLAGS) -I$(lib) -MMD -MP -MF $@.d -o $@ \
	    $< $(out)/libsync.a $(libs)

# syncctl is many files; their objects stand in a folder beside the binary

$(out)/ctl/%.o: tools/syncctl/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -I$(lib) -MMD -MP -c -o $@ $<

$(out)/syncctl: $(ctl_objs) $(out)/libsync.a
	$(CC) $(CFLAGS) -o $@ $(ctl_objs) $(out)/libsync.a $(libs)

$(unit_bins): $(out)/unit/%: t/unit/%.c $(out)/libsync-san.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(SAN) -I$(lib) -It/unit -MMD -MP -MF $@.d -o $@ \
	    $< $(out)/libsync-san.a $(libs)

# fuzzers, by clang: each file of t/fuzz is one

FUZZ := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
        -fsanitize=address,undefined

$(out)/lib-fuzz/%.o: $(lib)/%.c
	@mkdir -p $(@D)
	clang $(STD) $(FUZZ) -fsanitize=fuzzer-no-link $(incs) -MMD -MP \
	    -c -o $@ $<

$(out)/libsync-fuzz.a: $(fuzz_objs)
	@rm -f $@
	@ar rcs $@ $^

$(fuzz_bins): $(out)/fuzz/%: t/fuzz/%.c $(out)/libsync-fuzz.a
	@mkdir -p $(@D)
	clang $(STD) -Wall -Wextra -Werror $(FUZZ) -fsanitize=fuzzer -I$(lib) \
	    -It/fuzz -MMD -MP -MF $@.d -o $@ $< $(out)/libsync-fuzz.a $(libs)

-include $(wildcard $(out)/lib/*.d $(out)/lib-san/*.d $(out)/unit/*.d \
                    $(out)/lib-fuzz/*.d $(out)/fuzz/*.d \
                    $(out)/ctl/*.d $(out)/*.d)


.PHONY: units fuzzers
units: $(unit_bins)
fuzzers: $(fuzz_bins)

unit: deps
	@$(MAKE) --no-print-directory -j$(JOBS) units
	@$(PROVE) $(unit_bins)

test: build
	@tools/build/deps clang libclang-rt-dev libfaketime
	@$(MAKE) --no-print-directory -j$(JOBS) units fuzzers
	@$(PROVE) $(unit_bins) $(sort $(wildcard t/*.t))

# the long runs: the same files, without their bound

test-storm: build
	SYNC_STORM=1 $(PROVE) $(sort $(wildcard t/storm*.t))

# one fuzzer for so many seconds, from what the runs before it have found

TIME ?= 60

fuzz: build
	@tools/build/deps clang libclang-rt-dev
	@$(MAKE) --no-print-directory -j$(JOBS) $(out)/fuzz/$(TARGET)
	@t/fuzz/run.pl $(out)/fuzz $(TARGET) $(TIME)

test-asan: build
	@tools/build/deps dpkg-dev
	@tools/build/asan $(out)/asan
	@$(MAKE) --no-print-directory -j$(JOBS) units
	@SYNC_STATIC=1 SYNC_NGINX=$(out)/asan/nginx/objs/nginx \
	    ASAN_OPTIONS=detect_leaks=1 \
	    $(PROVE) $(unit_bins) t/asan/canary.t \
	    $(sort $(filter-out t/fuzz.t,$(wildcard t/*.t)))

test-distros: build
	@tools/build/deps debootstrap libfaketime
	@tools/build/distros $(out)/distros trixie=valkey-server sid=redis-server

bench: build
	@tools/build/deps wrk
	@perl bench/run.pl $(if $(QUICK),--quick) $(if $(ONE_CORE),--one-core)


# the map of an order over the tape, and over trees of jansson

$(out)/bench-lib: bench/lib.c $(out)/libsync.a
	$(CC) $(STD) $(WARN) $(CFLAGS) -I$(lib) -MMD -MP -MF $@.d -o $@ $< \
	    $(out)/libsync.a $(libs) -lm

bench-lib: build
	@$(MAKE) --no-print-directory $(out)/bench-lib
	@$(out)/bench-lib conf.example/library/maps/salesforce.json \
	    t/unit/golden/salesforce-order.json


demo: build
	@perl tools/demo/run.pl --store=$(or $(STORE),shm)

run: build
	@perl tools/demo/run.pl --store=$(or $(STORE),shm) --stay


# as a package would: the module where NGINX looks for it, the shipped
# includes where `include sync/safe.conf` finds them

modules_path = $(shell nginx -V 2>&1 | grep -o -e '--modules-path=[^ ]*' \
                 | cut -d= -f2)
conf_path    = $(dir $(shell nginx -V 2>&1 | grep -o -e '--conf-path=[^ ]*' \
                 | cut -d= -f2))

install: build
	install -d $(DESTDIR)$(modules_path) $(DESTDIR)$(conf_path)sync
	install -m 644 $(out)/ngx_http_sync_module.so $(DESTDIR)$(modules_path)/
	install -m 644 conf.example/sync/*.conf $(DESTDIR)$(conf_path)sync/


clean:
	rm -rf $(out)
