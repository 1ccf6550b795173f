/* mesh - see mesh.h. The device, and what is behind it, is a wg_tunnel; here is which peers it has. */
#include "node/mesh_internal.h"

#include "lib/base/log.h"
#include "lib/netlink/wg_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct sockaddr_storage socket_address(const struct addr_endpoint *e);
static const struct addr_endpoint *best_endpoint(const struct node_record *node, const char *region);

struct node_list {
	struct node_record *nodes;
	size_t n;
	const char *region; /* ours */
};

/* Did the records before say the same of its endpoint? Then a peer that moved since stays where it is; else the new word counts. */
static bool is_old_news(void *ctx, const struct wg_peer *desired)
{
	const struct node_list *old = ctx;

	for (size_t i = 0; i < old->n; i++) {
		const struct addr_endpoint *at = best_endpoint(&old->nodes[i], old->region);
		struct sockaddr_storage was;

		if (memcmp(old->nodes[i].mesh_key, desired->public_key, WG_KEY_LEN) || !at)
			continue;
		was = socket_address(at);
		return wg_endpoint_equal(&was, &desired->endpoint);
	}
	return false;
}

static int apply_peers(struct mesh *mesh, struct wg_peer *peers, size_t n, struct node_list *old, size_t *ret_steps, struct why *why)
{
	struct wg_observed now;
	struct wg_plan plan;
	int e = wg_observe(wg_tunnel_wg(mesh->tunnel), &now);

	if (e < 0)
		return e;
	e = mesh_keep_roamed(peers, n, &mesh->before, &now, (uint64_t)time(NULL), is_old_news, old);
	if (e == 0)
		e = wg_plan_make(peers, n, now.peers, now.n, &plan, why);
	wg_observed_deinit(&now);
	if (e)
		return e;
	*ret_steps = plan.n;
	e = plan.n ? wg_apply(wg_tunnel_wg(mesh->tunnel), plan.steps, plan.n) : 0;
	wg_plan_deinit(&plan);
	return e;
}

static int reconcile(struct mesh *mesh, bool greet, struct node_list *old, struct why *why)
{
	CLEAN_FREE struct wg_peer *peers = calloc(mesh->n_nodes + 1, sizeof *peers);
	CLEAN_FREE struct wg_prefix *prefixes = calloc(mesh->n_nodes + mesh->moved.n + 1, sizeof *prefixes);
	size_t steps = 0, n;
	int e;

	if (!peers || !prefixes)
		return -ENOMEM;
	n = mesh_plan(mesh->config.host, mesh->region, mesh->nodes, mesh->n_nodes, &mesh->moved, peers, prefixes);
	e = wg_tunnel_set_device(mesh->tunnel);
	if (e == 0)
		e = apply_peers(mesh, peers, n, old, &steps, why);
	if (e == 0 && greet) /* the others still send with the sessions of the process that died */
		e = wg_greet(wg_tunnel_wg(mesh->tunnel), peers, n);
	if (e == 0 && steps)
		log_info("mesh", "%s: %zu peers, %zu changes", MESH_DEVICE, n, steps);
	return e;
}

/* ---- the tunnel ---- */

static int guard(void *ctx, uint32_t ifindex)
{
	struct mesh *mesh = ctx;

	return mesh->config.guard(mesh->config.ctx, ifindex);
}

static int route(void *ctx, uint32_t ifindex)
{
	struct mesh *mesh = ctx;

	return mesh->config.route(mesh->config.ctx, ifindex);
}

static int replay(void *ctx, struct why *why)
{
	struct node_list nothing_old = { 0 };
	struct mesh *mesh = ctx;
	int e = reconcile(mesh, true, &nothing_old, why);

	mesh->greet_due = mesh->greet_due && e;
	return e;
}

static void repaired(void *ctx, enum wg_tunnel_repair what, const char *object, int error)
{
	struct mesh *mesh = ctx;

	mesh->config.sink.repaired(mesh->config.sink.ctx, what == WG_TUNNEL_DEVICE ? REPAIR_MESH_DEVICE : REPAIR_MESH_PROCESS, object, error);
}

int mesh_new(struct loop *loop, struct rtnl *rtnl, const struct mesh_config *config, struct mesh **ret_mesh, struct why *why)
{
	struct mesh *mesh = calloc(1, sizeof *mesh);
	struct wg_tunnel_config tunnel = { .name = MESH_DEVICE,
					   .area = "mesh",
					   .private_key = config->private_key,
					   .port = config->port,
					   .backend = config->backend,
					   .mtu = ADDR_MTU,
					   .run_dir = config->run_dir,
					   .log_file = config->log_file,
					   .guard = guard,
					   .route = route,
					   .replay = replay,
					   .repaired = repaired,
					   .ctx = mesh };
	int e;

	if (!mesh)
		return -ENOMEM;
	mesh->config = *config;
	mesh->config.private_key = NULL; /* the tunnel has it */
	snprintf(mesh->region, sizeof mesh->region, "%s", config->region);
	e = wg_tunnel_new(loop, rtnl, &tunnel, &mesh->tunnel, why);
	if (e)
		free(mesh);
	else
		*ret_mesh = mesh;
	return e;
}

int mesh_up(struct mesh *mesh)
{
	bool started;
	int e = wg_tunnel_up(mesh->tunnel, &started);

	mesh->greet_due = e == 0 && started && mesh->config.came_back;
	return e;
}

