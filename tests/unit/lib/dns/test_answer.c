/* Who gets which answer: views, strangers, kinds of questions, sizes. */
#include "tests/unit/lib/dns/fixture.h"

static struct dns_views *views;

/* NET: app "shop" (one instance) and "crowd" (40). OTHER_NET: app "secret", and another "shop" without instances. */
static int make_views(void **state)
{
	struct dns_instance all[41] = { [0] = instance(1, "shop", "ord", HERE, true, false) };
	const char *others[] = { "secret", "shop" };
	struct dns_zone_input other = { .network = OTHER_NET, .v = 1, .apps = others, .n_apps = 2 };
	struct dns_zone *z;

	(void)state;
	for (unsigned i = 1; i < 41; i++)
		all[i] = instance(i + 1, "crowd", "nrt", 0xA2220001 + i, true, false);
	if (dns_views_new(&views) < 0 || dns_views_replace(views, zone_of(all, 41, NULL, 1)) < 0 ||
	    dns_zone_build(&other, &fixture_here, &z) < 0 || dns_views_replace(views, z) < 0)
		return -1;
	dns_views_set_synced(views, true);
	return 0;
}

static int drop_views(void **state)
{
	(void)state;
	views = dns_views_free(views);
	return 0;
}

struct result {
	uint8_t message[DNS_MESSAGE_MAX];
	size_t len;
	struct dns_outcome outcome;
	char text[4096];
};
static struct result result;

static const char *ask_bytes(const struct dns_asker *asker, const uint8_t *query, size_t n)
{
	result.outcome = (struct dns_outcome){ 0 };
	result.len = dns_answer(views, asker, query, n, result.message, asker->transport == DNS_UDP ? DNS_UDP_MAX : DNS_MESSAGE_MAX,
				&result.outcome);
	if (!result.len)
		return "DROP";
	ldns_pkt *p = decode(result.message, result.len);

	assert_int_equal(ldns_pkt_id(p), get_u16(query));
	assert_true(ldns_pkt_qr(p));
	assert_false(ldns_pkt_ad(p));
	packet_text(p, result.text, sizeof result.text);
	ldns_pkt_free(p);
	return result.text;
}

static const char *ask(const struct dns_asker *asker, const char *name, uint16_t type, uint16_t edns_size)
{
	uint8_t bytes[512];

	return ask_bytes(asker, bytes, make_query(bytes, 0xbeef, name, type, edns_size));
}

#define SHOP "NOERROR AAAA fdaa:1234:5678:a111:1:1:1:2"

static void the_same_name_is_different_in_two_networks(void **state)
{
	struct dns_asker ours = asker_of(NET, DNS_UDP), theirs = asker_of(OTHER_NET, DNS_UDP);

	(void)state;
	assert_string_equal(ask(&ours, "shop.internal", DNS_TYPE_AAAA, 0), SHOP);
	assert_string_equal(ask(&theirs, "shop.internal", DNS_TYPE_AAAA, 0), "NOERROR / internal.");
}

static void another_networks_name_is_the_very_answer_of_a_name_that_never_was(void **state)
{
	static const char *const pairs[][2] = {
		{ "secret.internal", "nobody.internal" },
		{ "global.secret.internal", "global.nobody.internal" },
		{ "vms.secret.internal", "vms.nobody.internal" },
		{ "nrt.secret.internal", "nrt.nobody.internal" },
		{ "2.0.0.0.1.0.0.0.1.0.0.0.1.0.0.0.1.1.1.a.f.e.d.c.b.a.0.0.a.a.d.f.ip6.arpa",
		  "2.0.0.0.1.0.0.0.1.0.0.0.1.0.0.0.1.1.1.a.f.e.d.c.b.a.1.1.a.a.d.f.ip6.arpa" },
	};
	struct dns_asker ours = asker_of(NET, DNS_UDP);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		uint8_t first[DNS_UDP_MAX];
		size_t len;

		ask(&ours, pairs[i][0], DNS_TYPE_AAAA, 1232);
		assert_int_equal(result.outcome.rcode, DNS_NXDOMAIN);
		len = result.len;
		memcpy(first, result.message, len);
		ask(&ours, pairs[i][1], DNS_TYPE_AAAA, 1232);
		assert_int_equal(result.len, len);
		/* only the echoed question differs */
		size_t question = DNS_HEADER_LEN + strlen(pairs[i][0]) + 2 + 4;

		assert_memory_equal(first, result.message, DNS_HEADER_LEN);
		assert_memory_equal(first + question, result.message + question, len - question);
	}
}

