/* sysctl - kernel settings below /proc/sys, with a ledger of what we changed so that it can be put back.
 *
 * Names are paths below /proc/sys with slashes ("net/ipv6/conf/eth0.100/accept_ra"): dots are legal in interface names. Names
 * below net/ are those of the calling thread's network namespace (netns.h for another one). */
#pragma once
#include "lib/base/err.h"

#define SYSCTL_NAME_MAX 128
#define SYSCTL_VALUE_MAX 64

struct sysctl_change {
	char name[SYSCTL_NAME_MAX];
	char old_value[SYSCTL_VALUE_MAX]; /* before our first change */
	char new_value[SYSCTL_VALUE_MAX];
};

struct sysctl_ledger {
	struct sysctl_change *changes; /* in the order in which they were made */
	size_t n, cap;
};

/* The value without its line end. -ENOENT: this kernel has no such setting. -EINVAL: not a name as described above. */
int sysctl_read(const char *name, char *ret_value, size_t size);
int sysctl_write(const char *name, const char *value);
/* Notes the change in the ledger and makes none: SYSCTL_DIFFERS; 0 if the setting has the value already. The ledger is saved between
 * this and the change, so that no crash leaves a change that nobody remembers. */
enum { SYSCTL_DIFFERS = 1 };
int sysctl_ledger_plan(struct sysctl_ledger *ledger, const char *name, const char *value);
/* sysctl_ledger_plan, then the change. */
int sysctl_ledger_set(struct sysctl_ledger *ledger, const char *name, const char *value);
/* Notes a setting that we do not touch but that putting back a later one of the ledger turns from `value` to `becomes`
 * (conf/all/forwarding does that to every device): it is then put back too. */
int sysctl_ledger_expect(struct sysctl_ledger *ledger, const char *name, const char *value, const char *becomes);
/* Puts back in reverse order whatever still has the value we gave it, and empties the ledger. What somebody else changed since
 * stays as it is and is counted in *ret_left (may be NULL), as is what has vanished. */
int sysctl_ledger_restore(struct sysctl_ledger *ledger, size_t *ret_left);
void sysctl_ledger_deinit(struct sysctl_ledger *ledger);
/* The ledger as a JSON file, so that it survives the daemon. Loading replaces; a missing file is an empty ledger; a file that
 * is none of ours is E_REFUSED with why. */
int sysctl_ledger_save(const struct sysctl_ledger *ledger, const char *path);
int sysctl_ledger_load(struct sysctl_ledger *ledger, const char *path, struct why *why);
