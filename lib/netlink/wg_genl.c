/* wg_genl - see wg_genl.h. One request, one answer; every buffer that held a key is wiped. */
#include "lib/netlink/wg_genl.h"
#include "lib/base/crypto.h"
#include "lib/netlink/rtnl_parse.h"
#include "lib/netlink/wg_genl_message.h"

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define RECEIVE_MAX 65536 /* the kernel makes dump messages of up to 32 KiB, if it sees that there is room for them */
#define DUMP_TRIES 8
#define LOSSES_MAX 8
#define SILENCE_S 5

struct wg_genl {
	char ifname[IFNAMSIZ];
	const struct wg_genl_transport *transport;
	void *ctx;
	uint32_t port_id, seq;
	_Alignas(struct nlmsghdr) uint8_t request[WG_GENL_MESSAGE_MAX];
	_Alignas(struct nlmsghdr) uint8_t answer[RECEIVE_MAX];
};

/* ---- the real transport ---- */

static int socket_send(void *ctx, const void *bytes, size_t len)
{
	ssize_t n = mnl_socket_sendto(ctx, bytes, len);

	return n < 0 ? -errno : 0;
}

/* Anything that another process sent us is passed over. */
static ssize_t socket_receive(void *ctx, void *ret_bytes, size_t size)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec part = { .iov_base = ret_bytes, .iov_len = size };
		struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1 };
		ssize_t n = recvmsg(mnl_socket_get_fd(ctx), &message, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (message.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		if (message.msg_namelen == sizeof(from) && from.nl_family == AF_NETLINK && from.nl_pid == 0)
			return n;
	}
}

static void socket_close(void *ctx)
{
	mnl_socket_close(ctx);
}

static const struct wg_genl_transport socket_transport = { socket_send, socket_receive, socket_close };

static int open_socket(struct mnl_socket **ret_socket)
{
	const struct timeval silence = { .tv_sec = SILENCE_S };
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	int on = 1, e;

	if (!socket)
		return -errno;
	/* CAP_ACK: an error does not bring back our message, in which a key may be */
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)) < 0) {
		e = -errno;
		mnl_socket_close(socket);
		return e;
	}
	*ret_socket = socket;
	return 0;
}

int wg_genl_open_with(const char *ifname, const struct wg_genl_transport *transport, void *ctx, uint32_t port_id,
		      struct wg_genl **ret_genl)
{
	struct wg_genl *genl;

	if (!ifname[0] || strlen(ifname) >= IFNAMSIZ)
		return -EINVAL;
	genl = calloc(1, sizeof(*genl));
	if (!genl)
		return -ENOMEM;
	snprintf(genl->ifname, sizeof(genl->ifname), "%s", ifname);
	genl->transport = transport;
	genl->ctx = ctx;
	genl->port_id = port_id;
	*ret_genl = genl;
	return 0;
}

int wg_genl_open(const char *ifname, struct wg_genl **ret_genl)
{
	struct mnl_socket *socket = NULL;
	int e = open_socket(&socket);

	if (e < 0)
		return e;
	e = wg_genl_open_with(ifname, &socket_transport, socket, mnl_socket_get_portid(socket), ret_genl);
	if (e < 0)
		mnl_socket_close(socket);
	return e;
}

struct wg_genl *wg_genl_free(struct wg_genl *genl)
{
	if (!genl)
		return NULL;
	genl->transport->close(genl->ctx);
	free(genl);
	return NULL;
}

/* ---- one exchange ---- */

struct taking {
	int (*take)(void *ctx, const struct nlmsghdr *message); /* NULL: nothing is expected but the verdict */
	void *ctx;
	int error;      /* of take; the answer is still received to its end */
	bool disturbed; /* what was told did not stand still, or a part of it was lost */
	unsigned losses;
};

static int verdict_of(const struct nlmsghdr *message)
{
	char text[8];
	int error, e = rtnl_parse_verdict(message, &error, text, sizeof(text));

	return e < 0 ? e : error;
}

/* 1: more is to come. */
static int take_datagram(struct wg_genl *genl, size_t len, struct taking *taking)
{
	const struct nlmsghdr *message = (const void *)genl->answer;
	int left = (int)len;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_seq != genl->seq || message->nlmsg_pid != genl->port_id)
			continue; /* of a request that was given up */
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			taking->disturbed = true;
		if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE)
			return verdict_of(message);
		if (message->nlmsg_type >= NLMSG_MIN_TYPE && taking->take && !taking->error)
			taking->error = taking->take(taking->ctx, message);
	}
	return 1;
}

static int receive_answer(struct wg_genl *genl, struct taking *taking)
{
	int e;

	do {
		ssize_t n = genl->transport->receive(genl->ctx, genl->answer, sizeof(genl->answer));

		if (n == -ENOBUFS && taking->take && taking->losses++ < LOSSES_MAX) {
			taking->disturbed = true; /* the dump goes on, and would be in the way of the next one */
			e = 1;
			continue;
		}
		if (n < 0)
			return (int)n;
		e = take_datagram(genl, (size_t)n, taking);
		crypto_wipe(genl->answer, (size_t)n); /* a dump holds the private key and all shared ones */
	} while (e == 1);
	return e;
}

