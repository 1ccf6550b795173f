/* udp - bound UDP sockets of the name server, and rounds of answers at them: 16 messages a system call, no lock, no allocation. Whose
 * threads they are in is the business of worker.h (fdaa::3) and networks.h (the others). */
#pragma once
#include "lib/dns/tally.h"

#include <netinet/in.h>

struct dns_udp_socket {
	int fd; /* -1 = not open */
	struct in6_addr address;
	uint32_t overflowed; /* the socket's own count so far */
};

enum dns_udp_kind {
	DNS_UDP_WORKER,  /* of one thread that waits at it: a great queue, and a wait that ends after a while */
	DNS_UDP_NETWORK, /* one of thousands: a small queue; the address may come later (IPV6_FREEBIND) */
};
/* A socket that tells and takes marks; see dns_server_start for the errors. *ret_socket is untouched by a failure. */
int dns_udp_open(const struct in6_addr *address, uint16_t port, enum dns_udp_kind kind, struct dns_udp_socket *ret_socket,
		 struct why *why) MUST_CHECK;
void dns_udp_close(struct dns_udp_socket *s); /* not open: nothing */

#define DNS_UDP_BATCH 16
#define DNS_UDP_QUERY_ROOM 2048 /* what is longer is cut, and then wrong or only carries rubbish behind it */

/* The memory of a round, one per thread: 55 KiB. */
struct dns_udp_batch {
	struct mmsghdr in[DNS_UDP_BATCH], out[DNS_UDP_BATCH];
	struct iovec in_io[DNS_UDP_BATCH], out_io[DNS_UDP_BATCH];
	struct sockaddr_in6 from[DNS_UDP_BATCH];
	_Alignas(8) uint8_t in_control[DNS_UDP_BATCH][2 * CMSG_SPACE(sizeof(uint32_t))];
	_Alignas(8) uint8_t out_control[DNS_UDP_BATCH][CMSG_SPACE(sizeof(uint32_t))];
	uint8_t query[DNS_UDP_BATCH][DNS_UDP_QUERY_ROOM];
	uint8_t reply[DNS_UDP_BATCH][DNS_UDP_MAX];
	uint32_t mark[DNS_UDP_BATCH];
	size_t len[DNS_UDP_BATCH]; /* of the reply; 0 = none */
	struct dns_outcome outcome[DNS_UDP_BATCH];
};
void dns_udp_batch_init(struct dns_udp_batch *b);

/* Who answers in a round. */
struct dns_udp_round {
	struct dns_udp_socket *socket;
	const struct dns_views *views;
	struct dns_tally *tally;
	enum dns_listener listener; /* what the socket counts as */
	/* For the forwarder: taken over, or false: it cannot be, then SERVFAIL is sent. Not called while the thread holds a zone. */
	bool (*forward)(void *ctx, const struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len);
	void *ctx;
};
/* Takes what there is, at most 16, and answers it. flags: MSG_DONTWAIT, or MSG_WAITFORONE. How many; -errno of receiving. */
int dns_udp_answer(const struct dns_udp_round *round, struct dns_udp_batch *b, int flags);

/* Sends one message with the mark; failures are counted, nothing more. */
void dns_udp_send(int fd, const struct sockaddr_in6 *to, uint32_t mark, const uint8_t *message, size_t len,
		  struct dns_tally *tally);
