/* gateway - the role that terminates customers' WireGuard peers: one device, one entry per peer, its programs and its ways. Everything it
 * needs is on this machine: while a customer connects nobody is asked. */
#include "gateway/stats.h"
#include "lib/base/log.h"
#include "lib/bpf/attach.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/wg_process.h"
#include "lib/netlink/wg_tunnel.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AREA "gateway"
#define DEVICE "sixpn-peers"
#define PATIENCE_MS 3000 /* a machine may have thousands of peers and little processor */
/* Every how many times its own duration a look is taken: 10,000 peers are dumped in 0.2 s, so every 10 s; a few every 2 s. */
#define LOOK_PAUSE 50
#define LOOK_MIN_MS 2000
#define LOOK_MAX_MS 60000
/* While a peer is on its way here its handshake is waited for by everybody who wants to reach it. */
#define ARRIVAL_PAUSE 20
#define ARRIVAL_MIN_MS 500

struct gateway {
	const struct role_env *env;
	struct wg_tunnel *tunnel;
	struct ways ways;
	struct peers *peers;
	struct stats stats;
	int device_error; /* key and port are not set yet: -errno */
	uint64_t look_due_ms, look_took_ms, looks;
	uint64_t changes_at_look; /* peers_changes() when the look under way began */
	bool compare;             /* the next look is also for what others changed: the repair timer asked for it */
	struct loop_timer reading; /* the next look, for handshakes and bytes */
	struct loop_timer arrivals; /* the next look for somebody who arrives */
	bool somebody_arrives, arrivals_armed;
};

/* ---- what the tunnel calls ---- */

static int guard(void *ctx, uint32_t ifindex)
{
	struct gateway *g = ctx;

	g->ways.device = ifindex;
	return bpf_attach(g->env->datapath, ifindex, DEVICE, BPF_DEVICE_PEERS);
}

static int route(void *ctx, uint32_t ifindex)
{
	struct gateway *g = ctx;

	(void)ifindex;
	return g->peers ? peers_lay_ways(g->peers) : 0;
}

static int replay(void *ctx, struct why *why)
{
	return peers_replay(((struct gateway *)ctx)->peers, why);
}

static void reopened(void *ctx)
{
	peers_greet(((struct gateway *)ctx)->peers);
}

static void repaired(void *ctx, enum wg_tunnel_repair what, const char *object, int error)
{
	const struct role_env *env = ((struct gateway *)ctx)->env;

	env->ops->repaired(env->node, what == WG_TUNNEL_DEVICE ? REPAIR_PEERS_DEVICE : REPAIR_PEERS_PROCESS, object, error);
}

static void tell_stats(void *ctx, const struct role_peer_stats *told, size_t n)
{
	const struct role_env *env = ((struct gateway *)ctx)->env;

	env->ops->peer_stats(env->node, told, n);
}

static void look(struct gateway *g)
{
	if (wg_tunnel_look(g->tunnel) == 0)
		g->changes_at_look = peers_changes(g->peers);
}

static void arm_arrivals(struct gateway *g, uint64_t in_ms)
{
	if (!g->somebody_arrives || g->arrivals_armed)
		return;
	g->arrivals_armed = loop_set_timer_in(g->env->loop, &g->arrivals, in_ms > ARRIVAL_MIN_MS ? in_ms : ARRIVAL_MIN_MS) == 0;
	if (!g->arrivals_armed)
		log_err(AREA, "no memory for a timer: who arrives is noticed by the next look at all peers");
}

static void arm_reading(struct gateway *g, uint64_t in_ms)
{
	if (loop_set_timer_in(g->env->loop, &g->reading, in_ms) < 0)
		log_err(AREA, "no memory for a timer: handshakes and bytes are read with the repairs only");
}

/* However seldom repairs are wanted. */
static void reading_expired(struct loop_timer *timer)
{
	struct gateway *g = container_of(timer, struct gateway, reading);

	arm_reading(g, LOOK_MIN_MS); /* if nothing comes of this look */
	if (wg_tunnel_answers(g->tunnel))
		look(g);
}

static void arrivals_expired(struct loop_timer *timer)
{
	struct gateway *g = container_of(timer, struct gateway, arrivals);

	g->arrivals_armed = false;
	if (wg_tunnel_answers(g->tunnel))
		look(g);
	arm_arrivals(g, g->look_took_ms * ARRIVAL_PAUSE);
}

