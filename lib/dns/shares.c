/* shares - see shares.h. An entry is there as long as it counts something. */
#include "lib/dns/shares.h"

#include "lib/sixpn/addr.h"

#include <stdlib.h>

struct network_share {
	uint32_t network;
	size_t n_waiters, n_questions;
};

struct source_share {
	struct in6_addr source;
	size_t n_waiters;
};

static void free_all(struct map *m)
{
	void *one;

	for (size_t i = 0; (one = map_next(m, &i));)
		free(one);
	map_deinit(m);
}

void dns_shares_deinit(struct dns_shares *s)
{
	free_all(&s->networks);
	free_all(&s->sources);
	*s = (struct dns_shares){ 0 };
}

static struct network_share *need_network(struct dns_shares *s, uint32_t network)
{
	struct network_share *n = map_get(&s->networks, &network, sizeof network);

	if (n)
		return n;
	n = calloc(1, sizeof *n);
	if (!n)
		return NULL;
	n->network = network;
	if (map_set(&s->networks, &n->network, sizeof n->network, n, NULL) == 0)
		return n;
	free(n);
	return NULL;
}

/* By sender, not by address. */
static struct source_share *find_source(const struct dns_shares *s, const struct in6_addr *address)
{
	struct in6_addr source = addr_sender(address);

	return map_get(&s->sources, &source, sizeof source);
}

static struct source_share *need_source(struct dns_shares *s, const struct in6_addr *address)
{
	struct source_share *one = find_source(s, address);

	if (one)
		return one;
	one = calloc(1, sizeof *one);
	if (!one)
		return NULL;
	one->source = addr_sender(address);
	if (map_set(&s->sources, &one->source, sizeof one->source, one, NULL) == 0)
		return one;
	free(one);
	return NULL;
}

static void drop_network_if_idle(struct dns_shares *s, struct network_share *n)
{
	if (!n || n->n_waiters || n->n_questions)
		return;
	map_remove(&s->networks, &n->network, sizeof n->network);
	free(n);
}

static void drop_source_if_idle(struct dns_shares *s, struct source_share *one)
{
	if (!one || one->n_waiters)
		return;
	map_remove(&s->sources, &one->source, sizeof one->source);
	free(one);
}

enum dns_share dns_shares_add_waiter(struct dns_shares *s, const struct in6_addr *source, uint32_t network)
{
	struct network_share *n = need_network(s, network);
	struct source_share *one = need_source(s, source);
	enum dns_share verdict = DNS_SHARE_OK;

	if (!n || !one || s->n_waiters >= DNS_SHARE_WAITERS_MAX)
		verdict = DNS_SHARE_OVER_TOTAL;
	else if (n->n_waiters >= DNS_SHARE_NETWORK_MAX || n->n_waiters >= DNS_SHARE_WAITERS_MAX - s->n_waiters)
		verdict = DNS_SHARE_OVER_NETWORK;
	else if (one->n_waiters >= DNS_SHARE_SOURCE_MAX)
		verdict = DNS_SHARE_OVER_SOURCE;
	if (verdict == DNS_SHARE_OK) {
		s->n_waiters++;
		n->n_waiters++;
		one->n_waiters++;
	}
	drop_network_if_idle(s, n);
	drop_source_if_idle(s, one);
	return verdict;
}

void dns_shares_remove_waiter(struct dns_shares *s, const struct in6_addr *source, uint32_t network)
{
	struct network_share *n = map_get(&s->networks, &network, sizeof network);
	struct source_share *one = find_source(s, source);

	s->n_waiters--;
	n->n_waiters--;
	one->n_waiters--;
	drop_network_if_idle(s, n);
	drop_source_if_idle(s, one);
}

static const struct network_share *busiest(const struct dns_shares *s)
{
	const struct network_share *n, *most = NULL;

	for (size_t i = 0; (n = map_next(&s->networks, &i));)
		if (!most || n->n_questions > most->n_questions)
			most = n;
	return most;
}

enum dns_share dns_shares_add_question(struct dns_shares *s, uint32_t network, uint32_t *ret_jostle)
{
	struct network_share *n = map_get(&s->networks, &network, sizeof network);

	*ret_jostle = 0;
	if (n->n_questions >= DNS_SHARE_NETWORK_QUESTIONS_MAX)
		return DNS_SHARE_OVER_NETWORK;
	if (s->n_questions >= DNS_SHARE_QUESTIONS_MAX) {
		const struct network_share *most = busiest(s);

		if (most->n_questions > n->n_questions + 1)
			*ret_jostle = most->network;
		return DNS_SHARE_OVER_TOTAL;
	}
	s->n_questions++;
	n->n_questions++;
	return DNS_SHARE_OK;
}

void dns_shares_remove_question(struct dns_shares *s, uint32_t network)
{
	struct network_share *n = map_get(&s->networks, &network, sizeof network);

	s->n_questions--;
	n->n_questions--;
	drop_network_if_idle(s, n);
}
