/* views - see views.h. Open addressing over atomics: a reader sees a network's slot either without a view or with a whole one.
 * A slot once given to a network stays its own until the table is rebuilt, so a reader's walk never jumps over a live one. */
#include "lib/dns/views.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-qsbr.h>

struct view {
	struct rcu_head head;
	struct dns_zone *zone;
};

struct slot {
	_Atomic uint32_t network; /* 0 = free; no network has that id */
	_Atomic(struct view *) view;
};

struct table {
	struct rcu_head head;
	size_t n_slots, n_used; /* a power of two; used counts slots whose view is gone */
	struct slot slots[];
};

struct dns_views {
	_Atomic(struct table *) table;
	atomic_bool synced, controller;
	_Atomic int64_t heard_ms;
	_Atomic uint32_t patience_ms;
	struct clock clock;
	size_t n; /* live views */
};

static struct table *table_new(size_t n_slots)
{
	struct table *t = calloc(1, sizeof *t + n_slots * sizeof t->slots[0]);

	if (t)
		t->n_slots = n_slots;
	return t;
}

/* The network's slot, or the free one where it would go. */
static struct slot *table_slot(struct table *t, uint32_t network)
{
	size_t at = (network * 0x9e3779b1u >> 7) & (t->n_slots - 1);

	for (;; at = (at + 1) & (t->n_slots - 1)) {
		uint32_t there = atomic_load_explicit(&t->slots[at].network, memory_order_acquire);

		if (there == network || !there)
			return &t->slots[at];
	}
}

static void table_put(struct table *t, uint32_t network, struct view *view)
{
	struct slot *s = table_slot(t, network);

	if (!atomic_load_explicit(&s->network, memory_order_relaxed))
		t->n_used++;
	atomic_store_explicit(&s->view, view, memory_order_release);
	atomic_store_explicit(&s->network, network, memory_order_release);
}

static void free_view(struct rcu_head *head)
{
	struct view *view = container_of(head, struct view, head);

	dns_zone_free(view->zone);
	free(view);
}

static void free_table(struct rcu_head *head)
{
	free(container_of(head, struct table, head));
}

static void retire_view(struct view *view)
{
	if (view)
		urcu_qsbr_call_rcu(&view->head, free_view);
}

int dns_views_new(struct dns_views **ret_views)
{
	struct dns_views *v = calloc(1, sizeof *v);
	struct table *t = table_new(64);

	if (!v || !t) {
		free(v);
		free(t);
		return -ENOMEM;
	}
	atomic_init(&v->table, t);
	atomic_init(&v->heard_ms, DNS_NEVER_HEARD);
	v->clock = clock_real();
	*ret_views = v;
	return 0;
}

struct dns_views *dns_views_free(struct dns_views *v)
{
	if (!v)
		return NULL;
	urcu_qsbr_barrier();
	struct table *t = atomic_load(&v->table);

	for (size_t i = 0; i < t->n_slots; i++) {
		struct view *view = atomic_load(&t->slots[i].view);

		if (view)
			free_view(&view->head);
	}
	free(t);
	free(v);
	return NULL;
}

/* A table with room for one more network, without the slots of those that left. */
static int make_room(struct dns_views *v)
{
	struct table *old = atomic_load_explicit(&v->table, memory_order_relaxed), *t;
	size_t n_slots = 64;

	if ((old->n_used + 1) * 2 <= old->n_slots)
		return 0;
	while (n_slots < (v->n + 1) * 4)
		n_slots *= 2;
	t = table_new(n_slots);
	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < old->n_slots; i++) {
		struct view *view = atomic_load_explicit(&old->slots[i].view, memory_order_relaxed);

		if (view)
			table_put(t, dns_zone_network(view->zone), view);
	}
	atomic_store_explicit(&v->table, t, memory_order_release);
	urcu_qsbr_call_rcu(&old->head, free_table);
	return 0;
}

int dns_views_replace(struct dns_views *v, struct dns_zone *zone)
{
	struct view *view = calloc(1, sizeof *view), *old;
	uint32_t network = dns_zone_network(zone);
	struct table *t;

	if (!view || make_room(v) < 0) {
		free(view);
		return -ENOMEM;
	}
	view->zone = zone;
	t = atomic_load_explicit(&v->table, memory_order_relaxed);
	old = atomic_load_explicit(&table_slot(t, network)->view, memory_order_relaxed);
	table_put(t, network, view);
	if (!old)
		v->n++;
	retire_view(old);
	return 0;
}

bool dns_views_remove(struct dns_views *v, uint32_t network)
{
	struct table *t = atomic_load_explicit(&v->table, memory_order_relaxed);
	struct view *old = atomic_exchange_explicit(&table_slot(t, network)->view, NULL, memory_order_acq_rel);

	if (!old)
		return false;
	v->n--;
	retire_view(old);
	return true;
}

void dns_views_set_synced(struct dns_views *v, bool synced)
{
	atomic_store_explicit(&v->synced, synced, memory_order_release);
}

bool dns_views_synced(const struct dns_views *v)
{
	return atomic_load_explicit(&v->synced, memory_order_acquire);
}

void dns_views_set_clock(struct dns_views *v, const struct clock *clock)
{
	v->clock = *clock;
}

void dns_views_set_heard(struct dns_views *v, int64_t heard_ms, bool controller, uint32_t patience_ms)
{
	/* A reader may see some of these and not yet the others: each of them was true at some moment just now. */
	atomic_store_explicit(&v->heard_ms, heard_ms, memory_order_relaxed);
	atomic_store_explicit(&v->patience_ms, patience_ms, memory_order_relaxed);
	atomic_store_explicit(&v->controller, controller, memory_order_relaxed);
}

struct dns_freshness dns_views_freshness(const struct dns_views *v)
{
	int64_t heard = atomic_load_explicit(&v->heard_ms, memory_order_relaxed), now = (int64_t)clock_mono_ms(&v->clock);
	struct dns_freshness f = { .known = heard != DNS_NEVER_HEARD };

	if (!f.known)
		return f;
	f.age_ms = now > heard ? (uint64_t)(now - heard) : 0; /* heard between our two looks */
	/* A loop that hangs, or a connection that is dead without a word, is no controller either. */
	f.controller = atomic_load_explicit(&v->controller, memory_order_relaxed) &&
		       f.age_ms <= atomic_load_explicit(&v->patience_ms, memory_order_relaxed);
	return f;
}

size_t dns_views_count(const struct dns_views *v)
{
	return v->n;
}

void dns_views_reader_start(void)
{
	urcu_qsbr_register_thread();
	urcu_qsbr_thread_offline();
}

void dns_views_reader_stop(void)
{
	urcu_qsbr_unregister_thread();
}

void dns_views_online(void)
{
	urcu_qsbr_thread_online();
}

void dns_views_offline(void)
{
	urcu_qsbr_thread_offline();
}

const struct dns_zone *dns_views_find(const struct dns_views *v, uint32_t network)
{
	struct table *t = atomic_load_explicit(&v->table, memory_order_acquire);
	struct view *view = atomic_load_explicit(&table_slot(t, network)->view, memory_order_acquire);

	/* A free slot may become another network's between the look at its network and the look at its view. */
	return view && dns_zone_network(view->zone) == network ? view->zone : NULL;
}
