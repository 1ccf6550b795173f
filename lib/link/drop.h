/* drop - why a frame was not obeyed. One table for both ends: a number, a name for metrics, a sentence for docs. Numbers are for
 * ever; a retired reason leaves its number unused. */
#pragma once
#include "lib/base/err.h"

enum link_drop {
	LINK_DROP_SHORT,            /* no complete frame of its type */
	LINK_DROP_LONG,             /* above the limit of its direction or type */
	LINK_DROP_TYPE,             /* no such type, or one that this end never receives */
	LINK_DROP_FIELD,            /* a fixed field holds something else */
	LINK_DROP_MAC1,             /* sender does not know the controller's key */
	LINK_DROP_COOKIE_WANTED,    /* under load and no cookie: a cookie was sent instead */
	LINK_DROP_COOKIE_WRONG,     /* a cookie that is not ours: a new one was sent */
	LINK_DROP_SOURCE_RATE,      /* too many handshakes from one address */
	LINK_DROP_TOTAL_RATE,       /* too many handshakes in all */
	LINK_DROP_HANDSHAKE,        /* Noise refused it */
	LINK_DROP_PAYLOAD,          /* authentic, but Hello or Welcome is malformed */
	LINK_DROP_STALE_HELLO,      /* its timestamp does not rise: a replay */
	LINK_DROP_UNKNOWN_KEY,      /* a node session for a key that is no node's */
	LINK_DROP_REVOKED,          /* the node's key was revoked */
	LINK_DROP_PROVISIONAL_FULL, /* 64 unconfirmed sessions already */
	LINK_DROP_NO_SESSION,       /* session unknown here (server: a Hint was sent) */
	LINK_DROP_EXPIRED,          /* session is past its life (server: a Hint was sent) */
	LINK_DROP_COUNTER,          /* counter seen before or behind the window */
	LINK_DROP_FORGED,           /* the seal is broken */
	LINK_DROP_METHOD,           /* a method this kind of session may not call */
	LINK_DROP_OVERTAKEN,        /* a newer call of the same method came first */
	LINK_DROP_UNASKED,          /* a reply to no outstanding request */
	LINK_DROP_WRONG_ANSWER,     /* a reply to another request than the one it was given to */
	LINK_DROP_HINT_RATE,        /* hints come faster than we handshake */
	LINK_DROP_MEMORY,           /* no memory for it */
	LINK_DROPS
};

struct link_drop_text {
	const char *name, *text;
};
extern const struct link_drop_text link_drop_texts[LINK_DROPS];
static inline const char *link_drop_name(enum link_drop drop)
{
	return link_drop_texts[drop].name;
}
