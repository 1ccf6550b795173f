ROOMS += lib/noise
DEPS_lib/noise := lib/sixpn lib/base
LIBS_lib/noise := -lcrypto
