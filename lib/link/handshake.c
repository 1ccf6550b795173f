/* handshake - see handshake.h. */
#include "lib/link/handshake.h"

#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <string.h>

#define ARENA_LIMIT 4096 /* a hello, welcome, cookie or hint unpacked; the frame itself is at most LINK_HANDSHAKE_MAX */

static int refuse(enum link_drop *ret_drop, enum link_drop drop)
{
	*ret_drop = drop;
	return E_REFUSED;
}

static void prologue_of(uint8_t kind, uint8_t ret[sizeof LINK_PROLOGUE])
{
	memcpy(ret, LINK_PROLOGUE, sizeof LINK_PROLOGUE - 1);
	ret[sizeof LINK_PROLOGUE - 1] = kind;
}

/* ---------------------------------------------------------------------------------------------------------------- client */

void link_knock_wipe(struct link_knock *k)
{
	noise_ik_wipe(&k->ik);
	crypto_wipe(k, sizeof *k);
}

static int pack_hello(const struct link_hello *hello, struct buf *ret_bytes)
{
	Sixpn__Hello m = SIXPN__HELLO__INIT;

	m.timestamp = pb_bytes(hello->stamp, sizeof hello->stamp);
	m.boot_id = pb_bytes(hello->boot_id, sizeof hello->boot_id);
	m.boot_count = hello->boot_count;
	m.features = hello->features;
	return pb_pack(&m, ret_bytes);
}

int link_knock_write(struct link_knock *k, const struct clock *clock, enum link_kind kind, const uint8_t private_key[CRYPTO_KEY_LEN],
		     const uint8_t controller_key[CRYPTO_KEY_LEN], const struct link_hello *hello, const uint8_t *cookie,
		     struct buf *ret_frame)
{
	CLEAN_BUF struct buf payload = BUF_INIT(LINK_HANDSHAKE_MAX), frame = BUF_INIT(LINK_HANDSHAKE_MAX);
	uint8_t prologue[sizeof LINK_PROLOGUE], mac2[NOISE_MAC_LEN] = { 0 };
	struct noise_mac_keys keys;
	int r;

	r = pack_hello(hello, &payload);
	if (r < 0)
		return r;
	link_knock_wipe(k);
	clock_random(clock, &k->sender, sizeof k->sender);
	buf_add_u8(&frame, LINK_FRAME_HELLO);
	buf_add_u8(&frame, (uint8_t)kind);
	buf_add_u16(&frame, 0);
	buf_add_u32(&frame, k->sender);
	prologue_of((uint8_t)kind, prologue);
	noise_ik_init_initiator(&k->ik, prologue, sizeof prologue, private_key, controller_key);
	r = noise_ik_write_1(&k->ik, clock, payload.data, payload.len, &frame);
	if (r < 0)
		return r;
	noise_mac_keys_init(&keys, NOISE_LINK_MAC1_LABEL, NOISE_LINK_COOKIE_LABEL, controller_key);
	noise_mac1(&keys, frame.data, frame.len, k->mac1);
	buf_add(&frame, k->mac1, sizeof k->mac1);
	if (cookie)
		noise_mac2(cookie, frame.data, frame.len, mac2);
	buf_add(&frame, mac2, sizeof mac2);
	buf_add(ret_frame, frame.data, frame.len);
	return buf_failed(&frame) || buf_failed(ret_frame) ? -ENOMEM : 0;
}

int link_welcome_unpack(const void *bytes, size_t len, uint32_t *ret_session, uint64_t *ret_features)
{
	struct pb_arena arena;
	Sixpn__Welcome *m;
	int r = E_REFUSED;

	pb_arena_init(&arena, ARENA_LIMIT);
	m = (Sixpn__Welcome *)pb_unpack(&arena, &sixpn__welcome__descriptor, bytes, len);
	if (m && m->session != 0) {
		*ret_session = m->session;
		*ret_features = m->features;
		r = 0;
	}
	pb_arena_deinit(&arena);
	return r;
}

int link_knock_read_welcome(struct link_knock *k, const struct clock *clock, const struct link_frame *frame,
			    struct link_session *ret_session, uint64_t *ret_features, enum link_drop *ret_drop)
{
	CLEAN_BUF struct buf payload = BUF_INIT(LINK_HANDSHAKE_MAX);
	struct link_session s = { .made_ms = clock_mono_ms(clock) };
	struct noise_ik copy = k->ik; /* reading fails closed: a forged answer must not end the wait for the true one */
	uint64_t features = 0;
	int r;