static int exchange(struct wg_genl *genl, struct nlmsghdr *request, struct taking *taking)
{
	size_t len = request->nlmsg_len;
	int e;

	request->nlmsg_seq = ++genl->seq;
	e = genl->transport->send(genl->ctx, request, len);
	crypto_wipe(genl->request, len);
	if (e == 0)
		e = receive_answer(genl, taking);
	return e < 0 ? e : taking->error;
}

static int take_family(void *ctx, const struct nlmsghdr *message)
{
	return wg_genl_read_family(message, ctx);
}

/* Asked each time: the number changes when the module goes and comes back. */
static int find_family(struct wg_genl *genl, uint16_t *ret_family)
{
	uint16_t family = 0;
	struct taking taking = { .take = take_family, .ctx = &family };
	int e = exchange(genl, wg_genl_write_lookup(genl->request), &taking);

	if (e == 0 && !family)
		e = -EPROTO;
	if (e == 0)
		*ret_family = family;
	return e;
}

/* ---- wg_ops ---- */

static int take_peers(void *ctx, const struct nlmsghdr *message)
{
	return wg_genl_read(ctx, message);
}

/* Once. *ret_disturbed: ask again. */
static int dump_once(struct wg_genl *genl, uint16_t family, struct wg_genl_reader *reader, bool *ret_disturbed)
{
	struct taking taking = { .take = take_peers, .ctx = reader };
	int e = exchange(genl, wg_genl_write_dump(genl->ifname, family, genl->request), &taking);

	*ret_disturbed = taking.disturbed;
	return e == 0 ? wg_genl_read_end(reader) : e;
}

/* All of it, before anybody sees a part: what is asked again must not be delivered twice. */
static int dump_whole(struct wg_genl *genl, struct wg_genl_reader *reader)
{
	uint16_t family = 0;
	int e = find_family(genl, &family);

	if (e < 0)
		return e;
	for (int tries = 0; tries < DUMP_TRIES; tries++) {
		bool disturbed;

		wg_genl_reader_deinit(reader);
		e = dump_once(genl, family, reader, &disturbed);
		if (e < 0 || !disturbed)
			return e;
	}
	return -EINTR;
}

static int genl_dump(void *ctx, void (*each)(void *each_ctx, const struct wg_peer_status *status), void *each_ctx,
		     struct wg_device *ret_device)
{
	struct wg_genl_reader reader = { 0 };
	int e = dump_whole(ctx, &reader);

	for (size_t i = 0; e == 0 && each && i < reader.observed.n; i++)
		each(each_ctx, &reader.observed.peers[i]);
	if (e == 0 && ret_device)
		*ret_device = reader.observed.device;
	wg_genl_reader_deinit(&reader);
	return e;
}

static int genl_set_device(void *ctx, const uint8_t private_key[WG_KEY_LEN], uint16_t listen_port)
{
	struct wg_genl *genl = ctx;
	uint8_t public_key[WG_KEY_LEN];
	struct taking taking = { 0 };
	struct wg_device device;
	bool same_key, same_port;
	uint16_t family = 0;
	int e = genl_dump(genl, NULL, NULL, &device);

	if (e < 0)
		return e;
	crypto_x25519_public(private_key, public_key);
	/* a new key ends every session, and each peer is multiplied anew */
	same_key = device.has_key && crypto_equal(public_key, device.public_key, WG_KEY_LEN);
	same_port = device.listen_port == listen_port;
	if (same_key && same_port)
		return 0;
	e = find_family(genl, &family);
	if (e < 0)
		return e;
	return exchange(genl, wg_genl_write_device(genl->ifname, family, same_key ? NULL : private_key, same_port ? -1 : listen_port,
						   genl->request), &taking);
}

static int genl_apply(void *ctx, const struct wg_step *steps, size_t n)
{
	struct wg_genl *genl = ctx;
	struct wg_genl_writer writer = { .ifname = genl->ifname, .steps = steps, .n = n };
	struct nlmsghdr *request;
	uint16_t family = 0;
	int e = n ? find_family(genl, &family) : 0;

	while (e == 0 && n && (request = wg_genl_write_steps(&writer, family, genl->request))) {
		struct taking taking = { 0 };

		e = exchange(genl, request, &taking);
	}
	return e;
}

static const struct wg_ops genl_ops = {
	.name = "kernel",
	.set_device = genl_set_device,
	.apply = genl_apply,
	.dump = genl_dump,
};

struct wg wg_genl_backend(struct wg_genl *genl)
{
	return (struct wg){ .ops = &genl_ops, .ctx = genl };
}
