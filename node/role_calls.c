/* role_calls - what roles may call: how their instances and peers are, what they could not do. */
#include "node/apply_internal.h"
#include "node/awaits.h"

#include "lib/base/log.h"

#include <string.h>

static void role_report(void *ctx, const char *instance_id, const struct observed *observed)
{
	struct node *node = ctx;
	const struct record *record = replica_find(&node->replica, RECORD_INSTANCE, instance_id, NAME_INSTANCE_ID_LEN);
	int e;

	if (!reports_set(node->reports, instance_id, observed))
		return;
	log_info("instance", "%s is %s (generation %llu%s%s)", instance_id, instance_state_name(observed->state),
		 (unsigned long long)observed->generation, observed->message[0] ? ", " : "", observed->message);
	if (record) { /* our own name server knows first */
		e = names_sync_network(node->names, record->network);
		if (e < 0)
			apply_complain(node, "names", e, NULL);
		apply_names_later(node);
	}
	if (!node->applying)
		reports_send(node->reports);
}

static void role_record_error(void *ctx, uint32_t kind, const char *instance_id, uint64_t v, const char *text)
{
	struct node *node = ctx;

	node_errors_add(&node->errors, kind, instance_id, strlen(instance_id), v, text);
	if (!node->applying && node->sync)
		sync_nudge(node->sync);
}

static void role_peer_error(void *ctx, uint32_t kind, const uint8_t peer[8], uint64_t v, const char *text)
{
	struct node *node = ctx;
	uint8_t key[RECORD_PEER_KEY_KEY_LEN];

	peer_key_record_key(peer, node->identity.host, key);
	node_errors_add(&node->errors, kind, key, kind == RECORD_PEER_KEY ? sizeof key : 8, v, text);
	if (!node->applying && node->sync)
		sync_nudge(node->sync);
}

static void role_self_error(void *ctx, const char *text)
{
	struct node *node = ctx;
	uint8_t key[4];

	put_u32(key, node->identity.host);
	node->apply_errors++;
	node_errors_add(&node->errors, RECORD_NODE, key, sizeof key, node->replica.v, text);
	apply_later(node);
	if (!node->applying && node->sync)
		sync_nudge(node->sync);
}

static void role_peer_stats(void *ctx, const struct role_peer_stats *stats, size_t n)
{
	struct node *node = ctx;

	for (size_t i = 0; i < n; i++)
		reports_set_peer(node->reports, &stats[i]);
	if (!node->applying)
		reports_send(node->reports);
}

static void role_repaired(void *ctx, enum repair kind, const char *object, int error)
{
	struct node *node = ctx;

	drift_note(node->drift, kind, object, error);
}

const struct role_node_ops node_role_ops = {
	.report = role_report,
	.record_error = role_record_error,
	.peer_error = role_peer_error,
	.self_error = role_self_error,
	.peer_stats = role_peer_stats,
	.await_presence = awaits_add,
	.forget_await = awaits_forget,
	.repaired = role_repaired,
};
