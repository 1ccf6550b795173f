/* wg_genl: the conversation, with a kernel of the test's own: what it answers, loses and interrupts is written down before each call. */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/crypto.h"
#include "lib/netlink/wg_genl.h"
#include "tests/unit/lib/netlink/wg_message.h"

#define FAMILY 0x21
#define PORT 77

/* One thing that the kernel does when it is asked to receive. */
struct event {
	enum { ANSWER, FAIL } kind;
	int error; /* FAIL: instead of a datagram */
	uint8_t bytes[2048];
	size_t len;
};

struct kernel {
	struct event events[96];
	size_t n, at;
	uint8_t requests[64][4096]; /* their beginnings */
	size_t n_requests;
	uint32_t seq;      /* of the request that came last */
	const void *buffer; /* what was last received into, and how much: to see whether it was wiped */
	size_t buffer_len;
	int send_error;
	bool closed;
};

static struct kernel kernel;

static int kernel_send(void *ctx, const void *bytes, size_t len)
{
	struct kernel *k = ctx;

	assert_true(k->n_requests < ARRAY_LEN(k->requests));
	memcpy(k->requests[k->n_requests++], bytes, len < 4096 ? len : 4096);
	memcpy(&k->seq, (const uint8_t *)bytes + 8, 4);
	return k->send_error;
}

/* Sequence number 0 stands for that of the last request. */
static ssize_t kernel_receive(void *ctx, void *ret_bytes, size_t size)
{
	struct kernel *k = ctx;
	const struct event *e;

	if (k->at == k->n)
		return -ETIMEDOUT;
	e = &k->events[k->at++];
	if (e->kind == FAIL)
		return e->error;
	assert_true(e->len <= size);
	memcpy(ret_bytes, e->bytes, e->len);
	for (size_t at = 0; at + 16 <= e->len;) {
		uint32_t len, seq;

		memcpy(&len, (uint8_t *)ret_bytes + at, 4);
		memcpy(&seq, (uint8_t *)ret_bytes + at + 8, 4);
		if (!seq)
			memcpy((uint8_t *)ret_bytes + at + 8, &k->seq, 4);
		at += (len + 3u) & ~3u;
	}
	k->buffer = ret_bytes;
	k->buffer_len = e->len;
	return (ssize_t)e->len;
}

static void kernel_close(void *ctx)
{
	((struct kernel *)ctx)->closed = true;
}

static const struct wg_genl_transport transport = { kernel_send, kernel_receive, kernel_close };

static struct event *next_event(void)
{
	assert_true(kernel.n < ARRAY_LEN(kernel.events));
	return &kernel.events[kernel.n++];
}

static void answer(struct message *m)
{
	struct event *e = next_event();

	message_end(m);
	assert_true(m->len <= sizeof(e->bytes));
	memcpy(e->bytes, m->bytes, m->len);
	e->len = m->len;
}

static void fails(int error)
{
	*next_event() = (struct event){ .kind = FAIL, .error = error };
}

/* NLMSG_ERROR: the acknowledgement, or -errno */
static void verdict(int error)
{
	static struct message m;
	static const uint8_t request[16];

	message_begin(&m, NLMSG_ERROR, 0x100, 0, PORT); /* capped */
	message_put(&m, &error, 4);
	message_put(&m, request, 16);
	answer(&m);
}

static void done(void)
{
	static struct message m;
	int error = 0;

	message_begin(&m, NLMSG_DONE, NLM_F_MULTI, 0, PORT);
	message_put(&m, &error, 4);
	answer(&m);
}

static void family(void)
{
	static struct message m;
	static const uint8_t genl[4] = { 1, 2 };
	uint16_t number = FAMILY;

	message_begin(&m, 0x10, 0, 0, PORT);
	message_put(&m, genl, 4);
	message_attr(&m, 2, "wireguard", 10);
	message_attr(&m, 1, &number, 2);
	answer(&m);
	verdict(0);
}

static void put_key(struct message *m, uint16_t type, uint8_t value)
{
	uint8_t key[32];

	memset(key, value, sizeof(key));
	message_attr(m, type, key, sizeof(key));
}

