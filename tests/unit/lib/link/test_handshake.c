/* Handshake messages between the two sides, without sessions or network around them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lib/link/handshake.h"

#include <string.h>

static struct clock_virtual v = { .now_ms = 1000, .seed = 11 };
static struct link_door door;
static uint8_t node_private[32];

static int knock(struct link_knock *k, enum link_kind kind, const uint8_t *cookie, struct buf *ret_frame)
{
	struct clock clock = clock_virtual(&v);
	struct link_hello hello = { .stamp = { 0x40, [11] = 9 }, .boot_id = { 1, 2, 3 }, .boot_count = 77, .features = 5 };

	return link_knock_write(k, &clock, kind, node_private, door.public_key, &hello, cookie, ret_frame);
}

static void both_sides_end_with_the_same_keys_and_know_each_other(void **state)
{
	struct clock clock = clock_virtual(&v);
	CLEAN_BUF struct buf hello_frame = BUF_INIT(0), welcome_frame = BUF_INIT(0);
	struct link_session client = { 0 }, server = { 0 };
	uint8_t key[32], node_public[32];
	struct link_knock k = { .sender = 0 };
	struct link_hello hello;
	struct link_frame f;
	enum link_drop reason;
	struct noise_ik ik;
	uint64_t features;

	(void)state;
	assert_int_equal(knock(&k, LINK_KIND_NODE, NULL, &hello_frame), 0);
	assert_int_equal(link_frame_parse(hello_frame.data, hello_frame.len, true, &f, &reason), 0);
	assert_true(link_door_mac1_good(&door, &f));
	assert_int_equal(link_door_read_hello(&door, &f, &ik, &hello, key, &reason), 0);
	crypto_x25519_public(node_private, node_public);
	assert_memory_equal(key, node_public, 32);
	assert_int_equal(hello.boot_count, 77);
	assert_int_equal(hello.boot_id[2], 3);
	assert_int_equal(link_door_write_welcome(&ik, &clock, f.sender, 4242, 6, &welcome_frame, &server), 0);
	assert_int_equal(link_frame_parse(welcome_frame.data, welcome_frame.len, false, &f, &reason), 0);
	assert_int_equal(link_knock_read_welcome(&k, &clock, &f, &client, &features, &reason), 0);
	assert_int_equal(client.id, 4242);
	assert_int_equal(features, 6);
	assert_memory_equal(client.send_key, server.receive_key, 32);
	assert_memory_equal(client.receive_key, server.send_key, 32);
	assert_memory_not_equal(client.receive_key, client.send_key, 32);
}

static void the_kind_is_part_of_what_is_signed(void **state)
{
	CLEAN_BUF struct buf frame = BUF_INIT(0);
	struct link_knock k = { .sender = 0 };
	struct link_hello hello;
	struct link_frame f;
	enum link_drop reason;
	struct noise_ik ik;
	uint8_t key[32];

	(void)state;
	assert_int_equal(knock(&k, LINK_KIND_ENROLL, NULL, &frame), 0);
	frame.data[1] = LINK_KIND_NODE;
	assert_int_equal(link_frame_parse(frame.data, frame.len, true, &f, &reason), 0);
	assert_int_equal(link_door_read_hello(&door, &f, &ik, &hello, key, &reason), E_REFUSED);
	assert_int_equal(reason, LINK_DROP_HANDSHAKE);
	noise_ik_wipe(&ik);
	link_knock_wipe(&k);
}

static void a_controller_key_that_is_no_key_is_an_error_not_a_session(void **state)
{
	struct clock clock = clock_virtual(&v);
	CLEAN_BUF struct buf frame = BUF_INIT(0);
	uint8_t low_order[32] = { 1 };
	struct link_hello hello = { .boot_count = 1 };
	struct link_knock k = { .sender = 0 };

	(void)state;
	assert_int_equal(link_knock_write(&k, &clock, LINK_KIND_NODE, node_private, low_order, &hello, NULL, &frame), -EINVAL);
	assert_int_equal(frame.len, 0);
}

static void hello_and_welcome_want_every_field_in_its_length(void **state)
{
	uint8_t bytes[40] = { 0x0a, 12, [14] = 0x12, [15] = 16 };
	struct link_hello hello;
	uint64_t features;
	uint32_t session;

	(void)state;
	assert_int_equal(link_hello_unpack(bytes, 32, &hello), 0);
	assert_int_equal(link_hello_unpack(bytes, 31, &hello), E_REFUSED);
	assert_int_equal(link_hello_unpack(bytes, 14, &hello), E_REFUSED);
	assert_int_equal(link_hello_unpack(bytes, 0, &hello), E_REFUSED);
	assert_int_equal(link_welcome_unpack((uint8_t[]){ 0x08, 9 }, 2, &session, &features), 0);
	assert_int_equal(session, 9);
	assert_int_equal(link_welcome_unpack((uint8_t[]){ 0x08, 0 }, 2, &session, &features), E_REFUSED);
	assert_int_equal(link_welcome_unpack(NULL, 0, &session, &features), E_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_end_with_the_same_keys_and_know_each_other),
		cmocka_unit_test(the_kind_is_part_of_what_is_signed),
		cmocka_unit_test(a_controller_key_that_is_no_key_is_an_error_not_a_session),
		cmocka_unit_test(hello_and_welcome_want_every_field_in_its_length),
	};
	uint8_t private_key[32];
	struct clock clock = clock_virtual(&v);

	crypto_init();
	clock_random(&clock, node_private, 32);
	clock_random(&clock, private_key, 32);
	link_door_init(&door, private_key);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
