/* The forwarder and what upstreams say: the exchange by UDP and TCP, EDNS, answers and their times; and what must not leave. */
#include "tests/unit/lib/dns/forward_fixture.h"

static void a_name_is_asked_and_answered(void **state)
{
	static struct asked a;

	(void)state;
	ask(forward, &a, "www.Example.com", (struct how){ .edns = 1232 });
	await(loop, &a);
	assert_string_equal(a.text, "NOERROR A 192.0.2.1 60");
	assert_string_equal(ask_and_wait("www.example.com", (struct how){ .type = DNS_TYPE_AAAA }), "NOERROR AAAA 2001:db8::1 60");
	assert_int_equal(counted(forward, DNS_FORWARD_ANSWERED), 2);
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_SOCKETS), 0);
}

static void upstreams_are_asked_over_ipv6_too(void **state)
{
	static struct fake six;
	char list[64];

	(void)state;
	fake_start_on(&six, loop, AF_INET6);
	six.script = plain;
	snprintf(list, sizeof list, "[::1]:%u", six.port);
	restart_with(list, 0);
	assert_string_equal(ask_and_wait("www.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	six.script = big;
	assert_string_equal(ask_and_wait("big.example", (struct how){ 0 }), "NOERROR tc");
	assert_int_equal(six.n_tcp, 1);
	assert_int_equal(up.n_udp, 0);
	fake_stop(&six);
}

static void ids_ports_and_letters_are_new_each_time(void **state)
{
	enum { N = 40 };
	size_t same_id = 0, same_port = 0, same_letters = 0;
	char letters[N][32], name[64];
	uint16_t ids[N], ports[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		/* asked by another network each time, so the cache knows nothing */
		snprintf(name, sizeof name, "fdaa:1234:%zx:a111:1:7:7777:2", i + 1);
		ask_and_wait("abcdefghijklmnop.example", (struct how){ .source = name });
		ids[i] = get_u16(up.last.bytes);
		ports[i] = ((struct sockaddr_in *)&up.last.from)->sin_port;
		snprintf(letters[i], sizeof letters[i], "%.16s", up.last.name);
		for (size_t k = 0; k < i; k++) {
			same_id += ids[k] == ids[i];
			same_port += ports[k] == ports[i];
			same_letters += !strcmp(letters[k], letters[i]);
		}
	}
	/* 780 pairs: 0.01 equal ids, 0.03 equal ports and 0.01 equal letterings are to be expected */
	assert_true(same_id <= 2);
	assert_true(same_port <= 4);
	assert_true(same_letters <= 2);
	assert_int_equal(up.n_udp, N);
}

/* ---- what upstreams say ---- */

static void an_upstream_that_does_not_keep_letters_is_asked_by_tcp_from_then_on(void **state)
{
	(void)state;
	up.script = folds;
	assert_string_equal(ask_and_wait("www.some-letters.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	assert_int_equal(up.n_udp, 1);
	assert_int_equal(up.n_tcp, 1);
	assert_string_equal(ask_and_wait("other.some-letters.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	assert_int_equal(up.n_udp, 1);
	assert_int_equal(up.n_tcp, 2);
}

static void an_answer_that_does_not_fit_is_fetched_by_tcp(void **state)
{
	static struct asked a;

	(void)state;
	up.script = big;
	ask(forward, &a, "big.example", (struct how){ .edns = 4096 });
	await(loop, &a);
	assert_string_equal(a.text, "NOERROR tc"); /* it does not fit this asker's UDP either */
	assert_true(a.n <= DNS_UDP_MAX);
	ask(forward, &a, "big.example", (struct how){ .tcp = true });
	await(loop, &a);
	assert_int_equal(a.n, 12 + 13 + 4 + 200 * 16);
	assert_int_equal(up.n_tcp, 1); /* the second came from the cache */
	assert_int_equal(counted(forward, DNS_FORWARD_TRUNCATED), 1);
	ask(forward, &a, "big.example", (struct how){ 0 });
	await(loop, &a);
	assert_string_equal(a.text, "NOERROR tc");
}

static void oversized(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, 0);
	for (unsigned i = 0; i < (q->tcp ? 1 : 300); i++)
		out_a(&o, NULL, 60, q->tcp ? "192.0.2.1" : FORGED_ADDRESS);
	fake_send(q, o.bytes, o.n);
}

static void more_by_udp_than_we_take_is_fetched_by_tcp(void **state)
{
	(void)state;
	up.script = oversized;
	assert_string_equal(ask_and_wait("big.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	assert_int_equal(counted(forward, DNS_FORWARD_OVERSIZE), 1);
}

static void streams_that_break_off_are_failures_and_nothing_leaks(void **state)
{
	static struct asked a;
	char list[64];

	(void)state;
	snprintf(list, sizeof list, "127.0.0.1:%u", up.port);
	for (stream_kind = 0; stream_kind < STREAM_KINDS; stream_kind++) {
		restart_with(list, 500);
		up.script = bad_stream;
		ask(forward, &a, "www.example", (struct how){ .edns = 512 });
		await(loop, &a);
		assert_string_equal(a.text, "SERVFAIL");
		assert_true(a.ede == 22 || a.ede == 23);
		assert_int_equal(gauge(forward, DNS_FORWARD_NOW_SOCKETS), 0);
	}
	assert_int_equal(n_believed, 0);
}

static void a_bad_stream_of_one_upstream_does_not_hide_the_other(void **state)
{
	(void)state;
	restart_with_both(0);
	for (stream_kind = 0; stream_kind < STREAM_KINDS; stream_kind++) {
		char name[32];

		up.script = bad_stream;
		snprintf(name, sizeof name, "www%u.example", stream_kind);
		assert_string_equal(ask_and_wait(name, (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	}
}

static void an_upstream_without_edns_is_asked_without(void **state)
{
	static const struct {
		uint16_t rcode;
		bool bare;
	} rows[] = { { DNS_FORMERR, false }, { DNS_FORMERR, true }, { DNS_NOTIMP, false }, { DNS_NOTIMP, true }, { DNS_BADVERS, false } };
	char list[64];

	(void)state;
	snprintf(list, sizeof list, "127.0.0.1:%u", up.port);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		restart_with(list, 0);
		up.script = no_edns;
		up.n_udp = 0;
		refuse_rcode = rows[i].rcode;
		refuse_bare = rows[i].bare;
		assert_string_equal(ask_and_wait("www.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
		assert_int_equal(up.n_udp, 2);
		assert_string_equal(ask_and_wait("www2.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
		assert_int_equal(up.n_udp, 3); /* it is remembered */
		assert_int_equal(counted(forward, DNS_FORWARD_WITHOUT_EDNS), 1);
	}
}

static void an_upstream_that_refuses_means_the_next_and_at_last_servfail(void **state)
{
	static const uint16_t rcodes[] = { DNS_FORMERR, DNS_SERVFAIL, DNS_NOTIMP, DNS_REFUSED, 6, 9, 11 };
	static struct asked a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rcodes); i++) {
		restart_with_both(0);
		refuse_rcode = rcodes[i];
		up.script = refuses;
		second.script = plain;
		assert_string_equal(ask_and_wait("www.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
		second.script = refuses;
		ask(forward, &a, "www2.example", (struct how){ .edns = 512 });
		await(loop, &a);
		assert_string_equal(a.text, "SERVFAIL");
		assert_int_equal(a.ede, 0);
	}
}

static void knows_nothing_and_does_not_recurse(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, 0);
	o.bytes[3] &= 0x7f; /* RA */
	fake_send(q, o.bytes, o.n);
}

static void knows_nothing(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, 0);
	fake_send(q, o.bytes, o.n);
}

static void an_empty_answer_counts_if_the_server_recurses(void **state)
{
	(void)state;
	up.script = knows_nothing_and_does_not_recurse;
	assert_string_equal(ask_and_wait("a.example", (struct how){ 0 }), "SERVFAIL");
	up.script = knows_nothing;
	assert_string_equal(ask_and_wait("b.example", (struct how){ 0 }), "NOERROR");
}

static void a_referral_is_no_answer(void **state)
{
	(void)state;
	up.script = refers;
	assert_string_equal(ask_and_wait("www.example", (struct how){ 0 }), "SERVFAIL");
}

static void aliases(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, 0);
	out_a(&o, "c.example", 30, "192.0.2.9"); /* in any order */
	out_cname(&o, NULL, 300, "b.example");
	out_cname(&o, "b.example", 20, "c.example");
	fake_send(q, o.bytes, o.n);
}

static void a_chain_of_aliases_is_answered_whole_and_kept_for_the_shortest_time(void **state)
{
	struct dns_forward_stats s;

	(void)state;
	up.script = aliases;
	assert_string_equal(ask_and_wait("www.example", (struct how){ 0 }),
			    "NOERROR A 192.0.2.9 30 CNAME b.example. 300 CNAME c.example. 20");
	dns_forward_stats(forward, &s);
	assert_int_equal(s.gauges[DNS_FORWARD_NOW_CACHED], 1);
}

static void ttls_at_the_edges(void **state)
{
	static const struct {
		uint32_t ttl;
		const char *answer;
		bool kept;
	} rows[] = {
		{ 0, "NOERROR A 192.0.2.1 0", false },
		{ 5, "NOERROR A 192.0.2.1 5", true },
		{ 86400, "NOERROR A 192.0.2.1 86400", true },
		{ 86401, "NOERROR A 192.0.2.1 86400", true },
		{ 0x7fffffff, "NOERROR A 192.0.2.1 86400", true },
		{ 0x80000000, "NOERROR A 192.0.2.1 0", false },
		{ 0xffffffff, "NOERROR A 192.0.2.1 0", false },
	};
	char name[32];

	(void)state;
	up.script = with_ttl;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t hits = counted(forward, DNS_FORWARD_HIT);

		ttl = rows[i].ttl;
		snprintf(name, sizeof name, "t%zu.example", i);
		assert_string_equal(ask_and_wait(name, (struct how){ 0 }), rows[i].answer);
		ask_and_wait(name, (struct how){ 0 });
		assert_int_equal(counted(forward, DNS_FORWARD_HIT) - hits, rows[i].kept);
	}
}

static const char *soa_owner;
static uint32_t soa_minimum;

static void negative_of(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, DNS_NXDOMAIN);
	out_soa(&o, soa_owner, soa_ttl, soa_minimum);
	fake_send(q, o.bytes, o.n);
}

/* RFC 2308 3 and 5: the lesser of the SOA's TTL and its last field; and only the zone's own SOA says anything. */
static void which_soa_and_which_of_its_times_counts(void **state)
{
	static const struct {
		const char *owner;
		uint32_t ttl, minimum;
		const char *text;
	} rows[] = {
		{ "sub.example", 30, 60, "NXDOMAIN / SOA . . 0 0 0 0 60 30" },
		{ "example", 60, 30, "NXDOMAIN / SOA . . 0 0 0 0 30 30" },
		{ "", 60, 0x80000000u, "NXDOMAIN / SOA . . 0 0 0 0 2147483648 60" },
		{ "other", 60, 60, NULL },
		{ "x.n.sub.example", 60, 60, NULL }, /* below the name */
		{ "ample", 60, 60, NULL },           /* ends alike */
		{ "example", 0, 60, NULL },
		{ "example", 60, 0, NULL },
	};
	char name[32];

	(void)state;
	up.script = negative_of;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t before = up.n_udp;

		soa_owner = rows[i].owner;
		soa_ttl = rows[i].ttl;
		soa_minimum = rows[i].minimum;
		snprintf(name, sizeof name, "n%zu.sub.example", i);
		if (!strncmp(soa_owner, "x.", 2))
			snprintf(name, sizeof name, "n.sub.example");
		assert_int_equal(strncmp(ask_and_wait(name, (struct how){ 0 }), "NXDOMAIN", 8), 0);
		if (rows[i].text)
			assert_string_equal(ask_and_wait(name, (struct how){ 0 }), rows[i].text);
		else
			ask_and_wait(name, (struct how){ 0 });
		assert_int_equal(up.n_udp - before, rows[i].text ? 1 : 2);
	}
}

static void negative_answers_are_kept_by_their_soa_alone(void **state)
{
	(void)state;
	up.script = negative;
	soa_ttl = 100000;
	with_soa = true;
	assert_string_equal(ask_and_wait("x.example", (struct how){ 0 }), "NXDOMAIN / SOA . . 0 0 0 0 100000 900");
	assert_string_equal(ask_and_wait("n.example", (struct how){ 0 }), "NOERROR / SOA . . 0 0 0 0 100000 900");
	assert_string_equal(ask_and_wait("x.example", (struct how){ 0 }), "NXDOMAIN / SOA . . 0 0 0 0 100000 900");
	assert_int_equal(up.n_udp, 2);
	with_soa = false;
	assert_string_equal(ask_and_wait("x2.example", (struct how){ 0 }), "NXDOMAIN");
	assert_string_equal(ask_and_wait("x2.example", (struct how){ 0 }), "NXDOMAIN");
	assert_int_equal(up.n_udp, 4);
}

static void signed_answer(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, 0x0020); /* AD */
	out_a(&o, NULL, 60, "192.0.2.1");
	out_record(&o, 1, "example", DNS_TYPE_NS, 60, "\2ns\300\14", 5);
	out_record(&o, 2, "ns.example", DNS_TYPE_A, 60, "\300\0\2\1", 4);
	fake_send(q, o.bytes, o.n);
}

static void do_and_cd_go_through_and_ad_does_not_come_back(void **state)
{
	static struct asked a;

	(void)state;
	up.script = signed_answer;
	ask(forward, &a, "www.example", (struct how){ .edns = 1232 });
	await(loop, &a);
	assert_string_equal(a.text, "NOERROR A 192.0.2.1 60"); /* what was not asked for is not given out */
	assert_true(up.last.has_opt && !up.last.dnssec_ok && !up.last.checking_disabled);
	ask(forward, &a, "www.example", (struct how){ .edns = 1232, .dnssec_ok = true });
	await(loop, &a);
	assert_true(strstr(a.text, "/ NS") != NULL);
	assert_true(up.last.dnssec_ok && !up.last.checking_disabled);
	ask(forward, &a, "www.example", (struct how){ .edns = 1232, .checking_disabled = true });
	await(loop, &a);
	assert_true(!up.last.dnssec_ok && up.last.checking_disabled);
	assert_int_equal(up.n_udp, 3); /* three questions, three entries */
}

/* ---- what must not happen ---- */

static struct asked returned;

static void returns(struct fake_query *q)
{
	/* the upstream asks us, as it was asked: with our letters, but an id of its own */
	ask(forward, &returned, q->name, (struct how){ .source = "fdaa:abcd:1:a111:1:7:7777:2" });
	plain(q);
}

static void a_question_of_ours_that_comes_back_is_not_sent_again(void **state)
{
	(void)state;
	up.script = returns;
	assert_string_equal(ask_and_wait("www.a-rather-long-name.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	assert_int_equal(returned.answered, 1);
	assert_string_equal(returned.text, "SERVFAIL");
	assert_int_equal(counted(forward, DNS_FORWARD_LOOPED), 1);
	assert_int_equal(up.n_udp, 1);
}

static void private_names_do_not_leave_even_if_they_get_here(void **state)
{
	static const char *const names[] = {
		"my-db.internal", "internal", "x.flycast", "2.0.0.0.0.a.a.d.f.ip6.arpa", "1.d.f.ip6.arpa", "1.10.in-addr.arpa",
		"1.16.172.in-addr.arpa", "1.168.192.in-addr.arpa", "localhost", "a.localhost", "a.invalid", "a.test", "a.onion", "a.local",
		"_dns.resolver.arpa", "a.home.arpa", "use-application-dns.net", "1.254.169.in-addr.arpa", "1.b.e.f.ip6.arpa",
	};
	static struct asked a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		ask(forward, &a, names[i], (struct how){ 0 });
		assert_string_equal(a.text, "SERVFAIL");
	}
	ask_and_wait("www.example", (struct how){ 0 });
	assert_int_equal(counted(forward, DNS_FORWARD_PRIVATE), ARRAY_LEN(names));
	assert_int_equal(up.n_seen, 1);
	assert_true(fake_saw(&up, "www.example 1"));
}

static void no_descriptor_is_left(void **state)
{
	(void)state;
	assert_int_equal(descriptors(), descriptors_before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_name_is_asked_and_answered),
		T(upstreams_are_asked_over_ipv6_too),
		T(ids_ports_and_letters_are_new_each_time),
		T(an_upstream_that_does_not_keep_letters_is_asked_by_tcp_from_then_on),
		T(an_answer_that_does_not_fit_is_fetched_by_tcp),
		T(more_by_udp_than_we_take_is_fetched_by_tcp),
		T(streams_that_break_off_are_failures_and_nothing_leaks),
		T(a_bad_stream_of_one_upstream_does_not_hide_the_other),
		T(an_upstream_without_edns_is_asked_without),
		T(an_upstream_that_refuses_means_the_next_and_at_last_servfail),
		T(a_referral_is_no_answer),
		T(an_empty_answer_counts_if_the_server_recurses),
		T(a_chain_of_aliases_is_answered_whole_and_kept_for_the_shortest_time),
		T(ttls_at_the_edges),
		T(negative_answers_are_kept_by_their_soa_alone),
		T(which_soa_and_which_of_its_times_counts),
		T(do_and_cd_go_through_and_ad_does_not_come_back),
		T(a_question_of_ours_that_comes_back_is_not_sent_again),
		T(private_names_do_not_leave_even_if_they_get_here),
		cmocka_unit_test(no_descriptor_is_left),
	};
	int failed;

	descriptors_before = descriptors();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return forward_status(failed);
}
