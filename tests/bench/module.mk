# Measurements: ratios against a floor or a peer measured in the same run. Never part of the tests. Each is a program bench_*.c, which
# names here what it links, or a script bench_*.py on a cluster of namespaces; docs/hacking/bench.md says how to read them.
BENCHES := answer dns bpf fanout backup
BENCH_ROOM_answer := lib/dns
BENCH_ROOM_dns := lib/dns
BENCH_MORE_dns := $(B)/tests/bench/blast.o
BENCH_ROOM_bpf := lib/bpf
BENCH_MORE_bpf := $(B)/tests/bpf/harness.o
BENCH_ROOM_fanout := controller
BENCH_ROOM_backup := controller
PEERS := $(B)/peers

define bench_rules
$(B)/tests/bench/bench_$(1): tests/bench/bench_$(1).c $(BENCH_MORE_$(1)) $(call archives,$(BENCH_ROOM_$(1))) | $(GENERATED)
	$$(call say,BENCH,$$<)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(ALLCFLAGS_TEST) -MMD -MP -MF $$@.d -o $$@ $$< $(BENCH_MORE_$(1)) -Wl,--start-group $(call archives,$(BENCH_ROOM_$(1))) -Wl,--end-group $(call libs,$(BENCH_ROOM_$(1))) -lm
endef
$(foreach b,$(BENCHES),$(eval $(call bench_rules,$(b))))

$(B)/tests/bench/change_probe $(B)/tests/bench/http_blast: $(B)/tests/bench/%: tests/bench/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -O2 -g $(WARN) -D_GNU_SOURCE -o $@ $<

# Whom we compare ourselves with: unpacked, not installed.
$(PEERS):
	$(Q)deploy/install-deps.sh --unpack $@ || echo "  without peers: the comparisons with them will be skipped"
# make bench T=bpf  runs one
BENCH_PROGRAMS = $(if $(T),$(filter $(T),$(BENCHES)),$(BENCHES))
BENCH_SCRIPTS_ALL := change repair gateway throughput api
BENCH_SCRIPTS = $(if $(T),$(filter $(T),$(BENCH_SCRIPTS_ALL)),$(BENCH_SCRIPTS_ALL))
bench: $(BENCH_PROGRAMS:%=$(B)/tests/bench/bench_%) $(if $(BENCH_SCRIPTS),$(B)/tests/bench/change_probe $(B)/tests/bench/http_blast) | $(PEERS) ## measurements (ratios against a floor or a peer in the same run; root): T=dns for one
	+$(if $(BENCH_SCRIPTS),$(Q)$(MAKE) -s --no-print-directory $(NET_NEEDS))
	$(Q)SIXPN_BUILD=$(abspath $(B)) python3 tests/bench/run.py $(PEERS) $(BENCH_PROGRAMS:%=$(B)/tests/bench/bench_%) $(BENCH_SCRIPTS:%=tests/bench/bench_%.py)
.PHONY: bench
