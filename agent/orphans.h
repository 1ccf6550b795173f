/* orphans - processes that outlive the shim that should have ended them: a shim can end its family, but not after its own SIGKILL.
 * They are found by their network namespace, which was made for the instance and for nobody else. */
#pragma once
#include <stdbool.h>

/* Is it the namespace that we live in ourselves? Then it is no instance's (a shim that has not made its own yet). True also on doubt. */
bool orphans_is_ours(int netns_fd);
/* SIGKILL to every process in the namespace, again until none is left. netns_fd must have been held since the instance lived, so that
 * the namespace cannot be another by now. -EBUSY: some do not go (in the kernel, or forking faster); -EINVAL: it is our own. */
int orphans_kill(int netns_fd);
