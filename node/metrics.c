/* metrics - see metrics.h. */
#include "node/metrics.h"

#include "node/health.h"

#include <string.h>

struct source {
	struct node *node;
	struct health_reading *reading;
};

struct health_out {
	struct metric_out *out;
	const char *node;
};

static void write_value(void *ctx, uint64_t n, const char *const *labels, size_t n_labels)
{
	struct health_out *h = ctx;
	const char *all[1 + HEALTH_LABELS_MAX] = { h->node };

	for (size_t i = 0; i < n_labels; i++)
		all[1 + i] = labels[i];
	metric_count(h->out, n, all, 1 + n_labels);
}

static void read_health(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;
	struct health_out h = { .out = out, .node = s->node->identity.name };

	if (s->reading)
		health_each(s->reading, (enum health_what)row->arg, write_value, &h);
}

static void read_build(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;

	(void)row;
	metric_count(out, 1, METRIC_LABELS("node", SIXPN_VERSION, s->node->identity.name));
}

static void read_applied(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;

	(void)row;
	metric_histogram(out, &sync_stats(s->node->sync)->applied, METRIC_LABELS(s->node->identity.name));
}

static void read_journal(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;
	struct histogram times = journal_times(s->node->journal);

	(void)row;
	metric_histogram(out, &times, METRIC_LABELS(s->node->identity.name));
}

static void read_installs(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;
	struct role_numbers numbers;

	(void)row;
	if (node_role_numbers(s->node, &numbers))
		metric_histogram(out, &numbers.installs, METRIC_LABELS(s->node->identity.name));
}

enum number { VERSION, SYNCED, LAST_REPLY, REJECTED, HELD, REPORTS, SOCKETS };

/* The clock that counts replies has nothing to do with Unix time: both are read now. */
static double last_reply(const struct node *node)
{
	uint64_t at = sync_stats(node->sync)->last_reply_ms;

	return at ? (double)(clock_real_ms(&node->clock) - (clock_mono_ms(&node->clock) - at)) / 1000 : 0;
}

static double number(const struct node *node, enum number what)
{
	switch (what) {
	case VERSION: return (double)node->replica.v;
	case SYNCED: return sync_is_synced(node->sync);
	case LAST_REPLY: return last_reply(node);
	case REJECTED: return (double)node->errors.n;
	case HELD: return (double)node->replica.n_held;
	case REPORTS: return (double)reports_waiting(node->reports);
	case SOCKETS: return (double)link_client_stats(node->link)->dials;
	}
	return 0;
}

static void read_number(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;

	metric_number(out, number(s->node, (enum number)row->arg), METRIC_LABELS(s->node->identity.name));
}

static void read_link_drops(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;

	(void)row;
	for (unsigned i = 0; i < LINK_DROPS; i++)
		metric_count(out, link_client_stats(s->node->link)->dropped[i],
			     METRIC_LABELS(s->node->identity.name, link_drop_name((enum link_drop)i)));
}

static void read_notes(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;
	struct dns_stats stats;

	(void)row;
	if (!s->node->dns)
		return;
	dns_server_stats(s->node->dns, &stats);
	for (unsigned i = 1; i < DNS_NOTE_COUNT; i++)
		metric_count(out, stats.notes[i], METRIC_LABELS(s->node->identity.name, dns_note_name((enum dns_note)i)));
}

static void read_questions(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;
	struct dns_stats stats;

	(void)row;
	if (!s->node->dns)
		return;
	dns_server_stats(s->node->dns, &stats);
	for (unsigned l = 0; l < DNS_LISTENER_COUNT; l++)
		for (unsigned t = 0; t < DNS_TRANSPORT_COUNT; t++)
			metric_count(out, stats.asked[l][t], METRIC_LABELS(s->node->identity.name, dns_listener_name((enum dns_listener)l),
									   t == DNS_UDP ? "udp" : "tcp"));
}

static void read_resolvers(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;
	struct dns_stats stats;

	(void)row;
	if (!s->node->dns)
		return;
	dns_server_stats(s->node->dns, &stats);
	metric_number(out, (double)stats.networks, METRIC_LABELS(s->node->identity.name, "open"));
	metric_number(out, (double)s->node->n_unserved, METRIC_LABELS(s->node->identity.name, "missing"));
}

enum forward_family { FORWARD_EVENTS, FORWARD_NOW };

static void read_forward(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;
	struct dns_stats stats;
	const char *node = s->node->identity.name;

	if (!s->node->dns)
		return;
	dns_server_stats(s->node->dns, &stats);
	for (unsigned i = 0; row->arg == FORWARD_EVENTS && i < DNS_FORWARD_COUNTER_COUNT; i++)
		metric_count(out, stats.forward.counters[i], METRIC_LABELS(node, dns_forward_counter_name((enum dns_forward_counter)i)));
	for (unsigned i = 0; row->arg == FORWARD_NOW && i < DNS_FORWARD_GAUGE_COUNT; i++)
		metric_number(out, (double)stats.forward.gauges[i], METRIC_LABELS(node, dns_forward_gauge_name((enum dns_forward_gauge)i)));
}

