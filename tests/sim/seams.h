/* seams - what the simulator answers in place of others, besides files: the log, libsodium's randomness, the queues to threads that are
 * not there, and RCU, which has nobody to wait for. */
#pragma once
#include "lib/base/err.h"

void seams_prepare(bool with_log); /* once per process, first of all */
void seams_seed(uint64_t seed);
