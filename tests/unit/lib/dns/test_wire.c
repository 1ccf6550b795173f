/* The parser and the frame of a reply, section 2 of the DNS notes, bullet by bullet. */
#include "tests/unit/lib/dns/fixture.h"

#define H(qd, an, ns, ar) "\x12\x34\x01\x00\0" qd "\0" an "\0" ns "\0" ar
#define NAME "\3www\10internal\0"
#define QUESTION NAME "\0\x1c\0\x01"
#define OPT(size, version, flags, len) "\0\0\x29" size "\0" version flags "\0" len
#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

struct row {
	const char *name;
	const uint8_t *bytes;
	size_t len;
	int parsed;
	uint16_t rcode;
	bool has_opt;
};

static const struct row rows[] = {
	{ "nothing", BYTES(""), DNS_QUERY_DROP, 0, false },
	{ "eleven bytes", BYTES("\x12\x34\x01\x00\0\1\0\0\0\0\0"), DNS_QUERY_DROP, 0, false },
	{ "a reply", BYTES("\x12\x34\x81\x00\0\1\0\0\0\0\0\0" QUESTION), DNS_QUERY_DROP, 0, false },
	{ "a reply with another opcode", BYTES("\x12\x34\xa0\x00\0\0\0\0\0\0\0\0"), DNS_QUERY_DROP, 0, false },
	{ "a plain question", BYTES(H("\1", "\0", "\0", "\0") QUESTION), 0, 0, false },
	{ "opcode IQUERY", BYTES("\x12\x34\x08\x00\0\1\0\0\0\0\0\0" QUESTION), DNS_QUERY_BAD, DNS_NOTIMP, false },
	{ "opcode NOTIFY without a question", BYTES("\x12\x34\x20\x00\0\0\0\0\0\0\0\0"), DNS_QUERY_BAD, DNS_NOTIMP, false },
	{ "opcode UPDATE", BYTES("\x12\x34\x28\x00\0\1\0\0\0\0\0\0" QUESTION), DNS_QUERY_BAD, DNS_NOTIMP, false },
	{ "opcode 15", BYTES("\x12\x34\x78\x00\0\1\0\0\0\0\0\0" QUESTION), DNS_QUERY_BAD, DNS_NOTIMP, false },
	{ "no question", BYTES(H("\0", "\0", "\0", "\0")), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "two questions", BYTES(H("\2", "\0", "\0", "\0") QUESTION QUESTION), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "a question that is missing", BYTES(H("\1", "\0", "\0", "\0")), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "a name that does not end", BYTES(H("\1", "\0", "\0", "\0") "\3www"), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "a label that is cut", BYTES(H("\1", "\0", "\0", "\0") "\3ww"), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "a type that is missing", BYTES(H("\1", "\0", "\0", "\0") NAME), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "a class that is cut", BYTES(H("\1", "\0", "\0", "\0") NAME "\0\x1c\0"), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "label type 0x40", BYTES(H("\1", "\0", "\0", "\0") "\x40" QUESTION), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "label type 0x80", BYTES(H("\1", "\0", "\0", "\0") "\x80" QUESTION), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "a pointer to itself", BYTES(H("\1", "\0", "\0", "\0") "\xc0\x0c\0\x1c\0\1"), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "a pointer behind a label", BYTES(H("\1", "\0", "\0", "\0") "\3www\xc0\x0c\0\x1c\0\1"), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "rubbish behind the question", BYTES(H("\1", "\0", "\0", "\0") QUESTION "rubbish"), 0, 0, false },
	{ "an answer that is missing", BYTES(H("\1", "\1", "\0", "\0") QUESTION), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "an authority that is missing", BYTES(H("\1", "\0", "\1", "\0") QUESTION), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "an additional that is missing", BYTES(H("\1", "\0", "\0", "\1") QUESTION), DNS_QUERY_BAD, DNS_FORMERR, false },
	{ "an answer that is there", BYTES(H("\1", "\1", "\0", "\0") QUESTION "\xc0\x0c\0\1\0\1\0\0\0\0\0\1x"), 0, 0, false },
	{ "an additional that is no OPT", BYTES(H("\1", "\0", "\0", "\1") QUESTION "\1a\0\0\1\0\1\0\0\0\0\0\0"), 0, 0, false },
	{ "rdata longer than the message", BYTES(H("\1", "\1", "\0", "\0") QUESTION "\xc0\x0c\0\1\0\1\0\0\0\0\0\2x"), DNS_QUERY_BAD,
	  DNS_FORMERR, false },
	{ "an OPT", BYTES(H("\1", "\0", "\0", "\1") QUESTION OPT("\x04\xd0", "\0", "\x80\0", "\0")), 0, 0, true },
	{ "an OPT with an unknown option",
	  BYTES(H("\1", "\0", "\0", "\1") QUESTION OPT("\x04\xd0", "\0", "\0\0", "\6") "\xff\xee\0\2zz"), 0, 0, true },
	{ "an option longer than its OPT",
	  BYTES(H("\1", "\0", "\0", "\1") QUESTION OPT("\x04\xd0", "\0", "\0\0", "\6") "\xff\xee\0\3zz"), DNS_QUERY_BAD, DNS_FORMERR, true },
	{ "an option with half a head", BYTES(H("\1", "\0", "\0", "\1") QUESTION OPT("\x04\xd0", "\0", "\0\0", "\3") "\xff\xee\0"),
	  DNS_QUERY_BAD, DNS_FORMERR, true },
	{ "an OPT longer than the message", BYTES(H("\1", "\0", "\0", "\1") QUESTION OPT("\x04\xd0", "\0", "\0\0", "\6")), DNS_QUERY_BAD,
	  DNS_FORMERR, false },
	{ "two OPT",
	  BYTES(H("\1", "\0", "\0", "\2") QUESTION OPT("\x04\xd0", "\0", "\0\0", "\0") OPT("\x04\xd0", "\0", "\0\0", "\0")), DNS_QUERY_BAD,
	  DNS_FORMERR, true },
	{ "an OPT of a name", BYTES(H("\1", "\0", "\0", "\1") QUESTION "\1x" OPT("\x04\xd0", "\0", "\0\0", "\0")), DNS_QUERY_BAD,
	  DNS_FORMERR, false },
	{ "an OPT among the answers", BYTES(H("\1", "\1", "\0", "\0") QUESTION OPT("\x04\xd0", "\0", "\0\0", "\0")), DNS_QUERY_BAD,
	  DNS_FORMERR, false },
	{ "version 1", BYTES(H("\1", "\0", "\0", "\1") QUESTION OPT("\x04\xd0", "\1", "\0\0", "\0")), DNS_QUERY_BAD, DNS_BADVERS, true },
	{ "version 255", BYTES(H("\1", "\0", "\0", "\1") QUESTION OPT("\x04\xd0", "\xff", "\0\0", "\0")), DNS_QUERY_BAD, DNS_BADVERS, true },
};

