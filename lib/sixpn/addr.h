/* addr - the two forms of a 6PN address, and the words they are made of.
 *
 *   fdaa | network 32 | host 32    | instance 32 | 16     natural form, what everybody sees
 *   fdaa | host 32    | network 32 | instance 32 | 16     mesh form, only inside the mesh WireGuard
 *
 * Words are host-order uint32_t in C and big-endian on the wire. A host word is locator << 16 | node number; host words below
 * 0x00010000 are services (0 = resolver, 1 = flycast). Both forms hold the same 16-bit words, so swapping changes no checksum
 * (RFC 1071: the sum does not depend on their order).
 */
#pragma once
#include "lib/base/err.h"

#include <netinet/in.h>

#define ADDR_MARK 0x6bu       /* nfmark of packets that our programs have judged; default, configurable */
#define ADDR_MARK_MASK 0xffu
#define ADDR_TABLE 6000u      /* routing table of the 6PN */
#define ADDR_RULE_PRIORITY 100u
#define ADDR_MTU 1420u

#define ADDR_SERVICE_HOST_LIMIT 0x00010000u /* host words below are services, never swapped */
#define ADDR_NETWORK_MIN 0x00010000u
#define ADDR_INSTANCE_MIN 0x00010000u
#define ADDR_PEER_INSTANCE_MIN 0x0au
#define ADDR_HOST_RESOLVER 0u
#define ADDR_HOST_FLYCAST 1u
#define ADDR_FLYCAST_MIN 2u
#define ADDR_FLYCAST_MAX 0xffffu

struct addr_parts {
	uint32_t network, host, instance;
	uint16_t low; /* 2 for instances, slot << 8 | 2 for peers */
};

static inline bool addr_network_valid(uint32_t network)
{
	return network >= ADDR_NETWORK_MIN && network >> 28 != 0xA;
}
static inline bool addr_host_valid(uint32_t host)
{
	return host >> 28 == 0xA && (host & 0xffff) != 0;
}
static inline bool addr_instance_valid(uint32_t instance)
{
	return instance >= ADDR_INSTANCE_MIN;
}

struct in6_addr addr_natural(struct addr_parts parts);
struct in6_addr addr_instance(uint32_t network, uint32_t host, uint32_t instance); /* ...::2 */
/* E_REFUSED if it is not below fdaa::/16. Says nothing about whether the words are valid. */
int addr_split(const struct in6_addr *a, struct addr_parts *ret_parts) MUST_CHECK;
/* The first address of the block from which whoever sends from `a` may send: an instance its /112, a peer its /120. What is counted by
 * sender is counted by this: a single address is one of many that root in an instance has. */
struct in6_addr addr_sender(const struct in6_addr *a);
/* Exchanges network and host word: natural <-> mesh. */
struct in6_addr addr_swap(const struct in6_addr *a);
struct in6_addr addr_flycast(uint32_t network, uint32_t number); /* fdaa:<network>:0:1::<number>, of 16 bits */
struct in6_addr addr_resolver(void);                    /* fdaa::3 */
struct in6_addr addr_network_resolver(uint32_t network); /* fdaa:<network>::3 */
/* Prefixes, as address + length. */
struct in6_addr addr_all_prefix(void);                         /* fdaa::, /16 */
struct in6_addr addr_mesh_host_prefix(uint32_t host);           /* fdaa:<host>::, /48 */
struct in6_addr addr_network_prefix(uint32_t network);          /* fdaa:<network>::, /48 */
struct in6_addr addr_network_host_prefix(uint32_t network, uint32_t host); /* /80 */

#define ADDR_TEXT_LEN 46
/* RFC 5952 text into a buffer of ADDR_TEXT_LEN; returns it. */
const char *addr_text(const struct in6_addr *a, char *ret_text);
/* "[addr]:port" or "a.b.c.d:port" <-> bytes. address_len is 4 or 16. */
struct addr_endpoint {
	uint8_t address[16];
	uint8_t address_len;
	uint16_t port;
	bool lan;
};
int addr_endpoint_parse(const char *text, struct addr_endpoint *ret, struct why *why);
#define ADDR_ENDPOINT_TEXT_LEN 56
const char *addr_endpoint_text(const struct addr_endpoint *e, char *ret_text);
