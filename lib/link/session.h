/* session - the keys and counters of one side of an established session, without I/O. Zeroed = none. Lives only in memory; wipe it. */
#pragma once
#include "lib/link/frame.h"

/* Which of the last 64 counters were seen. */
struct link_window {
	uint64_t top;  /* highest seen, 0 = none */
	uint64_t seen; /* bit i: top - i was seen */
};
bool link_window_fresh(const struct link_window *w, uint64_t counter);
void link_window_mark(struct link_window *w, uint64_t counter); /* of a fresh and authentic message only */

struct link_session {
	uint32_t id; /* chosen by the server, never 0 */
	uint8_t send_key[CRYPTO_KEY_LEN], receive_key[CRYPTO_KEY_LEN];
	uint64_t sent; /* last own counter */
	struct link_window window;
	uint64_t made_ms; /* monotonic */
};
void link_session_wipe(struct link_session *s);

/* Appends a request (answers 0) or a reply frame. The counter goes up also when it fails. -ENOMEM. */
int link_session_seal(struct link_session *s, enum link_type type, enum link_method method, uint64_t answers, const void *payload,
		      size_t len, struct buf *ret_frame, uint64_t *ret_counter) MUST_CHECK;
/* ret_payload holds frame->body_len - 16 bytes. E_REFUSED: counter seen before, or forged; nothing changed. */
int link_session_open(struct link_session *s, const struct link_frame *frame, uint8_t *ret_payload, enum link_drop *ret_drop)
	MUST_CHECK;
