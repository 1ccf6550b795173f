/* The order in which an apply brings the machine to the records (G15), without a kernel: what it would have done is written down. */
#include "tests/unit/node/made.h"

#include "node/node.h"
#include "tests/unit/memory.h"

struct rig {
	struct node node; /* first: the fakes get it and find the rig */
	struct clock_virtual v;
	struct reports *reports; /* for the names alone: the node has nobody to report to */
	char steps[256];
	int fail; /* what every step to the kernel returns */
	bool ruled; /* there are rules, or were */
	int closed; /* what closing them returns */
	int n_closed;
	bool loud; /* who is gone cannot be silenced */
	bool full; /* the map has no room for MADE_HOST3 in MADE_NET2 */
	bool full_of_moved; /* nor for an address that moved */
	int deaf; /* what listening at the ::3 of MADE_NET2 gives */
	char heard[64]; /* the networks at whose ::3 somebody listens */
	size_t n_instances;
	char first[NAME_INSTANCE_ID_SIZE], app[NAME_SIZE], org[NAME_SIZE];
	bool has_spec, suspended; /* of the first */
};

/* A step, and whether MADE_NET2 has names at that moment. */
static void note(struct node *node, const char *step)
{
	struct rig *rig = (struct rig *)node;
	size_t at = strlen(rig->steps);

	snprintf(rig->steps + at, sizeof rig->steps - at, "%s%s ", step, dns_views_find(node->views, MADE_NET2) ? "+names" : "");
}

/* How many hosts may speak in MADE_NET2, as part of the step. */
static int presence_step(struct node *node, const char *step, const struct presence *wanted)
{
	char text[64];
	int n = 0;

	for (size_t i = 0; i < wanted->n; i++)
		n += wanted->pairs[i].network == MADE_NET2;
	snprintf(text, sizeof text, "%s:%d", step, n);
	note(node, text);
	return ((struct rig *)node)->fail;
}

static int let_speak(struct node *node, const struct presence *wanted)
{
	struct rig *rig = (struct rig *)node;

	presence_deinit(&node->unheard);
	if (rig->full) {
		node->unheard = (struct presence){ .pairs = calloc(1, sizeof *node->unheard.pairs), .n = 1 };
		node->unheard.pairs[0] = (struct presence_pair){ MADE_NET2, MADE_HOST3 };
	}
	for (size_t i = 0; i < node->moved.n && rig->full_of_moved; i++)
		node->moved.items[i].refused = "full";
	presence_step(node, "speak", wanted);
	return rig->full ? -E2BIG : rig->fail;
}

static int silence(struct node *node, const struct presence *wanted)
{
	int e = presence_step(node, "silence", wanted);

	return ((struct rig *)node)->loud ? -EIO : e;
}

static void listen_at(struct node *node, const uint32_t *networks, size_t n, int *ret_errors)
{
	struct rig *rig = (struct rig *)node;

	note(node, "listen");
	rig->heard[0] = 0;
	for (size_t i = 0; i < n; i++) {
		size_t at = strlen(rig->heard);

		ret_errors[i] = networks[i] == MADE_NET2 ? rig->deaf : 0;
		if (!ret_errors[i])
			snprintf(rig->heard + at, sizeof rig->heard - at, "%08x ", networks[i]);
	}
}

static int reach(struct node *node, struct why *why)
{
	(void)why;
	note(node, "reach");
	return ((struct rig *)node)->fail;
}

static void role_sync(void *role, const struct role_desired *desired)
{
	struct rig *rig = role;

	note(&rig->node, "roles");
	rig->n_instances = desired->n_instances;
	if (desired->n_instances) {
		const struct role_instance *first = &desired->instances[0];

		snprintf(rig->first, sizeof rig->first, "%s", first->record.id);
		snprintf(rig->app, sizeof rig->app, "%s", first->app);
		snprintf(rig->org, sizeof rig->org, "%s", first->org);
		rig->has_spec = first->spec_len > 0;
		rig->suspended = first->suspended;
	}
}

static int rules_step(struct node *node, const char *step)
{
	struct rig *rig = (struct rig *)node;
	char text[32];

	rig->ruled |= node->rules.n_pairs > 0;
	snprintf(text, sizeof text, "%s:%zu", step, node->rules.n_members);
	if (rig->ruled)
		note(node, text);
	return 0;
}

