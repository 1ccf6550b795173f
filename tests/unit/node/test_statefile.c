/* The state on disk (G13): what was written is read again, and whatever happened to the files, what is served was true at one V. */
#include "tests/unit/node/made.h"

#include "node/statefile.h"
#include "tests/unit/node/folder.h"

#include <fcntl.h>

#define SNAPSHOT "replica.snapshot"
#define JOURNAL "replica.journal"

static void take_world(struct replica *r)
{
	replica_init(r);
	made_take(r, made_world(), 0);
	r->last_commit_ms = 77;
	r->scope_version = 5;
}

/* ---- the snapshot alone ---- */

static void a_snapshot_comes_back_as_it_was(void **state)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(0);
	uint8_t hash[32], read_hash[32];
	struct replica a, b;
	struct why why;

	(void)state;
	take_world(&a);
	replica_init(&b);
	assert_int_equal(statefile_encode(&a, &bytes, hash), 0);
	assert_int_equal(statefile_decode(bytes.data, bytes.len, &b, read_hash, &why), 0);
	assert_true(made_same(&a, &b));
	assert_int_equal(b.last_commit_ms, 77);
	assert_memory_equal(hash, read_hash, 32);
	replica_deinit(&a);
	replica_deinit(&b);
}

static void an_empty_replica_comes_back_as_it_was(void **state)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(0);
	struct replica a, b;
	uint8_t hash[32];
	struct why why;

	(void)state;
	replica_init(&a);
	replica_init(&b);
	assert_int_equal(statefile_encode(&a, &bytes, hash), 0);
	assert_int_equal(statefile_decode(bytes.data, bytes.len, &b, hash, &why), 0);
	assert_true(made_same(&a, &b));
	replica_deinit(&b);
}

static void a_snapshot_cut_at_any_byte_is_refused(void **state)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(0);
	uint8_t hash[32];
	struct replica a;

	(void)state;
	take_world(&a);
	assert_int_equal(statefile_encode(&a, &bytes, hash), 0);
	for (size_t n = 0; n < bytes.len; n++) {
		uint8_t *copy = malloc(n + 1); /* exact, so that a read behind it is seen */
		struct replica b;
		struct why why = { 0 };

		replica_init(&b);
		memcpy(copy, bytes.data, n);
		assert_int_equal(statefile_decode(copy, n, &b, hash, &why), E_REFUSED);
		assert_int_not_equal(why.text[0], 0);
		replica_deinit(&b);
		free(copy);
	}
	replica_deinit(&a);
}

static void a_snapshot_with_any_byte_flipped_is_refused(void **state)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(0);
	const uint8_t flips[] = { 0x01, 0x80, 0xff };
	uint8_t hash[32];
	struct replica a;

	(void)state;
	take_world(&a);
	assert_int_equal(statefile_encode(&a, &bytes, hash), 0);
	for (size_t i = 0; i < bytes.len * ARRAY_LEN(flips); i++) {
		size_t at = i / ARRAY_LEN(flips);
		struct replica b;
		struct why why;
		int e;

		replica_init(&b);
		bytes.data[at] ^= flips[i % ARRAY_LEN(flips)];
		e = statefile_decode(bytes.data, bytes.len, &b, hash, &why);
		bytes.data[at] ^= flips[i % ARRAY_LEN(flips)];
		assert_int_equal(e, E_REFUSED); /* also in the format: that is damage, no newer version */
		replica_deinit(&b);
	}
	replica_deinit(&a);
}

static void bytes_behind_the_snapshot_are_refused(void **state)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(0);
	struct replica a, b;
	uint8_t hash[32];
	struct why why;

	(void)state;
	take_world(&a);
	replica_init(&b);
	assert_int_equal(statefile_encode(&a, &bytes, hash), 0);
	buf_add_u8(&bytes, 0);
	assert_int_equal(statefile_decode(bytes.data, bytes.len, &b, hash, &why), E_REFUSED);
	replica_deinit(&a);
	replica_deinit(&b);
}

/* ---- a folder with snapshot and journal ---- */

#define ENTRIES 4

struct disk {
	struct folder folder;
	struct replica at[ENTRIES + 1]; /* the states that were: of the snapshot, after each entry */
	struct buf snapshot, journal;
	size_t ends[ENTRIES + 1];
};

