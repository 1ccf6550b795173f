/* metrics - see metrics.h. Everything is read from memory in the loop's thread, but for two system calls about the store's file. */
#include "controller/nodes/metrics.h"

#include "controller/store/backup.h"
#include "controller/nodes/controller_internal.h"
#include "controller/store/store_stats.h"
#include "lib/link/drop.h"

#include <stdio.h>
#include <string.h>

struct source {
	const struct controller *c;
	const struct http_stats *http;
	const struct link_server_stats *link;
	struct store_stats store;
};

/* ---- nodes ---- */

#define EACH_NODE(s, node)                                                                   \
	for (size_t at_ = 0; ((node) = node_table_next(&(s)->c->nodes, &at_));)              \
		if (!(node)->revoked)

static void read_build(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;
	const struct node_entry *node;

	(void)row;
	metric_count(out, 1, METRIC_LABELS("controller", SIXPN_VERSION, ""));
	EACH_NODE(s, node)
		if (node->version[0])
			metric_count(out, 1, METRIC_LABELS("node", node->version, node->name));
}

static void read_applied(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;
	const struct node_entry *node;

	(void)row;
	EACH_NODE(s, node)
		metric_histogram(out, &node->convergence.total, METRIC_LABELS(node->name));
}

enum node_number { NODE_LAST_POLL, NODE_READY, NODE_LAG_VERSIONS, NODE_LAG_SECONDS, NODE_REJECTED, NODE_HELD, NODE_DRIFTS, NODE_UNPROVEN,
		   NODE_LEFT_OUT };

static double last_poll(const struct controller *c, const struct node_entry *node)
{
	if (node->polled_ms == NODE_NEVER)
		return 0;
	return (double)(clock_real_ms(&c->clock) - (clock_mono_ms(&c->clock) - node->polled_ms)) / 1000;
}

/* Since when has its first missing change been committed? If that is no longer kept, or it is not known what the node holds: since
 * when at least, which is the age of the oldest change that is kept. */
static double lag_seconds(const struct controller *c, const struct node_entry *node)
{
	uint64_t first_kept = ring_floor(&c->ring) + 1, first = node->acked ? node->first_pending_v : 0, now = clock_real_ms(&c->clock);
	const struct ring_entry *e = !node->acked || node->n_pending ? ring_at(&c->ring, first > first_kept ? first : first_kept) : NULL;

	return e && now > e->committed_ms ? (double)(now - e->committed_ms) / 1000 : 0;
}

static double node_number(const struct controller *c, const struct node_entry *node, enum node_number what)
{
	switch (what) {
	case NODE_LAST_POLL: return last_poll(c, node);
	case NODE_READY: return controller_is_ready(c, node);
	case NODE_LAG_VERSIONS: return (double)(node->acked ? node->n_pending : controller_head(c));
	case NODE_LAG_SECONDS: return lag_seconds(c, node);
	case NODE_REJECTED: return (double)node->n_errors;
	case NODE_HELD: return (double)node->n_held;
	case NODE_DRIFTS: return (double)node->drifts;
	case NODE_UNPROVEN: return (double)node->unproven;
	case NODE_LEFT_OUT: return (double)node->health.left_out;
	}
	return 0;
}

static void read_limited(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;
	const struct node_entry *node;

	(void)row;
	EACH_NODE(s, node) {
		metric_count(out, node->may_move.refused, METRIC_LABELS(node->name, "endpoints"));
		metric_count(out, node->may_report.refused, METRIC_LABELS(node->name, "reports"));
	}
}

static void read_node(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;
	const struct node_entry *node;

	EACH_NODE(s, node)
		metric_number(out, node_number(s->c, node, (enum node_number)row->arg), METRIC_LABELS(node->name));
}

/* What a node said of itself; the labels of the value follow that of the node. */
static void read_health(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;
	const struct node_entry *node;
	size_t n = (size_t)health_n_labels(row->arg);

	EACH_NODE(s, node)
		for (size_t i = 0; i < node->health.n; i++) {
			const struct health_value *value = &node->health.values[i];
			const char *labels[1 + HEALTH_LABELS_MAX] = { node->name }, *at = value->labels;

			if (value->what != row->arg)
				continue;
			for (size_t k = 0; k < n; k++, at += strlen(at) + 1)
				labels[1 + k] = at;
			metric_count(out, value->n, labels, 1 + n);
		}
}

