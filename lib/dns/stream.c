/* stream - see stream.h. */
#include "lib/dns/stream.h"

#include <string.h>

void dns_stream_init(struct dns_stream *s)
{
	s->in_at = s->in_len = s->out_sent = 0;
	s->out = BUF_INIT(DNS_STREAM_OUT_MAX + 2 + DNS_MESSAGE_MAX + 1);
}

void dns_stream_deinit(struct dns_stream *s)
{
	buf_deinit(&s->out);
	s->out_sent = 0;
}

uint8_t *dns_stream_room(struct dns_stream *s, size_t *ret_n)
{
	if (s->in_at) {
		memmove(s->in, s->in + s->in_at, s->in_len - s->in_at);
		s->in_len -= s->in_at;
		s->in_at = 0;
	}
	*ret_n = sizeof s->in - s->in_len;
	return s->in + s->in_len;
}

void dns_stream_received(struct dns_stream *s, size_t n)
{
	s->in_len += n;
}

int dns_stream_next(struct dns_stream *s, const uint8_t **ret_query, size_t *ret_len)
{
	size_t left = s->in_len - s->in_at, len;

	if (left < 2)
		return DNS_STREAM_MORE;
	len = get_u16(s->in + s->in_at);
	if (len < DNS_HEADER_LEN || len > DNS_STREAM_QUERY_MAX)
		return DNS_STREAM_BAD;
	if (left < 2 + len)
		return DNS_STREAM_MORE;
	*ret_query = s->in + s->in_at + 2;
	*ret_len = len;
	s->in_at += 2 + len;
	return 0;
}

static size_t unsent(const struct dns_stream *s)
{
	return s->out.len - s->out_sent;
}

bool dns_stream_full(const struct dns_stream *s)
{
	return unsent(s) >= DNS_STREAM_OUT_MAX;
}

int dns_stream_reply(struct dns_stream *s, const uint8_t *message, size_t len)
{
	if (s->out_sent) {
		buf_take_front(&s->out, s->out_sent);
		s->out_sent = 0;
	}
	buf_add_u16(&s->out, (uint16_t)len);
	buf_add(&s->out, message, len);
	return buf_failed(&s->out) ? -ENOMEM : 0;
}

const uint8_t *dns_stream_unsent(const struct dns_stream *s, size_t *ret_n)
{
	*ret_n = unsent(s);
	return *ret_n ? s->out.data + s->out_sent : NULL;
}

void dns_stream_sent(struct dns_stream *s, size_t n)
{
	s->out_sent += n;
	if (!unsent(s)) {
		/* Most connections are idle most of the time: hold no memory for them. */
		buf_deinit(&s->out);
		s->out_sent = 0;
	}
}
