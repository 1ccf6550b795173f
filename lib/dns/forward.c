/* forward - see forward.h. This file: who waits for what. question.c asks the upstreams. */
#include "lib/dns/question.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/dns/private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RELOAD_CHECK_MS 1000
#define OWN_LETTERS_MIN 12 /* letters in mixed case that make it next to certain that a question is ours */

/* ---- upstreams ---- */

static bool file_changed(struct dns_forward *f)
{
	struct stat st = { 0 };

	(void)stat(f->resolv_conf, &st); /* gone: all zero, and then the list is empty */
	if (f->seen.st_ino == st.st_ino && f->seen.st_dev == st.st_dev && f->seen.st_size == st.st_size &&
	    f->seen.st_mtim.tv_sec == st.st_mtim.tv_sec && f->seen.st_mtim.tv_nsec == st.st_mtim.tv_nsec)
		return false;
	f->seen = st;
	return true;
}

static void read_resolv_conf(struct dns_forward *f)
{
	CLEAN_BUF struct buf text = BUF_INIT(64 << 10);
	struct dns_upstreams list;
	size_t left_out = 0;
	int r = file_read(f->resolv_conf, 64 << 10, &text);

	f->look_again = r < 0 && r != -ENOENT;
	if (f->look_again) {
		log_limited(LOG_L_ERR, "dns", "%s: %s; the upstream name servers stay as they were", f->resolv_conf, strerror(-r));
		return;
	}
	if (r < 0)
		buf_clear(&text);
	f->look_again = dns_upstreams_from_resolv_conf(buf_str(&text), &f->own, &list, &left_out);
	if (left_out && left_out != f->left_out)
		log_warn("dns", "%s: %zu name servers cannot be used as upstreams, ignoring them", f->resolv_conf, left_out);
	f->left_out = left_out;
	if (dns_upstreams_same(&f->upstreams, &list))
		return;
	question_stop_probes(f);
	dns_upstreams_replace(&f->upstreams, &list);
	/* Other servers may see another world (a VPN, a company's own names): what the old ones said is not theirs. */
	if (f->cache)
		dns_cache_clear(f->cache);
	question_arm_probes(f);
	dns_forward_count(&f->tally, DNS_FORWARD_RELOADED);
	log_info("dns", "%zu upstream name servers from %s%s%s", list.n, f->resolv_conf, list.n ? ", first " : "",
		 list.n ? list.all[0].text : "");
	question_publish(f);
}

/* At most once a second, and only when somebody asks: an idle node reads nothing. */
static void reload(struct dns_forward *f)
{
	uint64_t now = loop_now_ms(f->env.loop);

	if (!f->resolv_conf[0] || now < f->check_at_ms)
		return;
	f->check_at_ms = now + RELOAD_CHECK_MS;
	if (file_changed(f) || f->look_again)
		read_resolv_conf(f);
}

static int init_upstreams(struct dns_forward *f, const struct dns_forward_options *o, struct why *why)
{
	if (strcmp(o->upstreams, "auto") != 0)
		return dns_upstreams_parse(o->upstreams, &f->own, &f->upstreams, why);
	snprintf(f->resolv_conf, sizeof f->resolv_conf, "%s", o->resolv_conf ? o->resolv_conf : DNS_FORWARD_RESOLV_CONF);
	(void)file_changed(f);
	read_resolv_conf(f);
	return 0;
}

int dns_forward_new(struct loop *loop, const struct dns_forward_options *options, struct dns_forward **ret_forward, struct why *why)
{
	struct dns_forward *f = calloc(1, sizeof *f);
	int r;

	if (!f)
		return -ENOMEM;
	pthread_mutex_init(&f->lock, NULL);
	f->own = options->own;
	f->stale_ms = options->stale_ms ? options->stale_ms : DNS_FORWARD_STALE_MS;
	f->total_ms = options->total_ms ? options->total_ms : DNS_FORWARD_TOTAL_MS;
	f->env = (struct dns_exchange_env){ .loop = loop, .clock = options->clock, .tally = &f->tally,
					    .max_open = DNS_FORWARD_SOCKETS_MAX, .mix_case = !options->keep_case };
	f->last = &f->first;
	question_init_probes(f);
	r = init_upstreams(f, options, why);
	if (r == 0)
		r = dns_cache_new(options->cache_bytes ? options->cache_bytes : DNS_FORWARD_CACHE_BYTES, &f->cache);
	if (r) {
		dns_forward_free(f);
		return r;
	}
	question_publish(f);
	*ret_forward = f;
	return 0;
}

