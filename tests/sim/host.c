/* host - a simulated machine with a node's whole daemon: joined, started, crashed and stopped; and what is watched on the way of its
 * polls and replies (I2, I3, I5), by standing in front of two functions of the product with the linker's --wrap. */
#include "tests/sim/world.h"

#include "lib/base/crypto.h"
#include "lib/sixpn/pb.h"
#include "node/statefile.h"
#include "proto/sixpn.pb-c.h"
#include "tests/sim/invariants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 5000

int __real_replica_take(struct replica *r, const Sixpn__PollReply *reply, struct replica_change *change, struct why *why);
int __real_link_client_call(struct link_client *client, enum link_method method, const void *payload, size_t len, link_done_fn *done,
			    void *ctx);

bool host_is_alive(const struct host *h)
{
	return h->up && !disk_is_dead(h->machine.disk);
}

/* ---- what it is told ---- */

static struct host *actor_of(const struct replica *r)
{
	for (struct world *w = world_running(); w;) {
		struct host *h = w->actor;

		return h && (void *)h >= (void *)w->hosts && (void *)h < (void *)(w->hosts + HOSTS_MAX) && h->up && r == &h->node.replica ? h : NULL;
	}
	return NULL;
}

/* I3: not one record of a network that the host has had no part in since its V; and no private record of another. */
static void check_reply(struct host *h, const struct replica *r, const Sixpn__PollReply *m)
{
	struct world *w = h->machine.world;
	const struct archive *a = m->log_id.len == 16 ? archive_of(w->archives, m->epoch, m->log_id.data) : NULL;
	bool same = a && r->has_log_id && !memcmp(r->log_id, a->log_id, 16);
	struct stays stays;

	if (!a || w->forked)
		return;
	archive_stays(a, h->host, same ? r->v : 0, a->n, &stays);
	for (size_t i = 0; i < m->n_records; i++) {
		const Sixpn__Record *record = m->records[i];
		const struct stay *s = stays_find(&stays, record->network);

		if (!RECORD_SENDABLE(record->kind))
			world_fail(w, "I3", "%s was sent a record of kind %u", h->machine.name, record->kind);
		if (record->node ? record->node != h->host : record->network && !(s && s->ever) && !record->deleted)
			world_fail(w, "I3", "%s was sent a %s of network %08x (node %08x) at V %llu, which is not its own", h->machine.name,
				   record_kind_name(record->kind), record->network, record->node, (unsigned long long)record->v);
	}
}

static void check_order(struct host *h, const struct replica *r, bool had, uint64_t epoch, uint64_t v, const uint8_t *log_id)
{
	struct world *w = h->machine.world;
	bool same = had && !memcmp(log_id, r->log_id, 16);

	if (had && r->epoch < epoch)
		world_fail(w, "I5", "%s obeyed epoch %llu after %llu", h->machine.name, (unsigned long long)r->epoch, (unsigned long long)epoch);
	if (had && !same && r->epoch <= epoch)
		world_fail(w, "I5", "%s took another log without a greater epoch", h->machine.name);
	/* of a store that was put back: whoever has heard since its start can prove how far the log had come, and gets a new one */
	if (same && r->v < v && (!w->forked || h->heard))
		world_fail(w, "I2", "%s went from V %llu back to %llu", h->machine.name, (unsigned long long)v, (unsigned long long)r->v);
}

/* Replies that are not what the controller sent. True: it must be refused. */
static bool tamper(struct host *h, const struct replica *r, Sixpn__PollReply *m)
{
	struct world *w = h->machine.world;
	bool delta = m->kind == SIXPN__POLL_KIND__POLL_DELTA && m->n_records && !m->n_scope && m->from_v == r->v;
	enum tampering how = h->tamper;

	if (how == TAMPER_LOSE_RECORD && delta) {
		h->corrupted = true;
		w->counts.corrupted++;
		m->n_records--;
	} else if (how == TAMPER_SKIP && delta && m->n_records > 1) {
		m->from_v = m->records[0]->v;
		m->n_records--;
		m->records++;
	} else if (how == TAMPER_OLD_EPOCH && r->has_log_id && r->epoch) {
		m->epoch = r->epoch - 1;
	} else {
		return false;
	}
	h->tamper = TAMPER_NOT;
	world_note(w, "%s gets a reply that was tampered with: %d", h->machine.name, how);
	return how != TAMPER_LOSE_RECORD;
}

