/* node_table - see node_table.h. */
#include "controller/nodes/node_table.h"

#include "controller/nodes/reasons.h"

#include <stdlib.h>
#include <string.h>

void node_table_deinit(struct node_table *t)
{
	struct node_entry *node;

	for (size_t i = 0; (node = node_table_next(t, &i));) {
		health_deinit(&node->health);
		reasons_free(node->reasons);
		free(node->errors);
		free(node->held);
		free(node);
	}
	map_deinit(&t->by_host);
	map_deinit(&t->by_key);
}

static struct node_entry *add(struct node_table *t, const struct store_node *in)
{
	struct node_entry *node = calloc(1, sizeof *node);

	if (!node)
		return NULL;
	node->host = in->host;
	memcpy(node->link_key, in->link_key, sizeof node->link_key);
	node->polled_ms = node->first_pending_v = node->healed_ms = node->cloned_ms = node->asked_ms = node->whole_ms = NODE_NEVER;
	if (map_set(&t->by_key, node->link_key, sizeof node->link_key, node, NULL) < 0) {
		free(node);
		return NULL;
	}
	if (map_set(&t->by_host, &node->host, sizeof node->host, node, NULL) < 0) {
		map_remove(&t->by_key, node->link_key, sizeof node->link_key);
		free(node);
		return NULL;
	}
	return node;
}

int node_table_put(struct node_table *t, const struct store_node *in, struct node_entry **ret_entry)
{
	struct node_entry *node = node_table_find(t, in->host);

	if (!node)
		node = add(t, in);
	if (!node)
		return -ENOMEM;
	memcpy(node->name, in->name, sizeof node->name);
	memcpy(node->region, in->region, sizeof node->region);
	node->roles = in->roles;
	node->draining = in->draining;
	node->revoked = in->revoked_ms != 0;
	memcpy(node->endpoints, in->endpoints, sizeof node->endpoints);
	node->n_endpoints = in->n_endpoints;
	*ret_entry = node;
	return 0;
}

struct node_entry *node_table_find(const struct node_table *t, uint32_t host)
{
	return map_get(&t->by_host, &host, sizeof host);
}

struct node_entry *node_table_find_key(const struct node_table *t, const uint8_t link_key[32])
{
	return map_get(&t->by_key, link_key, 32);
}

struct node_entry *node_table_find_name(const struct node_table *t, const char *name)
{
	struct node_entry *node;

	for (size_t i = 0; (node = node_table_next(t, &i));)
		if (!node->revoked && !strcmp(node->name, name))
			return node;
	return NULL;
}
