/* store_stats - see store_stats.h. */
#include "controller/store/store_stats.h"

#include "controller/store/store_internal.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static uint64_t size_of(const char *path, const char *suffix)
{
	char name[PATH_MAX];
	struct stat st;

	snprintf(name, sizeof name, "%s%s", path, suffix);
	return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void store_stats(const struct store *store, struct store_stats *ret_stats)
{
	struct statvfs fs;

	*ret_stats = (struct store_stats){ .commits = histogram_read(&store->commits),
					   .size_bytes = size_of(store->path, "") + size_of(store->path, "-wal"),
					   .full = __atomic_load_n(&store->full, __ATOMIC_RELAXED) };
	if (statvfs(store->path, &fs) == 0)
		ret_stats->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
}
