/* Group commit: V order, bad neighbours, full disks, fencing, the store thread, and kill -9. */
#include "tests/unit/controller/store/store_fixture.h"

#include "controller/store/store_internal.h"
#include "controller/store/store_thread.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Creates an org of that name, or fails as told. */
struct job {
	struct op op;
	char name[NAME_SIZE];
	int fail_after; /* returned after the work was done */
	bool keeps;     /* and the refusal is to be kept */
	int n_done;
	unsigned seen_orgs; /* of a read */
	struct store_org org;
};

static int run_create(struct store *store, struct op *op)
{
	struct job *job = container_of(op, struct job, op);
	int r = store_org_create(store, op, job->name, &job->org);

	op->keep_refusal = job->keeps;
	return r ? r : job->fail_after;
}

/* A write that takes no V. */
static int run_bare(struct store *store, struct op *op)
{
	(void)op;
	return driver_exec(store->driver, "UPDATE org SET name = 'other'");
}

static void count_org(void *arg, const struct store_org *org)
{
	(void)org;
	(*(unsigned *)arg)++;
}

static int run_count(struct store *store, struct op *op)
{
	struct job *job = container_of(op, struct job, op);
	struct store_next next;

	job->seen_orgs = 0;
	return store_org_list(store, &op->principal, NULL, count_org, &job->seen_orgs, &next, &op->why);
}

static void done(struct op *op)
{
	container_of(op, struct job, op)->n_done++;
}

static void job_init(struct fixture *f, struct job *job, const char *name)
{
	*job = (struct job){ 0 };
	snprintf(job->name, sizeof job->name, "%s", name);
	op_init(&job->op, run_create, done, &f->root, "r");
}

static int64_t number(struct fixture *f, const char *sql)
{
	int64_t value = -1;

	assert_int_equal(sql_get_int(f->store, &value, sql, ""), 0);
	return value;
}

static bool is_gap_free(struct fixture *f)
{
	return number(f, "SELECT count(*) = max(v) AND min(v) = 1 FROM log") == 1 &&
	       number(f, "SELECT (SELECT v FROM meta) = (SELECT max(v) FROM log)") == 1;
}

static void one_bad_op_never_fails_its_group(void **state)
{
	struct fixture *f = *state;
	struct job jobs[5];
	struct op *ops[5];

	for (int i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof name, "org%d", i == 3 ? 0 : i); /* number 3 wants a taken name */
		job_init(f, &jobs[i], name);
		ops[i] = &jobs[i].op;
	}
	jobs[1].fail_after = -EIO; /* breaks after it has written and taken two Vs */
	store_run_batch(f->store, ops, 5);
	assert_int_equal(jobs[0].op.result, 0);
	assert_int_equal(jobs[1].op.result, -EIO);
	assert_int_equal(jobs[1].op.v, 0);
	assert_int_equal(jobs[1].op.n_records, 0);
	assert_int_equal(jobs[2].op.result, 0);
	assert_int_equal(jobs[3].op.result, E_REFUSED);
	assert_string_equal(jobs[3].op.why.code, "name_taken");
	assert_int_equal(jobs[4].op.result, 0);
	assert_int_equal(jobs[0].op.v, 2); /* org and its default network */
	assert_int_equal(jobs[2].op.v, 4);
	assert_int_equal(jobs[4].op.v, 6);
	assert_int_equal(store_head(f->store), 6);
	assert_true(is_gap_free(f));
	for (int i = 0; i < 5; i++)
		op_deinit(&jobs[i].op);
}

/* A refusal undoes what its op wrote, unless the op says that the refusal itself is to be kept. Whoever is last in a group and fails
 * takes nothing from the head. */
