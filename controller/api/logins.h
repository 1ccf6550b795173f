/* logins - people who want to log in from a program and have not been let in yet. In memory only: a controller that starts anew has none.
 *
 * A program starts one and keeps its id (and, by PKCE, a verifier) to itself; a person opens the page of its code, which is another secret, and
 * gives a token; the page shows a completion code, with which the program fetches that token, once. Without PKCE (old programs) the program
 * may only ask, and whoever approves must come from the same address: else a stranger who sends somebody his link would get that person's token. */
#pragma once
#include "lib/base/clock.h"
#include "lib/base/crypto.h"

#define LOGINS_MAX 512
#define LOGINS_PER_SOURCE 8
#define LOGINS_MS (15u * 60 * 1000)
#define LOGINS_WRONG_MAX 5
#define LOGIN_ID_SIZE (32 + 1)
#define LOGIN_CODE_SIZE (9 + 1)        /* "BCDF-GHJK" */
#define LOGIN_COMPLETION_SIZE (26 + 1)
#define LOGIN_TOKEN_SIZE 256

struct login {
	struct login *next;
	char id[LOGIN_ID_SIZE], code[LOGIN_CODE_SIZE], completion[LOGIN_COMPLETION_SIZE];
	char name[64], state[128]; /* as the program gave them */
	uint8_t source[16], challenge[32];
	bool pkce, forwarded; /* by a proxy, whose address the source is */
	uint16_t redirect_port; /* on the person's machine; 0 = none */
	uint64_t expires_ms;
	unsigned wrong;
	char token[LOGIN_TOKEN_SIZE]; /* "": not approved yet */
};

struct login_new {
	const char *name, *challenge, *state; /* challenge NULL: no PKCE; base64url of a SHA-256 */
	uint16_t redirect_port;
	const uint8_t *source;
	bool forwarded;
};

struct logins {
	struct clock clock;
	struct login *all; /* newest first */
	size_t n;
};

void logins_deinit(struct logins *l);
/* E_REFUSED: too many of this source, or what was given is no challenge. If all places are taken the oldest makes room. */
int logins_start(struct logins *l, const struct login_new *in, const struct login **ret, struct why *why) MUST_CHECK;
const struct login *logins_find(struct logins *l, const char *code); /* NULL: none, or not any more. Case and the dash do not matter */
/* Gives it the token. source NULL: a proxy forwarded it, and whose it is nobody knows. E_REFUSED: there is none of that code, or this source
 * may not. */
int logins_approve(struct logins *l, const char *code, const char *token, size_t len, const uint8_t *source, const struct login **ret,
		   struct why *why) MUST_CHECK;
/* The token, after which there is no such login any more. E_REFUSED: "login_not_found", "login_pending", "login_wrong". */
int logins_redeem(struct logins *l, const char *id, const char *completion, const char *verifier, char ret_token[LOGIN_TOKEN_SIZE],
		  struct why *why) MUST_CHECK;
int logins_poll(struct logins *l, const char *id, char ret_token[LOGIN_TOKEN_SIZE], struct why *why) MUST_CHECK;
