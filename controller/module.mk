# The daemon: main and settings here, its parts in rooms of their own. store <- http, api <- nodes: who needs whom, see DEPS.
ROOMS += controller
MAIN_controller := controller/main.c
DEPS_controller := controller/nodes controller/api controller/http controller/store
PROGRAMS += sixpn-controller
MAIN_OF_sixpn-controller := controller/main.c
ROOM_OF_sixpn-controller := controller
