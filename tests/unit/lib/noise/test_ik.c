/* The handshake of the control link: published vectors, every byte of every message, points of low order, order of calls. */
#include "noise_test.h"

#include "lib/noise/ik.h"
#include "vectors_ik.h"

#define PROLOGUE "sixpn-link-1poll"
#define PAYLOAD_1 "first payload"
#define PAYLOAD_2 "second payload"

struct pair {
	struct noise_ik initiator, responder;
	uint8_t initiator_public[CRYPTO_KEY_LEN];
	struct buf message_1, message_2, payload;
};

static const uint8_t initiator_private[CRYPTO_KEY_LEN] = { [0 ... 31] = 1 };
static const uint8_t responder_private[CRYPTO_KEY_LEN] = { [0 ... 31] = 2 };

static int set_up(void **state)
{
	struct pair *p = test_calloc(1, sizeof *p);
	uint8_t responder_public[CRYPTO_KEY_LEN];

	crypto_x25519_public(initiator_private, p->initiator_public);
	crypto_x25519_public(responder_private, responder_public);
	noise_ik_init_initiator(&p->initiator, PROLOGUE, strlen(PROLOGUE), initiator_private, responder_public);
	noise_ik_init_responder(&p->responder, PROLOGUE, strlen(PROLOGUE), responder_private);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *p = *state;

	buf_deinit(&p->message_1);
	buf_deinit(&p->message_2);
	buf_deinit(&p->payload);
	test_free(p);
	return 0;
}

static void exchange_message_1(struct pair *p)
{
	const struct clock clock = clock_real();
	uint8_t peer[CRYPTO_KEY_LEN];

	assert_int_equal(noise_ik_write_1(&p->initiator, &clock, PAYLOAD_1, strlen(PAYLOAD_1), &p->message_1), 0);
	assert_int_equal(noise_ik_read_1(&p->responder, p->message_1.data, p->message_1.len, &p->payload, peer), 0);
	assert_memory_equal(peer, p->initiator_public, sizeof peer);
}

static void write_message_2(struct pair *p)
{
	const struct clock clock = clock_real();

	exchange_message_1(p);
	assert_int_equal(noise_ik_write_2(&p->responder, &clock, PAYLOAD_2, strlen(PAYLOAD_2), &p->message_2), 0);
}

static void assert_dead(struct noise_ik *ik)
{
	static const struct noise_ik wiped;
	uint8_t a[CRYPTO_KEY_LEN], b[CRYPTO_KEY_LEN];
	CLEAN_BUF struct buf out = BUF_INIT(0);
	const struct clock clock = clock_real();
	const uint8_t message[200] = { 0 };

	assert_memory_equal(ik, &wiped, sizeof wiped);
	assert_int_equal(noise_ik_write_1(ik, &clock, "", 0, &out), -EPROTO);
	assert_int_equal(noise_ik_read_1(ik, message, sizeof message, &out, a), -EPROTO);
	assert_int_equal(noise_ik_write_2(ik, &clock, "", 0, &out), -EPROTO);
	assert_int_equal(noise_ik_read_2(ik, message, sizeof message, &out), -EPROTO);
	assert_int_equal(noise_ik_split(ik, a, b, NULL), -EPROTO);
	assert_int_equal(out.len, 0);
}

/* --- vectors --- */

static size_t vector_transport(const struct ik_vector *v, uint8_t keys[2][CRYPTO_KEY_LEN])
{
	size_t i;

	for (i = 2; i < VECTOR_MESSAGES && v->messages[i].message; i++) {
		uint8_t payload[256], sealed[256], nonce[12];
		size_t n = unhex(v->messages[i].payload, payload);

		noise_nonce((i - 2) / 2, nonce);
		crypto_seal(keys[i % 2], nonce, NULL, 0, payload, n, sealed);
		assert_hex(sealed, n + CRYPTO_AEAD_TAG_LEN, v->messages[i].message);
	}
	return i;
}

