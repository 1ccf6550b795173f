/* peers - see peers.h. */
#include "controller/nodes/peers.h"

#include "controller/nodes/controller_internal.h"
#include "controller/nodes/peer_arrivals.h"
#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_PER_LOOK 16   /* ten thousand that come back at once would push everything else out of the events */
#define SWEEP_MS 600000u       /* also without a reason: what a large delete has left over */
#define CLOCK_LOOK_MS 3600000u /* expiry is by the wall clock, which may jump */

struct peer_known {
	uint8_t id[ID_LEN];
	uint32_t gateway;
	bool ephemeral, seen, online, used_stored;
	struct peer_seen last;
	uint64_t reported_ms; /* Unix time */
	uint64_t idle_from_ms; /* monotonic: its last handshake was reported, or this controller came to know of it */
};

void peers_init(struct controller *c)
{
	c->peers.expiry_ms = UINT64_MAX;
	c->peers.look_ms = clock_mono_ms(&c->clock) + PEERS_LOOK_MS;
}

void peers_deinit(struct peers *p)
{
	struct peer_known *k;

	for (size_t i = 0; (k = map_next(&p->known, &i));)
		free(k);
	map_deinit(&p->known);
}

static struct peer_known *find(const struct peers *p, const uint8_t id[ID_LEN])
{
	return map_get(&p->known, id, ID_LEN);
}

static struct peer_known *need(struct controller *c, const struct peer_record *rec)
{
	struct peer_known *k = find(&c->peers, rec->id);

	if (k)
		return k;
	k = calloc(1, sizeof *k);
	if (!k)
		return NULL;
	memcpy(k->id, rec->id, ID_LEN);
	k->gateway = rec->gateway;
	k->idle_from_ms = clock_mono_ms(&c->clock);
	if (map_set(&c->peers.known, k->id, sizeof k->id, k, NULL) < 0) {
		free(k);
		return NULL;
	}
	return k;
}

static void forget(struct peers *p, const uint8_t id[ID_LEN])
{
	struct peer_known *k = find(p, id);

	if (!k)
		return;
	map_remove(&p->known, k->id, sizeof k->id);
	free(k);
}

/* The current record of a peer. */
static bool read_peer(const struct controller *c, const uint8_t id[ID_LEN], struct peer_record *ret)
{
	const struct memory_record *m = memory_find(&c->memory, RECORD_PEER, id, ID_LEN);

	return m && peer_decode(&m->record, ret, NULL) == 0;
}

void peers_note_record(struct controller *c, const struct record *record)
{
	struct peers *p = &c->peers;
	struct peer_record rec;
	struct peer_known *k;

	if (record->deleted) {
		forget(p, record->key);
		return;
	}
	if (peer_decode(record, &rec, NULL) != 0)
		return;
	if (rec.expires_at_ms && rec.expires_at_ms < p->expiry_ms) {
		p->expiry_ms = rec.expires_at_ms;
		controller_wake_now(c);
	}
	k = rec.ephemeral ? need(c, &rec) : find(p, rec.id);
	if (!k)
		return;
	k->ephemeral = rec.ephemeral;
	if (k->gateway != rec.gateway) { /* what the one before saw is history */
		k->gateway = rec.gateway;
		k->seen = k->online = k->used_stored = false;
		k->idle_from_ms = clock_mono_ms(&c->clock);
	}
}

/* ---- what gateways say ---- */

static void tell(struct controller *c, const struct peer_known *k, const char *what, const char *from)
{
	struct peers *p = &c->peers;
	const struct node_entry *gateway = node_table_find(&c->nodes, k->gateway);
	struct peer_record rec;
	char subject[112];

	events_touch(c);
	if (p->told >= EVENTS_PER_LOOK) {
		p->untold++;
		return;
	}
	if (!read_peer(c, k->id, &rec))
		return;
	p->told++;
	snprintf(subject, sizeof subject, "peer %.63s", rec.label);
	events_add(c, what, 0, subject, "at %s%s%s", gateway ? gateway->name : "?", from[0] ? ", from " : "", from);
}

