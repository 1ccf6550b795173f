/* The forwarder between askers and an upstream that does as it is told. */
#include "tests/unit/lib/dns/upstream.h"

#include <sys/resource.h>
#include <sys/stat.h>

static struct loop *loop;
static struct fake up, second;
static struct dns_forward *forward;

static void plain(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, 0);
	if (q->type == DNS_TYPE_NS)
		out_record(&o, 0, NULL, DNS_TYPE_NS, 60, "\1a", 3);
	else if (q->type == DNS_TYPE_AAAA)
		out_aaaa(&o, NULL, 60, "2001:db8::1");
	else
		out_a(&o, NULL, 60, "192.0.2.1");
	if (q->has_opt)
		out_opt(&o, 0);
	fake_send(q, o.bytes, o.n);
}

static void start_with(const char *upstreams, unsigned total_ms)
{
	struct dns_forward_options options = { .upstreams = upstreams, .own = addr_resolver(), .clock = clock_real(),
					       .total_ms = total_ms, .stale_ms = total_ms };
	struct why why = { 0 };

	if (dns_forward_new(loop, &options, &forward, &why))
		fail_msg("%s", why.text);
}

static int start(void **state)
{
	char list[64];

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	fake_start(&up, loop);
	fake_start(&second, loop);
	up.script = second.script = plain;
	snprintf(list, sizeof list, "127.0.0.1:%u", up.port);
	start_with(list, 0);
	return 0;
}

static void restart_with(const char *upstreams, unsigned total_ms)
{
	forward = dns_forward_free(forward);
	start_with(upstreams, total_ms);
}

static void restart_with_both(unsigned total_ms)
{
	char list[64];

	snprintf(list, sizeof list, "127.0.0.1:%u, 127.0.0.1:%u", up.port, second.port);
	restart_with(list, total_ms);
}

/* Every query ends in exactly one way. */
static void nothing_is_lost(void)
{
	static const enum dns_forward_counter ends[] = {
		DNS_FORWARD_HIT, DNS_FORWARD_HIT_STALE, DNS_FORWARD_HIT_FAILURE, DNS_FORWARD_ANSWERED, DNS_FORWARD_STALE,
		DNS_FORWARD_FAILED, DNS_FORWARD_NO_UPSTREAM, DNS_FORWARD_OVER_SOURCE, DNS_FORWARD_OVER_NETWORK, DNS_FORWARD_OVER_TOTAL,
		DNS_FORWARD_LOOPED, DNS_FORWARD_PRIVATE, DNS_FORWARD_REPEATED, DNS_FORWARD_CANCELLED,
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		sum += counted(forward, ends[i]);
	assert_int_equal(sum, counted(forward, DNS_FORWARD_ASKED));
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_WAITING), 0);
}

static int stop(void **state)
{
	(void)state;
	nothing_is_lost();
	forward = dns_forward_free(forward);
	fake_stop(&up);
	fake_stop(&second);
	loop = loop_free(loop);
	return 0;
}

static const char *ask_and_wait(const char *name, struct how how)
{
	static struct asked a;

	ask(forward, &a, name, how);
	await(loop, &a);
	assert_int_equal(a.answered, 1);
	return a.text;
}

static void let_pass(uint64_t ms)
{
	for (uint64_t until = loop_now_ms(loop) + ms; loop_now_ms(loop) < until;)
		assert_int_equal(loop_round(loop, 50), 0);
}

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

static void big(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, q->tcp ? 0 : 0x0200);
	for (unsigned i = 0; q->tcp && i < 200; i++) {
		char address[32];

		snprintf(address, sizeof address, "192.0.2.%u", i);
		out_a(&o, NULL, 60, address);
	}
	fake_send(q, o.bytes, o.n);
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

/* ---- forgeries: each is sent before the true reply; the asker must get the truth ---- */

static void forged(struct fake_query *q, const void *bytes, size_t n)
{
	fake_send(q, bytes, n);
	q->fake->forgeries++;
}

