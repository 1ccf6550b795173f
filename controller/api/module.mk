# What can be asked: one table of routes, one file a noun.
ROOMS += controller/api
DEPS_controller/api := controller/graphql controller/http controller/store lib/link lib/noise lib/sixpn lib/base
