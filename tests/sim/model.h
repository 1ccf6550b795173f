/* model - the workload of a run, and what it remembers of it: the simulator's own idea of what was acknowledged. */
#pragma once
#include "tests/sim/world.h"

struct model *model_new(void);
struct model *model_free(struct model *m);
void model_begin(struct world *w); /* regions, a join token, the first orgs */
void model_act(struct world *w);   /* one operation */
uint64_t model_acknowledged_v(const struct model *m); /* of the log that is written now */
void model_forget(struct model *m); /* the store was rolled back: what was acknowledged counts no more */
/* Every instance whose last operation was answered is in the log as it was answered. */
void model_check(struct world *w, const struct archive *a);
/* May be called once all faults are over: nothing is asked for any more. */
bool model_waits(const struct model *m);
