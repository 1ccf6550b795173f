# One program per hook, one shared header. Objects and skeletons only below $(B)/bpf.
BPF_SRCS := $(wildcard bpf/*.bpf.c)
BPF_OBJS := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(BPF_SRCS))
BPF_SKELS := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.skel.h,$(BPF_SRCS))
GENERATED += $(BPF_SKELS)
BPF_ARCH_INC := -I/usr/include/$(shell gcc -print-multiarch)
$(B)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D) && $(CLANG) -O2 -g -Wall -Werror -target bpf -mcpu=v3 -I. $(BPF_ARCH_INC) -c $< -o $@
$(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf > $@
.SECONDARY: $(BPF_OBJS) $(BPF_SKELS)