static struct made *change(unsigned n)
{
	struct made *m = made_delta(20 + n, 21 + n);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST2, 10 + n);

	made_instance(m, 21 + n, &i);
	return m;
}

static struct disk *disk_new(void)
{
	struct disk *d = calloc(1, sizeof *d);
	uint8_t chain[32];

	d->folder = folder_new();
	d->snapshot = d->journal = BUF_INIT(0);
	for (unsigned i = 0; i <= ENTRIES; i++) {
		take_world(&d->at[i]);
		for (unsigned n = 0; n < i; n++)
			made_take(&d->at[i], change(n), 0);
	}
	assert_int_equal(statefile_encode(&d->at[0], &d->snapshot, chain), 0);
	statefile_journal_head(chain, &d->journal);
	assert_int_equal(d->journal.len, STATEFILE_JOURNAL_HEAD);
	d->ends[0] = d->journal.len;
	for (unsigned n = 0; n < ENTRIES; n++) {
		struct made *m = change(n);
		struct buf *reply = made_bytes(m);

		assert_int_equal(statefile_entry(reply->data, reply->len, 20 + n, 21 + n, chain, &d->journal), 0);
		d->ends[n + 1] = d->journal.len;
		made_free(m);
	}
	folder_write(&d->folder, SNAPSHOT, d->snapshot.data, d->snapshot.len);
	folder_write(&d->folder, JOURNAL, d->journal.data, d->journal.len);
	return d;
}

static void disk_end(struct disk *d)
{
	for (unsigned i = 0; i <= ENTRIES; i++)
		replica_deinit(&d->at[i]);
	buf_deinit(&d->snapshot);
	buf_deinit(&d->journal);
	folder_end(&d->folder);
	free(d);
}

/* Loads; the result must be the state after `entries`, and the journal cut to it. */
static struct statefile_found loads_as(struct disk *d, unsigned entries)
{
	struct statefile_found found = { 0 };
	struct why why = { 0 };
	struct replica r;
	CLEAN_BUF struct buf journal = BUF_INIT(0);
	int e;

	replica_init(&r);
	e = statefile_load(d->folder.path, &r, &found, &why);
	if (e)
		print_error("statefile_load: %d %s\n", e, why.text);
	assert_int_equal(e, 0);
	assert_true(made_same(&r, &d->at[entries]));
	assert_int_equal(found.entries, entries);
	journal = folder_read(&d->folder, JOURNAL);
	assert_int_equal(journal.len, found.journal_len);
	replica_deinit(&r);
	return found;
}

static void is_broken(struct disk *d)
{
	struct statefile_found found = { 0 };
	struct why why = { 0 };
	struct replica r;

	replica_init(&r);
	assert_int_equal(statefile_load(d->folder.path, &r, &found, &why), STATEFILE_BROKEN);
	assert_int_not_equal(why.text[0], 0);
	assert_int_equal(r.records.n, 0);
	assert_int_equal(r.v, 0);
	assert_false(r.has_log_id);
	assert_false(folder_has(&d->folder, SNAPSHOT));
	assert_false(folder_has(&d->folder, JOURNAL));
	assert_true(folder_has(&d->folder, SNAPSHOT ".broken"));
	replica_deinit(&r);
}

static void restore(struct disk *d)
{
	folder_write(&d->folder, SNAPSHOT, d->snapshot.data, d->snapshot.len);
	folder_write(&d->folder, JOURNAL, d->journal.data, d->journal.len);
	folder_remove(&d->folder, SNAPSHOT ".broken");
	folder_remove(&d->folder, JOURNAL ".broken");
}

static void no_files_are_an_empty_replica(void **state)
{
	struct folder f = folder_new();
	struct statefile_found found;
	struct replica r;
	struct why why;

	(void)state;
	replica_init(&r);
	assert_int_equal(statefile_load(f.path, &r, &found, &why), 0);
	assert_false(found.had_snapshot);
	assert_int_equal(found.journal_len, 0);
	assert_int_equal(r.records.n, 0);
	folder_end(&f);
}

static void g13_snapshot_and_journal_give_the_last_state(void **state)
{
	struct disk *d = disk_new();
	struct statefile_found found = loads_as(d, ENTRIES);

	(void)state;
	assert_true(found.had_snapshot);
	assert_int_equal(found.torn, 0);
	assert_int_equal(found.journal_len, d->journal.len);
	disk_end(d);
}

