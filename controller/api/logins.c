/* logins - see logins.h. Few at a time: a list will do. */
#include "controller/api/logins.h"

#include "controller/http/connections.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHALLENGE_LEN 43
#define VERIFIER_MAX 128

static void drop(struct logins *l, struct login **at)
{
	struct login *one = *at;

	*at = one->next;
	l->n--;
	crypto_wipe(one, sizeof *one);
	free(one);
}

void logins_deinit(struct logins *l)
{
	while (l->all)
		drop(l, &l->all);
}

static void drop_expired(struct logins *l)
{
	uint64_t now = clock_mono_ms(&l->clock);

	for (struct login **at = &l->all; *at;)
		if ((*at)->expires_ms <= now)
			drop(l, at);
		else
			at = &(*at)->next;
}

/* ---- start ---- */

/* Letters that nobody mistakes for each other, and that make no words. */
static void draw(const struct clock *clock, const char *alphabet, char *ret_text, size_t n)
{
	size_t len = strlen(alphabet);

	for (size_t i = 0; i < n; i++)
		ret_text[i] = alphabet[clock_random_below(clock, len)];
	ret_text[n] = 0;
}

static int read_challenge(const char *text, uint8_t ret[32], struct why *why)
{
	char standard[CHALLENGE_LEN + 2];
	size_t len = strlen(text);

	for (size_t i = 0; i < len && len == CHALLENGE_LEN; i++)
		standard[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i] == '+' || text[i] == '/' ? '?' : text[i];
	if (len == CHALLENGE_LEN) {
		standard[len] = '=';
		standard[len + 1] = 0;
	}
	if (len != CHALLENGE_LEN || crypto_unbase64(standard, len + 1, ret, 32) < 0)
		return why_set(why, "field_invalid", "code_challenge", "field \"code_challenge\" must be the base64url text of a SHA-256 (43 characters)");
	return 0;
}

static size_t count_source(const struct logins *l, const uint8_t group[16])
{
	size_t n = 0;

	for (const struct login *i = l->all; i; i = i->next)
		n += !memcmp(i->source, group, 16);
	return n;
}

static void make_room(struct logins *l)
{
	struct login **oldest = &l->all;

	if (l->n < LOGINS_MAX)
		return;
	while ((*oldest)->next)
		oldest = &(*oldest)->next;
	drop(l, oldest);
}

int logins_start(struct logins *l, const struct login_new *in, const struct login **ret, struct why *why)
{
	struct login fresh = { .pkce = in->challenge != NULL, .forwarded = in->forwarded, .redirect_port = in->redirect_port }, *one;
	uint8_t id[16];

	drop_expired(l);
	http_source_group(in->source, fresh.source);
	if (in->challenge && read_challenge(in->challenge, fresh.challenge, why))
		return E_REFUSED;
	if (count_source(l, fresh.source) >= LOGINS_PER_SOURCE)
		return why_set(why, "rate_limited", "", "%d logins of this address wait already: finish one, or wait some minutes", LOGINS_PER_SOURCE);
	one = malloc(sizeof *one);
	if (!one)
		return -ENOMEM;
	make_room(l);
	snprintf(fresh.name, sizeof fresh.name, "%s", in->name ? in->name : "");
	snprintf(fresh.state, sizeof fresh.state, "%s", in->state ? in->state : "");
	clock_random(&l->clock, id, sizeof id);
	crypto_hex(id, sizeof id, fresh.id);
	do
		draw(&l->clock, "BCDFGHJKLMNPQRSTVWXZ", fresh.code, LOGIN_CODE_SIZE - 1);
	while (logins_find(l, fresh.code));
	fresh.code[4] = '-';
	draw(&l->clock, "abcdefghijkmnopqrstuvwxyz23456789", fresh.completion, LOGIN_COMPLETION_SIZE - 1);
	fresh.expires_ms = clock_mono_ms(&l->clock) + LOGINS_MS;
	fresh.next = l->all;
	*one = fresh;
	l->all = one;
	l->n++;
	crypto_wipe(&fresh, sizeof fresh);
	*ret = one;
	return 0;
}

/* ---- later ---- */

