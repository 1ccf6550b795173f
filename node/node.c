/* node - see node.h. The start follows DESIGN 7: what refuses comes first, then programs, only then devices, our own records, and
 * last the controller, which may be away for as long as it likes. */
#include "node/node.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/bpf/attach.h"
#include "lib/bpf/pins.h"
#include "lib/netlink/wg.h"
#include "node/health.h"
#include "node/metrics.h"
#include "node/programs.h"
#include "node/roles.h"
#include "node/scrape.h"
#include "node/statefile.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the machine: the real kernel_ops ---- */

static int lay(struct node *node, struct why *why)
{
	struct bpf_config bpf = { .self_host = node->identity.host,
				  .mark_value = (uint32_t)config_int(node->config, "mark"),
				  .mark_mask = (uint32_t)config_int(node->config, "mark_mask"),
				  .questions_per_second = (uint32_t)config_int(node->config, "questions_per_second") };
	int e = rtnl_open(&node->rtnl);

	if (e == 0)
		e = ground_lay(&node->ground, node->rtnl, node->config, why);
	if (e == 0)
		e = bpf_attach_kind_parse(config_str(node->config, "attach"), &bpf.attach, why);
	if (e)
		return e;
	e = bpf_datapath_open(config_str(node->config, "pin_dir"), &bpf, &node->datapath);
	if (e < 0)
		return why_set(why, "bpf", "pin_dir", "BPF programs cannot be loaded (pins in %s): %s", config_str(node->config, "pin_dir"),
			       strerror(-e));
	return 0;
}

/* Programs on the mesh device, which is down if it is new. Behind our maps must be what the records say, or all would stand still for a
 * moment. Where an earlier version's maps are all that is known, its programs stay until the first apply. */
static int guard_mesh(void *ctx, uint32_t ifindex)
{
	struct node *node = ctx;
	struct bpf_layouts found = bpf_pins_found(node->datapath);
	struct bpf_attachment on = { 0 };

	if (node->mesh_guard_due && bpf_attach_query(node->datapath, ifindex, &on) == 0 && on.ingress_id && on.egress_id) {
		log_info("mesh", "%s keeps the programs of layout %u until the controller has spoken", MESH_DEVICE, found.newest);
		return 0;
	}
	return bpf_attach(node->datapath, ifindex, MESH_DEVICE, BPF_DEVICE_MESH);
}

static int route_mesh(void *ctx, uint32_t ifindex)
{
	struct node *node = ctx;
	int e = ground_route_mesh(&node->ground, ifindex);

	return e == 0 ? moved_add_routes(node->rtnl, node->identity.host, &node->moved, ifindex) : e;
}

static void repaired(void *ctx, enum repair kind, const char *object, int error)
{
	drift_note(((struct node *)ctx)->drift, kind, object, error);
}

/* Before the programs that read the maps are at work. */
static int fill_maps(struct node *node)
{
	struct presence wanted = { 0 };
	size_t added = 0;
	int e;

	if (!node->replica.has_log_id) {
		node->mesh_guard_due = bpf_pins_found(node->datapath).n > 0;
		return 0;
	}
	e = moved_wanted(&node->replica, &node->moved);
	if (e == 0)
		e = rules_wanted(&node->replica, &node->rules);
	if (e == 0)
		e = presence_wanted(&node->replica, &wanted);
	if (e < 0)
		return e;
	moved_add(node->datapath, node->identity.host, &node->moved);
	presence_add(node->datapath, &wanted, &node->unheard, &added); /* what the maps do not take is told by the apply */
	presence_deinit(&wanted);
	e = rules_add(node->datapath, &node->rules);
	if (e < 0)
		log_warn("node", "the maps of peering rules do not take all: %s", strerror(-e)); /* the apply says it again */
	return 0;
}

