/* workload_peers - what is asked about WireGuard peers: made, given other keys, suspended, moved, deleted, and left to expire. */
#include "tests/sim/work.h"

#include "controller/store/store_peer.h"
#include "controller/store/store_peer_move.h"

#include <stdio.h>
#include <string.h>

bool work_is_of_peer(enum work_kind kind)
{
	return kind >= WORK_PEER && kind <= WORK_DELETE_PEER;
}

/* ---- on the store thread ---- */

static int create(struct store *store, struct work *k)
{
	struct store_peer_new in = { .org = k->org, .network = k->network[0] ? k->network : NULL, .name = k->peer,
				     .region = k->region[0] ? k->region : NULL, .gateway = k->node[0] ? k->node : NULL,
				     .has_preshared_key = k->flag, .ephemeral = k->flag, .live = k->live, .n_live = k->n_live };
	char warning[STORE_PEER_WARNING_SIZE];

	memcpy(in.public_key, k->key, sizeof in.public_key);
	memcpy(in.preshared_key, k->key, sizeof in.preshared_key);
	if (k->lives_ms)
		in.expires_ms = clock_real_ms(store_clock(store)) + k->lives_ms;
	return store_peer_create(store, &k->op, &in, &k->found, warning);
}

static int move(struct store *store, struct work *k)
{
	struct store_peer_move in = { .gateway = k->node, .now = k->flag, .live = k->live, .n_live = k->n_live };
	char warning[STORE_PEER_WARNING_SIZE];

	return store_peer_move(store, &k->op, k->org, k->peer, &in, &k->found, warning);
}

int work_run_peer(struct store *store, struct work *k)
{
	struct store_peer_update suspend = { .set_suspended = true, .suspended = k->flag };

	switch (k->kind) {
	case WORK_PEER: return create(store, k);
	case WORK_REKEY: return store_peer_rekey(store, &k->op, k->org, k->peer, k->key, k->flag ? k->key : NULL, &k->found);
	case WORK_PEER_SUSPEND: return store_peer_update(store, &k->op, k->org, k->peer, &suspend, &k->found);
	case WORK_MOVE: return move(store, k);
	case WORK_DELETE_PEER: return store_peer_delete(store, &k->op, k->org, k->peer, &k->found);
	default: return -EINVAL;
	}
}

/* ---- asking ---- */

static void draw_key(struct world *w, uint8_t key[32])
{
	for (unsigned i = 0; i < 32; i++)
		key[i] = (uint8_t)world_draw(w);
	key[31] &= 0x7f;
}

static void ask_peer(struct world *w)
{
	struct model *m = w->model;
	unsigned org = model_any(w, m->orgs, m->n_orgs, false), network = model_any(w, m->networks, m->n_networks, false);
	const struct host *h = &w->hosts[world_below(w, w->n_hosts)];
	struct work *k;

	if (org == UINT32_MAX || m->n_peers >= PEERS_MAX)
		return;
	k = work_new(w, WORK_PEER);
	k->which = m->n_peers++;
	k->flag = world_chance(w, 200);
	k->lives_ms = world_chance(w, 150) ? 2000 + world_below(w, 20000) : 0;
	if (world_chance(w, 500))
		k->region[0] = 0;
	if (network != UINT32_MAX && world_chance(w, 600)) {
		org = m->networks[network].of;
		snprintf(k->network, sizeof k->network, "n%u", network);
	}
	if (h->joined && world_chance(w, h->roles & ROLE_GATEWAY ? 500 : 50))
		snprintf(k->node, sizeof k->node, "%s", h->name);
	draw_key(w, k->key);
	snprintf(k->org, sizeof k->org, "o%u", org);
	snprintf(k->peer, sizeof k->peer, "%sp%u", world_chance(w, 100) ? "interactive-" : "", k->which);
	m->peers[k->which].of = org;
	m->peers[k->which].expires = k->lives_ms != 0;
	memcpy(m->peers[k->which].name, k->peer, sizeof k->peer);
	work_ask(k);
}

