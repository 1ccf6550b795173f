/* strays - shims that no folder speaks for: one that had not yet said who it is when its daemon ended, or whose folder was removed
 * while it lived. They are found among the processes, by their command line, and known as ours by what they see: the very folder
 * of instances that we see (a daemon in a container may use the same path for another), as the user that we are. */
#pragma once
#include "lib/base/err.h"

/* Ends every shim of a folder below `instances`, with its family, but the one that this folder's identity names. -EBUSY: some do
 * not go. */
int strays_end_all(const char *instances) MUST_CHECK;
/* Ends every shim of this one folder, whoever is named. For a shim whose command has not run. */
int strays_end_of(const char *folder) MUST_CHECK;
