/* wg_plan: tables of desired and observed sets written as text: "A:p,q B:" = peer A with prefixes p and q, peer B with none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/netlink/wg_plan.h"

#define PEERS_MAX 8

struct set {
	struct wg_peer_status status[PEERS_MAX];
	struct wg_peer peers[PEERS_MAX];
	struct wg_prefix prefixes[PEERS_MAX][PEERS_MAX];
	size_t n;
};

static struct wg_prefix prefix_named(char name)
{
	struct in6_addr addr = { .s6_addr = { 0xfd, 0xaa, 0, 0, 0, (uint8_t)name } };

	return wg_prefix_in6(&addr, 48);
}

static void read_set(const char *text, struct set *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (const char *c = text; *c; c++) {
		struct wg_peer *peer;

		if (*c == ' ')
			continue;
		peer = &ret->peers[ret->n];
		memset(peer->public_key, *c++, WG_KEY_LEN);
		peer->allowed = ret->prefixes[ret->n];
		while (*++c && *c != ' ')
			if (*c != ',')
				ret->prefixes[ret->n][peer->n_allowed++] = prefix_named(*c);
		ret->n++;
		if (!*c)
			break;
	}
	for (size_t i = 0; i < ret->n; i++)
		ret->status[i].peer = ret->peers[i];
}

/* "-A" remove, "=A:p" has exactly, "+A:p" new with exactly, "~A:p" gains; 0 = the peer that only takes away */
static void write_plan(const struct wg_plan *plan, char *ret_text)
{
	*ret_text = '\0';
	for (size_t i = 0; i < plan->n; i++) {
		const struct wg_step *step = &plan->steps[i];
		char *at = ret_text + strlen(ret_text);

		at += sprintf(at, "%s%c%c", i ? " " : "",
			      step->kind == WG_STEP_REMOVE ? '-' : step->kind == WG_STEP_ADD ? '+' : step->replace_allowed ? '=' : '~',
			      wg_plan_is_nobody(step->peer) ? '0' : step->peer->public_key[0]);
		for (size_t k = 0; k < step->peer->n_allowed; k++)
			at += sprintf(at, "%c%c", k ? ',' : ':', step->peer->allowed[k].addr[5]);
	}
}

/* What the device would have after the steps, with its own rule: a prefix given to one is taken from the other. */
static void carry_out(const struct wg_plan *plan, struct set *set)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct wg_step *step = &plan->steps[i];
		struct wg_peer *peer = NULL;

		for (size_t k = 0; k < set->n; k++)
			if (!memcmp(set->peers[k].public_key, step->peer->public_key, WG_KEY_LEN))
				peer = &set->peers[k];
		if (step->kind == WG_STEP_REMOVE) {
			assert_non_null(peer);
			peer->public_key[0] = 0; /* nobody */
			peer->n_allowed = 0;
			continue;
		}
		assert_true((step->kind == WG_STEP_ADD) == !peer);
		if (!peer) {
			peer = &set->peers[set->n];
			*peer = *step->peer;
			peer->allowed = set->prefixes[set->n++];
			peer->n_allowed = 0;
		}
		if (step->set_endpoint)
			peer->endpoint = step->peer->endpoint;
		if (step->set_keepalive)
			peer->keepalive_s = step->peer->keepalive_s;
		if (step->replace_allowed)
			peer->n_allowed = 0;
		for (size_t p = 0; p < step->peer->n_allowed; p++) {
			for (size_t k = 0; k < set->n; k++)
				for (size_t q = 0; q < set->peers[k].n_allowed; q++)
					if (wg_prefix_equal(&set->peers[k].allowed[q], &step->peer->allowed[p])) {
						assert_true(wg_plan_is_nobody(step->peer)); /* nobody else may have it when it is given */
						set->prefixes[k][q--] = set->prefixes[k][--set->peers[k].n_allowed];
					}
			set->prefixes[peer - set->peers][peer->n_allowed++] = step->peer->allowed[p];
		}
	}
	for (size_t k = 0, n = set->n; set->n = k, k < n; k++) {
		if (!set->peers[k].public_key[0]) {
			memmove(&set->peers[k], &set->peers[k + 1], (n - k - 1) * sizeof(set->peers[0]));
			n--;
			k--;
		}
	}
	for (size_t i = 0; i < set->n; i++)
		set->status[i].peer = set->peers[i];
}

