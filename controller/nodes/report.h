/* report - what a host saw of its instances, on its way to the store, which judges whether they are its own. */
#pragma once
#include "controller/nodes/controller_internal.h"
#include "controller/store/store_instance.h"

/* The door: bytes of a LINK_REPORT, as *ret_n reports (free()). E_REFUSED with why: none of it can be used. A report that is wrong
 * by itself is left out, for the others are of other customers: *ret_n_bad counts them, why tells of one. */
int report_read(const void *bytes, size_t len, struct store_report **ret_reports, size_t *ret_n, size_t *ret_n_bad,
		struct why *why) MUST_CHECK;
/* A LINK_REPORT came. One that cannot be taken now is not answered: the node reports again. */
void report_take(struct controller *c, const struct link_request *request);
