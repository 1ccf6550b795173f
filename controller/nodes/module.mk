# What nodes are told and what they say: memory, scope, polls, snapshots, waits.
ROOMS += controller/nodes
DEPS_controller/nodes := controller/api controller/store lib/link lib/noise lib/sixpn lib/base
