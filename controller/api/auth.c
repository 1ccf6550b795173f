/* auth - see auth.h. */
#include "controller/api/auth.h"

#include "controller/http/connections.h"
#include "controller/http/limiter.h"
#include "controller/store/store_org.h"
#include "lib/base/log.h"
#include "lib/base/map.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TOUCH_MAX 64
#define OURS "sx1_"

struct entry {
	uint8_t id[ID_LEN]; /* the key in the map */
	struct store_token token;
	struct principal principal;
	uint32_t writes_per_s;
	uint64_t fetched_ms;
};

/* Apart from the cache, which forgets whenever anything changes. */
struct use {
	uint8_t id[ID_LEN]; /* the key in the map */
	struct store_token token; /* as it was then */
	uint64_t last_ms, round;  /* round: in which it was last written */
	bool pending;
};

struct touch {
	struct op op;
	struct auth *auth;
	size_t n;
	uint8_t ids[TOUCH_MAX][ID_LEN];
	uint64_t last_use_ms[TOUCH_MAX];
};

struct auth {
	struct loop *loop;
	struct limiter *limiter;  /* by token */
	struct limiter *failures; /* wrong tokens, by source */
	struct limiter *writes;   /* by organization, each at its own rate */
	struct clock clock;
	struct store_thread *thread;
	struct map cache, uses;
	uint64_t changes; /* how often anything changed of which the cache may know */
	uint64_t round;   /* of writing last uses */
	struct loop_timer touch_timer;
	bool touching;
	uint8_t dummy_hash[CRYPTO_HASH_LEN];
};

/* ---- limits ---- */

bool auth_may_write(struct auth *auth, const struct auth_question *question)
{
	const struct principal *who = &question->principal;
	const uint8_t *id = principal_only_org(who) ? principal_only_org(who) : who->kind == PRINCIPAL_USER ? who->id : NULL;
	uint8_t key[LIMITER_KEY_LEN] = { 0 };

	if (!id)
		return true;
	memcpy(key, id, ID_LEN);
	return limiter_take_at(auth->writes, key, question->writes_per_s) == 0;
}

unsigned auth_pace(struct auth *auth, const struct auth_question *question)
{
	uint8_t key[LIMITER_KEY_LEN] = { 0 };

	if (principal_is_operator(&question->principal))
		return 0;
	memcpy(key, question->token_id, ID_LEN);
	return limiter_take(auth->limiter, key);
}

uint64_t auth_limited(const struct auth *auth)
{
	return limiter_refusals(auth->limiter);
}

/* ---- cache ---- */

static void drop_all(struct auth *auth)
{
	struct entry *e;

	for (size_t i = 0; (e = map_next(&auth->cache, &i));)
		free(e);
	map_deinit(&auth->cache);
	auth->cache = (struct map){ 0 };
}

static void drop_uses(struct auth *auth, bool written)
{
	struct use *u;

	for (size_t i = 0; (u = map_next(&auth->uses, &i));)
		if (!written || !u->pending) {
			map_remove(&auth->uses, u->id, ID_LEN);
			free(u);
			i = 0; /* removing moves others */
		}
}

/* Without memory, or if too many tokens are used at once, one use is not seen. */
static void note_use(struct auth *auth, const uint8_t id[ID_LEN], const struct store_token *token)
{
	struct use *u = map_get(&auth->uses, id, ID_LEN);

	if (!u && auth->uses.n >= AUTH_CACHE_MAX)
		drop_uses(auth, true);
	if (!u && auth->uses.n < AUTH_CACHE_MAX && (u = calloc(1, sizeof *u))) {
		memcpy(u->id, id, ID_LEN);
		if (map_set(&auth->uses, u->id, ID_LEN, u, NULL) < 0) {
			free(u);
			u = NULL;
		}
	}
	if (!u)
		return;
	u->token = *token;
	u->last_ms = clock_real_ms(&auth->clock);
	u->pending = true;
}