static void a_refused_op_leaves_nothing_unless_it_asks(void **state)
{
	struct fixture *f = *state;
	struct job good, refused, kept;
	struct op *ops[] = { &good.op, &kept.op, &refused.op };

	job_init(f, &good, "good");
	job_init(f, &kept, "kept");
	job_init(f, &refused, "refused");
	refused.fail_after = E_REFUSED;
	kept.fail_after = E_REFUSED;
	kept.keeps = true;
	store_run_batch(f->store, ops, ARRAY_LEN(ops));
	assert_int_equal(refused.op.result, E_REFUSED);
	assert_int_equal(refused.op.n_records, 0);
	assert_int_equal(kept.op.result, E_REFUSED);
	assert_int_equal(number(f, "SELECT count(*) FROM org WHERE name = 'refused'"), 0);
	assert_int_equal(number(f, "SELECT count(*) FROM org WHERE name = 'kept'"), 1);
	assert_int_equal(number(f, "SELECT count(*) FROM org"), 2);
	assert_int_equal(store_head(f->store), 4);
	assert_true(is_gap_free(f));
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		op_deinit(ops[i]);
}

static void records_come_in_v_order_with_the_bytes_of_the_log(void **state)
{
	struct fixture *f = *state;
	struct job job;

	job_init(f, &job, "acme");
	assert_int_equal(store_run_now(f->store, &job.op), 0);
	assert_int_equal(job.op.n_records, 2);
	assert_int_equal(job.op.records[0]->kind, RECORD_ORG);
	assert_int_equal(job.op.records[0]->v, 1);
	assert_int_equal(job.op.records[1]->kind, RECORD_NETWORK);
	assert_int_equal(job.op.records[1]->v, 2);
	assert_true(job.op.records[1]->body_len > 0);
	assert_int_equal(record_check(job.op.records[1], NULL), 0);
	op_deinit(&job.op);
}

static void reads_of_a_batch_see_what_its_writes_committed(void **state)
{
	struct fixture *f = *state;
	struct job write, read;
	struct op *ops[] = { &read.op, &write.op };

	job_init(f, &write, "acme");
	job_init(f, &read, "");
	read.op.run = run_count;
	read.op.write = false;
	store_run_batch(f->store, ops, 2);
	assert_int_equal(read.op.result, 0);
	assert_int_equal(read.seen_orgs, 1);
	op_deinit(&write.op);
	op_deinit(&read.op);
}

static void a_taken_over_store_is_written_no_more(void **state)
{
	struct fixture *f = *state;
	struct job a, b;

	assert_int_equal(driver_exec(f->store->driver, "UPDATE meta SET epoch = epoch + 1"), 0);
	job_init(f, &a, "acme");
	job_init(f, &b, "globex");
	assert_int_equal(store_run_now(f->store, &a.op), -ESTALE);
	assert_string_equal(a.op.why.code, "fenced");
	assert_int_equal(store_run_now(f->store, &b.op), -ESTALE);
	assert_int_equal(number(f, "SELECT count(*) FROM log"), 0);
	op_deinit(&a.op);
	op_deinit(&b.op);
}

static void g14_a_taken_over_store_is_not_written_without_a_v_either(void **state)
{
	struct fixture *f = *state;
	struct job job;

	job_init(f, &job, "acme");
	assert_int_equal(store_run_now(f->store, &job.op), 0);
	op_deinit(&job.op);
	assert_int_equal(driver_exec(f->store->driver, "UPDATE meta SET epoch = epoch + 1"), 0);
	job_init(f, &job, "");
	job.op.run = run_bare;
	assert_int_equal(store_run_now(f->store, &job.op), -ESTALE);
	assert_int_equal(number(f, "SELECT count(*) FROM org WHERE name = 'acme'"), 1);
	op_deinit(&job.op);
}

static void g14_a_taken_over_store_is_noticed_without_a_write(void **state)
{
	struct fixture *f = *state;
	struct job job;

	assert_int_equal(store_check_ours(f->store), 0);
	assert_int_equal(driver_exec(f->store->driver, "UPDATE meta SET epoch = epoch + 1"), 0);
	assert_int_equal(store_check_ours(f->store), -ESTALE);
	assert_int_equal(driver_exec(f->store->driver, "UPDATE meta SET epoch = epoch - 1"), 0);
	job_init(f, &job, "acme"); /* for ever: nobody knows what the other one did */
	assert_int_equal(store_run_now(f->store, &job.op), -ESTALE);
	op_deinit(&job.op);
}

