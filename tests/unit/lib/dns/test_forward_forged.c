/* The forwarder among forgers, and among upstreams that do anything at all. */
#include "tests/unit/lib/dns/forward_fixture.h"

/* ---- forgeries: each is sent before the true reply; the asker must get the truth ---- */

static void forged(struct fake_query *q, const void *bytes, size_t n)
{
	fake_send(q, bytes, n);
	q->fake->forgeries++;
}

static void forge_id(struct fake_query *q)
{
	struct wire_out o;

	begin_forged(q, &o, 0);
	for (unsigned bit = 0; bit < 16; bit++) {
		put_u16(o.bytes, get_u16(q->bytes) ^ (uint16_t)(1u << bit));
		forged(q, o.bytes, o.n);
	}
}

static void forge_question(struct fake_query *q)
{
	struct wire_out o;

	begin_forged(q, &o, 0);
	o.bytes[13] ^= 1; /* another letter */
	forged(q, o.bytes, o.n);
	begin_forged(q, &o, 0);
	o.bytes[q->question_end - 3] ^= 2; /* type */
	forged(q, o.bytes, o.n);
	begin_forged(q, &o, 0);
	o.bytes[q->question_end - 1] = 3; /* class */
	forged(q, o.bytes, o.n);
	begin_forged(q, &o, 0);
	o.bytes[5] = 2; /* two questions */
	forged(q, o.bytes, o.n);
	begin_forged(q, &o, 0);
	o.bytes[5] = 0;
	forged(q, o.bytes, o.n);
	begin_forged(q, &o, 0);
	memcpy(o.bytes + 12, "\xc0\x0c", 2); /* a name that points to itself */
	forged(q, o.bytes, o.n);
}

static void forge_letters(struct fake_query *q)
{
	struct wire_out o;

	begin_forged(q, &o, 0);
	for (size_t i = 13; i < q->question_end - 5; i++)
		o.bytes[i] = (uint8_t)tolower(o.bytes[i]);
	if (memcmp(o.bytes + 12, q->bytes + 12, q->question_end - 16)) /* 1 in 2^16 times it is no forgery */
		forged(q, o.bytes, o.n);
}

static void forge_header(struct fake_query *q)
{
	struct wire_out o;

	begin_forged(q, &o, 0);
	o.bytes[2] &= 0x7f; /* QR */
	forged(q, o.bytes, o.n);
	begin_forged(q, &o, 1 << 11); /* opcode 1 */
	forged(q, o.bytes, o.n);
	begin_forged(q, &o, 5 << 11);
	forged(q, o.bytes, o.n);
}

/* Every prefix, every byte count that lies. */
static void forge_length(struct fake_query *q)
{
	struct wire_out o;

	begin_forged(q, &o, 0);
	for (size_t n = 0; n < o.n && n < 30; n++)
		forged(q, o.bytes, n);
}

static void forge_cut_records(struct fake_query *q)
{
	struct wire_out o;

	begin_forged(q, &o, 0);
	for (size_t n = q->question_end; n < o.n; n++)
		forged(q, o.bytes, n);
}

static void forge_counts(struct fake_query *q)
{
	struct wire_out o;

	for (unsigned at = 6; at < 12; at += 2)
		for (unsigned v = 2; v < 65536; v = v * 16 + 1) {
			begin_forged(q, &o, 0);
			put_u16(o.bytes + at, (uint16_t)v);
			forged(q, o.bytes, o.n);
		}
}

static void forge_names(struct fake_query *q)
{
	static const struct {
		const char *owner;
		size_t n;
	} owners[] = {
		{ "\xc0\xff", 2 }, { "\xc0\x00", 2 }, { "\x80\x01", 2 }, { "\x40", 1 }, { "\xc0", 1 }, { "\x3f", 1 },
	};
	struct wire_out o;

	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		uint8_t rest[14] = { 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 203, 0, 113, 66 };

		fake_begin(q, &o, 0);
		out_bytes(&o, owners[i].owner, owners[i].n);
		out_bytes(&o, rest, sizeof rest);
		o.bytes[7] = 1;
		forged(q, o.bytes, o.n);
	}
	/* an owner that points to itself, and two that point to each other */
	for (unsigned i = 0; i < 2; i++) {
		uint16_t here = (uint16_t)q->question_end;

		fake_begin(q, &o, 0);
		out_u16(&o, (uint16_t)(0xc000 | (here + 2 * i)));
		out_u16(&o, (uint16_t)(0xc000 | here));
		out_bytes(&o, (uint8_t[]){ 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 203, 0, 113, 66 }, 14);
		o.bytes[7] = 1;
		forged(q, o.bytes, o.n);
	}
	/* names in rdata that loop */
	fake_begin(q, &o, 0);
	uint8_t loop_to[2];
	put_u16(loop_to, (uint16_t)(0xc000 | (q->question_end + 12)));
	out_record(&o, 0, NULL, 5, 60, loop_to, 2);
	forged(q, o.bytes, o.n);
}

