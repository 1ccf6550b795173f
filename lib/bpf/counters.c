/* Per-CPU values come as one array entry per possible CPU, offline ones included. */
#include "lib/bpf/counters.h"

#include "lib/bpf/internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

static const struct reason {
	const char *name, *sentence;
	uint32_t hooks;
} reasons[SIXPN_REASON_SLOTS] = {
#define REASON(number, NAME, name_, hooks_, sentence_) [number] = { name_, sentence_, hooks_ },
	SIXPN_REASONS(REASON)
#undef REASON
};

static const char *const hook_names[SIXPN_HOOK_COUNT] = {
#define HOOK(number, NAME, program, l2_len) [number] = #program,
	SIXPN_HOOKS(HOOK)
#undef HOOK
};

const char *bpf_reason_name(unsigned reason)
{
	return reason < SIXPN_REASON_SLOTS ? reasons[reason].name : NULL;
}

const char *bpf_reason_sentence(unsigned reason)
{
	return reason < SIXPN_REASON_SLOTS ? reasons[reason].sentence : NULL;
}

uint32_t bpf_reason_hooks(unsigned reason)
{
	return reason < SIXPN_REASON_SLOTS ? reasons[reason].hooks : 0;
}

const char *bpf_hook_name(unsigned hook)
{
	return hook < SIXPN_HOOK_COUNT ? hook_names[hook] : NULL;
}

/* Sums the first two u64 (packets, bytes) of values of `size` bytes. */
static int sum(int map, const void *key, size_t size, struct bpf_count *ret_count)
{
	int n_cpus = libbpf_num_possible_cpus(), err;
	struct bpf_count total = { 0 };
	CLEAN_FREE uint8_t *values = NULL;

	if (n_cpus < 0)
		return n_cpus;
	values = calloc((size_t)n_cpus, size);
	if (!values)
		return -ENOMEM;
	err = bpf_map_lookup_elem(map, key, values);
	if (err)
		return err;
	for (int cpu = 0; cpu < n_cpus; cpu++) {
		const uint64_t *value = (const uint64_t *)(values + (size_t)cpu * size);

		total.packets += value[0];
		total.bytes += value[1];
	}
	*ret_count = total;
	return 0;
}

int bpf_counters_read(struct bpf_datapath *dp, struct bpf_counters *ret_counters)
{
	struct bpf_counters c = { 0 };

	for (uint32_t reason = 0; reason < SIXPN_REASON_SLOTS; reason++) {
		int err = reasons[reason].name ? sum(dp->maps[BPF_MAP_SLOT_COUNTERS], &reason, sizeof(struct sixpn_counter),
						     &c.dropped[reason]) : 0;

		if (err)
			return err;
	}
	for (uint32_t hook = 0; hook < SIXPN_HOOK_COUNT; hook++) {
		int err = sum(dp->maps[BPF_MAP_SLOT_PASSES], &hook, sizeof(struct sixpn_traffic), &c.passed[hook]);

		if (err)
			return err;
	}
	*ret_counters = c;
	return 0;
}

int bpf_traffic_list(struct bpf_datapath *dp, int (*each)(void *ctx, uint32_t network, enum sixpn_hook hook, struct bpf_count count),
		     void *ctx)
{
	int map = dp->maps[BPF_MAP_SLOT_TRAFFIC];
	struct sixpn_traffic_key key, next;
	int more = bpf_map_get_next_key(map, NULL, &next);

	while (!more) {
		struct bpf_count count;
		int err;

		key = next;
		err = sum(map, &key, sizeof(struct sixpn_traffic), &count);
		more = bpf_map_get_next_key(map, &key, &next);
		if (!err && key.hook < SIXPN_HOOK_COUNT)
			err = each(ctx, key.network, (enum sixpn_hook)key.hook, count);
		if (err && err != -ENOENT)
			return err;
	}
	return more == -ENOENT ? 0 : more;
}

int bpf_traffic_remove(struct bpf_datapath *dp, uint32_t network)
{
	for (uint32_t hook = 0; hook < SIXPN_HOOK_COUNT; hook++) {
		struct sixpn_traffic_key key = { .network = network, .hook = hook };
		int err = bpf_map_delete_elem(dp->maps[BPF_MAP_SLOT_TRAFFIC], &key);

		if (err && err != -ENOENT)
			return err;
	}
	return 0;
}
