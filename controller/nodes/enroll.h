/* enroll - a machine that holds a join token becomes a node. The session proved that it holds its link key; the store judges the
 * token. */
#pragma once
#include "controller/nodes/controller_internal.h"
#include "controller/store/store_node.h"

struct enroll_request {
	struct store_enroll in; /* its texts point into this struct */
	char secret[128], name[NAME_SIZE], version[32], gateway_host[256];
};

/* The door: bytes of a LINK_ENROLL. link_key and source of ret->in are the caller's. Wipe *ret after use. E_REFUSED with why. */
int enroll_read(const void *bytes, size_t len, struct enroll_request *ret, struct why *why) MUST_CHECK;
/* A LINK_ENROLL came. */
void enroll_take(struct controller *c, const struct link_request *request);
