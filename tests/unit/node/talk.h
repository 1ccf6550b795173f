/* talk - a node's end of a real link over the in-memory network and a controller that says what the test tells it. The loop is the
 * real one and its time too; nothing sleeps: every wait ends with the event that it waits for. */
#pragma once
#include "tests/unit/node/made.h"

#include "lib/base/loop.h"
#include "lib/link/client.h"
#include "lib/link/memory.h"
#include "lib/link/server.h"

#define TALK_LIMIT_MS 20000

struct talk {
	struct loop *loop;
	struct clock clock;
	struct link_memory *net;
	struct link_server *server;
	struct link_client *client;
	struct loop_timer tick;
	/* the last call of each method: its handle (0 = answered or abandoned) and what it said */
	uint64_t handle[LINK_METHODS];
	struct pb_arena arena[LINK_METHODS];
	void *said[LINK_METHODS];
	unsigned calls[LINK_METHODS], seen[LINK_METHODS], abandoned;
};

static inline int talk_who(void *ctx, const uint8_t key[CRYPTO_KEY_LEN], uint32_t *ret_host)
{
	(void)ctx;
	(void)key;
	*ret_host = MADE_HOST;
	return 0;
}

static inline void talk_request(void *ctx, const struct link_request *request)
{
	struct talk *t = ctx;
	enum link_method m = request->method;

	t->calls[m]++;
	t->handle[m] = request->handle;
	pb_arena_deinit(&t->arena[m]);
	pb_arena_init(&t->arena[m], 8 << 20);
	t->said[m] = pb_unpack(&t->arena[m], m == LINK_POLL ? &sixpn__poll_request__descriptor : &sixpn__report_request__descriptor,
			       request->payload, request->len);
	assert_non_null(t->said[m]);
}

static inline void talk_abandoned(void *ctx, uint64_t handle)
{
	struct talk *t = ctx;

	t->abandoned++;
	for (int m = 0; m < LINK_METHODS; m++)
		if (t->handle[m] == handle)
			t->handle[m] = 0;
}

static inline void talk_clone(void *ctx, const struct link_clone *clone)
{
	(void)ctx;
	(void)clone;
}

static inline void talk_tick(struct loop_timer *timer)
{
	link_client_tick(container_of(timer, struct talk, tick)->client);
}

static inline void talk_wake(void *ctx, uint64_t mono_ms)
{
	struct talk *t = ctx;

	assert_int_equal(loop_set_timer(t->loop, &t->tick, mono_ms), 0);
}

static inline struct talk *talk_new(void)
{
	static const struct link_server_events server_events = { talk_who, talk_request, talk_abandoned, talk_clone };
	static const struct link_client_events client_events = { .wake_at = talk_wake };
	struct talk *t = calloc(1, sizeof *t);
	struct link_server_config server = { 0 };
	struct link_client_config client = { .kind = LINK_KIND_NODE, .addresses = { "controller:1" }, .n_addresses = 1, .boot_count = 1 };
	struct link_client_transport *transport;
	uint8_t unused[32];
	unsigned number;

	t->clock = clock_real();
	t->tick.expired = talk_tick;
	for (int m = 0; m < LINK_METHODS; m++)
		pb_arena_init(&t->arena[m], 1);
	crypto_x25519_keypair(server.private_key, client.controller_key);
	crypto_x25519_keypair(client.private_key, unused);
	assert_int_equal(loop_new(&t->loop), 0);
	assert_int_equal(link_memory_new(&t->clock, &t->net), 0);
	assert_int_equal(link_server_new(&t->clock, link_memory_server(t->net), &server, &server_events, t, &t->server), 0);
	assert_int_equal(link_memory_add_client(t->net, &transport, &number), 0);
	assert_int_equal(link_client_new(&t->clock, transport, &client, &client_events, t, &t->client), 0);
	return t;
}

/* Users of the client are freed between the two. */
static inline void talk_stop(struct talk *t)
{
	link_client_stop(t->client);
}

static inline void talk_free(struct talk *t)
{
	t->client = link_client_free(t->client);
	t->server = link_server_free(t->server);
	t->net = link_memory_free(t->net);
	loop_cancel_timer(&t->tick);
	t->loop = loop_free(t->loop);
	for (int m = 0; m < LINK_METHODS; m++)
		pb_arena_deinit(&t->arena[m]);
	free(t);
}

/* Goes on until done(ctx); fails the test if nothing of the kind happens in TALK_LIMIT_MS. */
static inline void talk_until(struct talk *t, bool (*done)(void *ctx), void *ctx)
{
	uint64_t limit = clock_mono_ms(&t->clock) + TALK_LIMIT_MS;

	link_memory_settle(t->net);
	while (!done(ctx)) {
		assert_true(clock_mono_ms(&t->clock) < limit);
		assert_int_equal(loop_round(t->loop, TALK_LIMIT_MS), 0);
		link_memory_settle(t->net);
	}
}

struct talk_wait {
	struct talk *talk;
	enum link_method method;
};

static inline bool talk_called(void *ctx)
{
	const struct talk_wait *w = ctx;

	return w->talk->calls[w->method] != w->talk->seen[w->method];
}

/* The next call of the method that was not looked at yet; if several came, the last. */
static inline void *talk_next(struct talk *t, enum link_method method)
{
	struct talk_wait w = { t, method };

	talk_until(t, talk_called, &w);
	t->seen[method] = t->calls[method];
	return t->said[method];
}

static inline bool talk_has_news(struct talk *t, enum link_method method)
{
	link_memory_settle(t->net);
	return t->calls[method] != t->seen[method];
}

static inline void talk_answer_bytes(struct talk *t, enum link_method method, const void *bytes, size_t n)
{
	uint64_t handle = t->handle[method];

	assert_int_not_equal(handle, 0);
	t->handle[method] = 0;
	assert_int_equal(link_server_reply(t->server, handle, bytes, n), 0);
	link_memory_settle(t->net);
}
