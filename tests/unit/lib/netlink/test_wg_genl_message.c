/* wg_genl_message: what is sent by its bytes, what the kernel says by tables, and every cut of it. */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/netlink/wg_genl_message.h"
#include "tests/unit/lib/netlink/wg_message.h"

#define FAMILY 0x1f

static _Alignas(8) uint8_t out[WG_GENL_MESSAGE_MAX];

static struct wg_prefix prefix_of(const char *text, uint8_t len)
{
	struct in6_addr addr;

	assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return wg_prefix_in6(&addr, len);
}

static struct wg_peer peer_of(unsigned number)
{
	struct wg_peer peer = { 0 };

	memset(peer.public_key, 0x11, WG_KEY_LEN);
	memcpy(peer.public_key, &number, sizeof(number));
	return peer;
}

static struct sockaddr_storage endpoint4(void)
{
	struct sockaddr_storage at = { 0 };
	struct sockaddr_in *in4 = (void *)&at;

	in4->sin_family = AF_INET;
	in4->sin_port = htons(51821);
	in4->sin_addr.s_addr = htonl(0xc0000207);
	return at;
}

static struct sockaddr_storage endpoint6(const char *text)
{
	struct sockaddr_storage at = { 0 };
	struct sockaddr_in6 *in6 = (void *)&at;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(51821);
	assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	return at;
}

static size_t length(const struct nlmsghdr *message)
{
	return message ? message->nlmsg_len : 0;
}

#define K16 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11
static const uint8_t added[] = {
	0x98, 0, 0, 0, FAMILY, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* length, family, REQUEST | ACK */
	1, 1, 0, 0,                                             /* SET_DEVICE, version 1 */
	7, 0, 2, 0, 's', 'x', 0, 0,                             /* IFNAME */
	0x7c, 0, 8, 0x80,                                       /* PEERS */
	0x78, 0, 0, 0x80,
	0x24, 0, 1, 0, 7, 0, 0, 0, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, K16, /* PUBLIC_KEY */
	8, 0, 3, 0, 2, 0, 0, 0,                                                      /* FLAGS: REPLACE_ALLOWEDIPS */
	0x14, 0, 4, 0, 2, 0, 0xca, 0x6d, 0xc0, 0, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0,      /* ENDPOINT */
	6, 0, 5, 0, 25, 0, 0, 0,                                                     /* PERSISTENT_KEEPALIVE */
	0x2c, 0, 9, 0x80,                                                            /* ALLOWEDIPS */
	0x28, 0, 0, 0x80, 6, 0, 1, 0, 10, 0, 0, 0,                                   /* AF_INET6 */
	0x14, 0, 2, 0, 0xfd, 0xaa, 0xa0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	5, 0, 3, 0, 48, 0, 0, 0,
};

static void an_added_peer_is_these_bytes(void **state)
{
	struct wg_prefix prefix = prefix_of("fdaa:a001:1::", 48);
	struct wg_peer peer = peer_of(7);
	struct wg_step step = { .kind = WG_STEP_ADD, .peer = &peer, .set_endpoint = true, .set_keepalive = true, .replace_allowed = true };
	struct wg_genl_writer writer = { .ifname = "sx", .steps = &step, .n = 1 };
	struct nlmsghdr *message;

	(void)state;
	peer.endpoint = endpoint4();
	peer.keepalive_s = 25;
	peer.allowed = &prefix;
	peer.n_allowed = 1;
	message = wg_genl_write_steps(&writer, FAMILY, out);
	assert_int_equal(length(message), sizeof(added));
	assert_memory_equal(message, added, sizeof(added));
	assert_null(wg_genl_write_steps(&writer, FAMILY, out));
}

/* Attributes of the n-th peer of a set message. */
static const uint8_t *peer_at(const struct nlmsghdr *message, size_t n, size_t *ret_len)
{
	size_t left = 0;
	const uint8_t *at = attr_find((const uint8_t *)message + 20, message->nlmsg_len - 20, 8, &left);

	assert_non_null(at);
	for (;;) {
		uint16_t len;

		if (left < 4)
			return NULL;
		memcpy(&len, at, 2);
		assert_true(len >= 4 && len <= left);
		if (n-- == 0) {
			*ret_len = len - 4u;
			return at + 4;
		}
		at += len;
		left -= len;
	}
}

