/* awaits - instances that start once every node of their network knows that this host speaks in it, or after a second; and the networks
 * of which that is known already. */
#pragma once
#include "node/node.h"

/* done is called once: at once if there is nothing to wait for. */
void awaits_add(void *node, uint32_t network, const char *instance_id, void (*done)(void *arg, bool timed_out), void *arg);
/* It has gone: done will not be called. */
void awaits_forget(void *node, void *arg);
/* Everybody who serves the network has gone past v. */
void awaits_settled(void *node, uint32_t network, uint64_t v);
/* Where this host does not speak any more nothing is known. */
void awaits_forget_settled(struct node *node, const struct presence *wanted);
