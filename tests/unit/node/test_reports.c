/* What a host saw of its instances is said until the records say the same: level, not edge; one report in flight; never in a hot
 * loop. */
#include "tests/unit/node/talk.h"

#include "node/reports.h"

struct rig {
	struct talk *talk;
	struct replica replica;
	struct reports *reports;
};

static struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof *rig);

	rig->talk = talk_new();
	replica_init(&rig->replica);
	made_take(&rig->replica, made_world(), 0);
	assert_int_equal(reports_new(rig->talk->loop, &rig->talk->clock, rig->talk->client, &rig->replica, &rig->reports), 0);
	link_client_start(rig->talk->client);
	return rig;
}

static void rig_end(struct rig *rig)
{
	talk_stop(rig->talk);
	rig->reports = reports_free(rig->reports);
	talk_free(rig->talk);
	replica_deinit(&rig->replica);
	free(rig);
}

static struct instance_record instance(unsigned number)
{
	return made_instance_record(number == 4 ? MADE_NET2 : MADE_NET, MADE_HOST, number);
}

static struct observed seen(uint32_t state, uint64_t generation)
{
	return (struct observed){ .state = state, .generation = generation, .since_ms = 7 };
}

/* The role speaks. */
static bool say(struct rig *rig, unsigned number, uint32_t state, uint64_t generation)
{
	struct observed o = seen(state, generation);
	bool news = reports_set(rig->reports, instance(number).id, &o);

	reports_send(rig->reports);
	return news;
}

/* A delta to `v` in which the record of the instance has that observed state; number 0: a bookmark. */
static void record_says(struct rig *rig, uint64_t v, unsigned number, uint32_t state, uint64_t generation)
{
	struct made *m = made_delta(rig->replica.v, v);
	struct instance_record i = instance(number);

	i.observed = seen(state, generation);
	if (number)
		made_instance(m, v, &i);
	made_take(&rig->replica, m, 0);
	reports_send(rig->reports);
}

static const Sixpn__ReportRequest *next_report(struct rig *rig)
{
	return talk_next(rig->talk, LINK_REPORT);
}

static bool silent(struct rig *rig)
{
	return !talk_has_news(rig->talk, LINK_REPORT);
}

static void answer(struct rig *rig, uint64_t v, const char *refused_id)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(0);
	Sixpn__ReportReply m = SIXPN__REPORT_REPLY__INIT;
	Sixpn__ReportRefusal refusal = SIXPN__REPORT_REFUSAL__INIT, *list[] = { &refusal };

	m.v = v;
	if (refused_id) {
		refusal.instance = pb_bytes(refused_id, strlen(refused_id));
		refusal.text = pb_bytes("not yours", 9);
		m.refused = list;
		m.n_refused = 1;
	}
	assert_int_equal(pb_pack(&m, &bytes), 0);
	talk_answer_bytes(rig->talk, LINK_REPORT, bytes.data, bytes.len);
}

static void says(const Sixpn__ReportRequest *m, size_t at, unsigned number, uint32_t state)
{
	struct instance_record i = instance(number);

	assert_true(at < m->n_instances);
	assert_int_equal(m->instances[at]->instance.len, 14);
	assert_memory_equal(m->instances[at]->instance.data, i.id, 14);
	assert_int_equal(m->instances[at]->observed->state, state);
}

static void what_the_record_says_already_is_not_reported(void **state)
{
	struct rig *rig = rig_new();
	struct observed same = { .state = STATE_STARTED, .generation = 1, .since_ms = 5 };

	(void)state;
	assert_true(reports_set(rig->reports, instance(1).id, &same));
	reports_send(rig->reports);
	assert_int_equal(reports_waiting(rig->reports), 0);
	assert_false(link_client_busy(rig->talk->client, LINK_REPORT));
	rig_end(rig);
}

static void a_difference_is_reported_until_the_record_comes_back_equal(void **state)
{
	struct rig *rig = rig_new();
	const Sixpn__ReportRequest *m;

	(void)state;
	assert_true(say(rig, 1, STATE_STOPPED, 1));
	m = next_report(rig);
	assert_int_equal(m->n_instances, 1);
	says(m, 0, 1, STATE_STOPPED);
	answer(rig, 22, NULL);
	assert_true(silent(rig));
	assert_int_equal(reports_waiting(rig->reports), 1);
	record_says(rig, 21, 0, 0, 0);
	assert_true(silent(rig)); /* its V is still to come */
	record_says(rig, 22, 1, STATE_STOPPED, 1);
	assert_int_equal(reports_waiting(rig->reports), 0);
	assert_true(silent(rig));
	rig_end(rig);
}

static void a_record_that_comes_back_different_is_answered_again(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	say(rig, 1, STATE_STOPPED, 2);
	next_report(rig);
	answer(rig, 22, NULL);
	record_says(rig, 22, 1, STATE_STARTING, 2);
	says(next_report(rig), 0, 1, STATE_STOPPED);
	rig_end(rig);
}