static uint32_t flags_at(const struct nlmsghdr *message, size_t n)
{
	uint32_t flags = 0;
	size_t len, flags_len;
	const uint8_t *peer = peer_at(message, n, &len), *at;

	assert_non_null(peer);
	at = attr_find(peer, len, 3, &flags_len);
	if (at)
		memcpy(&flags, at, 4);
	return flags;
}

static bool has(const struct nlmsghdr *message, size_t n, uint16_t type)
{
	size_t len, inner;
	const uint8_t *peer = peer_at(message, n, &len);

	assert_non_null(peer);
	return attr_find(peer, len, type, &inner) != NULL;
}

static size_t prefixes_at(const struct nlmsghdr *message, size_t n)
{
	size_t len, inner = 0, count = 0;
	const uint8_t *peer = peer_at(message, n, &len), *at;

	assert_non_null(peer);
	at = attr_find(peer, len, 9, &inner);
	for (uint16_t one; at && inner >= 4; at += one, inner -= one, count++)
		memcpy(&one, at, 2);
	return count;
}

static void an_update_never_makes_a_peer_and_a_removal_says_no_more_than_the_key(void **state)
{
	struct wg_prefix prefix = prefix_of("fdaa:a001:1::", 48);
	struct wg_peer peer = peer_of(1);
	struct wg_step steps[] = { { .kind = WG_STEP_REMOVE, .peer = &peer, .set_endpoint = true, .set_keepalive = true },
				   { .kind = WG_STEP_UPDATE, .peer = &peer, .set_keepalive = true },
				   { .kind = WG_STEP_UPDATE, .peer = &peer, .replace_allowed = true, .set_endpoint = true } };
	struct wg_genl_writer writer = { .ifname = "sx", .steps = steps, .n = 3 };
	struct nlmsghdr *message;
	size_t len;

	(void)state;
	peer.endpoint = endpoint4();
	peer.allowed = &prefix;
	peer.n_allowed = 1;
	message = wg_genl_write_steps(&writer, FAMILY, out);
	assert_int_equal(flags_at(message, 0), 1);
	assert_false(has(message, 0, 4) || has(message, 0, 5) || has(message, 0, 9));
	assert_int_equal(flags_at(message, 1), 4);
	assert_true(has(message, 1, 5) && has(message, 1, 9));
	assert_false(has(message, 1, 4));
	assert_int_equal(flags_at(message, 2), 6);
	assert_true(has(message, 2, 4));
	assert_false(has(message, 2, 5));
	assert_null(peer_at(message, 3, &len));
}

static void endpoints_go_out_in_the_family_that_can_send(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		uint8_t family;
	} rows[] = { { "::ffff:192.0.2.7", 16, AF_INET }, { "2001:db8::1", 28, AF_INET6 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wg_peer peer = peer_of(1);
		struct wg_step step = { .kind = WG_STEP_UPDATE, .peer = &peer, .set_endpoint = true };
		struct wg_genl_writer writer = { .ifname = "sx", .steps = &step, .n = 1 };
		size_t len, inner;
		const uint8_t *at;

		peer.endpoint = endpoint6(rows[i].text);
		at = peer_at(wg_genl_write_steps(&writer, FAMILY, out), 0, &len);
		at = attr_find(at, len, 4, &inner);
		assert_non_null(at);
		assert_int_equal(inner, rows[i].len);
		assert_int_equal(at[0], rows[i].family);
		assert_int_equal(at[2] << 8 | at[3], 51821);
	}
}

static void a_shared_key_is_set_or_taken_away(void **state)
{
	uint8_t none[WG_KEY_LEN] = { 0 };

	(void)state;
	for (int given = 0; given < 2; given++) {
		struct wg_peer peer = peer_of(1);
		struct wg_step steps[] = { { .kind = WG_STEP_UPDATE, .peer = &peer, .set_preshared = true },
					   { .kind = WG_STEP_UPDATE, .peer = &peer, .set_keepalive = true } };
		struct wg_genl_writer writer = { .ifname = "sx", .steps = steps, .n = 2 };
		const struct nlmsghdr *message;
		const uint8_t *at;
		size_t len, inner;

		peer.has_preshared = given;
		memset(peer.preshared_key, 0x77, WG_KEY_LEN);
		message = wg_genl_write_steps(&writer, FAMILY, out);
		at = peer_at(message, 0, &len);
		at = attr_find(at, len, 2, &inner);
		assert_non_null(at);
		assert_int_equal(inner, WG_KEY_LEN);
		assert_memory_equal(at, given ? peer.preshared_key : none, WG_KEY_LEN);
		assert_false(has(message, 1, 2));
	}
}

