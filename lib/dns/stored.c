/* stored - see stored.h. Pointers inside the body stay right because the question before it always has the same length. */
#include "lib/dns/stored.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *body_of(const struct dns_stored *s)
{
	return (uint8_t *)(uintptr_t)(s->ttl_at + s->n_ttls);
}

/* What an asker may be told at most. Authorities of a negative answer are there for the asker to know how long it holds. */
static uint32_t clamp(uint32_t ttl, uint32_t most)
{
	if (ttl & 0x80000000u)
		return 0;
	return ttl < most ? ttl : most;
}

int dns_stored_new(const struct dns_reply_in *in, bool dnssec_ok, struct dns_stored **ret_stored)
{
	bool authorities = !in->positive || dnssec_ok;
	size_t end = authorities ? in->authorities_end : in->answers_end, body_len = end - in->answers_at;
	uint16_t n = (uint16_t)(in->n_answers + (authorities ? in->n_authorities : 0));
	struct dns_stored *s = malloc(sizeof *s + n * sizeof s->ttl_at[0] + body_len);

	if (!s)
		return -ENOMEM;
	*s = (struct dns_stored){ .rcode = in->rcode, .positive = in->positive, .lifetime = in->lifetime, .n_ttls = n,
				  .n_answers = in->n_answers, .n_authorities = (uint16_t)(n - in->n_answers),
				  .body_len = (uint32_t)body_len };
	memcpy(s->ttl_at, in->ttl_at, n * sizeof s->ttl_at[0]);
	memcpy(body_of(s), in->bytes + in->answers_at, body_len);
	for (uint16_t i = 0; i < n; i++) {
		uint8_t *p = body_of(s) + (s->ttl_at[i] - in->answers_at);
		bool hold = i >= in->n_answers && !in->positive;

		put_u32(p, clamp(get_u32(p), hold ? in->lifetime : DNS_TTL_MAX));
	}
	*ret_stored = s;
	return 0;
}

size_t dns_stored_bytes(const struct dns_stored *s)
{
	return sizeof *s + s->n_ttls * sizeof s->ttl_at[0] + s->body_len;
}

void dns_stored_put(const struct dns_stored *s, uint32_t age_s, bool stale, struct dns_reply *r)
{
	uint8_t *p = dns_reply_answer(r, s->body_len, s->n_answers);

	r->rcode = s->rcode;
	if (!p)
		return; /* TC: the asker comes again by TCP */
	memcpy(p, body_of(s), s->body_len);
	r->authorities = s->n_authorities;
	for (uint16_t i = 0; i < s->n_ttls; i++) {
		uint8_t *at = r->message + s->ttl_at[i];
		uint32_t ttl = get_u32(at);

		put_u32(at, stale ? DNS_TTL_STALE : ttl > age_s ? ttl - age_s : 0);
	}
}
