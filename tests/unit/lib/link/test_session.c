/* The counter window and sealed frames. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lib/link/session.h"

#include <string.h>

static void the_window_takes_each_counter_once_and_none_behind_it(void **state)
{
	static const struct {
		uint64_t counter;
		bool fresh;
	} rows[] = {
		{ 0, false }, { 1, true }, { 1, false }, { 3, true }, { 2, true }, { 2, false }, { 64, true }, { 1, false }, { 4, true },
		{ 65, true }, { 66, true }, { 5, true }, { 5, false }, { 67, true }, { 68, true }, { 4, false }, { 200, true }, { 136, false },
		{ 137, true }, { 137, false }, { 199, true }, { 201, true }, { 200, false }, { 264, true }, { 200, false }, { 201, false },
		{ UINT64_MAX, true }, { UINT64_MAX, false }, { UINT64_MAX - 63, true }, { UINT64_MAX - 64, false }, { 264, false },
	};
	struct link_window w = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(link_window_fresh(&w, rows[i].counter), rows[i].fresh);
		if (rows[i].fresh)
			link_window_mark(&w, rows[i].counter);
	}
}

static void the_window_agrees_with_a_plain_list_of_what_was_seen(void **state)
{
	struct link_window w = { 0 };
	static bool seen[4096];
	uint64_t top = 0, random = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t counter;
		bool fresh;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		counter = 1 + (uint64_t)i / 6 + (random >> 33) % 100;
		fresh = !seen[counter] && (counter > top || top - counter < 64);
		assert_int_equal(link_window_fresh(&w, counter), fresh);
		if (!fresh)
			continue;
		link_window_mark(&w, counter);
		seen[counter] = true;
		top = counter > top ? counter : top;
	}
}

static void a_forged_frame_leaves_its_counter_free_for_the_true_one(void **state)
{
	struct link_session a = { .id = 5, .send_key = { 1 } }, b = { .id = 5, .receive_key = { 1 } };
	CLEAN_BUF struct buf frame = BUF_INIT(0);
	struct link_frame f;
	enum link_drop reason;
	uint8_t plain[16];
	uint64_t counter;

	(void)state;
	assert_int_equal(link_session_seal(&a, LINK_FRAME_REQUEST, LINK_POLL, 0, "abc", 3, &frame, &counter), 0);
	assert_int_equal(counter, 1);
	frame.data[frame.len - 1] ^= 1;
	assert_int_equal(link_frame_parse(frame.data, frame.len, true, &f, &reason), 0);
	assert_int_equal(link_session_open(&b, &f, plain, &reason), E_REFUSED);
	assert_int_equal(reason, LINK_DROP_FORGED);
	frame.data[frame.len - 1] ^= 1;
	assert_int_equal(link_session_open(&b, &f, plain, &reason), 0);
	assert_memory_equal(plain, "abc", 3);
	assert_int_equal(link_session_open(&b, &f, plain, &reason), E_REFUSED);
	assert_int_equal(reason, LINK_DROP_COUNTER);
}

static void an_empty_payload_is_sealed_too(void **state)
{
	struct link_session a = { .id = 5, .send_key = { 1 } }, b = { .id = 5, .receive_key = { 1 } };
	CLEAN_BUF struct buf frame = BUF_INIT(0);
	struct link_frame f;
	enum link_drop reason;
	uint8_t plain[1];
	uint64_t counter;

	(void)state;
	assert_int_equal(link_session_seal(&a, LINK_FRAME_REPLY, LINK_POLL, 9, NULL, 0, &frame, &counter), 0);
	assert_int_equal(frame.len, LINK_CALL_OVERHEAD);
	assert_int_equal(link_frame_parse(frame.data, frame.len, false, &f, &reason), 0);
	assert_int_equal(f.answers, 9);
	assert_int_equal(link_session_open(&b, &f, plain, &reason), 0);
}

static void the_header_on_the_wire_is_this(void **state)
{
	static const uint8_t want[LINK_CALL_HEADER] = { 4, 2, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1, 0 };
	uint8_t header[LINK_CALL_HEADER];

	(void)state;
	link_frame_put_call(header, LINK_FRAME_REPLY, LINK_POLL, 0x01020304, 7, 256);
	assert_memory_equal(header, want, sizeof want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_window_takes_each_counter_once_and_none_behind_it),
		cmocka_unit_test(the_window_agrees_with_a_plain_list_of_what_was_seen),
		cmocka_unit_test(a_forged_frame_leaves_its_counter_free_for_the_true_one),
		cmocka_unit_test(an_empty_payload_is_sealed_too),
		cmocka_unit_test(the_header_on_the_wire_is_this),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
