# The daemon on every machine. It links both roles through its table of roles (node/roles.c).
ROOMS += node
MAIN_node := node/main.c
DEPS_node := agent gateway lib/dns lib/bpf lib/netlink lib/link lib/noise lib/sixpn lib/base
PROGRAMS += sixpn-node
MAIN_OF_sixpn-node := node/main.c
ROOM_OF_sixpn-node := node