static bool is_fresh(const struct controller *c, const struct peer_known *k)
{
	return k->seen && k->last.last_handshake_ms && clock_real_ms(&c->clock) - k->last.last_handshake_ms < PEERS_ONLINE_MS;
}

static void take_one(struct controller *c, const struct node_entry *node, const struct peer_seen *seen, uint8_t (*used)[ID_LEN],
		     size_t *n_used)
{
	uint64_t now = clock_real_ms(&c->clock), last;
	struct peer_record rec;
	struct peer_known *k;

	if (!read_peer(c, seen->id, &rec) || rec.gateway != node->host) {
		/* deleted or moved meanwhile, on its way there, or none of its business */
		if (seen->last_handshake_ms && !peer_arrivals_note(c, node, seen))
			c->stats.foreign_peers++;
		return;
	}
	k = need(c, &rec);
	if (!k)
		return;
	last = k->last.last_handshake_ms;
	if (seen->last_handshake_ms && (!k->seen || seen->last_handshake_ms != last))
		k->idle_from_ms = clock_mono_ms(&c->clock);
	k->last = *seen;
	if (!seen->last_handshake_ms) /* the gateway's device was made anew: what it saw before was seen */
		k->last.last_handshake_ms = last;
	if (k->last.last_handshake_ms > now) /* its clock is ahead of ours */
		k->last.last_handshake_ms = now;
	k->seen = true;
	k->reported_ms = now;
	if (seen->last_handshake_ms && !k->used_stored)
		memcpy(used[(*n_used)++], seen->id, ID_LEN);
	if (!k->online && is_fresh(c, k)) {
		k->online = true;
		tell(c, k, "online", seen->endpoint);
	}
}

void peers_take(struct controller *c, const struct node_entry *node, const struct peer_seen *seen, size_t n, uint8_t (*ret_used)[ID_LEN],
		size_t *ret_n_used)
{
	*ret_n_used = 0;
	for (size_t i = 0; i < n; i++)
		take_one(c, node, &seen[i], ret_used, ret_n_used);
}

void peers_used_stored(struct controller *c, uint32_t host, const uint8_t (*ids)[ID_LEN], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct peer_known *k = find(&c->peers, ids[i]);

		if (k && k->gateway == host) /* else it moved before, and the store did not believe it */
			k->used_stored = true;
	}
}

bool peers_state(const struct controller *c, const uint8_t id[ID_LEN], struct api_peer_state *ret)
{
	const struct peer_known *k = find(&c->peers, id);
	const struct node_entry *gateway;
	struct peer_record rec;

	*ret = (struct api_peer_state){ .known = false };
	if (!read_peer(c, id, &rec))
		return false;
	gateway = node_table_find(&c->nodes, rec.gateway);
	ret->gateway_live = gateway && !gateway->revoked && controller_is_ready(c, gateway);
	if (!k || !k->seen)
		return true;
	ret->known = true;
	ret->online = is_fresh(c, k);
	ret->last_handshake_ms = k->last.last_handshake_ms;
	ret->rx_bytes = k->last.rx_bytes;
	ret->tx_bytes = k->last.tx_bytes;
	ret->reported_ms = k->reported_ms;
	memcpy(ret->endpoint, k->last.endpoint, sizeof ret->endpoint);
	return true;
}

/* ---- those whose time is up ---- */

struct sweep_op {
	struct op op;
	struct controller *c;
	uint8_t idle[STORE_PEER_SWEEP_MAX][ID_LEN];
	size_t n_idle;
	struct store_peer_swept swept;
};

static int run_sweep(struct store *store, struct op *op)
{
	struct sweep_op *s = container_of(op, struct sweep_op, op);

	return store_peer_sweep(store, op, (const uint8_t(*)[ID_LEN])s->idle, s->n_idle, s->c->config.peer_idle_ms, &s->swept);
}

