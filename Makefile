# SPDX-License-Identifier: Apache-2.0
# One make, no recursion. `make help` lists the goals.
#
# V=1                           print the commands
# CC=clang                      build into its own folder with that compiler
# SANITIZE=address,undefined    build into its own folder with these sanitizers
# CRASH=1                       build into its own folder with crash points (base/crash.h); the files
#                               that have none are built once for both
# VM=PATTERN                    which tests in the real kernel `make test-vm` runs
NAME     := veneer
VERSION  := 0.1.0
PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
MANDIR   ?= $(PREFIX)/share/man/man1
COMPDIR  ?= $(PREFIX)/share/bash-completion/completions
UDEVDIR  ?= /lib/udev/rules.d
UNITDIR  ?= $(PREFIX)/lib/systemd/system
GENDIR   ?= $(PREFIX)/lib/systemd/system-generators
PLUGDIR  ?= $(PREFIX)/libexec/docker/cli-plugins

# Debian's packages, of the same names in 12 and 13 but one.
DEPS_BUILD := build-essential pkg-config git libdevmapper-dev libblkid-dev libext2fs-dev libisal-dev \
              libzstd-dev liblzma-dev libbz2-dev libssl-dev libarchive-dev libjansson-dev \
              libsqlite3-dev libkmod-dev libcurl4-openssl-dev libipsec-mb-dev
DEPS_RUN   := dmsetup e2fsprogs xfsprogs thin-provisioning-tools kmod user-mode-linux crun conmon catatonit
DEPS_TEST  := libcunit1-dev clang clang-format libclang-rt-dev shellcheck udev acl attr bzip2 lvm2 iproute2 \
              xz-utils zstd jq procps python3 universal-ctags libarchive-tools debootstrap skopeo umoci buildah isal openssl \
              debhelper lintian
# Unpacked, not installed: what it comes with would be started as a daemon.
# The client of docker is a package of its own since 13.
DEPS_DAEMON := docker-registry 'docker-cli|docker.io'
DEPS_BENCH := docker.io containerd runc pigz curl
PKGS     := devmapper blkid ext2fs libisal libzstd liblzma libcrypto libarchive jansson sqlite3 \
            libkmod libcurl

V        ?= 0
SANITIZE ?=
CRASH    ?=
ifeq ($(origin CC),default)
CC       := gcc
endif

comma := ,
MODE  := $(if $(filter gcc,$(CC)),plain,$(notdir $(CC)))$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
CALM  := build/$(MODE)
OUT   := $(CALM)$(if $(CRASH),-crash)
Q     := $(if $(filter 1,$(V)),,@)
say    = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2))

COMMIT   := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
            -Wvla -Wpointer-arith -Wundef -Wno-missing-field-initializers -Werror \
            $(if $(filter clang%,$(notdir $(CC))),-Wunreachable-code)
# Asked once, at the first use: `make deps all` installs what answers before that.
once      = $(eval $(1) := $(2))$($(1))
PKG_C     = $(call once,PKG_C,$(shell pkg-config --cflags $(PKGS)))
ALL_C     = -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(WARN) $(CFLAGS) -pthread \
            $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer) \
            -DVENEER_VERSION='"$(VERSION)"' \
            $(PKG_C)
ALL_LD   := $(CFLAGS) -pthread -no-pie -Wl,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
# What costs the most at the start of a process is linked in: loading and relocating these
# libraries, with the dozen that libarchive's other formats need, took two thirds of the start.
# libkmod, libcurl, libdevmapper, ISA-L and libIPSec_MB are loaded when they are first needed
# (appliance/kmods.c, registry/curllib.c, dm/dmlib.c, base/isal.c, base/blockhash.c).
LINKED_IN := libarchive libcrypto jansson libzstd liblzma blkid ext2fs
PKG_A     = $(call once,PKG_A,$(shell pkg-config --libs $(LINKED_IN)) \
            $(filter-out -ldl -pthread,$(shell pkg-config --static --libs libcrypto)))
# Only for tests that call it themselves.
PKG_ISAL  = $(call once,PKG_ISAL,$(shell pkg-config --libs libisal))
LIBS      = -Wl,-Bstatic $(PKG_A) -lbz2 -lcom_err -Wl,-Bdynamic -ldl -lm

# A layer sees itself and the layers below it: an upward #include does not compile.
INC_driver := -Idriver
INC_store  := -Idriver -Istore
INC_cli    := -Idriver -Istore -Icli
INC_tests  := -Idriver -Istore -Icli -Itests/unit -I$(CALM)

