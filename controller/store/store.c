/* store - opening: schema, identity, integrity. See store.h; batches are in store_batch.c. */
#include "controller/store/store_internal.h"
#include "controller/store/store_audit.h"
#include "controller/store/store_migration.h"
#include "lib/base/crypto.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define COPY_RESERVE (2u << 20)

static int migrate(struct store *store, struct why *why)
{
	int version = 0, r = driver_get_version(store->driver, &version);

	if (r != 0)
		return r;
	if (version < 0 || (size_t)version > store_n_migrations)
		return why_set(why, "store_newer", "", "store %s has schema %d, this program knows up to %zu; start a newer one", store->path,
			       version, store_n_migrations);
	for (size_t i = (size_t)version; i < store_n_migrations; i++) {
		r = driver_migrate(store->driver, store_migrations[i].sql, why);
		if (r == 0)
			r = driver_set_version(store->driver, (int)i + 1);
		if (r != 0)
			return r;
	}
	if (version && (size_t)version < store_n_migrations)
		log_info("store", "%s: schema brought from %d to %zu", store->path, version, store_n_migrations);
	return 0;
}

static int make_meta(struct store *store)
{
	uint8_t log_id[STORE_LOG_ID_LEN], secret[STORE_SECRET_LEN];
	int64_t n = 0, now = (int64_t)clock_real_ms(&store->clock);
	int r = sql_get_int(store, &n, "SELECT count(*) FROM meta", "");

	if (r != 0 || n == 1)
		return r;
	clock_random(&store->clock, log_id, sizeof log_id);
	clock_random(&store->clock, secret, sizeof secret);
	return sql_run(store, "INSERT INTO meta (id, v, log_id, epoch, secret, created_ms) VALUES (1, 0, ?1, 1, ?2, ?3)", "bki", log_id,
		       sizeof log_id, secret, now);
}

static int read_meta(struct store *store)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT v, log_id, epoch, secret FROM meta WHERE id = 1", "");

	if (r != 0)
		return r;
	if (!sql_next(st, &r))
		return r ? r : -EBADMSG;
	store->head = (uint64_t)driver_int(st, 0);
	sql_bytes(st, 1, store->identity.log_id, STORE_LOG_ID_LEN);
	store->identity.epoch = (uint64_t)driver_int(st, 2);
	sql_bytes(st, 3, store->identity.secret, STORE_SECRET_LEN);
	return 0;
}

/* The counter and the log are written together; if they disagree, somebody changed the file by hand or half of it was restored. */
static int check_log(struct store *store, struct why *why)
{
	int64_t last = 0;
	int r = sql_get_int(store, &last, "SELECT coalesce(max(v), 0) FROM log", "");

	if (r == 0 && (uint64_t)last != store->head)
		return why_set(why, "store_corrupt", "", "store %s: the counter is at V %llu, the log ends at %lld; restore a backup", store->path,
			       (unsigned long long)store->head, (long long)last);
	return r;
}

static int take_epoch(struct store *store, uint64_t at_least)
{
	uint64_t epoch = store->identity.epoch + 1, now = clock_real_ms(&store->clock);
	int r;

	if (now > epoch)
		epoch = now;
	if (at_least > epoch)
		epoch = at_least;
	r = sql_run(store, "UPDATE meta SET epoch = ?1, log_id = ?2 WHERE id = 1", "ib", (int64_t)epoch, store->identity.log_id,
		    (size_t)STORE_LOG_ID_LEN);
	if (r == 0)
		store->identity.epoch = epoch;
	return r;
}

/* All of the start in one transaction: schema, first row, epoch. */
static int start_writing(struct store *store, struct why *why)
{
	int r = driver_exec(store->driver, "BEGIN IMMEDIATE");

	if (r != 0)
		return r;
	r = migrate(store, why);
	if (r == 0)
		r = make_meta(store);
	if (r == 0)
		r = read_meta(store);
	if (r == 0)
		r = check_log(store, why);
	if (r == 0)
		r = take_epoch(store, 0);
	if (r == 0)
		r = driver_exec(store->driver, "COMMIT");
	if (r != 0 && driver_in_transaction(store->driver) && driver_exec(store->driver, "ROLLBACK") != 0)
		return -EIO;
	return r;
}

