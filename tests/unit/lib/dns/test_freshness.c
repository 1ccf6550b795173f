/* What the server says about its own knowledge: `_sync` and `_version`, and the hint on answers that may be old. */
#include "tests/unit/lib/dns/fixture.h"

static struct dns_views *views;
static struct clock_virtual virtual;

static struct dns_zone *bare_zone(uint32_t network, uint64_t v)
{
	const char *apps[] = { "shop" };
	struct dns_zone_input in = { .network = network, .v = v, .apps = apps, .n_apps = 1 };
	struct dns_zone *z;

	assert_int_equal(dns_zone_build(&in, &fixture_here, &z), 0);
	return z;
}

/* Two networks at V 42 and V 1007, heard just now by a connected node that is up 1,000 s. */
static int start(void **state)
{
	struct clock clock = clock_virtual(&virtual);

	(void)state;
	virtual = (struct clock_virtual){ .now_ms = 1000000 };
	assert_int_equal(dns_views_new(&views), 0);
	dns_views_set_clock(views, &clock);
	dns_views_set_synced(views, true);
	assert_int_equal(dns_views_replace(views, bare_zone(NET, 42)), 0);
	assert_int_equal(dns_views_replace(views, bare_zone(OTHER_NET, 1007)), 0);
	dns_views_set_heard(views, (int64_t)virtual.now_ms, true, 50000);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	views = dns_views_free(views);
	return 0;
}

/* The one string of the one TXT record, or the rcode. */
static const char *ask_as(uint32_t network, enum dns_transport transport, const char *name)
{
	static char text[300];
	static uint8_t message[DNS_MESSAGE_MAX];
	struct dns_asker asker = asker_of(network, transport);
	struct dns_outcome outcome;
	uint8_t query[512];
	size_t n = make_query(query, 1, name, DNS_TYPE_TXT, 0);
	ldns_pkt *p;

	n = dns_answer(views, &asker, query, n, message, transport == DNS_UDP ? DNS_UDP_MAX : DNS_MESSAGE_MAX, &outcome);
	p = decode(message, n);
	if (ldns_pkt_get_rcode(p) != LDNS_RCODE_NOERROR) {
		char *rcode = ldns_pkt_rcode2str(ldns_pkt_get_rcode(p));

		snprintf(text, sizeof text, "%s", rcode);
		free(rcode);
	} else {
		const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(p), 0);
		char *s = ldns_rdf2str(ldns_rr_rdf(rr, 0));

		assert_int_equal(ldns_pkt_ancount(p), 1);
		assert_int_equal(ldns_rr_rd_count(rr), 1);
		assert_int_equal(ldns_rr_ttl(rr), 0); /* an age that is kept is a lie */
		assert_true(ldns_pkt_aa(p));
		snprintf(text, sizeof text, "%s", s);
		free(s);
	}
	ldns_pkt_free(p);
	return text;
}

static const char *sync_of(uint32_t network)
{
	static char by_udp[300];

	snprintf(by_udp, sizeof by_udp, "%s", ask_as(network, DNS_UDP, "_sync.internal"));
	assert_string_equal(ask_as(network, DNS_TCP, "_sync.internal"), by_udp);
	return by_udp;
}

static void g17_the_age_grows_while_nobody_is_heard(void **state)
{
	(void)state;
	assert_string_equal(sync_of(NET), "\"v=42,age_ms=0,controller=up\"");
	virtual.now_ms += 812;
	assert_string_equal(sync_of(NET), "\"v=42,age_ms=812,controller=up\"");
	virtual.now_ms += 86400000;
	assert_string_equal(sync_of(NET), "\"v=42,age_ms=86400812,controller=down\"");
	dns_views_set_heard(views, (int64_t)virtual.now_ms, true, 50000);
	assert_string_equal(sync_of(NET), "\"v=42,age_ms=0,controller=up\"");
}

static void g17_a_lost_connection_is_down_at_once(void **state)
{
	int64_t heard = (int64_t)virtual.now_ms;

	(void)state;
	virtual.now_ms += 5;
	dns_views_set_heard(views, heard, false, 50000);
	assert_string_equal(sync_of(NET), "\"v=42,age_ms=5,controller=down\"");
}

static void g17_a_connection_without_a_word_is_down_after_its_patience(void **state)
{
	(void)state;
	virtual.now_ms += 50000;
	assert_string_equal(sync_of(NET), "\"v=42,age_ms=50000,controller=up\"");
	virtual.now_ms += 1;
	assert_string_equal(sync_of(NET), "\"v=42,age_ms=50001,controller=down\"");
}

static void what_was_heard_before_this_start_counts_on(void **state)
{
	(void)state;
	virtual.now_ms = 10; /* the machine has just booted: the last word is older than its clock */
	dns_views_set_heard(views, -3600000, false, 50000);
	assert_string_equal(sync_of(NET), "\"v=42,age_ms=3600010,controller=down\"");
}

static void who_has_never_heard_anybody_says_so(void **state)
{
	(void)state;
	dns_views_set_heard(views, DNS_NEVER_HEARD, false, 50000);
	assert_string_equal(sync_of(NET), "\"v=42,age_ms=unknown,controller=down\"");
}

