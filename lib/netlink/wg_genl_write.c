/* wg_genl_write - see wg_genl_message.h. Room is looked at before anything is put: libmnl would not notice that a nest grew beyond what
 * its length can say. */
#include "lib/netlink/wg_genl_message.h"

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <string.h>

/* The most that a peer takes without its prefixes, and that a prefix takes: attribute headers are 4 bytes, all is padded to 4. */
#define PEER_ROOM 160
#define PREFIX_ROOM 40

static struct nlmsghdr *begin(void *bytes, uint16_t type, uint16_t flags, uint8_t command, uint8_t version)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
	struct genlmsghdr *genl;

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	genl = mnl_nlmsg_put_extra_header(header, sizeof(*genl));
	genl->cmd = command;
	genl->version = version;
	return header;
}

static size_t room(const struct nlmsghdr *header)
{
	return WG_GENL_MESSAGE_MAX - header->nlmsg_len;
}

static void put_endpoint(struct nlmsghdr *header, const struct sockaddr_storage *endpoint)
{
	const struct sockaddr_in6 *given6 = (const void *)endpoint;
	const struct sockaddr_in *given4 = (const void *)endpoint;

	/* as IPv4 if it is: the socket for IPv6 is for IPv6 only and could not send to a mapped address */
	if (endpoint->ss_family == AF_INET || (endpoint->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&given6->sin6_addr))) {
		struct sockaddr_in in4 = { .sin_family = AF_INET };
		bool mapped = endpoint->ss_family == AF_INET6;

		in4.sin_port = mapped ? given6->sin6_port : given4->sin_port;
		memcpy(&in4.sin_addr, mapped ? (const void *)&given6->sin6_addr.s6_addr[12] : &given4->sin_addr, 4);
		mnl_attr_put(header, WGPEER_A_ENDPOINT, sizeof(in4), &in4);
	} else if (endpoint->ss_family == AF_INET6) {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = given6->sin6_port, .sin6_addr = given6->sin6_addr,
					    .sin6_scope_id = given6->sin6_scope_id };

		mnl_attr_put(header, WGPEER_A_ENDPOINT, sizeof(in6), &in6);
	}
}

static void put_prefix(struct nlmsghdr *header, const struct wg_prefix *prefix)
{
	struct nlattr *nest = mnl_attr_nest_start(header, 0);

	mnl_attr_put_u16(header, WGALLOWEDIP_A_FAMILY, prefix->family);
	mnl_attr_put(header, WGALLOWEDIP_A_IPADDR, prefix->family == AF_INET ? 4 : 16, prefix->addr);
	mnl_attr_put_u8(header, WGALLOWEDIP_A_CIDR_MASK, prefix->len);
	mnl_attr_nest_end(header, nest);
}

/* True: all its prefixes are in. */
static bool put_prefixes(struct wg_genl_writer *writer, struct nlmsghdr *header, const struct wg_peer *peer)
{
	struct nlattr *nest;

	if (!peer->n_allowed)
		return true;
	nest = mnl_attr_nest_start(header, WGPEER_A_ALLOWEDIPS);
	while (writer->at_prefix < peer->n_allowed && room(header) >= PREFIX_ROOM)
		put_prefix(header, &peer->allowed[writer->at_prefix++]);
	mnl_attr_nest_end(header, nest);
	return writer->at_prefix == peer->n_allowed;
}

static uint32_t flags_of(const struct wg_step *step, bool goes_on)
{
	if (step->kind == WG_STEP_REMOVE)
		return WGPEER_F_REMOVE_ME;
	/* one that goes on is there by now: if somebody took it away meanwhile, half of it must not come back */
	return (step->replace_allowed && !goes_on ? WGPEER_F_REPLACE_ALLOWEDIPS : 0) |
	       (step->kind == WG_STEP_UPDATE || goes_on ? WGPEER_F_UPDATE_ONLY : 0);
}

/* True: the step is done. */
static bool put_step(struct wg_genl_writer *writer, struct nlmsghdr *header)
{
	static const uint8_t none[WG_KEY_LEN];
	const struct wg_step *step = &writer->steps[writer->at];
	struct nlattr *nest = mnl_attr_nest_start(header, 0);
	bool goes_on = writer->at_prefix > 0, done = true;
	uint32_t flags = flags_of(step, goes_on);

	mnl_attr_put(header, WGPEER_A_PUBLIC_KEY, WG_KEY_LEN, step->peer->public_key);
	if (flags)
		mnl_attr_put_u32(header, WGPEER_A_FLAGS, flags);
	if (step->kind != WG_STEP_REMOVE) {
		if (step->set_preshared && !goes_on)
			mnl_attr_put(header, WGPEER_A_PRESHARED_KEY, WG_KEY_LEN, step->peer->has_preshared ? step->peer->preshared_key : none);
		if (step->set_endpoint && !goes_on)
			put_endpoint(header, &step->peer->endpoint);
		if (step->set_keepalive && !goes_on)
			mnl_attr_put_u16(header, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, step->peer->keepalive_s);
		done = put_prefixes(writer, header, step->peer);
	}
	mnl_attr_nest_end(header, nest);
	return done;
}

struct nlmsghdr *wg_genl_write_steps(struct wg_genl_writer *writer, uint16_t family, void *bytes)
{
	size_t peers = 0, removals = 0;
	struct nlmsghdr *header;
	struct nlattr *nest;

	if (writer->at == writer->n)
		return NULL;
	header = begin(bytes, family, NLM_F_ACK, WG_CMD_SET_DEVICE, WG_GENL_VERSION);
	mnl_attr_put_strz(header, WGDEVICE_A_IFNAME, writer->ifname);
	nest = mnl_attr_nest_start(header, WGDEVICE_A_PEERS);
	while (writer->at < writer->n && peers < WG_GENL_PEERS_MAX && removals < WG_GENL_REMOVALS_MAX &&
	       room(header) >= PEER_ROOM + PREFIX_ROOM) {
		bool done = put_step(writer, header);

		peers++;
		removals += writer->steps[writer->at].kind == WG_STEP_REMOVE;
		if (!done)
			break;
		writer->at++;
		writer->at_prefix = 0;
	}
	mnl_attr_nest_end(header, nest);
	return header;
}

struct nlmsghdr *wg_genl_write_device(const char *ifname, uint16_t family, const uint8_t *private_key, int32_t listen_port, void *bytes)
{
	struct nlmsghdr *header = begin(bytes, family, NLM_F_ACK, WG_CMD_SET_DEVICE, WG_GENL_VERSION);

	mnl_attr_put_strz(header, WGDEVICE_A_IFNAME, ifname);
	if (private_key)
		mnl_attr_put(header, WGDEVICE_A_PRIVATE_KEY, WG_KEY_LEN, private_key);
	if (listen_port >= 0)
		mnl_attr_put_u16(header, WGDEVICE_A_LISTEN_PORT, (uint16_t)listen_port);
	return header;
}

struct nlmsghdr *wg_genl_write_dump(const char *ifname, uint16_t family, void *bytes)
{
	struct nlmsghdr *header = begin(bytes, family, NLM_F_DUMP, WG_CMD_GET_DEVICE, WG_GENL_VERSION);

	mnl_attr_put_strz(header, WGDEVICE_A_IFNAME, ifname);
	return header;
}

struct nlmsghdr *wg_genl_write_lookup(void *bytes)
{
	struct nlmsghdr *header = begin(bytes, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY, 1);

	mnl_attr_put_strz(header, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
	return header;
}
