/* wg_uapi: the parser over tables, the formatter by its bytes, the conversation with a server of the test's own. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/crypto.h"
#include "lib/base/clock.h"
#include "lib/netlink/wg_uapi.h"

#define KEY_A "1111111111111111111111111111111111111111111111111111111111111111"
#define KEY_B "2222222222222222222222222222222222222222222222222222222222222222"
#define PEER_A "public_key=" KEY_A "\n"

struct seen {
	unsigned peers, prefixes;
	struct wg_peer_status last;
	struct wg_prefix last_prefix;
};

static void see(void *ctx, const struct wg_peer_status *status)
{
	struct seen *seen = ctx;

	seen->peers++;
	seen->prefixes += (unsigned)status->peer.n_allowed;
	seen->last = *status;
	if (status->peer.n_allowed)
		seen->last_prefix = status->peer.allowed[status->peer.n_allowed - 1];
}

static const char whole[] =
	"private_key=3333333333333333333333333333333333333333333333333333333333333333\n"
	"listen_port=51821\nfwmark=1\nsomething_new=x y z\n"
	PEER_A
	"preshared_key=0000000000000000000000000000000000000000000000000000000000000000\n"
	"protocol_version=1\nendpoint=192.0.2.7:51821\nlast_handshake_time_sec=1700000000\nlast_handshake_time_nsec=999999999\n"
	"tx_bytes=18446744073709551615\nrx_bytes=7\npersistent_keepalive_interval=25\n"
	"allowed_ip=fdaa:a001:1::/48\nallowed_ip=10.1.2.3/24\n"
	"public_key=" KEY_B "\nendpoint=[2001:db8::1]:9\nlast_handshake_time_sec=0\nerrno=0\n\n";

static void a_whole_answer_is_read(void **state)
{
	uint8_t private_key[32], public_key[32];
	struct wg_device device;
	struct seen seen = { 0 };
	int answer = -1;

	(void)state;
	assert_int_equal(wg_uapi_parse(whole, sizeof(whole) - 1, see, &seen, &device, &answer), 0);
	assert_int_equal(answer, 0);
	memset(private_key, 0x33, sizeof(private_key));
	crypto_x25519_public(private_key, public_key);
	assert_true(device.has_key);
	assert_memory_equal(device.public_key, public_key, 32);
	assert_int_equal(device.listen_port, 51821);
	assert_int_equal(seen.peers, 2);
	assert_int_equal(seen.prefixes, 2);
	assert_int_equal(seen.last_prefix.family, AF_INET);
	assert_int_equal(seen.last_prefix.addr[2], 2);
	assert_int_equal(seen.last_prefix.addr[3], 0);
	assert_int_equal(seen.last.peer.endpoint.ss_family, AF_INET6);
	assert_int_equal(seen.last.peer.keepalive_s, 0); /* nothing of the first peer is left in the second */
}

static void every_cut_of_an_answer_is_refused(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		struct seen seen = { 0 };
		int answer;

		assert_int_equal(wg_uapi_parse(whole, n, see, &seen, NULL, &answer), -EPROTO);
	}
}

static const struct {
	const char *text;
	int result, answer;
} answers[] = {
	{ "errno=0\n\n", 0, 0 },
	{ "errno=-22\n\n", 0, 22 },
	{ "errno=98\n\n", 0, 98 },
	{ PEER_A "errno=0\n\n", 0, 0 },
	{ "unknown=1\nerrno=0\n\n", 0, 0 },
	{ PEER_A "endpoint=[fe80::1%eth0]:1\nerrno=0\n\n", 0, 0 },
	{ PEER_A "allowed_ip=::/0\nallowed_ip=0.0.0.0/0\nerrno=0\n\n", 0, 0 },
	{ "", -EPROTO, 0 },
	{ "\n", -EPROTO, 0 },
	{ "errno=0\n", -EPROTO, 0 },
	{ "errno=\n\n", -EPROTO, 0 },
	{ "errno=--1\n\n", -EPROTO, 0 },
	{ "errno=99999\n\n", -EPROTO, 0 },
	{ "errno=0\n\n\n", -EPROTO, 0 },
	{ "errno=0\n\nx=1\n", -EPROTO, 0 },
	{ "errno=0 \n\n", -EPROTO, 0 },
	{ "=1\nerrno=0\n\n", -EPROTO, 0 },
	{ "KEY=1\nerrno=0\n\n", -EPROTO, 0 },
	{ "no equals sign\nerrno=0\n\n", -EPROTO, 0 },
	{ "private_key=12\nerrno=0\n\n", -EPROTO, 0 },
	{ "listen_port=65536\nerrno=0\n\n", -EPROTO, 0 },
	{ "listen_port=-1\nerrno=0\n\n", -EPROTO, 0 },
	{ "listen_port=1\nlisten_port=1\nerrno=0\n\n", -EPROTO, 0 },
	{ "endpoint=192.0.2.1:1\nerrno=0\n\n", -EPROTO, 0 },              /* of no peer */
	{ PEER_A "listen_port=1\nerrno=0\n\n", -EPROTO, 0 },              /* of the device, too late */
	{ PEER_A "rx_bytes=1\nrx_bytes=2\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "rx_bytes=18446744073709551616\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "protocol_version=2\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "endpoint=192.0.2.1\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "endpoint=host:1\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "endpoint=2001:db8::1:1\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "endpoint=[2001:db8::1:1\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "endpoint=[fe80::1%]:1\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "endpoint=192.0.2.1:65536\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "allowed_ip=fdaa::\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "allowed_ip=fdaa::/129\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "allowed_ip=10.0.0.0/33\nerrno=0\n\n", -EPROTO, 0 },
	{ PEER_A "allowed_ip=/1\nerrno=0\n\n", -EPROTO, 0 },
	{ "public_key=xyz\nerrno=0\n\n", -EPROTO, 0 },
};

static void answers_are_held_to_their_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		int answer = 0, r = wg_uapi_parse(answers[i].text, strlen(answers[i].text), NULL, NULL, NULL, &answer);

		if (r != answers[i].result)
			print_error("row %zu: %s\n", i, answers[i].text);
		assert_int_equal(r, answers[i].result);
		assert_int_equal(answer, answers[i].answer);
	}
}

