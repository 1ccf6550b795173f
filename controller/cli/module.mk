# The `sixpn` command.
ROOMS += controller/cli
MAIN_controller/cli := controller/cli/main.c
DEPS_controller/cli := lib/sixpn lib/base
LIBS_controller/cli := -lcurl -lcrypto -lldns -lqrencode
PROGRAMS += sixpn
MAIN_OF_sixpn := controller/cli/main.c
ROOM_OF_sixpn := controller/cli
