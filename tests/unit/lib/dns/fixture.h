/* One network as the tests know it, and ldns as the judge: every answer is decoded by somebody else's code and compared as text. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/dns/answer.h"

#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET 0x12345678u
#define OTHER_NET 0x00abcdefu
#define HERE 0xA1110001u

static const struct dns_region fixture_regions[] = {
	{ "nrt", 10145 }, { "ord", 0 }, { "iad", 950 }, { "lhr", 6360 }, { "dev", 40 },
};
static const struct dns_here fixture_here = { HERE, "ord", fixture_regions, ARRAY_LEN(fixture_regions) };

static inline struct dns_instance instance(unsigned n, const char *app, const char *region, uint32_t host, bool answers, bool skip)
{
	struct dns_instance i = { .host = host, .answers = answers, .skip = skip, .group = "app" };

	snprintf(i.id, sizeof i.id, "%014x", n);
	snprintf(i.app, sizeof i.app, "%s", app);
	snprintf(i.region, sizeof i.region, "%s", region);
	i.address = addr_instance(NET, host, 0x10000 + n);
	return i;
}

/* A zone of the network with these instances; apps that have none may be added as a NULL-ended list. */
static inline struct dns_zone *zone_of(const struct dns_instance *instances, size_t n, const char *const *apps, uint64_t v)
{
	struct dns_zone_input in = { .network = NET, .v = v, .apps = apps, .instances = instances, .n_instances = n };
	struct dns_zone *z = NULL;

	while (apps && apps[in.n_apps])
		in.n_apps++;
	assert_int_equal(dns_zone_build(&in, &fixture_here, &z), 0);
	return z;
}

/* The bytes of a query. edns_size 0 = no OPT. */
static inline size_t make_query(uint8_t *out, uint16_t id, const char *name, uint16_t type, uint16_t edns_size)
{
	size_t n = DNS_HEADER_LEN, name_len;

	memset(out, 0, n);
	put_u16(out, id);
	put_u16(out + 2, DNS_FLAG_RECURSION_DESIRED);
	out[5] = 1;
	name_len = dns_name_from_text(name, out + n);
	assert_true(name_len > 0);
	n += name_len;
	put_u16(out + n, type);
	put_u16(out + n + 2, DNS_CLASS_IN);
	n += 4;
	if (edns_size) {
		out[11] = 1;
		memset(out + n, 0, DNS_OPT_LEN);
		put_u16(out + n + 1, DNS_TYPE_OPT);
		put_u16(out + n + 3, edns_size);
		n += DNS_OPT_LEN;
	}
	return n;
}

static inline ldns_pkt *decode(const uint8_t *bytes, size_t n)
{
	ldns_pkt *p = NULL;

	assert_int_equal(ldns_wire2pkt(&p, bytes, n), LDNS_STATUS_OK);
	return p;
}

static inline void append(char *text, size_t size, const char *more)
{
	size_t at = strlen(text);

	snprintf(text + at, size - at, "%s%s", at ? " " : "", more);
}

/* "NOERROR tc AAAA fdaa::... / SOA internal." : rcode, TC if set, answers (type, rdata), authorities (type, owner). Checks what
 * must hold of every record: class, TTL, owner. */
static inline const char *packet_text(const ldns_pkt *p, char *text, size_t size)
{
	char *s = ldns_pkt_rcode2str(ldns_pkt_get_rcode(p));
	const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(p), 0);

	text[0] = 0;
	append(text, size, s);
	free(s);
	if (ldns_pkt_tc(p))
		append(text, size, "tc");
	for (size_t i = 0; i < ldns_pkt_ancount(p); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(p), i);

		assert_int_equal(ldns_rr_ttl(rr), DNS_TTL);
		assert_int_equal(ldns_rr_get_class(rr), LDNS_RR_CLASS_IN);
		assert_int_equal(ldns_dname_compare(ldns_rr_owner(rr), ldns_rr_owner(question)), 0);
		s = ldns_rr_type2str(ldns_rr_get_type(rr));
		append(text, size, s);
		free(s);
		for (size_t k = 0; k < ldns_rr_rd_count(rr); k++) {
			s = ldns_rdf2str(ldns_rr_rdf(rr, k));
			append(text, size, s);
			free(s);
		}
	}
	for (size_t i = 0; i < ldns_pkt_nscount(p); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_authority(p), i);

		assert_int_equal(ldns_rr_ttl(rr), DNS_TTL);
		s = ldns_rdf2str(ldns_rr_owner(rr));
		append(text, size, "/");
		append(text, size, s);
		free(s);
	}
	return text;
}

static inline struct dns_asker asker_of(uint32_t network, enum dns_transport transport)
{
	return (struct dns_asker){ addr_instance(network, HERE, 0x77777), addr_resolver(), transport, 0 };
}

/* Asks the zone alone, by TCP sizes; text of the answer. */
static inline const char *ask_zone(const struct dns_zone *z, const char *name, uint16_t type, char *text, size_t size)
{
	static uint8_t message[DNS_MESSAGE_MAX];
	uint8_t bytes[512];
	struct dns_query q;
	struct dns_reply r;
	uint16_t rcode;
	size_t n = make_query(bytes, 7, name, type, 0);

	assert_int_equal(dns_query_parse(bytes, n, &q, &rcode), 0);
	dns_reply_begin(&r, &q, message, sizeof message);
	dns_zone_answer(z, dns_tree_of(q.key, q.name_len), &r);
	n = dns_reply_end(&r);
	ldns_pkt *p = decode(message, n);

	assert_true(ldns_pkt_aa(p));
	assert_true(ldns_pkt_ra(p));
	assert_true(ldns_pkt_rd(p));
	packet_text(p, text, size);
	ldns_pkt_free(p);
	return text;
}