static void sweep_done(struct op *op)
{
	struct sweep_op *s = container_of(op, struct sweep_op, op);
	struct controller *c = s->c;
	uint64_t next = op->result ? clock_real_ms(&c->clock) + PEERS_LOOK_MS : s->swept.next_expiry_ms;

	controller_op_done(c);
	c->peers.sweeping = false;
	if (op->result)
		log_limited(LOG_L_WARN, "peers", "peers whose time is up are not deleted: %s",
			    op->result > 0 ? op->why.text : strerror(-op->result));
	else if (s->swept.deleted)
		log_info("peers", "%zu peers were deleted: expired, ephemeral and unused, or of a network that is being deleted", s->swept.deleted);
	if (next < c->peers.expiry_ms) /* else one was made meanwhile that expires sooner */
		c->peers.expiry_ms = next;
	if (op->result == 0 && s->swept.more)
		c->peers.look_ms = c->peers.sweep_ms = clock_mono_ms(&c->clock);
	controller_wake_now(c);
	op_deinit(op);
	free(s);
}

static void put_sweep(struct controller *c, struct sweep_op *s)
{
	struct principal who = principal_local("controller");

	s->c = c;
	op_init(&s->op, run_sweep, sweep_done, &who, NULL);
	s->op.frees = true;
	c->peers.sweeping = controller_put(c, &s->op);
	if (c->peers.sweeping)
		c->peers.expiry_ms = UINT64_MAX; /* it says when the next is due */
	else
		free(s);
}

/* Unused, as far as its gateway, which has been there for a while, can tell. By how long we have watched, not by anybody's wall clock:
 * one that is a day wrong would cost all of them their tunnels. */
static bool is_idle(const struct controller *c, const struct peer_known *k)
{
	const struct node_entry *gateway = node_table_find(&c->nodes, k->gateway);

	if (!k->ephemeral || !gateway || !controller_is_ready(c, gateway) ||
	    clock_real_ms(&c->clock) < gateway->back_ms + PEERS_SETTLED_MS)
		return false;
	return clock_mono_ms(&c->clock) >= k->idle_from_ms + c->config.peer_idle_ms;
}

static void look(struct controller *c)
{
	struct peers *p = &c->peers;
	struct sweep_op *s = p->sweeping ? NULL : calloc(1, sizeof *s);
	struct peer_known *k;

	if (p->untold)
		events_add(c, "online", 0, "peers", "%zu more came or went", p->untold);
	p->told = 0;
	p->untold = 0;
	for (size_t i = 0; (k = map_next(&p->known, &i));) {
		if (k->online && !is_fresh(c, k)) {
			k->online = false;
			tell(c, k, "offline", "");
		}
		if (s && s->n_idle < STORE_PEER_SWEEP_MAX && is_idle(c, k))
			memcpy(s->idle[s->n_idle++], k->id, ID_LEN);
	}
	if (s && (s->n_idle || clock_mono_ms(&c->clock) >= p->sweep_ms)) {
		p->sweep_ms = clock_mono_ms(&c->clock) + SWEEP_MS;
		put_sweep(c, s);
	} else {
		free(s);
	}
}

uint64_t peers_run(struct controller *c)
{
	struct peers *p = &c->peers;
	uint64_t now = clock_mono_ms(&c->clock), real = clock_real_ms(&c->clock), next;

	if (now >= p->look_ms) {
		p->look_ms = now + PEERS_LOOK_MS;
		look(c);
	}
	if (p->expiry_ms <= real && !p->sweeping) {
		struct sweep_op *s = calloc(1, sizeof *s);

		if (s)
			put_sweep(c, s);
	}
	next = p->look_ms;
	if (p->expiry_ms != UINT64_MAX && !p->sweeping) {
		uint64_t in = p->expiry_ms > real ? p->expiry_ms - real : PEERS_LOOK_MS;

		in = in < CLOCK_LOOK_MS ? in : CLOCK_LOOK_MS;
		next = now + in < next ? now + in : next;
	}
	return next;
}