static struct noise_ik vector_initiator(const struct ik_vector *v)
{
	uint8_t prologue[128], own[CRYPTO_KEY_LEN], remote[CRYPTO_KEY_LEN];
	struct noise_ik ik;
	size_t n = unhex(v->prologue, prologue);

	unhex(v->initiator_static, own);
	unhex(v->responder_public, remote);
	noise_ik_init_initiator(&ik, prologue, n, own, remote);
	return ik;
}

static struct noise_ik vector_responder(const struct ik_vector *v)
{
	uint8_t prologue[128], own[CRYPTO_KEY_LEN];
	struct noise_ik ik;
	size_t n = unhex(v->prologue, prologue);

	unhex(v->responder_static, own);
	noise_ik_init_responder(&ik, prologue, n, own);
	return ik;
}

static void run_vector(const struct ik_vector *v)
{
	struct noise_ik initiator = vector_initiator(v), responder = vector_responder(v);
	uint8_t random[CRYPTO_KEY_LEN], payload[256], peer[CRYPTO_KEY_LEN], expected[CRYPTO_KEY_LEN];
	uint8_t at_initiator[2][CRYPTO_KEY_LEN], at_responder[2][CRYPTO_KEY_LEN], hash[2][BLAKE2S_LEN];
	struct known_clock known = { .bytes = random, .left = sizeof random };
	const struct clock clock = known_clock(&known);
	CLEAN_BUF struct buf message = BUF_INIT(0), got = BUF_INIT(0);
	size_t n = unhex(v->messages[0].payload, payload);

	unhex(v->initiator_ephemeral, random);
	assert_int_equal(noise_ik_write_1(&initiator, &clock, payload, n, &message), 0);
	assert_hex(message.data, message.len, v->messages[0].message);
	assert_int_equal(noise_ik_read_1(&responder, message.data, message.len, &got, peer), 0);
	assert_hex(got.data, got.len, v->messages[0].payload);
	unhex(v->initiator_static, random);
	crypto_x25519_public(random, expected);
	assert_memory_equal(peer, expected, sizeof peer);

	buf_clear(&message);
	buf_clear(&got);
	n = unhex(v->messages[1].payload, payload);
	unhex(v->responder_ephemeral, random);
	known = (struct known_clock){ .bytes = random, .left = sizeof random };
	assert_int_equal(noise_ik_write_2(&responder, &clock, payload, n, &message), 0);
	assert_hex(message.data, message.len, v->messages[1].message);
	assert_int_equal(noise_ik_read_2(&initiator, message.data, message.len, &got), 0);
	assert_hex(got.data, got.len, v->messages[1].payload);

	assert_int_equal(noise_ik_split(&initiator, at_initiator[0], at_initiator[1], hash[0]), 0);
	assert_int_equal(noise_ik_split(&responder, at_responder[1], at_responder[0], hash[1]), 0);
	assert_memory_equal(at_initiator, at_responder, sizeof at_initiator);
	assert_memory_equal(hash[0], hash[1], BLAKE2S_LEN);
	assert_true(vector_transport(v, at_initiator) >= 4);
}

static void published_vectors_come_out_byte_for_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ik_vectors); i++)
		run_vector(&ik_vectors[i]);
}

/* --- what must be refused --- */

static void flipping_any_byte_of_message_1_is_refused(void **state)
{
	struct pair *p = *state;
	const struct noise_ik fresh = p->responder;
	uint8_t peer[CRYPTO_KEY_LEN];

	exchange_message_1(p);
	for (size_t i = 0; i < p->message_1.len; i++) {
		struct noise_ik responder = fresh;

		memset(peer, 0xee, sizeof peer);
		buf_clear(&p->payload);
		p->message_1.data[i] ^= 1;
		assert_int_equal(noise_ik_read_1(&responder, p->message_1.data, p->message_1.len, &p->payload, peer), E_REFUSED);
		p->message_1.data[i] ^= 1;
		assert_int_equal(p->payload.len, 0);
		assert_int_equal(peer[0], 0xee);
	}
}

