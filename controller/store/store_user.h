/* store_user - people: an e-mail, an org of their own, memberships in others (store_member.h). */
#pragma once
#include "controller/store/store_member.h"

#define STORE_EMAIL_SIZE 255

struct store_user {
	uint8_t id[ID_LEN];
	char email[STORE_EMAIL_SIZE];
	char name[NAME_SIZE];
	uint8_t personal_org[ID_LEN]; /* zeros = none */
	char personal_org_name[NAME_SIZE];
	uint64_t created_ms;
};

/* Operators only; personal_org, an org that is there, may be NULL. */
int store_user_create(struct store *store, struct op *op, const char *email, const char *name, const char *personal_org,
		      struct store_user *ret_user) MUST_CHECK;
/* The same, and an org of the person's own, which is named after the e-mail and has the person as its admin. */
int store_user_create_with_org(struct store *store, struct op *op, const char *email, const char *name,
			       struct store_user *ret_user) MUST_CHECK;
/* Operators only: with all tokens and memberships. The org of its own stays, for whoever else is in it. */
int store_user_delete(struct store *store, struct op *op, const char *ref, struct store_user *ret_user) MUST_CHECK;
/* By e-mail or id; a user sees itself, operators see all. */
int store_user_find(struct store *store, const struct principal *who, const char *ref, struct store_user *ret_user,
		    struct why *why) MUST_CHECK;
int store_user_list(struct store *store, const struct principal *who, const struct store_page *page,
		    void (*each)(void *arg, const struct store_user *user), void *arg, struct store_next *ret_next,
		    struct why *why) MUST_CHECK;
/* The principal of a user, with its memberships. who: the controller itself. */
int store_user_get_principal(struct store *store, const struct principal *who, const uint8_t id[ID_LEN],
			     struct principal *ret_principal, struct why *why) MUST_CHECK;

/* ---- for store_member.c ---- */
struct statement;
#define USER_COLUMNS(p) p ".id, " p ".email, " p ".name, " p ".personal_org, " p ".created_ms, coalesce((SELECT name FROM org WHERE id = " p ".personal_org), '')"
#define USER_COLUMNS_N 6
void user_read_row(struct statement *st, struct store_user *ret);
