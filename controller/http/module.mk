# Connections, TLS, requests, replies: the only room with microhttpd.h and gnutls. Knows nothing of what is asked.
ROOMS += controller/http
DEPS_controller/http := lib/sixpn lib/base
LIBS_controller/http := -lmicrohttpd -lgnutls
