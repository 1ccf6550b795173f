/* 20,000 peers on one kernel device: set, looked at, changed, shed a few at a time, looked at while they change. Prints what that costs as
 * a ratio to what the same machine needs to multiply as often on the curve, which each new peer costs the kernel. */
#include "tests/unit/lib/netlink/sandbox.h"

#include "lib/base/clock.h"
#include "lib/base/crypto.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/wg_backend.h"
#include "lib/netlink/wg_genl.h"

#include <pthread.h>
#include <stdatomic.h>

#define N 20000
#define SHED 320
#define SMALL 100

static struct wg_peer peers[N];
static struct wg_prefix prefixes[N];
static struct rtnl *rtnl;
static struct wg_genl *genl;
static struct wg wg;
static uint8_t private_key[32];
static double add_ms;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void fill(void)
{
	for (unsigned i = 0; i < N; i++) {
		struct in6_addr addr = { .s6_addr = { 0xfd, 0xaa, 1, 2, 3, 4, 0xa1, 1, 0, 1, 0, 0x0a } };

		addr.s6_addr[12] = (uint8_t)(i >> 16);
		addr.s6_addr[13] = (uint8_t)(i >> 8);
		addr.s6_addr[14] = (uint8_t)i;
		prefixes[i] = wg_prefix_in6(&addr, 120);
		crypto_random(peers[i].public_key, WG_KEY_LEN);
		peers[i].public_key[31] &= 0x7f; /* the kernel takes it off */
		peers[i].allowed = &prefixes[i];
		peers[i].n_allowed = 1;
	}
}

static int set_up(void **state)
{
	uint8_t public_key[32];
	struct rtnl_link link;

	(void)state;
	fill();
	crypto_x25519_keypair(private_key, public_key);
	assert_int_equal(rtnl_open(&rtnl), 0);
	assert_int_equal(rtnl_link_add(rtnl, "sixpn-peers", "wireguard", 1420), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, "sixpn-peers", &link), 0);
	assert_int_equal(rtnl_link_set_up(rtnl, link.ifindex, true), 0);
	assert_int_equal(wg_genl_open("sixpn-peers", &genl), 0);
	wg = wg_genl_backend(genl);
	assert_int_equal(wg_set_device(&wg, private_key, 51820), 0);
	return 0;
}

static double multiply_ms(void)
{
	double before = now_ms();
	uint8_t out[32];

	for (unsigned i = 0; i < N / 10; i++)
		crypto_x25519_public(peers[i].public_key, out);
	return 10 * (now_ms() - before);
}

static void twenty_thousand_peers_are_set_from_nothing(void **state)
{
	double base = multiply_ms(), before = now_ms(), again;
	size_t steps = 0;

	(void)state;
	assert_int_equal(wg_reconcile(&wg, peers, N, &steps, NULL), 0);
	add_ms = now_ms() - before;
	assert_int_equal(steps, N);
	before = now_ms();
	assert_int_equal(wg_reconcile(&wg, peers, N, &steps, NULL), 0); /* what is dumped is what was set, each of them */
	again = now_ms() - before;
	assert_int_equal(steps, 0);
	printf("FIGURE set of %d peers: %.0f ms, %.2f of as many multiplications on the curve\n", N, add_ms, add_ms / base);
	printf("FIGURE a plan against all of them, nothing to do: %.0f ms, %.3f of the set\n", again, again / add_ms);
}

static void count(void *ctx, const struct wg_peer_status *status)
{
	(void)status;
	(*(unsigned *)ctx)++;
}

static void a_dump_holds_all_of_them(void **state)
{
	double before = now_ms(), took;
	unsigned n = 0;

	(void)state;
	assert_int_equal(wg_dump(&wg, count, &n, NULL), 0);
	took = now_ms() - before;
	assert_int_equal(n, N);
	printf("FIGURE dump of %d peers: %.0f ms, %.3f of the set\n", N, took, took / add_ms);
}

static void all_endpoints_change_at_once(void **state)
{
	double before;
	size_t steps;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		struct sockaddr_in *to = (void *)&peers[i].endpoint;

		*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(51820), .sin_addr.s_addr = htonl(0xc6336400 | (i & 0xff)) };
	}
	before = now_ms();
	assert_int_equal(wg_reconcile(&wg, peers, N, &steps, NULL), 0);
	printf("FIGURE change of %d endpoints: %.0f ms, %.3f of the set\n", N, now_ms() - before, (now_ms() - before) / add_ms);
	assert_int_equal(steps, N);
	assert_int_equal(wg_reconcile(&wg, peers, N, &steps, NULL), 0);
	assert_int_equal(steps, 0);
}

/* A link is asked for all the while: nobody waits longer for the lock of all links than one message of removals takes. */
struct bystander {
	atomic_bool over;
	double worst_ms;
	unsigned asked;
};

static void *ask_for_a_link(void *ctx)
{
	struct bystander *b = ctx;
	struct rtnl *own;
	struct rtnl_link link;

	if (rtnl_open(&own) < 0)
		return NULL;
	while (!atomic_load(&b->over)) {
		double before = now_ms();

		if (rtnl_link_by_name(own, "sixpn-peers", &link) == 0)
			b->asked++;
		if (now_ms() - before > b->worst_ms)
			b->worst_ms = now_ms() - before;
		usleep(1000);
	}
	rtnl_free(own);
	return NULL;
}