static int connect_mesh(struct node *node, struct why *why)
{
	char log_file[PATH_MAX];
	struct mesh_config config = { .host = node->identity.host,
				      .region = node->identity.region,
				      .private_key = node->identity.mesh_private,
				      .port = (uint16_t)config_int(node->config, "port"),
				      .run_dir = config_str(node->config, "run_dir"),
				      .log_file = log_file,
				      .came_back = node->replica.has_log_id,
				      .guard = guard_mesh,
				      .route = route_mesh,
				      .sink = { repaired, node },
				      .ctx = node };
	int e;

	snprintf(log_file, sizeof log_file, "%s/wireguard-%s.log", config.run_dir, MESH_DEVICE);
	e = wg_backend_parse(config_str(node->config, "backend"), &config.backend, why);
	if (e == 0)
		e = mesh_new(node->loop, node->rtnl, &config, &node->mesh, why);
	if (e == 0)
		e = fill_maps(node);
	if (e == 0)
		e = ground_guard_underlay(&node->ground, node->datapath, why);
	if (e == 0)
		e = mesh_up(node->mesh);
	return e < 0 ? why_set(why, "mesh", "", "%s cannot be brought up: %s", MESH_DEVICE, strerror(-e)) : e;
}

static int let_speak(struct node *node, const struct presence *wanted)
{
	size_t added = 0;
	int e = presence_add(node->datapath, wanted, &node->unheard, &added), guarded = 0;

	if (node->moved_due)
		moved_add(node->datapath, node->identity.host, &node->moved); /* each that is refused says so itself */
	if (node->mesh_guard_due) {
		node->mesh_guard_due = false;
		guarded = guard_mesh(node, mesh_ifindex(node->mesh));
		if (guarded == 0)
			guarded = bpf_settle(node->datapath);
	}
	return e < 0 ? e : guarded;
}

static int open_rules(struct node *node)
{
	return rules_add(node->datapath, &node->rules);
}

static int close_rules(struct node *node)
{
	return rules_remove(node->datapath, &node->rules);
}

static int reach(struct node *node, struct why *why)
{
	int e = mesh_sync(node->mesh, &node->replica, &node->moved, why);

	return e ? e : moved_add_routes(node->rtnl, node->identity.host, &node->moved, mesh_ifindex(node->mesh));
}

static int silence(struct node *node, const struct presence *wanted)
{
	size_t removed;
	int e = presence_remove(node->datapath, wanted, &removed), moved = 0;

	if (!node->moved_due)
		return e;
	moved = moved_remove_routes(node->rtnl, node->identity.host, &node->moved, mesh_ifindex(node->mesh));
	if (moved == 0)
		moved = moved_remove(node->datapath, node->identity.host, &node->moved);
	node->moved_due = moved != 0;
	return e < 0 ? e : moved;
}

static int settle(struct node *node)
{
	return node->mesh_guard_due ? 0 : bpf_settle(node->datapath);
}

static void repair(struct node *node)
{
	const struct repair_sink sink = { repaired, node };

	ground_repair_gates(&node->ground, &sink);
	programs_repair(node->datapath, node->mesh_guard_due ? 0 : mesh_ifindex(node->mesh), &sink);
	ground_repair_uplinks(&node->ground, node->datapath, &sink);
	if (node->applies && presence_repair(node->datapath, &node->presence, &node->unheard, &sink) < 0)
		log_limited(LOG_L_ERR, "drift", "the presence map cannot be looked at; trying again");
	if (node->applies && moved_repair(node->datapath, node->identity.host, &node->moved, &sink) < 0)
		log_limited(LOG_L_ERR, "drift", "the maps of moved addresses cannot be looked at; trying again");
	if (node->applies && !node->rules_due && rules_repair(node->datapath, &node->rules, &sink) < 0)
		log_limited(LOG_L_ERR, "drift", "the maps of peering rules cannot be looked at; trying again");
	mesh_repair(node->mesh);
	ground_repair_ways(&node->ground, mesh_ifindex(node->mesh), node->identity.host, &node->moved, &sink);
}

