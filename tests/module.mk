# Every test executable is one file. Unit tests mirror the tree: tests/unit/<room>/test_<file>.c is linked with that room and
# what it stands on, so a test cannot lean on a room that its subject may not know.
UNIT_SRCS := $(foreach r,$(ROOMS),$(wildcard tests/unit/$(r)/test_*.c))
UNIT_BINS := $(patsubst tests/%.c,$(B)/tests/%,$(UNIT_SRCS))
FUZZ_SRCS := $(foreach r,$(ROOMS),$(wildcard tests/fuzz/$(r)/fuzz_*.c))
FUZZ_BINS := $(patsubst tests/%.c,$(B)/tests/%,$(FUZZ_SRCS))
ALLCFLAGS_TEST = $(ALLCFLAGS) -Wno-missing-prototypes

define unit_rules
$(B)/tests/unit/$(1)/%: tests/unit/$(1)/%.c $$(call archives,$(1)) | $$(GENERATED)
	$$(call say,TEST,$$<)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(ALLCFLAGS_TEST) -MMD -MP -MF $$@.d -o $$@ $$< -Wl,--start-group $$(call archives,$(1)) -Wl,--end-group $$(call libs,$(1)) $$(TESTLIBS_$(1)) -lcmocka -lm
endef
$(foreach r,$(ROOMS),$(eval $(call unit_rules,$(r))))

# Fuzz targets are libFuzzer functions. They have a build of their own below $(B)/fuzz, in which clang compiles every room once with
# coverage and sanitizers, so that the fuzzer sees into the decoders.
FUZZ_BUILD = $(MAKE) --no-print-directory B=$(B)/fuzz CC=$(CLANG) SAN=fuzzer-no-link,address,undefined CFLAGS="-O1 -g" WARN=
define fuzz_rules
$(B)/tests/fuzz/$(1)/%: tests/fuzz/$(1)/%.c $$(call archives,$(1)) | $$(GENERATED)
	$$(call say,FUZZ,$$<)
	$$(Q)mkdir -p $$(@D) && $$(CLANG) $$(ALLCFLAGS_TEST) -fsanitize=fuzzer -o $$@ $$< -Wl,--start-group $$(call archives,$(1)) -Wl,--end-group $$(call libs,$(1)) -lm
endef
$(foreach r,$(ROOMS),$(eval $(call fuzz_rules,$(r))))

# make B=... room-test R=lib/dns  builds and runs the unit tests of one room only
room-test: $(patsubst tests/%.c,$(B)/tests/%,$(shell find tests/unit/$(R) -name "test_*.c")) ## the unit tests of one room: R=lib/dns
	$(Q)set -e; [ -n "$^" ] || { echo "no unit test of a room \"$(R)\"" >&2; exit 2; }; for t in $^; do echo "== $$t"; $$t; done
room-fuzz: ## the fuzz targets of one room: R=lib/dns SECONDS_EACH=10
	+$(Q)$(FUZZ_BUILD) run-fuzz FUZZ_SELECTED="$(patsubst tests/%.c,$(B)/fuzz/tests/%,$(shell find tests/fuzz/$(R) -name "fuzz_*.c"))"
.PHONY: room-test room-fuzz

include $(wildcard tests/*/module.mk)

# ---- the whole suite: each part prints its time
UNIT_SELECTED = $(if $(T),$(filter %/test_$(T),$(UNIT_BINS)),$(UNIT_BINS))
run-unit: $(UNIT_SELECTED)
	$(Q)tests/lib/run-all.sh $^
test-unit: ## unit tests, plain and under ASan+UBSan; unprivileged (what needs root says SKIP): T=zone for one
	$(Q)$(MAKE) --no-print-directory run-unit
	$(Q)ASAN_OPTIONS=detect_leaks=1 $(MAKE) --no-print-directory run-unit B=$(B)/san SAN=address,undefined
SECONDS_EACH ?= 5
FUZZ_SEED ?= 0
FUZZ_SELECTED ?= $(FUZZ_BINS)
fuzz: ## every fuzz target for SECONDS_EACH (5) seconds, from FUZZ_SEED (0: another one each time)
	+$(Q)$(FUZZ_BUILD) run-fuzz
run-fuzz: $(FUZZ_SELECTED)
	$(Q)tests/lib/fuzz-all.sh $(SECONDS_EACH) $(FUZZ_SEED) $^
test-docs: $(B)/bin/sixpn ## the commands, files and links that README and docs name are there
	$(Q)python3 tests/lib/check_docs.py $<
# As FUZZ_SEED: the same quarter each time, for a gate says of a change whether it is good, not of the day. make demo-sabotage has all.
DEMO_SEED ?= 4
part = @s=$$(date +%s); $(MAKE) --no-print-directory -j$$(nproc) $(1) || exit 1; echo "---- $(1): $$(( $$(date +%s) - s )) s"
test: ## everything: packages, build, all tests (root)
	$(Q)deploy/install-deps.sh
	$(call part,all)
	$(call part,test-docs)
	$(call part,test-unit)
	$(call part,test-sim)
	$(call part,test-bpf)
	$(call part,fuzz FUZZ_SEED=1)
	$(call part,test-net)
	$(call part,demo-quarter SEED=$(DEMO_SEED))
	$(call part,compose-test)
	@echo "all tests passed; not among them: make test-vm (WireGuard in the kernel, Debian's 6.1 and 6.12 in QEMU: docs/hacking/vm.md says why)"
.PHONY: run-unit test-unit test-docs fuzz run-fuzz test

metrics-doc: $(B)/bin/sixpn-controller $(B)/bin/sixpn-node ## write the tables of docs/reference/metrics.md from those of the code
	$(Q)sed -i '/written by make metrics-doc/q' docs/reference/metrics.md
	$(Q)(printf '\n## The controller\n\n'; $(B)/bin/sixpn-controller metrics; printf '\n## A node\n\n'; $(B)/bin/sixpn-node metrics) >> docs/reference/metrics.md
.PHONY: metrics-doc