static void begin_forged(const struct fake_query *q, struct wire_out *o, uint16_t flags)
{
	fake_begin(q, o, flags);
	out_a(o, NULL, 600, FORGED_ADDRESS);
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

/* ---- what upstreams say ---- */

static void folds(struct fake_query *q)
{
	for (size_t i = 12; i < q->question_end - 4; i++)
		q->bytes[i] = (uint8_t)tolower(q->bytes[i]);
	plain(q);
}

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

static enum {
	STREAM_RESET,
	STREAM_END,
	STREAM_HALF_LENGTH,
	STREAM_HALF,
	STREAM_ZERO,
	STREAM_SHORT,
	STREAM_TC,
	STREAM_OTHER_ID,
	STREAM_OTHER_NAME,
	STREAM_OTHER_TYPE,
	STREAM_KINDS,
} stream_kind;

static void bad_stream(struct fake_query *q)
{
	struct linger reset = { 1, 0 };
	struct wire_out o;

	if (!q->tcp) {
		fake_begin(q, &o, 0x0200);
		fake_send(q, o.bytes, o.n);
		return;
	}
	begin_forged(q, &o, stream_kind == STREAM_TC ? 0x0200 : 0);
	switch (stream_kind) {
	case STREAM_RESET:
		setsockopt(q->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		break;
	case STREAM_HALF_LENGTH:
		assert_int_equal(send(q->fd, "\0", 1, 0), 1);
		return; /* and silence */
	case STREAM_HALF:
		assert_int_equal(send(q->fd, "\0\100abcdefghijkl", 14, 0), 14);
		return;
	case STREAM_ZERO:
		assert_int_equal(send(q->fd, "\0\0", 2, 0), 2);
		return;
	case STREAM_SHORT:
		assert_int_equal(send(q->fd, "\0\4abcd", 6, 0), 6);
		return;
	case STREAM_OTHER_ID:
		o.bytes[0] ^= 1;
		fake_send(q, o.bytes, o.n);
		return;
	case STREAM_OTHER_NAME:
		o.bytes[13] ^= 1;
		fake_send(q, o.bytes, o.n);
		return;
	case STREAM_OTHER_TYPE:
		o.bytes[q->question_end - 3] ^= 2;
		fake_send(q, o.bytes, o.n);
		return;
	case STREAM_TC:
		fake_send(q, o.bytes, o.n);
		return;
	default:
		break;
	}
	close(q->fd);
	q->fd = -1;
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

static uint16_t refuse_rcode;
static bool refuse_bare; /* the header alone */

static void no_edns(struct fake_query *q)
{
	struct wire_out o;

	if (!q->has_opt) {
		plain(q);
		return;
	}
	fake_begin(q, &o, refuse_rcode & 15);
	if (refuse_rcode > 15)
		out_opt(&o, (uint8_t)(refuse_rcode >> 4));
	if (refuse_bare)
		memset(o.bytes + 4, 0, 8);
	fake_send(q, o.bytes, refuse_bare ? 12 : o.n);
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

static void refuses(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, refuse_rcode);
	fake_send(q, o.bytes, o.n);
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

static void refers(struct fake_query *q)
{
	uint8_t target[DNS_NAME_MAX];
	struct wire_out o;

	fake_begin(q, &o, 0);
	out_record(&o, 1, "example", DNS_TYPE_NS, 60, target, dns_name_from_text("ns.example", target));
	fake_send(q, o.bytes, o.n);
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

static uint32_t ttl;

static void with_ttl(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, 0);
	out_a(&o, NULL, ttl, "192.0.2.1");
	fake_send(q, o.bytes, o.n);
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

static bool with_soa;
static uint32_t soa_ttl = 100000;

static void negative(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, q->name[0] == 'x' || q->name[0] == 'X' ? DNS_NXDOMAIN : 0);
	if (with_soa)
		out_soa(&o, "example", soa_ttl, soa_ttl);
	fake_send(q, o.bytes, o.n);
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

/* ---- slow, silent, dead ---- */

static void silent(struct fake_query *q)
{
	(void)q;
}

static void a_silent_upstream_costs_a_moment_and_then_nothing(void **state)
{
	(void)state;
	restart_with_both(0);
	up.script = silent;
	assert_string_equal(ask_and_wait("a.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	assert_int_equal(counted(forward, DNS_FORWARD_HEDGED), 1);
	assert_int_equal(counted(forward, DNS_FORWARD_UPSTREAM_SLOW), 1);
	for (unsigned i = 0; i < 5; i++) {
		char name[32];

		snprintf(name, sizeof name, "b%u.example", i);
		assert_string_equal(ask_and_wait(name, (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	}
	assert_int_equal(counted(forward, DNS_FORWARD_HEDGED), 1); /* the good one is asked first now */
}

/* RFC 9520 3.1 */
static void a_silent_upstream_is_asked_three_times_at_most(void **state)
{
	size_t n = 0;

	(void)state;
	up.script = silent;
	assert_string_equal(ask_and_wait("a.example", (struct how){ 0 }), "SERVFAIL");
	for (size_t i = 0; i < up.n_seen; i++)
		n += !strcmp(up.seen[i], "a.example 1");
	assert_int_equal(n, 3);
}

static void an_upstream_that_comes_back_is_found_by_a_probe(void **state)
{
	struct dns_upstreams u;

	(void)state;
	restart_with_both(0);
	up.script = silent;
	ask_and_wait("a.example", (struct how){ 0 });
	dns_forward_upstreams(forward, &u);
	assert_true(u.all[0].suspect);
	assert_false(u.all[1].suspect);
	up.script = plain;
	for (uint64_t start_ms = loop_now_ms(loop); u.all[0].suspect;) {
		assert_int_equal(loop_round(loop, 100), 0);
		dns_forward_upstreams(forward, &u);
		assert_true(loop_now_ms(loop) - start_ms < 20000);
	}
	assert_true(fake_saw(&up, " 2")); /* the root's name servers */
	assert_true(counted(forward, DNS_FORWARD_PROBES) >= 1);
}

static void silent_to_probes(struct fake_query *q)
{
	if (q->type != DNS_TYPE_NS)
		plain(q);
}

static void a_probe_ends_when_its_upstream_is_heard_otherwise(void **state)
{
	struct dns_upstreams u;
	char list[64];

	(void)state;
	snprintf(list, sizeof list, "127.0.0.1:%u", up.port);
	restart_with(list, 400);
	up.script = silent;
	ask_and_wait("a.example", (struct how){ 0 });
	while (!counted(forward, DNS_FORWARD_PROBES))
		assert_int_equal(loop_round(loop, 100), 0);
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_SOCKETS), 1);
	up.script = silent_to_probes;
	ask_and_wait("b.example", (struct how){ 0 });
	dns_forward_upstreams(forward, &u);
	assert_false(u.all[0].suspect);
	let_pass(1200); /* when the next would have been due */
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_SOCKETS), 0);
}

static void all_silent_is_servfail_before_the_asker_gives_up_and_then_at_once(void **state)
{
	static struct asked a;

	(void)state;
	restart_with_both(600);
	up.script = second.script = silent;
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	await(loop, &a);
	assert_string_equal(a.text, "SERVFAIL");
	assert_int_equal(a.ede, 22);
	size_t seen = up.n_udp + second.n_udp;

	assert_true(seen >= 3); /* each, and again */
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	assert_int_equal(a.answered, 1); /* before this returned: nobody was asked */
	assert_string_equal(a.text, "SERVFAIL");
	assert_int_equal(a.ede, 13);
	assert_int_equal(counted(forward, DNS_FORWARD_HIT_FAILURE), 1);
	/* another name is tried all the same */
	second.script = plain;
	assert_string_equal(ask_and_wait("b.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
}

static void nobody_at_the_port_is_servfail_at_once(void **state)
{
	static struct asked a;
	char list[64];

	(void)state;
	snprintf(list, sizeof list, "127.0.0.1:%u", second.port);
	fake_stop(&second);
	restart_with(list, 5000);
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	await(loop, &a);
	assert_string_equal(a.text, "SERVFAIL");
	assert_int_equal(a.ede, 23);
	assert_true(counted(forward, DNS_FORWARD_UPSTREAM_UNREACHABLE) >= 1);
	fake_start(&second, loop);
}

static void no_upstream_is_said(void **state)
{
	static struct asked a;
	struct dns_forward_options options = { .upstreams = "auto", .resolv_conf = "/nonexistent", .own = addr_resolver(),
					       .clock = clock_real() };

	(void)state;
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	assert_string_equal(a.text, "SERVFAIL");
	assert_int_equal(a.ede, 22);
	assert_int_equal(counted(forward, DNS_FORWARD_NO_UPSTREAM), 1);
}

static void what_was_known_is_given_out_when_nobody_answers(void **state)
{
	static struct asked a;

	(void)state;
	restart_with_both(500);
	up.script = second.script = with_ttl;
	ttl = 1;
	assert_string_equal(ask_and_wait("a.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 1");
	up.script = second.script = silent;
	let_pass(1100); /* the TTL is in whole seconds */
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	await(loop, &a);
	assert_string_equal(a.text, "NOERROR A 192.0.2.1 30");
	assert_int_equal(a.ede, 3);
	assert_int_equal(counted(forward, DNS_FORWARD_STALE), 1);
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	assert_int_equal(a.answered, 1);
	assert_string_equal(a.text, "NOERROR A 192.0.2.1 30");
	assert_int_equal(counted(forward, DNS_FORWARD_HIT_STALE), 1);
}

static void while_all_are_silent_what_was_known_comes_at_once(void **state)
{
	struct dns_forward_options options = { .own = addr_resolver(), .clock = clock_real(), .total_ms = 600, .stale_ms = 60000 };
	static struct asked a;
	char list[64];

	(void)state;
	snprintf(list, sizeof list, "127.0.0.1:%u, 127.0.0.1:%u", up.port, second.port);
	options.upstreams = list;
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	up.script = second.script = with_ttl;
	ttl = 1;
	assert_string_equal(ask_and_wait("a.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 1");
	up.script = second.script = silent;
	assert_string_equal(ask_and_wait("b.example", (struct how){ 0 }), "SERVFAIL"); /* now they are known to be silent */
	let_pass(1100);
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	await(loop, &a); /* would fail if it waited for stale_ms */
	assert_string_equal(a.text, "NOERROR A 192.0.2.1 30");
	assert_int_equal(a.ede, 3);
}

static void a_stale_nxdomain_is_never_given_out(void **state)
{
	(void)state;
	restart_with_both(500);
	up.script = second.script = negative;
	with_soa = true;
	soa_ttl = 1;
	assert_string_equal(ask_and_wait("x.example", (struct how){ 0 }), "NXDOMAIN / SOA . . 0 0 0 0 1 1");
	soa_ttl = 100000;
	up.script = second.script = silent;
	let_pass(1100);
	assert_string_equal(ask_and_wait("x.example", (struct how){ 0 }), "SERVFAIL");
	assert_int_equal(counted(forward, DNS_FORWARD_FAILED), 1);
}

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

/* ---- the list of upstreams ---- */

static void write_conf(const char *path, const char *text)
{
	char temporary[80];
	FILE *file;

	snprintf(temporary, sizeof temporary, "%s.new", path);
	file = fopen(temporary, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(temporary, path), 0);
}

/* It looks once a second, when somebody asks. */
static void ask_until_there_are(size_t n, const char *first)
{
	struct dns_upstreams u;
	unsigned tries = 0;
	char name[32];

	do {
		static struct asked a;

		snprintf(name, sizeof name, "try%u.example", tries);
		ask(forward, &a, name, (struct how){ 0 });
		await(loop, &a);
		let_pass(100);
		dns_forward_upstreams(forward, &u);
		assert_true(tries++ < 100);
	} while (u.n != n || (n && strcmp(u.all[0].text, first) != 0));
}

static void another_resolv_conf_is_noticed_and_what_was_kept_forgotten(void **state)
{
	struct dns_forward_options options = { .upstreams = "auto", .own = addr_resolver(), .clock = clock_real(), .total_ms = 300 };
	struct dns_upstreams u;
	char path[] = "/tmp/test_forward.XXXXXX", text[128];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	options.resolv_conf = path;
	snprintf(text, sizeof text, "nameserver fdaa::3\nnameserver 127.0.0.1:%u\n", up.port);
	write_conf(path, text);
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	dns_forward_upstreams(forward, &u);
	assert_int_equal(u.n, 1);
	ask_and_wait("www.example", (struct how){ 0 });
	ask_and_wait("www.example", (struct how){ 0 });
	assert_int_equal(counted(forward, DNS_FORWARD_HIT), 1);
	write_conf(path, "# nothing\n");
	ask_until_there_are(0, "");
	second.script = with_ttl;
	ttl = 77;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", second.port);
	write_conf(path, text);
	snprintf(text, sizeof text, "127.0.0.1:%u", second.port);
	ask_until_there_are(1, text);
	assert_string_equal(ask_and_wait("www.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 77"); /* not what the first said */
	unlink(path);
}

/* Whoever asks only for what is in the cache must not be told for a day what servers of yesterday said. */
static void another_resolv_conf_is_noticed_by_who_asks_for_the_same_name(void **state)
{
	struct dns_forward_options options = { .upstreams = "auto", .own = addr_resolver(), .clock = clock_real(), .total_ms = 300 };
	char path[] = "/tmp/test_forward.XXXXXX", text[128];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	options.resolv_conf = path;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", up.port);
	write_conf(path, text);
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	assert_string_equal(ask_and_wait("www.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	second.script = with_ttl;
	ttl = 77;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", second.port);
	write_conf(path, text);
	let_pass(1100);
	assert_string_equal(ask_and_wait("www.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 77");
	unlink(path);
}

static void a_resolv_conf_that_cannot_be_read_changes_nothing_until_it_can(void **state)
{
	struct dns_forward_options options = { .upstreams = "auto", .own = addr_resolver(), .clock = clock_real(), .total_ms = 300 };
	char path[] = "/tmp/test_forward.XXXXXX", text[128];
	struct rlimit limit, none;
	struct dns_upstreams u;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	options.resolv_conf = path;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", up.port);
	write_conf(path, text);
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	ask_and_wait("www.example", (struct how){ 0 });
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", second.port);
	write_conf(path, text);
	let_pass(1100);
	/* no descriptor left at the moment when it is looked at */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ 3, limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	ask_and_wait("www.example", (struct how){ 0 });
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(counted(forward, DNS_FORWARD_HIT), 1);
	dns_forward_upstreams(forward, &u);
	assert_int_equal(u.n, 1);
	let_pass(1100);
	ask_and_wait("www.example", (struct how){ 0 });
	assert_int_equal(counted(forward, DNS_FORWARD_RELOADED), 2); /* at the start, and when it could be read again */
	assert_int_equal(second.n_udp, 1);
	unlink(path);
}

/* The text stays, what it means does not: a device that was not there yet. Seen by a file changed behind its times. */
static void a_resolv_conf_that_names_a_device_is_read_again(void **state)
{
	struct dns_forward_options options = { .upstreams = "auto", .own = addr_resolver(), .clock = clock_real(), .total_ms = 300 };
	char path[] = "/tmp/test_forward.XXXXXX", text[128];
	struct timespec times[2];
	struct stat before;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	options.resolv_conf = path;
	snprintf(text, sizeof text, "nameserver fe80::1%%nosuchdevice\nnameserver 127.0.0.1:%05u\n", up.port);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	assert_int_equal(fstat(fd, &before), 0);
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	ask_and_wait("a.example", (struct how){ 0 });
	snprintf(text, sizeof text, "nameserver fe80::1%%nosuchdevice\nnameserver 127.0.0.1:%05u\n", second.port);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	times[0] = before.st_atim;
	times[1] = before.st_mtim;
	assert_int_equal(futimens(fd, times), 0);
	let_pass(1100);
	ask_and_wait("b.example", (struct how){ 0 });
	assert_int_equal(up.n_udp, 1);
	assert_int_equal(second.n_udp, 1);
	close(fd);
	unlink(path);
}

static struct fake_query kept;

static void keep(struct fake_query *q)
{
	if (!strncasecmp(q->name, "late", 4))
		kept = *q;
	else
		plain(q);
}

static void silent_to_late(struct fake_query *q)
{
	if (strncasecmp(q->name, "late", 4) != 0)
		with_ttl(q);
}

static void what_a_dropped_server_says_late_is_told_but_not_kept(void **state)
{
	struct dns_forward_options options = { .upstreams = "auto", .own = addr_resolver(), .clock = clock_real(), .total_ms = 8000 };
	static struct asked late;
	char path[] = "/tmp/test_forward.XXXXXX", text[128];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	options.resolv_conf = path;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", up.port);
	write_conf(path, text);
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	up.script = keep;
	second.script = silent_to_late;
	ttl = 77;
	kept.n = 0;
	ask(forward, &late, "late.example", (struct how){ 0 });
	while (!kept.n)
		assert_int_equal(loop_round(loop, 100), 0);
	up.script = silent;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", second.port);
	write_conf(path, text);
	snprintf(text, sizeof text, "127.0.0.1:%u", second.port);
	let_pass(1100);
	ask_until_there_are(1, text);
	assert_int_equal(late.answered, 0);
	plain(&kept);
	await(loop, &late);
	assert_string_equal(late.text, "NOERROR A 192.0.2.1 60");
	second.script = with_ttl;
	assert_string_equal(ask_and_wait("late.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 77");
	unlink(path);
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

static size_t descriptors(void)
{
	char path[32];
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n += access(path, F_OK) == 0;
	}
	return n;
}

static size_t descriptors_before;

static void no_descriptor_is_left(void **state)
{
	(void)state;
	assert_int_equal(descriptors(), descriptors_before);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_name_is_asked_and_answered),
		T(upstreams_are_asked_over_ipv6_too),
		T(ids_ports_and_letters_are_new_each_time),
		T(no_forgery_is_believed),
		T(forgeries_alone_give_no_answer),
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
		T(a_silent_upstream_costs_a_moment_and_then_nothing),
		T(a_silent_upstream_is_asked_three_times_at_most),
		T(an_upstream_that_comes_back_is_found_by_a_probe),
		T(a_probe_ends_when_its_upstream_is_heard_otherwise),
		T(all_silent_is_servfail_before_the_asker_gives_up_and_then_at_once),
		T(nobody_at_the_port_is_servfail_at_once),
		T(no_upstream_is_said),
		T(what_was_known_is_given_out_when_nobody_answers),
		T(while_all_are_silent_what_was_known_comes_at_once),
		T(a_stale_nxdomain_is_never_given_out),
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
		T(a_question_of_ours_that_comes_back_is_not_sent_again),
		T(private_names_do_not_leave_even_if_they_get_here),
		T(another_resolv_conf_is_noticed_and_what_was_kept_forgotten),
		T(another_resolv_conf_is_noticed_by_who_asks_for_the_same_name),
		T(a_resolv_conf_that_cannot_be_read_changes_nothing_until_it_can),
		T(a_resolv_conf_that_names_a_device_is_read_again),
		T(what_a_dropped_server_says_late_is_told_but_not_kept),
		T(every_query_ends_once_whatever_happens),
		cmocka_unit_test(no_descriptor_is_left),
	};
	int failed;

	descriptors_before = descriptors();
	failed = cmocka_run_group_tests(tests, NULL, NULL);

	printf("forged replies sent: %llu, to %llu questions; believed: %llu\n", (unsigned long long)all_forgeries,
	       (unsigned long long)all_forged_questions, (unsigned long long)n_believed);
	return failed || n_believed;
}
