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
struct dns_tcp_listener;

struct dns_tcp {
	struct loop *loop;
	const struct dns_views *views;
	struct dns_tally *tally;
	struct dns_forward *forward; /* NULL = none: SERVFAIL */
	unsigned idle_ms;
	struct dns_tcp_connection *first; /* of all listeners: the caps are over all */
	size_t n;
	uint8_t message[DNS_MESSAGE_MAX]; /* the answer being written */
};

/* A connection that was accepted there; closed at once if a cap is reached. Takes the descriptor in any case. */
void dns_tcp_take(struct dns_tcp *t, const struct dns_tcp_listener *at, int fd, const struct in6_addr *source);
void dns_tcp_close(struct dns_tcp *t, const struct dns_tcp_listener *of); /* its connections; NULL = all */
