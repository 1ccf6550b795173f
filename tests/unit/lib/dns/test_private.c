/* Names that never leave: what is answered, and what only looks alike. ldns reads the answers. */
#include "tests/unit/lib/dns/fixture.h"

#include "lib/dns/private.h"

static int find(const char *name)
{
	uint8_t key[DNS_NAME_MAX];

	return dns_private_find(key, dns_name_from_text(name, key));
}

/* "not private", or the text of the answer. */
static const char *ask(const char *name, uint16_t type, char *text, size_t size)
{
	static uint8_t message[DNS_UDP_MAX];
	uint8_t bytes[512];
	struct dns_query q;
	struct dns_reply r;
	uint16_t rcode;
	size_t n = make_query(bytes, 7, name, type, 0);

	assert_int_equal(dns_query_parse(bytes, n, &q, &rcode), 0);
	dns_reply_begin(&r, &q, message, sizeof message);
	if (!dns_private_answer(&r))
		return "not private";
	n = dns_reply_end(&r);
	ldns_pkt *p = decode(message, n);

	assert_true(ldns_pkt_aa(p));
	assert_true(ldns_pkt_ra(p));
	packet_text(p, text, size);
	ldns_pkt_free(p);
	return text;
}

static void private_names_are_answered_here(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		const char *answer;
	} rows[] = {
		{ "localhost", DNS_TYPE_A, "NOERROR A 127.0.0.1" },
		{ "localhost", DNS_TYPE_AAAA, "NOERROR AAAA ::1" },
		{ "www.LocalHost", DNS_TYPE_AAAA, "NOERROR AAAA ::1" },
		{ "localhost", DNS_TYPE_TXT, "NOERROR / localhost." },
		{ "invalid", DNS_TYPE_A, "NXDOMAIN / invalid." },
		{ "a.b.invalid", DNS_TYPE_A, "NXDOMAIN / invalid." },
		{ "x.test", DNS_TYPE_AAAA, "NXDOMAIN / test." },
		{ "facebookcorewwwi.onion", DNS_TYPE_A, "NXDOMAIN / onion." },
		{ "printer.local", DNS_TYPE_A, "NXDOMAIN / local." },
		{ "x.alt", DNS_TYPE_A, "NXDOMAIN / alt." },
		{ "use-application-dns.net", DNS_TYPE_A, "NXDOMAIN / use-application-dns.net." },
		{ "_dns.resolver.arpa", 64, "NOERROR / resolver.arpa." },
		{ "home.arpa", DNS_TYPE_A, "NOERROR / home.arpa." },
		{ "home.arpa", DNS_TYPE_SOA, "NOERROR SOA home.arpa. nobody.invalid. 1 3600 1200 604800 5" },
		{ "nas.home.arpa", DNS_TYPE_A, "NXDOMAIN / home.arpa." },
		{ "4.3.2.10.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN / 10.in-addr.arpa." },
		{ "1.0.16.172.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN / 16.172.in-addr.arpa." },
		{ "31.172.in-addr.arpa", DNS_TYPE_PTR, "NOERROR / 31.172.in-addr.arpa." },
		{ "9.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN / 168.192.in-addr.arpa." },
		{ "1.1.64.100.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN / 64.100.in-addr.arpa." },
		{ "1.1.254.169.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN / 254.169.in-addr.arpa." },
		{ "1.0.0.127.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN / 127.in-addr.arpa." },
		{ "3.b.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / d.f.ip6.arpa." },
		{ "1.0.0.e.f.ip6.arpa", DNS_TYPE_PTR, "not private" },
		{ "1.a.e.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / a.e.f.ip6.arpa." },
		{ "0.0.8.b.d.0.1.0.0.2.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / 8.b.d.0.1.0.0.2.ip6.arpa." },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = ask(rows[i].name, rows[i].type, text, sizeof text);

		if (strcmp(got, rows[i].answer))
			fail_msg("%s type %u: got \"%s\", want \"%s\"", rows[i].name, rows[i].type, got, rows[i].answer);
	}
}

static void names_that_only_look_alike_are_not_private(void **state)
{
	static const char *const names[] = {
		"example.com", "mylocal", "local.example", "test.com", "atest", "invalid.org", "localhost.com", "notlocalhost",
		"application-dns.net", "x.application-dns.net", "arpa", "in-addr.arpa", "172.in-addr.arpa", "15.172.in-addr.arpa",
		"32.172.in-addr.arpa", "016.172.in-addr.arpa", "16a.172.in-addr.arpa", "63.100.in-addr.arpa", "128.100.in-addr.arpa",
		"11.in-addr.arpa", "110.in-addr.arpa", "1.192.in-addr.arpa", "f.ip6.arpa", "e.f.ip6.arpa", "ip6.arpa", "8.8.8.8.in-addr.arpa",
		"alts", "onions", "resolver.arpa.com",
	};
	uint8_t dot_in_label[] = "\12home.arpa\0"; /* one label that reads like two */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (find(names[i]) >= 0)
			fail_msg("%s is taken for private", names[i]);
	dot_in_label[0] = 9;
	assert_int_equal(dns_private_find(dot_in_label, sizeof dot_in_label - 1), -1);
	assert_int_equal(dns_private_find((const uint8_t *)"", 1), -1);
	assert_int_equal(find("a.home.arpa"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(private_names_are_answered_here),
		cmocka_unit_test(names_that_only_look_alike_are_not_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
