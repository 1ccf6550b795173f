/* wire - queries from bytes, and the frame of a reply (RFC 1035, 6891, 9619). No allocation, no state.
 *
 * dns_query_parse is the door for outside bytes: what it lets through has one question, a well-formed uncompressed name and at
 * most one OPT. Numbers are in host order. */
#pragma once
#include "lib/base/buf.h"

#define DNS_HEADER_LEN 12
#define DNS_NAME_MAX 255        /* octets of a name on the wire, with the root label */
#define DNS_OPT_LEN 11          /* without options; what we may add to it is sent only where there is room left */
#define DNS_UDP_PLAIN 512       /* what a reply may hold if the query has no OPT */
#define DNS_UDP_MAX 1232        /* what we advertise and never exceed: fits every IPv6 path unfragmented (RFC 9715) */
#define DNS_MESSAGE_MAX 65535
#define DNS_TTL 5

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_HINFO = 13,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_IXFR = 251,
	DNS_TYPE_AXFR = 252,
	DNS_TYPE_ANY = 255,
};

enum dns_class { DNS_CLASS_IN = 1 };

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16, /* needs an OPT to be expressed */
};

enum dns_option {
	DNS_OPTION_COOKIE = 10,    /* RFC 7873 */
	DNS_OPTION_KEEPALIVE = 11, /* RFC 7828 */
	DNS_OPTION_ERROR = 15,     /* RFC 8914 */
};

enum dns_flag {
	DNS_FLAG_RESPONSE = 0x8000,
	DNS_FLAG_AUTHORITATIVE = 0x0400,
	DNS_FLAG_TRUNCATED = 0x0200,
	DNS_FLAG_RECURSION_DESIRED = 0x0100,
	DNS_FLAG_RECURSION_AVAILABLE = 0x0080,
	DNS_FLAG_CHECKING_DISABLED = 0x0010,
	DNS_OPCODE_MASK = 0x7800,
};

struct dns_query {
	uint16_t id, flags; /* flags as received */
	const uint8_t *name; /* the question's name as received, borrowed from the message; NULL = answer with the header alone */
	size_t name_len;     /* with the root label */
	uint8_t key[DNS_NAME_MAX]; /* the same octets with A-Z made lower case */
	uint16_t type, class;
	bool has_opt, dnssec_ok;
	bool wants_keepalive; /* asks how long an idle connection is kept */
	uint8_t opt_version;
	uint16_t udp_size; /* what the asker takes by UDP, 512 or more */
};

enum { DNS_QUERY_DROP = 1, DNS_QUERY_BAD = 2 };
/* 0; DNS_QUERY_DROP: no reply may be sent (short, or itself a reply: loops); DNS_QUERY_BAD: answer *ret_rcode (NOTIMP, FORMERR,
 * BADVERS). *ret_query is filled as far as it is known in all cases but DROP. */
int dns_query_parse(const uint8_t *message, size_t len, struct dns_query *ret_query, uint16_t *ret_rcode) MUST_CHECK;

/* Why an answer is what it is, for who asked with EDNS: an extended error (RFC 8914). Never changes what the answer means. */
struct dns_hint {
	uint16_t code;
	const char *text;
};
enum dns_hint_code {
	DNS_HINT_OTHER = 0,
	DNS_HINT_STALE = 3,
	DNS_HINT_NOT_READY = 14,
	DNS_HINT_PROHIBITED = 18,
	DNS_HINT_NOT_SUPPORTED = 21,
};

/* A reply under construction. Records are added whole; what does not fit sets `truncated`, and then dns_reply_end sends none. */
struct dns_reply {
	const struct dns_query *query;
	uint8_t *message;
	size_t len, limit, size; /* limit leaves room for the OPT */
	uint16_t rcode;
	uint16_t answers, authorities;
	bool authoritative, truncated;
	bool partial; /* TC though the records stay: there are more than any message can hold */
	const struct dns_hint *hint; /* NULL = none */
	uint16_t keepalive;          /* in 100 ms: told to who asks; 0 = not a connection */
};

/* The size a reply to this query may have by UDP. */
size_t dns_query_udp_limit(const struct dns_query *query);
/* Copies the question. size >= DNS_UDP_PLAIN. */
void dns_reply_begin(struct dns_reply *r, const struct dns_query *query, uint8_t *message, size_t size);
/* Room for n more bytes of whole records in the answer section; NULL = does not fit. */
uint8_t *dns_reply_answer(struct dns_reply *r, size_t n, uint16_t n_records);
uint8_t *dns_reply_authority(struct dns_reply *r, size_t n);
size_t dns_reply_left(const struct dns_reply *r);
/* Writes header and OPT; the length of the message. */
size_t dns_reply_end(struct dns_reply *r);

/* A whole record of the question's name in the answer section. */
void dns_reply_record(struct dns_reply *r, uint16_t type, uint32_t ttl, const void *rdata, size_t rdata_len);

/* The head of a record whose owner is a pointer to `owner_at` (12 = the question's name): 12 bytes, then rdata. */
#define DNS_RECORD_HEAD_LEN 12
void dns_record_head(uint8_t *p, uint16_t owner_at, uint16_t type, uint16_t rdata_len);

/* "a.b.c" -> wire form with the root label, lower case. The length, 0 if it is no name (labels 1-63, 255 in all). */
size_t dns_name_from_text(const char *text, uint8_t ret_wire[DNS_NAME_MAX]);
