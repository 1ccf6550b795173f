/* question - see question.h: asks upstreams in turn until one has answered or the time is up. */
#include "lib/dns/question.h"

#include <stdlib.h>
#include <string.h>

/* ---- its life ---- */

static size_t make_id(const struct dns_cache_key *key, uint8_t out[4 + 5 + DNS_NAME_MAX])
{
	put_u32(out, key->network);
	put_u16(out + 4, key->type);
	put_u16(out + 6, key->class);
	out[8] = (uint8_t)(key->dnssec_ok | key->checking_disabled << 1);
	memcpy(out + 9, key->name, key->name_len);
	return 9 + key->name_len;
}

struct dns_question *question_find(struct dns_forward *f, const struct dns_cache_key *key)
{
	uint8_t id[4 + 5 + DNS_NAME_MAX];

	return map_get(&f->questions, id, make_id(key, id));
}

struct dns_cache_key question_cache_key(const struct dns_question *q)
{
	return (struct dns_cache_key){ q->network, q->key, q->name_len, q->type, q->class, q->dnssec_ok, q->checking_disabled };
}

static void hedge_expired(struct loop_timer *timer);
static void limit_expired(struct loop_timer *timer);

struct dns_question *question_new(struct dns_forward *f, const struct dns_waiter *w)
{
	struct dns_question *q = calloc(1, sizeof *q);
	struct dns_cache_key key = { w->network, w->query.key, w->query.name_len, w->query.type, w->query.class, w->query.dnssec_ok,
				     w->query.flags & DNS_FLAG_CHECKING_DISABLED };

	if (!q)
		return NULL;
	q->forward = f;
	q->id_len = make_id(&key, q->id);
	q->network = key.network;
	q->type = key.type;
	q->class = key.class;
	q->dnssec_ok = key.dnssec_ok;
	q->checking_disabled = key.checking_disabled;
	q->key = q->id + 9;
	q->name_len = key.name_len;
	q->hedge.expired = hedge_expired;
	q->limit.expired = limit_expired;
	q->answered_by = DNS_UPSTREAMS_MAX;
	q->n_order = f->upstreams.n;
	dns_upstreams_order(&f->upstreams, q->order);
	if (map_set(&f->questions, q->id, q->id_len, q, NULL) < 0) {
		free(q);
		return NULL;
	}
	q->link = f->last;
	*f->last = q;
	f->last = &q->next;
	dns_forward_count(&f->tally, DNS_FORWARD_QUESTIONS);
	dns_forward_set(&f->tally, DNS_FORWARD_NOW_QUESTIONS, f->shares.n_questions);
	return q;
}

static struct dns_upstream *upstream_of(const struct dns_attempt *a)
{
	struct dns_upstreams *u = &a->question->forward->upstreams;

	return a->generation == u->generation && a->upstream < u->n ? &u->all[a->upstream] : NULL;
}

/* It had its time and said nothing. */
static void give_up_attempt(struct dns_attempt *a)
{
	struct dns_forward *f = a->question->forward;
	struct dns_upstream *u = upstream_of(a);
	uint64_t now = loop_now_ms(f->env.loop), waited = now - a->exchange.started_ms;

	if (!a->exchange.env)
		return;
	dns_exchange_stop(&a->exchange);
	if (!u || a->upstream == a->question->answered_by || waited < dns_upstream_patience_ms(u, a->question->n_order > 1))
		return;
	dns_forward_count(&f->tally, DNS_FORWARD_UPSTREAM_SLOW);
	dns_upstream_lost(u, waited, now);
	question_arm_probes(f);
}

void question_withdraw(struct dns_question *q)
{
	struct dns_forward *f = q->forward;

	loop_cancel_timer(&q->hedge);
	loop_cancel_timer(&q->limit);
	for (size_t i = 0; i < q->n_attempts; i++)
		give_up_attempt(&q->attempts[i]);
	map_remove(&f->questions, q->id, q->id_len);
	*q->link = q->next;
	*(q->next ? &q->next->link : &f->last) = q->link;
	dns_shares_remove_question(&f->shares, q->network);
	dns_forward_set(&f->tally, DNS_FORWARD_NOW_QUESTIONS, f->shares.n_questions);
	question_publish(f);
}