static void a_nul_inside_an_answer_is_no_end(void **state)
{
	static const char text[] = "listen_port=1\0\nerrno=0\n\n";
	int answer;

	(void)state;
	assert_int_equal(wg_uapi_parse(text, sizeof(text) - 1, NULL, NULL, NULL, &answer), -EPROTO);
}

static struct wg_peer peer_of(uint8_t key, const struct wg_prefix *allowed, size_t n)
{
	struct wg_peer peer = { .keepalive_s = 25, .allowed = allowed, .n_allowed = n };
	struct sockaddr_in *in4 = (void *)&peer.endpoint;

	memset(peer.public_key, key, WG_KEY_LEN);
	in4->sin_family = AF_INET;
	in4->sin_port = htons(51821);
	in4->sin_addr.s_addr = htonl(0xc0000207);
	return peer;
}

static void steps_become_these_bytes(void **state)
{
	struct in6_addr addr;
	struct wg_prefix prefix;
	struct wg_peer a, b;
	CLEAN_BUF struct buf text = BUF_INIT(0);

	(void)state;
	inet_pton(AF_INET6, "fdaa:a001:1::", &addr);
	prefix = wg_prefix_in6(&addr, 48);
	a = peer_of(0x11, &prefix, 1);
	b = peer_of(0x22, NULL, 0);
	const struct wg_step steps[] = {
		{ .kind = WG_STEP_REMOVE, .peer = &b },
		{ .kind = WG_STEP_UPDATE, .peer = &b, .replace_allowed = true },
		{ .kind = WG_STEP_ADD, .peer = &a, .set_endpoint = true, .set_keepalive = true, .replace_allowed = true },
	};

	wg_uapi_format(steps, 3, &text);
	assert_string_equal(buf_str(&text), "set=1\n"
					    "public_key=" KEY_B "\nremove=true\n"
					    "public_key=" KEY_B "\nupdate_only=true\nreplace_allowed_ips=true\n"
					    "public_key=" KEY_A "\nendpoint=192.0.2.7:51821\npersistent_keepalive_interval=25\n"
					    "replace_allowed_ips=true\nallowed_ip=fdaa:a001:1::/48\n");
}

/* A server that gives one answer, in two parts, to one connection. */
struct server {
	pthread_t thread;
	struct wg_uapi uapi;
	char dir[32];
	int fd;
	const char *answer;
};

static void *serve(void *arg)
{
	struct server *server = arg;
	char request[4096];
	size_t half = strlen(server->answer) / 2;
	int fd = accept(server->fd, NULL, NULL);

	if (recv(fd, request, sizeof(request), 0) > 0) {
		send(fd, server->answer, half, MSG_NOSIGNAL);
		send(fd, server->answer + half, strlen(server->answer) - half, MSG_NOSIGNAL);
	}
	close(fd);
	return NULL;
}

static struct wg start_server(struct server *server, const char *answer)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(server->dir, "/tmp/uapi-test-XXXXXX");
	assert_non_null(mkdtemp(server->dir));
	server->answer = answer;
	assert_int_equal(wg_uapi_init(&server->uapi, "wgx", server->dir), 0);
	strcpy(addr.sun_path, server->uapi.socket_path);
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (void *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(server->fd, 4), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
	return wg_uapi_backend(&server->uapi);
}

static void end_server(struct server *server)
{
	pthread_join(server->thread, NULL);
	close(server->fd);
	unlink(server->uapi.socket_path);
	rmdir(server->dir);
}

