/* shares - who has how much waiting: so that no asker and no network, nor many networks together, can take the forwarder away from the
 * others: none has more waiters than there are free places, and of questions the network with most gives up one. Pure. */
#pragma once
#include "lib/base/map.h"

#include <netinet/in.h>

/* Askers that wait, and questions on their way upstream; askers of one question share it. */
#define DNS_SHARE_SOURCE_MAX 32
#define DNS_SHARE_NETWORK_MAX 256
#define DNS_SHARE_WAITERS_MAX 4096
#define DNS_SHARE_NETWORK_QUESTIONS_MAX 64
#define DNS_SHARE_QUESTIONS_MAX 256

struct dns_shares {
	struct map networks, sources;
	size_t n_waiters, n_questions;
};

enum dns_share { DNS_SHARE_OK, DNS_SHARE_OVER_SOURCE, DNS_SHARE_OVER_NETWORK, DNS_SHARE_OVER_TOTAL };

void dns_shares_deinit(struct dns_shares *s);
/* One more asker: counted if OK. No memory is OVER_TOTAL. */
enum dns_share dns_shares_add_waiter(struct dns_shares *s, const struct in6_addr *source, uint32_t network);
void dns_shares_remove_waiter(struct dns_shares *s, const struct in6_addr *source, uint32_t network);
/* One more question of a network that has a waiter: counted if OK. OVER_TOTAL: *ret_jostle is the network with the most, if it has
 * so many more than this one that it should give one up; 0 if not. */
enum dns_share dns_shares_add_question(struct dns_shares *s, uint32_t network, uint32_t *ret_jostle);
void dns_shares_remove_question(struct dns_shares *s, uint32_t network);
