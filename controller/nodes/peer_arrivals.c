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
	uint8_t peer[ID_LEN];
};

static int run(struct store *store, struct op *op)
{
	return store_peer_arrived(store, op, container_of(op, struct arrival_op, op)->peer);
}

static void done(struct op *op)
{
	struct arrival_op *a = container_of(op, struct arrival_op, op);
	char id[ID_TEXT_SIZE];

	controller_op_done(a->c);
	if (op->result)
		log_limited(LOG_L_WARN, "peers", "that peer %s has arrived at %s is not stored: %s; it is once it is said again",
			    id_text(a->peer, id), op->principal.text, op->result > 0 ? op->why.text : strerror(-op->result));
	else if (op->v)
		log_info("peers", "peer %s has arrived at %s", id_text(a->peer, id), op->principal.text);
	op_deinit(op);
	free(a);
}

bool peer_arrivals_note(struct controller *c, const struct node_entry *node, const uint8_t peer[ID_LEN])
{
	struct principal who = principal_node(node->host, node->name);
	uint8_t key[RECORD_PEER_KEY_KEY_LEN];
	struct arrival_op *a;

	peer_key_record_key(peer, node->host, key);
	if (!memory_find(&c->memory, RECORD_PEER_KEY, key, sizeof key))
		return false;
	a = calloc(1, sizeof *a);
	if (!a)
		return true;
	a->c = c;
	memcpy(a->peer, peer, ID_LEN);
	op_init(&a->op, run, done, &who, NULL);
	a->op.frees = true;
	if (!controller_put(c, &a->op))
		free(a);
	return true;
}
