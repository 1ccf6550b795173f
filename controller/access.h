/* access - at which address others reach the HTTP API: what links and `sixpn env` say. */
#pragma once
#include "lib/base/err.h"

/* A URL as external_url takes it: http or https, a host, perhaps a port, nothing else. *ret_host (size bytes) gets the host as the
 * header Host names it, without the port. E_REFUSED. */
int access_check_url(const char *url, char *ret_host, size_t size, struct why *why) MUST_CHECK;
/* Of a listener ("[::]:4280" and the port that it really has): whoever asks is on this machine, so a wildcard becomes loopback. */
void access_url_of(const char *listen, uint16_t port, bool tls, char *ret_url, size_t size);

#define ACCESS_NAMES_MAX 48

/* By what clients may call this machine: what a self-made certificate is for. */
struct access_names {
	char text[ACCESS_NAMES_MAX][256];
	const char *items[ACCESS_NAMES_MAX];
	size_t n;
};
/* Adds it if it is not in yet and there is room. */
void access_names_add(struct access_names *names, const char *name);
/* The host of a listener; of a wildcard all addresses of this machine. */
void access_names_add_listener(struct access_names *names, const char *listen);
