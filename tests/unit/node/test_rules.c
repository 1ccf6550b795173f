/* Peering rules: which addresses of which networks have a part in one, from the records alone, and when a node opens and closes them. */
#include "tests/unit/node/made.h"

#include "tests/unit/lib/netlink/sandbox.h"

#include "node/moved.h"
#include "node/rules.h"

#define NET3 0x00020003u /* not on this node */
static const uint8_t rule_a[8] = { 1, [7] = 0xa }, rule_b[8] = { 2, [7] = 0xb };

static void put_rule(struct made *m, uint64_t v, struct rule_record in)
{
	struct buf body = BUF_INIT(0);

	assert_int_equal(rule_encode(&in, &body), 0);
	made_add(m, rule_envelope(in.id, in.network), v, body);
}

static struct rule_record outgoing(const uint8_t id[8], uint32_t network, uint32_t far_network, const char *far_app)
{
	struct rule_record r = { .network = network, .far_network = far_network, .outgoing = true, .alias = "db" };
	struct app_record app = made_app_record(network, "webs"), far = made_app_record(far_network, far_app);

	memcpy(r.id, id, 8);
	memcpy(r.app, app.id, 8);
	memcpy(r.far_app, far.id, 8);
	return r;
}

static struct rule_record mirror(const struct rule_record *r)
{
	struct rule_record back = { .network = r->far_network, .far_network = r->network, .outgoing = !r->outgoing,
				    .every_app = r->every_far_app, .every_far_app = r->every_app };

	memcpy(back.id, r->id, 8);
	memcpy(back.app, r->far_app, 8);
	memcpy(back.far_app, r->app, 8);
	return back;
}

static void put_far(struct made *m, uint64_t v, const struct rule_record *rule, const uint8_t app[8], uint32_t host, unsigned number)
{
	struct far_instance_record in = { .network = rule->network, .far_network = rule->far_network, .home_host = host, .host = host,
					  .field = 0x10000 + number, .answers = true };
	struct buf body = BUF_INIT(0);

	memcpy(in.rule, rule->id, 8);
	memcpy(in.far_app, app, 8);
	snprintf(in.instance, sizeof in.instance, "%014x", number);
	assert_int_equal(far_instance_encode(&in, &body), 0);
	made_add(m, far_instance_envelope(in.rule, in.instance, in.network), v, body);
}

/* "2webs>3db" of each pair (network's last digit and app), then the last four digits of each member's network, host and instance word. */
static const char *wanted(const struct replica *r)
{
	static char text[800];
	struct rules rules;

	text[0] = 0;
	assert_int_equal(rules_wanted(r, &rules), 0);
	for (size_t i = 0; i < rules.n_pairs; i++) {
		const struct bpf_rule_pair *p = &rules.pairs[i];

		snprintf(text + strlen(text), sizeof text - strlen(text), "%x%s>%x%.4s ", p->from_network & 0xf,
			 p->from_app[4] ? (const char[]){ (char)p->from_app[4], 0 } : "*", p->to_network & 0xf, (const char *)p->to_app + 4);
	}
	for (size_t i = 0; i < rules.n_members; i++) {
		struct addr_parts a;

		assert_int_equal(addr_split(&rules.members[i].prefix, &a), 0);
		assert_int_equal(a.low, 0);
		snprintf(text + strlen(text), sizeof text - strlen(text), "%x/%x/%u%c ", a.network & 0xf, a.host & 0xf, a.instance & 0xff,
			 rules.members[i].app[4]);
	}
	rules_deinit(&rules);
	return text;
}

static void a_network_without_a_rule_has_no_member(void **state)
{
	struct replica *r = made_replica();

	(void)state;
	assert_string_equal(wanted(r), "");
	made_replica_free(r);
}

static void both_ends_of_a_rule_are_members_and_nobody_else(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 25);
	struct rule_record rule = outgoing(rule_a, MADE_NET, NET3, "dbdb"), ended = outgoing(rule_b, MADE_NET, NET3, "dbdb");
	struct instance_record other = made_instance_record(MADE_NET, MADE_HOST, 9);

	(void)state;
	memcpy(other.app, made_app_record(MADE_NET, "more").id, sizeof other.app);
	put_rule(m, 21, rule);
	put_far(m, 22, &rule, rule.far_app, MADE_HOST3, 33);
	put_far(m, 23, &rule, rule.app, MADE_HOST3, 34); /* of an app that the rule does not name */
	put_far(m, 24, &ended, ended.far_app, MADE_HOST3, 35); /* of a rule that is not here */
	made_instance(m, 25, &other); /* of our own, of an app that has no part */
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "1w>3dbdb 1/7/1w 1/8/2w 3/9/33d ");
	m = made_delta(25, 26);
	made_tombstone(m, rule_envelope(rule_a, MADE_NET), 26); /* what is left of it says nothing */
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "");
	made_replica_free(r);
}