static uint64_t size_of(const char *path, const char *suffix)
{
	char name[PATH_MAX];
	struct stat st;

	snprintf(name, sizeof name, "%s%s", path, suffix);
	return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Beginning anew where a store has been would look to nodes like a world without them. */
static int check_place(const struct store *store, struct why *why)
{
	char restored[PATH_MAX];
	uint64_t wal = size_of(store->path, "-wal");

	snprintf(restored, sizeof restored, "%s" STORE_RESTORED_SUFFIX, store->path);
	if (access(restored, F_OK) == 0)
		return why_set(why, "restore_unfinished", "", "a restore of %s was interrupted; run the same sixpn backup restore FILE again",
			       store->path);
	if (size_of(store->path, "") || (!wal && access(store->ballast_path, F_OK) < 0))
		return 0;
	return why_set(why, "store_missing", "", "the store %s is gone, but its %s is still there; put it back, or sixpn backup restore FILE",
		       store->path, wal ? "-wal" : "-ballast");
}

static int open_driver(struct store *store, struct why *why)
{
	int version = 0, r = driver_open(store->path, &store->driver, why);

	if (r == 0)
		r = driver_get_version(store->driver, &version);
	if (r == 0 && version > 0)
		r = driver_check(store->driver, why);
	if (r == 0)
		r = start_writing(store, why);
	if (r == -EBADMSG)
		return why_set(why, "store_corrupt", "", "store %s is damaged; restore a backup", store->path);
	return r > E_REFUSED ? -EIO : r;
}

int store_open(const struct store_options *options, struct store **ret_store, struct why *why)
{
	struct store *store = calloc(1, sizeof *store);
	int r;

	if (!store)
		return -ENOMEM;
	store->clock = options->clock;
	store->ballast_bytes = options->ballast_bytes;
	store->audit_max = options->audit_max ? options->audit_max : STORE_AUDIT_MAX;
	store->path = strdup(options->path);
	if (!store->path || asprintf(&store->ballast_path, "%s-ballast", options->path) < 0) {
		store_close(store);
		return -ENOMEM;
	}
	r = check_place(store, why);
	if (r == 0)
		r = open_driver(store, why);
	if (r == -ENOSPC) { /* the epoch must be written, or nobody is served at all */
		store_ballast_drop(store);
		store->driver = driver_close(store->driver);
		r = open_driver(store, why);
	}
	if (r != 0) {
		store_close(store);
		return r;
	}
	if (!driver_in_place(store->driver)) { /* also notes the WAL as ours */
		store_close(store);
		return -EIDRM;
	}
	if (!store->full)
		store_ballast_make(store);
	*ret_store = store;
	return 0;
}

struct store *store_close(struct store *store)
{
	if (!store)
		return NULL;
	driver_close(store->driver);
	crypto_wipe(&store->identity, sizeof store->identity);
	free(store->ballast_path);
	free(store->path);
	free(store);
	return NULL;
}

void store_get_identity(const struct store *store, struct store_identity *ret_identity)
{
	*ret_identity = store->identity;
}

uint64_t store_head(const struct store *store)
{
	return store->head;
}

bool store_is_full(const struct store *store)
{
	return store->full;
}

const struct clock *store_clock(const struct store *store)
{
	return &store->clock;
}

void store_head_proof(const struct store_identity *identity, uint64_t v, uint8_t ret_proof[32])
{
	uint8_t words[16];
	struct crypto_part parts[] = { { "head", 4 }, { identity->log_id, STORE_LOG_ID_LEN }, { words, sizeof words } };

	put_u64(words, identity->epoch);
	put_u64(words + 8, v);
	crypto_blake2b(identity->secret, STORE_SECRET_LEN, parts, ARRAY_LEN(parts), ret_proof);
}

bool store_head_proof_valid(const struct store_identity *identity, const uint8_t log_id[STORE_LOG_ID_LEN], uint64_t epoch, uint64_t v,
			    const void *proof, size_t proof_len)
{
	struct store_identity then = *identity;
	uint8_t right[32];

	then.epoch = epoch;
	memcpy(then.log_id, log_id, STORE_LOG_ID_LEN);
	store_head_proof(&then, v, right);
	crypto_wipe(&then, sizeof then);
	return proof_len == sizeof right && crypto_equal(proof, right, sizeof right);
}

int store_new_log(struct store *store, uint64_t at_least, struct store_identity *ret_identity)
{
	struct store_identity old = store->identity;
	int r;

	clock_random(&store->clock, store->identity.log_id, STORE_LOG_ID_LEN);
	r = take_epoch(store, at_least); /* one statement outside a transaction commits by itself */
	if (r != 0) {
		store->identity = old;
		return r;
	}
	*ret_identity = store->identity;
	return 0;
}

int store_reseed(struct store *store, uint64_t at_least, struct store_identity *ret_identity)
{
	int r = store_new_log(store, at_least, ret_identity);

	if (r == 0)
		log_err("store", "%s was rolled back to V %llu: new log, epoch %llu", store->path, (unsigned long long)store->head,
			(unsigned long long)store->identity.epoch);
	return r;
}

int store_copy_room(const struct store *store, const char *dir, struct why *why)
{
	struct statvfs fs;
	struct stat here, there;
	uint64_t want, have;

	if (statvfs(dir, &fs) < 0 || stat(store->path, &here) < 0 || stat(dir, &there) < 0)
		return -errno;
	if (store->full && here.st_dev == there.st_dev)
		return why_set(why, "backup_no_room", "", "the disk of the store is full, and %s is on it: no backup was made", dir);
	have = (uint64_t)fs.f_bavail * fs.f_frsize;
	/* the copy, the backup of it, and what writers need meanwhile */
	want = 2 * (size_of(store->path, "") + size_of(store->path, "-wal")) + COPY_RESERVE;
	if (have >= want)
		return 0;
	return why_set(why, "backup_no_room", "", "a backup in %s wants %llu MiB for a while, and %llu MiB are free", dir,
		       (unsigned long long)(want >> 20), (unsigned long long)(have >> 20));
}

int store_copy_begin(struct store *store, const char *path, struct driver_copy **ret_copy)
{
	return driver_copy_begin(store->driver, path, ret_copy);
}