static void ask_about(struct world *w, enum work_kind kind)
{
	struct model *m = w->model;
	const struct host *h = &w->hosts[world_below(w, w->n_hosts)];
	unsigned which = UINT32_MAX;
	struct work *k;

	for (unsigned tries = 0; m->n_peers && tries < 4 && which == UINT32_MAX; tries++) {
		unsigned i = (unsigned)world_below(w, m->n_peers);

		if (m->peers[i].is != NOT_THERE && !m->peers[i].going)
			which = i;
	}
	if (which == UINT32_MAX || (kind == WORK_MOVE && (!h->joined || !(h->roles & ROLE_GATEWAY || world_chance(w, 100)))))
		return;
	k = work_new(w, kind);
	k->which = which;
	k->flag = world_chance(w, 300);
	snprintf(k->org, sizeof k->org, "o%u", m->peers[which].of);
	memcpy(k->peer, m->peers[which].name, sizeof k->peer);
	draw_key(w, k->key);
	if (kind == WORK_MOVE)
		snprintf(k->node, sizeof k->node, "%s", h->name);
	if (kind == WORK_DELETE_PEER)
		m->peers[which].going = true;
	work_ask(k);
}

void model_act_on_peers(struct world *w)
{
	unsigned n = (unsigned)world_below(w, 100);

	if (n < 45)
		ask_peer(w);
	else if (n < 55)
		ask_about(w, WORK_REKEY);
	else if (n < 65)
		ask_about(w, WORK_PEER_SUSPEND);
	else if (n < 80)
		ask_about(w, WORK_MOVE);
	else
		ask_about(w, WORK_DELETE_PEER);
}

/* ---- what an answer means ---- */

void model_acknowledged_peer(struct model *m, const struct work *k)
{
	struct peer_memory *p = &m->peers[k->which];

	p->is = p->going || p->expires ? UNSURE : THERE;
	if (k->kind == WORK_DELETE_PEER)
		p->is = NOT_THERE;
	if (k->kind == WORK_PEER || k->kind == WORK_REKEY)
		memcpy(p->key, k->key, sizeof p->key);
	p->key_known = p->key_known || k->kind == WORK_PEER || k->kind == WORK_REKEY;
	if (k->kind == WORK_PEER)
		memcpy(p->id, k->found.record.id, sizeof p->id);
}

void model_refused_peer(struct world *w, const struct work *k)
{
	struct peer_memory *p = &w->model->peers[k->which];

	if (strcmp(k->op.why.code, "peer_not_found"))
		return;
	if (p->is == THERE && !p->going && !w->forked && !w->nodes_deleted)
		world_fail(w, "ack", "peer %s was acknowledged, and is not there: %s", k->peer, k->op.why.text);
	p->is = NOT_THERE;
}

void model_check_peers(struct world *w, const struct archive *a)
{
	const struct model *m = w->model;

	for (unsigned n = 0; n < m->n_peers; n++) {
		const struct peer_memory *p = &m->peers[n];
		const struct row *row = archive_find(a, a->n, RECORD_PEER, p->id, sizeof p->id), *key = NULL;
		uint8_t name[12];

		if (p->is == UNSURE || !memcmp(p->id, (const uint8_t[8]){ 0 }, 8))
			continue;
		if (p->is == NOT_THERE && row)
			world_fail(w, "ack", "the end of peer %s was acknowledged, and the log has it", p->name);
		if (p->is == THERE && !row && !p->going && !w->nodes_deleted)
			world_fail(w, "ack", "peer %s was acknowledged, and the log has no such peer", p->name);
		if (!row)
			continue;
		memcpy(name, p->id, 8);
		put_u32(name + 8, row->places[0]);
		key = archive_find(a, a->n, RECORD_PEER_KEY, name, sizeof name);
		if (p->is == THERE && p->key_known && (!key || memcmp(key->public_key, p->key, sizeof p->key)))
			world_fail(w, "ack", "peer %s was acknowledged with another key than its gateway has", p->name);
	}
}
