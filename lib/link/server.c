/* server - see server.h. A frame passes, in this order: form, mac1, cookie, buckets, Diffie-Hellman, rising stamp, who; or form,
 * session, age, counter window, seal, who, identity, method, order. Whatever fails is counted under one reason and forgotten.
 *
 * Callbacks may end sessions (link_server_end_peer), so after each of them a session is looked up again, never used on. */
#include "lib/link/server.h"

#include "lib/link/peers.h"

#include <stdlib.h>
#include <string.h>

#define PARK_MS_DEFAULT 25000
#define SESSION_LIFE_MS_DEFAULT (70 * 60 * 1000)
#define MESSAGES_MAX ((uint64_t)1 << 33) /* the client rekeys after 2^32; this only stops one that never does */

struct link_server {
	struct clock clock;
	struct link_server_transport *transport;
	struct link_server_events events;
	void *ctx;
	struct link_door door;
	struct link_admission *admission;
	struct link_peers peers;
	uint64_t features, session_life_ms;
	uint32_t park_ms;
	uint32_t serial; /* low half of the next handle */
	uint8_t *plain;  /* LINK_TO_SERVER_MAX bytes for the opened payload */
	struct link_server_stats stats;
};

static void drop(struct link_server *s, enum link_drop reason)
{
	s->stats.dropped[reason]++;
}

static void tell_dead(struct link_server *s, const struct link_dead *dead)
{
	for (size_t i = 0; i < dead->n; i++) {
		s->stats.abandoned++;
		s->stats.calls--;
		s->events.abandoned(s->ctx, dead->handles[i]);
	}
}

static void send_plain(struct link_server *s, const struct link_route *route, const struct buf *frame)
{
	/* a lost cookie, hint or welcome is repeated by the client's own clock */
	if (s->transport->ops->reply(s->transport, route, frame->data, frame->len) < 0)
		s->stats.replies_lost++;
}

/* ----------------------------------------------------------------------------------------------------------- handshake */

static void send_cookie(struct link_server *s, const struct link_route *route, const struct link_source *source,
			const struct link_frame *frame)
{
	CLEAN_BUF struct buf reply = BUF_INIT(LINK_HANDSHAKE_MAX);

	if (link_door_write_cookie(&s->door, &s->clock, source, frame, &reply) < 0)
		return;
	s->stats.cookies++;
	send_plain(s, route, &reply);
}

/* All that is checked before the first Diffie-Hellman. */
static bool may_knock(struct link_server *s, const struct link_route *route, const struct link_source *source,
		      const struct link_frame *frame)
{
	bool loaded;
	int cookie;

	if (!link_door_mac1_good(&s->door, frame)) {
		drop(s, LINK_DROP_MAC1);
		return false;
	}
	loaded = link_admission_loaded(s->admission);
	cookie = link_door_check_cookie(&s->door, &s->clock, source, frame);
	if (cookie == LINK_COOKIE_WRONG || (loaded && cookie == LINK_COOKIE_NONE)) {
		drop(s, cookie == LINK_COOKIE_WRONG ? LINK_DROP_COOKIE_WRONG : LINK_DROP_COOKIE_WANTED);
		send_cookie(s, route, source, frame);
		return false;
	}
	switch (link_admission_take(s->admission, source)) {
	case LINK_ADMIT:
		return true;
	case LINK_REFUSE_SOURCE:
		drop(s, LINK_DROP_SOURCE_RATE);
		return false;
	case LINK_REFUSE_TOTAL:
		drop(s, LINK_DROP_TOTAL_RATE);
		return false;
	}
	return false;
}

/* Which peer is this, and may it have a session of that kind now? NULL: dropped. */
static struct link_peer *admit_peer(struct link_server *s, uint8_t kind, const uint8_t key[CRYPTO_KEY_LEN],
				    const struct link_hello *hello)
{
	struct link_peer *peer;
	uint32_t host = 0;
	int who = s->events.who(s->ctx, key, &host);

	if (who != 0 && who != LINK_WHO_UNKNOWN) {
		drop(s, LINK_DROP_REVOKED);
		return NULL;
	}
	if (who == LINK_WHO_UNKNOWN && kind != LINK_KIND_ENROLL) {
		drop(s, LINK_DROP_UNKNOWN_KEY);
		return NULL;
	}
	if (link_peers_get(&s->peers, kind, key, &peer) < 0) {
		drop(s, LINK_DROP_MEMORY);
		return NULL;
	}
	if (!link_peer_rises(peer, hello)) {
		drop(s, LINK_DROP_STALE_HELLO);
		return NULL;
	}
	peer->host = kind == LINK_KIND_NODE ? host : 0;
	return peer;
}

