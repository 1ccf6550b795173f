/* peers - see peers.h. */
#include "lib/link/peers.h"

#include <stdlib.h>
#include <string.h>

void link_peers_init(struct link_peers *p, const struct clock *clock)
{
	*p = (struct link_peers){ .clock = *clock };
}

void link_peers_deinit(struct link_peers *p)
{
	struct link_peer *peer;

	for (size_t i = 0; (peer = map_next(&p->peers, &i));) {
		struct link_dead dead = { .n = 0 };

		link_peers_remove(p, peer, &dead);
	}
	map_deinit(&p->peers);
	map_deinit(&p->sessions);
}

static void enroll_link(struct link_peers *p, struct link_peer *peer)
{
	peer->older = p->newest_enroll;
	if (p->newest_enroll)
		p->newest_enroll->newer = peer;
	else
		p->oldest_enroll = peer;
	p->newest_enroll = peer;
	p->n_enroll++;
}

static void enroll_unlink(struct link_peers *p, struct link_peer *peer)
{
	*(peer->older ? &peer->older->newer : &p->oldest_enroll) = peer->newer;
	*(peer->newer ? &peer->newer->older : &p->newest_enroll) = peer->older;
	p->n_enroll--;
}

static bool has_calls(const struct link_peer *peer)
{
	for (int role = 0; role < LINK_ROLES; role++)
		for (int m = 0; peer->sessions[role] && m < LINK_METHODS; m++)
			if (peer->sessions[role]->calls[m].handle)
				return true;
	return false;
}

/* Makes room for one more stranger. One whose call is being worked on stays: the controller answers it soon. */
static int enroll_make_room(struct link_peers *p)
{
	struct link_peer *peer = p->oldest_enroll;
	struct link_dead dead = { .n = 0 };

	if (p->n_enroll < LINK_ENROLL_PEERS)
		return 0;
	while (peer && has_calls(peer))
		peer = peer->newer;
	if (!peer)
		return -ENOMEM;
	link_peers_remove(p, peer, &dead);
	return 0;
}

static void peer_id(uint8_t ret[1 + CRYPTO_KEY_LEN], uint8_t kind, const uint8_t key[CRYPTO_KEY_LEN])
{
	ret[0] = kind;
	memcpy(ret + 1, key, CRYPTO_KEY_LEN);
}

struct link_peer *link_peers_find(struct link_peers *p, uint8_t kind, const uint8_t key[CRYPTO_KEY_LEN])
{
	uint8_t id[1 + CRYPTO_KEY_LEN];

	peer_id(id, kind, key);
	return map_get(&p->peers, id, sizeof id);
}

int link_peers_get(struct link_peers *p, uint8_t kind, const uint8_t key[CRYPTO_KEY_LEN], struct link_peer **ret_peer)
{
	struct link_peer *peer = link_peers_find(p, kind, key);
	int r;

	if (peer) {
		*ret_peer = peer;
		return 0;
	}
	if (kind == LINK_KIND_ENROLL) {
		r = enroll_make_room(p);
		if (r < 0)
			return r;
	}
	peer = calloc(1, sizeof *peer);
	if (!peer)
		return -ENOMEM;
	peer_id(peer->id, kind, key);
	r = map_set(&p->peers, peer->id, sizeof peer->id, peer, NULL);
	if (r < 0) {
		free(peer);
		return r;
	}
	if (kind == LINK_KIND_ENROLL)
		enroll_link(p, peer);
	*ret_peer = peer;
	return 0;
}

void link_peers_remove(struct link_peers *p, struct link_peer *peer, struct link_dead *dead)
{
	for (int role = 0; role < LINK_ROLES; role++)
		if (peer->sessions[role])
			link_peers_end(p, peer->sessions[role], dead);
	if (link_peer_kind(peer) == LINK_KIND_ENROLL)
		enroll_unlink(p, peer);
	map_remove(&p->peers, peer->id, sizeof peer->id);
	free(peer);
}

bool link_peer_rises(struct link_peer *peer, const struct link_hello *hello)
{
	const uint8_t *floor = hello->boot_count < peer->boot_count ? peer->top_stamp : peer->boot_stamp;

	if (peer->stamped && hello->boot_count <= peer->boot_count && tai64n_compare(hello->stamp, floor) <= 0)
		return false;
	if (!peer->stamped || hello->boot_count >= peer->boot_count) {
		peer->boot_count = hello->boot_count;
		memcpy(peer->boot_stamp, hello->stamp, TAI64N_LEN);
	}
	if (!peer->stamped || tai64n_compare(hello->stamp, peer->top_stamp) > 0)
		memcpy(peer->top_stamp, hello->stamp, TAI64N_LEN);
	peer->stamped = true;
	return true;
}

struct link_peer_session *link_peers_session(struct link_peers *p, uint32_t id)
{
	return map_get(&p->sessions, &id, sizeof id);
}

uint32_t link_peers_free_id(struct link_peers *p)
{
	uint32_t id;

	do
		clock_random(&p->clock, &id, sizeof id);
	while (id == 0 || link_peers_session(p, id));
	return id;
}

