/* store_ballast - a file of nothing beside the store. On a full disk not even a DELETE succeeds; giving the ballast back makes room
 * for the deletes that make room. */
#include "controller/store/store_internal.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOM_MIN (1u << 20) /* without a ballast: what there must be before writes begin again */

void store_ballast_make(struct store *store)
{
	CLEAN_CLOSE int fd = -1;
	struct stat st;
	int r;

	store->no_ballast = false;
	if (!store->ballast_bytes || (stat(store->ballast_path, &st) == 0 && (uint64_t)st.st_size == store->ballast_bytes))
		return;
	fd = open(store->ballast_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	r = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)store->ballast_bytes);
	if (r == 0)
		return;
	store->no_ballast = true;
	log_warn("store", "no room for the ballast %s: %s, ignoring", store->ballast_path, strerror(r));
	if (fd >= 0)
		unlink(store->ballast_path); /* half a ballast only takes room */
}

void store_ballast_drop(struct store *store)
{
	bool had = store->ballast_bytes && unlink(store->ballast_path) == 0;

	if (!store->full)
		log_err("store", "the disk of %s is full: %s; only deletes are accepted until there is room", store->path,
			had ? "gave the ballast back" : "there is no ballast left");
	store->full = true;
	if (had && file_sync_dir_of(store->ballast_path) < 0)
		log_warn("store", "cannot sync the folder of %s, ignoring", store->ballast_path);
}

bool store_ballast_room(const struct store *store)
{
	struct statvfs fs;
	uint64_t want = store->ballast_bytes ? 2 * store->ballast_bytes : ROOM_MIN;

	return statvfs(store->path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize >= want;
}
