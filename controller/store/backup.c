/* backup - see backup.h. */
#include "controller/store/backup.h"

#include "controller/store/store_driver.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define STEP_PAGES 32 /* 128 KiB: how long a writer may have to wait for us */

struct backups {
	struct backups_config config;
	char *dir;
	struct handover out; /* the sealing thread's result comes back by it */
	struct loop_io io;
	bool running, stopping, sealing;
	uint64_t latest_ms, latest_v;
	struct job {
		struct op op; /* one step of the copy */
		struct handover_item item;
		struct backups *backups;
		struct driver_copy *copy;
		bool copied;
		pthread_t thread;
		uint64_t started_ms;
		unsigned keep;
		void (*done)(void *ctx, const struct backup_result *result);
		void *ctx;
		struct backup_result result;
	} job;
};

/* ---- the end ---- */

static void job_end(struct backups *b)
{
	struct backup_result *result = &b->job.result;

	if (result->result == 0) {
		b->latest_ms = result->info.made_ms;
		b->latest_v = result->info.v;
		log_info("backup", "%s/%s: V %llu, %llu bytes, verified; %u older removed", b->dir, result->info.name,
			 (unsigned long long)result->info.v, (unsigned long long)result->info.size, result->removed);
	} else if (result->result != -ECANCELED) {
		if (result->result == -ENOSPC)
			result->result = why_set(&result->why, "backup_no_room", "", "the disk of %s is full: no backup was made", b->dir);
		else if (result->result == -EBADMSG)
			result->result = why_set(&result->why, "store_corrupt", "", "the store is damaged and cannot be copied: no backup was made");
		else if (result->result < 0)
			result->result = why_set(&result->why, "backup_failed", "", "no backup can be made in %s: %s", b->dir, strerror(-result->result));
		log_err("backup", "no backup was made: %s", result->result > 0 ? result->why.text : strerror(-result->result));
	}
	b->running = false;
	b->job.done(b->job.ctx, result);
}

/* ---- sealing: on a thread of its own ---- */

static int seal(struct job *job)
{
	struct backups *b = job->backups;
	struct backup_result *result = &job->result;
	char copy[PATH_MAX], made[PATH_MAX], scratch[PATH_MAX], path[PATH_MAX];
	struct backup_header h = { .v = 0 };
	struct store_summary summary;
	int r = backup_dir_path(b->dir, "copy", copy, sizeof copy);

	if (r == 0)
		r = backup_dir_path(b->dir, "new", made, sizeof made);
	if (r == 0)
		r = backup_dir_path(b->dir, "scratch", scratch, sizeof scratch);
	if (r == 0)
		r = backup_seal(copy, b->config.link_key, clock_real_ms(&b->config.clock), made, &h, &result->why);
	unlink(copy);
	if (r == 0)
		r = backup_verify(made, scratch, &h, &summary, &result->why);
	if (r == 0) {
		backup_name(h.made_ms, h.v, result->info.name);
		if ((size_t)snprintf(path, sizeof path, "%s/%s", b->dir, result->info.name) >= sizeof path)
			r = -ENAMETOOLONG;
		else if (link(made, path) < 0) /* unlike rename, never over one that is there */
			r = errno == EEXIST ? why_set(&result->why, "backup_exists", "", "%s is there already", path) : -errno;
	}
	unlink(made);
	if (r == 0)
		r = file_sync_dir_of(path);
	if (r == 0) {
		result->info.v = h.v;
		result->info.epoch = h.epoch;
		result->info.made_ms = h.made_ms;
		result->info.size = BACKUP_HEADER_LEN + h.store_len + CRYPTO_HASH_LEN;
		result->info.good = true;
		result->removed = backup_dir_prune(b->dir, job->keep, result->info.name);
	}
	crypto_wipe(&h, sizeof h);
	return r;
}

static void *seal_main(void *arg)
{
	struct job *job = arg;

	job->result.result = seal(job);
	handover_put(&job->backups->out, &job->item);
	return NULL;
}

static void sealed(struct backups *b)
{
	pthread_join(b->job.thread, NULL);
	handover_take_all(&b->out);
	b->sealing = false;
	job_end(b);
}

static void out_ready(struct loop_io *io, uint32_t revents)
{
	struct backups *b = container_of(io, struct backups, io);

	(void)revents;
	if (b->sealing && handover_count(&b->out))
		sealed(b);
	else
		handover_take_all(&b->out);
}

