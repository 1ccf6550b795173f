/* upstreams - see upstreams.h. */
#include "lib/dns/upstreams.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SRTT_MAX_MS 2000
#define PATIENCE_MIN_MS 50
#define PATIENCE_MAX_MS 400
#define PATIENCE_ALONE_MIN_MS 300 /* asking the same one again helps only against loss */
#define PATIENCE_UNKNOWN_MS 100
#define PROBE_FIRST_MS 500
#define PROBE_MAX_MS 16000

/* ---- the list ---- */

static int parse_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *text == '-' || *text == '+' || *end || n < 1 || n > 65535)
		return E_REFUSED;
	*ret = (uint16_t)n;
	return 0;
}

static void fill_v4(struct dns_upstream *u, struct in_addr a, uint16_t port)
{
	struct sockaddr_in *to = (struct sockaddr_in *)&u->address;
	char text[INET_ADDRSTRLEN];

	*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = a, .sin_port = htons(port) };
	u->address_len = sizeof *to;
	snprintf(u->text, sizeof u->text, "%s:%u", inet_ntop(AF_INET, &a, text, sizeof text), port);
}

static void fill_v6(struct dns_upstream *u, const struct in6_addr *a, const char *device, uint16_t port)
{
	struct sockaddr_in6 *to = (struct sockaddr_in6 *)&u->address;
	char text[INET6_ADDRSTRLEN];

	*to = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = *a, .sin6_port = htons(port) };
	if (device)
		to->sin6_scope_id = if_nametoindex(device);
	u->address_len = sizeof *to;
	snprintf(u->text, sizeof u->text, "[%s%s%.15s]:%u", inet_ntop(AF_INET6, a, text, sizeof text), device ? "%" : "",
		 device ? device : "", port);
}

/* Splits "address[%device][:port]" in place. */
static int split(char *text, char **ret_device, char **ret_port)
{
	char *colon = strrchr(text, ':');

	*ret_device = *ret_port = NULL;
	if (text[0] == '[') {
		char *close = strchr(text, ']');

		if (!close || (close[1] && close[1] != ':'))
			return E_REFUSED;
		*ret_port = close[1] ? close + 2 : NULL;
		*close = 0;
		memmove(text, text + 1, strlen(text + 1) + 1);
	} else if (colon && strchr(text, ':') == colon) {
		*colon = 0;
		*ret_port = colon + 1;
	}
	*ret_device = strchr(text, '%');
	if (*ret_device)
		*(*ret_device)++ = 0;
	return 0;
}

/* Why a server cannot be at this address; NULL = it can. */
static const char *judge_v6(const struct in6_addr *a, const struct in6_addr *own, const char *device)
{
	if (!memcmp(a, own, sizeof *a) || (a->s6_addr[0] == 0xfd && a->s6_addr[1] == 0xaa))
		return "is in the 6PN, where this node itself answers: questions would go round in circles";
	if (IN6_IS_ADDR_UNSPECIFIED(a))
		return "means this machine, whoever listens there; name the address of a server";
	if (IN6_IS_ADDR_MULTICAST(a))
		return "is a multicast address";
	if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a))
		return IN6_IS_ADDR_LOOPBACK(a) ? NULL : "is an IPv4 address in disguise; write it as a.b.c.d";
	if (IN6_IS_ADDR_LINKLOCAL(a) && !device)
		return "is link-local and needs a device: fe80::1%eth0";
	if (!IN6_IS_ADDR_LINKLOCAL(a) && device)
		return "has a device, which only link-local addresses may have";
	if (device && !if_nametoindex(device))
		return "names a device that this machine does not have";
	return NULL;
}

static const char *judge_v4(struct in_addr a)
{
	uint32_t n = ntohl(a.s_addr);

	if (n >> 24 == 0)
		return "means this machine, whoever listens there; name the address of a server";
	if (n >> 28 >= 14)
		return "is a multicast or broadcast address";
	return NULL;
}

