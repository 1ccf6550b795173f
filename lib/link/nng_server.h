/* nng_server - the transport of the controller: nng raw REP in our loop. */
#pragma once
#include "lib/base/loop.h"
#include "lib/link/transport.h"

struct link_nng_server;

/* Opens the socket; nothing is received yet. */
int link_nng_server_new(struct loop *loop, struct link_nng_server **ret_server);
struct link_nng_server *link_nng_server_free(struct link_nng_server *server); /* at the end of the process only */
struct link_server_transport *link_nng_server_transport(struct link_nng_server *server);
/* address: "host:port" of a local address ("0.0.0.0:4281", "[::]:4281"); may be called for several. Port 0 lets the kernel choose;
 * *ret_port (may be NULL) gets the port. Errors: -errno. */
int link_nng_server_listen(struct link_nng_server *server, const char *address, uint16_t *ret_port) MUST_CHECK;

struct link_nng_server_stats {
	uint64_t received, sent;
	uint64_t bad_header;  /* a request that came by other ways than one hop */
	uint64_t queue_full;  /* replies refused because 64 MiB waited already */
	size_t queued_bytes;  /* now */
};
const struct link_nng_server_stats *link_nng_server_stats(const struct link_nng_server *server);
