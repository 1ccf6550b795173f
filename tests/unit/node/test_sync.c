/* The node's side of the protocol against a controller of the test's making, over a real link, with the real journal on disk. */
#include "tests/unit/node/talk.h"

#include "node/journal.h"
#include "node/statefile.h"
#include "node/sync.h"
#include "tests/unit/node/folder.h"

struct rig {
	struct talk *talk;
	struct folder folder;
	struct replica replica;
	struct journal *journal;
	struct sync *sync;
	unsigned heard, applied, applied_all, settled, synced, synced_when_applied;
	uint32_t settled_network;
	Sixpn__RecordError error, *errors[1];
	bool complains;
	bool waits_for_disk, disk_moved; /* an apply looks whether the journal is written meanwhile */
};

static bool on_disk(struct rig *rig);

static void on_apply(void *ctx, const struct replica_change *change)
{
	struct rig *rig = ctx;

	rig->applied++;
	rig->applied_all += change->all;
	rig->synced_when_applied += sync_is_synced(rig->sync);
	for (int i = 0; rig->waits_for_disk && !rig->disk_moved && i < 5000; i++) {
		rig->disk_moved = on_disk(rig);
		usleep(1000);
	}
}

static void on_settled(void *ctx, uint32_t network, uint64_t v)
{
	struct rig *rig = ctx;

	(void)v;
	rig->settled++;
	rig->settled_network = network;
	sync_nudge(rig->sync); /* as a role does that starts something now and fails */
}

static void on_fill(void *ctx, struct Sixpn__PollRequest *poll)
{
	struct rig *rig = ctx;

	if (!rig->complains)
		return;
	sixpn__record_error__init(&rig->error);
	rig->error.kind = RECORD_INSTANCE;
	rig->error.text = pb_bytes("no room", 7);
	rig->errors[0] = &rig->error;
	poll->errors = rig->errors;
	poll->n_errors = 1;
}

static void on_heard(void *ctx)
{
	((struct rig *)ctx)->heard++;
}

static void on_synced(void *ctx)
{
	((struct rig *)ctx)->synced++;
}

static void rig_open(struct rig *rig)
{
	static const struct sync_events events = {
		.apply = on_apply, .settled = on_settled, .fill_poll = on_fill, .heard = on_heard, .synced = on_synced,
	};
	struct statefile_found found = { 0 };
	struct why why = { 0 };

	rig->talk = talk_new();
	replica_init(&rig->replica);
	assert_int_equal(statefile_load(rig->folder.path, &rig->replica, &found, &why), 0);
	assert_int_equal(journal_new(rig->talk->loop, rig->folder.path, found.chain, found.journal_len, &rig->journal), 0);
	assert_int_equal(sync_new(rig->talk->loop, &rig->talk->clock, rig->talk->client, &rig->replica, rig->journal, &events, rig,
				  &rig->sync),
			 0);
	rig->heard = rig->applied = rig->applied_all = rig->synced = rig->synced_when_applied = 0;
	link_client_start(rig->talk->client);
	sync_start(rig->sync);
}

static void rig_close(struct rig *rig)
{
	talk_stop(rig->talk);
	rig->sync = sync_free(rig->sync);
	rig->journal = journal_free(rig->journal);
	talk_free(rig->talk);
	replica_deinit(&rig->replica);
}

static struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof *rig);

	rig->folder = folder_new();
	rig_open(rig);
	return rig;
}

static void rig_end(struct rig *rig)
{
	rig_close(rig);
	folder_end(&rig->folder);
	free(rig);
}

static const Sixpn__PollRequest *next_poll(struct rig *rig)
{
	return talk_next(rig->talk, LINK_POLL);
}

static void answer(struct rig *rig, struct made *m)
{
	struct buf *bytes = made_bytes(m);

	talk_answer_bytes(rig->talk, LINK_POLL, bytes->data, bytes->len);
	made_free(m);
}

/* A node that holds the world of made.h and has a poll parked. */
static struct rig *rig_in_step(void)
{
	struct rig *rig = rig_new();

	next_poll(rig);
	answer(rig, made_world());
	next_poll(rig);
	assert_int_equal(rig->replica.v, 20);
	return rig;
}

