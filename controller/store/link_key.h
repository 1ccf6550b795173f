/* link_key - the controller's private key on the control link: keys/link.key beside the store. Made once; every join token and every
 * node knows its public half, so without it every node would have to join again. */
#pragma once
#include "lib/base/crypto.h"

int link_key_path(const char *store_path, char *ret_path, size_t size) MUST_CHECK;
/* -ENOENT: there is none. E_REFUSED "key_broken". */
int link_key_read(const char *store_path, uint8_t ret_key[CRYPTO_KEY_LEN], struct why *why) MUST_CHECK;
/* -EEXIST: there is one. */
int link_key_write(const char *store_path, const uint8_t key[CRYPTO_KEY_LEN]) MUST_CHECK;
/* Makes one if there is none. */
int link_key_load(const char *store_path, uint8_t ret_key[CRYPTO_KEY_LEN], struct why *why) MUST_CHECK;
