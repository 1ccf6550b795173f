ROOMS += lib/netlink
DEPS_lib/netlink := lib/sixpn lib/base
LIBS_lib/netlink := -lmnl -lnftables