static bool on_disk(struct rig *rig)
{
	struct statefile_found found;
	struct replica r;
	struct why why;
	bool same;

	replica_init(&r);
	same = statefile_load(rig->folder.path, &r, &found, &why) == 0 && made_same(&r, &rig->replica);
	replica_deinit(&r);
	return same;
}

static void says_cursor(const Sixpn__PollRequest *poll, const struct replica *r)
{
	struct digest d = replica_digest(r);

	assert_int_equal(poll->epoch, r->epoch);
	assert_int_equal(poll->log_id.len, 16);
	assert_memory_equal(poll->log_id.data, r->log_id, 16);
	assert_int_equal(poll->applied_v, r->v);
	assert_int_equal(poll->scope_version, r->scope_version);
	assert_int_equal(poll->digest.len, DIGEST_LEN);
	assert_memory_equal(poll->digest.data, d.sum, DIGEST_LEN);
}

static void says_nothing_known(const Sixpn__PollRequest *poll)
{
	assert_int_equal(poll->epoch, 0);
	assert_int_equal(poll->log_id.len, 0);
	assert_int_equal(poll->applied_v, 0);
	assert_int_equal(poll->digest.len, 0);
}

/* ---- what is well ---- */

static void a_new_node_says_that_it_has_nothing(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	says_nothing_known(next_poll(rig));
	assert_false(sync_is_synced(rig->sync));
	rig_end(rig);
}

static void g9_the_poll_after_a_snapshot_acknowledges_what_is_applied_and_on_disk(void **state)
{
	struct rig *rig = rig_new();
	const Sixpn__PollRequest *poll;

	(void)state;
	next_poll(rig);
	answer(rig, made_world());
	assert_int_equal(rig->applied, 1);
	assert_int_equal(rig->applied_all, 1);
	assert_false(talk_has_news(rig->talk, LINK_POLL)); /* applied, but the file thread has not answered in the loop */
	poll = next_poll(rig);
	says_cursor(poll, &rig->replica);
	assert_true(on_disk(rig));
	assert_int_equal(sync_stats(rig->sync)->snapshots, 1);
	rig_end(rig);
}

static void the_journal_is_written_while_the_change_is_applied(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_delta(20, 21);

	(void)state;
	made_network(m, 21, MADE_NET, "acme", true);
	rig->waits_for_disk = true;
	answer(rig, m);
	assert_true(rig->disk_moved);
	assert_false(talk_has_news(rig->talk, LINK_POLL)); /* nor is it acknowledged from within */
	assert_int_equal(next_poll(rig)->applied_v, 21);
	rig_end(rig);
}

static void g9_the_poll_after_a_delta_acknowledges_what_is_applied_and_on_disk(void **state)
{
	struct rig *rig = rig_in_step();
	const Sixpn__PollRequest *poll;

	(void)state;
	for (uint64_t v = 20; v < 30; v++) {
		struct made *m = made_delta(v, v + 1);

		made_network(m, v + 1, MADE_NET, "acme", v % 2);
		m->reply.scope_version = v;
		answer(rig, m);
		poll = next_poll(rig);
		says_cursor(poll, &rig->replica);
		assert_int_equal(poll->applied_v, v + 1);
		assert_true(on_disk(rig));
	}
	assert_int_equal(rig->applied, 11);
	assert_int_equal(sync_stats(rig->sync)->deltas, 10);
	rig_end(rig);
}

static void g4_a_snapshot_is_pulled_part_by_part_with_its_token(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *part[3];
	const Sixpn__PollRequest *poll;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		part[i] = made_part(40, i + 1, 3);
		made_network(part[i], 30 + i, 0x00040000u + i, "acme", false);
	}
	made_end(part[2], part, 3);
	part[0]->reply.snapshot_token = part[1]->reply.snapshot_token = pb_bytes("token", 5);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rig->applied, 1);
		assert_int_equal(rig->replica.v, 20);
		answer(rig, part[i]);
		sync_nudge(rig->sync); /* has to wait: the next part is being asked for */
		poll = next_poll(rig);
		assert_int_equal(poll->snapshot_token.len, i < 2 ? 5 : 0);
		says_cursor(poll, &rig->replica);
	}
	assert_int_equal(rig->applied, 2);
	assert_int_equal(rig->replica.v, 40);
	assert_int_equal(rig->replica.records.n, 3);
	rig_end(rig);
}

