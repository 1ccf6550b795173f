/* All walks fetch the next key before the callback runs, so that the callback may remove the entry it was given: the kernel
 * starts again at the front when it is asked what follows a key that is gone. */
#include "lib/bpf/maps.h"

#include "lib/base/buf.h"
#include "lib/bpf/internal.h"

#include <bpf/bpf.h>
#include <string.h>

#define KEY_LEN_MAX 24
#define VALUE_LEN_MAX 64
_Static_assert(sizeof(struct sixpn_device) <= VALUE_LEN_MAX, "the walk's buffer is too small");

static int remove_key(struct bpf_datapath *dp, enum bpf_map_slot slot, const void *key)
{
	int err = bpf_map_delete_elem(dp->maps[slot], key);

	return err == -ENOENT ? 0 : err;
}

struct walk {
	int (*each)(const struct walk *walk, const void *key, const void *value);
	void (*callback)(void); /* of the caller, with its real type */
	void *ctx;
};

static int walk_map(struct bpf_datapath *dp, enum bpf_map_slot slot, const struct walk *walk)
{
	_Alignas(8) uint8_t key[KEY_LEN_MAX], next[KEY_LEN_MAX], value[VALUE_LEN_MAX];
	int more = bpf_map_get_next_key(dp->maps[slot], NULL, next);

	while (!more) {
		int err;

		memcpy(key, next, sizeof(key));
		err = bpf_map_lookup_elem(dp->maps[slot], key, value);
		more = bpf_map_get_next_key(dp->maps[slot], key, next);
		if (!err)
			err = walk->each(walk, key, value);
		if (err && err != -ENOENT)
			return err;
	}
	return more == -ENOENT ? 0 : more;
}

static bool device_is_sound(const struct sixpn_device *device)
{
	const uint8_t *a = device->address;

	return a[0] == 0xfd && a[1] == 0xaa && get_u32(a + 2) == device->network && get_u32(a + 6) == device->host &&
	       get_u32(a + 10) == device->instance && device->network >= SIXPN_NETWORK_MIN &&
	       device->network >> 28 != SIXPN_NODE_NIBBLE && device->host >> 28 == SIXPN_NODE_NIBBLE &&
	       device->instance >= SIXPN_INSTANCE_MIN;
}

void bpf_device_value(const struct sixpn_device *device, struct sixpn_device *ret_value)
{
	*ret_value = *device;
	ret_value->layout = SIXPN_LAYOUT;
	ret_value->flags = 0;
	memset(ret_value->reserved, 0, sizeof(ret_value->reserved));
}

int bpf_device_set(struct bpf_datapath *dp, uint32_t ifindex, const struct sixpn_device *device)
{
	struct sixpn_device value;

	if (!ifindex || !device_is_sound(device))
		return -EINVAL;
	bpf_device_value(device, &value);
	return bpf_map_update_elem(dp->maps[BPF_MAP_SLOT_DEVICE], &ifindex, &value, BPF_ANY);
}

int bpf_device_remove(struct bpf_datapath *dp, uint32_t ifindex)
{
	return remove_key(dp, BPF_MAP_SLOT_DEVICE, &ifindex);
}

int bpf_device_get(struct bpf_datapath *dp, uint32_t ifindex, struct sixpn_device *ret_device)
{
	return bpf_map_lookup_elem(dp->maps[BPF_MAP_SLOT_DEVICE], &ifindex, ret_device);
}

int bpf_presence_set(struct bpf_datapath *dp, uint32_t network, uint32_t host)
{
	struct sixpn_presence_key key = { .network = network, .host = host };
	struct sixpn_presence value = { 0 };

	return bpf_map_update_elem(dp->maps[BPF_MAP_SLOT_PRESENCE], &key, &value, BPF_ANY);
}

int bpf_presence_remove(struct bpf_datapath *dp, uint32_t network, uint32_t host)
{
	struct sixpn_presence_key key = { .network = network, .host = host };

	return remove_key(dp, BPF_MAP_SLOT_PRESENCE, &key);
}

