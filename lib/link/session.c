/* session - see session.h. */
#include "lib/link/session.h"

#include "lib/noise/symmetric.h"

#define WINDOW 64

bool link_window_fresh(const struct link_window *w, uint64_t counter)
{
	if (counter == 0)
		return false;
	if (counter > w->top)
		return true;
	if (w->top - counter >= WINDOW)
		return false;
	return !(w->seen >> (w->top - counter) & 1);
}

void link_window_mark(struct link_window *w, uint64_t counter)
{
	if (counter > w->top) {
		uint64_t step = counter - w->top;

		w->seen = step >= WINDOW ? 1 : w->seen << step | 1;
		w->top = counter;
	} else {
		w->seen |= (uint64_t)1 << (w->top - counter);
	}
}

void link_session_wipe(struct link_session *s)
{
	crypto_wipe(s, sizeof *s);
}

int link_session_seal(struct link_session *s, enum link_type type, enum link_method method, uint64_t answers, const void *payload,
		      size_t len, struct buf *ret_frame, uint64_t *ret_counter)
{
	uint8_t header[LINK_CALL_HEADER], nonce[12], *sealed;
	uint64_t counter = ++s->sent;

	link_frame_put_call(header, type, method, s->id, counter, answers);
	buf_add(ret_frame, header, sizeof header);
	sealed = buf_reserve(ret_frame, len + CRYPTO_AEAD_TAG_LEN);
	if (!sealed)
		return -ENOMEM;
	noise_nonce(counter, nonce);
	crypto_seal(s->send_key, nonce, header, sizeof header, payload, len, sealed);
	*ret_counter = counter;
	return 0;
}

int link_session_open(struct link_session *s, const struct link_frame *frame, uint8_t *ret_payload, enum link_drop *ret_drop)
{
	uint8_t nonce[12];

	if (!link_window_fresh(&s->window, frame->counter)) {
		*ret_drop = LINK_DROP_COUNTER;
		return E_REFUSED;
	}
	noise_nonce(frame->counter, nonce);
	if (crypto_open(s->receive_key, nonce, frame->bytes, LINK_CALL_HEADER, frame->body, frame->body_len, ret_payload) < 0) {
		*ret_drop = LINK_DROP_FORGED;
		return E_REFUSED;
	}
	link_window_mark(&s->window, frame->counter);
	return 0;
}
