/* access - see access.h. */
#include "controller/access.h"

#include <stdio.h>
#include <string.h>

static int wrong(const char *url, struct why *why)
{
	return why_set(why, "value_invalid", "external_url",
		       "external_url is \"%.100s\": it must be http:// or https://, a host and perhaps a port, for example https://sixpn.example:4280", url);
}

int access_check_url(const char *url, char *ret_host, size_t size, struct why *why)
{
	const char *host = !strncmp(url, "http://", 7) ? url + 7 : !strncmp(url, "https://", 8) ? url + 8 : NULL;
	size_t len, port;

	if (!host || strlen(url) > 250)
		return wrong(url, why);
	len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	if (len > strlen(host) || len >= size || len == 0 ||
	    strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-[]:") != strlen(host))
		return wrong(url, why);
	port = strspn(host + len + (host[len] == ':'), "0123456789");
	if (host[len] && (host[len] != ':' || !port || port > 5 || host[len + 1 + port]))
		return wrong(url, why);
	memcpy(ret_host, host, len);
	ret_host[len] = 0;
	return 0;
}

void access_url_of(const char *listen, uint16_t port, bool tls, char *ret_url, size_t size)
{
	const char *colon = strrchr(listen, ':');
	int len = colon ? (int)(colon - listen) : 0;

	if (!strncmp(listen, "[::]:", 5)) {
		listen = "[::1]";
		len = 5;
	} else if (!strncmp(listen, "0.0.0.0:", 8)) {
		listen = "127.0.0.1";
		len = 9;
	}
	snprintf(ret_url, size, "%s://%.*s:%u", tls ? "https" : "http", len, listen, port);
}
