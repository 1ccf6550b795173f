/* doctor_tunnel - the interface, its gateway and what passes through. */
#include "controller/cli/doctor_internal.h"
#include "controller/cli/commands.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDSHAKE_FRESH_S 180 /* WireGuard ends a session then */
#define IPV6_ICMP_HEADERS 48
#define MTU_MIN 1280 /* of IPv6 */

static void say_down(struct doctor *d)
{
	char next[400];

	snprintf(next, sizeof next, "sudo wg-quick up %s%.300s", strchr(d->path, '/') ? "" : "./", d->path);
	doctor_say(d, DOCTOR_FAIL, "interface", next, "interface %s is not there: the tunnel is not up", d->interface);
}

static void check_address(struct doctor *d)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 16);
	char address[INET6_ADDRSTRLEN + 2];

	inet_ntop(AF_INET6, &d->file.address.address, address, sizeof address - 1);
	strcat(address, "/");
	if (DOCTOR_RUN(d, &text, "ip", "-6", "-o", "addr", "show", "dev", d->interface) == 0 && !strstr(buf_str(&text), address))
		doctor_say(d, DOCTOR_FAIL, "address", "wg-quick down, then up",
			   "%s has not the address of the file: it was brought up by another one", d->interface);
}

static void check_route(struct doctor *d)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 16);
	char dev[48];

	snprintf(dev, sizeof dev, " dev %s ", d->interface);
	d->routed = DOCTOR_RUN(d, &text, "ip", "-6", "route", "get", d->dns) == 0 && strstr(buf_str(&text), dev);
	if (d->routed)
		doctor_say(d, DOCTOR_OK, "interface", NULL, "%s is up, MTU %u, and the way to the network goes through it",
			   d->interface, d->mtu);
	else
		doctor_say(d, DOCTOR_FAIL, "route",
			   "ip -6 route get says where it goes; is there another tunnel to the same network?",
			   "%s is up, but the way to %s does not go through it", d->interface, d->dns);
}

void doctor_check_interface(struct doctor *d)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 16);
	int r = DOCTOR_RUN(d, &text, "ip", "-o", "link", "show", "dev", d->interface);
	const char *mtu = r == 0 ? strstr(buf_str(&text), " mtu ") : NULL;

	if (r == -ENOENT) {
		doctor_say(d, DOCTOR_SKIP, "interface", "apt install iproute2",
			   "the program ip is not here: interfaces cannot be seen");
		return;
	}
	if (r || !mtu) {
		say_down(d);
		return;
	}
	d->mtu = (unsigned)strtoul(mtu + 5, NULL, 10);
	d->up = strstr(buf_str(&text), ",UP") || strstr(buf_str(&text), "<UP");
	if (!d->up) {
		say_down(d);
		return;
	}
	check_address(d);
	check_route(d);
	if (d->mtu > PEER_FILE_MTU)
		doctor_say(d, DOCTOR_WARN, "mtu", "put MTU = 1420 below [Interface], then wg-quick down, up",
			   "the MTU of %s is %u, above the 1420 of the network: big packets are slow or lost", d->interface,
			   d->mtu);
}

/* ---- outside ---- */

static bool is_address(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	return inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1;
}

/* Whether a route leads to one of the addresses, and not into the tunnel itself. */
static void check_way(struct doctor *d, char *addresses)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 16);
	char *save, *address, dev[48];
	bool any = false;

	snprintf(dev, sizeof dev, " dev %s ", d->interface);
	for (address = strtok_r(addresses, "\n", &save); address && !any; address = strtok_r(NULL, "\n", &save)) {
		int r = DOCTOR_RUN(d, &text, "ip", "route", "get", address);

		if (r == 0 && strstr(buf_str(&text), dev)) {
			doctor_say(d, DOCTOR_FAIL, "endpoint", "AllowedIPs must not cover the gateway's own address",
				   "the way to the gateway %s goes through the tunnel itself", address);
			return;
		}
		any = r == 0 || r == -ENOENT;
		if (any)
			doctor_say(d, DOCTOR_OK, "endpoint", NULL, "the gateway %s is %s, port %u by UDP", d->file.host, address,
				   d->file.port);
	}
	if (!any)
		doctor_say(d, DOCTOR_FAIL, "endpoint", "is this machine online? A gateway with IPv6 only needs IPv6 outside too",
			   "no route leads to the gateway %s", d->file.host);
}