static void flipping_any_byte_of_message_2_is_refused(void **state)
{
	struct pair *p = *state;

	write_message_2(p);
	for (size_t i = 0; i < p->message_2.len; i++) {
		struct noise_ik initiator = p->initiator;

		buf_clear(&p->payload);
		p->message_2.data[i] ^= 1;
		assert_int_equal(noise_ik_read_2(&initiator, p->message_2.data, p->message_2.len, &p->payload), E_REFUSED);
		p->message_2.data[i] ^= 1;
		assert_int_equal(p->payload.len, 0);
	}
	assert_int_equal(noise_ik_read_2(&p->initiator, p->message_2.data, p->message_2.len, &p->payload), 0);
}

static void any_wrong_length_of_message_1_is_refused(void **state)
{
	struct pair *p = *state;
	const struct noise_ik fresh = p->responder;
	uint8_t peer[CRYPTO_KEY_LEN];

	exchange_message_1(p);
	buf_add_u8(&p->message_1, 0);
	for (size_t len = 0; len <= p->message_1.len; len++) {
		struct noise_ik responder = fresh;

		if (len != p->message_1.len - 1)
			assert_int_equal(noise_ik_read_1(&responder, p->message_1.data, len, &p->payload, peer), E_REFUSED);
	}
}

static void any_wrong_length_of_message_2_is_refused(void **state)
{
	struct pair *p = *state;

	write_message_2(p);
	buf_add_u8(&p->message_2, 0);
	for (size_t len = 0; len <= p->message_2.len; len++) {
		struct noise_ik initiator = p->initiator;

		if (len != p->message_2.len - 1)
			assert_int_equal(noise_ik_read_2(&initiator, p->message_2.data, len, &p->payload), E_REFUSED);
	}
}

static void a_message_longer_than_noise_allows_is_refused(void **state)
{
	struct pair *p = *state;
	static uint8_t big[NOISE_MESSAGE_MAX + 1];
	uint8_t peer[CRYPTO_KEY_LEN];
	const struct clock clock = clock_real();

	assert_int_equal(noise_ik_read_1(&p->responder, big, sizeof big, &p->payload, peer), E_REFUSED);
	assert_int_equal(noise_ik_write_1(&p->initiator, &clock, big, NOISE_MESSAGE_MAX - NOISE_IK_OVERHEAD_1 + 1, &p->message_1),
			 -EMSGSIZE);
}

static void another_prologue_is_refused(void **state)
{
	struct pair *p = *state;
	uint8_t peer[CRYPTO_KEY_LEN];
	const struct clock clock = clock_real();

	noise_ik_init_responder(&p->responder, "sixpn-link-2", 12, responder_private);
	assert_int_equal(noise_ik_write_1(&p->initiator, &clock, "", 0, &p->message_1), 0);
	assert_int_equal(noise_ik_read_1(&p->responder, p->message_1.data, p->message_1.len, &p->payload, peer), E_REFUSED);
}

static void a_responder_with_another_key_cannot_read(void **state)
{
	struct pair *p = *state;
	uint8_t peer[CRYPTO_KEY_LEN];
	const struct clock clock = clock_real();

	noise_ik_init_responder(&p->responder, PROLOGUE, strlen(PROLOGUE), initiator_private);
	assert_int_equal(noise_ik_write_1(&p->initiator, &clock, "", 0, &p->message_1), 0);
	assert_int_equal(noise_ik_read_1(&p->responder, p->message_1.data, p->message_1.len, &p->payload, peer), E_REFUSED);
}

