/* reply_in - see reply_in.h. First the cheap checks that a flood of guesses fails, then the walk over all records, and last what
 * the records say together. */
#include "lib/dns/reply_in.h"

#include <string.h>

#define CHAIN_MAX 16 /* aliases from the question to the last name; resolvers give up earlier */
#define OPT_DO 0x8000

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool is_letter(uint8_t c)
{
	c |= 32;
	return c >= 'a' && c <= 'z';
}

/* ---- the question ---- */

void dns_sent_mix_case(struct dns_sent *sent, const uint8_t random[DNS_NAME_MAX / 8 + 1])
{
	for (size_t at = 0; at < sent->name_len && sent->name[at]; at += 1u + sent->name[at])
		for (size_t i = at + 1; i <= at + sent->name[at]; i++)
			if (is_letter(sent->name[i]) && random[i / 8] >> i % 8 & 1)
				sent->name[i] ^= 32;
}

size_t dns_sent_encode(const struct dns_sent *sent, uint8_t ret_message[DNS_SENT_MAX])
{
	uint8_t *p = ret_message;

	memset(p, 0, DNS_HEADER_LEN);
	put_u16(p, sent->id);
	put_u16(p + 2, DNS_FLAG_RECURSION_DESIRED | (sent->checking_disabled ? DNS_FLAG_CHECKING_DISABLED : 0));
	p[5] = 1;
	p[11] = sent->edns;
	p += DNS_HEADER_LEN;
	memcpy(p, sent->name, sent->name_len);
	p += sent->name_len;
	put_u16(p, sent->type);
	put_u16(p + 2, sent->class);
	p += 4;
	if (sent->edns) {
		memset(p, 0, DNS_OPT_LEN);
		put_u16(p + 1, DNS_TYPE_OPT);
		put_u16(p + 3, DNS_UDP_MAX);
		put_u16(p + 7, sent->dnssec_ok ? OPT_DO : 0);
		p += DNS_OPT_LEN;
	}
	return (size_t)(p - ret_message);
}

/* The question section against what was sent. */
static enum dns_verdict judge_question(const struct dns_sent *sent, struct cursor *c)
{
	const uint8_t *name = cursor_take(c, sent->name_len);
	uint16_t type = cursor_u16(c), class = cursor_u16(c);
	bool same_case = true;

	if (c->bad || type != sent->type || class != sent->class)
		return DNS_VERDICT_WRONG_QUESTION;
	/* A length octet is below 64, so that lowering it changes nothing. */
	for (size_t i = 0; i < sent->name_len; i++) {
		if (lower(name[i]) != lower(sent->name[i]))
			return DNS_VERDICT_WRONG_QUESTION;
		same_case &= name[i] == sent->name[i];
	}
	return same_case || sent->any_case ? DNS_VERDICT_GOOD : DNS_VERDICT_WRONG_CASE;
}

/* ---- records ---- */

struct name {
	uint8_t text[DNS_NAME_MAX]; /* wire form, lower case, no pointers */
	size_t len;
};

/* The name at *at, expanded; *at moves behind it. Every jump goes to before the place where the last one landed, so it ends. */
static bool expand(const uint8_t *bytes, size_t len, size_t *at, struct name *ret)
{
	size_t i = *at, before = *at;
	bool jumped = false;

	ret->len = 0;
	for (;;) {
		if (i >= len)
			return false;
		uint8_t label = bytes[i];

		if (label >= 0xc0) {
			size_t target;

			if (i + 1 >= len)
				return false;
			target = (size_t)(label & 0x3f) << 8 | bytes[i + 1];
			if (!jumped)
				*at = i + 2;
			jumped = true;
			if (target >= before || target < DNS_HEADER_LEN)
				return false;
			i = before = target;
			continue;
		}
		if (label > 63 || i + 1 + label > len || ret->len + 1 + label > DNS_NAME_MAX)
			return false;
		ret->text[ret->len++] = label;
		for (size_t k = 1; k <= label; k++)
			ret->text[ret->len++] = lower(bytes[i + k]);
		i += 1u + label;
		if (!label)
			break;
	}
	if (!jumped)
		*at = i;
	return true;
}