static void forge_content(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, 0); /* somebody else's address beside the answer */
	out_a(&o, NULL, 60, FORGED_ADDRESS);
	out_a(&o, "bank.example", 60, FORGED_ADDRESS);
	forged(q, o.bytes, o.n);
	fake_begin(q, &o, 0); /* an alias that nobody asked for */
	out_a(&o, NULL, 60, FORGED_ADDRESS);
	out_cname(&o, "bank.example", 60, "evil.example");
	forged(q, o.bytes, o.n);
	fake_begin(q, &o, 0); /* another type */
	out_aaaa(&o, NULL, 60, FORGED_ADDRESS_V6);
	forged(q, o.bytes, o.n);
	fake_begin(q, &o, 0); /* an address of the wrong length */
	out_record(&o, 0, NULL, DNS_TYPE_A, 60, "\xcb\x00\x71\x42\x00", 5);
	forged(q, o.bytes, o.n);
	fake_begin(q, &o, 3); /* it does not exist, and here it is */
	out_a(&o, NULL, 60, FORGED_ADDRESS);
	forged(q, o.bytes, o.n);
	begin_forged(q, &o, 0); /* two OPTs */
	out_opt(&o, 0);
	out_opt(&o, 0);
	forged(q, o.bytes, o.n);
	fake_begin(q, &o, 0); /* an OPT as the answer */
	out_record(&o, 0, "", DNS_TYPE_OPT, 0, "", 0);
	forged(q, o.bytes, o.n);
	fake_begin(q, &o, 0); /* another class */
	out_a(&o, NULL, 60, FORGED_ADDRESS);
	o.bytes[q->question_end + 5] = 3;
	forged(q, o.bytes, o.n);
}

static void forge_chain(struct fake_query *q)
{
	struct wire_out o;
	char from[32], to[32];

	fake_begin(q, &o, 0); /* more aliases than anybody follows */
	out_cname(&o, NULL, 60, "a0.example");
	for (unsigned i = 0; i < 20; i++) {
		snprintf(from, sizeof from, "a%u.example", i);
		snprintf(to, sizeof to, "a%u.example", i + 1);
		out_cname(&o, from, 60, to);
	}
	out_a(&o, "a20.example", 60, FORGED_ADDRESS);
	forged(q, o.bytes, o.n);
	fake_begin(q, &o, 0); /* a chain with a link missing */
	out_cname(&o, NULL, 60, "a0.example");
	out_a(&o, "a1.example", 60, FORGED_ADDRESS);
	forged(q, o.bytes, o.n);
}

static void forge_random(struct fake_query *q)
{
	static uint32_t seed = 7;
	uint8_t bytes[600];

	for (unsigned n = 0; n < 25; n++) {
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
		memcpy(bytes, q->bytes, 12 + n % 3 * 8); /* it knows the id, or more */
		bytes[2] |= 0x80;
		bytes[2] &= 0xfd; /* TC would be a reason to ask by TCP */
		forged(q, bytes, 20 + n * 20);
	}
}

/* From everywhere but the upstream: the kernel drops it, since the socket is connected. */
static void forge_source(struct fake_query *q)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct wire_out o;

	begin_forged(q, &o, 0);
	for (unsigned i = 0; i < 40; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i % 4);
		from.sin_port = i % 4 ? htons(q->fake->port) : 0; /* the right port of a wrong address, or the other way round */
		if (bind(fd, (struct sockaddr *)&from, sizeof from) == 0 &&
		    sendto(fd, o.bytes, o.n, 0, (struct sockaddr *)&q->from, q->from_len) == (ssize_t)o.n)
			q->fake->forgeries++;
		close(fd);
	}
}

