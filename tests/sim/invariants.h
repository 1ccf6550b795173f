/* invariants - I1 to I8 of the control plane, checked from the archive. A violation ends the run (world_fail). */
#pragma once
#include "tests/sim/world.h"

/* One comparison of a copy with the log at V. `until`: how far the controller may have been when it sent. */
struct comparison {
	const struct host *host;
	const struct archive *a;
	const struct replica *r;
	struct stays stays;
	uint64_t v, until;
	char found[300];
	const char *invariant;
};
/* 0 = it is as it must be; else what is found, and which invariant says so. */
int compare(struct comparison *c);

/* I1, I3: what the host's daemon holds is what the log says at its V. */
void check_replica(struct host *h, const struct replica *r, const char *when);
/* The host's names: none that is there is denied, none leads out of its network. */
void check_names(struct host *h);
/* I7: a wait came back and said "applied". */
void check_wait(struct world *w, uint64_t v, const struct api_wait_result *result);
/* I6 */
void check_bounds(struct world *w);
/* I4: everything has come to rest: all is equal and every desire is reached. */
void check_rest(struct world *w);
/* Has it come to rest? For the end of the run, which waits for it. */
bool is_at_rest(struct world *w, char ret_why[300]);
/* An acknowledged write is in the log of the controller that has just started. */
void check_acknowledged(struct ctl *ctl, const struct archive *before);
/* I5: a controller says that it must stop. */
void check_must_stop(const struct ctl *ctl, const char *reason);