static void looked(void *ctx, const struct wg_look_result *result)
{
	struct gateway *g = ctx;
	uint64_t pause = result->took_ms * LOOK_PAUSE;

	if (result->error < 0)
		return;
	g->looks++;
	g->look_took_ms = result->took_ms;
	pause = pause < LOOK_MIN_MS ? LOOK_MIN_MS : pause > LOOK_MAX_MS ? LOOK_MAX_MS : pause;
	g->look_due_ms = clock_mono_ms(&g->env->clock) + pause;
	arm_reading(g, pause);
	if (g->compare && peers_changes(g->peers) == g->changes_at_look) {
		g->compare = false;
		peers_compare(g->peers, &result->observed);
	}
	stats_take(&g->stats, g->peers, &result->observed, &g->env->clock, tell_stats, g);
}

static bool answers(void *ctx)
{
	return wg_tunnel_answers(((struct gateway *)ctx)->tunnel);
}

/* ---- the role ---- */

static void *gateway_free(struct gateway *g)
{
	loop_cancel_timer(&g->reading);
	loop_cancel_timer(&g->arrivals);
	g->tunnel = wg_tunnel_free(g->tunnel);
	g->peers = peers_free(g->peers);
	free(g);
	return NULL;
}

static int make_tunnel(struct gateway *g, struct why *why)
{
	const struct role_env *env = g->env;
	char log_file[PATH_MAX];
	struct wg_tunnel_config config = { .name = DEVICE,
					   .area = AREA,
					   .private_key = env->gateway_key,
					   .port = (uint16_t)config_int(env->config, "gateway_port"),
					   .mtu = ADDR_MTU,
					   .run_dir = env->run_dir,
					   .log_file = log_file,
					   .guard = guard,
					   .route = route,
					   .replay = replay,
					   .reopened = reopened,
					   .repaired = repaired,
					   .looked = looked,
					   .patience_ms = PATIENCE_MS,
					   .ctx = g };
	int e = wg_backend_parse(config_str(env->config, "backend"), &config.backend, why);

	if (e)
		return e;
	snprintf(log_file, sizeof log_file, "%s/wireguard-" DEVICE ".log", env->run_dir);
	return wg_tunnel_new(env->loop, env->rtnl, &config, &g->tunnel, why);
}

static int make_peers(struct gateway *g)
{
	const struct peers_parts parts = { .env = g->env,
					   .wg = wg_tunnel_wg(g->tunnel),
					   .own_key = wg_tunnel_public_key(g->tunnel),
					   .ways = &ways_ops,
					   .ways_ctx = &g->ways,
					   .answers = answers,
					   .ctx = g };
	struct rtnl_link lo;
	int e = rtnl_link_by_name(g->env->rtnl, "lo", &lo);

	g->ways = (struct ways){ .rtnl = g->env->rtnl, .device = wg_tunnel_ifindex(g->tunnel), .loopback = lo.ifindex };
	return e == 0 ? peers_new(&parts, &g->peers) : e;
}

/* Key and port of a device that an earlier daemon set up are compared with the first look: setting them anew costs sessions. A port that
 * somebody else has keeps customers out, and nothing else of the machine from working: it is told, and tried with every apply. */
static int bring_up(struct gateway *g)
{
	bool started;
	int e = wg_tunnel_up(g->tunnel, &started);

	if (e == 0 && started)
		g->device_error = wg_tunnel_set_device(g->tunnel);
	return e;
}

static void try_device(struct gateway *g)
{
	const struct role_env *env = g->env;
	char text[160];

	if (!g->device_error)
		return;
	g->device_error = wg_tunnel_set_device(g->tunnel);
	if (!g->device_error) {
		log_info(AREA, DEVICE " has its key and port now");
		return;
	}
	snprintf(text, sizeof text, "gateway: key and UDP port %d (gateway_port) of " DEVICE ": %s", (int)config_int(env->config, "gateway_port"),
		 strerror(-g->device_error));
	env->ops->self_error(env->node, text);
}

static int gateway_start(const struct role_env *env, void **ret_role, struct why *why)
{
	struct gateway *g;
	int e;

	if (!env->gateway_key)
		return why_set(why, "gateway_key", "roles", "there is no key for " DEVICE);
	g = calloc(1, sizeof *g);
	if (!g)
		return -ENOMEM;
	g->env = env;
	g->reading.expired = reading_expired;
	g->arrivals.expired = arrivals_expired;
	e = make_tunnel(g, why);
	if (e == 0)
		e = make_peers(g);
	if (e == 0)
		e = bring_up(g);
	if (e) {
		gateway_free(g);
		return e < 0 ? why_set(why, "gateway", "", DEVICE " cannot be brought up: %s", strerror(-e)) : e;
	}
	arm_reading(g, LOOK_MIN_MS);
	*ret_role = g;
	return 0;
}

