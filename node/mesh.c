/* mesh - see mesh.h. The process behind the device may die: the device stays, its sessions go. Its pidfd tells the loop, which
 * starts another and gives it the whole configuration again. */
#include "node/mesh_internal.h"

#include "lib/base/crypto.h"
#include "lib/base/log.h"
#include "lib/netlink/sysctl.h"
#include "lib/netlink/wg_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
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
	int e = wg_observe(&mesh->wg, &now);

	if (e < 0)
		return e;
	e = mesh_keep_roamed(peers, n, &mesh->before, &now, (uint64_t)time(NULL), is_old_news, old);
	if (e == 0)
		e = wg_plan_make(peers, n, now.peers, now.n, &plan, why);
	wg_observed_deinit(&now);
	if (e)
		return e;
	*ret_steps = plan.n;
	e = plan.n ? wg_apply(&mesh->wg, plan.steps, plan.n) : 0;
	wg_plan_deinit(&plan);
	return e;
}

static int reconcile(struct mesh *mesh, bool greet, struct node_list *old, struct why *why)
{
	CLEAN_FREE struct wg_peer *peers = calloc(mesh->n_nodes + 1, sizeof *peers);
	CLEAN_FREE struct wg_prefix *prefixes = calloc(mesh->n_nodes + 1, sizeof *prefixes);
	size_t steps = 0, n;
	int e;

	if (!peers || !prefixes)
		return -ENOMEM;
	n = mesh_plan(mesh->config.host, mesh->region, mesh->nodes, mesh->n_nodes, peers, prefixes);
	e = wg_set_device(&mesh->wg, mesh->private_key, mesh->config.port);
	if (e == 0)
		e = apply_peers(mesh, peers, n, old, &steps, why);
	if (e == 0 && greet) /* the others still send with the sessions of the process that died */
		e = wg_greet(&mesh->wg, peers, n);
	if (e == 0 && steps)
		log_info("mesh", "%s: %zu peers, %zu changes", MESH_DEVICE, n, steps);
	return e;
}

static void process_died(struct loop_io *io, uint32_t revents);

static void watch_process(struct mesh *mesh)
{
	int e;

	mesh->death = (struct loop_io){ .fd = mesh->process.pidfd, .events = EPOLLIN, .ready = process_died };
	e = loop_add_io(mesh->loop, &mesh->death);
	if (e < 0)
		log_err("mesh", "wireguard-go cannot be watched: %s", strerror(-e));
}

int mesh_need_ipv6(bool *ret_was_off)
{
	static const char name[] = "net/ipv6/conf/" MESH_DEVICE "/disable_ipv6";
	char now[SYSCTL_VALUE_MAX];
	int e = sysctl_read(name, now, sizeof now);

	*ret_was_off = e == 0 && strcmp(now, "0");
	return *ret_was_off ? sysctl_write(name, "0") : e;
}

static int make_device(struct mesh *mesh)
{
	bool was_off;
	int e = wg_process_device(MESH_DEVICE, &mesh->ifindex);

	/* The kernel forgets this when wireguard-go lets go of the tun, and EINVAL here only says that it never made an address. */
	if (e == 0 && rtnl_link_set_addrgenmode_none(mesh->rtnl, mesh->ifindex) < 0)
		log_debug("mesh", "%s keeps its address generation mode", MESH_DEVICE);
	if (e == 0)
		e = rtnl_link_set_mtu(mesh->rtnl, mesh->ifindex, ADDR_MTU);
	return e == 0 ? mesh_need_ipv6(&was_off) : e;
}

/* Whatever of it is there already stays. A device that was made anew has its programs before it is up. */
static int bring_up(struct mesh *mesh)
{
	bool started = false;
	int e = make_device(mesh);

	if (e == 0)
		e = mesh->config.guard(mesh->config.ctx, mesh->ifindex);
	if (e == 0)
		e = wg_process_ensure(&mesh->process_config, &mesh->process, &started);
	if (e < 0)
		return e;
	log_info("mesh", "%s: wireguard-go pid %d %s", MESH_DEVICE, (int)mesh->process.pid, started ? "started" : "adopted");
	mesh->unanswered = 0;
	mesh->greet_due = started && mesh->config.came_back;
	watch_process(mesh);
	e = rtnl_link_set_up(mesh->rtnl, mesh->ifindex, true);
	return e == 0 ? mesh->config.route(mesh->config.ctx, mesh->ifindex) : e;
}

static void restart_expired(struct loop_timer *timer)
{
	struct mesh *mesh = container_of(timer, struct mesh, restart);
	uint32_t before = mesh->ifindex;
	struct node_list nothing_old = { 0 };
	struct why why = { 0 };
	int e = mesh->process.pidfd < 0 ? bring_up(mesh) : 0;

	if (e == 0)
		e = reconcile(mesh, true, &nothing_old, &why);
	if (mesh->ifindex != before)
		mesh->config.sink.repaired(mesh->config.sink.ctx, REPAIR_MESH_DEVICE, MESH_DEVICE ", which was gone", e);
	if (e) {
		log_err("mesh", "%s: wireguard-go cannot be brought back: %s; trying again", MESH_DEVICE, e > 0 ? why.text : strerror(-e));
		if (loop_set_timer_in(mesh->loop, &mesh->restart, 10 * MESH_RESTART_MS) < 0)
			log_err("mesh", "no memory for a timer");
		return;
	}
	mesh->greet_due = false;
	log_info("mesh", "%s: configuration replayed", MESH_DEVICE);
}

