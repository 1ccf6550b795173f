/* peer_arrivals - see peer_arrivals.h. Said twice it is done once: the store looks whether the peer is still on its way there. */
#include "controller/nodes/peer_arrivals.h"

#include "controller/nodes/controller_internal.h"
#include "controller/store/store_peer_move.h"
#include "lib/base/log.h"

#include <stdlib.h>
#include <string.h>

struct arrival_op {
	struct op op;
	struct controller *c;
	struct peer_seen seen; /* said once: it is to be known of the new gateway too */
};

static int run(struct store *store, struct op *op)
{
	return store_peer_arrived(store, op, container_of(op, struct arrival_op, op)->seen.id);
}

static void done(struct op *op)
{
	struct arrival_op *a = container_of(op, struct arrival_op, op);
	const struct node_entry *node = node_table_find(&a->c->nodes, op->principal.node);
	uint8_t used[1][ID_LEN];
	char id[ID_TEXT_SIZE];
	size_t n_used;

	controller_op_done(a->c);
	if (op->result)
		log_limited(LOG_L_WARN, "peers", "that peer %s has arrived at %s is not stored: %s; it is once it is said again",
			    id_text(a->seen.id, id), op->principal.text, op->result > 0 ? op->why.text : strerror(-op->result));
	else if (op->v)
		log_info("peers", "peer %s has arrived at %s", id_text(a->seen.id, id), op->principal.text);
	if (op->result == 0 && op->v && node) {
		peers_take(a->c, node, &a->seen, 1, used, &n_used);
		peers_used_stored(a->c, node->host, (const uint8_t(*)[ID_LEN])used, n_used);
	}
	op_deinit(op);
	free(a);
}

bool peer_arrivals_note(struct controller *c, const struct node_entry *node, const struct peer_seen *seen)
{
	struct principal who = principal_node(node->host, node->name);
	uint8_t key[RECORD_PEER_KEY_KEY_LEN];
	struct arrival_op *a;

	peer_key_record_key(seen->id, node->host, key);
	if (!memory_find(&c->memory, RECORD_PEER_KEY, key, sizeof key))
		return false;
	a = calloc(1, sizeof *a);
	if (!a)
		return true;
	a->c = c;
	a->seen = *seen;
	op_init(&a->op, run, done, &who, NULL);
	a->op.frees = true;
	if (!controller_put(c, &a->op))
		free(a);
	return true;
}
