/* Two ways to the same hook. A TCX link is pinned as "link_<ifindex>_<direction>" in the pin folder and updated in place; a clsact
 * filter has a fixed priority and handle and is replaced in place (one netlink message, which the kernel applies atomically). A
 * change from one kind to the other attaches the new before it takes the old away. For that moment both judge the same packet,
 * which changes nothing but on the mesh device: there the second swap finds mesh form and drops. So a change of kind may cost a
 * few packets, and never lets one through.
 *
 * Nothing about attachments is remembered in memory: which set is on a device is read from the names of the kernel's programs.
 */
#include "lib/bpf/attach.h"

#include "lib/bpf/internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Linux 6.6; the headers of the build may be older. */
#define ATTACH_TYPE_TCX_INGRESS ((enum bpf_attach_type)46)
#define ATTACH_TYPE_TCX_EGRESS ((enum bpf_attach_type)47)

#define CLSACT_PRIORITY 107
#define CLSACT_HANDLE 107

/* struct bpf_link_info as of Linux 6.6, as far as it is read here. */
struct link_info {
	uint32_t type, id, prog_id, padding;
	uint32_t ifindex, attach_type;
	uint8_t behind[256]; /* newer kernels know more; they fill what there is room for */
};

static const struct set_programs {
	int ingress, egress; /* slots; -1 = none */
} sets[] = {
	[BPF_DEVICE_INSTANCE] = { SIXPN_HOOK_INSTANCE_INGRESS, SIXPN_HOOK_INSTANCE_EGRESS },
	[BPF_DEVICE_MESH] = { SIXPN_HOOK_MESH_INGRESS, SIXPN_HOOK_MESH_EGRESS },
	[BPF_DEVICE_PEERS] = { SIXPN_HOOK_PEER_INGRESS, SIXPN_HOOK_PEER_EGRESS },
	[BPF_DEVICE_UNDERLAY] = { SIXPN_HOOK_UNDERLAY_INGRESS, -1 },
};

static const char *const set_names[][2] = { /* ingress, egress: the names of the kernel's programs */
	[BPF_DEVICE_INSTANCE] = { "instance_ingress", "instance_egress" },
	[BPF_DEVICE_MESH] = { "mesh_ingress", "mesh_egress" },
	[BPF_DEVICE_PEERS] = { "peer_ingress", "peer_egress" },
	[BPF_DEVICE_UNDERLAY] = { "underlay_ingress", NULL },
};

/* ---- TCX ---- */

static int link_path(const struct bpf_datapath *dp, uint32_t ifindex, bool ingress, char ret_path[BPF_PATH_LEN])
{
	int n = snprintf(ret_path, BPF_PATH_LEN, "%s/link_%u_%s", dp->pin_dir, ifindex, ingress ? "ingress" : "egress");

	return n < 0 || n >= BPF_PATH_LEN ? -ENAMETOOLONG : 0;
}

bool bpf_link_name_parse(const char *file_name, uint32_t *ret_ifindex, bool *ret_ingress)
{
	char direction[8] = "";
	uint32_t ifindex;
	int end = 0;

	if (sscanf(file_name, "link_%10u_%7[a-z]%n", &ifindex, direction, &end) != 2 || file_name[end])
		return false;
	if (strcmp(direction, "ingress") && strcmp(direction, "egress"))
		return false;
	*ret_ifindex = ifindex;
	*ret_ingress = !strcmp(direction, "ingress");
	return true;
}

/* Opens the pinned link of a device. *ret_fd is -1 if there is none or if its device is gone (an index may be used again); the
 * dead pin is removed then. */