/* No message grows beyond its room, no peer is left out, none comes twice, and removals go in small numbers. */
static void many_steps_are_many_messages(void **state)
{
	enum { N = 3000 };
	static struct wg_peer peers[N];
	static struct wg_step steps[N];
	static uint8_t seen[N];
	struct wg_prefix prefix = prefix_of("fdaa:a001:1::", 48);
	struct wg_genl_writer writer = { .ifname = "sixpn-peers", .steps = steps, .n = N };
	const struct nlmsghdr *message;
	size_t messages = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		peers[i] = peer_of(i);
		peers[i].endpoint = endpoint6("2001:db8::1");
		peers[i].allowed = &prefix;
		peers[i].n_allowed = 1;
		steps[i] = (struct wg_step){ .kind = i < 200 ? WG_STEP_REMOVE : WG_STEP_ADD, .peer = &peers[i], .set_endpoint = true,
					     .set_keepalive = true, .replace_allowed = true };
	}
	while ((message = wg_genl_write_steps(&writer, FAMILY, out))) {
		size_t n = 0, removals = 0, len;
		const uint8_t *peer;

		messages++;
		assert_true(message->nlmsg_len <= WG_GENL_MESSAGE_MAX);
		for (; (peer = peer_at(message, n, &len)); n++) {
			unsigned number;
			size_t key_len;
			const uint8_t *key = attr_find(peer, len, 1, &key_len);

			assert_non_null(key);
			memcpy(&number, key, sizeof(number));
			assert_int_equal(seen[number]++, 0);
			removals += flags_at(message, n) == 1;
		}
		assert_true(n > 0 && n <= WG_GENL_PEERS_MAX && removals <= WG_GENL_REMOVALS_MAX);
	}
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(seen[i], 1);
	assert_true(messages >= 18);
}

static void a_peer_with_more_prefixes_than_a_message_takes_goes_on_in_the_next(void **state)
{
	static struct wg_prefix many[WG_ALLOWED_MAX];
	struct wg_peer peers[2] = { peer_of(1), peer_of(2) };
	struct wg_step steps[2];
	struct wg_genl_writer writer = { .ifname = "sx", .steps = steps, .n = 2 };
	size_t total = 0, messages = 0;
	const struct nlmsghdr *message;

	(void)state;
	for (unsigned i = 0; i < WG_ALLOWED_MAX; i++) {
		many[i] = prefix_of("fdaa::", 128);
		memcpy(&many[i].addr[8], &i, sizeof(i));
	}
	for (int i = 0; i < 2; i++) {
		steps[i] = (struct wg_step){ .kind = WG_STEP_ADD, .peer = &peers[i], .replace_allowed = true, .set_keepalive = true };
		peers[i].allowed = many;
	}
	peers[0].n_allowed = WG_ALLOWED_MAX;
	peers[1].n_allowed = 1;
	for (; (message = wg_genl_write_steps(&writer, FAMILY, out)); messages++) {
		assert_true(message->nlmsg_len <= WG_GENL_MESSAGE_MAX);
		total += prefixes_at(message, 0);
		assert_int_equal(flags_at(message, 0), messages == 0 ? 2 : 4); /* replaced once, then only added to */
		assert_int_equal(has(message, 0, 5), messages == 0);
		if (total == WG_ALLOWED_MAX)
			assert_int_equal(flags_at(message, 1), 2);
	}
	assert_int_equal(total, WG_ALLOWED_MAX);
	assert_true(messages > 3);
}

static void a_device_message_sets_only_what_is_given(void **state)
{
	uint8_t key[WG_KEY_LEN] = { 9 };
	struct nlmsghdr *message;
	const uint8_t *at;
	size_t len;

	(void)state;
	message = wg_genl_write_device("sx", FAMILY, NULL, 51821, out);
	at = attr_find(out + 20, message->nlmsg_len - 20, 6, &len);
	assert_non_null(at);
	assert_int_equal(at[0] | at[1] << 8, 51821);
	assert_null(attr_find(out + 20, message->nlmsg_len - 20, 3, &len));
	assert_null(attr_find(out + 20, message->nlmsg_len - 20, 5, &len)); /* no flags: no REPLACE_PEERS */
	message = wg_genl_write_device("sx", FAMILY, key, -1, out);
	at = attr_find(out + 20, message->nlmsg_len - 20, 3, &len);
	assert_non_null(at);
	assert_memory_equal(at, key, WG_KEY_LEN);
	assert_null(attr_find(out + 20, message->nlmsg_len - 20, 6, &len));
}

