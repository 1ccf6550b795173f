/* Every object file declares all maps. The first one loaded adopts the pinned maps or creates them; the others are given its
 * descriptors, so that all programs look at the same maps. The objects are closed after loading: program and map descriptors
 * are all that is needed from then on. */
#include "lib/bpf/datapath.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/bpf/internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/instance_egress.skel.h"
#include "bpf/instance_ingress.skel.h"
#include "bpf/mesh_egress.skel.h"
#include "bpf/mesh_ingress.skel.h"
#include "bpf/peer_egress.skel.h"
#include "bpf/peer_ingress.skel.h"
#include "bpf/underlay_ingress.skel.h"

const char *const bpf_map_names[BPF_MAP_SLOTS] = {
#define MAP_NAME(NAME, name) [BPF_MAP_SLOT_##NAME] = name,
	BPF_MAPS(MAP_NAME)
#undef MAP_NAME
};

static const struct program {
	const char *name;
	const void *(*elf)(size_t *ret_len);
	uint32_t l2_len;
} programs[BPF_PROGRAM_SLOTS] = {
#define PROGRAM(number, NAME, program, l2_len) [number] = { #program, program##_bpf__elf_bytes, l2_len },
	SIXPN_HOOKS(PROGRAM)
#undef PROGRAM
	[BPF_PROGRAM_UNDERLAY_BARE] = { "underlay_ingress", underlay_ingress_bpf__elf_bytes, 0 },
};

static const char *const kind_names[] = {
	[BPF_KIND_AUTO] = "auto",
	[BPF_KIND_TCX] = "tcx",
	[BPF_KIND_CLSACT] = "clsact",
};

int bpf_attach_kind_parse(const char *text, enum bpf_attach_kind *ret_kind, struct why *why)
{
	for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
		if (!strcmp(text, kind_names[i])) {
			*ret_kind = (enum bpf_attach_kind)i;
			return 0;
		}
	}
	return why_set(why, "value_invalid", "bpf.attach", "\"%.40s\" is not one of auto, tcx, clsact", text);
}

const char *bpf_attach_kind_name(enum bpf_attach_kind kind)
{
	return kind_names[kind];
}

/* libbpf prints to standard error; what it says is for whoever debugs, the caller gets the error code. */
static int __attribute__((format(printf, 2, 0))) print_debug(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[1024];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("bpf", "%s", text);
	return 0;
}

static bool same_layout(const struct bpf_map *map, const struct bpf_map_info *info)
{
	return info->type == (uint32_t)bpf_map__type(map) && info->key_size == bpf_map__key_size(map) &&
	       info->value_size == bpf_map__value_size(map) && info->max_entries == bpf_map__max_entries(map) &&
	       info->map_flags == bpf_map__map_flags(map);
}

/* Takes the pinned map of our layout. One of another shape under our number was not made by us and is not read: a new one takes its
 * name, and the programs that use it keep it. */
static int adopt_map(struct bpf_datapath *dp, struct bpf_map *map, enum bpf_map_slot slot)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	char path[BPF_PATH_LEN];
	CLEAN_CLOSE int fd = -1;
	int err = bpf_map_path(dp, slot, SIXPN_LAYOUT, path);

	if (err)
		return err;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		return err;
	dp->is_new[slot] = !same_layout(map, &info);
	if (dp->is_new[slot])
		log_warn("bpf", "%s is not the map that it is named after; it is replaced", path);
	return dp->is_new[slot] ? 0 : bpf_map__reuse_fd(map, fd);
}

/* The maps of the first object: pinned ones where they fit. */
static int adopt_maps(struct bpf_datapath *dp, struct bpf_object *object)
{
	for (size_t i = 0; i < BPF_MAP_SLOTS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, bpf_map_names[i]);
		int err;

		dp->is_new[i] = true;
		if (!map)
			return -ENOENT;
		err = dp->pin_dir ? adopt_map(dp, map, (enum bpf_map_slot)i) : 0;
		if (err)
			return err;
	}
	return 0;
}

/* The maps of every further object: those of the first. */
static int share_maps(const struct bpf_datapath *dp, struct bpf_object *object)
{
	for (size_t i = 0; i < BPF_MAP_SLOTS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, bpf_map_names[i]);
		int err = map ? bpf_map__reuse_fd(map, dp->maps[i]) : -ENOENT;

		if (err)
			return err;
	}
	return 0;
}

/* After the first object was loaded: keeps descriptors of the maps and pins the new ones. */
static int keep_maps(struct bpf_datapath *dp, struct bpf_object *object)
{
	for (size_t i = 0; i < BPF_MAP_SLOTS; i++) {
		int err;

		dp->maps[i] = fcntl(bpf_object__find_map_fd_by_name(object, bpf_map_names[i]), F_DUPFD_CLOEXEC, 3);
		if (dp->maps[i] < 0)
			return -errno;
		if (!dp->pin_dir || !dp->is_new[i])
			continue;
		err = bpf_map_pin(dp, (enum bpf_map_slot)i);
		if (err)
			return err;
	}
	return 0;
}

