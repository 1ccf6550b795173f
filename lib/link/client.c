/* client - see client.h.
 *
 * One time (step_at_ms) belongs to the state: when dialling is given up or begun again, when a handshake is repeated. Calls have
 * deadlines of their own. Every way in ends in rearm(), which tells the owner the earliest of them. Callbacks come last in every
 * path, because they may make calls or stop us. */
#include "lib/link/client.h"

#include "lib/link/handshake.h"

#include <stdlib.h>
#include <string.h>

#define PARK_MS_DEFAULT 25000
#define CALL_MS_DEFAULT 30000
#define REKEY_MS_DEFAULT (60 * 60 * 1000)
#define REKEY_MESSAGES_DEFAULT ((uint64_t)1 << 32)
#define DIAL_MS_MIN 1000 /* nng does not tell of a refused connection: we only see that none came */
#define DIAL_MS_MAX 8000
#define DIALS_SHORT 4    /* so many in a row are given up early: a controller that restarts is away for a second or two, and a dial
			  * that it refused must not be waited for while it is back */
#define BACK_OFF_MS_MIN 250
#define BACK_OFF_MS_MAX 30000
#define KNOCK_MS 1000    /* plus up to as much again, doubling */
#define KNOCKS_MAX 4     /* on one connection; then the next address */
#define COOKIES_MAX 3    /* taken between two timeouts */
#define HINT_GAP_MS 5000 /* at most one new handshake for a hint in this time */
#define UNUSED_MS 5000   /* the server forgets a session that nobody confirms after 10 s */
#define NEVER UINT64_MAX

struct call {
	bool used, sent;
	uint32_t request_id;
	uint64_t counter, deadline_ms;
	link_done_fn *done;
	void *ctx;
	uint8_t *payload; /* until it is sent */
	size_t len;
};

struct link_client {
	struct clock clock;
	struct link_client_transport *transport;
	struct link_client_events events;
	void *ctx;
	struct link_client_config config; /* addresses are our copies */
	struct noise_mac_keys mac_keys;
	enum link_client_state state;
	bool dialed, connected; /* waiting for a connection; having one */
	size_t address;
	unsigned failures; /* since the last authentic reply */
	uint64_t step_at_ms;
	uint64_t announced_ms;
	uint32_t last_request_id;

	struct link_session session; /* id 0 = none */
	bool session_used;           /* something was sent in it, so the server has it for good */
	bool suspect;                /* it left a call unanswered: do not trust it after the next connect */
	uint64_t features;
	struct link_knock knock;
	uint32_t knock_request_id;   /* 0 = none waiting */
	unsigned knocks, cookies_taken;
	uint8_t stamp[TAI64N_LEN];
	uint8_t cookie[NOISE_COOKIE_LEN];
	uint64_t cookie_until_ms;
	uint64_t hint_last_ms, hint_due_ms;

	struct call calls[LINK_METHODS];
	struct link_client_stats stats;
};

static uint64_t now_ms(const struct link_client *c)
{
	return clock_mono_ms(&c->clock);
}

static void drop(struct link_client *c, enum link_drop reason)
{
	c->stats.dropped[reason]++;
}

/* The top bit marks a request id for nng; 0x80000000 itself is left out so that 0 in the low bits can mean none. */
static uint32_t next_request_id(struct link_client *c)
{
	c->last_request_id = (c->last_request_id + 1) & ~LINK_REQUEST_ID_BIT;
	if (c->last_request_id == 0)
		c->last_request_id = 1;
	return c->last_request_id | LINK_REQUEST_ID_BIT;
}

