/* Any bytes as an upstream's reply: what is called good can be kept, and given out by ours to an asker, within every bound. The first
 * bytes choose the question, so that the fuzzer gets past its comparison. */
#include "lib/dns/stored.h"

#include <stdlib.h>
#include <string.h>

/* The answer must be one that we ourselves would take. */
static void give_out(const struct dns_sent *sent, const struct dns_reply_in *in)
{
	static uint8_t query_bytes[DNS_SENT_MAX], message[DNS_MESSAGE_MAX];
	static struct dns_reply_in again;
	struct dns_stored *stored;
	struct dns_query q;
	struct dns_reply r;
	uint16_t rcode;
	size_t n = dns_sent_encode(sent, query_bytes);

	if (dns_query_parse(query_bytes, n, &q, &rcode) != 0 || dns_stored_new(in, sent->dnssec_ok, &stored) < 0)
		abort();
	for (unsigned udp = 0; udp < 2; udp++) {
		size_t size = udp ? dns_query_udp_limit(&q) : sizeof message;

		dns_reply_begin(&r, &q, message, size);
		dns_stored_put(stored, 17, udp, &r);
		n = dns_reply_end(&r);
		if (n > size || n < DNS_HEADER_LEN)
			abort();
		enum dns_verdict v = dns_reply_in_judge(sent, message, n, &again);

		if (v != DNS_VERDICT_GOOD && v != DNS_VERDICT_TRUNCATED && v != DNS_VERDICT_FAILED)
			abort();
		if (v == DNS_VERDICT_GOOD && (again.positive != in->positive || again.n_answers != in->n_answers))
			abort();
	}
	free(stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "a.example", "www.b.example", "x", "a.a.a.a" };
	static struct dns_reply_in in;
	static uint8_t bytes[65535];
	struct dns_sent sent = { .id = 0x1234, .class = DNS_CLASS_IN };
	size_t at = DNS_HEADER_LEN;

	if (size < 4 || size - 4 > sizeof bytes)
		return 0;
	sent.type = data[0];
	sent.edns = data[1] & 1;
	sent.dnssec_ok = sent.edns && data[1] & 2;
	sent.any_case = data[1] & 4;
	sent.name_len = dns_name_from_text(names[data[2] % ARRAY_LEN(names)], sent.name);
	size -= 4;
	memcpy(bytes, data + 4, size);
	/* most of the time the beginning is right */
	if (data[3] & 1 && size >= DNS_HEADER_LEN + sent.name_len + 4) {
		put_u16(bytes, sent.id);
		bytes[2] |= 0x80;
		bytes[2] &= 0x85;
		put_u16(bytes + 4, 1);
		memcpy(bytes + at, sent.name, sent.name_len);
		put_u16(bytes + at + sent.name_len, sent.type);
		put_u16(bytes + at + sent.name_len + 2, sent.class);
	}
	if (dns_reply_in_judge(&sent, bytes, size, &in) != DNS_VERDICT_GOOD)
		return 0;
	if (in.authorities_end > size || in.answers_at > in.answers_end || in.answers_end > in.authorities_end || in.lifetime > DNS_TTL_MAX)
		abort();
	/* a question that no client of ours could ask is not given out */
	if (sent.type != DNS_TYPE_OPT)
		give_out(&sent, &in);
	return 0;
}
