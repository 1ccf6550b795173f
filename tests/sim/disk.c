/* disk - see disk.h. */
#include "tests/sim/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 200
#define DISKS_MAX 16

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

static struct disk *disks[DISKS_MAX];

static void *grown(void *list, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return list;
	*cap = *cap ? 2 * *cap : 16;
	list = realloc(list, *cap * size);
	if (!list)
		abort();
	return list;
}

static uint64_t draw(struct disk *d)
{
	uint64_t z = (d->random += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* ---- contents ---- */

static void set_size(struct bytes *b, size_t size)
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
		set_size(b, at + n);
	if (n)
		memcpy(b->data + at, data, n);
}

static void copy_bytes(struct bytes *to, const struct bytes *from)
{
	to->len = 0;
	put(to, 0, from->data, from->len);
}

static void apply(struct bytes *b, const struct change *c, size_t n)
{
	if (c->truncates)
		set_size(b, c->at);
	else
		put(b, c->at, c->data, n);
}

static void forget_changes(struct inode *i)
{
	for (size_t k = 0; k < i->n_changes; k++)
		free(i->changes[k].data);
	i->n_changes = 0;
}

static void note(struct inode *i, bool truncates, size_t at, const void *data, size_t n)
{
	struct change c = { .truncates = truncates, .at = at, .n = n };

	if (n) {
		c.data = malloc(n);
		if (!c.data)
			abort();
		memcpy(c.data, data, n);
	}
	i->changes = grown(i->changes, i->n_changes, &i->cap_changes, sizeof *i->changes);
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

static void bind(struct names *names, const char *path, struct inode *inode)
{
	struct entry *e = find(names, path);

	if (!e) {
		names->list = grown(names->list, names->n, &names->cap, sizeof *names->list);
		e = &names->list[names->n++];
		snprintf(e->path, sizeof e->path, "%s", path);
	}
	e->inode = inode;
}

static void unbind(struct names *names, const char *path)
{
	struct entry *e = find(names, path);

	if (e) {
		memmove(e, e + 1, (size_t)(names->list + names->n - e - 1) * sizeof *e);
		names->n--;
	}
}

static void apply_naming(struct names *names, const struct naming *n)
{
	if (n->from[0])
		unbind(names, n->from);
	if (n->to[0])
		bind(names, n->to, n->inode);
}

static void name(struct disk *d, const char *from, const char *to, struct inode *inode)
{
	struct naming *n;

	d->namings = grown(d->namings, d->n_namings, &d->cap_namings, sizeof *d->namings);
	n = &d->namings[d->n_namings++];
	snprintf(n->from, sizeof n->from, "%s", from);
	snprintf(n->to, sizeof n->to, "%s", to);
	n->inode = inode;
	apply_naming(&d->now, n);
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
	forget_changes(i);
	free(i->changes);
	free(i->now.data);
	free(i->safe.data);
	free(i);
}

static void collect(struct disk *d)
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

static struct inode *new_inode(struct disk *d, bool folder)
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

static void empty(struct disk *d)
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
	empty(d);
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
	if (draw(d) & 1)
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
	e->inode->now.data[draw(d) % e->inode->now.len] ^= (uint8_t)(1 + draw(d) % 255);
	forget_changes(e->inode);
	copy_bytes(&e->inode->safe, &e->inode->now);
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

static void cut_inode(struct disk *d, struct inode *i, unsigned keep_percent)
{
	for (size_t k = 0; k < i->n_changes; k++) {
		const struct change *c = &i->changes[k];
		size_t n = c->n;

		if (draw(d) % 100 >= keep_percent)
			continue;
		if (n > 1 && draw(d) % 4 == 0)
			n = draw(d) % n; /* torn */
		apply(&i->safe, c, n);
		if (n < c->n && draw(d) % 2 && c->at + c->n > i->safe.len)
			set_size(&i->safe, c->at + c->n); /* the file has grown, and not all of the bytes were written: zeros */
	}
	forget_changes(i);
	copy_bytes(&i->now, &i->safe);
}

void disk_cut(struct disk *d, bool lose_all)
{
	static const unsigned shares[] = { 0, 50, 90, 100 };
	unsigned keep = lose_all ? 0 : shares[draw(d) % ARRAY_LEN(shares)];
	size_t named = lose_all ? 0 : draw(d) % (d->n_namings + 1);
	char run[PATH_SIZE + 8];

	for (struct inode *i = d->inodes; i; i = i->next)
		if (!i->folder)
			cut_inode(d, i, keep);
	for (size_t k = 0; k < named; k++)
		apply_naming(&d->safe, &d->namings[k]);
	d->n_namings = 0;
	snprintf(run, sizeof run, "%s/run/", d->root);
	for (size_t k = d->safe.n; k-- > 0;)
		if (!strncmp(d->safe.list[k].path, run, strlen(run)))
			unbind(&d->safe, d->safe.list[k].path);
	d->now.n = 0;
	for (size_t k = 0; k < d->safe.n; k++)
		bind(&d->now, d->safe.list[k].path, d->safe.list[k].inode);
	collect(d);
}

static void moved(const struct disk *to, const struct disk *from, const char *path, char ret[PATH_SIZE])
{
	if (path[0])
		snprintf(ret, PATH_SIZE, "%.90s%.100s", to->root, path + strlen(from->root));
	else
		ret[0] = 0;
}

void disk_copy(struct disk *to, const struct disk *from)
{
	empty(to);
	for (size_t k = 0; k < from->now.n; k++) {
		const struct entry *e = &from->now.list[k];
		struct inode *i = new_inode(to, e->inode->folder);
		char path[PATH_SIZE];

		copy_bytes(&i->now, &e->inode->now);
		copy_bytes(&i->safe, &e->inode->now);
		moved(to, from, e->path, path);
		bind(&to->now, path, i);
		bind(&to->safe, path, i);
	}
}

struct disk *disk_clone(const struct disk *d, const char *root)
{
	struct disk *c = disk_new(root, d->random);
	size_t n = 0, at;
	struct inode **old, **made;

	empty(c);
	for (struct inode *i = d->inodes; i; i = i->next)
		n++;
	old = calloc(n + 1, sizeof *old);
	made = calloc(n + 1, sizeof *made);
	if (!old || !made)
		abort();
	at = 0;
	for (struct inode *i = d->inodes; i; i = i->next, at++) {
		old[at] = i;
		made[at] = new_inode(c, i->folder);
		copy_bytes(&made[at]->now, &i->now);
		copy_bytes(&made[at]->safe, &i->safe);
		for (size_t k = 0; k < i->n_changes; k++)
			note(made[at], i->changes[k].truncates, i->changes[k].at, i->changes[k].data, i->changes[k].n);
	}
	for (int which = 0; which < 2; which++) {
		const struct names *from = which ? &d->safe : &d->now;

		for (size_t k = 0; k < from->n; k++) {
			char path[PATH_SIZE];

			for (at = 0; old[at] != from->list[k].inode; at++)
				;
			moved(c, d, from->list[k].path, path);
			bind(which ? &c->safe : &c->now, path, made[at]);
		}
	}
	for (size_t k = 0; k < d->n_namings; k++) {
		const struct naming *from = &d->namings[k];
		struct naming *to;

		c->namings = grown(c->namings, c->n_namings, &c->cap_namings, sizeof *c->namings);
		to = &c->namings[c->n_namings++];
		moved(c, d, from->from, to->from);
		moved(c, d, from->to, to->to);
		for (at = 0; from->inode && old[at] != from->inode; at++)
			;
		to->inode = from->inode ? made[at] : NULL;
	}
	free(old);
	free(made);
	return c;
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
		i = new_inode(d, false);
		name(d, "", path, i);
	}
	i->opened++;
	return i;
}

void disk_close(struct disk *d, struct inode *i)
{
	if (!--i->opened)
		collect(d);
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
	note(i, false, at, bytes, n);
	put(&i->now, at, bytes, n);
	return 0;
}

int disk_truncate(struct disk *d, struct inode *i, size_t size)
{
	if (d->dead)
		return -EIO;
	note(i, true, size, NULL, 0);
	set_size(&i->now, size);
	return 0;
}

int disk_sync(struct disk *d, struct inode *i)
{
	int r = sync_point(d);

	if (r < 0)
		return r;
	for (size_t k = 0; k < i->n_changes; k++)
		apply(&i->safe, &i->changes[k], i->changes[k].n);
	forget_changes(i);
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
			apply_naming(&d->safe, &n);
		else
			d->namings[kept++] = n;
	}
	d->n_namings = kept;
	collect(d);
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
		unbind(&d->safe, path);
	name(d, path, "", NULL);
	collect(d);
	return 0;
}

int disk_make_folder(struct disk *d, const char *path)
{
	struct inode *i;

	if (d->dead)
		return -EIO;
	if (find(&d->now, path))
		return -EEXIST;
	i = new_inode(d, true);
	bind(&d->now, path, i);
	bind(&d->safe, path, i);
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
