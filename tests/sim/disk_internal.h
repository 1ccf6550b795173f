/* disk_internal - what the two files of the disk share. */
#pragma once
#include "tests/sim/disk.h"

#define PATH_SIZE 200

struct bytes {
	uint8_t *data;
	size_t len, cap;
};

struct change { /* since the last sync */
	bool truncates;
	size_t at, n;
	uint8_t *data;
};

struct inode {
	struct inode *next;
	struct bytes now, safe;
	struct change *changes;
	size_t n_changes, cap_changes;
	unsigned opened;
	bool folder;
};

struct entry {
	char path[PATH_SIZE];
	struct inode *inode;
};

struct names {
	struct entry *list;
	size_t n, cap;
};

struct naming { /* an entry made (from ""), renamed, or removed (to "") since the folder was synced */
	char from[PATH_SIZE], to[PATH_SIZE];
	struct inode *inode;
};

struct disk {
	char root[PATH_SIZE];
	struct inode *inodes;
	struct names now, safe;
	struct naming *namings;
	size_t n_namings, cap_namings;
	uint64_t random;
	unsigned crash_in, failures, syncs;
	enum disk_failure failure;
	bool dead;
};

void *disk_grown(void *list, size_t n, size_t *cap, size_t size);
uint64_t disk_draw(struct disk *d);
void bytes_set_size(struct bytes *b, size_t size);
void bytes_copy(struct bytes *to, const struct bytes *from);
void change_apply(struct bytes *b, const struct change *c, size_t n);
void inode_forget_changes(struct inode *i);
void inode_note(struct inode *i, bool truncates, size_t at, const void *data, size_t n);
void names_bind(struct names *names, const char *path, struct inode *inode);
void names_unbind(struct names *names, const char *path);
void names_apply(struct names *names, const struct naming *n);
void disk_collect(struct disk *d);
struct inode *disk_new_inode(struct disk *d, bool folder);
void disk_empty(struct disk *d);
