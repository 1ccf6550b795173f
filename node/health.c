/* health - see health.h. */
#include "node/health.h"

#include "lib/bpf/counters.h"
#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <stdlib.h>
#include <string.h>

struct health_reading {
	struct node *node;
	bool has_bpf, has_gate, has_dns, has_mesh, has_gateway;
	struct bpf_counters bpf;
	struct nft_counter gate;
	struct dns_stats dns;
	struct mesh_status mesh;
	struct role_numbers gateway;
	struct dns_upstreams upstreams; /* n = 0: nothing is forwarded */
};

struct health_reading *health_read(struct node *node)
{
	struct health_reading *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->node = node;
	r->has_bpf = node->datapath && bpf_counters_read(node->datapath, &r->bpf) == 0;
	r->has_gate = node->ground.nft && nft_gate_drops(node->ground.nft, &node->ground.gate, &r->gate) == 0;
	r->has_dns = node->dns != NULL;
	if (r->has_dns) {
		dns_server_stats(node->dns, &r->dns);
		dns_server_upstreams(node->dns, &r->upstreams);
	}
	r->has_mesh = node->mesh != NULL;
	if (r->has_mesh)
		mesh_status(node->mesh, &r->mesh);
	r->has_gateway = node_role_numbers(node, &r->gateway);
	return r;
}

struct health_reading *health_reading_free(struct health_reading *reading)
{
	free(reading);
	return NULL;
}

typedef void health_each_fn(void *ctx, uint64_t n, const char *const *labels, size_t n_labels);

static void one(health_each_fn *each, void *ctx, const char *label, uint64_t n)
{
	each(ctx, n, &label, 1);
}

static void each_drop(const struct health_reading *r, health_each_fn *each, void *ctx)
{
	for (unsigned i = 1; r->has_bpf && i < SIXPN_REASON_SLOTS; i++)
		if (bpf_reason_name(i))
			one(each, ctx, bpf_reason_name(i), r->bpf.dropped[i].packets);
}

static void each_pass(const struct health_reading *r, bool bytes, health_each_fn *each, void *ctx)
{
	for (unsigned i = 0; r->has_bpf && i < SIXPN_HOOK_COUNT; i++)
		one(each, ctx, bpf_hook_name(i), bytes ? r->bpf.passed[i].bytes : r->bpf.passed[i].packets);
}

/* The usual spelling of codes, and `forwarded` for what is not ours to answer. */
static void each_answer(const struct health_reading *r, health_each_fn *each, void *ctx)
{
	char rcode[16];

	for (unsigned t = 0; r->has_dns && t < DNS_TREE_COUNT; t++)
		for (unsigned code = 0; code < DNS_RCODE_SLOTS; code++)
			for (unsigned via = 0; via < DNS_TRANSPORT_COUNT; via++) {
				uint64_t n = r->dns.answers[t][code][via];
				const char *labels[] = { t == DNS_TREE_OTHER ? "forwarded" : dns_tree_name((enum dns_tree)t), rcode,
							 via == DNS_UDP ? "udp" : "tcp" };
				size_t i;

				/* the rare ones appear with their first answer; what alerts look at is there from the start */
				if (!n && !(t == DNS_TREE_INTERNAL && via == DNS_UDP))
					continue;
				for (i = 0; dns_rcode_slot_name(code)[i] && i + 1 < sizeof rcode; i++)
					rcode[i] = (char)(dns_rcode_slot_name(code)[i] & ~0x20);
				rcode[i] = 0;
				each(ctx, n, labels, 3);
			}
}

static void each_dns_event(const struct health_reading *r, health_each_fn *each, void *ctx)
{
	for (unsigned i = 0; r->has_dns && i < DNS_COUNTER_COUNT; i++)
		one(each, ctx, dns_counter_name((enum dns_counter)i), r->dns.counters[i]);
}

static void each_mesh_peer(const struct health_reading *r, health_each_fn *each, void *ctx)
{
	if (!r->has_mesh)
		return;
	one(each, ctx, "up", r->mesh.peers_up);
	one(each, ctx, "quiet", r->mesh.peers - r->mesh.peers_up);
}

static void each_gateway_peer(const struct health_reading *r, health_each_fn *each, void *ctx)
{
	const struct role_numbers *g = &r->gateway;
	size_t seen = g->online + g->offline + g->never;

	if (!r->has_gateway)
		return;
	one(each, ctx, "online", g->online);
	one(each, ctx, "offline", g->offline);
	one(each, ctx, "never", g->never);
	one(each, ctx, "unseen", g->peers > seen ? g->peers - seen : 0);
}

static void each_repair(const uint64_t counts[REPAIR_KINDS], health_each_fn *each, void *ctx)
{
	for (unsigned i = 0; i < REPAIR_KINDS; i++)
		one(each, ctx, repair_name((enum repair)i), counts[i]);
}

static void each_upstream(const struct health_reading *r, health_each_fn *each, void *ctx)
{
	for (size_t i = 0; i < r->upstreams.n; i++)
		one(each, ctx, r->upstreams.all[i].text, !r->upstreams.all[i].suspect);
}

static uint64_t forwarded(const struct health_reading *r, enum dns_forward_counter counter)
{
	return r->dns.forward.counters[counter];
}

static uint64_t failed_forwards(const struct health_reading *r)
{
	return forwarded(r, DNS_FORWARD_FAILED) + forwarded(r, DNS_FORWARD_HIT_FAILURE) + forwarded(r, DNS_FORWARD_NO_UPSTREAM);
}

static uint64_t lost_calls(const struct node *node)
{
	const struct link_client_stats *s = link_client_stats(node->link);

	return s->lost + s->timeouts;
}

