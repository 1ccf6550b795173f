ROOMS += lib/bpf
DEPS_lib/bpf := lib/sixpn lib/base
LIBS_lib/bpf := -lbpf -lelf -lz