static void remember(struct auth *auth, const struct auth_question *q, uint64_t now_ms)
{
	struct entry *e = map_remove(&auth->cache, q->token_id, ID_LEN);

	if (!e)
		e = calloc(1, sizeof *e);
	if (!e)
		return;
	if (auth->cache.n >= AUTH_CACHE_MAX)
		drop_all(auth);
	*e = (struct entry){ .token = q->token, .principal = q->principal, .writes_per_s = q->writes_per_s,
			     .fetched_ms = now_ms };
	memcpy(e->id, q->token_id, ID_LEN);
	if (map_set(&auth->cache, e->id, ID_LEN, e, NULL) < 0)
		free(e);
}

void auth_note_record(struct auth *auth, const struct record *record)
{
	switch (record->kind) {
	case RECORD_TOKEN:
		auth->changes++;
		if (record->key_len == ID_LEN)
			free(map_remove(&auth->cache, record->key, ID_LEN));
		else
			drop_all(auth);
		break;
	case RECORD_ORG:
	case RECORD_USER:
	case RECORD_MEMBERSHIP:
		auth->changes++;
		drop_all(auth);
		break;
	default:
		break;
	}
}

/* ---- questions ---- */

static void answer(struct auth_question *q, enum auth_result result)
{
	crypto_wipe(q->secret, sizeof q->secret);
	q->result = result;
	q->by_token = result == AUTH_GOOD;
	if (q->by_token)
		note_use(q->auth, q->token_id, &q->token);
	q->changes = q->auth->changes;
	if (result != AUTH_GOOD)
		q->principal = (struct principal){ 0 };
	q->answered(q);
}

static void fail(struct auth_question *q)
{
	uint8_t group[LIMITER_KEY_LEN];

	http_source_group(q->source, group);
	(void)limiter_take(q->auth->failures, group);
	log_limited(LOG_L_WARN, "auth", "wrong token from a client");
	answer(q, AUTH_WRONG);
}

static int look_up(struct store *store, struct op *op)
{
	struct auth_question *q = container_of(op, struct auth_question, op);
	struct store_org org;
	int r;

	r = store_token_find_by_id(store, &op->principal, q->token_id, &q->token, &q->principal, &op->why);
	if (r == 0 && q->principal.kind == PRINCIPAL_USER && !principal_only_org(&q->principal))
		q->writes_per_s = quotas_default().limit[QUOTA_WRITES]; /* in several orgs: its own pace */
	if (r || !principal_only_org(&q->principal))
		return r;
	r = store_org_find_by_id(store, &op->principal, principal_only_org(&q->principal), &org, &op->why);
	if (r == 0)
		q->writes_per_s = org.quotas.limit[QUOTA_WRITES];
	return r;
}

static void looked_up(struct op *op)
{
	struct auth_question *q = container_of(op, struct auth_question, op);
	struct auth *auth = q->auth;
	int result = op->result;

	op_deinit(op);
	if (result < 0) {
		answer(q, AUTH_UNAVAILABLE);
	} else if (result == 0 && token_matches(&q->token, q->secret, clock_real_ms(&auth->clock))) {
		remember(auth, q, clock_mono_ms(&auth->clock));
		answer(q, AUTH_GOOD);
	} else {
		if (result) { /* an unknown id costs as much time as a wrong secret */
			memcpy(q->token.hash, auth->dummy_hash, sizeof q->token.hash);
			(void)token_matches(&q->token, q->secret, 0);
		}
		fail(q);
	}
}

/* The token in the header's value: schemes Bearer and FlyV1, and of a list with commas (which flyctl sends) the first of ours, else the
 * first. NULL: no scheme that is known. */
