/* Instances: placement and address, desire and generation, reports, deletes in two steps. */
#include "tests/unit/controller/store/store_fixture.h"

#include "lib/base/map.h"

struct world {
	struct store_node ord1, ord2, nrt1;
	uint32_t live[3];
};

static struct world make_world(struct fixture *f)
{
	struct world w;

	make_region(f, "ord");
	make_region(f, "nrt");
	make_region(f, "dev");
	w.ord1 = make_node(f, "ord", 1);
	w.ord2 = make_node(f, "ord", 2);
	w.nrt1 = make_node(f, "nrt", 3);
	w.live[0] = w.ord1.host;
	w.live[1] = w.ord2.host;
	w.live[2] = w.nrt1.host;
	make_org(f, "acme");
	make_app(f, "acme", "web");
	return w;
}

static struct store_instance find(struct fixture *f, const char *id)
{
	struct store_instance i;
	struct why why;

	if (store_instance_find(f->store, &f->root, id, &i, &why) != 0)
		fail_msg("%s", why.text);
	return i;
}

static int change(struct fixture *f, const char *id, enum store_instance_verb verb, bool force, struct store_instance *ret)
{
	bool gone;

	return DO(f, &f->root, store_instance_change(store, op, id, verb, force, ret, &gone));
}

static size_t report(struct fixture *f, const struct store_node *from, const char *id, uint32_t state, uint64_t generation)
{
	struct principal self = principal_node(from->host, from->name);
	struct store_report r = { .observed = { .state = state, .generation = generation, .since_ms = T0 } };
	struct store_report_refusal refused[1];
	size_t n = 0, made;

	snprintf(r.id, sizeof r.id, "%s", id);
	assert_good(f, DO(f, &self, store_instance_report(store, op, &r, 1, 1, refused, &n, &made)));
	return n;
}

static const struct store_node *host_of(const struct world *w, const struct store_instance *i)
{
	return i->record.host == w->ord1.host ? &w->ord1 : i->record.host == w->ord2.host ? &w->ord2 : &w->nrt1;
}

static int64_t number(struct fixture *f, const char *sql)
{
	int64_t value = -1;

	assert_int_equal(sql_get_int(f->store, &value, sql, ""), 0);
	return value;
}

/* ---- create ---- */

static void a_new_instance_has_an_address_of_its_host_and_two_records(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "nrt", w.live, 3);
	struct instance_record rec;
	struct workload_record load;
	struct in6_addr address = instance_address(&i.record);

	assert_int_equal(i.record.host, w.nrt1.host);
	assert_int_equal(i.record.home_host, w.nrt1.host);
	assert_memory_equal(&address, i.address, 16);
	assert_int_equal(f->op.n_records, 2);
	assert_int_equal(workload_decode(f->op.records[0], &load, NULL), 0);
	assert_int_equal(f->op.records[0]->node, w.nrt1.host); /* only its host sees it */
	assert_int_equal(instance_decode(f->op.records[1], &rec, NULL), 0);
	assert_int_equal(rec.desired, DESIRED_STARTED);
	assert_int_equal(rec.generation, 1);
	assert_int_equal(i.v, f->op.records[1]->v);
	assert_string_equal(i.region, "nrt");
	assert_string_equal(i.host_name, "nrt-1");
	assert_string_equal(rec.group, "app");
}

static void instances_spread_over_the_hosts_of_a_region(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);

	for (int i = 0; i < 6; i++)
		make_instance(f, "web", "ord", w.live, 3);
	assert_int_equal(number(f, "SELECT max(n) - min(n) FROM (SELECT count(*) AS n FROM instance GROUP BY host)"), 0);
}

static void a_region_without_a_live_host_is_refused_naming_the_others(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance_new in = { .app = "web", .region = "dev", .desired = DESIRED_STARTED, .live = w.live, .n_live = 2 };
	struct store_instance i;
	uint64_t head = store_head(f->store);

	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)), "no_host_in_region");
	assert_non_null(strstr(f->op.why.text, "ord"));
	assert_null(strstr(f->op.why.text, "nrt")); /* its host is not live */
	in.region = "fra";
	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)), "region_not_found");
	in.region = NULL;
	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)), "field_missing");
	assert_int_equal(store_head(f->store), head);
}

