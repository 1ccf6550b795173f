/* archive - the oracle's own copy of a log, read with SQL of its own, and what follows from it: who may see what at which V. Nothing
 * here uses the product's code for scope, memory, deltas or records: bodies are read with the generated protobuf code alone. */
#pragma once
#include "lib/sixpn/record.h"

struct row {
	struct record *record; /* owned */
	struct row *before, *after; /* versions of the same record */
	/* of an instance: where it makes its network present; of a peer: its gateway; of its key: whose it is, also of a tombstone */
	uint32_t places[2];
	unsigned n_places;
	uint32_t desired, observed;
	uint64_t generation;
	uint8_t app[8];
	char name[64]; /* of an app; the label of a peer */
	uint32_t instance, word; /* of an instance: its field of the address, its home host; of a node: its host word */
	bool skip, suspended;
	uint32_t speakers[2]; /* of an instance, of a peer that is not suspended: the hosts that may speak because of it */
	unsigned n_speakers;
	uint8_t public_key[32], preshared_key[32]; /* of a peer's key; zeros = none */
	struct in6_addr address; /* of a peer */
	uint64_t expires_ms;
};

struct archive {
	struct archive *next;
	uint8_t log_id[16];
	uint64_t epoch;
	struct row **rows; /* rows[v - 1] */
	uint64_t n, cap;
	uint64_t peers_checked; /* up to that V (peers.c) */
};

/* The log that this epoch wrote; NULL = no controller ever did. */
const struct archive *archive_of(const struct archive *list, uint64_t epoch, const void *log_id);
struct archive *archive_new(const uint8_t log_id[16], uint64_t epoch);
struct archive *archive_free(struct archive *a);
/* The row of V = n + 1. */
void archive_add(struct archive *a, const struct record *record);
bool archive_same_row(const struct archive *a, const struct archive *b, uint64_t v);

static inline const struct row *archive_row(const struct archive *a, uint64_t v)
{
	return v && v <= a->n ? a->rows[v - 1] : NULL;
}
/* Is it the newest version at V, and not a tombstone? */
static inline bool row_is_current(const struct row *row, uint64_t v)
{
	return row->record->v <= v && (!row->after || row->after->record->v > v) && !row->record->deleted;
}
/* Current at V, of that key; NULL = none. */
const struct row *archive_find(const struct archive *a, uint64_t v, uint32_t kind, const void *key, size_t key_len);

/* The networks of a host: at V, and between V and `until`. */
struct stay {
	uint32_t network;
	int count;
	bool at_v, ever, always; /* at V; at any V in [V, until]; at all of them */
};
struct stays {
	struct stay list[128];
	size_t n;
};
void archive_stays(const struct archive *a, uint32_t host, uint64_t v, uint64_t until, struct stays *ret);
/* The same of the networks in which it may be heard. */
void archive_speaks(const struct archive *a, uint32_t host, uint64_t v, uint64_t until, struct stays *ret);
const struct stay *stays_find(const struct stays *s, uint32_t network);