static void g13_a_journal_cut_at_any_byte_gives_the_state_before_the_cut(void **state)
{
	struct disk *d = disk_new();

	(void)state;
	for (size_t n = 0; n <= d->journal.len; n++) {
		unsigned whole = 0;
		struct statefile_found found;

		while (whole < ENTRIES && d->ends[whole + 1] <= n)
			whole++;
		folder_write(&d->folder, JOURNAL, d->journal.data, n);
		found = loads_as(d, whole);
		if (n >= STATEFILE_JOURNAL_HEAD)
			assert_int_equal(found.torn, n != d->ends[whole]);
	}
	disk_end(d);
}

static void g13_a_torn_end_is_cut_and_the_chain_goes_on_behind_it(void **state)
{
	struct disk *d = disk_new();
	struct statefile_found found;
	CLEAN_BUF struct buf journal = BUF_INIT(0);
	struct made *m = change(ENTRIES - 1);
	struct buf *reply = made_bytes(m);

	(void)state;
	folder_write(&d->folder, JOURNAL, d->journal.data, d->journal.len - 1);
	found = loads_as(d, ENTRIES - 1);
	assert_int_equal(found.torn, 1);
	journal = folder_read(&d->folder, JOURNAL);
	assert_int_equal(statefile_entry(reply->data, reply->len, 0, 0, found.chain, &journal), 0);
	folder_write(&d->folder, JOURNAL, journal.data, journal.len);
	loads_as(d, ENTRIES);
	made_free(m);
	disk_end(d);
}

static void g13_zeros_behind_the_last_entry_are_a_torn_end(void **state)
{
	struct disk *d = disk_new();
	uint8_t *padded = calloc(1, d->journal.len + 5000);

	(void)state;
	memcpy(padded, d->journal.data, d->journal.len);
	for (size_t zeros = 1; zeros < 5000; zeros += 97) {
		folder_write(&d->folder, JOURNAL, padded, d->journal.len + zeros);
		assert_int_equal(loads_as(d, ENTRIES).torn, 1);
	}
	free(padded);
	disk_end(d);
}

static void a_damaged_last_entry_is_cut_off(void **state)
{
	struct disk *d = disk_new();

	(void)state;
	for (size_t at = d->ends[ENTRIES - 1] + 4; at < d->journal.len; at++) { /* behind its length */
		d->journal.data[at] ^= 0x20;
		restore(d);
		assert_int_equal(loads_as(d, ENTRIES - 1).torn, 1);
		d->journal.data[at] ^= 0x20;
	}
	disk_end(d);
}

static void a_damaged_middle_entry_is_never_served(void **state)
{
	struct disk *d = disk_new();

	(void)state;
	for (size_t at = d->ends[1] + 4; at < d->ends[2]; at++) {
		d->journal.data[at] ^= 0x20;
		restore(d);
		is_broken(d);
		assert_true(folder_has(&d->folder, JOURNAL ".broken"));
		d->journal.data[at] ^= 0x20;
	}
	disk_end(d);
}

static void a_damaged_length_ends_the_journal_or_breaks_it(void **state)
{
	struct disk *d = disk_new();

	(void)state;
	for (size_t bit = 0; bit < 32; bit++) {
		size_t at = d->ends[1] + bit / 8;
		uint32_t n;

		d->journal.data[at] ^= (uint8_t)(1 << bit % 8);
		restore(d);
		n = get_u32(d->journal.data + d->ends[1]);
		if (n > d->journal.len - d->ends[1] - 52)
			assert_int_equal(loads_as(d, 1).torn, 1);
		else
			is_broken(d);
		d->journal.data[at] ^= (uint8_t)(1 << bit % 8);
	}
	disk_end(d);
}

static void an_entry_that_chains_but_does_not_apply_breaks_the_journal(void **state)
{
	struct disk *d = disk_new();
	CLEAN_BUF struct buf journal = BUF_INIT(0);
	struct made *m = change(2); /* starts at 22, not at 20 */
	struct buf *reply = made_bytes(m);
	uint8_t chain[32];

	(void)state;
	memcpy(chain, d->snapshot.data + d->snapshot.len - 32, 32);
	statefile_journal_head(chain, &journal);
	assert_int_equal(statefile_entry(reply->data, reply->len, 22, 23, chain, &journal), 0);
	folder_write(&d->folder, JOURNAL, journal.data, journal.len);
	is_broken(d);
	made_free(m);
	disk_end(d);
}

