/* resolvers - see resolvers.h. */
#include "node/resolvers.h"

#include "lib/base/log.h"
#include "node/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void complain(struct node *node, uint32_t network, int error)
{
	struct in6_addr address = addr_network_resolver(network);
	const struct record *record;
	char text[200], where[ADDR_TEXT_LEN];
	uint8_t key[4];

	put_u32(key, network);
	record = replica_find(&node->replica, RECORD_NETWORK, key, sizeof key);
	snprintf(text, sizeof text, "its peers get no answers at %s: %s", addr_text(&address, where),
		 error == -EMFILE ? "this machine answers for as many networks as it can (file descriptors)" : strerror(-error));
	log_limited(LOG_L_ERR, "dns", "network %08x: %s", network, text);
	node_errors_add(&node->errors, RECORD_NETWORK, key, sizeof key, record ? record->v : node->replica.v, text);
}

bool resolvers_sync(struct node *node, const uint32_t *networks, size_t n)
{
	int *errors = node->kernel->listen ? calloc(n + 1, sizeof *errors) : NULL;
	bool again = false;

	if (!errors)
		return node->kernel->listen != NULL; /* no memory: they stay as they are */
	node->kernel->listen(node, networks, n, errors);
	node->n_unserved = 0;
	for (size_t i = 0; i < n; i++) {
		if (!errors[i])
			continue;
		node->n_unserved++;
		complain(node, networks[i], errors[i]);
		again |= errors[i] != -EMFILE; /* else only somebody's leaving makes room, and that is a change */
	}
	free(errors);
	return again;
}
