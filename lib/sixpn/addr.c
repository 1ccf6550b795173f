/* addr - see addr.h. */
#include "lib/sixpn/addr.h"

#include "lib/base/buf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct in6_addr from_words(uint32_t first, uint32_t second, uint32_t third, uint16_t low)
{
	struct in6_addr a;

	put_u16(a.s6_addr, 0xfdaa);
	put_u32(a.s6_addr + 2, first);
	put_u32(a.s6_addr + 6, second);
	put_u32(a.s6_addr + 10, third);
	put_u16(a.s6_addr + 14, low);
	return a;
}

struct in6_addr addr_natural(struct addr_parts parts)
{
	return from_words(parts.network, parts.host, parts.instance, parts.low);
}

struct in6_addr addr_instance(uint32_t network, uint32_t host, uint32_t instance)
{
	return from_words(network, host, instance, 2);
}

int addr_split(const struct in6_addr *a, struct addr_parts *ret_parts)
{
	if (get_u16(a->s6_addr) != 0xfdaa)
		return E_REFUSED;
	*ret_parts = (struct addr_parts){
		.network = get_u32(a->s6_addr + 2),
		.host = get_u32(a->s6_addr + 6),
		.instance = get_u32(a->s6_addr + 10),
		.low = get_u16(a->s6_addr + 14),
	};
	return 0;
}

struct in6_addr addr_sender(const struct in6_addr *a)
{
	struct in6_addr out = *a;

	out.s6_addr[15] = 0;
	if (addr_instance_valid(get_u32(a->s6_addr + 10)))
		out.s6_addr[14] = 0;
	return out;
}

struct in6_addr addr_swap(const struct in6_addr *a)
{
	struct in6_addr out = *a;

	memcpy(out.s6_addr + 2, a->s6_addr + 6, 4);
	memcpy(out.s6_addr + 6, a->s6_addr + 2, 4);
	return out;
}

struct in6_addr addr_resolver(void)
{
	return from_words(0, 0, 0, 3);
}

struct in6_addr addr_network_resolver(uint32_t network)
{
	return from_words(network, 0, 0, 3);
}

struct in6_addr addr_flycast(uint32_t network, uint32_t number)
{
	return from_words(network, ADDR_HOST_FLYCAST, 0, (uint16_t)number);
}

struct in6_addr addr_all_prefix(void)
{
	return from_words(0, 0, 0, 0);
}

struct in6_addr addr_mesh_host_prefix(uint32_t host)
{
	return from_words(host, 0, 0, 0);
}

struct in6_addr addr_network_prefix(uint32_t network)
{
	return from_words(network, 0, 0, 0);
}

struct in6_addr addr_network_host_prefix(uint32_t network, uint32_t host)
{
	return from_words(network, host, 0, 0);
}

const char *addr_text(const struct in6_addr *a, char *ret_text)
{
	return inet_ntop(AF_INET6, a, ret_text, ADDR_TEXT_LEN);
}

static int parse_port(const char *text, uint16_t *ret)
{
	char *end;
	long port;

	if (*text < '0' || *text > '9')
		return E_REFUSED;
	port = strtol(text, &end, 10);
	if (*end || port < 1 || port > 65535)
		return E_REFUSED;
	*ret = (uint16_t)port;
	return 0;
}

int addr_endpoint_parse(const char *text, struct addr_endpoint *ret, struct why *why)
{
	struct addr_endpoint e = { 0 };
	char host[64];
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	bool v6 = text[0] == '[';

	if (!colon || n < 2 || n >= sizeof host || (v6 && text[n - 1] != ']') || parse_port(colon + 1, &e.port))
		goto refuse;
	if (v6) {
		memcpy(host, text + 1, n - 2);
		host[n - 2] = 0;
	} else {
		memcpy(host, text, n);
		host[n] = 0;
	}
	e.address_len = v6 ? 16 : 4;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, host, e.address) != 1)
		goto refuse;
	*ret = e;
	return 0;
refuse:
	return why_set(why, "endpoint_invalid", "endpoint", "endpoint \"%.60s\" is not ADDRESS:PORT, for example 192.0.2.1:51821 or [2001:db8::1]:51821",
		       text);
}

const char *addr_endpoint_text(const struct addr_endpoint *e, char *ret_text)
{
	char address[INET6_ADDRSTRLEN] = "?";

	inet_ntop(e->address_len == 16 ? AF_INET6 : AF_INET, e->address, address, sizeof address);
	snprintf(ret_text, ADDR_ENDPOINT_TEXT_LEN, e->address_len == 16 ? "[%s]:%u" : "%s:%u", address, e->port);
	return ret_text;
}
