/* load - at the start: everything that nodes may see and the newest stretch of the log from the store into memory, so that nodes go
 * on by deltas. */
#pragma once
#include "controller/nodes/controller_internal.h"

int load_memory(struct controller *c) MUST_CHECK;
