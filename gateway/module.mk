ROOMS += gateway
DEPS_gateway := lib/netlink lib/bpf lib/sixpn lib/base
