/* scrape - the node's own GET /metrics: a responder of a few hundred lines in the loop, because a web server has no business on every
 * machine. Few connections, short requests, short lives; nothing here waits for a client. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/loop.h"
#include "lib/sixpn/addr.h"

#define SCRAPE_LISTENERS_MAX 4
#define SCRAPE_CONNECTIONS_MAX 8
#define SCRAPE_LIFE_MS 5000u /* of a connection, whatever it does */

struct scrape;

/* listen: "[::1]:4282,127.0.0.1:4282"; "" = *ret_scrape is NULL. E_REFUSED with why if it is no list of addresses; an address that
 * cannot be had is logged and left out: a node without metrics is better than none. */
int scrape_new(struct loop *loop, const char *listen, void (*write)(void *ctx, struct buf *text), void *ctx, struct scrape **ret_scrape,
	       struct why *why);
struct scrape *scrape_free(struct scrape *scrape); /* NULL is fine; returns NULL */

/* The first address of such a list that others can get at. False: there is none. */
bool scrape_find_open(const char *listen, struct addr_endpoint *ret_endpoint);

struct scrape_stats {
	uint64_t served, refused, late, too_many;
	size_t connections;
};
const struct scrape_stats *scrape_stats(const struct scrape *scrape);
int scrape_listener_fd(const struct scrape *scrape, size_t n); /* -1 = not there; for tests */
