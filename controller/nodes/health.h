/* health - the numbers that a node last said about itself (lib/sixpn/health.h), checked and bounded. Advice, not truth: what is wrong
 * in them is left out and counted, and never keeps a node from being served. */
#pragma once
#include "lib/sixpn/health.h"

#include <stddef.h>
#include <stdint.h>

struct Sixpn__Health;

struct health_value {
	uint32_t what;
	uint64_t n;
	char labels[HEALTH_LABELS_SIZE]; /* one behind the other, each with its NUL, zeros behind */
};

struct health {
	struct health_value *values; /* ascending by what and labels, none twice */
	size_t n;
	uint64_t left_out; /* values so far that no node of ours would send */
};

void health_deinit(struct health *h);
/* Takes over what a poll says; without memory the old numbers stay. */
void health_take(struct health *h, const struct Sixpn__Health *said);
/* The sum of the values of a row, whatever their labels; with `label`, only those whose first label it is. */
uint64_t health_sum(const struct health *h, uint32_t what, const char *label);
