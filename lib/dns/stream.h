/* stream - DNS over a byte stream (RFC 7766): two bytes of length before each message, split anywhere. Pure: the socket is the
 * caller's. */
#pragma once
#include "lib/dns/wire.h"

#define DNS_STREAM_QUERY_MAX 4096 /* no honest query is longer; more is refused */
#define DNS_STREAM_OUT_MAX 65536  /* no further query is taken while more than this waits to be sent */

struct dns_stream {
	uint8_t in[2 + DNS_STREAM_QUERY_MAX];
	size_t in_at, in_len;
	struct buf out;
	size_t out_sent;
};

void dns_stream_init(struct dns_stream *s);
void dns_stream_deinit(struct dns_stream *s);

/* Where received bytes may be put, at least one; then say how many there are. */
uint8_t *dns_stream_room(struct dns_stream *s, size_t *ret_n);
void dns_stream_received(struct dns_stream *s, size_t n);

enum { DNS_STREAM_MORE = 1, DNS_STREAM_BAD = 2 };
/* 0: one whole query, valid until the next call on s; MORE: bytes are missing; BAD: a length that no query has, close. */
int dns_stream_next(struct dns_stream *s, const uint8_t **ret_query, size_t *ret_len) MUST_CHECK;
bool dns_stream_full(const struct dns_stream *s); /* stop taking queries and reading until it is sent */

int dns_stream_reply(struct dns_stream *s, const uint8_t *message, size_t len) MUST_CHECK; /* -ENOMEM */
const uint8_t *dns_stream_unsent(const struct dns_stream *s, size_t *ret_n);
void dns_stream_sent(struct dns_stream *s, size_t n);
