ROOMS += lib/base
DEPS_lib/base :=
LIBS_lib/base := -lsodium -ljansson -linih -lrt
