/* env - what the HTTP API asks the core, answered from memory: the api_env table. */
#include "controller/nodes/controller_internal.h"
#include "controller/nodes/metrics.h"
#include "controller/nodes/wait.h"
#include "proto/sixpn.pb-c.h"

#include <stdio.h>
#include <string.h>

#define CLONE_SHOWN_MS 60000 /* a fenced machine asks again every few seconds */

static uint64_t current_v(void *ctx)
{
	return controller_head(ctx);
}

static void fill_error(const struct node_error *in, struct api_node_error *out)
{
	wait_record_text(in->kind, in->key, in->key_len, out->record);
	snprintf(out->text, sizeof out->text, "%s", in->text);
}

/* The address of zeros is any of its own: then that by which other nodes find it. */
static void fill_metrics(const struct controller *c, const struct node_entry *node, char ret[ADDR_ENDPOINT_TEXT_LEN])
{
	static const uint8_t zeros[16];
	struct addr_endpoint at = node->metrics;
	struct memory_record *record;
	struct node_record said;
	uint8_t key[4];

	if (!node->has_metrics)
		return;
	if (!memcmp(at.address, zeros, at.address_len)) {
		put_u32(key, node->host);
		record = memory_find(&c->memory, RECORD_NODE, key, sizeof key);
		if (!record || node_decode(&record->record, &said, NULL) != 0 || !said.n_endpoints)
			return;
		said.endpoints[0].port = at.port;
		at = said.endpoints[0];
	}
	addr_endpoint_text(&at, ret);
}

static void fill_state(const struct controller *c, const struct node_entry *node, struct api_node_state *out)
{
	*out = (struct api_node_state){
		.host = node->host,
		.roles = node->roles,
		.ready = controller_is_ready(c, node),
		.draining = node->draining,
		.cloned = node->cloned_ms != NODE_NEVER && clock_mono_ms(&c->clock) - node->cloned_ms < CLONE_SHOWN_MS,
		.applied_v = node->applied_v,
		.lag = node->acked ? node->n_pending : controller_head(c),
		.last_poll_ago_ms = node->polled_ms == NODE_NEVER ? UINT64_MAX : clock_mono_ms(&c->clock) - node->polled_ms,
		.n_errors = node->n_errors,
		.n_held = node->n_held,
		.applied = convergence_recent(c, node),
		.peers = health_sum(&node->health, HEALTH_GATEWAY_PEERS, NULL),
		.peers_online = health_sum(&node->health, HEALTH_GATEWAY_PEERS, "online"),
	};
	/* what it has applied includes all that does not concern it */
	if (node->acked)
		out->applied_v = node->n_pending ? node->first_pending_v - 1 : controller_head(c);
	memcpy(out->name, node->name, sizeof out->name);
	memcpy(out->region, node->region, sizeof out->region);
	memcpy(out->version, node->version, sizeof out->version);
	fill_metrics(c, node, out->metrics);
	for (size_t i = 0; i < node->n_errors_kept && i < API_NODE_ERRORS_MAX; i++)
		fill_error(&node->errors[i], &out->errors[i]);
	for (size_t i = 0; i < node->n_held_kept && i < API_NODE_ERRORS_MAX; i++)
		wait_record_text(node->held[i].kind, node->held[i].key, node->held[i].key_len, out->held[i]);
}

static void each_node(void *ctx, void (*visit)(void *visit_ctx, const struct api_node_state *node), void *visit_ctx)
{
	const struct controller *c = ctx;
	const struct node_entry *node;
	struct api_node_state state;

	for (size_t i = 0; (node = node_table_next(&c->nodes, &i));)
		if (!node->revoked) {
			fill_state(c, node, &state);
			visit(visit_ctx, &state);
		}
}

static void each_suspended(void *ctx, void (*visit)(void *visit_ctx, const struct network_record *network), void *visit_ctx)
{
	memory_each_suspended(&((const struct controller *)ctx)->memory, visit, visit_ctx);
}

static size_t live_nodes(void *ctx, uint32_t *ret_hosts, size_t max)
{
	const struct controller *c = ctx;
	const struct node_entry *node;
	size_t n = 0;

	for (size_t i = 0; n < max && (node = node_table_next(&c->nodes, &i));)
		if (!node->revoked && !controller_is_unknown(c, node))
			ret_hosts[n++] = node->host;
	return n;
}

static int start_wait(void *ctx, const struct api_wait *wait, void (*done)(void *done_ctx, const struct api_wait_result *result),
		      void *done_ctx)
{
	return wait_start(ctx, wait, done, done_ctx);
}

static uint64_t revision(void *ctx)
{
	return ((struct controller *)ctx)->event_log.revision;
}

static struct recent_summary recent(void *ctx)
{
	return convergence_recent(ctx, NULL);
}

static void each_event(void *ctx, uint64_t after, void (*visit)(void *visit_ctx, const struct event *event), void *visit_ctx)
{
	events_each(&((struct controller *)ctx)->event_log, after, visit, visit_ctx);
}

static int watch(void *ctx, bool events_only, uint64_t after, uint32_t timeout_ms, void (*done)(void *done_ctx), void *done_ctx)
{
	return events_watch(ctx, events_only, after, timeout_ms, done, done_ctx);
}

static void metrics(void *ctx, const struct http_stats *http, struct buf *text)
{
	controller_metrics(ctx, http, text);
}

static int release_held(void *ctx, uint32_t host)
{
	struct controller *c = ctx;
	struct node_entry *node = node_table_find(&c->nodes, host);

	if (!node || node->revoked)
		return -ENOENT;
	if (!node->n_held)
		return 0;
	if (!(node->features & SIXPN__FEATURE__FEATURE_HELD_DELETES))
		return -EOPNOTSUPP;
	node->releases = NODE_RELEASES_MAX;
	events_add_node(c, node, "released", "is told to let go %zu deletes that it holds back", node->n_held);
	controller_mark(c, node);
	return (int)node->n_held;
}

static bool peer_state(void *ctx, const uint8_t id[ID_LEN], struct api_peer_state *ret)
{
	return peers_state(ctx, id, ret);
}

const struct api_env_ops controller_env_ops = {
	.current_v = current_v,
	.each_node = each_node,
	.each_suspended = each_suspended,
	.live_nodes = live_nodes,
	.wait = start_wait,
	.revision = revision,
	.recent = recent,
	.each_event = each_event,
	.watch = watch,
	.metrics = metrics,
	.release_held = release_held,
	.peer_state = peer_state,
};
