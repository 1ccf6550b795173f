/* The cache on a clock of our own: times, limits, and what must never come out of it. */
#include "tests/unit/lib/dns/fixture.h"

#include "lib/dns/cache.h"

static struct dns_cache *cache;
static uint8_t names[64][DNS_NAME_MAX];

static int start(void **state)
{
	(void)state;
	return dns_cache_new(1 << 20, &cache);
}

static int stop(void **state)
{
	(void)state;
	cache = dns_cache_free(cache);
	return 0;
}

static struct dns_cache_key key_of(uint32_t network, const char *name, uint16_t type)
{
	static size_t turn;
	uint8_t *wire = names[turn++ % ARRAY_LEN(names)];
	struct dns_cache_key key = { .network = network, .name = wire, .type = type, .class = DNS_CLASS_IN };

	key.name_len = dns_name_from_text(name, wire);
	return key;
}

/* An answer with one address, or a negative one with an SOA; `padding` octets more. */
static struct dns_stored *stored_of(const struct dns_cache_key *key, uint16_t rcode, bool positive, uint32_t ttl, size_t padding)
{
	static uint8_t bytes[65535];
	static struct dns_reply_in in;
	struct dns_sent sent = { .id = 1, .type = key->type, .class = DNS_CLASS_IN, .name_len = key->name_len };
	struct dns_stored *stored;
	size_t n;

	memcpy(sent.name, key->name, key->name_len);
	n = dns_sent_encode(&sent, bytes);
	put_u16(bytes + 2, (uint16_t)(0x8180 | rcode));
	if (positive) {
		size_t len = key->type == DNS_TYPE_A ? 4 : key->type == DNS_TYPE_AAAA ? 16 : 1 + padding;

		bytes[7] = 1;
		dns_record_head(bytes + n, 12, key->type, (uint16_t)len);
		put_u32(bytes + n + 6, ttl);
		memset(bytes + n + 12, 0, len);
		n += 12 + len;
	} else {
		bytes[9] = 1;
		dns_record_head(bytes + n, 12, DNS_TYPE_SOA, 22);
		put_u32(bytes + n + 6, ttl);
		memset(bytes + n + 12, 0, 22);
		put_u32(bytes + n + 12 + 18, ttl);
		n += 12 + 22;
	}
	assert_int_equal(dns_reply_in_judge(&sent, bytes, n, &in), DNS_VERDICT_GOOD);
	assert_int_equal(dns_stored_new(&in, false, &stored), 0);
	return stored;
}

static void put(const struct dns_cache_key *key, uint16_t rcode, bool positive, uint32_t ttl, uint64_t now_ms)
{
	dns_cache_put(cache, key, stored_of(key, rcode, positive, ttl, 0), now_ms);
}

/* The TTL that an asker is told. */
static uint32_t told_ttl(const struct dns_cache_key *key, const struct dns_cache_found *found, bool stale)
{
	static uint8_t message[DNS_MESSAGE_MAX];
	uint8_t query[DNS_SENT_MAX];
	struct dns_sent sent = { .type = key->type, .class = DNS_CLASS_IN, .name_len = key->name_len };
	struct dns_query q;
	struct dns_reply r;
	uint16_t rcode;

	memcpy(sent.name, key->name, key->name_len);
	assert_int_equal(dns_query_parse(query, dns_sent_encode(&sent, query), &q, &rcode), 0);
	dns_reply_begin(&r, &q, message, sizeof message);
	dns_stored_put(found->stored, found->age_s, stale, &r);
	ldns_pkt *p = decode(message, dns_reply_end(&r));
	ldns_rr_list *list = ldns_pkt_ancount(p) ? ldns_pkt_answer(p) : ldns_pkt_authority(p);
	uint32_t ttl = ldns_rr_ttl(ldns_rr_list_rr(list, 0));

	ldns_pkt_free(p);
	return ttl;
}

static void a_ttl_counts_down_to_its_end(void **state)
{
	struct dns_cache_key k = key_of(NET, "www.example", DNS_TYPE_A);
	struct dns_cache_found f;

	(void)state;
	put(&k, 0, true, 60, 5000);
	for (uint64_t s = 0; s < 60; s++) {
		f = dns_cache_find(cache, &k, 5000 + s * 1000);
		assert_int_equal(f.kind, DNS_CACHED_FRESH);
		assert_int_equal(told_ttl(&k, &f, false), 60 - s);
	}
	assert_int_equal(dns_cache_find(cache, &k, 64999).kind, DNS_CACHED_FRESH);
	f = dns_cache_find(cache, &k, 65000);
	assert_int_equal(f.kind, DNS_CACHED_STALE);
	assert_int_equal(told_ttl(&k, &f, true), DNS_TTL_STALE);
	f = dns_cache_find(cache, &k, 64999 + DNS_CACHE_STALE_MS);
	assert_int_equal(f.kind, DNS_CACHED_STALE);
	assert_int_equal(dns_cache_find(cache, &k, 65000 + DNS_CACHE_STALE_MS).kind, DNS_CACHED_NOT);
	assert_int_equal(dns_cache_count(cache), 0);
	assert_int_equal(dns_cache_bytes(cache), 0);
}

