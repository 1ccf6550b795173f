/* shares - how much of what is scarce (the store's queue, parked requests) each customer holds now, so that nobody holds all of it. */
#pragma once
#include "controller/store/principal.h"
#include "lib/base/map.h"

struct shares {
	struct map holders;
	uint64_t refusals;
};

void shares_deinit(struct shares *s);
/* False: this customer holds `max` already (counted), or there is no memory. Operators hold nothing: they may always. */
bool shares_take(struct shares *s, const struct principal *who, uint32_t max) MUST_CHECK;
void shares_give(struct shares *s, const struct principal *who); /* what was taken */