void doctor_check_endpoint(struct doctor *d)
{
	CLEAN_BUF struct buf addresses = BUF_INIT(4096);
	int r = d->ops->resolve(d->ctx, d->file.host, &addresses);

	if (r < 0 || !addresses.len)
		doctor_say(d, DOCTOR_FAIL, "endpoint",
			   is_address(d->file.host) ? NULL
						    : "does this machine resolve other names? With all DNS through the tunnel, "
						      "take the tunnel down first",
			   "the gateway's name %s has no address here", d->file.host);
	else
		check_way(d, (char *)(uintptr_t)buf_str(&addresses));
}

/* ---- inside ---- */

/* The line of the gateway's key in what `wg show NAME WHAT` prints, behind the tab; NULL = it is not there. */
static const char *of_gateway(struct doctor *d, struct buf *text)
{
	char key[CRYPTO_BASE64_KEY_LEN + 2];
	const char *line;

	crypto_base64(d->file.gateway_key, CRYPTO_KEY_LEN, key);
	strcat(key, "\t");
	line = strstr(buf_str(text), key);
	return line ? line + CRYPTO_BASE64_KEY_LEN + 1 : NULL;
}

static void say_handshake(struct doctor *d, unsigned long long at)
{
	CLEAN_BUF struct buf age = BUF_INIT(64);
	unsigned long long now = d->ops->real_s(d->ctx);

	if (!at) {
		doctor_say(d, DOCTOR_FAIL, "handshake",
			   "lets the network you are in UDP out to that port? Is the key current (peer rekeyed, expired, deleted, "
			   "suspended: sixpn peer show)?",
			   "the gateway has never answered this tunnel");
		return;
	}
	peer_age_text(now > at ? (long long)(now - at) : 0, &age);
	if (now > at + HANDSHAKE_FRESH_S)
		doctor_say(d, DOCTOR_FAIL, "handshake",
			   "wg-quick down, then up: if it stays so, the way to the gateway is blocked, or the peer was changed",
			   "the last handshake was %s ago: the tunnel is dead, though the interface is up", buf_str(&age));
	else
		doctor_say(d, DOCTOR_OK, "handshake", NULL, "last handshake %s ago", buf_str(&age));
}

void doctor_check_handshake(struct doctor *d)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 20);
	int r = DOCTOR_RUN(d, &text, "wg", "show", d->interface, "latest-handshakes");
	const char *at = r == 0 ? of_gateway(d, &text) : NULL;

	if (r)
		doctor_say(d, DOCTOR_SKIP, "handshake", "run it as root", "the handshake cannot be seen: %.120s",
			   r < 0 ? strerror(-r) : "wg show was refused");
	else if (!at)
		doctor_say(d, DOCTOR_FAIL, "handshake", "wg-quick down, then up with this file",
			   "%s runs with another file: the gateway's key of this one is not in it", d->interface);
	else
		say_handshake(d, strtoull(at, NULL, 10));
}

static int ping(struct doctor *d, unsigned size)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 16);
	char number[16];

	snprintf(number, sizeof number, "%u", size);
	return DOCTOR_RUN(d, &text, "ping", "-6", "-n", "-c", "3", "-i", "0.3", "-W", "2", "-M", "do", "-s", number, d->dns);
}

void doctor_check_packets(struct doctor *d)
{
	unsigned mtu = d->mtu > PEER_FILE_MTU ? PEER_FILE_MTU : d->mtu < MTU_MIN ? MTU_MIN : d->mtu;
	int small = ping(d, 56), big = small == 0 ? ping(d, mtu - IPV6_ICMP_HEADERS) : -1;

	d->answers = small == 0 || small == -ENOENT;
	if (small == -ENOENT)
		doctor_say(d, DOCTOR_SKIP, "packets", "apt install iputils-ping",
			   "the program ping is not here: packets cannot be tried");
	else if (small)
		doctor_say(d, DOCTOR_FAIL, "packets",
			   "the handshake above says whether the tunnel lives; does a firewall here drop ICMPv6?",
			   "the gateway's %s does not answer a ping", d->dns);
	else if (big)
		doctor_say(d, DOCTOR_FAIL, "mtu", "put MTU = 1280 below [Interface], then wg-quick down, up",
			   "small packets pass, packets of %u bytes do not: the network you are in carries less than 1500", mtu);
	else
		doctor_say(d, DOCTOR_OK, "packets", NULL, "%s answers pings, up to the %u bytes of the tunnel", d->dns, mtu);
}