/* What is committed to a file that is not at its path is lost, so it must not be acknowledged. */
static void assert_moved_is_noticed(struct fixture *f, const char *suffix, bool replaced)
{
	char path[160], away[170];
	struct job job;
	FILE *file;

	make_region(f, "ord");
	snprintf(path, sizeof path, "%s%s", f->path, suffix);
	snprintf(away, sizeof away, "%s.away", path);
	assert_int_equal(rename(path, away), 0);
	if (replaced) {
		file = fopen(path, "w");
		fclose(file);
	}
	job_init(f, &job, "acme");
	assert_int_equal(store_run_now(f->store, &job.op), -EIDRM);
	assert_int_equal(job.op.v, 0);
	assert_int_equal(store_check_ours(f->store), -EIDRM);
	op_deinit(&job.op);
	assert_int_equal(rename(away, path), 0);
}

static void a_store_whose_file_is_moved_away_acknowledges_nothing(void **state)
{
	assert_moved_is_noticed(*state, "", false);
}

static void a_store_whose_file_is_replaced_acknowledges_nothing(void **state)
{
	assert_moved_is_noticed(*state, "", true);
}

static void a_store_whose_wal_is_removed_acknowledges_nothing(void **state)
{
	assert_moved_is_noticed(*state, "-wal", false);
}

static bool has_ballast(struct fixture *f)
{
	char path[160];
	struct stat st;

	snprintf(path, sizeof path, "%s-ballast", f->path);
	return stat(path, &st) == 0;
}

static void a_full_disk_costs_the_ballast_and_answers_507_until_there_is_room(void **state)
{
	struct fixture *f = *state;
	char sql[80], name[NAME_SIZE];
	struct job job;
	unsigned made = 0;
	int r = 0;

	snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld", (long long)number(f, "PRAGMA page_count") + 4);
	assert_int_equal(driver_exec(f->store->driver, sql), 0);
	assert_true(has_ballast(f));
	while (r == 0 && made < 5000) {
		snprintf(name, sizeof name, "org-number-%u", made);
		job_init(f, &job, name);
		r = store_run_now(f->store, &job.op);
		if (r == 0)
			made++;
		op_deinit(&job.op);
	}
	assert_int_equal(r, -ENOSPC);
	assert_string_equal(job.op.why.code, "disk_full");
	assert_false(has_ballast(f));
	assert_true(store_is_full(f->store));
	assert_int_equal(number(f, "SELECT count(*) FROM org"), made);
	assert_true(is_gap_free(f));
	assert_int_equal(driver_exec(f->store->driver, "PRAGMA max_page_count = 100000"), 0);
	job_init(f, &job, "after");
	assert_int_equal(store_run_now(f->store, &job.op), 0);
	assert_true(has_ballast(f));
	assert_false(store_is_full(f->store));
	op_deinit(&job.op);
}

static void a_full_disk_takes_what_frees_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct job job, free_job, last;
	struct op *ops[] = { &job.op, &free_job.op, &last.op };

	f->store->ballast_bytes = UINT64_MAX / 4; /* there will not be room for that */
	store_ballast_drop(f->store);
	assert_true(store_is_full(f->store));
	job_init(f, &job, "acme");
	job_init(f, &free_job, "globex");
	job_init(f, &last, "hooli");
	free_job.op.frees = true;
	store_run_batch(f->store, ops, ARRAY_LEN(ops));
	assert_int_equal(job.op.result, -ENOSPC);
	assert_string_equal(job.op.why.code, "disk_full");
	assert_int_equal(free_job.op.result, 0);
	assert_int_equal(last.op.result, -ENOSPC);
	assert_true(store_is_full(f->store));
	assert_int_equal(number(f, "SELECT count(*) FROM org"), 1);
	assert_int_equal(store_head(f->store), 2);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		op_deinit(ops[i]);
}