static struct login **by_id(struct logins *l, const char *id)
{
	drop_expired(l);
	for (struct login **at = &l->all; *at; at = &(*at)->next)
		if (strlen(id) == LOGIN_ID_SIZE - 1 && crypto_equal((*at)->id, id, LOGIN_ID_SIZE - 1))
			return at;
	return NULL;
}

static bool is_code(const char *code, const char *given)
{
	char plain[LOGIN_CODE_SIZE] = "";
	size_t n = 0;

	for (; *given; given++) {
		char c = *given >= 'a' && *given <= 'z' ? (char)(*given - 32) : *given;

		if (c == '-' || c == ' ')
			continue;
		if (n == LOGIN_CODE_SIZE - 1)
			return false;
		if (n == 4)
			plain[n++] = '-';
		plain[n++] = c;
	}
	return n == LOGIN_CODE_SIZE - 1 && crypto_equal(plain, code, LOGIN_CODE_SIZE - 1);
}

const struct login *logins_find(struct logins *l, const char *code)
{
	drop_expired(l);
	for (struct login *i = l->all; i; i = i->next)
		if (is_code(i->code, code))
			return i;
	return NULL;
}

static int not_found(struct why *why)
{
	return why_set(why, "login_not_found", "", "there is no login of that code: it was used, or it is older than %u minutes", LOGINS_MS / 60000);
}

int logins_approve(struct logins *l, const char *code, const char *token, size_t len, const uint8_t *source, const struct login **ret,
		   struct why *why)
{
	struct login *one = (struct login *)(uintptr_t)logins_find(l, code);
	uint8_t group[16];

	if (!one || one->token[0])
		return not_found(why);
	if (!one->pkce && (one->forwarded || !source))
		return why_set(why, "login_elsewhere", "",
			       "this login is of a program that cannot prove who it is, and came through a proxy: where from nobody knows");
	http_source_group(source ? source : one->source, group);
	if (!one->pkce && memcmp(group, one->source, sizeof group))
		return why_set(why, "login_elsewhere", "",
			       "this login was started at another address, by a program that cannot prove who it is: approve it from there");
	if (len == 0 || len >= sizeof one->token)
		return why_set(why, "field_invalid", "Authorization", "there is no token to hand over");
	memcpy(one->token, token, len);
	one->token[len] = 0;
	*ret = one;
	return 0;
}

static int take_token(struct logins *l, struct login **at, char ret_token[LOGIN_TOKEN_SIZE])
{
	memcpy(ret_token, (*at)->token, LOGIN_TOKEN_SIZE);
	drop(l, at);
	return 0;
}

static bool proves(const struct login *one, const char *completion, const char *verifier)
{
	size_t len = strlen(verifier);
	uint8_t hash[32];
	bool good;

	crypto_sha256(verifier, len <= VERIFIER_MAX ? len : 0, hash);
	good = crypto_equal(hash, one->challenge, sizeof hash);
	return strlen(completion) == LOGIN_COMPLETION_SIZE - 1 && crypto_equal(completion, one->completion, LOGIN_COMPLETION_SIZE - 1) && good;
}

int logins_redeem(struct logins *l, const char *id, const char *completion, const char *verifier, char ret_token[LOGIN_TOKEN_SIZE],
		  struct why *why)
{
	struct login **at = by_id(l, id);

	if (!at || !(*at)->pkce)
		return not_found(why);
	if (!(*at)->token[0])
		return why_set(why, "login_pending", "", "authorization_pending: nobody has approved this login yet");
	if (proves(*at, completion, verifier))
		return take_token(l, at, ret_token);
	if (++(*at)->wrong >= LOGINS_WRONG_MAX)
		drop(l, at);
	return why_set(why, "login_wrong", "code", "that is not the code that the page showed, or another program started this login");
}

int logins_poll(struct logins *l, const char *id, char ret_token[LOGIN_TOKEN_SIZE], struct why *why)
{
	struct login **at = by_id(l, id);

	if (!at)
		return not_found(why);
	if ((*at)->pkce)
		return why_set(why, "login_pending", "", "authorization_pending: this login ends with the code that its page shows");
	if (!(*at)->token[0])
		return why_set(why, "login_pending", "", "authorization_pending: nobody has approved this login yet");
	return take_token(l, at, ret_token);
}