static void strangers_are_refused_and_at_a_networks_address_get_nothing(void **state)
{
	static const struct {
		const char *source, *local;
		enum dns_note note;
	} rows[] = {
		{ "fdaa:1234:5678:a111:1:7:7777:2", "fdaa::3", DNS_NOTE_NONE },
		{ "fdaa:1234:5678:a111:1:0:a:102", "fdaa::3", DNS_NOTE_NONE },                      /* a peer */
		{ "fdaa:1234:5678:a111:1:7:7777:2", "fdaa:1234:5678::3", DNS_NOTE_NONE },           /* its own ::3 */
		{ "fdaa:1234:5678:a111:1:7:7777:2", "fdaa:ab:cdef::3", DNS_NOTE_WRONG_RESOLVER },   /* another's */
		{ "fdaa:1234:5678:a111:1:7:7777:2", "fdaa:1234:5678::4", DNS_NOTE_WRONG_RESOLVER },
		{ "fdaa:1234:5678:a111:1:7:7777:2", "::1", DNS_NOTE_WRONG_RESOLVER },
		{ "fdaa:1234:5678:a111:1:0:a:102", "fdaa:1234:5678::3", DNS_NOTE_NONE },
		{ "fdaa:1234:5678:a111:1:0:a:102", "fdaa:ab:cdef::3", DNS_NOTE_WRONG_RESOLVER },
		{ "2001:db8::1", "fdaa:1234:5678::3", DNS_NOTE_WRONG_RESOLVER },
		{ "fdaa::3", "fdaa:1234:5678::3", DNS_NOTE_WRONG_RESOLVER },
		{ "fdaa:a111:1:1234:5678:7:7777:2", "fdaa:1234:5678::3", DNS_NOTE_WRONG_RESOLVER }, /* mesh form */
		{ "fdaa:1234:5678::3", "fdaa:1234:5678::3", DNS_NOTE_STRANGER },                    /* the node itself */
		{ "fdaa::3", "fdaa::3", DNS_NOTE_STRANGER },                                        /* the node itself */
		{ "::1", "fdaa::3", DNS_NOTE_STRANGER },
		{ "fe80::1", "fdaa::3", DNS_NOTE_STRANGER },
		{ "2001:db8::1", "fdaa::3", DNS_NOTE_STRANGER },
		{ "::ffff:10.0.0.1", "fdaa::3", DNS_NOTE_STRANGER },
		{ "fdab:1234:5678:a111:1:7:7777:2", "fdaa::3", DNS_NOTE_STRANGER },
		{ "fdaa:a111:1:1234:5678:7:7777:2", "fdaa::3", DNS_NOTE_STRANGER },                 /* mesh form */
		{ "fdaa:1234:5678::3", "fdaa::3", DNS_NOTE_STRANGER },                              /* a service word */
		{ "fdaa:1234:5678:b111:1:7:7777:2", "fdaa::3", DNS_NOTE_STRANGER },
		{ "fdaa:0:5678:a111:1:7:7777:2", "fdaa::3", DNS_NOTE_STRANGER },                    /* no network has such an id */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_asker a = { .transport = DNS_UDP };

		assert_int_equal(inet_pton(AF_INET6, rows[i].source, &a.source), 1);
		assert_int_equal(inet_pton(AF_INET6, rows[i].local, &a.local), 1);
		assert_string_equal(ask(&a, "shop.internal", DNS_TYPE_AAAA, 0),
				    rows[i].note == DNS_NOTE_NONE	      ? SHOP :
				    rows[i].note == DNS_NOTE_WRONG_RESOLVER ? "DROP" :
									      "REFUSED");
		assert_int_equal(result.outcome.note, rows[i].note);
	}
}

static void without_a_zone_nothing_is_said_about_names(void **state)
{
	struct dns_asker unknown = asker_of(0x55555555, DNS_UDP);

	(void)state;
	dns_views_set_synced(views, false);
	assert_string_equal(ask(&unknown, "shop.internal", DNS_TYPE_AAAA, 0), "SERVFAIL");
	assert_int_equal(result.outcome.note, DNS_NOTE_UNSYNCED);
	dns_views_set_synced(views, true);
	assert_string_equal(ask(&unknown, "shop.internal", DNS_TYPE_AAAA, 0), "SERVFAIL");
	assert_int_equal(result.outcome.note, DNS_NOTE_NO_ZONE);
	assert_string_equal(ask(&unknown, "shop.flycast", DNS_TYPE_AAAA, 0), "SERVFAIL");
}

