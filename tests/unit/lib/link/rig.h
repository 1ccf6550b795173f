/* rig - a controller's and several nodes' ends of the link on the in-memory network and a virtual clock, for the tests of this
 * room. The server echoes ("re:" + payload) or parks; every frame that travels is kept. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lib/link/client.h"
#include "lib/link/memory.h"
#include "lib/link/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIG_NODES 80
#define RIG_FRAMES 4096

struct rig_node {
	struct rig *rig;
	unsigned number;
	uint8_t private_key[32], public_key[32];
	struct link_client_config config;
	struct link_client_transport *transport;
	struct link_client *client;
	uint64_t wake_ms;
	int who; /* what the controller says of its key */
	unsigned results[5];
	char last[64];
};

struct rig {
	struct clock_virtual v;
	struct clock clock;
	struct link_memory *net;
	struct link_server *server;
	struct link_server_config server_config;
	struct rig_node nodes[RIG_NODES];
	unsigned n_nodes;
	bool park, silent_hello; /* park: keep handles of polls */
	unsigned requests, abandoned, clones;
	uint64_t parked[1024];
	unsigned n_parked;
	uint64_t abandoned_last;
	struct link_request request; /* the last, without payload */
	char payload[64];
	size_t payload_len;
	struct link_clone clone;
	struct link_memory_frame frames[RIG_FRAMES]; /* all that travelled, bytes owned */
	unsigned n_frames;
	void (*fate)(struct rig *rig, struct link_memory_frame *frame); /* may be NULL */
};

static inline void rig_hook(void *ctx, struct link_memory_frame *frame)
{
	struct rig *rig = ctx;

	if (rig->n_frames < RIG_FRAMES) {
		struct link_memory_frame *f = &rig->frames[rig->n_frames++];

		*f = *frame;
		f->bytes = malloc(frame->len + 1);
		memcpy(f->bytes, frame->bytes, frame->len);
	}
	if (rig->fate)
		rig->fate(rig, frame);
}

static inline int rig_who(void *ctx, const uint8_t key[32], uint32_t *ret_host)
{
	struct rig *rig = ctx;

	for (unsigned i = 0; i < rig->n_nodes; i++)
		if (memcmp(rig->nodes[i].public_key, key, 32) == 0) {
			if (rig->nodes[i].who == 0)
				*ret_host = 0xa0000001 + i;
			return rig->nodes[i].who;
		}
	return LINK_WHO_UNKNOWN;
}

static inline void rig_request(void *ctx, const struct link_request *r)
{
	struct rig *rig = ctx;
	char text[80] = "re:";
	size_t n = r->len < sizeof rig->payload ? r->len : sizeof rig->payload;

	rig->requests++;
	rig->request = *r;
	rig->request.payload = NULL;
	memcpy(rig->payload, r->payload, n);
	rig->payload_len = r->len;
	if (rig->park && r->method == LINK_POLL) {
		rig->parked[rig->n_parked++ % 1024] = r->handle;
		return;
	}
	memcpy(text + 3, r->payload, n);
	assert_int_equal(link_server_reply(rig->server, r->handle, text, n + 3), 0);
}

static inline void rig_abandoned(void *ctx, uint64_t handle)
{
	struct rig *rig = ctx;

	rig->abandoned++;
	rig->abandoned_last = handle;
}

static inline void rig_clone(void *ctx, const struct link_clone *clone)
{
	struct rig *rig = ctx;

	rig->clones++;
	rig->clone = *clone;
}

static inline void rig_wake(void *ctx, uint64_t at_ms)
{
	((struct rig_node *)ctx)->wake_ms = at_ms;
}

static inline void rig_done(void *ctx, enum link_result result, const uint8_t *payload, size_t len)
{
	struct rig_node *node = ctx;
	size_t n = len < sizeof node->last - 1 ? len : sizeof node->last - 1;

	node->results[result]++;
	if (result == LINK_OK) {
		memset(node->last, 0, sizeof node->last);
		memcpy(node->last, payload, n);
	}
}

static inline void rig_start_server(struct rig *rig)
{
	static const struct link_server_events events = {
		.who = rig_who, .request = rig_request, .abandoned = rig_abandoned, .clone = rig_clone
	};

	assert_int_equal(link_server_new(&rig->clock, link_memory_server(rig->net), &rig->server_config, &events, rig, &rig->server), 0);
}

static inline struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof *rig);

	crypto_init();
	rig->v = (struct clock_virtual){ .now_ms = 1000000, .real_offset_ms = 1700000000000, .seed = 7 };
	rig->clock = clock_virtual(&rig->v);
	assert_int_equal(link_memory_new(&rig->clock, &rig->net), 0);
	link_memory_set_hook(rig->net, rig_hook, rig);
	clock_random(&rig->clock, rig->server_config.private_key, 32);
	rig->server_config.features = 3;
	rig_start_server(rig);
	return rig;
}

