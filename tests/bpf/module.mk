# Tests that need the kernel's BPF (root): BPF_PROG_TEST_RUN rows and attaching in a network namespace of their own.
BPF_TEST_SRCS := $(wildcard tests/bpf/test_*.c)
BPF_TEST_BINS := $(patsubst tests/%.c,$(B)/tests/%,$(BPF_TEST_SRCS))
BPF_TEST_HARNESS := $(B)/tests/bpf/harness.o
.SECONDARY: $(BPF_TEST_HARNESS)

$(B)/tests/bpf/test_%: tests/bpf/test_%.c $(BPF_TEST_HARNESS) $(call archives,lib/bpf) | $(GENERATED)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALLCFLAGS_TEST) -MMD -MP -MF $@.d -o $@ $< $(filter %.o,$^) -Wl,--start-group $(call archives,lib/bpf) -Wl,--end-group $(call libs,lib/bpf) -lcmocka -lm
# the mutated packets and the second opinion on them
$(B)/tests/bpf/test_mutations: $(B)/tests/bpf/oracle.o $(B)/tests/bpf/mutate.o

# make test-bpf T=attach  runs one
test-bpf: $(if $(T),$(B)/tests/bpf/test_$(T),$(BPF_TEST_BINS)) ## the BPF programs in the kernel: rows of packets, attaching (root)
	$(Q)set -e; for t in $^; do echo "== $$t"; $$t; done
.PHONY: test-bpf
