/* reply_in - what came back from an upstream, judged before anything is believed. Pure.
 *
 * dns_reply_in_judge is the door for upstreams' bytes. What it calls GOOD has the id, the question letter by letter as it was sent
 * (letters are sent in random case: more that a forger must guess), answers that belong to the question's chain of aliases and are
 * of its type, names whose pointers only go backwards, and a known place for every TTL. */
#pragma once
#include "lib/dns/wire.h"

#define DNS_REPLY_RECORDS_MAX 1024 /* answers and authorities; more is no honest answer */
#define DNS_TYPE_CNAME 5
#define DNS_TYPE_DNAME 39
#define DNS_TYPE_RRSIG 46

/* A question as it was sent upstream. */
struct dns_sent {
	uint16_t id, type, class;
	uint8_t name[DNS_NAME_MAX]; /* in mixed case */
	size_t name_len;
	bool edns, dnssec_ok, checking_disabled;
	bool any_case; /* the letters need not be as sent: over TCP, where a forger would have to guess the sequence numbers */
};
#define DNS_SENT_MAX (DNS_HEADER_LEN + DNS_NAME_MAX + 4 + DNS_OPT_LEN)
size_t dns_sent_encode(const struct dns_sent *sent, uint8_t ret_message[DNS_SENT_MAX]);
/* Letters get the case of these random bits. */
void dns_sent_mix_case(struct dns_sent *sent, const uint8_t random[DNS_NAME_MAX / 8 + 1]);

enum dns_verdict {
	DNS_VERDICT_GOOD,
	DNS_VERDICT_TRUNCATED, /* ask again by TCP */
	DNS_VERDICT_NO_EDNS,   /* FORMERR, NOTIMP, BADVERS: it may be the OPT */
	DNS_VERDICT_FAILED,    /* SERVFAIL, REFUSED, another rcode, or a referral: this upstream has no answer */
	/* From here on: not the reply to this question. It is dropped, and waiting goes on. */
	DNS_VERDICT_WRONG_ID,
	DNS_VERDICT_NOT_REPLY, /* QR or opcode */
	DNS_VERDICT_WRONG_QUESTION,
	DNS_VERDICT_WRONG_CASE,
	DNS_VERDICT_MALFORMED,
	DNS_VERDICT_UNSOUND,   /* well-formed, but its answers do not belong to the question */
};
#define DNS_VERDICT_COUNT 10
static inline bool dns_verdict_drops(enum dns_verdict v)
{
	return v >= DNS_VERDICT_WRONG_ID;
}

struct dns_reply_in {
	const uint8_t *bytes; /* borrowed */
	uint16_t flags, rcode;
	uint16_t n_answers, n_authorities;
	size_t answers_at, answers_end, authorities_end;
	uint16_t ttl_at[DNS_REPLY_RECORDS_MAX]; /* of answers, then of authorities */
	bool positive;     /* NOERROR with a record of the wanted type */
	uint32_t lifetime; /* seconds it may be kept: least TTL of the answers, or by SOA (RFC 2308); 0 = not at all */
};

#define DNS_TTL_MAX 86400
#define DNS_TTL_NEGATIVE_MAX 900

/* *ret_in is filled if GOOD. */
enum dns_verdict dns_reply_in_judge(const struct dns_sent *sent, const uint8_t *bytes, size_t len, struct dns_reply_in *ret_in);
