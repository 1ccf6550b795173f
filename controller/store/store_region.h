/* store_region - places. Everyone sees them; only operators change them. A locator is never given twice, not even after a delete. */
#pragma once
#include "controller/store/store.h"

struct store_region {
	char name[NAME_REGION_SIZE];
	char city[NAME_SIZE];
	int32_t latitude_udeg, longitude_udeg;
	uint16_t locator;
	uint64_t created_ms;
	unsigned nodes;    /* not revoked */
	unsigned gateways; /* of these, that take peers (whether they live is not known here) */
};

struct store_region_new {
	const char *name;
	const char *city; /* NULL = from the built-in list */
	bool has_place;   /* latitude and longitude are given; else from the built-in list */
	double latitude, longitude;
	uint16_t locator; /* 0 = computed from the place; the nearest free one is taken */
};

int store_region_create(struct store *store, struct op *op, const struct store_region_new *in, struct store_region *ret_region) MUST_CHECK;
/* Not the locator: city and place (for nearness) only. NULL / has_place = false leave as is. */
int store_region_update(struct store *store, struct op *op, const char *name, const struct store_region_new *in,
			struct store_region *ret_region) MUST_CHECK;
/* E_REFUSED "region_in_use" while it has nodes. */
int store_region_delete(struct store *store, struct op *op, const char *name) MUST_CHECK;
int store_region_find(struct store *store, const struct principal *who, const char *name, struct store_region *ret_region,
		      struct why *why) MUST_CHECK;
int store_region_list(struct store *store, const struct principal *who, const struct store_page *page,
		      void (*each)(void *arg, const struct store_region *region), void *arg, struct store_next *ret_next,
		      struct why *why) MUST_CHECK;
