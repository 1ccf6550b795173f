/* Which upstreams there may be, and whom to ask first. */
#include "tests/unit/lib/dns/fixture.h"

#include "lib/dns/upstreams.h"

static struct in6_addr own;

static int start(void **state)
{
	(void)state;
	own = addr_resolver();
	return 0;
}

static void lists_are_read(void **state)
{
	struct dns_upstreams u;

	(void)state;
	assert_int_equal(dns_upstreams_parse("192.0.2.1, 192.0.2.2:5353 2001:db8::1,[2001:db8::2]:54, [::1], 127.0.0.1, 192.0.2.1:53, fe80::1%lo", &own,
					     &u, NULL), 0);
	assert_int_equal(u.n, 7); /* one was there twice */
	assert_string_equal(u.all[0].text, "192.0.2.1:53");
	assert_string_equal(u.all[1].text, "192.0.2.2:5353");
	assert_string_equal(u.all[2].text, "[2001:db8::1]:53");
	assert_string_equal(u.all[3].text, "[2001:db8::2]:54");
	assert_string_equal(u.all[4].text, "[::1]:53");
	assert_string_equal(u.all[5].text, "127.0.0.1:53");
	assert_string_equal(u.all[6].text, "[fe80::1%lo]:53");
	assert_int_equal(((struct sockaddr_in6 *)&u.all[6].address)->sin6_scope_id, 1);
	assert_int_equal(((struct sockaddr_in *)&u.all[1].address)->sin_port, htons(5353));
}

