/* maps - what the daemon tells the programs. Setting replaces; removing what is not there is 0; lists are for reconciliation.
 * Words are plain numbers, addresses 16 bytes as on the wire. */
#pragma once
#include "lib/bpf/datapath.h"

/* layout and reserved fields are filled in here. -EINVAL if the address does not hold network, host and instance. -E2BIG if the
 * map is full. Order: entry before the device goes up, entry removed before the device is deleted. */
int bpf_device_set(struct bpf_datapath *dp, uint32_t ifindex, const struct sixpn_device *device) MUST_CHECK;
/* What bpf_device_set would write, for comparing. */
void bpf_device_value(const struct sixpn_device *device, struct sixpn_device *ret_value);
int bpf_device_remove(struct bpf_datapath *dp, uint32_t ifindex);
int bpf_device_get(struct bpf_datapath *dp, uint32_t ifindex, struct sixpn_device *ret_device); /* -ENOENT */

int bpf_presence_set(struct bpf_datapath *dp, uint32_t network, uint32_t host) MUST_CHECK;
int bpf_presence_remove(struct bpf_datapath *dp, uint32_t network, uint32_t host);

enum bpf_moved { BPF_MOVED_HERE, BPF_MOVED_AWAY };
/* address: any address inside the /112 (instance) or /120 (peer) that moved, natural form. carrier: host word that has it now. */
int bpf_moved_set(struct bpf_datapath *dp, enum bpf_moved which, const uint8_t address[16], uint32_t carrier) MUST_CHECK;
int bpf_moved_remove(struct bpf_datapath *dp, enum bpf_moved which, const uint8_t address[16]);

/* Peering rules. address: any inside the /112 of an instance that has a part in one; apps as 8 bytes, zeros = every app of from_network. */
int bpf_rule_member_set(struct bpf_datapath *dp, const uint8_t address[16], const uint8_t app[8]) MUST_CHECK;
int bpf_rule_member_remove(struct bpf_datapath *dp, const uint8_t address[16]);
struct bpf_rule_pair {
	uint32_t from_network, to_network;
	uint8_t from_app[8], to_app[8];
};
int bpf_rule_pair_set(struct bpf_datapath *dp, const struct bpf_rule_pair *pair) MUST_CHECK;
int bpf_rule_pair_remove(struct bpf_datapath *dp, const struct bpf_rule_pair *pair);

/* A callback result other than 0 ends the walk and is returned. The callback may remove the entry it was given. */
int bpf_device_list(struct bpf_datapath *dp, int (*each)(void *ctx, uint32_t ifindex, const struct sixpn_device *device), void *ctx);
int bpf_presence_list(struct bpf_datapath *dp,
		      int (*each)(void *ctx, uint32_t network, uint32_t host, const struct sixpn_presence *value), void *ctx);
int bpf_moved_list(struct bpf_datapath *dp, enum bpf_moved which,
		   int (*each)(void *ctx, const uint8_t address[16], uint32_t carrier), void *ctx);
int bpf_rule_member_list(struct bpf_datapath *dp, int (*each)(void *ctx, const uint8_t address[16], const uint8_t app[8]), void *ctx);
int bpf_rule_pair_list(struct bpf_datapath *dp, int (*each)(void *ctx, const struct bpf_rule_pair *pair), void *ctx);
/* Programs that somebody put into the slots for policy: they have the last word about what passes. */
int bpf_policy_list(struct bpf_datapath *dp, int (*each)(void *ctx, uint32_t hook, uint32_t program_id), void *ctx);
int bpf_policy_remove(struct bpf_datapath *dp, uint32_t hook);