int bpf_link_open(const struct bpf_datapath *dp, uint32_t ifindex, bool ingress, int *ret_fd, uint32_t *ret_program_id)
{
	struct link_info info = { 0 };
	uint32_t len = sizeof(info);
	char path[BPF_PATH_LEN];
	int fd, err;

	*ret_fd = -1;
	if (!dp->pin_dir)
		return 0;
	err = link_path(dp, ifindex, ingress, path);
	if (err)
		return err;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = bpf_obj_get_info_by_fd(fd, (struct bpf_link_info *)&info, &len);
	if (!err && info.ifindex == ifindex) {
		*ret_fd = fd;
		if (ret_program_id)
			*ret_program_id = info.prog_id;
		return 0;
	}
	close(fd);
	return err ? err : unlink(path) < 0 ? -errno : 0;
}

static int tcx_attach(const struct bpf_datapath *dp, uint32_t ifindex, bool ingress, int program)
{
	CLEAN_CLOSE int fd = -1;
	char path[BPF_PATH_LEN];
	int err;

	if (!dp->pin_dir)
		return -EOPNOTSUPP; /* an unpinned link would end with a descriptor that nobody holds */
	err = bpf_link_open(dp, ifindex, ingress, &fd, NULL);
	if (err)
		return err;
	if (fd >= 0)
		return bpf_link_update(fd, program, NULL);
	fd = bpf_link_create(program, (int)ifindex, ingress ? ATTACH_TYPE_TCX_INGRESS : ATTACH_TYPE_TCX_EGRESS, NULL);
	if (fd < 0)
		return fd == -EINVAL ? -EOPNOTSUPP : fd;
	err = link_path(dp, ifindex, ingress, path);
	return err ? err : bpf_obj_pin(fd, path);
}

static int tcx_detach(const struct bpf_datapath *dp, uint32_t ifindex, bool ingress)
{
	CLEAN_CLOSE int fd = -1;
	char path[BPF_PATH_LEN];
	int err = bpf_link_open(dp, ifindex, ingress, &fd, NULL);

	if (err || fd < 0)
		return err;
	err = bpf_link_detach(fd);
	if (err && err != -ENOLINK)
		return err;
	err = link_path(dp, ifindex, ingress, path);
	return err ? err : unlink(path) < 0 ? -errno : 0;
}

/* ---- clsact ---- */

static struct bpf_tc_hook clsact_hook(uint32_t ifindex, bool ingress)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)ifindex,
		.attach_point = ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS,
	};
}

static struct bpf_tc_opts clsact_filter(void)
{
	return (struct bpf_tc_opts){ .sz = sizeof(struct bpf_tc_opts), .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY };
}

static int clsact_attach(uint32_t ifindex, bool ingress, int program)
{
	struct bpf_tc_hook hook = clsact_hook(ifindex, ingress);
	struct bpf_tc_opts filter = clsact_filter();
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return err;
	filter.prog_fd = program;
	filter.flags = BPF_TC_F_REPLACE;
	return bpf_tc_attach(&hook, &filter);
}

/* 0 in *ret_program_id if there is none; no qdisc and no filter look alike. */
static int clsact_query(uint32_t ifindex, bool ingress, uint32_t *ret_program_id)
{
	struct bpf_tc_hook hook = clsact_hook(ifindex, ingress);
	struct bpf_tc_opts filter = clsact_filter();
	int err = bpf_tc_query(&hook, &filter);

	if (err && err != -ENOENT && err != -EINVAL && err != -ENODEV)
		return err;
	*ret_program_id = err ? 0 : filter.prog_id;
	return 0;
}

static int clsact_detach(uint32_t ifindex, bool ingress)
{
	struct bpf_tc_hook hook = clsact_hook(ifindex, ingress);
	struct bpf_tc_opts filter = clsact_filter();
	uint32_t id = 0;
	int err = clsact_query(ifindex, ingress, &id);

	return err || !id ? err : bpf_tc_detach(&hook, &filter);
}

/* ---- devices ---- */

