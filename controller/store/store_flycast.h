/* store_flycast - private addresses that apps reserve: fdaa:<network>:0:1::N, N from 2 on, each given to one app and not to another for
 * a day after it was released. They are in lists and in DNS (<app>.flycast), and nothing answers there until there is a proxy.
 *
 * For /v1/apps/{app}/ip_assignments and GraphQL alike: an address is named by its text or by its id, together with the app or without. */
#pragma once
#include "controller/store/store.h"

#define STORE_FLYCAST_MAX 16       /* of one app */
#define STORE_FLYCAST_NOTE "reserved; nothing answers there yet, this version has no proxy" /* wherever one is shown */

struct store_flycast {
	uint8_t id[ID_LEN], org[ID_LEN], app[ID_LEN];
	char org_name[NAME_SIZE], app_name[NAME_SIZE];
	uint32_t network, number; /* the network may be another of the org than the app's own */
	char network_name[NAME_SIZE];
	uint64_t created_ms;
};
static inline struct in6_addr store_flycast_address(const struct store_flycast *f)
{
	return addr_flycast(f->network, f->number);
}

/* app as in store_app_find; network NULL or "": the app's own. E_REFUSED "quota_exceeded", "flycast_used_up", "network_not_found" also for
 * networks of other orgs. */
int store_flycast_create(struct store *store, struct op *op, const char *org_ref, const char *app_ref, const char *network_ref,
			 struct store_flycast *ret_flycast) MUST_CHECK;
/* ref: the address as text, or the id as 16 hex digits. app_ref NULL or "": whoever has it. E_REFUSED "ip_not_found". */
int store_flycast_find(struct store *store, const struct principal *who, const char *org_ref, const char *app_ref, const char *ref,
		       struct store_flycast *ret_flycast, struct why *why) MUST_CHECK;
struct store_flycast_filter {
	const char *org;     /* as in store_org_find; NULL = all that are visible */
	const char *app;     /* as in store_app_find; NULL = of all apps */
	const char *network; /* as in store_network_find; NULL = in all */
};
int store_flycast_list(struct store *store, const struct principal *who, const struct store_flycast_filter *filter,
		       const struct store_page *page, void (*each)(void *arg, const struct store_flycast *flycast), void *arg,
		       struct store_next *ret_next, struct why *why) MUST_CHECK;
int store_flycast_release(struct store *store, struct op *op, const char *org_ref, const char *app_ref, const char *ref,
			  struct store_flycast *ret_flycast) MUST_CHECK;
/* For store_finish: all of an app that goes, or all in a network that goes. */
int flycast_remove_of_app(struct store *store, struct op *op, const uint8_t app[ID_LEN], uint32_t intent) MUST_CHECK;
int flycast_remove_of_network(struct store *store, struct op *op, uint32_t network, uint32_t intent) MUST_CHECK;
