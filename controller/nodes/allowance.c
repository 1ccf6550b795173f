/* allowance - see allowance.h. */
#include "controller/nodes/allowance.h"

#define UNIT 60000u /* a minute in ms: so a ms gives per_minute of these back, exactly */

uint64_t allowance_left(struct allowance *a, struct allowance_rule rule, uint64_t now_ms)
{
	uint64_t full = (uint64_t)rule.at_once * UNIT, gone = now_ms > a->at_ms ? now_ms - a->at_ms : 0;

	a->at_ms = now_ms;
	if (a->used > full)
		a->used = full;
	a->used = gone >= a->used / rule.per_minute + 1 ? 0 : a->used - gone * rule.per_minute;
	return (full - a->used) / UNIT;
}

uint64_t allowance_take(struct allowance *a, struct allowance_rule rule, uint64_t now_ms, uint64_t n)
{
	uint64_t left = allowance_left(a, rule, now_ms);

	if (n > left)
		n = left;
	a->used += n * UNIT;
	return n;
}

void allowance_return(struct allowance *a, uint64_t n)
{
	a->used = a->used > n * UNIT ? a->used - n * UNIT : 0;
}
