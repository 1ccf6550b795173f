# Measurements: ratios against a floor or a peer measured in the same run. Never part of the tests.
$(B)/tests/bench/bench_answer: tests/bench/bench_answer.c $(call archives,lib/dns) | $(GENERATED)
	$(call say,BENCH,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALLCFLAGS_TEST) -o $@ $< -Wl,--start-group $(call archives,lib/dns) -Wl,--end-group $(call libs,lib/dns) -lm
bench: $(B)/tests/bench/bench_answer ## measurements (ratios against a floor in the same run)
	$(Q)set -e; for b in $^; do $$b; done
.PHONY: bench
