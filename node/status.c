/* status - what this node can say about itself, as one JSON document on a local socket (run_dir/node/status.sock, 0600): connect,
 * read to the end. Numbers only come from here; `sixpn-node status` prints them, tests and the demo read them. */
#include "node/node.h"

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/bpf/attach.h"
#include "lib/bpf/counters.h"
#include "lib/bpf/events.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define EVENTS_PER_ROUND 64

struct status {
	struct node *node;
	struct loop_io listen, events;
	char path[108];
};

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *drops_json(const struct bpf_counters *c)
{
	json_t *out = json_object();

	for (unsigned i = 1; i < SIXPN_REASON_SLOTS; i++)
		if (bpf_reason_name(i))
			json_object_set_new(out, bpf_reason_name(i), number(c->dropped[i].packets));
	return out;
}

static json_t *hooks_json(const struct bpf_counters *c)
{
	json_t *out = json_object();

	for (unsigned i = 0; i < SIXPN_HOOK_COUNT; i++)
		json_object_set_new(out, bpf_hook_name(i), number(c->passed[i].packets));
	return out;
}

static int add_attachment(void *ctx, const struct bpf_attachment *a)
{
	char name[IF_NAMESIZE] = "?";
	json_t *one = json_object();

	if_indextoname(a->ifindex, name);
	json_object_set_new(one, "device", json_string(name));
	json_object_set_new(one, "ifindex", number(a->ifindex));
	json_object_set_new(one, "kind", json_string(bpf_attach_kind_name(a->kind)));
	json_object_set_new(one, "ingress", number(a->ingress_id));
	json_object_set_new(one, "egress", number(a->egress_id));
	json_object_set_new(one, "current", json_boolean(a->ingress_current && (a->egress_current || !a->egress_id)));
	json_array_append_new(ctx, one);
	return 0;
}

static json_t *bpf_json(struct node *node)
{
	struct bpf_counters *c = calloc(1, sizeof *c);
	struct nft_counter gate = { 0 };
	json_t *out = json_object(), *list = json_array();

	if (c && bpf_counters_read(node->datapath, c) == 0) {
		json_object_set_new(out, "drops", drops_json(c));
		json_object_set_new(out, "passed", hooks_json(c));
	}
	free(c);
	bpf_attach_list(node->datapath, add_attachment, list);
	json_object_set_new(out, "attached", list);
	if (nft_gate_drops(node->ground.nft, &node->ground.gate, &gate) == 0)
		json_object_set_new(out, "unmarked_drops", number(gate.packets));
	if (nft_gate_transit_drops(node->ground.nft, &node->ground.gate, &gate) == 0)
		json_object_set_new(out, "transit_drops", number(gate.packets));
	json_object_set_new(out, "transit", json_boolean(!node->ground.gate.no_transit));
	return out;
}

static json_t *upstreams_json(const struct node *node)
{
	struct dns_upstreams u;
	json_t *out = json_array();

	dns_server_upstreams(node->dns, &u);
	for (size_t i = 0; i < u.n; i++) {
		json_t *one = json_object();

		json_object_set_new(one, "address", json_string(u.all[i].text));
		json_object_set_new(one, "state", json_string(u.all[i].suspect ? "silent" : u.all[i].heard ? "good" : "unknown"));
		json_object_set_new(one, "srtt_ms", number(u.all[i].srtt_ms));
		json_object_set_new(one, "sent", number(u.all[i].sent));
		json_object_set_new(one, "heard", number(u.all[i].heard));
		json_object_set_new(one, "lost", number(u.all[i].lost));
		json_array_append_new(out, one);
	}
	return out;
}

