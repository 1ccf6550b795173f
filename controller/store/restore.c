/* restore - see restore.h. The order of the steps is the promise: the new store is whole beside the old one before the old one is
 * touched; the old one has a second name before it loses its first; PATH.restored keeps controllers from starting in between. */
#include "controller/store/restore.h"
#include "controller/store/store_audit.h"

#include "controller/store/link_key.h"
#include "controller/store/store_driver.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct restoring {
	const char *path;
	char work[PATH_MAX]; /* PATH.restoring: being made */
	char ready[PATH_MAX]; /* PATH.restored: whole, and the guard */
	struct restore_report *report;
};

static int with_suffix(const char *path, const char *suffix, char *ret, size_t size)
{
	return (size_t)snprintf(ret, size, "%s%s", path, suffix) < size ? 0 : -ENAMETOOLONG;
}

static void remove_work(const struct restoring *r)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-lock", "-journal" };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (with_suffix(r->work, suffixes[i], path, sizeof path) == 0)
			unlink(path);
}

/* ---- the new store ---- */

/* What the log must lie above: nodes obey only a greater epoch, and the old store may have been ahead of the clock. */
static uint64_t find_epoch(const struct restoring *r, uint64_t above)
{
	struct store_summary old;

	if (store_summarize(r->path, false, &old, NULL) == 0) {
		if (old.v > r->report->summary.v)
			r->report->lost = old.v - r->report->summary.v;
		if (old.epoch > above)
			above = old.epoch;
	}
	return above + 1;
}

/* So that whoever reads the audit sees where the log was set back, and to what. */
static int run_note(struct store *store, struct op *op)
{
	return store_audit_note(store, op, &(struct store_act){ .verb = "restore", .noun = "backup" });
}

static int tell_audit(struct store *store)
{
	struct principal who = principal_local("restore");
	struct op op;
	int r;

	op_init(&op, run_note, NULL, &who, NULL);
	r = store_run_now(store, &op);
	op_deinit(&op);
	return r > 0 ? -EIO : r;
}

static int take_identity(const struct restoring *r, uint64_t above_epoch, const struct clock *clock, struct why *why)
{
	struct store_options options = { .path = r->work, .clock = *clock };
	struct store_identity identity;
	struct store *store;
	int e = store_open(&options, &store, why);

	if (e != 0)
		return e;
	e = store_new_log(store, find_epoch(r, above_epoch), &identity);
	if (e == 0)
		r->report->epoch = identity.epoch;
	if (e == 0)
		e = tell_audit(store);
	crypto_wipe(&identity, sizeof identity);
	store_close(store);
	return e;
}

static int check_backup(const struct restoring *r, const struct backup_header *h, struct why *why)
{
	struct store_summary *s = &r->report->summary;
	int e = store_check(r->work, true, s, why);

	if (e == 0 && (h->v != s->v || h->epoch != s->epoch || memcmp(h->log_id, s->log_id, sizeof h->log_id)))
		e = why_set(why, "backup_corrupt", "", "the header of the backup speaks of another store than the one that is in it");
	return e;
}

/* ---- the old one ---- */

