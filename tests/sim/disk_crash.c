/* disk_crash - what is left of a disk when the power goes, and copies of whole disks. See disk.h. */
#include "tests/sim/disk_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void cut_inode(struct disk *d, struct inode *i, unsigned keep_percent)
{
	for (size_t k = 0; k < i->n_changes; k++) {
		const struct change *c = &i->changes[k];
		size_t n = c->n;

		if (disk_draw(d) % 100 >= keep_percent)
			continue;
		if (n > 1 && disk_draw(d) % 4 == 0)
			n = disk_draw(d) % n; /* torn */
		change_apply(&i->safe, c, n);
		if (n < c->n && disk_draw(d) % 2 && c->at + c->n > i->safe.len)
			bytes_set_size(&i->safe, c->at + c->n); /* the file has grown, and not all of the bytes were written: zeros */
	}
	inode_forget_changes(i);
	bytes_copy(&i->now, &i->safe);
}

void disk_cut(struct disk *d, bool lose_all)
{
	static const unsigned shares[] = { 0, 50, 90, 100 };
	unsigned keep = lose_all ? 0 : shares[disk_draw(d) % ARRAY_LEN(shares)];
	size_t named = lose_all ? 0 : disk_draw(d) % (d->n_namings + 1);
	char run[PATH_SIZE + 8];

	for (struct inode *i = d->inodes; i; i = i->next)
		if (!i->folder)
			cut_inode(d, i, keep);
	for (size_t k = 0; k < named; k++)
		names_apply(&d->safe, &d->namings[k]);
	d->n_namings = 0;
	snprintf(run, sizeof run, "%s/run/", d->root);
	for (size_t k = d->safe.n; k-- > 0;)
		if (!strncmp(d->safe.list[k].path, run, strlen(run)))
			names_unbind(&d->safe, d->safe.list[k].path);
	d->now.n = 0;
	for (size_t k = 0; k < d->safe.n; k++)
		names_bind(&d->now, d->safe.list[k].path, d->safe.list[k].inode);
	disk_collect(d);
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
	disk_empty(to);
	for (size_t k = 0; k < from->now.n; k++) {
		const struct entry *e = &from->now.list[k];
		struct inode *i = disk_new_inode(to, e->inode->folder);
		char path[PATH_SIZE];

		bytes_copy(&i->now, &e->inode->now);
		bytes_copy(&i->safe, &e->inode->now);
		moved(to, from, e->path, path);
		names_bind(&to->now, path, i);
		names_bind(&to->safe, path, i);
	}
}

struct disk *disk_clone(const struct disk *d, const char *root)
{
	struct disk *c = disk_new(root, d->random);
	size_t n = 0, at;
	struct inode **old, **made;

	disk_empty(c);
	for (struct inode *i = d->inodes; i; i = i->next)
		n++;
	old = calloc(n + 1, sizeof *old);
	made = calloc(n + 1, sizeof *made);
	if (!old || !made)
		abort();
	at = 0;
	for (struct inode *i = d->inodes; i; i = i->next, at++) {
		old[at] = i;
		made[at] = disk_new_inode(c, i->folder);
		bytes_copy(&made[at]->now, &i->now);
		bytes_copy(&made[at]->safe, &i->safe);
		for (size_t k = 0; k < i->n_changes; k++)
			inode_note(made[at], i->changes[k].truncates, i->changes[k].at, i->changes[k].data, i->changes[k].n);
	}
	for (int which = 0; which < 2; which++) {
		const struct names *from = which ? &d->safe : &d->now;

		for (size_t k = 0; k < from->n; k++) {
			char path[PATH_SIZE];

			for (at = 0; old[at] != from->list[k].inode; at++)
				;
			moved(c, d, from->list[k].path, path);
			names_bind(which ? &c->safe : &c->now, path, made[at]);
		}
	}
	for (size_t k = 0; k < d->n_namings; k++) {
		const struct naming *from = &d->namings[k];
		struct naming *to;

		c->namings = disk_grown(c->namings, c->n_namings, &c->cap_namings, sizeof *c->namings);
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
