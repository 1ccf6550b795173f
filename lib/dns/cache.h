/* cache - answers of upstreams, kept by network: what one network asked is neither seen, timed nor pushed out by another. Bounded;
 * when memory is short, the network that holds most gives up what it used longest ago. Pure; times are the caller's, in ms.
 *
 * Positive answers are kept a day beyond their time, for when no upstream answers (RFC 8767). Negative ones are not: a name that came
 * to be must not be hidden by an old "there is none", and for the same reason any other answer for a name ends its NXDOMAINs. */
#pragma once
#include "lib/dns/stored.h"

#define DNS_CACHE_STALE_MS 86400000
#define DNS_CACHE_FAILURE_MS 2000 /* RFC 9520: at least 1 s; for as long no upstream is asked */
#define DNS_CACHE_ENTRY_MAX 16384

struct dns_cache_key {
	uint32_t network;
	const uint8_t *name; /* lower case */
	size_t name_len;
	uint16_t type, class;
	bool dnssec_ok, checking_disabled;
};

enum dns_cached {
	DNS_CACHED_NOT,
	DNS_CACHED_FRESH,
	DNS_CACHED_STALE,   /* to be given out only if no upstream answers */
	DNS_CACHED_RESTING, /* upstreams failed a moment ago: give out what there is (`stored` may be NULL), do not ask */
};

struct dns_cache_found {
	enum dns_cached kind;
	const struct dns_stored *stored; /* valid until the next call; NULL = nothing */
	uint32_t age_s;
};

struct dns_cache;
int dns_cache_new(size_t limit_bytes, struct dns_cache **ret_cache) MUST_CHECK;
struct dns_cache *dns_cache_free(struct dns_cache *c); /* NULL is fine; returns NULL */
void dns_cache_clear(struct dns_cache *c);
struct dns_cache_found dns_cache_find(struct dns_cache *c, const struct dns_cache_key *key, uint64_t now_ms);
/* Takes the answer over. What may not or cannot be kept is freed; an older answer to the same question goes in any case. */
void dns_cache_put(struct dns_cache *c, const struct dns_cache_key *key, struct dns_stored *stored, uint64_t now_ms);
/* No upstream answered: keeps what there is, and remembers that. */
void dns_cache_put_failure(struct dns_cache *c, const struct dns_cache_key *key, uint64_t now_ms);
size_t dns_cache_count(const struct dns_cache *c);
size_t dns_cache_bytes(const struct dns_cache *c);
uint64_t dns_cache_evicted(const struct dns_cache *c); /* so far */
