/* store_org - customers. An org that a principal does not see does not exist for it. */
#pragma once
#include "controller/store/quota.h"
#include "controller/store/store.h"

#define STORE_ORG_PERSONAL "personal" /* stands for each person's own: no org has this name */

struct store_org {
	uint8_t id[ID_LEN];
	char name[NAME_SIZE];
	bool strict_region, suspended, deleting;
	struct quotas quotas;
	uint64_t created_ms;
};

struct store_org_change {
	bool set_strict_region, strict_region;
	bool set_suspended, suspended;
	bool set_quota[QUOTA_KINDS];
	uint32_t quota[QUOTA_KINDS];
};

struct store_org_usage {
	uint64_t used[QUOTA_KINDS]; /* QUOTA_WRITES is 0 */
};

#define STORE_ORGS_OF_PERSON 10 /* that a person may be admin of and still make another */

/* What people type as a name, as one that an org can have: "My Org" is my-org; "" if nothing is left. */
void store_org_name_of(const char *text, char ret_name[NAME_SIZE]);
/* Operators, and persons, who become its admin. Makes the network `default` with it. E_REFUSED "name_taken", "name_reserved" (personal). */
int store_org_create(struct store *store, struct op *op, const char *name, struct store_org *ret_org) MUST_CHECK;
/* By name or id; of a person also by "personal", its own. ref NULL or "": the only org that the principal sees, else E_REFUSED "org_missing". */
int store_org_find(struct store *store, const struct principal *who, const char *ref, struct store_org *ret_org,
		   struct why *why) MUST_CHECK;
/* The name in "org/name" or "name", and the org that it is looked for in: the one in the text or org_ref (NULL or "" = none given); if
 * both are given they must be the same. *ret_has_org false: neither is, and ret_org is not set. */
int store_org_split(struct store *store, const struct principal *who, const char *org_ref, const char *ref, const char **ret_name,
		    bool *ret_has_org, struct store_org *ret_org, struct why *why) MUST_CHECK;
int store_org_find_by_id(struct store *store, const struct principal *who, const uint8_t id[ID_LEN], struct store_org *ret_org,
			 struct why *why) MUST_CHECK;
int store_org_list(struct store *store, const struct principal *who, const struct store_page *page,
		   void (*each)(void *arg, const struct store_org *org), void *arg, struct store_next *ret_next,
		   struct why *why) MUST_CHECK;
int store_org_get_usage(struct store *store, const struct principal *who, const char *ref, struct store_org_usage *ret_usage,
			struct why *why) MUST_CHECK;
/* Operators only. Suspending changes every network record of the org. */
int store_org_update(struct store *store, struct op *op, const char *ref, const struct store_org_change *change,
		     struct store_org *ret_org) MUST_CHECK;
/* Marks all below; finishes when the last instance is gone (store_instance_report). Again on a marked one: says what is left. */
int store_org_delete(struct store *store, struct op *op, const char *ref, struct store_deletion *ret_deletion) MUST_CHECK;
