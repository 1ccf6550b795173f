/* internal - what the files of this room share: descriptors of the loaded programs and of the maps. */
#pragma once
#include "lib/bpf/pins.h"

#define BPF_MAPS(X)                  \
	X(DEVICE, "device")          \
	X(PRESENCE, "presence")      \
	X(MOVED_HERE, "moved_here")  \
	X(MOVED_AWAY, "moved_away")  \
	X(COUNTERS, "counters")      \
	X(PASSES, "passes")          \
	X(TRAFFIC, "traffic")        \
	X(EVENTS, "events")          \
	X(POLICY, "policy")          \
	X(ASKERS, "askers")          \
	X(RULE_MEMBERS, "rule_members") \
	X(RULE_PAIRS, "rule_pairs")  \
	X(RULE_FLOWS, "rule_flows")

enum bpf_map_slot {
#define BPF_MAP_ENUM(NAME, name) BPF_MAP_SLOT_##NAME,
	BPF_MAPS(BPF_MAP_ENUM)
#undef BPF_MAP_ENUM
	BPF_MAP_SLOTS
};
extern const char *const bpf_map_names[BPF_MAP_SLOTS];

/* One slot per hook, and underlay_ingress once more for uplinks without an Ethernet header. */
#define BPF_PROGRAM_UNDERLAY_BARE SIXPN_HOOK_COUNT
#define BPF_PROGRAM_SLOTS (SIXPN_HOOK_COUNT + 1)

#define BPF_PATH_LEN 256

struct ring_buffer;

struct bpf_events_walk; /* of bpf_events_take, while it runs */

struct bpf_datapath {
	char *pin_dir; /* NULL = nothing is pinned */
	struct bpf_config config;
	int programs[BPF_PROGRAM_SLOTS];        /* fds; -1 */
	uint32_t program_ids[BPF_PROGRAM_SLOTS];
	int maps[BPF_MAP_SLOTS];                /* fds; -1 */
	bool is_new[BPF_MAP_SLOTS];
	struct bpf_layouts found;               /* of other versions, when it was opened */
	bool tcx_missing;                       /* the kernel said so */
	struct ring_buffer *events;             /* made by the first bpf_events_take */
	struct bpf_events_walk *walk;
};

/* ---- pins.c ---- */
/* "<pin_dir>/sixpn_v<layout>_<name>"; -ENAMETOOLONG. */
int bpf_map_path(const struct bpf_datapath *dp, enum bpf_map_slot slot, unsigned layout, char ret_path[BPF_PATH_LEN]);
/* Takes apart the file name of a pinned map; false if it is none. */
bool bpf_map_name_parse(const char *file_name, unsigned *ret_layout, enum bpf_map_slot *ret_slot);
/* Pins a map of ours under its name, in place of whatever is there. */
int bpf_map_pin(const struct bpf_datapath *dp, enum bpf_map_slot slot);
/* Fills in `found`. */
int bpf_pins_look(struct bpf_datapath *dp);
/* ---- attach.c ---- */
/* "link_<ifindex>_<ingress|egress>" */
bool bpf_link_name_parse(const char *file_name, uint32_t *ret_ifindex, bool *ret_ingress);
/* Opens the pinned link of a device. *ret_fd is -1 if there is none or if its device is gone; the dead pin is removed then. */
int bpf_link_open(const struct bpf_datapath *dp, uint32_t ifindex, bool ingress, int *ret_fd, uint32_t *ret_program_id);
