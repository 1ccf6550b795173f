/* backup_dir - see backup_dir.h. */
#include "controller/store/backup_dir.h"

#include "lib/base/file.h"
#include "lib/base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HALF_MADE ".sixpn-backup-"
#define FILES_MAX 10000 /* more than anybody keeps; a list has to end */

void backup_name(uint64_t made_ms, uint64_t v, char ret_name[BACKUP_NAME_SIZE])
{
	time_t seconds = (time_t)(made_ms / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof text, "%Y%m%dT%H%M%S", &tm);
	snprintf(ret_name, BACKUP_NAME_SIZE, "sixpn-%s.%03uZ-v%llu" BACKUP_SUFFIX, text, (unsigned)(made_ms % 1000),
		 (unsigned long long)v);
}

static bool is_backup_name(const char *name)
{
	size_t n = strlen(name), suffix = strlen(BACKUP_SUFFIX);

	return name[0] != '.' && n > suffix && n < BACKUP_NAME_SIZE && !strcmp(name + n - suffix, BACKUP_SUFFIX);
}

int backup_dir_path(const char *dir, const char *what, char *ret_path, size_t size)
{
	return (size_t)snprintf(ret_path, size, "%s/" HALF_MADE "%s", dir, what) < size ? 0 : -ENAMETOOLONG;
}

static void look_at(const char *dir, const char *name, struct backup_info *ret)
{
	struct backup_header h;
	struct why why = { 0 };
	struct stat st;
	char path[PATH_MAX];
	int r;

	*ret = (struct backup_info){ .good = false };
	snprintf(ret->name, sizeof ret->name, "%s", name);
	snprintf(path, sizeof path, "%s/%s", dir, name);
	r = backup_peek(path, &h, &ret->size, &why);
	if (r == 0) {
		ret->good = true;
		ret->v = h.v;
		ret->epoch = h.epoch;
		ret->made_ms = h.made_ms;
		crypto_wipe(&h, sizeof h);
		return;
	}
	ret->size = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
	snprintf(ret->problem, sizeof ret->problem, "%.190s", r > 0 ? why.text : strerror(-r));
}

static int newest_first(const void *a, const void *b)
{
	const struct backup_info *x = a, *y = b;

	if (x->made_ms != y->made_ms)
		return x->made_ms < y->made_ms ? 1 : -1;
	return strcmp(y->name, x->name);
}

static int add(struct backup_info **list, size_t *n, size_t *cap, const char *dir, const char *name)
{
	if (*n == *cap) {
		size_t more = *cap ? 2 * *cap : 16;
		struct backup_info *grown = realloc(*list, more * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		*list = grown;
		*cap = more;
	}
	look_at(dir, name, &(*list)[(*n)++]);
	return 0;
}

int backup_dir_list(const char *dir, struct backup_info **ret_list, size_t *ret_n)
{
	struct backup_info *list = NULL;
	struct dirent *entry;
	size_t n = 0, cap = 0;
	DIR *d = opendir(dir);
	int r = 0;

	if (!d && errno != ENOENT)
		return -errno;
	while (d && r == 0 && n < FILES_MAX && (entry = readdir(d)))
		if (is_backup_name(entry->d_name))
			r = add(&list, &n, &cap, dir, entry->d_name);
	if (d)
		closedir(d);
	if (r != 0) {
		free(list);
		return r;
	}
	if (n)
		qsort(list, n, sizeof *list, newest_first);
	*ret_list = list;
	*ret_n = n;
	return 0;
}

unsigned backup_dir_prune(const char *dir, unsigned keep, const char *spare)
{
	CLEAN_FREE struct backup_info *list = NULL;
	unsigned kept = 0, removed = 0;
	size_t n = 0;
	char path[PATH_MAX];

	if (!keep)
		return 0;
	if (backup_dir_list(dir, &list, &n) < 0) {
		log_warn("backup", "%s cannot be read, nothing is removed from it", dir);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (!list[i].good) /* what is broken is for people to look at */
			continue;
		if (kept++ < keep || !strcmp(list[i].name, spare))
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, list[i].name);
		if (unlink(path) == 0)
			removed++;
		else
			log_warn("backup", "%s cannot be removed: %s", path, strerror(errno));
	}
	if (removed && file_sync_dir_of(path) < 0)
		log_warn("backup", "cannot sync %s, ignoring", dir);
	return removed;
}

void backup_dir_sweep(const char *dir)
{
	static const char *const kinds[] = { "copy", "copy-journal", "copy-wal", "copy-shm", "new", "scratch" };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (backup_dir_path(dir, kinds[i], path, sizeof path) == 0 && unlink(path) == 0)
			log_info("backup", "removed %s, which was half made", path);
}
