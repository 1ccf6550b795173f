/* From records to answers: what each network's name server shows, and when it stops. */
#include "tests/unit/node/made.h"

#include "lib/dns/answer.h"
#include "node/names.h"
#include "tests/unit/memory.h"

struct rig {
	struct loop *loop;
	struct clock_virtual v;
	struct clock clock;
	struct replica replica;
	struct reports *reports;
	struct dns_views *views;
	struct names *names;
};

static struct rig *rig_empty(void)
{
	struct rig *rig = calloc(1, sizeof *rig);

	rig->clock = clock_virtual(&rig->v);
	assert_int_equal(loop_new(&rig->loop), 0);
	replica_init(&rig->replica);
	assert_int_equal(reports_new(rig->loop, &rig->clock, NULL, &rig->replica, &rig->reports), 0);
	assert_int_equal(dns_views_new(&rig->views), 0);
	assert_int_equal(names_new(MADE_HOST, "ord", &rig->replica, rig->reports, rig->views, &rig->names), 0);
	return rig;
}

static struct rig *rig_new(void)
{
	struct rig *rig = rig_empty();

	made_take(&rig->replica, made_world(), 0);
	assert_int_equal(names_sync_everything(rig->names), 0);
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
	for (size_t i = 0; i < c.n_networks; i++)
		names_changed(rig->names, c.networks[i]);
	if (c.all)
		assert_int_equal(names_sync_everything(rig->names), 0);
	else if (c.fabric)
		assert_int_equal(names_sync_all(rig->names), 0);
	for (size_t i = 0; i < c.n_networks && !c.all && !c.fabric; i++)
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
	assert_string_equal(aaaa(rig, MADE_NET2, "app.process.webs.internal"), "ok 7.4 9.3");
	assert_string_equal(aaaa(rig, MADE_NET2, "top1.nearest.of.webs.internal"), "ok 7.4");
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

static void take_peer(struct rig *rig, const struct peer_record *p, bool gone)
{
	uint64_t v = rig->replica.v;
	struct made *m = made_delta(v, v + 1);

	if (gone)
		made_tombstone_of(m, peer_envelope(p), v + 1, INTENT_EXPIRED);
	else
		made_peer(m, v + 1, p);
	take(rig, m);
}

static void peers_are_named_on_every_node_of_their_network(void **state)
{
	struct rig *rig = rig_new();
	struct peer_record p = made_peer_record(MADE_NET2, MADE_HOST3, 1); /* elsewhere: we are not its gateway */

	(void)state;
	assert_string_equal(ask(rig, MADE_NET2, "_peer.internal", DNS_TYPE_TXT), "ok");
	take_peer(rig, &p, false);
	assert_string_equal(aaaa(rig, MADE_NET2, "laptop-1._peer.internal"), "ok 9.11");
	assert_string_equal(ask(rig, MADE_NET2, "_peer.internal", DNS_TYPE_TXT), "ok laptop-1");
	assert_string_equal(aaaa(rig, MADE_NET, "laptop-1._peer.internal"), "nx");
	assert_int_equal(dns_zone_v(dns_views_find(rig->views, MADE_NET2)), rig->replica.v);
	assert_true(dns_zone_v(dns_views_find(rig->views, MADE_NET)) < rig->replica.v); /* untouched */
	p.gateway = MADE_HOST2; /* moved: the address stays */
	p.expires_at_ms = 1;    /* long ago: the controller takes the record back, our clock does nothing */
	take_peer(rig, &p, false);
	assert_string_equal(aaaa(rig, MADE_NET2, "laptop-1._peer.internal"), "ok 9.11");
	p.suspended = true;
	take_peer(rig, &p, false);
	assert_string_equal(aaaa(rig, MADE_NET2, "laptop-1._peer.internal"), "ok");
	assert_string_equal(ask(rig, MADE_NET2, "_peer.internal", DNS_TYPE_TXT), "ok");
	take_peer(rig, &p, true);
	assert_string_equal(aaaa(rig, MADE_NET2, "laptop-1._peer.internal"), "nx");
	assert_string_equal(ask(rig, MADE_NET2, "_peer.internal", DNS_TYPE_TXT), "ok");
	rig_end(rig);
}

static void reserved_addresses_are_named_in_their_network_and_nowhere_else(void **state)
{
	struct rig *rig = rig_new();
	struct flycast_record f = { { 7 }, MADE_NET2, 2, "elsewhere" };
	struct made *m = made_delta(rig->replica.v, rig->replica.v + 1);

	(void)state;
	assert_string_equal(aaaa(rig, MADE_NET2, "elsewhere.flycast"), "nx");
	made_flycast(m, rig->replica.v + 1, &f);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET2, "elsewhere.flycast"), "ok 1.0");
	assert_string_equal(aaaa(rig, MADE_NET, "elsewhere.flycast"), "nx");
	m = made_delta(rig->replica.v, rig->replica.v + 1);
	made_tombstone_of(m, flycast_envelope(&f), rig->replica.v + 1, INTENT_DELETE);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET2, "elsewhere.flycast"), "nx");
	rig_end(rig);
}

