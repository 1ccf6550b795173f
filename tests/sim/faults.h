/* faults - what goes wrong in a run: crashes at sync points, dead links, full disks, jumping clocks, stores that are rolled back. */
#pragma once
#include "tests/sim/world.h"

void faults_act(struct world *w); /* one more */
struct ctl *faults_writer(const struct world *w); /* the controller whose store is the cluster's */
void faults_end(struct world *w); /* all of them are over: everything that may run runs again */
