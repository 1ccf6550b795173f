/* mesh_repair - see mesh.h: what a timer looks at. The planner is wg_plan's, as in an apply. */
#include "node/mesh_internal.h"

#include "lib/base/crypto.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/netlink/wg_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void tell(struct mesh *mesh, enum repair kind, const char *object, int error)
{
	mesh->config.sink.repaired(mesh->config.sink.ctx, kind, object, error);
}

static const struct wg_peer_status *status_of(const struct wg_observed *observed, const uint8_t key[WG_KEY_LEN])
{
	for (size_t i = 0; observed && i < observed->n; i++)
		if (!memcmp(observed->peers[i].peer.public_key, key, WG_KEY_LEN))
			return &observed->peers[i];
	return NULL;
}

static bool has_moved(const struct wg_peer_status *before, const struct wg_peer_status *now, uint64_t now_s)
{
	if (!now->peer.endpoint.ss_family || !now->last_handshake_s || now->last_handshake_s + MESH_HANDSHAKE_FRESH_S < now_s)
		return false;
	return !before || wg_endpoint_equal(&before->peer.endpoint, &now->peer.endpoint) || now->rx_bytes > before->rx_bytes;
}

int mesh_keep_roamed(struct wg_peer *desired, size_t n, const struct wg_observed *before, const struct wg_observed *now, uint64_t now_s,
		     bool (*may)(void *ctx, const struct wg_peer *desired), void *ctx)
{
	struct map by_key = { 0 };
	int e = 0;

	for (size_t i = 0; e == 0 && i < now->n; i++)
		e = map_set(&by_key, now->peers[i].peer.public_key, WG_KEY_LEN, &now->peers[i], NULL);
	for (size_t i = 0; e == 0 && i < n; i++) {
		const struct wg_peer_status *status = map_get(&by_key, desired[i].public_key, WG_KEY_LEN);

		if (!status || !desired[i].endpoint.ss_family || wg_endpoint_equal(&desired[i].endpoint, &status->peer.endpoint))
			continue; /* nearly always: no search in `before` */
		if (has_moved(status_of(before, desired[i].public_key), status, now_s) && (!may || may(ctx, &desired[i])))
			desired[i].endpoint = status->peer.endpoint;
	}
	map_deinit(&by_key);
	return e;
}

/* ---- peers ---- */

static const struct node_record *node_of(const struct mesh *mesh, const uint8_t key[WG_KEY_LEN])
{
	for (size_t i = 0; i < mesh->n_nodes; i++)
		if (!memcmp(mesh->nodes[i].mesh_key, key, WG_KEY_LEN))
			return &mesh->nodes[i];
	return NULL;
}

static void tell_step(struct mesh *mesh, const struct wg_step *step, int error)
{
	static const char *const words[] = { [WG_STEP_REMOVE] = "is no node's", [WG_STEP_UPDATE] = "was changed", [WG_STEP_ADD] = "was missing" };
	const struct node_record *node = node_of(mesh, step->peer->public_key);
	char object[192], key[CRYPTO_BASE64_KEY_LEN + 1];

	if (wg_plan_is_nobody(step->peer)) { /* told once: by what it takes */
		if (step->kind == WG_STEP_ADD)
			tell(mesh, REPAIR_MESH_PEER, wg_plan_nobody_text(step->peer, object, sizeof object), error);
		return;
	}
	crypto_base64(step->peer->public_key, WG_KEY_LEN, key);
	snprintf(object, sizeof object, "peer %s%s%s %s", node ? node->name : key, node ? ", " : "", node ? key : "", words[step->kind]);
	tell(mesh, REPAIR_MESH_PEER, object, error);
}

static int repair_peers(struct mesh *mesh, const struct wg_observed *now)
{
	CLEAN_FREE struct wg_peer *peers = calloc(mesh->n_nodes + 1, sizeof *peers);
	CLEAN_FREE struct wg_prefix *prefixes = calloc(mesh->n_nodes + mesh->moved.n + 1, sizeof *prefixes);
	struct why why = { 0 };
	struct wg_plan plan;
	size_t n;
	int e;

	if (!peers || !prefixes)
		return -ENOMEM;
	n = mesh_plan(mesh->config.host, mesh->region, mesh->nodes, mesh->n_nodes, &mesh->moved, peers, prefixes);
	e = mesh_keep_roamed(peers, n, &mesh->before, now, (uint64_t)time(NULL), NULL, NULL);
	if (e < 0)
		return e;
	e = wg_plan_make(peers, n, now->peers, now->n, &plan, &why);
	if (e)
		return e; /* records that contradict each other are told by the apply */
	e = plan.n ? wg_apply(wg_tunnel_wg(mesh->tunnel), plan.steps, plan.n) : 0;
	for (size_t i = 0; i < plan.n; i++)
		tell_step(mesh, &plan.steps[i], e);
	wg_plan_deinit(&plan);
	return e;
}

void mesh_repair(struct mesh *mesh)
{
	struct wg_observed now = { 0 };
	int e;

	if (!wg_tunnel_repair(mesh->tunnel) || !mesh->nodes)
		return;
	e = wg_observe(wg_tunnel_wg(mesh->tunnel), &now);
	wg_tunnel_looked(mesh->tunnel, e, &now.device);
	if (e < 0)
		return;
	repair_peers(mesh, &now);
	wg_observed_deinit(&mesh->before);
	mesh->before = now;
}