/* Length of the link-layer header. -ENODEV, also if ifname is another device by now. */
static int header_len_of(uint32_t ifindex, const char *ifname, unsigned *ret_len)
{
	struct ifreq request = { 0 };
	CLEAN_CLOSE int fd = -1;

	if (!if_indextoname(ifindex, request.ifr_name) || (ifname && strcmp(ifname, request.ifr_name)))
		return -ENODEV;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	switch (request.ifr_hwaddr.sa_family) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		*ret_len = 14;
		return 0;
	default:
		*ret_len = 0;
		return 0;
	}
}

/* The slot of a program for a device with such a header; -EPROTOTYPE if the program would read another place. */
static int slot_for(int slot, unsigned header_len)
{
	bool bare = slot == SIXPN_HOOK_MESH_INGRESS || slot == SIXPN_HOOK_MESH_EGRESS || slot == SIXPN_HOOK_PEER_INGRESS ||
		    slot == SIXPN_HOOK_PEER_EGRESS;

	if (slot == SIXPN_HOOK_UNDERLAY_INGRESS)
		return header_len ? slot : BPF_PROGRAM_UNDERLAY_BARE;
	return bare == (header_len == 0) ? slot : -EPROTOTYPE;
}

static int attach_with(struct bpf_datapath *dp, uint32_t ifindex, bool ingress, int slot, enum bpf_attach_kind kind)
{
	int err;

	if (kind == BPF_KIND_TCX) {
		err = tcx_attach(dp, ifindex, ingress, dp->programs[slot]);
		return err ? err : clsact_detach(ifindex, ingress);
	}
	err = clsact_attach(ifindex, ingress, dp->programs[slot]);
	return err ? err : tcx_detach(dp, ifindex, ingress);
}

static int attach_set(struct bpf_datapath *dp, uint32_t ifindex, enum bpf_device_set set, unsigned header_len,
		      enum bpf_attach_kind kind)
{
	int ingress = slot_for(sets[set].ingress, header_len), egress = sets[set].egress, err;

	if (ingress < 0)
		return ingress;
	err = attach_with(dp, ifindex, true, ingress, kind);
	return err || egress < 0 ? err : attach_with(dp, ifindex, false, egress, kind);
}

int bpf_attach(struct bpf_datapath *dp, uint32_t ifindex, const char *ifname, enum bpf_device_set set)
{
	enum bpf_attach_kind kind = dp->config.attach;
	unsigned header_len = 0;
	int err = header_len_of(ifindex, ifname, &header_len);

	if (err)
		return err;
	if (kind != BPF_KIND_AUTO)
		return attach_set(dp, ifindex, set, header_len, kind);
	if (!dp->tcx_missing) {
		err = attach_set(dp, ifindex, set, header_len, BPF_KIND_TCX);
		if (err != -EOPNOTSUPP)
			return err;
	}
	err = attach_set(dp, ifindex, set, header_len, BPF_KIND_CLSACT);
	if (!err)
		dp->tcx_missing = true;
	return err;
}

int bpf_detach(struct bpf_datapath *dp, uint32_t ifindex)
{
	int first = 0;

	for (int i = 0; i < 2; i++) {
		int err = tcx_detach(dp, ifindex, i == 0);

		if (!first)
			first = err;
		err = clsact_detach(ifindex, i == 0);
		if (!first)
			first = err;
	}
	return first;
}

/* ---- what is there ---- */

/* The kernel cuts names at 15 characters. */
static bool program_is(uint32_t id, const char *name)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	CLEAN_CLOSE int fd = name ? bpf_prog_get_fd_by_id(id) : -1;

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && !strncmp(info.name, name, sizeof(info.name) - 1);
}

static bool set_of(uint32_t program_id, bool ingress, enum bpf_device_set *ret_set)
{
	for (size_t i = 0; i < ARRAY_LEN(set_names); i++) {
		if (!program_is(program_id, set_names[i][ingress ? 0 : 1]))
			continue;
		*ret_set = (enum bpf_device_set)i;
		return true;
	}
	return false;
}

