/* resolvers - the name server at fdaa:<network>::3 of every network whose peers end on this machine. */
#pragma once
#include "lib/base/err.h"

struct node;

/* Brings the sockets to these networks, ids rising. A network that gets none is an error of its record: its peers have no names. True:
 * that may be another in a while without a change. */
bool resolvers_sync(struct node *node, const uint32_t *networks, size_t n);
