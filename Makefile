# SPDX-License-Identifier: GPL-2.0-only
#
#	make		build/bpfpol, with the BPF programs inside it
#	make deps	installs what build, tests and demo need (root)
#	make check	tests that need no root
#	make test	all tests (root); installs what they need, like make deps
#	make soak	the fault suite at full size (root), docs/reliability.md
#	make twin	the twin test alone (root): TWIN_PAIRS=N, TWIN_SEED=S
#	make mutants	whether the tests see mistakes (root)
#	make bench	what all of it costs, beside other filters (root); 10 to 15 minutes, 5 with
#			QUICK=1; README=1 puts the table into README.md
#	make demo	the main job, shown in two network namespaces (root); installs likewise
#	make fuzz	each parser under libFuzzer, ASan and UBSan, SECONDS=60 each
#	make coverage	lines of the parsers that unit tests and the corpus reach
#	make lint	format, shell scripts, layers; make format puts the first right
#	make sanitize	the tests without root, under ASan and UBSan
#	make install	PREFIX, DESTDIR; make uninstall with the same ones takes it away again
#	make deb	a Debian package, in build/deb; installs what that needs (root)

PREFIX ?= /usr/local
CLANG ?= clang
# Ubuntu's /usr/sbin/bpftool is a wrapper, which asks for that of the running kernel.
BPFTOOL ?= $(firstword $(wildcard /usr/local/sbin/bpftool /usr/lib/linux-tools/*/bpftool \
	/usr/sbin/bpftool) bpftool)
CFLAGS ?= -O2 -g
VERSION := 0.1

# BUILD and FLAGS keep builds with other flags apart: make BUILD=build/asan FLAGS=...
BUILD ?= build
B := $(BUILD)
WARN := -Wall -Wextra -Werror -Wno-unused-parameter
C := $(CC) -std=gnu11 $(CFLAGS) $(FLAGS) $(WARN) -Iinclude -Iloader -Itests/prog -I$B \
	-D_GNU_SOURCE $(CPPFLAGS) -DVERSION='"$(VERSION)"' -MMD -MP

# Linked in where the archives are there, so that one file is enough on a server. STATIC= links none in.
STATIC ?= 1
static = $(if $(and $(STATIC),$(wildcard $(shell $(CC) -print-file-name=lib$(1).a))),-l:lib$(1).a,-l$(1))
LIBS = $(foreach l,bpf elf z mnl uuid,$(call static,$l))

# All but these are pure: no system calls, no printing (tests/layers).
IMPURE := \
	agent \
	agent_metrics \
	apply \
	assign \
	attach \
	attach_whole \
	await \
	awaited \
	beside \
	capture \
	capture_copy \
	classifier \
	clients \
	clocks \
	clsact \
	conf_file \
	counts \
	cmd_% \
	conf_file \
	direct \
	detach \
	dirs \
	dropin \
	dynamic% \
	enforce \
	env \
	explain \
	explain_capture \
	fault \
	first \
	fold_file \
	gather \
	generation% \
	guard \
	guard_ask \
	guard_exits \
	guard_lines \
	guard_rules \
	guard_way \
	held \
	held_ask \
	held_change \
	held_ids \
	held_replace \
	held_serve \
	holder \
	hooks \
	host% \
	hotplug hotplug_rules hotplug_say \
	inplace \
	journal \
	late \
	kernel \
	layer \
	library \
	links \
	lists \
	lock \
	main \
	names \
	netlink% \
	norules \
	notes \
	due \
	notify \
	off \
	moment \
	tried% \
	pinned \
	pins \
	policies \
	policy_file \
	policy_import \
	priority \
	privileges \
	progress \
	previous \
	protected \
	record \
	remembered \
	roots \
	roots_detach \
	rulebook \
	salvage \
	scrape \
	seat \
	shelf \
	shelf_rule \
	signals \
	solo \
	spare \
	ssh \
	ssh_socket \
	state \
	store \
	switch \
	tell \
	terminal \
	tie \
	told \
	vantage \
	watcher \
	windows
LOADER := $(filter-out loader/main.c,$(wildcard loader/*.c))
PURE := $(filter-out $(patsubst %,loader/%.c,$(IMPURE)),$(LOADER))
UNIT := $(patsubst tests/%.c,$B/tests/%,$(wildcard tests/unit/test_*.c tests/golden/test_*.c))
# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)	$@')
obj = $(patsubst %.c,$B/%.o,$(1))

all: $B/bpfpol

$B/bpfpol: $(call obj,loader/main.c $(LOADER)) $B/shipped.o
	$(call say,LINK)
	$Q$C $(LDFLAGS) -o $@ $^ $(LIBS)

# clang says x86_64-pc-linux-gnu where gcc, and the directory, say x86_64-linux-gnu.
$B/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) include/abi.h
	@mkdir -p $(@D)
	$(call say,CLANG)
	$Q$(CLANG) -g -O2 -target bpf -mcpu=v3 $(WARN) -Iinclude \
		-I/usr/include/$(subst -pc-,-,$(shell $(CC) -dumpmachine)) -c $< -o $@

$B/driver.bpf.o $B/traffic.bpf.o: $B/%.bpf.o: tests/bench/%.bpf.c $(wildcard tests/bench/*.h)
	@mkdir -p $(@D)
	$(call say,CLANG)
	$Q$(CLANG) -g -O2 -target bpf -mcpu=v3 $(WARN) -Iinclude \
		-I/usr/include/$(shell $(CC) -dumpmachine) -c $< -o $@

$B/%.skel.h: $B/%.bpf.o
	$(call say,GEN)
	$Q$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf > $@.new && mv $@.new $@

$B/loader/classifier.o: $B/xdp.skel.h $B/tc.skel.h
$B/loader/kernel.o: $B/root.skel.h
$B/loader/watcher.o: $B/watch.skel.h

# The policies that the program carries inside.
$B/shipped.c: share/embed $(wildcard share/policies/*.policy)
	@mkdir -p $(@D)
	$(call say,GEN)
	$Qshare/embed $(sort $(filter %.policy,$^)) >$@.new && mv $@.new $@

$B/%.o: $B/%.c
	$(call say,CC)
	$Q$C -c $< -o $@

$B/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$Q$C -c $< -o $@

$(UNIT): $B/tests/%: $B/tests/%.o $(call obj,$(PURE) loader/netlink.c)
	$(call say,LINK)
	$Q$C $(LDFLAGS) -o $@ $^ -lcmocka -ljansson -lpcap -lmnl -luuid -lz -ldl

$B/tests/unit/test_windows: $(call obj,loader/windows.c)

$B/tests/unit/test_clients: $(call obj,loader/clients.c)

# Its allocations fail when it says so.
NOMEM := malloc calloc realloc reallocarray strdup strndup asprintf vasprintf open_memstream
$B/tests/unit/test_nomem: LDFLAGS += $(NOMEM:%=-Wl,--wrap=%)

# They are given the random policies and frames of the twin test.
$B/tests/unit/test_policy_text $B/tests/unit/test_never $B/tests/unit/test_fold $B/tests/unit/test_gen \
	$B/tests/unit/test_held_text $B/tests/unit/test_filters: \
	$(call obj,tests/prog/gen.c tests/prog/gen_frame.c tests/prog/gen_vary.c)

$B/tests/pkt: $(call obj,$(wildcard tests/e2e/*.c))
	$(call say,LINK)
	$Q$C $(LDFLAGS) -o $@ $(filter-out %.bpf.o,$^)

$B/tests/bench/measure.o: $B/driver.skel.h
$B/tests/bench/traffic.o: $B/traffic.skel.h

$B/tests/classify: $(call obj,$(addprefix tests/bench/,classify.c measure.c sets.c) $(filter-out loader/cmd_%,$(LOADER)))
	$(call say,LINK)
	$Q$C $(LDFLAGS) -o $@ $^ $(LIBS)

BENCH := $B/tests/classify $B/tests/traffic $B/tests/timed $B/tests/work

# The classifier of XDP once more, from the same source: counting what a search does, or giving a search up
# after a few steps.
$B/counted/xdp.bpf.o: VARIANT := -include tests/bench/work.h
$B/short/xdp.bpf.o: VARIANT := -DBP_STEPS=8
$B/counted/xdp.bpf.o $B/short/xdp.bpf.o: bpf/xdp.bpf.c $(wildcard bpf/*.h) include/abi.h tests/bench/work.h
	@mkdir -p $(@D)
	$(call say,CLANG)
	$Q$(CLANG) -g -O2 -target bpf -mcpu=v3 $(WARN) -Iinclude $(VARIANT) \
		-I/usr/include/$(subst -pc-,-,$(shell $(CC) -dumpmachine)) -c $< -o $@

$B/counted/classifier.o $B/short/classifier.o: $B/%/classifier.o: loader/classifier.c $B/%/xdp.skel.h $B/tc.skel.h
	$(call say,CC)
	$Q$C -iquote $B/$* -c $< -o $@

$B/tests/short: $B/short/classifier.o $(call obj,loader/main.c $(filter-out loader/classifier.c,$(LOADER))) \
	$B/shipped.o
	$(call say,LINK)
	$Q$C $(LDFLAGS) -o $@ $^ $(LIBS)

$B/tests/work: $B/counted/classifier.o $(call obj,$(addprefix tests/bench/,work.c measure.c sets.c) \
	$(filter-out loader/cmd_% loader/classifier.c,$(LOADER)))
	$(call say,LINK)
	$Q$C $(LDFLAGS) -o $@ $^ $(LIBS)

$B/tests/traffic $B/tests/timed: $B/tests/%: $B/tests/bench/%.o
	$(call say,LINK)
	$Q$C $(LDFLAGS) -o $@ $^ $(LIBS)

$B/tests/twin: $(call obj,$(wildcard tests/prog/*.c) $(filter-out loader/cmd_%,$(LOADER)))
	$(call say,LINK)
	$Q$C $(LDFLAGS) -o $@ $^ $(LIBS) -lpcap

$B/tests/%.so: tests/preload/%.c
	@mkdir -p $(@D)
	$(call say,LINK)
	$Q$C -shared -fPIC -o $@ $< -ldl

PRELOADED := $(patsubst tests/preload/%.c,$B/tests/%.so,$(wildcard tests/preload/*.c))

# Holders of dynamic rules, for the tests of their layer.
DYNAMIC := $B/tests/hold $B/tests/kills

$B/tests/hold: $(call obj,tests/dynamic/hold.c $(filter-out loader/cmd_%,$(LOADER)))
	$(call say,LINK)
	$Q$C $(LDFLAGS) -o $@ $^ $(LIBS)

$B/tests/kills: $(call obj,tests/dynamic/kills.c)
	$(call say,LINK)
	$Q$C $(LDFLAGS) -o $@ $^

# The oracle by itself, for tests of real traffic.
$B/tests/judge: $(call obj,tests/oracle/judge.c $(PURE))
	$(call say,LINK)
	$Q$C $(LDFLAGS) -o $@ $^ -lpcap -luuid

comma := ,
# Fuzzing: BUILD/fuzz holds all of it, built by clang; what the parsers stand on, and the store.
FUZZED := capture capture_copy clocks dirs fold_file journal late library lists names policies policy_file previous record \
	remembered salvage state store moment tried_file
# The store's own files, on a disk in memory.
$B/tests/unit/test_store $B/tests/unit/test_salvage $B/tests/unit/test_tried $B/tests/unit/test_remembered \
	$B/tests/unit/test_capture: $(call obj,tests/fuzz/fuzz.c $(FUZZED:%=loader/%.c))
FUZZERS := $(patsubst tests/%.c,$B/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_FLAGS := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
HAS_FUZZER = $(shell echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | $(CLANG) -x c \
	-fsanitize=fuzzer,address - -o /dev/null 2>/dev/null && echo fuzzers)

$(FUZZERS): $B/tests/%: $B/tests/%.o $(call obj,tests/fuzz/fuzz.c $(PURE) $(FUZZED:%=loader/%.c))
	$(call say,LINK)
	$Q$C -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ -lz -luuid -lmnl -ldl \
		$(if $(findstring fuzz_store,$@),-Wl$(comma)--wrap=realpath)

fuzz-programs: $(FUZZERS)

# Does nothing where clang has no libFuzzer: tests/fuzz/run says so.
fuzzers:
	$(if $(HAS_FUZZER),$(MAKE) BUILD=$B/fuzz CC=$(CLANG) CFLAGS=-g FLAGS="$(FUZZ_FLAGS)" fuzz-programs)

fuzz: fuzzers
	BUILD=$B FUZZ_JOBS=$(shell nproc) tests/fuzz/run $(or $(SECONDS),60)

# Lines of the parsers that the tests without root and the corpus reach.
COVERED := $(wildcard loader/spec*.c loader/policy_*.c loader/ipsecpol*.c) $(patsubst %,loader/%.c,capture \
	capture_copy conf fold fold_file frame held_text http journal lists previous record remembered salvage \
	sockets state store tried_file wire)

coverage-programs: $(UNIT) $(FUZZERS)

coverage:
	$(MAKE) BUILD=$B/coverage CC=$(CLANG) CFLAGS=-g FLAGS="$(FUZZ_FLAGS) -fprofile-instr-generate \
		-fcoverage-mapping" coverage-programs
	BUILD=$B/coverage tests/fuzz/coverage $(COVERED)

deps:
	tests/deps

unit: $(UNIT)

check: all unit
	BUILD=$B tests/run unit

test:
	tests/deps
	$(MAKE) all unit $B/tests/pkt $B/tests/judge $(PRELOADED) $B/tests/twin $B/tests/short $(DYNAMIC) $(BENCH) \
		fuzzers lint
	BUILD=$B tests/run all

# The fault suite at full size.
soak:
	tests/deps
	$(MAKE) all unit $B/tests/pkt $B/tests/judge $(PRELOADED) $(DYNAMIC)
	BUILD=$B tests/run soak

twin: $B/tests/twin
	$B/tests/twin

# It compares with what can be installed, and says what cannot.
bench: all $(BENCH)
	-tests/deps
	BUILD=$B tests/bench/bench.py $(if $(QUICK),--size quick) $(if $(README),--readme)

mutants: all $B/tests/pkt $B/tests/twin
	BUILD=$B tests/mutants

sanitize:
	$(MAKE) BUILD=$B/sanitize FLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all -O1" check

# Who calls whom is read from the object files.
lint: $(call obj,loader/main.c $(LOADER))
	BUILD=$B tests/lint

format:
	find bpf include loader tests -name '*.[ch]' -exec clang-format -i {} +

# For .ci/run: whether they can be built.
print-fuzzers:
	@echo $(HAS_FUZZER)

# For tests/lint.
print-pure:
	@echo $(PURE)

demo:
	tests/deps build
	$(MAKE) all $B/tests/pkt
	BUILD=$B tests/demo

UNITS := bpfpol bpfpol-late bpfpol-agent
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
LINKS := ipsecpol ipseccmd netdiag
# Where the shells look. Debian's zsh has another place for what comes in packages.
BASH_DIR ?= $(PREFIX)/share/bash-completion/completions
FISH_DIR ?= $(PREFIX)/share/fish/vendor_completions.d
ZSH_DIR ?= $(PREFIX)/share/zsh/site-functions

install: all
	install -D -m 0755 $B/bpfpol "$(DESTDIR)$(PREFIX)/sbin/bpfpol"
	for link in $(LINKS); do \
		ln -sf bpfpol "$(DESTDIR)$(PREFIX)/sbin/$$link"; done
	install -D -m 0644 -t "$(DESTDIR)$(PREFIX)/share/man/man5" man/*.5
	install -D -m 0644 -t "$(DESTDIR)$(PREFIX)/share/man/man8" man/*.8
	install -D -m 0644 completion/bpfpol.bash "$(DESTDIR)$(BASH_DIR)/bpfpol"
	install -D -m 0644 completion/bpfpol.fish "$(DESTDIR)$(FISH_DIR)/bpfpol.fish"
	for link in $(LINKS); do \
		ln -sf bpfpol-ipsecpol.8 "$(DESTDIR)$(PREFIX)/share/man/man8/$$link.8"; \
		ln -sf bpfpol "$(DESTDIR)$(BASH_DIR)/$$link"; \
		ln -sf bpfpol.fish "$(DESTDIR)$(FISH_DIR)/$$link.fish"; done
	install -D -m 0644 -t "$(DESTDIR)$(ZSH_DIR)" completion/_bpfpol
	install -d "$(DESTDIR)$(UNIT_DIR)"
	for unit in $(UNITS); do \
		sed -e 's,@SBIN@,$(PREFIX)/sbin,' -e '/@HARDENING@/{r systemd/hardening' -e 'd}' \
			systemd/$$unit.service.in >"$(DESTDIR)$(UNIT_DIR)/$$unit.service" || exit; \
	done

# What is in force stays so, as do policies and state.
uninstall:
	for name in bpfpol $(LINKS); do \
		rm -f "$(DESTDIR)$(PREFIX)/sbin/$$name" "$(DESTDIR)$(BASH_DIR)/$$name" \
			"$(DESTDIR)$(FISH_DIR)/$$name.fish" "$(DESTDIR)$(PREFIX)/share/man/man8/$$name.8"; done
	for page in $(notdir $(wildcard man/*.5 man/*.8)); do \
		rm -f "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page"; done
	rm -f "$(DESTDIR)$(ZSH_DIR)/_bpfpol"
	for unit in $(UNITS); do rm -f "$(DESTDIR)$(UNIT_DIR)/$$unit.service"; done

# Built from a copy: the tree stays as it is, and what was built in it has no part. The environment
# is the copy's own as well, and finds Debian's programs only.
DEB ?= $B/deb
DEB_TREE = $(DEB)/bpfpol-$(VERSION)

deb:
	tests/deps deb
	rm -rf $(DEB_TREE)
	mkdir -p $(DEB_TREE)
	tar -c --exclude=./.git --exclude=./build --exclude=./$B --exclude=__pycache__ . | \
		tar -x -C $(DEB_TREE)
	cd $(DEB_TREE) && env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=$(shell nproc)" \
		dpkg-buildpackage -Pnocheck -us -uc -b
	rm -rf $(DEB_TREE)

clean:
	rm -rf $B

.PHONY: all deps unit check test soak twin fuzz fuzzers fuzz-programs coverage coverage-programs \
	bench mutants sanitize lint format print-fuzzers print-pure demo install uninstall deb clean
.SECONDARY:
-include $(shell find $B -name '*.d' 2>/dev/null)
