/* disk - see disk.h. */
#include "tests/sim/disk_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISKS_MAX 16

static struct disk *disks[DISKS_MAX];

void *disk_grown(void *list, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return list;
	*cap = *cap ? 2 * *cap : 16;
	list = realloc(list, *cap * size);
	if (!list)
		abort();
	return list;
}

uint64_t disk_draw(struct disk *d)
{
	uint64_t z = (d->random += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* ---- contents ---- */

void bytes_set_size(struct bytes *b, size_t size)
{
	if (size > b->cap) {
		b->cap = 2 * size;
		b->data = realloc(b->data, b->cap);
		if (!b->data)
			abort();
	}
	if (size > b->len)
		memset(b->data + b->len, 0, size - b->len);
	b->len = size;
}

static void put(struct bytes *b, size_t at, const void *data, size_t n)
{
	if (at + n > b->len)
		bytes_set_size(b, at + n);
	if (n)
		memcpy(b->data + at, data, n);
}

void bytes_copy(struct bytes *to, const struct bytes *from)
{
	to->len = 0;
	put(to, 0, from->data, from->len);
}

void change_apply(struct bytes *b, const struct change *c, size_t n)
{
	if (c->truncates)
		bytes_set_size(b, c->at);
	else
		put(b, c->at, c->data, n);
}

void inode_forget_changes(struct inode *i)
{
	for (size_t k = 0; k < i->n_changes; k++)
		free(i->changes[k].data);
	i->n_changes = 0;
}

void inode_note(struct inode *i, bool truncates, size_t at, const void *data, size_t n)
{
	struct change c = { .truncates = truncates, .at = at, .n = n };

	if (n) {
		c.data = malloc(n);
		if (!c.data)
			abort();
		memcpy(c.data, data, n);
	}
	i->changes = disk_grown(i->changes, i->n_changes, &i->cap_changes, sizeof *i->changes);
	i->changes[i->n_changes++] = c;
}

/* ---- names ---- */

static struct entry *find(const struct names *names, const char *path)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strcmp(names->list[i].path, path))
			return &names->list[i];
	return NULL;
}

void names_bind(struct names *names, const char *path, struct inode *inode)
{
	struct entry *e = find(names, path);

	if (!e) {
		names->list = disk_grown(names->list, names->n, &names->cap, sizeof *names->list);
		e = &names->list[names->n++];
		snprintf(e->path, sizeof e->path, "%s", path);
	}
	e->inode = inode;
}

void names_unbind(struct names *names, const char *path)
{
	struct entry *e = find(names, path);

	if (e) {
		memmove(e, e + 1, (size_t)(names->list + names->n - e - 1) * sizeof *e);
		names->n--;
	}
}

void names_apply(struct names *names, const struct naming *n)
{
	if (n->from[0])
		names_unbind(names, n->from);
	if (n->to[0])
		names_bind(names, n->to, n->inode);
}

static void name(struct disk *d, const char *from, const char *to, struct inode *inode)
{
	struct naming *n;

	d->namings = disk_grown(d->namings, d->n_namings, &d->cap_namings, sizeof *d->namings);
	n = &d->namings[d->n_namings++];
	snprintf(n->from, sizeof n->from, "%s", from);
	snprintf(n->to, sizeof n->to, "%s", to);
	n->inode = inode;
	names_apply(&d->now, n);
}

static bool is_in(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return path[0] && !strncmp(path, folder, n) && path[n] == '/' && !strchr(path + n + 1, '/');
}

static bool is_used(const struct disk *d, const struct inode *i)
{
	if (i->opened)
		return true;
	for (size_t k = 0; k < d->now.n; k++)
		if (d->now.list[k].inode == i)
			return true;
	for (size_t k = 0; k < d->safe.n; k++)
		if (d->safe.list[k].inode == i)
			return true;
	for (size_t k = 0; k < d->n_namings; k++)
		if (d->namings[k].inode == i)
			return true;
	return false;
}

