/* From records to answers: what each network's name server shows, and when it stops. */
#include "tests/unit/node/made.h"

#include "lib/dns/views.h"
#include "node/names.h"

struct rig {
	struct loop *loop;
	struct clock_virtual v;
	struct clock clock;
	struct replica replica;
	struct reports *reports;
	struct dns_views *views;
	struct names *names;
};

static struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof *rig);

	rig->clock = clock_virtual(&rig->v);
	assert_int_equal(loop_new(&rig->loop), 0);
	replica_init(&rig->replica);
	assert_int_equal(reports_new(rig->loop, &rig->clock, NULL, &rig->replica, &rig->reports), 0);
	assert_int_equal(dns_views_new(&rig->views), 0);
	assert_int_equal(names_new(MADE_HOST, "ord", &rig->replica, rig->reports, rig->views, &rig->names), 0);
	made_take(&rig->replica, made_world(), 0);
	assert_int_equal(names_sync_all(rig->names), 0);
	return rig;
}

static void rig_end(struct rig *rig)
{
	rig->names = names_free(rig->names);
	rig->views = dns_views_free(rig->views);
	rig->reports = reports_free(rig->reports);
	replica_deinit(&rig->replica);
	rig->loop = loop_free(rig->loop);
	free(rig);
}

static size_t make_query(uint8_t *out, const char *name, uint16_t type)
{
	size_t n = DNS_HEADER_LEN;

	memset(out, 0, n);
	out[5] = 1;
	n += dns_name_from_text(name, out + n);
	put_u16(out + n, type);
	put_u16(out + n + 2, DNS_CLASS_IN);
	return n + 4;
}

/* AAAA as "host word.instance", TXT as its text, in the order of the answer. */
static void one_answer(uint16_t type, const uint8_t *rdata, size_t n, char *text, size_t size)
{
	size_t at = strlen(text);

	if (type == DNS_TYPE_AAAA && n == 16)
		snprintf(text + at, size - at, " %x.%u", get_u32(rdata + 6) & 0xf, get_u32(rdata + 10) & 0xffff);
	else if (type == DNS_TYPE_TXT && n)
		snprintf(text + at, size - at, " %.*s", rdata[0], (const char *)rdata + 1);
}

static const char *ask(struct rig *rig, uint32_t network, const char *name, uint16_t type)
{
	static char text[2000];
	static uint8_t message[DNS_MESSAGE_MAX];
	const struct dns_zone *zone = dns_views_find(rig->views, network);
	uint8_t bytes[512], *p = message + DNS_HEADER_LEN;
	struct dns_query q;
	struct dns_reply r;
	uint16_t rcode;
	size_t n = make_query(bytes, name, type);

	if (!zone)
		return "no zone";
	assert_int_equal(dns_query_parse(bytes, n, &q, &rcode), 0);
	dns_reply_begin(&r, &q, message, sizeof message);
	dns_zone_answer(zone, dns_tree_of(q.key, q.name_len), &r);
	dns_reply_end(&r);
	snprintf(text, sizeof text, "%s", r.rcode == DNS_NOERROR ? "ok" : r.rcode == DNS_NXDOMAIN ? "nx" : "?");
	p += q.name_len + 4;
	for (unsigned i = 0; i < r.answers; i++) {
		assert_int_equal(p[0] & 0xc0, 0xc0);
		one_answer(get_u16(p + 2), p + DNS_RECORD_HEAD_LEN, get_u16(p + 10), text, sizeof text);
		p += DNS_RECORD_HEAD_LEN + get_u16(p + 10);
	}
	return text;
}

static const char *aaaa(struct rig *rig, uint32_t network, const char *name)
{
	return ask(rig, network, name, DNS_TYPE_AAAA);
}

static void take(struct rig *rig, struct made *m)
{
	struct replica_change c = { 0 };
	struct why why;

	assert_int_equal(replica_take(&rig->replica, &m->reply, &c, &why), 0);
	if (c.all || c.fabric)
		assert_int_equal(names_sync_all(rig->names), 0);
	for (size_t i = 0; i < c.n_networks; i++)
		assert_int_equal(names_sync_network(rig->names, c.networks[i]), 0);
	replica_change_deinit(&c);
	made_free(m);
}

static void take_instance(struct rig *rig, const struct instance_record *i)
{
	uint64_t v = rig->replica.v;
	struct made *m = made_delta(v, v + 1);

	made_instance(m, v + 1, i);
	take(rig, m);
}

/* The role of this host speaks. */
static void say(struct rig *rig, const struct instance_record *i, uint32_t state, uint64_t generation)
{
	struct observed o = { .state = state, .generation = generation };

	reports_set(rig->reports, i->id, &o);
	assert_int_equal(names_sync_network(rig->names, i->network), 0);
}