static void set_cache_gauges(struct dns_forward *f)
{
	dns_forward_set(&f->tally, DNS_FORWARD_NOW_CACHED, dns_cache_count(f->cache));
	dns_forward_set(&f->tally, DNS_FORWARD_NOW_CACHED_BYTES, dns_cache_bytes(f->cache));
	atomic_store_explicit(&f->tally.counters[DNS_FORWARD_EVICTED], dns_cache_evicted(f->cache), memory_order_relaxed);
}

static void question_answer(struct dns_question *q, const struct dns_attempt *by, const struct dns_reply_in *in)
{
	struct dns_forward *f = q->forward;
	bool current = upstream_of(by) != NULL;
	struct dns_cache_key key = question_cache_key(q);
	struct dns_stored *stored;

	q->answered_by = by->upstream;
	/* First a copy: the reply is in memory that is about to go. */
	if (dns_stored_new(in, q->dnssec_ok, &stored) < 0) {
		question_end(q, DNS_HINT_NO_REACHABLE);
		return;
	}
	question_withdraw(q);
	forward_answer_all(q, stored);
	if (current)
		dns_cache_put(f->cache, &key, stored, loop_now_ms(f->env.loop));
	else
		free(stored); /* of a server that is not asked any more */
	set_cache_gauges(f);
	free(q);
}

void question_end(struct dns_question *q, uint16_t hint)
{
	question_withdraw(q);
	forward_fail_all(q, hint);
	free(q);
}

void question_fail(struct dns_question *q, uint16_t hint)
{
	struct dns_forward *f = q->forward;
	struct dns_cache_key key = question_cache_key(q);

	if (f->cache) {
		dns_cache_put_failure(f->cache, &key, loop_now_ms(f->env.loop));
		set_cache_gauges(f);
	}
	question_end(q, hint);
}

static uint16_t why_failed(const struct dns_question *q)
{
	return q->refused ? DNS_HINT_OTHER : q->unreachable ? DNS_HINT_NETWORK : DNS_HINT_NO_REACHABLE;
}

/* ---- asking ---- */

static void attempt_ended(struct dns_exchange *x, enum dns_exchange_end end, const struct dns_reply_in *in);

/* True if it is on its way. */
static bool start_attempt(struct dns_question *q, uint8_t upstream, bool edns)
{
	struct dns_forward *f = q->forward;
	struct dns_upstream *u = &f->upstreams.all[upstream];
	struct dns_attempt *a = &q->attempts[q->n_attempts++];
	struct dns_sent sent = { .type = q->type, .class = q->class, .name_len = q->name_len, .edns = edns,
				 .dnssec_ok = q->dnssec_ok, .checking_disabled = q->checking_disabled };
	uint64_t now = loop_now_ms(f->env.loop);
	int r;

	memcpy(sent.name, q->key, q->name_len);
	a->question = q;
	a->upstream = upstream;
	a->generation = f->upstreams.generation;
	a->exchange.ended = attempt_ended;
	r = dns_exchange_start(&a->exchange, &f->env, &u->address, u->address_len, &sent, now < u->folds_until_ms);
	if (r == 0) {
		u->sent++;
		return true;
	}
	if (r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS) {
		dns_forward_count(&f->tally, DNS_FORWARD_NO_SOCKET);
	} else {
		dns_forward_count(&f->tally, DNS_FORWARD_UPSTREAM_UNREACHABLE);
		dns_upstream_lost(u, 0, now);
		question_arm_probes(f);
	}
	q->unreachable = true;
	return false;
}

static size_t running(const struct dns_question *q)
{
	size_t n = 0;

	for (size_t i = 0; i < q->n_attempts; i++)
		n += q->attempts[i].exchange.env != NULL;
	return n;
}

/* Every question has a socket, however many there are; more than one only while enough are left for all that may come and for probes.
 * Else a network whose names nobody answers would leave none to the others. */
