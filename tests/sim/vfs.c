/* vfs - see vfs.h. Shared memory of the WAL is on the heap, one per database of the process; one thread, so its locks only have to
 * be counted. Temporary files are anonymous and die with their handle. */
#include "tests/sim/vfs.h"
#include "tests/sim/disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGIONS_MAX 64
#define PATH_SIZE 200

struct shm {
	struct shm *next;
	char path[PATH_SIZE];
	unsigned refs;
	void *regions[REGIONS_MAX];
	int shared[SQLITE_SHM_NLOCK];
	bool exclusive[SQLITE_SHM_NLOCK];
};

struct file {
	sqlite3_file base;
	struct disk *disk; /* NULL: a temporary file */
	struct inode *inode;
	struct shm *shm;
	char path[PATH_SIZE], folder[PATH_SIZE];
	bool new_name, removes;
	uint8_t *temp;
	size_t temp_len, temp_cap;
	uint16_t shared, exclusive; /* locks of ours */
};

static struct shm *shms;
static uint64_t vfs_random;

static struct file *of(sqlite3_file *f)
{
	return (struct file *)f;
}

static int code(int e, int otherwise)
{
	return e == 0 ? SQLITE_OK : e == -ENOSPC ? SQLITE_FULL : otherwise;
}

static int vfs_close(sqlite3_file *base)
{
	struct file *f = of(base);

	if (f->inode)
		disk_close(f->disk, f->inode);
	if (f->removes && f->disk && disk_remove(f->disk, f->path) < 0)
		f->removes = false;
	free(f->temp);
	return SQLITE_OK;
}

static int vfs_read(sqlite3_file *base, void *bytes, int n, sqlite3_int64 at)
{
	struct file *f = of(base);
	size_t got = 0;

	if (f->inode && disk_is_dead(f->disk))
		return SQLITE_IOERR_READ;
	if (f->inode) {
		got = disk_read(f->inode, (size_t)at, bytes, (size_t)n);
	} else if ((size_t)at < f->temp_len) {
		got = f->temp_len - (size_t)at < (size_t)n ? f->temp_len - (size_t)at : (size_t)n;
		memcpy(bytes, f->temp + at, got);
	}
	if (got == (size_t)n)
		return SQLITE_OK;
	memset((uint8_t *)bytes + got, 0, (size_t)n - got);
	return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *base, const void *bytes, int n, sqlite3_int64 at)
{
	struct file *f = of(base);
	size_t end = (size_t)at + (size_t)n;

	if (f->inode)
		return code(disk_write(f->disk, f->inode, (size_t)at, bytes, (size_t)n), SQLITE_IOERR_WRITE);
	if (end > f->temp_cap) {
		f->temp_cap = 2 * end;
		f->temp = realloc(f->temp, f->temp_cap);
		if (!f->temp)
			return SQLITE_NOMEM;
	}
	if (end > f->temp_len) {
		memset(f->temp + f->temp_len, 0, end - f->temp_len);
		f->temp_len = end;
	}
	memcpy(f->temp + at, bytes, (size_t)n);
	return SQLITE_OK;
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct file *f = of(base);

	if (f->inode)
		return code(disk_truncate(f->disk, f->inode, (size_t)size), SQLITE_IOERR_TRUNCATE);
	if ((size_t)size < f->temp_len)
		f->temp_len = (size_t)size;
	return SQLITE_OK;
}

/* As SQLite's own VFS does: the first sync of a new journal also syncs its folder. */
static int vfs_sync(sqlite3_file *base, int flags)
{
	struct file *f = of(base);
	int e;

	(void)flags;
	if (!f->inode)
		return SQLITE_OK;
	e = disk_sync(f->disk, f->inode);
	if (e == 0 && f->new_name) {
		e = disk_sync_folder(f->disk, f->folder);
		f->new_name = e != 0;
	}
	return code(e, SQLITE_IOERR_FSYNC);
}

static int vfs_size(sqlite3_file *base, sqlite3_int64 *ret)
{
	struct file *f = of(base);

	*ret = (sqlite3_int64)(f->inode ? disk_size(f->inode) : f->temp_len);
	return SQLITE_OK;
}

static int vfs_lock(sqlite3_file *base, int level)
{
	(void)base;
	(void)level;
	return SQLITE_OK;
}

static int vfs_check_lock(sqlite3_file *base, int *ret)
{
	(void)base;
	*ret = 0;
	return SQLITE_OK;
}

static int vfs_control(sqlite3_file *base, int op, void *arg)
{
	(void)base;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int vfs_sector(sqlite3_file *base)
{
	(void)base;
	return 4096;
}

static int vfs_traits(sqlite3_file *base)
{
	(void)base;
	/* As SQLite's own VFS for Unix promises: a write harms nothing beside it. Nothing more, not that a sector is written whole. */
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- the WAL's shared memory ---- */

static struct shm *shm_of(struct file *f)
{
	struct shm *s = shms;

	while (s && strcmp(s->path, f->path))
		s = s->next;
	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s)
			return NULL;
		snprintf(s->path, sizeof s->path, "%s", f->path);
		s->next = shms;
		shms = s;
	}
	s->refs++;
	return s;
}

static void shm_free(struct shm *s)
{
	for (struct shm **p = &shms; *p; p = &(*p)->next)
		if (*p == s) {
			*p = s->next;
			break;
		}
	for (size_t i = 0; i < REGIONS_MAX; i++)
		free(s->regions[i]);
	free(s);
}

