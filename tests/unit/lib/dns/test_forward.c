/* The forwarder between askers and an upstream that does as it is told. */
#include "tests/unit/lib/dns/upstream.h"

static struct loop *loop;
static struct fake up, second;
static struct dns_forward *forward;

static void plain(struct fake_query *q)
{
	struct wire_out o;

	fake_begin(q, &o, 0);
	if (q->type == DNS_TYPE_AAAA)
		out_aaaa(&o, NULL, 60, "2001:db8::1");
	else
		out_a(&o, NULL, 60, "192.0.2.1");
	if (q->has_opt)
		out_opt(&o, 0);
	fake_send(q, o.bytes, o.n);
}

static void start_with(const char *upstreams, unsigned total_ms)
{
	struct dns_forward_options options = { .upstreams = upstreams, .own = addr_resolver(), .clock = clock_real(), .total_ms = total_ms,
					       .stale_ms = total_ms };
	struct why why = { 0 };

	if (dns_forward_new(loop, &options, &forward, &why))
		fail_msg("%s", why.text);
}

static int start(void **state)
{
	char list[64];

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	fake_start(&up, loop, 0);
	fake_start(&second, loop, 0);
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

static int stop(void **state)
{
	(void)state;
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_WAITING), 0);
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

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_name_is_asked_and_answered),
	};

	(void)restart_with_both;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
