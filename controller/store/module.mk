# Tables and log, backups: the only room with sqlite3.h.
ROOMS += controller/store
DEPS_controller/store := lib/sixpn lib/base
LIBS_controller/store := -lsqlite3
# the migrations of schema/ are embedded, in the order of their names
EXTRA_OBJS_controller/store = $(B)/controller/store/schema_embedded.o
$(B)/controller/store/schema_embedded.c: $(wildcard schema/*.sql) controller/store/embed-schema.sh
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && controller/store/embed-schema.sh $(sort $(wildcard schema/*.sql)) > $@
