/* programs - what of BPF belongs to no role and to no uplink, as a timer compares it: the programs on the mesh device, the pins of the
 * maps, and the map that must be empty in this version. */
#pragma once
#include "lib/bpf/datapath.h"
#include "node/role.h"

/* mesh_ifindex 0: its programs are not looked at. */
void programs_repair(struct bpf_datapath *datapath, uint32_t mesh_ifindex, const struct repair_sink *sink);
