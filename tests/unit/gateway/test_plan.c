/* From records and what is there to steps: whoever the records are and whatever the device has, no prefix ever has two owners, nobody ever
 * has a window into a network that is not his, and one bad record costs nobody else anything. */
#include "tests/unit/gateway/device.h"

static struct plan plan_of(struct device *d, const struct role_peer *peers, size_t n, const uint32_t *networks, size_t n_networks)
{
	struct plan_input in = { .self = SELF, .own_key = device_own_key, .peers = peers, .n_peers = n, .networks = networks,
				 .n_networks = n_networks, .there = d->peers, .n_there = d->n, .ways = d->ways, .n_ways = d->n_ways };
	struct plan plan;

	assert_int_equal(plan_make(&in, &plan), 0);
	return plan;
}

static void carry_out(struct device *d, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_add; i++)
		device_add_way(d, &plan->add[i]);
	assert_int_equal(device_apply(d, plan->wg.steps, plan->wg.n), 0);
	for (size_t i = 0; i < plan->n_remove; i++)
		device_remove_way(d, &plan->remove[i]);
}

/* The steps for that state; the device is brought there. */
static const char *steps_to(struct device *d, const struct role_peer *peers, size_t n, const uint32_t *networks, size_t n_networks)
{
	struct plan plan = plan_of(d, peers, n, networks, n_networks);

	d->steps[0] = 0;
	carry_out(d, &plan);
	plan_deinit(&plan);
	plan = plan_of(d, peers, n, networks, n_networks);
	assert_true(plan_is_empty(&plan));
	plan_deinit(&plan);
	return d->steps;
}

static void ways_come_before_peers_and_go_after_them(void **state)
{
	struct role_peer peers[] = { peer_of(NET_A, 1, 0x11), peer_of(NET_B, 2, 0x22) };
	uint32_t networks[] = { NET_A, NET_B };
	struct device *d = device_new();

	(void)state;
	assert_string_equal(steps_to(d, peers, 1, networks, 1), ">l1 >r1 +11");
	assert_string_equal(steps_to(d, peers, 2, networks, 2), ">l2 >r2 +22");
	assert_string_equal(steps_to(d, peers + 1, 1, networks + 1, 1), "-11 <l1 <r1");
	assert_string_equal(steps_to(d, NULL, 0, NULL, 0), "-22 <r2 <l2");
	free(d);
}

static void a_network_has_a_route_to_its_peers_and_its_resolver_here(void **state)
{
	struct role_peer peer = peer_of(NET_A, 1, 0x11);
	uint32_t network = NET_A;
	struct device *d = device_new();
	char text[WAY_TEXT_LEN];

	(void)state;
	steps_to(d, &peer, 1, &network, 1);
	assert_string_equal(way_text(&d->ways[0], text), "fdaa:2:1::3/128");
	assert_string_equal(way_text(&d->ways[1], text), "fdaa:2:1:a123:7::/80");
	assert_int_equal(d->peers[0].peer.n_allowed, 1);
	assert_int_equal(d->prefixes[0][0].len, 120);
	peer.record.home_gateway = OTHER_GATEWAY; /* it came from elsewhere: past the route of our own */
	assert_string_equal(steps_to(d, &peer, 1, &network, 1), ">r1 +e0 -e0 ~11");
	assert_string_equal(way_text(&d->ways[2], text), "fdaa:2:1:a456:9:0:a:100/120");
	peer.suspended = true;
	assert_string_equal(steps_to(d, &peer, 1, &network, 1), "-11 <r1");
	peer.suspended = false;
	assert_string_equal(steps_to(d, &peer, 1, &network, 1), ">r1 +11");
	peer.record.gateway = OTHER_GATEWAY; /* it is on its way: let in, and led nowhere */
	assert_string_equal(steps_to(d, &peer, 1, &network, 1), "<r1");
	free(d);
}

static void without_a_key_or_suspended_there_is_no_entry(void **state)
{
	struct role_peer peers[] = { peer_of(NET_A, 1, 0x11), peer_of(NET_A, 2, 0x22), peer_of(NET_A, 3, 0x33) };
	uint32_t network = NET_A;
	struct device *d = device_new();

	(void)state;
	peers[0].has_key = false;
	assert_string_equal(steps_to(d, peers, 3, &network, 1), ">l1 >r1 +22 +33");
	peers[1].suspended = true;
	assert_string_equal(steps_to(d, peers, 3, &network, 1), "-22");
	peers[2].suspended = true;
	assert_string_equal(steps_to(d, peers, 3, NULL, 0), "-33 <l1 <r1");
	free(d);
}

