/* stored - an upstream's answer as it is kept and given out: the bytes of its answers (and, if they matter, authorities) with the
 * places of their TTLs. Nothing else of what the upstream said is kept: no additional section, no AD, no AA. */
#pragma once
#include "lib/dns/reply_in.h"

#define DNS_TTL_STALE 30 /* RFC 8767 4 */

struct dns_stored {
	uint16_t rcode, n_answers, n_authorities;
	bool positive;
	uint32_t lifetime; /* seconds from when it came */
	uint16_t n_ttls;
	uint32_t body_len;
	/* n_ttls uint16_t: where, counted from the start of the message; then body_len bytes, which follow the question */
	uint16_t ttl_at[];
};

/* -ENOMEM. Authorities are kept if it is a negative answer or `dnssec_ok`. Free with free(). */
int dns_stored_new(const struct dns_reply_in *in, bool dnssec_ok, struct dns_stored **ret_stored) MUST_CHECK;
size_t dns_stored_bytes(const struct dns_stored *s); /* memory held */
/* Puts it into a reply begun for the same question, `age_s` seconds old. `stale`: every TTL is DNS_TTL_STALE. */
void dns_stored_put(const struct dns_stored *s, uint32_t age_s, bool stale, struct dns_reply *r);