const char *auth_token_in(const char *authorization, size_t *ret_len)
{
	const char *text = authorization, *found = NULL;

	for (bool more = text != NULL; more;) {
		size_t n = !strncasecmp(text, "Bearer ", 7) ? 7 : !strncasecmp(text, "FlyV1 ", 6) ? 6 : 0;

		more = n != 0;
		text += n;
	}
	if (text == authorization)
		return NULL;
	for (const char *p = text; p && (!found || strncmp(found, OURS, strlen(OURS)) != 0); p = strchr(p, ',')) {
		p += *p == ',';
		p += strspn(p, " ");
		if (!found || !strncmp(p, OURS, strlen(OURS)))
			found = p;
	}
	*ret_len = strcspn(found, ",");
	return found;
}

/* It was good lately, so it is no guess. Whether it still is the store says. */
static bool is_known(struct auth *auth, const struct auth_question *q)
{
	const struct use *u = map_get(&auth->uses, q->token_id, ID_LEN);

	return u && token_matches(&u->token, q->secret, clock_real_ms(&auth->clock));
}

void auth_ask(struct auth *auth, const char *authorization, const uint8_t source[16], struct auth_question *q)
{
	size_t len = 0;
	const char *text = auth_token_in(authorization, &len);
	uint8_t group[LIMITER_KEY_LEN];
	struct principal self;
	struct entry *e;

	q->auth = auth;
	q->writes_per_s = 0;
	memcpy(q->source, source, sizeof q->source);
	if (!text) {
		answer(q, AUTH_WRONG); /* nobody guessed anything: not counted */
		return;
	}
	if (token_parse(text, len, q->token_id, q->secret)) {
		fail(q);
		return;
	}
	e = map_get(&auth->cache, q->token_id, ID_LEN);
	if (e && clock_mono_ms(&auth->clock) - e->fetched_ms < AUTH_CACHE_MS &&
	    token_matches(&e->token, q->secret, clock_real_ms(&auth->clock))) {
		q->token = e->token;
		q->principal = e->principal;
		q->writes_per_s = e->writes_per_s;
		answer(q, AUTH_GOOD);
		return;
	}
	http_source_group(source, group);
	if (!limiter_has(auth->failures, group) && !is_known(auth, q)) { /* behind a proxy all are one address */
		answer(q, AUTH_TOO_MANY);
		return;
	}
	self = principal_local("the door");
	op_init(&q->op, look_up, looked_up, &self, NULL);
	q->op.write = false;
	store_thread_put(auth->thread, &q->op);
}

/* ---- once more, for who has waited ---- */

void auth_mark(const struct auth *auth, struct auth_question *question)
{
	question->changes = auth->changes;
}

bool auth_is_stale(const struct auth *auth, const struct auth_question *q)
{
	return q->by_token && (q->changes != auth->changes ||
			       (q->principal.expires_ms && q->principal.expires_ms <= clock_real_ms(&auth->clock)));
}

/* Nothing that it could see or do is gone. */
static bool may_as_before(const struct principal *before, const struct principal *now)
{
	if (principal_is_operator(before) != principal_is_operator(now))
		return false;
	for (size_t i = 0; i < before->n_orgs; i++) {
		size_t at = 0;

		while (at < now->n_orgs && !id_equal(now->orgs[at].id, before->orgs[i].id))
			at++;
		if (at == now->n_orgs || now->orgs[at].profile < before->orgs[i].profile)
			return false;
	}
	return true;
}

static int look_up_again(struct store *store, struct op *op)
{
	struct auth_question *q = container_of(op, struct auth_question, op);
	struct principal now;
	int r = store_token_find_by_id(store, &op->principal, q->token_id, &q->token, &now, &op->why);

	if (r == 0 && !may_as_before(&q->principal, &now))
		r = why_set(&op->why, "unauthorized", "", "the token may less than it could");
	if (r == 0)
		q->principal = now;
	return r;
}

