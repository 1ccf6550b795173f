/* `sixpn doctor peer` on a faked machine: a healthy one, and one thing wrong at a time. */
#include "controller/cli/doctor.h"
#include "lib/sixpn/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GATEWAY_KEY "Z2F0ZXdheWdhdGV3YXlnYXRld2F5Z2F0ZXdheWdhdGU="
#define OTHER_KEY "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q="
#define PRIVATE_KEY "cHJpdmF0ZXByaXZhdGVwcml2YXRlcHJpdmF0ZXByaXY="
#define PATH "/home/x/laptop.conf"
#define DNS "fdaa:1:2a::3"
#define ADDRESS "fdaa:1:2a:ae03:2:0:a:102"
#define BODY "PrivateKey = " PRIVATE_KEY "\nAddress = " ADDRESS "/120\n[Peer]\nPublicKey = " GATEWAY_KEY \
	     "\nAllowedIPs = fdaa:1:2a::/48\nEndpoint = gw.example.net:51820\n"
#define FILE_TEXT "# peer laptop of acme, network default\n[Interface]\n" BODY

enum program { IP, WG, WG_QUICK, WIREGUARD_GO, MODPROBE, PING, RESOLVCONF, RESOLVECTL, N_PROGRAMS };
static const char *const program_names[] = { "ip", "wg", "wg-quick", "wireguard-go", "modprobe", "ping", "resolvconf", "resolvectl" };

/* What a test changes of the healthy machine. */
struct machine {
	const char *path, *file, *resolv_conf, *link, *addresses, *route, *way, *handshakes, *resolved, *sync, *resolvectl_dns;
	unsigned mode;
	bool missing[N_PROGRAMS], no_module, ipv6_off, no_ipv6, unreadable, wg_refused;
	unsigned ping_limit, dns_ms; /* biggest payload that passes; 0 = none */
	int udp, tcp, system;        /* what asking gives */
	int clock;
	int64_t ahead;
	int look_up;
	const char *peer, *status;
};

static char peer_text[1024];

static struct machine healthy(void)
{
	struct machine m = { .path = PATH, .file = FILE_TEXT, .mode = 0600, .resolv_conf = "# x\nsearch lan\nnameserver 127.0.0.53\n",
			     .link = "4: laptop: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1420 qdisc noqueue state UNKNOWN\n",
			     .addresses = "4: laptop    inet6 " ADDRESS "/120 scope global\n", .route = DNS " from :: dev laptop src " ADDRESS " metric 1\n",
			     .way = "192.0.2.7 via 10.0.0.1 dev wlan0 src 10.0.0.9\n", .handshakes = GATEWAY_KEY "\t999970\n",
			     .resolved = "192.0.2.7\n2001:db8::7\n", .sync = "\"v=7,age_ms=400,controller=up\"", .ping_limit = 1372, .dns_ms = 12,
			     .resolvectl_dns = "Link 4 (laptop): " DNS "\n",
			     .status = "{\"state\":\"online\",\"gateway\":\"dev-2\",\"gateway_live\":true}" };
	uint8_t private_key[32], public_key[32];
	char text[45];

	assert_int_equal(crypto_unbase64(PRIVATE_KEY, 44, private_key, 32), 0);
	crypto_x25519_public(private_key, public_key);
	crypto_base64(public_key, 32, text);
	snprintf(peer_text, sizeof peer_text,
		 "{\"name\":\"laptop\",\"address\":\"" ADDRESS "\",\"dns\":\"" DNS "\",\"allowed_ips\":[\"fdaa:1:2a::/48\"],"
		 "\"endpoint\":\"gw.example.net:51820\",\"gateway_public_key\":\"" GATEWAY_KEY "\",\"public_key\":\"%s\",\"suspended\":false}",
		 text);
	m.peer = peer_text;
	return m;
}