static void each_network_has_its_own_names(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok 7.4");
	assert_string_equal(aaaa(rig, MADE_NET2, "nrt.webs.internal"), "ok 9.3");
	assert_string_equal(aaaa(rig, MADE_NET, "nrt.webs.internal"), "ok");
	assert_string_equal(ask(rig, MADE_NET2, "regions.webs.internal", DNS_TYPE_TXT), "ok nrt,ord");
	assert_string_equal(ask(rig, MADE_NET, "regions.webs.internal", DNS_TYPE_TXT), "ok ord");
	assert_string_equal(aaaa(rig, 0x00020003u, "webs.internal"), "no zone");
	assert_int_equal(dns_views_count(rig->views), 2);
	rig_end(rig);
}

static void the_near_region_comes_first(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	assert_string_equal(aaaa(rig, MADE_NET2, "webs.internal"), "ok 7.4 9.3");
	rig_end(rig);
}

static void an_instance_that_is_not_started_has_no_address(void **state)
{
	static const struct {
		uint32_t desired, observed;
		bool skip, shown;
	} rows[] = {
		{ DESIRED_STARTED, STATE_STARTED, false, true },   { DESIRED_STARTED, STATE_STARTING, false, false },
		{ DESIRED_STARTED, STATE_DRAINING, false, false }, { DESIRED_STARTED, STATE_FAILED, false, false },
		{ DESIRED_STARTED, 0, false, false },		   { DESIRED_STOPPED, STATE_STARTED, false, false },
		{ DESIRED_STARTED, STATE_STARTED, true, false },
	};
	struct rig *rig = rig_new();

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
		struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST3, 3);

		i.desired = rows[k].desired;
		i.observed.state = rows[k].observed;
		i.dns_skip = rows[k].skip;
		take_instance(rig, &i);
		assert_string_equal(aaaa(rig, MADE_NET2, "nrt.webs.internal"), rows[k].shown ? "ok 9.3" : "ok");
	}
	rig_end(rig);
}

static void our_own_truth_comes_before_the_record(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST, 4);

	(void)state;
	say(rig, &i, STATE_FAILED, 1);
	assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok");
	say(rig, &i, STATE_STARTED, 1);
	assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok 7.4");
	say(rig, &i, STATE_DRAINING, 2); /* withdrawn at once, not when the controller has heard */
	assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok");
	rig_end(rig);
}

static void our_own_started_shows_before_the_record_says_so(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST, 4);

	(void)state;
	i.generation = 2;
	i.observed.state = STATE_STARTING;
	take_instance(rig, &i);
	assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok");
	say(rig, &i, STATE_STARTED, 2);
	assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok 7.4");
	rig_end(rig);
}

static void what_is_not_wanted_is_not_shown_whatever_our_truth(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST, 4);

	(void)state;
	say(rig, &i, STATE_STARTED, 9);
	i.desired = DESIRED_STOPPED;
	take_instance(rig, &i);
	assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok");
	rig_end(rig);
}

static void a_truth_older_than_the_record_does_not_count(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST, 4);

	(void)state;
	i.observed.generation = 5;
	take_instance(rig, &i);
	say(rig, &i, STATE_FAILED, 4);
	assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok 7.4");
	rig_end(rig);
}

static void our_truth_of_an_instance_that_moved_away_does_not_count(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST, 4);

	(void)state;
	say(rig, &i, STATE_STOPPED, 1);
	i.host = MADE_HOST3;
	take_instance(rig, &i);
	assert_string_equal(aaaa(rig, MADE_NET2, "nrt.webs.internal"), "ok 7.4 9.3");
	rig_end(rig);
}

static void a_moved_instance_keeps_its_address_and_changes_its_region(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST2, 2);

	(void)state;
	i.host = MADE_HOST3;
	take_instance(rig, &i);
	assert_string_equal(aaaa(rig, MADE_NET, "nrt.webs.internal"), "ok 8.2");
	assert_string_equal(ask(rig, MADE_NET, "regions.webs.internal", DNS_TYPE_TXT), "ok nrt,ord");
	rig_end(rig);
}

static void a_destroyed_instance_is_in_no_list(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST3, 3);
	char name[80];

	(void)state;
	snprintf(name, sizeof name, "%s.vm.webs.internal", i.id);
	assert_string_equal(aaaa(rig, MADE_NET2, name), "ok 9.3");
	assert_non_null(strstr(ask(rig, MADE_NET2, "all._instances.internal", DNS_TYPE_TXT), i.id));
	assert_non_null(strstr(ask(rig, MADE_NET2, "all.vms.webs.internal", DNS_TYPE_TXT), i.id));
	i.desired = DESIRED_DESTROYED;
	take_instance(rig, &i);
	assert_string_equal(aaaa(rig, MADE_NET2, name), "nx");
	assert_string_equal(aaaa(rig, MADE_NET2, "webs.internal"), "ok 7.4");
	assert_null(strstr(ask(rig, MADE_NET2, "all._instances.internal", DNS_TYPE_TXT), i.id));
	assert_null(strstr(ask(rig, MADE_NET2, "all.vms.webs.internal", DNS_TYPE_TXT), i.id));
	rig_end(rig);
}

