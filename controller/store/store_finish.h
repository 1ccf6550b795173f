/* store_finish - deletes in two steps, for orgs, networks and apps alike: mark all below and want its instances destroyed; once an
 * instance is gone, see whether the marked things above it are empty now and remove them. Internal to the store. */
#pragma once
#include "controller/store/store_instance.h"
#include "controller/store/store_org.h"

struct statement;

/* Mark, take what can go at once, say what is left. The caller has judged who asks. */
int finish_delete_app(struct store *store, struct op *op, const uint8_t app[ID_LEN], struct store_deletion *ret_deletion) MUST_CHECK;
int finish_delete_network(struct store *store, struct op *op, uint32_t network, struct store_deletion *ret_deletion) MUST_CHECK;
int finish_delete_org(struct store *store, struct op *op, const uint8_t org[ID_LEN], struct store_deletion *ret_deletion) MUST_CHECK;

/* The tombstones of an instance and its workload, and of whatever marked thing that empties. intent INTENT_NONE: found from what is
 * marked above it. */
int finish_instance(struct store *store, struct op *op, const struct store_instance *instance, uint32_t intent) MUST_CHECK;

/* Its tombstone, and that of its org, if it is marked and empty now. */
int finish_network(struct store *store, struct op *op, uint32_t network) MUST_CHECK;

/* ---- of the other nouns, for each other ---- */
int instance_want(struct store *store, struct op *op, struct store_instance *instance, uint32_t desired, bool always) MUST_CHECK;
int instance_get(struct store *store, const char *id, struct store_instance *ret_instance, bool *ret_found) MUST_CHECK;
int instance_emit(struct store *store, struct op *op, struct store_instance *instance) MUST_CHECK;
int instance_emit_workload(struct store *store, struct op *op, const struct store_instance *instance, const char *spec,
			   size_t spec_len) MUST_CHECK;
/* It has ended for good and was made (store_machine) to be destroyed then. was: the state that was known before. */
int machine_is_done(struct store *store, const struct instance_record *rec, uint32_t was, bool *ret_done) MUST_CHECK;
/* All ids (of NAME_INSTANCE_ID_SIZE each, free()) that a statement gives in its first column. */
int instance_collect(struct statement *st, char (**ret_ids)[NAME_INSTANCE_ID_SIZE], size_t *ret_n) MUST_CHECK;
int network_emit_all(struct store *store, struct op *op, const uint8_t org[ID_LEN]) MUST_CHECK;
int store_org_check_quota(struct store *store, struct op *op, const struct store_org *org, enum quota_kind kind) MUST_CHECK;
int store_org_check_usable(const struct store_org *org, struct why *why) MUST_CHECK;
