/* A forwarder and two upstreams that do as they are told, anew for each test; the scripts that more than one file of tests needs. */
#pragma once
#include "tests/unit/lib/dns/upstream.h"

static struct loop *loop;
static struct fake up, second;
static struct dns_forward *forward;

static inline void plain(struct fake_query *q)
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

static inline void start_with(const char *upstreams, unsigned total_ms)
{
	struct dns_forward_options options = { .upstreams = upstreams, .own = addr_resolver(), .clock = clock_real(),
					       .total_ms = total_ms, .stale_ms = total_ms };
	struct why why = { 0 };

	if (dns_forward_new(loop, &options, &forward, &why))
		fail_msg("%s", why.text);
}

static inline int start(void **state)
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

static inline void restart_with(const char *upstreams, unsigned total_ms)
{
	forward = dns_forward_free(forward);
	start_with(upstreams, total_ms);
}

static inline void restart_with_both(unsigned total_ms)
{
	char list[64];

	snprintf(list, sizeof list, "127.0.0.1:%u, 127.0.0.1:%u", up.port, second.port);
	restart_with(list, total_ms);
}

/* Every query ends in exactly one way. */
static inline void nothing_is_lost(void)
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

static inline int stop(void **state)
{
	(void)state;
	nothing_is_lost();
	forward = dns_forward_free(forward);
	fake_stop(&up);
	fake_stop(&second);
	loop = loop_free(loop);
	return 0;
}

static inline const char *ask_and_wait(const char *name, struct how how)
{
	static struct asked a;

	ask(forward, &a, name, how);
	await(loop, &a);
	assert_int_equal(a.answered, 1);
	return a.text;
}

static inline void let_pass(uint64_t ms)
{
	for (uint64_t until = loop_now_ms(loop) + ms; loop_now_ms(loop) < until;)
		assert_int_equal(loop_round(loop, 50), 0);
}

/* ---- scripts of more than one file ---- */

static inline void silent(struct fake_query *q)
{
	(void)q;
}

static inline void begin_forged(const struct fake_query *q, struct wire_out *o, uint16_t flags)
{
	fake_begin(q, o, flags);
	out_a(o, NULL, 600, FORGED_ADDRESS);
}

static inline void big(struct fake_query *q)
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

static inline void folds(struct fake_query *q)
{
	for (size_t i = 12; i < q->question_end - 4; i++)
		q->bytes[i] = (uint8_t)tolower(q->bytes[i]);
	plain(q);
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

static inline void bad_stream(struct fake_query *q)
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

static uint16_t refuse_rcode;
static bool refuse_bare; /* the header alone */

static inline void no_edns(struct fake_query *q)
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

static inline void refuses(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, refuse_rcode);
	fake_send(q, o.bytes, o.n);
}

static inline void refers(struct fake_query *q)
{
	uint8_t target[DNS_NAME_MAX];
	struct wire_out o;

	fake_begin(q, &o, 0);
	out_record(&o, 1, "example", DNS_TYPE_NS, 60, target, dns_name_from_text("ns.example", target));
	fake_send(q, o.bytes, o.n);
}

static uint32_t ttl;

static inline void with_ttl(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, 0);
	out_a(&o, NULL, ttl, "192.0.2.1");
	fake_send(q, o.bytes, o.n);
}

static bool with_soa;
static uint32_t soa_ttl = 100000;

static inline void negative(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, q->name[0] == 'x' || q->name[0] == 'X' ? DNS_NXDOMAIN : 0);
	if (with_soa)
		out_soa(&o, "example", soa_ttl, soa_ttl);
	fake_send(q, o.bytes, o.n);
}

/* ---- descriptors ---- */

static inline size_t descriptors(void)
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

/* The exit status of a file of tests: nor may a forgery have been believed, or a descriptor be left, whichever test it was. */
static inline int forward_status(int failed)
{
	size_t now = descriptors();

	if (n_believed || now != descriptors_before)
		printf("forged replies believed: %llu; descriptors: %zu, before the tests %zu\n", (unsigned long long)n_believed, now,
		       descriptors_before);
	return failed || n_believed || now != descriptors_before;
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