static void a_preshared_key_is_the_one_of_the_record_until_it_is_taken_away(void **state)
{
	struct role_peer peer = peer_of(NET_A, 1, 0x11);
	uint32_t network = NET_A;
	struct device *d = device_new();

	(void)state;
	peer.key.has_preshared_key = true;
	memset(peer.key.preshared_key, 0x5a, WG_KEY_LEN);
	steps_to(d, &peer, 1, &network, 1);
	assert_true(d->peers[0].peer.has_preshared);
	assert_memory_equal(d->peers[0].peer.preshared_key, peer.key.preshared_key, WG_KEY_LEN);
	peer.key.preshared_key[31] ^= 1;
	assert_string_equal(steps_to(d, &peer, 1, &network, 1), "~11");
	assert_memory_equal(d->peers[0].peer.preshared_key, peer.key.preshared_key, WG_KEY_LEN);
	peer.key.has_preshared_key = false;
	assert_string_equal(steps_to(d, &peer, 1, &network, 1), "~11");
	assert_false(d->peers[0].peer.has_preshared);
	free(d);
}

static void a_new_key_replaces_the_old_one_before_it_gets_the_address(void **state)
{
	struct role_peer peers[] = { peer_of(NET_A, 1, 0x11), peer_of(NET_B, 2, 0x22) };
	uint32_t networks[] = { NET_A, NET_B };
	struct device *d = device_new();

	(void)state;
	steps_to(d, peers, 2, networks, 2);
	peers[0].key.public_key[0] = 0x33;
	assert_string_equal(steps_to(d, peers, 2, networks, 2), "-11 +33");
	peers[0].key.public_key[0] = 0x22; /* two change their keys crosswise */
	peers[1].key.public_key[0] = 0x33;
	assert_string_equal(steps_to(d, peers, 2, networks, 2), "+e0 -e0 ~22 ~33");
	free(d);
}

/* Who is refused, by number; 0 = nobody. */
static unsigned refused(struct device *d, const struct role_peer *peers, size_t n)
{
	uint32_t networks[] = { NET_A, NET_B };
	struct plan plan = plan_of(d, peers, n, networks, 2);
	unsigned number = plan.n_refusals ? plan.refusals[0].peer->record.id[7] : 0;

	assert_true(plan.n_refusals <= 1);
	assert_int_equal(plan.n_wanted + plan.n_refusals, n);
	carry_out(d, &plan);
	plan_deinit(&plan);
	return number;
}

/* A point of order 8 (RFC 7748): nobody has a private key to it. */
static const uint8_t low_order[WG_KEY_LEN] = { 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
						 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 };

static void a_key_or_address_of_another_live_peer_is_refused_and_all_else_applies(void **state)
{
	struct role_peer peers[] = { peer_of(NET_A, 1, 0x11), peer_of(NET_B, 2, 0x22), peer_of(NET_B, 3, 0x33) };
	struct device *d = device_new();

	(void)state;
	peers[2].key.public_key[0] = 0x11; /* two records, one key: the older one has it */
	assert_int_equal(refused(d, peers, 3), 3);
	assert_int_equal(d->n, 2);
	peers[2].v = 0; /* older by its number, but the other is at work */
	assert_int_equal(refused(d, peers, 3), 3);
	peers[2] = peer_of(NET_B, 3, 0x33);
	peers[2].record.slot = 2; /* two records, one address */
	assert_int_equal(refused(d, peers, 3), 3);
	peers[2] = peer_of(NET_B, 3, 0xee); /* the gateway's own key */
	assert_int_equal(refused(d, peers, 3), 3);
	peers[2] = peer_of(NET_B, 3, 0);
	assert_int_equal(refused(d, peers, 3), 3);
	memcpy(peers[2].key.public_key, low_order, sizeof low_order); /* it takes prefixes away from others, and has none */
	assert_int_equal(refused(d, peers, 3), 3);
	peers[2] = peer_of(NET_B, 3, 0x33);
	assert_int_equal(refused(d, peers, 3), 0);
	assert_int_equal(d->n, 3);
	free(d);
}

static void an_entry_that_nobody_asks_for_goes(void **state)
{
	struct role_peer peer = peer_of(NET_A, 1, 0x11);
	struct wg_prefix everything = { .family = AF_INET6 };
	uint32_t network = NET_A;
	struct device *d = device_new();

	(void)state;
	steps_to(d, &peer, 1, &network, 1);
	device_give(d, device_add(d, (uint8_t[WG_KEY_LEN]){ 0x99 }), &everything);
	assert_string_equal(steps_to(d, &peer, 1, &network, 1), "-99");
	device_give(d, &d->peers[0], &everything); /* more than its own */
	assert_string_equal(steps_to(d, &peer, 1, &network, 1), "+e0 -e0");
	free(d);
}

/* ---- any set from any set ---- */

#define KEYS 6
#define PREFIXES 6
static uint64_t seed;
static unsigned rnd(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

static struct {
	struct wg_prefix may[KEYS + 1][8]; /* by key: what it had and what it shall have */
	size_t n[KEYS + 1];
} allowed;

static void allow(uint8_t key, const struct wg_prefix *prefix)
{
	allowed.may[key][allowed.n[key]++] = *prefix;
}

static void nobody_has_what_is_not_his(struct device *d)
{
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->peers[i].peer.n_allowed; k++) {
			uint8_t key = d->peers[i].peer.public_key[0];
			bool may = wg_plan_is_nobody(&d->peers[i].peer);

			if (wg_plan_is_nobody(&d->peers[i].peer))
				may = true; /* who has it cannot use it */
			for (size_t m = 0; key <= KEYS && m < allowed.n[key]; m++)
				may |= wg_prefix_equal(&allowed.may[key][m], &d->prefixes[i][k]);
			assert_true(may);
			for (size_t j = 0; j < i; j++)
				for (size_t m = 0; m < d->peers[j].peer.n_allowed; m++)
					assert_false(wg_prefix_equal(&d->prefixes[j][m], &d->prefixes[i][k]));
		}
}