static void g8_a_bookmark_moves_the_cursor_without_an_apply(void **state)
{
	struct rig *rig = rig_in_step();

	(void)state;
	answer(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 900));
	assert_int_equal(next_poll(rig)->applied_v, 900);
	assert_int_equal(rig->applied, 1);
	assert_true(on_disk(rig));
	assert_int_equal(sync_stats(rig->sync)->bookmarks, 1);
	rig_end(rig);
}

static void a_bookmark_that_says_nothing_new_costs_no_write(void **state)
{
	struct rig *rig = rig_in_step();

	(void)state;
	answer(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 20));
	assert_true(talk_has_news(rig->talk, LINK_POLL)); /* at once: the file thread was not asked */
	rig_end(rig);
}

static void g13_a_restart_goes_on_where_it_was(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_delta(20, 21);

	(void)state;
	made_network(m, 21, MADE_NET, "acme", true);
	answer(rig, m);
	next_poll(rig);
	rig_close(rig);
	rig_open(rig);
	assert_int_equal(rig->replica.v, 21);
	says_cursor(next_poll(rig), &rig->replica);
	rig_end(rig);
}

static void the_first_reply_is_applied_even_if_nothing_changed(void **state)
{
	struct rig *rig = rig_in_step();

	(void)state;
	rig_close(rig);
	rig_open(rig);
	next_poll(rig);
	answer(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 20));
	assert_int_equal(rig->applied, 1);
	assert_int_equal(rig->synced, 1);
	next_poll(rig);
	answer(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 20));
	assert_int_equal(rig->applied, 1);
	assert_int_equal(rig->synced, 1);
	rig_end(rig);
}

static void roles_hear_with_the_first_apply_that_the_controller_has_spoken(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	next_poll(rig);
	answer(rig, made_world());
	assert_int_equal(rig->synced_when_applied, 1);
	rig_end(rig);
}

static void g17_the_time_from_commit_to_applied_is_known(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_delta(20, 21);
	uint64_t lag;

	(void)state;
	made_network(m, 21, MADE_NET, "acme", true);
	made_commit(m, 21, clock_real_ms(&rig->talk->clock) - 1500);
	answer(rig, m);
	lag = sync_stats(rig->sync)->last_applied_lag_ms;
	assert_true(lag >= 1500 && lag < 60000);
	rig_end(rig);
}

/* What makes what we know younger: a reply that was applied. Not the parts of a snapshot before its end, not a promise for later, and
 * not the word of whom we do not obey. */
static void g17_only_what_was_applied_counts_as_heard(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *stranger = made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 20), *later, *parts[2];

	(void)state;
	assert_int_equal(rig->heard, 1);
	answer(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 20));
	assert_int_equal(rig->heard, 2);
	next_poll(rig);
	for (unsigned i = 0; i < 2; i++) {
		parts[i] = made_part(40, i + 1, 2);
		made_network(parts[i], 30 + i, 0x00040000u + i, "acme", false);
	}
	made_end(parts[1], parts, 2);
	answer(rig, parts[0]);
	assert_int_equal(rig->heard, 2);
	next_poll(rig);
	answer(rig, parts[1]);
	assert_int_equal(rig->heard, 3);
	next_poll(rig);
	later = made_new(SIXPN__POLL_KIND__POLL_RETRY_AFTER, 0, 0);
	later->reply.retry_after_ms = 1;
	answer(rig, later);
	assert_int_equal(rig->heard, 3);
	next_poll(rig);
	stranger->reply.epoch = 1;
	answer(rig, stranger);
	assert_int_equal(rig->heard, 3);
	rig_end(rig);
}

/* Or it would hear nothing for as long as a poll is parked, and could not tell that from silence. */
static void g17_who_is_not_sure_to_be_in_step_asks_for_an_answer_at_once(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	assert_true(next_poll(rig)->at_once);
	answer(rig, made_world());
	assert_false(next_poll(rig)->at_once);
	link_memory_disconnect(rig->talk->net, 0);
	assert_true(next_poll(rig)->at_once);
	sync_nudge(rig->sync); /* an early poll has not been answered either */
	assert_true(next_poll(rig)->at_once);
	answer(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 20));
	assert_false(next_poll(rig)->at_once);
	rig_close(rig);
	rig_open(rig);
	assert_true(next_poll(rig)->at_once);
	rig_end(rig);
}

