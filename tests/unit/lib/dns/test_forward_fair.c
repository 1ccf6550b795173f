/* The forwarder and many askers: what they share, what each may have, and what happens when they go. */
#include "tests/unit/lib/dns/forward_fixture.h"

/* ---- many askers ---- */

static void equal_questions_share_one_exchange(void **state)
{
	static struct asked a[20];
	char source[64];

	(void)state;
	up.script = silent;
	for (size_t i = 0; i < 20; i++) {
		snprintf(source, sizeof source, "fdaa:1234:5678:a111:1:7:%zx:2", 0x7000 + i);
		ask(forward, &a[i], i % 2 ? "WWW.example" : "www.EXAMPLE", (struct how){ .source = source });
	}
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_QUESTIONS), 1);
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_WAITING), 20);
	up.script = plain; /* the next try is answered */
	for (size_t i = 0; i < 20; i++) {
		await(loop, &a[i]);
		assert_string_equal(a[i].text, "NOERROR A 192.0.2.1 60");
	}
	assert_true(up.n_udp <= 3);
	assert_int_equal(counted(forward, DNS_FORWARD_COALESCED), 19);
	assert_int_equal(counted(forward, DNS_FORWARD_ANSWERED), 20);
}

static void the_same_query_sent_again_gets_one_answer(void **state)
{
	static struct asked first, again;

	(void)state;
	up.script = silent;
	ask(forward, &first, "www.example", (struct how){ .id = 77 });
	ask(forward, &again, "www.example", (struct how){ .id = 77 });
	assert_int_equal(again.dropped, 1);
	up.script = plain;
	await(loop, &first);
	assert_int_equal(again.answered, 0);
	assert_int_equal(counted(forward, DNS_FORWARD_REPEATED), 1);
}

static void networks_share_neither_exchange_nor_cache(void **state)
{
	(void)state;
	ask_and_wait("www.example", (struct how){ 0 });
	ask_and_wait("www.example", (struct how){ .source = "fdaa:abcd:1:a111:1:7:7777:2" });
	ask_and_wait("www.example", (struct how){ .source = "fdaa:1234:5678:a111:2:8:8888:2" }); /* the first network, another host */
	assert_int_equal(up.n_udp, 2);
	assert_int_equal(counted(forward, DNS_FORWARD_HIT), 1);
}

/* N askers of one source or many, each with a name of its own. */
static struct asked *ask_many(size_t n, const char *format)
{
	struct asked *all = calloc(n, sizeof *all);
	char source[64], name[64];

	assert_non_null(all);
	for (size_t i = 0; i < n; i++) {
		snprintf(source, sizeof source, format, i % 200 + 0x7000);
		snprintf(name, sizeof name, "n%zu.example", i);
		ask(forward, &all[i], name, (struct how){ .source = source, .edns = 512 });
	}
	return all;
}

static void one_source_cannot_have_all_questions(void **state)
{
	static struct asked other;
	struct asked *all;

	(void)state;
	restart_with_both(800);
	up.script = second.script = silent;
	all = ask_many(40, "fdaa:1234:5678:a111:1:7:7777:2");
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(all[i].answered, i >= 32);
	assert_string_equal(all[39].text, "SERVFAIL");
	assert_int_equal(counted(forward, DNS_FORWARD_OVER_SOURCE), 8);
	up.script = plain;
	ask(forward, &other, "other.example", (struct how){ .source = "fdaa:1234:5678:a111:1:7:8888:2" });
	await(loop, &other);
	assert_string_equal(other.text, "NOERROR A 192.0.2.1 60");
	for (size_t i = 0; i < 40; i++)
		await(loop, &all[i]);
	free(all);
}

static void one_network_cannot_have_all_questions_and_others_do_not_notice(void **state)
{
	static struct asked other[30];
	struct asked *all;
	size_t refused = 0;

	(void)state;
	restart_with_both(1500);
	up.script = second.script = silent;
	all = ask_many(200, "fdaa:1234:5678:a111:1:7:%zx:2");
	for (size_t i = 0; i < 200; i++)
		refused += all[i].answered;
	assert_int_equal(refused, 200 - 64);
	assert_int_equal(counted(forward, DNS_FORWARD_OVER_NETWORK), 200 - 64);
	up.script = second.script = plain;
	for (size_t i = 0; i < 30; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%zu.example", i);
		ask(forward, &other[i], name, (struct how){ .source = "fdaa:abcd:1:a111:1:7:7777:2" });
		await(loop, &other[i]);
		assert_string_equal(other[i].text, "NOERROR A 192.0.2.1 60");
	}
	for (size_t i = 0; i < 200; i++)
		await(loop, &all[i]);
	free(all);
}

/* Says nothing to the names of ask_many, whatever it is asked. */
static void silent_to_many(struct fake_query *q)
{
	if (strncasecmp(q->name, "other", 5) == 0)
		plain(q);
}