static void a_negative_answer_is_never_stale(void **state)
{
	struct dns_cache_key k = key_of(NET, "www.example", DNS_TYPE_A), n = key_of(NET, "n.example", DNS_TYPE_A);

	(void)state;
	put(&k, DNS_NXDOMAIN, false, 60, 0);
	put(&n, DNS_NOERROR, false, 60, 0);
	assert_int_equal(dns_cache_find(cache, &k, 59999).kind, DNS_CACHED_FRESH);
	assert_int_equal(dns_cache_find(cache, &n, 59999).kind, DNS_CACHED_FRESH);
	dns_cache_put_failure(cache, &k, 59999);
	struct dns_cache_found f = dns_cache_find(cache, &k, 60000);

	assert_int_equal(f.kind, DNS_CACHED_RESTING);
	assert_null(f.stored);
	assert_int_equal(dns_cache_find(cache, &n, 60000).kind, DNS_CACHED_NOT);
}

static void an_nxdomain_ends_when_the_name_turns_out_to_exist(void **state)
{
	struct dns_cache_key a = key_of(NET, "www.example", DNS_TYPE_A), aaaa = key_of(NET, "www.example", DNS_TYPE_AAAA);
	struct dns_cache_key others = key_of(OTHER_NET, "www.example", DNS_TYPE_A), nodata = key_of(NET, "www.example", DNS_TYPE_TXT);

	(void)state;
	put(&a, DNS_NXDOMAIN, false, 600, 0);
	put(&others, DNS_NXDOMAIN, false, 600, 0);
	put(&aaaa, DNS_NOERROR, true, 60, 1000);
	assert_int_equal(dns_cache_find(cache, &a, 2000).kind, DNS_CACHED_NOT);
	assert_int_equal(dns_cache_find(cache, &aaaa, 2000).kind, DNS_CACHED_FRESH);
	assert_int_equal(dns_cache_find(cache, &others, 2000).kind, DNS_CACHED_FRESH); /* another network's view is its own */
	put(&a, DNS_NXDOMAIN, false, 600, 3000);
	put(&nodata, DNS_NOERROR, false, 60, 4000); /* "no such record" says that the name is there, too */
	assert_int_equal(dns_cache_find(cache, &a, 5000).kind, DNS_CACHED_NOT);
}

static void what_may_not_be_kept_takes_the_old_answer_with_it(void **state)
{
	struct dns_cache_key k = key_of(NET, "www.example", DNS_TYPE_A);

	(void)state;
	put(&k, 0, true, 60, 0);
	put(&k, 0, true, 0, 1000);
	assert_int_equal(dns_cache_find(cache, &k, 1000).kind, DNS_CACHED_NOT);
	assert_int_equal(dns_cache_count(cache), 0);
}

static void a_failure_rests_and_keeps_what_there_is(void **state)
{
	struct dns_cache_key k = key_of(NET, "www.example", DNS_TYPE_A), none = key_of(NET, "none.example", DNS_TYPE_A);
	struct dns_cache_found f;

	(void)state;
	put(&k, 0, true, 1, 0);
	dns_cache_put_failure(cache, &k, 5000);
	dns_cache_put_failure(cache, &none, 5000);
	f = dns_cache_find(cache, &k, 6999);
	assert_int_equal(f.kind, DNS_CACHED_RESTING);
	assert_non_null(f.stored);
	f = dns_cache_find(cache, &none, 6999);
	assert_int_equal(f.kind, DNS_CACHED_RESTING);
	assert_null(f.stored);
	f = dns_cache_find(cache, &k, 7000);
	assert_int_equal(f.kind, DNS_CACHED_STALE);
	assert_int_equal(dns_cache_find(cache, &none, 7000).kind, DNS_CACHED_NOT);
	put(&k, 0, true, 60, 7000);
	assert_int_equal(dns_cache_find(cache, &k, 7000).kind, DNS_CACHED_FRESH);
}

