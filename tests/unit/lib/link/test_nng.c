/* Both nng transports over loopback in a network namespace of the test's own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lib/link/client.h"
#include "lib/link/nng_client.h"
#include "lib/link/nng_server.h"
#include "lib/link/server.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#define FLEET 200

static uint8_t private_key[32];

struct end { /* the controller's end */
	struct link_nng_server *nng;
	struct link_server *server;
	bool park;
	uint64_t parked[FLEET + 8];
	unsigned n_parked, requests;
	struct link_source source;
};

struct node {
	struct link_nng_client *nng;
	struct link_client *client;
	struct loop_timer timer;
	unsigned results[5];
	size_t len;
	char last[32];
};

static int who(void *ctx, const uint8_t key[32], uint32_t *ret_host)
{
	(void)ctx;
	(void)key;
	*ret_host = 0xa0000001;
	return 0;
}

static void request(void *ctx, const struct link_request *r)
{
	struct end *end = ctx;

	end->requests++;
	end->source = r->source;
	if (end->park && r->method == LINK_POLL && end->n_parked < FLEET + 8)
		end->parked[end->n_parked++] = r->handle;
	else
		link_server_reply(end->server, r->handle, r->payload, r->len);
}

static void abandoned(void *ctx, uint64_t handle)
{
	(void)ctx;
	(void)handle;
}

static void clone_seen(void *ctx, const struct link_clone *clone)
{
	(void)ctx;
	(void)clone;
}

static uint16_t end_open(struct end *end, struct loop *loop, const char *address)
{
	static const struct link_server_events events = { .who = who, .request = request, .abandoned = abandoned, .clone = clone_seen };
	struct link_server_config config = { .admission = { .source_burst = 10000, .load_per_second = 10000 } };
	struct clock clock = clock_real();
	uint16_t port;

	*end = (struct end){ 0 };
	memcpy(config.private_key, private_key, 32);
	assert_int_equal(link_nng_server_new(loop, &end->nng), 0);
	assert_int_equal(link_server_new(&clock, link_nng_server_transport(end->nng), &config, &events, end, &end->server), 0);
	assert_int_equal(link_nng_server_listen(end->nng, address, &port), 0);
	return port;
}

static void end_close(struct end *end)
{
	end->server = link_server_free(end->server);
	end->nng = link_nng_server_free(end->nng);
}

static void wake_at(void *ctx, uint64_t at_ms)
{
	struct node *node = ctx;

	assert_int_equal(loop_set_timer(node->timer.loop, &node->timer, at_ms), 0);
}

static void expired(struct loop_timer *timer)
{
	link_client_tick(container_of(timer, struct node, timer)->client);
}

static void done(void *ctx, enum link_result result, const uint8_t *payload, size_t len)
{
	struct node *node = ctx;

	node->results[result]++;
	node->len = len;
	memset(node->last, 0, sizeof node->last);
	if (result == LINK_OK)
		memcpy(node->last, payload, len < sizeof node->last - 1 ? len : sizeof node->last - 1);
}

static void node_open(struct node *node, struct loop *loop, const char *address)
{
	static const struct link_client_events events = { .wake_at = wake_at };
	struct link_client_config config = { .kind = LINK_KIND_NODE, .addresses = { address }, .n_addresses = 1, .boot_count = 1 };
	struct clock clock = clock_real();

	*node = (struct node){ .timer = { .expired = expired, .loop = loop } };
	crypto_x25519_public(private_key, config.controller_key);
	crypto_random(config.private_key, 32);
	crypto_random(config.boot_id, 16);
	assert_int_equal(link_nng_client_new(loop, &node->nng), 0);
	assert_int_equal(link_client_new(&clock, link_nng_client_transport(node->nng), &config, &events, node, &node->client), 0);
	link_client_start(node->client);
}

static void node_close(struct node *node)
{
	link_client_free(node->client);
	loop_cancel_timer(&node->timer);
	link_nng_client_free(node->nng);
}

/* Rounds until *what reaches want; the deadline is for a broken build only. */
static void run_until(struct loop *loop, const unsigned *what, unsigned want)
{
	uint64_t end = loop_now_ms(loop) + 30000;

	while (*what < want && loop_now_ms(loop) < end)
		assert_int_equal(loop_round(loop, 100), 0);
	assert_in_range(*what, want, UINT32_MAX);
}

