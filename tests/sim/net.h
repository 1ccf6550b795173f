/* net - the network between simulated machines: lib/link/memory, with what happens to frames on their way, and with plugs at both
 * ends, so that it is known whose code runs and the dead say nothing. */
#pragma once
#include "tests/sim/world.h"

void net_make(struct world *w);
void net_plug_in(struct host *h, struct plug *p);
