/* Any bytes as a query, by UDP and TCP, over a small zone, at fdaa::3 and at the ::3 of the asker's network: an answer never passes its
 * limit, is never itself a query, and is as long at the one as at the other. At the ::3 of another network there is none. */
#include "lib/dns/answer.h"

#include <stdlib.h>
#include <string.h>

static struct dns_views *make_views(void)
{
	struct dns_region regions[] = { { "ord", 0 }, { "nrt", 10000 } };
	struct dns_here here = { 0xA1110001, "ord", regions, 2 };
	struct dns_instance all[20] = { 0 };
	struct dns_peer peers[] = { { "laptop", addr_natural((struct addr_parts){ 0x12345678, 0xA1110001, 10, 2 }), true },
				    { "p2", addr_natural((struct addr_parts){ 0x12345678, 0xA1110001, 10, 0x102 }), false } };
	struct dns_zone_input in = { .network = 0x12345678, .v = 1, .instances = all, .n_instances = 20, .peers = peers, .n_peers = 2 };
	struct dns_views *views;
	struct dns_zone *zone;

	for (unsigned i = 0; i < 20; i++) {
		memcpy(all[i].id, "00000000000000", 15);
		all[i].id[13] = (char)('a' + i % 6), all[i].id[12] = (char)('a' + i / 6);
		memcpy(all[i].app, i % 3 ? "a" : "b", 2);
		memcpy(all[i].region, i % 2 ? "ord" : "nrt", 4);
		all[i].address = addr_instance(0x12345678, 0xA1110001, 0x10000 + i);
		all[i].answers = i % 5;
		memcpy(all[i].group, i % 7 ? "w" : "x", 2);
	}
	if (dns_views_new(&views) < 0 || dns_zone_build(&in, &here, &zone) < 0 || dns_views_replace(views, zone) < 0)
		abort();
	return views;
}

static size_t ask(const struct dns_views *views, struct in6_addr local, enum dns_transport t, const uint8_t *data, size_t size)
{
	static uint8_t message[DNS_MESSAGE_MAX];
	struct dns_asker asker = { addr_natural((struct addr_parts){ 0x12345678, 0xA1110001, 10, 2 }), local, t, t == DNS_TCP ? 100 : 0 };
	size_t limit = t == DNS_UDP ? DNS_UDP_MAX : DNS_MESSAGE_MAX;
	struct dns_outcome outcome;
	size_t n = dns_answer(views, &asker, data, size, message, limit, &outcome);

	if (n > limit || (n && (n < DNS_HEADER_LEN || !(message[2] & 0x80))) || (n && size < DNS_HEADER_LEN))
		abort();
	if (outcome.note >= DNS_NOTE_COUNT || outcome.tree >= DNS_TREE_COUNT)
		abort();
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_views *views;

	if (!views)
		views = make_views();
	for (enum dns_transport t = DNS_UDP; t <= DNS_TCP; t++) {
		size_t n = ask(views, addr_resolver(), t, data, size);

		if (ask(views, addr_network_resolver(0x12345678), t, data, size) != n ||
		    ask(views, addr_network_resolver(0x12345679), t, data, size) != 0)
			abort();
	}
	return 0;
}
