/* store_stats - what can be seen of the store from outside its thread: how long commits take, how large it is, whether the disk is full. */
#pragma once
#include "lib/base/histogram.h"

struct store;

struct store_stats {
	struct histogram commits;
	uint64_t size_bytes, free_bytes; /* of the database with its log; of its file system, for us */
	bool full;                       /* only deletes are accepted */
};
/* Any thread. */
void store_stats(const struct store *store, struct store_stats *ret_stats);
