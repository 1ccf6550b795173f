/* api_peer_move - peers that go to another gateway and keep their address: one, by whoever may change it, or all of a node. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/store_peer_move.h"

static const struct shape_field moves_fields[] = {
	{ "node", SHAPE_STR, 0, NULL, NULL },
	{ "moved", SHAPE_INT, 0, NULL, "at once" },
	{ "left", SHAPE_INT, 0, NULL, "still to be asked for" },
	{ "on_their_way", SHAPE_INT, 0, NULL, NULL },
	{ 0 },
};
static const struct shape moves_shape = { "PeerMoves", false, moves_fields };

static struct store_peer_move wish(const struct api_call *call)
{
	return (struct store_peer_move){ .region = api_str(call, "region"), .gateway = api_str(call, "gateway"),
					 .strict = api_bool(call, "strict", false), .now = api_bool(call, "now", false),
					 .live = call->live, .n_live = call->n_live };
}

static int check_target(struct api_call *call, struct why *why)
{
	if (!api_str(call, "region") && !api_str(call, "gateway"))
		return why_set(why, "value_missing", "region", "say where to: a region or a gateway");
	return 0;
}

static int move(struct store *store, struct api_call *call)
{
	struct store_peer_move in = wish(call);
	char warning[STORE_PEER_WARNING_SIZE];
	struct store_peer peer;
	int r = store_peer_move(store, &call->op, api_query(call, "org"), call->params[0], &in, &peer, warning);

	if (r != 0)
		return r;
	call->reply = api_peer_json(&peer);
	api_wait_for_peer(call, &peer);
	json_object_set_new(call->reply, "warnings", warning[0] ? json_pack("[s]", warning) : json_array());
	return 0;
}

static int move_all(struct store *store, struct api_call *call)
{
	struct store_peer_move in = wish(call);
	struct store_peer_moves moves;
	int r = store_peer_move_from(store, &call->op, call->params[0], &in, &moves);

	if (r == 0)
		call->reply = json_pack("{s:s,s:i,s:i,s:i}", "node", call->params[0], "moved", (int)moves.moved, "left", (int)moves.left,
					"on_their_way", (int)moves.on_their_way);
	return r;
}

static const struct route_field fields[] = {
	{ "region", FIELD_STR, 1, 3, false, "where to; where it has a live gateway already, it stays" },
	{ "gateway", FIELD_STR, 1, 63, false, "to this gateway" },
	{ "strict", FIELD_BOOL, 0, 0, false, "an error instead of another region" },
	{ "now", FIELD_BOOL, 0, 0, false, "do not wait until it has shown up there: the old tunnel ends at once" },
	{ 0 },
};

const struct route api_peer_move_routes[] = {
	{ "POST", "/v1/peers/{peer}/move", ROUTE_TOKEN, .reply = &api_peer_made_shape, .write = true, .query = "org",
	  .fields = fields, .check = check_target, .run = move,
	  .help = "let a peer move to another gateway; its address stays, and so does the old tunnel until the new one is used" },
	{ "POST", "/v1/nodes/{node}/move-peers", ROUTE_OPERATOR, .reply = &moves_shape, .write = true, .fields = fields,
	  .check = check_target, .run = move_all,
	  .help = "let the next hundred peers of a gateway move; again until none is left" },
	{ 0 },
};