static void digests_of_the_parts_are_told_when_asked_for(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 20);
	const Sixpn__PollRequest *poll;
	struct digest sum = { 0 };
	unsigned privates = 0;

	(void)state;
	m->reply.want_digests = true;
	answer(rig, m);
	poll = next_poll(rig);
	assert_int_equal(poll->n_digest_parts, 4); /* fabric, ours, two networks */
	for (size_t i = 0; i < poll->n_digest_parts; i++) {
		struct digest part = { .count = poll->digest_parts[i]->count };

		assert_int_equal(poll->digest_parts[i]->digest.len, DIGEST_LEN);
		memcpy(part.sum, poll->digest_parts[i]->digest.data, DIGEST_LEN);
		digest_join(&sum, &part);
		privates += poll->digest_parts[i]->private_ != 0;
	}
	assert_int_equal(sum.count, 15);
	assert_memory_equal(sum.sum, poll->digest.data, DIGEST_LEN);
	assert_int_equal(privates, 1);
	answer(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 20));
	assert_int_equal(next_poll(rig)->n_digest_parts, 0);
	rig_end(rig);
}

static void settled_reaches_its_owner_and_may_nudge(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 20);
	unsigned calls = rig->talk->calls[LINK_POLL];

	(void)state;
	made_settled(m, MADE_NET, 10);
	answer(rig, m);
	next_poll(rig);
	assert_int_equal(rig->settled, 1);
	assert_int_equal(rig->settled_network, MADE_NET);
	assert_int_equal(rig->talk->calls[LINK_POLL], calls + 1); /* one poll, not one for the nudge too */
	rig_end(rig);
}

static void a_nudge_replaces_the_parked_poll_and_says_what_is_new(void **state)
{
	struct rig *rig = rig_in_step();
	const Sixpn__PollRequest *poll;
	unsigned abandoned = rig->talk->abandoned;

	(void)state;
	rig->complains = true;
	sync_nudge(rig->sync);
	poll = next_poll(rig);
	assert_int_equal(poll->n_errors, 1);
	assert_int_equal(rig->talk->abandoned, abandoned + 1);
	answer(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 21));
	assert_int_equal(next_poll(rig)->applied_v, 21);
	rig_end(rig);
}

/* 60 instances come, and go unexplained; the reply says what the controller can do. */
static void lose_a_crowd(struct rig *rig, uint64_t features)
{
	struct made *come = made_delta(20, 80), *go = made_delta(80, 140);

	for (unsigned k = 0; k < 60; k++) {
		struct instance_record i = made_instance_record(MADE_NET, MADE_HOST2, 100 + k);

		made_instance(come, 21 + k, &i);
		made_tombstone_of(go, instance_envelope(&i), 81 + k, INTENT_NONE);
	}
	go->reply.features = features;
	answer(rig, come);
	next_poll(rig);
	answer(rig, go);
}

static void g21_held_deletes_are_told_and_survive_a_restart_until_they_are_released(void **state)
{
	struct rig *rig = rig_in_step();
	const Sixpn__PollRequest *poll;
	struct made *m;

	(void)state;
	lose_a_crowd(rig, SIXPN__FEATURE__FEATURE_HELD_DELETES);
	poll = next_poll(rig);
	assert_int_equal(poll->applied_v, 140);
	assert_int_equal(poll->held_total, 60);
	assert_int_equal(poll->n_held, 60);
	assert_int_equal(poll->held[0]->kind, RECORD_INSTANCE);
	assert_true(poll->held[0]->v > 80);
	says_cursor(poll, &rig->replica);
	rig_close(rig);
	rig_open(rig);
	next_poll(rig);
	assert_int_equal(rig->replica.n_held, 60);
	m = made_new(SIXPN__POLL_KIND__POLL_NOTHING, 140, 140);
	m->reply.release_held = true;
	answer(rig, m);
	assert_int_equal(next_poll(rig)->n_held, 0);
	assert_true(rig->applied > 0);
	rig_close(rig);
	rig_open(rig);
	next_poll(rig);
	assert_int_equal(rig->replica.n_held, 0);
	assert_int_equal(rig->replica.records.n, 15);
	rig_end(rig);
}

