/* forward_tally - see forward_tally.h. */
#include "lib/dns/forward_tally.h"

const char *dns_forward_counter_name(enum dns_forward_counter counter)
{
	static const char *const names[] = {
		[DNS_FORWARD_ASKED] = "asked",
		[DNS_FORWARD_HIT] = "hit",
		[DNS_FORWARD_HIT_STALE] = "hit_stale",
		[DNS_FORWARD_HIT_FAILURE] = "hit_failure",
		[DNS_FORWARD_ANSWERED] = "answered",
		[DNS_FORWARD_STALE] = "stale",
		[DNS_FORWARD_FAILED] = "failed",
		[DNS_FORWARD_NO_UPSTREAM] = "no_upstream",
		[DNS_FORWARD_OVER_SOURCE] = "over_source",
		[DNS_FORWARD_OVER_NETWORK] = "over_network",
		[DNS_FORWARD_OVER_TOTAL] = "over_total",
		[DNS_FORWARD_LOOPED] = "looped",
		[DNS_FORWARD_PRIVATE] = "private",
		[DNS_FORWARD_REPEATED] = "repeated",
		[DNS_FORWARD_CANCELLED] = "cancelled",
		[DNS_FORWARD_COALESCED] = "coalesced",
		[DNS_FORWARD_JOSTLED] = "jostled",
		[DNS_FORWARD_QUESTIONS] = "questions",
		[DNS_FORWARD_SENT_UDP] = "sent_udp",
		[DNS_FORWARD_SENT_TCP] = "sent_tcp",
		[DNS_FORWARD_HEDGED] = "hedged",
		[DNS_FORWARD_WITHOUT_EDNS] = "without_edns",
		[DNS_FORWARD_TRUNCATED] = "truncated",
		[DNS_FORWARD_FLOODED] = "flooded",
		[DNS_FORWARD_FOLDED] = "folded",
		[DNS_FORWARD_OVERSIZE] = "oversize",
		[DNS_FORWARD_UPSTREAM_FAILED] = "upstream_failed",
		[DNS_FORWARD_UPSTREAM_SLOW] = "upstream_slow",
		[DNS_FORWARD_UPSTREAM_UNREACHABLE] = "upstream_unreachable",
		[DNS_FORWARD_UPSTREAM_BAD_STREAM] = "upstream_bad_stream",
		[DNS_FORWARD_PROBES] = "probes",
		[DNS_FORWARD_NO_SOCKET] = "no_socket",
		[DNS_FORWARD_DROPPED_WRONG_ID] = "dropped_wrong_id",
		[DNS_FORWARD_DROPPED_NOT_REPLY] = "dropped_not_reply",
		[DNS_FORWARD_DROPPED_WRONG_QUESTION] = "dropped_wrong_question",
		[DNS_FORWARD_DROPPED_WRONG_CASE] = "dropped_wrong_case",
		[DNS_FORWARD_DROPPED_MALFORMED] = "dropped_malformed",
		[DNS_FORWARD_DROPPED_UNSOUND] = "dropped_unsound",
		[DNS_FORWARD_EVICTED] = "evicted",
		[DNS_FORWARD_RELOADED] = "reloaded",
	};

	_Static_assert(ARRAY_LEN(names) == DNS_FORWARD_COUNTER_COUNT, "every counter has a name");
	return names[counter];
}

const char *dns_forward_gauge_name(enum dns_forward_gauge gauge)
{
	static const char *const names[] = { "questions_now", "waiting_now", "sockets_now", "cached_now", "cached_bytes_now" };

	_Static_assert(ARRAY_LEN(names) == DNS_FORWARD_GAUGE_COUNT, "every gauge has a name");
	return names[gauge];
}

void dns_forward_tally_read(const struct dns_forward_tally *t, struct dns_forward_stats *ret_stats)
{
	for (size_t i = 0; i < DNS_FORWARD_COUNTER_COUNT; i++)
		ret_stats->counters[i] = atomic_load_explicit(&t->counters[i], memory_order_relaxed);
	for (size_t i = 0; i < DNS_FORWARD_GAUGE_COUNT; i++)
		ret_stats->gauges[i] = atomic_load_explicit(&t->gauges[i], memory_order_relaxed);
}
