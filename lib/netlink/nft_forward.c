/* nft_forward - see nft.h: our one rule in other people's forward chains. Commands that carry foreign names are made as JSON, so
 * that no name can be read as anything else. */
#include "lib/netlink/nft_internal.h"

#include <stdio.h>
#include <string.h>

#define COMMENT "sixpn"
#define CHAINS_MAX 64

struct chain {
	const char *family, *table, *name; /* borrowed from the listing of chains */
	bool drops_by_policy;
	json_t *rules; /* the chain's own listing */
};

struct chains {
	json_t *listing;
	struct chain of[CHAINS_MAX];
	size_t n;
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int list_rules(struct nft *nft, struct chain *chain)
{
	CLEAN_JSON json_t *command = json_pack("{s:[{s:{s:{s:s, s:s, s:s}}}]}", "nftables", "list", "chain", "family", chain->family,
					       "table", chain->table, "name", chain->name);

	return command ? nft_run_json(nft, command, &chain->rules) : -ENOMEM;
}

static void chains_deinit(struct chains *chains)
{
	for (size_t i = 0; i < chains->n; i++)
		json_decref(chains->of[i].rules);
	json_decref(chains->listing);
}

/* Every base chain at hook forward that sees IPv6, except those in a table of the name `own` (NULL = no exception). */
static int chains_list(struct nft *nft, const char *own, struct chains *ret_chains)
{
	const json_t *entry, *object;
	size_t i;
	int r = nft_ask_json(nft, "list chains", &ret_chains->listing);

	if (r < 0)
		return r;
	json_array_foreach(json_object_get(ret_chains->listing, "nftables"), i, entry) {
		struct chain *chain = &ret_chains->of[ret_chains->n];

		object = json_object_get(entry, "chain");
		if (!object || strcmp(text_of(object, "hook"), "forward") || strcmp(text_of(object, "type"), "filter") ||
		    (own && !strcmp(text_of(object, "table"), own)) ||
		    (strcmp(text_of(object, "family"), "ip6") && strcmp(text_of(object, "family"), "inet")))
			continue;
		if (ret_chains->n == CHAINS_MAX)
			return -E2BIG;
		*chain = (struct chain){ .family = text_of(object, "family"), .table = text_of(object, "table"),
					 .name = text_of(object, "name"),
					 .drops_by_policy = !strcmp(text_of(object, "policy"), "drop") };
		ret_chains->n++;
		r = list_rules(nft, chain);
		if (r < 0)
			return r;
	}
	return 0;
}

static json_t *accept_expr(const struct nft_gate *gate)
{
	return json_pack("[o, {s:n}]", nft_match_mark(gate, "=="), "accept");
}

/* ip6tables-nft reads our rule and writes it again (ip6tables-save, then -restore) with a counter and with the comment as a match of
 * its own, whose text nftables does not show. */
static bool is_iptables_comment(const json_t *statement)
{
	const json_t *xt = json_object_get(statement, "xt");

	return xt && !strcmp(text_of(xt, "type"), "match") && !strcmp(text_of(xt, "name"), "comment");
}

/* Accepts our mark and does nothing else that counts; *ret_commented: by iptables, with a comment. */
static bool accepts_our_mark(const json_t *rule, const struct nft_gate *gate, bool *ret_commented)
{
	CLEAN_JSON json_t *wanted = accept_expr(gate), *plain = json_array();
	const json_t *statement;
	size_t i;

	*ret_commented = false;
	json_array_foreach(json_object_get(rule, "expr"), i, statement) {
		if (is_iptables_comment(statement))
			*ret_commented = true;
		else if (!json_object_get(statement, "counter"))
			json_array_append(plain, (json_t *)statement);
	}
	return json_equal(plain, wanted);
}

static bool is_ours(const json_t *rule, const struct nft_gate *gate)
{
	bool commented;

	return rule && (!strcmp(text_of(rule, "comment"), COMMENT) || (accepts_our_mark(rule, gate, &commented) && commented));
}

/* A rule that asks nothing and ends in drop or reject. */
static bool drops_everything(const json_t *rule)
{
	const json_t *statement, *expr = json_object_get(rule, "expr");
	size_t i;

	json_array_foreach(expr, i, statement) {
		if (json_object_get(statement, "drop") || json_object_get(statement, "reject"))
			return true;
		if (!json_object_get(statement, "counter") && !json_object_get(statement, "log"))
			return false;
	}
	return false;
}

static bool would_drop_us(const struct chain *chain)
{
	const json_t *entry;
	size_t i;

	if (chain->drops_by_policy)
		return true;
	json_array_foreach(json_object_get(chain->rules, "nftables"), i, entry)
		if (drops_everything(json_object_get(entry, "rule")))
			return true;
	return false;
}

/* Our rule with our mark, not one of an older configuration. */
static bool has_accept(const struct chain *chain, const struct nft_gate *gate)
{
	const json_t *entry;
	bool commented;
	size_t i;

	json_array_foreach(json_object_get(chain->rules, "nftables"), i, entry) {
		const json_t *rule = json_object_get(entry, "rule");

		if (is_ours(rule, gate) && accepts_our_mark(rule, gate, &commented))
			return true;
	}
	return false;
}

static void describe(const struct chains *chains, const struct nft_gate *gate, struct nft_forward *ret_found)
{
	size_t used = 0;

	memset(ret_found, 0, sizeof(*ret_found));
	for (size_t i = 0; i < chains->n; i++) {
		const struct chain *chain = &chains->of[i];

		if (!would_drop_us(chain))
			continue;
		ret_found->chains++;
		ret_found->accepted += has_accept(chain, gate);
		if (used < sizeof(ret_found->names))
			used += (size_t)snprintf(ret_found->names + used, sizeof(ret_found->names) - used, "%s%s %s %s",
						 used ? ", " : "", chain->family, chain->table, chain->name);
	}
}

int nft_forward_check(struct nft *nft, const struct nft_gate *gate, struct nft_forward *ret_found)
{
	struct chains chains = { 0 };
	int r = chains_list(nft, gate->table, &chains);

	if (r == 0)
		describe(&chains, gate, ret_found);
	chains_deinit(&chains);
	return r;
}

static int add_removals(json_t *commands, const struct chain *chain, const struct nft_gate *gate, unsigned *n)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(chain->rules, "nftables"), i, entry) {
		const json_t *rule = json_object_get(entry, "rule");

		if (!is_ours(rule, gate))
			continue;
		if (json_array_append_new(commands,
					  json_pack("{s:{s:{s:s, s:s, s:s, s:O}}}", "delete", "rule", "family", chain->family, "table",
						    chain->table, "chain", chain->name, "handle", json_object_get(rule, "handle"))) < 0)
			return -ENOMEM;
		++*n;
	}
	return 0;
}

