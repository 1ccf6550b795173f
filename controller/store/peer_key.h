/* peer_key - WireGuard keys as people send them. Pure. */
#pragma once
#include "lib/base/crypto.h"

/* Standard base64 of exactly 32 bytes that are a public key: canonical (below 2^255 - 19) and not one of the points of low order, with
 * which every tunnel has the same secret. E_REFUSED "key_invalid" quotes what was given. */
int peer_key_parse(const char *field, const char *text, uint8_t ret_key[CRYPTO_KEY_LEN], struct why *why) MUST_CHECK;
/* Of a preshared key: any 32 bytes but zeros, which WireGuard takes for "none". The refusal does not quote it. */
int peer_key_parse_preshared(const char *field, const char *text, uint8_t ret_key[CRYPTO_KEY_LEN], struct why *why) MUST_CHECK;
