# Measurements: ratios against a floor or a peer measured in the same run. Never part of the tests.
BENCHES :=
PEERS := $(B)/peers

$(B)/tests/bench/bench_answer: tests/bench/bench_answer.c $(call archives,lib/dns) | $(GENERATED)
	$(call say,BENCH,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALLCFLAGS_TEST) -o $@ $< -Wl,--start-group $(call archives,lib/dns) -Wl,--end-group $(call libs,lib/dns) -lm
BENCHES += $(B)/tests/bench/bench_answer

$(B)/tests/bench/bench_dns: tests/bench/bench_dns.c tests/bench/blast.c tests/bench/blast.h $(call archives,lib/dns) | $(GENERATED)
	$(call say,BENCH,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALLCFLAGS_TEST) -o $@ $(filter %.c,$^) -Wl,--start-group $(call archives,lib/dns) -Wl,--end-group $(call libs,lib/dns) -lm
BENCHES += $(B)/tests/bench/bench_dns

# Whom we compare ourselves with: unpacked, not installed.
$(PEERS):
	$(Q)deploy/install-deps.sh --unpack $@ || echo "  without peers: the comparisons with them will be skipped"
bench: $(BENCHES) | $(PEERS) ## measurements (ratios against a floor or a peer in the same run): T=dns for one
	$(Q)set -e; for b in $(if $(T),$(filter %/bench_$(T),$(BENCHES)),$(BENCHES)); do $$b $(PEERS); done
.PHONY: bench
