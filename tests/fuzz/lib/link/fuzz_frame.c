/* Any bytes at the server's door: nothing is obeyed, everything is counted once. */
#include "lib/link/memory.h"
#include "lib/link/server.h"

#include <stdlib.h>

static unsigned requests;
static int host_of(void *ctx, const uint8_t key[32], uint32_t *ret_host)
{
	*ret_host = 1;
	return 0;
}
static void request(void *ctx, const struct link_request *r)
{
	requests++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct link_server_events events = { .who = host_of, .request = request };
	static const struct link_route route = { { 0, 0, 0, 1, 0x80, 0, 0, 1 } };
	static const struct link_source source = { .len = 16 };
	static struct clock_virtual v = { .seed = 1 };
	static struct link_memory *net;
	static struct link_server *server;
	uint64_t before = 0, after = 0;

	if (!server) {
		struct clock clock = clock_virtual(&v);
		struct link_server_config config = { .private_key = { 1 } };

		crypto_init();
		if (link_memory_new(&clock, &net) < 0 || link_server_new(&clock, link_memory_server(net), &config, &events, NULL, &server) < 0)
			abort();
	}
	for (int i = 0; i < LINK_DROPS; i++)
		before += link_server_stats(server)->dropped[i];
	link_memory_server(net)->received(server, &route, &source, data, size);
	for (int i = 0; i < LINK_DROPS; i++)
		after += link_server_stats(server)->dropped[i];
	if (after != before + 1 || requests)
		abort();
	return 0;
}