/* ---- what the kernel says ---- */

static void put_allowed(struct message *m, unsigned first, unsigned n)
{
	size_t nest = message_nest(m, 9);

	for (unsigned i = first; i < first + n; i++) {
		uint8_t addr[16] = { 0xfd, 0xaa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i };
		uint16_t family = AF_INET6;
		uint8_t cidr = 112;
		size_t one = message_nest(m, 0);

		message_attr(m, 1, &family, 2);
		message_attr(m, 2, addr, 16);
		message_attr(m, 3, &cidr, 1);
		message_nest_end(m, one);
	}
	message_nest_end(m, nest);
}

/* A peer as the kernel tells it; `again`: the second part of one. */
static void put_peer(struct message *m, unsigned number, unsigned first, unsigned n_allowed, bool again)
{
	struct wg_peer peer = peer_of(number);
	struct sockaddr_storage at = endpoint6("2001:db8::7");
	uint8_t shared[32];
	int64_t handshake[2] = { 1700000000, 5 };
	uint64_t bytes = 4096u + number;
	uint16_t keepalive = 25;
	uint32_t version = 1;
	size_t nest = message_nest(m, 0);

	memset(shared, 0x77, sizeof(shared));
	message_attr(m, 1, peer.public_key, 32);
	if (!again) {
		message_attr(m, 2, shared, 32);
		message_attr(m, 6, handshake, 16);
		message_attr(m, 5, &keepalive, 2);
		message_attr(m, 8, &bytes, 8);
		bytes++;
		message_attr(m, 7, &bytes, 8);
		message_attr(m, 10, &version, 4);
		message_attr(m, 4, &at, 28);
		message_attr(m, 99, "new", 3);
	}
	if (n_allowed)
		put_allowed(m, first, n_allowed);
	message_nest_end(m, nest);
}

static void put_device(struct message *m)
{
	uint8_t private_key[32], public_key[32];
	uint16_t port = 51821;
	uint32_t mark = 0, ifindex = 7;

	memset(private_key, 0x55, 32);
	memset(public_key, 0x66, 32);
	message_attr(m, 6, &port, 2);
	message_attr(m, 7, &mark, 4);
	message_attr(m, 1, &ifindex, 4);
	message_attr(m, 2, "sx", 3);
	message_attr(m, 3, private_key, 32);
	message_attr(m, 4, public_key, 32);
}

static void begin_answer(struct message *m)
{
	static const uint8_t genl[4] = { 0, 1, 0, 0 };

	message_begin(m, FAMILY, NLM_F_MULTI, 1, 1);
	message_put(m, genl, 4);
}

static int read_it(struct wg_genl_reader *reader, struct message *m)
{
	message_end(m);
	return wg_genl_read(reader, (const void *)m->bytes);
}

static bool holds(const void *bytes, size_t n, uint8_t value)
{
	const uint8_t *at = bytes;

	for (size_t i = 0, run = 0; i < n; i++) {
		run = at[i] == value ? run + 1 : 0;
		if (run == 8)
			return true;
	}
	return false;
}

