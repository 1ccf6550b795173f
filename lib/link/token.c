/* token - see token.h. */
#include "lib/link/token.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "sixpn1."

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool name_good(const char *s, size_t n)
{
	size_t label = 0;

	if (n == 0 || n > 253)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool letter = is_digit(s[i]) || (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z');

		if (s[i] == '.') {
			if (label == 0 || s[i - 1] == '-')
				return false;
			label = 0;
		} else if (letter || (s[i] == '-' && label > 0)) {
			if (++label > 63)
				return false;
		} else {
			return false;
		}
	}
	return label > 0 && s[n - 1] != '-';
}

static bool host_good(const char *s, size_t n)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t address[16];
	bool digits_only = true;

	if (n > 2 && s[0] == '[' && s[n - 1] == ']') {
		if (n - 2 >= sizeof text)
			return false;
		memcpy(text, s + 1, n - 2);
		text[n - 2] = 0;
		return inet_pton(AF_INET6, text, address) == 1;
	}
	for (size_t i = 0; i < n; i++)
		digits_only = digits_only && (is_digit(s[i]) || s[i] == '.');
	if (!digits_only)
		return name_good(s, n);
	if (n == 0 || n >= sizeof text)
		return false;
	memcpy(text, s, n);
	text[n] = 0;
	return inet_pton(AF_INET, text, address) == 1;
}

static bool port_good(const char *s)
{
	unsigned port = 0;

	if (s[0] == 0 || s[0] == '0')
		return false;
	for (; *s; s++) {
		if (!is_digit(*s))
			return false;
		port = port * 10 + (unsigned)(*s - '0');
		if (port > 65535)
			return false;
	}
	return true;
}

int link_address_check(const char *text, const char *field, struct why *why)
{
	const char *colon = strrchr(text, ':');

	if (strlen(text) > LINK_ADDRESS_MAX)
		return why_set(why, "address_invalid", field, "the address is longer than %d characters", LINK_ADDRESS_MAX);
	if (!colon)
		return why_set(why, "address_invalid", field, "\"%.100s\" has no port; write host:port, for example controller.example:4281",
			       text);
	if (!host_good(text, (size_t)(colon - text)))
		return why_set(why, "address_invalid", field,
			       "\"%.100s\" has no valid host before the port: a name, an IPv4 address or an IPv6 address in brackets", text);
	if (!port_good(colon + 1))
		return why_set(why, "address_invalid", field, "\"%.20s\" is not a port: a number from 1 to 65535", colon + 1);
	return 0;
}

/* Exactly 2n lower-case hex digits followed by `end`; moves *at behind it. */
static bool take_hex(const char **at, char end, uint8_t *ret, size_t n)
{
	const char *stop = strchr(*at, end);

	if (!stop || (size_t)(stop - *at) != 2 * n)
		return false;
	for (const char *p = *at; p < stop; p++)
		if (!is_digit(*p) && (*p < 'a' || *p > 'f'))
			return false;
	if (crypto_unhex(*at, 2 * n, ret, n) < 0)
		return false;
	*at = stop + 1;
	return true;
}

static int parse(const char *text, struct link_token *t, struct why *why)
{
	const char *at = text;

	if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
		return why_set(why, "token_invalid", "token", "a join token begins with " PREFIX "; this is something else");
	at += strlen(PREFIX);
	if (!take_hex(&at, '.', t->id, sizeof t->id))
		return why_set(why, "token_invalid", "token", "the id of the token is not 16 lower-case hex digits; was it cut?");
	if (!take_hex(&at, '.', t->secret, sizeof t->secret))
		return why_set(why, "token_invalid", "token", "the secret of the token is not 32 lower-case hex digits; was it cut?");
	if (!take_hex(&at, '@', t->controller_key, sizeof t->controller_key))
		return why_set(why, "token_invalid", "token",
			       "the controller key in the token is not 64 lower-case hex digits before \"@\"; was it cut?");
	if (link_address_check(at, "token", why) != 0)
		return E_REFUSED;
	strcpy(t->address, at); /* its length was checked */
	return 0;
}

int link_token_parse(const char *text, struct link_token *ret_token, struct why *why)
{
	struct link_token t = { 0 };
	int r;

	if (strnlen(text, LINK_TOKEN_TEXT_MAX + 1) > LINK_TOKEN_TEXT_MAX)
		return why_set(why, "token_invalid", "token", "longer than the %d characters a join token can have", LINK_TOKEN_TEXT_MAX);
	r = parse(text, &t, why);
	if (r == 0)
		*ret_token = t;
	crypto_wipe(&t, sizeof t);
	return r;
}

void link_token_format(const struct link_token *token, char ret_text[LINK_TOKEN_TEXT_MAX + 1])
{
	char id[2 * LINK_TOKEN_ID_LEN + 1], secret[2 * LINK_TOKEN_SECRET_LEN + 1], key[2 * CRYPTO_KEY_LEN + 1];

	crypto_hex(token->id, sizeof token->id, id);
	crypto_hex(token->secret, sizeof token->secret, secret);
	crypto_hex(token->controller_key, sizeof token->controller_key, key);
	snprintf(ret_text, LINK_TOKEN_TEXT_MAX + 1, PREFIX "%s.%s.%s@%s", id, secret, key, token->address);
	crypto_wipe(secret, sizeof secret);
}
