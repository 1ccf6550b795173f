/* frame - see frame.h. */
#include "lib/link/frame.h"

static int refuse(enum link_drop *ret_drop, enum link_drop drop)
{
	*ret_drop = drop;
	return E_REFUSED;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static int parse_hello(struct link_frame *f, enum link_drop *ret_drop)
{
	size_t macs = f->len - LINK_MACS_LEN;

	if (f->len < LINK_HANDSHAKE_HEADER + NOISE_IK_OVERHEAD_1 + LINK_MACS_LEN)
		return refuse(ret_drop, LINK_DROP_SHORT);
	f->kind = f->bytes[1];
	if ((f->kind != LINK_KIND_NODE && f->kind != LINK_KIND_ENROLL) || !all_zero(f->bytes + 2, 2))
		return refuse(ret_drop, LINK_DROP_FIELD);
	f->sender = get_u32(f->bytes + 4);
	f->body = f->bytes + LINK_HANDSHAKE_HEADER;
	f->body_len = macs - LINK_HANDSHAKE_HEADER;
	f->mac1 = f->bytes + macs;
	f->mac2 = f->mac1 + NOISE_MAC_LEN;
	return 0;
}

static int parse_welcome(struct link_frame *f, enum link_drop *ret_drop)
{
	if (f->len < LINK_HANDSHAKE_HEADER + NOISE_IK_OVERHEAD_2)
		return refuse(ret_drop, LINK_DROP_SHORT);
	if (!all_zero(f->bytes + 1, 3))
		return refuse(ret_drop, LINK_DROP_FIELD);
	f->sender = get_u32(f->bytes + 4);
	f->body = f->bytes + LINK_HANDSHAKE_HEADER;
	f->body_len = f->len - LINK_HANDSHAKE_HEADER;
	return 0;
}

static int parse_call(struct link_frame *f, enum link_drop *ret_drop)
{
	if (f->len < LINK_CALL_OVERHEAD)
		return refuse(ret_drop, LINK_DROP_SHORT);
	f->method = f->bytes[1];
	f->session = get_u32(f->bytes + 4);
	f->counter = get_u64(f->bytes + 8);
	f->answers = get_u64(f->bytes + 16);
	if (f->method < LINK_ENROLL || f->method > LINK_REPORT || !all_zero(f->bytes + 2, 2) || f->counter == 0 ||
	    (f->answers == 0) != (f->type == LINK_FRAME_REQUEST))
		return refuse(ret_drop, LINK_DROP_FIELD);
	f->body = f->bytes + LINK_CALL_HEADER;
	f->body_len = f->len - LINK_CALL_HEADER;
	return 0;
}

int link_frame_parse(const uint8_t *bytes, size_t len, bool to_server, struct link_frame *ret_frame, enum link_drop *ret_drop)
{
	struct link_frame f = { .bytes = bytes, .len = len };
	int r;

	if (len < 1)
		return refuse(ret_drop, LINK_DROP_SHORT);
	f.type = bytes[0];
	if (f.type < LINK_FRAME_HELLO || f.type > LINK_FRAME_HINT ||
	    to_server != (f.type == LINK_FRAME_HELLO || f.type == LINK_FRAME_REQUEST))
		return refuse(ret_drop, LINK_DROP_TYPE);
	if (f.type == LINK_FRAME_REQUEST || f.type == LINK_FRAME_REPLY) {
		if (len > (to_server ? LINK_TO_SERVER_MAX : LINK_TO_CLIENT_MAX))
			return refuse(ret_drop, LINK_DROP_LONG);
		r = parse_call(&f, ret_drop);
	} else if (len > LINK_HANDSHAKE_MAX) {
		return refuse(ret_drop, LINK_DROP_LONG);
	} else if (f.type == LINK_FRAME_HELLO) {
		r = parse_hello(&f, ret_drop);
	} else if (f.type == LINK_FRAME_WELCOME) {
		r = parse_welcome(&f, ret_drop);
	} else {
		f.body = bytes + 1;
		f.body_len = len - 1;
		r = 0;
	}
	if (r == 0)
		*ret_frame = f;
	return r;
}

bool link_kind_may_call(uint8_t kind, uint8_t method)
{
	return kind == LINK_KIND_ENROLL ? method == LINK_ENROLL : method == LINK_POLL || method == LINK_REPORT;
}

void link_frame_put_call(uint8_t ret_header[LINK_CALL_HEADER], enum link_type type, enum link_method method, uint32_t session,
			 uint64_t counter, uint64_t answers)
{
	ret_header[0] = (uint8_t)type;
	ret_header[1] = (uint8_t)method;
	put_u16(ret_header + 2, 0);
	put_u32(ret_header + 4, session);
	put_u64(ret_header + 8, counter);
	put_u64(ret_header + 16, answers);
}
