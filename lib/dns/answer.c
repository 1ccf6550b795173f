/* answer - see answer.h. The order of the questions asked here is the policy: may anybody be answered at all, who asks, is the
 * question of a kind we do, whose tree is the name in, is there a zone. */
#include "lib/dns/answer.h"

#include "lib/dns/private.h"

#include <string.h>

const char *dns_note_name(enum dns_note note)
{
	static const char *const names[] = {
		[DNS_NOTE_NONE] = "none",
		[DNS_NOTE_MALFORMED] = "malformed",
		[DNS_NOTE_STRANGER] = "stranger",
		[DNS_NOTE_WRONG_RESOLVER] = "wrong_resolver",
		[DNS_NOTE_UNSYNCED] = "unsynced",
		[DNS_NOTE_NO_ZONE] = "no_zone",
		[DNS_NOTE_FORWARD] = "forward",
		[DNS_NOTE_TRUNCATED] = "truncated",
		[DNS_NOTE_PRIVATE] = "private",
		[DNS_NOTE_NO_RECURSION] = "no_recursion",
	};

	return names[note];
}

bool dns_resolver_serves(const struct in6_addr *local, const struct in6_addr *source)
{
	struct in6_addr everybodys = addr_resolver(), own;
	struct addr_parts parts;

	if (!memcmp(local, &everybodys, sizeof everybodys))
		return true;
	if (addr_split(source, &parts) != 0)
		return false;
	own = addr_network_resolver(parts.network);
	return !memcmp(local, &own, sizeof own);
}

/* The network of who asks; false: it is nobody's. */
static bool find_network(const struct dns_asker *asker, uint32_t *ret_network)
{
	struct addr_parts source;

	if (addr_split(&asker->source, &source) != 0 || !addr_network_valid(source.network) || source.host >> 28 != 0xA)
		return false;
	*ret_network = source.network;
	return true;
}

/* The rcode for kinds of questions that we never do, whatever the name; NOERROR = go on. */
static uint16_t judge_kind(const struct dns_query *q)
{
	if (q->class != DNS_CLASS_IN)
		return DNS_REFUSED; /* CHAOS too: what runs here is nobody's business */
	if (q->type == DNS_TYPE_ANY)
		return DNS_NOERROR;
	if (q->type == DNS_TYPE_AXFR || q->type == DNS_TYPE_IXFR)
		return DNS_REFUSED;
	if (q->type == DNS_TYPE_OPT)
		return DNS_FORMERR;
	if (q->type == 0 || (q->type >= 128 && q->type <= 255))
		return DNS_NOTIMP; /* meta types (RFC 6895 3.1) */
	return DNS_NOERROR;
}

static const struct dns_hint hint_prohibited = { DNS_HINT_PROHIBITED, "answers are for members of this 6PN" },
			     hint_not_supported = { DNS_HINT_NOT_SUPPORTED, "not a kind of question for this server" },
			     hint_not_ready = { DNS_HINT_NOT_READY, "the names of this network have not arrived here yet" },
			     hint_stale = { DNS_HINT_STALE, "the controller is away; _sync.internal TXT says since when" };

/* Not below a tree of ours: private to everybody, or for the forwarder. Who does not want recursion gets nothing: what is in the
 * cache is nobody's business. */
static void answer_other(struct dns_reply *r, struct dns_outcome *outcome)
{
	if (dns_private_answer(r)) {
		outcome->note = DNS_NOTE_PRIVATE;
	} else if (!(r->query->flags & DNS_FLAG_RECURSION_DESIRED)) {
		outcome->note = DNS_NOTE_NO_RECURSION;
		r->rcode = DNS_REFUSED;
	} else {
		outcome->note = DNS_NOTE_FORWARD;
		r->rcode = DNS_SERVFAIL;
	}
}

/* A name in a tree of ours. What a server says of its own knowledge it also says when it has none. */
static void answer_own(const struct dns_views *views, uint32_t network, struct dns_reply *r, struct dns_outcome *outcome)
{
	const struct dns_query *q = r->query;
	const struct dns_zone *zone = dns_views_find(views, network);
	enum dns_own_name own = q->type == DNS_TYPE_TXT ? dns_own_name(q->key, q->name_len) : DNS_OWN_NONE;
	struct dns_freshness f = { 0 };

	if (own || q->has_opt)
		f = dns_views_freshness(views);
	if (!zone && own != DNS_OWN_SYNC) {
		outcome->note = dns_views_synced(views) ? DNS_NOTE_NO_ZONE : DNS_NOTE_UNSYNCED;
		r->rcode = DNS_SERVFAIL;
		r->hint = &hint_not_ready;
		return;
	}
	if (own)
		dns_freshness_answer(own, &f, zone, r);
	else
		dns_zone_answer(zone, outcome->tree, r);
	if (!f.controller && !r->hint)
		r->hint = &hint_stale;
	if (r->truncated || r->partial)
		outcome->note = DNS_NOTE_TRUNCATED;
}

static void answer_question(const struct dns_views *views, const struct dns_asker *asker, struct dns_reply *r,
			    struct dns_outcome *outcome)
{
	const struct dns_query *q = r->query;
	uint32_t network = 0;

	outcome->tree = dns_tree_of(q->key, q->name_len);
	if (!find_network(asker, &network)) {
		outcome->note = DNS_NOTE_STRANGER;
		r->rcode = DNS_REFUSED;
		r->hint = &hint_prohibited;
		return;
	}
	r->rcode = judge_kind(q);
	if (r->rcode != DNS_NOERROR) {
		r->hint = &hint_not_supported;
		return;
	}
	if (outcome->tree == DNS_TREE_OTHER) {
		answer_other(r, outcome);
		return;
	}
	answer_own(views, network, r, outcome);
}

size_t dns_answer(const struct dns_views *views, const struct dns_asker *asker, const uint8_t *query, size_t query_len,
		  uint8_t *ret_message, size_t size, struct dns_outcome *ret_outcome)
{
	struct dns_query q;
	struct dns_reply r;
	struct dns_outcome outcome = { .tree = DNS_TREE_OTHER };
	uint16_t rcode = DNS_NOERROR;
	int parsed = dns_query_parse(query, query_len, &q, &rcode);

	*ret_outcome = outcome;
	if (parsed == DNS_QUERY_DROP)
		return 0;
	/* Before anything else, or who is malformed in a foreign network would learn that somebody is there. */
	if (!dns_resolver_serves(&asker->local, &asker->source)) {
		ret_outcome->note = DNS_NOTE_WRONG_RESOLVER;
		return 0;
	}
	if (asker->transport == DNS_UDP && size > dns_query_udp_limit(&q))
		size = dns_query_udp_limit(&q);
	dns_reply_begin(&r, &q, ret_message, size);
	r.keepalive = asker->keepalive;
	if (parsed == DNS_QUERY_BAD) {
		r.rcode = rcode;
		outcome.note = DNS_NOTE_MALFORMED;
	} else {
		answer_question(views, asker, &r, &outcome);
	}
	outcome.rcode = r.rcode;
	*ret_outcome = outcome;
	return dns_reply_end(&r);
}
