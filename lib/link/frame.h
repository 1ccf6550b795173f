/* frame - the layouts on the wire, and the one door where bytes from the network are judged. Integers are big-endian.
 *
 *   1 hello    type kind 0 0 | sender 4 | Noise message 1 (96 + Hello) | mac1 16 | mac2 16     client -> server
 *   2 welcome  type 0 0 0    | sender 4 | Noise message 2 (48 + Welcome)                       server -> client
 *   3 request  type method 0 0 | session 4 | counter 8 | 0 (8)      | sealed payload (n + 16)  client -> server
 *   4 reply    type method 0 0 | session 4 | counter 8 | answers 8  | sealed payload (n + 16)  server -> client
 *   5 cookie   type | CookieReply                                                              server -> client
 *   6 hint     type | Hint                                                                     server -> client
 *
 * The 24 bytes before a sealed payload are its additional data: direction (type), method, session, own counter, and the counter of
 * the request that a reply answers. Counters start at 1. mac1 covers all before it, mac2 all before it, mac1 included; mac2 is
 * zero without a cookie. Hello and Welcome, CookieReply and Hint are messages of proto/sixpn.proto. */
#pragma once
#include "lib/base/buf.h"
#include "lib/link/drop.h"
#include "lib/link/transport.h"
#include "lib/noise/ik.h"
#include "lib/noise/mac.h"

enum link_kind { LINK_KIND_NODE = 'n', LINK_KIND_ENROLL = 'e' };
enum link_method { LINK_ENROLL = 1, LINK_POLL = 2, LINK_REPORT = 3 };
#define LINK_METHODS 4 /* array size, index 0 unused */

enum link_type {
	LINK_FRAME_HELLO = 1,
	LINK_FRAME_WELCOME = 2,
	LINK_FRAME_REQUEST = 3,
	LINK_FRAME_REPLY = 4,
	LINK_FRAME_COOKIE = 5,
	LINK_FRAME_HINT = 6,
};

#define LINK_BOOT_ID_LEN 16
#define LINK_PROLOGUE "sixpn-link-1" /* then the kind, one byte */
#define LINK_CALL_HEADER 24
#define LINK_CALL_OVERHEAD (LINK_CALL_HEADER + CRYPTO_AEAD_TAG_LEN)
#define LINK_HANDSHAKE_HEADER 8
#define LINK_MACS_LEN (2 * NOISE_MAC_LEN)
#define LINK_HANDSHAKE_MAX 512 /* hello, welcome, cookie and hint are all below */

struct link_frame {
	enum link_type type;
	uint8_t kind;           /* hello */
	uint8_t method;         /* request, reply */
	uint32_t sender;        /* hello, welcome */
	uint32_t session;       /* request, reply */
	uint64_t counter, answers;
	const uint8_t *bytes;   /* the whole frame */
	size_t len;
	const uint8_t *body;    /* noise message, sealed payload, or plaintext message */
	size_t body_len;
	const uint8_t *mac1, *mac2; /* hello */
};

/* Judges the form alone. `to_server` says which end received it, which decides the types and the limits. 0, or E_REFUSED with the
 * reason in *ret_drop. */
int link_frame_parse(const uint8_t *bytes, size_t len, bool to_server, struct link_frame *ret_frame, enum link_drop *ret_drop)
	MUST_CHECK;
bool link_kind_may_call(uint8_t kind, uint8_t method);

/* The 24 bytes of a request or reply. */
void link_frame_put_call(uint8_t ret_header[LINK_CALL_HEADER], enum link_type type, enum link_method method, uint32_t session,
			 uint64_t counter, uint64_t answers);