/* What it has reached of the log that it obeys. */
static void note_reached(struct host *h, const struct replica *r, bool whole)
{
	if (r->epoch != h->obeyed_epoch)
		h->obeyed_ms = h->machine.world->now_ms;
	h->obeyed_epoch = r->epoch;
	if (memcmp(h->obeyed_log, r->log_id, 16) || r->v > h->reached_v)
		h->reached_v = r->v;
	memcpy(h->obeyed_log, r->log_id, 16);
	h->heard = h->heard || whole;
}

int __wrap_replica_take(struct replica *r, const Sixpn__PollReply *reply, struct replica_change *change, struct why *why)
{
	struct host *h = actor_of(r);
	bool had = r->has_log_id;
	uint64_t epoch = r->epoch, v = r->v;
	Sixpn__PollReply mine = *reply;
	uint8_t log_id[16];
	bool refuse;
	int e;

	if (!h || !host_is_alive(h))
		return __real_replica_take(r, reply, change, why);
	memcpy(log_id, r->log_id, 16);
	check_reply(h, r, reply);
	refuse = tamper(h, r, &mine);
	h->machine.world->counts.refused_replies += refuse;
	e = __real_replica_take(r, &mine, change, why);
	world_note(h->machine.world, "%s takes kind %u from %llu to %llu part %u/%u: %zu records, %zu scope, %zu heal: %d, V %llu",
		   h->machine.name, reply->kind, (unsigned long long)reply->from_v, (unsigned long long)reply->to_v, reply->part, reply->parts,
		   reply->n_records, reply->n_scope, reply->n_heal, e, (unsigned long long)r->v);
	if (e == 0) {
		check_order(h, r, had, epoch, v, log_id);
		note_reached(h, r, reply->kind != SIXPN__POLL_KIND__POLL_SNAPSHOT || reply->end);
	}
	if (e == 0 && refuse)
		world_fail(h->machine.world, mine.epoch < epoch ? "I5" : "G6", "%s took a reply that it had to refuse, from V %llu of epoch %llu",
			   h->machine.name, (unsigned long long)mine.from_v, (unsigned long long)mine.epoch);
	h->machine.world->counts.snapshots += reply->kind == SIXPN__POLL_KIND__POLL_SNAPSHOT && reply->end;
	h->machine.world->counts.heals += reply->n_heal && reply->end;
	h->machine.world->counts.deltas += reply->kind == SIXPN__POLL_KIND__POLL_DELTA;
	return e;
}

/* ---- what it says ---- */

/* The oracle's own: keyed BLAKE2b over (log, epoch, V). */
static bool is_proven(const struct world *w, const Sixpn__PollRequest *m)
{
	uint8_t words[16], right[32];
	struct crypto_part parts[] = { { "head", 4 }, { m->log_id.data, 16 }, { words, sizeof words } };

	put_u64(words, m->epoch);
	put_u64(words + 8, m->applied_v);
	crypto_blake2b(w->secret, sizeof w->secret, parts, ARRAY_LEN(parts), right);
	return m->head_proof.len == sizeof right && !memcmp(m->head_proof.data, right, sizeof right);
}

/* I5: what a node could prove once, it can prove until it holds something else, whatever it went through. */
static void note_proof(struct host *h, const Sixpn__PollRequest *m)
{
	struct world *w = h->machine.world;

	if (is_proven(w, m)) {
		w->counts.proofs++;
		if (h->proven_ms == NEVER)
			h->proven_ms = w->now_ms;
		h->proven_v = m->applied_v;
		h->proven_epoch = m->epoch;
		memcpy(h->proven_log, m->log_id.data, 16);
		return;
	}
	h->proven_ms = NEVER;
	if (m->epoch == h->proven_epoch && m->applied_v <= h->proven_v && !memcmp(m->log_id.data, h->proven_log, 16))
		world_fail(w, "I5", "%s cannot prove any more that it obeys epoch %llu at V %llu", h->machine.name, (unsigned long long)m->epoch,
			   (unsigned long long)m->applied_v);
}