static json_t *forward_json(const struct node *node, const struct dns_forward_stats *s)
{
	json_t *out = json_object(), *counters = json_object();

	for (unsigned i = 0; i < DNS_FORWARD_COUNTER_COUNT; i++)
		json_object_set_new(counters, dns_forward_counter_name((enum dns_forward_counter)i), number(s->counters[i]));
	for (unsigned i = 0; i < DNS_FORWARD_GAUGE_COUNT; i++)
		json_object_set_new(out, dns_forward_gauge_name((enum dns_forward_gauge)i), number(s->gauges[i]));
	json_object_set_new(out, "upstreams", upstreams_json(node));
	json_object_set_new(out, "counters", counters);
	return out;
}

static json_t *dns_json(const struct node *node)
{
	struct dns_stats s;
	json_t *out = json_object(), *answers = json_object(), *notes = json_object(), *counters = json_object();
	char key[64];

	dns_server_stats(node->dns, &s);
	for (unsigned t = 0; t < DNS_TREE_COUNT; t++)
		for (unsigned r = 0; r < DNS_RCODE_SLOTS; r++) {
			uint64_t n = s.answers[t][r][DNS_UDP] + s.answers[t][r][DNS_TCP];

			snprintf(key, sizeof key, "%s_%s", dns_tree_name((enum dns_tree)t), dns_rcode_slot_name(r));
			if (n)
				json_object_set_new(answers, key, number(n));
		}
	for (unsigned i = 1; i < DNS_NOTE_COUNT; i++)
		json_object_set_new(notes, dns_note_name((enum dns_note)i), number(s.notes[i]));
	for (unsigned i = 0; i < DNS_COUNTER_COUNT; i++)
		json_object_set_new(counters, dns_counter_name((enum dns_counter)i), number(s.counters[i]));
	json_object_set_new(out, "answers", answers);
	json_object_set_new(out, "notes", notes);
	json_object_set_new(out, "counters", counters);
	json_object_set_new(out, "networks", number(dns_views_count(node->views)));
	json_object_set_new(out, "networks_listened", number(s.networks));
	json_object_set_new(out, "networks_unserved", number(node->n_unserved));
	json_object_set_new(out, "forward", forward_json(node, &s.forward));
	return out;
}

static json_t *sync_json(const struct node *node)
{
	const struct sync_stats *s = sync_stats(node->sync);
	json_t *out = json_object();

	json_object_set_new(out, "synced", json_boolean(sync_is_synced(node->sync)));
	json_object_set_new(out, "polls", number(s->polls));
	json_object_set_new(out, "deltas", number(s->deltas));
	json_object_set_new(out, "snapshots", number(s->snapshots));
	json_object_set_new(out, "heals", number(s->heals));
	json_object_set_new(out, "digests_asked", number(s->digests_asked));
	json_object_set_new(out, "bookmarks", number(s->bookmarks));
	json_object_set_new(out, "refused", number(s->refused));
	json_object_set_new(out, "fenced", number(s->fenced));
	json_object_set_new(out, "commit_to_applied_ms", number(s->last_applied_lag_ms));
	json_object_set_new(out, "reports_waiting", number(reports_waiting(node->reports)));
	return out;
}

static json_t *link_json(const struct node *node)
{
	const struct link_client_stats *s = link_client_stats(node->link);
	json_t *out = json_object(), *drops = json_object();

	for (unsigned i = 0; i < LINK_DROPS; i++)
		if (s->dropped[i])
			json_object_set_new(drops, link_drop_name((enum link_drop)i), number(s->dropped[i]));
	json_object_set_new(out, "dials", number(s->dials));
	json_object_set_new(out, "sessions", number(s->sessions));
	json_object_set_new(out, "calls", number(s->calls));
	json_object_set_new(out, "replies", number(s->replies));
	json_object_set_new(out, "lost", number(s->lost + s->timeouts));
	json_object_set_new(out, "dropped", drops);
	return out;
}

static json_t *mesh_json(struct node *node)
{
	struct mesh_status s;
	json_t *out = json_object();

	mesh_status(node->mesh, &s);
	json_object_set_new(out, "device", json_string(MESH_DEVICE));
	json_object_set_new(out, "ifindex", number(mesh_ifindex(node->mesh)));
	json_object_set_new(out, "backend", json_string(s.backend));
	json_object_set_new(out, "peers", number(s.peers));
	json_object_set_new(out, "peers_up", number(s.peers_up));
	json_object_set_new(out, "restarts", number(s.restarts));
	return out;
}

