/* wg_genl_read - see wg_genl_message.h: the door for what the kernel says of a device. Every length is looked at, unknown attributes are
 * passed over, and the private key is not read at all. */
#include "lib/base/crypto.h"
#include "lib/netlink/wg_genl_message.h"

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <stdlib.h>
#include <string.h>

#define ATTRS_MAX 16 /* newer kernels may send higher numbers: they mean nothing to us */

struct attrs {
	const struct nlattr *of[ATTRS_MAX];
};

static void note(struct attrs *attrs, const struct nlattr *attr)
{
	uint16_t type = mnl_attr_get_type(attr);

	if (type < ATTRS_MAX)
		attrs->of[type] = attr;
}

static int read_message(const struct nlmsghdr *message, struct attrs *ret_attrs)
{
	const struct nlattr *attr;

	/* libmnl rounds the length up: one that is not round, which the kernel never sends, would be left by up to three bytes */
	if (message->nlmsg_len < NLMSG_HDRLEN || message->nlmsg_len % NLMSG_ALIGNTO ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(struct genlmsghdr))
		return -EPROTO;
	*ret_attrs = (struct attrs){ 0 };
	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
		note(ret_attrs, attr);
	return 0;
}

static struct attrs read_nest(const struct nlattr *nest)
{
	struct attrs attrs = { 0 };
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
		note(&attrs, attr);
	return attrs;
}

/* Exactly n bytes. An absent attribute leaves *ret as it is. */
static int read_bytes(const struct attrs *attrs, uint16_t type, void *ret, size_t n)
{
	const struct nlattr *attr = attrs->of[type];

	if (!attr)
		return 0;
	if (mnl_attr_get_payload_len(attr) != n)
		return -EPROTO;
	memcpy(ret, mnl_attr_get_payload(attr), n);
	return 0;
}

static int read_endpoint(const struct nlattr *attr, struct sockaddr_storage *ret_endpoint)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	if (!attr)
		return 0;
	if (mnl_attr_get_payload_len(attr) == sizeof(in4)) {
		memcpy(&in4, mnl_attr_get_payload(attr), sizeof(in4));
		if (in4.sin_family != AF_INET)
			return -EPROTO;
		memcpy(ret_endpoint, &in4, sizeof(in4));
		return 0;
	}
	if (mnl_attr_get_payload_len(attr) != sizeof(in6))
		return -EPROTO;
	memcpy(&in6, mnl_attr_get_payload(attr), sizeof(in6));
	if (in6.sin6_family != AF_INET6)
		return -EPROTO;
	memcpy(ret_endpoint, &in6, sizeof(in6));
	return 0;
}

/* struct __kernel_timespec: two signed numbers of 64 bits */
static int read_handshake(const struct attrs *attrs, uint64_t *ret_seconds)
{
	int64_t time[2] = { 0 };

	if (read_bytes(attrs, WGPEER_A_LAST_HANDSHAKE_TIME, time, sizeof(time)) < 0 || time[0] < 0)
		return -EPROTO;
	*ret_seconds = (uint64_t)time[0];
	return 0;
}

static int read_prefix(const struct nlattr *nest, struct wg_prefix *ret_prefix)
{
	struct attrs attrs = read_nest(nest);
	uint16_t family = 0;
	struct in6_addr addr = { 0 };
	uint8_t len = 0;

	if (!attrs.of[WGALLOWEDIP_A_FAMILY] || !attrs.of[WGALLOWEDIP_A_IPADDR] || !attrs.of[WGALLOWEDIP_A_CIDR_MASK])
		return -EPROTO;
	if (read_bytes(&attrs, WGALLOWEDIP_A_FAMILY, &family, 2) < 0 || (family != AF_INET && family != AF_INET6) ||
	    read_bytes(&attrs, WGALLOWEDIP_A_IPADDR, &addr, family == AF_INET ? 4 : 16) < 0 ||
	    read_bytes(&attrs, WGALLOWEDIP_A_CIDR_MASK, &len, 1) < 0 || len > (family == AF_INET ? 32 : 128))
		return -EPROTO;
	/* clearing the bits behind the length is the same in both families: the address stands at the front */
	*ret_prefix = wg_prefix_in6(&addr, len);
	ret_prefix->family = (uint8_t)family;
	return 0;
}

static int read_prefixes(struct wg_genl_reader *reader, const struct nlattr *nest)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		if (reader->n_allowed == WG_GENL_ALLOWED_READ_MAX)
			return -EPROTO;
		if (reader->n_allowed == reader->allowed_cap) {
			size_t cap = reader->allowed_cap ? 2 * reader->allowed_cap : 16;
			struct wg_prefix *allowed = reallocarray(reader->allowed, cap, sizeof(*allowed));

			if (!allowed)
				return -ENOMEM;
			reader->allowed = allowed;
			reader->allowed_cap = cap;
		}
		if (read_prefix(attr, &reader->allowed[reader->n_allowed]) < 0)
			return -EPROTO;
		reader->n_allowed++;
	}
	return 0;
}

