/* pin - see pin.h. */
#include "controller/cli/pin.h"

#include "lib/base/crypto.h"

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

int pin_parse(const char *text, uint8_t ret_pin[PIN_LEN])
{
	char hex[2 * PIN_LEN];

	if (strncasecmp(text, "sha256:", 7) || strlen(text) != PIN_TEXT_SIZE - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof hex; i++)
		hex[i] = text[7 + i] >= 'A' && text[7 + i] <= 'F' ? (char)(text[7 + i] | 0x20) : text[7 + i];
	return crypto_unhex(hex, sizeof hex, ret_pin, PIN_LEN);
}

void pin_text(const uint8_t pin[PIN_LEN], char ret_text[PIN_TEXT_SIZE])
{
	memcpy(ret_text, "sha256:", 7);
	crypto_hex(pin, PIN_LEN, ret_text + 7);
}

static X509 *parse(const char *pem, size_t len)
{
	BIO *bio = len <= INT32_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
	X509 *x509 = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return x509;
}

int pin_of_pem(const char *pem, size_t len, uint8_t ret_pin[PIN_LEN])
{
	X509 *x509 = parse(pem, len);
	uint8_t *der = NULL;
	int n;

	if (!x509)
		return -EINVAL;
	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &der);
	if (n > 0)
		SHA256(der, (size_t)n, ret_pin);
	OPENSSL_free(der);
	X509_free(x509);
	return n > 0 ? 0 : -EINVAL;
}

bool pin_pem_is_for(const char *pem, size_t len, const char *host)
{
	X509 *x509 = parse(pem, len);
	bool is_for = x509 && (X509_check_ip_asc(x509, host, 0) == 1 || X509_check_host(x509, host, 0, 0, NULL) == 1);

	X509_free(x509);
	return is_for;
}