/* A quota or a limit comes as another error than a full disk, and is the same thing: no reason to end. */
static void a_limit_on_the_size_of_files_is_a_full_disk_and_not_the_end(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, limit;
	char name[NAME_SIZE], wal[160];
	struct job job;
	struct stat st;
	unsigned made = 0;
	int r = 0;

	signal(SIGXFSZ, SIG_IGN);
	make_region(f, "ord");
	snprintf(wal, sizeof wal, "%s-wal", f->path);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){ (rlim_t)st.st_size + 100000, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	while (r == 0 && made < 1000) {
		snprintf(name, sizeof name, "org-%u", made);
		job_init(f, &job, name);
		r = store_run_now(f->store, &job.op);
		made += r == 0;
		op_deinit(&job.op);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(f->store->broken, 0);
	assert_int_equal(number(f, "SELECT count(*) FROM org"), made);
	job_init(f, &job, "after");
	assert_int_equal(store_run_now(f->store, &job.op), 0);
	assert_true(is_gap_free(f));
	op_deinit(&job.op);
}

/* ---- the thread ---- */

struct seen {
	uint64_t last_v;
	unsigned n;
	bool ordered;
};

static void committed(void *arg, struct record *record, uint64_t committed_ms)
{
	struct seen *seen = arg;

	seen->ordered = seen->ordered && record->v == seen->last_v + 1 && committed_ms >= T0;
	seen->last_v = record->v;
	seen->n++;
	free(record);
}

#define N_JOBS 600

static void the_thread_gives_all_back_in_v_order_records_before_done(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .ordered = true };
	struct store_thread_events events = { .committed = committed, .arg = &seen };
	struct job *jobs = calloc(N_JOBS, sizeof *jobs);
	struct store_thread *thread;
	struct loop *loop;
	unsigned n_done = 0;

	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(store_thread_start(f->store, loop, &events, &thread), 0);
	for (int i = 0; i < N_JOBS; i++) {
		char name[NAME_SIZE];

		snprintf(name, sizeof name, "org%d", i % 7 == 6 ? 0 : i);
		job_init(f, &jobs[i], name);
		store_thread_put(thread, &jobs[i].op);
	}
	while (n_done < N_JOBS) {
		assert_int_equal(loop_round(loop, 10000), 0);
		n_done = 0;
		for (int i = 0; i < N_JOBS; i++)
			n_done += (unsigned)jobs[i].n_done;
	}
	for (int i = 0; i < N_JOBS; i++) {
		assert_int_equal(jobs[i].n_done, 1);
		assert_int_equal(jobs[i].op.result, i % 7 == 6 ? E_REFUSED : 0);
		op_deinit(&jobs[i].op);
	}
	assert_null(store_thread_stop(thread));
	assert_true(seen.ordered);
	assert_int_equal(seen.last_v, store_head(f->store));
	loop_free(loop);
	free(jobs);
}

static void stopping_the_thread_runs_and_delivers_what_waits(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .ordered = true };
	struct store_thread_events events = { .committed = committed, .arg = &seen };
	struct store_thread *thread;
	struct loop *loop;
	struct job jobs[20];

	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(store_thread_start(f->store, loop, &events, &thread), 0);
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof name, "org%d", i);
		job_init(f, &jobs[i], name);
		store_thread_put(thread, &jobs[i].op);
	}
	store_thread_stop(thread);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(jobs[i].n_done, 1);
		op_deinit(&jobs[i].op);
	}
	assert_int_equal(seen.n, 40);
	loop_free(loop);
}

static void without_a_loop_the_pump_runs_what_waits(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .ordered = true };
	struct store_thread_events events = { .committed = committed, .arg = &seen };
	struct store_thread *thread;
	struct job job;

	assert_int_equal(store_thread_start(f->store, NULL, &events, &thread), 0);
	job_init(f, &job, "acme");
	store_thread_put(thread, &job.op);
	assert_int_equal(job.n_done, 0);
	assert_int_equal(store_thread_pump(thread), 1);
	assert_int_equal(job.n_done, 1);
	assert_int_equal(seen.n, 2);
	store_thread_stop(thread);
	op_deinit(&job.op);
}

