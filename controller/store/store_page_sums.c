/* store_page_sums - see store_page_sums.h. */
#include "controller/store/store_page_sums.h"

#include "lib/base/buf.h"
#include "lib/base/crypto.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SWITCH 0x73780001 /* our file control */
#define PAGE_MAX 65536

struct file {
	sqlite3_file base;
	bool is_main;
	enum page_sums_mode mode;
	sqlite3_file *real; /* behind this struct */
};

static struct file *of(sqlite3_file *f)
{
	return (struct file *)f;
}

/* ---- digests ---- */

static void sum_of(const uint8_t *page, int n, sqlite3_int64 at, uint8_t ret_sum[PAGE_SUM_LEN])
{
	uint8_t where[8], hash[CRYPTO_HASH_LEN];
	struct crypto_part parts[] = { { page, (size_t)n - PAGE_SUM_LEN }, { where, sizeof where } };

	put_u64(where, (uint64_t)at); /* a page that came to the wrong place is wrong */
	crypto_blake2b(NULL, 0, parts, ARRAY_LEN(parts), hash);
	memcpy(ret_sum, hash, PAGE_SUM_LEN);
}

static bool is_page(const struct file *f, int n, sqlite3_int64 at)
{
	return f->is_main && f->mode != PAGE_SUMS_OFF && n >= 512 && n <= PAGE_MAX && !(n & (n - 1)) && at % n == 0;
}

static bool is_zero(const uint8_t *bytes, int n)
{
	return bytes[0] == 0 && !memcmp(bytes, bytes + 1, (size_t)n - 1);
}

static bool is_right(const struct file *f, const uint8_t *page, int n, sqlite3_int64 at)
{
	uint8_t sum[PAGE_SUM_LEN];

	sum_of(page, n, at, sum);
	return !memcmp(page + n - PAGE_SUM_LEN, sum, sizeof sum) || (f->mode != PAGE_SUMS_STRICT && is_zero(page, n));
}

/* ---- the file ---- */

static int file_close(sqlite3_file *base)
{
	sqlite3_file *real = of(base)->real;
	int code = real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;

	base->pMethods = NULL;
	return code;
}

static int file_read(sqlite3_file *base, void *bytes, int n, sqlite3_int64 at)
{
	struct file *f = of(base);
	int code = f->real->pMethods->xRead(f->real, bytes, n, at);

	if (code == SQLITE_OK && f->mode >= PAGE_SUMS_BOTH && is_page(f, n, at) && !is_right(f, bytes, n, at))
		return SQLITE_IOERR_DATA;
	return code;
}

/* A quota, a limit on files, or no room for the WAL's index: SQLite calls none of these a full disk, and by the time that it returns,
 * errno is of something else. */
static int room_or(int code, int e)
{
	return (code & 0xff) == SQLITE_IOERR && (e == ENOSPC || e == EDQUOT || e == EFBIG) ? SQLITE_FULL : code;
}

static int last_errno(sqlite3_file *real)
{
	int e = 0;

	real->pMethods->xFileControl(real, SQLITE_FCNTL_LAST_ERRNO, &e);
	return e;
}

static int write_real(struct file *f, const void *bytes, int n, sqlite3_int64 at)
{
	int code = f->real->pMethods->xWrite(f->real, bytes, n, at);

	return code == SQLITE_OK ? code : room_or(code, last_errno(f->real));
}

static int file_write(sqlite3_file *base, const void *bytes, int n, sqlite3_int64 at)
{
	struct file *f = of(base);
	uint8_t *page;
	int code;

	if (!is_page(f, n, at))
		return write_real(f, bytes, n, at);
	page = malloc((size_t)n); /* SQLite's own copy stays as it is */
	if (!page)
		return SQLITE_IOERR_NOMEM;
	memcpy(page, bytes, (size_t)n - PAGE_SUM_LEN);
	sum_of(page, n, at, page + n - PAGE_SUM_LEN);
	code = write_real(f, page, n, at);
	free(page);
	return code;
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
	struct file *f = of(base);

	if (op != SWITCH)
		return f->real->pMethods->xFileControl(f->real, op, arg);
	f->mode = *(const enum page_sums_mode *)arg;
	return SQLITE_OK;
}

#define FORWARD(name, method, params, args)                    \
	static int name params                                 \
	{                                                      \
		sqlite3_file *real = of(base)->real;           \
		return real->pMethods->method args;            \
	}