static void provisional_forget(struct link_peers *p, const struct link_peer_session *s)
{
	for (size_t i = 0; i < p->n_provisional; i++)
		if (p->provisional[i] == s) {
			memmove(&p->provisional[i], &p->provisional[i + 1], (p->n_provisional - i - 1) * sizeof s);
			p->n_provisional--;
			return;
		}
}

void link_peers_end(struct link_peers *p, struct link_peer_session *s, struct link_dead *dead)
{
	for (int m = 0; m < LINK_METHODS; m++)
		if (s->calls[m].handle)
			dead->handles[dead->n++] = s->calls[m].handle;
	if (s->role == LINK_ROLE_PROVISIONAL)
		provisional_forget(p, s);
	s->peer->sessions[s->role] = NULL;
	map_remove(&p->sessions, &s->crypto.id, sizeof s->crypto.id);
	crypto_wipe(s, sizeof *s);
	free(s);
}

void link_peers_sweep(struct link_peers *p)
{
	uint64_t now = clock_mono_ms(&p->clock);
	struct link_dead none = { .n = 0 };

	/* in order of age */
	while (p->n_provisional && now - p->provisional[0]->crypto.made_ms >= LINK_PROVISIONAL_MS)
		link_peers_end(p, p->provisional[0], &none);
}

/* One place among the provisional sessions. Strangers have a share of their own and can only take each other's places. */
static int provisional_make_room(struct link_peers *p, uint8_t kind)
{
	bool stranger = kind == LINK_KIND_ENROLL;
	struct link_peer_session *oldest = NULL;
	size_t strangers = 0, taken, places;
	struct link_dead none = { .n = 0 };

	for (size_t i = 0; i < p->n_provisional; i++) {
		bool other = link_peer_kind(p->provisional[i]->peer) == LINK_KIND_ENROLL;

		strangers += other;
		if (other == stranger && !oldest)
			oldest = p->provisional[i];
	}
	taken = stranger ? strangers : p->n_provisional - strangers;
	places = stranger ? LINK_PROVISIONAL_ENROLL : LINK_PROVISIONAL_MAX - LINK_PROVISIONAL_ENROLL;
	if (taken < places)
		return 0;
	if (clock_mono_ms(&p->clock) - oldest->crypto.made_ms < LINK_PROVISIONAL_YIELD_MS)
		return E_REFUSED;
	link_peers_end(p, oldest, &none);
	return 0;
}

int link_peers_add_provisional(struct link_peers *p, struct link_peer *peer, const struct link_session *crypto,
			       const struct link_hello *hello)
{
	struct link_dead none = { .n = 0 };
	struct link_peer_session *s;
	int r;

	if (peer->sessions[LINK_ROLE_PROVISIONAL])
		link_peers_end(p, peer->sessions[LINK_ROLE_PROVISIONAL], &none);
	r = provisional_make_room(p, link_peer_kind(peer));
	if (r != 0)
		return r;
	s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->crypto = *crypto;
	s->peer = peer;
	s->role = LINK_ROLE_PROVISIONAL;
	s->hello = *hello;
	r = map_set(&p->sessions, &s->crypto.id, sizeof s->crypto.id, s, NULL);
	if (r < 0) {
		crypto_wipe(s, sizeof *s);
		free(s);
		return r;
	}
	peer->sessions[LINK_ROLE_PROVISIONAL] = s;
	p->provisional[p->n_provisional++] = s;
	return 0;
}

static void move_to(struct link_peers *p, struct link_peer_session *s, enum link_role role, struct link_dead *dead)
{
	struct link_peer *peer = s->peer;

	if (s->role == role)
		return;
	if (peer->sessions[role])
		link_peers_end(p, peer->sessions[role], dead);
	if (s->role == LINK_ROLE_PROVISIONAL)
		provisional_forget(p, s);
	peer->sessions[s->role] = NULL;
	peer->sessions[role] = s;
	s->role = role;
}

static bool may_hold(const struct link_peers *p, const struct link_peer *peer, const struct link_hello *hello, uint64_t absent_ms)
{
	if (!peer->held || link_peer_kind(peer) == LINK_KIND_ENROLL)
		return true;
	if (memcmp(peer->holder.boot_id, hello->boot_id, LINK_BOOT_ID_LEN) == 0 || hello->boot_count > peer->holder.boot_count)
		return true;
	return clock_mono_ms(&p->clock) - peer->holder_seen_ms > absent_ms;
}

void link_peers_decide(struct link_peers *p, struct link_peer_session *s, uint64_t absent_ms, struct link_dead *dead)
{
	struct link_peer *peer = s->peer;

	if (s->role == LINK_ROLE_HOLDER)
		return;
	if (!may_hold(p, peer, &s->hello, absent_ms)) {
		move_to(p, s, LINK_ROLE_CLONE, dead);
		return;
	}
	move_to(p, s, LINK_ROLE_HOLDER, dead);
	peer->held = true;
	peer->holder = s->hello;
	peer->holder_seen_ms = clock_mono_ms(&p->clock);
}
