/* apply_internal - what the parts of a node that records come to (apply.c, sync_events.c, role_calls.c) have in common. */
#pragma once
#include "node/node.h"

/* NULL: there is none. */
const struct record *apply_find_u32(const struct replica *r, uint32_t kind, uint32_t key);
/* Counted and logged; why may be NULL. */
void apply_complain(struct node *node, const char *what, int e, const struct why *why);
/* Once more, after a while. */
void apply_later(struct node *node);
/* Names once more after a while, if there was no memory for all. */
void apply_names_later(struct node *node);