void health_each(const struct health_reading *r, enum health_what what, health_each_fn *each, void *ctx)
{
	struct node *node = r->node;

	switch (what) {
	case HEALTH_DROPS: each_drop(r, each, ctx); return;
	case HEALTH_PACKETS: each_pass(r, false, each, ctx); return;
	case HEALTH_BYTES: each_pass(r, true, each, ctx); return;
	case HEALTH_UNMARKED:
		if (r->has_gate)
			each(ctx, r->gate.packets, NULL, 0);
		return;
	case HEALTH_DNS_ANSWERS: each_answer(r, each, ctx); return;
	case HEALTH_DNS_EVENTS: each_dns_event(r, each, ctx); return;
	case HEALTH_DNS_NETWORKS: each(ctx, dns_views_count(node->views), NULL, 0); return;
	case HEALTH_KERNEL_REPAIRS: each_repair(drift_stats(node->drift)->repairs, each, ctx); return;
	case HEALTH_KERNEL_REPAIR_FAILURES: each_repair(drift_stats(node->drift)->failures, each, ctx); return;
	case HEALTH_DNS_UPSTREAM_UP: each_upstream(r, each, ctx); return;
	case HEALTH_DNS_CACHE_HITS:
		if (r->upstreams.n)
			each(ctx, forwarded(r, DNS_FORWARD_HIT) + forwarded(r, DNS_FORWARD_HIT_STALE), NULL, 0);
		return;
	case HEALTH_DNS_FORWARD_FAILED:
		if (r->has_dns)
			each(ctx, failed_forwards(r), NULL, 0);
		return;
	case HEALTH_APPLY_ERRORS: each(ctx, node->apply_errors, NULL, 0); return;
	case HEALTH_PRESENCE_TIMEOUTS: each(ctx, node->presence_timeouts, NULL, 0); return;
	case HEALTH_STARTED: each(ctx, node->started_ms / 1000, NULL, 0); return;
	case HEALTH_RECORDS: each(ctx, node->replica.records.n, NULL, 0); return;
	case HEALTH_MESH_PEERS: each_mesh_peer(r, each, ctx); return;
	case HEALTH_MESH_RESTARTS:
		if (r->has_mesh)
			each(ctx, r->mesh.restarts, NULL, 0);
		return;
	case HEALTH_GATEWAY_PEERS: each_gateway_peer(r, each, ctx); return;
	case HEALTH_GATEWAY_HANDSHAKES:
		if (r->has_gateway)
			each(ctx, r->gateway.handshakes, NULL, 0);
		return;
	case HEALTH_GATEWAY_RESTARTS:
		if (r->has_gateway)
			each(ctx, r->gateway.restarts, NULL, 0);
		return;
	case HEALTH_LINK_SESSIONS: each(ctx, link_client_stats(node->link)->sessions, NULL, 0); return;
	case HEALTH_LINK_LOST: each(ctx, lost_calls(node), NULL, 0); return;
	case HEALTH_SNAPSHOTS: each(ctx, sync_stats(node->sync)->snapshots, NULL, 0); return;
	case HEALTH_REFUSED: each(ctx, sync_stats(node->sync)->refused, NULL, 0); return;
	}
}

/* ---- in a poll ---- */

struct health_said {
	uint64_t at_ms; /* monotonic */
	size_t n;
	enum health_what what; /* being collected */
	Sixpn__Health message;
	Sixpn__HealthValue values[HEALTH_VALUES_MAX], *list[HEALTH_VALUES_MAX];
	ProtobufCBinaryData labels[HEALTH_VALUES_MAX][HEALTH_LABELS_MAX];
	char texts[HEALTH_VALUES_MAX][HEALTH_LABELS_SIZE];
};

static void collect(void *ctx, uint64_t n, const char *const *labels, size_t n_labels)
{
	struct health_said *said = ctx;
	Sixpn__HealthValue *value = &said->values[said->n];
	char *text = said->texts[said->n];
	size_t at = 0;

	if (said->n == HEALTH_VALUES_MAX)
		return;
	sixpn__health_value__init(value);
	value->what = said->what;
	value->n = n;
	value->labels = said->labels[said->n];
	for (size_t i = 0; i < n_labels; i++) {
		size_t len = strlen(labels[i]);

		if (at + len + 1 > HEALTH_LABELS_SIZE)
			return;
		memcpy(text + at, labels[i], len + 1);
		value->labels[value->n_labels++] = pb_bytes(text + at, len);
		at += len + 1;
	}
	said->list[said->n++] = value;
}

void health_fill_poll(struct node *node, struct health_said **said, Sixpn__PollRequest *poll)
{
	static const enum health_what rows[] = {
#define HEALTH_NUMBER(number, NAME, metric, type, labels, help) HEALTH_##NAME,
		HEALTH_FAMILIES(HEALTH_NUMBER)
#undef HEALTH_NUMBER
	};
	uint64_t now = clock_mono_ms(&node->clock);
	struct health_reading *reading;
	struct health_said *s = *said;

	if (s && now < s->at_ms + HEALTH_EVERY_MS)
		return;
	reading = health_read(node);
	if (!s)
		s = *said = calloc(1, sizeof *s);
	if (!s || !reading) {
		health_reading_free(reading);
		return;
	}
	s->at_ms = now;
	s->n = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		s->what = rows[i];
		health_each(reading, rows[i], collect, s);
	}
	health_reading_free(reading);
	sixpn__health__init(&s->message);
	s->message.values = s->list;
	s->message.n_values = s->n;
	poll->health = &s->message;
}

struct health_said *health_said_free(struct health_said *said)
{
	free(said);
	return NULL;
}