struct mesh *mesh_free(struct mesh *mesh)
{
	if (!mesh)
		return NULL;
	wg_tunnel_free(mesh->tunnel);
	wg_observed_deinit(&mesh->before);
	free(mesh->nodes);
	moved_deinit(&mesh->moved);
	free(mesh);
	return NULL;
}

void mesh_wipe(struct mesh *mesh)
{
	wg_tunnel_wipe(mesh->tunnel);
}

uint32_t mesh_ifindex(const struct mesh *mesh)
{
	return wg_tunnel_ifindex(mesh->tunnel);
}

/* ---- the peers ---- */

static struct sockaddr_storage socket_address(const struct addr_endpoint *e)
{
	struct sockaddr_storage out = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out;

	if (e->address_len == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(e->port);
		memcpy(&v4->sin_addr, e->address, 4);
	} else {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(e->port);
		memcpy(&v6->sin6_addr, e->address, 16);
	}
	return out;
}

static const struct addr_endpoint *best_endpoint(const struct node_record *node, const char *region)
{
	bool near = !strcmp(node->region, region);

	for (size_t i = 0; near && i < node->n_endpoints; i++)
		if (node->endpoints[i].lan)
			return &node->endpoints[i];
	for (size_t i = 0; i < node->n_endpoints; i++)
		if (!node->endpoints[i].lan)
			return &node->endpoints[i];
	return NULL;
}

/* WireGuard takes the longest prefix, so the /48 of the home does not have to give way. */
static size_t moved_prefixes(const struct moved *moved, uint32_t carrier, struct wg_prefix *ret_prefixes)
{
	size_t n_at, n = 0;
	struct moved_address *const *at = moved_at(moved, carrier, &n_at);

	for (size_t i = 0; i < n_at; i++) {
		struct in6_addr prefix = addr_swap(&at[i]->prefix);

		if (!at[i]->refused)
			ret_prefixes[n++] = wg_prefix_in6(&prefix, at[i]->len);
	}
	return n;
}

size_t mesh_plan(uint32_t self, const char *region, const struct node_record *nodes, size_t n_nodes, const struct moved *moved,
		 struct wg_peer *ret_peers, struct wg_prefix *ret_prefixes)
{
	size_t n = 0;

	for (size_t i = 0; i < n_nodes; i++) {
		const struct addr_endpoint *at = best_endpoint(&nodes[i], region);
		struct in6_addr prefix = addr_mesh_host_prefix(nodes[i].host);

		if (nodes[i].host == self)
			continue;
		*ret_prefixes = wg_prefix_in6(&prefix, 48);
		ret_peers[n] = (struct wg_peer){ .allowed = ret_prefixes, .n_allowed = 1 };
		if (moved)
			ret_peers[n].n_allowed += moved_prefixes(moved, nodes[i].host, ret_prefixes + 1);
		ret_prefixes += ret_peers[n].n_allowed;
		memcpy(ret_peers[n].public_key, nodes[i].mesh_key, WG_KEY_LEN);
		if (at)
			ret_peers[n].endpoint = socket_address(at);
		n++;
	}
	return n;
}

static int add_node(void *ctx, const struct record *record)
{
	struct node_list *list = ctx;
	struct why why;

	if (node_decode(record, &list->nodes[list->n], &why) == 0)
		list->n++;
	else
		log_err("mesh", "a node record cannot be read: %s, ignoring", why.text);
	return 0;
}

int mesh_sync(struct mesh *mesh, const struct replica *replica, const struct moved *moved, struct why *why)
{
	struct node_list list = { .nodes = calloc(replica->n_by_kind[RECORD_NODE] + 1, sizeof *list.nodes) };
	struct node_list old = { mesh->nodes, mesh->n_nodes, mesh->region };
	struct moved copy;
	int e = list.nodes ? moved_copy(moved, &copy) : -ENOMEM;

	if (e < 0) {
		free(list.nodes);
		return e;
	}
	moved_deinit(&mesh->moved);
	mesh->moved = copy;
	replica_each(replica, RECORD_NODE, add_node, &list);
	mesh->nodes = list.nodes;
	mesh->n_nodes = list.n;
	e = reconcile(mesh, mesh->greet_due, &old, why);
	free(old.nodes);
	mesh->greet_due = mesh->greet_due && e;
	return e;
}

struct up_count {
	uint64_t now;
	size_t peers, up;
};

static void count_peer(void *ctx, const struct wg_peer_status *status)
{
	struct up_count *c = ctx;

	c->peers++;
	c->up += status->last_handshake_s && status->last_handshake_s + MESH_HANDSHAKE_FRESH_S >= c->now;
}

void mesh_status(struct mesh *mesh, struct mesh_status *ret_status)
{
	struct up_count c = { .now = (uint64_t)time(NULL) };

	if (!wg_tunnel_answers(mesh->tunnel)) /* who asks for the status is not to wait for a process that does not answer */
		for (size_t i = 0; i < mesh->before.n; i++)
			count_peer(&c, &mesh->before.peers[i]);
	else
		wg_dump(wg_tunnel_wg(mesh->tunnel), count_peer, &c, NULL);
	*ret_status = (struct mesh_status){ .peers = c.peers, .peers_up = c.up, .restarts = wg_tunnel_restarts(mesh->tunnel),
					   .backend = wg_tunnel_wg(mesh->tunnel)->ops->name };
}
