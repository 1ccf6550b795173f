/* pins - see pins.h. */
#include "lib/bpf/pins.h"

#include "lib/bpf/attach.h"
#include "lib/bpf/internal.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NEW_PREFIX "sixpn_new_" /* of a map that is about to take a name which is in use */

int bpf_map_path(const struct bpf_datapath *dp, enum bpf_map_slot slot, unsigned layout, char ret_path[BPF_PATH_LEN])
{
	int n = snprintf(ret_path, BPF_PATH_LEN, "%s/sixpn_v%u_%s", dp->pin_dir, layout, bpf_map_names[slot]);

	return n < 0 || n >= BPF_PATH_LEN ? -ENAMETOOLONG : 0;
}

static bool is_map_name(const char *name, enum bpf_map_slot *ret_slot)
{
	for (size_t i = 0; i < BPF_MAP_SLOTS; i++)
		if (!strcmp(name, bpf_map_names[i])) {
			*ret_slot = (enum bpf_map_slot)i;
			return true;
		}
	return false;
}

bool bpf_map_name_parse(const char *file_name, unsigned *ret_layout, enum bpf_map_slot *ret_slot)
{
	unsigned layout;
	int at = 0;

	if (sscanf(file_name, "sixpn_v%9u_%n", &layout, &at) != 1 || !at || !is_map_name(file_name + at, ret_slot))
		return false;
	*ret_layout = layout;
	return true;
}

/* A half-done bpf_map_pin(). */
static bool is_unfinished(const char *file_name)
{
	enum bpf_map_slot slot;

	return !strncmp(file_name, NEW_PREFIX, strlen(NEW_PREFIX)) && is_map_name(file_name + strlen(NEW_PREFIX), &slot);
}

/* Beside and over: at no moment is there no pin of that name. */
int bpf_map_pin(const struct bpf_datapath *dp, enum bpf_map_slot slot)
{
	char path[BPF_PATH_LEN], beside[BPF_PATH_LEN];
	int n = snprintf(beside, sizeof beside, "%s/" NEW_PREFIX "%s", dp->pin_dir, bpf_map_names[slot]);
	int err = bpf_map_path(dp, slot, SIXPN_LAYOUT, path);

	if (err || n < 0 || n >= BPF_PATH_LEN)
		return err ? err : -ENAMETOOLONG;
	unlink(beside); /* of a daemon that ended here */
	err = bpf_obj_pin(dp->maps[slot], beside);
	return err ? err : rename(beside, path) < 0 ? -errno : 0;
}

/* Calls back for every name in the pin folder; goes on after an error and returns the first. */
static int each_file(struct bpf_datapath *dp, int (*each)(struct bpf_datapath *dp, int folder, const char *name))
{
	struct dirent *entry;
	int first = 0;
	DIR *dir;

	if (!dp->pin_dir)
		return 0;
	dir = opendir(dp->pin_dir);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		int err = each(dp, dirfd(dir), entry->d_name);

		if (!first)
			first = err;
	}
	closedir(dir);
	return first;
}

static int note_layout(struct bpf_datapath *dp, int folder, const char *name)
{
	struct bpf_layouts *f = &dp->found;
	enum bpf_map_slot slot;
	unsigned layout;

	(void)folder;
	if (!bpf_map_name_parse(name, &layout, &slot) || layout == SIXPN_LAYOUT)
		return 0;
	f->n++;
	f->newest = f->newest > layout ? f->newest : layout;
	return 0;
}

int bpf_pins_look(struct bpf_datapath *dp)
{
	return each_file(dp, note_layout);
}

struct bpf_layouts bpf_pins_found(const struct bpf_datapath *dp)
{
	return dp->found;
}

static int settle_file(struct bpf_datapath *dp, int folder, const char *name)
{
	CLEAN_CLOSE int link = -1;
	enum bpf_map_slot slot;
	uint32_t ifindex;
	unsigned layout;
	bool ingress;

	if (bpf_link_name_parse(name, &ifindex, &ingress))
		return bpf_link_open(dp, ifindex, ingress, &link, NULL); /* removes it if it is dead */
	if (!is_unfinished(name) && (!bpf_map_name_parse(name, &layout, &slot) || layout == SIXPN_LAYOUT))
		return 0;
	return unlinkat(folder, name, 0) < 0 ? -errno : 0;
}

int bpf_settle(struct bpf_datapath *dp)
{
	return each_file(dp, settle_file);
}

struct wipe {
	struct bpf_datapath *dp;
	int first;
};

static int detach_one(void *ctx, const struct bpf_attachment *attachment)
{
	struct wipe *wipe = ctx;
	int err = bpf_detach(wipe->dp, attachment->ifindex);

	if (!wipe->first)
		wipe->first = err;
	return 0;
}

static int wipe_file(struct bpf_datapath *dp, int folder, const char *name)
{
	enum bpf_map_slot slot;
	uint32_t ifindex;
	unsigned layout;
	bool ingress;

	(void)dp;
	if (!bpf_link_name_parse(name, &ifindex, &ingress) && !bpf_map_name_parse(name, &layout, &slot) && !is_unfinished(name))
		return 0;
	return unlinkat(folder, name, 0) < 0 ? -errno : 0;
}

int bpf_wipe(struct bpf_datapath *dp)
{
	struct wipe wipe = { .dp = dp };
	int err = bpf_attach_list(dp, detach_one, &wipe);

	if (!wipe.first)
		wipe.first = err;
	err = each_file(dp, wipe_file);
	if (dp->pin_dir)
		rmdir(dp->pin_dir); /* not empty: somebody else's */
	return wipe.first || err == -ENOENT ? wipe.first : err;
}

static int map_id(int fd, uint32_t *ret_id)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof info;
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	if (!err)
		*ret_id = info.id;
	return err;
}

static bool is_pinned(const struct bpf_datapath *dp, enum bpf_map_slot slot)
{
	uint32_t ours = 0, theirs = 0;
	char path[BPF_PATH_LEN];
	CLEAN_CLOSE int fd = -1;

	if (bpf_map_path(dp, slot, SIXPN_LAYOUT, path) < 0)
		return true; /* never was */
	fd = bpf_obj_get(path);
	return fd >= 0 && !map_id(fd, &theirs) && !map_id(dp->maps[slot], &ours) && ours == theirs;
}

int bpf_pins_repair(struct bpf_datapath *dp, void (*each)(void *ctx, const char *file_name, int err), void *ctx)
{
	int first = 0;

	for (size_t i = 0; dp->pin_dir && i < BPF_MAP_SLOTS; i++) {
		char name[64];
		int err;

		if (is_pinned(dp, (enum bpf_map_slot)i))
			continue;
		err = bpf_map_pin(dp, (enum bpf_map_slot)i);
		snprintf(name, sizeof name, "sixpn_v%u_%s", SIXPN_LAYOUT, bpf_map_names[i]);
		each(ctx, name, err);
		if (!first)
			first = err;
	}
	return first;
}