static void read_upstreams(void *ctx, const struct metric *row, struct metric_out *out)
{
	struct source *s = ctx;
	struct dns_upstreams u = { .n = 0 };

	(void)row;
	if (s->node->dns)
		dns_server_upstreams(s->node->dns, &u);
	for (size_t i = 0; i < u.n; i++)
		if (u.all[i].srtt_ms)
			metric_number(out, u.all[i].srtt_ms / 1e3, METRIC_LABELS(s->node->identity.name, u.all[i].text));
}

static const struct metric table[] = {
	{ "sixpn_build_info", METRIC_GAUGE, "component version node", "Always 1: which version runs.", read_build, 0 },
	{ "sixpn_commit_to_applied_seconds", METRIC_HISTOGRAM, "node",
	  "From the commit of a change to kernel, BPF and DNS changed here, by the clocks of two machines; the journal is not waited for.",
	  read_applied, 0 },
	{ "sixpn_node_applied_version", METRIC_GAUGE, "node",
	  "V of the newest change that is applied here; the distance to sixpn_log_version counts changes of other networks too.", read_number,
	  VERSION },
	{ "sixpn_node_synced", METRIC_GAUGE, "node", "1 = the controller has spoken since the daemon's start; 0 = the state on disk is served.",
	  read_number, SYNCED },
	{ "sixpn_node_last_reply_timestamp_seconds", METRIC_GAUGE, "node",
	  "Unix time of the controller's last reply; what is served may be as old as that. 0 = none since the start.", read_number, LAST_REPLY },
	{ "sixpn_node_rejected_records", METRIC_GAUGE, "node", "Records that could not be applied.", read_number, REJECTED },
	{ "sixpn_node_held_deletes", METRIC_GAUGE, "node", "Deletes that came in masses and unexplained and are held back.", read_number, HELD },
	{ "sixpn_node_reports_waiting", METRIC_GAUGE, "node", "Instances whose state the controller has not yet recorded.", read_number, REPORTS },
	{ "sixpn_node_link_dials_total", METRIC_COUNTER, "node", "Connections to the controller that were begun.", read_number, SOCKETS },
	{ "sixpn_node_link_drops_total", METRIC_COUNTER, "node reason", "Frames of the controller that were not obeyed, by reason.",
	  read_link_drops, 0 },
	{ "sixpn_node_journal_write_seconds", METRIC_HISTOGRAM, "node", "How long it took to append a change to the journal and sync it.",
	  read_journal, 0 },
	{ "sixpn_gateway_install_seconds", METRIC_HISTOGRAM, "node",
	  "How long it took to bring WireGuard to a change of customers' peers, be it one or thousands.", read_installs, 0 },
	{ "sixpn_dns_notes_total", METRIC_COUNTER, "node note", "Answers by why they are what they are.", read_notes, 0 },
	{ "sixpn_dns_questions_total", METRIC_COUNTER, "node listener transport",
	  "Questions, also those that were dropped: at fdaa::3 (resolver) and at fdaa:<network>::3 (network).", read_questions, 0 },
	{ "sixpn_dns_network_listeners", METRIC_GAUGE, "node state",
	  "Networks whose peers end here and are answered at their ::3 (open), or not for lack of descriptors or memory (missing).",
	  read_resolvers, 0 },
	{ "sixpn_dns_forward_events_total", METRIC_COUNTER, "node event",
	  "What became of questions for names outside the 6PN (docs/operate/dns-forwarding.md tells each).", read_forward, FORWARD_EVENTS },
	{ "sixpn_dns_forward_now", METRIC_GAUGE, "node what", "Questions on their way, queries that wait, sockets, answers kept and their bytes.",
	  read_forward, FORWARD_NOW },
	{ "sixpn_dns_upstream_seconds", METRIC_GAUGE, "node upstream", "Smoothed time from question to answer.", read_upstreams, 0 },
#define HEALTH_ROW(number, NAME, metric, type, labels, help) { metric, type, "node " labels, help, read_health, number },
	HEALTH_FAMILIES(HEALTH_ROW)
#undef HEALTH_ROW
};

void node_metrics(struct node *node, struct buf *text)
{
	struct source s = { .node = node, .reading = health_read(node) };

	metric_write(table, ARRAY_LEN(table), &s, text);
	health_reading_free(s.reading);
}

void node_metrics_document(struct buf *text)
{
	metric_document(table, ARRAY_LEN(table), text);
}
