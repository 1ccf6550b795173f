/* mesh_repair - see mesh.h: what a timer looks at. The planner is wg_plan's, as in an apply. */
#include "node/mesh_internal.h"

#include "lib/base/crypto.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/netlink/wg_plan.h"

#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define UNANSWERED_MAX 3 /* a process that misses one look may only be short of processor time */

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

/* ---- device and process ---- */

/* It comes back by its death, which the loop watches. */
static void end_process(struct mesh *mesh)
{
	if (mesh->process.pidfd >= 0)
		syscall(SYS_pidfd_send_signal, mesh->process.pidfd, SIGKILL, NULL, 0);
	else if (loop_set_timer_in(mesh->loop, &mesh->restart, 0) < 0)
		log_err("mesh", "no memory for a timer");
}

/* True: it is there, and so may its peers be. */
static bool repair_device(struct mesh *mesh)
{
	struct rtnl_link link;
	bool was_off;
	int e = rtnl_link_by_name(mesh->rtnl, MESH_DEVICE, &link);

	if (e == -ENODEV || (e == 0 && link.ifindex != mesh->ifindex)) {
		log_err("mesh", "%s is gone; it is made anew", MESH_DEVICE);
		end_process(mesh); /* it serves a device that nobody has */
		return false;
	}
	if (e == 0 && link.mtu != ADDR_MTU)
		tell(mesh, REPAIR_MESH_DEVICE, MESH_DEVICE ", which had another MTU", rtnl_link_set_mtu(mesh->rtnl, link.ifindex, ADDR_MTU));
	if (e == 0) {
		e = mesh_need_ipv6(&was_off); /* the way into it was deleted with its IPv6, and is looked at next */
		if (was_off)
			tell(mesh, REPAIR_MESH_DEVICE, MESH_DEVICE ", on which IPv6 was off", e);
	}
	if (e == 0 && !(link.flags & IFF_UP)) {
		e = mesh->config.guard(mesh->config.ctx, link.ifindex);
		if (e == 0)
			e = rtnl_link_set_up(mesh->rtnl, link.ifindex, true);
		if (e == 0)
			e = mesh->config.route(mesh->config.ctx, link.ifindex);
		tell(mesh, REPAIR_MESH_DEVICE, MESH_DEVICE ", which was down", e);
	}
	return e == 0 && mesh->process.pidfd >= 0;
}

static void not_answered(struct mesh *mesh, int error)
{
	char object[96];

	mesh->unanswered++;
	log_limited(LOG_L_WARN, "mesh", "%s: wireguard-go (pid %d) does not answer: %s", MESH_DEVICE, (int)mesh->process.pid, strerror(-error));
	if (mesh->unanswered < UNANSWERED_MAX)
		return;
	snprintf(object, sizeof object, "wireguard-go (pid %d), which did not answer", (int)mesh->process.pid);
	tell(mesh, REPAIR_MESH_PROCESS, object, 0);
	mesh->unanswered = 0;
	end_process(mesh);
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

	crypto_base64(step->peer->public_key, WG_KEY_LEN, key);
	snprintf(object, sizeof object, "peer %s%s%s %s", node ? node->name : key, node ? ", " : "", node ? key : "", words[step->kind]);
	tell(mesh, REPAIR_MESH_PEER, object, error);
}

static int repair_peers(struct mesh *mesh, const struct wg_observed *now)
{
	CLEAN_FREE struct wg_peer *peers = calloc(mesh->n_nodes + 1, sizeof *peers);
	CLEAN_FREE struct wg_prefix *prefixes = calloc(mesh->n_nodes + 1, sizeof *prefixes);
	struct why why = { 0 };
	struct wg_plan plan;
	size_t n;
	int e;

	if (!peers || !prefixes)
		return -ENOMEM;
	n = mesh_plan(mesh->config.host, mesh->region, mesh->nodes, mesh->n_nodes, peers, prefixes);
	e = mesh_keep_roamed(peers, n, &mesh->before, now, (uint64_t)time(NULL), NULL, NULL);
	if (e < 0)
		return e;
	e = wg_plan_make(peers, n, now->peers, now->n, &plan, &why);
	if (e)
		return e; /* records that contradict each other are told by the apply */
	e = plan.n ? wg_apply(&mesh->wg, plan.steps, plan.n) : 0;
	for (size_t i = 0; i < plan.n; i++)
		tell_step(mesh, &plan.steps[i], e);
	wg_plan_deinit(&plan);
	return e;
}

static bool has_our_key(const struct mesh *mesh, const struct wg_device *device)
{
	return device->has_key && !memcmp(device->public_key, mesh->public_key, WG_KEY_LEN) && device->listen_port == mesh->config.port;
}

void mesh_repair(struct mesh *mesh)
{
	struct wg_observed now;
	int e;

	if (!repair_device(mesh) || !mesh->nodes)
		return;
	e = wg_observe(&mesh->wg, &now);
	if (e < 0) {
		not_answered(mesh, e);
		return;
	}
	mesh->unanswered = 0;
	if (!has_our_key(mesh, &now.device))
		tell(mesh, REPAIR_MESH_DEVICE, MESH_DEVICE ", which had another key or port",
		     wg_set_device(&mesh->wg, mesh->private_key, mesh->config.port));
	repair_peers(mesh, &now);
	wg_observed_deinit(&mesh->before);
	mesh->before = now;
}