static void start_sealing(struct backups *b)
{
	if (!b->config.loop) {
		b->job.result.result = seal(&b->job);
		job_end(b);
		return;
	}
	b->sealing = pthread_create(&b->job.thread, NULL, seal_main, &b->job) == 0;
	if (!b->sealing) {
		b->job.result.result = -EAGAIN;
		backup_dir_sweep(b->dir);
		job_end(b);
	}
}

/* ---- copying: steps on the store thread ---- */

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int begin_copy(struct store *store, struct job *job)
{
	char path[PATH_MAX];
	int r = file_make_dirs(job->backups->dir, 0700);

	if (r == 0)
		r = backup_dir_path(job->backups->dir, "copy", path, sizeof path);
	if (r == 0)
		r = store_copy_room(store, job->backups->dir, &job->op.why);
	return r ? r : store_copy_begin(store, path, &job->copy);
}

static int run_step(struct store *store, struct op *op)
{
	struct job *job = container_of(op, struct job, op);
	uint64_t began = now_us(), took;
	int r = job->copy ? 0 : begin_copy(store, job);

	if (r == 0)
		r = driver_copy_step(job->copy, STEP_PAGES, &job->copied);
	if (r != 0 || job->copied)
		job->copy = driver_copy_end(job->copy);
	took = now_us() - began;
	if (took > job->result.step_us)
		job->result.step_us = took;
	return r;
}

static void step_done(struct op *op)
{
	struct job *job = container_of(op, struct job, op);
	struct backups *b = job->backups;
	int result = op->result;

	job->result.why = op->why;
	if (result == 0 && b->stopping)
		result = -ECANCELED;
	if (result == 0 && !job->copied) {
		store_thread_put(b->config.thread, op);
		return;
	}
	op_deinit(op);
	job->result.copy_ms = clock_mono_ms(&b->config.clock) - job->started_ms;
	if (result == 0) {
		start_sealing(b);
		return;
	}
	job->copy = driver_copy_end(job->copy); /* only when stopping: the store thread is at rest */
	backup_dir_sweep(b->dir);
	job->result.result = result;
	job_end(b);
}

/* ---- life ---- */

static void find_latest(struct backups *b)
{
	CLEAN_FREE struct backup_info *list = NULL;
	size_t n = 0;

	if (backup_dir_list(b->dir, &list, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (list[i].good) {
			b->latest_ms = list[i].made_ms;
			b->latest_v = list[i].v;
			return;
		}
}

int backups_new(const struct backups_config *config, struct backups **ret_backups)
{
	struct backups *b = calloc(1, sizeof *b);
	int r;

	if (!b)
		return -ENOMEM;
	b->config = *config;
	b->dir = strdup(config->dir);
	r = b->dir ? handover_init(&b->out) : -ENOMEM;
	if (r == 0 && config->loop) {
		b->io = (struct loop_io){ .fd = b->out.event_fd, .events = EPOLLIN, .ready = out_ready };
		r = loop_add_io(config->loop, &b->io);
		if (r != 0)
			handover_deinit(&b->out);
	}
	if (r != 0) {
		crypto_wipe(&b->config, sizeof b->config);
		free(b->dir);
		free(b);
		return r;
	}
	backup_dir_sweep(b->dir);
	find_latest(b);
	*ret_backups = b;
	return 0;
}

int backups_start(struct backups *b, unsigned keep, void (*done)(void *ctx, const struct backup_result *result), void *ctx,
		  struct why *why)
{
	struct principal who = principal_local("backup");
	struct job *job = &b->job;

	if (b->running || b->stopping)
		return why_set(why, "backup_running", "", "a backup is being made already");
	*job = (struct job){ .backups = b, .keep = keep, .done = done, .ctx = ctx, .started_ms = clock_mono_ms(&b->config.clock) };
	op_init(&job->op, run_step, step_done, &who, NULL);
	job->op.write = false;
	b->running = true;
	store_thread_put(b->config.thread, &job->op);
	return 0;
}

void backups_latest(const struct backups *b, uint64_t *ret_made_ms, uint64_t *ret_v)
{
	*ret_made_ms = b->latest_ms;
	*ret_v = b->latest_v;
}

const char *backups_dir(const struct backups *b)
{
	return b->dir;
}

void backups_stop(struct backups *b)
{
	if (!b || b->stopping)
		return;
	b->stopping = true;
	if (b->sealing) /* it is nearly done, and what it has made is worth keeping */
		sealed(b);
}

struct backups *backups_free(struct backups *b)
{
	if (!b)
		return NULL;
	backups_stop(b);
	if (b->config.loop)
		loop_remove_io(&b->io);
	handover_take_all(&b->out);
	handover_deinit(&b->out);
	crypto_wipe(&b->config, sizeof b->config);
	free(b->dir);
	free(b);
	return NULL;
}