/* ---- the log and the store ---- */

static void count_suspended(void *ctx, const struct network_record *network)
{
	(void)network;
	++*(size_t *)ctx;
}

static double suspended(const struct controller *c)
{
	size_t n = 0;

	memory_each_suspended(&c->memory, count_suspended, &n);
	return (double)n;
}

enum number { LOG_VERSION, SUSPENDED, STORE_SIZE, STORE_FREE, STORE_FULL, WAITS, POLLS_PARKED, SNAPSHOTS_NOW, SESSIONS, UP_SINCE, BACKUP_MADE };

static double last_backup_s(const struct controller *c)
{
	uint64_t made_ms = 0, v;

	if (c->backups)
		backups_latest(c->backups, &made_ms, &v);
	return (double)made_ms / 1000;
}

static double number(const struct source *s, enum number what)
{
	switch (what) {
	case LOG_VERSION: return (double)controller_head(s->c);
	case SUSPENDED: return suspended(s->c);
	case STORE_SIZE: return (double)s->store.size_bytes;
	case STORE_FREE: return (double)s->store.free_bytes;
	case STORE_FULL: return s->store.full;
	case WAITS: return (double)s->c->stats.waits_now;
	case POLLS_PARKED: return (double)s->c->parked.n;
	case SNAPSHOTS_NOW: return (double)s->c->stats.snapshots_now;
	case SESSIONS: return (double)s->link->sessions;
	case BACKUP_MADE: return last_backup_s(s->c);
	case UP_SINCE: return (double)s->c->env.started_ms / 1000;
	}
	return 0;
}

static void read_number(void *ctx, const struct metric *row, struct metric_out *out)
{
	metric_number(out, number(ctx, (enum number)row->arg), METRIC_NONE);
}

static void read_commits(void *ctx, const struct metric *row, struct metric_out *out)
{
	(void)row;
	metric_histogram(out, &((struct source *)ctx)->store.commits, METRIC_NONE);
}

/* ---- the link ---- */

/* Counters of struct controller_stats and link_server_stats, by their place. */
static void read_stat(void *ctx, const struct metric *row, struct metric_out *out)
{
	metric_count(out, *(const uint64_t *)((const char *)&((struct source *)ctx)->c->stats + row->arg), METRIC_NONE);
}

static void read_link_stat(void *ctx, const struct metric *row, struct metric_out *out)
{
	metric_count(out, *(const uint64_t *)((const char *)((struct source *)ctx)->link + row->arg), METRIC_NONE);
}

static bool of_handshake(enum link_drop drop)
{
	return drop >= LINK_DROP_MAC1 && drop <= LINK_DROP_PROVISIONAL_FULL;
}

static void read_handshakes(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	metric_count(out, s->link->confirmed, METRIC_LABELS("ok"));
	for (unsigned i = 0; i < LINK_DROPS; i++)
		if (of_handshake((enum link_drop)i))
			metric_count(out, s->link->dropped[i], METRIC_LABELS(link_drop_name((enum link_drop)i)));
}

static void read_link_drops(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	for (unsigned i = 0; i < LINK_DROPS; i++)
		if (!of_handshake((enum link_drop)i))
			metric_count(out, s->link->dropped[i], METRIC_LABELS(link_drop_name((enum link_drop)i)));
}

/* ---- HTTP ---- */

static void read_requests(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	if (s->http)
		http_stats_write_counts(s->http, out);
}

static void read_request_times(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	if (s->http)
		http_stats_write_times(s->http, out);
}

static void read_connections(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	if (s->http)
		http_stats_write_connections(s->http, out);
}

static void read_closed(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	if (s->http)
		http_stats_write_closed(s->http, out);
}

static void read_limited_requests(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	if (s->http)
		http_stats_write_limited(s->http, out);
}

static void read_streams(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	if (s->http)
		http_stats_write_streams(s->http, out);
}

static void read_streams_ended(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	if (s->http)
		http_stats_write_streams_ended(s->http, out);
}

static void read_events(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	if (s->http)
		http_stats_write_events(s->http, out);
}

static void read_expiry(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	if (s->http)
		http_stats_write_expiry(s->http, out);
}

static void read_reloads(void *ctx, const struct metric *row, struct metric_out *out)
{
	const struct source *s = ctx;

	(void)row;
	if (s->http)
		http_stats_write_reloads(s->http, out);
}