/* As fast as it can, by somebody who has found the port: ids in turn. */
static void forge_flood(struct fake_query *q)
{
	struct wire_out o;

	begin_forged(q, &o, 0);
	for (unsigned i = 0; i < 3000; i++) {
		uint16_t id = (uint16_t)(i * 21 + get_u16(q->bytes) + 1);

		if (id == get_u16(q->bytes))
			continue;
		put_u16(o.bytes, id);
		forged(q, o.bytes, o.n);
	}
}

static void (*forge)(struct fake_query *q);

static void forge_then_tell(struct fake_query *q)
{
	if (!q->tcp)
		forge(q);
	plain(q);
}

static uint64_t all_forgeries, all_forged_questions;

static void no_forgery_is_believed(void **state)
{
	static void (*const all[])(struct fake_query *) = {
		forge_id, forge_question, forge_letters, forge_header, forge_length, forge_cut_records, forge_counts, forge_names,
		forge_content, forge_chain, forge_random, forge_source, forge_flood,
	};
	uint64_t sum[DNS_FORWARD_COUNTER_COUNT] = { 0 };
	struct dns_forward_stats s;
	char list[64];

	(void)state;
	snprintf(list, sizeof list, "127.0.0.1:%u", up.port);
	up.script = forge_then_tell;
	for (size_t i = 0; i < 20 * ARRAY_LEN(all); i++) {
		restart_with(list, 0); /* it would remember what it saw, and go to TCP at once */
		forge = all[i / 20];
		assert_string_equal(ask_and_wait("www.some-letters.example", (struct how){ .edns = 1232 * (i & 1) }),
				    "NOERROR A 192.0.2.1 60");
		all_forged_questions++;
		dns_forward_stats(forward, &s);
		for (size_t k = 0; k < DNS_FORWARD_COUNTER_COUNT; k++)
			sum[k] += s.counters[k];
	}
	all_forgeries += up.forgeries;
	for (int i = DNS_FORWARD_DROPPED_WRONG_ID; i <= DNS_FORWARD_DROPPED_UNSOUND; i++)
		printf("           %s %llu\n", dns_forward_counter_name(i), (unsigned long long)sum[i]);
	assert_int_equal(sum[DNS_FORWARD_ANSWERED], 20 * ARRAY_LEN(all));
	assert_true(sum[DNS_FORWARD_DROPPED_WRONG_ID] >= 20 * 16);
	assert_true(sum[DNS_FORWARD_DROPPED_NOT_REPLY] >= 20 * 3);
	assert_true(sum[DNS_FORWARD_DROPPED_WRONG_QUESTION] >= 20 * 4);
	assert_in_range(sum[DNS_FORWARD_DROPPED_WRONG_CASE], 15, 20);
	assert_true(sum[DNS_FORWARD_DROPPED_MALFORMED] >= 20 * 20);
	assert_true(sum[DNS_FORWARD_DROPPED_UNSOUND] >= 20 * 5);
	assert_true(sum[DNS_FORWARD_FLOODED] >= 20);
	assert_int_equal(sum[DNS_FORWARD_FOLDED], sum[DNS_FORWARD_DROPPED_WRONG_CASE]);
}

static void only_forgeries(struct fake_query *q)
{
	if (!q->tcp)
		forge(q);
}

static void forgeries_alone_give_no_answer(void **state)
{
	static void (*const all[])(struct fake_query *) = { forge_id,      forge_question, forge_header,
							    forge_content, forge_source,   forge_flood };
	static struct asked a;
	char source[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		char list[64];

		snprintf(list, sizeof list, "127.0.0.1:%u", up.port);
		restart_with(list, 400);
		up.script = only_forgeries;
		forge = all[i];
		snprintf(source, sizeof source, "fdaa:1234:%zx:a111:1:7:7777:2", i + 1);
		ask(forward, &a, "www.some-letters.example", (struct how){ .source = source, .edns = 512 });
		await(loop, &a);
		assert_string_equal(a.text, "SERVFAIL");
		all_forged_questions++;
	}
	all_forgeries += up.forgeries;
	assert_int_equal(n_believed, 0);
}

/* ---- everything at once ---- */

static uint64_t chaos_seed;

