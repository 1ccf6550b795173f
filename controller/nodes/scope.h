/* scope - which networks each node may see, computed from the records alone: a network is in the scope of a node while an instance
 * of it runs there (or has its home there) or a peer of it ends there or is about to. Nothing that a node says has any part in it.
 *
 * An entry outlives the leaving as long as the ring remembers it, so that the scope between any cursor in the window and now can
 * be told: present since entered_v, or left at left_v. */
#pragma once
#include "lib/base/map.h"
#include "lib/sixpn/record.h"

struct scope_entry {
	uint32_t network;
	unsigned count;     /* records that make it present; 0 = it left */
	uint64_t entered_v; /* present without a break since then */
	uint64_t left_v;    /* the last time it left, 0 = never; may be a guess that errs towards leaving */
	bool guessed;       /* entered_v is too: it may have been there since any V before it (a start of the controller) */
};

struct scope {
	uint32_t host;
	struct map entries; /* by network */
	uint64_t version;   /* rises whenever the set changes */
};

struct scope_audience { /* of a network: the nodes that have it in scope now */
	uint32_t network;
	uint32_t *hosts;
	size_t n, cap;
};

struct scopes {
	struct map nodes;    /* by host -> struct scope */
	struct map networks; /* by network -> struct scope_audience */
};

/* What one record changed. */
struct scope_change {
	uint32_t hosts[4];
	size_t n;
};

void scopes_deinit(struct scopes *s);
/* One record became another at V; NULL = there was or is none. floor: the ring's, what left before it is forgotten. A record that
 * is being loaded at start (its V is then at most when the network came) sets loading. -ENOMEM. */
int scopes_note(struct scopes *s, const struct record *before, const struct record *after, uint64_t v, uint64_t floor, bool loading,
		struct scope_change *ret_change) MUST_CHECK;
/* At start: a row of the log says that the network was there once. If it is not now, it left at V at the latest. */
int scopes_note_past(struct scopes *s, const struct record *row, uint64_t v) MUST_CHECK;

/* NULL = it never had any network. */
const struct scope *scopes_of(const struct scopes *s, uint32_t host);
const struct scope_audience *scopes_audience(const struct scopes *s, uint32_t network);
/* scope may be NULL, as may the result. */
const struct scope_entry *scope_find(const struct scope *scope, uint32_t network);
static inline bool scope_has(const struct scope *scope, uint32_t network)
{
	const struct scope_entry *e = scope_find(scope, network);

	return e && e->count > 0;
}
/* Does that version concern the node: does it see it, or did it when the version was made? */
bool scope_touched_by(const struct scope *scope, uint32_t host, const struct record *record);