static void a_zone_from_the_disk_is_served_before_the_first_sync(void **state)
{
	struct dns_asker ours = asker_of(NET, DNS_UDP);

	(void)state;
	dns_views_set_synced(views, false);
	assert_string_equal(ask(&ours, "shop.internal", DNS_TYPE_AAAA, 0), SHOP);
	dns_views_set_synced(views, true);
}

static void kinds_of_questions(void **state)
{
	static const struct {
		const char *name;
		uint16_t type, class;
		const char *answer;
	} rows[] = {
		{ "version.bind", DNS_TYPE_TXT, 3, "REFUSED" },
		{ "id.server", DNS_TYPE_TXT, 3, "REFUSED" },
		{ "shop.internal", DNS_TYPE_AAAA, 3, "REFUSED" },
		{ "shop.internal", DNS_TYPE_AAAA, 255, "REFUSED" },
		{ "shop.internal", DNS_TYPE_AAAA, 0, "REFUSED" },
		{ "shop.internal", DNS_TYPE_AAAA, 65535, "REFUSED" },
		{ "shop.internal", DNS_TYPE_AXFR, 1, "REFUSED" },
		{ "internal", DNS_TYPE_AXFR, 1, "REFUSED" },
		{ "internal", DNS_TYPE_IXFR, 1, "REFUSED" },
		{ "shop.internal", 0, 1, "NOTIMPL" },
		{ "shop.internal", 128, 1, "NOTIMPL" },
		{ "shop.internal", 249, 1, "NOTIMPL" },
		{ "shop.internal", 253, 1, "NOTIMPL" },
		{ "shop.internal", 254, 1, "NOTIMPL" },
		{ "shop.internal", DNS_TYPE_OPT, 1, "FORMERR" },
		{ "shop.internal", DNS_TYPE_ANY, 1, "NOERROR HINFO \"RFC8482\" \"\"" },
		{ "nobody.internal", DNS_TYPE_ANY, 1, "NXDOMAIN / internal." },
		{ "shop.internal", 256, 1, "NOERROR / internal." },
		{ "shop.internal", 65, 1, "NOERROR / internal." },
		{ "shop.internal", DNS_TYPE_A, 1, "NOERROR / internal." },
		{ "shop.flycast", DNS_TYPE_AAAA, 1, "NXDOMAIN / flycast." },
		{ "example.com", DNS_TYPE_A, 1, "SERVFAIL" },
		{ "", DNS_TYPE_NS, 1, "SERVFAIL" },
	};
	struct dns_asker ours = asker_of(NET, DNS_UDP);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t bytes[512];
		size_t n = make_query(bytes, 5, rows[i].name, rows[i].type, 0);

		put_u16(bytes + n - 2, rows[i].class);
		result.len = dns_answer(views, &ours, bytes, n, result.message, DNS_UDP_MAX, &result.outcome);
		assert_true(result.len > 0);
		/* ldns cannot print records of other classes, but they never come */
		if (strcmp(ask_bytes(&ours, bytes, n), rows[i].answer))
			fail_msg("%s type %u class %u: %s", rows[i].name, rows[i].type, rows[i].class, result.text);
	}
	ask(&ours, "example.com", DNS_TYPE_A, 0);
	assert_int_equal(result.outcome.note, DNS_NOTE_FORWARD);
	assert_int_equal(result.outcome.tree, DNS_TREE_OTHER);
}

static void bad_queries_get_their_rcode(void **state)
{
	struct dns_asker ours = asker_of(NET, DNS_UDP);
	uint8_t bytes[512], bare[DNS_HEADER_LEN] = { 1, 2, 0x29, 0 };
	size_t n;

	(void)state;
	/* an UPDATE of twelve bytes: id, opcode and RD come back, nothing else */
	ask_bytes(&ours, bytes, make_query(bytes, 1, "a.internal", DNS_TYPE_AAAA, 0));
	result.len = dns_answer(views, &ours, bare, sizeof bare, result.message, DNS_UDP_MAX, &result.outcome);
	assert_int_equal(result.len, DNS_HEADER_LEN);
	assert_memory_equal(result.message, "\1\2\xa9\x84\0\0\0\0\0\0\0\0", DNS_HEADER_LEN);
	/* two questions */
	n = make_query(bytes, 1, "a.internal", DNS_TYPE_AAAA, 0);
	bytes[5] = 2;
	result.len = dns_answer(views, &ours, bytes, n, result.message, DNS_UDP_MAX, &result.outcome);
	assert_int_equal(result.len, DNS_HEADER_LEN);
	assert_int_equal(result.message[3] & 15, DNS_FORMERR);
	assert_int_equal(result.outcome.note, DNS_NOTE_MALFORMED);
	/* another version of EDNS: the answer has an OPT of version 0, and no records */
	n = make_query(bytes, 1, "shop.internal", DNS_TYPE_AAAA, 1232);
	bytes[n - 5] = 1;
	result.len = dns_answer(views, &ours, bytes, n, result.message, DNS_UDP_MAX, &result.outcome);
	ldns_pkt *p = decode(result.message, result.len);

	assert_int_equal(result.outcome.rcode, DNS_BADVERS);
	assert_true(ldns_pkt_edns(p));
	assert_int_equal(ldns_pkt_edns_version(p), 0);
	assert_int_equal(ldns_pkt_edns_extended_rcode(p), 1);
	assert_int_equal(ldns_pkt_get_rcode(p), 0);
	assert_int_equal(ldns_pkt_ancount(p), 0);
	ldns_pkt_free(p);
	/* replies are never answered */
	bytes[2] |= 0x80;
	assert_string_equal(ask_bytes(&ours, bytes, n), "DROP");
	assert_string_equal(ask_bytes(&ours, bytes, 5), "DROP");
}