/* NULL = no gateway */
static json_t *gateway_json(const struct node *node)
{
	struct role_numbers g;
	json_t *out;

	if (!node_role_numbers(node, &g))
		return NULL;
	out = json_object();
	json_object_set_new(out, "device", json_string(g.device));
	json_object_set_new(out, "ifindex", number(g.ifindex));
	json_object_set_new(out, "backend", json_string(g.backend));
	json_object_set_new(out, "peers", number(g.peers));
	json_object_set_new(out, "networks", number(node->role_peers.n_networks));
	json_object_set_new(out, "online", number(g.online));
	json_object_set_new(out, "offline", number(g.offline));
	json_object_set_new(out, "never", number(g.never));
	json_object_set_new(out, "handshakes", number(g.handshakes));
	json_object_set_new(out, "restarts", number(g.restarts));
	json_object_set_new(out, "looks", number(g.looks));
	json_object_set_new(out, "look_ms", number(g.look_ms));
	json_object_set_new(out, "changes", number(histogram_count(&g.installs)));
	json_object_set_new(out, "change_us_total", number(g.installs.sum_us));
	return out;
}

static json_t *errors_json(const struct node *node)
{
	json_t *out = json_array();

	for (size_t i = 0; i < node->errors.n; i++) {
		const struct node_error *e = &node->errors.items[i];
		struct record r = { .kind = e->kind, .key_len = e->key_len };
		json_t *one = json_object();
		char key[80];

		memcpy(r.key, e->key, e->key_len);
		json_object_set_new(one, "kind", json_string(record_kind_name(e->kind)));
		json_object_set_new(one, "id", json_string(record_key_text(&r, key, sizeof key)));
		json_object_set_new(one, "v", number(e->v));
		json_object_set_new(one, "text", json_string(e->text));
		json_array_append_new(out, one);
	}
	return out;
}

static json_t *drift_json(const struct node *node)
{
	const struct drift_stats *s = drift_stats(node->drift);
	json_t *out = json_object(), *repairs = json_object(), *failures = json_object();

	for (unsigned i = 0; i < REPAIR_KINDS; i++) {
		json_object_set_new(repairs, repair_name(i), number(s->repairs[i]));
		if (s->failures[i])
			json_object_set_new(failures, repair_name(i), number(s->failures[i]));
	}
	json_object_set_new(out, "repairs", repairs);
	json_object_set_new(out, "failures", failures);
	json_object_set_new(out, "rounds", number(s->rounds));
	json_object_set_new(out, "cpu_us_last", number(s->last_us));
	json_object_set_new(out, "cpu_us_total", number(s->total_us));
	return out;
}

static json_t *status_json(struct node *node)
{
	json_t *out = json_object();
	char host[16], log_id[2 * sizeof node->replica.log_id + 1];

	snprintf(host, sizeof host, "%04x:%x", node->identity.host >> 16, node->identity.host & 0xffff);
	json_object_set_new(out, "name", json_string(node->identity.name));
	json_object_set_new(out, "region", json_string(node->identity.region));
	json_object_set_new(out, "host", json_string(host));
	json_object_set_new(out, "version", json_string(SIXPN_VERSION));
	json_object_set_new(out, "started_ms", number(node->started_ms));
	json_object_set_new(out, "v", number(node->replica.v));
	json_object_set_new(out, "epoch", number(node->replica.epoch));
	crypto_hex(node->replica.log_id, sizeof node->replica.log_id, log_id);
	json_object_set_new(out, "log_id", json_string(node->replica.has_log_id ? log_id : ""));
	json_object_set_new(out, "records", number(node->replica.records.n));
	json_object_set_new(out, "held_deletes", number(node->replica.n_held));
	json_object_set_new(out, "unknown_kinds", number(replica_unknown_kinds(&node->replica)));
	json_object_set_new(out, "presence_timeouts", number(node->presence_timeouts));
	json_object_set_new(out, "apply_errors", number(node->apply_errors));
	json_object_set_new(out, "sync", sync_json(node));
	json_object_set_new(out, "link", link_json(node));
	json_object_set_new(out, "mesh", mesh_json(node));
	json_object_set_new(out, "gateway", gateway_json(node));
	json_object_set_new(out, "bpf", bpf_json(node));
	json_object_set_new(out, "peering_rules", json_pack("{s:i,s:i}", "pairs", (int)node->rules.n_pairs, "members", (int)node->rules.n_members));
	json_object_set_new(out, "dns", dns_json(node));
	json_object_set_new(out, "drift", drift_json(node));
	json_object_set_new(out, "errors", errors_json(node));
	return out;
}