static void low_order_ephemeral_in_message_1_is_refused(void **state)
{
	struct pair *p = *state;
	const struct noise_ik fresh = p->responder;
	uint8_t peer[CRYPTO_KEY_LEN];

	exchange_message_1(p);
	for (size_t i = 0; i < LOW_ORDER_POINTS; i++) {
		struct noise_ik responder = fresh;

		unhex(low_order_points[i], p->message_1.data);
		assert_int_equal(noise_ik_read_1(&responder, p->message_1.data, p->message_1.len, &p->payload, peer), E_REFUSED);
	}
}

/* The seals around it are right, so only the check of the shared secret stands in the way. */
static void low_order_static_in_message_1_is_refused(void **state)
{
	struct pair *p = *state;
	const struct clock clock = clock_real();

	for (size_t i = 0; i < LOW_ORDER_POINTS; i++) {
		struct noise_ik initiator = p->initiator, responder = p->responder;
		struct noise_symmetric forger = p->initiator.symmetric;
		uint8_t ephemeral[CRYPTO_KEY_LEN], message[NOISE_IK_OVERHEAD_1], low[CRYPTO_KEY_LEN], peer[CRYPTO_KEY_LEN];
		const uint8_t zero[CRYPTO_KEY_LEN] = { 0 };

		clock_random(&clock, ephemeral, sizeof ephemeral);
		crypto_x25519_public(ephemeral, message);
		noise_symmetric_mix_hash(&forger, message, CRYPTO_KEY_LEN);
		assert_int_equal(noise_symmetric_mix_dh(&forger, ephemeral, initiator.remote_static), 0);
		unhex(low_order_points[i], low);
		noise_symmetric_encrypt_and_hash(&forger, low, sizeof low, message + 32);
		noise_symmetric_mix_key(&forger, zero, sizeof zero); /* what the zero shared secret would give */
		noise_symmetric_encrypt_and_hash(&forger, "", 0, message + 80);
		assert_int_equal(noise_ik_read_1(&responder, message, sizeof message, &p->payload, peer), E_REFUSED);
	}
}

static void low_order_ephemeral_in_message_2_is_refused(void **state)
{
	struct pair *p = *state;

	write_message_2(p);
	for (size_t i = 0; i < LOW_ORDER_POINTS; i++) {
		struct noise_ik initiator = p->initiator;

		unhex(low_order_points[i], p->message_2.data);
		assert_int_equal(noise_ik_read_2(&initiator, p->message_2.data, p->message_2.len, &p->payload), E_REFUSED);
	}
}

static void a_low_order_responder_key_cannot_be_written_to(void **state)
{
	struct pair *p = *state;
	const struct clock clock = clock_real();

	for (size_t i = 0; i < LOW_ORDER_POINTS; i++) {
		uint8_t low[CRYPTO_KEY_LEN];

		unhex(low_order_points[i], low);
		noise_ik_init_initiator(&p->initiator, "", 0, initiator_private, low);
		assert_int_equal(noise_ik_write_1(&p->initiator, &clock, "", 0, &p->message_1), -EINVAL);
		assert_int_equal(p->message_1.len, 0);
	}
}

/* --- states --- */

static void a_failed_read_wipes_the_state_for_good(void **state)
{
	struct pair *p = *state;
	uint8_t peer[CRYPTO_KEY_LEN];

	write_message_2(p);
	p->message_2.data[40] ^= 1;
	assert_int_equal(noise_ik_read_2(&p->initiator, p->message_2.data, p->message_2.len, &p->payload), E_REFUSED);
	assert_dead(&p->initiator);
	noise_ik_init_responder(&p->responder, PROLOGUE, strlen(PROLOGUE), responder_private);
	assert_int_equal(noise_ik_read_1(&p->responder, p->message_1.data, p->message_1.len - 1, &p->payload, peer), E_REFUSED);
	assert_dead(&p->responder);
}

