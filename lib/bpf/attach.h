/* attach - programs on devices. Attaching where programs of ours are already at work replaces them atomically: no packet sees
 * a device without its program. Attachments outlive the process (pinned TCX links, clsact filters). */
#pragma once
#include "lib/bpf/datapath.h"

enum bpf_device_set {
	BPF_DEVICE_INSTANCE, /* veth or tap of an instance: instance_ingress, instance_egress */
	BPF_DEVICE_MESH,     /* WireGuard between nodes: mesh_ingress, mesh_egress */
	BPF_DEVICE_PEERS,    /* WireGuard of customers: peer_ingress, peer_egress */
	BPF_DEVICE_UNDERLAY, /* an uplink: underlay_ingress */
};

struct bpf_attachment {
	uint32_t ifindex;
	enum bpf_device_set set;
	enum bpf_attach_kind kind; /* TCX or CLSACT */
	uint32_t ingress_id, egress_id; /* kernel program ids; 0 = none */
	bool ingress_current, egress_current; /* it is the very program that this datapath loaded */
};

/* The device may be down. ifname is for a check that ifindex is still the device that was meant (-ENODEV if not) and may be
 * NULL. -EOPNOTSUPP if kind tcx was demanded and the kernel has none. On failure what was attached before is still attached. */
int bpf_attach(struct bpf_datapath *dp, uint32_t ifindex, const char *ifname, enum bpf_device_set set) MUST_CHECK;
/* Takes away programs of ours, of either kind, and removes pins. Nothing there (or no such device) = 0. */
int bpf_detach(struct bpf_datapath *dp, uint32_t ifindex);
/* What is on the device now, read from the kernel. Ids are 0 where nothing of ours is. -ENODEV. */
int bpf_attach_query(struct bpf_datapath *dp, uint32_t ifindex, struct bpf_attachment *ret_attachment) MUST_CHECK;
/* Which directions of the set are without the very program that this datapath loaded: never attached, detached, its pin removed, taken
 * over by another, or of an earlier daemon. bpf_attach() puts it right. Cheap: for a timer. A device that is gone lacks both. */
enum { BPF_MISSING_INGRESS = 1, BPF_MISSING_EGRESS = 2 };
int bpf_attach_missing(struct bpf_datapath *dp, uint32_t ifindex, enum bpf_device_set set, unsigned *ret_missing) MUST_CHECK;
/* Calls back for every device of the namespace that has a program of ours; a callback result other than 0 ends it and is
 * returned. */
int bpf_attach_list(struct bpf_datapath *dp, int (*each)(void *ctx, const struct bpf_attachment *attachment), void *ctx);
/* Replaces the programs of ours on all devices by the ones of dp (bpf_attach on each, the first failure is returned, the rest
 * still done). */
int bpf_attach_all_again(struct bpf_datapath *dp);