static int open_rules(struct node *node)
{
	return rules_step(node, "open");
}

static int close_rules(struct node *node)
{
	rules_step(node, "close");
	((struct rig *)node)->n_closed++;
	return ((struct rig *)node)->closed;
}

static const struct kernel_ops fake_kernel = { .listen = listen_at, .let_speak = let_speak, .reach = reach, .silence = silence,
					       .open_rules = open_rules, .close_rules = close_rules };
static const struct role_ops fake_role = { .name = "fake", .bit = ROLE_HOST, .sync = role_sync };

static struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof *rig);
	struct node *node = &rig->node;

	node->clock = clock_virtual(&rig->v);
	node->kernel = &fake_kernel;
	node->roles[0] = &fake_role;
	node->role_state[0] = rig;
	node->n_roles = 1;
	node->identity.host = MADE_HOST;
	snprintf(node->identity.region, sizeof node->identity.region, "ord");
	assert_int_equal(loop_new_on(&node->clock, &node->loop), 0);
	replica_init(&node->replica);
	assert_int_equal(dns_views_new(&node->views), 0);
	assert_int_equal(reports_new(node->loop, &node->clock, NULL, &node->replica, &rig->reports), 0);
	assert_int_equal(names_new(MADE_HOST, "ord", &node->replica, rig->reports, node->views, &node->names), 0);
	return rig;
}

static void rig_end(struct rig *rig)
{
	loop_cancel_timer(&rig->node.apply_again);
	loop_cancel_timer(&rig->node.peers_due);
	node_errors_deinit(&rig->node.errors);
	presence_deinit(&rig->node.unheard);
	moved_deinit(&rig->node.moved);
	rules_deinit(&rig->node.rules);
	role_peers_deinit(&rig->node.role_peers);
	rig->node.names = names_free(rig->node.names);
	rig->reports = reports_free(rig->reports);
	rig->node.views = dns_views_free(rig->node.views);
	presence_deinit(&rig->node.presence);
	replica_deinit(&rig->node.replica);
	rig->node.loop = loop_free(rig->node.loop);
	free(rig);
}

/* The steps that a reply leads to. */
static const char *apply(struct rig *rig, struct made *m)
{
	struct replica_change change = { 0 };
	struct why why = { 0 };

	rig->steps[0] = 0;
	assert_int_equal(replica_take(&rig->node.replica, &m->reply, &change, &why), 0);
	node_apply(&rig->node, &change);
	replica_change_deinit(&change);
	made_free(m);
	return rig->steps;
}

static void g15_what_is_new_may_speak_and_is_reached_before_it_has_a_name(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	assert_string_equal(apply(rig, made_world()), "speak:2 reach roles+names silence:2+names ");
	rig_end(rig);
}

static void g15_what_is_gone_loses_its_name_before_its_presence(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);

	(void)state;
	apply(rig, made_world());
	made_scope(m, MADE_NET2, false, 21);
	assert_string_equal(apply(rig, m), "speak:0+names roles silence:0 ");
	rig_end(rig);
}

static void roles_are_given_the_instances_of_this_host_with_what_belongs_to_them(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record mine = made_instance_record(MADE_NET, MADE_HOST, 1);

	(void)state;
	apply(rig, made_world());
	assert_int_equal(rig->n_instances, 2);
	assert_string_equal(rig->first, mine.id);
	assert_string_equal(rig->app, "webs");
	assert_string_equal(rig->org, "acme");
	assert_true(rig->has_spec);
	rig_end(rig);
}

/* As for presence, peers and rules: what does not say that it may speak may not. */
static void an_instance_of_a_network_that_cannot_be_read_is_silent(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);
	struct buf body = BUF_INIT(0);

	(void)state;
	apply(rig, made_world());
	assert_false(rig->suspended);
	buf_add_str(&body, "\xff\xff");
	made_add(m, network_envelope(&(struct network_record){ .id = MADE_NET }), 21, body);
	apply(rig, m);
	assert_true(rig->suspended);
	rig_end(rig);
}

