/* breaker - are so many deletes at once meant? Counts, per network (and for the fabric), what one reply would delete without anybody
 * having said why; more than a share and more than a number are held back (G21). Pure counting; the replica acts on it. */
#pragma once
#include "lib/base/map.h"
#include "lib/sixpn/record.h"

#define BREAKER_PERCENT 30u
#define BREAKER_RECORDS 50u

struct breaker {
	struct map groups; /* by network, 0 = the fabric */
	size_t deletes;    /* of all groups */
};

void breaker_deinit(struct breaker *b);
/* One record that is there now. -ENOMEM. */
int breaker_count(struct breaker *b, const struct record *record) MUST_CHECK;
/* One that would go, unexplained. -ENOMEM. */
int breaker_delete(struct breaker *b, const struct record *record) MUST_CHECK;
/* Are the unexplained deletes of this record's network (or of the fabric) held back? */
bool breaker_holds(const struct breaker *b, const struct record *record);