static void every_row_is_parsed_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_query q = { 0 };
		uint16_t rcode = 0;
		uint8_t *exact = malloc(rows[i].len + 1); /* so that a read behind the end is found */

		memcpy(exact, rows[i].bytes, rows[i].len);
		exact = realloc(exact, rows[i].len ? rows[i].len : 1);
		int r = dns_query_parse(exact, rows[i].len, &q, &rcode);

		if (r != rows[i].parsed || (r == DNS_QUERY_BAD && rcode != rows[i].rcode) || q.has_opt != rows[i].has_opt)
			fail_msg("%s: parsed %d rcode %u opt %d", rows[i].name, r, rcode, q.has_opt);
		free(exact);
	}
}

static void every_beginning_of_a_good_query_is_refused(void **state)
{
	uint8_t bytes[512];
	size_t n = make_query(bytes, 1, "fearsome-bagel-43.internal", DNS_TYPE_AAAA, 1232);

	(void)state;
	for (size_t len = 0; len < n; len++) {
		struct dns_query q;
		uint16_t rcode = 0;
		int r = dns_query_parse(bytes, len, &q, &rcode);

		assert_int_equal(r, len < DNS_HEADER_LEN ? DNS_QUERY_DROP : DNS_QUERY_BAD);
		assert_true(len < DNS_HEADER_LEN || rcode == DNS_FORMERR);
	}
}

