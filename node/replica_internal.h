/* replica_internal - what replica.c (content, deltas) and replica_snapshot.c (staging, healing) share with each other and with
 * nobody else. */
#pragma once
#include "node/breaker.h"
#include "node/replica.h"
#include "proto/sixpn.pb-c.h"

struct replica_record *replica_get(const struct replica *r, const struct record *rec);
/* Out of map, digest and counts, and freed. */
void replica_forget(struct replica *r, struct replica_record *rec);
/* Its delete at V is held back from now on: out of the digest, else as it was. */
void replica_hold(struct replica *r, struct replica_record *rec, uint64_t v);
void replica_free_content(struct replica *r);
/* The planners must look at what this record belongs to. */
int replica_note(struct replica_change *c, const struct record *rec);
void replica_adopt_identity(struct replica *r, const Sixpn__PollReply *m);
/* All records of the reply, checked, before any is applied: one bad envelope refuses the reply, not half of it. In the order of V.
 * `into` is where they will go. */
int replica_check_records(const struct replica *into, const Sixpn__PollReply *m, struct record **ret_records, struct why *why);
int replica_check_scope(const Sixpn__PollReply *m, struct why *why);
int replica_take_snapshot(struct replica *r, const Sixpn__PollReply *m, struct replica_change *c, struct why *why);
