/* libc - the file seam: the product's own calls of the C library for files, put in front of it by the linker (--wrap). A path below
 * the root of a simulated disk goes to that disk, everything else to the real function. So what runs here are the very calls that
 * the daemons make, with every fsync that is there and every one that is not. */
#include "tests/sim/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FD_FIRST (1 << 24)
#define FDS_MAX 64

struct open_file {
	struct disk *disk;
	struct inode *inode; /* NULL: a folder */
	char path[200];
	size_t at;
	bool used, appends;
};

struct open_folder {
	struct disk *disk;
	char path[200];
	size_t at;
	struct dirent entry;
};

static struct open_file files[FDS_MAX];

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
ssize_t __real_read(int fd, void *bytes, size_t n);
ssize_t __real_write(int fd, const void *bytes, size_t n);
off_t __real_lseek(int fd, off_t at, int whence);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate(int fd, off_t size);
int __real_truncate(const char *path, off_t size);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __real_remove(const char *path);
int __real_mkdir(const char *path, mode_t mode);
int __real_chmod(const char *path, mode_t mode);
int __real_fchmod(int fd, mode_t mode);
int __real_flock(int fd, int operation);
int __real_stat(const char *path, struct stat *ret);
DIR *__real_opendir(const char *path);
struct dirent *__real_readdir(DIR *dir);
int __real_closedir(DIR *dir);
int __real_nftw(const char *path, __nftw_func_t each, int fds, int flags);

static int result(int r)
{
	if (r < 0) {
		errno = -r;
		return -1;
	}
	return r;
}

static struct open_file *file_of(int fd)
{
	return fd >= FD_FIRST && fd < FD_FIRST + FDS_MAX && files[fd - FD_FIRST].used ? &files[fd - FD_FIRST] : NULL;
}

/* A descriptor of nothing, to be closed. */
int sim_fd(void)
{
	return FD_FIRST + FDS_MAX;
}

static int open_on(struct disk *d, const char *path, int flags)
{
	size_t fd = 0;
	int e = 0;
	struct inode *i = NULL;
	bool folder = disk_is_folder(d, path);

	while (fd < FDS_MAX && files[fd].used)
		fd++;
	if (fd == FDS_MAX)
		return -EMFILE;
	if (flags & O_DIRECTORY)
		e = folder ? 0 : -ENOTDIR;
	else if (folder)
		e = -EISDIR;
	else
		i = disk_open(d, path, flags & O_CREAT, (flags & O_CREAT) && (flags & O_EXCL), &e);
	if (e < 0)
		return e;
	if (i && (flags & O_TRUNC) && disk_size(i))
		e = disk_truncate(d, i, 0);
	if (e < 0) {
		disk_close(d, i);
		return e;
	}
	files[fd] = (struct open_file){ .disk = d, .inode = i, .used = true, .appends = flags & O_APPEND };
	snprintf(files[fd].path, sizeof files[fd].path, "%s", path);
	return FD_FIRST + (int)fd;
}

int __wrap_open(const char *path, int flags, ...)
{
	struct disk *d = disk_of(path);
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return d ? result(open_on(d, path, flags)) : __real_open(path, flags, mode);
}

int __wrap_close(int fd)
{
	struct open_file *f = file_of(fd);

	if (fd >= FD_FIRST + FDS_MAX)
		return 0;
	if (!f)
		return __real_close(fd);
	if (f->inode)
		disk_close(f->disk, f->inode);
	f->used = false;
	return 0;
}

ssize_t __wrap_read(int fd, void *bytes, size_t n)
{
	struct open_file *f = file_of(fd);

	if (!f)
		return __real_read(fd, bytes, n);
	n = disk_read(f->inode, f->at, bytes, n);
	f->at += n;
	return (ssize_t)n;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
	struct open_file *f = file_of(fd);
	int r;

	if (!f)
		return __real_write(fd, bytes, n);
	if (f->appends)
		f->at = disk_size(f->inode);
	r = disk_write(f->disk, f->inode, f->at, bytes, n);
	if (r < 0)
		return result(r);
	f->at += n;
	return (ssize_t)n;
}

off_t __wrap_lseek(int fd, off_t at, int whence)
{
	struct open_file *f = file_of(fd);

	if (!f)
		return __real_lseek(fd, at, whence);
	f->at = (size_t)(whence == SEEK_SET ? at : whence == SEEK_CUR ? (off_t)f->at + at : (off_t)disk_size(f->inode) + at);
	return (off_t)f->at;
}

static int sync_file(const struct open_file *f)
{
	return f->inode ? disk_sync(f->disk, f->inode) : disk_sync_folder(f->disk, f->path);
}

int __wrap_fsync(int fd)
{
	struct open_file *f = file_of(fd);

	return f ? result(sync_file(f)) : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
	struct open_file *f = file_of(fd);

	return f ? result(sync_file(f)) : __real_fdatasync(fd);
}