static int parse_long_name(size_t n_full, size_t last)
{
	uint8_t bytes[400] = "\x12\x34\x01\x00\0\1\0\0\0\0\0\0";
	size_t n = DNS_HEADER_LEN;
	struct dns_query q;
	uint16_t rcode;

	for (size_t i = 0; i <= n_full; i++) {
		size_t label = i < n_full ? 63 : last;

		bytes[n] = (uint8_t)label;
		memset(bytes + n + 1, 'a', label);
		n += 1 + label;
	}
	n++; /* the root */
	bytes[n + 1] = 1;
	bytes[n + 3] = 1;
	return dns_query_parse(bytes, n + 4, &q, &rcode);
}

static void a_name_may_have_255_octets_and_no_more(void **state)
{
	(void)state;
	assert_int_equal(parse_long_name(3, 61), 0); /* 3 * 64 + 62 + 1 */
	assert_int_equal(parse_long_name(3, 62), DNS_QUERY_BAD);
	assert_int_equal(parse_long_name(3, 63), DNS_QUERY_BAD);
	assert_int_equal(parse_long_name(4, 10), DNS_QUERY_BAD);
}

static void only_ascii_letters_are_made_lower_case(void **state)
{
	static const uint8_t bytes[] = "\x12\x34\0\0\0\1\0\0\0\0\0\0\6AZ@[\xc9\0\0\0\x1c\0\1";
	struct dns_query q;
	uint16_t rcode;

	(void)state;
	assert_int_equal(dns_query_parse(bytes, sizeof bytes - 1, &q, &rcode), 0);
	assert_memory_equal(q.key, "\6az@[\xc9\0\0", 8);
	assert_memory_equal(q.name, "\6AZ@[\xc9\0\0", 8);
}

