/* The file thread: order, durability, a full disk, and a crash between any two of its steps (files copied as they were). */
#include "tests/unit/node/made.h"

#include "lib/base/loop.h"
#include "node/journal.h"
#include "node/statefile.h"
#include "tests/unit/node/folder.h"

#include <sched.h>
#include <sys/mount.h>

#define ANSWERS 4096

struct desk {
	struct folder folder;
	struct loop *loop;
	struct journal *journal;
	struct replica replica; /* what should be on disk when all is answered */
	unsigned asked, answered;
	int results[ANSWERS];
	unsigned order[ANSWERS];
};

struct ticket {
	struct desk *desk;
	unsigned number;
};

static void answered(void *arg, int result)
{
	struct ticket *t = arg;
	struct desk *d = t->desk;

	d->order[d->answered] = t->number;
	d->results[d->answered++] = result;
	free(t);
}

static struct ticket *ticket(struct desk *d)
{
	struct ticket *t = malloc(sizeof *t);

	*t = (struct ticket){ .desk = d, .number = d->asked++ };
	return t;
}

static void desk_open_on(struct desk *d, bool thread)
{
	struct statefile_found found = { 0 };
	struct why why = { 0 };

	replica_init(&d->replica);
	assert_int_equal(statefile_load(d->folder.path, &d->replica, &found, &why), 0);
	assert_int_equal(loop_new(&d->loop), 0);
	assert_int_equal(journal_new(thread ? d->loop : NULL, d->folder.path, found.chain, found.journal_len, &d->journal), 0);
}

static void desk_open(struct desk *d)
{
	desk_open_on(d, true);
}

static struct desk *desk_new(void)
{
	struct desk *d = calloc(1, sizeof *d);

	d->folder = folder_new();
	desk_open(d);
	return d;
}

static void desk_close(struct desk *d)
{
	d->journal = journal_free(d->journal);
	d->loop = loop_free(d->loop);
	replica_deinit(&d->replica);
}

static void desk_end(struct desk *d)
{
	desk_close(d);
	folder_end(&d->folder);
	free(d);
}

static void settle(struct desk *d)
{
	while (d->answered < d->asked) {
		unsigned before = d->answered;

		assert_int_equal(loop_round(d->loop, 10000), 0);
		assert_true(d->answered > before); /* else it took ten seconds */
	}
}

static int last(const struct desk *d)
{
	return d->results[d->answered - 1];
}

static void fold(struct desk *d)
{
	assert_int_equal(journal_fold(d->journal, &d->replica, answered, ticket(d)), 0);
}

/* One more reply: taken by the replica and appended. `fat` makes its record about that many bytes. */
static void append(struct desk *d, size_t fat)
{
	uint64_t v = d->replica.v;
	struct made *m = made_delta(v, v + 1);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST, 1);
	char *spec = malloc(fat + 1);
	struct buf *reply;

	memset(spec, 'x', fat);
	spec[fat] = 0;
	made_workload(m, v + 1, &i, spec);
	reply = made_bytes(m);
	assert_int_equal(journal_append(d->journal, reply->data, reply->len, v, v + 1, answered, ticket(d)), 0);
	made_take(&d->replica, m, 0);
	free(spec);
}

static void world(struct desk *d)
{
	made_take(&d->replica, made_world(), 0);
	fold(d);
	settle(d);
	assert_int_equal(last(d), 0);
}

/* What a start would find in the folder. */
static void finds(const struct folder *f, const struct replica *expected)
{
	struct statefile_found found = { 0 };
	struct why why = { 0 };
	struct replica r;
	int e;

	replica_init(&r);
	e = statefile_load(f->path, &r, &found, &why);
	if (e || !made_same(&r, expected))
		print_error("load: %d %s, V %llu of %llu\n", e, why.text, (unsigned long long)r.v, (unsigned long long)expected->v);
	assert_int_equal(e, 0);
	assert_true(made_same(&r, expected));
	replica_deinit(&r);
}

static void answers_come_in_the_order_of_the_jobs(void **state)
{
	struct desk *d = desk_new();

	(void)state;
	world(d);
	for (unsigned n = 0; n < 200; n++) {
		if (n % 17 == 0)
			fold(d);
		append(d, 10 + n);
	}
	settle(d);
	for (unsigned n = 0; n < d->answered; n++) {
		assert_int_equal(d->order[n], n);
		assert_int_equal(d->results[n], 0);
	}
	finds(&d->folder, &d->replica);
	desk_end(d);
}

