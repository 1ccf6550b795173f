/* store_thread - see store_thread.h. Two handovers, one each way; the thread blocks on the first, the loop watches the second. */
#include "controller/store/store_thread.h"

#include "controller/store/store_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>

struct store_thread {
	struct store *store;
	struct loop *loop; /* NULL: no thread, store_thread_pump */
	struct store_thread_events events;
	struct handover in, out;
	struct loop_io io;
	pthread_t thread;
	struct handover_item end; /* its arrival ends the thread */
	atomic_int broken;
	bool told_broken;
};

static struct op *op_of(struct handover_item *item)
{
	return container_of(item, struct op, item);
}

/* Runs the list in batches. Writes go back first: they were run first, and a read must not be ahead of memory. */
static bool run_list(struct store_thread *t, struct handover_item *item)
{
	struct op *batch[STORE_THREAD_BATCH_MAX];
	bool end = false;

	while (item) {
		size_t n = 0;

		for (; item && n < ARRAY_LEN(batch); item = item->next) {
			if (item == &t->end)
				end = true;
			else
				batch[n++] = op_of(item);
		}
		store_run_batch(t->store, batch, n);
		atomic_store(&t->broken, t->store->broken);
		for (size_t i = 0; i < n; i++)
			if (batch[i]->write) {
				handover_put(&t->out, &batch[i]->item);
				batch[i] = NULL; /* the loop's now, and perhaps freed already */
			}
		for (size_t i = 0; i < n; i++)
			if (batch[i])
				handover_put(&t->out, &batch[i]->item);
	}
	return !end;
}

static void *thread_main(void *arg)
{
	struct store_thread *t = arg;

	while (run_list(t, handover_wait_all(&t->in)))
		;
	return NULL;
}

static void deliver_one(struct store_thread *t, struct op *op)
{
	size_t n = op->n_records;

	op->n_records = 0; /* they are given away */
	for (size_t i = 0; i < n; i++) {
		if (t->events.committed)
			t->events.committed(t->events.arg, op->records[i], op->committed_ms);
		else
			free(op->records[i]);
	}
	op->done(op);
}

static size_t deliver(struct store_thread *t)
{
	struct handover_item *item = handover_take_all(&t->out), *next;
	size_t n = 0;
	int broken;

	for (; item; item = next, n++) {
		next = item->next; /* done may free the op */
		deliver_one(t, op_of(item));
	}
	broken = atomic_load(&t->broken);
	if (broken && !t->told_broken) {
		t->told_broken = true;
		if (t->events.broken)
			t->events.broken(t->events.arg, broken);
	}
	return n;
}

static void out_ready(struct loop_io *io, uint32_t revents)
{
	(void)revents;
	deliver(container_of(io, struct store_thread, io));
}

int store_thread_start(struct store *store, struct loop *loop, const struct store_thread_events *events,
		       struct store_thread **ret_thread)
{
	struct store_thread *t = calloc(1, sizeof *t);
	int r;

	if (!t)
		return -ENOMEM;
	t->store = store;
	t->loop = loop;
	t->events = *events;
	r = handover_init(&t->in);
	if (r != 0)
		goto free_thread;
	r = handover_init(&t->out);
	if (r != 0)
		goto deinit_in;
	if (loop) {
		t->io = (struct loop_io){ .fd = t->out.event_fd, .events = EPOLLIN, .ready = out_ready };
		r = loop_add_io(loop, &t->io);
		if (r != 0)
			goto deinit_out;
		r = -pthread_create(&t->thread, NULL, thread_main, t);
		if (r != 0)
			goto remove_io;
	}
	*ret_thread = t;
	return 0;
remove_io:
	loop_remove_io(&t->io);
deinit_out:
	handover_deinit(&t->out);
deinit_in:
	handover_deinit(&t->in);
free_thread:
	free(t);
	return r;
}

void store_thread_put(struct store_thread *thread, struct op *op)
{
	handover_put(&thread->in, &op->item);
}

size_t store_thread_waiting(struct store_thread *thread)
{
	return handover_count(&thread->in);
}

size_t store_thread_pump(struct store_thread *thread)
{
	if (!thread->loop)
		run_list(thread, handover_take_all(&thread->in));
	return deliver(thread);
}

struct store_thread *store_thread_stop(struct store_thread *thread)
{
	if (!thread)
		return NULL;
	if (thread->loop) {
		handover_put(&thread->in, &thread->end);
		pthread_join(thread->thread, NULL);
		loop_remove_io(&thread->io);
		thread->loop = NULL;
	}
	while (store_thread_pump(thread) > 0)
		; /* what a done callback puts in now is run here too */
	handover_deinit(&thread->out);
	handover_deinit(&thread->in);
	free(thread);
	return NULL;
}
