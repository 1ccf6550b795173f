/* Framing over TCP, and the ring between threads. */
#include "tests/unit/lib/dns/fixture.h"

#include "lib/dns/ring.h"
#include "lib/dns/stream.h"

static void feed(struct dns_stream *s, const uint8_t *bytes, size_t n)
{
	while (n) {
		size_t room;
		uint8_t *at = dns_stream_room(s, &room);

		assert_true(room > 0);
		room = room > n ? n : room;
		memcpy(at, bytes, room);
		dns_stream_received(s, room);
		bytes += room;
		n -= room;
	}
}

static void queries_may_be_split_anywhere(void **state)
{
	uint8_t bytes[1024];
	size_t n = 0, len;

	(void)state;
	for (uint16_t i = 0; i < 3; i++) {
		len = make_query(bytes + n + 2, i, "a.internal", DNS_TYPE_AAAA, i * 100);
		put_u16(bytes + n, (uint16_t)len);
		n += 2 + len;
	}
	for (size_t piece = 1; piece <= n; piece++) {
		struct dns_stream s;
		uint16_t id = 0;

		dns_stream_init(&s);
		for (size_t at = 0; at < n; at += piece) {
			const uint8_t *query;

			feed(&s, bytes + at, at + piece > n ? n - at : piece);
			while (dns_stream_next(&s, &query, &len) == 0)
				assert_int_equal(get_u16(query), id++);
		}
		assert_int_equal(id, 3);
		dns_stream_deinit(&s);
	}
}

static void lengths_that_no_query_has_end_it(void **state)
{
	static const struct {
		uint16_t len;
		int next;
	} rows[] = { { 0, DNS_STREAM_BAD },  { 1, DNS_STREAM_BAD },    { 11, DNS_STREAM_BAD },   { 12, DNS_STREAM_MORE },
		     { 4096, DNS_STREAM_MORE }, { 4097, DNS_STREAM_BAD }, { 65535, DNS_STREAM_BAD } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_stream s;
		const uint8_t *query;
		uint8_t head[2];
		size_t len;

		dns_stream_init(&s);
		put_u16(head, rows[i].len);
		feed(&s, head, 1);
		assert_int_equal(dns_stream_next(&s, &query, &len), DNS_STREAM_MORE);
		feed(&s, head + 1, 1);
		assert_int_equal(dns_stream_next(&s, &query, &len), rows[i].next);
		dns_stream_deinit(&s);
	}
}

static void who_does_not_read_is_not_read(void **state)
{
	static uint8_t answer[DNS_MESSAGE_MAX];
	struct dns_stream s;
	size_t n;

	(void)state;
	dns_stream_init(&s);
	assert_int_equal(dns_stream_reply(&s, answer, 65533), 0);
	assert_false(dns_stream_full(&s)); /* 65535 bytes with the length: one below the mark */
	assert_int_equal(dns_stream_reply(&s, answer, sizeof answer), 0);
	assert_true(dns_stream_full(&s));
	assert_non_null(dns_stream_unsent(&s, &n));
	assert_int_equal(n, 65535 + 65537);
	dns_stream_sent(&s, 65535 + 2);
	assert_int_equal(dns_stream_unsent(&s, &n)[0], answer[0]);
	assert_false(dns_stream_full(&s));
	dns_stream_sent(&s, n);
	assert_null(dns_stream_unsent(&s, &n));
	assert_null(s.out.data); /* an idle connection holds no buffer */
	assert_int_equal(dns_stream_reply(&s, answer, 20), 0);
	assert_int_equal(get_u16(dns_stream_unsent(&s, &n)), 20);
	dns_stream_deinit(&s);
}

/* By some network that may still put one: each may have only so many (test_ring). */
static bool put_by_anybody(struct dns_ring *r, struct sockaddr_in6 *from, uint32_t mark, const uint8_t *query, size_t len)
{
	for (uint32_t network = 0x20000; network < 0x20000 + 2000; network++) {
		put_u32(from->sin6_addr.s6_addr + 2, network);
		if (dns_ring_put(r, from, mark, query, len))
			return true;
	}
	return false;
}

static void the_ring_holds_what_fits_in_order(void **state)
{
	struct dns_ring *r = aligned_alloc(64, (sizeof *r + 63) & ~(size_t)63);
	struct sockaddr_in6 from = { .sin6_port = 7 };
	uint8_t query[DNS_RING_QUERY_MAX + 1] = { 0 };
	uint32_t next = 0;

	(void)state;
	dns_ring_init(r, 0x9e3779b1);
	assert_null(dns_ring_first(r));
	assert_false(dns_ring_put(r, &from, 1, query, sizeof query));
	for (uint32_t round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < DNS_RING_ITEMS; i++)
			assert_true(put_by_anybody(r, &from, next + i, query, 12 + i));
		assert_false(put_by_anybody(r, &from, 0, query, 12));
		for (uint32_t i = 0; i < DNS_RING_ITEMS; i++) {
			const struct dns_ring_item *item = dns_ring_first(r);

			assert_int_equal(item->mark, next++);
			assert_int_equal(item->len, 12 + i);
			assert_int_equal(item->from.sin6_port, 7);
			dns_ring_drop(r);
		}
		assert_null(dns_ring_first(r));
	}
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_may_be_split_anywhere),
		cmocka_unit_test(lengths_that_no_query_has_end_it),
		cmocka_unit_test(who_does_not_read_is_not_read),
		cmocka_unit_test(the_ring_holds_what_fits_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