static void take_peer(struct made *m, uint64_t v, uint32_t carrier)
{
	struct peer_record p = made_peer_record(MADE_NET2, MADE_HOST3, 1);

	p.gateway = carrier;
	made_peer(m, v, &p);
}

/* The mesh is brought to it before a role lets go of the peer, and is left alone by what has nothing to do with it. */
static void g15_an_address_that_moved_is_reached_where_it_is_before_roles_let_go(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);

	(void)state;
	apply(rig, made_world());
	rig->node.moved_due = false;
	take_peer(m, 21, MADE_HOST3);
	assert_string_equal(apply(rig, m), "roles+names "); /* who may speak is as it was: the map is left alone */
	assert_false(rig->node.moved_due);
	m = made_delta(21, 22);
	take_peer(m, 22, MADE_HOST2);
	assert_string_equal(apply(rig, m), "speak:3+names reach+names roles+names silence:3+names ");
	assert_int_equal(rig->node.moved.n, 1);
	assert_true(rig->node.moved_due);
	m = made_delta(22, 23);
	take_peer(m, 23, MADE_HOST3);
	assert_string_equal(apply(rig, m), "speak:2+names reach+names roles+names silence:2+names ");
	assert_int_equal(rig->node.moved.n, 0);
	rig_end(rig);
}

static void g9_a_moved_address_that_is_refused_is_an_error_of_its_record_and_tried_again(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);

	(void)state;
	apply(rig, made_world());
	take_peer(m, 21, MADE_HOST2);
	rig->full_of_moved = true;
	apply(rig, m);
	assert_int_equal(rig->node.errors.n, 1);
	assert_int_equal(rig->node.errors.items[0].kind, RECORD_PEER);
	assert_int_equal(rig->node.errors.items[0].v, 21);
	rig->full_of_moved = false;
	rig->steps[0] = 0;
	rig->node.apply_again.expired(&rig->node.apply_again);
	assert_int_equal(rig->node.errors.n, 0);
	assert_non_null(strstr(rig->steps, "reach"));
	rig_end(rig);
}

static void a_gateway_listens_for_the_networks_of_its_peers_when_they_have_names(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);
	struct peer_record p = made_peer_record(MADE_NET, MADE_HOST, 1);

	(void)state;
	assert_null(strstr(apply(rig, made_world()), "listen")); /* no gateway */
	rig->node.role_bits = ROLE_GATEWAY;
	made_peer(m, 21, &p);
	take_peer(m, 21, MADE_HOST);
	assert_string_equal(apply(rig, m), "speak:2+names reach+names listen+names roles+names silence:2+names ");
	assert_string_equal(rig->heard, "00020001 00020002 ");
	m = made_delta(21, 22);
	take_peer(m, 22, MADE_HOST2); /* goes elsewhere */
	apply(rig, m);
	assert_string_equal(rig->heard, "00020001 ");
	rig_end(rig);
}

/* The role was taken out of the configuration: what the controller waits for must not look applied. */
static void g9_peers_of_a_machine_that_is_configured_to_be_no_gateway_are_errors_of_their_records(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);

	(void)state;
	apply(rig, made_world());
	take_peer(m, 21, MADE_HOST);
	apply(rig, m);
	assert_int_equal(rig->node.errors.n, 1);
	assert_int_equal(rig->node.errors.items[0].kind, RECORD_PEER);
	assert_int_equal(rig->node.errors.items[0].v, 21);
	rig->node.role_bits = ROLE_GATEWAY;
	apply(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 21, 22));
	assert_int_equal(rig->node.errors.n, 0);
	rig->node.role_bits = ROLE_HOST;
	m = made_delta(22, 23);
	take_peer(m, 23, MADE_HOST2); /* another's */
	apply(rig, m);
	assert_int_equal(rig->node.errors.n, 0);
	rig_end(rig);
}

static void fire(struct loop_timer *timer)
{
	assert_int_not_equal(timer->slot, 0);
	timer->expired(timer);
}