static void a_host_that_was_named_is_taken_if_it_can(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance_new in = { .app = "web", .host = "ord-2", .desired = DESIRED_STARTED, .live = w.live, .n_live = 3 };
	struct store_instance i;
	struct store_node node;

	assert_good(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)));
	assert_int_equal(i.record.host, w.ord2.host);
	in.region = "nrt";
	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)), "host_wrong_region");
	in.region = NULL;
	in.n_live = 1;
	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)), "host_not_live");
	in.n_live = 3;
	assert_good(f, DO(f, &f->root, store_node_drain(store, op, "ord-2", true, &node)));
	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)), "host_draining");
	in.host = "ord-9";
	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)), "node_not_found");
}

static void metadata_that_is_wrong_or_double_is_refused(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct metadata_pair pairs[2] = { { "role", "a" }, { "role", "b" } };
	struct store_instance_new in = { .app = "web", .region = "ord", .desired = DESIRED_STOPPED, .live = w.live, .n_live = 3,
					 .metadata = pairs, .n_metadata = 2 };
	struct store_instance i;

	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)), "metadata_invalid");
	strcpy(pairs[1].key, "b a d");
	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)), "metadata_invalid");
	strcpy(pairs[1].key, "cap");
	assert_good(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)));
	i = find(f, i.record.id);
	assert_int_equal(i.record.n_metadata, 2);
	assert_string_equal(i.record.metadata[0].key, "cap");
	assert_string_equal(i.record.metadata[0].value, "b");
}

static void a_workload_that_is_too_large_is_refused(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	char *spec = calloc(1, 70000);
	struct store_instance_new in = { .app = "web", .region = "ord", .desired = DESIRED_STARTED, .live = w.live, .n_live = 3, .spec = spec };
	struct store_instance i;

	memset(spec, 'x', 70000);
	in.spec_len = 61441;
	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)), "too_large");
	in.spec_len = 61440;
	assert_good(f, DO(f, &f->root, store_instance_create(store, op, &in, &i)));
	free(spec);
}

static void an_instance_field_rests_for_a_day(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance first = make_instance(f, "web", "ord", w.live, 3), i;
	uint64_t seed;

	assert_good(f, change(f, first.record.id, INSTANCE_DESTROY, true, &i));
	assert_int_equal(number(f, "SELECT count(*) FROM instance"), 0);
	assert_int_equal(number(f, "SELECT count(*) FROM instance_resting"), 1);
	seed = f->time.seed;
	for (int k = 0; k < 3; k++) { /* try to make the same randomness come again: the field never does */
		f->time.seed = seed - (uint64_t)k;
		assert_int_not_equal(make_instance(f, "web", "ord", w.live, 3).record.instance, first.record.instance);
	}
	f->time.now_ms += 24ull * 3600 * 1000;
	make_instance(f, "web", "ord", w.live, 3);
	assert_int_equal(number(f, "SELECT count(*) FROM instance_resting"), 0);
}

/* ---- desire ---- */

static void every_change_of_desire_raises_the_generation_and_no_other(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "ord", w.live, 3);
	char id[NAME_INSTANCE_ID_SIZE];

	strcpy(id, i.record.id);
	assert_good(f, change(f, id, INSTANCE_START, false, &i));
	assert_int_equal(f->op.v, 0);
	assert_int_equal(i.record.generation, 1);
	assert_good(f, change(f, id, INSTANCE_STOP, false, &i));
	assert_int_equal(i.record.generation, 2);
	assert_int_equal(i.record.desired, DESIRED_STOPPED);
	assert_good(f, change(f, id, INSTANCE_STOP, false, &i));
	assert_int_equal(f->op.v, 0);
	assert_good(f, change(f, id, INSTANCE_RESTART, false, &i));
	assert_int_equal(i.record.generation, 3);
	assert_int_equal(i.record.desired, DESIRED_STARTED);
	assert_int_equal(find(f, id).record.generation, 3);
	assert_int_equal(find(f, id).v, store_head(f->store));
}

static void a_start_of_what_ended_is_a_new_try(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "nrt", w.live, 3);

	report(f, &w.nrt1, i.record.id, STATE_FAILED, 1);
	assert_good(f, change(f, i.record.id, INSTANCE_START, false, &i));
	assert_int_equal(i.record.generation, 2);
}

