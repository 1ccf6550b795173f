/* shares - see shares.h. */
#include "controller/api/shares.h"

#include <stdlib.h>
#include <string.h>

struct holder {
	uint8_t id[ID_LEN]; /* the key in the map */
	uint32_t n;
};

/* The organization; of who is in several, himself. NULL: nobody to be counted. */
static const uint8_t *key_of(const struct principal *who)
{
	if (who->kind != PRINCIPAL_USER && who->kind != PRINCIPAL_ORG_TOKEN)
		return NULL;
	return principal_only_org(who) ? principal_only_org(who) : who->id;
}

void shares_deinit(struct shares *s)
{
	struct holder *h;

	for (size_t i = 0; (h = map_next(&s->holders, &i));)
		free(h);
	map_deinit(&s->holders);
	*s = (struct shares){ 0 };
}

bool shares_take(struct shares *s, const struct principal *who, uint32_t max)
{
	const uint8_t *key = key_of(who);
	struct holder *h = key ? map_get(&s->holders, key, ID_LEN) : NULL;

	if (!key)
		return true;
	if (h && h->n >= max) {
		s->refusals++;
		return false;
	}
	if (!h) {
		h = calloc(1, sizeof *h);
		if (!h)
			return false;
		memcpy(h->id, key, ID_LEN);
		if (map_set(&s->holders, h->id, ID_LEN, h, NULL) < 0) {
			free(h);
			return false;
		}
	}
	h->n++;
	return true;
}

void shares_give(struct shares *s, const struct principal *who)
{
	const uint8_t *key = key_of(who);
	struct holder *h = key ? map_get(&s->holders, key, ID_LEN) : NULL;

	if (h && --h->n == 0)
		free(map_remove(&s->holders, key, ID_LEN));
}
