/* backup - makes backups while the controller works. The store thread copies the store in small steps, between which writers go on;
 * a thread of the backup's own then seals the copy into one file with the link key, reads that file back and checks everything in it,
 * and only then gives it its name. One backup at a time. */
#pragma once
#include "controller/store/backup_dir.h"
#include "controller/store/store_thread.h"

struct backups;

struct backups_config {
	struct clock clock;
	struct loop *loop;           /* NULL: no thread, all of it in store_thread_pump */
	struct store_thread *thread; /* outlives the backups' use of it */
	const char *dir;
	uint8_t link_key[CRYPTO_KEY_LEN];
};

struct backup_result {
	int result; /* 0, E_REFUSED with why, -errno */
	struct why why;
	struct backup_info info;
	unsigned removed; /* older ones, by `keep` */
	uint64_t copy_ms; /* how long the copying took */
	uint64_t step_us; /* the longest that the store thread was kept from others */
};

int backups_new(const struct backups_config *config, struct backups **ret_backups) MUST_CHECK;
/* done comes later, once. keep 0 = all. E_REFUSED "backup_running". */
int backups_start(struct backups *backups, unsigned keep, void (*done)(void *ctx, const struct backup_result *result), void *ctx,
		  struct why *why) MUST_CHECK;
/* The newest good one: when, and of which V; 0 = there is none. */
void backups_latest(const struct backups *backups, uint64_t *ret_made_ms, uint64_t *ret_v);
const char *backups_dir(const struct backups *backups);
/* Before the store thread is stopped: what runs ends with -ECANCELED, at once or when the thread has delivered its last step. */
void backups_stop(struct backups *backups);
struct backups *backups_free(struct backups *backups); /* after the store thread was stopped; NULL is fine; returns NULL */
