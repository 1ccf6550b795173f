/* programs - see programs.h. */
#include "node/programs.h"

#include "lib/base/log.h"
#include "lib/bpf/attach.h"
#include "lib/bpf/counters.h"
#include "lib/bpf/maps.h"
#include "lib/bpf/pins.h"
#include "node/mesh.h"

#include <stdio.h>

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

void programs_repair(struct bpf_datapath *datapath, uint32_t mesh_ifindex, const struct repair_sink *sink)
{
	struct round r = { .datapath = datapath, .sink = sink };

	if (mesh_ifindex)
		check_mesh(&r, mesh_ifindex);
	if (bpf_pins_repair(datapath, pin_repaired, &r) < 0 || bpf_policy_list(datapath, drop_policy, &r) < 0)
		log_limited(LOG_L_ERR, "drift", "pins and maps cannot all be looked at; trying again");
}
