/* server - the name server of a node: UDP workers and one slow thread around dns_answer.
 *
 * Workers: one SO_REUSEPORT socket each, bound to exactly the given address, 16 messages a system call, no lock, no allocation.
 * Slow thread: TCP (RFC 7766) and, handed over by the workers, what needs the forwarder (forward.h); answered on the worker's socket.
 * Also all that is asked at fdaa:<network>::3 (networks.h), by UDP and TCP.
 * Every reply leaves with the mark its query came with, or with none: local sockets never own the mark (DESIGN 8). For TCP that
 * is net.ipv4.tcp_fwmark_accept=1, which the caller sets. */
#pragma once
#include "lib/dns/forward.h"

struct dns_server;

struct dns_server_options {
	struct in6_addr address; /* fdaa::3; on a device already and not tentative: add it with IFA_F_NODAD */
	uint16_t port;           /* 0 = 53 */
	unsigned n_workers;      /* 0 = min(cores, 4) */
	unsigned tcp_idle_ms;    /* 0 = 10 s */
	struct dns_views *views; /* borrowed; outlives the server */
	struct dns_forward_options forward; /* `own` is filled in; upstreams NULL or "off" = no forwarding: SERVFAIL */
};

/* Starts the threads; every socket is bound when it returns. -errno: -ENOTSUP if the kernel lacks SO_RCVMARK (too old: before
 * 5.19), E_REFUSED: upstreams that cannot be, -EADDRNOTAVAIL, -EADDRINUSE, -EACCES; *why (may be NULL) says what could not be done. */
int dns_server_start(const struct dns_server_options *options, struct dns_server **ret_server, struct why *why) MUST_CHECK;
/* Stops and joins all threads (at most a quarter of a second); NULL is fine; returns NULL. */
struct dns_server *dns_server_stop(struct dns_server *s);

/* The networks whose peers end here, ids rising: from the return on, questions to their fdaa:<network>::3 are taken, and in those that
 * were there before and are not named no more. The addresses may come later. ret_errors[i], of ids[i]: 0, or -errno: -EMFILE also for
 * all above the limit of networks.h. Call it again to try again. From the thread that starts and stops the server. */
void dns_server_set_networks(struct dns_server *s, const uint32_t *ids, size_t n, int *ret_errors);

/* Where a question was asked. */
enum dns_listener { DNS_LISTENER_RESOLVER, DNS_LISTENER_NETWORK }; /* fdaa::3; fdaa:<network>::3 */
#define DNS_LISTENER_COUNT 2
const char *dns_listener_name(enum dns_listener listener);

enum dns_rcode_slot { DNS_SLOT_OTHER_RCODE = 6 };
#define DNS_RCODE_SLOTS 7 /* 0-5, others */

enum dns_counter {
	DNS_COUNT_RECEIVED,         /* messages and TCP queries */
	DNS_COUNT_DROPPED,          /* queries that no reply may be sent to, and whoever came to another network's ::3 */
	DNS_COUNT_UNREACHABLE,      /* replies without a route: EHOSTUNREACH, ENETUNREACH; the query had no mark */
	DNS_COUNT_SEND_FAILED,      /* other errors of sending */
	DNS_COUNT_RECEIVE_FAILED,
	DNS_COUNT_OVERFLOWED,       /* datagrams that the kernel dropped because a socket was full */
	DNS_COUNT_HANDED_OVER,      /* to the slow thread */
	DNS_COUNT_RING_FULL,        /* could not be handed over: SERVFAIL at once */
	DNS_COUNT_FORWARD_UNAVAILABLE,
	DNS_COUNT_TCP_ACCEPTED,
	DNS_COUNT_TCP_REFUSED,      /* closed at once: a cap was reached */
	DNS_COUNT_TCP_IDLE,         /* closed by the time limit */
	DNS_COUNT_TCP_BAD,          /* closed for what it sent */
	DNS_COUNT_TCP_GAVE_WAY,     /* closed because all places were taken, for one of a network with fewer */
};
#define DNS_COUNTER_COUNT 14
const char *dns_counter_name(enum dns_counter counter);
const char *dns_rcode_slot_name(unsigned slot); /* "noerror" ... "other" */

struct dns_stats {
	uint64_t asked[DNS_LISTENER_COUNT][DNS_TRANSPORT_COUNT];
	uint64_t answers[DNS_TREE_COUNT][DNS_RCODE_SLOTS][DNS_TRANSPORT_COUNT];
	uint64_t notes[DNS_NOTE_COUNT];
	uint64_t counters[DNS_COUNTER_COUNT];
	uint64_t tcp_open; /* connections now */
	uint64_t networks; /* at whose ::3 we listen now */
	struct dns_forward_stats forward;
};
/* The sum over all threads, from the thread that starts and stops the server. */
void dns_server_stats(const struct dns_server *s, struct dns_stats *ret_stats);
/* The upstreams and how they do; n = 0 if nothing is forwarded. From the thread that starts and stops the server. */
void dns_server_upstreams(const struct dns_server *s, struct dns_upstreams *ret_upstreams);
