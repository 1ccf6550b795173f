/* zone_groups - the names of an app's process groups: the rule of the app, among the instances of one group. */
#include "lib/dns/zone_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_groups(const void *a, const void *b)
{
	const struct zone_candidate *const *x = a, *const *y = b;
	int r = strcmp((*x)->in->group, (*y)->in->group);

	return r ? r : (*x > *y) - (*x < *y); /* they stand in one array, in the order of answers */
}

static bool is_label(const char *group)
{
	size_t len = strnlen(group, NAME_SIZE);

	return len > 0 && len < NAME_SIZE && !strchr(group, '.');
}

/* c[0, n) have the group; `whole`: nobody of the app has another, so the app's own addresses will do. */
static int add_group(struct zone_build *b, const char *app, const struct zone_candidate *c, size_t n, size_t whole_at, bool whole)
{
	size_t at = whole ? whole_at : b->z->n_addresses, n_near, n_own, end = b->z->n_addresses;
	char prefix[NAME_SIZE + 9];

	if (!whole) {
		zone_add_addresses(b, c, n);
		end = b->z->n_addresses;
	}
	zone_count_near(c, n, &n_near, &n_own);
	snprintf(prefix, sizeof prefix, "%s.process.", c[0].in->group);
	return zone_name_addresses(b, prefix, app, at, end - at, n_near, n_own);
}

int zone_add_groups(struct zone_build *b, const char *app, size_t from, size_t to, size_t address_at)
{
	size_t n = to - from;
	CLEAN_FREE const struct zone_candidate **order = calloc(n + 1, sizeof *order);
	CLEAN_FREE struct zone_candidate *sorted = calloc(n + 1, sizeof *sorted);
	int r = order && sorted ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r == 0; i++)
		order[i] = &b->all[from + i];
	if (r == 0)
		qsort(order, n, sizeof *order, compare_groups);
	for (size_t i = 0; i < n && r == 0; i++)
		sorted[i] = *order[i];
	for (size_t i = 0, end; i < n && r == 0; i = end) {
		for (end = i + 1; end < n && !strcmp(sorted[end].in->group, sorted[i].in->group);)
			end++;
		if (is_label(sorted[i].in->group))
			r = add_group(b, app, sorted + i, end - i, address_at, end - i == n);
	}
	return r;
}