/* The last peer takes its prefixes: a copy of the size that is needed. */
static int finish_peer(struct wg_genl_reader *reader)
{
	struct wg_peer *peer;
	struct wg_prefix *own;

	if (!reader->observed.n || !reader->n_allowed)
		return 0;
	peer = &reader->observed.peers[reader->observed.n - 1].peer;
	own = malloc(reader->n_allowed * sizeof(*own));
	if (!own)
		return -ENOMEM;
	memcpy(own, reader->allowed, reader->n_allowed * sizeof(*own));
	peer->allowed = own;
	peer->n_allowed = reader->n_allowed;
	reader->n_allowed = 0;
	return 0;
}

static int read_preshared(const struct attrs *attrs, struct wg_peer *ret)
{
	static const uint8_t none[WG_KEY_LEN];

	if (read_bytes(attrs, WGPEER_A_PRESHARED_KEY, ret->preshared_key, WG_KEY_LEN) < 0)
		return -EPROTO;
	ret->has_preshared = !crypto_equal(ret->preshared_key, none, WG_KEY_LEN);
	return 0;
}

static int read_status(const struct attrs *attrs, struct wg_peer_status *ret)
{
	if (read_bytes(attrs, WGPEER_A_PUBLIC_KEY, ret->peer.public_key, WG_KEY_LEN) < 0 ||
	    read_preshared(attrs, &ret->peer) < 0 || read_endpoint(attrs->of[WGPEER_A_ENDPOINT], &ret->peer.endpoint) < 0 ||
	    read_bytes(attrs, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, &ret->peer.keepalive_s, 2) < 0 ||
	    read_handshake(attrs, &ret->last_handshake_s) < 0 || read_bytes(attrs, WGPEER_A_RX_BYTES, &ret->rx_bytes, 8) < 0 ||
	    read_bytes(attrs, WGPEER_A_TX_BYTES, &ret->tx_bytes, 8) < 0)
		return -EPROTO;
	return 0;
}

/* The first of a message may be the last of the one before, which goes on: then there is its key and the rest of its prefixes. */
static bool goes_on(const struct wg_genl_reader *reader, const struct wg_peer_status *status, bool first)
{
	const struct wg_observed *observed = &reader->observed;

	return first && observed->n && !memcmp(observed->peers[observed->n - 1].peer.public_key, status->peer.public_key, WG_KEY_LEN);
}

static int read_peer(struct wg_genl_reader *reader, const struct nlattr *nest, bool first)
{
	struct attrs attrs = read_nest(nest);
	struct wg_peer_status status = { 0 };
	int e = attrs.of[WGPEER_A_PUBLIC_KEY] ? read_status(&attrs, &status) : -EPROTO;

	if (e == 0 && !goes_on(reader, &status, first)) {
		e = finish_peer(reader);
		if (e == 0)
			e = wg_observed_add(&reader->observed, &status);
	}
	crypto_wipe(status.peer.preshared_key, WG_KEY_LEN);
	return e == 0 && attrs.of[WGPEER_A_ALLOWEDIPS] ? read_prefixes(reader, attrs.of[WGPEER_A_ALLOWEDIPS]) : e;
}

int wg_genl_read(struct wg_genl_reader *reader, const struct nlmsghdr *message)
{
	struct wg_device *device = &reader->observed.device;
	const struct nlattr *attr;
	struct attrs attrs;
	bool first = true;

	if (read_message(message, &attrs) < 0 || read_bytes(&attrs, WGDEVICE_A_LISTEN_PORT, &device->listen_port, 2) < 0 ||
	    read_bytes(&attrs, WGDEVICE_A_PUBLIC_KEY, device->public_key, WG_KEY_LEN) < 0)
		return -EPROTO;
	device->has_key |= attrs.of[WGDEVICE_A_PUBLIC_KEY] != NULL;
	if (!attrs.of[WGDEVICE_A_PEERS])
		return 0;
	mnl_attr_for_each_nested(attr, attrs.of[WGDEVICE_A_PEERS]) {
		int e = read_peer(reader, attr, first);

		if (e < 0)
			return e;
		first = false;
	}
	return 0;
}

int wg_genl_read_end(struct wg_genl_reader *reader)
{
	return finish_peer(reader);
}

void wg_genl_reader_deinit(struct wg_genl_reader *reader)
{
	wg_observed_deinit(&reader->observed);
	free(reader->allowed);
	*reader = (struct wg_genl_reader){ 0 };
}

int wg_genl_read_family(const struct nlmsghdr *message, uint16_t *ret_family)
{
	uint16_t family = 0;
	struct attrs attrs;

	if (read_message(message, &attrs) < 0 || read_bytes(&attrs, CTRL_ATTR_FAMILY_ID, &family, 2) < 0 || family < NLMSG_MIN_TYPE)
		return -EPROTO;
	*ret_family = family;
	return 0;
}
