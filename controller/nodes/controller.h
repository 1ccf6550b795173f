/* controller - the core, apart from HTTP: holds what nodes may see in memory, feeds each node exactly its scope over the link, keeps
 * what they have applied, and hands their wishes to the store thread. All of it runs on one thread and owns no timer: the owner
 * calls controller_tick() when the time that wake_at() named has come, so that a whole cluster runs in one test.
 *
 *   store thread -> committed record -> memory, scope, ring, who is touched -> (one tick later, so that what was committed together
 *   travels together) -> replies to parked polls -> their next poll is the acknowledgement -> waits and settlements. */
#pragma once
#include "controller/api/api_env.h"
#include "controller/store/store_thread.h"
#include "lib/link/server.h"

struct controller;

struct controller_config {
	struct clock clock;
	struct store *store;  /* open; nobody else uses it until controller_stop */
	struct loop *loop;    /* of the store thread; NULL: controller_pump() */
	struct link_server_transport *transport; /* outlives the controller */
	uint8_t link_key[CRYPTO_KEY_LEN];        /* private */
	const char *backup_dir; /* NULL: no backups */
	const char *advertise;  /* for join tokens; outlives the controller */
	uint32_t park_ms;       /* 0 = by the number of nodes: a 200th of a second each, at least 20 s, at most 120 s */
	size_t window_bytes;    /* of the ring; 0 = 32 MiB */
	size_t window_changes;  /* 0 = 65536 */
	size_t batch_bytes;     /* of a delta or a part of a snapshot; 0 = 256 KiB */
	uint64_t peer_idle_ms;  /* ephemeral peers without a handshake for so long are deleted; 0 = a day */
	unsigned snapshots_max; /* at the same time; 0 = 4 per processor */
};

struct controller_events {
	void (*wake_at)(void *ctx, uint64_t mono_ms); /* call controller_tick then; a later call replaces */
	/* This controller may no longer write: another one took over, or the store broke. Called once; the process is to end. */
	void (*must_stop)(void *ctx, const char *reason);
	void (*committed)(void *ctx, const struct record *record); /* of any kind, for caches; may be NULL */
};

/* Fills memory from the store, starts the store thread and the link. */
int controller_new(const struct controller_config *config, const struct controller_events *events, void *ctx,
		   struct controller **ret_controller) MUST_CHECK;
void controller_tick(struct controller *c);
/* Without a loop: runs what waits for the store; returns how many ops that were. */
size_t controller_pump(struct controller *c);
/* Ends waits, runs what the store still has to do, ends its thread. The env stays usable for look-ups. */
void controller_stop(struct controller *c);
struct controller *controller_free(struct controller *c); /* NULL is fine; returns NULL */

/* For api_new; lives as long as the controller. */
const struct api_env *controller_env(const struct controller *c);
const struct link_server_stats *controller_link_stats(const struct controller *c);

struct controller_stats {
	uint64_t polls, deltas, snapshots, heals, bookmarks, retries, fenced, clones; /* of snapshots and heals: begun */
	uint64_t drifts;      /* equal V, unequal digest */
	uint64_t bad_requests; /* what no node of ours would say */
	uint64_t roll_backs, gaps;
	uint64_t foreign_peers; /* reported by a node that is not, or no more, their gateway */
	size_t snapshots_now, waits_now;
};
const struct controller_stats *controller_stats(const struct controller *c);