static bool has_spare_socket(const struct dns_forward *f)
{
	_Static_assert(DNS_FORWARD_SOCKETS_MAX > DNS_SHARE_QUESTIONS_MAX + DNS_UPSTREAMS_MAX, "one for each");
	return f->env.n_open + (DNS_SHARE_QUESTIONS_MAX - f->shares.n_questions) + DNS_UPSTREAMS_MAX < f->env.max_open;
}

/* The socket of its oldest try is for its next. */
static void give_up_oldest(struct dns_question *q)
{
	size_t i = 0;

	while (i < q->n_attempts && !q->attempts[i].exchange.env)
		i++;
	if (i == q->n_attempts)
		return;
	dns_forward_count(&q->forward->tally, DNS_FORWARD_NO_SOCKET);
	give_up_attempt(&q->attempts[i]);
}

/* The next in order; and when that is slow, the one after it. False: there was none to ask. */
static bool ask_next(struct dns_question *q)
{
	struct dns_forward *f = q->forward;

	while (q->n_attempts < DNS_QUESTION_ATTEMPTS_MAX && q->n_tried < DNS_QUESTION_ROUNDS * q->n_order && f->upstreams.n) {
		size_t round = q->n_tried / q->n_order;
		uint8_t upstream = q->order[q->n_tried++ % q->n_order];
		const struct dns_upstream *u = &f->upstreams.all[upstream];

		if (upstream >= f->upstreams.n)
			continue; /* the list got shorter meanwhile */
		if (!has_spare_socket(f))
			give_up_oldest(q);
		if (!start_attempt(q, upstream, loop_now_ms(f->env.loop) >= u->no_edns_until_ms)) {
			if (q->n_tried < q->n_order)
				continue;
			return false;
		}
		/* If there is no memory for the timer, the limit ends it. */
		(void)loop_set_timer_in(f->env.loop, &q->hedge, dns_upstream_patience_ms(u, q->n_order > 1) << round);
		return true;
	}
	return false;
}

/* How long askers are to wait: with something to fall back on less, and hardly at all if nobody has been heard lately. */
static unsigned limit_ms(const struct dns_question *q)
{
	struct dns_forward *f = q->forward;
	struct dns_cache_key key = question_cache_key(q);

	if (!dns_cache_find(f->cache, &key, loop_now_ms(f->env.loop)).stored)
		return f->total_ms;
	return dns_upstreams_all_silent(&f->upstreams) ? DNS_FORWARD_SILENT_MS : f->stale_ms;
}

void question_ask(struct dns_question *q)
{
	if (loop_set_timer_in(q->forward->env.loop, &q->limit, limit_ms(q)) < 0 || !ask_next(q))
		question_fail(q, why_failed(q));
}

static void hedge_expired(struct loop_timer *timer)
{
	struct dns_question *q = container_of(timer, struct dns_question, hedge);

	if (ask_next(q))
		dns_forward_count(&q->forward->tally, DNS_FORWARD_HEDGED);
	else if (!running(q))
		question_fail(q, why_failed(q));
}

static void limit_expired(struct loop_timer *timer)
{
	struct dns_question *q = container_of(timer, struct dns_question, limit);

	question_fail(q, why_failed(q));
}

/* This attempt has come to nothing: the next upstream, if there is one that has not been asked. */
static void go_on(struct dns_question *q)
{
	if (q->n_tried < q->n_order && ask_next(q))
		return;
	if (!running(q))
		question_fail(q, why_failed(q));
}

