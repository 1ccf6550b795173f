/* pin - by which a self-made certificate is known: "sha256:" and the hex of the SHA-256 of its SubjectPublicKeyInfo. */
#pragma once
#include "lib/base/buf.h"

#define PIN_LEN 32
#define PIN_TEXT_SIZE (7 + 2 * PIN_LEN + 1)

int pin_parse(const char *text, uint8_t ret_pin[PIN_LEN]) MUST_CHECK; /* -EINVAL */
void pin_text(const uint8_t pin[PIN_LEN], char ret_text[PIN_TEXT_SIZE]);
/* Of the first certificate in a PEM text. -EINVAL: there is none. */
int pin_of_pem(const char *pem, size_t len, uint8_t ret_pin[PIN_LEN]) MUST_CHECK;
/* Whether that certificate is for this host (a name or an address), as programs that know no pins will ask. */
bool pin_pem_is_for(const char *pem, size_t len, const char *host);
