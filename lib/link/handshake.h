/* handshake - both sides of opening a session, and the two plaintext frames around it, without I/O.
 *
 * Message 1 is the only thing a stranger can make us compute on. Its Hello is acted on in one way before the session is confirmed:
 * the timestamp has to rise. The server's order is: form, mac1, cookie, buckets, and only then Diffie-Hellman. */
#pragma once
#include "lib/link/session.h"
#include "lib/noise/tai64n.h"

struct link_hello {
	uint8_t stamp[TAI64N_LEN];
	uint8_t boot_id[LINK_BOOT_ID_LEN];
	uint64_t boot_count;
	uint64_t features;
};

/* What comes out of the sealed payloads, judged: anybody who knows the controller's key can seal a Hello. E_REFUSED. */
int link_hello_unpack(const void *bytes, size_t len, struct link_hello *ret_hello) MUST_CHECK;
int link_welcome_unpack(const void *bytes, size_t len, uint32_t *ret_session, uint64_t *ret_features) MUST_CHECK;

/* ---- client: one knock is one message 1 and the wait for its answer */
struct link_knock {
	struct noise_ik ik;
	uint32_t sender;
	uint8_t mac1[NOISE_MAC_LEN];
};
void link_knock_wipe(struct link_knock *k);
/* cookie may be NULL. Appends the frame. -EINVAL (controller key is no key), -ENOMEM. */
int link_knock_write(struct link_knock *k, const struct clock *clock, enum link_kind kind, const uint8_t private_key[CRYPTO_KEY_LEN],
		     const uint8_t controller_key[CRYPTO_KEY_LEN], const struct link_hello *hello, const uint8_t *cookie,
		     struct buf *ret_frame) MUST_CHECK;
/* E_REFUSED leaves the knock waiting: a forged answer costs nothing. On success the knock is used up. */
int link_knock_read_welcome(struct link_knock *k, const struct clock *clock, const struct link_frame *frame,
			    struct link_session *ret_session, uint64_t *ret_features, enum link_drop *ret_drop) MUST_CHECK;
int link_knock_read_cookie(const struct link_knock *k, const struct noise_mac_keys *keys, const struct link_frame *frame,
			   uint8_t ret_cookie[NOISE_COOKIE_LEN], enum link_drop *ret_drop) MUST_CHECK;
int link_hint_read(const struct link_frame *frame, uint32_t *ret_session, enum link_drop *ret_drop) MUST_CHECK;

/* ---- server */
struct link_door {
	uint8_t private_key[CRYPTO_KEY_LEN], public_key[CRYPTO_KEY_LEN];
	struct noise_mac_keys keys;
	struct noise_cookie_jar jar;
};
void link_door_init(struct link_door *d, const uint8_t private_key[CRYPTO_KEY_LEN]);
void link_door_wipe(struct link_door *d);
bool link_door_mac1_good(const struct link_door *d, const struct link_frame *hello);
/* 0; LINK_COOKIE_NONE: the field is zero; LINK_COOKIE_WRONG */
enum { LINK_COOKIE_NONE = 1, LINK_COOKIE_WRONG = 2 };
int link_door_check_cookie(struct link_door *d, const struct clock *clock, const struct link_source *source,
			   const struct link_frame *hello);
int link_door_write_cookie(struct link_door *d, const struct clock *clock, const struct link_source *source,
			   const struct link_frame *hello, struct buf *ret_frame) MUST_CHECK;
/* The Diffie-Hellmans of message 1. E_REFUSED with the reason; wipe *ret_ik in any case. */
int link_door_read_hello(const struct link_door *d, const struct link_frame *frame, struct noise_ik *ret_ik,
			 struct link_hello *ret_hello, uint8_t ret_key[CRYPTO_KEY_LEN], enum link_drop *ret_drop) MUST_CHECK;
int link_door_write_welcome(struct noise_ik *ik, const struct clock *clock, uint32_t sender, uint32_t session_id, uint64_t features,
			    struct buf *ret_frame, struct link_session *ret_session) MUST_CHECK;
int link_hint_write(uint32_t session, struct buf *ret_frame) MUST_CHECK;