static void a_dump_is_read_without_the_private_key(void **state)
{
	static struct message m;
	struct wg_genl_reader reader = { 0 };
	const struct wg_peer_status *one;
	struct sockaddr_storage at = endpoint6("2001:db8::7");
	size_t nest;

	(void)state;
	begin_answer(&m);
	put_device(&m);
	nest = message_nest(&m, 8);
	put_peer(&m, 1, 0, 2, false);
	put_peer(&m, 2, 0, 0, false);
	message_nest_end(&m, nest);
	assert_int_equal(read_it(&reader, &m), 0);
	assert_int_equal(wg_genl_read_end(&reader), 0);
	assert_true(reader.observed.device.has_key);
	assert_int_equal(reader.observed.device.public_key[0], 0x66);
	assert_int_equal(reader.observed.device.listen_port, 51821);
	assert_int_equal(reader.observed.n, 2);
	one = &reader.observed.peers[0];
	assert_int_equal(one->peer.n_allowed, 2);
	assert_int_equal(one->peer.allowed[1].addr[13], 1);
	assert_int_equal(one->peer.allowed[1].len, 112);
	assert_int_equal(one->peer.keepalive_s, 25);
	assert_int_equal(one->rx_bytes, 4098);
	assert_int_equal(one->tx_bytes, 4097);
	assert_int_equal(one->last_handshake_s, 1700000000);
	assert_true(wg_endpoint_equal(&one->peer.endpoint, &at));
	assert_int_equal(reader.observed.peers[1].peer.n_allowed, 0);
	assert_true(one->peer.has_preshared && one->peer.preshared_key[31] == 0x77); /* to be compared with what it must be */
	assert_false(holds(reader.observed.peers, 2 * sizeof(*one), 0x55));
	assert_false(holds(&reader.observed.device, sizeof(reader.observed.device), 0x55));
	wg_genl_reader_deinit(&reader);
}

static void a_peer_that_goes_on_in_the_next_message_is_one_peer(void **state)
{
	static struct message m;
	struct wg_genl_reader reader = { 0 };
	size_t nest;

	(void)state;
	for (unsigned part = 0; part < 4; part++) {
		begin_answer(&m);
		if (part == 0)
			put_device(&m);
		nest = message_nest(&m, 8);
		if (part == 0)
			put_peer(&m, 1, 0, 1, false);
		if (part < 3)
			put_peer(&m, 2, part * 100, 100, part > 0);
		if (part == 2)
			put_peer(&m, 3, 0, 1, false);
		message_nest_end(&m, nest);
		assert_int_equal(read_it(&reader, &m), 0);
	}
	assert_int_equal(wg_genl_read_end(&reader), 0);
	assert_int_equal(reader.observed.n, 3);
	assert_int_equal(reader.observed.peers[0].peer.n_allowed, 1);
	assert_int_equal(reader.observed.peers[1].peer.n_allowed, 300);
	assert_int_equal(reader.observed.peers[1].peer.allowed[299].addr[13], 299 & 0xff);
	assert_int_equal(reader.observed.peers[1].peer.keepalive_s, 25);
	assert_int_equal(reader.observed.peers[2].peer.n_allowed, 1);
	assert_true(reader.observed.device.has_key);
	wg_genl_reader_deinit(&reader);
}

static void a_device_without_a_key_has_none(void **state)
{
	static struct message m;
	struct wg_genl_reader reader = { 0 };
	uint16_t port = 0;

	(void)state;
	begin_answer(&m);
	message_attr(&m, 6, &port, 2);
	assert_int_equal(read_it(&reader, &m), 0);
	assert_int_equal(wg_genl_read_end(&reader), 0);
	assert_false(reader.observed.device.has_key);
	assert_int_equal(reader.observed.n, 0);
	wg_genl_reader_deinit(&reader);
}

/* One attribute that is not as it must be. Peer level unless said. */
static const struct {
	const char *what;
	uint16_t type;
	uint8_t bytes[32];
	size_t n;
	enum { OF_PEER, OF_DEVICE, OF_PREFIX } of;
} wrong[] = {
	{ "a short public key", 1, { 1 }, 31, OF_PEER },
	{ "no public key", 0, { 0 }, 0, OF_PEER },
	{ "a shared key of 16 bytes", 2, { 1 }, 16, OF_PEER },
	{ "an endpoint of a size of no family", 4, { 2 }, 17, OF_PEER },
	{ "an endpoint with the other family", 4, { AF_INET6 }, 16, OF_PEER },
	{ "an endpoint with the other family", 4, { AF_INET }, 28, OF_PEER },
	{ "a keepalive of one byte", 5, { 1 }, 1, OF_PEER },
	{ "a handshake of eight bytes", 6, { 1 }, 8, OF_PEER },
	{ "a handshake before time", 6, { 0, 0, 0, 0, 0, 0, 0, 0x80 }, 16, OF_PEER },
	{ "four bytes of traffic", 7, { 1 }, 4, OF_PEER },
	{ "four bytes of traffic", 8, { 1 }, 4, OF_PEER },
	{ "a short device key", 4, { 1 }, 31, OF_DEVICE },
	{ "a port of four bytes", 6, { 1 }, 4, OF_DEVICE },
	{ "a family that is none", 1, { 7, 0 }, 2, OF_PREFIX },
	{ "an address of the other family", 2, { 1 }, 4, OF_PREFIX },
	{ "a length of 129", 3, { 129 }, 1, OF_PREFIX },
	{ "a length of two bytes", 3, { 1 }, 2, OF_PREFIX },
};