static void g13_the_journal_of_another_snapshot_is_void_and_the_snapshot_is_served(void **state)
{
	struct disk *d = disk_new();
	CLEAN_BUF struct buf fresh = BUF_INIT(0);
	struct statefile_found found;
	uint8_t hash[32];

	(void)state;
	/* what a crash between the rename of a fold and its truncation leaves: the new snapshot beside the old journal */
	for (unsigned entries = 0; entries <= ENTRIES; entries++) {
		buf_clear(&fresh);
		assert_int_equal(statefile_encode(&d->at[ENTRIES], &fresh, hash), 0);
		folder_write(&d->folder, SNAPSHOT, fresh.data, fresh.len);
		folder_write(&d->folder, JOURNAL, d->journal.data, d->ends[entries]);
		{
			struct replica r;
			struct why why = { 0 };

			replica_init(&r);
			assert_int_equal(statefile_load(d->folder.path, &r, &found, &why), 0);
			assert_true(made_same(&r, &d->at[ENTRIES]));
			replica_deinit(&r);
		}
		assert_true(found.stale_journal);
		assert_int_equal(found.entries, 0);
		assert_int_equal(found.journal_len, 0);
		assert_memory_equal(found.chain, hash, 32);
	}
	disk_end(d);
}

static void g13_a_damaged_head_of_the_journal_costs_the_journal_not_the_snapshot(void **state)
{
	struct disk *d = disk_new();

	(void)state;
	for (size_t at = 0; at < STATEFILE_JOURNAL_HEAD; at++) {
		d->journal.data[at] ^= 1;
		restore(d);
		assert_true(loads_as(d, 0).stale_journal);
		d->journal.data[at] ^= 1;
	}
	disk_end(d);
}

static void a_damaged_snapshot_is_set_aside_and_asked_for_again(void **state)
{
	struct disk *d = disk_new();

	(void)state;
	for (size_t at = 12; at < d->snapshot.len; at += 11) {
		d->snapshot.data[at] ^= 4;
		restore(d);
		is_broken(d);
		d->snapshot.data[at] ^= 4;
	}
	disk_end(d);
}

static void a_newer_format_is_left_alone(void **state)
{
	struct disk *d = disk_new();
	struct statefile_found found;
	struct why why = { 0 };
	struct replica r;
	CLEAN_BUF struct buf snapshot = BUF_INIT(0), journal = BUF_INIT(0);

	(void)state;
	replica_init(&r);
	put_u32(d->snapshot.data + 8, STATEFILE_FORMAT + 1);
	crypto_blake2b((const uint8_t *)"sixpn state", 11, (struct crypto_part[]){ { d->snapshot.data, d->snapshot.len - 32 } }, 1,
		       d->snapshot.data + d->snapshot.len - 32);
	restore(d);
	assert_int_equal(statefile_load(d->folder.path, &r, &found, &why), STATEFILE_NEWER_FORMAT);
	assert_int_not_equal(why.text[0], 0);
	assert_int_equal(r.records.n, 0);
	snapshot = folder_read(&d->folder, SNAPSHOT);
	journal = folder_read(&d->folder, JOURNAL);
	assert_int_equal(snapshot.len, d->snapshot.len);
	assert_memory_equal(snapshot.data, d->snapshot.data, snapshot.len);
	assert_int_equal(journal.len, d->journal.len);
	assert_memory_equal(journal.data, d->journal.data, journal.len);
	disk_end(d);
}

static void a_file_that_cannot_be_read_is_an_error_and_stays(void **state)
{
	struct folder f = folder_new();
	struct statefile_found found;
	struct why why = { 0 };
	struct replica r;

	(void)state;
	replica_init(&r);
	assert_int_equal(mkdir(folder_file(&f, SNAPSHOT), 0700), 0);
	assert_int_equal(statefile_load(f.path, &r, &found, &why), -EISDIR);
	assert_true(folder_has(&f, SNAPSHOT));
	folder_end(&f);
}