static void free_inode(struct inode *i)
{
	inode_forget_changes(i);
	free(i->changes);
	free(i->now.data);
	free(i->safe.data);
	free(i);
}

void disk_collect(struct disk *d)
{
	for (struct inode **p = &d->inodes; *p;) {
		struct inode *i = *p;

		if (is_used(d, i)) {
			p = &i->next;
			continue;
		}
		*p = i->next;
		free_inode(i);
	}
}

struct inode *disk_new_inode(struct disk *d, bool folder)
{
	struct inode *i = calloc(1, sizeof *i);

	if (!i)
		abort();
	i->folder = folder;
	i->next = d->inodes;
	d->inodes = i;
	return i;
}

/* ---- life ---- */

struct disk *disk_new(const char *root, uint64_t seed)
{
	struct disk *d = calloc(1, sizeof *d);
	size_t at = 0;

	if (!d)
		abort();
	snprintf(d->root, sizeof d->root, "%s", root);
	d->random = seed;
	disk_make_folder(d, root);
	while (disks[at])
		at++;
	disks[at] = d;
	return d;
}

void disk_empty(struct disk *d)
{
	while (d->inodes) {
		struct inode *i = d->inodes;

		d->inodes = i->next;
		free_inode(i);
	}
	d->now.n = d->safe.n = d->n_namings = 0;
}

struct disk *disk_free(struct disk *d)
{
	if (!d)
		return NULL;
	for (size_t i = 0; i < DISKS_MAX; i++)
		if (disks[i] == d)
			disks[i] = NULL;
	disk_empty(d);
	free(d->now.list);
	free(d->safe.list);
	free(d->namings);
	free(d);
	return NULL;
}

const char *disk_root(const struct disk *d)
{
	return d->root;
}

struct disk *disk_of(const char *path)
{
	for (size_t i = 0; i < DISKS_MAX; i++) {
		size_t n = disks[i] ? strlen(disks[i]->root) : 0;

		if (n && !strncmp(path, disks[i]->root, n) && (!path[n] || path[n] == '/'))
			return disks[i];
	}
	return NULL;
}

/* ---- what can go wrong ---- */

static int fails(struct disk *d)
{
	if (d->dead)
		return -EIO;
	if (!d->failures)
		return 0;
	d->failures--;
	return d->failure == DISK_FULL ? -ENOSPC : -EIO;
}

/* A sync point: 0 = go on, 1 = the machine dies once this sync has taken effect, -EIO = it has died. */
static int sync_point(struct disk *d)
{
	int r = fails(d);

	d->syncs++;
	if (r < 0)
		return r == -ENOSPC ? -EIO : r;
	if (!d->crash_in || --d->crash_in)
		return 0;
	if (disk_draw(d) & 1)
		return 1;
	d->dead = true;
	return -EIO;
}

void disk_crash_at_sync(struct disk *d, unsigned n)
{
	d->crash_in = n;
}

void disk_fail(struct disk *d, enum disk_failure failure, unsigned writes)
{
	d->failure = failure;
	d->failures = writes;
}

void disk_damage(struct disk *d, const char *path)
{
	struct entry *e = find(&d->now, path);

	if (!e || !e->inode->now.len)
		return;
	e->inode->now.data[disk_draw(d) % e->inode->now.len] ^= (uint8_t)(1 + disk_draw(d) % 255);
	inode_forget_changes(e->inode);
	bytes_copy(&e->inode->safe, &e->inode->now);
}

bool disk_is_dead(const struct disk *d)
{
	return d->dead;
}

void disk_kill(struct disk *d)
{
	d->dead = true;
}

void disk_revive(struct disk *d)
{
	d->dead = false;
	d->crash_in = d->failures = 0;
}

unsigned disk_syncs(const struct disk *d)
{
	return d->syncs;
}

/* ---- what programs do ---- */

struct inode *disk_open(struct disk *d, const char *path, bool create, bool exclusive, int *ret_error)
{
	struct entry *e = find(&d->now, path);
	struct inode *i = e ? e->inode : NULL;

