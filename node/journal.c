/* journal - see journal.h. The loop encodes (it owns the replica and the chain), the thread writes and syncs. */
#include "node/journal.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "node/statefile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define FOLD_MIN (1u << 20)

enum job_kind { JOB_APPEND, JOB_FOLD, JOB_QUIT };

struct job {
	struct handover_item item;
	enum job_kind kind;
	struct buf bytes;
	void (*done)(void *arg, int result);
	void *arg;
	int result;
};

struct journal {
	struct loop *loop; /* NULL: no thread, journal_pump */
	char snapshot_path[PATH_MAX], journal_path[PATH_MAX];
	uint8_t chain[32];      /* loop only */
	size_t journal_len, snapshot_len; /* loop only: after all queued jobs */
	struct handover to_thread, to_loop;
	struct loop_io done_io;
	pthread_t thread;
	struct histogram times; /* written by the thread */
	int fd;                 /* thread only; -1 = the disk takes no writes, tried again with every fold */
	int failed;             /* thread only: after an error every later append fails until a fold succeeds */
};

/* What an earlier run wrote and was killed before it synced is read, applied and claimed again: so it must be safe first. */
static int open_journal(struct journal *j, uint64_t journal_len)
{
	j->fd = open(j->journal_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return -errno;
	if (ftruncate(j->fd, (off_t)journal_len) < 0 || lseek(j->fd, 0, SEEK_END) < 0 || fdatasync(j->fd) < 0)
		return -errno;
	return file_sync_dir_of(j->journal_path);
}

static int do_append(struct journal *j, struct job *job)
{
	const struct clock clock = clock_real(); /* of the disk, whatever time the node lives in */
	uint64_t begun = clock_mono_us(&clock);
	int e;

	if (j->failed)
		return j->failed;
	e = file_write_all(j->fd, job->bytes.data, job->bytes.len);
	if (e == 0 && fdatasync(j->fd) < 0)
		e = -errno;
	if (e == 0)
		histogram_add(&j->times, clock_mono_us(&clock) - begun);
	j->failed = e; /* the tail may be torn: only a new file makes it whole */
	return e;
}

static int do_fold(struct journal *j, struct job *job)
{
	int e = file_replace(j->snapshot_path, job->bytes.data, job->bytes.len, 0600);

	if (e == 0 && j->fd < 0)
		e = open_journal(j, 0);
	/* from here on the old journal is void: its head names another snapshot */
	if (e == 0 && (ftruncate(j->fd, 0) < 0 || lseek(j->fd, 0, SEEK_SET) < 0 || fdatasync(j->fd) < 0))
		e = -errno;
	j->failed = e; /* the next entries continue this snapshot: without it they must not be written */
	return e;
}

/* False: the last job was there. */
static bool do_list(struct journal *j, struct handover_item *item)
{
	struct handover_item *next;

	for (; item; item = next) {
		struct job *job = container_of(item, struct job, item);

		next = item->next;
		if (job->kind == JOB_QUIT)
			return false;
		job->result = job->kind == JOB_APPEND ? do_append(j, job) : do_fold(j, job);
		handover_put(&j->to_loop, &job->item);
	}
	return true;
}

static void *file_thread(void *arg)
{
	struct journal *j = arg;

	while (do_list(j, handover_wait_all(&j->to_thread)))
		;
	return NULL;
}

static void free_job(struct job *job)
{
	buf_deinit(&job->bytes);
	free(job);
}

static size_t answer_all(struct journal *j)
{
	struct handover_item *item = handover_take_all(&j->to_loop), *next;
	size_t n = 0;

	for (; item; item = next, n++) {
		struct job *job = container_of(item, struct job, item);

		next = item->next;
		if (job->done)
			job->done(job->arg, job->result);
		free_job(job);
	}
	return n;
}

static void jobs_done(struct loop_io *io, uint32_t revents)
{
	(void)revents;
	answer_all(container_of(io, struct journal, done_io));
}

size_t journal_pump(struct journal *j)
{
	if (!j->loop)
		do_list(j, handover_take_all(&j->to_thread));
	return answer_all(j);
}

static int start_thread(struct journal *j)
{
	int e = handover_init(&j->to_loop);

	if (e == 0 && j->loop) {
		j->done_io = (struct loop_io){ .fd = j->to_loop.event_fd, .events = EPOLLIN, .ready = jobs_done };
		e = loop_add_io(j->loop, &j->done_io);
	}
	return e < 0 || !j->loop ? e : -pthread_create(&j->thread, NULL, file_thread, j);
}

int journal_new(struct loop *loop, const char *folder, const uint8_t chain[32], uint64_t journal_len, struct journal **ret_journal)
{
	struct journal *j = calloc(1, sizeof *j);
	int e;

	if (!j)
		return -ENOMEM;
	*j = (struct journal){ .loop = loop, .fd = -1, .journal_len = journal_len, .to_thread.event_fd = -1, .to_loop.event_fd = -1 };
	memcpy(j->chain, chain, sizeof j->chain);
	snprintf(j->snapshot_path, sizeof j->snapshot_path, "%s/replica.snapshot", folder);
	snprintf(j->journal_path, sizeof j->journal_path, "%s/replica.journal", folder);
	e = open_journal(j, journal_len);
	if (e == -EROFS || e == -EIO || e == -ENOSPC || e == -EDQUOT) { /* what is there is served; what comes is not acknowledged */
		j->failed = e;
		e = 0;
	}
	if (e == 0)
		e = handover_init(&j->to_thread);
	if (e == 0)
		e = start_thread(j);
	if (e < 0) {
		loop_remove_io(&j->done_io);
		handover_deinit(&j->to_thread);
		handover_deinit(&j->to_loop);
		if (j->fd >= 0)
			close(j->fd);
		free(j);
		return e;
	}
	*ret_journal = j;
	return 0;
}

struct journal *journal_free(struct journal *j)
{
	struct job quit = { .kind = JOB_QUIT };
	struct handover_item *item, *next;

	if (!j)
		return NULL;
	handover_put(&j->to_thread, &quit.item);
	if (j->loop)
		pthread_join(j->thread, NULL);
	else
		do_list(j, handover_take_all(&j->to_thread));
	for (item = handover_take_all(&j->to_loop); item; item = next) {
		next = item->next;
		free_job(container_of(item, struct job, item));
	}
	loop_remove_io(&j->done_io);
	handover_deinit(&j->to_thread);
	handover_deinit(&j->to_loop);
	if (j->fd >= 0)
		close(j->fd);
	free(j);
	return NULL;
}

static struct job *new_job(enum job_kind kind, void (*done)(void *arg, int result), void *arg)
{
	struct job *job = calloc(1, sizeof *job);

	if (job)
		*job = (struct job){ .kind = kind, .bytes = BUF_INIT(STATEFILE_MAX), .done = done, .arg = arg };
	return job;
}

int journal_append(struct journal *j, const void *reply, size_t n, uint64_t from_v, uint64_t to_v, void (*done)(void *arg, int result),
		   void *arg)
{
	struct job *job = new_job(JOB_APPEND, done, arg);
	uint8_t chain[sizeof j->chain];

	memcpy(chain, j->chain, sizeof chain);
	if (job && !j->journal_len)
		statefile_journal_head(chain, &job->bytes);
	if (!job || statefile_entry(reply, n, from_v, to_v, chain, &job->bytes) < 0) {
		if (job)
			free_job(job);
		return -ENOMEM;
	}
	memcpy(j->chain, chain, sizeof chain);
	j->journal_len += job->bytes.len;
	handover_put(&j->to_thread, &job->item);
	return 0;
}

int journal_fold(struct journal *j, const struct replica *r, void (*done)(void *arg, int result), void *arg)
{
	struct job *job = new_job(JOB_FOLD, done, arg);
	uint8_t chain[sizeof j->chain];

	if (!job || statefile_encode(r, &job->bytes, chain) < 0) {
		if (job)
			free_job(job);
		return -ENOMEM;
	}
	memcpy(j->chain, chain, sizeof chain);
	j->journal_len = 0;
	j->snapshot_len = job->bytes.len;
	handover_put(&j->to_thread, &job->item);
	return 0;
}

struct histogram journal_times(const struct journal *j)
{
	return histogram_read(&j->times);
}

bool journal_wants_fold(const struct journal *j)
{
	size_t limit = j->snapshot_len > FOLD_MIN ? j->snapshot_len : FOLD_MIN;

	return j->journal_len > limit;
}