struct dns_forward *dns_forward_free(struct dns_forward *f)
{
	if (!f)
		return NULL;
	while (f->first)
		question_fail(f->first, DNS_HINT_NETWORK);
	question_stop_probes(f);
	map_deinit(&f->questions);
	dns_shares_deinit(&f->shares);
	f->cache = dns_cache_free(f->cache);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}

/* ---- answers ---- */

/* The waiter is not of any list any more. */
static void answer(struct dns_forward *f, struct dns_waiter *w, struct dns_reply *r, enum dns_forward_counter counter)
{
	size_t len = dns_reply_end(r);

	dns_forward_count(&f->tally, counter);
	w->answered(w, f->message, len, r->rcode);
}

static void answer_stored(struct dns_forward *f, struct dns_waiter *w, const struct dns_stored *stored, uint32_t age_s, bool stale,
			  enum dns_forward_counter counter)
{
	static const struct dns_hint hint_stale = { DNS_HINT_STALE, "no upstream name server answers; the last answer known" };
	struct dns_reply r;

	dns_reply_begin(&r, &w->query, f->message, w->size);
	r.keepalive = w->keepalive;
	if (stale)
		r.hint = &hint_stale;
	dns_stored_put(stored, age_s, stale, &r);
	answer(f, w, &r, counter);
}

static void answer_servfail(struct dns_forward *f, struct dns_waiter *w, uint16_t hint, const char *text,
			    enum dns_forward_counter counter)
{
	struct dns_hint one = { hint, text };
	struct dns_reply r;

	dns_reply_begin(&r, &w->query, f->message, w->size);
	r.keepalive = w->keepalive;
	r.rcode = DNS_SERVFAIL;
	r.hint = &one;
	answer(f, w, &r, counter);
}

static void unlink_waiter(struct dns_forward *f, struct dns_waiter *w)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	w->link = NULL;
	w->question->n_waiters--;
	dns_shares_remove_waiter(&f->shares, &w->source, w->network);
	dns_forward_set(&f->tally, DNS_FORWARD_NOW_WAITING, f->shares.n_waiters);
}

void forward_answer_all(struct dns_question *q, const struct dns_stored *stored)
{
	for (struct dns_waiter *w = q->waiters; w; w = q->waiters) {
		unlink_waiter(q->forward, w);
		answer_stored(q->forward, w, stored, 0, false, DNS_FORWARD_ANSWERED);
	}
}

void forward_fail_all(struct dns_question *q, uint16_t hint)
{
	struct dns_forward *f = q->forward;
	struct dns_cache_key key = question_cache_key(q);

	for (struct dns_waiter *w = q->waiters; w; w = q->waiters) {
		struct dns_cache_found found = dns_cache_find(f->cache, &key, loop_now_ms(f->env.loop));

		unlink_waiter(f, w);
		if (found.stored)
			answer_stored(f, w, found.stored, found.age_s, found.kind != DNS_CACHED_FRESH, DNS_FORWARD_STALE);
		else
			answer_servfail(f, w, hint,
					hint == DNS_HINT_NO_REACHABLE ? "no upstream name server answered in time" :
					hint == DNS_HINT_NETWORK      ? "no upstream name server can be reached" :
									"the upstream name servers say that they have no answer",
					DNS_FORWARD_FAILED);
	}
}

/* ---- asking ---- */