static void whoever_has_expired_is_let_in_no_more_when_the_controller_cannot_say_so(void **state)
{
	enum { LIVES = 600000 };
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);
	struct peer_record p = made_peer_record(MADE_NET, MADE_HOST, 1);

	(void)state;
	rig->node.role_bits = ROLE_GATEWAY;
	p.expires_at_ms = rig->v.real_offset_ms + LIVES;
	made_peer(m, 21, &p);
	apply(rig, made_world());
	assert_int_equal(rig->node.peers_due.slot, 0); /* none expires */
	apply(rig, m);
	rig->v.now_ms += LIVES - 1;
	apply(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 21, 22));
	assert_true(rig->node.peers_due.at_ms <= rig->v.now_ms); /* not put off */
	fire(&rig->node.peers_due);
	assert_string_equal(rig->heard, "00020001 ");
	rig->v.now_ms += 1;
	rig->node.heard_ms = (int64_t)rig->v.now_ms - 1000; /* it is there: then our clock is wrong */
	fire(&rig->node.peers_due);
	assert_string_equal(rig->heard, "00020001 ");
	rig->v.now_ms += 400000;
	fire(&rig->node.peers_due);
	assert_string_equal(rig->heard, "");
	assert_int_equal(rig->node.errors.n, 1);
	assert_int_equal(rig->node.errors.items[0].kind, RECORD_PEER);
	rig->v.now_ms += 60000;
	fire(&rig->node.peers_due);
	assert_string_equal(rig->heard, "");
	node_sync_events.heard(&rig->node); /* and has not taken it back */
	assert_true(rig->node.peers_due.at_ms <= rig->v.now_ms + 1);
	fire(&rig->node.peers_due);
	assert_string_equal(rig->heard, "00020001 ");
	assert_int_equal(rig->node.errors.n, 0);
	rig_end(rig);
}

/* Peers of a network without a name server are not served: that is not applied, and not silent. */
static void g9_a_network_that_nobody_can_listen_for_is_an_error_of_its_record(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);

	(void)state;
	rig->node.role_bits = ROLE_GATEWAY;
	apply(rig, made_world());
	rig->deaf = -EMFILE;
	take_peer(m, 21, MADE_HOST);
	apply(rig, m);
	assert_string_equal(rig->heard, "");
	assert_int_equal(rig->node.n_unserved, 1);
	assert_int_equal(rig->node.errors.n, 1);
	assert_int_equal(rig->node.errors.items[0].kind, RECORD_NETWORK);
	assert_int_equal(get_u32(rig->node.errors.items[0].key), MADE_NET2);
	assert_non_null(strstr(rig->node.errors.items[0].text, "fdaa:2:2::3"));
	assert_int_equal(rig->node.apply_again.slot, 0); /* only a change makes room */
	rig->deaf = -ENOMEM;
	apply(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 21, 22));
	assert_int_not_equal(rig->node.apply_again.slot, 0);
	rig->deaf = 0;
	rig->node.apply_again.expired(&rig->node.apply_again);
	assert_string_equal(rig->heard, "00020002 ");
	assert_int_equal(rig->node.n_unserved, 0);
	assert_int_equal(rig->node.errors.n, 0);
	rig_end(rig);
}

static void a_step_that_fails_is_counted_and_the_others_are_made(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig->fail = -EIO;
	assert_string_equal(apply(rig, made_world()), "speak:2 reach roles+names silence:2+names ");
	assert_int_equal(rig->node.apply_errors, 3);
	rig_end(rig);
}

static void g9_what_the_map_does_not_take_is_an_error_of_the_instance_and_all_else_applies(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record far = made_instance_record(MADE_NET2, MADE_HOST3, 3);

	(void)state;
	rig->full = true;
	assert_string_equal(apply(rig, made_world()), "speak:2 reach roles+names silence:2+names ");
	assert_int_equal(rig->node.errors.n, 1);
	assert_int_equal(rig->node.errors.items[0].kind, RECORD_INSTANCE);
	assert_int_equal(rig->node.errors.items[0].key_len, NAME_INSTANCE_ID_LEN);
	assert_memory_equal(rig->node.errors.items[0].key, far.id, NAME_INSTANCE_ID_LEN);
	assert_int_equal(rig->node.errors.items[0].v, 13);
	assert_non_null(strstr(rig->node.errors.items[0].text, "full"));
	rig->full = false;
	apply(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 21));
	assert_int_equal(rig->node.errors.n, 0);
	rig_end(rig);
}

