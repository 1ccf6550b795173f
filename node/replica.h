/* replica - the records this node holds: what the controller sent for our scope, at exactly one V. Pure memory, no I/O.
 *
 * Everything enters as a PollReply (replica_take), whether it comes from the link or from the journal after a restart, so there
 * is one path for both. A delta is applied only if it starts where we are (G6); a snapshot is staged and swapped in whole at its
 * END after count and digest agree (G4); within a delta records apply in V order, each only if it is newer than ours (G7). A snapshot
 * that heals replaces the parts that it names and nothing else; V stays.
 *
 * Deletes that come in masses and unexplained are set aside (breaker.h): such a record stays what it was for all who ask here, so
 * that nothing of the machine changes, but it is in no digest, because the controller has it no longer. A later record of its key
 * takes its place, its network's leaving or a release ends it.
 */
#pragma once
#include "lib/base/map.h"
#include "lib/sixpn/record.h"

#define REPLICA_RECORD_COST 96u         /* what a record takes on disk beside its body, at most */
#define REPLICA_PROOF_MAX 64
#define REPLICA_BYTES_MAX (192u << 20) /* bodies and that; a larger scope is refused */

struct Sixpn__PollReply;

struct replica_part { /* a digest part: the fabric, one network's shared records, or our private records */
	uint32_t network;
	bool is_private;
	struct digest digest;
};

struct replica {
	struct map records;  /* kind + key -> struct replica_record */
	struct map parts;    /* network (4 bytes) -> struct replica_part */
	struct replica_part fabric, mine;
	size_t n_by_kind[RECORD_KIND_MAX];
	size_t bytes;        /* of all bodies */
	size_t n_held;       /* records whose delete is held back */
	uint64_t v, epoch, scope_version;
	uint8_t log_id[16];
	bool has_log_id;
	bool torn;           /* memory ran out in the middle of a reply: what is here was never true; until a whole snapshot is in,
				nothing may be concluded from a record's absence */
	uint64_t last_commit_ms; /* Unix time of the newest change applied; 0 = unknown */
	uint8_t head_proof[REPLICA_PROOF_MAX]; /* the controller's own word that (epoch, log_id, v) is true; none = nobody need believe us */
	size_t head_proof_len;
	struct replica *staging; /* a snapshot on its way; NULL = none */
	uint32_t staged_part, staged_parts;
	bool staging_heals;      /* the snapshot replaces only the parts in heal[] */
	struct map excused;      /* of a staging: keys and networks whose absence the snapshot explains */
};

struct replica_record {
	uint8_t map_key[4 + RECORD_KEY_MAX];
	size_t map_key_len;
	struct record *record; /* owned */
	uint64_t held_v;       /* V of the delete that is held back; 0 = none */
};

/* What one reply changed; for the planners. Records are borrowed until the next call that changes the replica. */
struct replica_change {
	bool all;                  /* a snapshot came in: everything may have changed */
	bool fabric;               /* regions or nodes */
	bool peers;                /* peers, their keys, or a network that may hold some */
	uint32_t *networks;        /* touched, ascending, no duplicates */
	size_t n_networks, cap_networks;
	size_t n_upserts, n_deletes, n_ignored, n_held; /* n_held: deletes set aside now */
};
void replica_change_deinit(struct replica_change *c);

enum {
	REPLICA_NOT_OURS = 2,      /* other epoch or log than we may obey */
	REPLICA_GAP = 3,           /* a delta that does not start at our V */
	REPLICA_WRONG_DIGEST = 4,  /* a snapshot whose END does not fit what came */
};

void replica_init(struct replica *r);
void replica_deinit(struct replica *r);

/* Applies one reply of kind SNAPSHOT, DELTA or NOTHING. 0: applied (or staged); E_REFUSED with why: it breaks the protocol;
 * REPLICA_*: see above; nothing has changed then, staging is dropped. ret_change is filled (may be NULL). */
int replica_take(struct replica *r, const struct Sixpn__PollReply *reply, struct replica_change *ret_change, struct why *why) MUST_CHECK;
void replica_drop_staging(struct replica *r);
/* Would a reply with this identity be obeyed? Equal pair, or a greater epoch. */
bool replica_obeys(const struct replica *r, uint64_t epoch, const uint8_t *log_id, size_t log_id_len);

/* The sum of all parts, as a Poll carries it. */
struct digest replica_digest(const struct replica *r);
/* Calls back for every record of a kind (0 = all) in any order; another result than 0 ends the walk and is returned. */
int replica_each(const struct replica *r, uint32_t kind, int (*each)(void *ctx, const struct record *record), void *ctx);
const struct record *replica_find(const struct replica *r, uint32_t kind, const void *key, size_t key_len);
int replica_each_part(const struct replica *r, int (*each)(void *ctx, const struct replica_part *part), void *ctx);

/* The records whose delete is held back, with its V; in any order. */
int replica_each_held(const struct replica *r, int (*each)(void *ctx, const struct record *record, uint64_t held_v), void *ctx);
/* Records of kinds that this version does not know: kept for the digest, nothing else. */
size_t replica_unknown_kinds(const struct replica *r);

/* For the state file: everything as one sequence of encoded records, and back. held_v as in replica_record. */
int replica_insert(struct replica *r, const struct record *record, uint64_t held_v) MUST_CHECK;