static int fake_read_file(void *ctx, const char *path, struct buf *ret_text)
{
	const struct machine *m = ctx;

	if (!strcmp(path, m->path) && m->unreadable)
		return -EACCES;
	if (!strcmp(path, m->path) && m->file)
		buf_add_str(ret_text, m->file);
	else if (!strcmp(path, "/etc/resolv.conf") && m->resolv_conf)
		buf_add_str(ret_text, m->resolv_conf);
	else if (strstr(path, "all/disable_ipv6"))
		buf_add_str(ret_text, m->ipv6_off ? "1\n" : "0\n");
	else
		return -ENOENT;
	return 0;
}

static int fake_file_mode(void *ctx, const char *path, unsigned *ret_mode)
{
	const struct machine *m = ctx;

	*ret_mode = strcmp(path, m->path) ? 0755 : m->mode;
	if ((strstr(path, "/sys/module") && m->no_module) || (!strcmp(path, "/proc/sys/net/ipv6") && m->no_ipv6))
		return -ENOENT;
	return 0;
}

static int give(struct buf *ret_text, const char *text)
{
	buf_add_str(ret_text, text ? text : "");
	return text ? 0 : 1;
}

static int run_ip(const struct machine *m, const char *const *argv, struct buf *ret_text)
{
	if (!strcmp(argv[1], "route"))
		return give(ret_text, m->way);
	if (!strcmp(argv[2], "route"))
		return give(ret_text, m->route);
	return give(ret_text, !strcmp(argv[2], "link") ? m->link : m->addresses);
}

static unsigned ping_size(const char *const *argv)
{
	while (*argv && strcmp(*argv, "-s"))
		argv++;
	assert_non_null(*argv);
	return (unsigned)atoi(argv[1]);
}

static int fake_run(void *ctx, const char *const *argv, struct buf *ret_text)
{
	const struct machine *m = ctx;

	for (enum program p = 0; p < N_PROGRAMS; p++) {
		if (strcmp(argv[0], program_names[p]))
			continue;
		if (m->missing[p])
			return -ENOENT;
		switch (p) {
		case IP:
			return run_ip(m, argv, ret_text);
		case WG:
			return m->wg_refused ? 1 : give(ret_text, !strcmp(argv[1], "show") ? m->handshakes : "1");
		case MODPROBE:
			return m->no_module;
		case PING:
			return ping_size(argv) > m->ping_limit;
		case RESOLVECTL:
			return give(ret_text, m->resolvectl_dns);
		default:
			return 0;
		}
	}
	fail_msg("runs %s", argv[0]);
	return -1;
}

static int fake_resolve(void *ctx, const char *host, struct buf *ret_addresses)
{
	const struct machine *m = ctx;

	assert_string_equal(host, "gw.example.net");
	return give(ret_addresses, m->resolved) ? -ENOENT : 0;
}

static int fake_ask(void *ctx, const char *server, const char *name, bool tcp, unsigned *ret_ms, struct buf *ret_text)
{
	const struct machine *m = ctx;

	*ret_ms = m->dns_ms;
	if (!strcmp(name, "_sync.internal"))
		return give(ret_text, m->sync) ? -EREMOTEIO : 0;
	assert_string_equal(name, "_apps.internal");
	return strcmp(server, DNS) ? m->system : tcp ? m->tcp : m->udp;
}

static int fake_clock_ahead_s(void *ctx, int64_t *ret_s)
{
	*ret_s = ((const struct machine *)ctx)->ahead;
	return ((const struct machine *)ctx)->clock;
}

static int fake_look_up(void *ctx, const char *ref, json_t **ret_peer, json_t **ret_status, struct why *why)
{
	const struct machine *m = ctx;

	assert_string_equal(ref, "acme/laptop");
	if (m->look_up < 0) {
		why_set(why, "api", "", "peer \"laptop\" does not exist");
		return m->look_up;
	}
	*ret_peer = json_loads(m->peer, 0, NULL);
	*ret_status = json_loads(m->status, 0, NULL);
	assert_non_null(*ret_peer);
	return 0;
}

static uint64_t fake_real_s(void *ctx)
{
	(void)ctx;
	return 1000000;
}

static const struct doctor_ops fake_ops = { fake_read_file, fake_file_mode, fake_run, fake_resolve, fake_ask, fake_clock_ahead_s, fake_look_up, fake_real_s };