static unsigned dice(unsigned sides)
{
	chaos_seed += 0x9e3779b97f4a7c15u; /* splitmix64 */
	uint64_t x = (chaos_seed ^ chaos_seed >> 30) * 0xbf58476d1ce4e5b9u;

	return (unsigned)((x ^ x >> 27) % sides);
}

static void chaos(struct fake_query *q)
{
	static void (*const forges[])(struct fake_query *) = { forge_id,      forge_question, forge_header,
							       forge_content, forge_chain,    forge_names };

	refuse_rcode = DNS_FORMERR;
	refuse_bare = dice(2);
	with_soa = dice(2);
	soa_ttl = ttl = dice(3);
	stream_kind = dice(STREAM_KINDS);
	switch (dice(12)) {
	case 0:
		return;
	case 1:
		bad_stream(q);
		return;
	case 2:
		refuse_rcode = dice(10) + 1;
		refuses(q);
		return;
	case 3:
		no_edns(q);
		return;
	case 4:
		negative(q);
		return;
	case 5:
		if (q->type == DNS_TYPE_A)
			with_ttl(q);
		return;
	case 6:
		if (!q->tcp && q->type == DNS_TYPE_A)
			forges[dice(ARRAY_LEN(forges))](q);
		break;
	case 7:
		if (q->type == DNS_TYPE_A)
			big(q);
		return;
	case 8:
		if (!q->tcp)
			folds(q);
		return;
	case 9:
		refers(q);
		return;
	default:
		break;
	}
	plain(q);
}

static void every_query_ends_once_whatever_happens(void **state)
{
	enum { SLOTS = 120, STEPS = 4000 };
	static struct asked all[SLOTS];
	static bool waits[SLOTS];
	uint64_t n_asked = 0, n_cancelled = 0, n_ended = 0;

	(void)state;
	chaos_seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)time(NULL) << 16 ^ (uint64_t)getpid();
	printf("           SEED=%llu\n", (unsigned long long)chaos_seed);
	restart_with_both(250);
	up.script = second.script = chaos;
	memset(waits, 0, sizeof waits);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = dice(SLOTS);
		char name[64], source[64];

		if (waits[i] && (all[i].answered || all[i].dropped)) {
			assert_int_equal(all[i].answered + all[i].dropped, 1);
			waits[i] = false;
			n_ended++;
		} else if (waits[i] && dice(8) == 0) {
			dns_forward_cancel(forward, &all[i].waiter);
			waits[i] = false;
			n_cancelled++;
		} else if (!waits[i]) {
			snprintf(name, sizeof name, "%c%u.some-letters.example", "nx"[dice(2)], dice(30));
			snprintf(source, sizeof source, "fdaa:1234:%x:a111:1:7:%x:2", dice(4) + 1, 0x7000 + dice(12));
			ask(forward, &all[i], name,
			    (struct how){ .source = source, .type = dice(3) ? DNS_TYPE_A : DNS_TYPE_AAAA, .edns = dice(2) ? 1232 : 0,
					  .tcp = dice(2), .id = (uint16_t)(dice(40) + 1), .checking_disabled = dice(5) == 0 });
			waits[i] = true;
			n_asked++;
		}
		if (dice(4) == 0)
			assert_int_equal(loop_round(loop, (int)dice(3)), 0);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (waits[i]) {
			await(loop, &all[i]);
			n_ended++;
		}
	assert_int_equal(n_ended + n_cancelled, n_asked);
	while (gauge(forward, DNS_FORWARD_NOW_QUESTIONS))
		assert_int_equal(loop_round(loop, 100), 0);
	assert_int_equal(n_believed, 0);
	assert_true(counted(forward, DNS_FORWARD_ANSWERED) > 100);
	assert_true(counted(forward, DNS_FORWARD_COALESCED) > 0);
	assert_true(counted(forward, DNS_FORWARD_SENT_TCP) > 0);
	nothing_is_lost();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_forgery_is_believed),
		T(forgeries_alone_give_no_answer),
		T(every_query_ends_once_whatever_happens),
	};
	int failed;

	descriptors_before = descriptors();
	failed = cmocka_run_group_tests(tests, NULL, NULL);

	printf("forged replies sent: %llu, to %llu questions; believed: %llu\n", (unsigned long long)all_forgeries,
	       (unsigned long long)all_forged_questions, (unsigned long long)n_believed);
	return forward_status(failed);
}
