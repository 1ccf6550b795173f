/* store_machine - instances as the Machines view keeps them: the same rows and the same changes as store_instance, with the
 * configuration as its client sent it and the version of that. Everything is asked for below an app: an id of another one is none. */
#pragma once
#include "controller/store/store_instance.h"

#define STORE_MACHINES_MAX 10000 /* of one list */
#define STORE_MACHINES_BYTES_MAX (32u << 20) /* of their configurations */

struct store_machine {
	struct store_instance instance;
	char version[ULID_SIZE]; /* of its configuration: another one after each change of that */
	bool may_see;            /* the asker may see the workload; else spec is NULL and config holds what is no secret */
	const char *config;      /* as sent; NULL = it was made by another view. Borrowed, as spec is: see below */
	const char *spec;        /* only if there is no config */
	size_t spec_len;
};

/* config and spec of *ret are kept in texts. */
int store_machine_find(struct store *store, const struct principal *who, const char *app, const char *id, struct buf *texts,
		       struct store_machine *ret, struct why *why) MUST_CHECK;
/* All of an app, in order of their ids: a part would look like all of it, so what is too much is E_REFUSED "too_large". The texts are
 * borrowed for the call. */
int store_machine_list(struct store *store, const struct principal *who, const char *app, const char *region,
		       void (*each)(void *arg, const struct store_machine *machine), void *arg, struct why *why) MUST_CHECK;
/* After store_instance_create or store_instance_configure, in the same op. */
int store_machine_keep_config(struct store *store, const char *id, const char *config) MUST_CHECK;

/* One change of an instance, from the log. */
struct store_machine_event {
	uint64_t v, at_ms;
	const char *principal; /* borrowed for the call */
	bool deleted;
	struct instance_record is, was; /* was.id "" = nothing before */
};
/* The newest `limit`, newest first. The instance must have been found before. */
int store_machine_events(struct store *store, const struct store_instance *instance, unsigned limit,
			 void (*each)(void *arg, const struct store_machine_event *event), void *arg) MUST_CHECK;
/* Was there, below an org that the principal sees, an instance of this id that is gone now? */
int store_machine_was(struct store *store, const struct principal *who, const char *id, bool *ret_was) MUST_CHECK;