static struct doctor examine(struct machine *m)
{
	struct doctor d = { .ops = &fake_ops, .ctx = m, .path = m->path, .ref = "acme/laptop" };

	doctor_run(&d);
	for (size_t i = 0; i < d.n; i++) {
		assert_null(strstr(d.findings[i].text, PRIVATE_KEY));
		assert_true(d.findings[i].level < DOCTOR_WARN || d.findings[i].next[0] != 0 || !strcmp(d.findings[i].check, "file"));
	}
	doctor_deinit(&d);
	return d;
}

/* The only finding that is worse than ok (skip counts) is this one. */
static void finds_only(struct machine *m, enum doctor_level level, const char *check, const char *text)
{
	struct doctor d = examine(m);
	bool found = false;

	for (size_t i = 0; i < d.n; i++) {
		const struct doctor_finding *f = &d.findings[i];

		if (f->level == DOCTOR_OK)
			continue;
		if (f->level != level || strcmp(f->check, check) || !strstr(f->text, text))
			fail_msg("%s %s: %s (expected %s %s: %s)", doctor_level_text(f->level), f->check, f->text, doctor_level_text(level), check, text);
		found = true;
	}
	if (!found)
		fail_msg("nothing found, expected %s: %s", check, text);
}

static void finds(struct machine *m, enum doctor_level level, const char *check, const char *text)
{
	struct doctor d = examine(m);

	for (size_t i = 0; i < d.n; i++)
		if (d.findings[i].level == level && !strcmp(d.findings[i].check, check) && strstr(d.findings[i].text, text))
			return;
	fail_msg("not found: %s: %s", check, text);
}

#define TEST(name, ...)                       \
	static void name(void **state)        \
	{                                     \
		struct machine m = healthy(); \
                                              \
		(void)state;                  \
		__VA_ARGS__;                  \
	}

TEST(a_healthy_machine_has_no_finding, {
	struct doctor d = examine(&m);

	assert_true(d.n >= 12);
	for (size_t i = 0; i < d.n; i++)
		if (d.findings[i].level != DOCTOR_OK)
			fail_msg("%s: %s", d.findings[i].check, d.findings[i].text);
})
TEST(a_file_that_others_can_read, m.mode = 0644; finds_only(&m, DOCTOR_FAIL, "file-mode", "can be read by others (mode 0644)"))
TEST(a_file_that_cannot_be_read, m.unreadable = true; finds_only(&m, DOCTOR_FAIL, "file", "Permission denied"))
TEST(a_file_that_is_broken, m.file = "[Interface]\nnonsense\n"; finds_only(&m, DOCTOR_FAIL, "file", "line 2"))
TEST(a_file_that_is_not_finished, m.file = "[Interface]\nPrivateKey = " PRIVATE_KEY "\n"; finds_only(&m, DOCTOR_FAIL, "file-unfinished", "names no gateway"))
TEST(a_placeholder_instead_of_the_key, {
	char *text = strdup(FILE_TEXT);

	memcpy(strstr(text, PRIVATE_KEY), "PUT-THE-PRIVATE-KEY-HERE                    ", 44);
	m.file = text;
	finds_only(&m, DOCTOR_FAIL, "file-key", "no private key");
	free(text);
})
TEST(no_wg_quick, m.missing[WG_QUICK] = true; finds_only(&m, DOCTOR_FAIL, "programs", "wg or wg-quick is not here"))
TEST(nothing_that_speaks_wireguard, m.no_module = true; m.missing[WIREGUARD_GO] = true; finds_only(&m, DOCTOR_FAIL, "wireguard", "nothing here speaks"))
TEST(wireguard_go_is_enough, m.no_module = true; finds(&m, DOCTOR_OK, "wireguard", "wireguard-go is here"))
TEST(a_dns_line_without_resolvconf, {
	m.file = "[Interface]\nDNS = fdaa:1:2a::3\n" BODY;
	m.missing[RESOLVCONF] = true;
	finds_only(&m, DOCTOR_FAIL, "dns-line", "status 127");
})
TEST(ipv6_switched_off, m.ipv6_off = true; finds_only(&m, DOCTOR_FAIL, "ipv6", "IPv6 is disabled on this machine"))
TEST(a_kernel_without_ipv6, m.no_ipv6 = true; finds_only(&m, DOCTOR_FAIL, "ipv6", "without IPv6"))
TEST(a_tunnel_that_is_not_up, m.link = NULL; finds_only(&m, DOCTOR_FAIL, "interface", "interface laptop is not there"))
TEST(an_interface_that_is_down, m.link = "4: laptop: <POINTOPOINT,NOARP> mtu 1420 \n"; finds_only(&m, DOCTOR_FAIL, "interface", "the tunnel is not up"))
TEST(an_interface_with_another_address, m.addresses = "4: laptop inet6 fdaa:1:2a:ae03:2:0:a:10/120\n";
     finds_only(&m, DOCTOR_FAIL, "address", "has not the address of the file"))