int __wrap_ftruncate(int fd, off_t size)
{
	struct open_file *f = file_of(fd);

	return f ? result(disk_truncate(f->disk, f->inode, (size_t)size)) : __real_ftruncate(fd, size);
}

int __wrap_truncate(const char *path, off_t size)
{
	struct disk *d = disk_of(path);
	struct inode *i;
	int e;

	if (!d)
		return __real_truncate(path, size);
	i = disk_open(d, path, false, false, &e);
	if (i) {
		e = disk_truncate(d, i, (size_t)size);
		disk_close(d, i);
	}
	return result(e);
}

int __wrap_rename(const char *from, const char *to)
{
	struct disk *d = disk_of(from);

	return d ? result(disk_rename(d, from, to)) : __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
	struct disk *d = disk_of(path);

	return d ? result(disk_remove(d, path)) : __real_unlink(path);
}

int __wrap_remove(const char *path)
{
	struct disk *d = disk_of(path);

	return d ? result(disk_remove(d, path)) : __real_remove(path);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	struct disk *d = disk_of(path);

	if (d)
		return result(disk_make_folder(d, path));
	if (!strcmp(path, "/sim"))
		return result(-EEXIST);
	return __real_mkdir(path, mode);
}

int __wrap_chmod(const char *path, mode_t mode)
{
	struct disk *d = disk_of(path);

	return d ? result(disk_has(d, path) ? 0 : -ENOENT) : __real_chmod(path, mode);
}

int __wrap_fchmod(int fd, mode_t mode)
{
	return file_of(fd) ? 0 : __real_fchmod(fd, mode);
}

/* One program per simulated file: locks are never contended. */
int __wrap_flock(int fd, int operation)
{
	return file_of(fd) ? 0 : __real_flock(fd, operation);
}

int __wrap_stat(const char *path, struct stat *ret)
{
	struct disk *d = disk_of(path);
	int e;
	struct inode *i;

	if (!d && strcmp(path, "/sim"))
		return __real_stat(path, ret);
	*ret = (struct stat){ .st_mode = S_IFDIR | 0700 };
	if (!d || disk_is_folder(d, path))
		return 0;
	i = disk_open(d, path, false, false, &e);
	if (!i)
		return result(e);
	ret->st_mode = S_IFREG | 0600;
	ret->st_size = (off_t)disk_size(i);
	disk_close(d, i);
	return 0;
}

/* Folders that are read are marked by their place in a table of their own. */
static struct open_folder folders[4];
static bool folder_used[4];

static struct open_folder *folder_of(DIR *dir)
{
	const char *at = (const char *)dir;

	return at >= (const char *)folders && at < (const char *)(folders + ARRAY_LEN(folders)) ? (struct open_folder *)dir : NULL;
}

DIR *__wrap_opendir(const char *path)
{
	struct disk *d = disk_of(path);

	if (!d)
		return __real_opendir(path);
	for (size_t i = 0; i < ARRAY_LEN(folders) && disk_is_folder(d, path); i++)
		if (!folder_used[i]) {
			folder_used[i] = true;
			folders[i] = (struct open_folder){ .disk = d };
			snprintf(folders[i].path, sizeof folders[i].path, "%s", path);
			return (DIR *)&folders[i];
		}
	errno = ENOENT;
	return NULL;
}

struct dirent *__wrap_readdir(DIR *dir)
{
	struct open_folder *f = folder_of(dir);
	const char *name;

	if (!f)
		return __real_readdir(dir);
	name = disk_entry(f->disk, f->path, f->at++);
	if (!name)
		return NULL;
	snprintf(f->entry.d_name, sizeof f->entry.d_name, "%s", name);
	return &f->entry;
}

int __wrap_closedir(DIR *dir)
{
	struct open_folder *f = folder_of(dir);

	if (!f)
		return __real_closedir(dir);
	folder_used[f - folders] = false;
	return 0;
}

/* Depth first, as with FTW_DEPTH, which is how it is used here. */
int __wrap_nftw(const char *path, __nftw_func_t each, int fds, int flags)
{
	struct disk *d = disk_of(path);
	struct stat st = { 0 };
	struct FTW at = { 0 };
	const char *name;
	size_t n = 0;

	if (!d)
		return __real_nftw(path, each, fds, flags);
	if (!disk_has(d, path))
		return result(-ENOENT);
	while (disk_is_folder(d, path) && (name = disk_entry(d, path, n))) {
		char below[400];
		int r;

		snprintf(below, sizeof below, "%s/%s", path, name);
		r = __wrap_nftw(below, each, fds, flags);
		if (r)
			return r;
		if (disk_has(d, below))
			n++; /* it was not removed */
	}
	return each(path, &st, disk_is_folder(d, path) ? FTW_DP : FTW_F, &at);
}
