/* health - the numbers that a node exports itself and also sends to the controller, which exports them again with the node's name: one
 * table for both. Numbers are for ever: a retired row leaves its number unused.
 *
 *	 F(number, NAME, metric name, type, labels beside `node`, what it says) */
#pragma once

#define HEALTH_LABELS_MAX 3
#define HEALTH_LABELS_SIZE 56 /* all labels of a value, each with its NUL */
#define HEALTH_VALUES_MAX 256 /* of one node */

#define HEALTH_FAMILIES(F)                                                                                                              \
	F(1, DROPS, "sixpn_bpf_drops_total", METRIC_COUNTER, "reason",                                                                  \
	  "Packets that a BPF program of ours dropped, by reason (bpf/sixpn.h tells each in a sentence).")                             \
	F(2, PACKETS, "sixpn_bpf_packets_total", METRIC_COUNTER, "hook", "Packets that passed, by program.")                           \
	F(3, BYTES, "sixpn_bpf_bytes_total", METRIC_COUNTER, "hook", "Bytes that passed, by program.")                                 \
	F(4, UNMARKED, "sixpn_unmarked_drops_total", METRIC_COUNTER, "",                                                               \
	  "Packets without our mark that the second gate (nftables) dropped: above 0, the first gate was missing.")                    \
	F(5, DNS_ANSWERS, "sixpn_dns_answers_total", METRIC_COUNTER, "zone rcode transport", "Answers of the name server.")            \
	F(6, DNS_EVENTS, "sixpn_dns_events_total", METRIC_COUNTER, "event",                                                            \
	  "What else the name server met: queries dropped, replies without a route, full rings, TCP limits.")                          \
	F(7, DNS_NETWORKS, "sixpn_dns_networks", METRIC_GAUGE, "", "Networks that the name server answers for.")                       \
	F(8, KERNEL_REPAIRS, "sixpn_node_kernel_repairs_total", METRIC_COUNTER, "kind",                                                \
	  "Objects of the kernel that differed from the plan outside an apply and were put right.")                                    \
	F(9, APPLY_ERRORS, "sixpn_node_apply_errors_total", METRIC_COUNTER, "", "Parts of an apply that failed.")                      \
	F(10, PRESENCE_TIMEOUTS, "sixpn_node_presence_timeouts_total", METRIC_COUNTER, "",                                             \
	  "Instances that were started before every node had said that it knows this host in their network.")                          \
	F(11, STARTED, "sixpn_node_start_timestamp_seconds", METRIC_GAUGE, "", "Unix time of the daemon's start.")                     \
	F(12, RECORDS, "sixpn_node_records", METRIC_GAUGE, "", "Records that the node holds.")                                         \
	F(13, MESH_PEERS, "sixpn_mesh_peers", METRIC_GAUGE, "state",                                                                   \
	  "Other nodes in WireGuard: up = a handshake in the last 180 s; quiet = none, as between nodes that have nothing to say.")                                                \
	F(14, MESH_RESTARTS, "sixpn_mesh_restarts_total", METRIC_COUNTER, "",                                                          \
	  "Restarts of the WireGuard process since the daemon started.")                                                               \
	F(15, LINK_SESSIONS, "sixpn_node_link_sessions_total", METRIC_COUNTER, "", "Sessions with the controller that came to be.")    \
	F(16, LINK_LOST, "sixpn_node_link_lost_total", METRIC_COUNTER, "", "Calls to the controller that got no reply.")               \
	F(17, SNAPSHOTS, "sixpn_node_snapshots_total", METRIC_COUNTER, "", "Whole snapshots that were taken.")                         \
	F(18, REFUSED, "sixpn_node_refused_replies_total", METRIC_COUNTER, "", "Replies of a controller that were refused.")           \
	F(19, KERNEL_REPAIR_FAILURES, "sixpn_node_kernel_repair_failures_total", METRIC_COUNTER, "kind",                               \
	  "Times that such an object could not be put right; it is tried again.")                                                      \
	F(20, DNS_UPSTREAM_UP, "sixpn_dns_upstream_up", METRIC_GAUGE, "upstream",                                                      \
	  "1 = the upstream answers what it is asked; 0 = it owes an answer and is probed.")                                           \
	F(21, DNS_CACHE_HITS, "sixpn_dns_cache_hits_total", METRIC_COUNTER, "",                                                        \
	  "Questions for names outside that were answered from the cache.")                                                            \
	F(22, DNS_FORWARD_FAILED, "sixpn_dns_forward_failed_total", METRIC_COUNTER, "",                                                \
	  "Questions for names outside that ended in SERVFAIL because no upstream answered, or none is configured.")                   \
	F(23, GATEWAY_PEERS, "sixpn_gateway_peers", METRIC_GAUGE, "state",                                                              \
	  "Customers' peers in WireGuard: online = a handshake in the last 180 s, offline = one before, never = none yet, unseen = not looked at yet.") \
	F(24, GATEWAY_HANDSHAKES, "sixpn_gateway_handshakes_total", METRIC_COUNTER, "",                                                \
	  "Handshakes of customers' peers that were seen; several of one peer between two looks count as one.")                       \
	F(25, GATEWAY_RESTARTS, "sixpn_gateway_restarts_total", METRIC_COUNTER, "",                                                    \
	  "Restarts of the WireGuard process of customers' peers since the daemon started.")

enum health_what {
#define HEALTH_WHAT(number, NAME, metric, type, labels, help) HEALTH_##NAME = number,
	HEALTH_FAMILIES(HEALTH_WHAT)
#undef HEALTH_WHAT
};

/* How many labels a row has beside `node`; -1 = there is no such row. */
static inline int health_n_labels(unsigned what)
{
	switch (what) {
#define HEALTH_COUNT(number, NAME, metric, type, labels, help) \
	case number: {                                         \
		static const char text[] = labels;             \
		int n = sizeof text > 1;                       \
                                                               \
		for (const char *p = text; *p; p++)            \
			n += *p == ' ';                        \
		return n;                                      \
	}
		HEALTH_FAMILIES(HEALTH_COUNT)
#undef HEALTH_COUNT
	default:
		return -1;
	}
}
