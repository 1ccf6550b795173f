/* certificate - see certificate.h: reading. */
#include "controller/http/certificate.h"

#include "lib/base/buf.h"
#include "lib/base/crypto.h"
#include "lib/base/file.h"

#include <gnutls/x509.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (256u << 10)
#define CHAIN_MAX 8

struct certificate {
	unsigned refs;
	gnutls_certificate_credentials_t credentials;
	char pin[CERTIFICATE_PIN_SIZE];
	uint64_t not_after_ms;
	struct buf pem, key_pem;
};

static int refuse(const char *path, const char *what, int error, struct why *why)
{
	return why_set(why, "certificate_invalid", "tls_cert", "%s: %s: %s", path, what, gnutls_strerror(error));
}

/* By the open file, so that what is judged is what is read. What is no file (a FIFO) is not waited for: the loop would stand still. */
static int read_key(const char *path, struct buf *ret, struct why *why)
{
	CLEAN_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t n = 0;
	void *bytes;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return why_set(why, "certificate_invalid", "tls_key", "cannot read %s: %s", path, strerror(errno));
	if ((st.st_mode & 037) || ((st.st_mode & 040) && st.st_uid != 0))
		return why_set(why, "key_too_open", "tls_key", "%s is a private key and others can read it (mode %04o): chmod 600 it", path,
			       (unsigned)st.st_mode & 07777);
	if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size > FILE_MAX)
		return why_set(why, "certificate_invalid", "tls_key", "%s is no file of 1 to %u bytes", path, FILE_MAX);
	bytes = buf_reserve(ret, (size_t)st.st_size);
	r = bytes ? file_read_all(fd, bytes, (size_t)st.st_size, &n) : -ENOMEM;
	if (r == 0 && n != (size_t)st.st_size)
		r = -EIO;
	(void)buf_str(ret);
	return r;
}

static int read_cert(const char *path, struct buf *ret, struct why *why)
{
	int r = file_read_regular(path, FILE_MAX, ret);

	if (r < 0)
		return why_set(why, "certificate_invalid", "tls_cert", "cannot read %s: %s", path, strerror(-r));
	(void)buf_str(ret);
	return 0;
}

/* Pin and end of the chain. */
static int look_at(struct certificate *c, const char *path, struct why *why)
{
	gnutls_datum_t pem = { c->pem.data, (unsigned)c->pem.len };
	gnutls_x509_crt_t chain[CHAIN_MAX];
	unsigned n = CHAIN_MAX;
	uint8_t hash[32];
	size_t size = sizeof hash;
	int r = gnutls_x509_crt_list_import(chain, &n, &pem, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);

	if (r < 0)
		return refuse(path, "it holds no certificates, or more than 8", r, why);
	c->not_after_ms = UINT64_MAX;
	for (unsigned i = 0; i < n; i++) {
		uint64_t end_ms = (uint64_t)gnutls_x509_crt_get_expiration_time(chain[i]) * 1000;

		if (end_ms < c->not_after_ms)
			c->not_after_ms = end_ms;
	}
	r = gnutls_x509_crt_get_key_id(chain[0], GNUTLS_KEYID_USE_SHA256, hash, &size);
	strcpy(c->pin, "sha256:");
	crypto_hex(hash, sizeof hash, c->pin + 7);
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(chain[i]);
	if (r < 0)
		return refuse(path, "its key", r, why);
	return 0;
}

static int fill(struct certificate *c, const char *cert_path, const char *key_path, struct why *why)
{
	gnutls_datum_t cert, key;
	int r = read_cert(cert_path, &c->pem, why);

	if (r == 0)
		r = read_key(key_path, &c->key_pem, why);
	if (r == 0)
		r = look_at(c, cert_path, why);
	if (r)
		return r;
	cert = (gnutls_datum_t){ c->pem.data, (unsigned)c->pem.len };
	key = (gnutls_datum_t){ c->key_pem.data, (unsigned)c->key_pem.len };
	r = gnutls_certificate_allocate_credentials(&c->credentials);
	if (r >= 0) /* also checks that they belong together */
		r = gnutls_certificate_set_x509_key_mem2(c->credentials, &cert, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
	return r < 0 ? refuse(key_path, "as the key of that certificate", r, why) : 0;
}

int certificate_load(const char *cert_path, const char *key_path, struct certificate **ret, struct why *why)
{
	struct certificate *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->refs = 1;
	c->pem = BUF_INIT(FILE_MAX + 2);
	c->key_pem = BUF_INIT(FILE_MAX + 2);
	r = fill(c, cert_path, key_path, why);
	if (r) {
		certificate_unref(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct certificate *certificate_ref(struct certificate *c)
{
	c->refs++;
	return c;
}

void certificate_unref(struct certificate *c)
{
	if (!c || --c->refs)
		return;
	if (c->credentials)
		gnutls_certificate_free_credentials(c->credentials);
	if (c->key_pem.data)
		crypto_wipe(c->key_pem.data, c->key_pem.cap);
	buf_deinit(&c->pem);
	buf_deinit(&c->key_pem);
	free(c);
}

const char *certificate_pin(const struct certificate *c)
{
	return c->pin;
}

uint64_t certificate_not_after_ms(const struct certificate *c)
{
	return c->not_after_ms;
}

void *certificate_credentials(const struct certificate *c)
{
	return c->credentials;
}

const char *certificate_pem(const struct certificate *c)
{
	return (const char *)c->pem.data;
}

const char *certificate_key_pem(const struct certificate *c)
{
	return (const char *)c->key_pem.data;
}
