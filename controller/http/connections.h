/* connections - all connections of a server: from whom, until when each may do what it does now, and which has to go when too many are there.
 *
 * A connection that waits (for a handshake, for headers, for the next request) costs nobody anything when it is closed: if there are as many as
 * there may be, the one that has waited longest makes room. Whoever holds thousands open and says nothing thus pushes out his own. */
#pragma once
#include "lib/base/loop.h"
#include "lib/base/map.h"

#include <sys/socket.h>
#include <sys/types.h>

struct certificate;

struct http_connection {
	struct http_connection *next, **link;   /* of all */
	struct http_connection *older, *newer;  /* of those that wait */
	void *listener;                         /* the owner's */
	int fd;
	uint64_t deadline_ms;
	bool late; /* closed because that had passed */
	bool waits, local, greets; /* greets: in its TLS handshake, or has not asked anything since */
	bool local_operator;
	uid_t uid;
	uint8_t source[16];                     /* IPv4 mapped into IPv6; zero for local */
	struct http_source *counted;
	struct certificate *certificate;        /* of https: the one that it began with */
};

struct http_connection_counts {
	uint64_t refused; /* too many of one address */
	uint64_t evicted; /* made room for another */
	uint64_t late;    /* took too long for what they did */
};

struct http_connections {
	struct loop *loop;
	size_t greeting, max_greeting; /* a tenth of max: the library spends time on each */
	size_t peak; /* of n, since memory was last given back */
	size_t max, max_per_source, n; /* n without local ones, which have a listener and a limit of their own */
	struct http_connection *all, *oldest, *newest;
	struct map sources;
	struct loop_timer sweep;
	struct http_connection_counts counts;
};

void http_connections_init(struct http_connections *set, struct loop *loop, size_t max, size_t max_per_source);
void http_connections_deinit(struct http_connections *set); /* all were removed before */

/* An address as 16 bytes, IPv4 mapped; false: it is no such address. */
bool http_source_of(const struct sockaddr *address, uint8_t ret_source[16]);
/* Who counts as one: an IPv4 address, an IPv6 /64. */
void http_source_group(const uint8_t source[16], uint8_t ret_group[16]);

/* Whether another of this source may come; counted if not. */
bool http_connections_may_come(struct http_connections *set, const uint8_t source[16]);
/* source NULL: local. It waits from now on. NULL: no memory. */
struct http_connection *http_connections_add(struct http_connections *set, int fd, const uint8_t *source, uint64_t wait_ms);
void http_connections_remove(struct http_connections *set, struct http_connection *c); /* frees it */
/* From now on it waits at most so long for its client; or for the rest of a body; or it works at most so long (0: as long as it takes). Who
 * waits may have to make room. */
void http_connection_waits(struct http_connections *set, struct http_connection *c, uint64_t ms);
void http_connection_reads(struct http_connections *set, struct http_connection *c, uint64_t ms);
void http_connection_greets(struct http_connections *set, struct http_connection *c); /* until it works */
void http_connection_works(struct http_connections *set, struct http_connection *c, uint64_t ms);