static void the_question_comes_back_letter_by_letter(void **state)
{
	struct dns_asker ours = asker_of(NET, DNS_UDP);
	uint8_t bytes[512];
	size_t n = make_query(bytes, 1, "shop.internal", DNS_TYPE_AAAA, 0);

	(void)state;
	bytes[DNS_HEADER_LEN + 1] = 'S';
	bytes[DNS_HEADER_LEN + 7] = 'N';
	assert_string_equal(ask_bytes(&ours, bytes, n), SHOP);
	assert_memory_equal(result.message + DNS_HEADER_LEN, bytes + DNS_HEADER_LEN, n - DNS_HEADER_LEN);
	assert_int_equal(get_u16(result.message + n), 0xc00c);
}

static void text_above_the_size_is_tc_and_whole_by_tcp(void **state)
{
	struct dns_asker udp = asker_of(NET, DNS_UDP), tcp = asker_of(NET, DNS_TCP);

	(void)state;
	assert_string_equal(ask(&udp, "vms.crowd.internal", DNS_TYPE_TXT, 0), "NOERROR tc");
	assert_int_equal(result.outcome.note, DNS_NOTE_TRUNCATED);
	ask(&udp, "vms.crowd.internal", DNS_TYPE_TXT, 1232); /* 40 * 19 bytes fit there */
	assert_true(strstr(result.text, "NOERROR TXT ") == result.text);
	assert_true(result.len > 512 && result.len <= 1232);
	assert_string_equal(ask(&udp, "_instances.internal", DNS_TYPE_TXT, 65535), "NOERROR tc");
	assert_true(result.len <= 512);
	ask(&tcp, "_instances.internal", DNS_TYPE_TXT, 0);
	assert_true(strstr(result.text, "NOERROR TXT ") == result.text);
	assert_true(result.len > 1232);
}

static void samples_fit_without_tc(void **state)
{
	struct dns_asker udp = asker_of(NET, DNS_UDP);
	char app[64], name[128];
	struct dns_instance all[18];

	(void)state;
	memset(app, 'x', 63);
	app[63] = 0;
	for (unsigned i = 0; i < 18; i++)
		all[i] = instance(i + 1, app, i < 3 ? "ord" : "nrt", 0xA1110002 + i, true, false);
	assert_int_equal(dns_views_replace(views, zone_of(all, 18, NULL, 2)), 0);
	snprintf(name, sizeof name, "global.%s.internal", app);
	ask(&udp, name, DNS_TYPE_AAAA, 0);
	assert_null(strstr(result.text, "tc"));
	assert_true(result.len <= 512);
	assert_int_equal(get_u16(result.message + 6), 14); /* what 512 bytes hold beside the long name */
	ask(&udp, name, DNS_TYPE_AAAA, 1232);
	assert_int_equal(get_u16(result.message + 6), 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_name_is_different_in_two_networks),
		cmocka_unit_test(another_networks_name_is_the_very_answer_of_a_name_that_never_was),
		cmocka_unit_test(strangers_are_refused_and_at_a_networks_address_get_nothing),
		cmocka_unit_test(without_a_zone_nothing_is_said_about_names),
		cmocka_unit_test(a_zone_from_the_disk_is_served_before_the_first_sync),
		cmocka_unit_test(kinds_of_questions),
		cmocka_unit_test(bad_queries_get_their_rcode),
		cmocka_unit_test(the_question_comes_back_letter_by_letter),
		cmocka_unit_test(text_above_the_size_is_tc_and_whole_by_tcp),
		cmocka_unit_test(samples_fit_without_tc),
	};

	return cmocka_run_group_tests(tests, make_views, drop_views);
}