static void g9_what_the_map_does_not_take_is_an_error_of_the_peer_too(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);

	(void)state;
	take_peer(m, 21, MADE_HOST3);
	rig->full = true;
	apply(rig, made_world());
	assert_int_equal(rig->node.errors.n, 1);
	apply(rig, m);
	assert_int_equal(rig->node.errors.n, 2);
	assert_int_equal(rig->node.errors.items[1].kind, RECORD_PEER);
	assert_int_equal(rig->node.errors.items[1].v, 21);
	rig_end(rig);
}

static void what_the_kernel_refused_is_tried_again_without_a_change(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig->fail = -EIO;
	apply(rig, made_world());
	assert_int_equal(rig->node.errors.n, 1); /* the mesh: its own record stands for it */
	assert_int_equal(rig->node.errors.items[0].kind, RECORD_NODE);
	assert_string_equal(apply(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 21)), "speak:2+names reach+names roles+names silence:2+names ");
	assert_int_equal(rig->node.errors.n, 1);
	rig->fail = 0;
	rig->steps[0] = 0;
	rig->node.apply_again.expired(&rig->node.apply_again);
	assert_string_equal(rig->steps, "speak:2+names reach+names roles+names silence:2+names ");
	assert_int_equal(rig->node.errors.n, 0);
	rig_end(rig);
}

static void g9_a_host_that_is_gone_and_still_heard_is_an_error_and_tried_again(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig->loud = true;
	apply(rig, made_world());
	assert_int_equal(rig->node.errors.n, 1);
	assert_int_equal(rig->node.errors.items[0].kind, RECORD_NODE);
	assert_non_null(strstr(rig->node.errors.items[0].text, "presence"));
	rig->node.apply_again.expired(&rig->node.apply_again); /* the same are wanted, and the map is still not so */
	assert_int_equal(rig->node.errors.n, 1);
	rig->loud = false;
	rig->steps[0] = 0;
	rig->node.apply_again.expired(&rig->node.apply_again);
	assert_non_null(strstr(rig->steps, "silence"));
	assert_int_equal(rig->node.errors.n, 0);
	rig_end(rig);
}

static bool complains_of_itself(const struct rig *rig)
{
	for (size_t i = 0; i < rig->node.errors.n; i++)
		if (rig->node.errors.items[i].kind == RECORD_NODE)
			return true;
	return false;
}

/* Without memory to find out who is left, who is gone may still be heard: that V is not applied, wherever it ran out. */
static void g9_a_step_that_memory_ran_out_for_is_an_error_and_tried_again(void **state)
{
	static const char *const steps[] = { "silence", "roles" };
	struct rig *rig = rig_new();
	unsigned missing[2] = { 0 };

	(void)state;
	rig->loud = true; /* so that there is room for an error and a timer */
	apply(rig, made_world());
	for (long n = 0; n < 500; n++) {
		rig->loud = true; /* the map is looked at again */
		node_apply(&rig->node, &(struct replica_change){ 0 });
		rig->loud = false;
		rig->steps[0] = 0;
		memory_fails_after(n);
		node_apply(&rig->node, &(struct replica_change){ 0 });
		memory_is_there();
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			if (strstr(rig->steps, steps[i]))
				continue;
			missing[i]++;
			assert_true(complains_of_itself(rig)); /* of the last one that failed: one record stands for all */
			assert_int_not_equal(rig->node.apply_again.slot, 0);
		}
	}
	assert_true(missing[0] && missing[1]);
	node_apply(&rig->node, &(struct replica_change){ .all = true });
	assert_int_equal(rig->node.errors.n, 0);
	loop_cancel_timer(&rig->node.names_again);
	rig_end(rig);
}

