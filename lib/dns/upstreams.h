/* upstreams - the name servers that questions are forwarded to: which there may be, how well each has done, whom to ask first.
 * Pure; times are the caller's. */
#pragma once
#include "lib/base/err.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define DNS_UPSTREAMS_MAX 8
#define DNS_UPSTREAM_TEXT_LEN 72
#define DNS_UPSTREAM_QUIRK_MS 600000 /* how long it is remembered that an upstream cannot do something */

struct dns_upstream {
	struct sockaddr_storage address;
	socklen_t address_len;
	char text[DNS_UPSTREAM_TEXT_LEN]; /* "[address]:port" or "a.b.c.d:port" */
	uint32_t srtt_ms;                 /* smoothed; 0 = never heard */
	uint32_t failures;                /* in a row */
	bool suspect;                     /* it owes an answer: not asked first, and probed until it is heard again */
	uint64_t probe_at_ms;
	uint32_t probe_wait_ms;
	uint64_t no_edns_until_ms, folds_until_ms; /* folds: it does not keep the letters; asked by TCP */
	uint64_t sent, heard, lost;
};

struct dns_upstreams {
	struct dns_upstream all[DNS_UPSTREAMS_MAX];
	size_t n;
	uint64_t generation; /* of the list; indices of an older one mean nothing */
};

/* A list from the configuration: "ADDRESS[:PORT] ...", separated by commas or blanks; IPv6 with a port in brackets, with %DEVICE if
 * link-local. E_REFUSED: what is no address, an address no server can have, one of ours (`own`, or any of the 6PN). */
int dns_upstreams_parse(const char *text, const struct in6_addr *own, struct dns_upstreams *ret, struct why *why) MUST_CHECK;
/* The name servers of a resolv.conf. Those that could not be used are left out; *ret_left_out is how many. True if one is of a device
 * (fe80::1%eth0): devices come and go, so that the same text may mean something else later. */
bool dns_upstreams_from_resolv_conf(const char *text, const struct in6_addr *own, struct dns_upstreams *ret, size_t *ret_left_out);
bool dns_upstreams_same(const struct dns_upstreams *a, const struct dns_upstreams *b);
/* Puts the new list in place; what is known of an address that stays, stays. */
void dns_upstreams_replace(struct dns_upstreams *u, const struct dns_upstreams *by);

/* Whom to ask, best first: those not under suspicion by their round-trip time, then the others. */
void dns_upstreams_order(const struct dns_upstreams *u, uint8_t ret_order[DNS_UPSTREAMS_MAX]);
bool dns_upstreams_all_silent(const struct dns_upstreams *u); /* everybody is under suspicion */
void dns_upstream_heard(struct dns_upstream *u, uint64_t took_ms);
/* It was given `waited_ms` and had nothing to say. */
void dns_upstream_lost(struct dns_upstream *u, uint64_t waited_ms, uint64_t now_ms);
/* How long to wait for it before asking another (or it again). */
uint32_t dns_upstream_patience_ms(const struct dns_upstream *u, bool there_are_others);
/* Is a probe due? Then the next is set. ret_next_ms: when to ask again, UINT64_MAX = no need. */
bool dns_upstream_probe_due(struct dns_upstream *u, uint64_t now_ms, uint64_t *ret_next_ms);