static int add_inserts(json_t *commands, const struct chains *chains, const struct nft_gate *gate, unsigned *ret_n)
{
	for (size_t i = 0; i < chains->n; i++) {
		const struct chain *chain = &chains->of[i];
		unsigned stale = 0;
		int r;

		if (!would_drop_us(chain) || has_accept(chain, gate))
			continue;
		r = add_removals(commands, chain, gate, &stale);
		if (r < 0)
			return r;
		if (json_array_append_new(commands,
					  json_pack("{s:{s:{s:s, s:s, s:s, s:s, s:o}}}", "insert", "rule", "family", chain->family,
						    "table", chain->table, "chain", chain->name, "comment", COMMENT, "expr",
						    accept_expr(gate))) < 0)
			return -ENOMEM;
		++*ret_n;
	}
	return 0;
}

int nft_forward_accept(struct nft *nft, const struct nft_gate *gate, struct nft_forward *ret_found, unsigned *ret_added)
{
	CLEAN_JSON json_t *document = json_pack("{s:[]}", "nftables");
	struct chains chains = { 0 };
	unsigned added = 0;
	int r = chains_list(nft, gate->table, &chains);

	if (r == 0)
		r = add_inserts(json_object_get(document, "nftables"), &chains, gate, &added);
	if (r == 0 && added)
		r = nft_run_json(nft, document, NULL);
	chains_deinit(&chains);
	if (r == 0)
		r = nft_forward_check(nft, gate, ret_found);
	if (r == 0)
		*ret_added = added;
	return r;
}

int nft_forward_remove(struct nft *nft, const struct nft_gate *gate, unsigned *ret_removed)
{
	CLEAN_JSON json_t *document = json_pack("{s:[]}", "nftables");
	struct chains chains = { 0 };
	unsigned removed = 0;
	int r = chains_list(nft, NULL, &chains);

	for (size_t i = 0; r == 0 && i < chains.n; i++)
		r = add_removals(json_object_get(document, "nftables"), &chains.of[i], gate, &removed);
	if (r == 0 && removed)
		r = nft_run_json(nft, document, NULL);
	chains_deinit(&chains);
	if (r == 0)
		*ret_removed = removed;
	return r;
}