static void attempt_ended(struct dns_exchange *x, enum dns_exchange_end end, const struct dns_reply_in *in)
{
	struct dns_attempt *a = container_of(x, struct dns_attempt, exchange);
	struct dns_question *q = a->question;
	struct dns_forward *f = q->forward;
	struct dns_upstream *u = upstream_of(a);
	uint64_t now = loop_now_ms(f->env.loop);
	bool spoke = end == DNS_EXCHANGE_ANSWERED || end == DNS_EXCHANGE_FAILED || end == DNS_EXCHANGE_NO_EDNS;

	if (u && spoke)
		dns_upstream_heard(u, now - x->started_ms);
	if (u && spoke && x->folded)
		u->folds_until_ms = now + DNS_UPSTREAM_QUIRK_MS;
	if (end == DNS_EXCHANGE_ANSWERED) {
		question_answer(q, a, in);
		return;
	}
	if (end == DNS_EXCHANGE_NO_EDNS && u && x->sent.edns && q->n_attempts < DNS_QUESTION_ATTEMPTS_MAX) {
		u->no_edns_until_ms = now + DNS_UPSTREAM_QUIRK_MS;
		dns_forward_count(&f->tally, DNS_FORWARD_WITHOUT_EDNS);
		if (start_attempt(q, a->upstream, false))
			return;
	}
	if (spoke) {
		q->refused = true;
		dns_forward_count(&f->tally, DNS_FORWARD_UPSTREAM_FAILED);
	} else {
		q->unreachable = true;
		dns_forward_count(&f->tally, end == DNS_EXCHANGE_BAD_STREAM ? DNS_FORWARD_UPSTREAM_BAD_STREAM :
									      DNS_FORWARD_UPSTREAM_UNREACHABLE);
		if (u) {
			dns_upstream_lost(u, now - x->started_ms, now);
			question_arm_probes(f);
		}
	}
	go_on(q);
}

/* ---- probes: is an upstream that fell silent back? Asked for the root's name servers, which every resolver knows. ---- */

static void probe_ended(struct dns_exchange *x, enum dns_exchange_end end, const struct dns_reply_in *in)
{
	struct dns_probe *p = container_of(x, struct dns_probe, exchange);
	struct dns_forward *f = p->forward;

	(void)in;
	if (end == DNS_EXCHANGE_ANSWERED || end == DNS_EXCHANGE_FAILED || end == DNS_EXCHANGE_NO_EDNS) {
		dns_upstream_heard(&f->upstreams.all[p - f->probes], loop_now_ms(f->env.loop) - x->started_ms);
		question_publish(f);
	}
}

static void probe(struct dns_forward *f, size_t i)
{
	struct dns_sent sent = { .type = DNS_TYPE_NS, .class = DNS_CLASS_IN, .name = { 0 }, .name_len = 1 };
	struct dns_upstream *u = &f->upstreams.all[i];

	dns_exchange_stop(&f->probes[i].exchange);
	dns_forward_count(&f->tally, DNS_FORWARD_PROBES);
	if (dns_exchange_start(&f->probes[i].exchange, &f->env, &u->address, u->address_len, &sent, false) < 0)
		dns_forward_count(&f->tally, DNS_FORWARD_UPSTREAM_UNREACHABLE); /* the next probe is set already */
}

void question_arm_probes(struct dns_forward *f)
{
	uint64_t next, first = UINT64_MAX, now = loop_now_ms(f->env.loop);

	for (size_t i = 0; i < f->upstreams.n; i++) {
		if (dns_upstream_probe_due(&f->upstreams.all[i], now, &next))
			probe(f, i);
		else if (next == UINT64_MAX)
			dns_exchange_stop(&f->probes[i].exchange); /* heard meanwhile by other ways */
		if (next < first)
			first = next;
	}
	loop_cancel_timer(&f->probe_timer);
	if (first != UINT64_MAX)
		(void)loop_set_timer(f->env.loop, &f->probe_timer, first);
}

static void probes_due(struct loop_timer *timer)
{
	question_arm_probes(container_of(timer, struct dns_forward, probe_timer));
}

void question_init_probes(struct dns_forward *f)
{
	f->probe_timer.expired = probes_due;
	for (size_t i = 0; i < DNS_UPSTREAMS_MAX; i++) {
		f->probes[i].forward = f;
		f->probes[i].exchange.ended = probe_ended;
	}
}

void question_stop_probes(struct dns_forward *f)
{
	loop_cancel_timer(&f->probe_timer);
	for (size_t i = 0; i < DNS_UPSTREAMS_MAX; i++)
		dns_exchange_stop(&f->probes[i].exchange);
}

void question_publish(struct dns_forward *f)
{
	pthread_mutex_lock(&f->lock);
	f->published = f->upstreams;
	pthread_mutex_unlock(&f->lock);
}
