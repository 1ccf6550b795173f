/* access - see access.h. */
#include "controller/access.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

void access_names_add(struct access_names *names, const char *name)
{
	if (!*name || strlen(name) >= sizeof names->text[0] || names->n == ACCESS_NAMES_MAX)
		return;
	for (size_t i = 0; i < names->n; i++)
		if (!strcasecmp(names->items[i], name))
			return;
	strcpy(names->text[names->n], name);
	names->items[names->n] = names->text[names->n];
	names->n++;
}

/* Those of link-local scope need a zone, which a URL of another machine cannot name. */
static void add_own_addresses(struct access_names *names)
{
	struct ifaddrs *all, *i;
	char text[INET6_ADDRSTRLEN];

	if (getifaddrs(&all) < 0)
		return;
	for (i = all; i; i = i->ifa_next) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)i->ifa_addr;
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)i->ifa_addr;

		if (v4 && v4->sin_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text))
			access_names_add(names, text);
		else if (v6 && v6->sin6_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) &&
			 inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text))
			access_names_add(names, text);
	}
	freeifaddrs(all);
}

void access_names_add_listener(struct access_names *names, const char *listen)
{
	const char *colon = strrchr(listen, ':');
	char host[256];

	snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - listen) : 0, listen);
	if (!strcmp(host, "[::]") || !strcmp(host, "0.0.0.0"))
		add_own_addresses(names);
	else
		access_names_add(names, host);
}
