# The one build file people run. `make help` lists what it can do; every room's own part is <room>/module.mk.
# Everything that is made goes below $(B); B=<other folder> gives a second, independent build.
SHELL := /bin/bash
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0
B   ?= build
V   ?= 0
Q   := $(if $(filter 1,$(V)),,@)
say  = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' $(1) $(2))

CC       := gcc
CLANG    ?= clang-14
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(CI)$(WERROR),-Werror)
SAN      ?=
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CFLAGS   ?= -O2 -g
ALLCFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(SANFLAGS) -D_GNU_SOURCE -DSIXPN_VERSION='"$(VERSION)"' -I. -I$(B) -pthread
LDLIBS_ALL :=

# A room is a folder that becomes one archive. DEPS_<room> are the rooms it may stand on (DESIGN: the walls), LIBS_<room> the
# system libraries that only this room uses. A program or a test links its room and all that the room stands on, nothing else.
ROOMS :=
PROGRAMS :=
.DEFAULT_GOAL := all

include proto/module.mk bpf/module.mk
include $(wildcard lib/*/module.mk) $(wildcard node/module.mk controller/module.mk controller/*/module.mk agent/module.mk gateway/module.mk)

archive  = $(B)/$(1).a
closure  = $(1) $(foreach d,$(DEPS_$(1)),$(call closure,$(d)))
uniq     = $(if $(1),$(firstword $(1)) $(call uniq,$(filter-out $(firstword $(1)),$(1))))
linkset  = $(call uniq,$(call closure,$(1)))
archives = $(foreach r,$(call linkset,$(1)),$(call archive,$(r)))
libs     = $(foreach r,$(call linkset,$(1)),$(LIBS_$(r)))

define room_rules
OBJS_$(1) := $$(patsubst %.c,$(B)/%.o,$$(filter-out $$(MAIN_$(1)),$$(wildcard $(1)/*.c))) $$(EXTRA_OBJS_$(1))
$(B)/$(1).a: $$(OBJS_$(1))
	$$(call say,AR,$$@)
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rules,$(r))))

$(B)/%.o: %.c | $(GENERATED)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALLCFLAGS) $(CFLAGS_$(patsubst %/,%,$(dir $<))) -MMD -MP -c $< -o $@
$(B)/%.o: $(B)/%.c
	$(call say,CC,$<)
	$(Q)$(CC) $(ALLCFLAGS) -Wno-missing-prototypes -MMD -MP -c $< -o $@

# program rule: PROGRAMS += name, MAIN_OF_name = source, ROOM_OF_name = room it is linked from
define program_rules
$(B)/bin/$(1): $(B)/$(MAIN_OF_$(1):.c=.o) $(call archives,$(ROOM_OF_$(1)))
	$$(call say,LINK,$$@)
	$$(Q)mkdir -p $$(@D) && $(CC) $(SANFLAGS) $(LDFLAGS_$(1)) -pthread -o $$@ $$< -Wl,--start-group $(call archives,$(ROOM_OF_$(1))) -Wl,--end-group $(call libs,$(ROOM_OF_$(1)))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))

include tests/module.mk deploy/demo/module.mk deploy/compose/module.mk

all: $(PROGRAMS:%=$(B)/bin/%) $(BPF_OBJS) ## build everything into build/
help: ## this list
	@grep -hE "^[a-z][a-z_.-]*:.*##" Makefile */module.mk tests/*/module.mk deploy/*/module.mk 2>/dev/null | sort | awk -F':.*## ' '{printf "  %-24s %s\n",$$1,$$2}'
clean: ## remove what the build made
	$(Q)rm -rf $(B)
deps: ## install the packages that building, testing and the demo need (Debian 12, root)
	$(Q)deploy/install-deps.sh
fmt: ## format the C lines that you changed and have not committed (tables of others stay as they are)
	$(Q)WITH_TOOLS=1 deploy/install-deps.sh
	$(Q)git clang-format-14 --style=file --extensions c,h --force HEAD || true
tidy: all compile_commands.json ## static analysis
	$(Q)WITH_TOOLS=1 deploy/install-deps.sh
	$(Q)git ls-files '*.c' | grep -v '^bpf/' | xargs clang-tidy-14 -p . --quiet
compile_commands.json: ## the compile database for editors
	$(Q)$(MAKE) -Bnw V=1 all | python3 tests/lib/compdb.py > $@
PREFIX ?= /usr/local
install: all ## install programs and BPF objects below PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib/sixpn
	install -m 0755 $(B)/bin/sixpn $(DESTDIR)$(PREFIX)/bin/
	install -m 0755 $(filter-out $(B)/bin/sixpn,$(PROGRAMS:%=$(B)/bin/%)) $(DESTDIR)$(PREFIX)/sbin/

.PHONY: all help clean deps fmt tidy install compile_commands.json
-include $(shell find $(B) \( -path $(B)/peers -o -path $(B)/docker -o -path $(B)/compose \) -prune -o -name '*.d' -type f -print 2>/dev/null)
