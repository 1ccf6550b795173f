/* wire - see wire.h. One cursor walks the message; names are copied out once, in lower case, and never followed through
 * pointers: a question has nothing before it that a pointer could name. */
#include "lib/dns/wire.h"

#include <string.h>

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* The question's name: plain labels only. */
static bool parse_question_name(struct cursor *c, struct dns_query *q)
{
	const uint8_t *start = c->p;
	size_t len = 0;

	for (;;) {
		uint8_t label = cursor_u8(c);

		if (c->bad || label > 63 || len + 1 + label > DNS_NAME_MAX)
			return false;
		q->key[len++] = label;
		if (!label)
			break;
		const uint8_t *text = cursor_take(c, label);

		if (!text)
			return false;
		for (size_t i = 0; i < label; i++)
			q->key[len++] = lower(text[i]);
	}
	q->name = start;
	q->name_len = len;
	return true;
}

/* An owner name further down, where pointers are allowed; we only need its end. */
static bool skip_name(struct cursor *c)
{
	size_t len = 0;

	for (;;) {
		uint8_t label = cursor_u8(c);

		if (c->bad)
			return false;
		if (!label)
			return true;
		if (label >= 0xc0)
			return cursor_take(c, 1) != NULL;
		len += 1u + label;
		if (label > 63 || len >= DNS_NAME_MAX || !cursor_take(c, label))
			return false;
	}
}

/* A client's cookie alone, or with a server's (RFC 7873 4). We hand out none: our askers' addresses cannot be forged. */
static bool cookie_len_valid(uint16_t len)
{
	return len == 8 || (len >= 16 && len <= 40);
}

/* False: malformed. Options that we do not know mean nothing. */
static bool parse_options(const uint8_t *data, size_t len, struct dns_query *q)
{
	struct cursor c = cursor_over(data, len);

	while (cursor_left(&c)) {
		uint16_t code = cursor_u16(&c), option_len = cursor_u16(&c);

		if (!cursor_take(&c, option_len) || c.bad)
			return false;
		if (code == DNS_OPTION_COOKIE && !cookie_len_valid(option_len))
			return false;
		q->wants_keepalive |= code == DNS_OPTION_KEEPALIVE;
	}
	return true;
}

/* One record after the question; the only one that means anything to us is OPT, in the additional section. */
static bool parse_record(struct cursor *c, bool additional, struct dns_query *q)
{
	bool root_owner = cursor_left(c) && *c->p == 0;

	if (!skip_name(c))
		return false;
	uint16_t type = cursor_u16(c), class = cursor_u16(c);
	uint32_t ttl = cursor_u32(c);
	uint16_t len = cursor_u16(c);
	const uint8_t *rdata = cursor_take(c, len);

	if (c->bad || !rdata)
		return false;
	if (type != DNS_TYPE_OPT)
		return true;
	if (!additional || !root_owner || q->has_opt)
		return false;
	q->has_opt = true;
	q->udp_size = class < DNS_UDP_PLAIN ? DNS_UDP_PLAIN : class;
	q->opt_version = (uint8_t)(ttl >> 16);
	q->dnssec_ok = ttl & 0x8000;
	return parse_options(rdata, len, q);
}

static bool parse_records(struct cursor *c, uint32_t n_before, uint32_t n_additional, struct dns_query *q)
{
	for (uint32_t i = 0; i < n_before; i++)
		if (!parse_record(c, false, q))
			return false;
	for (uint32_t i = 0; i < n_additional; i++)
		if (!parse_record(c, true, q))
			return false;
	return true;
}

static int bad(struct dns_query *q, uint16_t rcode, uint16_t *ret_rcode)
{
	if (rcode != DNS_BADVERS)
		q->name = NULL;
	*ret_rcode = rcode;
	return DNS_QUERY_BAD;
}

int dns_query_parse(const uint8_t *message, size_t len, struct dns_query *ret_query, uint16_t *ret_rcode)
{
	struct dns_query *q = ret_query;
	struct cursor c = cursor_over(message, len);

	if (len < DNS_HEADER_LEN || message[2] & 0x80)
		return DNS_QUERY_DROP;
	q->id = cursor_u16(&c);
	q->flags = cursor_u16(&c);
	q->name = NULL;
	q->name_len = 0;
	q->type = q->class = 0;
	q->has_opt = q->dnssec_ok = q->wants_keepalive = false;
	q->opt_version = 0;
	q->udp_size = DNS_UDP_PLAIN;
	if (q->flags & DNS_OPCODE_MASK)
		return bad(q, DNS_NOTIMP, ret_rcode);

	uint16_t n_questions = cursor_u16(&c), n_answers = cursor_u16(&c), n_authorities = cursor_u16(&c);
	uint16_t n_additional = cursor_u16(&c);

	/* RFC 9619: exactly one. QDCOUNT 0 is only for who wants a cookie, and we have none. */
	if (n_questions != 1 || !parse_question_name(&c, q))
		return bad(q, DNS_FORMERR, ret_rcode);
	q->type = cursor_u16(&c);
	q->class = cursor_u16(&c);
	/* Bytes behind the last record are ignored, as most servers do. */
	if (c.bad || !parse_records(&c, (uint32_t)n_answers + n_authorities, n_additional, q))
		return bad(q, DNS_FORMERR, ret_rcode);
	if (q->opt_version > 0)
		return bad(q, DNS_BADVERS, ret_rcode);
	return 0;
}

size_t dns_query_udp_limit(const struct dns_query *query)
{
	return query->udp_size < DNS_UDP_MAX ? query->udp_size : DNS_UDP_MAX;
}