static int serve(struct node *node, struct why *why)
{
	struct dns_server_options options = { .address = node->ground.resolver,
					      .views = node->views,
					      .forward = { .upstreams = config_str(node->config, "forward"),
							   .clock = node->clock,
							   .keep_case = !config_bool(node->config, "forward_mix_case"),
							   .cache_bytes = (size_t)config_int(node->config, "forward_cache_mib") << 20 } };
	int e = dns_server_start(&options, &node->dns, why);

	if (e < 0 && !why->text[0])
		why_set(why, "dns", "listen", "the name server cannot start: %s", strerror(-e));
	return e ? E_REFUSED : 0;
}

static void listen_at(struct node *node, const uint32_t *networks, size_t n, int *ret_errors)
{
	dns_server_set_networks(node->dns, networks, n, ret_errors);
}

static const struct kernel_ops real_kernel = {
	.lay = lay,
	.connect_mesh = connect_mesh,
	.serve = serve,
	.listen = listen_at,
	.let_speak = let_speak,
	.reach = reach,
	.silence = silence,
	.open_rules = open_rules,
	.close_rules = close_rules,
	.repair = repair,
	.settle = settle,
};

/* ---- what a node is made of ---- */

/* After a restart the age of what we know counts from the last thing that was written of it. The clock of the machine may have been
 * set since; an age that cannot be is not known. */
static void remember_heard(struct node *node, uint64_t written_ms)
{
	uint64_t now = clock_real_ms(&node->clock);

	node->heard_ms = DNS_NEVER_HEARD;
	if (written_ms && written_ms <= now)
		node->heard_ms = (int64_t)clock_mono_ms(&node->clock) - (int64_t)(now - written_ms);
}

static int start_records(struct node *node, struct why *why)
{
	const char *folder = config_str(node->config, "state_dir");
	struct statefile_found found = { 0 };
	uint64_t written_ms = statefile_written_ms(folder);
	int e = statefile_load(folder, &node->replica, &found, why);

	if (e == STATEFILE_NEWER_FORMAT)
		return E_REFUSED;
	if (e < 0)
		return e;
	if (e == STATEFILE_BROKEN)
		log_err("state", "%s; set aside as *.broken, a fresh snapshot will be asked for", why->text);
	else if (found.had_snapshot)
		log_info("state", "V %llu from disk: %zu records, %zu journal entries%s", (unsigned long long)node->replica.v,
			 node->replica.records.n, found.entries, found.stale_journal ? ", the journal was of another snapshot and is void" :
			 found.torn	     ? ", a torn last entry was cut off" :
						       "");
	remember_heard(node, node->replica.has_log_id ? written_ms : 0);
	return journal_new(node->pumped ? NULL : node->loop, folder, found.chain, found.journal_len, &node->journal);
}

/* ---- the link ---- */

static void link_tick_expired(struct loop_timer *timer)
{
	struct node *node = container_of(timer, struct node, link_tick);

	link_client_tick(node->link);
}

static void link_wake_at(void *ctx, uint64_t mono_ms)
{
	struct node *node = ctx;

	if (loop_set_timer(node->loop, &node->link_tick, mono_ms) < 0)
		log_err("link", "no memory for a timer");
}

static void link_state(void *ctx, enum link_client_state state)
{
	struct node *node = ctx;

	if (state == LINK_CLIENT_READY) {
		log_info("link", "session with the controller at %s", link_client_address(node->link));
	} else {
		node->hears = false; /* until the next reply */
		node_publish_heard(node);
	}
}

#define PARK_MS 25000 /* what a controller does that does not say (link/client.h) */

/* A poll is answered at the latest when its time is over; twice that without a word is no controller. */
void node_publish_heard(struct node *node)
{
	uint32_t park_ms = node->sync && sync_stats(node->sync)->park_ms ? sync_stats(node->sync)->park_ms : PARK_MS;

	if (node->views)
		dns_views_set_heard(node->views, node->heard_ms, node->hears, 2 * park_ms);
}