	*ret_error = d->dead ? -EIO : i && exclusive ? -EEXIST : !i && !create ? -ENOENT : 0;
	if (!*ret_error && !i) {
		char folder[PATH_SIZE];

		snprintf(folder, sizeof folder, "%s", path);
		*strrchr(folder, '/') = 0;
		*ret_error = disk_is_folder(d, folder) ? fails(d) : -ENOENT;
	}
	if (*ret_error)
		return NULL;
	if (!i) {
		i = disk_new_inode(d, false);
		name(d, "", path, i);
	}
	i->opened++;
	return i;
}

void disk_close(struct disk *d, struct inode *i)
{
	if (!--i->opened)
		disk_collect(d);
}

size_t disk_size(const struct inode *i)
{
	return i->now.len;
}

size_t disk_read(const struct inode *i, size_t at, void *ret_bytes, size_t n)
{
	if (at >= i->now.len)
		return 0;
	if (n > i->now.len - at)
		n = i->now.len - at;
	memcpy(ret_bytes, i->now.data + at, n);
	return n;
}

int disk_write(struct disk *d, struct inode *i, size_t at, const void *bytes, size_t n)
{
	int r = fails(d);

	if (r < 0)
		return r;
	inode_note(i, false, at, bytes, n);
	put(&i->now, at, bytes, n);
	return 0;
}

int disk_truncate(struct disk *d, struct inode *i, size_t size)
{
	if (d->dead)
		return -EIO;
	inode_note(i, true, size, NULL, 0);
	bytes_set_size(&i->now, size);
	return 0;
}

int disk_sync(struct disk *d, struct inode *i)
{
	int r = sync_point(d);

	if (r < 0)
		return r;
	for (size_t k = 0; k < i->n_changes; k++)
		change_apply(&i->safe, &i->changes[k], i->changes[k].n);
	inode_forget_changes(i);
	d->dead = d->dead || r;
	return r ? -EIO : 0;
}

int disk_sync_folder(struct disk *d, const char *folder)
{
	int r = sync_point(d);
	size_t kept = 0;

	if (r < 0)
		return r;
	for (size_t k = 0; k < d->n_namings; k++) {
		const struct naming n = d->namings[k];

		if (is_in(n.from, folder) || is_in(n.to, folder))
			names_apply(&d->safe, &n);
		else
			d->namings[kept++] = n;
	}
	d->n_namings = kept;
	disk_collect(d);
	d->dead = d->dead || r;
	return r ? -EIO : 0;
}

int disk_rename(struct disk *d, const char *from, const char *to)
{
	struct entry *e = find(&d->now, from);

	if (d->dead)
		return -EIO;
	if (!e)
		return -ENOENT;
	name(d, from, to, e->inode);
	return 0;
}

int disk_remove(struct disk *d, const char *path)
{
	struct entry *e = find(&d->now, path);

	if (d->dead)
		return -EIO;
	if (!e)
		return -ENOENT;
	if (e->inode->folder && disk_entry(d, path, 0))
		return -ENOTEMPTY;
	if (e->inode->folder)
		names_unbind(&d->safe, path);
	name(d, path, "", NULL);
	disk_collect(d);
	return 0;
}

int disk_make_folder(struct disk *d, const char *path)
{
	struct inode *i;

	if (d->dead)
		return -EIO;
	if (find(&d->now, path))
		return -EEXIST;
	i = disk_new_inode(d, true);
	names_bind(&d->now, path, i);
	names_bind(&d->safe, path, i);
	return 0;
}

bool disk_is_folder(const struct disk *d, const char *path)
{
	const struct entry *e = find(&d->now, path);

	return e && e->inode->folder;
}

bool disk_has(const struct disk *d, const char *path)
{
	return find(&d->now, path) != NULL;
}

const char *disk_entry(const struct disk *d, const char *folder, size_t n)
{
	for (size_t i = 0; i < d->now.n; i++)
		if (is_in(d->now.list[i].path, folder) && n-- == 0)
			return strrchr(d->now.list[i].path, '/') + 1;
	return NULL;
}