static void gateway_sync(void *role, const struct role_desired *desired)
{
	struct gateway *g = role;

	try_device(g);
	peers_sync(g->peers, desired);
	g->somebody_arrives = false;
	for (size_t i = 0; i < desired->n_peers && !g->somebody_arrives; i++)
		g->somebody_arrives = desired->peers[i].record.gateway != g->env->host && !desired->peers[i].suspended;
	arm_arrivals(g, 0);
}

static void repair_programs(struct gateway *g)
{
	const struct role_env *env = g->env;
	unsigned missing = 0;
	int e = bpf_attach_missing(env->datapath, g->ways.device, BPF_DEVICE_PEERS, &missing);

	if (e == 0 && !missing)
		return;
	if (e == 0)
		e = bpf_attach(env->datapath, g->ways.device, DEVICE, BPF_DEVICE_PEERS);
	env->ops->repaired(env->node, REPAIR_PEERS_PROGRAM,
			   missing == BPF_MISSING_INGRESS ? "peer_ingress of " DEVICE :
			   missing == BPF_MISSING_EGRESS  ? "peer_egress of " DEVICE :
							    "both programs of " DEVICE,
			   e);
}

/* Programs before the ways that lead past them. */
static void gateway_repair(void *role)
{
	struct gateway *g = role;

	if (!wg_tunnel_repair(g->tunnel))
		return;
	repair_programs(g);
	peers_compare_ways(g->peers);
	g->compare = true;
	if (clock_mono_ms(&g->env->clock) < g->look_due_ms)
		return;
	look(g);
}

static void gateway_numbers(void *role, struct role_numbers *ret_numbers)
{
	const struct gateway *g = role;

	*ret_numbers = (struct role_numbers){ .peers = peers_count(g->peers),
					      .online = g->stats.online,
					      .offline = g->stats.offline,
					      .never = g->stats.never,
					      .handshakes = g->stats.handshakes,
					      .restarts = wg_tunnel_restarts(g->tunnel),
					      .device = DEVICE,
					      .backend = wg_tunnel_wg(g->tunnel)->ops->name,
					      .ifindex = wg_tunnel_ifindex(g->tunnel),
					      .looks = g->looks,
					      .look_ms = g->look_took_ms,
					      .installs = *peers_installs(g->peers) };
}

static void gateway_stop(void *role)
{
	gateway_free(role);
}

static void gateway_wipe(void *role)
{
	struct gateway *g = role;

	peers_wipe(g->peers);
	wg_tunnel_wipe(g->tunnel);
}

/* Its peers would stay connected for ever, deleted or not. */
static void gateway_forsake(const struct role_env *env)
{
	const struct wg_process_config process = { .name = DEVICE, .run_dir = env->run_dir };
	struct ways ways = { .rtnl = env->rtnl };
	struct rtnl_link link = { 0 }, lo;
	int e = rtnl_link_by_name(env->rtnl, DEVICE, &link);
	size_t n_ways = 0;

	if (e == 0)
		ways.device = link.ifindex;
	e = rtnl_link_by_name(env->rtnl, "lo", &lo);
	if (e == 0) {
		ways.loopback = lo.ifindex;
		e = ways_remove_all(&ways, &n_ways);
	}
	if (e < 0)
		log_err(AREA, "ways to peers cannot be removed: %s", strerror(-e));
	e = wg_backend_remove(env->rtnl, &process);
	if (e < 0) {
		log_err(AREA, "this machine is no gateway any more (roles), and " DEVICE " cannot be removed: %s", strerror(-e));
		return;
	}
	if (!ways.device)
		return;
	(void)bpf_detach(env->datapath, ways.device); /* the pins; the rest went with the device */
	log_warn(AREA, "this machine is no gateway any more (roles): " DEVICE " and %zu ways were removed", n_ways);
}

const struct role_ops gateway_role = {
	.name = "gateway",
	.bit = ROLE_GATEWAY,
	.start = gateway_start,
	.sync = gateway_sync,
	.repair = gateway_repair,
	.numbers = gateway_numbers,
	.stop = gateway_stop,
	.wipe = gateway_wipe,
	.forsake = gateway_forsake,
};