static void a_few_hundred_are_shed_while_others_ask_for_links(void **state)
{
	struct bystander bystander = { 0 };
	pthread_t thread;
	double before, took;
	size_t steps;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, ask_for_a_link, &bystander), 0);
	before = now_ms();
	assert_int_equal(wg_reconcile(&wg, peers, N - SHED, &steps, NULL), 0);
	took = now_ms() - before;
	atomic_store(&bystander.over, true);
	pthread_join(thread, NULL);
	assert_int_equal(steps, SHED);
	assert_true(bystander.asked > 0);
	printf("FIGURE removal of %d peers: %.0f ms; who asked for a link meanwhile waited at most %.2f of that\n", SHED, took,
	       bystander.worst_ms / took);
	assert_int_equal(wg_reconcile(&wg, peers, N, &steps, NULL), 0);
	assert_int_equal(steps, SHED);
}

struct churn {
	atomic_bool over;
	unsigned rounds;
};

/* The last peer comes and goes. */
static void *come_and_go(void *ctx)
{
	struct churn *churn = ctx;
	struct wg_genl *own;

	if (wg_genl_open("sixpn-peers", &own) < 0)
		return NULL;
	for (int i = 0; i < 8; i++) {
		struct wg one = wg_genl_backend(own);
		struct wg_step gone = { .kind = WG_STEP_REMOVE, .peer = &peers[N - 1] };
		struct wg_step back = { .kind = WG_STEP_ADD, .peer = &peers[N - 1], .set_endpoint = true };

		if (wg_apply(&one, &gone, 1) == 0 && wg_apply(&one, &back, 1) == 0)
			churn->rounds++;
		usleep(200000);
	}
	wg_genl_free(own);
	atomic_store(&churn->over, true);
	return NULL;
}

/* Disturbed dumps are asked again: what is delivered is whole, and what never stood still is given up without a word of it. */
static void dumps_while_peers_come_and_go_are_whole_or_nothing(void **state)
{
	struct churn churn = { 0 };
	unsigned whole = 0, given_up = 0;
	pthread_t thread;
	bool over;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, come_and_go, &churn), 0);
	do {
		unsigned n = 0;
		int e;

		over = atomic_load(&churn.over);
		e = wg_dump(&wg, count, &n, NULL);
		assert_true(e == 0 || e == -EINTR);
		assert_true(e ? n == 0 : n == N || n == N - 1);
		assert_true(e == 0 || !over);
		whole += e == 0;
		given_up += e == -EINTR;
	} while (!over);
	pthread_join(thread, NULL);
	assert_int_equal(churn.rounds, 8);
	printf("FIGURE of %u dumps while a peer came and went 8 times %u were whole, the others given up\n", whole + given_up, whole);
}

static void a_device_that_is_gone_or_of_another_kind_says_so(void **state)
{
	struct wg_genl *none;
	struct wg other;

	(void)state;
	assert_int_equal(wg_genl_open("sx-none", &none), 0);
	other = wg_genl_backend(none);
	assert_int_equal(wg_dump(&other, NULL, NULL, NULL), -ENODEV);
	assert_int_equal(wg_set_device(&other, private_key, 1), -ENODEV);
	assert_int_equal(rtnl_link_add(rtnl, "sx-none", "dummy", 0), 0);
	assert_int_equal(wg_dump(&other, NULL, NULL, NULL), -EOPNOTSUPP);
	wg_genl_free(none);
}

/* Makes a device with peers and takes it away: ours first clears it, `bare` leaves all to the kernel. */
static double removal_ms(bool bare)
{
	struct wg_genl *own;
	struct rtnl_link link;
	double before;
	struct wg one;

	assert_int_equal(rtnl_link_add(rtnl, "sx-small", "wireguard", 0), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, "sx-small", &link), 0);
	assert_int_equal(wg_genl_open("sx-small", &own), 0);
	one = wg_genl_backend(own);
	assert_int_equal(wg_reconcile(&one, peers, SMALL, NULL, NULL), 0);
	wg_genl_free(own);
	before = now_ms();
	assert_int_equal(bare ? rtnl_link_del(rtnl, link.ifindex) : wg_backend_remove_kernel("sx-small"), 0);
	assert_int_equal(rtnl_link_by_name(rtnl, "sx-small", &link), -ENODEV);
	return now_ms() - before;
}

static void a_device_goes_after_its_peers(void **state)
{
	double ours = removal_ms(false), bare = removal_ms(true);

	(void)state;
	assert_int_equal(wg_backend_remove_kernel("sx-small"), 0); /* there is none any more */
	printf("FIGURE removal of a device with %d peers: %.2f of what the kernel takes for it alone (%.0f ms)\n", SMALL, ours / bare, bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twenty_thousand_peers_are_set_from_nothing),
		cmocka_unit_test(a_dump_holds_all_of_them),
		cmocka_unit_test(all_endpoints_change_at_once),
		cmocka_unit_test(a_few_hundred_are_shed_while_others_ask_for_links),
		cmocka_unit_test(dumps_while_peers_come_and_go_are_whole_or_nothing),
		cmocka_unit_test(a_device_that_is_gone_or_of_another_kind_says_so),
		cmocka_unit_test(a_device_goes_after_its_peers),
	};
	struct rtnl *probe;
	bool has = false;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sandbox_or_skip();
	crypto_init();
	if (rtnl_open(&probe) < 0 || wg_backend_probe(probe, &has) < 0 || !has) {
		printf("SKIP: this kernel has no WireGuard (make test-vm boots one that has)\n");
		return 0;
	}
	rtnl_free(probe);
	return cmocka_run_group_tests(tests, set_up, NULL);
}