static int query_direction(struct bpf_datapath *dp, uint32_t ifindex, bool ingress, struct bpf_attachment *a)
{
	CLEAN_CLOSE int link = -1;
	uint32_t id = 0;
	bool current = false;
	int err = bpf_link_open(dp, ifindex, ingress, &link, &id);

	if (err)
		return err;
	if (link >= 0)
		a->kind = BPF_KIND_TCX;
	else
		err = clsact_query(ifindex, ingress, &id);
	if (err || !id || !set_of(id, ingress, &a->set))
		return err;
	for (size_t i = 0; i < BPF_PROGRAM_SLOTS; i++)
		current |= dp->program_ids[i] == id;
	if (ingress) {
		a->ingress_id = id;
		a->ingress_current = current;
	} else {
		a->egress_id = id;
		a->egress_current = current;
	}
	return 0;
}

int bpf_attach_query(struct bpf_datapath *dp, uint32_t ifindex, struct bpf_attachment *ret_attachment)
{
	struct bpf_attachment a = { .ifindex = ifindex, .kind = BPF_KIND_CLSACT };
	char name[IF_NAMESIZE];
	int err;

	if (!if_indextoname(ifindex, name))
		return -ENODEV;
	err = query_direction(dp, ifindex, true, &a);
	if (!err)
		err = query_direction(dp, ifindex, false, &a);
	if (err)
		return err;
	*ret_attachment = a;
	return 0;
}

int bpf_attach_list(struct bpf_datapath *dp, int (*each)(void *ctx, const struct bpf_attachment *attachment), void *ctx)
{
	struct if_nameindex *devices = if_nameindex();
	int err = 0;

	if (!devices)
		return -errno;
	for (size_t i = 0; !err && devices[i].if_index; i++) {
		struct bpf_attachment a;

		err = bpf_attach_query(dp, devices[i].if_index, &a);
		if (err == -ENODEV) { /* gone since the list was made */
			err = 0;
			continue;
		}
		if (!err && (a.ingress_id || a.egress_id))
			err = each(ctx, &a);
	}
	if_freenameindex(devices);
	return err;
}

struct again {
	struct bpf_datapath *dp;
	int first;
};

static int attach_again(void *ctx, const struct bpf_attachment *attachment)
{
	struct again *again = ctx;
	int err = bpf_attach(again->dp, attachment->ifindex, NULL, attachment->set);

	if (!again->first)
		again->first = err;
	return 0;
}

int bpf_attach_all_again(struct bpf_datapath *dp)
{
	struct again again = { .dp = dp };
	int err = bpf_attach_list(dp, attach_again, &again);

	return err ? err : again.first;
}

/* ---- is it what it must be? ---- */

static int is_current(const struct bpf_datapath *dp, uint32_t ifindex, bool ingress, int slot, bool *ret_current)
{
	CLEAN_CLOSE int link = -1;
	uint32_t id = 0;
	int err = bpf_link_open(dp, ifindex, ingress, &link, &id);

	if (!err && link < 0)
		err = clsact_query(ifindex, ingress, &id);
	if (err)
		return err;
	*ret_current = id && (id == dp->program_ids[slot] ||
			      (slot == SIXPN_HOOK_UNDERLAY_INGRESS && id == dp->program_ids[BPF_PROGRAM_UNDERLAY_BARE]));
	return 0;
}

int bpf_attach_missing(struct bpf_datapath *dp, uint32_t ifindex, enum bpf_device_set set, unsigned *ret_missing)
{
	bool ingress = true, egress = true;
	int err = is_current(dp, ifindex, true, sets[set].ingress, &ingress);

	if (!err && sets[set].egress >= 0)
		err = is_current(dp, ifindex, false, sets[set].egress, &egress);
	if (!err)
		*ret_missing = (ingress ? 0 : BPF_MISSING_INGRESS) | (egress ? 0 : BPF_MISSING_EGRESS);
	return err;
}
