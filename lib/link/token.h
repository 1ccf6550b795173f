/* token - the join token an operator hands to a new node: sixpn1.<id>.<secret>.<controller key>@<address>
 * id 16, secret 32, key 64 lower-case hex digits; address host:port, with host a name, an IPv4 or an IPv6 address in brackets. The
 * secret travels only inside a link session; wipe the struct after use. */
#pragma once
#include "lib/base/crypto.h"

#define LINK_TOKEN_ID_LEN 8
#define LINK_TOKEN_SECRET_LEN 16
#define LINK_ADDRESS_MAX 262 /* name of 253, brackets, colon, port */
#define LINK_TOKEN_TEXT_MAX (7 + 16 + 1 + 32 + 1 + 64 + 1 + LINK_ADDRESS_MAX)

struct link_token {
	uint8_t id[LINK_TOKEN_ID_LEN];
	uint8_t secret[LINK_TOKEN_SECRET_LEN];
	uint8_t controller_key[CRYPTO_KEY_LEN];
	char address[LINK_ADDRESS_MAX + 1];
};

/* E_REFUSED; the reason never quotes the secret. Text is exactly the token: trim white space first. */
int link_token_parse(const char *text, struct link_token *ret_token, struct why *why) MUST_CHECK;
void link_token_format(const struct link_token *token, char ret_text[LINK_TOKEN_TEXT_MAX + 1]);
/* "host:port", port 1 to 65535. E_REFUSED. */
int link_address_check(const char *text, const char *field, struct why *why) MUST_CHECK;
