/* A netlink message of any type with any content, as long as it lies whole in memory. */
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "lib/netlink/rtnl_parse.h"

static int see_route(void *ctx, const struct rtnl_route *route)
{
	(void)ctx;
	return route->dst_len > 128 ? (abort(), 0) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t whole = NLMSG_HDRLEN + NLMSG_ALIGN(size);
	struct nlmsghdr *message = calloc(1, whole);
	struct rtnl_link link;
	struct rtnl_addr addr;
	struct rtnl_rule rule;
	struct rtnl_neigh neigh;
	char text[80];
	int error;

	if (size > 2) {
		memcpy((char *)message + NLMSG_HDRLEN, data + 2, size - 2);
		message->nlmsg_len = (uint32_t)(NLMSG_HDRLEN + size - 2);
		message->nlmsg_flags = (uint16_t)(data[0] << 8);
		message->nlmsg_type = data[1] & 1 ? NLMSG_ERROR : NLMSG_DONE;
		rtnl_parse_verdict(message, &error, text, sizeof(text));
		rtnl_parse_link(message, &link);
		rtnl_parse_addr(message, &addr);
		rtnl_parse_route(message, see_route, NULL);
		rtnl_parse_rule(message, &rule);
		rtnl_parse_neigh(message, &neigh);
	}
	free(message);
	return 0;
}
