/* request - one HTTP request to the controller, by TCP or its local socket. */
#pragma once
#include "controller/cli/cli.h"

struct request_reply {
	long status;
	json_t *body; /* owned; an object where request_send returned 0 */
};

/* method, path (encoded, may carry a query), body (taken; may be NULL). 0 and a reply of 2xx, or an exit status after the error
 * was told in three lines. With `quiet_404`, a 404 is returned as EXIT_NOT_FOUND without a word. */
int request_send(struct cli *cli, const char *method, const char *path, json_t *body, bool quiet_404, struct request_reply *ret_reply);
/* A GET that goes on: what comes goes to take (of a reply of 200), until it ends, cli->stop, or nothing came for 45 s. last_id: for the
 * header Last-Event-ID, "" = none. 0: it began and ended; EXIT_UNREACHABLE without a word if it did not come about or broke; else the exit
 * status of a refusal that was told. */
int request_stream(struct cli *cli, const char *path, const char *last_id, bool (*take)(void *ctx, const char *bytes, size_t n), void *ctx);
void request_reply_deinit(struct request_reply *reply);
/* Appends text with everything but unreserved characters percent-encoded. */
void request_add_encoded(struct buf *path, const char *text);
/* Appends ?name=value or &name=value; nothing for NULL. */
void request_add_query(struct buf *path, const char *name, const char *value);
/* Unix time by the clock of who answered last; -1 = not known. */
int64_t request_date(const struct cli *cli);
void request_disconnect(struct cli *cli);

/* ---- https ---- */

enum request_trust {
	TRUST_AUTHORITIES, /* those of this machine, or of SSL_CERT_FILE */
	TRUST_PIN,         /* whoever has that key */
	TRUST_ANYBODY,     /* only to look at the certificate */
};
/* curl: a CURL handle. */
void request_set_trust(const struct cli *cli, void *curl, const char *pin, enum request_trust trust);
/* The certificate (PEM) that https://... shows; no token is sent. 0 or an exit status after the error was told. */
int request_certificate(struct cli *cli, const char *url, const char *pin, enum request_trust trust, struct buf *ret_pem);
int request_tell_unreachable(struct cli *cli, int code, const char *url); /* code: a CURLcode */