static void an_instance_that_is_being_destroyed_can_only_be_destroyed(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "ord", w.live, 3);
	struct store_instance_update update = { .set_cordoned = true, .cordoned = true };
	char id[NAME_INSTANCE_ID_SIZE];

	strcpy(id, i.record.id);
	assert_good(f, change(f, id, INSTANCE_DESTROY, false, &i));
	assert_refused(f, change(f, id, INSTANCE_START, false, &i), "instance_destroyed");
	assert_refused(f, DO(f, &f->root, store_instance_update(store, op, id, &update, &i)), "instance_destroyed");
	assert_good(f, change(f, id, INSTANCE_DESTROY, false, &i));
	assert_int_equal(f->op.v, 0);
}

static void an_update_keeps_the_generation(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "ord", w.live, 3);
	struct metadata_pair pair = { "role", "primary" };
	struct store_instance_update update = { .metadata = &pair, .n_metadata = 1, .set_dns_skip = true, .dns_skip = true };

	assert_good(f, DO(f, &f->root, store_instance_update(store, op, i.record.id, &update, &i)));
	i = find(f, i.record.id);
	assert_int_equal(i.record.generation, 1);
	assert_true(i.record.dns_skip);
	assert_string_equal(i.record.metadata[0].value, "primary");
}

/* ---- reports ---- */

static void a_report_becomes_a_record_once(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "nrt", w.live, 3);
	struct instance_record rec;

	assert_int_equal(report(f, &w.nrt1, i.record.id, STATE_STARTED, 1), 0);
	assert_int_equal(f->op.n_records, 1);
	assert_int_equal(instance_decode(f->op.records[0], &rec, NULL), 0);
	assert_int_equal(rec.observed.state, STATE_STARTED);
	assert_int_equal(report(f, &w.nrt1, i.record.id, STATE_STARTED, 1), 0);
	assert_int_equal(f->op.v, 0);
	assert_int_equal(find(f, i.record.id).record.observed.state, STATE_STARTED);
}

static void a_report_of_an_older_generation_is_ignored(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "nrt", w.live, 3);

	assert_good(f, change(f, i.record.id, INSTANCE_STOP, false, &i));
	assert_int_equal(report(f, &w.nrt1, i.record.id, STATE_STARTED, 1), 0);
	assert_int_equal(f->op.v, 0);
	assert_int_equal(report(f, &w.nrt1, i.record.id, STATE_STOPPED, 3 + (1ull << 32)), 1); /* a generation that cannot be */
	assert_int_equal(report(f, &w.nrt1, i.record.id, STATE_STOPPED, 2), 0);
	assert_int_not_equal(f->op.v, 0);
}

/* The store was restored from before the host's last wishes: what the host says is how far it must catch up. */
static void a_restored_store_catches_up_with_the_generation_of_the_host(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "nrt", w.live, 3);

	assert_int_equal(report(f, &w.nrt1, i.record.id, STATE_STARTED, 6), 0);
	i = find(f, i.record.id);
	assert_int_equal(i.record.generation, 6); /* as wanted here: nothing is asked of the host */
	assert_int_equal(i.record.observed.state, STATE_STARTED);
	assert_int_equal(report(f, &w.nrt1, i.record.id, STATE_STOPPED, 7), 0);
	i = find(f, i.record.id);
	assert_int_equal(i.record.desired, DESIRED_STARTED);
	assert_int_equal(i.record.generation, 8); /* not as wanted here: wanted anew, above what the host obeyed */
	assert_int_equal(report(f, &w.nrt1, i.record.id, STATE_STARTED, 8), 0);
	assert_good(f, change(f, i.record.id, INSTANCE_STOP, false, &i));
	assert_int_equal(report(f, &w.nrt1, i.record.id, STATE_STARTED, 12), 0);
	i = find(f, i.record.id);
	assert_int_equal(i.record.desired, DESIRED_STOPPED);
	assert_int_equal(i.record.generation, 13);
}