struct record {
	struct name owner;
	uint16_t type, class;
	uint32_t ttl;
	size_t ttl_at, rdata_at, rdata_len;
};

static bool read_record(const uint8_t *bytes, size_t len, size_t *at, struct record *ret)
{
	struct cursor c;

	if (!expand(bytes, len, at, &ret->owner))
		return false;
	c = cursor_over(bytes + *at, len - *at);
	ret->type = cursor_u16(&c);
	ret->class = cursor_u16(&c);
	ret->ttl_at = *at + 4;
	ret->ttl = cursor_u32(&c);
	ret->rdata_len = cursor_u16(&c);
	ret->rdata_at = *at + 10;
	if (c.bad || !cursor_take(&c, ret->rdata_len))
		return false;
	*at = ret->rdata_at + ret->rdata_len;
	if (ret->ttl & 0x80000000u)
		ret->ttl = 0; /* RFC 2181 8 */
	return true;
}

/* n names one after the other in the rdata, after `skip` octets and before at least `rest`: pointers there are followed by the
 * asker too, so they must be sound. */
static bool names_sound(const uint8_t *bytes, const struct record *r, size_t skip, size_t n, size_t rest)
{
	size_t at = r->rdata_at + skip, end = r->rdata_at + r->rdata_len;
	struct name name;

	for (size_t i = 0; i < n; i++)
		if (at >= end || !expand(bytes, end, &at, &name))
			return false;
	return at + rest == end;
}

static bool rdata_sound(const uint8_t *bytes, const struct record *r)
{
	switch (r->type) {
	case DNS_TYPE_A:
		return r->rdata_len == 4;
	case DNS_TYPE_AAAA:
		return r->rdata_len == 16;
	case DNS_TYPE_NS:
	case DNS_TYPE_CNAME:
	case DNS_TYPE_PTR:
	case DNS_TYPE_DNAME:
		return names_sound(bytes, r, 0, 1, 0);
	case 15: /* MX */
		return names_sound(bytes, r, 2, 1, 0);
	case 33: /* SRV */
		return names_sound(bytes, r, 6, 1, 0);
	case DNS_TYPE_SOA:
		return names_sound(bytes, r, 0, 2, 20);
	case 14: /* MINFO */
	case 17: /* RP */
		return names_sound(bytes, r, 0, 2, 0);
	case 18: /* AFDB */
	case 21: /* RT */
	case 36: /* KX */
		return names_sound(bytes, r, 2, 1, 0);
	default:
		return r->type != DNS_TYPE_OPT; /* only in the additional section */
	}
}

/* Walks n records, which must be sound; notes where their TTLs are. */
static bool read_section(const uint8_t *bytes, size_t len, size_t *at, uint16_t n, uint16_t *ttl_at)
{
	struct record r;

	for (uint16_t i = 0; i < n; i++) {
		if (!read_record(bytes, len, at, &r) || r.ttl_at > UINT16_MAX || !rdata_sound(bytes, &r))
			return false;
		ttl_at[i] = (uint16_t)r.ttl_at;
	}
	return true;
}

/* The additional section is not kept; from it we want the upper bits of the rcode, and that there is no second OPT. */
static bool read_additional(const uint8_t *bytes, size_t len, size_t at, uint16_t n, uint16_t *rcode)
{
	bool has_opt = false;
	struct record r;

	for (uint16_t i = 0; i < n; i++) {
		if (!read_record(bytes, len, &at, &r))
			return false;
		if (r.type != DNS_TYPE_OPT)
			continue;
		if (has_opt || r.owner.len != 1)
			return false;
		has_opt = true;
		*rcode |= (uint16_t)(bytes[r.ttl_at] << 4);
	}
	return true;
}

/* ---- what the records say together ---- */