/* Names that nobody answers are asked again and again, of all upstreams: each time with another socket. */
static void one_network_cannot_have_all_sockets(void **state)
{
	static struct asked other[30];
	struct asked *all;

	(void)state;
	restart_with_both(2500);
	up.script = second.script = silent_to_many;
	all = ask_many(64, "fdaa:1234:5678:a111:1:7:%zx:2");
	let_pass(1500);
	for (size_t i = 0; i < 30; i++) {
		char name[32];

		snprintf(name, sizeof name, "other%zu.example", i);
		ask(forward, &other[i], name, (struct how){ .source = "fdaa:abcd:1:a111:1:7:7777:2" });
		await(loop, &other[i]);
		assert_string_equal(other[i].text, "NOERROR A 192.0.2.1 60");
	}
	assert_true(gauge(forward, DNS_FORWARD_NOW_SOCKETS) <= 64 + 384 - 256);
	for (size_t i = 0; i < 64; i++)
		await(loop, &all[i]);
	free(all);
}

static void when_all_is_full_the_one_with_most_gives_way(void **state)
{
	static struct asked late[8];
	struct asked *all[4];

	(void)state;
	restart_with_both(1500);
	up.script = second.script = silent;
	for (size_t i = 0; i < 4; i++) {
		char format[64];

		snprintf(format, sizeof format, "fdaa:1234:%zx:a111:1:7:%%zx:2", i + 1);
		all[i] = ask_many(64, format);
	}
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_QUESTIONS), 256);
	for (size_t i = 0; i < 8; i++) {
		char name[32];

		snprintf(name, sizeof name, "late%zu.example", i);
		ask(forward, &late[i], name, (struct how){ .source = "fdaa:abcd:1:a111:1:7:7777:2" });
		assert_int_equal(late[i].answered, 0);
	}
	assert_int_equal(counted(forward, DNS_FORWARD_JOSTLED), 8);
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_QUESTIONS), 256);
	for (size_t i = 0; i < 8; i++)
		await(loop, &late[i]);
	for (size_t i = 0; i < 4; i++) {
		for (size_t k = 0; k < 64; k++)
			await(loop, &all[i][k]);
		free(all[i]);
	}
}

static struct asked greedy[4][64], again[512];
static size_t n_again;

/* As a connection with queries in reserve does: the next goes out as soon as one is answered. */
static void answered_and_asks_on(struct dns_waiter *w, const uint8_t *message, size_t len, uint16_t rcode)
{
	char source[ADDR_TEXT_LEN], name[32];

	asked_answered(w, message, len, rcode);
	if (n_again == ARRAY_LEN(again))
		return;
	snprintf(name, sizeof name, "again%zu.example", n_again);
	ask(forward, &again[n_again++], name, (struct how){ .source = addr_text(&w->source, source) });
}

static void who_gives_way_cannot_take_the_place_again(void **state)
{
	static struct asked late[8];
	char source[64], name[32];

	(void)state;
	restart_with_both(1500);
	up.script = second.script = silent;
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < 64; k++) {
			snprintf(source, sizeof source, "fdaa:1234:%zx:a111:1:7:%zx:2", i + 1, k + 1);
			snprintf(name, sizeof name, "n%zu.example", k);
			ask(forward, &greedy[i][k], name, (struct how){ .source = source });
			greedy[i][k].waiter.answered = answered_and_asks_on;
		}
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_QUESTIONS), 256);
	for (size_t i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "late%zu.example", i);
		ask(forward, &late[i], name, (struct how){ .source = "fdaa:abcd:1:a111:1:7:7777:2" });
		assert_int_equal(late[i].answered, 0);
	}
	assert_int_equal(n_again, 8);
	n_again = ARRAY_LEN(again); /* enough */
	for (size_t i = 0; i < 8; i++)
		await(loop, &late[i]);
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < 64; k++)
			await(loop, &greedy[i][k]);
}

static void who_goes_away_is_forgotten_and_the_answer_kept(void **state)
{
	static struct asked gone, next;

	(void)state;
	ask(forward, &gone, "www.example", (struct how){ 0 });
	dns_forward_cancel(forward, &gone.waiter);
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_WAITING), 0);
	while (gauge(forward, DNS_FORWARD_NOW_QUESTIONS))
		assert_int_equal(loop_round(loop, 100), 0);
	ask(forward, &next, "www.example", (struct how){ 0 });
	assert_int_equal(next.answered, 1);
	assert_int_equal(gone.answered, 0);
	assert_int_equal(up.n_udp, 1);
}

static void the_end_answers_whoever_waits(void **state)
{
	static struct asked a;

	(void)state;
	up.script = silent;
	ask(forward, &a, "www.example", (struct how){ 0 });
	forward = dns_forward_free(forward);
	assert_string_equal(a.text, "SERVFAIL");
	start_with("127.0.0.1", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(equal_questions_share_one_exchange),
		T(the_same_query_sent_again_gets_one_answer),
		T(networks_share_neither_exchange_nor_cache),
		T(one_source_cannot_have_all_questions),
		T(one_network_cannot_have_all_questions_and_others_do_not_notice),
		T(one_network_cannot_have_all_sockets),
		T(when_all_is_full_the_one_with_most_gives_way),
		T(who_gives_way_cannot_take_the_place_again),
		T(who_goes_away_is_forgotten_and_the_answer_kept),
		T(the_end_answers_whoever_waits),
	};
	int failed;

	descriptors_before = descriptors();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return forward_status(failed);
}
