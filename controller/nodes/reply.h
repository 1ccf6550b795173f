/* reply - building and sending one PollReply. Records, commits and scope changes are repeated fields and are appended as packed
 * bytes (records were encoded once, in memory); the rest is packed last. Protobuf lets fields come in any order. */
#pragma once
#include "controller/nodes/controller_internal.h"
#include "proto/sixpn.pb-c.h"

struct reply {
	Sixpn__PollReply message; /* kind and what belongs to it; who we are is filled in when it is sent */
	struct buf fields;
};

void reply_init(struct reply *r, Sixpn__PollKind kind);
void reply_deinit(struct reply *r);
void reply_add_record(struct reply *r, const struct memory_record *entry);
void reply_add_commit(struct reply *r, uint64_t v, uint64_t unix_ms);
void reply_add_scope(struct reply *r, uint32_t network, bool entered, uint64_t v);
static inline size_t reply_record_size(const struct memory_record *entry)
{
	return entry->packed_len + 4;
}

/* Answers the node's parked poll, with what was settled for it, and consumes it. -EMSGSIZE: too large, the poll is still parked. */
int reply_send(struct controller *c, struct node_entry *node, struct reply *r) MUST_CHECK;
/* The same for replies without records, which always fit. */
void reply_nothing(struct controller *c, struct node_entry *node, bool want_digests); /* bookmark up to the head */
void reply_retry_after(struct controller *c, struct node_entry *node, uint32_t ms, const char *reason);
/* FENCED, to any poll. */
void reply_fenced(struct controller *c, uint64_t handle, const char *reason);