static void sizes_below_512_count_as_512_and_ours_is_the_limit(void **state)
{
	static const struct {
		uint16_t asked;
		size_t limit;
	} sizes[] = { { 0, 512 }, { 1, 512 }, { 511, 512 }, { 512, 512 }, { 513, 513 }, { 1232, 1232 }, { 1233, 1232 }, { 65535, 1232 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint8_t bytes[512];
		struct dns_query q;
		uint16_t rcode;
		size_t n = make_query(bytes, 1, "a.internal", DNS_TYPE_AAAA, sizes[i].asked);

		assert_int_equal(dns_query_parse(bytes, n, &q, &rcode), 0);
		assert_int_equal(dns_query_udp_limit(&q), sizes[i].limit);
	}
}

static void flags_are_echoed_only_where_they_mean_something(void **state)
{
	uint8_t bytes[512], message[DNS_UDP_MAX];
	struct dns_query q;
	struct dns_reply r;
	uint16_t rcode;
	size_t n = make_query(bytes, 1, "a.internal", DNS_TYPE_AAAA, 0);

	(void)state;
	put_u16(bytes + 2, 0x07ff); /* AA TC RD RA Z AD CD and an rcode */
	assert_int_equal(dns_query_parse(bytes, n, &q, &rcode), 0);
	dns_reply_begin(&r, &q, message, sizeof message);
	dns_reply_end(&r);
	assert_int_equal(get_u16(message + 2), 0x8000 | 0x0100 | 0x0080 | 0x0010); /* QR RD RA CD */
}

static void a_reply_has_an_opt_only_if_the_query_had_one(void **state)
{
	(void)state;
	for (int with = 0; with < 2; with++) {
		uint8_t bytes[512], message[DNS_UDP_MAX];
		struct dns_query q;
		struct dns_reply r;
		uint16_t rcode;
		size_t n = make_query(bytes, 1, "a.internal", DNS_TYPE_AAAA, with ? 4096 : 0);

		if (with)
			bytes[n - 4] = 0x80; /* DO */
		assert_int_equal(dns_query_parse(bytes, n, &q, &rcode), 0);
		dns_reply_begin(&r, &q, message, sizeof message);
		ldns_pkt *p = decode(message, dns_reply_end(&r));

		assert_int_equal(ldns_pkt_edns(p), with);
		assert_int_equal(ldns_pkt_edns_do(p), with);
		if (with)
			assert_int_equal(ldns_pkt_edns_udp_size(p), DNS_UDP_MAX);
		ldns_pkt_free(p);
	}
}

static void a_record_that_does_not_fit_leaves_none_and_tc(void **state)
{
	uint8_t bytes[512], message[DNS_UDP_MAX];
	struct dns_query q;
	struct dns_reply r;
	uint16_t rcode;
	size_t n = make_query(bytes, 1, "a.internal", DNS_TYPE_TXT, 512);

	(void)state;
	assert_int_equal(dns_query_parse(bytes, n, &q, &rcode), 0);
	dns_reply_begin(&r, &q, message, 512);
	assert_non_null(dns_reply_answer(&r, dns_reply_left(&r) - 1, 1));
	assert_null(dns_reply_answer(&r, 2, 1));
	assert_null(dns_reply_answer(&r, 1, 1)); /* not even one that would */
	ldns_pkt *p = decode(message, dns_reply_end(&r));

	assert_true(ldns_pkt_tc(p));
	assert_int_equal(ldns_pkt_ancount(p), 0);
	assert_true(ldns_pkt_edns(p));
	ldns_pkt_free(p);
}

static void a_hint_that_does_not_fit_is_left_out_and_the_answer_is_not(void **state)
{
	static const struct dns_hint hint = { DNS_HINT_STALE, "ten octets" };

	(void)state;
	for (size_t spare = 0; spare < 40; spare++) {
		uint8_t bytes[512], message[DNS_UDP_MAX];
		struct dns_query q;
		struct dns_reply r;
		uint16_t rcode;
		size_t n = make_query(bytes, 1, "a.internal", DNS_TYPE_TXT, 512);

		assert_int_equal(dns_query_parse(bytes, n, &q, &rcode), 0);
		dns_reply_begin(&r, &q, message, 512);
		r.hint = &hint;
		assert_non_null(dns_reply_answer(&r, dns_reply_left(&r) - spare, 1));
		n = dns_reply_end(&r);
		assert_int_equal(get_u16(message + 6), 1);
		assert_int_equal(n, 512 - spare + (spare >= 16 ? 16 : 0)); /* 4 + 2 + 10 */
		if (spare >= 16)
			assert_memory_equal(message + n - 16, "\0\17\0\14\0\3ten octets", 16);
	}
}

static void names_from_text_are_labels(void **state)
{
	uint8_t wire[DNS_NAME_MAX];
	char longer[300];

	(void)state;
	assert_int_equal(dns_name_from_text("A.internal", wire), 12);
	assert_memory_equal(wire, "\1a\10internal\0", 12);
	assert_int_equal(dns_name_from_text("a..b", wire), 0);
	assert_int_equal(dns_name_from_text(".a", wire), 0);
	memset(longer, 'a', 64);
	longer[64] = 0;
	assert_int_equal(dns_name_from_text(longer, wire), 0);
	for (size_t i = 0; i < 254; i++)
		longer[i] = i % 2 ? '.' : 'a';
	longer[253] = 0;
	assert_int_equal(dns_name_from_text(longer, wire), 255);
	memcpy(longer + 253, ".a", 3);
	assert_int_equal(dns_name_from_text(longer, wire), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_parsed_as_written),
		cmocka_unit_test(every_beginning_of_a_good_query_is_refused),
		cmocka_unit_test(a_name_may_have_255_octets_and_no_more),
		cmocka_unit_test(only_ascii_letters_are_made_lower_case),
		cmocka_unit_test(sizes_below_512_count_as_512_and_ours_is_the_limit),
		cmocka_unit_test(flags_are_echoed_only_where_they_mean_something),
		cmocka_unit_test(a_reply_has_an_opt_only_if_the_query_had_one),
		cmocka_unit_test(a_record_that_does_not_fit_leaves_none_and_tc),
		cmocka_unit_test(a_hint_that_does_not_fit_is_left_out_and_the_answer_is_not),
		cmocka_unit_test(names_from_text_are_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