static void g9_an_answer_means_that_it_is_in_the_files(void **state)
{
	struct desk *d = desk_new();

	(void)state;
	world(d);
	finds(&d->folder, &d->replica);
	for (unsigned n = 0; n < 20; n++) {
		append(d, 100);
		settle(d);
		finds(&d->folder, &d->replica);
	}
	fold(d);
	settle(d);
	finds(&d->folder, &d->replica);
	desk_end(d);
}

static void a_fold_empties_the_journal_and_later_entries_continue_it(void **state)
{
	struct desk *d = desk_new();
	CLEAN_BUF struct buf journal = BUF_INIT(0);

	(void)state;
	world(d);
	append(d, 50);
	fold(d);
	settle(d);
	journal = folder_read(&d->folder, "replica.journal");
	assert_int_equal(journal.len, 0);
	append(d, 50);
	append(d, 50);
	settle(d);
	finds(&d->folder, &d->replica);
	desk_end(d);
}

static void a_restart_continues_the_same_journal(void **state)
{
	struct desk *d = desk_new();

	(void)state;
	world(d);
	for (unsigned start = 0; start < 5; start++) {
		append(d, 30);
		append(d, 30);
		settle(d);
		desk_close(d);
		desk_open(d);
		assert_int_equal(d->replica.v, 22 + 2 * start);
	}
	desk_end(d);
}

static void freeing_finishes(bool thread)
{
	struct desk *d = desk_new();
	struct ticket none = { .desk = d };

	world(d);
	desk_close(d);
	desk_open_on(d, thread);
	for (unsigned n = 0; n < 50; n++) {
		uint64_t v = d->replica.v;
		struct made *m = made_delta(v, v + 1);
		struct buf *reply = made_bytes(m);

		assert_int_equal(journal_append(d->journal, reply->data, reply->len, v, v + 1, answered, &none), 0);
		made_take(&d->replica, m, 0);
	}
	d->journal = journal_free(d->journal);
	assert_int_equal(d->answered, 1);
	finds(&d->folder, &d->replica);
	desk_end(d);
}

static void freeing_finishes_what_is_queued_without_answers(void **state)
{
	(void)state;
	freeing_finishes(true);
	freeing_finishes(false);
}

static void it_wants_to_be_folded_above_a_mebibyte_and_not_before(void **state)
{
	struct desk *d = desk_new();
	unsigned n = 0;

	(void)state;
	world(d);
	while (!journal_wants_fold(d->journal)) {
		append(d, 50000);
		settle(d);
		assert_true(++n <= 22);
	}
	assert_true(n >= 20);
	fold(d);
	assert_false(journal_wants_fold(d->journal));
	settle(d);
	finds(&d->folder, &d->replica);
	desk_end(d);
}

