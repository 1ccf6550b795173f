/* rtnl - see rtnl.h. One request, its answer collected whole before anybody sees it: then a disturbed dump can be asked again
 * without having delivered anything twice, and callbacks are free to make requests of their own. */
#include "lib/netlink/rtnl_internal.h"
#include "lib/netlink/netns.h"
#include "lib/netlink/rtnl_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define RTNL_RECEIVE_MAX 65536
#define RTNL_DUMP_TRIES 8

static int set_options(struct mnl_socket *socket)
{
	const struct timeval limit = { .tv_sec = 5 };
	int on = 1;

	/* Older kernels lack none of these (4.20 has all), so a failure is not to be papered over. */
	if (mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 ||
	    mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof(on)) < 0 ||
	    mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
		return -errno;
	if (setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	return 0;
}

int rtnl_open(struct rtnl **ret_rtnl)
{
	struct rtnl *rtnl = calloc(1, sizeof(*rtnl));
	int r;

	if (!rtnl)
		return -ENOMEM;
	rtnl->receive = malloc(RTNL_RECEIVE_MAX);
	rtnl->socket = rtnl->receive ? mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC) : NULL;
	if (!rtnl->socket) {
		r = rtnl->receive ? -errno : -ENOMEM;
		goto fail;
	}
	if (mnl_socket_bind(rtnl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		r = -errno;
		goto fail;
	}
	r = set_options(rtnl->socket);
	if (r < 0)
		goto fail;
	rtnl->port_id = mnl_socket_get_portid(rtnl->socket);
	*ret_rtnl = rtnl;
	return 0;
fail:
	rtnl_free(rtnl);
	return r;
}

static int open_here(void *ctx)
{
	return rtnl_open(ctx);
}

int rtnl_open_in(int netns_fd, struct rtnl **ret_rtnl)
{
	return netns_call(netns_fd, open_here, ret_rtnl);
}

struct rtnl *rtnl_free(struct rtnl *rtnl)
{
	if (!rtnl)
		return NULL;
	if (rtnl->socket)
		mnl_socket_close(rtnl->socket);
	free(rtnl->receive);
	free(rtnl);
	return NULL;
}

const struct why *rtnl_why(const struct rtnl *rtnl)
{
	return &rtnl->why;
}

void *rtnl_begin(struct rtnl_request *request, uint16_t type, uint16_t flags, size_t fixed_size)
{
	memset(request->bytes, 0, sizeof(request->bytes));
	request->header = mnl_nlmsg_put_header(request->bytes);
	request->header->nlmsg_type = type;
	request->header->nlmsg_flags = NLM_F_REQUEST | flags;
	return mnl_nlmsg_put_extra_header(request->header, fixed_size);
}

/* One datagram from the kernel. Anything that another process sent us is passed over. */
static ssize_t receive(struct rtnl *rtnl)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec part = { .iov_base = rtnl->receive, .iov_len = RTNL_RECEIVE_MAX };
		struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1 };
		ssize_t n = recvmsg(mnl_socket_get_fd(rtnl->socket), &message, 0);

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

static int finish(struct rtnl *rtnl, const struct nlmsghdr *message)
{
	char text[sizeof(rtnl->why.text)];
	int error, r;

	r = rtnl_parse_verdict(message, &error, text, sizeof(text));
	if (r < 0)
		return r;
	if (error < 0)
		why_set(&rtnl->why, "netlink", "", "%s", text);
	return error;
}

/* Until the acknowledgement or the end of the dump. */
static int collect(struct rtnl *rtnl, struct buf *ret_replies, bool *ret_disturbed)
{
	for (;;) {
		ssize_t n = receive(rtnl);
		const struct nlmsghdr *message = rtnl->receive;
		int left;

		if (n < 0)
			return (int)n;
		for (left = (int)n; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			if (message->nlmsg_seq != rtnl->seq || message->nlmsg_pid != rtnl->port_id)
				continue;
			if (message->nlmsg_flags & NLM_F_DUMP_INTR)
				*ret_disturbed = true;
			if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE)
				return finish(rtnl, message);
			if (message->nlmsg_type < NLMSG_MIN_TYPE || !ret_replies)
				continue;
			buf_add(ret_replies, message, message->nlmsg_len);
			buf_add(ret_replies, "\0\0\0", NLMSG_ALIGN(message->nlmsg_len) - message->nlmsg_len);
			if (buf_failed(ret_replies))
				return -ENOMEM;
		}
	}
}

static int exchange(struct rtnl *rtnl, struct rtnl_request *request, struct buf *ret_replies, bool *ret_disturbed)
{
	struct nlmsghdr *header = request->header;

	memset(&rtnl->why, 0, sizeof(rtnl->why));
	header->nlmsg_seq = ++rtnl->seq;
	if (mnl_socket_sendto(rtnl->socket, header, header->nlmsg_len) < 0)
		return -errno;
	return collect(rtnl, ret_replies, ret_disturbed);
}

int rtnl_ask(struct rtnl *rtnl, struct rtnl_request *request, struct buf *ret_replies)
{
	bool disturbed;

	request->header->nlmsg_flags |= NLM_F_ACK;
	return exchange(rtnl, request, ret_replies, &disturbed);
}

int rtnl_send(struct rtnl *rtnl, struct rtnl_request *request)
{
	return rtnl_ask(rtnl, request, NULL);
}

int rtnl_dump(struct rtnl *rtnl, struct rtnl_request *request, struct buf *ret_replies)
{
	request->header->nlmsg_flags |= NLM_F_DUMP;
	for (int tries = 0; tries < RTNL_DUMP_TRIES; tries++) {
		bool disturbed = false;
		int r;

		buf_clear(ret_replies);
		r = exchange(rtnl, request, ret_replies, &disturbed);
		if (r < 0 || !disturbed)
			return r;
	}
	return -EINTR;
}

int rtnl_each(const struct buf *replies, uint16_t type, int (*each)(void *ctx, const struct nlmsghdr *message), void *ctx)
{
	const struct nlmsghdr *message = (const void *)replies->data;
	int left = (int)replies->len;

	for (; message && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		int r = message->nlmsg_type == type ? each(ctx, message) : 0;

		if (r)
			return r;
	}
	return 0;
}