static void call(struct node *node, enum link_method method, const char *text)
{
	assert_int_equal(link_client_call(node->client, method, text, strlen(text), done, node), 0);
}

static void a_call_is_echoed_over_both_families_and_the_source_is_known(void **state)
{
	static const struct {
		const char *listen, *dial;
		uint8_t source[16];
	} rows[] = {
		{ "127.0.0.1:0", "127.0.0.1:%u", { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } },
		{ "[::1]:0", "[::1]:%u", { [15] = 1 } },
		{ "0.0.0.0:0", "127.0.0.1:%u", { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } },
		{ "[::]:0", "[::1]:%u", { [15] = 1 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct loop *loop;
		struct end end;
		struct node node;
		struct link_source own;
		char address[64];

		assert_int_equal(loop_new(&loop), 0);
		snprintf(address, sizeof address, rows[i].dial, end_open(&end, loop, rows[i].listen));
		node_open(&node, loop, address);
		call(&node, LINK_REPORT, "echo");
		run_until(loop, &node.results[LINK_OK], 1);
		assert_string_equal(node.last, "echo");
		assert_int_equal(end.source.len, 16);
		assert_memory_equal(end.source.address, rows[i].source, 16);
		link_client_own_address(node.client, &own);
		assert_int_equal(own.len, 16);
		assert_memory_equal(own.address, rows[i].source, 16); /* loopback: both ends have it */
		node_close(&node);
		end_close(&end);
		loop_free(loop);
	}
}

static void a_parked_poll_waits_while_reports_pass(void **state)
{
	struct loop *loop;
	struct end end;
	struct node node;
	char address[64];

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	snprintf(address, sizeof address, "127.0.0.1:%u", end_open(&end, loop, "127.0.0.1:0"));
	end.park = true;
	node_open(&node, loop, address);
	call(&node, LINK_POLL, "p");
	run_until(loop, &end.n_parked, 1);
	for (unsigned i = 1; i <= 20; i++) {
		call(&node, LINK_REPORT, "r");
		run_until(loop, &node.results[LINK_OK], i);
	}
	assert_int_equal(link_server_reply(end.server, end.parked[0], "news", 4), 0);
	run_until(loop, &node.results[LINK_OK], 21);
	assert_string_equal(node.last, "news");
	node_close(&node);
	end_close(&end);
	loop_free(loop);
}

static void the_largest_messages_pass_both_ways(void **state)
{
	uint8_t *big = calloc(1, LINK_REPLY_MAX);
	struct loop *loop;
	struct end end;
	struct node node;
	char address[64];

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	snprintf(address, sizeof address, "127.0.0.1:%u", end_open(&end, loop, "127.0.0.1:0"));
	end.park = true;
	node_open(&node, loop, address);
	assert_int_equal(link_client_call(node.client, LINK_REPORT, big, LINK_REQUEST_MAX, done, &node), 0);
	run_until(loop, &node.results[LINK_OK], 1);
	assert_int_equal(node.len, LINK_REQUEST_MAX);
	call(&node, LINK_POLL, "p");
	run_until(loop, &end.n_parked, 1);
	assert_int_equal(link_server_reply(end.server, end.parked[0], big, LINK_REPLY_MAX), 0);
	run_until(loop, &node.results[LINK_OK], 2);
	assert_int_equal(node.len, LINK_REPLY_MAX);
	assert_int_equal(link_client_stats(node.client)->connects, 1);
	free(big);
	node_close(&node);
	end_close(&end);
	loop_free(loop);
}

static void the_node_comes_back_by_itself_after_a_restart_of_the_server(void **state)
{
	struct loop *loop;
	struct end end;
	struct node node;
	char address[64];

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	snprintf(address, sizeof address, "127.0.0.1:%u", end_open(&end, loop, "127.0.0.1:0"));
	end.park = true;
	node_open(&node, loop, address);
	call(&node, LINK_POLL, "p");
	run_until(loop, &end.n_parked, 1);
	end_close(&end);
	run_until(loop, &node.results[LINK_LOST], 1);
	end_open(&end, loop, address);
	call(&node, LINK_POLL, "p2"); /* goes out in the old session, comes back as a hint */
	run_until(loop, &node.results[LINK_LOST], 2);
	call(&node, LINK_POLL, "p3");
	run_until(loop, &node.results[LINK_OK], 1);
	assert_string_equal(node.last, "p3");
	assert_int_equal(link_client_stats(node.client)->sessions, 2);
	node_close(&node);
	end_close(&end);
	loop_free(loop);
}

static void two_hundred_parked_nodes_are_all_answered_by_one_fan_out(void **state)
{
	static struct node nodes[FLEET];
	unsigned answered = 0;
	uint64_t begun, last;
	struct loop *loop;
	struct end end;
	char address[64];

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	snprintf(address, sizeof address, "127.0.0.1:%u", end_open(&end, loop, "127.0.0.1:0"));
	end.park = true;
	for (unsigned i = 0; i < FLEET; i++) {
		node_open(&nodes[i], loop, address);
		call(&nodes[i], LINK_POLL, "p");
	}
	run_until(loop, &end.n_parked, FLEET);
	begun = loop_now_ms(loop);
	for (unsigned i = 0; i < FLEET; i++)
		assert_int_equal(link_server_reply(end.server, end.parked[i], address, 60), 0);
	for (last = begun; answered < FLEET && last < begun + 30000; last = loop_now_ms(loop)) {
		assert_int_equal(loop_round(loop, 100), 0);
		answered = 0;
		for (unsigned i = 0; i < FLEET; i++)
			answered += nodes[i].results[LINK_OK];
	}
	assert_int_equal(answered, FLEET);
	print_message("the last of %d was answered after %u ms\n", FLEET, (unsigned)(last - begun));
	assert_int_equal(link_server_stats(end.server)->calls, 0);
	for (unsigned i = 0; i < FLEET; i++)
		node_close(&nodes[i]);
	end_close(&end);
	loop_free(loop);
}

static void garbage_on_the_port_disturbs_nobody(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint8_t junk[256];
	struct loop *loop;
	struct end end;
	struct node node;
	char address[64];

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	to.sin_port = end_open(&end, loop, "127.0.0.1:0");
	snprintf(address, sizeof address, "127.0.0.1:%u", to.sin_port);
	to.sin_port = htons(to.sin_port);
	node_open(&node, loop, address);
	for (unsigned i = 1; i <= 20; i++) {
		/* a valid SP greeting of a requester, then a message with too long a length, a hop, no request id, or noise */
		static const uint8_t greeting[8] = { 0, 'S', 'P', 0, 0, 0x30, 0, 0 };
		static const uint8_t tails[4][20] = {
			{ 0, 0, 0, 1 },                                              /* 4 GiB */
			{ 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 1, 0x80, 0, 0, 1, 1, 2, 3, 4 }, /* came through a device */
			{ 0, 0, 0, 0, 0, 0, 0, 2, 1, 2 },
			{ 0, 0, 0, 0, 0, 0, 0, 12, 0x80, 0, 0, 1, 3, 2, 0, 0, 9, 9, 9, 9 },
		};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
		crypto_random(junk, sizeof junk);
		memcpy(junk, greeting, sizeof greeting);
		memcpy(junk + sizeof greeting, tails[i % 4], sizeof tails[0]);
		assert_int_equal(send(fd, junk, i % 5 ? sizeof greeting + sizeof tails[0] : sizeof junk, MSG_NOSIGNAL) > 0, 1);
		call(&node, LINK_REPORT, "still here");
		run_until(loop, &node.results[LINK_OK], i);
		close(fd);
	}
	assert_int_equal(link_client_stats(node.client)->connects, 1);
	node_close(&node);
	end_close(&end);
	loop_free(loop);
}

/* Real sockets only where nobody else's are. */
static bool own_network(void)
{
	struct ifreq request_up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd, r;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = ioctl(fd, SIOCSIFFLAGS, &request_up);
	close(fd);
	return r == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_echoed_over_both_families_and_the_source_is_known),
		cmocka_unit_test(a_parked_poll_waits_while_reports_pass),
		cmocka_unit_test(the_largest_messages_pass_both_ways),
		cmocka_unit_test(the_node_comes_back_by_itself_after_a_restart_of_the_server),
		cmocka_unit_test(two_hundred_parked_nodes_are_all_answered_by_one_fan_out),
		cmocka_unit_test(garbage_on_the_port_disturbs_nobody),
	};

	crypto_init();
	crypto_random(private_key, sizeof private_key);
	if (!own_network()) {
		print_message("skipped: no right to make a network namespace here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