struct chain {
	struct name names[CHAIN_MAX];
	size_t n;
};

static bool chain_has(const struct chain *chain, const struct name *name)
{
	for (size_t i = 0; i < chain->n; i++)
		if (chain->names[i].len == name->len && !memcmp(chain->names[i].text, name->text, name->len))
			return true;
	return false;
}

static bool is_below(const struct name *name, const struct name *apex)
{
	for (size_t at = 0; at < name->len; at += 1u + name->text[at])
		if (name->len - at == apex->len && !memcmp(name->text + at, apex->text, apex->len))
			return true;
	return false;
}

static bool any_below(const struct chain *chain, const struct name *apex)
{
	for (size_t i = 0; i < chain->n; i++)
		if (is_below(&chain->names[i], apex))
			return true;
	return false;
}

/* One walk over the answers: targets of aliases join the chain. False if it grew too long. */
static bool chain_grow(const struct dns_reply_in *in, size_t len, struct chain *chain, bool *grew)
{
	size_t at = in->answers_at;
	struct name target;
	struct record r;

	*grew = false;
	for (uint16_t i = 0; i < in->n_answers; i++) {
		if (!read_record(in->bytes, len, &at, &r))
			return false;
		size_t rdata_at = r.rdata_at;

		if (r.type != DNS_TYPE_CNAME || !chain_has(chain, &r.owner) || !expand(in->bytes, len, &rdata_at, &target) ||
		    chain_has(chain, &target))
			continue;
		if (chain->n == CHAIN_MAX)
			return false;
		chain->names[chain->n++] = target;
		*grew = true;
	}
	return true;
}

/* Does every answer belong? Also finds the lifetime by the answers, and whether there is one of the wanted type. */
static bool answers_belong(const struct dns_sent *sent, const struct chain *chain, size_t len, struct dns_reply_in *in)
{
	bool any_type = sent->type == DNS_TYPE_ANY;
	size_t at = in->answers_at;
	struct record r;

	in->lifetime = DNS_TTL_MAX;
	in->positive = false;
	for (uint16_t i = 0; i < in->n_answers; i++) {
		if (!read_record(in->bytes, len, &at, &r) || r.class != sent->class)
			return false;
		if (r.ttl < in->lifetime)
			in->lifetime = r.ttl;
		bool wanted = any_type || r.type == sent->type;

		if (!wanted && r.type != DNS_TYPE_CNAME && r.type != DNS_TYPE_DNAME && r.type != DNS_TYPE_RRSIG)
			return false;
		if (chain_has(chain, &r.owner))
			in->positive |= wanted;
		else if ((r.type != DNS_TYPE_DNAME && r.type != DNS_TYPE_RRSIG) || !any_below(chain, &r.owner))
			return false;
	}
	return true;
}

/* RFC 2308: how long a negative answer may be kept; 0 without the SOA of a zone that the last name is in. */
static uint32_t negative_lifetime(const struct dns_reply_in *in, size_t len, const struct chain *chain, bool *ret_has_ns)
{
	size_t at = in->answers_end;
	uint32_t lifetime = 0;
	struct record r;

	*ret_has_ns = false;
	for (uint16_t i = 0; i < in->n_authorities && read_record(in->bytes, len, &at, &r); i++) {
		*ret_has_ns |= r.type == DNS_TYPE_NS;
		if (r.type != DNS_TYPE_SOA || !is_below(&chain->names[chain->n - 1], &r.owner))
			continue;
		lifetime = get_u32(in->bytes + r.rdata_at + r.rdata_len - 4);
		if (lifetime & 0x80000000u || r.ttl < lifetime)
			lifetime = r.ttl;
		if (lifetime > DNS_TTL_NEGATIVE_MAX)
			lifetime = DNS_TTL_NEGATIVE_MAX;
	}
	return lifetime;
}

static enum dns_verdict judge_content(const struct dns_sent *sent, size_t len, struct dns_reply_in *in)
{
	struct chain chain = { .n = 1 };
	uint32_t negative;
	bool grew = true, has_ns;

