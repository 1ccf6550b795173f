/* store_batch - group commit. All writes of a batch share one transaction and one fsync; each has its own savepoint, so one that
 * fails takes nobody with it. Only what breaks the transaction itself (disk full at COMMIT, a dead disk) fails all of them, and
 * then none was acknowledged. Reads run after the COMMIT, on what is safe. */
#include "controller/store/store_internal.h"
#include "lib/base/log.h"

#include <string.h>

static void fail(struct op *op, int error)
{
	op_reset(op);
	op->result = error;
	if (error == -ENOSPC)
		why_set(&op->why, "disk_full", "", "the controller's disk is full; only deletes are accepted until there is room");
	else if (error == -ESTALE)
		why_set(&op->why, "fenced", "", "another controller writes this store now");
}

static bool is_final(int error)
{
	return error == -ESTALE || error == -EIDRM || error == -EIO || error == -EBADMSG || error == -EROFS;
}

static const char *say(int error)
{
	return error == -ESTALE	 ? "another controller writes it now" :
	       error == -EIDRM	 ? "the file was moved away or replaced while it was in use" :
	       error == -EBADMSG ? "it is damaged; restore a backup: sixpn backup restore FILE" :
				   strerror(-error);
}

static void break_for_ever(struct store *store, int error)
{
	if (store->broken)
		return;
	store->broken = error;
	log_err("store", "%s can no longer be written: %s", store->path, say(error));
}

static void look_for_room(struct store *store)
{
	bool was_full = store->full;

	if ((!was_full && !store->no_ballast) || !store_ballast_room(store))
		return;
	store_ballast_make(store);
	store->full = false;
	if (was_full)
		log_info("store", "there is room on the disk of %s again", store->path);
}

int store_check_ours(struct store *store)
{
	int64_t epoch = 0;
	int r;

	look_for_room(store);
	r = sql_get_int(store, &epoch, "SELECT epoch FROM meta WHERE id = 1", "");

	if (r == 0 && (uint64_t)epoch != store->identity.epoch)
		r = -ESTALE;
	if (r == 0 && !driver_in_place(store->driver))
		r = -EIDRM;
	if (r == SQL_E_NONE)
		r = -EBADMSG;
	if (is_final(r) && r != -EIO)
		break_for_ever(store, r);
	return r;
}

/* The transaction is over, whoever ended it. */
static void roll_back(struct store *store)
{
	if (driver_in_transaction(store->driver) && driver_exec(store->driver, "ROLLBACK") != 0)
		store->broken = -EIO;
}

static int begin(struct store *store)
{
	int64_t epoch = 0;
	int r;

	if (store->broken)
		return store->broken;
	look_for_room(store);
	r = driver_exec(store->driver, "BEGIN IMMEDIATE");
	if (r == 0)
		r = sql_get_int(store, &epoch, "SELECT epoch FROM meta WHERE id = 1", "");
	if (r == 0 && (uint64_t)epoch != store->identity.epoch)
		r = -ESTALE;
	if (r != 0)
		roll_back(store);
	return r > 0 ? -EIO : r;
}

/* What the audit does not tell does not happen: a write path that was never thought of fails in its first test. */
static int judge_audit(const struct op *op, int64_t changed)
{
	if (op->quiet || op->audited || changed <= op->excused)
		return 0;
	log_err("store", "%s (request %s) wrote %lld rows of which the audit knows nothing: undone", op->principal.text, op->request_id,
		(long long)changed);
	return -EINVAL;
}

/* 0: the group goes on, whatever became of the op. Else the group is lost. */
static int run_one(struct store *store, struct op *op)
{
	int64_t before = driver_changed_ever(store->driver);
	int result, r;

	op_reset(op);
	if (store->full && !op->frees) {
		fail(op, -ENOSPC);
		return 0;
	}
	r = driver_exec(store->driver, "SAVEPOINT op");
	if (r != 0)
		return r > 0 ? -EIO : r;
	result = op->run(store, op);
	if (result > E_REFUSED)
		result = -EINVAL; /* somebody forwarded a condition that was his to handle */
	if (!driver_in_transaction(store->driver)) /* on some errors SQLite ends the whole of it */
		return result < 0 ? result : -EIO;
	if (result == 0 || (result == E_REFUSED && op->keep_refusal))
		r = judge_audit(op, driver_changed_ever(store->driver) - before);
	if (r != 0)
		result = r;
	r = 0;
	if (result != 0 && !(result == E_REFUSED && op->keep_refusal)) {
		struct why why = op->why;

		r = driver_exec(store->driver, "ROLLBACK TO op");
		fail(op, result);
		if (result == E_REFUSED)
			op->why = why;
	} else {
		op->result = result;
	}
	if (r == 0)
		r = driver_exec(store->driver, "RELEASE op");
	return r > 0 ? -EIO : r;
}

static int commit(struct store *store)
{
	uint64_t begun = clock_mono_us(&store->clock);
	int r = driver_exec(store->driver, "COMMIT");

	histogram_add(&store->commits, clock_mono_us(&store->clock) - begun);
	return r;
}

static int run_writes(struct store *store, struct op **ops, size_t n_ops)
{
	int r = begin(store);

	for (size_t i = 0; i < n_ops && r == 0; i++)
		if (ops[i]->write) {
			r = run_one(store, ops[i]);
			if (r == 0 && ops[i]->result == -ENOSPC && !store->full)
				store_ballast_drop(store);
			if (r == 0 && ops[i]->result == -ESTALE)
				r = -ESTALE;
		}
	if (r == 0 && driver_is_damaged(store->driver))
		r = -EBADMSG;
	if (r == 0)
		r = commit(store);
	if (r == 0 && !driver_in_place(store->driver)) /* committed, but to a file that nobody will find again */
		r = -EIDRM;
	if (r > 0)
		r = -EIO;
	if (r != 0)
		roll_back(store);
	return r;
}

void store_run_batch(struct store *store, struct op **ops, size_t n_ops)
{
	bool writes = false;
	int r = 0;

	for (size_t i = 0; i < n_ops; i++)
		writes = writes || ops[i]->write;
	if (writes)
		r = run_writes(store, ops, n_ops);
	if (r == -ENOSPC)
		store_ballast_drop(store);
	if (is_final(r))
		break_for_ever(store, r);
	for (size_t i = 0; i < n_ops; i++) {
		if (ops[i]->write && r != 0)
			fail(ops[i], r);
		else if (ops[i]->write && ops[i]->v)
			store->head = ops[i]->v;
	}
	for (size_t i = 0; i < n_ops; i++)
		if (!ops[i]->write) {
			op_reset(ops[i]);
			ops[i]->result = ops[i]->run(store, ops[i]);
		}
	if (driver_is_damaged(store->driver))
		break_for_ever(store, -EBADMSG);
}

int store_run_now(struct store *store, struct op *op)
{
	store_run_batch(store, &op, 1);
	return op->result;
}
