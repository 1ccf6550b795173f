#include "lib/bpf/events.h"

#include "lib/base/buf.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct sixpn_event sample(void)
{
	struct sixpn_event e = { .layout = SIXPN_LAYOUT, .reason = SIXPN_REASON_SOURCE_FOREIGN, .hook = SIXPN_HOOK_INSTANCE_INGRESS,
				 .packet_len = SIXPN_EVENT_PACKET, .ifindex = 12, .mark = 0x6b, .len = 134 };

	e.packet[0] = 0x60;
	e.packet[6] = 17;
	inet_pton(AF_INET6, "fdaa:1:2:a001:1:3:4:2", e.packet + 8);
	inet_pton(AF_INET6, "fdaa::3", e.packet + 24);
	return e;
}

static void expect_text(const struct sixpn_event *event, const char *ifname, const char *expected)
{
	CLEAN_BUF struct buf text = BUF_INIT(4096);

	bpf_event_text(event, ifname, &text);
	assert_string_equal(buf_str(&text), expected);
}

static void an_event_names_reason_place_and_addresses(void **state)
{
	struct sixpn_event e = sample();

	(void)state;
	expect_text(&e, NULL, "source_foreign at instance_ingress on 12: fdaa:1:2:a001:1:3:4:2 > fdaa::3 next 17, 134 bytes, mark 0x6b");
	expect_text(&e, "sx1", "source_foreign at instance_ingress on sx1: fdaa:1:2:a001:1:3:4:2 > fdaa::3 next 17, 134 bytes, mark 0x6b");
}

static void an_event_without_a_whole_header_says_so(void **state)
{
	struct sixpn_event e = sample();

	(void)state;
	e.packet_len = 39;
	expect_text(&e, NULL, "source_foreign at instance_ingress on 12: no IPv6 header, 134 bytes, mark 0x6b");
	e = sample();
	e.packet[0] = 0x45;
	expect_text(&e, NULL, "source_foreign at instance_ingress on 12: no IPv6 header, 134 bytes, mark 0x6b");
}

static void numbers_of_a_newer_program_do_no_harm(void **state)
{
	struct sixpn_event e = sample();

	(void)state;
	e.reason = 9999;
	e.hook = 9999;
	e.packet_len = 9999;
	expect_text(&e, NULL, "unknown_reason at unknown_hook on 12: no IPv6 header, 134 bytes, mark 0x6b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_names_reason_place_and_addresses),
		cmocka_unit_test(an_event_without_a_whole_header_says_so),
		cmocka_unit_test(numbers_of_a_newer_program_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
