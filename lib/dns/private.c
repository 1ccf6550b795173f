/* private - see private.h. One table; the zones are empty but for localhost. */
#include "lib/dns/private.h"

#include <string.h>

enum kind {
	EMPTY,     /* the apex exists, nothing below it does */
	GONE,      /* not even the apex exists */
	NODATA,    /* every name exists and has nothing */
	LOCALHOST, /* every name is this machine, that is: the asker's own */
};

struct zone {
	const char *apex;
	enum kind kind;
	uint8_t low, high; /* if high is not 0: the zones are <low>..<high>.apex */
};

static const struct zone zones[] = {
	{ "localhost", LOCALHOST, 0, 0 },
	{ "invalid", GONE, 0, 0 },
	{ "test", GONE, 0, 0 },
	{ "onion", GONE, 0, 0 },
	{ "local", GONE, 0, 0 },
	{ "alt", GONE, 0, 0 },
	{ "use-application-dns.net", GONE, 0, 0 }, /* "no": browsers then keep to the resolver they were given */
	{ "resolver.arpa", NODATA, 0, 0 },         /* "there is no designated resolver" */
	{ "home.arpa", EMPTY, 0, 0 },
	{ "10.in-addr.arpa", EMPTY, 0, 0 },
	{ "172.in-addr.arpa", EMPTY, 16, 31 },
	{ "168.192.in-addr.arpa", EMPTY, 0, 0 },
	{ "100.in-addr.arpa", EMPTY, 64, 127 },
	{ "0.in-addr.arpa", EMPTY, 0, 0 },
	{ "127.in-addr.arpa", EMPTY, 0, 0 },
	{ "254.169.in-addr.arpa", EMPTY, 0, 0 },
	{ "2.0.192.in-addr.arpa", EMPTY, 0, 0 },
	{ "100.51.198.in-addr.arpa", EMPTY, 0, 0 },
	{ "113.0.203.in-addr.arpa", EMPTY, 0, 0 },
	{ "255.255.255.255.in-addr.arpa", EMPTY, 0, 0 },
	{ "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", EMPTY, 0, 0 },
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", EMPTY, 0, 0 },
	{ "c.f.ip6.arpa", EMPTY, 0, 0 },
	{ "d.f.ip6.arpa", EMPTY, 0, 0 }, /* a.a.d.f is a tree of ours and never comes here */
	{ "8.e.f.ip6.arpa", EMPTY, 0, 0 },
	{ "9.e.f.ip6.arpa", EMPTY, 0, 0 },
	{ "a.e.f.ip6.arpa", EMPTY, 0, 0 },
	{ "b.e.f.ip6.arpa", EMPTY, 0, 0 },
	{ "8.b.d.0.1.0.0.2.ip6.arpa", EMPTY, 0, 0 },
};

/* The rest of a wire name against the text of a whole name. */
static bool is_name(const uint8_t *key, const char *text)
{
	for (;;) {
		size_t label = strcspn(text, ".");

		if (*key != label || memcmp(key + 1, text, label))
			return false;
		if (!label)
			return true;
		key += 1 + label;
		text += label;
		if (*text == '.')
			text++;
	}
}

/* A label that is a decimal number without leading zeros; -1 if not. */
static int label_number(const uint8_t *label)
{
	int n = 0;

	if (label[0] < 1 || label[0] > 3 || (label[0] > 1 && label[1] == '0'))
		return -1;
	for (size_t i = 1; i <= label[0]; i++) {
		if (label[i] < '0' || label[i] > '9')
			return -1;
		n = n * 10 + label[i] - '0';
	}
	return n;
}

static const struct zone *find_zone(const uint8_t *key, size_t key_len, size_t *ret_at)
{
	for (size_t at = 0, before = 0; at < key_len && key[at]; before = at, at += 1u + key[at])
		for (const struct zone *z = zones; z < zones + ARRAY_LEN(zones); z++) {
			if (!is_name(key + at, z->apex))
				continue;
			if (!z->high) {
				*ret_at = at;
				return z;
			}
			int number = at ? label_number(key + before) : -1;

			if (number < z->low || number > z->high)
				return NULL;
			*ret_at = before;
			return z;
		}
	return NULL;
}

int dns_private_find(const uint8_t *key, size_t key_len)
{
	size_t at = 0;

	return find_zone(key, key_len, &at) ? (int)at : -1;
}

/* RFC 6303 3: the zone's own name as server, nobody to write to. */
#define SOA_MAILBOX "\6nobody\7invalid"
#define SOA_LEN (2 + sizeof SOA_MAILBOX + 20)

static void put_soa(uint8_t *p, size_t apex_at)
{
	static const uint32_t numbers[] = { 1, 3600, 1200, 604800, DNS_TTL };

	dns_record_head(p, (uint16_t)apex_at, DNS_TYPE_SOA, SOA_LEN);
	p += DNS_RECORD_HEAD_LEN;
	put_u16(p, (uint16_t)(0xc000 | apex_at));
	memcpy(p + 2, SOA_MAILBOX, sizeof SOA_MAILBOX);
	p += 2 + sizeof SOA_MAILBOX;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		put_u32(p + 4 * i, numbers[i]);
}

static void negative(struct dns_reply *r, size_t at)
{
	uint8_t *p = dns_reply_authority(r, DNS_RECORD_HEAD_LEN + SOA_LEN);

	if (p)
		put_soa(p, DNS_HEADER_LEN + at);
}

static void put_address(struct dns_reply *r, uint16_t type, const void *address, uint16_t len)
{
	uint8_t *p = dns_reply_answer(r, DNS_RECORD_HEAD_LEN + len, 1);

	if (!p)
		return;
	dns_record_head(p, DNS_HEADER_LEN, type, len);
	memcpy(p + DNS_RECORD_HEAD_LEN, address, len);
}

static void answer_localhost(struct dns_reply *r, size_t at)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 }, v6[16] = { [15] = 1 };
	uint16_t type = r->query->type;

	if (type == DNS_TYPE_A)
		put_address(r, DNS_TYPE_A, v4, sizeof v4);
	else if (type == DNS_TYPE_AAAA || type == DNS_TYPE_ANY)
		put_address(r, DNS_TYPE_AAAA, v6, sizeof v6);
	else
		negative(r, at);
}

bool dns_private_answer(struct dns_reply *r)
{
	const struct dns_query *q = r->query;
	size_t at = 0;
	const struct zone *z = find_zone(q->key, q->name_len, &at);

	if (!z)
		return false;
	r->authoritative = true;
	if (z->kind == LOCALHOST) {
		answer_localhost(r, at);
	} else if (z->kind == EMPTY && at == 0 && q->type == DNS_TYPE_SOA) {
		uint8_t *p = dns_reply_answer(r, DNS_RECORD_HEAD_LEN + SOA_LEN, 1);

		if (p)
			put_soa(p, DNS_HEADER_LEN);
	} else {
		if (z->kind == GONE || (z->kind == EMPTY && at > 0))
			r->rcode = DNS_NXDOMAIN;
		negative(r, at);
	}
	return true;
}
