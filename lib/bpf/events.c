/* The consumer's place is in the map itself, so a restarted daemon goes on where the old one stopped. */
#include "lib/bpf/events.h"

#include "lib/base/buf.h"
#include "lib/bpf/counters.h"
#include "lib/bpf/internal.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <string.h>

#define IPV6_HEADER_LEN 40

struct bpf_events_walk {
	void (*each)(void *ctx, const struct sixpn_event *event);
	void *ctx;
	unsigned left;
};

int bpf_events_fd(struct bpf_datapath *dp)
{
	return dp->maps[BPF_MAP_SLOT_EVENTS];
}

/* -ECANCELED stops the walk with this event counted as taken. */
static int take_one(void *ctx, void *data, size_t size)
{
	struct bpf_events_walk *walk = ((struct bpf_datapath *)ctx)->walk;
	const struct sixpn_event *event = data;

	if (size >= sizeof(*event) && event->layout == SIXPN_LAYOUT)
		walk->each(walk->ctx, event);
	return --walk->left ? 0 : -ECANCELED;
}

int bpf_events_take(struct bpf_datapath *dp, unsigned limit, void (*each)(void *ctx, const struct sixpn_event *event), void *ctx)
{
	struct bpf_events_walk walk = { .each = each, .ctx = ctx, .left = limit };
	int n;

	if (!limit)
		return 0;
	if (!dp->events)
		dp->events = ring_buffer__new(dp->maps[BPF_MAP_SLOT_EVENTS], take_one, dp, NULL);
	if (!dp->events)
		return -errno;
	dp->walk = &walk;
	n = ring_buffer__consume(dp->events);
	dp->walk = NULL;
	return n < 0 && n != -ECANCELED ? n : 0;
}

void bpf_event_text(const struct sixpn_event *event, const char *ifname, struct buf *ret_text)
{
	const char *reason = bpf_reason_name(event->reason), *hook = bpf_hook_name(event->hook);
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];

	buf_printf(ret_text, "%s at %s on ", reason ? reason : "unknown_reason", hook ? hook : "unknown_hook");
	if (ifname)
		buf_add_str(ret_text, ifname);
	else
		buf_printf(ret_text, "%u", event->ifindex);
	if (event->packet_len >= IPV6_HEADER_LEN && event->packet_len <= SIXPN_EVENT_PACKET && event->packet[0] >> 4 == 6) {
		inet_ntop(AF_INET6, event->packet + 8, source, sizeof(source));
		inet_ntop(AF_INET6, event->packet + 24, destination, sizeof(destination));
		buf_printf(ret_text, ": %s > %s next %u", source, destination, event->packet[6]);
	} else {
		buf_add_str(ret_text, ": no IPv6 header");
	}
	buf_printf(ret_text, ", %u bytes, mark 0x%x", event->len, event->mark);
}
