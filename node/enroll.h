/* enroll - becoming a node: one call over a session of kind enroll, repeated until the controller answers. */
#pragma once
#include "lib/base/config.h"
#include "node/identity.h"

/* Reads the token file, asks the controller, fills host, name, region and the controller's key and addresses of *identity.
 * E_REFUSED with why: the token or the wish was refused, or the file is no token. Blocks until answered; gives up after
 * `limit_ms` with E_REFUSED. Runs a loop of its own. */
int enroll_run(const struct config *config, uint32_t role_bits, struct identity *identity, uint64_t limit_ms, struct why *why) MUST_CHECK;
/* The endpoints other nodes are told: of the config, or with "auto" the source address of the default route and the mesh port. */
int enroll_endpoints(const struct config *config, const char *towards, struct addr_endpoint *ret_endpoints, size_t *ret_n, struct why *why) MUST_CHECK;