static int start_link(struct node *node, struct link_client_transport *transport)
{
	static const struct link_client_events events = { .wake_at = link_wake_at, .state = link_state };
	struct link_client_config config = { .kind = LINK_KIND_NODE, .boot_count = node->identity.boot_count,
					   .features = SYNC_FEATURES };
	const char *wanted = config_str(node->config, "address");
	char addresses[IDENTITY_ADDRESSES_MAX], *save = NULL;
	int e;

	memcpy(config.private_key, node->identity.link_private, CRYPTO_KEY_LEN);
	memcpy(config.controller_key, node->identity.controller_key, CRYPTO_KEY_LEN);
	memcpy(config.boot_id, node->identity.boot_id, sizeof config.boot_id);
	snprintf(addresses, sizeof addresses, "%s", wanted[0] ? wanted : node->identity.controller_addresses);
	for (char *a = strtok_r(addresses, ", ", &save); a && config.n_addresses < LINK_CLIENT_ADDRESSES_MAX; a = strtok_r(NULL, ", ", &save))
		config.addresses[config.n_addresses++] = a;
	node->link_tick.expired = link_tick_expired;
	e = transport ? 0 : link_nng_client_new(node->loop, &node->transport);
	if (e == 0)
		e = link_client_new(&node->clock, transport ? transport : link_nng_client_transport(node->transport), &config, &events, node,
				    &node->link);
	crypto_wipe(config.private_key, sizeof config.private_key);
	if (e == 0)
		e = reports_new(node->loop, &node->clock, node->link, &node->replica, &node->reports);
	return e;
}

static int start_names(struct node *node)
{
	int e = dns_views_new(&node->views);

	if (e == 0)
		e = names_new(node->identity.host, node->identity.region, &node->replica, node->reports, node->views, &node->names);
	if (e < 0)
		return e;
	dns_views_set_clock(node->views, &node->clock);
	node_publish_heard(node);
	/* What was on disk is the last known truth: served from the first question on, whether or not the controller is there. */
	dns_views_set_synced(node->views, node->replica.has_log_id);
	e = node->replica.has_log_id ? names_sync_everything(node->names) : 0;
	if (e < 0)
		log_err("names", "not all names are ready: %s; trying again", strerror(-e));
	return 0;
}

static int start_roles(struct node *node, const struct node_parts *parts, struct why *why)
{
	node->env = (struct role_env){ .loop = node->loop,
				       .clock = node->clock,
				       .host = node->identity.host,
				       .name = node->identity.name,
				       .region = node->identity.region,
				       .gateway_key = node->identity.has_gateway_key ? node->identity.gateway_private : NULL,
				       .came_back = node->replica.has_log_id,
				       .config = node->config,
				       .rtnl = node->rtnl,
				       .datapath = node->datapath,
				       .run_dir = config_str(node->config, "run_dir"),
				       .state_dir = config_str(node->config, "state_dir"),
				       .ops = &node_role_ops,
				       .node = node };
	for (size_t i = 0; i < parts->n_roles; i++) {
		const struct role_ops *role = parts->roles[i];
		int e;

		if (!(node->role_bits & role->bit)) {
			if (role->forsake)
				role->forsake(&node->env);
			continue;
		}
		e = role->start(&node->env, &node->role_state[node->n_roles], why);
		if (e < 0)
			return why_set(why, "role", "roles", "role %s cannot start: %s", role->name, strerror(-e));
		if (e)
			return e;
		node->roles[node->n_roles++] = role;
	}
	return 0;
}

static int start_parts(struct node *node, const struct node_parts *parts, struct why *why)
{
	int e = node->kernel->lay(node, why);

	if (e == 0)
		e = start_records(node, why);
	if (e == 0)
		e = node->kernel->connect_mesh(node, why);
	if (e == 0)
		e = start_link(node, parts->transport);
	if (e == 0)
		e = start_names(node);
	if (e == 0)
		e = node->kernel->serve(node, why);
	if (e == 0)
		e = start_roles(node, parts, why);
	if (e == 0)
		e = sync_new(node->loop, &node->clock, node->link, &node->replica, node->journal, &node_sync_events, node, &node->sync);
	return e;
}

static void write_metrics(void *ctx, struct buf *text)
{
	node_metrics(ctx, text);
}