static void calls_out_of_order_end_the_handshake(void **state)
{
	struct pair *p = *state;
	uint8_t a[CRYPTO_KEY_LEN], b[CRYPTO_KEY_LEN];
	const struct clock clock = clock_real();
	struct noise_ik initiator = p->initiator;

	assert_int_equal(noise_ik_split(&initiator, a, b, NULL), -EPROTO);
	assert_dead(&initiator);
	initiator = p->initiator;
	assert_int_equal(noise_ik_read_2(&initiator, a, sizeof a, &p->payload), -EPROTO);
	assert_dead(&initiator);
	assert_int_equal(noise_ik_write_2(&p->responder, &clock, "", 0, &p->message_2), -EPROTO);
	assert_dead(&p->responder);
}

static void split_can_be_had_only_once(void **state)
{
	struct pair *p = *state;
	uint8_t a[CRYPTO_KEY_LEN], b[CRYPTO_KEY_LEN];

	write_message_2(p);
	assert_int_equal(noise_ik_split(&p->responder, a, b, NULL), 0);
	assert_dead(&p->responder);
}

static void a_full_buffer_ends_the_handshake(void **state)
{
	struct pair *p = *state;
	CLEAN_BUF struct buf small = BUF_INIT(50);
	const struct clock clock = clock_real();

	assert_int_equal(noise_ik_write_1(&p->initiator, &clock, "", 0, &small), -ENOMEM);
	assert_dead(&p->initiator);
}

static void messages_and_payloads_are_appended_to_what_is_there(void **state)
{
	struct pair *p = *state;
	uint8_t peer[CRYPTO_KEY_LEN];
	const struct clock clock = clock_real();

	buf_add_str(&p->message_1, "head");
	buf_add_str(&p->payload, "before ");
	assert_int_equal(noise_ik_write_1(&p->initiator, &clock, PAYLOAD_1, strlen(PAYLOAD_1), &p->message_1), 0);
	assert_int_equal(p->message_1.len, 4 + NOISE_IK_OVERHEAD_1 + strlen(PAYLOAD_1));
	assert_memory_equal(p->message_1.data, "head", 4);
	assert_int_equal(noise_ik_read_1(&p->responder, p->message_1.data + 4, p->message_1.len - 4, &p->payload, peer), 0);
	assert_string_equal(buf_str(&p->payload), "before " PAYLOAD_1);
}

static void a_copy_survives_a_forged_answer(void **state)
{
	struct pair *p = *state;
	struct noise_ik copy;
	uint8_t forged[60] = { 9 };

	write_message_2(p);
	copy = p->initiator;
	assert_int_equal(noise_ik_read_2(&copy, forged, sizeof forged, &p->payload), E_REFUSED);
	assert_int_equal(noise_ik_read_2(&p->initiator, p->message_2.data, p->message_2.len, &p->payload), 0);
}

#define WITH_PAIR(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors_come_out_byte_for_byte),
		WITH_PAIR(flipping_any_byte_of_message_1_is_refused),
		WITH_PAIR(flipping_any_byte_of_message_2_is_refused),
		WITH_PAIR(any_wrong_length_of_message_1_is_refused),
		WITH_PAIR(any_wrong_length_of_message_2_is_refused),
		WITH_PAIR(a_message_longer_than_noise_allows_is_refused),
		WITH_PAIR(another_prologue_is_refused),
		WITH_PAIR(a_responder_with_another_key_cannot_read),
		WITH_PAIR(low_order_ephemeral_in_message_1_is_refused),
		WITH_PAIR(low_order_static_in_message_1_is_refused),
		WITH_PAIR(low_order_ephemeral_in_message_2_is_refused),
		WITH_PAIR(a_low_order_responder_key_cannot_be_written_to),
		WITH_PAIR(a_failed_read_wipes_the_state_for_good),
		WITH_PAIR(calls_out_of_order_end_the_handshake),
		WITH_PAIR(split_can_be_had_only_once),
		WITH_PAIR(a_full_buffer_ends_the_handshake),
		WITH_PAIR(messages_and_payloads_are_appended_to_what_is_there),
		WITH_PAIR(a_copy_survives_a_forged_answer),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