/* flyctl-contract 3.1: those that flyctl makes for one command. The label is derived, and may be another. */
static void interactive_peers_are_seen_nowhere(void **state)
{
	static const struct {
		const char *name, *label;
		bool seen;
	} rows[] = {
		{ "interactive-agent-host-1", "interactive-agent-host-1", false },
		{ "Interactive-AGENT", "peer-1", false },
		{ "some name", "interactive-x", false },
		{ "interactive", "interactive", true },
		{ "interactively", "interactively", true },
		{ "my-interactive-box", "my-interactive-box", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig *rig = rig_new();
		struct peer_record p = made_peer_record(MADE_NET2, MADE_HOST, 1);
		char name[128], listed[128];

		snprintf(p.name, sizeof p.name, "%s", rows[i].name);
		snprintf(p.label, sizeof p.label, "%s", rows[i].label);
		snprintf(name, sizeof name, "%s._peer.internal", rows[i].label);
		snprintf(listed, sizeof listed, "ok %s", rows[i].label);
		take_peer(rig, &p, false);
		assert_string_equal(aaaa(rig, MADE_NET2, name), rows[i].seen ? "ok 7.11" : "nx");
		assert_string_equal(ask(rig, MADE_NET2, "_peer.internal", DNS_TYPE_TXT), rows[i].seen ? listed : "ok");
		rig_end(rig);
	}
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

static uint64_t version(struct rig *rig, uint32_t network)
{
	return dns_zone_v(dns_views_find(rig->views, network));
}

static void g17_the_version_is_raised_by_the_networks_own_changes_alone(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST3, 3);
	struct node_record node = made_node_record(0xa4560010u, "nrt-2", "nrt");
	struct made *m = made_delta(21, 30);

	(void)state;
	assert_int_equal(version(rig, MADE_NET), 20);
	assert_int_equal(version(rig, MADE_NET2), 20);
	take_instance(rig, &i);
	assert_int_equal(version(rig, MADE_NET), 20);
	assert_int_equal(version(rig, MADE_NET2), 21);
	made_node(m, 30, &node); /* a new machine rebuilds all zones, but it is no change of theirs */
	take(rig, m);
	assert_int_equal(version(rig, MADE_NET), 20);
	assert_int_equal(version(rig, MADE_NET2), 21);
	m = made_delta(30, 32);
	made_node(m, 31, &node);
	made_instance(m, 32, &i); /* a machine and a change of one network in the same delta */
	take(rig, m);
	assert_int_equal(version(rig, MADE_NET), 20);
	assert_int_equal(version(rig, MADE_NET2), 32);
	rig_end(rig);
}

static void g17_a_delete_raises_the_version_too(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST3, 3);
	struct made *m = made_delta(20, 21);

	(void)state;
	made_tombstone(m, instance_envelope(&i), 21);
	take(rig, m);
	assert_int_equal(version(rig, MADE_NET2), 21);
	assert_string_equal(aaaa(rig, MADE_NET2, "nrt.webs.internal"), "ok");
	rig_end(rig);
}

static void g17_the_version_never_goes_back_by_a_snapshot_or_a_restart(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST3, 3);
	struct made *m = made_delta(20, 21);

	(void)state;
	made_tombstone(m, instance_envelope(&i), 21); /* what is left of the network is of V 14 */
	take(rig, m);
	m = made_part(25, 1, 1);
	made_network(m, 7, MADE_NET2, "globex", false);
	take(rig, made_ended(m));
	assert_int_equal(version(rig, MADE_NET2), 25);
	rig->names = names_free(rig->names);
	assert_int_equal(names_new(MADE_HOST, "ord", &rig->replica, rig->reports, rig->views, &rig->names), 0);
	assert_int_equal(names_sync_everything(rig->names), 0);
	assert_int_equal(version(rig, MADE_NET2), 25);
	rig_end(rig);
}

