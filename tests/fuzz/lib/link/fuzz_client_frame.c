/* Any bytes as the answer to a node's open handshake or open call: none completes it, each is counted once. The first byte of the
 * input says which of the two the client waits for. */
#include "lib/link/client.h"
#include "lib/link/memory.h"
#include "lib/link/server.h"

#include <stdlib.h>

struct side {
	struct link_memory *net;
	struct link_client_transport *end;
	struct link_client *client;
	struct link_server *server;
	uint32_t request_id;
};

static struct clock_virtual v = { .now_ms = 1000, .seed = 1 };

static int host_of(void *ctx, const uint8_t key[32], uint32_t *ret_host)
{
	*ret_host = 1;
	return 0;
}
static void request(void *ctx, const struct link_request *r)
{
}
static void wake_at(void *ctx, uint64_t at_ms)
{
}
static void done(void *ctx, enum link_result result, const uint8_t *payload, size_t len)
{
	abort();
}
static void note_request(void *ctx, struct link_memory_frame *frame)
{
	if (frame->to_server)
		((struct side *)ctx)->request_id = frame->request_id;
}

static void side_open(struct side *s, bool ready)
{
	static const struct link_server_events server_events = { .who = host_of, .request = request };
	static const struct link_client_events client_events = { .wake_at = wake_at };
	struct link_client_config config = { .kind = LINK_KIND_NODE, .private_key = { 2 }, .addresses = { "a:1" }, .n_addresses = 1 };
	struct link_server_config server_config = { .private_key = { 1 } };
	struct clock clock = clock_virtual(&v);
	unsigned number;

	crypto_x25519_public(server_config.private_key, config.controller_key);
	if (link_memory_new(&clock, &s->net) < 0 || link_memory_add_client(s->net, &s->end, &number) < 0 ||
	    link_server_new(&clock, link_memory_server(s->net), &server_config, &server_events, NULL, &s->server) < 0 ||
	    link_client_new(&clock, s->end, &config, &client_events, NULL, &s->client) < 0)
		abort();
	link_memory_set_hook(s->net, note_request, s);
	link_memory_set_cut(s->net, 0, ready ? LINK_CUT_NONE : LINK_CUT_TO_SERVER);
	link_client_start(s->client);
	if (link_client_call(s->client, LINK_POLL, "p", 1, done, NULL) < 0)
		abort();
	link_memory_settle(s->net);
}

/* A hint needs no key: whoever hits the session number may cause a handshake. All else must be dropped. */
static uint64_t judged(const struct side *s)
{
	uint64_t n = link_client_stats(s->client)->hints;

	for (int i = 0; i < LINK_DROPS; i++)
		n += link_client_stats(s->client)->dropped[i];
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct side sides[2];
	uint64_t before, after;
	struct side *s;

	if (!sides[0].net) {
		crypto_init();
		side_open(&sides[0], false);
		side_open(&sides[1], true);
	}
	if (size < 1)
		return 0;
	s = &sides[data[0] & 1];
	before = judged(s);
	s->end->reply(s->client, s->request_id, data + 1, size - 1);
	after = judged(s);
	if (after != before + 1)
		abort();
	return 0;
}