/* A claim is for ever: what a Poll says is applied must be there after any crash. */
static void note_claim(struct host *h, const Sixpn__PollRequest *m)
{
	if (m->log_id.len != 16)
		return;
	if (h->up) { /* its first one is judged by check_claim */
		memcpy(h->claimed_log, m->log_id.data, 16);
		h->claimed_v = m->applied_v;
	}
	note_proof(h, m);
}

/* A node that was taken over wants its controller to end. True: it says something else than it would. */
static bool lie(struct host *h, Sixpn__PollRequest *m, struct buf *ret_bytes)
{
	struct world *w = h->machine.world;

	if (!h->lies || m->log_id.len != 16)
		return false;
	h->lies = h->heard = false; /* what it gets now is no answer to what it holds */
	w->counts.lies++;
	if (world_chance(w, 500))
		m->epoch = UINT64_MAX - world_below(w, 1000);
	else
		m->log_id.data[0] ^= 1;
	world_note(w, "%s names epoch %llu of log %02x", h->machine.name, (unsigned long long)m->epoch, m->log_id.data[0]);
	if (pb_pack(m, ret_bytes) < 0)
		abort();
	return true;
}

int __wrap_link_client_call(struct link_client *client, enum link_method method, const void *payload, size_t len, link_done_fn *done,
			    void *ctx)
{
	struct world *w = world_running();
	struct host *h = w ? w->actor : NULL;
	CLEAN_BUF struct buf said = BUF_INIT(LINK_REQUEST_MAX);
	Sixpn__PollRequest *m;

	if (method != LINK_POLL || !h || disk_is_dead(h->machine.disk))
		return __real_link_client_call(client, method, payload, len, done, ctx);
	m = sixpn__poll_request__unpack(NULL, len, payload);
	if (!m)
		abort();
	note_claim(h, m);
	if (lie(h, m, &said)) {
		payload = said.data;
		len = said.len;
	}
	sixpn__poll_request__free_unpacked(m, NULL);
	return __real_link_client_call(client, method, payload, len, done, ctx);
}

/* ---- life ---- */

static void again(struct host *h)
{
	struct world *w = h->machine.world;

	h->start_ms = w->now_ms + 10 + world_below(w, AGAIN_MS);
}

static int prepare(struct host *h, struct identity *identity, struct why *why)
{
	const char *state_dir = config_str(&h->config, "state_dir");
	int e;

	disk_make_folder(h->machine.disk, config_str(&h->config, "run_dir"));
	e = identity_load(state_dir, &h->machine.clock, identity, why);
	if (e == 0 && identity->enrolled) {
		int r = identity_count_boot(state_dir, &h->machine.clock, identity);

		e = r == -ENOSPC || r == -EIO ? 0 : r; /* as main.c does */
	}
	if (e == 0 && h->roles & ROLE_GATEWAY)
		e = identity_load_gateway(state_dir, identity, why);
	return e;
}

/* What it has claimed must still be there. */
static void check_claim(struct host *h)
{
	const struct replica *r = &h->node.replica;
	struct world *w = h->machine.world;

	if (!h->claimed_v || w->forked)
		return;
	if (!r->has_log_id)
		world_fail(w, "I7", "%s has forgotten everything, and had claimed V %llu", h->machine.name, (unsigned long long)h->claimed_v);
	if (!memcmp(r->log_id, h->claimed_log, 16) && r->v < h->claimed_v)
		world_fail(w, "I7", "%s starts at V %llu, and had claimed V %llu", h->machine.name, (unsigned long long)r->v,
			   (unsigned long long)h->claimed_v);
}

static void start_failed(struct host *h, int e, const struct why *why)
{
	struct world *w = h->machine.world;
	bool died = disk_is_dead(h->machine.disk);

	world_note(w, "%s does not start: %d %s", h->machine.name, e, why->text);
	if (died && world_chance(w, 500)) {
		disk_cut(h->machine.disk, false);
		kernel_wipe(&h->kernel);
	}
	disk_revive(h->machine.disk);
	again(h);
}

