ROOMS += lib/sixpn
DEPS_lib/sixpn := lib/base
LIBS_lib/sixpn := -lprotobuf-c -lm
EXTRA_OBJS_lib/sixpn = $(B)/proto/sixpn.pb-c.o