static void set_state(struct link_client *c, enum link_client_state state)
{
	if (c->state == state)
		return;
	c->state = state;
	if (c->events.state)
		c->events.state(c->ctx, state);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool any_sent(const struct link_client *c)
{
	for (int m = 0; m < LINK_METHODS; m++)
		if (c->calls[m].used && c->calls[m].sent)
			return true;
	return false;
}

static bool any_waiting(const struct link_client *c)
{
	for (int m = 0; m < LINK_METHODS; m++)
		if (c->calls[m].used && !c->calls[m].sent)
			return true;
	return false;
}

static bool session_usable(const struct link_client *c)
{
	uint64_t age = now_ms(c) - c->session.made_ms;

	return c->session.id != 0 && age < c->config.rekey_ms && c->session.sent < c->config.rekey_messages &&
	       (c->session_used || age < UNUSED_MS);
}

/* A new session is made when the next call needs one. Calls that were sent in the old one are let finish first, and none is sent in
 * it any more. */
static bool rekey_due(const struct link_client *c)
{
	return c->state == LINK_CLIENT_READY && !session_usable(c) && any_waiting(c) && !any_sent(c);
}

static void rearm(struct link_client *c)
{
	uint64_t at = earliest(c->step_at_ms, c->hint_due_ms);

	if (c->state == LINK_CLIENT_IDLE) /* calls that wait for link_client_start have no clock yet */
		return;
	for (int m = 0; m < LINK_METHODS; m++)
		if (c->calls[m].used)
			at = earliest(at, c->calls[m].deadline_ms);
	if (rekey_due(c))
		at = now_ms(c);
	if (at == c->announced_ms)
		return;
	c->announced_ms = at;
	if (at != NEVER)
		c->events.wake_at(c->ctx, at);
}

/* ----------------------------------------------------------------------------------------------------------------- calls */

static void call_forget_payload(struct call *call)
{
	if (call->payload)
		crypto_wipe(call->payload, call->len); /* an EnrollRequest holds the join secret */
	free(call->payload);
	call->payload = NULL;
}

/* Takes the call out; the callback is made by the caller with what it got, when all else is in order. */
static struct call call_take(struct call *call)
{
	struct call taken;

	call_forget_payload(call);
	taken = *call;
	*call = (struct call){ 0 };
	return taken;
}

static void end_calls(struct link_client *c, enum link_result result, bool only_sent)
{
	struct call ended[LINK_METHODS];
	size_t n = 0;

	for (int m = 0; m < LINK_METHODS; m++)
		if (c->calls[m].used && (c->calls[m].sent || !only_sent))
			ended[n++] = call_take(&c->calls[m]);
	for (size_t i = 0; i < n; i++) {
		c->stats.lost += result == LINK_LOST;
		ended[i].done(ended[i].ctx, result, NULL, 0);
	}
}

static void call_send(struct link_client *c, enum link_method method)
{
	CLEAN_BUF struct buf frame = BUF_INIT(LINK_TO_SERVER_MAX);
	struct call *call = &c->calls[method];
	int r;

	call->request_id = next_request_id(c);
	r = link_session_seal(&c->session, LINK_FRAME_REQUEST, method, 0, call->payload, call->len, &frame, &call->counter);
	if (r == 0)
		r = c->transport->ops->send(c->transport, call->request_id, frame.data, frame.len);
	if (r == -ENOTCONN)
		return; /* goes out with a new counter once we are connected again; disconnected() follows */
	c->session_used = true;
	call->sent = true; /* whatever else went wrong ends at the deadline */
	call_forget_payload(call);
}

static void flush_calls(struct link_client *c)
{
	for (int m = 1; m < LINK_METHODS; m++)
		if (c->state == LINK_CLIENT_READY && c->calls[m].used && !c->calls[m].sent && session_usable(c))
			call_send(c, (enum link_method)m);
}

/* ------------------------------------------------------------------------------------------------------------ connection */

static uint64_t doubled(uint64_t base, unsigned times, uint64_t most)
{
	return times >= 16 || base << times > most ? most : base << times;
}

static void dial(struct link_client *c)
{
	set_state(c, LINK_CLIENT_DIALING);
	c->connected = false;
	c->dialed = true;
	c->stats.dials++;
	c->step_at_ms = now_ms(c) + doubled(DIAL_MS_MIN, c->failures > DIALS_SHORT ? c->failures - DIALS_SHORT : 0, DIAL_MS_MAX);
	/* an address that cannot even be tried fails like one that does not answer */
	if (c->transport->ops->dial(c->transport, c->config.addresses[c->address]) < 0)
		c->step_at_ms = now_ms(c) + BACK_OFF_MS_MIN;
}

/* The connection is gone or given up: wait a random part of a doubling time (full jitter), then try the next address. */
static void connection_failed(struct link_client *c)
{
	c->transport->ops->hang_up(c->transport);
	c->dialed = c->connected = false;
	c->knock_request_id = 0;
	link_knock_wipe(&c->knock);
	c->hint_due_ms = NEVER;
	c->address = (c->address + 1) % c->config.n_addresses;
	c->step_at_ms = now_ms(c) + clock_random_below(&c->clock, doubled(BACK_OFF_MS_MIN, c->failures, BACK_OFF_MS_MAX) + 1);
	c->failures++;
	set_state(c, LINK_CLIENT_DIALING);
	end_calls(c, LINK_LOST, true);
}

static void become_ready(struct link_client *c)
{
	c->step_at_ms = NEVER;
	c->knock_request_id = 0;
	c->knocks = 0;
	set_state(c, LINK_CLIENT_READY);
	flush_calls(c);
}

/* ------------------------------------------------------------------------------------------------------------- handshake */

static void knock(struct link_client *c)
{
	CLEAN_BUF struct buf frame = BUF_INIT(LINK_HANDSHAKE_MAX);
	struct link_hello hello = { .boot_count = c->config.boot_count, .features = c->config.features };
	uint64_t wait = doubled(KNOCK_MS, c->knocks, 8 * KNOCK_MS);
	int r;

	tai64n_next(c->stamp, clock_real_ms(&c->clock), c->stamp);
	memcpy(hello.stamp, c->stamp, TAI64N_LEN);
	memcpy(hello.boot_id, c->config.boot_id, LINK_BOOT_ID_LEN);
	c->step_at_ms = now_ms(c) + wait + clock_random_below(&c->clock, wait);
	c->knock_request_id = next_request_id(c);
	r = link_knock_write(&c->knock, &c->clock, c->config.kind, c->config.private_key, c->config.controller_key, &hello,
			     now_ms(c) < c->cookie_until_ms ? c->cookie : NULL, &frame);
	if (r == 0)
		r = c->transport->ops->send(c->transport, c->knock_request_id, frame.data, frame.len);
	c->stats.handshakes += r == 0;
}

static void handshake(struct link_client *c)
{
	c->knocks = 0;
	c->cookies_taken = 0;
	c->hint_due_ms = NEVER;
	set_state(c, LINK_CLIENT_HANDSHAKING);
	knock(c);
}

static void knock_again(struct link_client *c)
{
	c->cookies_taken = 0;
	if (++c->knocks >= KNOCKS_MAX)
		connection_failed(c);
	else
		knock(c);
}

static bool knock_answered(struct link_client *c, uint32_t request_id)
{
	if (c->state == LINK_CLIENT_HANDSHAKING && c->knock_request_id != 0 && request_id == c->knock_request_id)
		return true;
	drop(c, LINK_DROP_UNASKED);
	return false;
}

static void on_welcome(struct link_client *c, uint32_t request_id, const struct link_frame *frame)
{
	struct link_session fresh;
	enum link_drop reason;

	if (!knock_answered(c, request_id))
		return;
	if (link_knock_read_welcome(&c->knock, &c->clock, frame, &fresh, &c->features, &reason) != 0) {
		drop(c, reason);
		return;
	}
	link_session_wipe(&c->session);
	c->session = fresh;
	crypto_wipe(&fresh, sizeof fresh);
	c->session_used = c->suspect = false;
	c->stats.sessions++;
	/* what was sent in the old session cannot be answered in the new one */
	c->knock_request_id = 0;
	end_calls(c, LINK_LOST, true);
	if (c->state == LINK_CLIENT_HANDSHAKING && c->connected)
		become_ready(c);
}

static void on_cookie(struct link_client *c, uint32_t request_id, const struct link_frame *frame)
{
	enum link_drop reason;

	if (!knock_answered(c, request_id))
		return;
	if (c->cookies_taken >= COOKIES_MAX) {
		drop(c, LINK_DROP_HINT_RATE);
		return;
	}
	if (link_knock_read_cookie(&c->knock, &c->mac_keys, frame, c->cookie, &reason) != 0) {
		drop(c, reason);
		return;
	}
	c->stats.cookies++;
	c->cookies_taken++;
	c->cookie_until_ms = now_ms(c) + NOISE_COOKIE_LIFE_MS;
	knock(c);
}

static struct call *asked(struct link_client *c, uint32_t request_id)
{
	for (int m = 0; m < LINK_METHODS; m++)
		if (c->calls[m].used && c->calls[m].sent && c->calls[m].request_id == request_id)
			return &c->calls[m];
	return NULL;
}

/* A hint is plaintext: all that it can make us do is one handshake, not oftener than HINT_GAP_MS, with the session kept. */
static void on_hint(struct link_client *c, uint32_t request_id, const struct link_frame *frame)
{
	enum link_drop reason;
	uint32_t session;

	if (link_hint_read(frame, &session, &reason) != 0) {
		drop(c, reason);
		return;
	}
	if (c->state != LINK_CLIENT_READY || !asked(c, request_id) || session != c->session.id) {
		drop(c, LINK_DROP_UNASKED);
		return;
	}
	if (c->hint_last_ms && now_ms(c) - c->hint_last_ms < HINT_GAP_MS) {
		drop(c, LINK_DROP_HINT_RATE);
		c->hint_due_ms = c->hint_last_ms + HINT_GAP_MS;
		return;
	}
	c->stats.hints++;
	c->hint_last_ms = now_ms(c);
	handshake(c);
}

static void on_reply(struct link_client *c, uint32_t request_id, const struct link_frame *frame)
{
	CLEAN_FREE uint8_t *payload = NULL;
	struct call *call = asked(c, request_id), done;
	size_t len = frame->body_len - CRYPTO_AEAD_TAG_LEN;
	enum link_drop reason = LINK_DROPS;

	if (!call)
		reason = LINK_DROP_UNASKED;
	else if (frame->session != c->session.id)
		reason = LINK_DROP_NO_SESSION;
	else if (frame->answers != call->counter || frame->method != (uint8_t)(call - c->calls))
		reason = LINK_DROP_WRONG_ANSWER;
	else if (!(payload = malloc(len + 1)))
		reason = LINK_DROP_MEMORY;
	if (reason != LINK_DROPS || link_session_open(&c->session, frame, payload, &reason) != 0) {
		drop(c, reason);
		return;
	}
	c->stats.replies++;
	c->failures = 0;
	c->suspect = false;
	done = call_take(call);
	done.done(done.ctx, LINK_OK, payload, len);
}

/* ------------------------------------------------------------------------------------------------------ transport events */

static void connected(void *owner)
{
	struct link_client *c = owner;

	if (c->state == LINK_CLIENT_IDLE || c->connected)
		return;
	c->connected = true;
	c->dialed = false;
	c->stats.connects++;
	if (session_usable(c) && !c->suspect)
		become_ready(c);
	else
		handshake(c);
	rearm(c);
}

static void disconnected(void *owner)
{
	struct link_client *c = owner;

	if (c->state == LINK_CLIENT_IDLE)
		return;
	connection_failed(c);
	rearm(c);
}

static void reply(void *owner, uint32_t request_id, const uint8_t *bytes, size_t len)
{
	struct link_client *c = owner;
	struct link_frame frame;
	enum link_drop reason;

	if (c->state == LINK_CLIENT_IDLE)
		return;
	if (link_frame_parse(bytes, len, false, &frame, &reason) != 0)
		drop(c, reason);
	else if (frame.type == LINK_FRAME_WELCOME)
		on_welcome(c, request_id, &frame);
	else if (frame.type == LINK_FRAME_COOKIE)
		on_cookie(c, request_id, &frame);
	else if (frame.type == LINK_FRAME_HINT)
		on_hint(c, request_id, &frame);
	else
		on_reply(c, request_id, &frame);
	rearm(c);
}

/* --------------------------------------------------------------------------------------------------------------- public */

static int copy_config(struct link_client *c, const struct link_client_config *config)
{
	c->config = *config;
	memset(c->config.addresses, 0, sizeof c->config.addresses);
	if (config->n_addresses == 0 || config->n_addresses > LINK_CLIENT_ADDRESSES_MAX ||
	    (config->kind != LINK_KIND_NODE && config->kind != LINK_KIND_ENROLL))
		return -EINVAL;
	for (size_t i = 0; i < config->n_addresses; i++) {
		c->config.addresses[i] = strdup(config->addresses[i]);
		if (!c->config.addresses[i])
			return -ENOMEM;
	}
	c->config.park_ms = config->park_ms ? config->park_ms : PARK_MS_DEFAULT;
	c->config.call_ms = config->call_ms ? config->call_ms : CALL_MS_DEFAULT;
	c->config.rekey_ms = config->rekey_ms ? config->rekey_ms : REKEY_MS_DEFAULT;
	c->config.rekey_messages = config->rekey_messages ? config->rekey_messages : REKEY_MESSAGES_DEFAULT;
	return 0;
}

int link_client_new(const struct clock *clock, struct link_client_transport *transport, const struct link_client_config *config,
		    const struct link_client_events *events, void *ctx, struct link_client **ret_client)
{
	struct link_client *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->clock = *clock;
	c->transport = transport;
	c->events = *events;
	c->ctx = ctx;
	c->step_at_ms = c->announced_ms = c->hint_due_ms = NEVER;
	r = copy_config(c, config);
	if (r < 0) {
		link_client_free(c);
		return r;
	}
	noise_mac_keys_init(&c->mac_keys, NOISE_LINK_MAC1_LABEL, NOISE_LINK_COOKIE_LABEL, config->controller_key);
	/* ids of an earlier life of this process must not meet ours in the controller's queue */
	clock_random(clock, &c->last_request_id, sizeof c->last_request_id);
	transport->owner = c;
	transport->connected = connected;
	transport->disconnected = disconnected;
	transport->reply = reply;
	*ret_client = c;
	return 0;
}

struct link_client *link_client_free(struct link_client *c)
{
	if (!c)
		return NULL;
	link_client_stop(c);
	for (size_t i = 0; i < LINK_CLIENT_ADDRESSES_MAX; i++)
		free((char *)(uintptr_t)c->config.addresses[i]);
	crypto_wipe(c, sizeof *c);
	free(c);
	return NULL;
}

void link_client_start(struct link_client *c)
{
	if (c->state != LINK_CLIENT_IDLE)
		return;
	dial(c);
	rearm(c);
}

void link_client_stop(struct link_client *c)
{
	if (c->state != LINK_CLIENT_IDLE)
		c->transport->ops->hang_up(c->transport);
	c->dialed = c->connected = false;
	c->knock_request_id = 0;
	c->failures = 0;
	c->step_at_ms = c->announced_ms = c->hint_due_ms = NEVER;
	link_knock_wipe(&c->knock);
	link_session_wipe(&c->session);
	set_state(c, LINK_CLIENT_IDLE);
	end_calls(c, LINK_STOPPED, false);
}

/* Ends calls past their deadline. True: one had been sent, so the connection or session is not to be trusted. */
static bool expire_calls(struct link_client *c)
{
	struct call ended[LINK_METHODS];
	bool unanswered = false;
	size_t n = 0;

	for (int m = 0; m < LINK_METHODS; m++) {
		if (!c->calls[m].used || c->calls[m].deadline_ms > now_ms(c))
			continue;
		unanswered = unanswered || c->calls[m].sent;
		ended[n++] = call_take(&c->calls[m]);
	}
	/* the new connection before the callbacks, so that the calls which they make wait for it */
	if (unanswered) {
		c->suspect = true;
		connection_failed(c);
	}
	for (size_t i = 0; i < n; i++) {
		c->stats.timeouts++;
		ended[i].done(ended[i].ctx, LINK_TIMEOUT, NULL, 0);
	}
	return unanswered;
}

static void step_state(struct link_client *c)
{
	if (c->state == LINK_CLIENT_READY && c->hint_due_ms <= now_ms(c)) {
		c->hint_last_ms = now_ms(c);
		handshake(c);
	} else if (rekey_due(c)) {
		handshake(c);
	} else if (c->step_at_ms > now_ms(c)) {
		return;
	} else if (c->state == LINK_CLIENT_HANDSHAKING) {
		knock_again(c);
	} else if (c->state == LINK_CLIENT_DIALING && c->dialed) {
		connection_failed(c);
	} else if (c->state == LINK_CLIENT_DIALING) {
		dial(c);
	}
}

void link_client_tick(struct link_client *c)
{
	if (c->state == LINK_CLIENT_IDLE)
		return;
	c->announced_ms = NEVER; /* the owner's timer is spent */
	if (!expire_calls(c) && c->state != LINK_CLIENT_IDLE)
		step_state(c);
	rearm(c);
}

int link_client_call(struct link_client *c, enum link_method method, const void *payload, size_t len, link_done_fn *done, void *done_ctx)
{
	struct call *call = &c->calls[method], old = { 0 };
	uint8_t *copy;

	if (!link_kind_may_call((uint8_t)c->config.kind, (uint8_t)method))
		return -EINVAL;
	if (len > LINK_REQUEST_MAX)
		return -EMSGSIZE;
	if (call->used && method != LINK_POLL)
		return -EBUSY;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, payload, len);
	if (call->used)
		old = call_take(call);
	*call = (struct call){
		.used = true,
		.payload = copy,
		.len = len,
		.deadline_ms = now_ms(c) + (method == LINK_POLL ? 2 * (uint64_t)c->config.park_ms : c->config.call_ms),
		.done = done,
		.ctx = done_ctx,
	};
	c->stats.calls++;
	if (old.used)
		old.done(old.ctx, LINK_REPLACED, NULL, 0);
	flush_calls(c);
	rearm(c);
	return 0;
}

bool link_client_busy(const struct link_client *c, enum link_method method)
{
	return c->calls[method].used;
}

enum link_client_state link_client_state(const struct link_client *c)
{
	return c->state;
}

const char *link_client_address(const struct link_client *c)
{
	return c->config.addresses[c->address];
}

void link_client_own_address(const struct link_client *c, struct link_source *ret)
{
	memset(ret, 0, sizeof *ret);
	if (c->transport->ops->own_address)
		c->transport->ops->own_address(c->transport, ret);
}

uint64_t link_client_features(const struct link_client *c)
{
	return c->features;
}

void link_client_set_park_ms(struct link_client *c, uint32_t park_ms)
{
	c->config.park_ms = park_ms ? park_ms : PARK_MS_DEFAULT;
}

const struct link_client_stats *link_client_stats(const struct link_client *c)
{
	return &c->stats;
}
