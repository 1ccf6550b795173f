/* programs - see programs.h. */
#include "node/programs.h"

#include "lib/base/log.h"
#include "lib/bpf/attach.h"
#include "lib/bpf/counters.h"
#include "lib/bpf/maps.h"
#include "lib/bpf/pins.h"
#include "lib/sixpn/addr.h"
#include "node/mesh.h"

#include <stdio.h>
#include <string.h>

struct round {
	struct bpf_datapath *datapath;
	const struct repair_sink *sink;
};

static void tell(const struct round *r, enum repair kind, const char *object, int error)
{
	r->sink->repaired(r->sink->ctx, kind, object, error);
}

static void check_mesh(const struct round *r, uint32_t ifindex)
{
	unsigned missing = 0;
	int e = bpf_attach_missing(r->datapath, ifindex, BPF_DEVICE_MESH, &missing);

	if (e == 0 && missing)
		e = bpf_attach(r->datapath, ifindex, MESH_DEVICE, BPF_DEVICE_MESH);
	if (e == -ENODEV)
		return; /* the device itself is gone: it comes back with its programs */
	if (missing & BPF_MISSING_INGRESS)
		tell(r, REPAIR_MESH_PROGRAM, "mesh_ingress on " MESH_DEVICE, e);
	if (missing & BPF_MISSING_EGRESS)
		tell(r, REPAIR_MESH_PROGRAM, "mesh_egress on " MESH_DEVICE, e);
}

static void pin_repaired(void *ctx, const char *file_name, int err)
{
	tell(ctx, REPAIR_MAP_PIN, file_name, err);
}

static int drop_policy(void *ctx, uint32_t hook, uint32_t program_id)
{
	struct round *r = ctx;
	char object[96];

	snprintf(object, sizeof object, "policy of %s: program %u, which nobody of us put there", bpf_hook_name(hook) ? bpf_hook_name(hook) : "?",
		 program_id);
	tell(r, REPAIR_MAP_ENTRY, object, bpf_policy_remove(r->datapath, hook));
	return 0;
}

/* Nothing moves in this version, so nobody may speak from where he does not live. */
static int drop_moved(struct round *r, enum bpf_moved which, const uint8_t address[16])
{
	struct in6_addr prefix;
	char object[96], text[ADDR_TEXT_LEN];

	memcpy(&prefix, address, sizeof prefix);
	snprintf(object, sizeof object, "%s %s, which nobody of us put there", which == BPF_MOVED_HERE ? "moved_here" : "moved_away",
		 addr_text(&prefix, text));
	tell(r, REPAIR_MAP_ENTRY, object, bpf_moved_remove(r->datapath, which, address));
	return 0;
}

static int drop_moved_here(void *ctx, const uint8_t address[16], uint32_t carrier)
{
	(void)carrier;
	return drop_moved(ctx, BPF_MOVED_HERE, address);
}

static int drop_moved_away(void *ctx, const uint8_t address[16], uint32_t carrier)
{
	(void)carrier;
	return drop_moved(ctx, BPF_MOVED_AWAY, address);
}

void programs_repair(struct bpf_datapath *datapath, uint32_t mesh_ifindex, const struct repair_sink *sink)
{
	struct round r = { .datapath = datapath, .sink = sink };

	if (mesh_ifindex)
		check_mesh(&r, mesh_ifindex);
	if (bpf_pins_repair(datapath, pin_repaired, &r) < 0 || bpf_policy_list(datapath, drop_policy, &r) < 0 ||
	    bpf_moved_list(datapath, BPF_MOVED_HERE, drop_moved_here, &r) < 0 ||
	    bpf_moved_list(datapath, BPF_MOVED_AWAY, drop_moved_away, &r) < 0)
		log_limited(LOG_L_ERR, "drift", "pins and maps cannot all be looked at; trying again");
}