static void a_report_about_foreign_or_unknown_instances_is_refused_one_by_one(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance mine = make_instance(f, "web", "nrt", w.live, 3), other = make_instance(f, "web", "ord", w.live, 3);
	struct principal self = principal_node(w.nrt1.host, "nrt-1");
	struct store_report reports[3] = { { "ffffffffffffff", { .state = STATE_STARTED, .generation = 1 } },
					   { "", { .state = STATE_STARTED, .generation = 1 } },
					   { "", { .state = STATE_STARTED, .generation = 1 } } };
	struct store_report_refusal refused[3];
	size_t n = 0, made;

	strcpy(reports[1].id, other.record.id);
	strcpy(reports[2].id, mine.record.id);
	assert_good(f, DO(f, &self, store_instance_report(store, op, reports, 3, 3, refused, &n, &made)));
	assert_int_equal(n, 2);
	assert_string_equal(refused[0].text, refused[1].text); /* not there and not yours are one answer */
	assert_int_equal(find(f, mine.record.id).record.observed.state, STATE_STARTED);
	assert_int_equal(find(f, other.record.id).record.observed.state, 0);
	assert_refused(f, DO(f, &f->root, store_instance_report(store, op, reports, 3, 3, refused, &n, &made)), "forbidden");
}

static void a_report_makes_no_more_records_than_it_may(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct principal self = principal_node(w.nrt1.host, "nrt-1");
	struct store_report reports[4] = { { "ffffffffffffff", { .state = STATE_STARTED, .generation = 1 } } };
	struct store_report_refusal refused[4];
	size_t n = 0, made = 0;

	for (int i = 1; i < 4; i++) {
		reports[i].observed = (struct observed){ .state = STATE_STARTED, .generation = 1 };
		strcpy(reports[i].id, make_instance(f, "web", "nrt", w.live, 3).record.id);
	}
	assert_good(f, DO(f, &self, store_instance_report(store, op, reports, 4, 2, refused, &n, &made)));
	assert_int_equal(made, 2);
	assert_int_equal(f->op.n_records, 2);
	assert_int_equal(n, 2);
	assert_false(refused[0].later); /* not here: for good */
	assert_true(refused[1].later);
	assert_string_equal(refused[1].id, reports[3].id);
	assert_good(f, DO(f, &self, store_instance_report(store, op, reports, 4, 1, refused, &n, &made))); /* what is known costs nothing */
	assert_int_equal(made, 1);
	assert_int_equal(n, 1);
}

/* ---- deletes ---- */

static void a_destroyed_instance_goes_with_the_report_of_its_host(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "nrt", w.live, 3), gone;
	struct why why;

	assert_good(f, change(f, i.record.id, INSTANCE_DESTROY, false, &gone));
	assert_int_equal(find(f, i.record.id).record.desired, DESIRED_DESTROYED);
	assert_int_equal(report(f, &w.ord1, i.record.id, STATE_DESTROYED, 2), 1); /* not its host */
	report(f, &w.nrt1, i.record.id, STATE_DESTROYED, 2);
	assert_int_equal(f->op.n_records, 2);
	assert_int_equal(f->op.records[0]->kind, RECORD_INSTANCE);
	assert_int_equal(f->op.records[1]->kind, RECORD_WORKLOAD);
	assert_int_equal(f->op.records[1]->node, w.nrt1.host);
	for (int k = 0; k < 2; k++) {
		assert_true(f->op.records[k]->deleted);
		assert_int_equal(f->op.records[k]->intent, INTENT_DELETE);
	}
	assert_int_equal(store_instance_find(f->store, &f->root, i.record.id, &gone, &why), E_REFUSED);
	assert_int_equal(number(f, "SELECT count(*) FROM workload"), 0);
}

static void a_report_of_destroyed_that_nobody_wanted_is_only_a_state(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "nrt", w.live, 3);

	report(f, &w.nrt1, i.record.id, STATE_DESTROYED, 1);
	assert_int_equal(find(f, i.record.id).record.observed.state, STATE_DESTROYED);
}

static void an_app_goes_when_its_last_instance_is_gone(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance a = make_instance(f, "web", "nrt", w.live, 3), b = make_instance(f, "web", "nrt", w.live, 3);
	struct store_deletion left;
	struct store_instance_new in = { .app = "web", .region = "ord", .desired = DESIRED_STARTED, .live = w.live, .n_live = 3 };

	assert_good(f, DO(f, &f->root, store_app_delete(store, op, NULL, "web", &left)));
	assert_false(left.finished);
	assert_int_equal(left.instances_left, 2);
	assert_int_equal(f->op.n_records, 2);
	assert_refused(f, DO(f, &f->root, store_instance_create(store, op, &in, &a)), "app_deleting");
	assert_refused(f, DO(f, &f->root, store_app_create(store, op, "acme", NULL, "web", &(struct store_app){ 0 })), "name_taken");
	report(f, &w.nrt1, a.record.id[0] ? a.record.id : b.record.id, STATE_DESTROYED, 2);
	assert_int_equal(number(f, "SELECT count(*) FROM app"), 1);
	report(f, &w.nrt1, b.record.id, STATE_DESTROYED, 2);
	assert_int_equal(f->op.n_records, 3);
	assert_int_equal(f->op.records[0]->intent, INTENT_APP);
	assert_int_equal(f->op.records[2]->kind, RECORD_APP);
	assert_int_equal(f->op.records[2]->intent, INTENT_DELETE);
	assert_int_equal(number(f, "SELECT count(*) FROM app"), 0);
	make_app(f, "acme", "web"); /* the name is free */
}

