/* freshness - see freshness.h. */
#include "lib/dns/freshness.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SYNC "\5_sync\10internal"
#define VERSION "\10_version\10internal"

enum dns_own_name dns_own_name(const uint8_t *key, size_t key_len)
{
	if (key_len == sizeof SYNC && !memcmp(key, SYNC, sizeof SYNC))
		return DNS_OWN_SYNC;
	if (key_len == sizeof VERSION && !memcmp(key, VERSION, sizeof VERSION))
		return DNS_OWN_VERSION;
	return DNS_OWN_NONE;
}

void dns_freshness_answer(enum dns_own_name name, const struct dns_freshness *f, const struct dns_zone *z, struct dns_reply *r)
{
	uint64_t v = z ? dns_zone_v(z) : 0;
	char text[128], age[24] = "unknown";
	int n;

	if (f->known)
		snprintf(age, sizeof age, "%" PRIu64, f->age_ms);
	if (name == DNS_OWN_SYNC)
		n = snprintf(text + 1, sizeof text - 1, "v=%" PRIu64 ",age_ms=%s,controller=%s", v, age, f->controller ? "up" : "down");
	else
		n = snprintf(text + 1, sizeof text - 1, "%" PRIu64, v);
	text[0] = (char)n; /* one character-string */
	r->authoritative = true;
	dns_reply_record(r, DNS_TYPE_TXT, DNS_FRESHNESS_TTL, text, 1 + (size_t)n);
}
