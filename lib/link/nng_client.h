/* nng_client - the transport of a node: nng raw REQ in our loop, one connection at a time. Dialling again, and when, is the user's
 * business: nng's own back-off is switched off in effect (one hour). */
#pragma once
#include "lib/base/loop.h"
#include "lib/link/transport.h"

struct link_nng_client;

int link_nng_client_new(struct loop *loop, struct link_nng_client **ret_client);
struct link_nng_client *link_nng_client_free(struct link_nng_client *client); /* at the end of the process only */
struct link_client_transport *link_nng_client_transport(struct link_nng_client *client);
