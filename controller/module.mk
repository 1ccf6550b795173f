ROOMS += controller
MAIN_controller := controller/main.c
DEPS_controller := lib/link lib/noise lib/sixpn lib/base
LIBS_controller := -lsqlite3 -lmicrohttpd
PROGRAMS += sixpn-controller
MAIN_OF_sixpn-controller := controller/main.c
ROOM_OF_sixpn-controller := controller
# the migrations of schema/ are embedded, in the order of their names
EXTRA_OBJS_controller = $(B)/controller/schema_embedded.o
$(B)/controller/schema_embedded.c: $(wildcard schema/*.sql) controller/embed-schema.sh
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && controller/embed-schema.sh $(sort $(wildcard schema/*.sql)) > $@