static int start(struct host *h, struct why *why)
{
	static const struct role_ops *const roles[] = { &sim_host_role, &sim_gateway_role };
	struct node_parts parts = { .clock = h->machine.clock, .kernel = &sim_kernel, .transport = &h->link.transport, .roles = roles, .n_roles = ARRAY_LEN(roles),
				    .pumped = true };
	struct identity identity;
	int e = prepare(h, &identity, why);

	if (e == 0 && !identity.enrolled) /* a crash while it joined: its answer was not stored yet */
		e = -ENOENT;
	if (e == 0)
		e = loop_new_on(&h->machine.clock, &h->loop);
	if (e != 0)
		return e;
	e = node_start(&h->node, &parts, h->loop, &h->config, &identity, h->roles, false, why);
	if (e != 0)
		h->loop = loop_free(h->loop);
	return e;
}

void host_start(struct host *h)
{
	struct world *w = h->machine.world;
	struct why why = { .text = "" };
	int e;

	h->start_ms = NEVER;
	if (h->up || h->deleted)
		return;
	if (!h->joined) {
		host_join(h);
		return;
	}
	h->joining = link_client_free(h->joining);
	h->pump_ms = NEVER;
	h->heard = false;
	h->checked_applies = h->checked_epoch = h->checked_v = 0;
	w->actor = h;
	e = start(h, &why);
	w->actor = NULL;
	if (e == -ENOENT && !disk_is_dead(h->machine.disk)) {
		h->joined = false;
		again(h);
		return;
	}
	if (e) {
		start_failed(h, e, &why);
		return;
	}
	h->up = true;
	h->starts++;
	world_note(w, "%s starts at V %llu, %zu records", h->machine.name, (unsigned long long)h->node.replica.v, h->node.replica.records.n);
	if (host_is_alive(h))
		check_claim(h);
}

static void end_process(struct host *h)
{
	struct world *w = h->machine.world;

	if (!h->up)
		return;
	w->actor = h;
	h->up = false;
	node_stop(&h->node);
	h->loop = loop_free(h->loop);
	w->actor = NULL;
	h->pump_ms = NEVER;
	h->thaw_ms = 0;
}

void host_end(struct host *h, bool power_cut)
{
	struct world *w = h->machine.world;

	w->counts.crashes++;
	w->counts.cuts += power_cut;
	disk_kill(h->machine.disk);
	end_process(h);
	if (power_cut) {
		disk_cut(h->machine.disk, world_chance(w, 300));
		kernel_wipe(&h->kernel);
	}
	disk_revive(h->machine.disk);
	world_note(w, "%s %s", h->machine.name, power_cut ? "lost power" : "was killed");
	again(h);
}

void host_stop(struct host *h)
{
	struct world *w = h->machine.world;

	end_process(h);
	world_note(w, "%s stopped", h->machine.name);
	if (disk_is_dead(h->machine.disk)) {
		disk_cut(h->machine.disk, false);
		kernel_wipe(&h->kernel);
	}
	disk_revive(h->machine.disk);
	again(h);
}

void host_copy(struct host *to, struct host *from)
{
	disk_copy(to->machine.disk, from->machine.disk);
	disk_cut(to->machine.disk, false); /* its /run is its own */
	to->joined = true;
	to->roles = from->roles;
	to->host = from->host;
	memcpy(to->name, from->name, sizeof to->name);
	to->copy_of = from;
	from->copied = to;
	to->start_ms = to->machine.world->now_ms + 1;
	to->machine.world->counts.clones++;
}

void host_count_starts(struct host *h, unsigned n)
{
	struct identity identity;
	struct why why;

	while (n--)
		if (prepare(h, &identity, &why) != 0)
			world_note(h->machine.world, "%s cannot count its starts", h->machine.name);
}

/* ---- joining ---- */

static void ask(struct host *h);

static void join_wake(void *ctx, uint64_t at)
{
	((struct host *)ctx)->join_ms = at;
}