TEST(a_route_that_goes_elsewhere, m.route = DNS " from :: dev wg7 src fdaa::1\n"; m.ping_limit = 0; finds_only(&m, DOCTOR_FAIL, "route", "does not go through it"))
TEST(an_mtu_above_that_of_the_network, m.link = "4: laptop: <UP> mtu 8920 qdisc\n"; finds_only(&m, DOCTOR_WARN, "mtu", "8920"))
TEST(a_gateway_without_address, m.resolved = NULL; finds_only(&m, DOCTOR_FAIL, "endpoint", "gw.example.net has no address here"))
TEST(no_route_to_the_gateway, m.way = NULL; finds_only(&m, DOCTOR_FAIL, "endpoint", "no route leads to the gateway"))
TEST(a_gateway_behind_its_own_tunnel, m.way = "192.0.2.7 dev laptop src x\n"; finds_only(&m, DOCTOR_FAIL, "endpoint", "through the tunnel itself"))
TEST(a_handshake_that_never_was, m.handshakes = GATEWAY_KEY "\t0\n"; finds_only(&m, DOCTOR_FAIL, "handshake", "has never answered"))
TEST(a_handshake_of_long_ago, m.handshakes = GATEWAY_KEY "\t999000\n"; finds_only(&m, DOCTOR_FAIL, "handshake", "was 16 min ago"))
TEST(an_interface_of_another_file, m.handshakes = OTHER_KEY "\t999990\n"; finds_only(&m, DOCTOR_FAIL, "handshake", "runs with another file"))
TEST(a_user_who_may_not_see_handshakes, m.wg_refused = true; finds_only(&m, DOCTOR_SKIP, "handshake", "cannot be seen"))
TEST(a_gateway_that_answers_no_ping, {
	struct doctor d;

	m.ping_limit = 0;
	finds_only(&m, DOCTOR_FAIL, "packets", "does not answer a ping");
	d = examine(&m);
	for (size_t i = 0; i < d.n; i++)
		assert_string_not_equal(d.findings[i].check, "dns-udp"); /* it would only wait */
})
TEST(big_packets_that_are_lost, m.ping_limit = 1300; finds_only(&m, DOCTOR_FAIL, "mtu", "packets of 1420 bytes do not"))
TEST(a_small_mtu_is_tried_as_it_is, m.link = "4: laptop: <UP> mtu 1280 qdisc\n"; m.ping_limit = 1232; finds(&m, DOCTOR_OK, "packets", "up to the 1280 bytes"))
TEST(no_ping_program, m.missing[PING] = true; finds_only(&m, DOCTOR_SKIP, "packets", "ping is not here"))
TEST(a_name_server_that_is_silent_by_udp, m.udp = -ETIMEDOUT; finds_only(&m, DOCTOR_FAIL, "dns-udp", "does not answer by UDP"))
TEST(a_name_server_that_is_silent_by_tcp, m.tcp = -ETIMEDOUT; finds_only(&m, DOCTOR_FAIL, "dns-tcp", "does not answer by TCP"))
TEST(a_name_server_that_answers_with_an_error, m.udp = -EREMOTEIO; finds_only(&m, DOCTOR_FAIL, "dns-udp", "with an error by UDP"))
TEST(a_slow_name_server, m.dns_ms = 1500; finds(&m, DOCTOR_WARN, "dns-udp", "in 1500 ms"))
TEST(a_name_server_without_its_controller, m.sync = "\"v=7,age_ms=90000,controller=down\""; finds_only(&m, DOCTOR_WARN, "dns-age", "90000 ms old"))
TEST(a_resolver_that_does_not_split, m.system = -ENOENT; finds_only(&m, DOCTOR_WARN, "resolver", "127.0.0.53, which does not know names in .internal"))
TEST(a_machine_without_name_server, m.resolv_conf = "search lan\n"; finds_only(&m, DOCTOR_WARN, "resolver", "names no name server"))
TEST(a_clock_that_is_behind, m.ahead = -3600; finds_only(&m, DOCTOR_WARN, "clock", "3600 s behind the controller's"))
TEST(a_controller_without_clock, m.clock = -ENODATA; finds_only(&m, DOCTOR_SKIP, "clock", "does not tell the time"))
TEST(no_controller_known, m.clock = -ENOTCONN; m.look_up = -ENOTCONN; finds_only(&m, DOCTOR_SKIP, "gateway", "no controller is known here"))
TEST(a_controller_that_refuses, m.look_up = -EACCES; finds_only(&m, DOCTOR_SKIP, "gateway", "cannot be seen: peer \"laptop\" does not exist"))
TEST(a_peer_that_is_gone, m.look_up = -ENOENT; finds_only(&m, DOCTOR_FAIL, "current", "peer \"laptop\" does not exist"))

