/* certificate_make - a certificate of our own, see certificate.h: P-256, signed by itself, no authority over other names. */
#include "controller/http/certificate.h"

#include "lib/base/buf.h"
#include "lib/base/crypto.h"
#include "lib/base/file.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <string.h>
#include <unistd.h>

#define DAY_S (24 * 3600)
#define PEM_MAX (64u << 10)
#define NAMES_MAX 64

static int failed(const char *what, int error, struct why *why)
{
	return why_set(why, "certificate_failed", "tls_cert", "a certificate cannot be made: %s: %s", what, gnutls_strerror(error));
}

/* An address in *ret_address: 4 or 16 (its length), 0 for a name, -1 for what is neither. */
static int kind_of(const char *name, uint8_t ret_address[16])
{
	char text[64];
	size_t len = strlen(name);

	if (name[0] == '[' && len > 2 && len < sizeof text && name[len - 1] == ']') {
		memcpy(text, name + 1, len - 2);
		text[len - 2] = 0;
		name = text;
		len -= 2;
	}
	if (inet_pton(AF_INET, name, ret_address) == 1)
		return memcmp(ret_address, (uint8_t[4]){ 0 }, 4) ? 4 : -1;
	if (inet_pton(AF_INET6, name, ret_address) == 1)
		return memcmp(ret_address, (uint8_t[16]){ 0 }, 16) ? 16 : -1;
	if (!len || len > 253 || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != len)
		return -1;
	return 0;
}

static bool has_name(gnutls_x509_crt_t crt, const char *name)
{
	uint8_t address[16], found[256];
	int kind = kind_of(name, address);
	unsigned critical;

	for (unsigned i = 0; kind >= 0; i++) {
		size_t size = sizeof found - 1;
		int type = gnutls_x509_crt_get_subject_alt_name(crt, i, found, &size, &critical);

		if (type < 0)
			return false;
		if (kind && type == GNUTLS_SAN_IPADDRESS && size == (size_t)kind && !memcmp(found, address, size))
			return true;
		if (!kind && type == GNUTLS_SAN_DNSNAME && size == strlen(name) && !strncasecmp((char *)found, name, size))
			return true;
	}
	return true; /* nothing that could be in it */
}

/* Whether the certificate there is one for this key and these names, for long enough. */
static bool will_do(const char *path, gnutls_x509_privkey_t key, const char *const *names, size_t n_names, const struct clock *clock)
{
	CLEAN_BUF struct buf pem = BUF_INIT(PEM_MAX);
	uint64_t renew_s = clock_real_ms(clock) / 1000 + CERTIFICATE_RENEW_DAYS * DAY_S;
	uint8_t of_crt[32], of_key[32];
	size_t size = sizeof of_crt, key_size = sizeof of_key;
	gnutls_x509_crt_t crt;
	bool good;

	if (file_read_regular(path, PEM_MAX - 1, &pem) < 0 || gnutls_x509_crt_init(&crt) < 0)
		return false;
	good = gnutls_x509_crt_import(crt, &(gnutls_datum_t){ pem.data, (unsigned)pem.len }, GNUTLS_X509_FMT_PEM) >= 0 &&
	       gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, of_crt, &size) >= 0 &&
	       gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) >= 0 &&
	       !memcmp(of_crt, of_key, sizeof of_crt) && (uint64_t)gnutls_x509_crt_get_expiration_time(crt) > renew_s;
	for (size_t i = 0; good && i < n_names; i++)
		good = has_name(crt, names[i]);
	gnutls_x509_crt_deinit(crt);
	return good;
}

static int add_names(gnutls_x509_crt_t crt, const char *const *names, size_t n_names)
{
	uint8_t address[16];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n_names && i < NAMES_MAX; i++) {
		int kind = kind_of(names[i], address);

		if (kind > 0)
			r = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, (unsigned)kind, GNUTLS_FSAN_APPEND);
		else if (kind == 0)
			r = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, names[i], (unsigned)strlen(names[i]), GNUTLS_FSAN_APPEND);
	}
	return r;
}