static void joined(struct host *h, const Sixpn__EnrollReply *m)
{
	const char *state_dir = config_str(&h->config, "state_dir");
	struct world *w = h->machine.world;
	struct identity identity;
	struct why why;

	if (identity_load(state_dir, &h->machine.clock, &identity, &why) != 0)
		return;
	identity.host = h->host = m->host;
	snprintf(identity.name, sizeof identity.name, "%.*s", (int)m->name.len, (const char *)m->name.data);
	snprintf(h->name, sizeof h->name, "%s", identity.name);
	snprintf(identity.region, sizeof identity.region, "%.*s", (int)m->region.len, (const char *)m->region.data);
	snprintf(identity.controller_addresses, sizeof identity.controller_addresses, "controller:4281");
	crypto_x25519_public(w->link_key, identity.controller_key);
	if (identity_save(state_dir, &identity) == 0)
		h->joined = true;
	world_note(w, "%s joined as %s (%08x)", h->machine.name, h->name, h->host);
	h->start_ms = w->now_ms + 1;
}

static void join_done(void *ctx, enum link_result result, const uint8_t *payload, size_t len)
{
	struct host *h = ctx;
	Sixpn__EnrollReply *m = result == LINK_OK ? sixpn__enroll_reply__unpack(NULL, len, payload) : NULL;

	if (result == LINK_STOPPED)
		return;
	if (m && m->ok)
		joined(h, m);
	else if (m)
		world_note(h->machine.world, "%s may not join: %.*s", h->machine.name, (int)m->error.len, (const char *)m->error.data);
	else
		ask(h);
	if (m)
		sixpn__enroll_reply__free_unpacked(m, NULL);
}

static void ask(struct host *h)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(LINK_REQUEST_MAX);
	Sixpn__EnrollRequest m = SIXPN__ENROLL_REQUEST__INIT;
	struct world *w = h->machine.world;
	struct identity identity;
	struct why why;

	if (identity_load(config_str(&h->config, "state_dir"), &h->machine.clock, &identity, &why) != 0)
		return;
	m.token_id = pb_bytes(w->token_id, 8);
	m.token_secret = pb_bytes(w->token_secret, strlen(w->token_secret));
	m.name = pb_bytes(h->machine.name, strlen(h->machine.name));
	m.roles = h->roles;
	if (h->roles & ROLE_GATEWAY) {
		if (identity_load_gateway(config_str(&h->config, "state_dir"), &identity, &why) != 0)
			return;
		m.gateway_key = pb_bytes(identity.gateway_public, 32);
		m.gateway_host = pb_bytes(config_str(&h->config, "gateway_host"), strlen(config_str(&h->config, "gateway_host")));
		m.gateway_port = 51820;
	}
	m.mesh_key = pb_bytes(identity.mesh_public, 32);
	m.version = pb_bytes("0.1", 3);
	if (pb_pack(&m, &bytes) == 0 && link_client_call(h->joining, LINK_ENROLL, bytes.data, bytes.len, join_done, h) < 0)
		world_note(w, "%s cannot ask", h->machine.name);
}

void host_join(struct host *h)
{
	static const struct link_client_events events = { .wake_at = join_wake };
	struct link_client_config config = { .kind = LINK_KIND_ENROLL, .addresses = { "controller:4281" }, .n_addresses = 1 };
	struct world *w = h->machine.world;
	struct identity identity;
	struct why why;

	h->joining = link_client_free(h->joining);
	disk_make_folder(h->machine.disk, config_str(&h->config, "state_dir"));
	if (identity_load(config_str(&h->config, "state_dir"), &h->machine.clock, &identity, &why) != 0)
		return;
	memcpy(config.private_key, identity.link_private, 32);
	crypto_x25519_public(w->link_key, config.controller_key);
	memcpy(config.boot_id, identity.boot_id, 16);
	config.boot_count = 1;
	if (link_client_new(&h->machine.clock, &h->join_link.transport, &config, &events, h, &h->joining) < 0)
		abort();
	link_client_start(h->joining);
	ask(h);
}
