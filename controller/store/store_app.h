/* store_app - apps. A name is unique within its org, whatever its case; the network is for ever. */
#pragma once
#include "controller/store/store.h"

struct store_app {
	uint8_t id[RECORD_APP_ID_LEN];
	uint8_t org[ID_LEN];
	char org_name[NAME_SIZE];
	uint32_t network;
	char network_name[NAME_SIZE];
	char name[NAME_SIZE];
	bool deleting;
	uint64_t created_ms;
	unsigned instances;
};

/* network NULL or "" = "default". */
int store_app_create(struct store *store, struct op *op, const char *org_ref, const char *network, const char *name,
		     struct store_app *ret_app) MUST_CHECK;
/* By name, "org/name" or id (16 hex digits). org_ref may be NULL. E_REFUSED "app_not_found", "ambiguous_app". */
int store_app_find(struct store *store, const struct principal *who, const char *org_ref, const char *ref, struct store_app *ret_app,
		   struct why *why) MUST_CHECK;
struct store_app_filter {
	const char *org;    /* as in store_org_find; NULL = all that are visible */
	uint32_t network;   /* 0 = all */
	const char *region; /* that have an instance there; NULL = all */
	bool by_deleting, deleting;
};
/* filter NULL = all that are visible. */
int store_app_list_where(struct store *store, const struct principal *who, const struct store_app_filter *filter,
			 const struct store_page *page, void (*each)(void *arg, const struct store_app *app), void *arg,
			 struct store_next *ret_next, struct why *why) MUST_CHECK;
int store_app_list(struct store *store, const struct principal *who, const char *org_ref, const struct store_page *page,
		   void (*each)(void *arg, const struct store_app *app), void *arg, struct store_next *ret_next,
		   struct why *why) MUST_CHECK;
int store_app_delete(struct store *store, struct op *op, const char *org_ref, const char *ref,
		     struct store_deletion *ret_deletion) MUST_CHECK;