static void random_device(struct device *d)
{
	bool taken[PREFIXES] = { false };

	for (uint8_t key = 1; key <= KEYS; key++) {
		struct wg_peer_status *peer;

		if (rnd(2))
			continue;
		peer = device_add(d, (uint8_t[WG_KEY_LEN]){ key });
		for (unsigned k = rnd(3); k-- > 0;) {
			unsigned at = rnd(PREFIXES);
			struct role_peer owner = peer_of(at % 2 ? NET_A : NET_B, at + 1, 0);
			struct wg_prefix prefix = plan_peer_prefix(&owner.record);

			if (taken[at])
				continue;
			taken[at] = true;
			device_give(d, peer, &prefix);
			allow(key, &prefix);
		}
	}
}

static size_t random_records(struct role_peer *peers)
{
	size_t n = rnd(8);

	for (size_t i = 0; i < n; i++) {
		unsigned at = rnd(PREFIXES);

		peers[i] = peer_of(at % 2 ? NET_A : NET_B, at + 1, (uint8_t)(rnd(12) ? 1 + rnd(KEYS) : 0xee));
		peers[i].record.id[7] = (uint8_t)(100 + i);
		peers[i].v = rnd(100);
		peers[i].has_key = rnd(8);
		peers[i].suspended = !rnd(8);
	}
	return n;
}

static bool clash(const struct role_peer *a, const struct role_peer *b)
{
	struct wg_prefix x = plan_peer_prefix(&a->record), y = plan_peer_prefix(&b->record);

	return !memcmp(a->key.public_key, b->key.public_key, WG_KEY_LEN) || wg_prefix_equal(&x, &y);
}

/* Nobody is left out without a reason, nobody is let in twice. */
static void judge(const struct plan *plan, const struct role_peer *peers, size_t n)
{
	size_t speak = 0;

	for (size_t i = 0; i < n; i++)
		speak += peers[i].has_key && !peers[i].suspended;
	assert_int_equal(plan->n_wanted + plan->n_refusals, speak);
	for (size_t i = 0; i < plan->n_refusals; i++) {
		bool why = plan->refusals[i].peer->key.public_key[0] == 0xee;

		for (size_t k = 0; k < plan->n_wanted; k++)
			why |= clash(plan->refusals[i].peer, plan->owners[k]);
		assert_true(why);
	}
	for (size_t i = 0; i < plan->n_wanted; i++)
		for (size_t k = 0; k < i; k++)
			assert_false(clash(plan->owners[i], plan->owners[k]));
}

static void any_set_is_reached_from_any_set_without_a_foreign_moment(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct device *d = device_new();
		struct role_peer peers[8];
		uint32_t networks[] = { NET_A, NET_B };
		struct plan plan;
		size_t n;

		seed = round * 7919 + 1;
		memset(&allowed, 0, sizeof allowed);
		random_device(d);
		n = random_records(peers);
		plan = plan_of(d, peers, n, networks, rnd(3));
		judge(&plan, peers, n);
		for (size_t i = 0; i < plan.n_wanted; i++)
			allow(plan.wanted[i].public_key[0], &plan.prefixes[i]);
		device_after_step = nobody_has_what_is_not_his;
		carry_out(d, &plan);
		device_after_step = NULL;
		assert_int_equal(d->n, plan.n_wanted);
		for (size_t i = 0; i < plan.n_wanted; i++) {
			struct wg_peer_status *peer = device_find(d, plan.wanted[i].public_key);

			assert_non_null(peer);
			assert_int_equal(peer->peer.n_allowed, 1);
			assert_true(wg_prefix_equal(&peer->peer.allowed[0], &plan.prefixes[i]));
		}
		plan_deinit(&plan);
		free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ways_come_before_peers_and_go_after_them),
		cmocka_unit_test(a_network_has_a_route_to_its_peers_and_its_resolver_here),
		cmocka_unit_test(without_a_key_or_suspended_there_is_no_entry),
		cmocka_unit_test(a_preshared_key_is_the_one_of_the_record_until_it_is_taken_away),
		cmocka_unit_test(a_new_key_replaces_the_old_one_before_it_gets_the_address),
		cmocka_unit_test(a_key_or_address_of_another_live_peer_is_refused_and_all_else_applies),
		cmocka_unit_test(an_entry_that_nobody_asks_for_goes),
		cmocka_unit_test(any_set_is_reached_from_any_set_without_a_foreign_moment),
	};

	crypto_init();
	log_set_level(LOG_L_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