	if (frame->sender != k->sender)
		return refuse(ret_drop, LINK_DROP_UNASKED);
	r = noise_ik_read_2(&copy, frame->body, frame->body_len, &payload);
	if (r != 0) {
		noise_ik_wipe(&copy);
		return refuse(ret_drop, LINK_DROP_HANDSHAKE);
	}
	r = link_welcome_unpack(payload.data, payload.len, &s.id, &features);
	if (r == 0)
		r = noise_ik_split(&copy, s.send_key, s.receive_key, NULL);
	noise_ik_wipe(&copy);
	if (r != 0) {
		link_session_wipe(&s);
		return refuse(ret_drop, LINK_DROP_PAYLOAD);
	}
	link_knock_wipe(k);
	*ret_session = s;
	*ret_features = features;
	crypto_wipe(&s, sizeof s);
	return 0;
}

int link_knock_read_cookie(const struct link_knock *k, const struct noise_mac_keys *keys, const struct link_frame *frame,
			   uint8_t ret_cookie[NOISE_COOKIE_LEN], enum link_drop *ret_drop)
{
	struct pb_arena arena;
	Sixpn__CookieReply *m;
	int r = E_REFUSED;

	*ret_drop = LINK_DROP_PAYLOAD;
	pb_arena_init(&arena, ARENA_LIMIT);
	m = (Sixpn__CookieReply *)pb_unpack(&arena, &sixpn__cookie_reply__descriptor, frame->body, frame->body_len);
	if (m && m->sender != k->sender)
		*ret_drop = LINK_DROP_UNASKED;
	else if (m && m->nonce.len == NOISE_COOKIE_NONCE_LEN && m->sealed_cookie.len == NOISE_COOKIE_SEALED_LEN) {
		*ret_drop = LINK_DROP_FORGED;
		r = noise_cookie_open(keys, m->nonce.data, m->sealed_cookie.data, k->mac1, ret_cookie);
	}
	pb_arena_deinit(&arena);
	return r == 0 ? 0 : E_REFUSED;
}

int link_hint_read(const struct link_frame *frame, uint32_t *ret_session, enum link_drop *ret_drop)
{
	struct pb_arena arena;
	Sixpn__Hint *m;
	int r = 0;

	pb_arena_init(&arena, ARENA_LIMIT);
	m = (Sixpn__Hint *)pb_unpack(&arena, &sixpn__hint__descriptor, frame->body, frame->body_len);
	if (m && m->session != 0)
		*ret_session = m->session;
	else
		r = refuse(ret_drop, LINK_DROP_PAYLOAD);
	pb_arena_deinit(&arena);
	return r;
}

/* ---------------------------------------------------------------------------------------------------------------- server */

void link_door_init(struct link_door *d, const uint8_t private_key[CRYPTO_KEY_LEN])
{
	*d = (struct link_door){ 0 };
	memcpy(d->private_key, private_key, CRYPTO_KEY_LEN);
	crypto_x25519_public(private_key, d->public_key);
	noise_mac_keys_init(&d->keys, NOISE_LINK_MAC1_LABEL, NOISE_LINK_COOKIE_LABEL, d->public_key);
}

void link_door_wipe(struct link_door *d)
{
	noise_cookie_jar_wipe(&d->jar);
	crypto_wipe(d, sizeof *d);
}

bool link_door_mac1_good(const struct link_door *d, const struct link_frame *hello)
{
	return noise_mac1_good(&d->keys, hello->bytes, hello->len - LINK_MACS_LEN, hello->mac1);
}

int link_door_check_cookie(struct link_door *d, const struct clock *clock, const struct link_source *source,
			   const struct link_frame *hello)
{
	static const uint8_t none[NOISE_MAC_LEN];

	if (memcmp(hello->mac2, none, sizeof none) == 0)
		return LINK_COOKIE_NONE;
	return noise_mac2_good(&d->jar, clock, source->address, source->len, hello->bytes, hello->len - NOISE_MAC_LEN,
			       hello->mac2) ? 0 : LINK_COOKIE_WRONG;
}

