/* store_user - people: an e-mail, memberships in orgs. */
#pragma once
#include "controller/store/store.h"

#define STORE_EMAIL_SIZE 255

struct store_user {
	uint8_t id[ID_LEN];
	char email[STORE_EMAIL_SIZE];
	char name[NAME_SIZE];
	uint8_t personal_org[ID_LEN]; /* zeros = none */
	uint64_t created_ms;
};

enum store_role { ROLE_MEMBER_READ = 1, ROLE_MEMBER, ROLE_MEMBER_ADMIN };

/* Operators only; personal_org may be NULL. */
int store_user_create(struct store *store, struct op *op, const char *email, const char *name, const char *personal_org,
		      struct store_user *ret_user) MUST_CHECK;
/* By e-mail or id; a user sees itself, operators see all. */
int store_user_find(struct store *store, const struct principal *who, const char *ref, struct store_user *ret_user,
		    struct why *why) MUST_CHECK;
int store_user_list(struct store *store, const struct principal *who, const struct store_page *page,
		    void (*each)(void *arg, const struct store_user *user), void *arg, struct store_next *ret_next,
		    struct why *why) MUST_CHECK;
/* role 0 ends the membership. Operators and admins of the org. */
int store_membership_set(struct store *store, struct op *op, const char *org_ref, const char *user_ref, enum store_role role) MUST_CHECK;
/* The first 200 members of an org, for whoever sees that. */
int store_membership_list(struct store *store, const struct principal *who, const char *org_ref,
			  void (*each)(void *arg, const struct store_user *user, enum store_role role, uint64_t since_ms), void *arg,
			  struct why *why) MUST_CHECK;
/* The principal of a user, with its memberships. who: the controller itself. */
int store_user_get_principal(struct store *store, const struct principal *who, const uint8_t id[ID_LEN],
			     struct principal *ret_principal, struct why *why) MUST_CHECK;
