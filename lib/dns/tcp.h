/* tcp - DNS over TCP (RFC 7766) in the slow thread: pipelined, each connection with a time limit, and caps so that one asker or one
 * network cannot take the place of all others. Answers of our own names come in order and at once; what is forwarded comes when it
 * comes, and nothing waits behind it. */
#pragma once
#include "lib/base/loop.h"
#include "lib/dns/forward.h"
#include "lib/dns/stream.h"
#include "lib/dns/tally.h"

#define DNS_TCP_IDLE_MS 10000 /* default; between one whole query and the next */
#define DNS_TCP_TOTAL_MAX 512
#define DNS_TCP_NETWORK_MAX 128
#define DNS_TCP_SOURCE_MAX 16
#define DNS_TCP_WAITING_MAX 24 /* forwarded at a time by one connection; then it is not read until one is answered */

struct dns_tcp_connection;

struct dns_tcp {
	struct loop *loop;
	const struct dns_views *views;
	struct dns_tally *tally;
	struct dns_forward *forward; /* NULL = none: SERVFAIL */
	struct in6_addr address;
	unsigned idle_ms;
	struct loop_io listener; /* fd -1 = not open */
	struct loop_timer rest;  /* the listener rests while there are no descriptors */
	struct dns_tcp_connection *first;
	size_t n;
	uint8_t message[DNS_MESSAGE_MAX]; /* the answer being written */
};

/* Binds; the tally, views and loop are borrowed. Add it to the loop with dns_tcp_start, in the loop's thread or before it runs. */
int dns_tcp_open(struct dns_tcp *t, const struct in6_addr *address, uint16_t port, struct why *why) MUST_CHECK;
int dns_tcp_start(struct dns_tcp *t) MUST_CHECK;
void dns_tcp_close(struct dns_tcp *t); /* and all connections */