/* ---- kill -9 ---- */

/* Commits groups of three and says each V aloud once it is acknowledged, until it is killed. */
static void commit_for_ever(struct fixture *f, int out)
{
	for (unsigned i = 0;; i++) {
		struct job jobs[3];
		struct op *ops[3];

		for (unsigned k = 0; k < 3; k++) {
			char name[32];

			snprintf(name, sizeof name, "org-%u-%u", i, k);
			job_init(f, &jobs[k], name);
			ops[k] = &jobs[k].op;
		}
		store_run_batch(f->store, ops, 3);
		for (unsigned k = 0; k < 3; k++) {
			if (jobs[k].op.result || write(out, &jobs[k].op.v, sizeof jobs[k].op.v) != sizeof jobs[k].op.v)
				_exit(1);
			op_deinit(&jobs[k].op);
		}
	}
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
	struct fixture *f = *state;
	uint64_t last = 0;

	for (int round = 0; round < 5; round++) {
		unsigned wanted = 20 + 13 * (unsigned)round, got = 0;
		uint64_t v, orgs_before;
		int ends[2], status;
		pid_t child;

		f->store = store_close(f->store);
		assert_int_equal(pipe(ends), 0);
		child = fork();
		if (child == 0) {
			close(ends[0]);
			f->time.seed += 1000 + (uint64_t)round; /* ids of the rounds must differ */
			fixture_open(f);
			if (driver_exec(f->store->driver, "DELETE FROM network") || driver_exec(f->store->driver, "DELETE FROM org"))
				_exit(2); /* the names are free again; the log stays */
			commit_for_ever(f, ends[1]);
		}
		close(ends[1]);
		while (got++ < wanted && read(ends[0], &v, sizeof v) == sizeof v)
			last = v;
		kill(child, SIGKILL);
		while (read(ends[0], &v, sizeof v) == sizeof v) /* said before it died */
			last = v;
		close(ends[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		fixture_open(f);
		orgs_before = store_head(f->store);
		assert_true(orgs_before >= last);
		assert_true(is_gap_free(f));
	}
	assert_true(last > 100);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
static void g21_nothing_is_deleted_without_a_reason(void **state)
{
	struct fixture *f = *state;
	struct region_record in = { .name = "ord" };

	make_region(f, "ord");
	assert_int_equal(DO(f, &f->root, change_remove(store, op, region_envelope(&in), INTENT_NONE, NULL)), -EINVAL);
	assert_int_equal(DO(f, &f->root, change_remove(store, op, region_envelope(&in), INTENT_DELETE, NULL)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_bad_op_never_fails_its_group),
		T(g21_nothing_is_deleted_without_a_reason),
		T(records_come_in_v_order_with_the_bytes_of_the_log),
		T(reads_of_a_batch_see_what_its_writes_committed),
		T(a_taken_over_store_is_written_no_more),
		T(g14_a_taken_over_store_is_noticed_without_a_write),
		T(a_store_whose_file_is_moved_away_acknowledges_nothing),
		T(a_store_whose_file_is_replaced_acknowledges_nothing),
		T(a_store_whose_wal_is_removed_acknowledges_nothing),
		T(a_refused_op_leaves_nothing_unless_it_asks),
		T(g14_a_taken_over_store_is_not_written_without_a_v_either),
		T(a_full_disk_takes_what_frees_and_nothing_else),
		T(a_full_disk_costs_the_ballast_and_answers_507_until_there_is_room),
		T(a_limit_on_the_size_of_files_is_a_full_disk_and_not_the_end),
		T(the_thread_gives_all_back_in_v_order_records_before_done),
		T(stopping_the_thread_runs_and_delivers_what_waits),
		T(without_a_loop_the_pump_runs_what_waits),
		T(what_was_acknowledged_survives_kill_9),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