static enum bpf_map_slot moved_slot(enum bpf_moved which)
{
	return which == BPF_MOVED_HERE ? BPF_MAP_SLOT_MOVED_HERE : BPF_MAP_SLOT_MOVED_AWAY;
}

static struct sixpn_moved_key moved_key(const uint8_t address[16])
{
	struct sixpn_moved_key key;

	memcpy(key.address, address, sizeof(key.address));
	key.address[15] = 0;
	if (get_u32(address + 10) >= SIXPN_INSTANCE_MIN)
		key.address[14] = 0;
	return key;
}

int bpf_moved_set(struct bpf_datapath *dp, enum bpf_moved which, const uint8_t address[16], uint32_t carrier)
{
	struct sixpn_moved_key key = moved_key(address);
	struct sixpn_moved value = { .carrier = carrier };

	return bpf_map_update_elem(dp->maps[moved_slot(which)], &key, &value, BPF_ANY);
}

int bpf_moved_remove(struct bpf_datapath *dp, enum bpf_moved which, const uint8_t address[16])
{
	struct sixpn_moved_key key = moved_key(address);

	return remove_key(dp, moved_slot(which), &key);
}

/* ---- peering rules ---- */

static uint64_t app_word(const uint8_t app[8])
{
	uint64_t word;

	memcpy(&word, app, sizeof(word));
	return word;
}

static struct sixpn_rule_pair_key pair_key(const struct bpf_rule_pair *pair)
{
	return (struct sixpn_rule_pair_key){ .from_network = pair->from_network, .to_network = pair->to_network,
					     .from_app = app_word(pair->from_app), .to_app = app_word(pair->to_app) };
}

int bpf_rule_member_set(struct bpf_datapath *dp, const uint8_t address[16], const uint8_t app[8])
{
	struct sixpn_moved_key key = moved_key(address);
	struct sixpn_rule_member value = { .app = app_word(app) };

	if (value.app == SIXPN_RULE_EVERY_APP)
		return -EINVAL;
	return bpf_map_update_elem(dp->maps[BPF_MAP_SLOT_RULE_MEMBERS], &key, &value, BPF_ANY);
}

int bpf_rule_member_remove(struct bpf_datapath *dp, const uint8_t address[16])
{
	struct sixpn_moved_key key = moved_key(address);

	return remove_key(dp, BPF_MAP_SLOT_RULE_MEMBERS, &key);
}

int bpf_rule_pair_set(struct bpf_datapath *dp, const struct bpf_rule_pair *pair)
{
	struct sixpn_rule_pair_key key = pair_key(pair);
	struct sixpn_rule_pair value = { 0 };

	if (pair->from_network == pair->to_network || key.to_app == SIXPN_RULE_EVERY_APP)
		return -EINVAL;
	return bpf_map_update_elem(dp->maps[BPF_MAP_SLOT_RULE_PAIRS], &key, &value, BPF_ANY);
}

int bpf_rule_pair_remove(struct bpf_datapath *dp, const struct bpf_rule_pair *pair)
{
	struct sixpn_rule_pair_key key = pair_key(pair);

	return remove_key(dp, BPF_MAP_SLOT_RULE_PAIRS, &key);
}

typedef int device_callback(void *ctx, uint32_t ifindex, const struct sixpn_device *device);
typedef int presence_callback(void *ctx, uint32_t network, uint32_t host, const struct sixpn_presence *value);
typedef int policy_callback(void *ctx, uint32_t hook, uint32_t program_id);
typedef int moved_callback(void *ctx, const uint8_t address[16], uint32_t carrier);

static int each_device(const struct walk *walk, const void *key, const void *value)
{
	return ((device_callback *)walk->callback)(walk->ctx, *(const uint32_t *)key, value);
}

