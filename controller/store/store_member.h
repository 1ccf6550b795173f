/* store_member - who belongs to which org, and as what. A person's tokens act in each org with the role that the person has there now. */
#pragma once
#include "controller/store/store.h"

enum store_role { ROLE_MEMBER_READ = 1, ROLE_MEMBER, ROLE_MEMBER_ADMIN };
#define STORE_MEMBERS_MAX 200 /* of an org */

struct store_user;
const char *store_role_name(enum store_role role); /* "read", "member", "admin"; "" */
/* E_REFUSED "role_invalid". */
int store_role_parse(const char *text, enum store_role *ret_role, struct why *why) MUST_CHECK;

/* role 0 ends the membership. Operators and admins of the org; everybody may leave. E_REFUSED "last_admin" if the org would be left without
 * an admin (operators may), "quota_exceeded", "user_not_found": a person is named by exact e-mail or id. */
int store_membership_set(struct store *store, struct op *op, const char *org_ref, const char *user_ref, enum store_role role) MUST_CHECK;
/* The same of somebody who is a member: else "member_not_found". */
int store_membership_change(struct store *store, struct op *op, const char *org_ref, const char *user_ref, enum store_role role,
			    struct store_user *ret_user) MUST_CHECK;
/* Of a person that is made, or of one who has made the org. Asks nobody. */
int membership_put(struct store *store, struct op *op, const uint8_t org[ID_LEN], const struct store_user *user, enum store_role role) MUST_CHECK;

/* All members of an org, for whoever sees it. */
int store_membership_list(struct store *store, const struct principal *who, const char *org_ref,
			  void (*each)(void *arg, const struct store_user *user, enum store_role role, uint64_t since_ms), void *arg,
			  struct why *why) MUST_CHECK;
/* E_REFUSED "member_not_found". */
int store_membership_find(struct store *store, const struct principal *who, const char *org_ref, const char *user_ref,
			  struct store_user *ret_user, enum store_role *ret_role, uint64_t *ret_since_ms, struct why *why) MUST_CHECK;