static void a_word_from_after_the_look_at_the_clock_has_no_age(void **state)
{
	(void)state;
	dns_views_set_heard(views, (int64_t)virtual.now_ms + 3, true, 50000);
	assert_string_equal(sync_of(NET), "\"v=42,age_ms=0,controller=up\"");
}

static void each_network_sees_its_own_version_and_no_other(void **state)
{
	(void)state;
	assert_string_equal(ask_as(NET, DNS_UDP, "_version.internal"), "\"42\"");
	assert_string_equal(ask_as(NET, DNS_TCP, "_version.internal"), "\"42\"");
	assert_string_equal(ask_as(OTHER_NET, DNS_UDP, "_version.internal"), "\"1007\"");
	assert_string_equal(sync_of(OTHER_NET), "\"v=1007,age_ms=0,controller=up\"");
	assert_int_equal(dns_views_replace(views, bare_zone(NET, 43)), 0);
	assert_string_equal(ask_as(NET, DNS_UDP, "_version.internal"), "\"43\"");
	assert_string_equal(ask_as(OTHER_NET, DNS_UDP, "_version.internal"), "\"1007\"");
}

static void the_version_is_the_serial(void **state)
{
	struct dns_asker asker = asker_of(NET, DNS_UDP);
	uint8_t query[512], message[DNS_UDP_MAX];
	struct dns_outcome outcome;
	size_t n = make_query(query, 1, "internal", DNS_TYPE_SOA, 0);
	ldns_pkt *p;

	(void)state;
	p = decode(message, dns_answer(views, &asker, query, n, message, sizeof message, &outcome));
	assert_int_equal(ldns_rdf2native_int32(ldns_rr_rdf(ldns_rr_list_rr(ldns_pkt_answer(p), 0), 2)), 42);
	ldns_pkt_free(p);
}

static void without_a_zone_only_sync_answers(void **state)
{
	(void)state;
	dns_views_set_synced(views, false);
	dns_views_set_heard(views, DNS_NEVER_HEARD, false, 50000);
	assert_string_equal(sync_of(0x55555555u), "\"v=0,age_ms=unknown,controller=down\"");
	assert_string_equal(ask_as(0x55555555u, DNS_UDP, "_version.internal"), "SERVFAIL");
}

static void the_names_exist_for_all_types(void **state)
{
	struct dns_zone *z = bare_zone(NET, 1);
	char text[200];

	(void)state;
	assert_string_equal(ask_zone(z, "_sync.internal", DNS_TYPE_AAAA, text, sizeof text), "NOERROR / internal.");
	assert_string_equal(ask_zone(z, "_version.internal", DNS_TYPE_A, text, sizeof text), "NOERROR / internal.");
	assert_string_equal(ask_zone(z, "x._sync.internal", DNS_TYPE_TXT, text, sizeof text), "NXDOMAIN / internal.");
	assert_string_equal(ask_zone(z, "_sync.shop.internal", DNS_TYPE_TXT, text, sizeof text), "NXDOMAIN / internal.");
	dns_zone_free(z);
}

/* The extended error of an answer to a question with EDNS; -1 = none. */
static int hint_of(const char *name, uint16_t type, uint32_t network)
{
	static uint8_t message[DNS_UDP_MAX];
	struct dns_asker asker = asker_of(network, DNS_UDP);
	struct dns_outcome outcome;
	uint8_t query[512];
	size_t n = make_query(query, 1, name, type, 1232);
	int code = -1;
	ldns_pkt *p;

	n = dns_answer(views, &asker, query, n, message, sizeof message, &outcome);
	p = decode(message, n);
	if (ldns_pkt_edns_data(p)) {
		const ldns_rdf *d = ldns_pkt_edns_data(p);

		assert_int_equal(get_u16(ldns_rdf_data(d)), DNS_OPTION_ERROR);
		code = get_u16(ldns_rdf_data(d) + 4);
	}
	ldns_pkt_free(p);
	return code;
}

static void g17_an_answer_that_may_be_old_says_so_to_who_asks_with_edns(void **state)
{
	(void)state;
	assert_int_equal(hint_of("internal", DNS_TYPE_AAAA, NET), -1);
	assert_int_equal(hint_of("nobody.internal", DNS_TYPE_AAAA, NET), -1);
	virtual.now_ms += 100000;
	assert_int_equal(hint_of("internal", DNS_TYPE_AAAA, NET), DNS_HINT_STALE);
	assert_int_equal(hint_of("nobody.internal", DNS_TYPE_AAAA, NET), DNS_HINT_STALE);
	assert_int_equal(hint_of("shop.internal", DNS_TYPE_A, NET), DNS_HINT_OTHER); /* what there never is cannot be old */
	assert_int_equal(hint_of("shop.internal", DNS_TYPE_AAAA, 0x55555555u), DNS_HINT_NOT_READY);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(g17_the_age_grows_while_nobody_is_heard),
		T(g17_a_lost_connection_is_down_at_once),
		T(g17_a_connection_without_a_word_is_down_after_its_patience),
		T(what_was_heard_before_this_start_counts_on),
		T(who_has_never_heard_anybody_says_so),
		T(a_word_from_after_the_look_at_the_clock_has_no_age),
		T(each_network_sees_its_own_version_and_no_other),
		T(the_version_is_the_serial),
		T(without_a_zone_only_sync_answers),
		T(the_names_exist_for_all_types),
		T(g17_an_answer_that_may_be_old_says_so_to_who_asks_with_edns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