static void g19_held_deletes_are_not_told_to_a_controller_that_does_not_know_them(void **state)
{
	struct rig *rig = rig_in_step();
	const Sixpn__PollRequest *poll;

	(void)state;
	lose_a_crowd(rig, SIXPN__FEATURE__FEATURE_AWAIT);
	poll = next_poll(rig);
	assert_int_equal(rig->replica.n_held, 60);
	assert_int_equal(poll->n_held + poll->held_total, 0);
	rig_end(rig);
}

static void a_head_proof_is_returned_with_the_v_that_it_proves(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 21), *gap = made_delta(5, 99);
	const Sixpn__PollRequest *poll;

	(void)state;
	m->reply.head_proof = pb_bytes("proof of 21", 11);
	gap->reply.head_proof = pb_bytes("proof of 99", 11);
	answer(rig, m);
	poll = next_poll(rig);
	assert_int_equal(poll->head_proof.len, 11);
	assert_memory_equal(poll->head_proof.data, "proof of 21", 11);
	answer(rig, gap);
	poll = next_poll(rig);
	assert_int_equal(poll->applied_v, 21);
	assert_memory_equal(poll->head_proof.data, "proof of 21", 11);
	rig_end(rig);
}

/* A part that is healed may be of a later V: its proof is not of ours, and what we can prove stays. */
static void g14_a_heal_of_a_later_v_leaves_the_proof_of_ours(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 21), *heal = made_part(25, 1, 1);
	const Sixpn__PollRequest *poll;

	(void)state;
	m->reply.head_proof = pb_bytes("proof of 21", 11);
	answer(rig, m);
	next_poll(rig);
	made_heal(heal, MADE_NET2, false);
	made_ended(heal);
	heal->reply.head_proof = pb_bytes("proof of 25", 11);
	answer(rig, heal);
	poll = next_poll(rig);
	assert_int_equal(sync_stats(rig->sync)->heals, 1);
	assert_int_equal(poll->applied_v, 21);
	assert_int_equal(poll->head_proof.len, 11);
	assert_memory_equal(poll->head_proof.data, "proof of 21", 11);
	rig_end(rig);
}

static void a_lost_connection_is_answered_by_a_new_poll(void **state)
{
	struct rig *rig = rig_in_step();

	(void)state;
	link_memory_disconnect(rig->talk->net, 0);
	says_cursor(next_poll(rig), &rig->replica);
	rig_end(rig);
}

/* ---- what is refused ---- */

static void g6_a_gap_is_answered_with_the_same_cursor(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_delta(21, 22);

	(void)state;
	made_network(m, 22, MADE_NET, "acme", true);
	answer(rig, m);
	assert_false(talk_has_news(rig->talk, LINK_POLL)); /* not in a hot loop */
	says_cursor(next_poll(rig), &rig->replica);
	assert_int_equal(rig->applied, 1);
	assert_int_equal(rig->replica.v, 20);
	assert_int_equal(sync_stats(rig->sync)->refused, 1);
	rig_end(rig);
}

static void g4_a_snapshot_with_a_wrong_digest_is_asked_for_again_from_scratch(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_world();

	(void)state;
	m->digest[0] ^= 1;
	answer(rig, m);
	says_nothing_known(next_poll(rig));
	assert_int_equal(rig->applied, 1);
	assert_int_equal(rig->replica.records.n, 15); /* what was there goes on being served */
	m = made_part(50, 1, 1);
	made_network(m, 50, MADE_NET, "acme", false);
	answer(rig, made_ended(m));
	says_cursor(next_poll(rig), &rig->replica);
	assert_int_equal(rig->replica.v, 50);
	rig_end(rig);
}