static int keep_file(const struct restoring *r, const char *name, const char *as)
{
	char to[PATH_MAX + 32];

	if ((size_t)snprintf(to, sizeof to, "%s/%s", r->report->replaced, as) >= PATH_MAX)
		return -ENAMETOOLONG;
	return link(name, to) < 0 && errno != ENOENT ? -errno : 0;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* A second name for all that there was, in a folder of its own. */
static int set_aside(const struct restoring *r, const char *wal, const char *key, bool other_key, uint64_t now_ms)
{
	const char *slash = strrchr(r->path, '/');
	char name[300], wal_name[310];
	int e;

	if (!is_there(r->path) && !is_there(wal) && !other_key)
		return 0;
	if ((size_t)snprintf(r->report->replaced, sizeof r->report->replaced, "%s.replaced-%llu", r->path, (unsigned long long)now_ms) >=
	    sizeof r->report->replaced)
		return -ENAMETOOLONG;
	if (mkdir(r->report->replaced, 0700) < 0)
		return -errno;
	snprintf(name, sizeof name, "%s", slash ? slash + 1 : r->path);
	snprintf(wal_name, sizeof wal_name, "%s-wal", name);
	e = keep_file(r, r->path, name);
	if (e == 0)
		e = keep_file(r, wal, wal_name);
	if (e == 0 && other_key)
		e = keep_file(r, key, "link.key");
	if (e == 0) {
		char inside[PATH_MAX + 4];

		snprintf(inside, sizeof inside, "%s/x", r->report->replaced);
		e = file_sync_dir_of(inside);
	}
	return e ? e : file_sync_dir_of(r->path);
}

/* The controller may run as another user than who restores: what is made belongs to whom the folder belongs to. */
static void give(const char *path, const struct stat *folder)
{
	if (geteuid() == 0 && lchown(path, folder->st_uid, folder->st_gid) < 0 && errno != ENOENT)
		log_warn("restore", "%s cannot be given to the owner of its folder: %s", path, strerror(errno));
}

static void give_all(const struct restoring *r, const char *key_path)
{
	char folder[PATH_MAX], lock[PATH_MAX];
	struct stat st;
	char *slash;

	snprintf(folder, sizeof folder, "%s", r->path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return;
	*slash = 0;
	if (stat(folder, &st) < 0 || with_suffix(r->path, "-lock", lock, sizeof lock) < 0)
		return;
	give(r->ready, &st);
	give(lock, &st);
	give(key_path, &st);
	snprintf(folder, sizeof folder, "%s", key_path);
	*strrchr(folder, '/') = 0;
	give(folder, &st);
	if (r->report->replaced[0])
		give(r->report->replaced, &st);
}

static int put_key(const struct restoring *r, const uint8_t key[CRYPTO_KEY_LEN], const char *key_path, bool other_key)
{
	int e;

	if (other_key && unlink(key_path) < 0 && errno != ENOENT)
		return -errno;
	e = link_key_write(r->path, key);
	return e == -EEXIST ? 0 : e; /* the same key */
}

static int swap(const struct restoring *r, const uint8_t link_key[CRYPTO_KEY_LEN], uint64_t now_ms)
{
	uint8_t old_key[CRYPTO_KEY_LEN];
	char wal[PATH_MAX], shm[PATH_MAX], key_path[PATH_MAX];
	bool other_key;
	int e = with_suffix(r->path, "-wal", wal, sizeof wal);

	if (e == 0)
		e = with_suffix(r->path, "-shm", shm, sizeof shm);
	if (e == 0)
		e = link_key_path(r->path, key_path, sizeof key_path);
	if (e != 0)
		return e;
	e = link_key_read(r->path, old_key, NULL);
	other_key = e == E_REFUSED || (e == 0 && !crypto_equal(old_key, link_key, sizeof old_key));
	crypto_wipe(old_key, sizeof old_key);
	r->report->key_replaced = other_key;
	e = set_aside(r, wal, key_path, other_key, now_ms);
	if (e == 0)
		e = put_key(r, link_key, key_path, other_key);
	if (e != 0)
		return e;
	give_all(r, key_path);
	/* a WAL of the old store would be read into the new one */
	if ((unlink(wal) < 0 && errno != ENOENT) || (unlink(shm) < 0 && errno != ENOENT))
		return -errno;
	e = file_sync_dir_of(r->path);
	if (e == 0 && rename(r->ready, r->path) < 0)
		e = -errno;
	return e ? e : file_sync_dir_of(r->path);
}

/* ---- all of it ---- */

static int run(const struct restoring *r, const char *backup, uint64_t above_epoch, const struct clock *clock, struct why *why)
{
	struct backup_header h = { .v = 0 };
	int e;

	remove_work(r);
	e = backup_unpack(backup, r->work, &h, why);
	if (e == 0)
		e = check_backup(r, &h, why);
	if (e == 0)
		e = take_identity(r, above_epoch, clock, why);
	if (e == 0 && rename(r->work, r->ready) < 0)
		e = -errno;
	if (e == 0)
		e = file_sync_dir_of(r->path);
	r->report->made_ms = h.made_ms;
	remove_work(r);
	if (e == 0)
		e = swap(r, h.link_key, clock_real_ms(clock));
	crypto_wipe(&h, sizeof h);
	return e;
}

int restore_run(const char *backup, const char *store_path, uint64_t above_epoch, const struct clock *clock,
		struct restore_report *ret_report, struct why *why)
{
	struct restore_report report = { .epoch = 0 };
	struct restoring r = { .path = store_path, .report = &report };
	CLEAN_CLOSE int lock = -1;
	char dir[PATH_MAX];
	char *slash;
	int e = with_suffix(store_path, ".restoring", r.work, sizeof r.work);

	if (e == 0)
		e = with_suffix(store_path, STORE_RESTORED_SUFFIX, r.ready, sizeof r.ready);
	if (e != 0)
		return e;
	snprintf(dir, sizeof dir, "%s", store_path);
	slash = strrchr(dir, '/');
	if (slash && slash != dir) { /* a new machine */
		*slash = 0;
		e = file_make_dirs(dir, 0700);
	}
	if (e == 0)
		e = driver_lock(store_path, &lock, why);
	if (e == 0)
		e = run(&r, backup, above_epoch, clock, why);
	if (e == 0)
		*ret_report = report;
	return e;
}