static void what_cannot_be_an_upstream_is_refused_by_name(void **state)
{
	static const struct {
		const char *list, *entry, *because;
	} rows[] = {
		{ "192.0.2.1, fdaa::3", "fdaa::3", "in circles" },
		{ "[fdaa::3]:5353", "[fdaa::3]:5353", "in circles" },
		{ "fdaa:1234:5678::3", "fdaa:1234:5678::3", "in circles" },
		{ "fdaa:1234:5678:a111:1:7:7777:2", "fdaa:1234", "in circles" },
		{ "0.0.0.0", "0.0.0.0", "this machine" },
		{ "::", "::", "this machine" },
		{ "224.0.0.251", "224.0.0.251", "multicast" },
		{ "255.255.255.255", "255.255.255.255", "broadcast" },
		{ "ff02::fb", "ff02::fb", "multicast" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", "a.b.c.d" },
		{ "fe80::1", "fe80::1", "device" },
		{ "fe80::1%nosuch0", "fe80::1%nosuch0", "device" },
		{ "2001:db8::1%lo", "2001:db8::1%lo", "device" },
		{ "192.0.2.1%lo", "192.0.2.1%lo", "no address" },
		{ "dns.example", "dns.example", "no address" },
		{ "192.0.2.1:0", "192.0.2.1:0", "port" },
		{ "192.0.2.1:65536", "192.0.2.1:65536", "port" },
		{ "192.0.2.1:", "192.0.2.1:", "port" },
		{ "192.0.2.1:-1", "192.0.2.1:-1", "port" },
		{ "[2001:db8::1]x", "[2001:db8::1]x", "no address" },
		{ "[2001:db8::1", "[2001:db8::1", "no address" },
		{ "192.0.2", "192.0.2", "no address" },
		{ " , ", " , ", "no upstream" },
		{ "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6 192.0.2.7 192.0.2.8 192.0.2.9", "8", "more than" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_upstreams u = { .n = 77 };
		struct why why = { 0 };

		if (dns_upstreams_parse(rows[i].list, &own, &u, &why) != E_REFUSED || u.n != 77)
			fail_msg("\"%s\" is taken", rows[i].list);
		if (!strstr(why.text, rows[i].entry) || !strstr(why.text, rows[i].because) || strcmp(why.field, "forward"))
			fail_msg("\"%s\": %s: %s", rows[i].list, why.field, why.text);
	}
}

static void our_own_address_is_refused_whatever_it_is(void **state)
{
	struct dns_upstreams u;

	(void)state;
	assert_int_equal(inet_pton(AF_INET6, "::1", &own), 1);
	assert_int_equal(dns_upstreams_parse("[::1]:53", &own, &u, NULL), E_REFUSED);
	assert_int_equal(dns_upstreams_parse("127.0.0.1", &own, &u, NULL), 0);
}

static void a_resolv_conf_gives_what_can_be_used(void **state)
{
	static const char text[] = "# comment\n"
				   "search example.com\n"
				   "nameserver 192.0.2.1\n"
				   "nameserver\t2001:db8::1   # trailing\n"
				   "nameserver fdaa::3\n"
				   "nameserver rubbish\n"
				   "nameserver 192.0.2.1\n"
				   " nameserver 192.0.2.7\n"
				   "nameserver\n"
				   "nameserverx 192.0.2.8\n"
				   "options edns0\n"
				   "nameserver 127.0.0.53";
	struct dns_upstreams u, none;
	size_t left_out;

	(void)state;
	assert_false(dns_upstreams_from_resolv_conf(text, &own, &u, &left_out));
	assert_int_equal(u.n, 3);
	assert_int_equal(left_out, 2);
	assert_string_equal(u.all[0].text, "192.0.2.1:53");
	assert_string_equal(u.all[1].text, "[2001:db8::1]:53");
	assert_string_equal(u.all[2].text, "127.0.0.53:53");
	assert_false(dns_upstreams_from_resolv_conf("", &own, &none, &left_out));
	assert_int_equal(none.n, 0);
	assert_false(dns_upstreams_same(&u, &none));
	assert_true(dns_upstreams_same(&u, &u));
}

static void a_device_may_come_later_or_be_made_anew(void **state)
{
	struct dns_upstreams u, anew;
	size_t left_out;

	(void)state;
	assert_true(dns_upstreams_from_resolv_conf("nameserver fe80::1%nosuchdevice", &own, &u, &left_out));
	assert_int_equal(left_out, 1);
	assert_true(dns_upstreams_from_resolv_conf("nameserver fe80::1%lo", &own, &u, &left_out));
	assert_int_equal(left_out, 0);
	anew = u;
	assert_true(dns_upstreams_same(&u, &anew));
	((struct sockaddr_in6 *)&anew.all[0].address)->sin6_scope_id += 7;
	assert_false(dns_upstreams_same(&u, &anew));
	dns_upstreams_replace(&u, &anew);
	assert_true(dns_upstreams_same(&u, &anew)); /* not the old index again */
}

static void order_is(const struct dns_upstreams *u, const char *digits)
{
	uint8_t order[DNS_UPSTREAMS_MAX];
	char text[DNS_UPSTREAMS_MAX + 1] = "";

	dns_upstreams_order(u, order);
	for (size_t i = 0; i < u->n; i++)
		text[i] = (char)('0' + order[i]);
	assert_string_equal(text, digits);
}

static void the_quickest_is_asked_first_and_the_silent_last(void **state)
{
	struct dns_upstreams u;

	(void)state;
	assert_int_equal(dns_upstreams_parse("192.0.2.1 192.0.2.2 192.0.2.3", &own, &u, NULL), 0);
	order_is(&u, "012"); /* as configured, while nothing is known */
	dns_upstream_heard(&u.all[0], 100);
	dns_upstream_heard(&u.all[1], 20);
	dns_upstream_heard(&u.all[2], 50);
	order_is(&u, "120");
	dns_upstream_lost(&u.all[1], 400, 1000);
	order_is(&u, "201");
	dns_upstream_lost(&u.all[2], 400, 1000);
	dns_upstream_lost(&u.all[0], 400, 1000);
	order_is(&u, "012"); /* all silent: still asked, as configured */
	dns_upstream_heard(&u.all[1], 20);
	order_is(&u, "102");
}

static void patience_follows_the_round_trip_within_bounds(void **state)
{
	struct dns_upstream u = { 0 };

	(void)state;
	assert_int_equal(dns_upstream_patience_ms(&u, true), 100);
	assert_int_equal(dns_upstream_patience_ms(&u, false), 300);
	dns_upstream_heard(&u, 1);
	assert_int_equal(dns_upstream_patience_ms(&u, true), 50);
	u.srtt_ms = 80;
	assert_int_equal(dns_upstream_patience_ms(&u, true), 160);
	dns_upstream_lost(&u, 120, 0); /* it takes at least that long */
	assert_int_equal(dns_upstream_patience_ms(&u, true), 242);
	dns_upstream_lost(&u, 60, 0);
	assert_int_equal(dns_upstream_patience_ms(&u, true), 242);
	u.srtt_ms = 1900;
	assert_int_equal(dns_upstream_patience_ms(&u, true), 400);
	assert_int_equal(dns_upstream_patience_ms(&u, false), 400);
}

static void the_silent_are_probed_less_and_less_often(void **state)
{
	struct dns_upstream u = { 0 };
	uint64_t next;
	unsigned n = 0;

	(void)state;
	assert_false(dns_upstream_probe_due(&u, 0, &next));
	assert_int_equal(next, UINT64_MAX);
	dns_upstream_lost(&u, 400, 0);
	for (uint64_t now = 0; now < 120000; now += 10)
		n += dns_upstream_probe_due(&u, now, &next);
	assert_in_range(n, 8, 14); /* at 0.5, 1, 2, 4, 8, 16, then every 16 s */
	dns_upstream_heard(&u, 1);
	assert_false(dns_upstream_probe_due(&u, 200000, &next));
}

static void what_is_known_of_an_address_survives_another_list(void **state)
{
	struct dns_upstreams u, by;

	(void)state;
	assert_int_equal(dns_upstreams_parse("192.0.2.1 192.0.2.2", &own, &u, NULL), 0);
	assert_int_equal(dns_upstreams_parse("192.0.2.9 192.0.2.2", &own, &by, NULL), 0);
	dns_upstream_heard(&u.all[1], 33);
	dns_upstreams_replace(&u, &by);
	assert_int_equal(u.generation, 1);
	assert_string_equal(u.all[0].text, "192.0.2.9:53");
	assert_int_equal(u.all[0].srtt_ms, 0);
	assert_int_equal(u.all[1].srtt_ms, 34);
}

#define T(f) cmocka_unit_test_setup(f, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(lists_are_read),
		T(what_cannot_be_an_upstream_is_refused_by_name),
		T(our_own_address_is_refused_whatever_it_is),
		T(a_resolv_conf_gives_what_can_be_used),
		T(a_device_may_come_later_or_be_made_anew),
		T(the_quickest_is_asked_first_and_the_silent_last),
		T(patience_follows_the_round_trip_within_bounds),
		T(the_silent_are_probed_less_and_less_often),
		T(what_is_known_of_an_address_survives_another_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