/* A message of a dump with one peer (0 = none); the first part has the device. */
static void part(bool first, uint8_t peer, uint16_t flags, uint32_t seq)
{
	static struct message m;
	static const uint8_t genl[4] = { 0, 1 };
	uint16_t port = 51821;

	message_begin(&m, FAMILY, NLM_F_MULTI | flags, seq, PORT);
	message_put(&m, genl, 4);
	if (first) {
		uint8_t private_key[32], public_key[32];

		memset(private_key, 0x55, sizeof(private_key));
		crypto_x25519_public(private_key, public_key);
		message_attr(&m, 6, &port, 2);
		message_attr(&m, 3, private_key, 32);
		message_attr(&m, 4, public_key, 32);
	}
	if (peer) {
		size_t peers = message_nest(&m, 8), one = message_nest(&m, 0);

		put_key(&m, 1, peer);
		put_key(&m, 2, 0x77);
		message_nest_end(&m, one);
		message_nest_end(&m, peers);
	}
	answer(&m);
}

static struct wg_genl *genl;
static struct wg wg;

static int set_up(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	assert_int_equal(wg_genl_open_with("sixpn-mesh", &transport, &kernel, PORT, &genl), 0);
	wg = wg_genl_backend(genl);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	genl = wg_genl_free(genl);
	return kernel.closed ? 0 : -1;
}

struct seen {
	unsigned n;
	uint8_t keys[8];
};

static void see(void *ctx, const struct wg_peer_status *status)
{
	struct seen *seen = ctx;

	assert_true(seen->n < 8);
	seen->keys[seen->n++] = status->peer.public_key[0];
}

static unsigned command_of(size_t request)
{
	return kernel.requests[request][16];
}

static void a_dump_of_several_messages_is_one(void **state)
{
	struct wg_device device = { 0 };
	struct seen seen = { 0 };

	(void)state;
	family();
	part(true, 1, 0, 0);
	part(false, 2, 0, 0);
	part(false, 3, 0, 0);
	done();
	assert_int_equal(wg_dump(&wg, see, &seen, &device), 0);
	assert_int_equal(seen.n, 3);
	assert_memory_equal(seen.keys, "\1\2\3", 3);
	assert_true(device.has_key);
	assert_int_equal(device.listen_port, 51821);
	assert_int_equal(kernel.n_requests, 2);
}

static void a_disturbed_dump_is_asked_again_and_delivered_once(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	family();
	part(true, 1, 0, 0);
	part(false, 2, NLM_F_DUMP_INTR, 0);
	done();
	part(true, 4, 0, 0);
	done();
	assert_int_equal(wg_dump(&wg, see, &seen, NULL), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.keys[0], 4);
	assert_int_equal(kernel.n_requests, 3);
}

static void a_dump_that_never_stands_still_ends_with_eintr(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	family();
	for (int i = 0; i < 20; i++) {
		part(true, 1, NLM_F_DUMP_INTR, 0);
		done();
	}
	assert_int_equal(wg_dump(&wg, see, &seen, NULL), -EINTR);
	assert_int_equal(seen.n, 0);
	assert_true(kernel.n_requests < 20);
}

static void a_lost_part_of_a_dump_is_asked_again(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	family();
	part(true, 1, 0, 0);
	fails(-ENOBUFS);
	part(false, 3, 0, 0);
	done();
	part(true, 1, 0, 0);
	part(false, 2, 0, 0);
	done();
	assert_int_equal(wg_dump(&wg, see, &seen, NULL), 0);
	assert_int_equal(seen.n, 2);
	assert_memory_equal(seen.keys, "\1\2", 2);
}

static void a_kernel_that_only_loses_is_enobufs(void **state)
{
	(void)state;
	family();
	for (int i = 0; i < 60; i++)
		fails(-ENOBUFS);
	assert_int_equal(wg_dump(&wg, NULL, NULL, NULL), -ENOBUFS);
	assert_true(kernel.at < 60);
}

static void answers_to_a_request_that_was_given_up_are_passed_over(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	family();
	part(true, 9, 0, 4242);
	part(true, 1, 0, 0);
	done();
	assert_int_equal(wg_dump(&wg, see, &seen, NULL), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.keys[0], 1);
}

static void what_was_received_is_wiped(void **state)
{
	(void)state;
	family();
	part(true, 1, 0, 0);
	assert_int_equal(wg_dump(&wg, NULL, NULL, NULL), -ETIMEDOUT); /* the last thing received held both secrets */
	assert_true(kernel.buffer_len > 100);
	for (size_t i = 0; i < kernel.buffer_len; i++)
		assert_int_equal(((const uint8_t *)kernel.buffer)[i], 0);
}

