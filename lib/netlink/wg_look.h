/* wg_look - a dump that nobody waits for: a thread of its own asks, the loop gets the answer. A device with thousands of peers takes its time
 * over one (wireguard-go: 0.2 s for 10,000), and the loop has other things to do. */
#pragma once
#include "lib/base/loop.h"
#include "lib/netlink/wg.h"

#include <stdatomic.h>

struct wg_look;

struct wg_look_result {
	int error; /* of the dump: -errno */
	struct wg_observed observed; /* taken over by whoever empties it; else wiped after the call */
	uint64_t took_ms;
};

/* Runs in the thread. cancelled turns true when nobody wants the answer any more. */
typedef int (*wg_look_dump)(void *ctx, const atomic_bool *cancelled, struct wg_observed *ret_observed);

/* done is called in the loop, once per start. */
int wg_look_new(struct loop *loop, wg_look_dump dump, void (*done)(void *ctx, struct wg_look_result *result), void *ctx,
		struct wg_look **ret_look);
/* Waits for the thread, which is told to give up. done is not called any more. NULL is fine; returns NULL. */
struct wg_look *wg_look_free(struct wg_look *look);
/* -EBUSY: one is under way. */
int wg_look_start(struct wg_look *look);
