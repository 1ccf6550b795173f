/* offline - what sixpn-controller does with a store or a backup while no controller runs on it: verify a backup, restore one, check a
 * store. The `sixpn` command calls it. One JSON object on standard output: what was found, or {"error":{"code","message"}}. */
#pragma once
#include "lib/base/config.h"

/* Is it one of "verify-backup", "restore-backup", "check-store", "verify-audit"? */
bool offline_is_verb(const char *verb);
/* args: the words after the verb. Returns the exit status. */
int offline_run(const struct config *config, const char *verb, int n_args, char *const *args);
/* The folder of the backups by the settings. */
int offline_backup_dir(const struct config *config, char *ret_path, size_t size) MUST_CHECK;