FORWARD(file_truncate, xTruncate, (sqlite3_file * base, sqlite3_int64 size), (real, size))
FORWARD(file_sync, xSync, (sqlite3_file * base, int flags), (real, flags))
FORWARD(file_size, xFileSize, (sqlite3_file * base, sqlite3_int64 *ret), (real, ret))
FORWARD(file_lock, xLock, (sqlite3_file * base, int level), (real, level))
FORWARD(file_unlock, xUnlock, (sqlite3_file * base, int level), (real, level))
FORWARD(file_check_lock, xCheckReservedLock, (sqlite3_file * base, int *ret), (real, ret))
FORWARD(file_sector, xSectorSize, (sqlite3_file * base), (real))
FORWARD(file_traits, xDeviceCharacteristics, (sqlite3_file * base), (real))
FORWARD(file_shm_lock, xShmLock, (sqlite3_file * base, int first, int n, int flags), (real, first, n, flags))
FORWARD(file_shm_unmap, xShmUnmap, (sqlite3_file * base, int remove), (real, remove))

static int file_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret)
{
	sqlite3_file *real = of(base)->real;
	int code;

	errno = 0;
	code = real->pMethods->xShmMap(real, region, size, extend, ret);
	return room_or(code, errno);
}

static void file_shm_barrier(sqlite3_file *base)
{
	sqlite3_file *real = of(base)->real;

	real->pMethods->xShmBarrier(real);
}

/* Version 2: with the WAL's shared memory, without memory-mapped pages, which nobody could compare. */
static const sqlite3_io_methods methods = {
	.iVersion = 2, .xClose = file_close, .xRead = file_read, .xWrite = file_write, .xTruncate = file_truncate, .xSync = file_sync,
	.xFileSize = file_size, .xLock = file_lock, .xUnlock = file_unlock, .xCheckReservedLock = file_check_lock,
	.xFileControl = file_control, .xSectorSize = file_sector, .xDeviceCharacteristics = file_traits, .xShmMap = file_shm_map,
	.xShmLock = file_shm_lock, .xShmBarrier = file_shm_barrier, .xShmUnmap = file_shm_unmap,
};

/* ---- the VFS ---- */

static sqlite3_vfs *real_of(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
	struct file *f = of(base);
	int code;

	*f = (struct file){ .is_main = flags & SQLITE_OPEN_MAIN_DB, .real = (sqlite3_file *)(f + 1) };
	f->real->pMethods = NULL;
	code = real_of(vfs)->xOpen(real_of(vfs), name, f->real, flags, ret_flags);
	base->pMethods = f->real->pMethods ? &methods : NULL;
	return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	return real_of(vfs)->xDelete(real_of(vfs), name, sync);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	return real_of(vfs)->xAccess(real_of(vfs), name, flags, ret);
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
	return real_of(vfs)->xFullPathname(real_of(vfs), name, size, ret);
}

static int vfs_random(sqlite3_vfs *vfs, int n, char *ret)
{
	return real_of(vfs)->xRandomness(real_of(vfs), n, ret);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	return real_of(vfs)->xSleep(real_of(vfs), us);
}

static int vfs_time(sqlite3_vfs *vfs, double *ret)
{
	return real_of(vfs)->xCurrentTime(real_of(vfs), ret);
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *ret)
{
	return real_of(vfs)->xGetLastError ? real_of(vfs)->xGetLastError(real_of(vfs), n, ret) : 0;
}

static sqlite3_vfs ours = {
	.iVersion = 1, .zName = "sixpn-page-sums", .xOpen = vfs_open, .xDelete = vfs_delete, .xAccess = vfs_access,
	.xFullPathname = vfs_full_name, .xRandomness = vfs_random, .xSleep = vfs_sleep, .xCurrentTime = vfs_time,
	.xGetLastError = vfs_last_error,
};
static int registered = SQLITE_ERROR;

static void register_ours(void)
{
	sqlite3_vfs *real;

	sqlite3_initialize();
	real = sqlite3_vfs_find(NULL);
	if (!real)
		return;
	ours.pAppData = real;
	ours.szOsFile = (int)sizeof(struct file) + real->szOsFile;
	ours.mxPathname = real->mxPathname;
	registered = sqlite3_vfs_register(&ours, 0);
}

const char *page_sums_vfs(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_ours);
	return registered == SQLITE_OK ? ours.zName : NULL;
}

int page_sums_switch(sqlite3 *db, enum page_sums_mode mode)
{
	return sqlite3_file_control(db, "main", SWITCH, &mode);
}