/* Whoever asks about a name, and nothing is seen of it, hears no "0 fail". */
static void a_name_without_file_and_answer_fails(void **state)
{
	static const int answers[] = { -ENOTCONN, -EACCES, -ENOENT };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct machine m = healthy();
		struct doctor d = { .ops = &fake_ops, .ctx = &m, .ref = "acme/laptop" };

		m.look_up = answers[i];
		doctor_run(&d);
		assert_int_equal(d.findings[d.n - 1].level, DOCTOR_FAIL);
		doctor_deinit(&d);
	}
}
TEST(a_gateway_that_the_controller_does_not_hear, m.status = "{\"state\":\"offline\",\"gateway\":\"dev-2\",\"gateway_live\":false}";
     finds_only(&m, DOCTOR_WARN, "gateway", "does not hear gateway dev-2"))
TEST(a_gateway_that_never_saw_the_peer, m.status = "{\"state\":\"never\",\"gateway\":\"dev-2\",\"gateway_live\":true}";
     finds_only(&m, DOCTOR_WARN, "gateway", "gateway dev-2 says: never seen"))
TEST(a_gateway_that_has_not_said_yet, m.status = "{\"state\":\"unknown\",\"gateway\":\"dev-2\",\"gateway_live\":true}";
     finds_only(&m, DOCTOR_SKIP, "gateway", "gateway dev-2 has not said"))
TEST(a_peer_that_got_another_key, memcpy(strstr(peer_text, "\"public_key\":\"") + 14, OTHER_KEY, 44);
     finds_only(&m, DOCTOR_FAIL, "current", "somebody gave it another"))
TEST(a_peer_that_was_moved, memcpy(strstr(peer_text, "gw.example"), "g2.example", 10); finds_only(&m, DOCTOR_FAIL, "current", "it is g2.example.net:51820 now"))
TEST(a_peer_on_its_way_to_another_gateway, memcpy(strstr(peer_text, "gw.example"), "g2.example", 10);
     strcpy(strstr(peer_text, ",\"suspended\""), ",\"moving_to\":\"ord-1\"}");
     finds_only(&m, DOCTOR_WARN, "current", "is moving to gateway ord-1: this file works until"))
TEST(a_peer_that_is_suspended, memcpy(strstr(peer_text, ":false}"), ":true }", 7); finds_only(&m, DOCTOR_FAIL, "suspended", "lets nothing through"))
TEST(a_name_that_is_no_interface, m.path = "/tmp/my-office-laptop-in-berlin.conf"; m.link = NULL; {
	struct doctor d = examine(&m);

	assert_string_equal(d.findings[1].check, "file-name");
	assert_int_equal(d.findings[1].level, DOCTOR_FAIL);
	assert_string_equal(d.findings[1].next, "mv it to /tmp/my-office.conf");
})

