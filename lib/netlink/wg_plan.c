/* wg_plan - see wg_plan.h. */
#include "lib/netlink/wg_plan.h"
#include "lib/base/crypto.h"
#include "lib/base/map.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who wants and who has each key and each prefix. Values point into the caller's arrays. */
struct planner {
	const struct wg_peer *desired;
	size_t n_desired;
	const struct wg_peer_status *observed;
	size_t n_observed;
	struct map desired_by_key, desired_by_prefix;
	struct map observed_by_key, observed_by_prefix;
	struct wg_plan plan;
	size_t n_peers, n_prefixes;
};

static bool prefix_is_valid(const struct wg_prefix *prefix)
{
	struct wg_prefix clean = { .family = prefix->family, .len = prefix->len };
	unsigned bits = prefix->family == AF_INET ? 32 : 128;

	if ((prefix->family != AF_INET && prefix->family != AF_INET6) || prefix->len > bits)
		return false;
	for (unsigned i = 0; i < prefix->len; i++)
		clean.addr[i / 8] |= (uint8_t)(prefix->addr[i / 8] & (0x80 >> i % 8));
	return wg_prefix_equal(&clean, prefix);
}

static int refuse(struct why *why, const char *code, const char *what, const struct wg_peer *peer, const struct wg_prefix *prefix)
{
	char key[CRYPTO_BASE64_KEY_LEN + 1], text[INET6_ADDRSTRLEN] = "";

	crypto_base64(peer->public_key, WG_KEY_LEN, key);
	if (!prefix)
		return why_set(why, code, "public_key", "WireGuard peer %s %s", key, what);
	inet_ntop(prefix->family, prefix->addr, text, sizeof(text));
	return why_set(why, code, "allowed_ips", "WireGuard peer %s: the prefix %s/%u %s", key, text, prefix->len, what);
}

static int index_desired_prefixes(struct planner *planner, const struct wg_peer *peer, struct why *why)
{
	for (size_t k = 0; k < peer->n_allowed; k++) {
		const struct wg_prefix *prefix = &peer->allowed[k];
		void *other = NULL;

		if (!prefix_is_valid(prefix))
			return refuse(why, "prefix_invalid", "is no prefix, or has bits behind its length", peer, prefix);
		if (map_set(&planner->desired_by_prefix, prefix, sizeof(*prefix), (void *)peer, &other) < 0)
			return -ENOMEM;
		if (other)
			return refuse(why, "prefix_twice", "is asked for twice; it can have one owner", peer, prefix);
	}
	return 0;
}

static int index_desired(struct planner *planner, struct why *why)
{
	for (size_t i = 0; i < planner->n_desired; i++) {
		const struct wg_peer *peer = &planner->desired[i];
		void *other = NULL;
		int r;

		if (peer->n_allowed > WG_ALLOWED_MAX)
			return refuse(why, "prefix_too_many", "has more prefixes than a peer may have", peer, NULL);
		if (map_set(&planner->desired_by_key, peer->public_key, WG_KEY_LEN, (void *)peer, &other) < 0)
			return -ENOMEM;
		if (other)
			return refuse(why, "key_twice", "is asked for twice; a key is one peer", peer, NULL);
		r = index_desired_prefixes(planner, peer, why);
		if (r)
			return r;
	}
	return 0;
}

static int index_observed(struct planner *planner)
{
	for (size_t i = 0; i < planner->n_observed; i++) {
		const struct wg_peer_status *status = &planner->observed[i];

		if (map_set(&planner->observed_by_key, status->peer.public_key, WG_KEY_LEN, (void *)status, NULL) < 0)
			return -ENOMEM;
		for (size_t k = 0; k < status->peer.n_allowed; k++)
			if (map_set(&planner->observed_by_prefix, &status->peer.allowed[k], sizeof(struct wg_prefix),
				    (void *)status, NULL) < 0)
				return -ENOMEM;
	}
	return 0;
}

/* Room for the most that can come: removals, a step per desired peer, and nobody's two. */
static int reserve(struct planner *planner)
{
	size_t n_prefixes = 1;

	for (size_t i = 0; i < planner->n_desired; i++)
		n_prefixes += planner->desired[i].n_allowed;
	for (size_t i = 0; i < planner->n_observed; i++)
		n_prefixes += planner->observed[i].peer.n_allowed;
	planner->plan.steps = calloc(planner->n_observed + planner->n_desired + 3, sizeof(*planner->plan.steps));
	planner->plan.peers = calloc(planner->n_observed + planner->n_desired + 3, sizeof(*planner->plan.peers));
	planner->plan.prefixes = calloc(n_prefixes, sizeof(*planner->plan.prefixes));
	return planner->plan.steps && planner->plan.peers && planner->plan.prefixes ? 0 : -ENOMEM;
}

static struct wg_step *add_step(struct planner *planner, enum wg_step_kind kind, const struct wg_peer *like)
{
	struct wg_step *step = &planner->plan.steps[planner->plan.n++];
	struct wg_peer *peer = &planner->plan.peers[planner->n_peers++];

	*peer = *like;
	peer->allowed = &planner->plan.prefixes[planner->n_prefixes];
	peer->n_allowed = 0;
	*step = (struct wg_step){ .kind = kind, .peer = peer };
	return step;
}

static void add_prefix(struct planner *planner, const struct wg_prefix *prefix)
{
	planner->plan.prefixes[planner->n_prefixes++] = *prefix;
	planner->plan.peers[planner->n_peers - 1].n_allowed++;
}

static const struct wg_peer *desired_owner(const struct planner *planner, const struct wg_prefix *prefix)
{
	return map_get(&planner->desired_by_prefix, prefix, sizeof(*prefix));
}