static void looked_up_again(struct op *op)
{
	struct auth_question *q = container_of(op, struct auth_question, op);
	uint64_t now = clock_real_ms(&q->auth->clock);
	int result = op->result;
	bool good = result == 0 && !q->token.revoked_ms && (!q->token.expires_ms || q->token.expires_ms > now);

	op_deinit(op);
	answer(q, result < 0 ? AUTH_UNAVAILABLE : good ? AUTH_GOOD : AUTH_WRONG);
}

void auth_ask_again(struct auth *auth, struct auth_question *q)
{
	struct principal self = principal_local("the door");

	q->auth = auth;
	op_init(&q->op, look_up_again, looked_up_again, &self, NULL);
	q->op.write = false;
	store_thread_put(auth->thread, &q->op);
}

/* ---- last uses ---- */

static int touch_run(struct store *store, struct op *op)
{
	struct touch *t = container_of(op, struct touch, op);

	for (size_t i = 0; i < t->n; i++) {
		int r = store_token_touch(store, op, t->ids[i], t->last_use_ms[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static void write_some(struct auth *auth);

static void touch_done(struct op *op)
{
	struct touch *t = container_of(op, struct touch, op);
	struct auth *auth = t->auth;
	bool worked = op->result == 0;

	auth->touching = false;
	op_deinit(op);
	free(t);
	if (worked) /* else with the next round */
		write_some(auth);
}

/* Of this round, as many as fit; the others follow when they are written. */
static void write_some(struct auth *auth)
{
	struct principal self = principal_local("the door");
	struct touch *t = auth->touching ? NULL : calloc(1, sizeof *t);
	struct use *u;

	if (!t)
		return;
	for (size_t i = 0; t->n < TOUCH_MAX && (u = map_next(&auth->uses, &i));)
		if (u->pending && u->round < auth->round) {
			u->pending = false;
			u->round = auth->round;
			memcpy(t->ids[t->n], u->id, ID_LEN);
			t->last_use_ms[t->n++] = u->last_ms;
		}
	if (!t->n) {
		free(t);
		return;
	}
	t->auth = auth;
	auth->touching = true;
	op_init(&t->op, touch_run, touch_done, &self, NULL);
	t->op.quiet = true;
	store_thread_put(auth->thread, &t->op);
}

void auth_write_uses(struct auth *auth)
{
	auth->round++;
	write_some(auth);
}

static void touch_expired(struct loop_timer *timer)
{
	struct auth *auth = container_of(timer, struct auth, touch_timer);

	loop_set_timer_in(auth->loop, timer, AUTH_TOUCH_MS);
	auth_write_uses(auth);
}

static void free_limiters(struct auth *auth)
{
	if (!auth)
		return;
	limiter_free(auth->limiter);
	limiter_free(auth->failures);
	limiter_free(auth->writes);
}

int auth_new(struct loop *loop, const struct clock *clock, struct store_thread *thread, uint32_t requests_per_s, struct auth **ret_auth)
{
	struct auth *auth = calloc(1, sizeof *auth);

	if (!auth || limiter_new(clock, requests_per_s, 5 * requests_per_s, &auth->limiter) < 0 ||
	    limiter_new(clock, 1, AUTH_FAILURES_BURST, &auth->failures) < 0 || limiter_new(clock, 0, 0, &auth->writes) < 0) {
		free_limiters(auth);
		free(auth);
		return -ENOMEM;
	}
	auth->loop = loop;
	auth->clock = *clock;
	auth->thread = thread;
	auth->touch_timer.expired = touch_expired;
	clock_random(clock, auth->dummy_hash, sizeof auth->dummy_hash);
	loop_set_timer_in(loop, &auth->touch_timer, AUTH_TOUCH_MS);
	*ret_auth = auth;
	return 0;
}

struct auth *auth_free(struct auth *auth)
{
	if (!auth)
		return NULL;
	loop_cancel_timer(&auth->touch_timer);
	drop_all(auth);
	drop_uses(auth, false);
	map_deinit(&auth->uses);
	free_limiters(auth);
	free(auth);
	return NULL;
}