static void what_the_link_may_bring_the_journal_can_replay(void **state)
{
	struct disk *d = disk_new();
	struct made *m = made_delta(20, 21);
	CLEAN_BUF struct buf reply = BUF_INIT(0), journal = BUF_INIT(0);
	uint8_t chain[32];
	struct statefile_found found;
	struct replica r;
	struct why why = { 0 };

	(void)state;
	/* many small messages unpack to far more than their bytes: commits of 2 bytes (field 8, length 0) */
	assert_int_equal(pb_pack(&m->reply, &reply), 0);
	for (size_t i = 0; i < 50000; i++)
		buf_add(&reply, "\x42\x00", 2);
	memcpy(chain, d->snapshot.data + d->snapshot.len - 32, 32);
	statefile_journal_head(chain, &journal);
	assert_int_equal(statefile_entry(reply.data, reply.len, 20, 21, chain, &journal), 0);
	folder_write(&d->folder, JOURNAL, journal.data, journal.len);
	replica_init(&r);
	assert_int_equal(statefile_load(d->folder.path, &r, &found, &why), 0);
	assert_int_equal(r.v, 21);
	replica_deinit(&r);
	made_free(m);
	disk_end(d);
}

static void set_time(const struct disk *d, const char *name, time_t seconds)
{
	const struct timespec times[] = { { .tv_sec = seconds }, { .tv_sec = seconds } };

	assert_int_equal(utimensat(AT_FDCWD, folder_file(&d->folder, name), times, 0), 0);
}

/* Mending the journal, or beginning a new one, is no news of the controller. */
static void g17_the_time_of_the_files_is_that_of_the_last_word_heard(void **state)
{
	struct disk *d = disk_new();
	struct folder nothing = folder_new();

	(void)state;
	assert_int_equal(statefile_written_ms(nothing.path), 0);
	set_time(d, SNAPSHOT, 1000);
	set_time(d, JOURNAL, 2000);
	assert_int_equal(statefile_written_ms(d->folder.path), 2000000);
	folder_write(&d->folder, JOURNAL, d->journal.data, d->journal.len - 1); /* a torn last entry */
	set_time(d, JOURNAL, 2000);
	loads_as(d, ENTRIES - 1);
	assert_int_equal(statefile_written_ms(d->folder.path), 2000000);
	folder_write(&d->folder, JOURNAL, d->journal.data, STATEFILE_JOURNAL_HEAD);
	assert_int_equal(statefile_written_ms(d->folder.path), 1000000);
	folder_end(&nothing);
	disk_end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_comes_back_as_it_was),
		cmocka_unit_test(an_empty_replica_comes_back_as_it_was),
		cmocka_unit_test(a_snapshot_cut_at_any_byte_is_refused),
		cmocka_unit_test(a_snapshot_with_any_byte_flipped_is_refused),
		cmocka_unit_test(bytes_behind_the_snapshot_are_refused),
		cmocka_unit_test(no_files_are_an_empty_replica),
		cmocka_unit_test(g13_snapshot_and_journal_give_the_last_state),
		cmocka_unit_test(g13_a_journal_cut_at_any_byte_gives_the_state_before_the_cut),
		cmocka_unit_test(g13_a_torn_end_is_cut_and_the_chain_goes_on_behind_it),
		cmocka_unit_test(g13_zeros_behind_the_last_entry_are_a_torn_end),
		cmocka_unit_test(a_damaged_last_entry_is_cut_off),
		cmocka_unit_test(a_damaged_middle_entry_is_never_served),
		cmocka_unit_test(a_damaged_length_ends_the_journal_or_breaks_it),
		cmocka_unit_test(an_entry_that_chains_but_does_not_apply_breaks_the_journal),
		cmocka_unit_test(g13_the_journal_of_another_snapshot_is_void_and_the_snapshot_is_served),
		cmocka_unit_test(g13_a_damaged_head_of_the_journal_costs_the_journal_not_the_snapshot),
		cmocka_unit_test(a_damaged_snapshot_is_set_aside_and_asked_for_again),
		cmocka_unit_test(g17_the_time_of_the_files_is_that_of_the_last_word_heard),
		cmocka_unit_test(a_newer_format_is_left_alone),
		cmocka_unit_test(a_file_that_cannot_be_read_is_an_error_and_stays),
		cmocka_unit_test(what_the_link_may_bring_the_journal_can_replay),
	};

	crypto_init();
	log_set_level(LOG_L_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