/* NULL, or the rest of the sentence that begins with the entry. */
static const char *parse_one(const char *entry, const struct in6_addr *own, struct dns_upstream *ret)
{
	char text[128], *device, *port_text;
	struct in_addr v4;
	struct in6_addr v6;
	const char *wrong;
	uint16_t port = 53;

	*ret = (struct dns_upstream){ 0 };
	if (snprintf(text, sizeof text, "%s", entry) >= (int)sizeof text || split(text, &device, &port_text))
		return "is no address";
	if (port_text && parse_port(port_text, &port))
		return "has a port that is not a number from 1 to 65535";
	if (inet_pton(AF_INET, text, &v4) == 1 && !device) {
		wrong = judge_v4(v4);
		if (!wrong)
			fill_v4(ret, v4, port);
		return wrong;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return "is no address; names cannot be used here";
	wrong = judge_v6(&v6, own, device);
	if (!wrong)
		fill_v6(ret, &v6, device, port);
	return wrong;
}

static bool has(const struct dns_upstreams *u, const struct dns_upstream *one)
{
	for (size_t i = 0; i < u->n; i++)
		if (!strcmp(u->all[i].text, one->text))
			return true;
	return false;
}

int dns_upstreams_parse(const char *text, const struct in6_addr *own, struct dns_upstreams *ret, struct why *why)
{
	struct dns_upstreams list = { 0 };
	char copy[1024], *save = NULL;

	if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
		return why_set(why, "forward_invalid", "forward", "the list of upstream name servers is longer than %zu bytes",
			       sizeof copy - 1);
	for (char *entry = strtok_r(copy, ", \t", &save); entry; entry = strtok_r(NULL, ", \t", &save)) {
		struct dns_upstream one;
		const char *wrong = parse_one(entry, own, &one);

		if (wrong)
			return why_set(why, "forward_invalid", "forward", "upstream name server \"%.80s\" %s", entry, wrong);
		if (has(&list, &one))
			continue;
		if (list.n == DNS_UPSTREAMS_MAX)
			return why_set(why, "forward_invalid", "forward", "more than %d upstream name servers", DNS_UPSTREAMS_MAX);
		list.all[list.n++] = one;
	}
	if (!list.n)
		return why_set(why, "forward_invalid", "forward", "no upstream name server in \"%.80s\"; write addresses, auto or off",
			       text);
	*ret = list;
	return 0;
}

bool dns_upstreams_from_resolv_conf(const char *text, const struct in6_addr *own, struct dns_upstreams *ret, size_t *ret_left_out)
{
	bool devices = false;

	*ret = (struct dns_upstreams){ 0 };
	*ret_left_out = 0;
	while (*text) {
		size_t len = strcspn(text, "\n");
		char line[256], address[128];
		struct dns_upstream one;

		snprintf(line, sizeof line, "%.*s", (int)(len < 255 ? len : 255), text);
		text += len + (text[len] == '\n');
		/* sscanf wants the keyword at the start of the line, as the C library does */
		if (sscanf(line, "nameserver%*[ \t]%127[^ \t\r#;]", address) != 1)
			continue;
		devices |= strchr(address, '%') != NULL;
		if (parse_one(address, own, &one) || ret->n == DNS_UPSTREAMS_MAX)
			++*ret_left_out;
		else if (!has(ret, &one))
			ret->all[ret->n++] = one;
	}
	return devices;
}

/* The index of a device is in the address alone: one that was made anew under its old name is another. */
static bool same(const struct dns_upstream *a, const struct dns_upstream *b)
{
	return !strcmp(a->text, b->text) && a->address_len == b->address_len && !memcmp(&a->address, &b->address, a->address_len);
}

bool dns_upstreams_same(const struct dns_upstreams *a, const struct dns_upstreams *b)
{
	for (size_t i = 0; a->n == b->n && i < a->n; i++)
		if (!same(&a->all[i], &b->all[i]))
			return false;
	return a->n == b->n;
}

void dns_upstreams_replace(struct dns_upstreams *u, const struct dns_upstreams *by)
{
	struct dns_upstreams old = *u;

	*u = *by;
	u->generation = old.generation + 1;
	for (size_t i = 0; i < u->n; i++)
		for (size_t k = 0; k < old.n; k++)
			if (same(&u->all[i], &old.all[k]))
				u->all[i] = old.all[k];
}

/* ---- how they do ---- */

static bool better(const struct dns_upstream *a, const struct dns_upstream *b)
{
	if (a->suspect != b->suspect)
		return b->suspect;
	return !a->suspect && a->srtt_ms < b->srtt_ms;
}

void dns_upstreams_order(const struct dns_upstreams *u, uint8_t ret_order[DNS_UPSTREAMS_MAX])
{
	for (size_t i = 0; i < u->n; i++) {
		size_t at = i;

		for (; at > 0 && better(&u->all[i], &u->all[ret_order[at - 1]]); at--)
			ret_order[at] = ret_order[at - 1];
		ret_order[at] = (uint8_t)i;
	}
}

bool dns_upstreams_all_silent(const struct dns_upstreams *u)
{
	for (size_t i = 0; i < u->n; i++)
		if (!u->all[i].suspect)
			return false;
	return true;
}

void dns_upstream_heard(struct dns_upstream *u, uint64_t took_ms)
{
	uint32_t took = took_ms >= SRTT_MAX_MS ? SRTT_MAX_MS : (uint32_t)took_ms + 1;

	u->srtt_ms = u->srtt_ms ? (u->srtt_ms * 7 + took + 7) / 8 : took;
	u->failures = 0;
	u->suspect = false;
	u->heard++;
}

void dns_upstream_lost(struct dns_upstream *u, uint64_t waited_ms, uint64_t now_ms)
{
	uint32_t waited = waited_ms >= SRTT_MAX_MS ? SRTT_MAX_MS : (uint32_t)waited_ms + 1;

	if (u->srtt_ms < waited)
		u->srtt_ms = waited; /* it takes at least this long */
	u->lost++;
	u->failures++;
	if (u->suspect)
		return;
	u->suspect = true;
	u->probe_wait_ms = PROBE_FIRST_MS;
	u->probe_at_ms = now_ms + PROBE_FIRST_MS;
}

uint32_t dns_upstream_patience_ms(const struct dns_upstream *u, bool there_are_others)
{
	uint32_t wait = u->srtt_ms ? 2 * u->srtt_ms : PATIENCE_UNKNOWN_MS;
	uint32_t least = there_are_others ? PATIENCE_MIN_MS : PATIENCE_ALONE_MIN_MS;
	uint32_t most = PATIENCE_MAX_MS;

	return wait < least ? least : wait > most ? most : wait;
}

bool dns_upstream_probe_due(struct dns_upstream *u, uint64_t now_ms, uint64_t *ret_next_ms)
{
	bool due = u->suspect && now_ms >= u->probe_at_ms;

	if (due) {
		u->probe_at_ms = now_ms + u->probe_wait_ms;
		u->probe_wait_ms = u->probe_wait_ms * 2 > PROBE_MAX_MS ? PROBE_MAX_MS : u->probe_wait_ms * 2;
	}
	*ret_next_ms = u->suspect ? u->probe_at_ms : UINT64_MAX;
	return due;
}
