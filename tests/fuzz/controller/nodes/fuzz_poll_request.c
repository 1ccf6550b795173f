/* Polls: what any machine that has joined can send. */
#include "controller/nodes/poll.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct poll_request q;
	struct health health = { 0 };
	struct pb_arena arena;
	struct why why;
	int r;

	pb_arena_init(&arena, POLL_ARENA_LIMIT);
	r = poll_request_read(data, size, &arena, &q, &why);
	if (r < 0 || (r == 0 && (q.n_awaits > NODE_AWAITS_MAX || q.n_endpoints > RECORD_ENDPOINTS_MAX || q.n_parts > POLL_PARTS_MAX)))
		abort();
	for (size_t i = 0; r == 0 && i < q.n_errors_kept; i++)
		if (strlen(q.errors[i].text) >= sizeof q.errors[i].text || !name_is_utf8(q.errors[i].text, strlen(q.errors[i].text)))
			abort();
	if (r == 0 && q.health)
		health_take(&health, q.health);
	for (size_t i = 0; i < health.n; i++)
		if (health.n > HEALTH_VALUES_MAX || health.values[i].labels[HEALTH_LABELS_SIZE - 1] || strpbrk(health.values[i].labels, "\"\n{}"))
			abort();
	health_deinit(&health);
	pb_arena_deinit(&arena);
	return 0;
}