static void the_end_that_is_opened_to_knows_who_may(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 23);
	struct rule_record there = outgoing(rule_a, NET3, MADE_NET, "webs"), here;

	(void)state;
	there.every_app = true;
	memset(there.app, 0, 8);
	here = mirror(&there);
	put_rule(m, 21, here);
	put_far(m, 22, &here, (const uint8_t[8]){ 9, [4] = 'x' }, MADE_HOST3, 33);
	put_far(m, 23, &here, (const uint8_t[8]){ 9, [4] = 'y' }, MADE_HOST2, 34);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "3*>1webs 1/7/1w 1/8/2w 3/8/34y 3/9/33x ");
	made_replica_free(r);
}

static void a_node_with_both_ends_hears_it_twice_and_keeps_it_once(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 26);
	struct rule_record rule = outgoing(rule_a, MADE_NET, MADE_NET2, "webs"), back = mirror(&rule);

	(void)state;
	put_rule(m, 21, rule);
	put_rule(m, 22, back);
	put_far(m, 23, &rule, rule.far_app, MADE_HOST3, 3);
	put_far(m, 24, &rule, rule.far_app, MADE_HOST, 4);
	put_far(m, 25, &back, rule.app, MADE_HOST, 1);
	put_far(m, 26, &back, rule.app, MADE_HOST2, 2);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "1w>2webs 1/7/1w 1/8/2w 2/7/4w 2/9/3w ");
	made_replica_free(r);
}

static void a_suspended_network_has_no_rule_and_a_rule_of_another_is_no_help(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 23);
	struct rule_record rule = outgoing(rule_a, MADE_NET, NET3, "dbdb"), other = outgoing(rule_b, MADE_NET2, NET3, "dbdb");

	(void)state;
	put_rule(m, 21, rule);
	put_far(m, 22, &rule, rule.far_app, MADE_HOST3, 33);
	put_far(m, 23, &other, rule.far_app, MADE_HOST3, 35); /* its own rule is not here */
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "1w>3dbdb 1/7/1w 1/8/2w 3/9/33d ");
	m = made_delta(23, 24);
	made_network(m, 24, MADE_NET, "acme", true);
	made_take(r, m, 0);
	assert_string_equal(wanted(r), "");
	made_replica_free(r);
}

static void a_far_instance_that_moved_is_reached_where_it_is(void **state)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 22);
	struct rule_record rule = outgoing(rule_a, MADE_NET, NET3, "dbdb");
	struct far_instance_record in = { .network = MADE_NET, .far_network = NET3, .home_host = MADE_HOST2, .host = MADE_HOST3,
					  .field = 0x10021, .instance = "00000000000021" };
	struct buf body = BUF_INIT(0);
	struct moved moved;

	(void)state;
	memcpy(in.rule, rule_a, 8);
	memcpy(in.far_app, rule.far_app, 8);
	put_rule(m, 21, rule);
	assert_int_equal(far_instance_encode(&in, &body), 0);
	made_add(m, far_instance_envelope(in.rule, in.instance, MADE_NET), 22, body);
	made_take(r, m, 0);
	assert_int_equal(moved_wanted(r, &moved), 0);
	assert_int_equal(moved.n, 1);
	assert_int_equal(moved.items[0].carrier, MADE_HOST3);
	moved_deinit(&moved);
	m = made_delta(22, 23); /* the org of that end is suspended: who moved needs no right of its home to be heard, so it goes too */
	made_tombstone(m, rule_envelope(rule_a, MADE_NET), 23);
	made_take(r, m, 0);
	assert_int_equal(moved_wanted(r, &moved), 0);
	assert_int_equal(moved.n, 0);
	moved_deinit(&moved);
	made_replica_free(r);
}

/* ---- the maps of a machine ---- */

static int count_pair(void *ctx, const struct bpf_rule_pair *pair)
{
	(void)pair;
	++*(size_t *)ctx;
	return 0;
}

static int count_member(void *ctx, const uint8_t address[16], const uint8_t app[8])
{
	(void)address;
	(void)app;
	++*(size_t *)ctx;
	return 0;
}

/* "pairs/members" */
static const char *held(struct bpf_datapath *dp)
{
	static char text[32];
	size_t pairs = 0, members = 0;

	assert_int_equal(bpf_rule_pair_list(dp, count_pair, &pairs), 0);
	assert_int_equal(bpf_rule_member_list(dp, count_member, &members), 0);
	snprintf(text, sizeof text, "%zu/%zu", pairs, members);
	return text;
}

