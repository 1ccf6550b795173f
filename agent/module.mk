# The host role. sixpn-shim holds one instance's namespaces and is linked from the same room.
ROOMS += agent
MAIN_agent := agent/shim_main.c
DEPS_agent := lib/netlink lib/bpf lib/sixpn lib/base
PROGRAMS += sixpn-shim
MAIN_OF_sixpn-shim := agent/shim_main.c
ROOM_OF_sixpn-shim := agent
# These tests start the real shim, which they find in bin/ of their own build.
$(B)/tests/unit/agent/test_runtime_process $(B)/tests/unit/agent/test_attach_netns: | $(B)/bin/sixpn-shim