static void a_record_that_changes_later_is_answered_again(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	say(rig, 1, STATE_STOPPED, 2);
	next_report(rig);
	answer(rig, 22, NULL);
	record_says(rig, 22, 1, STATE_STOPPED, 2);
	record_says(rig, 30, 1, STATE_STARTED, 1); /* somebody restored a backup */
	says(next_report(rig), 0, 1, STATE_STOPPED);
	rig_end(rig);
}

static void the_same_truth_again_is_no_news(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	assert_true(say(rig, 1, STATE_STOPPED, 1));
	next_report(rig);
	assert_false(say(rig, 1, STATE_STOPPED, 1));
	assert_true(silent(rig));
	assert_int_equal(reports_get(rig->reports, instance(1).id)->state, STATE_STOPPED);
	assert_null(reports_get(rig->reports, instance(2).id));
	rig_end(rig);
}

static void one_report_is_in_flight_and_the_next_has_the_last_truth(void **state)
{
	struct rig *rig = rig_new();
	const Sixpn__ReportRequest *m;

	(void)state;
	say(rig, 1, STATE_STARTING, 2);
	next_report(rig);
	say(rig, 4, STATE_STARTING, 2);
	say(rig, 4, STATE_FAILED, 2);
	say(rig, 4, STATE_STOPPED, 2);
	assert_true(silent(rig));
	answer(rig, 21, NULL);
	m = next_report(rig);
	assert_int_equal(m->n_instances, 1);
	says(m, 0, 4, STATE_STOPPED);
	rig_end(rig);
}

static void an_answer_does_not_count_for_a_truth_that_came_after_the_question(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	say(rig, 1, STATE_STARTING, 2);
	next_report(rig);
	say(rig, 1, STATE_FAILED, 2);
	answer(rig, 21, NULL);
	says(next_report(rig), 0, 1, STATE_FAILED);
	rig_end(rig);
}

static void a_refused_report_is_repeated_only_when_records_change(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	say(rig, 1, STATE_STOPPED, 1);
	next_report(rig);
	answer(rig, 0, instance(1).id);
	assert_true(silent(rig));
	reports_send(rig->reports);
	assert_true(silent(rig));
	record_says(rig, 21, 4, STATE_STARTED, 1);
	says(next_report(rig), 0, 1, STATE_STOPPED);
	rig_end(rig);
}

/* Too many changes: nothing of instances is said until the time is up, and then the newest truth. */
static void what_is_to_be_said_later_is_said_later(void **state)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(0);
	Sixpn__ReportReply m = SIXPN__REPORT_REPLY__INIT;
	Sixpn__ReportRefusal refusal = SIXPN__REPORT_REFUSAL__INIT, *list[] = { &refusal };
	struct rig *rig = rig_new();
	uint64_t said_ms;

	(void)state;
	say(rig, 1, STATE_STOPPED, 1);
	next_report(rig);
	refusal.instance = pb_bytes(instance(1).id, NAME_INSTANCE_ID_LEN);
	refusal.text = pb_bytes("too often", 9);
	refusal.retry_after_ms = 300;
	m.refused = list;
	m.n_refused = 1;
	assert_int_equal(pb_pack(&m, &bytes), 0);
	talk_answer_bytes(rig->talk, LINK_REPORT, bytes.data, bytes.len);
	said_ms = clock_mono_ms(&rig->talk->clock);
	assert_true(silent(rig));
	say(rig, 1, STATE_FAILED, 1);
	say(rig, 4, STATE_FAILED, 1);
	assert_true(silent(rig));
	assert_int_equal(next_report(rig)->n_instances, 2);
	assert_true(clock_mono_ms(&rig->talk->clock) >= said_ms + 299);
	rig_end(rig);
}

static void a_refusal_of_one_does_not_hold_up_the_others(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	say(rig, 1, STATE_STOPPED, 1);
	next_report(rig);
	answer(rig, 0, instance(1).id);
	say(rig, 4, STATE_STOPPED, 1);
	assert_int_equal(next_report(rig)->n_instances, 1);
	rig_end(rig);
}

static void a_controller_that_had_nothing_to_change_is_not_asked_in_a_hot_loop(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	say(rig, 1, STATE_STOPPED, 1);
	next_report(rig);
	answer(rig, 0, NULL);
	assert_true(silent(rig));
	record_says(rig, 21, 4, STATE_STARTED, 1);
	says(next_report(rig), 0, 1, STATE_STOPPED);
	answer(rig, 21, NULL); /* a V that we have, and a record that is not equal */
	assert_true(silent(rig));
	rig_end(rig);
}

static void a_lost_answer_makes_the_report_be_said_again(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	say(rig, 1, STATE_STOPPED, 1);
	next_report(rig);
	link_memory_disconnect(rig->talk->net, 0);
	says(next_report(rig), 0, 1, STATE_STOPPED);
	rig_end(rig);
}

static void an_answer_that_is_no_reply_makes_the_report_be_said_again(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	say(rig, 1, STATE_STOPPED, 1);
	next_report(rig);
	talk_answer_bytes(rig->talk, LINK_REPORT, "\xff\xff", 2);
	assert_true(silent(rig));
	says(next_report(rig), 0, 1, STATE_STOPPED);
	rig_end(rig);
}

