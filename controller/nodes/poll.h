/* poll - a node's long poll: what it holds, and what it is told next. */
#pragma once
#include "controller/nodes/controller_internal.h"
#include "controller/nodes/snapshot.h"
#include "lib/sixpn/pb.h"

#define POLL_PARTS_MAX 4096
#define POLL_DRIFT_MS 60000 /* a copy that drifts is healed at most so often */

struct poll_digest {
	struct snapshot_part part;
	struct digest digest;
};

/* A PollRequest, judged. */
struct poll_request {
	uint64_t epoch, applied_v;
	bool has_log_id, has_token, at_once;
	uint8_t log_id[STORE_LOG_ID_LEN];
	uint8_t digest[DIGEST_LEN];
	uint8_t head_proof[64];
	size_t head_proof_len;
	uint8_t token[SNAPSHOT_TOKEN_LEN];
	char version[32];
	const struct node_error *errors; /* in the arena: the first n_errors_kept */
	size_t n_errors, n_errors_kept;
	const struct node_held *held; /* in the arena */
	size_t n_held, n_held_kept;
	uint64_t features;
	struct node_await awaits[NODE_AWAITS_MAX];
	size_t n_awaits;
	const struct poll_digest *parts; /* in the arena */
	size_t n_parts;
	struct addr_endpoint endpoints[RECORD_ENDPOINTS_MAX];
	size_t n_endpoints;
	bool has_metrics;
	struct addr_endpoint metrics; /* where others scrape it; an address of zeros is any of its own */
	bool has_gateway; /* it says where customers find it */
	char gateway_host[254];
	uint16_t gateway_port;
	uint8_t gateway_key[32];
	const struct Sixpn__Health *health; /* in the arena; NULL = it said nothing of it */
};

/* The door: bytes of a LINK_POLL. The arena must have been made by the caller and outlive *ret. E_REFUSED with why. */
int poll_request_read(const void *bytes, size_t len, struct pb_arena *arena, struct poll_request *ret, struct why *why) MUST_CHECK;
#define POLL_ARENA_LIMIT (2u << 20)
/* Endpoints as they come in a message; also of EnrollRequest. E_REFUSED. */
struct Sixpn__Endpoint;
int poll_read_endpoints(struct Sixpn__Endpoint *const *list, size_t n, struct addr_endpoint ret[RECORD_ENDPOINTS_MAX], size_t *ret_n,
			struct why *why) MUST_CHECK;

/* A LINK_POLL came. */
void poll_take(struct controller *c, const struct link_request *request);
/* Something has changed for this node: answer its parked poll if there is something to say. */
void poll_answer(struct controller *c, struct node_entry *node);
/* Ends polls that were parked long enough; the next time to look, UINT64_MAX = none is parked. */
uint64_t poll_expire(struct controller *c);
/* Nodes whom nothing concerned for long are given bookmarks before the window leaves their cursors behind: they need no snapshot then
 * if they or we start anew (G8). Due when the window has moved on by some. */
bool poll_quiet_is_due(const struct controller *c);
void poll_move_quiet_on(struct controller *c);
/* The sum of all parts of the node's scope, as the node should have it. */
struct digest poll_scope_digest(const struct controller *c, uint32_t host);