static void the_files_are_for_their_owner_alone(void **state)
{
	struct desk *d = desk_new();
	struct stat st;

	(void)state;
	umask(0);
	world(d);
	append(d, 1);
	settle(d);
	assert_int_equal(stat(folder_file(&d->folder, "replica.snapshot"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(folder_file(&d->folder, "replica.journal"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	umask(077);
	desk_end(d);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct journal *journal = NULL;
	const uint8_t chain[32] = { 0 };
	struct loop *loop;

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(journal_new(loop, "/nonexistent/folder", chain, 0, &journal), -ENOENT);
	assert_null(journal);
	loop_free(loop);
}

/* ---- failures ---- */

static void after_a_failed_fold_nothing_is_appended_until_one_succeeds(void **state)
{
	struct desk *d = desk_new();
	struct replica before;

	(void)state;
	world(d);
	append(d, 10);
	settle(d);
	replica_init(&before);
	made_take(&before, made_world(), 0);
	{
		struct made *m = made_delta(20, 21);
		struct instance_record i = made_instance_record(MADE_NET, MADE_HOST, 1);

		made_workload(m, 21, &i, "xxxxxxxxxx");
		made_take(&before, m, 0);
	}
	assert_int_equal(mkdir(folder_file(&d->folder, "replica.snapshot.tmp"), 0700), 0); /* no new snapshot can be written */
	fold(d);
	append(d, 10);
	append(d, 10);
	settle(d);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(d->results[d->answered - 1 - n], -EISDIR);
	finds(&d->folder, &before); /* the old state is whole */
	rmdir(folder_file(&d->folder, "replica.snapshot.tmp"));
	append(d, 10);
	settle(d);
	assert_int_equal(last(d), -EISDIR);
	fold(d);
	append(d, 10);
	settle(d);
	assert_int_equal(last(d), 0);
	finds(&d->folder, &d->replica);
	replica_deinit(&before);
	desk_end(d);
}

static bool small_disk(const struct folder *f, const char *size)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	return mount("small", f->path, "tmpfs", 0, size) == 0;
}

static void on_a_full_disk_nothing_acknowledged_is_lost_and_a_fold_mends_it(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	unsigned n = 0;

	(void)state;
	d->folder = folder_new();
	if (!small_disk(&d->folder, "size=128k")) {
		print_message("SKIP: a small tmpfs in a mount namespace of our own needs root\n");
		folder_end(&d->folder);
		free(d);
		skip();
	}
	desk_open(d);
	world(d);
	do {
		append(d, 7000);
		settle(d);
		assert_true(++n < 100);
	} while (last(d) == 0);
	assert_int_equal(last(d), -ENOSPC);
	append(d, 1); /* would fit, but behind a torn entry */
	settle(d);
	assert_int_equal(last(d), -ENOSPC);
	{ /* what was acknowledged: all but the last two */
		struct statefile_found found;
		struct folder copy = folder_new();
		CLEAN_BUF struct buf s = folder_read(&d->folder, "replica.snapshot"), j = folder_read(&d->folder, "replica.journal");
		struct replica r;
		struct why why = { 0 };

		folder_write(&copy, "replica.snapshot", s.data, s.len);
		folder_write(&copy, "replica.journal", j.data, j.len);
		replica_init(&r);
		assert_int_equal(statefile_load(copy.path, &r, &found, &why), 0);
		assert_int_equal(r.v, d->replica.v - 2);
		replica_deinit(&r);
		folder_end(&copy);
	}
	assert_int_equal(mount("small", d->folder.path, "tmpfs", MS_REMOUNT, "size=1m"), 0);
	fold(d);
	append(d, 7000);
	settle(d);
	assert_int_equal(last(d), 0);
	finds(&d->folder, &d->replica);
	desk_close(d);
	assert_int_equal(umount(d->folder.path), 0);
	folder_end(&d->folder);
	free(d);
}

/* ---- crashes ---- */

#define STEPS 9

struct moment {
	struct buf snapshot, journal;
	struct replica replica;
};

static void copy_replica(const struct replica *from, struct replica *ret)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(0);
	uint8_t hash[32];

	replica_init(ret);
	assert_int_equal(statefile_encode(from, &bytes, hash), 0);
	assert_int_equal(statefile_decode(bytes.data, bytes.len, ret, hash, NULL), 0);
}

static void without_a_loop_jobs_wait_until_they_are_pumped(void **state)
{
	struct desk *d = desk_new();
	struct replica before;

	(void)state;
	world(d);
	copy_replica(&d->replica, &before);
	desk_close(d);
	desk_open_on(d, false);
	append(d, 20);
	append(d, 20);
	finds(&d->folder, &before);
	assert_int_equal(d->answered, d->asked - 2);
	assert_int_equal(journal_pump(d->journal), 2);
	assert_int_equal(d->answered, d->asked);
	assert_int_equal(last(d), 0);
	finds(&d->folder, &d->replica);
	assert_int_equal(journal_pump(d->journal), 0);
	replica_deinit(&before);
	desk_end(d);
}

static void crashed(const struct buf *snapshot, const void *journal, size_t journal_len, const struct replica *expected)
{
	struct folder f = folder_new();

	folder_write(&f, "replica.snapshot", snapshot->data, snapshot->len);
	folder_write(&f, "replica.journal", journal, journal_len);
	finds(&f, expected);
	folder_end(&f);
}

static void g13_a_crash_between_any_two_steps_leaves_the_state_before_or_after(void **state)
{
	struct desk *d = desk_new();
	struct moment *m = calloc(STEPS, sizeof *m);
	const bool folds[STEPS] = { true, false, false, true, true, false, false, false, true };

	(void)state;
	made_take(&d->replica, made_world(), 0);
	for (unsigned n = 0; n < STEPS; n++) {
		if (folds[n])
			fold(d);
		else
			append(d, 20);
		settle(d);
		m[n].snapshot = folder_read(&d->folder, "replica.snapshot");
		m[n].journal = folder_read(&d->folder, "replica.journal");
		copy_replica(&d->replica, &m[n].replica);
		crashed(&m[n].snapshot, m[n].journal.data, m[n].journal.len, &m[n].replica);
		if (n && folds[n]) /* the snapshot was renamed, the journal not yet emptied */
			crashed(&m[n].snapshot, m[n - 1].journal.data, m[n - 1].journal.len, &m[n].replica);
		for (size_t cut = n ? m[n - 1].journal.len : 0; !folds[n] && cut < m[n].journal.len; cut += 7) /* torn */
			crashed(&m[n].snapshot, m[n].journal.data, cut, &m[n - 1].replica);
	}
	for (unsigned n = 0; n < STEPS; n++) {
		buf_deinit(&m[n].snapshot);
		buf_deinit(&m[n].journal);
		replica_deinit(&m[n].replica);
	}
	free(m);
	desk_end(d);
}

/* The proof that a start finds; its length. */
static size_t proves(const struct folder *f, uint64_t *ret_v, char ret_proof[REPLICA_PROOF_MAX + 1])
{
	struct statefile_found found = { 0 };
	struct why why = { 0 };
	struct replica r;
	size_t n;

	replica_init(&r);
	assert_int_equal(statefile_load(f->path, &r, &found, &why), 0);
	memcpy(ret_proof, r.head_proof, r.head_proof_len);
	ret_proof[r.head_proof_len] = 0;
	n = r.head_proof_len;
	*ret_v = r.v;
	replica_deinit(&r);
	return n;
}

/* A bookmark that proves its V: taken and appended. */
static void append_proven(struct desk *d)
{
	uint64_t v = d->replica.v;
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_NOTHING, v, v + 1);
	struct buf *reply;
	char proof[40];

	snprintf(proof, sizeof proof, "proof of %llu", (unsigned long long)v + 1);
	m->reply.head_proof = pb_bytes(proof, strlen(proof));
	reply = made_bytes(m);
	assert_int_equal(journal_append(d->journal, reply->data, reply->len, v, v + 1, answered, ticket(d)), 0);
	made_take(&d->replica, m, 0);
}

static void g14_a_restarted_node_can_prove_what_it_acknowledged(void **state)
{
	struct desk *d = desk_new();
	struct made *m = made_world();
	char proof[REPLICA_PROOF_MAX + 1], expected[40];
	CLEAN_BUF struct buf before = BUF_INIT(0);
	uint64_t v;

	(void)state;
	m->reply.head_proof = pb_bytes("proof of 20", 11);
	made_take(&d->replica, m, 0);
	fold(d);
	for (unsigned n = 0; n < 12; n++) {
		settle(d);
		assert_int_equal(last(d), 0);
		snprintf(expected, sizeof expected, "proof of %llu", (unsigned long long)d->replica.v);
		assert_true(proves(&d->folder, &v, proof) > 0);
		assert_int_equal(v, d->replica.v);
		assert_string_equal(proof, expected);
		if (n % 4 == 3) {
			desk_close(d);
			desk_open(d);
			assert_int_equal(d->replica.head_proof_len, strlen(expected));
			fold(d);
		} else {
			append_proven(d);
		}
	}
	settle(d);
	before = folder_read(&d->folder, "replica.journal");
	fold(d);
	settle(d);
	/* a crash in the middle of a fold: the snapshot is renamed, the journal not emptied */
	folder_write(&d->folder, "replica.journal", before.data, before.len);
	assert_true(proves(&d->folder, &v, proof) > 0);
	assert_int_equal(v, d->replica.v);
	snprintf(expected, sizeof expected, "proof of %llu", (unsigned long long)v);
	assert_string_equal(proof, expected);
	desk_end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_in_the_order_of_the_jobs),
		cmocka_unit_test(g9_an_answer_means_that_it_is_in_the_files),
		cmocka_unit_test(a_fold_empties_the_journal_and_later_entries_continue_it),
		cmocka_unit_test(a_restart_continues_the_same_journal),
		cmocka_unit_test(g14_a_restarted_node_can_prove_what_it_acknowledged),
		cmocka_unit_test(freeing_finishes_what_is_queued_without_answers),
		cmocka_unit_test(it_wants_to_be_folded_above_a_mebibyte_and_not_before),
		cmocka_unit_test(the_files_are_for_their_owner_alone),
		cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
		cmocka_unit_test(without_a_loop_jobs_wait_until_they_are_pumped),
		cmocka_unit_test(after_a_failed_fold_nothing_is_appended_until_one_succeeds),
		cmocka_unit_test(on_a_full_disk_nothing_acknowledged_is_lost_and_a_fold_mends_it),
		cmocka_unit_test(g13_a_crash_between_any_two_steps_leaves_the_state_before_or_after),
	};

	crypto_init();
	log_set_level(LOG_L_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
