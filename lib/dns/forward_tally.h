/* forward_tally - what becomes of questions for other people's names, counted. Written by the slow thread, read by anybody. */
#pragma once
#include "lib/base/err.h"

#include <stdatomic.h>

enum dns_forward_counter {
	DNS_FORWARD_ASKED,           /* questions that came to the forwarder; each ends in exactly one of the next ... */
	DNS_FORWARD_HIT,             /* from the cache */
	DNS_FORWARD_HIT_STALE,       /* from the cache though too old: upstreams had just failed (RFC 8767) */
	DNS_FORWARD_HIT_FAILURE,     /* SERVFAIL: upstreams had just failed, and there was nothing old (RFC 9520) */
	DNS_FORWARD_ANSWERED,        /* by an upstream */
	DNS_FORWARD_STALE,           /* too old an answer, after upstreams were waited for */
	DNS_FORWARD_FAILED,          /* SERVFAIL after upstreams were waited for */
	DNS_FORWARD_NO_UPSTREAM,     /* none is configured */
	DNS_FORWARD_OVER_SOURCE,     /* this asker has too many waiting: SERVFAIL */
	DNS_FORWARD_OVER_NETWORK,    /* its network has */
	DNS_FORWARD_OVER_TOTAL,      /* all have */
	DNS_FORWARD_LOOPED,          /* it is our own question, come back: SERVFAIL */
	DNS_FORWARD_PRIVATE,         /* a name that must not leave; never happens, see private.h */
	DNS_FORWARD_REPEATED,        /* the same asker again, while the first is waiting: one answer */
	DNS_FORWARD_CANCELLED,       /* ... of these: the asker's connection has ended */
	DNS_FORWARD_COALESCED,       /* joined a question on its way */
	DNS_FORWARD_JOSTLED,         /* questions ended early to make room for a network that has fewer */
	DNS_FORWARD_QUESTIONS,       /* begun */
	DNS_FORWARD_SENT_UDP,
	DNS_FORWARD_SENT_TCP,
	DNS_FORWARD_HEDGED,          /* asked a further time because the one before was slow */
	DNS_FORWARD_WITHOUT_EDNS,    /* asked again without EDNS */
	DNS_FORWARD_TRUNCATED,       /* asked again by TCP: the answer did not fit, */
	DNS_FORWARD_FLOODED,         /* too much that did not match had come, */
	DNS_FORWARD_FOLDED,          /* or the question came back in other letters */
	DNS_FORWARD_OVERSIZE,        /* or was longer than we take by UDP */
	DNS_FORWARD_UPSTREAM_FAILED, /* SERVFAIL, REFUSED and the like */
	DNS_FORWARD_UPSTREAM_SLOW,   /* nothing came */
	DNS_FORWARD_UPSTREAM_UNREACHABLE,
	DNS_FORWARD_UPSTREAM_BAD_STREAM, /* TCP: an end, a length or a message that cannot be */
	DNS_FORWARD_PROBES,
	DNS_FORWARD_NO_SOCKET,
	DNS_FORWARD_DROPPED_WRONG_ID, /* replies that were not believed, in the order of enum dns_verdict */
	DNS_FORWARD_DROPPED_NOT_REPLY,
	DNS_FORWARD_DROPPED_WRONG_QUESTION,
	DNS_FORWARD_DROPPED_WRONG_CASE,
	DNS_FORWARD_DROPPED_MALFORMED,
	DNS_FORWARD_DROPPED_UNSOUND,
	DNS_FORWARD_EVICTED, /* answers, for want of memory */
	DNS_FORWARD_RELOADED, /* another list of upstreams */
};
#define DNS_FORWARD_COUNTER_COUNT 40
const char *dns_forward_counter_name(enum dns_forward_counter counter);

enum dns_forward_gauge {
	DNS_FORWARD_NOW_QUESTIONS,
	DNS_FORWARD_NOW_WAITING,
	DNS_FORWARD_NOW_SOCKETS,
	DNS_FORWARD_NOW_CACHED,
	DNS_FORWARD_NOW_CACHED_BYTES,
};
#define DNS_FORWARD_GAUGE_COUNT 5
const char *dns_forward_gauge_name(enum dns_forward_gauge gauge);

struct dns_forward_tally {
	_Atomic uint64_t counters[DNS_FORWARD_COUNTER_COUNT];
	_Atomic uint64_t gauges[DNS_FORWARD_GAUGE_COUNT];
};

struct dns_forward_stats {
	uint64_t counters[DNS_FORWARD_COUNTER_COUNT];
	uint64_t gauges[DNS_FORWARD_GAUGE_COUNT];
};

/* One writer, so no locked instruction is needed. */
static inline void dns_forward_count(struct dns_forward_tally *t, enum dns_forward_counter counter)
{
	uint64_t now = atomic_load_explicit(&t->counters[counter], memory_order_relaxed);

	atomic_store_explicit(&t->counters[counter], now + 1, memory_order_relaxed);
}
static inline void dns_forward_set(struct dns_forward_tally *t, enum dns_forward_gauge gauge, uint64_t value)
{
	atomic_store_explicit(&t->gauges[gauge], value, memory_order_relaxed);
}
void dns_forward_tally_read(const struct dns_forward_tally *t, struct dns_forward_stats *ret_stats);