int node_start(struct node *node, const struct node_parts *parts, struct loop *loop, struct config *config,
	       const struct identity *identity, uint32_t role_bits, bool leave, struct why *why)
{
	const struct node_parts real = { .clock = clock_real(), .kernel = &real_kernel, .roles = roles, .n_roles = n_roles };
	struct replica_change everything = { .all = true, .fabric = true };
	int e;

	if (!parts)
		parts = &real;
	*node = (struct node){ .loop = loop, .clock = parts->clock, .config = config, .identity = *identity, .role_bits = role_bits,
			       .kernel = parts->kernel, .pumped = parts->pumped };
	node->started_ms = clock_real_ms(&node->clock);
	node->begun_ms = (int64_t)clock_mono_ms(&node->clock);
	replica_init(&node->replica);
	e = start_parts(node, parts, why);
	/* knowing nothing is no reason to take anything away: what an earlier run set up goes on until the controller has spoken */
	if (e == 0 && !leave && node->replica.has_log_id)
		node_apply(node, &everything);
	if (e == 0)
		e = node->kernel->settle(node);
	if (e == 0 && !node->pumped)
		e = status_start(node, &node->status);
	if (e == 0 && !node->pumped)
		e = scrape_new(loop, leave ? "" : config_str(config, "metrics_listen"), write_metrics, node, &node->scrape, why);
	if (e < 0)
		e = why_set(why, "start", "", "%s", strerror(-e));
	if (e) {
		node_stop(node);
		return e;
	}
	if (leave)
		return 0;
	if (drift_start(node, (uint32_t)config_int(config, "repair_interval_ms"), &node->drift) < 0)
		log_err("drift", "no memory; what others change in the kernel stays changed");
	link_client_start(node->link);
	sync_start(node->sync);
	return 0;
}

size_t node_pump(struct node *node)
{
	return journal_pump(node->journal);
}

void node_stop(struct node *node)
{
	node->drift = drift_stop(node->drift);
	node->scrape = scrape_free(node->scrape);
	node->said = health_said_free(node->said);
	node->status = status_stop(node->status);
	for (size_t i = node->n_roles; i-- > 0;)
		node->roles[i]->stop(node->role_state[i]);
	node->n_roles = 0;
	node_forget_awaits(node);
	loop_cancel_timer(&node->names_again);
	loop_cancel_timer(&node->apply_again);
	loop_cancel_timer(&node->peers_due);
	if (node->link)
		link_client_stop(node->link);
	node->dns = dns_server_stop(node->dns);
	node->names = names_free(node->names);
	node->views = dns_views_free(node->views);
	node->sync = sync_free(node->sync);
	node->reports = reports_free(node->reports);
	node->link = link_client_free(node->link);
	loop_cancel_timer(&node->link_tick);
	node->transport = link_nng_client_free(node->transport);
	node->journal = journal_free(node->journal);
	node->mesh = mesh_free(node->mesh);
	node->datapath = bpf_datapath_close(node->datapath);
	ground_deinit(&node->ground);
	node->rtnl = rtnl_free(node->rtnl);
	replica_deinit(&node->replica);
	role_peers_deinit(&node->role_peers);
	presence_deinit(&node->presence);
	moved_deinit(&node->moved);
	rules_deinit(&node->rules);
	free(node->settled);
	node_errors_deinit(&node->errors);
	presence_deinit(&node->unheard);
	identity_wipe(&node->identity);
}

bool node_role_numbers(const struct node *node, struct role_numbers *ret_numbers)
{
	for (size_t i = 0; i < node->n_roles; i++)
		if (node->roles[i]->numbers) {
			node->roles[i]->numbers(node->role_state[i], ret_numbers);
			return true;
		}
	return false;
}

void node_wipe(struct node *node)
{
	int e;

	for (size_t i = node->n_roles; i-- > 0;)
		node->roles[i]->wipe(node->role_state[i]);
	mesh_wipe(node->mesh);
	e = bpf_wipe(node->datapath);
	if (e < 0)
		log_err("main", "programs and pins cannot all be removed: %s", strerror(-e));
	ground_wipe(&node->ground);
}