src  = $(shell find $(1) -name '*.c' | sort)
# Where crash points make a difference, with CRASH=1.
CRASHING := $(if $(CRASH),$(shell grep -lrw --include=*.c crash_point driver store cli))
objs = $(patsubst %.c,$(OUT)/%.o,$(filter $(CRASHING),$(1))) \
       $(patsubst %.c,$(CALM)/%.o,$(filter-out $(CRASHING),$(1)))
DRIVER := $(call objs,$(call src,driver))
STORE  := $(call objs,$(call src,store))
CLI    := $(call objs,$(filter-out cli/main.c,$(call src,cli)))
MAIN   := $(call objs,cli/main.c)
UNIT_C := $(call src,tests/unit)
UNIT   := $(call objs,$(UNIT_C))
TOOL   := $(call objs,$(call src,tests/tool))
VM_C   := $(call objs,$(call src,tests/vm))
FUZZ   := $(call objs,$(call src,tests/fuzz))
BENCH  := $(call objs,$(call src,tests/bench))
OBJS   := $(DRIVER) $(STORE) $(CLI) $(MAIN) $(UNIT) $(TOOL) $(FUZZ) $(VM_C) $(BENCH)

.PHONY: all help deps deps-bench demo test test-unit test-vm fuzz bench install deb clean format \
        format-check analyze lint
all: $(OUT)/$(NAME) ## build the program

# SQLite's SQL has sin() and the like, which no statement of ours calls, but libm would be loaded
# and relocated for them: a tenth of the time of a short command.
LIBM_NAMES := acos acosh asin asinh atan atan2 atanh ceil cos cosh exp floor fmod log log10 log2 \
              pow sin sinh sqrt tan tanh trunc
SQLITE     := $(CALM)/sqlite3.a
$(SQLITE):
	$(call say,OBJCOPY,$@)
	@mkdir -p $(@D)
	$(Q)objcopy $(foreach name,$(LIBM_NAMES),--weaken-symbol=$(name)) \
		$(shell pkg-config --variable=libdir sqlite3)/libsqlite3.a $@

$(OUT)/$(NAME): $(MAIN) $(CLI) $(STORE) $(DRIVER) $(SQLITE)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LD) -o $@ $^ $(LIBS)

# Fakes: a function __wrap_x() in a test stands in for x() in the whole program.
WRAPS  = $(addprefix -Wl$(comma)--wrap=,$(sort $(shell grep -oh '__wrap_[a-z_0-9]*' $(UNIT_C) | sed 's/__wrap_//')))
$(OUT)/unit: $(UNIT) $(CLI) $(STORE) $(DRIVER) $(SQLITE)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LD) $(WRAPS) -o $@ $^ $(LIBS) $(PKG_ISAL) -lcunit

$(OUT)/test-tool: $(TOOL) $(CLI) $(STORE) $(DRIVER) $(SQLITE)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LD) -o $@ $^ $(LIBS)

$(OUT)/driver-check: $(CALM)/tests/vm/driver_check.o $(DRIVER)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LD) -o $@ $^ $(LIBS)

$(OUT)/replay-log: $(CALM)/tests/vm/replay_log.o $(DRIVER)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LD) -o $@ $^ $(LIBS)

DIFF_CHECK := $(call objs,$(wildcard tests/vm/diff_*.c))
$(OUT)/diff-check: $(DIFF_CHECK) $(STORE) $(DRIVER) $(SQLITE)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LD) -o $@ $^ $(LIBS)

WRITE_CHECK := $(call objs,$(wildcard tests/vm/write_*.c))
$(OUT)/write-check: $(WRITE_CHECK) $(STORE) $(DRIVER) $(SQLITE)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LD) -o $@ $^ $(LIBS)

$(OUT)/step-check: $(CALM)/tests/vm/step_check.o $(CLI) $(STORE) $(DRIVER) $(SQLITE)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LD) -o $@ $^ $(LIBS)

$(OUT)/fuzz_%: $(CALM)/tests/fuzz/fuzz_%.o $(CLI) $(STORE) $(DRIVER) $(SQLITE)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LD) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# Two of them are measured or measure: nothing may be linked that makes them slower.
BENCH_TOOLS := $(patsubst $(CALM)/tests/bench/%.o,$(OUT)/bench/%,$(BENCH))
BENCH_BARE  := $(OUT)/bench/by_hand $(OUT)/bench/stopwatch
$(filter-out $(BENCH_BARE),$(BENCH_TOOLS)): $(STORE) $(DRIVER) $(SQLITE)
$(BENCH_TOOLS): $(OUT)/bench/%: $(CALM)/tests/bench/%.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LD) -o $@ $^ $(LIBS) $(PKG_ISAL)

