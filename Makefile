# SPDX-License-Identifier: Apache-2.0
# One make, no recursion. `make help` lists the goals.
#
# V=1                           print the commands
# CC=clang                      build into its own folder with that compiler
# SANITIZE=address,undefined    build into its own folder with these sanitizers
NAME     := veneer
VERSION  := 0.1.0
PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
PKGS     := devmapper blkid ext2fs libisal libzstd liblzma libcrypto libarchive jansson sqlite3 \
            libkmod

V        ?= 0
SANITIZE ?=
ifeq ($(origin CC),default)
CC       := gcc
endif

comma := ,
MODE  := $(if $(filter gcc,$(CC)),plain,$(notdir $(CC)))$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
OUT   := build/$(MODE)
Q     := $(if $(filter 1,$(V)),,@)
say    = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2))

COMMIT   := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
            -Wvla -Wpointer-arith -Wundef -Wno-missing-field-initializers -Werror
ALL_C    := -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(WARN) $(CFLAGS) -pthread \
            $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer) \
            $(shell pkg-config --cflags $(PKGS))
ALL_LD   := $(CFLAGS) -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
LIBS     := $(shell pkg-config --libs $(PKGS)) -lbz2

# A layer sees itself and the layers below it: an upward #include does not compile.
INC_driver := -Idriver
INC_store  := -Idriver -Istore
INC_cli    := -Idriver -Istore -Icli
INC_tests  := -Idriver -Istore -Icli -Itests/unit -I$(OUT)

src  = $(shell find $(1) -name '*.c' | sort)
objs = $(patsubst %.c,$(OUT)/%.o,$(1))
DRIVER := $(call objs,$(call src,driver))
STORE  := $(call objs,$(call src,store))
CLI    := $(call objs,$(filter-out cli/main.c,$(call src,cli)))
MAIN   := $(call objs,cli/main.c)
UNIT_C := $(call src,tests/unit)
UNIT   := $(call objs,$(UNIT_C))
TOOL   := $(call objs,$(call src,tests/tool))
OBJS   := $(DRIVER) $(STORE) $(CLI) $(MAIN) $(UNIT) $(TOOL)

.PHONY: all help test-unit install clean format lint
all: $(OUT)/$(NAME) ## build the program

$(OUT)/$(NAME): $(MAIN) $(CLI) $(STORE) $(DRIVER)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LD) -o $@ $^ $(LIBS)

$(OUT)/unit: $(UNIT) $(CLI) $(STORE) $(DRIVER)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LD) -o $@ $^ $(LIBS) -lcunit

# The list of suites follows from the files: tests/unit/test_NAME.c holds NAME_suite.
$(OUT)/suites.inc: $(UNIT_C) Makefile
	@mkdir -p $(@D)
	@printf 'SUITE(%s)\n' $(patsubst tests/unit/test_%.c,%,$(filter-out %/main.c,$(UNIT_C))) >$@
$(OUT)/tests/unit/main.o: $(OUT)/suites.inc

$(OBJS): $(OUT)/%.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	@printf '{"directory":"%s","file":"%s","command":"%s"},\n' '$(CURDIR)' '$<' \
	    '$(CC) $(ALL_C) $(INC_$(firstword $(subst /, ,$<))) -c $<' >$(@:.o=.json)
	$(Q)$(CC) $(ALL_C) $(INC_$(firstword $(subst /, ,$<))) -MMD -MP -c -o $@ $<

-include $(OBJS:.o=.d)

compile_commands.json: $(OBJS) ## compile database for clangd and clang-tidy
	@{ echo '['; cat $(OBJS:.o=.json) | sed '$$s/,$$//'; echo ']'; } >$@

test-unit: $(OUT)/unit ## run the CUnit suites (no root, no kernel)
	$(Q)$<

format: ## bring every source file into the house's layout
	$(Q)clang-format -i $$(find driver store cli tests -name '*.[ch]')

clean: ## remove build/
	rm -rf build compile_commands.json

help: ## this list
	@sed -n 's/^\([a-z_.-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26
