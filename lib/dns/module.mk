ROOMS += lib/dns
DEPS_lib/dns := lib/sixpn lib/base
LIBS_lib/dns := -lurcu-qsbr -lurcu-common