static void an_instance_on_a_host_without_a_record_is_hidden(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);
	struct node_record n = made_node_record(MADE_HOST3, "nrt-1", "nrt");

	(void)state;
	made_tombstone(m, node_envelope(&n), 21);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET2, "webs.internal"), "ok 7.4");
	m = made_delta(21, 22);
	made_node(m, 22, &n);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET2, "webs.internal"), "ok 7.4 9.3");
	rig_end(rig);
}

static void an_instance_without_its_app_is_hidden(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);
	struct app_record app = made_app_record(MADE_NET2, "webs");

	(void)state;
	made_tombstone(m, app_envelope(&app), 21);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET2, "webs.internal"), "nx");
	rig_end(rig);
}

static void an_app_without_an_instance_exists(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);

	(void)state;
	made_app(m, 21, MADE_NET, "idle");
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET, "idle.internal"), "ok");
	assert_string_equal(aaaa(rig, MADE_NET2, "idle.internal"), "nx");
	assert_string_equal(ask(rig, MADE_NET, "_apps.internal", DNS_TYPE_TXT), "ok idle,webs");
	rig_end(rig);
}

static void a_network_that_left_the_scope_has_no_zone(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);

	(void)state;
	made_scope(m, MADE_NET2, false, 21);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET2, "webs.internal"), "no zone");
	assert_non_null(strstr(aaaa(rig, MADE_NET, "ord.webs.internal"), "7.1"));
	assert_int_equal(dns_views_count(rig->views), 1);
	rig_end(rig);
}

static void networks_that_a_snapshot_does_not_hold_have_no_zone(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_part(50, 1, 1);

	(void)state;
	made_network(m, 50, 0x00020003u, "initech", false);
	take(rig, made_ended(m));
	assert_string_equal(aaaa(rig, MADE_NET, "webs.internal"), "no zone");
	assert_string_equal(aaaa(rig, MADE_NET2, "webs.internal"), "no zone");
	assert_string_equal(aaaa(rig, 0x00020003u, "webs.internal"), "nx");
	assert_int_equal(dns_views_count(rig->views), 1);
	rig_end(rig);
}

static void a_record_that_cannot_be_read_costs_only_its_own_name(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST3, 3);
	struct buf body = BUF_INIT(0);

	(void)state;
	buf_add_str(&body, "\xff\xff\xff");
	made_add(m, instance_envelope(&i), 21, body);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET2, "webs.internal"), "ok 7.4");
	rig_end(rig);
}

static void the_serial_is_the_v_of_the_networks_own_last_change(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST3, 3);

	(void)state;
	assert_int_equal(dns_zone_v(dns_views_find(rig->views, MADE_NET)), 12);
	assert_int_equal(dns_zone_v(dns_views_find(rig->views, MADE_NET2)), 14);
	take_instance(rig, &i);
	assert_int_equal(dns_zone_v(dns_views_find(rig->views, MADE_NET)), 12);
	assert_int_equal(dns_zone_v(dns_views_find(rig->views, MADE_NET2)), 21);
	rig_end(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_network_has_its_own_names),
		cmocka_unit_test(the_near_region_comes_first),
		cmocka_unit_test(an_instance_that_is_not_started_has_no_address),
		cmocka_unit_test(our_own_truth_comes_before_the_record),
		cmocka_unit_test(our_own_started_shows_before_the_record_says_so),
		cmocka_unit_test(what_is_not_wanted_is_not_shown_whatever_our_truth),
		cmocka_unit_test(a_truth_older_than_the_record_does_not_count),
		cmocka_unit_test(our_truth_of_an_instance_that_moved_away_does_not_count),
		cmocka_unit_test(a_moved_instance_keeps_its_address_and_changes_its_region),
		cmocka_unit_test(a_destroyed_instance_is_in_no_list),
		cmocka_unit_test(an_instance_on_a_host_without_a_record_is_hidden),
		cmocka_unit_test(an_instance_without_its_app_is_hidden),
		cmocka_unit_test(an_app_without_an_instance_exists),
		cmocka_unit_test(a_network_that_left_the_scope_has_no_zone),
		cmocka_unit_test(networks_that_a_snapshot_does_not_hold_have_no_zone),
		cmocka_unit_test(a_record_that_cannot_be_read_costs_only_its_own_name),
		cmocka_unit_test(the_serial_is_the_v_of_the_networks_own_last_change),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
