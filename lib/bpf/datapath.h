/* datapath - the loaded programs and their maps. The only room that knows libbpf; callers see plain structs of bpf/sixpn.h.
 *
 * Maps live under pin_dir in a bpffs that the caller mounted, by names that hold the layout ([a-z0-9_] only): a map that is there
 * is adopted with its content, otherwise it starts empty (pins.h tells of upgrades). Opening changes nothing on any device: programs
 * already attached go on with the old maps until bpf_attach() replaces them one by one, so the order after a restart is: open - fill
 * the maps - bpf_attach() every device - bpf_settle(). A crash anywhere in between leaves old programs and old maps at work.
 *
 * Everything happens in the network namespace of the calling thread. All functions return 0 or -errno. One thread at a time.
 */
#pragma once
#include "bpf/sixpn.h"
#include "lib/base/err.h"

struct bpf_datapath;

enum bpf_attach_kind {
	BPF_KIND_AUTO,   /* TCX links where the kernel has them, else clsact */
	BPF_KIND_TCX,    /* Linux 6.6 */
	BPF_KIND_CLSACT, /* any kernel */
};

struct bpf_config {
	uint32_t self_host;          /* host word of this node */
	uint32_t mark_value;         /* 0 and 0 = SIXPN_MARK_VALUE and SIXPN_MARK_MASK */
	uint32_t mark_mask;
	uint32_t samples_per_second; /* events per second, reason and CPU; 0 = SIXPN_SAMPLES_PER_SECOND */
	uint32_t questions_per_second; /* datagrams of one sender to a service; 0 = no limit */
	enum bpf_attach_kind attach;
};

/* "auto", "tcx", "clsact"; E_REFUSED with why if it is none of them. */
int bpf_attach_kind_parse(const char *text, enum bpf_attach_kind *ret_kind, struct why *why);
const char *bpf_attach_kind_name(enum bpf_attach_kind kind);

/* Loads all programs and creates or adopts all maps. pin_dir (made if missing, on a bpffs) is copied; NULL = nothing is pinned
 * and all ends with the process (tests). -EINVAL if the configuration makes no sense (self_host without top nibble 0xA, a mark
 * outside its mask), -EPERM without the right to load programs. */
int bpf_datapath_open(const char *pin_dir, const struct bpf_config *config, struct bpf_datapath **ret_datapath) MUST_CHECK;
/* Frees what the process holds; pinned maps, programs and attachments go on working. NULL is fine; returns NULL. */
struct bpf_datapath *bpf_datapath_close(struct bpf_datapath *dp);

/* Was the map of that name (see maps.h) created by this open, so that it is empty? */
bool bpf_datapath_map_is_new(const struct bpf_datapath *dp, const char *map_name);

/* The program of a hook, for BPF_PROG_TEST_RUN and for those who look at it with bpftool. The fd is borrowed. l2_len 14 or 0
 * matters to underlay_ingress only. -ENOENT. */
int bpf_datapath_program(const struct bpf_datapath *dp, enum sixpn_hook hook, unsigned l2_len);
