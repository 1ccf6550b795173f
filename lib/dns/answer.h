/* answer - from the bytes of a query and where it came from to the bytes of its answer. Pure: the same for UDP and TCP, for
 * workers and tests.
 *
 * The asker's network is in its source address: fdaa:<network>:<host>..., natural form; BPF has checked it before. Whoever is in no 6PN
 * is REFUSED, and so are the node's own questions. A query to fdaa:<network>::3 from anywhere else than that network gets nothing, as
 * if nobody were there. */
#pragma once
#include "lib/dns/views.h"

enum dns_transport { DNS_UDP, DNS_TCP };
#define DNS_TRANSPORT_COUNT 2

struct dns_asker {
	struct in6_addr source, local; /* local: the address it asked */
	enum dns_transport transport;
	uint16_t keepalive; /* TCP: how long the connection may be idle, in 100 ms (RFC 7828); 0 = not told */
};

/* Why an answer is what it is, where rcode and tree do not say; counted. */
enum dns_note {
	DNS_NOTE_NONE,
	DNS_NOTE_MALFORMED,
	DNS_NOTE_STRANGER,         /* the source is not in a 6PN: REFUSED */
	DNS_NOTE_WRONG_RESOLVER,   /* asked another network's ::3: nothing is sent */
	DNS_NOTE_UNSYNCED,         /* no zone, and nothing known yet: SERVFAIL */
	DNS_NOTE_NO_ZONE,          /* no zone though synced: SERVFAIL */
	DNS_NOTE_FORWARD,          /* not ours to answer: needs the forwarder; the message says SERVFAIL until there is an answer */
	DNS_NOTE_TRUNCATED,
	DNS_NOTE_PRIVATE,          /* a name that never leaves: answered here (private.h) */
	DNS_NOTE_NO_RECURSION,     /* not ours, and RD is not set: REFUSED */
};
#define DNS_NOTE_COUNT 10
const char *dns_note_name(enum dns_note note);

struct dns_outcome {
	enum dns_tree tree;
	uint16_t rcode;
	enum dns_note note;
};

/* May anybody at `source` be talked to at `local`? False: another network's ::3. */
bool dns_resolver_serves(const struct in6_addr *local, const struct in6_addr *source);

/* Call between dns_views_online and _offline. size >= DNS_UDP_MAX for UDP, DNS_MESSAGE_MAX for TCP. The length of the answer in
 * ret_message; 0 = send nothing (then of *ret_outcome only the note means something). */
size_t dns_answer(const struct dns_views *views, const struct dns_asker *asker, const uint8_t *query, size_t query_len,
		  uint8_t *ret_message, size_t size, struct dns_outcome *ret_outcome);