static void client_waits(struct loop_io *io, uint32_t revents)
{
	struct status *s = container_of(io, struct status, listen);
	struct timeval limit = { .tv_usec = 200000 }; /* a reader that does not read must not hold the loop */
	CLEAN_CLOSE int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
	CLEAN_JSON json_t *doc = NULL;
	CLEAN_FREE char *text = NULL;

	(void)revents;
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	doc = status_json(s->node);
	text = json_dumps(doc, JSON_INDENT(2));
	if (text && send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		log_debug("status", "a reader went away: %s", strerror(errno));
}

static void log_drop(void *ctx, const struct sixpn_event *event)
{
	CLEAN_BUF struct buf text = BUF_INIT(1024);
	char name[IF_NAMESIZE];

	(void)ctx;
	bpf_event_text(event, if_indextoname(event->ifindex, name), &text);
	log_limited(LOG_L_INFO, "drop", "%s", buf_str(&text));
}

static void events_wait(struct loop_io *io, uint32_t revents)
{
	struct status *s = container_of(io, struct status, events);

	(void)revents;
	if (bpf_events_take(s->node->datapath, EVENTS_PER_ROUND, log_drop, s) < 0)
		loop_remove_io(&s->events);
}

static int open_socket(struct status *s)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	CLEAN_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int e;

	if (fd < 0)
		return -errno;
	snprintf(at.sun_path, sizeof at.sun_path, "%s", s->path);
	unlink(s->path);
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 16) < 0)
		return -errno;
	s->listen = (struct loop_io){ .fd = fd, .events = EPOLLIN, .ready = client_waits };
	e = loop_add_io(s->node->loop, &s->listen);
	if (e == 0)
		fd = -1;
	return e;
}

int status_start(struct node *node, struct status **ret_status)
{
	struct status *s = calloc(1, sizeof *s);
	char dir[100];
	int e, fd;

	if (!s)
		return -ENOMEM;
	s->node = node;
	s->listen.fd = -1;
	snprintf(dir, sizeof dir, "%.80s/node", config_str(node->config, "run_dir"));
	snprintf(s->path, sizeof s->path, "%.90s/status.sock", dir);
	e = file_make_dirs(dir, 0755);
	if (e == 0)
		e = open_socket(s);
	if (e < 0) {
		free(s);
		return e;
	}
	fd = bpf_events_fd(node->datapath);
	if (fd >= 0) {
		s->events = (struct loop_io){ .fd = fd, .events = EPOLLIN, .ready = events_wait };
		if (loop_add_io(node->loop, &s->events) < 0)
			log_warn("status", "sampled drops will not be logged");
	}
	*ret_status = s;
	return 0;
}

struct status *status_stop(struct status *status)
{
	if (!status)
		return NULL;
	loop_remove_io(&status->listen);
	loop_remove_io(&status->events);
	if (status->listen.fd >= 0)
		close(status->listen.fd);
	unlink(status->path);
	free(status);
	return NULL;
}