static void an_empty_app_goes_at_once(void **state)
{
	struct fixture *f = *state;
	struct store_deletion left;

	make_world(f);
	assert_good(f, DO(f, &f->root, store_app_delete(store, op, NULL, "acme/web", &left)));
	assert_true(left.finished);
	assert_int_equal(f->op.n_records, 1);
}

static void an_org_goes_from_below_with_one_intent(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i[2] = { make_instance(f, "web", "nrt", w.live, 3), make_instance(f, "web", "ord", w.live, 3) };
	struct store_token_new token = { .kind = PRINCIPAL_ORG_TOKEN, .org = "acme", .profile = PROFILE_READ };
	static const uint32_t order[] = { RECORD_INSTANCE, RECORD_WORKLOAD, RECORD_APP, RECORD_NETWORK, RECORD_TOKEN, RECORD_ORG };
	struct store_deletion left;
	struct store_org org;
	struct store_token t;
	char text[TOKEN_TEXT_SIZE];

	make_app(f, "acme", "empty");
	assert_good(f, DO(f, &f->root, store_token_create(store, op, &token, &t, text)));
	assert_good(f, DO(f, &f->root, store_org_delete(store, op, "acme", &left)));
	assert_false(left.finished);
	assert_int_equal(left.instances_left, 2);
	assert_refused(f, DO(f, &f->root, store_app_create(store, op, "acme", NULL, "more", &(struct store_app){ 0 })), "org_deleting");
	assert_good(f, DO(f, &f->root, store_org_delete(store, op, "acme", &left))); /* asking again says what is left */
	assert_int_equal(f->op.v, 0);
	assert_int_equal(left.instances_left, 2);
	report(f, host_of(&w, &i[0]), i[0].record.id, STATE_DESTROYED, 2);
	assert_int_equal(f->op.n_records, 2);
	assert_int_equal(f->op.records[0]->intent, INTENT_ORG);
	report(f, host_of(&w, &i[1]), i[1].record.id, STATE_DESTROYED, 2);
	assert_int_equal(f->op.n_records, ARRAY_LEN(order));
	for (size_t k = 0; k < ARRAY_LEN(order); k++)
		assert_int_equal(f->op.records[k]->kind, order[k]);
	assert_int_equal(store_org_find(f->store, &f->root, "acme", &org, NULL), E_REFUSED);
	assert_int_equal(number(f, "SELECT count(*) FROM token") + number(f, "SELECT count(*) FROM principal"), 0);
	make_org(f, "acme");
}

static void a_node_with_instances_is_deleted_only_by_force(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "nrt", w.live, 3), gone;
	struct store_node node;

	assert_refused(f, DO(f, &f->root, store_node_delete(store, op, "nrt-1", false, &node)), "node_not_empty");
	assert_good(f, DO(f, &f->root, store_node_delete(store, op, "nrt-1", true, &node)));
	assert_int_equal(f->op.n_records, 3);
	assert_int_equal(f->op.records[0]->intent, INTENT_NODE);
	assert_int_equal(store_instance_find(f->store, &f->root, i.record.id, &gone, NULL), E_REFUSED);
}

static void a_node_whose_instances_are_all_to_be_destroyed_takes_them_along(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct store_instance i = make_instance(f, "web", "nrt", w.live, 3);
	struct store_deletion left;
	struct store_node node;

	assert_good(f, DO(f, &f->root, store_app_delete(store, op, NULL, "web", &left)));
	assert_int_equal(left.instances_left, 1);
	assert_good(f, DO(f, &f->root, store_node_delete(store, op, "nrt-1", false, &node)));
	assert_int_equal(number(f, "SELECT count(*) FROM app"), 0); /* which was what the app waited for */
	(void)i;
}

