/* certificate - a chain and its key as GnuTLS wants them, from files of others or made here.
 *
 * A client that pins knows the key, not the certificate: the pin is the SHA-256 of the SubjectPublicKeyInfo (RFC 7469, section 2.4), which stays
 * when the certificate is renewed with the same key. Counted references: a connection keeps the one that it began with. */
#pragma once
#include "lib/base/clock.h"

#define CERTIFICATE_PIN_SIZE (7 + 64 + 1) /* "sha256:" and hex */

struct certificate;

/* PEM files. The key may be read by its owner, and by a group if root owns it (0640 root:ssl-cert); else E_REFUSED names the mode.
 * E_REFUSED also for what is no certificate or key, and for two that do not belong together. One that has expired is taken. */
int certificate_load(const char *cert_path, const char *key_path, struct certificate **ret, struct why *why) MUST_CHECK;
struct certificate *certificate_ref(struct certificate *c);
void certificate_unref(struct certificate *c); /* NULL is fine */
const char *certificate_pin(const struct certificate *c);
uint64_t certificate_not_after_ms(const struct certificate *c); /* of the first of its chain to end; Unix time */
/* The server's own name for it: a gnutls_certificate_credentials_t. */
void *certificate_credentials(const struct certificate *c);
/* The PEM texts, for a library that wants them once. */
const char *certificate_pem(const struct certificate *c);
const char *certificate_key_pem(const struct certificate *c);

#define CERTIFICATE_DAYS 397
#define CERTIFICATE_RENEW_DAYS 60
/* Sees to it that key_path (0600, made if it is not there, never replaced) and cert_path hold a self-made certificate for these names
 * (DNS names and addresses; "*", "[::]" and the like are skipped), valid for at least CERTIFICATE_RENEW_DAYS; *ret_made: it is new. */
int certificate_make(const char *cert_path, const char *key_path, const char *const *names, size_t n_names, const struct clock *clock,
		     bool *ret_made, struct why *why) MUST_CHECK;