static int set_constants(const struct bpf_datapath *dp, struct bpf_object *object, uint32_t l2_len)
{
	struct bpf_map *constants = bpf_object__find_map_by_name(object, ".rodata");
	struct sixpn_config config = {
		.layout = SIXPN_LAYOUT,
		.self_host = dp->config.self_host,
		.mark_value = dp->config.mark_value,
		.mark_mask = dp->config.mark_mask,
		.samples_per_second = dp->config.samples_per_second,
		.l2_len = l2_len,
		.pace_ns = dp->config.questions_per_second ? 1000000000u / dp->config.questions_per_second : 0,
	};

	return constants ? bpf_map__set_initial_value(constants, &config, sizeof(config)) : -ENOENT;
}

static int keep_program(struct bpf_datapath *dp, struct bpf_object *object, size_t slot)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, programs[slot].name);
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int err;

	if (!program)
		return -ENOENT;
	dp->programs[slot] = fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 3);
	if (dp->programs[slot] < 0)
		return -errno;
	err = bpf_obj_get_info_by_fd(dp->programs[slot], &info, &len);
	if (err)
		return err;
	dp->program_ids[slot] = info.id;
	return 0;
}

static int load_program(struct bpf_datapath *dp, size_t slot)
{
	size_t len;
	const void *elf = programs[slot].elf(&len);
	struct bpf_object *object = bpf_object__open_mem(elf, len, NULL);
	int err;

	if (!object)
		return -errno;
	err = set_constants(dp, object, programs[slot].l2_len);
	if (!err)
		err = slot == 0 ? adopt_maps(dp, object) : share_maps(dp, object);
	if (!err)
		err = bpf_object__load(object);
	if (!err && slot == 0)
		err = keep_maps(dp, object);
	if (!err)
		err = keep_program(dp, object, slot);
	bpf_object__close(object);
	return err;
}

static int take_config(struct bpf_datapath *dp, const struct bpf_config *config)
{
	dp->config = *config;
	if (!config->mark_value && !config->mark_mask) {
		dp->config.mark_value = SIXPN_MARK_VALUE;
		dp->config.mark_mask = SIXPN_MARK_MASK;
	}
	if (!config->samples_per_second)
		dp->config.samples_per_second = SIXPN_SAMPLES_PER_SECOND;
	/* A mark of 0 would be the mark of every packet nobody has looked at. */
	if (!dp->config.mark_value || (dp->config.mark_value & ~dp->config.mark_mask))
		return -EINVAL;
	if (config->self_host >> 28 != SIXPN_NODE_NIBBLE || config->attach > BPF_KIND_CLSACT)
		return -EINVAL;
	return 0;
}

static void tell_layouts(const struct bpf_datapath *dp)
{
	if (dp->found.newest > SIXPN_LAYOUT)
		log_err("bpf",
			"%s holds maps of layout %u, and this sixpn-node knows up to %u: a newer one ran here. Its maps are not touched; "
			"programs and maps are made anew from our records, and the newer pins are removed after that",
			dp->pin_dir, dp->found.newest, SIXPN_LAYOUT);
	else if (dp->found.n)
		log_info("bpf", "%s holds maps of layout %u; programs and maps of layout %u take their place", dp->pin_dir,
			 dp->found.newest, SIXPN_LAYOUT);
}

int bpf_datapath_open(const char *pin_dir, const struct bpf_config *config, struct bpf_datapath **ret_datapath)
{
	struct bpf_datapath *dp = calloc(1, sizeof(*dp));
	int err;

	if (!dp)
		return -ENOMEM;
	memset(dp->programs, -1, sizeof(dp->programs));
	memset(dp->maps, -1, sizeof(dp->maps));
	libbpf_set_print(print_debug);
	err = take_config(dp, config);
	if (!err && pin_dir) {
		dp->pin_dir = strdup(pin_dir);
		err = dp->pin_dir ? file_make_dirs(pin_dir, 0700) : -ENOMEM;
	}
	if (!err)
		err = bpf_pins_look(dp);
	if (!err)
		tell_layouts(dp);
	for (size_t slot = 0; !err && slot < BPF_PROGRAM_SLOTS; slot++)
		err = load_program(dp, slot);
	if (err) {
		bpf_datapath_close(dp);
		return err;
	}
	*ret_datapath = dp;
	return 0;
}

struct bpf_datapath *bpf_datapath_close(struct bpf_datapath *dp)
{
	if (!dp)
		return NULL;
	ring_buffer__free(dp->events);
	for (size_t i = 0; i < BPF_MAP_SLOTS; i++)
		cleanup_close(&dp->maps[i]);
	for (size_t i = 0; i < BPF_PROGRAM_SLOTS; i++)
		cleanup_close(&dp->programs[i]);
	free(dp->pin_dir);
	free(dp);
	return NULL;
}

bool bpf_datapath_map_is_new(const struct bpf_datapath *dp, const char *map_name)
{
	for (size_t i = 0; i < BPF_MAP_SLOTS; i++) {
		if (!strcmp(map_name, bpf_map_names[i]))
			return dp->is_new[i];
	}
	return false;
}

int bpf_datapath_program(const struct bpf_datapath *dp, enum sixpn_hook hook, unsigned l2_len)
{
	if (hook == SIXPN_HOOK_UNDERLAY_INGRESS && l2_len == 0)
		return dp->programs[BPF_PROGRAM_UNDERLAY_BARE];
	return (unsigned)hook < SIXPN_HOOK_COUNT ? dp->programs[hook] : -ENOENT;
}