static int fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *const *names, size_t n_names, const struct clock *clock)
{
	static const char subject[] = "sixpn controller";
	time_t now = (time_t)(clock_real_ms(clock) / 1000);
	uint8_t serial[16], id[32];
	size_t id_size = sizeof id;
	int r;

	clock_random(clock, serial, sizeof serial);
	serial[0] = (serial[0] & 0x3f) | 0x40; /* positive, of this length */
	r = gnutls_x509_crt_set_version(crt, 3);
	r = r < 0 ? r : gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
	r = r < 0 ? r : gnutls_x509_crt_set_activation_time(crt, now - DAY_S); /* clocks of laptops */
	r = r < 0 ? r : gnutls_x509_crt_set_expiration_time(crt, now + CERTIFICATE_DAYS * DAY_S);
	r = r < 0 ? r : gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, subject, sizeof subject - 1);
	r = r < 0 ? r : gnutls_x509_crt_set_key(crt, key);
	r = r < 0 ? r : add_names(crt, names, n_names);
	r = r < 0 ? r : gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
	r = r < 0 ? r : gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
	r = r < 0 ? r : gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
	r = r < 0 ? r : gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, id, &id_size);
	r = r < 0 ? r : gnutls_x509_crt_set_subject_key_id(crt, id, 20);
	return r < 0 ? r : gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
}

static int write_cert(const char *path, gnutls_x509_privkey_t key, const char *const *names, size_t n_names, const struct clock *clock,
		      struct why *why)
{
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem = { 0 };
	int r = gnutls_x509_crt_init(&crt);

	if (r < 0)
		return failed("certificate", r, why);
	r = fill(crt, key, names, n_names, clock);
	if (r >= 0)
		r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);
	gnutls_x509_crt_deinit(crt);
	if (r < 0)
		return failed("certificate", r, why);
	r = file_replace(path, pem.data, pem.size, 0644);
	gnutls_free(pem.data);
	return r;
}

static int write_key(const char *path, gnutls_x509_privkey_t key)
{
	gnutls_datum_t pem = { 0 };
	int r = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);

	if (r >= 0)
		r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
	if (r < 0)
		return -EIO;
	r = file_create(path, pem.data, pem.size, 0600);
	crypto_wipe(pem.data, pem.size);
	gnutls_free(pem.data);
	return r;
}

static int take_key(const char *path, gnutls_x509_privkey_t key, struct why *why)
{
	CLEAN_BUF struct buf pem = BUF_INIT(PEM_MAX);
	int r = file_read_regular(path, PEM_MAX - 1, &pem);

	if (r == -ENOENT)
		return write_key(path, key);
	if (r < 0)
		return r;
	r = gnutls_x509_privkey_import2(key, &(gnutls_datum_t){ pem.data, (unsigned)pem.len }, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (pem.data)
		crypto_wipe(pem.data, pem.cap);
	return r < 0 ? why_set(why, "certificate_invalid", "tls_key",
			       "%s holds no key: %s; clients have pinned the key that was there, so it is not replaced: restore it, or remove the file and pin anew",
			       path, gnutls_strerror(r)) :
		       0;
}

int certificate_make(const char *cert_path, const char *key_path, const char *const *names, size_t n_names, const struct clock *clock,
		     bool *ret_made, struct why *why)
{
	gnutls_x509_privkey_t key;
	int r = gnutls_x509_privkey_init(&key);

	*ret_made = false;
	if (r < 0)
		return failed("key", r, why);
	r = take_key(key_path, key, why);
	if (r == 0 && !will_do(cert_path, key, names, n_names, clock)) {
		r = write_cert(cert_path, key, names, n_names, clock, why);
		*ret_made = r == 0;
	}
	gnutls_x509_privkey_deinit(key);
	return r;
}