# What a program pays that may use libdevmapper, before its first line.
$(OUT)/bench/by_hand_dm: $(CALM)/tests/bench/by_hand.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LD) -o $@ $^ -Wl,--no-as-needed -ldevmapper

# The list of suites follows from the files: tests/unit/test_NAME.c holds NAME_suite.
$(CALM)/suites.inc: $(UNIT_C) Makefile
	@mkdir -p $(@D)
	@printf 'SUITE(%s)\n' $(patsubst tests/unit/test_%.c,%,$(filter-out %/main.c,$(UNIT_C))) >$@
$(CALM)/tests/unit/main.o: $(CALM)/suites.inc

define compile
$(call say,CC,$<)
@mkdir -p $(@D)
@printf '{"directory":"%s","file":"%s","command":"%s"},\n' '$(CURDIR)' '$<' \
    '$(CC) $(ALL_C) $(INC_$(firstword $(subst /, ,$<))) -c $<' >$(@:.o=.json)
$(Q)$(CC) $(ALL_C) $(INC_$(firstword $(subst /, ,$<))) -MMD -MP -c -o $@ $<
endef
$(filter $(CALM)/%,$(OBJS)): $(CALM)/%.o: %.c Makefile
	$(compile)
ifdef CRASH
$(filter $(OUT)/%,$(OBJS)): ALL_C += -DCRASH_POINTS
$(filter $(OUT)/%,$(OBJS)): $(OUT)/%.o: %.c Makefile
	$(compile)
endif

-include $(OBJS:.o=.d)

# With -j, too, `make deps all` installs before it builds.
ifneq ($(filter deps,$(MAKECMDGOALS)),)
$(OBJS) $(filter-out deps,$(MAKECMDGOALS)): | deps
endif

compile_commands.json: $(OBJS) ## compile database for clangd and clang-tidy
	@{ echo '['; cat $(OBJS:.o=.json) | sed '$$s/,$$//'; echo ']'; } >$@

test-unit: $(OUT)/unit $(OUT)/test-tool ## run the CUnit suites (no root, no kernel)
	$(Q)$<

# For scripts that call make with other settings.
.PHONY: print-unit print-out
print-unit:
	@echo $(OUT)/unit
print-out:
	@echo $(OUT)

# Other versions of clang-format break lines elsewhere: only one can be the judge.
FORMATTER = $(shell clang-format --version 2>/dev/null | grep -o 'version 14\.')
format: ## bring every source file into the house's layout
	$(if $(FORMATTER),$(Q)clang-format -i $$(find driver store cli tests -name '*.[ch]'),\
	@echo 'format: the layout is that of clang-format 14 (Debian 12), which is not here' >&2; exit 1)

clean: ## remove build/
	rm -rf build compile_commands.json

help: ## this list
	@sed -n 's/^\([a-z_.-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

# The name of the commit is compiled in again when it is another one, not each time.
KNOWS_COMMIT := $(call objs,cli/main.c cli/cmd_version.c cli/cmd_info.c)
$(KNOWS_COMMIT): ALL_C += -DVENEER_COMMIT='"$(COMMIT)"'
$(KNOWS_COMMIT): $(CALM)/commit
$(CALM)/commit: FORCE
	@mkdir -p $(@D)
	@echo $(COMMIT) | cmp -s - $@ || echo $(COMMIT) >$@
.PHONY: FORCE

format-check: ## does every source file have the house's layout?
	$(if $(FORMATTER),$(Q)clang-format --dry-run -Werror $$(find driver store cli tests -name '*.[ch]'),\
	@echo 'skip format-check: the layout is that of clang-format 14 (Debian 12)')

# It does not see through cleanup attributes and pointers to functions, where it finds leaks, values
# that nobody set, and things freed twice. Other versions find other things that are not so: only one
# can be the judge.
ANALYZER := $(filter 12,$(shell gcc -dumpversion 2>/dev/null))
ANALYZE  := -O1 -fanalyzer $(addprefix -Wno-analyzer-,malloc-leak null-dereference double-free \
            use-of-uninitialized-value)
analyze: ## gcc's static analyzer
	$(if $(ANALYZER),$(Q)$(MAKE) --no-print-directory MODE=analyze CC=gcc CFLAGS='$(ANALYZE)' all,\
	@echo 'skip analyze: what gcc 12 (Debian 12) finds is judged')

