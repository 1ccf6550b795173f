/* peers_repair - see peers.h: after a death of the process, and after other people's hands. */
#include "gateway/peers_internal.h"

#include "lib/base/crypto.h"
#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRESH_S 180 /* WireGuard's own: a session is used no longer than that */

/* ---- back again ---- */

static bool is_live(const struct peers_entry *e, uint64_t now_s)
{
	return e && e->is_seen && e->seen.peer.endpoint.ss_family && e->seen.last_handshake_s + FRESH_S > now_s;
}

static size_t return_endpoints(struct peers *p, struct plan *plan, struct wg_peer *ret_live)
{
	uint64_t now_s = clock_real_ms(&p->parts.env->clock) / 1000;
	size_t n = 0;

	for (size_t i = 0; i < plan->wg.n; i++) {
		struct wg_peer *peer = &plan->wg.peers[i]; /* of step i */
		const struct peers_entry *e = peers_find(p, peer->public_key);

		if (plan->wg.steps[i].kind != WG_STEP_ADD || !is_live(e, now_s))
			continue;
		peer->endpoint = e->seen.peer.endpoint;
		plan->wg.steps[i].set_endpoint = true;
		ret_live[n++] = *peer;
	}
	return n;
}

/* The peers of the plan; those who lost their entry while they were connected are found and greeted. */
static int bring_back(struct peers *p, struct plan *plan)
{
	CLEAN_FREE struct wg_peer *live = calloc(plan->wg.n + 1, sizeof *live);
	size_t n;
	int e;

	if (!live)
		return -ENOMEM;
	n = return_endpoints(p, plan, live);
	e = peers_change_peers(p, plan);
	if (e == 0) {
		peers_settle(p, plan, true);
		e = wg_greet(p->parts.wg, live, n);
	}
	crypto_wipe(live, n * sizeof *live);
	return e;
}

void peers_greet(struct peers *p)
{
	uint64_t now_s = clock_real_ms(&p->parts.env->clock) / 1000;
	CLEAN_FREE struct wg_peer *live = calloc(p->n_have + 1, sizeof *live);
	size_t n = 0;
	int e;

	for (size_t i = 0; live && i < p->n_have; i++) {
		const struct peers_entry *entry = peers_find(p, p->have[i].peer.public_key);

		if (!is_live(entry, now_s))
			continue;
		memcpy(live[n].public_key, p->have[i].peer.public_key, WG_KEY_LEN);
		live[n++].endpoint = entry->seen.peer.endpoint;
	}
	e = live ? wg_greet(p->parts.wg, live, n) : -ENOMEM;
	if (e < 0)
		log_warn(AREA, "who was connected has to find out by himself that his session is gone: %s", strerror(-e));
}

int peers_replay(struct peers *p, struct why *why)
{
	struct plan_input in = peers_input_of(p);
	struct plan plan = { 0 };
	/* what the try before left may be somebody who is gone meanwhile, and was not greeted */
	int e = p->behind ? wg_reconcile(p->parts.wg, NULL, 0, NULL, why) : 0;

	peers_forget_have(p);
	p->known = e == 0; /* that it knows nobody */
	if (e || !p->asked)
		return e;
	in.there = NULL;
	in.n_there = 0;
	e = plan_make(&in, &plan);
	if (e == 0)
		e = peers_change_ways(p, plan.add, plan.n_add, p->parts.ways->add, REPAIR_KINDS);
	if (e == 0)
		e = bring_back(p, &plan);
	plan_deinit(&plan);
	p->behind = e < 0;
	return e;
}

/* ---- drift ---- */

static void tell_steps(const struct peers *p, const struct plan *plan, int error)
{
	static const char *const words[] = { [WG_STEP_REMOVE] = "is nobody's", [WG_STEP_UPDATE] = "was changed", [WG_STEP_ADD] = "was missing" };
	const struct role_env *env = p->parts.env;

	for (size_t i = 0; i < plan->wg.n; i++) {
		const struct peers_entry *e = peers_find(p, plan->wg.steps[i].peer->public_key);
		char object[128], key[CRYPTO_BASE64_KEY_LEN + 1], id[17] = "";

		if (wg_plan_is_nobody(plan->wg.steps[i].peer)) { /* told once: by what it takes */
			if (plan->wg.steps[i].kind == WG_STEP_ADD)
				env->ops->repaired(env->node, REPAIR_PEER, wg_plan_nobody_text(plan->wg.steps[i].peer, object, sizeof object), error);
			continue;
		}
		crypto_base64(plan->wg.steps[i].peer->public_key, WG_KEY_LEN, key);
		if (e)
			crypto_hex(e->id, sizeof e->id, id);
		snprintf(object, sizeof object, "peer %s%s%s %s", id, e ? ", " : "", key, words[plan->wg.steps[i].kind]);
		env->ops->repaired(env->node, REPAIR_PEER, object, error);
	}
}

void peers_compare(struct peers *p, const struct wg_observed *observed)
{
	struct plan_input in = peers_input_of(p);
	bool tell = p->known && p->clean && !p->behind; /* else it is our own work that was left half-done */
	struct plan plan = { 0 };
	int e;

	if (!p->asked)
		return;
	in.there = observed->peers;
	in.n_there = observed->n;
	e = plan_make(&in, &plan);
	if (e == 0 && plan.wg.n) {
		e = bring_back(p, &plan);
		if (tell)
			tell_steps(p, &plan, e);
	} else if (e == 0 && !p->known) {
		peers_settle(p, &plan, true);
	}
	plan_deinit(&plan);
	if (e < 0)
		log_limited(LOG_L_ERR, AREA, "peers cannot be compared: %s", strerror(-e));
}

static int put_ways_right(struct peers *p, enum repair told)
{
	struct plan_input in = peers_input_of(p);
	struct plan_way *ways = NULL;
	struct plan plan = { 0 };
	int e = p->parts.ways->list(p->parts.ways_ctx, &ways, &in.n_ways), gone;

	in.ways = ways;
	if (e == 0)
		e = plan_make_ways(&in, &plan);
	if (e == 0) {
		e = peers_change_ways(p, plan.add, plan.n_add, p->parts.ways->add, told);
		gone = peers_change_ways(p, plan.remove, plan.n_remove, p->parts.ways->remove, told);
		e = e ? e : gone;
	}
	plan_deinit(&plan);
	free(ways);
	return e;
}

void peers_compare_ways(struct peers *p)
{
	int e = p->asked && p->clean ? put_ways_right(p, REPAIR_PEERS_ROUTE) : 0;

	if (e < 0)
		log_limited(LOG_L_ERR, AREA, "ways cannot all be put right: %s", strerror(-e));
}

int peers_lay_ways(struct peers *p)
{
	return p->asked ? put_ways_right(p, REPAIR_KINDS) : 0;
}
