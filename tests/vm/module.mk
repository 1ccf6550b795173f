# Tests in machines of their own (QEMU, software emulation) with Debian's kernels, which have WireGuard: tests/vm/run.py.
VM_KERNELS ?= $(B)/vm/kernels
VM_PROGRAMS := $(B)/tests/vm/test_scale
VM_TESTS := $(VM_PROGRAMS) $(filter-out %/test_mutations,$(BPF_TEST_BINS)) $(patsubst %,$(B)/tests/unit/lib/netlink/test_%,wg_backend wg_both wg_genl wg_process)

$(VM_PROGRAMS): $(B)/tests/vm/%: tests/vm/%.c $(call archives,lib/netlink) | $(GENERATED)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALLCFLAGS_TEST) -MMD -MP -MF $@.d -o $@ $< -Wl,--start-group $(call archives,lib/netlink) -Wl,--end-group $(call libs,lib/netlink) -lcmocka -lm

# make test-vm T="6.1 wg"  boots one kernel, and runs one step of tests/vm/guest.py in it
test-vm: $(VM_TESTS) $(NET_NEEDS) ## the kernel's WireGuard, BPF on Debian's 6.1 and 6.12: clusters in QEMU (root): T="6.1 wg" for a part
	$(Q)deploy/install-deps.sh vm $(VM_KERNELS)
	$(Q)SIXPN_BUILD=$(abspath $(B)) VM_TESTS="$(abspath $(VM_TESTS) $(filter $(B)/tests/net/%,$(NET_NEEDS)))" python3 -B tests/vm/run.py $(VM_KERNELS) $(T)
.PHONY: test-vm