void dns_reply_begin(struct dns_reply *r, const struct dns_query *query, uint8_t *message, size_t size)
{
	*r = (struct dns_reply){ .query = query, .message = message, .len = DNS_HEADER_LEN, .size = size };
	r->limit = size - (query->has_opt ? DNS_OPT_LEN : 0);
	if (!query->name)
		return;
	/* As received, letter by letter: askers mix case as a check against forgery. */
	memcpy(message + r->len, query->name, query->name_len);
	r->len += query->name_len;
	put_u16(message + r->len, query->type);
	put_u16(message + r->len + 2, query->class);
	r->len += 4;
}

size_t dns_reply_left(const struct dns_reply *r)
{
	return r->len < r->limit ? r->limit - r->len : 0;
}

static uint8_t *reply_room(struct dns_reply *r, size_t n)
{
	if (r->truncated || dns_reply_left(r) < n) {
		r->truncated = true;
		return NULL;
	}
	r->len += n;
	return r->message + r->len - n;
}

uint8_t *dns_reply_answer(struct dns_reply *r, size_t n, uint16_t n_records)
{
	uint8_t *p = reply_room(r, n);

	if (p)
		r->answers = (uint16_t)(r->answers + n_records);
	return p;
}

uint8_t *dns_reply_authority(struct dns_reply *r, size_t n)
{
	uint8_t *p = reply_room(r, n);

	if (p)
		r->authorities++;
	return p;
}

void dns_reply_record(struct dns_reply *r, uint16_t type, uint32_t ttl, const void *rdata, size_t rdata_len)
{
	uint8_t *p = dns_reply_answer(r, DNS_RECORD_HEAD_LEN + rdata_len, 1);

	if (!p)
		return;
	dns_record_head(p, DNS_HEADER_LEN, type, (uint16_t)rdata_len);
	put_u32(p + 6, ttl);
	memcpy(p + DNS_RECORD_HEAD_LEN, rdata, rdata_len);
}

/* An option behind the OPT that ends at r->len, if there is room. The OPT's own length is at len_at. */
static uint8_t *add_option(struct dns_reply *r, size_t len_at, uint16_t code, size_t n)
{
	uint8_t *p = r->message + r->len;

	if (r->len + 4 + n > r->size)
		return NULL;
	put_u16(p, code);
	put_u16(p + 2, (uint16_t)n);
	put_u16(r->message + len_at, (uint16_t)(get_u16(r->message + len_at) + 4 + n));
	r->len += 4 + n;
	return p + 4;
}

static void add_options(struct dns_reply *r)
{
	size_t len_at = r->len - 2;
	uint8_t *p;

	if (r->keepalive && r->query->wants_keepalive && (p = add_option(r, len_at, DNS_OPTION_KEEPALIVE, 2)))
		put_u16(p, r->keepalive);
	if (r->hint && (p = add_option(r, len_at, DNS_OPTION_ERROR, 2 + strlen(r->hint->text)))) {
		put_u16(p, r->hint->code);
		memcpy(p + 2, r->hint->text, strlen(r->hint->text));
	}
}

static void add_opt(struct dns_reply *r)
{
	uint8_t *p = r->message + r->len;

	p[0] = 0;
	put_u16(p + 1, DNS_TYPE_OPT);
	put_u16(p + 3, DNS_UDP_MAX);
	p[5] = (uint8_t)(r->rcode >> 4);
	p[6] = 0;
	put_u16(p + 7, r->query->dnssec_ok ? 0x8000 : 0);
	put_u16(p + 9, 0);
	r->len += DNS_OPT_LEN;
	add_options(r);
}

size_t dns_reply_end(struct dns_reply *r)
{
	const struct dns_query *q = r->query;
	uint16_t flags = DNS_FLAG_RESPONSE | DNS_FLAG_RECURSION_AVAILABLE | (r->rcode & 15);

	if (r->truncated) {
		r->len = DNS_HEADER_LEN + (q->name ? q->name_len + 4 : 0);
		r->answers = r->authorities = 0;
	}
	/* Z and AD are never echoed; CD is, since RFC 4035 3.2.2 wants it. */
	flags |= q->flags & (DNS_OPCODE_MASK | DNS_FLAG_RECURSION_DESIRED | DNS_FLAG_CHECKING_DISABLED);
	if (r->authoritative)
		flags |= DNS_FLAG_AUTHORITATIVE;
	if (r->truncated || r->partial)
		flags |= DNS_FLAG_TRUNCATED;
	put_u16(r->message, q->id);
	put_u16(r->message + 2, flags);
	put_u16(r->message + 4, q->name != NULL);
	put_u16(r->message + 6, r->answers);
	put_u16(r->message + 8, r->authorities);
	put_u16(r->message + 10, q->has_opt);
	if (q->has_opt)
		add_opt(r);
	return r->len;
}

void dns_record_head(uint8_t *p, uint16_t owner_at, uint16_t type, uint16_t rdata_len)
{
	put_u16(p, (uint16_t)(0xc000 | owner_at));
	put_u16(p + 2, type);
	put_u16(p + 4, DNS_CLASS_IN);
	put_u32(p + 6, DNS_TTL);
	put_u16(p + 10, rdata_len);
}

size_t dns_name_from_text(const char *text, uint8_t ret_wire[DNS_NAME_MAX])
{
	size_t len = 0;

	while (*text) {
		size_t label = strcspn(text, ".");

		if (!label || label > 63 || len + 1 + label + 1 > DNS_NAME_MAX)
			return 0;
		ret_wire[len++] = (uint8_t)label;
		for (size_t i = 0; i < label; i++)
			ret_wire[len++] = lower((uint8_t)text[i]);
		text += label;
		if (*text == '.')
			text++;
	}
	ret_wire[len++] = 0;
	return len;
}
