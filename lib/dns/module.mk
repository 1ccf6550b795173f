ROOMS += lib/dns
DEPS_lib/dns := lib/sixpn lib/base
LIBS_lib/dns := -lurcu-qsbr -lurcu-common
# ldns is the oracle of the tests: every answer is decoded by somebody else's code.
TESTLIBS_lib/dns := -lldns