/* ---- the log as a whole ---- */

static void sum_record(void *arg, const struct record *record)
{
	digest_add(arg, record);
}

static void replay(void *arg, const struct store_log_row *row)
{
	struct map *current = arg;
	struct record *copy = record_copy(&row->record), *old;
	uint8_t key[RECORD_KEY_MAX + 1] = { (uint8_t)row->record.kind };

	if (!RECORD_SENDABLE(row->record.kind)) {
		free(copy);
		return;
	}
	/* the key of the map is made of kind and key, and lives in front of the record's own key: kept in `node`, unused here */
	memcpy(key + 1, row->record.key, row->record.key_len);
	old = map_remove(current, key, 1u + row->record.key_len);
	if (old) {
		free((void *)(uintptr_t)old->body);
		free(old);
	}
	if (!copy->deleted) {
		uint8_t *kept = malloc(1u + copy->key_len + copy->body_len);

		memcpy(kept, key, 1u + copy->key_len);
		memcpy(kept + 1 + copy->key_len, copy->body, copy->body_len);
		copy->body = kept;
		assert_int_equal(map_set(current, kept, 1u + copy->key_len, copy, NULL), 0);
	} else {
		free(copy);
	}
}

static void the_log_replayed_is_what_is_current(void **state)
{
	struct fixture *f = *state;
	struct world w = make_world(f);
	struct digest from_tables = { 0 }, from_log = { 0 };
	struct map current = { 0 };
	struct record *record;
	uint64_t v = 0, before;

	for (int k = 0; k < 6; k++) {
		struct store_instance i = make_instance(f, "web", k & 1 ? "ord" : "nrt", w.live, 3);

		report(f, host_of(&w, &i), i.record.id, STATE_STARTED, 1);
		if (k % 3 == 0) {
			assert_good(f, change(f, i.record.id, INSTANCE_DESTROY, false, &i));
			report(f, host_of(&w, &i), i.record.id, STATE_DESTROYED, 2);
		}
	}
	assert_int_equal(store_log_read_current(f->store, &f->root, sum_record, &from_tables), 0);
	do {
		before = v;
		assert_int_equal(store_log_read_since(f->store, &f->root, before, 7, replay, &current, &v), 0);
	} while (v != before);
	assert_int_equal(v, store_head(f->store));
	for (size_t at = 0; (record = map_next(&current, &at));) {
		uint8_t *kept = (uint8_t *)(uintptr_t)record->body;

		record->body = kept + 1 + record->key_len;
		digest_add(&from_log, record);
		free(kept);
		free(record);
	}
	map_deinit(&current);
	assert_true(from_tables.count > 10);
	assert_true(digest_equal(&from_tables, &from_log));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_new_instance_has_an_address_of_its_host_and_two_records),
		T(instances_spread_over_the_hosts_of_a_region),
		T(a_region_without_a_live_host_is_refused_naming_the_others),
		T(a_host_that_was_named_is_taken_if_it_can),
		T(metadata_that_is_wrong_or_double_is_refused),
		T(a_workload_that_is_too_large_is_refused),
		T(an_instance_field_rests_for_a_day),
		T(every_change_of_desire_raises_the_generation_and_no_other),
		T(a_start_of_what_ended_is_a_new_try),
		T(an_instance_that_is_being_destroyed_can_only_be_destroyed),
		T(an_update_keeps_the_generation),
		T(a_report_becomes_a_record_once),
		T(a_report_of_an_older_generation_is_ignored),
		T(a_restored_store_catches_up_with_the_generation_of_the_host),
		T(a_report_about_foreign_or_unknown_instances_is_refused_one_by_one),
		T(a_report_makes_no_more_records_than_it_may),
		T(a_destroyed_instance_goes_with_the_report_of_its_host),
		T(a_report_of_destroyed_that_nobody_wanted_is_only_a_state),
		T(an_app_goes_when_its_last_instance_is_gone),
		T(an_empty_app_goes_at_once),
		T(an_org_goes_from_below_with_one_intent),
		T(a_node_with_instances_is_deleted_only_by_force),
		T(a_node_whose_instances_are_all_to_be_destroyed_takes_them_along),
		T(the_log_replayed_is_what_is_current),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