static void preshared_keys_go_both_ways_and_zeros_are_none(void **state)
{
	struct wg_peer a = peer_of(0x11, NULL, 0), b = peer_of(0x22, NULL, 0);
	const struct wg_step steps[] = { { .kind = WG_STEP_UPDATE, .peer = &a, .set_preshared = true },
					 { .kind = WG_STEP_UPDATE, .peer = &b, .set_preshared = true } };
	static const char get[] = "public_key=" KEY_A "\npreshared_key=" KEY_B "\npublic_key=" KEY_B "\npreshared_key="
				  "0000000000000000000000000000000000000000000000000000000000000000\nerrno=0\n\n";
	CLEAN_BUF struct buf text = BUF_INIT(0);
	struct wg_observed observed;
	struct server server;
	struct wg wg;

	(void)state;
	a.has_preshared = true;
	memset(a.preshared_key, 0x22, WG_KEY_LEN);
	wg_uapi_format(steps, 2, &text);
	assert_string_equal(buf_str(&text), "set=1\n"
					    "public_key=" KEY_A "\nupdate_only=true\npreshared_key=" KEY_B "\n"
					    "public_key=" KEY_B "\nupdate_only=true\npreshared_key="
					    "0000000000000000000000000000000000000000000000000000000000000000\n");
	wg = start_server(&server, get);
	assert_int_equal(wg_observe(&wg, &observed), 0);
	assert_true(observed.peers[0].peer.has_preshared);
	assert_memory_equal(observed.peers[0].peer.preshared_key, a.preshared_key, WG_KEY_LEN);
	assert_false(observed.peers[1].peer.has_preshared);
	wg_observed_deinit(&observed);
	end_server(&server);
}

static void an_answer_in_pieces_is_put_together(void **state)
{
	struct wg_observed observed;
	struct server server;
	struct wg wg = start_server(&server, whole);

	(void)state;
	assert_int_equal(wg_observe(&wg, &observed), 0);
	assert_int_equal(observed.n, 2);
	assert_int_equal(observed.peers[0].peer.n_allowed, 2);
	assert_int_equal(observed.peers[0].tx_bytes, UINT64_MAX);
	wg_observed_deinit(&observed);
	end_server(&server);
}

static const struct {
	const char *answer;
	int result;
} endings[] = {
	{ "errno=0\n\n", 0 }, { "errno=-22\n\n", -EINVAL }, { "errno=0\n", -ECONNRESET }, { "", -ECONNRESET }, { "a\n\n", -EPROTO },
};

static void the_answer_of_the_process_is_the_result_of_the_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		struct wg_peer peer = peer_of(1, NULL, 0);
		struct wg_step step = { .kind = WG_STEP_ADD, .peer = &peer };
		struct server server;
		struct wg wg = start_server(&server, endings[i].answer);

		assert_int_equal(wg_apply(&wg, &step, 1), endings[i].result);
		end_server(&server);
	}
}

static void nobody_there_is_enoent(void **state)
{
	struct wg_uapi uapi;
	struct wg wg = wg_uapi_backend(&uapi);

	(void)state;
	assert_int_equal(wg_uapi_init(&uapi, "wgx", "/nonexistent"), 0);
	assert_int_equal(wg_dump(&wg, NULL, NULL, NULL), -ENOENT);
}

/* As one that was stopped: its socket takes the connection and the request, and nobody reads them. */
static void a_process_that_is_silent_is_given_up(void **state)
{
	struct server server = { .dir = "/tmp/uapi-test-XXXXXX" };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct clock clock = clock_real();
	uint64_t begun;
	struct wg wg;

	(void)state;
	assert_non_null(mkdtemp(server.dir));
	assert_int_equal(wg_uapi_init(&server.uapi, "wgx", server.dir), 0);
	strcpy(addr.sun_path, server.uapi.socket_path);
	server.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.fd, (void *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(server.fd, 4), 0);
	wg = wg_uapi_backend(&server.uapi);
	begun = clock_mono_ms(&clock);
	assert_int_equal(wg_dump(&wg, NULL, NULL, NULL), -ETIMEDOUT);
	assert_in_range(clock_mono_ms(&clock) - begun, WG_UAPI_SILENCE_MS / 2, WG_UAPI_TIMEOUT_MS - 1);
	close(server.fd);
	unlink(server.uapi.socket_path);
	rmdir(server.dir);
}

static void a_path_that_no_socket_can_have_is_refused(void **state)
{
	char dir[200];
	struct wg_uapi uapi;

	(void)state;
	memset(dir, 'd', sizeof(dir) - 1);
	dir[sizeof(dir) - 1] = '\0';
	assert_int_equal(wg_uapi_init(&uapi, "wgx", dir), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_answer_is_read),
		cmocka_unit_test(every_cut_of_an_answer_is_refused),
		cmocka_unit_test(answers_are_held_to_their_form),
		cmocka_unit_test(a_nul_inside_an_answer_is_no_end),
		cmocka_unit_test(steps_become_these_bytes),
		cmocka_unit_test(preshared_keys_go_both_ways_and_zeros_are_none),
		cmocka_unit_test(an_answer_in_pieces_is_put_together),
		cmocka_unit_test(the_answer_of_the_process_is_the_result_of_the_call),
		cmocka_unit_test(nobody_there_is_enoent),
		cmocka_unit_test(a_process_that_is_silent_is_given_up),
		cmocka_unit_test(a_path_that_no_socket_can_have_is_refused),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
