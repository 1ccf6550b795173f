/* report - what a host saw of its instances, on its way to the store, which judges whether they are its own; and what a gateway saw of its
 * peers, which stays in memory (peers.h). */
#pragma once
#include "controller/nodes/controller_internal.h"
#include "controller/store/store_instance.h"

/* A report as it came: what is wrong by itself is left out, for the rest is of other customers; n_bad counts it. */
struct report_read {
	struct store_report *reports;
	size_t n;
	struct peer_seen *seen;
	size_t n_seen;
	size_t n_bad;
};

/* The door: bytes of a LINK_REPORT. E_REFUSED with why: none of it can be used. 0: *ret is to be freed by report_deinit; why tells of one
 * of the bad. */
int report_read(const void *bytes, size_t len, struct report_read *ret, struct why *why) MUST_CHECK;
void report_deinit(struct report_read *r);
/* A LINK_REPORT came. One that cannot be taken now is not answered: the node reports again. */
void report_take(struct controller *c, const struct link_request *request);