static void a_reply_that_makes_no_sense_leads_to_a_snapshot_not_to_the_same_again(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_delta(20, 21);

	(void)state;
	made_network(m, 21, MADE_NET, "acme", true);
	m->records[0].kind = RECORD_TOKEN;
	answer(rig, m);
	says_nothing_known(next_poll(rig));
	assert_int_equal(rig->applied, 1);
	rig_end(rig);
}

static void bytes_that_are_no_reply_and_unknown_kinds_change_nothing(void **state)
{
	struct rig *rig = rig_in_step();

	(void)state;
	talk_answer_bytes(rig->talk, LINK_POLL, "\xff\xff\xff", 3);
	says_cursor(next_poll(rig), &rig->replica);
	answer(rig, made_new(77, 20, 21));
	says_cursor(next_poll(rig), &rig->replica);
	assert_int_equal(sync_stats(rig->sync)->refused, 2);
	assert_int_equal(rig->replica.v, 20);
	rig_end(rig);
}

static void g14_nothing_in_a_reply_of_a_lower_epoch_is_believed(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 21);
	const Sixpn__PollRequest *poll;

	(void)state;
	m->reply.epoch = MADE_EPOCH - 1;
	m->reply.want_digests = true;
	m->reply.head_proof = pb_bytes("forged", 6);
	made_settled(m, MADE_NET, 10);
	answer(rig, m);
	poll = next_poll(rig);
	says_cursor(poll, &rig->replica);
	assert_int_equal(poll->applied_v, 20);
	assert_int_equal(poll->head_proof.len, 0);
	assert_int_equal(poll->n_digest_parts, 0);
	assert_int_equal(rig->settled, 0);
	rig_end(rig);
}

static void g14_a_greater_epoch_is_on_disk_even_if_nothing_else_is_new(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 20);

	(void)state;
	m->reply.epoch = MADE_EPOCH + 7;
	answer(rig, m);
	assert_int_equal(next_poll(rig)->epoch, MADE_EPOCH + 7);
	rig_close(rig);
	rig_open(rig);
	assert_int_equal(rig->replica.epoch, MADE_EPOCH + 7);
	next_poll(rig);
	rig_end(rig);
}

static void g14_a_fenced_node_keeps_what_it_has(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_FENCED, 0, 0);

	(void)state;
	m->reply.epoch = MADE_EPOCH + 9;
	m->reply.reason = pb_bytes("a copy", 6);
	answer(rig, m);
	assert_false(talk_has_news(rig->talk, LINK_POLL));
	sync_nudge(rig->sync);
	assert_false(talk_has_news(rig->talk, LINK_POLL)); /* it waits its time */
	assert_int_equal(rig->replica.epoch, MADE_EPOCH);
	assert_int_equal(rig->replica.records.n, 15);
	assert_int_equal(rig->applied, 1);
	assert_int_equal(sync_stats(rig->sync)->fenced, 1);
	rig_end(rig);
}

static void g12_retry_after_is_waited_for_in_full_also_under_a_nudge(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_new(SIXPN__POLL_KIND__POLL_RETRY_AFTER, 0, 0);
	uint64_t asked;

	(void)state;
	m->reply.retry_after_ms = 300;
	asked = clock_mono_ms(&rig->talk->clock);
	answer(rig, m);
	sync_nudge(rig->sync);
	next_poll(rig);
	assert_true(clock_mono_ms(&rig->talk->clock) >= asked + 300);
	assert_int_equal(sync_stats(rig->sync)->retries, 1);
	rig_end(rig);
}

/* ---- the disk ---- */

static bool twice_applied(void *ctx)
{
	return ((struct rig *)ctx)->applied == 2;
}

static bool two_rounds(void *ctx)
{
	unsigned *left = ctx;

	return (*left)-- == 0;
}

static void g9_nothing_is_acknowledged_while_the_state_cannot_be_written(void **state)
{
	struct rig *rig = rig_in_step();
	struct made *m = made_part(50, 1, 1);
	unsigned rounds = 2; /* the failed fold, and the timer after it */

	(void)state;
	assert_int_equal(mkdir(folder_file(&rig->folder, "replica.snapshot.tmp"), 0700), 0);
	made_network(m, 50, MADE_NET, "acme", false);
	answer(rig, made_ended(m));
	talk_until(rig->talk, twice_applied, rig); /* what runs is brought up to date all the same */
	sync_nudge(rig->sync);
	talk_until(rig->talk, two_rounds, &rounds);
	assert_false(talk_has_news(rig->talk, LINK_POLL));
	rmdir(folder_file(&rig->folder, "replica.snapshot.tmp"));
	says_cursor(next_poll(rig), &rig->replica);
	assert_int_equal(rig->replica.v, 50);
	assert_true(on_disk(rig));
	rig_end(rig);
}

