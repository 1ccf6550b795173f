/* breaker - see breaker.h. */
#include "node/breaker.h"

#include <stdlib.h>

struct group {
	uint32_t network;
	size_t records, deletes;
};

void breaker_deinit(struct breaker *b)
{
	struct group *g;

	for (size_t i = 0; (g = map_next(&b->groups, &i));)
		free(g);
	map_deinit(&b->groups);
	*b = (struct breaker){ 0 };
}

static struct group *need_group(struct breaker *b, uint32_t network)
{
	struct group *g = map_get(&b->groups, &network, sizeof network);

	if (g)
		return g;
	g = calloc(1, sizeof *g);
	if (!g)
		return NULL;
	g->network = network;
	if (map_set(&b->groups, &g->network, sizeof g->network, g, NULL) < 0) {
		free(g);
		return NULL;
	}
	return g;
}

int breaker_count(struct breaker *b, const struct record *record)
{
	struct group *g = need_group(b, record->network);

	if (!g)
		return -ENOMEM;
	g->records++;
	return 0;
}

int breaker_delete(struct breaker *b, const struct record *record)
{
	struct group *g = need_group(b, record->network);

	if (!g)
		return -ENOMEM;
	g->deletes++;
	b->deletes++;
	return 0;
}

bool breaker_holds(const struct breaker *b, const struct record *record)
{
	const struct group *g = map_get(&b->groups, &record->network, sizeof record->network);

	return g && g->deletes > BREAKER_RECORDS && g->deletes * 100 > g->records * BREAKER_PERCENT;
}
