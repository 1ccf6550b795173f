/* store_network - the isolated networks of an org. Ids are random and never given twice. */
#pragma once
#include "controller/store/store.h"

struct store_network {
	uint32_t id;
	uint8_t org[ID_LEN];
	char org_name[NAME_SIZE];
	char name[NAME_SIZE];
	bool suspended; /* the org is */
	bool deleting;
	uint64_t created_ms;
};

/* org_ref as in store_org_find. */
int store_network_create(struct store *store, struct op *op, const char *org_ref, const char *name,
			 struct store_network *ret_network) MUST_CHECK;
/* By name ("org/name" too) or id as 8 hex digits. Name found in two orgs: E_REFUSED "ambiguous_network". org_ref may be NULL. */
int store_network_find(struct store *store, const struct principal *who, const char *org_ref, const char *ref,
		       struct store_network *ret_network, struct why *why) MUST_CHECK;
int store_network_list(struct store *store, const struct principal *who, const char *org_ref, const struct store_page *page,
		       void (*each)(void *arg, const struct store_network *network), void *arg, struct store_next *ret_next,
		       struct why *why) MUST_CHECK;
/* E_REFUSED "network_is_default" for the org's first one. Two steps, as all deletes. */
int store_network_delete(struct store *store, struct op *op, const char *org_ref, const char *ref,
			 struct store_deletion *ret_deletion) MUST_CHECK;