static const struct {
	const char *desired, *observed, *steps;
} rows[] = {
	{ "", "", "" },
	{ "A:p", "", "+A:p" },
	{ "A:p", "A:p", "" },
	{ "A:p,q", "A:q,p", "" },
	{ "", "A:p", "-A" },
	{ "A:p,q", "A:p", "~A:q" },
	{ "A:p", "A:p,q", "+0:q -0" },             /* p is never without an owner */
	{ "A:", "A:p", "+0:p -0" },
	{ "B:p", "A:p", "-A +B:p" },             /* a node with a new key: the old one goes first */
	{ "A:p B:q,r", "A:p,r B:q", "+0:r -0 ~B:r" }, /* a prefix moves between living peers */
	{ "A:q B:p", "A:p B:q", "+0:p,q -0 ~A:q ~B:p" }, /* two change places */
	{ "A:q B:r C:p", "A:p B:q C:r", "+0:p,q,r -0 ~A:q ~B:r ~C:p" },
	{ "A:p B:q,t", "A:p,r,s B:q C:t", "-C +0:r,s -0 ~B:t" },
	{ "A:p B:r", "A:p,r,s B:q", "+0:r,s,q -0 ~B:r" },
	{ "A:p C:q", "A:p B:q", "-B +C:q" },
	{ "A:p,q", "A:p B:q", "-B ~A:q" },
	{ "A:r", "A:p", "+0:p -0 ~A:r" },
};

static void a_preshared_key_that_differs_is_set_and_one_that_went_is_taken_away(void **state)
{
	static const struct {
		bool wanted, there;
		uint8_t wanted_key, there_key;
		bool set;
	} cases[] = { { false, false, 0, 0, false }, { true, true, 1, 1, false }, { true, true, 1, 2, true }, { true, false, 1, 0, true },
		     { false, true, 0, 1, true } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wg_peer desired = { .public_key = { 7 }, .has_preshared = cases[i].wanted, .preshared_key = { cases[i].wanted_key } };
		struct wg_peer_status observed = { .peer = { .public_key = { 7 }, .has_preshared = cases[i].there,
							     .preshared_key = { cases[i].there_key } } };
		struct wg_plan plan;
		struct why why;

		assert_int_equal(wg_plan_make(&desired, 1, &observed, 1, &plan, &why), 0);
		assert_int_equal(plan.n, cases[i].set);
		if (plan.n) {
			assert_int_equal(plan.steps[0].kind, WG_STEP_UPDATE);
			assert_true(plan.steps[0].set_preshared);
			assert_false(plan.steps[0].replace_allowed);
			assert_int_equal(plan.steps[0].peer->has_preshared, cases[i].wanted);
		}
		wg_plan_deinit(&plan);
		assert_int_equal(wg_plan_make(&desired, 1, NULL, 0, &plan, &why), 0);
		assert_int_equal(plan.steps[0].set_preshared, cases[i].wanted);
		wg_plan_deinit(&plan);
	}
}

/* While all its prefixes are replaced a peer has none: packets of those that it keeps would be lost. */
static void no_peer_is_ever_without_what_it_keeps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
			struct set desired, observed;
			struct wg_plan plan;

			read_set(rows[i].desired, &desired);
			read_set(rows[k].observed, &observed);
			assert_int_equal(wg_plan_make(desired.peers, desired.n, observed.status, observed.n, &plan, NULL), 0);
			for (size_t s = 0; s < plan.n; s++)
				assert_true(plan.steps[s].kind == WG_STEP_ADD || !plan.steps[s].replace_allowed);
			wg_plan_deinit(&plan);
		}
}

static void every_row_gives_its_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct set desired, observed;
		struct wg_plan plan;
		char text[512];

		read_set(rows[i].desired, &desired);
		read_set(rows[i].observed, &observed);
		assert_int_equal(wg_plan_make(desired.peers, desired.n, observed.status, observed.n, &plan, NULL), 0);
		write_plan(&plan, text);
		assert_string_equal(text, rows[i].steps);
		wg_plan_deinit(&plan);
	}
}

static void carried_out_every_plan_reaches_the_desired_set_and_the_next_is_empty(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(rows); k++) { /* also from every row's observed to every row's desired */
			struct set desired, observed;
			struct wg_plan plan;

			read_set(rows[i].desired, &desired);
			read_set(rows[k].observed, &observed);
			assert_int_equal(wg_plan_make(desired.peers, desired.n, observed.status, observed.n, &plan, NULL), 0);
			carry_out(&plan, &observed);
			wg_plan_deinit(&plan);
			assert_int_equal(observed.n, desired.n);
			assert_int_equal(wg_plan_make(desired.peers, desired.n, observed.status, observed.n, &plan, NULL), 0);
			assert_int_equal(plan.n, 0);
			wg_plan_deinit(&plan);
		}
}

static const struct {
	const char *desired, *code;
} contradictions[] = {
	{ "A:p A:q", "key_twice" },
	{ "A:p B:p", "prefix_twice" },
	{ "A:p,p", "prefix_twice" },
};

