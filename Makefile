# SPDX-License-Identifier: GPL-2.0-only
# make [all]	build/bpfpol		make deps	install what a build needs (root)
# make check	tests without root	make test	all tests (root)
# make demo	the main job, shown	make install	PREFIX, DESTDIR

PREFIX ?= /usr/local
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
CFLAGS ?= -O2 -g
VERSION := 0.1

B := build
WARN := -Wall -Wextra -Werror -Wno-unused-parameter
override CFLAGS += -std=gnu11 $(WARN) -Iinclude -Iloader -I$B -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -MMD -MP

# Linked in where the archives are there, so that one file is enough on a server.
static = $(if $(wildcard $(shell $(CC) -print-file-name=lib$(1).a)),-l:lib$(1).a,-l$(1))
LIBS := $(call static,bpf) $(call static,elf) $(call static,z) $(call static,mnl)

# The pure layers: no system calls, no printing; unit tests need only these.
IMPURE := main args apply attach cmd_% dirs gather generation host inplace journal kernel links lists \
	netlink policy_file remembered store
PURE := $(filter-out $(patsubst %,loader/%.c,$(IMPURE)),$(wildcard loader/*.c))
ALL := $(wildcard loader/*.c)
obj = $(patsubst %.c,$B/%.o,$(1))
LOADER := $(call obj,$(filter-out loader/main.c,$(ALL)))
TESTS := $(patsubst tests/unit/%.c,$B/tests/%,$(wildcard tests/unit/test_*.c)) \
	$(patsubst tests/golden/%.c,$B/tests/%,$(wildcard tests/golden/test_*.c))
PROGS := $(B)/tests/twin $(B)/tests/pkt

all: $B/bpfpol

$B/bpfpol: $B/loader/main.o $(LOADER)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$B/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) include/abi.h
	@mkdir -p $(@D)
	$(CLANG) -g -O2 -target bpf -mcpu=v3 $(WARN) -Iinclude \
		-I/usr/include/$(shell $(CC) -dumpmachine) -c $< -o $@

$B/%.skel.h: $B/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$B/loader/generation.o $B/loader/kernel.o: $B/filter.skel.h $B/root.skel.h

$B/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

$B/tests/test_%: $B/tests/unit/test_%.o $(call obj,$(PURE))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka -ljansson -lpcap

$B/tests/test_golden: $B/tests/golden/test_golden.o $(call obj,$(PURE))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka

$B/tests/pkt: $B/tests/e2e/pkt.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$B/tests/twin: $(call obj,$(wildcard tests/prog/*.c)) $(LOADER)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

clean:
	rm -rf $B

.PHONY: all clean
.SECONDARY:
-include $(shell find $B -name '*.d' 2>/dev/null)