static void process_died(struct loop_io *io, uint32_t revents)
{
	struct mesh *mesh = container_of(io, struct mesh, death);

	(void)revents;
	log_err("mesh", "%s: wireguard-go (pid %d) has ended; starting it again", MESH_DEVICE, (int)mesh->process.pid);
	loop_remove_io(&mesh->death);
	wg_process_release(&mesh->process);
	mesh->restarts++;
	restart_expired(&mesh->restart);
}

int mesh_new(struct loop *loop, struct rtnl *rtnl, const struct mesh_config *config, struct mesh **ret_mesh, struct why *why)
{
	struct mesh *mesh = calloc(1, sizeof *mesh);
	int e;

	if (!mesh)
		return -ENOMEM;
	*mesh = (struct mesh){ .loop = loop, .rtnl = rtnl, .config = *config, .process = WG_PROCESS_NONE, .restart.expired = restart_expired };
	snprintf(mesh->region, sizeof mesh->region, "%s", config->region);
	snprintf(mesh->run_dir, sizeof mesh->run_dir, "%s", config->run_dir);
	snprintf(mesh->log_file, sizeof mesh->log_file, "%s", config->log_file ? config->log_file : "");
	memcpy(mesh->private_key, config->private_key, WG_KEY_LEN);
	crypto_x25519_public(mesh->private_key, mesh->public_key);
	mesh->process_config = (struct wg_process_config){ .name = MESH_DEVICE,
							   .run_dir = mesh->run_dir,
							   .log_file = mesh->log_file[0] ? mesh->log_file : NULL };
	e = make_device(mesh);
	if (e < 0) {
		why_set(why, "mesh_device", "", "device %s cannot be made: %s", MESH_DEVICE, strerror(-e));
		free(mesh);
		return E_REFUSED;
	}
	e = wg_uapi_init(&mesh->uapi, MESH_DEVICE, NULL);
	mesh->wg = wg_uapi_backend(&mesh->uapi);
	if (e < 0) {
		free(mesh);
		return e;
	}
	*ret_mesh = mesh;
	return 0;
}

int mesh_up(struct mesh *mesh)
{
	return bring_up(mesh);
}

struct mesh *mesh_free(struct mesh *mesh)
{
	if (!mesh)
		return NULL;
	loop_remove_io(&mesh->death);
	loop_cancel_timer(&mesh->restart);
	wg_process_release(&mesh->process);
	explicit_bzero(mesh->private_key, sizeof mesh->private_key);
	wg_observed_deinit(&mesh->before);
	free(mesh->nodes);
	free(mesh);
	return NULL;
}

void mesh_wipe(struct mesh *mesh)
{
	loop_remove_io(&mesh->death);
	loop_cancel_timer(&mesh->restart);
	wg_process_stop(&mesh->process_config, &mesh->process);
	wg_process_device_remove(MESH_DEVICE);
}

uint32_t mesh_ifindex(const struct mesh *mesh)
{
	return mesh->ifindex;
}

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

size_t mesh_plan(uint32_t self, const char *region, const struct node_record *nodes, size_t n_nodes, struct wg_peer *ret_peers,
		 struct wg_prefix *ret_prefixes)
{
	size_t n = 0;

	for (size_t i = 0; i < n_nodes; i++) {
		const struct addr_endpoint *at = best_endpoint(&nodes[i], region);
		struct in6_addr prefix = addr_mesh_host_prefix(nodes[i].host);

		if (nodes[i].host == self)
			continue;
		ret_prefixes[n] = wg_prefix_in6(&prefix, 48);
		ret_peers[n] = (struct wg_peer){ .allowed = &ret_prefixes[n], .n_allowed = 1 };
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

int mesh_sync(struct mesh *mesh, const struct replica *replica, struct why *why)
{
	struct node_list list = { .nodes = calloc(replica->n_by_kind[RECORD_NODE] + 1, sizeof *list.nodes) };
	struct node_list old = { mesh->nodes, mesh->n_nodes, mesh->region };
	int e;

	if (!list.nodes)
		return -ENOMEM;
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

	if (mesh->unanswered) /* who asks for the status is not to wait for a process that does not answer */
		for (size_t i = 0; i < mesh->before.n; i++)
			count_peer(&c, &mesh->before.peers[i]);
	else
		wg_dump(&mesh->wg, count_peer, &c, NULL);
	*ret_status = (struct mesh_status){ .peers = c.peers, .peers_up = c.up, .restarts = mesh->restarts, .backend = mesh->wg.ops->name };
}