static void the_journal_is_folded_when_it_has_grown(void **state)
{
	struct rig *rig = rig_in_step();
	char *spec = calloc(1, 60001);
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST, 1);
	CLEAN_BUF struct buf journal = BUF_INIT(0);

	(void)state;
	memset(spec, 'x', 60000);
	for (uint64_t v = 20; v < 40; v++) {
		struct made *m = made_delta(v, v + 1);

		made_workload(m, v + 1, &i, spec);
		answer(rig, m);
		next_poll(rig);
	}
	journal = folder_read(&rig->folder, "replica.journal");
	assert_true(journal.len < 600000);
	assert_true(on_disk(rig));
	free(spec);
	rig_end(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_node_says_that_it_has_nothing),
		cmocka_unit_test(g9_the_poll_after_a_snapshot_acknowledges_what_is_applied_and_on_disk),
		cmocka_unit_test(the_journal_is_written_while_the_change_is_applied),
		cmocka_unit_test(g9_the_poll_after_a_delta_acknowledges_what_is_applied_and_on_disk),
		cmocka_unit_test(g4_a_snapshot_is_pulled_part_by_part_with_its_token),
		cmocka_unit_test(g8_a_bookmark_moves_the_cursor_without_an_apply),
		cmocka_unit_test(a_bookmark_that_says_nothing_new_costs_no_write),
		cmocka_unit_test(g13_a_restart_goes_on_where_it_was),
		cmocka_unit_test(the_first_reply_is_applied_even_if_nothing_changed),
		cmocka_unit_test(roles_hear_with_the_first_apply_that_the_controller_has_spoken),
		cmocka_unit_test(g17_the_time_from_commit_to_applied_is_known),
		cmocka_unit_test(g17_only_what_was_applied_counts_as_heard),
		cmocka_unit_test(g17_who_is_not_sure_to_be_in_step_asks_for_an_answer_at_once),
		cmocka_unit_test(digests_of_the_parts_are_told_when_asked_for),
		cmocka_unit_test(settled_reaches_its_owner_and_may_nudge),
		cmocka_unit_test(a_nudge_replaces_the_parked_poll_and_says_what_is_new),
		cmocka_unit_test(g21_held_deletes_are_told_and_survive_a_restart_until_they_are_released),
		cmocka_unit_test(g19_held_deletes_are_not_told_to_a_controller_that_does_not_know_them),
		cmocka_unit_test(a_head_proof_is_returned_with_the_v_that_it_proves),
		cmocka_unit_test(g14_a_heal_of_a_later_v_leaves_the_proof_of_ours),
		cmocka_unit_test(a_lost_connection_is_answered_by_a_new_poll),
		cmocka_unit_test(g6_a_gap_is_answered_with_the_same_cursor),
		cmocka_unit_test(g4_a_snapshot_with_a_wrong_digest_is_asked_for_again_from_scratch),
		cmocka_unit_test(a_reply_that_makes_no_sense_leads_to_a_snapshot_not_to_the_same_again),
		cmocka_unit_test(bytes_that_are_no_reply_and_unknown_kinds_change_nothing),
		cmocka_unit_test(g14_nothing_in_a_reply_of_a_lower_epoch_is_believed),
		cmocka_unit_test(g14_a_greater_epoch_is_on_disk_even_if_nothing_else_is_new),
		cmocka_unit_test(g14_a_fenced_node_keeps_what_it_has),
		cmocka_unit_test(g12_retry_after_is_waited_for_in_full_also_under_a_nudge),
		cmocka_unit_test(g9_nothing_is_acknowledged_while_the_state_cannot_be_written),
		cmocka_unit_test(the_journal_is_folded_when_it_has_grown),
	};

	crypto_init();
	log_set_level(LOG_L_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
