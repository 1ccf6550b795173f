/* store_rule - peering rules: the app of one network that may reach the app of another. Within an org they are made at once; between two
 * orgs one side proposes, naming the other end, and the other side accepts; either ends it at once.
 *
 * A proposal says nothing of the other org: the answer is the same whether what it names exists or not. It is bound to what bore the names
 * when it was made, so that whoever takes the names later inherits nothing; if nothing did, nobody can ever accept it. */
#pragma once
#include "controller/store/store.h"

#define STORE_RULES_MAX 100 /* of an org: those that it proposed, and those that are agreed */

enum store_rule_state { RULE_PROPOSED_FROM = 1, RULE_PROPOSED_TO, RULE_AGREED };

struct store_rule {
	uint8_t id[ID_LEN];
	enum store_rule_state state;
	uint8_t from_org[ID_LEN], to_org[ID_LEN];
	bool has_from, has_to; /* that end exists; between two orgs nobody but operators may be told before it is agreed */
	uint32_t from_network, to_network;
	bool every_app;        /* of from_network */
	uint8_t from_app[ID_LEN], to_app[ID_LEN];
	char from_org_name[NAME_SIZE], from_network_name[NAME_SIZE], from_app_name[NAME_SIZE];
	char to_org_name[NAME_SIZE], to_app_name[NAME_SIZE];
	char alias[NAME_SIZE];
	bool stopped; /* an org of it is suspended: agreed, and nothing passes */
	uint64_t created_ms, agreed_ms;
};

struct store_rule_new {
	const char *from_org, *from_network, *from_app; /* an app, or a network: then every app of it */
	const char *to_org, *to_app;                    /* to_org NULL or "" = from_org */
	const char *alias; /* NULL or "" = the name of to_app; only of who makes or accepts it at the end that opens */
};

/* By an admin of either org; agreed at once if of both. E_REFUSED "rule_exists", "name_taken" (alias), "quota_exceeded" ... */
int store_rule_create(struct store *store, struct op *op, const struct store_rule_new *in, struct store_rule *ret_rule) MUST_CHECK;
/* By an admin of the org that did not propose it. */
int store_rule_accept(struct store *store, struct op *op, const char *id, const char *alias, struct store_rule *ret_rule) MUST_CHECK;
/* By an admin of either org. */
int store_rule_delete(struct store *store, struct op *op, const char *id, struct store_rule *ret_rule) MUST_CHECK;
/* By id. Seen by those who see an org of it that is known to be of it. E_REFUSED "rule_not_found". */
int store_rule_find(struct store *store, const struct principal *who, const char *id, struct store_rule *ret_rule,
		    struct why *why) MUST_CHECK;
int store_rule_list(struct store *store, const struct principal *who, const char *org_ref, const struct store_page *page,
		    void (*each)(void *arg, const struct store_rule *rule), void *arg, struct store_next *ret_next,
		    struct why *why) MUST_CHECK;