	chain.names[0].len = sent->name_len;
	for (size_t i = 0; i < sent->name_len; i++)
		chain.names[0].text[i] = lower(sent->name[i]);
	while (grew && sent->type != DNS_TYPE_CNAME && sent->type != DNS_TYPE_ANY)
		if (!chain_grow(in, len, &chain, &grew))
			return DNS_VERDICT_UNSOUND;
	if (!answers_belong(sent, &chain, len, in))
		return DNS_VERDICT_UNSOUND;
	if (in->rcode != DNS_NOERROR && in->rcode != DNS_NXDOMAIN)
		return DNS_VERDICT_FAILED;
	if (in->positive)
		return in->rcode == DNS_NOERROR ? DNS_VERDICT_GOOD : DNS_VERDICT_UNSOUND;
	negative = negative_lifetime(in, len, &chain, &has_ns);
	if (negative < in->lifetime)
		in->lifetime = negative;
	/* A pointer to other servers: it does not do recursion for us, and its "nothing" says nothing. */
	if (in->rcode == DNS_NOERROR && !in->n_answers && !in->lifetime && (has_ns || !(in->flags & DNS_FLAG_RECURSION_AVAILABLE)))
		return DNS_VERDICT_FAILED;
	return DNS_VERDICT_GOOD;
}

enum dns_verdict dns_reply_in_judge(const struct dns_sent *sent, const uint8_t *bytes, size_t len, struct dns_reply_in *ret_in)
{
	struct dns_reply_in *in = ret_in;
	struct cursor c = cursor_over(bytes, len);
	uint16_t id = cursor_u16(&c), n_questions, n_additional;
	enum dns_verdict verdict;
	size_t at;

	if (len < DNS_HEADER_LEN)
		return DNS_VERDICT_MALFORMED;
	if (id != sent->id)
		return DNS_VERDICT_WRONG_ID;
	in->bytes = bytes;
	in->flags = cursor_u16(&c);
	in->rcode = in->flags & 15;
	if (!(in->flags & DNS_FLAG_RESPONSE) || in->flags & DNS_OPCODE_MASK)
		return DNS_VERDICT_NOT_REPLY;
	n_questions = cursor_u16(&c);
	in->n_answers = cursor_u16(&c);
	in->n_authorities = cursor_u16(&c);
	n_additional = cursor_u16(&c);
	/* Servers that cannot read an OPT often cannot repeat the question either. All that comes of this is a second try. */
	if (!n_questions && (in->rcode == DNS_FORMERR || in->rcode == DNS_NOTIMP))
		return DNS_VERDICT_NO_EDNS;
	if (n_questions != 1)
		return DNS_VERDICT_WRONG_QUESTION;
	verdict = judge_question(sent, &c);
	if (verdict != DNS_VERDICT_GOOD)
		return verdict;
	if (in->flags & DNS_FLAG_TRUNCATED)
		return DNS_VERDICT_TRUNCATED; /* the rest may end anywhere */
	if ((uint32_t)in->n_answers + in->n_authorities > DNS_REPLY_RECORDS_MAX)
		return DNS_VERDICT_MALFORMED;
	at = in->answers_at = (size_t)(c.p - bytes);
	if (!read_section(bytes, len, &at, in->n_answers, in->ttl_at))
		return DNS_VERDICT_MALFORMED;
	in->answers_end = at;
	if (!read_section(bytes, len, &at, in->n_authorities, in->ttl_at + in->n_answers))
		return DNS_VERDICT_MALFORMED;
	in->authorities_end = at;
	if (!read_additional(bytes, len, at, n_additional, &in->rcode))
		return DNS_VERDICT_MALFORMED;
	if (in->rcode == DNS_FORMERR || in->rcode == DNS_NOTIMP || in->rcode == DNS_BADVERS)
		return DNS_VERDICT_NO_EDNS;
	return judge_content(sent, len, in);
}