static int each_presence(const struct walk *walk, const void *key, const void *value)
{
	const struct sixpn_presence_key *k = key;

	return ((presence_callback *)walk->callback)(walk->ctx, k->network, k->host, value);
}

static int each_moved(const struct walk *walk, const void *key, const void *value)
{
	return ((moved_callback *)walk->callback)(walk->ctx, ((const struct sixpn_moved_key *)key)->address,
						  ((const struct sixpn_moved *)value)->carrier);
}

int bpf_device_list(struct bpf_datapath *dp, int (*each)(void *ctx, uint32_t ifindex, const struct sixpn_device *device), void *ctx)
{
	struct walk walk = { .each = each_device, .callback = (void (*)(void))each, .ctx = ctx };

	return walk_map(dp, BPF_MAP_SLOT_DEVICE, &walk);
}

int bpf_presence_list(struct bpf_datapath *dp,
		      int (*each)(void *ctx, uint32_t network, uint32_t host, const struct sixpn_presence *value), void *ctx)
{
	struct walk walk = { .each = each_presence, .callback = (void (*)(void))each, .ctx = ctx };

	return walk_map(dp, BPF_MAP_SLOT_PRESENCE, &walk);
}

int bpf_moved_list(struct bpf_datapath *dp, enum bpf_moved which,
		   int (*each)(void *ctx, const uint8_t address[16], uint32_t carrier), void *ctx)
{
	struct walk walk = { .each = each_moved, .callback = (void (*)(void))each, .ctx = ctx };

	return walk_map(dp, moved_slot(which), &walk);
}

static int each_policy(const struct walk *walk, const void *key, const void *value)
{
	return ((policy_callback *)walk->callback)(walk->ctx, *(const uint32_t *)key, *(const uint32_t *)value);
}

int bpf_policy_list(struct bpf_datapath *dp, int (*each)(void *ctx, uint32_t hook, uint32_t program_id), void *ctx)
{
	struct walk walk = { .each = each_policy, .callback = (void (*)(void))each, .ctx = ctx };

	return walk_map(dp, BPF_MAP_SLOT_POLICY, &walk);
}

int bpf_policy_remove(struct bpf_datapath *dp, uint32_t hook)
{
	return remove_key(dp, BPF_MAP_SLOT_POLICY, &hook);
}

typedef int member_callback(void *ctx, const uint8_t address[16], const uint8_t app[8]);
typedef int pair_callback(void *ctx, const struct bpf_rule_pair *pair);

static int each_member(const struct walk *walk, const void *key, const void *value)
{
	uint8_t app[8];

	memcpy(app, &((const struct sixpn_rule_member *)value)->app, sizeof(app));
	return ((member_callback *)walk->callback)(walk->ctx, ((const struct sixpn_moved_key *)key)->address, app);
}

static int each_pair(const struct walk *walk, const void *key, const void *value)
{
	const struct sixpn_rule_pair_key *k = key;
	struct bpf_rule_pair pair = { .from_network = k->from_network, .to_network = k->to_network };

	(void)value;
	memcpy(pair.from_app, &k->from_app, sizeof(pair.from_app));
	memcpy(pair.to_app, &k->to_app, sizeof(pair.to_app));
	return ((pair_callback *)walk->callback)(walk->ctx, &pair);
}

int bpf_rule_member_list(struct bpf_datapath *dp, int (*each)(void *ctx, const uint8_t address[16], const uint8_t app[8]), void *ctx)
{
	struct walk walk = { .each = each_member, .callback = (void (*)(void))each, .ctx = ctx };

	return walk_map(dp, BPF_MAP_SLOT_RULE_MEMBERS, &walk);
}

int bpf_rule_pair_list(struct bpf_datapath *dp, int (*each)(void *ctx, const struct bpf_rule_pair *pair), void *ctx)
{
	struct walk walk = { .each = each_pair, .callback = (void (*)(void))each, .ctx = ctx };

	return walk_map(dp, BPF_MAP_SLOT_RULE_PAIRS, &walk);
}