static void kinds_of_questions_are_apart(void **state)
{
	struct dns_cache_key k = key_of(NET, "www.example", DNS_TYPE_A), other;

	(void)state;
	put(&k, 0, true, 60, 0);
	other = k;
	other.dnssec_ok = true;
	assert_int_equal(dns_cache_find(cache, &other, 1).kind, DNS_CACHED_NOT);
	other = k;
	other.checking_disabled = true;
	assert_int_equal(dns_cache_find(cache, &other, 1).kind, DNS_CACHED_NOT);
	other = k;
	other.class = 3;
	assert_int_equal(dns_cache_find(cache, &other, 1).kind, DNS_CACHED_NOT);
	other = k;
	other.network = OTHER_NET;
	assert_int_equal(dns_cache_find(cache, &other, 1).kind, DNS_CACHED_NOT);
	other = key_of(NET, "www.exampl", DNS_TYPE_A);
	assert_int_equal(dns_cache_find(cache, &other, 1).kind, DNS_CACHED_NOT);
	assert_int_equal(dns_cache_find(cache, &k, 1).kind, DNS_CACHED_FRESH);
}

static void memory_is_bounded_and_the_greedy_network_pays(void **state)
{
	struct dns_cache_key modest = key_of(OTHER_NET, "modest.example", DNS_TYPE_A);
	uint8_t wire[DNS_NAME_MAX];
	char name[64];

	(void)state;
	memcpy(wire, modest.name, modest.name_len); /* key_of uses its memory again */
	modest.name = wire;
	put(&modest, 0, true, 3600, 0);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "n%u.example", i);
		struct dns_cache_key k = key_of(NET, name, DNS_TYPE_TXT);

		dns_cache_put(cache, &k, stored_of(&k, 0, true, 3600, i % 300), 1);
		assert_true(dns_cache_bytes(cache) <= 1 << 20);
		assert_int_equal(dns_cache_find(cache, &k, 1).kind, DNS_CACHED_FRESH); /* the newest stays */
	}
	assert_true(dns_cache_evicted(cache) > 10000);
	assert_int_equal(dns_cache_find(cache, &modest, 2).kind, DNS_CACHED_FRESH);
	struct dns_cache_key first = key_of(NET, "n0.example", DNS_TYPE_TXT);

	assert_int_equal(dns_cache_find(cache, &first, 2).kind, DNS_CACHED_NOT);
}

static void what_is_used_stays(void **state)
{
	struct dns_cache_key used = key_of(NET, "used.example", DNS_TYPE_A);
	uint8_t wire[DNS_NAME_MAX];
	char name[64];

	(void)state;
	memcpy(wire, used.name, used.name_len);
	used.name = wire;
	put(&used, 0, true, 3600, 0);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "n%u.example", i);
		struct dns_cache_key k = key_of(NET, name, DNS_TYPE_A);

		put(&k, 0, true, 3600, 1);
		assert_int_equal(dns_cache_find(cache, &used, 1).kind, DNS_CACHED_FRESH);
	}
	assert_true(dns_cache_evicted(cache) > 0);
}

static void an_answer_too_big_is_not_kept(void **state)
{
	struct dns_cache_key k = key_of(NET, "big.example", DNS_TYPE_TXT);

	(void)state;
	dns_cache_put(cache, &k, stored_of(&k, 0, true, 60, DNS_CACHE_ENTRY_MAX), 0);
	assert_int_equal(dns_cache_count(cache), 0);
	assert_int_equal(dns_cache_bytes(cache), 0);
}

static void all_can_be_forgotten(void **state)
{
	char name[64];

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "n%u.example", i % 20);
		struct dns_cache_key k = key_of(NET + i % 5, name, i % 2 ? DNS_TYPE_A : DNS_TYPE_AAAA);

		put(&k, 0, true, 3600, 0);
	}
	assert_true(dns_cache_count(cache) > 10);
	dns_cache_clear(cache);
	assert_int_equal(dns_cache_count(cache), 0);
	assert_int_equal(dns_cache_bytes(cache), 0);
	struct dns_cache_key k = key_of(NET, "n0.example", DNS_TYPE_A);

	put(&k, 0, true, 60, 0);
	assert_int_equal(dns_cache_find(cache, &k, 1).kind, DNS_CACHED_FRESH);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_ttl_counts_down_to_its_end),
		T(a_negative_answer_is_never_stale),
		T(an_nxdomain_ends_when_the_name_turns_out_to_exist),
		T(what_may_not_be_kept_takes_the_old_answer_with_it),
		T(a_failure_rests_and_keeps_what_there_is),
		T(kinds_of_questions_are_apart),
		T(memory_is_bounded_and_the_greedy_network_pays),
		T(what_is_used_stays),
		T(an_answer_too_big_is_not_kept),
		T(all_can_be_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