/* ---- never a false NXDOMAIN ---- */

static void before_anything_was_heard_there_is_no_zone(void **state)
{
	struct rig *rig = rig_empty();
	struct dns_asker asker = { addr_instance(MADE_NET, MADE_HOST, 0x10001), addr_resolver(), DNS_UDP, 0 };
	struct dns_outcome outcome;
	uint8_t bytes[512], message[DNS_UDP_MAX];

	(void)state;
	assert_int_equal(names_sync_everything(rig->names), 0);
	assert_int_equal(dns_views_count(rig->views), 0);
	dns_answer(rig->views, &asker, bytes, make_query(bytes, "webs.internal", DNS_TYPE_AAAA), message, sizeof message, &outcome);
	assert_int_equal(outcome.rcode, DNS_SERVFAIL);
	rig_end(rig);
}

static struct made *half_a_world(uint32_t part)
{
	struct made *m = made_part(60, part, 2);

	if (part == 1)
		made_network(m, 6, MADE_NET, "acme", false);
	else
		made_app(m, 8, MADE_NET, "webs");
	return m;
}

/* In the middle of the first snapshot there is a network, but not yet its app. */
static void a_first_snapshot_shows_nothing_before_its_end(void **state)
{
	struct rig *rig = rig_empty();
	struct made *parts[] = { half_a_world(1), half_a_world(2) };

	(void)state;
	made_end(parts[1], parts, 2);
	take(rig, parts[0]);
	assert_int_equal(names_sync_network(rig->names, MADE_NET), 0); /* as a role that reports */
	assert_int_equal(names_sync_all(rig->names), 0);
	assert_string_equal(aaaa(rig, MADE_NET, "webs.internal"), "no zone");
	take(rig, parts[1]);
	assert_string_equal(aaaa(rig, MADE_NET, "webs.internal"), "ok");
	rig_end(rig);
}

static void the_old_zone_serves_until_the_end_of_a_snapshot(void **state)
{
	struct rig *rig = rig_new();
	struct made *parts[] = { half_a_world(1), half_a_world(2) };
	struct instance_record i = made_instance_record(MADE_NET, MADE_HOST, 1);

	(void)state;
	made_end(parts[1], parts, 2);
	take(rig, parts[0]);
	say(rig, &i, STATE_STARTED, 1);
	assert_int_equal(names_sync_all(rig->names), 0);
	assert_non_null(strstr(aaaa(rig, MADE_NET, "webs.internal"), "7.1"));
	assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok 7.4");
	take(rig, parts[1]);
	assert_string_equal(aaaa(rig, MADE_NET, "webs.internal"), "ok");
	rig_end(rig);
}

/* A snapshot that is refused at its end, or given up half-way, has changed nothing. */
static void a_snapshot_that_comes_to_nothing_takes_no_name_away(void **state)
{
	struct rig *rig = rig_new();
	struct made *first = half_a_world(1), *wrong = half_a_world(2);
	struct why why;

	(void)state;
	take(rig, first);
	made_end(wrong, &wrong, 1);
	assert_int_equal(replica_take(&rig->replica, &wrong->reply, NULL, &why), REPLICA_WRONG_DIGEST);
	made_free(wrong);
	assert_int_equal(names_sync_all(rig->names), 0);
	assert_non_null(strstr(aaaa(rig, MADE_NET, "webs.internal"), "7.1"));
	assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok 7.4");
	rig_end(rig);
}

/* The controller sends an entering network whole, in one delta; there is no moment with half of it. */
static void a_network_that_enters_is_there_whole_or_not_at_all(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(0x00020003u, MADE_HOST2, 9);
	struct made *m = made_delta(20, 21);

	(void)state;
	assert_string_equal(aaaa(rig, 0x00020003u, "webs.internal"), "no zone");
	made_scope(m, 0x00020003u, true, 21);
	made_instance(m, 19, &i); /* in any order */
	made_app(m, 18, 0x00020003u, "webs");
	made_network(m, 17, 0x00020003u, "initech", false);
	take(rig, m);
	assert_string_equal(aaaa(rig, 0x00020003u, "webs.internal"), "ok 8.9");
	rig_end(rig);
}

