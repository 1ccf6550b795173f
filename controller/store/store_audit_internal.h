/* store_audit_internal - what the files of the audit and store_change share. */
#pragma once
#include "controller/store/store_audit.h"

#define AUDIT_OF_THE_OTHER "the other organization" /* name of a row, and who did it as its readers are told */

/* Both ends; zeros while there is no row. */
int audit_chain_get(struct store *store, struct audit_place *ret_base, struct audit_place *ret_head) MUST_CHECK;
/* The whole chain of a store that is open, or is being looked at. *ret_there: it keeps an audit. */
int audit_check_whole(struct store *store, struct store_audit_check *check, bool *ret_there) MUST_CHECK;
/* A change that is about to go into `record`, which still holds what was before. */
int audit_change(struct store *store, struct op *op, const struct record *r, const uint8_t *org) MUST_CHECK;
