/* rtnl_internal - what the files of rtnl share: the socket, one request, and building messages. */
#pragma once
#include "lib/base/buf.h"
#include "lib/netlink/rtnl.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#define RTNL_ONE_MAX (64u << 10) /* the answer about one object */
#define RTNL_REQUEST_MAX 1024 /* every request of ours fits with room to spare */

struct rtnl {
	struct mnl_socket *socket;
	uint32_t seq;
	uint32_t port_id;
	struct why why;
	void *receive; /* RTNL_RECEIVE_MAX bytes */
};

/* A message under construction. */
struct rtnl_request {
	_Alignas(struct nlmsghdr) uint8_t bytes[RTNL_REQUEST_MAX];
	struct nlmsghdr *header;
};

/* Starts a message and returns its zeroed fixed part (ifinfomsg, rtmsg, ...). */
void *rtnl_begin(struct rtnl_request *request, uint16_t type, uint16_t flags, size_t fixed_size);
/* Sends it (adds REQUEST, ACK and the sequence number), and waits for the answer. */
int rtnl_send(struct rtnl *rtnl, struct rtnl_request *request);
/* The same, and appends the answer's messages, each aligned, to *ret_replies. */
int rtnl_ask(struct rtnl *rtnl, struct rtnl_request *request, struct buf *ret_replies);
/* Asks for a dump, again if it was disturbed. */
int rtnl_dump(struct rtnl *rtnl, struct rtnl_request *request, struct buf *ret_replies);
/* For every message of that type among the replies; a value other than 0 ends the walk and is returned. */
int rtnl_each(const struct buf *replies, uint16_t type, int (*each)(void *ctx, const struct nlmsghdr *message), void *ctx);