static void a_network_that_leaves_and_enters_in_one_delta_is_never_half_there(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record i = made_instance_record(MADE_NET2, MADE_HOST3, 3);
	struct made *m = made_delta(20, 22);

	(void)state;
	made_scope(m, MADE_NET2, false, 21);
	made_scope(m, MADE_NET2, true, 22);
	made_network(m, 7, MADE_NET2, "globex", false);
	made_app(m, 9, MADE_NET2, "webs");
	made_instance(m, 13, &i);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET2, "webs.internal"), "ok 9.3");
	rig_end(rig);
}

/* The records of a reply for which memory ran out half-way are no state that ever was. */
static void short_of_memory_in_the_middle_of_a_reply_no_name_goes(void **state)
{
	unsigned torn = 0;
	int e = -1;

	(void)state;
	for (long n = 0; e; n++) {
		struct rig *rig = rig_new();
		struct made *m = made_part(20, 1, 1);

		made_heal(m, MADE_NET2, false);
		made_heal(m, 0, false);
		made_region(m, 1, "ord", 41.9, -87.6, 0xa123);
		made_node(m, 3, &(struct node_record[]){ made_node_record(MADE_HOST, "ord-1", "ord") }[0]);
		made_network(m, 7, MADE_NET2, "globex", false);
		made_app(m, 9, MADE_NET2, "webs");
		made_instance(m, 14, &(struct instance_record[]){ made_instance_record(MADE_NET2, MADE_HOST, 4) }[0]);
		made_ended(m);
		memory_fails_after(n);
		e = replica_take(&rig->replica, &m->reply, NULL, NULL);
		memory_is_there();
		made_free(m);
		torn += rig->replica.torn;
		assert_int_equal(names_sync_network(rig->names, MADE_NET2), 0); /* as a role that reports */
		assert_int_equal(names_sync_all(rig->names), 0);
		assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok 7.4");
		assert_string_equal(aaaa(rig, MADE_NET, "ord.webs.internal") + (e ? 0 : 2), e ? "ok 7.1 8.2" : " 7.1");
		made_take(&rig->replica, made_world(), 0);
		assert_false(rig->replica.torn);
		assert_int_equal(names_sync_everything(rig->names), 0);
		assert_string_equal(aaaa(rig, MADE_NET2, "webs.internal"), "ok 7.4 9.3");
		rig_end(rig);
	}
	assert_true(torn > 5);
}

/* Wherever memory runs out, a zone stays as it was, whole; what is behind is known, and later all is right. */
static void short_of_memory_the_old_zone_stays(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);
	unsigned failures = 0;
	int e = -1;

	(void)state;
	made_app(m, 21, MADE_NET, "idle");
	assert_int_equal(replica_take(&rig->replica, &m->reply, NULL, NULL), 0);
	made_free(m);
	for (long n = 0; e; n++) {
		memory_fails_after(n);
		e = names_sync_network(rig->names, MADE_NET);
		memory_is_there();
		if (!e)
			break;
		failures++;
		assert_int_equal(e, -ENOMEM);
		assert_true(names_are_behind(rig->names));
		assert_non_null(strstr(aaaa(rig, MADE_NET, "webs.internal"), "7.1"));
		assert_string_equal(aaaa(rig, MADE_NET, "idle.internal"), "nx"); /* of V 20, and says so */
		assert_int_equal(version(rig, MADE_NET), 20);
		assert_string_equal(aaaa(rig, MADE_NET2, "ord.webs.internal"), "ok 7.4");
	}
	assert_true(failures > 10);
	assert_string_equal(aaaa(rig, MADE_NET, "idle.internal"), "ok");
	assert_int_equal(version(rig, MADE_NET), 21);
	assert_int_equal(names_sync_all(rig->names), 0);
	assert_false(names_are_behind(rig->names));
	rig_end(rig);
}