/* Cut where a sentence gets too long, a character has to stay whole: --json has no place for half of one. */
static char long_path[400];
TEST(a_long_name_in_utf8_is_still_text, m.path = long_path; {
	for (size_t i = 0; i < 2; i++) { /* "/" before it or not: the cut is in the middle of one of them */
		snprintf(long_path, sizeof long_path, "%s", i ? "//" : "/");
		while (strlen(long_path) < 300)
			strcat(long_path, "\u00e4");
		m.mode = 0644;
		struct doctor d = examine(&m);

		assert_string_equal(d.findings[0].check, "file-mode");
		for (size_t j = 0; j < d.n; j++)
			assert_true(name_is_utf8(d.findings[j].text, strlen(d.findings[j].text)) &&
				    name_is_utf8(d.findings[j].next, strlen(d.findings[j].next)));
	}
})

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_machine_has_no_finding),
		cmocka_unit_test(a_file_that_others_can_read),
		cmocka_unit_test(a_file_that_cannot_be_read),
		cmocka_unit_test(a_file_that_is_broken),
		cmocka_unit_test(a_file_that_is_not_finished),
		cmocka_unit_test(a_placeholder_instead_of_the_key),
		cmocka_unit_test(no_wg_quick),
		cmocka_unit_test(nothing_that_speaks_wireguard),
		cmocka_unit_test(wireguard_go_is_enough),
		cmocka_unit_test(a_dns_line_without_resolvconf),
		cmocka_unit_test(ipv6_switched_off),
		cmocka_unit_test(a_kernel_without_ipv6),
		cmocka_unit_test(a_tunnel_that_is_not_up),
		cmocka_unit_test(an_interface_that_is_down),
		cmocka_unit_test(an_interface_with_another_address),
		cmocka_unit_test(a_route_that_goes_elsewhere),
		cmocka_unit_test(an_mtu_above_that_of_the_network),
		cmocka_unit_test(a_gateway_without_address),
		cmocka_unit_test(no_route_to_the_gateway),
		cmocka_unit_test(a_gateway_behind_its_own_tunnel),
		cmocka_unit_test(a_handshake_that_never_was),
		cmocka_unit_test(a_handshake_of_long_ago),
		cmocka_unit_test(an_interface_of_another_file),
		cmocka_unit_test(a_user_who_may_not_see_handshakes),
		cmocka_unit_test(a_gateway_that_answers_no_ping),
		cmocka_unit_test(big_packets_that_are_lost),
		cmocka_unit_test(a_small_mtu_is_tried_as_it_is),
		cmocka_unit_test(no_ping_program),
		cmocka_unit_test(a_name_server_that_is_silent_by_udp),
		cmocka_unit_test(a_name_server_that_is_silent_by_tcp),
		cmocka_unit_test(a_name_server_that_answers_with_an_error),
		cmocka_unit_test(a_slow_name_server),
		cmocka_unit_test(a_name_server_without_its_controller),
		cmocka_unit_test(a_resolver_that_does_not_split),
		cmocka_unit_test(a_machine_without_name_server),
		cmocka_unit_test(a_clock_that_is_behind),
		cmocka_unit_test(a_controller_without_clock),
		cmocka_unit_test(no_controller_known),
		cmocka_unit_test(a_controller_that_refuses),
		cmocka_unit_test(a_peer_that_is_gone),
		cmocka_unit_test(a_name_without_file_and_answer_fails),
		cmocka_unit_test(a_gateway_that_the_controller_does_not_hear),
		cmocka_unit_test(a_gateway_that_never_saw_the_peer),
		cmocka_unit_test(a_gateway_that_has_not_said_yet),
		cmocka_unit_test(a_peer_that_got_another_key),
		cmocka_unit_test(a_peer_that_was_moved),
		cmocka_unit_test(a_peer_on_its_way_to_another_gateway),
		cmocka_unit_test(a_peer_that_is_suspended),
		cmocka_unit_test(a_name_that_is_no_interface),
		cmocka_unit_test(a_long_name_in_utf8_is_still_text),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