static struct rules rules_of_two_ends(void)
{
	struct replica *r = made_replica();
	struct made *m = made_delta(20, 22);
	struct rule_record rule = outgoing(rule_a, MADE_NET, NET3, "dbdb");
	struct rules rules;

	put_rule(m, 21, rule);
	put_far(m, 22, &rule, rule.far_app, MADE_HOST3, 33);
	made_take(r, m, 0);
	assert_int_equal(rules_wanted(r, &rules), 0);
	made_replica_free(r);
	return rules;
}

static void a_machine_opens_what_is_wanted_and_closes_the_rest(void **state)
{
	struct bpf_config config = { .self_host = MADE_HOST };
	struct rules rules = rules_of_two_ends(), none = { 0 };
	struct bpf_datapath *dp;

	(void)state;
	assert_int_equal(bpf_datapath_open(NULL, &config, &dp), 0);
	assert_int_equal(rules_add(dp, &rules), 0);
	assert_int_equal(rules_remove(dp, &rules), 0);
	assert_string_equal(held(dp), "1/3");
	assert_int_equal(rules_remove(dp, &none), 0);
	assert_string_equal(held(dp), "0/0");
	bpf_datapath_close(dp);
	rules_deinit(&rules);
}

struct repairs {
	unsigned n;
	char last[160];
};

static void note_repair(void *ctx, enum repair kind, const char *object, int error)
{
	struct repairs *repairs = ctx;

	assert_int_equal(kind, REPAIR_PEERING_RULE);
	assert_int_equal(error, 0);
	repairs->n++;
	snprintf(repairs->last, sizeof repairs->last, "%s", object);
}

static void what_others_change_in_the_maps_is_put_right_and_told(void **state)
{
	struct bpf_config config = { .self_host = MADE_HOST };
	const struct bpf_rule_pair foreign = { MADE_NET2, MADE_NET, { 1 }, { 2 } };
	const uint8_t address[16] = { 0xfd, 0xaa, 0x12, 0x34, 0, 1, 0xa0, 1, 0, 1, 0, 1, 0, 0x0b, 1, 2 }, app[8] = { 7 };
	struct repairs repairs = { 0 };
	const struct repair_sink sink = { note_repair, &repairs };
	struct rules rules = rules_of_two_ends();
	struct bpf_datapath *dp;

	(void)state;
	assert_int_equal(bpf_datapath_open(NULL, &config, &dp), 0);
	assert_int_equal(rules_add(dp, &rules), 0);
	assert_int_equal(rules_repair(dp, &rules, &sink), 0);
	assert_int_equal(repairs.n, 0);

	assert_int_equal(bpf_rule_pair_set(dp, &foreign), 0);
	assert_int_equal(bpf_rule_member_set(dp, address, app), 0);
	assert_int_equal(rules_repair(dp, &rules, &sink), 0);
	assert_int_equal(repairs.n, 2);
	assert_string_equal(held(dp), "1/3");

	assert_int_equal(bpf_rule_pair_remove(dp, &rules.pairs[0]), 0);
	assert_int_equal(bpf_rule_member_remove(dp, rules.members[0].prefix.s6_addr), 0);
	assert_int_equal(rules_repair(dp, &rules, &sink), 0);
	assert_int_equal(repairs.n, 4);
	assert_non_null(strstr(repairs.last, "was missing"));
	assert_string_equal(held(dp), "1/3");

	assert_int_equal(bpf_rule_member_set(dp, rules.members[0].prefix.s6_addr, app), 0); /* it plays another app */
	assert_int_equal(rules_repair(dp, &rules, &sink), 0);
	assert_int_equal(repairs.n, 5);
	assert_non_null(strstr(repairs.last, "another app"));
	assert_int_equal(rules_repair(dp, &rules, &sink), 0);
	assert_int_equal(repairs.n, 5);
	bpf_datapath_close(dp);
	rules_deinit(&rules);
}

int main(void)
{
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(a_network_without_a_rule_has_no_member),
		cmocka_unit_test(both_ends_of_a_rule_are_members_and_nobody_else),
		cmocka_unit_test(the_end_that_is_opened_to_knows_who_may),
		cmocka_unit_test(a_node_with_both_ends_hears_it_twice_and_keeps_it_once),
		cmocka_unit_test(a_suspended_network_has_no_rule_and_a_rule_of_another_is_no_help),
		cmocka_unit_test(a_far_instance_that_moved_is_reached_where_it_is),
	};
	const struct CMUnitTest machine[] = {
		cmocka_unit_test(a_machine_opens_what_is_wanted_and_closes_the_rest),
		cmocka_unit_test(what_others_change_in_the_maps_is_put_right_and_told),
	};
	int failed = cmocka_run_group_tests(pure, NULL, NULL);

	sandbox_or_skip();
	return failed + cmocka_run_group_tests(machine, NULL, NULL);
}