static void open_session(struct link_server *s, const struct link_route *route, const struct link_frame *frame, struct noise_ik *ik)
{
	CLEAN_BUF struct buf reply = BUF_INIT(LINK_HANDSHAKE_MAX);
	struct link_session crypto = { 0 };
	struct link_hello hello;
	struct link_peer *peer;
	uint8_t key[CRYPTO_KEY_LEN];
	enum link_drop reason;
	int r;

	r = link_door_read_hello(&s->door, frame, ik, &hello, key, &reason);
	if (r != 0) {
		drop(s, reason);
		return;
	}
	peer = admit_peer(s, frame->kind, key, &hello);
	if (!peer)
		return;
	r = link_door_write_welcome(ik, &s->clock, frame->sender, link_peers_free_id(&s->peers), s->features, &reply, &crypto);
	if (r == 0)
		r = link_peers_add_provisional(&s->peers, peer, &crypto, &hello);
	link_session_wipe(&crypto);
	if (r != 0) {
		drop(s, r == E_REFUSED ? LINK_DROP_PROVISIONAL_FULL : LINK_DROP_MEMORY);
		return;
	}
	s->stats.handshakes++;
	send_plain(s, route, &reply);
}

static void on_hello(struct link_server *s, const struct link_route *route, const struct link_source *source,
		     const struct link_frame *frame)
{
	struct noise_ik ik = { 0 };

	link_peers_sweep(&s->peers);
	if (!may_knock(s, route, source, frame))
		return;
	open_session(s, route, frame, &ik);
	noise_ik_wipe(&ik);
}

/* ------------------------------------------------------------------------------------------------------------- requests */

static void send_hint(struct link_server *s, const struct link_route *route, uint32_t session)
{
	CLEAN_BUF struct buf reply = BUF_INIT(LINK_HANDSHAKE_MAX);

	if (link_hint_write(session, &reply) < 0)
		return;
	s->stats.hints++;
	send_plain(s, route, &reply);
}

static bool past_life(const struct link_server *s, const struct link_peer_session *session)
{
	return clock_mono_ms(&s->clock) - session->crypto.made_ms >= s->session_life_ms ||
	       session->crypto.window.top >= MESSAGES_MAX || session->crypto.sent >= MESSAGES_MAX;
}

/* The session that sealed this frame, with the payload in s->plain; NULL: dropped. */
static struct link_peer_session *authenticate(struct link_server *s, const struct link_route *route, const struct link_frame *frame)
{
	struct link_peer_session *session = link_peers_session(&s->peers, frame->session);
	struct link_dead dead = { .n = 0 };
	enum link_drop reason;

	if (!session || past_life(s, session)) {
		drop(s, session ? LINK_DROP_EXPIRED : LINK_DROP_NO_SESSION);
		if (session)
			link_peers_end(&s->peers, session, &dead);
		if (frame->session != 0)
			send_hint(s, route, frame->session);
		tell_dead(s, &dead);
		return NULL;
	}
	if (link_session_open(&session->crypto, frame, s->plain, &reason) != 0) {
		drop(s, reason);
		return NULL;
	}
	return session;
}

/* Authentic: is the key still a node's, and does this session speak for it? False: dropped, or a callback ended the session. */
static bool identify(struct link_server *s, struct link_peer_session *session, const struct link_source *source)
{
	struct link_peer *peer = session->peer;
	uint32_t id = session->crypto.id, host = 0;
	struct link_dead dead = { .n = 0 };
	bool first = session->role == LINK_ROLE_PROVISIONAL;
	int who = s->events.who(s->ctx, link_peer_key(peer), &host);

	if (who != 0 && (who != LINK_WHO_UNKNOWN || link_peer_kind(peer) == LINK_KIND_NODE)) {
		drop(s, who == LINK_WHO_UNKNOWN ? LINK_DROP_UNKNOWN_KEY : LINK_DROP_REVOKED);
		link_peers_remove(&s->peers, peer, &dead);
		tell_dead(s, &dead);
		return false;
	}
	if (link_peer_kind(peer) == LINK_KIND_NODE)
		peer->host = host;
	session->source = *source;
	link_peers_decide(&s->peers, session, 2 * (uint64_t)s->park_ms, &dead);
	if (session->role == LINK_ROLE_HOLDER)
		peer->holder_source = *source;
	if (link_peer_kind(peer) == LINK_KIND_NODE)
		link_admission_held(s->admission, source);
	s->stats.confirmed += first;
	tell_dead(s, &dead);
	return link_peers_session(&s->peers, id) == session;
}

