/* errors - the records that this machine could not be brought to: told in every poll until an apply no longer repeats them. */
#pragma once
#include "lib/sixpn/record.h"
#include "proto/sixpn.pb-c.h"

#define NODE_ERRORS_PER_POLL 64

struct node_error {
	uint32_t kind;
	uint8_t key[RECORD_KEY_MAX];
	uint8_t key_len;
	uint64_t v;
	char text[256];
};

struct node_errors {
	struct node_error *items;
	size_t n, cap;
};

/* One per record, the last sentence wins. Without memory it is only logged. */
void node_errors_add(struct node_errors *errors, uint32_t kind, const void *key, size_t key_len, uint64_t v, const char *text);
static inline void node_errors_clear(struct node_errors *errors)
{
	errors->n = 0;
}

/* The list of errors of a poll; it lives as long as the poll. */
struct node_errors_said {
	Sixpn__RecordError items[NODE_ERRORS_PER_POLL], *list[NODE_ERRORS_PER_POLL];
	struct node_error first;
};
/* Puts them into the poll, `also` (NULL = none) before the others; the first so many, and the number of all. */
void node_errors_say(const struct node_errors *errors, const struct node_error *also, struct node_errors_said *said, Sixpn__PollRequest *poll);
void node_errors_deinit(struct node_errors *errors);