/* Is it a question of ours that has found its way back? Its letters say so, or its id when they say nothing. */
static bool is_our_own(const struct dns_forward *f, const struct dns_query *q)
{
	for (const struct dns_question *one = f->first; one; one = one->next) {
		if (one->name_len != q->name_len || memcmp(one->key, q->key, q->name_len) != 0)
			continue;
		for (size_t i = 0; i < one->n_attempts; i++) {
			const struct dns_sent *sent = &one->attempts[i].exchange.sent;
			size_t n_upper = 0, n_letters = 0;

			if (!one->attempts[i].exchange.env || memcmp(sent->name, q->name, q->name_len) != 0)
				continue;
			for (size_t k = 0; k < q->name_len; k++) {
				n_upper += sent->name[k] >= 'A' && sent->name[k] <= 'Z';
				n_letters += q->key[k] >= 'a' && q->key[k] <= 'z';
			}
			if (sent->id == q->id || (n_letters >= OWN_LETTERS_MIN && n_upper && n_upper < n_letters))
				return true;
		}
	}
	return false;
}

/* Answers from what is known; false if upstreams must be asked. */
static bool answer_from_cache(struct dns_forward *f, struct dns_waiter *w, const struct dns_cache_key *key)
{
	struct dns_cache_found found = dns_cache_find(f->cache, key, loop_now_ms(f->env.loop));

	if (found.kind == DNS_CACHED_FRESH)
		answer_stored(f, w, found.stored, found.age_s, false, DNS_FORWARD_HIT);
	else if (found.kind == DNS_CACHED_RESTING && found.stored)
		answer_stored(f, w, found.stored, found.age_s, true, DNS_FORWARD_HIT_STALE);
	else if (found.kind == DNS_CACHED_RESTING)
		answer_servfail(f, w, DNS_HINT_CACHED_ERROR, "upstream name servers failed a moment ago", DNS_FORWARD_HIT_FAILURE);
	else
		return false;
	return true;
}

static bool is_repeated(const struct dns_question *q, const struct dns_waiter *w)
{
	for (const struct dns_waiter *one = w->port ? q->waiters : NULL; one; one = one->next)
		if (one->port == w->port && one->query.id == w->query.id && !memcmp(&one->source, &w->source, sizeof w->source))
			return true;
	return false;
}

/* Counts the waiter in; false: it got SERVFAIL. */
static bool take_share(struct dns_forward *f, struct dns_waiter *w)
{
	switch (dns_shares_add_waiter(&f->shares, &w->source, w->network)) {
	case DNS_SHARE_OK:
		return true;
	case DNS_SHARE_OVER_SOURCE:
		answer_servfail(f, w, DNS_HINT_OTHER, "too many questions of this address are waiting", DNS_FORWARD_OVER_SOURCE);
		return false;
	case DNS_SHARE_OVER_NETWORK:
		answer_servfail(f, w, DNS_HINT_OTHER, "too many questions of this network are waiting", DNS_FORWARD_OVER_NETWORK);
		return false;
	case DNS_SHARE_OVER_TOTAL:
		break;
	}
	answer_servfail(f, w, DNS_HINT_OTHER, "too many questions are waiting", DNS_FORWARD_OVER_TOTAL);
	return false;
}

static void link_waiter(struct dns_question *q, struct dns_waiter *w)
{
	w->question = q;
	w->next = q->waiters;
	w->link = &q->waiters;
	if (w->next)
		w->next->link = &w->next;
	q->waiters = w;
	q->n_waiters++;
	dns_forward_set(&q->forward->tally, DNS_FORWARD_NOW_WAITING, q->forward->shares.n_waiters);
}

static struct dns_question *oldest_of(const struct dns_forward *f, uint32_t network)
{
	struct dns_question *q = f->first;

	while (q && q->network != network)
		q = q->next;
	return q;
}

/* The oldest question of the network that has the most gives way to a new one of this network. Its askers are told last: one that asks
 * on at once (pipelined TCP) would take the place again. */
static enum dns_share jostle(struct dns_forward *f, uint32_t victim, uint32_t network)
{
	struct dns_question *q = oldest_of(f, victim);
	enum dns_share share;

	dns_forward_count(&f->tally, DNS_FORWARD_JOSTLED);
	question_withdraw(q);
	share = dns_shares_add_question(&f->shares, network, &victim);
	forward_fail_all(q, DNS_HINT_NO_REACHABLE);
	free(q);
	return share;
}