static void a_rule_is_opened_before_its_name_is_shown_and_closed_after_it_is_gone(void **state)
{
	struct rig *rig = rig_new();
	struct rule_record rule = made_rule_record(MADE_NET2, 0x00020003u);
	struct made *m = made_delta(20, 22);

	(void)state;
	apply(rig, made_world());
	made_rule(m, 21, &rule);
	made_far_instance(m, 22, &rule, MADE_HOST3, 33, true);
	assert_string_equal(apply(rig, m), "speak:2+names open:3+names roles+names silence:2+names close:3+names ");
	m = made_delta(22, 23); /* nothing of it */
	made_app(m, 23, MADE_NET2, "more");
	assert_string_equal(apply(rig, m), "speak:2+names roles+names silence:2+names ");
	m = made_delta(23, 24);
	made_tombstone(m, rule_envelope(rule.id, MADE_NET2), 24);
	rig->closed = -EIO;
	assert_string_equal(apply(rig, m), "speak:2+names open:0+names roles+names silence:2+names close:0+names ");
	assert_int_equal(rig->node.errors.n, 1); /* who waits for V is told */
	assert_int_equal(rig->node.errors.items[0].kind, RECORD_NODE);
	assert_non_null(strstr(rig->node.errors.items[0].text, "rules"));
	rig->closed = 0;
	rig->steps[0] = 0;
	rig->node.apply_again.expired(&rig->node.apply_again);
	assert_non_null(strstr(rig->steps, "close:0"));
	assert_int_equal(rig->node.errors.n, 0);
	rig_end(rig);
}

/* It may have died between its disk and the maps: then the records say the same as before, and the maps do not. */
static void what_a_process_before_left_open_is_closed_with_the_first_apply(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	apply(rig, made_world());
	assert_int_equal(rig->n_closed, 1);
	apply(rig, made_new(SIXPN__POLL_KIND__POLL_NOTHING, 20, 21));
	assert_int_equal(rig->n_closed, 1);
	rig_end(rig);
}

static void a_rule_that_cannot_be_read_is_an_error_and_opens_nothing(void **state)
{
	struct rig *rig = rig_new();
	struct rule_record rule = made_rule_record(MADE_NET2, 0x00020003u);
	struct made *m = made_delta(20, 21);
	struct buf body = BUF_INIT(0);

	(void)state;
	apply(rig, made_world());
	buf_add_str(&body, "\xff\xff");
	made_add(m, rule_envelope(rule.id, MADE_NET2), 21, body);
	assert_string_equal(apply(rig, m), "speak:2+names roles+names silence:2+names ");
	assert_int_equal(rig->node.errors.n, 1);
	assert_int_equal(rig->node.errors.items[0].kind, RECORD_RULE);
	rig_end(rig);
}

static void an_instance_record_that_cannot_be_read_is_an_error_with_its_key(void **state)
{
	struct rig *rig = rig_new();
	struct instance_record bad = made_instance_record(MADE_NET, MADE_HOST2, 9);
	struct made *m = made_delta(20, 21);
	struct buf body = BUF_INIT(0);

	(void)state;
	apply(rig, made_world());
	buf_add_str(&body, "\xff\xff");
	made_add(m, instance_envelope(&bad), 21, body);
	apply(rig, m);
	assert_int_equal(rig->node.errors.n, 1);
	assert_memory_equal(rig->node.errors.items[0].key, bad.id, NAME_INSTANCE_ID_LEN);
	assert_int_equal(rig->node.errors.items[0].v, 21);
	assert_int_equal(rig->n_instances, 2);
	rig_end(rig);
}

/* Half of a reply: a retry or a timer finds networks and instances missing that nobody has taken away. */
static void what_memory_ran_out_for_takes_nothing_from_the_machine(void **state)
{
	struct rig *rig = rig_new();
	struct made *m = made_delta(20, 21);
	static const struct replica_change everything = { .all = true, .fabric = true };

	(void)state;
	apply(rig, made_world());
	made_scope(m, MADE_NET2, false, 21);
	assert_int_equal(replica_take(&rig->node.replica, &m->reply, NULL, NULL), 0);
	made_free(m);
	rig->node.replica.torn = true;
	rig->steps[0] = 0;
	node_apply(&rig->node, &everything);
	assert_string_equal(rig->steps, "");
	assert_non_null(dns_views_find(rig->node.views, MADE_NET2));
	assert_string_equal(apply(rig, made_world()), "speak:2+names reach+names roles+names silence:2+names ");
	rig_end(rig);
}

