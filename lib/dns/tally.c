/* tally - see tally.h. */
#include "lib/dns/tally.h"

const char *dns_counter_name(enum dns_counter counter)
{
	static const char *const names[] = {
		[DNS_COUNT_RECEIVED] = "received",
		[DNS_COUNT_DROPPED] = "dropped",
		[DNS_COUNT_UNREACHABLE] = "unreachable",
		[DNS_COUNT_SEND_FAILED] = "send_failed",
		[DNS_COUNT_RECEIVE_FAILED] = "receive_failed",
		[DNS_COUNT_OVERFLOWED] = "overflowed",
		[DNS_COUNT_HANDED_OVER] = "handed_over",
		[DNS_COUNT_RING_FULL] = "ring_full",
		[DNS_COUNT_FORWARD_UNAVAILABLE] = "forward_unavailable",
		[DNS_COUNT_TCP_ACCEPTED] = "tcp_accepted",
		[DNS_COUNT_TCP_REFUSED] = "tcp_refused",
		[DNS_COUNT_TCP_IDLE] = "tcp_idle",
		[DNS_COUNT_TCP_BAD] = "tcp_bad",
		[DNS_COUNT_TCP_GAVE_WAY] = "tcp_gave_way",
	};

	_Static_assert(ARRAY_LEN(names) == DNS_COUNTER_COUNT, "every counter has a name");
	return names[counter];
}

const char *dns_listener_name(enum dns_listener listener)
{
	return listener == DNS_LISTENER_RESOLVER ? "resolver" : "network";
}

const char *dns_rcode_slot_name(unsigned slot)
{
	static const char *const names[DNS_RCODE_SLOTS] = { "noerror", "formerr", "servfail", "nxdomain", "notimp", "refused", "other" };

	return names[slot < DNS_SLOT_OTHER_RCODE ? slot : DNS_SLOT_OTHER_RCODE];
}

void dns_tally_dropped(struct dns_tally *t, const struct dns_outcome *outcome)
{
	dns_tally_count(t, DNS_COUNT_DROPPED);
	dns_tally_raise(&t->notes[outcome->note], 1);
}

void dns_tally_outcome(struct dns_tally *t, const struct dns_outcome *outcome, enum dns_transport transport)
{
	unsigned slot = outcome->rcode < DNS_SLOT_OTHER_RCODE ? outcome->rcode : DNS_SLOT_OTHER_RCODE;

	dns_tally_raise(&t->answers[outcome->tree][slot][transport], 1);
	dns_tally_raise(&t->notes[outcome->note], 1);
}

static uint64_t value(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void dns_tally_sum(const struct dns_tally *t, struct dns_stats *sum)
{
	for (size_t tree = 0; tree < DNS_TREE_COUNT; tree++)
		for (size_t slot = 0; slot < DNS_RCODE_SLOTS; slot++)
			for (size_t transport = 0; transport < DNS_TRANSPORT_COUNT; transport++)
				sum->answers[tree][slot][transport] += value(&t->answers[tree][slot][transport]);
	for (size_t l = 0; l < DNS_LISTENER_COUNT; l++)
		for (size_t transport = 0; transport < DNS_TRANSPORT_COUNT; transport++)
			sum->asked[l][transport] += value(&t->asked[l][transport]);
	for (size_t i = 0; i < DNS_NOTE_COUNT; i++)
		sum->notes[i] += value(&t->notes[i]);
	for (size_t i = 0; i < DNS_COUNTER_COUNT; i++)
		sum->counters[i] += value(&t->counters[i]);
	sum->tcp_open += value(&t->tcp_open);
}
