/* nft_generation - see nft.h: the number of the ruleset, asked with one message instead of listing everything. */
#include "lib/netlink/nft_internal.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

int nft_generation_open(struct nft *nft)
{
	nft->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!nft->socket || mnl_socket_bind(nft->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return 0;
}

void nft_generation_close(struct nft *nft)
{
	if (nft->socket)
		mnl_socket_close(nft->socket);
}

static int take_attr(const struct nlattr *attr, void *ctx)
{
	if (mnl_attr_get_type(attr) == NFTA_GEN_ID && mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
		*(uint32_t *)ctx = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

/* The door for the reply. One message, looked at by hand: mnl_nlmsg_ok takes a length with the top bit for a negative number. */
int nft_generation_parse(const void *reply, size_t len, uint32_t sequence, uint32_t port_id, uint32_t *ret_generation)
{
	const struct nlmsghdr *message = reply;
	uint32_t generation = 0;
	int32_t error;

	if (len < sizeof(*message) || message->nlmsg_len < sizeof(*message) || message->nlmsg_len > len || message->nlmsg_seq != sequence ||
	    message->nlmsg_pid != port_id)
		return -EPROTO;
	if (message->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(message) >= sizeof(error)) {
		memcpy(&error, mnl_nlmsg_get_payload(message), sizeof(error));
		return error < 0 && error > -4096 ? error : -EPROTO;
	}
	mnl_attr_parse(message, sizeof(struct nfgenmsg), take_attr, &generation);
	if (!generation)
		return -EPROTO;
	*ret_generation = generation;
	return 0;
}

int nft_generation(struct nft *nft, uint32_t *ret_generation)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[4096];
	struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
	struct nfgenmsg *info;
	ssize_t n;

	header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
	header->nlmsg_flags = NLM_F_REQUEST;
	header->nlmsg_seq = ++nft->sequence;
	info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	info->nfgen_family = AF_UNSPEC;
	info->version = NFNETLINK_V0;
	if (mnl_socket_sendto(nft->socket, header, header->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nft->socket, bytes, sizeof(bytes));
	if (n < 0)
		return -errno;
	return nft_generation_parse(bytes, (size_t)n, nft->sequence, mnl_socket_get_portid(nft->socket), ret_generation);
}