lint: format-check ## layout, layers, lengths, words, headers alone, shell scripts
	$(Q)tests/lint/layers
	$(Q)tests/lint/lengths
	$(Q)tests/lint/words \
	    systemd/debian/build.sh systemd/debian/veneer.post*
	$(Q)shellcheck -S warning .ci/run tests/*.sh tests/*/*.sh tests/lint/words systemd/debian/build.sh systemd/debian/veneer.post*
	$(Q)for h in $$(find driver store cli -name '*.h'); do \
	    $(CC) $(ALL_C) $(INC_cli) -fsyntax-only -x c $$h || exit 1; done

# Every suite in every build: two compilers, sanitizers, and the real kernel.
test: ## the whole suite: lint, unit tests in three builds, tests in the real kernel
	$(Q)tests/all.sh

.PHONY: test-long
test-long: ## and what takes longer than each change is worth
	$(Q)VM_LONG=1 tests/all.sh

.PHONY: vm-programs
vm-programs: $(OUT)/driver-check $(OUT)/diff-check $(OUT)/write-check $(OUT)/step-check $(OUT)/replay-log

test-vm: ## the tests in the real kernel alone
	$(Q)$(MAKE) --no-print-directory all vm-programs images
	$(Q)$(MAKE) --no-print-directory CRASH=1 all
	$(Q)tests/vm/run $(VM)

FUZZ_SECONDS ?= 30
fuzz: ## every fuzzer for FUZZ_SECONDS, from its seeds
	$(Q)tests/fuzz/run.sh $(FUZZ_SECONDS)

bench: deps-bench ## measure veneer beside its peers, in the real kernel and natively
	$(Q)$(MAKE) --no-print-directory bench-tools
	$(Q)VENEER=$(OUT)/$(NAME) tests/bench/run.sh

.PHONY: bench-tools
bench-tools: all $(OUT)/test-tool $(BENCH_TOOLS) $(OUT)/bench/by_hand_dm

IMAGES := build/images
deps: ## install what building, testing and running need (Debian 12 and 13, root)
	$(Q)tests/deps.sh $(DEPS_BUILD) $(DEPS_RUN) $(DEPS_TEST)
	$(Q)tests/deps.sh --download build/peers $(DEPS_DAEMON)

deps-bench: deps ## and the peers that `make bench` measures
	$(Q)tests/deps.sh --download build/peers $(DEPS_BENCH)

demo: deps ## install, build, and do the main job on a real image
	$(Q)$(MAKE) --no-print-directory all images
	$(Q)tests/demo/run.sh $(OUT)/$(NAME) $(IMAGES)

.PHONY: demo-server
demo-server: deps ## and a server that boots twice in User-Mode Linux, with its storage from a plan
	$(Q)$(MAKE) --no-print-directory all images deb
	$(Q)tests/demo/server.sh build/boot $(IMAGES)

.PHONY: images
images: ## real image archives made by debootstrap, umoci and skopeo
	$(Q)tests/images/make.sh $(IMAGES)

UNITS := $(wildcard $(addprefix systemd/*.,service timer target socket path))
install: all ## install under $(DESTDIR)$(PREFIX)
	install -D -m 0755 $(OUT)/$(NAME) $(DESTDIR)$(BINDIR)/$(NAME)
	install -D -m 0644 udev/11-dm-veneer.rules.in $(DESTDIR)$(UDEVDIR)/11-dm-veneer.rules
	install -D -m 0644 udev/99-veneer.rules.in $(DESTDIR)$(UDEVDIR)/99-veneer.rules
	install -d $(DESTDIR)$(COMPDIR) $(DESTDIR)$(MANDIR) $(DESTDIR)$(PLUGDIR)
	ln -sfr $(DESTDIR)$(BINDIR)/$(NAME) $(DESTDIR)$(PLUGDIR)/docker-$(NAME)
	$(OUT)/$(NAME) help --man $(DESTDIR)$(MANDIR)
	$(OUT)/$(NAME) completion bash >$(DESTDIR)$(COMPDIR)/$(NAME)
	$(if $(UNITS),install -D -m 0644 -t $(DESTDIR)$(UNITDIR) $(UNITS))
	install -d $(DESTDIR)$(GENDIR)
	ln -sfr $(DESTDIR)$(BINDIR)/$(NAME) $(DESTDIR)$(GENDIR)/$(NAME)-generator

deb: all ## build a Debian package below build/deb
	$(Q)VERSION=$(VERSION) systemd/debian/build.sh build/deb