static void alarm_clone(struct link_server *s, struct link_peer_session *session)
{
	const struct link_peer *peer = session->peer;
	struct link_clone c = {
		.host = peer->host,
		.holder_boot_count = peer->holder.boot_count,
		.clone_boot_count = session->hello.boot_count,
		.holder_source = peer->holder_source,
		.clone_source = session->source,
	};

	session->alarmed = true;
	s->stats.clones++;
	memcpy(c.peer_key, link_peer_key(peer), CRYPTO_KEY_LEN);
	memcpy(c.holder_boot_id, peer->holder.boot_id, LINK_BOOT_ID_LEN);
	memcpy(c.clone_boot_id, session->hello.boot_id, LINK_BOOT_ID_LEN);
	s->events.clone(s->ctx, &c);
}

/* Opens the call; *ret_replaced gets the handle of the call that it takes the place of, 0 if none. */
static uint64_t open_call(struct link_server *s, struct link_peer_session *session, const struct link_route *route,
			  const struct link_frame *frame, uint64_t *ret_replaced)
{
	struct link_call_slot *slot = &session->calls[frame->method];

	*ret_replaced = slot->handle;
	slot->handle = (uint64_t)session->crypto.id << 32 | s->serial++;
	slot->counter = frame->counter;
	slot->route = *route;
	session->last_counter[frame->method] = frame->counter;
	s->stats.requests++;
	s->stats.calls++;
	return slot->handle;
}

static struct link_call_slot *find_call(struct link_server *s, uint64_t handle, struct link_peer_session **ret_session)
{
	struct link_peer_session *session = link_peers_session(&s->peers, (uint32_t)(handle >> 32));

	for (int m = 1; session && handle && m < LINK_METHODS; m++)
		if (session->calls[m].handle == handle) {
			*ret_session = session;
			return &session->calls[m];
		}
	return NULL;
}

static void hand_up(struct link_server *s, const struct link_peer_session *session, const struct link_frame *frame, uint64_t handle)
{
	struct link_request request = {
		.handle = handle,
		.method = frame->method,
		.host = session->peer->host,
		.session = session->crypto.id,
		.boot_count = session->hello.boot_count,
		.features = session->hello.features,
		.source = session->source,
		.clone = session->role == LINK_ROLE_CLONE,
		.payload = s->plain,
		.len = frame->body_len - CRYPTO_AEAD_TAG_LEN,
	};

	memcpy(request.peer_key, link_peer_key(session->peer), CRYPTO_KEY_LEN);
	memcpy(request.boot_id, session->hello.boot_id, LINK_BOOT_ID_LEN);
	s->events.request(s->ctx, &request);
}

static void obey(struct link_server *s, struct link_peer_session *session, const struct link_route *route,
		 const struct link_frame *frame)
{
	struct link_call_slot *slot;
	uint64_t handle, replaced;

	if (!link_kind_may_call(link_peer_kind(session->peer), frame->method)) {
		drop(s, LINK_DROP_METHOD);
		return;
	}
	/* an older request that was overtaken on the way must not displace the newer one */
	if (frame->counter < session->last_counter[frame->method]) {
		drop(s, LINK_DROP_OVERTAKEN);
		return;
	}
	if (session->role == LINK_ROLE_HOLDER && frame->method == LINK_POLL)
		session->peer->holder_seen_ms = clock_mono_ms(&s->clock);
	handle = open_call(s, session, route, frame, &replaced);
	if (replaced)
		tell_dead(s, &(struct link_dead){ .handles = { replaced }, .n = 1 });
	slot = find_call(s, handle, &session);
	if (slot && session->role == LINK_ROLE_CLONE && !session->alarmed) {
		alarm_clone(s, session);
		slot = find_call(s, handle, &session);
	}
	if (slot)
		hand_up(s, session, frame, handle);
}

static void on_request(struct link_server *s, const struct link_route *route, const struct link_source *source,
		       const struct link_frame *frame)
{
	struct link_peer_session *session = authenticate(s, route, frame);

	if (!session)
		return;
	if (identify(s, session, source))
		obey(s, session, route, frame);
	crypto_wipe(s->plain, frame->body_len - CRYPTO_AEAD_TAG_LEN); /* join secrets pass here */
}

