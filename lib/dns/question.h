/* question - inside of the forwarder: one question on its way, and the forwarder it belongs to. Only forward.c and question.c. */
#pragma once
#include "lib/base/map.h"
#include "lib/dns/cache.h"
#include "lib/dns/exchange.h"
#include "lib/dns/forward.h"
#include "lib/dns/shares.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#define DNS_FORWARD_SOCKETS_MAX 384 /* with those of TCP askers below 1024, the usual limit of descriptors */
#define DNS_QUESTION_ATTEMPTS_MAX 6
#define DNS_QUESTION_ROUNDS 3 /* RFC 9520 3.1: no server is asked more often by UDP before it counts as silent */
#define DNS_HINT_CACHED_ERROR 13
#define DNS_HINT_NO_REACHABLE 22
#define DNS_HINT_NETWORK 23

struct dns_attempt {
	struct dns_exchange exchange;
	struct dns_question *question;
	uint64_t generation; /* of the list that `upstream` is an index of */
	uint8_t upstream;
};

struct dns_question {
	struct dns_forward *forward;
	struct dns_question *next, **link; /* oldest first */
	struct dns_waiter *waiters;
	size_t n_waiters;
	size_t id_len;
	uint8_t id[4 + 5 + DNS_NAME_MAX]; /* what it is known by: network, type, class, flags, name */
	uint32_t network;
	uint16_t type, class;
	bool dnssec_ok, checking_disabled;
	const uint8_t *key; /* the name, lower case, in id */
	size_t name_len;

	uint8_t order[DNS_UPSTREAMS_MAX];
	size_t n_order, n_tried; /* of order; goes round */
	size_t n_attempts;
	uint8_t answered_by;       /* DNS_UPSTREAMS_MAX = nobody yet */
	bool refused, unreachable; /* refused: an upstream said that it has no answer */
	struct loop_timer hedge, limit;
	struct dns_attempt attempts[DNS_QUESTION_ATTEMPTS_MAX];
};

struct dns_probe {
	struct dns_exchange exchange;
	struct dns_forward *forward;
};

struct dns_forward {
	struct dns_exchange_env env;
	struct dns_forward_tally tally;
	struct in6_addr own;
	unsigned stale_ms, total_ms;

	struct dns_upstreams upstreams;
	char resolv_conf[256]; /* "" = the list is fixed */
	struct stat seen;
	uint64_t check_at_ms;
	bool look_again; /* though the file has not changed: what it means may have */
	size_t left_out;
	struct dns_probe probes[DNS_UPSTREAMS_MAX];
	struct loop_timer probe_timer;

	struct map questions;
	struct dns_question *first, **last;
	struct dns_shares shares;
	struct dns_cache *cache;
	uint8_t message[DNS_MESSAGE_MAX]; /* the answer being written */

	pthread_mutex_t lock; /* of published, which other threads read */
	struct dns_upstreams published;
};

/* ---- question.c ---- */
struct dns_question *question_find(struct dns_forward *f, const struct dns_cache_key *key);
/* Of this waiter's query; its share has been counted. NULL: no memory. */
struct dns_question *question_new(struct dns_forward *f, const struct dns_waiter *w);
void question_ask(struct dns_question *q);           /* may end it at once */
void question_fail(struct dns_question *q, uint16_t hint); /* and remembers the failure */
void question_end(struct dns_question *q, uint16_t hint);  /* without that: it was not the upstreams' fault */
/* Takes it out of everything that finds it, and stops what is on its way; whoever waits is still in its list. */
void question_withdraw(struct dns_question *q);
struct dns_cache_key question_cache_key(const struct dns_question *q);
void question_init_probes(struct dns_forward *f);
void question_stop_probes(struct dns_forward *f);
void question_arm_probes(struct dns_forward *f); /* sends what is due */
void question_publish(struct dns_forward *f);
/* ---- forward.c ---- */
void forward_answer_all(struct dns_question *q, const struct dns_stored *stored);
void forward_fail_all(struct dns_question *q, uint16_t hint); /* stale if there is something, else SERVFAIL */
