/* forward - questions for other people's names, asked of configured upstreams. Lives in the slow thread's loop, never blocks.
 *
 * A question is known by (network, name, type, class, DO, CD); who asks it while it is on its way waits for the same answer. It is
 * asked of the best upstream first, of the next if that is slow or fails, a few times in all; it ends with the first good reply, or
 * when the time is up: then with an answer of yesterday if there is one (RFC 8767), else with SERVFAIL. Always well before a stub
 * gives up. What may be believed: reply_in.h; how it is asked: exchange.h; who may have how much waiting: shares.h. */
#pragma once
#include "lib/base/clock.h"
#include "lib/base/loop.h"
#include "lib/dns/answer.h"
#include "lib/dns/forward_tally.h"
#include "lib/dns/upstreams.h"

#define DNS_FORWARD_RESOLV_CONF "/etc/resolv.conf"
#define DNS_FORWARD_STALE_MS 1800 /* wait so long for upstreams if there is a stale answer, */
#define DNS_FORWARD_TOTAL_MS 2700 /* and so long if there is none: below three tries of a second (our resolv.conf) */
#define DNS_FORWARD_SILENT_MS 150 /* and so long if there is one and no upstream has been heard lately */
#define DNS_FORWARD_CACHE_BYTES (16u << 20)

struct dns_forward_options {
	const char *upstreams;   /* "auto" = those of resolv_conf, read again when it changes; or a list */
	const char *resolv_conf; /* NULL = DNS_FORWARD_RESOLV_CONF */
	struct in6_addr own;     /* the name server's address: never an upstream */
	struct clock clock;      /* its randomness */
	bool keep_case;          /* do not mix the letters, for upstreams that keep neither letters nor TCP */
	size_t cache_bytes;      /* 0 = DNS_FORWARD_CACHE_BYTES */
	unsigned stale_ms, total_ms; /* 0 = as above */
};

/* One query that waits for its answer, embedded in what its owner needs to send it. */
struct dns_waiter {
	struct dns_waiter *next, **link; /* of the same question; link NULL = does not wait */
	struct dns_question *question;
	struct dns_query query; /* name points to name_bytes */
	uint8_t name_bytes[DNS_NAME_MAX];
	struct in6_addr source;
	uint32_t network;
	uint16_t port;      /* UDP: with source and id, how the same query sent again is known; 0 = never the same */
	uint16_t keepalive; /* see struct dns_reply */
	size_t size;        /* of the answer at most */
	/* The message is valid during the call; the waiter waits no more and may be freed. */
	void (*answered)(struct dns_waiter *w, const uint8_t *message, size_t len, uint16_t rcode);
	void (*dropped)(struct dns_waiter *w); /* the same query is waiting already: no answer of its own */
};

struct dns_forward;
/* E_REFUSED: a list that cannot be (upstreams.h). */
int dns_forward_new(struct loop *loop, const struct dns_forward_options *options, struct dns_forward **ret_forward,
		    struct why *why) MUST_CHECK;
/* Everybody who waits gets SERVFAIL. NULL is fine; returns NULL. */
struct dns_forward *dns_forward_free(struct dns_forward *f);

/* The query is copied. w: source, port, keepalive, size and the two functions are the caller's, one of which is called, perhaps
 * before this returns. The source's network has been judged. */
void dns_forward_ask(struct dns_forward *f, struct dns_waiter *w, const struct dns_query *query);
/* Nobody wants the answer any more; none of its functions is called. */
void dns_forward_cancel(struct dns_forward *f, struct dns_waiter *w);

/* From any thread. */
void dns_forward_stats(const struct dns_forward *f, struct dns_forward_stats *ret_stats);
void dns_forward_upstreams(struct dns_forward *f, struct dns_upstreams *ret_upstreams);
