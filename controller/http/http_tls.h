/* http_tls - the certificate that new connections get, and how another takes its place while old connections go on. */
#pragma once
#include "controller/http/certificate.h"
#include "lib/base/loop.h"

struct http_tls_config {
	const char *cert_path, *key_path; /* must outlive it */
	bool self_made;                   /* made and renewed here; else they are somebody's files */
	const char *const *names;         /* of a self-made one */
	size_t n_names;
};

struct http_tls_stats {
	uint64_t reloads, failed_reloads;
	uint64_t expires_ms; /* Unix time */
};

struct http_tls;

/* E_REFUSED with why, or -errno: there is no certificate to begin with. */
int http_tls_new(struct loop *loop, const struct clock *clock, const struct http_tls_config *config, struct http_tls **ret, struct why *why) MUST_CHECK;
struct http_tls *http_tls_free(struct http_tls *tls); /* after the server */
/* Reads the files again (self-made: renews it if need be). What is wrong with them is logged and counted, and changes nothing. */
void http_tls_reload(struct http_tls *tls);
struct certificate *http_tls_current(const struct http_tls *tls);
struct http_tls_stats http_tls_stats(const struct http_tls *tls);