static void short_of_memory_a_first_zone_is_there_whole_or_not_at_all(void **state)
{
	unsigned failures = 0;
	int e = -1;

	(void)state;
	for (long n = 0; e; n++) {
		struct rig *rig = rig_empty();

		made_take(&rig->replica, made_world(), 0);
		memory_fails_after(n);
		e = names_sync_everything(rig->names);
		memory_is_there();
		failures += e != 0;
		for (unsigned k = 0; k < 2; k++) {
			const char *text = aaaa(rig, MADE_NET + k, "ord.webs.internal");

			if (strcmp(text, "no zone"))
				assert_string_equal(ask(rig, MADE_NET + k, "_apps.internal", DNS_TYPE_TXT), "ok webs");
			if (strcmp(text, "no zone"))
				assert_non_null(strstr(aaaa(rig, MADE_NET + k, "ord.webs.internal"), "7."));
		}
		if (e)
			assert_true(names_are_behind(rig->names));
		assert_int_equal(names_sync_all(rig->names), 0);
		assert_false(names_are_behind(rig->names));
		assert_string_equal(aaaa(rig, MADE_NET2, "webs.internal"), "ok 7.4 9.3");
		rig_end(rig);
	}
	assert_true(failures > 20);
}

static void the_far_app_of_a_rule_has_its_name_here_and_only_while_the_rule_is_here(void **state)
{
	struct rig *rig = rig_new();
	struct rule_record rule = made_rule_record(MADE_NET, 0x00020003u);
	struct made *m = made_delta(20, 23);

	(void)state;
	assert_string_equal(aaaa(rig, MADE_NET, "db.internal"), "nx");
	made_rule(m, 21, &rule);
	made_far_instance(m, 22, &rule, MADE_HOST3, 33, true);
	made_far_instance(m, 23, &rule, MADE_HOST2, 34, false);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET, "db.internal"), "ok 9.33");
	assert_string_equal(ask(rig, MADE_NET, "regions.db.internal", DNS_TYPE_TXT), "ok nrt");
	assert_string_equal(aaaa(rig, MADE_NET2, "db.internal"), "nx");
	m = made_delta(23, 24);
	made_far_instance(m, 24, &rule, MADE_HOST2, 34, true);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET, "db.internal"), "ok 8.34 9.33");
	m = made_delta(24, 25); /* the rule goes first, the instances later */
	made_tombstone(m, rule_envelope(rule.id, MADE_NET), 25);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET, "db.internal"), "nx");
	rig_end(rig);
}

static void two_rules_with_one_name_show_each_address_once(void **state)
{
	struct rig *rig = rig_new();
	struct rule_record rule = made_rule_record(MADE_NET, 0x00020003u), second = rule;
	struct made *m = made_delta(20, 24);

	(void)state;
	second.id[0] = 2;
	second.every_app = true;
	made_rule(m, 21, &rule);
	made_rule(m, 22, &second);
	made_far_instance(m, 23, &rule, MADE_HOST3, 33, true);
	made_far_instance(m, 24, &second, MADE_HOST3, 33, true);
	take(rig, m);
	assert_string_equal(aaaa(rig, MADE_NET, "db.internal"), "ok 9.33");
	rig_end(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_network_has_its_own_names),
		cmocka_unit_test(the_far_app_of_a_rule_has_its_name_here_and_only_while_the_rule_is_here),
		cmocka_unit_test(two_rules_with_one_name_show_each_address_once),
		cmocka_unit_test(the_near_region_comes_first),
		cmocka_unit_test(an_instance_that_is_not_started_has_no_address),
		cmocka_unit_test(peers_are_named_on_every_node_of_their_network),
		cmocka_unit_test(reserved_addresses_are_named_in_their_network_and_nowhere_else),
		cmocka_unit_test(interactive_peers_are_seen_nowhere),
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
		cmocka_unit_test(g17_the_version_is_raised_by_the_networks_own_changes_alone),
		cmocka_unit_test(g17_a_delete_raises_the_version_too),
		cmocka_unit_test(g17_the_version_never_goes_back_by_a_snapshot_or_a_restart),
		cmocka_unit_test(before_anything_was_heard_there_is_no_zone),
		cmocka_unit_test(a_first_snapshot_shows_nothing_before_its_end),
		cmocka_unit_test(the_old_zone_serves_until_the_end_of_a_snapshot),
		cmocka_unit_test(a_snapshot_that_comes_to_nothing_takes_no_name_away),
		cmocka_unit_test(a_network_that_enters_is_there_whole_or_not_at_all),
		cmocka_unit_test(a_network_that_leaves_and_enters_in_one_delta_is_never_half_there),
		cmocka_unit_test(short_of_memory_in_the_middle_of_a_reply_no_name_goes),
		cmocka_unit_test(short_of_memory_the_old_zone_stays),
		cmocka_unit_test(short_of_memory_a_first_zone_is_there_whole_or_not_at_all),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
