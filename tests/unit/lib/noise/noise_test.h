/* noise_test - what the tests of this room share: hex in, a clock whose randomness is a known row of bytes. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/crypto.h"

#define LOW_ORDER_POINTS 7

/* The points of Curve25519 (and two written unreduced) with which every X25519 is zero. */
static const char *const low_order_points[LOW_ORDER_POINTS] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static inline size_t unhex(const char *text, uint8_t *ret)
{
	size_t n = strlen(text) / 2;

	assert_int_equal(crypto_unhex(text, strlen(text), ret, n), 0);
	return n;
}

static inline void assert_hex(const uint8_t *bytes, size_t n, const char *expected)
{
	char text[2 * 512 + 1];

	assert_true(n <= 512);
	crypto_hex(bytes, n, text);
	assert_string_equal(text, expected);
}

/* A clock that stands still until told and draws from `bytes`. */
struct known_clock {
	uint64_t now_ms;
	const uint8_t *bytes;
	size_t left;
};

static inline uint64_t known_now(void *ctx)
{
	return ((struct known_clock *)ctx)->now_ms;
}

static inline void known_random(void *ctx, void *ret_bytes, size_t n)
{
	struct known_clock *k = ctx;

	assert_true(k->left >= n);
	memcpy(ret_bytes, k->bytes, n);
	k->bytes += n;
	k->left -= n;
}

static const struct clock_ops known_clock_ops = { .mono_ms = known_now, .real_ms = known_now, .random = known_random };

static inline struct clock known_clock(struct known_clock *k)
{
	return (struct clock){ .ops = &known_clock_ops, .ctx = k };
}