static void a_desired_set_that_contradicts_itself_is_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contradictions); i++) {
		struct set desired;
		struct wg_plan plan;
		struct why why = { 0 };

		read_set(contradictions[i].desired, &desired);
		assert_int_equal(wg_plan_make(desired.peers, desired.n, NULL, 0, &plan, &why), E_REFUSED);
		assert_string_equal(why.code, contradictions[i].code);
	}
}

static void bits_behind_the_length_are_refused(void **state)
{
	struct set desired;
	struct wg_plan plan;
	struct why why;

	(void)state;
	read_set("A:p", &desired);
	desired.prefixes[0][0].addr[15] = 1;
	assert_int_equal(wg_plan_make(desired.peers, 1, NULL, 0, &plan, &why), E_REFUSED);
	assert_string_equal(why.code, "prefix_invalid");
	assert_non_null(strstr(why.text, "fdaa:0:70::1/48"));
}

static struct sockaddr_storage endpoint4(uint16_t port)
{
	struct sockaddr_storage endpoint = { 0 };
	struct sockaddr_in *in4 = (void *)&endpoint;

	in4->sin_family = AF_INET;
	in4->sin_port = htons(port);
	in4->sin_addr.s_addr = htonl(0xc0000201);
	return endpoint;
}

static struct sockaddr_storage endpoint_mapped(uint16_t port)
{
	struct sockaddr_storage endpoint = { 0 };
	struct sockaddr_in6 *in6 = (void *)&endpoint;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	in6->sin6_addr = (struct in6_addr){ .s6_addr = { [10] = 0xff, 0xff, 192, 0, 2, 1 } };
	return endpoint;
}

static void only_what_differs_of_endpoint_and_keepalive_is_set(void **state)
{
	const struct {
		struct sockaddr_storage desired, observed;
		uint16_t keepalive, observed_keepalive;
		bool set_endpoint, set_keepalive;
	} cases[] = {
		{ endpoint4(1), endpoint4(1), 25, 25, false, false },
		{ endpoint4(1), endpoint_mapped(1), 25, 25, false, false },
		{ endpoint4(1), endpoint4(2), 25, 25, true, false },
		{ endpoint4(1), { 0 }, 25, 25, true, false },
		{ { 0 }, endpoint4(1), 25, 25, false, false }, /* a peer that roams is left where it is */
		{ endpoint4(1), endpoint4(1), 0, 25, false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct set desired, observed;
		struct wg_plan plan;

		read_set("A:p", &desired);
		read_set("A:p", &observed);
		desired.peers[0].endpoint = cases[i].desired;
		desired.peers[0].keepalive_s = cases[i].keepalive;
		observed.status[0].peer.endpoint = cases[i].observed;
		observed.status[0].peer.keepalive_s = cases[i].observed_keepalive;
		assert_int_equal(wg_plan_make(desired.peers, 1, observed.status, 1, &plan, NULL), 0);
		assert_int_equal(plan.n, cases[i].set_endpoint || cases[i].set_keepalive);
		if (plan.n) {
			assert_int_equal(plan.steps[0].set_endpoint, cases[i].set_endpoint);
			assert_int_equal(plan.steps[0].set_keepalive, cases[i].set_keepalive);
			assert_int_equal(plan.steps[0].peer->n_allowed, 0);
			assert_false(plan.steps[0].replace_allowed);
		}
		wg_plan_deinit(&plan);
	}
}

static void a_prefix_is_cut_at_its_length(void **state)
{
	struct in6_addr addr;
	struct wg_prefix prefix;

	(void)state;
	memset(&addr, 0xff, sizeof(addr));
	prefix = wg_prefix_in6(&addr, 45);
	assert_int_equal(prefix.addr[4], 0xff);
	assert_int_equal(prefix.addr[5], 0xf8);
	assert_int_equal(prefix.addr[6], 0);
	prefix = wg_prefix_in6(&addr, 128);
	assert_memory_equal(prefix.addr, &addr, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_gives_its_steps),
		cmocka_unit_test(no_peer_is_ever_without_what_it_keeps),
		cmocka_unit_test(a_preshared_key_that_differs_is_set_and_one_that_went_is_taken_away),
		cmocka_unit_test(carried_out_every_plan_reaches_the_desired_set_and_the_next_is_empty),
		cmocka_unit_test(a_desired_set_that_contradicts_itself_is_refused_by_name),
		cmocka_unit_test(bits_behind_the_length_are_refused),
		cmocka_unit_test(only_what_differs_of_endpoint_and_keepalive_is_set),
		cmocka_unit_test(a_prefix_is_cut_at_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
