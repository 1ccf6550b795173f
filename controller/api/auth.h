/* auth - who is at the HTTP door: bearer tokens against a cache in the loop, the store on a miss. Every wrong token, whatever is
 * wrong with it, gets the same answer; a source that keeps failing has to wait before the store is asked again for it. */
#pragma once
#include "controller/store/store_thread.h"
#include "controller/store/store_token.h"

#define AUTH_CACHE_MAX 4096
#define AUTH_CACHE_MS 60000u      /* after that the store is asked again */
#define AUTH_TOUCH_MS 60000u      /* last uses are written so often: of one token at most once, however often it is used */
#define AUTH_FAILURES_BURST 10    /* per source (IPv6: per /64), then one a second */

enum auth_result { AUTH_GOOD, AUTH_WRONG, AUTH_TOO_MANY, AUTH_UNAVAILABLE };

/* One question; embedded in what waits for the answer. */
struct auth_question {
	void (*answered)(struct auth_question *question);
	/* the answer */
	enum auth_result result;
	struct principal principal;
	uint32_t writes_per_s; /* of its org; 0 = no limit */
	bool by_token; /* good, and by the token of token_id */
	/* private */
	uint64_t changes; /* of the auth, when that was so */
	struct auth *auth;
	struct op op;
	uint8_t token_id[ID_LEN], secret[32], source[16];
	struct store_token token;
};

struct auth;

/* requests_per_s: of one token that is no operator's, five times as many at once; 0 = no limit. */
int auth_new(struct loop *loop, const struct clock *clock, struct store_thread *thread, uint32_t requests_per_s, struct auth **ret_auth) MUST_CHECK;
struct auth *auth_free(struct auth *auth); /* no question may be open */

/* authorization is the header's value (NULL = none). `answered` is called once, now or later, in the loop thread. */
void auth_ask(struct auth *auth, const char *authorization, const uint8_t source[16], struct auth_question *question);
/* What a question was answered with holds from now on, until something changes: for whoever waits, after its own write. */
void auth_mark(const struct auth *auth, struct auth_question *question);
/* Since then a token, a person, a membership or an organization was changed, or its time is up: ask again. */
bool auth_is_stale(const struct auth *auth, const struct auth_question *question);
/* The same question, without the secret: GOOD only if the token is, and its principal may at least what it could; else WRONG (UNAVAILABLE). */
void auth_ask_again(struct auth *auth, struct auth_question *question);
/* What the timer does: writes the last uses that are not written yet. Never a V. */
void auth_write_uses(struct auth *auth);
/* The token in a header's value, *ret_len bytes; NULL: there is none. */
const char *auth_token_in(const char *authorization, size_t *ret_len);
/* Another write of this principal's org now? Buckets per org; of a person that is in several, its own. */
bool auth_may_write(struct auth *auth, const struct auth_question *question);
/* Another request with this token now? 0, or after how many seconds. */
unsigned auth_pace(struct auth *auth, const struct auth_question *question);
uint64_t auth_limited(const struct auth *auth); /* how often the answer was no */
/* A committed change: what the cache knew of that token (or, for orgs, users and memberships, of all) is forgotten. */
void auth_note_record(struct auth *auth, const struct record *record);
