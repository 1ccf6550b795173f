# The host role. sixpn-shim holds one instance's namespaces and is linked from the same room.
ROOMS += agent
MAIN_agent := agent/shim_main.c
DEPS_agent := lib/netlink lib/bpf lib/sixpn lib/base
PROGRAMS += sixpn-shim
MAIN_OF_sixpn-shim := agent/shim_main.c
ROOM_OF_sixpn-shim := agent
