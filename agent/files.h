/* files - what the instance finds in its file tree: generated files below <folder of the instance>/files, bound over their
 * places by the shim (DESIGN 8, "What the instance finds"). Rewritten in place, never replaced, because a bind shows the file
 * and not its name: so an instance that runs sees the change. */
#pragma once
#include "agent/launch.h"

/* The texts themselves. */
void files_hosts(const struct launch_facts *facts, struct buf *ret_text);
void files_resolv_conf(struct buf *ret_text);
void files_hostname(const struct launch_facts *facts, struct buf *ret_text);
void files_nsswitch_conf(struct buf *ret_text);

/* Writes the generated files and the workload's own below `folder`/files and adds their binds to the launch. A file that has
 * its content already is not touched. */
int files_write(const char *folder, const struct launch_facts *facts, const struct spec *spec, struct launch *launch) MUST_CHECK;
/* Removes the folder of an instance with all that this room puts there; what is not there is fine. */
int files_remove(const char *folder);
