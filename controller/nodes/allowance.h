/* allowance - how much a node may make all others do. A change of its endpoints and a report that becomes a record are each a V that
 * goes to every node in scope, so each node has so many at once and so many a minute (a token bucket). Who has none left is told, and
 * counted; what it wanted is looked at again later, so a limit delays, and loses nothing. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct allowance_rule {
	uint32_t at_once, per_minute;
};
/* Endpoints: an uplink that changes its address every half minute is followed; each change is told to every node of the fleet. */
#define ALLOWANCE_ENDPOINTS ((struct allowance_rule){ .at_once = 20, .per_minute = 2 })
/* Reports: a host with 2,000 instances (the quota of an org) that all restart at once makes four of each; 1,000 that crash again and again,
 * backed off to a minute, make three of each a minute. */
#define ALLOWANCE_REPORTS ((struct allowance_rule){ .at_once = 8000, .per_minute = 3000 })

/* Zeroed, it is full. */
struct allowance {
	uint64_t used; /* in 60,000ths */
	uint64_t at_ms;
	uint64_t refused; /* how often there was too little, for the metrics */
};

/* How many are left now. */
uint64_t allowance_left(struct allowance *a, struct allowance_rule rule, uint64_t now_ms);
/* Takes up to `n`, as many as there are; returns how many. */
uint64_t allowance_take(struct allowance *a, struct allowance_rule rule, uint64_t now_ms, uint64_t n);
/* Gives back what was taken and not used. */
void allowance_return(struct allowance *a, uint64_t n);