static int shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret)
{
	struct file *f = of(base);

	if (!f->shm)
		f->shm = shm_of(f);
	*ret = NULL;
	if (!f->shm || region >= REGIONS_MAX)
		return SQLITE_NOMEM;
	if (!f->shm->regions[region] && extend)
		f->shm->regions[region] = calloc(1, (size_t)size);
	*ret = f->shm->regions[region];
	return SQLITE_OK;
}

static bool shm_is_free(const struct file *f, int at, bool for_exclusive)
{
	const struct shm *s = f->shm;
	bool own = f->exclusive & (1u << at);
	int others = s->shared[at] - ((f->shared >> at) & 1);

	return (!s->exclusive[at] || own) && (!for_exclusive || others == 0);
}

static void shm_set(struct file *f, int at, bool exclusive, bool on)
{
	uint16_t *own = exclusive ? &f->exclusive : &f->shared;
	bool had = *own & (1u << at);

	*own = (uint16_t)(on ? *own | (1u << at) : *own & ~(1u << at));
	if (exclusive)
		f->shm->exclusive[at] = on;
	else if (had != on)
		f->shm->shared[at] += on ? 1 : -1;
}

static int shm_lock(sqlite3_file *base, int first, int n, int flags)
{
	struct file *f = of(base);
	bool exclusive = flags & SQLITE_SHM_EXCLUSIVE, on = flags & SQLITE_SHM_LOCK;

	for (int i = first; i < first + n && on; i++)
		if (!shm_is_free(f, i, exclusive))
			return SQLITE_BUSY;
	for (int i = first; i < first + n; i++)
		shm_set(f, i, exclusive, on);
	return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
	(void)base;
}

static int shm_unmap(sqlite3_file *base, int remove)
{
	struct file *f = of(base);

	(void)remove;
	if (!f->shm)
		return SQLITE_OK;
	for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
		if (f->shared & (1u << i))
			shm_set(f, i, false, false);
		if (f->exclusive & (1u << i))
			shm_set(f, i, true, false);
	}
	if (!--f->shm->refs)
		shm_free(f->shm);
	f->shm = NULL;
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = vfs_close,
	.xRead = vfs_read,
	.xWrite = vfs_write,
	.xTruncate = vfs_truncate,
	.xSync = vfs_sync,
	.xFileSize = vfs_size,
	.xLock = vfs_lock,
	.xUnlock = vfs_lock,
	.xCheckReservedLock = vfs_check_lock,
	.xFileControl = vfs_control,
	.xSectorSize = vfs_sector,
	.xDeviceCharacteristics = vfs_traits,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

/* ---- the VFS ---- */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *ret_flags)
{
	struct file *f = of(base);
	bool existed;
	int e;

	(void)vfs;
	*f = (struct file){ .base.pMethods = NULL };
	if (ret_flags)
		*ret_flags = flags;
	if (!path) {
		f->base.pMethods = &methods;
		return SQLITE_OK;
	}
	f->disk = disk_of(path);
	if (!f->disk)
		return SQLITE_CANTOPEN;
	existed = disk_has(f->disk, path);
	f->inode = disk_open(f->disk, path, flags & SQLITE_OPEN_CREATE, flags & SQLITE_OPEN_EXCLUSIVE, &e);
	if (!f->inode)
		return e == -ENOSPC ? SQLITE_FULL : e == -EIO ? SQLITE_IOERR : SQLITE_CANTOPEN;
	snprintf(f->path, sizeof f->path, "%s", path);
	snprintf(f->folder, sizeof f->folder, "%s", path);
	*strrchr(f->folder, '/') = 0;
	f->new_name = !existed && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL));
	f->removes = flags & SQLITE_OPEN_DELETEONCLOSE;
	f->base.pMethods = &methods;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
	struct disk *d = disk_of(path);
	char folder[PATH_SIZE];
	int e = d ? disk_remove(d, path) : -ENOENT;

	(void)vfs;
	snprintf(folder, sizeof folder, "%s", path);
	*strrchr(folder, '/') = 0;
	if (e == 0 && sync_folder)
		e = disk_sync_folder(d, folder);
	return e == -ENOENT ? SQLITE_IOERR_DELETE_NOENT : code(e, SQLITE_IOERR_DELETE);
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
	const struct disk *d = disk_of(path);

	(void)vfs;
	(void)flags;
	*ret = d && disk_has(d, path);
	return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int size, char *ret)
{
	(void)vfs;
	snprintf(ret, (size_t)size, "%s", path);
	return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *ret)
{
	(void)vfs;
	for (int i = 0; i < n; i++) {
		vfs_random = vfs_random * 6364136223846793005u + 1442695040888963407u;
		ret[i] = (char)(vfs_random >> 56);
	}
	return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int vfs_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	*ret = 2460000.5;
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *ret)
{
	(void)vfs;
	(void)n;
	(void)ret;
	return 0;
}

void vfs_install(void)
{
	static sqlite3_vfs vfs = {
		.iVersion = 1,
		.szOsFile = sizeof(struct file),
		.mxPathname = PATH_SIZE - 20,
		.zName = "sim",
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_path,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_last_error,
	};

	sqlite3_vfs_register(&vfs, 1);
}

void vfs_seed(unsigned long long seed)
{
	vfs_random = seed;
	sqlite3_randomness(0, NULL); /* SQLite asks for a new seed */
}
