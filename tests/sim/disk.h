/* disk - the disk of one simulated machine: files and folders in memory that know what was synced and what was not.
 *
 * A file has the content that its machine reads (`now`) and the content that a power cut leaves (`safe`); between the two lie the
 * writes since the last sync of it. A folder's entries are the same: creating, renaming and removing are safe only once the folder
 * was synced. disk_cut() is the power cut: of the unsynced writes any may have reached the disk, in any order, and one of them may be
 * torn; of the unsynced entries a prefix has (a file system with a journal keeps their order). Folders themselves, and all below
 * <root>/run (a tmpfs), are not part of this: the first are always safe, the second never.
 *
 * A sync is where a crash counts: disk_crash_at_sync(n) makes the n-th sync from now crash the machine, before or after it takes
 * effect. From then on nothing that the machine's programs do has an effect; they are told EIO until the world notices. */
#pragma once
#include "lib/base/buf.h"

struct disk;
struct inode;

enum disk_failure { DISK_FINE = 0, DISK_FULL, DISK_BROKEN };

struct disk *disk_new(const char *root, uint64_t seed); /* root: "/sim/n0" */
struct disk *disk_free(struct disk *d);
const char *disk_root(const struct disk *d);

/* ---- what programs do (libc.c, vfs.c) ---- */
struct inode *disk_open(struct disk *d, const char *path, bool create, bool exclusive, int *ret_error);
void disk_close(struct disk *d, struct inode *i);
size_t disk_size(const struct inode *i);
size_t disk_read(const struct inode *i, size_t at, void *ret_bytes, size_t n);
int disk_write(struct disk *d, struct inode *i, size_t at, const void *bytes, size_t n);
int disk_truncate(struct disk *d, struct inode *i, size_t size);
int disk_sync(struct disk *d, struct inode *i);
int disk_sync_folder(struct disk *d, const char *folder);
int disk_rename(struct disk *d, const char *from, const char *to);
int disk_remove(struct disk *d, const char *path); /* a file, or an empty folder */
int disk_make_folder(struct disk *d, const char *path);
bool disk_is_folder(const struct disk *d, const char *path);
bool disk_has(const struct disk *d, const char *path);
/* The n-th entry of a folder (its last part); NULL: no more. */
const char *disk_entry(const struct disk *d, const char *folder, size_t n);

/* ---- what the world does ---- */
void disk_crash_at_sync(struct disk *d, unsigned n); /* 0 = never */
void disk_fail(struct disk *d, enum disk_failure failure, unsigned writes); /* the next so many writes and syncs */
void disk_damage(struct disk *d, const char *path); /* one byte is another now */
bool disk_is_dead(const struct disk *d);
void disk_kill(struct disk *d);                  /* its programs do nothing more */
void disk_cut(struct disk *d, bool lose_all);    /* the power cut; lose_all: nothing unsynced has reached the disk */
void disk_revive(struct disk *d);                /* programs may run again */
void disk_copy(struct disk *to, const struct disk *from); /* replaces all of `to`, as its machine reads it */
struct disk *disk_clone(const struct disk *d, const char *root); /* all of it, with what is not synced */
unsigned disk_syncs(const struct disk *d);

/* The disk below whose root the path lies; NULL: none of ours. Disks register themselves when they are made. */
struct disk *disk_of(const char *path);