static bool says_that_it_is_behind(struct rig *rig)
{
	Sixpn__PollRequest poll = SIXPN__POLL_REQUEST__INIT;
	static struct node_errors_said said;

	node_errors_clear(&rig->node.errors);
	node_say_errors(&rig->node, &said, &poll);
	assert_int_equal(poll.n_errors, poll.errors_total);
	if (!poll.n_errors)
		return false;
	assert_int_equal(poll.errors[0]->kind, RECORD_NODE);
	assert_int_equal(poll.errors[0]->v, rig->node.replica.v);
	assert_int_equal(get_u32(poll.errors[0]->key.data), MADE_HOST);
	return true;
}

/* A zone for which there was no memory is built a second later, though nothing of its network changes. */
static void names_that_could_not_be_built_are_tried_again(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	made_take(&rig->node.replica, made_world(), 0);
	assert_int_equal(loop_set_timer_in(rig->node.loop, &rig->node.names_again, 1), 0); /* a node has timers: there is room for one */
	loop_cancel_timer(&rig->node.names_again);
	for (long n = 0; !names_are_behind(rig->node.names); n++) {
		memory_fails_after(n);
		node_apply(&rig->node, &(struct replica_change){ .all = true });
		memory_is_there();
		if (n > 1000)
			fail_msg("memory never ran out in the names");
	}
	assert_true(dns_views_count(rig->node.views) < 2);
	assert_true(says_that_it_is_behind(rig));
	for (unsigned i = 0; i < 3 && dns_views_count(rig->node.views) < 2; i++) {
		rig->v.now_ms += 1000;
		loop_round(rig->node.loop, 0);
	}
	assert_int_equal(dns_views_count(rig->node.views), 2);
	assert_false(names_are_behind(rig->node.names));
	assert_false(says_that_it_is_behind(rig));
	loop_cancel_timer(&rig->node.names_again);
	rig_end(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_memory_ran_out_for_takes_nothing_from_the_machine),
		cmocka_unit_test(names_that_could_not_be_built_are_tried_again),
		cmocka_unit_test(g15_what_is_new_may_speak_and_is_reached_before_it_has_a_name),
		cmocka_unit_test(g15_an_address_that_moved_is_reached_where_it_is_before_roles_let_go),
		cmocka_unit_test(g9_a_moved_address_that_is_refused_is_an_error_of_its_record_and_tried_again),
		cmocka_unit_test(g15_what_is_gone_loses_its_name_before_its_presence),
		cmocka_unit_test(roles_are_given_the_instances_of_this_host_with_what_belongs_to_them),
		cmocka_unit_test(an_instance_of_a_network_that_cannot_be_read_is_silent),
		cmocka_unit_test(a_gateway_listens_for_the_networks_of_its_peers_when_they_have_names),
		cmocka_unit_test(g9_peers_of_a_machine_that_is_configured_to_be_no_gateway_are_errors_of_their_records),
		cmocka_unit_test(whoever_has_expired_is_let_in_no_more_when_the_controller_cannot_say_so),
		cmocka_unit_test(g9_a_network_that_nobody_can_listen_for_is_an_error_of_its_record),
		cmocka_unit_test(a_step_that_fails_is_counted_and_the_others_are_made),
		cmocka_unit_test(g9_what_the_map_does_not_take_is_an_error_of_the_instance_and_all_else_applies),
		cmocka_unit_test(g9_what_the_map_does_not_take_is_an_error_of_the_peer_too),
		cmocka_unit_test(what_the_kernel_refused_is_tried_again_without_a_change),
		cmocka_unit_test(g9_a_host_that_is_gone_and_still_heard_is_an_error_and_tried_again),
		cmocka_unit_test(g9_a_step_that_memory_ran_out_for_is_an_error_and_tried_again),
		cmocka_unit_test(an_instance_record_that_cannot_be_read_is_an_error_with_its_key),
		cmocka_unit_test(a_rule_is_opened_before_its_name_is_shown_and_closed_after_it_is_gone),
		cmocka_unit_test(what_a_process_before_left_open_is_closed_with_the_first_apply),
		cmocka_unit_test(a_rule_that_cannot_be_read_is_an_error_and_opens_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
