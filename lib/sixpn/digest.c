/* digest - the sum mod 2^256 of BLAKE2b over each record (control-plane contract G10): O(1) per change, order-free. Against
 * accidents, not forgers: the link authenticates. */
#include "lib/sixpn/record.h"

#include "lib/base/crypto.h"

#include <string.h>

static void hash_record(const struct record *r, uint8_t ret[DIGEST_LEN])
{
	uint8_t head[4 + 1 + RECORD_KEY_MAX + 8];
	size_t n = 5;

	put_u32(head, r->kind);
	head[4] = r->key_len;
	memcpy(head + n, r->key, r->key_len);
	n += r->key_len;
	put_u64(head + n, r->v);
	n += 8;
	crypto_blake2b(NULL, 0, (struct crypto_part[]){ { head, n }, { r->body, r->body_len } }, 2, ret);
}

static void add_256(uint8_t sum[DIGEST_LEN], const uint8_t x[DIGEST_LEN])
{
	unsigned carry = 0;

	for (int i = 0; i < DIGEST_LEN; i++) {
		carry += sum[i] + (unsigned)x[i];
		sum[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

static void subtract_256(uint8_t sum[DIGEST_LEN], const uint8_t x[DIGEST_LEN])
{
	int borrow = 0;

	for (int i = 0; i < DIGEST_LEN; i++) {
		int d = sum[i] - x[i] - borrow;

		borrow = d < 0;
		sum[i] = (uint8_t)(d & 0xff);
	}
}

void digest_add(struct digest *d, const struct record *r)
{
	uint8_t h[DIGEST_LEN];

	hash_record(r, h);
	add_256(d->sum, h);
	d->count++;
}

void digest_remove(struct digest *d, const struct record *r)
{
	uint8_t h[DIGEST_LEN];

	hash_record(r, h);
	subtract_256(d->sum, h);
	d->count--;
}

void digest_join(struct digest *d, const struct digest *other)
{
	add_256(d->sum, other->sum);
	d->count += other->count;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return a->count == b->count && !memcmp(a->sum, b->sum, DIGEST_LEN);
}
