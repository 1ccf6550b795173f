ROOMS += lib/link
DEPS_lib/link := lib/noise lib/sixpn lib/base
LIBS_lib/link := -lnng