static void an_older_generation_than_the_records_is_not_said(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	record_says(rig, 21, 1, STATE_STARTED, 5);
	say(rig, 1, STATE_STOPPED, 4);
	assert_int_equal(reports_waiting(rig->reports), 0);
	assert_false(link_client_busy(rig->talk->client, LINK_REPORT));
	say(rig, 1, STATE_STOPPED, 5);
	says(next_report(rig), 0, 1, STATE_STOPPED);
	rig_end(rig);
}

static void an_instance_without_a_record_is_forgotten(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);
	struct instance_record i = instance(1);

	(void)state;
	say(rig, 1, STATE_STOPPED, 1);
	next_report(rig);
	made_tombstone(m, instance_envelope(&i), 21);
	made_take(&rig->replica, m, 0);
	answer(rig, 21, NULL);
	assert_true(silent(rig));
	assert_null(reports_get(rig->reports, i.id));
	rig_end(rig);
}

static void a_record_that_cannot_be_read_does_not_cost_the_truth(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);
	struct instance_record i = instance(1);
	struct buf body = BUF_INIT(0);

	(void)state;
	buf_add_str(&body, "\xff\xff");
	made_add(m, instance_envelope(&i), 21, body);
	made_take(&rig->replica, m, 0);
	say(rig, 1, STATE_STOPPED, 1);
	assert_false(link_client_busy(rig->talk->client, LINK_REPORT));
	record_says(rig, 22, 1, STATE_STARTED, 1);
	says(next_report(rig), 0, 1, STATE_STOPPED);
	rig_end(rig);
}

static void a_restored_controller_hears_again_what_it_had_answered(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_world();

	(void)state;
	say(rig, 1, STATE_STOPPED, 1);
	next_report(rig);
	answer(rig, 5000, NULL);
	m->reply.epoch = MADE_EPOCH + 1; /* another log, from before the report, far below V 5000 */
	m->reply.log_id = pb_bytes(made_other_log_id, 16);
	made_take(&rig->replica, m, 0);
	reports_send(rig->reports);
	says(next_report(rig), 0, 1, STATE_STOPPED);
	rig_end(rig);
}

static void many_are_said_in_reports_of_bounded_size_one_after_the_other(void **state)
{
	struct rig *rig = rig_new();
	size_t said = 0;

	(void)state;
	for (unsigned n = 0; n < 300; n += 50) {
		struct made *m = made_delta(rig->replica.v, rig->replica.v + 50);

		for (unsigned i = n; i < n + 50; i++) {
			struct instance_record r = instance(100 + i);

			made_instance(m, rig->replica.v + 1 + i - n, &r);
		}
		made_take(&rig->replica, m, 0);
	}
	for (unsigned n = 0; n < 300; n++) {
		struct observed o = seen(STATE_STOPPED, 1);

		reports_set(rig->reports, instance(100 + n).id, &o);
	}
	assert_int_equal(reports_waiting(rig->reports), 300);
	reports_send(rig->reports);
	while (said < 300) {
		const Sixpn__ReportRequest *m = next_report(rig);

		assert_true(m->n_instances <= 128);
		said += m->n_instances;
		answer(rig, 1000 + said, NULL);
	}
	assert_int_equal(said, 300);
	assert_true(silent(rig));
	rig_end(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_record_says_already_is_not_reported),
		cmocka_unit_test(a_difference_is_reported_until_the_record_comes_back_equal),
		cmocka_unit_test(a_record_that_comes_back_different_is_answered_again),
		cmocka_unit_test(a_record_that_changes_later_is_answered_again),
		cmocka_unit_test(the_same_truth_again_is_no_news),
		cmocka_unit_test(one_report_is_in_flight_and_the_next_has_the_last_truth),
		cmocka_unit_test(an_answer_does_not_count_for_a_truth_that_came_after_the_question),
		cmocka_unit_test(a_refused_report_is_repeated_only_when_records_change),
		cmocka_unit_test(what_is_to_be_said_later_is_said_later),
		cmocka_unit_test(a_refusal_of_one_does_not_hold_up_the_others),
		cmocka_unit_test(a_controller_that_had_nothing_to_change_is_not_asked_in_a_hot_loop),
		cmocka_unit_test(a_lost_answer_makes_the_report_be_said_again),
		cmocka_unit_test(an_answer_that_is_no_reply_makes_the_report_be_said_again),
		cmocka_unit_test(an_older_generation_than_the_records_is_not_said),
		cmocka_unit_test(an_instance_without_a_record_is_forgotten),
		cmocka_unit_test(a_record_that_cannot_be_read_does_not_cost_the_truth),
		cmocka_unit_test(a_restored_controller_hears_again_what_it_had_answered),
		cmocka_unit_test(many_are_said_in_reports_of_bounded_size_one_after_the_other),
	};

	crypto_init();
	log_set_level(LOG_L_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