static inline void rig_free(struct rig *rig)
{
	for (unsigned i = 0; i < rig->n_nodes; i++)
		link_client_free(rig->nodes[i].client);
	link_server_free(rig->server);
	link_memory_free(rig->net);
	for (unsigned i = 0; i < rig->n_frames; i++)
		free(rig->frames[i].bytes);
	free(rig);
}

static inline void rig_forget_frames(struct rig *rig)
{
	for (unsigned i = 0; i < rig->n_frames; i++)
		free(rig->frames[i].bytes);
	rig->n_frames = 0;
}

static inline void rig_new_client(struct rig_node *node)
{
	static const struct link_client_events events = { .wake_at = rig_wake };

	node->wake_ms = UINT64_MAX;
	assert_int_equal(link_client_new(&node->rig->clock, node->transport, &node->config, &events, node, &node->client), 0);
}

/* A node with its own key, or with the key of another (a clone) if like is not NULL. */
static inline struct rig_node *rig_add(struct rig *rig, enum link_kind kind, const struct rig_node *like)
{
	struct rig_node *node = &rig->nodes[rig->n_nodes];

	node->rig = rig;
	clock_random(&rig->clock, node->private_key, 32);
	if (like)
		memcpy(node->private_key, like->private_key, 32);
	crypto_x25519_public(node->private_key, node->public_key);
	assert_int_equal(link_memory_add_client(rig->net, &node->transport, &node->number), 0);
	node->config = (struct link_client_config){ .kind = kind, .addresses = { "a:1", "b:2" }, .n_addresses = 2, .boot_count = 1, .features = 5 };
	memcpy(node->config.private_key, node->private_key, 32);
	memcpy(node->config.controller_key, link_server_public_key(rig->server), 32);
	clock_random(&rig->clock, node->config.boot_id, 16);
	node->who = kind == LINK_KIND_ENROLL ? LINK_WHO_UNKNOWN : 0;
	rig->n_nodes++;
	rig_new_client(node);
	return node;
}

/* Lets time pass, with all that falls due in it. */
static inline void rig_run(struct rig *rig, uint64_t ms)
{
	uint64_t end = rig->v.now_ms + ms;

	for (;;) {
		uint64_t next = link_memory_next_ms(rig->net);

		for (unsigned i = 0; i < rig->n_nodes; i++)
			if (rig->nodes[i].wake_ms < next)
				next = rig->nodes[i].wake_ms;
		if (next > end)
			break;
		if (next > rig->v.now_ms)
			rig->v.now_ms = next;
		for (unsigned i = 0; i < rig->n_nodes; i++)
			if (rig->nodes[i].wake_ms <= rig->v.now_ms) {
				rig->nodes[i].wake_ms = UINT64_MAX;
				link_client_tick(rig->nodes[i].client);
			}
		link_memory_settle(rig->net);
	}
	rig->v.now_ms = end;
}

static inline int rig_call(struct rig_node *node, enum link_method method, const char *text)
{
	return link_client_call(node->client, method, text, strlen(text), rig_done, node);
}

/* A node that is ready and whose session is confirmed by one answered call. */
static inline struct rig_node *rig_ready(struct rig *rig)
{
	struct rig_node *node = rig_add(rig, LINK_KIND_NODE, NULL);

	link_client_start(node->client);
	assert_int_equal(rig_call(node, LINK_REPORT, "hello"), 0);
	rig_run(rig, 100);
	assert_int_equal(node->results[LINK_OK], 1);
	return node;
}

static inline const struct link_memory_frame *rig_last_frame(struct rig *rig, enum link_type type)
{
	for (unsigned i = rig->n_frames; i > 0; i--)
		if (rig->frames[i - 1].bytes[0] == type)
			return &rig->frames[i - 1];
	fail_msg("no frame of type %d travelled", type);
	return NULL;
}

static inline uint64_t rig_server_drops(const struct rig *rig)
{
	uint64_t sum = 0;

	for (int i = 0; i < LINK_DROPS; i++)
		sum += link_server_stats(rig->server)->dropped[i];
	return sum;
}

static inline uint64_t rig_client_drops(const struct rig_node *node)
{
	uint64_t sum = 0;

	for (int i = 0; i < LINK_DROPS; i++)
		sum += link_client_stats(node->client)->dropped[i];
	return sum;
}
static inline uint64_t rig_dropped(const struct rig *rig, enum link_drop reason)
{
	return link_server_stats(rig->server)->dropped[reason];
}
