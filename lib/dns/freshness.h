/* freshness - what the name server says about its own knowledge, as TXT records made at the moment of the answer (TTL 0):
 *
 *   _sync.internal      "v=1234,age_ms=812,controller=up"   also without a zone: v=0; age_ms=unknown if nobody was ever heard
 *   _version.internal   "1234"
 *
 * v is the asker's own network's (dns_zone_v), never that of the whole log: that would tell how busy others are. */
#pragma once
#include "lib/dns/zone.h"

#define DNS_FRESHNESS_TTL 0

struct dns_freshness {
	bool known;      /* age_ms is */
	bool controller; /* it is heard from */
	uint64_t age_ms; /* since the last reply of the controller that was applied */
};

enum dns_own_name { DNS_OWN_NONE, DNS_OWN_SYNC, DNS_OWN_VERSION };
enum dns_own_name dns_own_name(const uint8_t *key, size_t key_len);

/* Answers a TXT question of one of the names; z may be NULL for DNS_OWN_SYNC. */
void dns_freshness_answer(enum dns_own_name name, const struct dns_freshness *f, const struct dns_zone *z, struct dns_reply *r);