static void the_kernels_errors_come_through(void **state)
{
	static const int errors[] = { -EPERM, -ENODEV, -EOPNOTSUPP, -ENOMEM, -EINVAL };
	struct wg_peer peer = { .public_key = { 1 } };
	struct wg_step step = { .kind = WG_STEP_ADD, .peer = &peer };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		memset(&kernel, 0, sizeof(kernel));
		family();
		verdict(errors[i]);
		assert_int_equal(wg_apply(&wg, &step, 1), errors[i]);
		memset(&kernel, 0, sizeof(kernel));
		family();
		verdict(errors[i]);
		assert_int_equal(wg_dump(&wg, NULL, NULL, NULL), errors[i]);
	}
	memset(&kernel, 0, sizeof(kernel));
	verdict(-ENOENT); /* no such family */
	assert_int_equal(wg_dump(&wg, NULL, NULL, NULL), -ENOENT);
	memset(&kernel, 0, sizeof(kernel));
	family();
	fails(-ENOBUFS);
	assert_int_equal(wg_apply(&wg, &step, 1), -ENOBUFS); /* of a change nobody knows whether it was made: the caller looks */
	kernel.send_error = -ENOBUFS;
	assert_int_equal(wg_dump(&wg, NULL, NULL, NULL), -ENOBUFS);
}

static void an_error_ends_the_walk_over_the_steps(void **state)
{
	static struct wg_peer peers[600];
	static struct wg_step steps[600];

	(void)state;
	for (unsigned i = 0; i < 600; i++) {
		memcpy(peers[i].public_key, &i, sizeof(i));
		steps[i] = (struct wg_step){ .kind = WG_STEP_ADD, .peer = &peers[i] };
	}
	family();
	verdict(0);
	verdict(-ENOSPC);
	assert_int_equal(wg_apply(&wg, steps, 600), -ENOSPC);
	assert_int_equal(kernel.n_requests, 3);
	memset(&kernel, 0, sizeof(kernel));
	family();
	for (int i = 0; i < 3; i++)
		verdict(0);
	assert_int_equal(wg_apply(&wg, steps, 600), 0);
	assert_int_equal(kernel.n_requests, 4);
	assert_int_equal(wg_apply(&wg, steps, 0), 0);
	assert_int_equal(kernel.n_requests, 4);
}

static void a_key_and_a_port_that_are_there_are_not_set_again(void **state)
{
	uint8_t private_key[32], other[32] = { 1 };
	size_t len;

	(void)state;
	memset(private_key, 0x55, sizeof(private_key));
	family();
	part(true, 0, 0, 0);
	done();
	assert_int_equal(wg_set_device(&wg, private_key, 51821), 0);
	assert_int_equal(kernel.n_requests, 2);

	family();
	part(true, 0, 0, 0);
	done();
	family();
	verdict(0);
	assert_int_equal(wg_set_device(&wg, private_key, 51900), 0);
	assert_int_equal(command_of(5), 1);
	assert_null(attr_find(&kernel.requests[5][20], 40, 3, &len)); /* the port alone */
	assert_non_null(attr_find(&kernel.requests[5][20], 40, 6, &len));

	kernel.n_requests = 0;
	family();
	part(true, 0, 0, 0);
	done();
	family();
	verdict(0);
	assert_int_equal(wg_set_device(&wg, other, 51821), 0);
	assert_non_null(attr_find(&kernel.requests[3][20], 80, 3, &len));
	assert_null(attr_find(&kernel.requests[3][20], 80, 6, &len));
}

static void a_name_that_no_device_can_have_is_refused(void **state)
{
	struct wg_genl *none;

	(void)state;
	assert_int_equal(wg_genl_open("", &none), -EINVAL);
	assert_int_equal(wg_genl_open("sixteen-letters-", &none), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_dump_of_several_messages_is_one),
		T(a_disturbed_dump_is_asked_again_and_delivered_once),
		T(a_dump_that_never_stands_still_ends_with_eintr),
		T(a_lost_part_of_a_dump_is_asked_again),
		T(a_kernel_that_only_loses_is_enobufs),
		T(answers_to_a_request_that_was_given_up_are_passed_over),
		T(what_was_received_is_wiped),
		T(the_kernels_errors_come_through),
		T(an_error_ends_the_walk_over_the_steps),
		T(a_key_and_a_port_that_are_there_are_not_set_again),
		cmocka_unit_test(a_name_that_no_device_can_have_is_refused),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
