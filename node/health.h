/* health - this node's numbers of the table lib/sixpn/health.h: read at once for a scrape, and every few seconds for the controller. */
#pragma once
#include "lib/sixpn/health.h"
#include "node/node.h"

struct Sixpn__PollRequest;
struct health_reading;

/* Reads what costs a system call; what a node started without (the simulator) is left out. NULL = no memory. */
struct health_reading *health_read(struct node *node);
struct health_reading *health_reading_free(struct health_reading *reading);
/* Every value of one row, with as many labels as the row names beside `node`. */
void health_each(const struct health_reading *reading, enum health_what what,
		 void (*each)(void *ctx, uint64_t n, const char *const *labels, size_t n_labels), void *ctx);

#define HEALTH_EVERY_MS 10000
/* For the poll's `health`: all values, or nothing if they were said less than HEALTH_EVERY_MS ago. Lives until the next call. */
struct health_said;
void health_fill_poll(struct node *node, struct health_said **said, struct Sixpn__PollRequest *poll);
struct health_said *health_said_free(struct health_said *said);