/* Counts a new question in; if there is no room for it, *ret_counter says why. */
static bool take_question_share(struct dns_forward *f, uint32_t network, enum dns_forward_counter *ret_counter)
{
	uint32_t victim;
	enum dns_share share = dns_shares_add_question(&f->shares, network, &victim);

	if (share == DNS_SHARE_OVER_TOTAL && victim)
		share = jostle(f, victim, network);
	*ret_counter = share == DNS_SHARE_OVER_NETWORK ? DNS_FORWARD_OVER_NETWORK : DNS_FORWARD_OVER_TOTAL;
	return share == DNS_SHARE_OK;
}

static void begin_question(struct dns_forward *f, struct dns_waiter *w)
{
	enum dns_forward_counter counter;
	struct dns_question *q;

	if (!take_share(f, w))
		return;
	if (!take_question_share(f, w->network, &counter)) {
		dns_shares_remove_waiter(&f->shares, &w->source, w->network);
		answer_servfail(f, w, DNS_HINT_OTHER, "too many questions are on their way", counter);
		return;
	}
	q = question_new(f, w);
	if (!q) {
		dns_shares_remove_question(&f->shares, w->network);
		dns_shares_remove_waiter(&f->shares, &w->source, w->network);
		answer_servfail(f, w, DNS_HINT_OTHER, "out of memory", DNS_FORWARD_OVER_TOTAL);
		return;
	}
	link_waiter(q, w);
	question_ask(q);
}

static void join_question(struct dns_question *q, struct dns_waiter *w)
{
	struct dns_forward *f = q->forward;

	if (is_repeated(q, w)) {
		dns_forward_count(&f->tally, DNS_FORWARD_REPEATED);
		w->dropped(w);
	} else if (take_share(f, w)) {
		dns_forward_count(&f->tally, DNS_FORWARD_COALESCED);
		link_waiter(q, w);
	}
}

void dns_forward_ask(struct dns_forward *f, struct dns_waiter *w, const struct dns_query *query)
{
	struct addr_parts source = { 0 };
	struct dns_cache_key key;
	struct dns_question *q;

	dns_forward_count(&f->tally, DNS_FORWARD_ASKED);
	w->link = NULL;
	w->network = 0;
	w->query = *query;
	memcpy(w->name_bytes, query->name, query->name_len);
	w->query.name = w->name_bytes;
	if (addr_split(&w->source, &source) == 0)
		w->network = source.network;
	if (dns_tree_of(query->key, query->name_len) != DNS_TREE_OTHER || dns_private_find(query->key, query->name_len) >= 0) {
		answer_servfail(f, w, DNS_HINT_PROHIBITED, "this name must not leave", DNS_FORWARD_PRIVATE);
		return;
	}
	reload(f); /* before the cache, which it may empty */
	key = (struct dns_cache_key){ w->network, w->query.key, query->name_len, query->type, query->class, query->dnssec_ok,
				      query->flags & DNS_FLAG_CHECKING_DISABLED };
	if (answer_from_cache(f, w, &key))
		return;
	if (is_our_own(f, query)) {
		log_limited(LOG_L_WARN, "dns", "a question of ours came back to us: an upstream name server asks us in turn");
		answer_servfail(f, w, DNS_HINT_OTHER, "this question goes round in circles", DNS_FORWARD_LOOPED);
		return;
	}
	q = question_find(f, &key);
	if (q)
		join_question(q, w);
	else if (!f->upstreams.n)
		answer_servfail(f, w, DNS_HINT_NO_REACHABLE, "no upstream name server is configured", DNS_FORWARD_NO_UPSTREAM);
	else
		begin_question(f, w);
}

void dns_forward_cancel(struct dns_forward *f, struct dns_waiter *w)
{
	if (!w->link)
		return;
	dns_forward_count(&f->tally, DNS_FORWARD_CANCELLED);
	unlink_waiter(f, w); /* the question goes on: the answer is for the cache, and the next try of who asked */
}

void dns_forward_stats(const struct dns_forward *f, struct dns_forward_stats *ret_stats)
{
	dns_forward_tally_read(&f->tally, ret_stats);
}

void dns_forward_upstreams(struct dns_forward *f, struct dns_upstreams *ret_upstreams)
{
	pthread_mutex_lock(&f->lock);
	*ret_upstreams = f->published;
	pthread_mutex_unlock(&f->lock);
}