int link_door_write_cookie(struct link_door *d, const struct clock *clock, const struct link_source *source,
			   const struct link_frame *hello, struct buf *ret_frame)
{
	uint8_t cookie[NOISE_COOKIE_LEN], nonce[NOISE_COOKIE_NONCE_LEN], sealed[NOISE_COOKIE_SEALED_LEN];
	Sixpn__CookieReply m = SIXPN__COOKIE_REPLY__INIT;

	noise_cookie_make(&d->jar, clock, source->address, source->len, cookie);
	noise_cookie_seal(&d->keys, clock, cookie, hello->mac1, nonce, sealed);
	crypto_wipe(cookie, sizeof cookie);
	m.sender = hello->sender;
	m.nonce = pb_bytes(nonce, sizeof nonce);
	m.sealed_cookie = pb_bytes(sealed, sizeof sealed);
	buf_add_u8(ret_frame, LINK_FRAME_COOKIE);
	return pb_pack(&m, ret_frame);
}

int link_hello_unpack(const void *bytes, size_t len, struct link_hello *ret_hello)
{
	struct pb_arena arena;
	Sixpn__Hello *m;
	int r = E_REFUSED;

	pb_arena_init(&arena, ARENA_LIMIT);
	m = (Sixpn__Hello *)pb_unpack(&arena, &sixpn__hello__descriptor, bytes, len);
	if (m && m->timestamp.len == TAI64N_LEN && m->boot_id.len == LINK_BOOT_ID_LEN) {
		memcpy(ret_hello->stamp, m->timestamp.data, TAI64N_LEN);
		memcpy(ret_hello->boot_id, m->boot_id.data, LINK_BOOT_ID_LEN);
		ret_hello->boot_count = m->boot_count;
		ret_hello->features = m->features;
		r = 0;
	}
	pb_arena_deinit(&arena);
	return r;
}

int link_door_read_hello(const struct link_door *d, const struct link_frame *frame, struct noise_ik *ret_ik,
			 struct link_hello *ret_hello, uint8_t ret_key[CRYPTO_KEY_LEN], enum link_drop *ret_drop)
{
	CLEAN_BUF struct buf payload = BUF_INIT(LINK_HANDSHAKE_MAX);
	uint8_t prologue[sizeof LINK_PROLOGUE], key[CRYPTO_KEY_LEN];

	prologue_of(frame->kind, prologue);
	noise_ik_init_responder(ret_ik, prologue, sizeof prologue, d->private_key);
	if (noise_ik_read_1(ret_ik, frame->body, frame->body_len, &payload, key) != 0)
		return refuse(ret_drop, LINK_DROP_HANDSHAKE);
	if (link_hello_unpack(payload.data, payload.len, ret_hello) != 0)
		return refuse(ret_drop, LINK_DROP_PAYLOAD);
	memcpy(ret_key, key, CRYPTO_KEY_LEN);
	return 0;
}

int link_door_write_welcome(struct noise_ik *ik, const struct clock *clock, uint32_t sender, uint32_t session_id, uint64_t features,
			    struct buf *ret_frame, struct link_session *ret_session)
{
	CLEAN_BUF struct buf payload = BUF_INIT(LINK_HANDSHAKE_MAX), message = BUF_INIT(LINK_HANDSHAKE_MAX);
	struct link_session s = { .id = session_id, .made_ms = clock_mono_ms(clock) };
	Sixpn__Welcome m = SIXPN__WELCOME__INIT;
	int r;

	m.session = session_id;
	m.features = features;
	r = pb_pack(&m, &payload);
	if (r < 0)
		return r;
	r = noise_ik_write_2(ik, clock, payload.data, payload.len, &message);
	if (r < 0)
		return r;
	r = noise_ik_split(ik, s.send_key, s.receive_key, NULL);
	if (r < 0)
		return r;
	buf_add_u8(ret_frame, LINK_FRAME_WELCOME);
	buf_add_u8(ret_frame, 0);
	buf_add_u16(ret_frame, 0);
	buf_add_u32(ret_frame, sender);
	buf_add(ret_frame, message.data, message.len);
	*ret_session = s;
	crypto_wipe(&s, sizeof s);
	return buf_failed(ret_frame) ? -ENOMEM : 0;
}

int link_hint_write(uint32_t session, struct buf *ret_frame)
{
	Sixpn__Hint m = SIXPN__HINT__INIT;

	m.session = session;
	buf_add_u8(ret_frame, LINK_FRAME_HINT);
	return pb_pack(&m, ret_frame);
}