static const struct wg_peer_status *observed_owner(const struct planner *planner, const struct wg_prefix *prefix)
{
	return map_get(&planner->observed_by_prefix, prefix, sizeof(*prefix));
}

static void plan_removals(struct planner *planner)
{
	for (size_t i = 0; i < planner->n_observed; i++) {
		const struct wg_peer *peer = &planner->observed[i].peer;

		if (!map_get(&planner->desired_by_key, peer->public_key, WG_KEY_LEN))
			add_step(planner, WG_STEP_REMOVE, peer);
	}
}

/* A point of order 8: whoever claims it cannot finish a handshake. */
static const uint8_t nobody_key[WG_KEY_LEN] = { 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
						0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 };

bool wg_plan_is_nobody(const struct wg_peer *peer)
{
	return !memcmp(peer->public_key, nobody_key, sizeof(nobody_key));
}

const char *wg_plan_nobody_text(const struct wg_peer *nobody, char *ret_text, size_t size)
{
	char more[40] = "", address[INET6_ADDRSTRLEN] = "?";

	if (nobody->n_allowed)
		inet_ntop(nobody->allowed[0].family, nobody->allowed[0].addr, address, sizeof(address));
	if (nobody->n_allowed > 1)
		snprintf(more, sizeof(more), " and %zu more prefixes", nobody->n_allowed - 1);
	snprintf(ret_text, size, "%s/%u%s at a peer that may not have it", address, nobody->n_allowed ? nobody->allowed[0].len : 0, more);
	return ret_text;
}

static void plan_losses(struct planner *planner)
{
	struct wg_peer nobody = { .allowed = NULL };
	bool begun = false;

	memcpy(nobody.public_key, nobody_key, sizeof(nobody_key));
	for (size_t i = 0; i < planner->n_observed; i++) {
		const struct wg_peer *peer = &planner->observed[i].peer;
		const struct wg_peer *wanted = map_get(&planner->desired_by_key, peer->public_key, WG_KEY_LEN);

		for (size_t k = 0; wanted && k < peer->n_allowed; k++) {
			if (desired_owner(planner, &peer->allowed[k]) == wanted)
				continue;
			if (!begun)
				add_step(planner, WG_STEP_ADD, &nobody);
			begun = true;
			add_prefix(planner, &peer->allowed[k]);
		}
	}
	if (begun)
		add_step(planner, WG_STEP_REMOVE, &nobody);
}

static bool preshared_differs(const struct wg_peer *a, const struct wg_peer *b)
{
	return a->has_preshared != b->has_preshared ||
	       (a->has_preshared && !crypto_equal(a->preshared_key, b->preshared_key, WG_KEY_LEN));
}

static void plan_update(struct planner *planner, const struct wg_peer *peer, const struct wg_peer_status *status)
{
	bool moves = peer->endpoint.ss_family && !wg_endpoint_equal(&peer->endpoint, &status->peer.endpoint);
	bool keepalive = peer->keepalive_s != status->peer.keepalive_s, gains = false;
	bool preshared = preshared_differs(peer, &status->peer);
	struct wg_step *step;

	for (size_t k = 0; k < peer->n_allowed; k++)
		gains |= observed_owner(planner, &peer->allowed[k]) != status;
	if (!moves && !keepalive && !gains && !preshared)
		return;
	step = add_step(planner, WG_STEP_UPDATE, peer);
	step->set_endpoint = moves;
	step->set_keepalive = keepalive;
	step->set_preshared = preshared;
	for (size_t k = 0; k < peer->n_allowed; k++)
		if (observed_owner(planner, &peer->allowed[k]) != status)
			add_prefix(planner, &peer->allowed[k]);
}

static void plan_gains(struct planner *planner)
{
	for (size_t i = 0; i < planner->n_desired; i++) {
		const struct wg_peer *peer = &planner->desired[i];
		const struct wg_peer_status *status = map_get(&planner->observed_by_key, peer->public_key, WG_KEY_LEN);
		struct wg_step *step;

		if (status) {
			plan_update(planner, peer, status);
			continue;
		}
		step = add_step(planner, WG_STEP_ADD, peer);
		step->set_endpoint = peer->endpoint.ss_family != 0;
		step->set_keepalive = step->replace_allowed = true;
		step->set_preshared = peer->has_preshared;
		for (size_t k = 0; k < peer->n_allowed; k++)
			add_prefix(planner, &peer->allowed[k]);
	}
}

int wg_plan_make(const struct wg_peer *desired, size_t n_desired, const struct wg_peer_status *observed, size_t n_observed,
		 struct wg_plan *ret_plan, struct why *why)
{
	struct planner planner = {
		.desired = desired, .n_desired = n_desired, .observed = observed, .n_observed = n_observed,
	};
	int r = index_desired(&planner, why);

	if (r == 0)
		r = index_observed(&planner);
	if (r == 0)
		r = reserve(&planner);
	if (r == 0) {
		plan_removals(&planner);
		plan_losses(&planner);
		plan_gains(&planner);
		*ret_plan = planner.plan;
	} else {
		wg_plan_deinit(&planner.plan);
	}
	map_deinit(&planner.desired_by_key);
	map_deinit(&planner.desired_by_prefix);
	map_deinit(&planner.observed_by_key);
	map_deinit(&planner.observed_by_prefix);
	return r;
}

void wg_plan_deinit(struct wg_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		crypto_wipe(plan->peers[i].preshared_key, WG_KEY_LEN);
	free(plan->steps);
	free(plan->peers);
	free(plan->prefixes);
	*plan = (struct wg_plan){ 0 };
}