#define STAT(field) read_stat, offsetof(struct controller_stats, field)
#define LINK_STAT(field) read_link_stat, offsetof(struct link_server_stats, field)

static const struct metric table[] = {
	{ "sixpn_build_info", METRIC_GAUGE, "component version node", "Always 1: which version the controller and each node run.", read_build, 0 },
	{ "sixpn_commit_to_applied_seconds", METRIC_HISTOGRAM, "node",
	  "From the commit of a change to its acknowledgement by the node, on the controller's clock. Applied means kernel, BPF and DNS changed, "
	  "journal durable. Nodes that were away are left out.", read_applied, 0 },
	{ "sixpn_node_last_poll_timestamp_seconds", METRIC_GAUGE, "node", "Unix time of its last poll; 0 = none since the controller started.",
	  read_node, NODE_LAST_POLL },
	{ "sixpn_node_ready", METRIC_GAUGE, "node", "1 = polled within three park times.", read_node, NODE_READY },
	{ "sixpn_node_lag_versions", METRIC_GAUGE, "node", "Changes of its scope that it has not applied; all, if it has not said what it holds.",
	  read_node, NODE_LAG_VERSIONS },
	{ "sixpn_node_lag_seconds", METRIC_GAUGE, "node", "How long ago the first change that it has not applied was committed; at least so long, if that is no longer known.", read_node,
	  NODE_LAG_SECONDS },
	{ "sixpn_node_rejected_records", METRIC_GAUGE, "node", "Records that it could not apply; `sixpn node errors` lists them.", read_node,
	  NODE_REJECTED },
	{ "sixpn_node_held_deletes", METRIC_GAUGE, "node",
	  "Deletes that came in masses and unexplained and that it holds back; `sixpn node release-held` lets them go.", read_node, NODE_HELD },
	{ "sixpn_node_digest_mismatches_total", METRIC_COUNTER, "node", "Times that its copy differed from ours at the same V.", read_node,
	  NODE_DRIFTS },
	{ "sixpn_node_unproven_epochs_total", METRIC_COUNTER, "node",
	  "Polls in which it named a later controller and could not prove it; they stop nobody.", read_node, NODE_UNPROVEN },
	{ "sixpn_node_limited_total", METRIC_COUNTER, "node what",
	  "Changes that it made too often and that wait: of its endpoints and keys, reports of its instances.", read_limited, 0 },
	{ "sixpn_node_health_left_out_total", METRIC_COUNTER, "node", "Numbers of it that were not exported because they made no sense.",
	  read_node, NODE_LEFT_OUT },
	{ "sixpn_controller_start_timestamp_seconds", METRIC_GAUGE, "", "Unix time of the controller's start.", read_number, UP_SINCE },
	{ "sixpn_log_version", METRIC_GAUGE, "", "V: the position of the newest change in the log.", read_number, LOG_VERSION },
	{ "sixpn_networks_suspended", METRIC_GAUGE, "", "Networks that pass nothing because their organization is suspended.", read_number, SUSPENDED },
	{ "sixpn_store_commit_seconds", METRIC_HISTOGRAM, "", "How long the COMMIT of a batch took, with its fsync.", read_commits, 0 },
	{ "sixpn_store_size_bytes", METRIC_GAUGE, "", "The database and its write-ahead log.", read_number, STORE_SIZE },
	{ "sixpn_store_free_bytes", METRIC_GAUGE, "", "Room on the file system of the database.", read_number, STORE_FREE },
	{ "sixpn_store_disk_full", METRIC_GAUGE, "", "1 = the disk is full, only deletes are accepted.", read_number, STORE_FULL },
	{ "sixpn_backup_last_success_timestamp_seconds", METRIC_GAUGE, "", "When the newest backup was made and verified; 0 = there is none.",
	  read_number, BACKUP_MADE },
	{ "sixpn_waits", METRIC_GAUGE, "", "Requests that wait now until nodes have applied their change.", read_number, WAITS },
	{ "sixpn_link_polls_parked", METRIC_GAUGE, "", "Polls that wait now for news.", read_number, POLLS_PARKED },
	{ "sixpn_link_sessions", METRIC_GAUGE, "", "Sessions of nodes now.", read_number, SESSIONS },
	{ "sixpn_link_snapshots_running", METRIC_GAUGE, "", "Snapshots that nodes fetch now.", read_number, SNAPSHOTS_NOW },
	{ "sixpn_link_polls_total", METRIC_COUNTER, "", "Polls.", STAT(polls) },
	{ "sixpn_link_deltas_total", METRIC_COUNTER, "", "Polls answered with changes.", STAT(deltas) },
	{ "sixpn_link_bookmarks_total", METRIC_COUNTER, "", "Polls answered with nothing but the position.", STAT(bookmarks) },
	{ "sixpn_link_snapshots_total", METRIC_COUNTER, "", "Whole snapshots begun.", STAT(snapshots) },
	{ "sixpn_link_heals_total", METRIC_COUNTER, "", "Snapshots begun of only the parts that differed.", STAT(heals) },
	{ "sixpn_link_retry_after_total", METRIC_COUNTER, "", "Polls told to come back later.", STAT(retries) },
	{ "sixpn_link_fenced_total", METRIC_COUNTER, "", "Polls refused because another controller, machine or log is meant.", STAT(fenced) },
	{ "sixpn_link_foreign_peers_total", METRIC_COUNTER, "", "Peers in reports of a node that is not their gateway, or no more.", STAT(foreign_peers) },
	{ "sixpn_link_clones_total", METRIC_COUNTER, "", "Times that a second machine came with the identity of a node.", STAT(clones) },
	{ "sixpn_link_bad_requests_total", METRIC_COUNTER, "", "Requests in a good session that no node of ours would send.", STAT(bad_requests) },
	{ "sixpn_store_roll_backs_total", METRIC_COUNTER, "", "Times that a node proved that the store had been rolled back.", STAT(roll_backs) },
	{ "sixpn_link_handshakes_total", METRIC_COUNTER, "result", "Handshakes by what became of them.", read_handshakes, 0 },
	{ "sixpn_link_drops_total", METRIC_COUNTER, "reason", "Other frames that were not obeyed, by reason.", read_link_drops, 0 },
	{ "sixpn_link_replies_lost_total", METRIC_COUNTER, "", "Replies that could not be sent; the node asks again.", LINK_STAT(replies_lost) },
	{ "sixpn_http_requests_total", METRIC_COUNTER, "method route code", "HTTP requests.", read_requests, 0 },
	{ "sixpn_http_request_seconds", METRIC_HISTOGRAM, "method route", "From the complete headers to the reply; a wait for nodes counts.",
	  read_request_times, 0 },
	{ "sixpn_http_connections", METRIC_GAUGE, "", "Connections to the API by TCP.", read_connections, 0 },
	{ "sixpn_http_connections_closed_total", METRIC_COUNTER, "reason",
	  "Connections that were refused because their address has too many, closed to make room for others, or too slow.", read_closed, 0 },
	{ "sixpn_http_limited_total", METRIC_COUNTER, "what", "Requests refused with 429 because an address, a token or an organization had too many.",
	  read_limited_requests, 0 },
	{ "sixpn_http_event_streams", METRIC_GAUGE, "", "Clients that follow the events.", read_streams, 0 },
	{ "sixpn_http_event_streams_ended_total", METRIC_COUNTER, "reason", "Streams of events that ended. slow: the client took nothing for 30 s.",
	  read_streams_ended, 0 },
	{ "sixpn_http_events_sent_total", METRIC_COUNTER, "", "Events that were sent to those who follow.", read_events, 0 },
	{ "sixpn_api_certificate_expiry_timestamp_seconds", METRIC_GAUGE, "", "Unix time at which the certificate of https ends.", read_expiry, 0 },
	{ "sixpn_api_certificate_reloads_total", METRIC_COUNTER, "result",
	  "Times that the certificate was read again; failed: the one before stayed.", read_reloads, 0 },
#define HEALTH_ROW(number, NAME, metric, type, labels, help) { metric, type, "node " labels, help, read_health, number },
	HEALTH_FAMILIES(HEALTH_ROW)
#undef HEALTH_ROW
};

void controller_metrics(const struct controller *c, const struct http_stats *http, struct buf *text)
{
	struct source s = { .c = c, .http = http, .link = link_server_stats(c->link) };

	store_stats(c->config.store, &s.store);
	metric_write(table, ARRAY_LEN(table), &s, text);
}

void controller_metrics_document(struct buf *text)
{
	metric_document(table, ARRAY_LEN(table), text);
}
