/* events - a sample of dropped packets (the first few per second, reason and CPU), as lines of text. */
#pragma once
#include "lib/bpf/datapath.h"

struct buf;

/* Readable (level-triggered, EPOLLIN) when events wait; borrowed from dp. -errno. */
int bpf_events_fd(struct bpf_datapath *dp);
/* Takes at most `limit` events and calls back for each; events of an unknown layout are left out. Returns 0 or -errno. */
int bpf_events_take(struct bpf_datapath *dp, unsigned limit, void (*each)(void *ctx, const struct sixpn_event *event), void *ctx)
	MUST_CHECK;
/* Appends "source_foreign at instance_ingress on 12: fdaa::1 > fdaa::2 next 17, 120 bytes, mark 0x0". ifname may be NULL. */
void bpf_event_text(const struct sixpn_event *event, const char *ifname, struct buf *ret_text);