static void received(void *owner, const struct link_route *route, const struct link_source *source, const uint8_t *bytes, size_t len)
{
	struct link_server *s = owner;
	struct link_frame frame;
	enum link_drop reason;

	if (link_frame_parse(bytes, len, true, &frame, &reason) != 0)
		drop(s, reason);
	else if (frame.type == LINK_FRAME_HELLO)
		on_hello(s, route, source, &frame);
	else
		on_request(s, route, source, &frame);
}

/* --------------------------------------------------------------------------------------------------------------- public */

int link_server_new(const struct clock *clock, struct link_server_transport *transport, const struct link_server_config *config,
		    const struct link_server_events *events, void *ctx, struct link_server **ret_server)
{
	struct link_server *s = calloc(1, sizeof *s);
	int r = -ENOMEM;

	if (!s)
		return -ENOMEM;
	s->clock = *clock;
	s->transport = transport;
	s->events = *events;
	s->ctx = ctx;
	s->features = config->features;
	s->session_life_ms = config->session_life_ms ? config->session_life_ms : SESSION_LIFE_MS_DEFAULT;
	s->park_ms = config->park_ms ? config->park_ms : PARK_MS_DEFAULT;
	link_door_init(&s->door, config->private_key);
	link_peers_init(&s->peers, clock);
	s->plain = malloc(LINK_TO_SERVER_MAX);
	if (s->plain)
		r = link_admission_new(clock, &config->admission, &s->admission);
	if (r < 0) {
		link_server_free(s);
		return r;
	}
	transport->received = received;
	transport->owner = s;
	*ret_server = s;
	return 0;
}

struct link_server *link_server_free(struct link_server *s)
{
	struct link_peer *peer;

	if (!s)
		return NULL;
	if (s->transport->owner == s)
		s->transport->received = NULL;
	for (size_t i = 0; (peer = map_next(&s->peers.peers, &i));) {
		struct link_dead dead = { .n = 0 };

		link_peers_remove(&s->peers, peer, &dead);
		tell_dead(s, &dead);
	}
	link_peers_deinit(&s->peers);
	link_admission_free(s->admission);
	link_door_wipe(&s->door);
	free(s->plain);
	free(s);
	return NULL;
}

int link_server_reply(struct link_server *s, uint64_t handle, const void *payload, size_t len)
{
	CLEAN_BUF struct buf frame = BUF_INIT(LINK_TO_CLIENT_MAX);
	struct link_peer_session *session = NULL;
	struct link_call_slot *slot = find_call(s, handle, &session), call;
	uint64_t counter;
	int r;

	if (!slot)
		return -ENOENT;
	if (len > LINK_REPLY_MAX)
		return -EMSGSIZE;
	call = *slot;
	r = link_session_seal(&session->crypto, LINK_FRAME_REPLY, (enum link_method)(slot - session->calls), call.counter, payload, len,
			      &frame, &counter);
	*slot = (struct link_call_slot){ 0 };
	s->stats.calls--;
	if (r == 0)
		r = s->transport->ops->reply(s->transport, &call.route, frame.data, frame.len);
	*(r < 0 ? &s->stats.replies_lost : &s->stats.replies) += 1;
	return r;
}

void link_server_end_peer(struct link_server *s, const uint8_t key[CRYPTO_KEY_LEN])
{
	static const uint8_t kinds[] = { LINK_KIND_NODE, LINK_KIND_ENROLL };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct link_peer *peer = link_peers_find(&s->peers, kinds[i], key);
		struct link_dead dead = { .n = 0 };

		if (!peer)
			continue;
		link_peers_remove(&s->peers, peer, &dead);
		tell_dead(s, &dead);
	}
}

void link_server_set_park_ms(struct link_server *s, uint32_t park_ms)
{
	s->park_ms = park_ms ? park_ms : PARK_MS_DEFAULT;
}

const uint8_t *link_server_public_key(const struct link_server *s)
{
	return s->door.public_key;
}

const struct link_server_stats *link_server_stats(const struct link_server *s)
{
	/* the two gauges are counted where they live */
	struct link_server_stats *stats = &((struct link_server *)(uintptr_t)s)->stats;

	stats->sessions = s->peers.sessions.n;
	stats->provisional = s->peers.n_provisional;
	return stats;
}