/* Builds the message with attribute number i wrong; i beyond the table: all right. */
static void build(struct message *m, size_t i)
{
	static const uint8_t family[2] = { AF_INET6 }, addr[16] = { 0xfd, 0xaa }, cidr[1] = { 112 };
	static const void *const good[] = { family, addr, cidr };
	static const size_t good_len[] = { 2, 16, 1 };
	bool none = i >= ARRAY_LEN(wrong);
	struct wg_peer peer = peer_of(1);
	size_t peers, one, nest, prefix;

	begin_answer(m);
	if (!none && wrong[i].of == OF_DEVICE)
		message_attr(m, wrong[i].type, wrong[i].bytes, wrong[i].n);
	peers = message_nest(m, 8);
	one = message_nest(m, 0);
	if (none || wrong[i].of != OF_PEER || wrong[i].type > 1)
		message_attr(m, 1, peer.public_key, 32);
	if (!none && wrong[i].of == OF_PEER && wrong[i].type)
		message_attr(m, wrong[i].type, wrong[i].bytes, wrong[i].n);
	nest = message_nest(m, 9);
	prefix = message_nest(m, 0);
	for (uint16_t type = 1; type <= 3; type++) {
		bool bad = !none && wrong[i].of == OF_PREFIX && wrong[i].type == type;

		message_attr(m, type, bad ? wrong[i].bytes : good[type - 1], bad ? wrong[i].n : good_len[type - 1]);
	}
	message_nest_end(m, prefix);
	message_nest_end(m, nest);
	message_nest_end(m, one);
	message_nest_end(m, peers);
}

static void attributes_are_held_to_their_form(void **state)
{
	static struct message m;

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(wrong); i++) {
		struct wg_genl_reader reader = { 0 };
		int r;

		build(&m, i);
		r = read_it(&reader, &m);
		if (r != (i < ARRAY_LEN(wrong) ? -EPROTO : 0))
			fail_msg("%s: %d", i < ARRAY_LEN(wrong) ? wrong[i].what : "nothing wrong", r);
		wg_genl_reader_deinit(&reader);
	}
}

/* In memory of exactly its size, so that a sanitizer sees any step beyond. */
static void every_cut_of_a_message_stays_within_it(void **state)
{
	static struct message m;

	(void)state;
	begin_answer(&m);
	put_device(&m);
	size_t nest = message_nest(&m, 8);
	put_peer(&m, 1, 0, 3, false);
	message_nest_end(&m, nest);
	message_end(&m);
	for (uint32_t n = 0; n <= m.len; n++) {
		struct wg_genl_reader reader = { 0 };
		uint8_t *cut = malloc(n < 16 ? 16 : n);
		int r;

		assert_non_null(cut);
		memcpy(cut, m.bytes, n < 16 ? 16 : n);
		memcpy(cut, &n, 4);
		r = wg_genl_read(&reader, (const void *)cut);
		assert_true(r == 0 || r == -EPROTO);
		if (n < 20)
			assert_int_equal(r, -EPROTO);
		if (r == 0)
			assert_int_equal(wg_genl_read_end(&reader), 0);
		wg_genl_reader_deinit(&reader);
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_added_peer_is_these_bytes),
		cmocka_unit_test(an_update_never_makes_a_peer_and_a_removal_says_no_more_than_the_key),
		cmocka_unit_test(endpoints_go_out_in_the_family_that_can_send),
		cmocka_unit_test(a_shared_key_is_set_or_taken_away),
		cmocka_unit_test(many_steps_are_many_messages),
		cmocka_unit_test(a_peer_with_more_prefixes_than_a_message_takes_goes_on_in_the_next),
		cmocka_unit_test(a_device_message_sets_only_what_is_given),
		cmocka_unit_test(a_dump_is_read_without_the_private_key),
		cmocka_unit_test(a_peer_that_goes_on_in_the_next_message_is_one_peer),
		cmocka_unit_test(a_device_without_a_key_has_none),
		cmocka_unit_test(attributes_are_held_to_their_form),
		cmocka_unit_test(every_cut_of_a_message_stays_within_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
