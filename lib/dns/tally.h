/* tally - the counters of one thread: written by it alone, read by anybody. */
#pragma once
#include "lib/dns/server.h"

#include <stdatomic.h>

struct dns_tally {
	_Atomic uint64_t asked[DNS_LISTENER_COUNT][DNS_TRANSPORT_COUNT];
	_Atomic uint64_t answers[DNS_TREE_COUNT][DNS_RCODE_SLOTS][DNS_TRANSPORT_COUNT];
	_Atomic uint64_t notes[DNS_NOTE_COUNT];
	_Atomic uint64_t counters[DNS_COUNTER_COUNT];
	_Atomic uint64_t tcp_open;
};

/* One writer, so no locked instruction is needed. */
static inline void dns_tally_raise(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by, memory_order_relaxed);
}
static inline void dns_tally_count(struct dns_tally *t, enum dns_counter counter)
{
	dns_tally_raise(&t->counters[counter], 1);
}
static inline void dns_tally_asked(struct dns_tally *t, enum dns_listener listener, enum dns_transport transport)
{
	dns_tally_count(t, DNS_COUNT_RECEIVED);
	dns_tally_raise(&t->asked[listener][transport], 1);
}
void dns_tally_dropped(struct dns_tally *t, const struct dns_outcome *outcome); /* nothing is sent, and the note says why */
void dns_tally_outcome(struct dns_tally *t, const struct dns_outcome *outcome, enum dns_transport transport);
void dns_tally_sum(const struct dns_tally *t, struct dns_stats *sum); /* adds to sum */
