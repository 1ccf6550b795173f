/* tai64n - see tai64n.h. */
#include "lib/noise/tai64n.h"

#include "lib/base/buf.h"

#include <string.h>

/* TAI was ten seconds ahead of UTC when Unix time began; WireGuard counts no leap second after that, and neither do we. */
#define TAI64_UNIX_EPOCH ((1ull << 62) + 10)
#define NS_PER_SECOND 1000000000u

void tai64n_from_unix(uint64_t seconds, uint32_t nanoseconds, uint8_t ret[TAI64N_LEN])
{
	put_u64(ret, TAI64_UNIX_EPOCH + seconds);
	put_u32(ret + 8, nanoseconds);
}

void tai64n_from_ms(uint64_t unix_ms, uint8_t ret[TAI64N_LEN])
{
	tai64n_from_unix(unix_ms / 1000, (uint32_t)(unix_ms % 1000) * 1000000u, ret);
}

void tai64n_from_ns(uint64_t unix_ns, uint8_t ret[TAI64N_LEN])
{
	tai64n_from_unix(unix_ns / NS_PER_SECOND, (uint32_t)(unix_ns % NS_PER_SECOND), ret);
}

int tai64n_compare(const uint8_t a[TAI64N_LEN], const uint8_t b[TAI64N_LEN])
{
	return memcmp(a, b, TAI64N_LEN);
}

void tai64n_next(const uint8_t last[TAI64N_LEN], uint64_t unix_ms, uint8_t ret[TAI64N_LEN])
{
	uint8_t now[TAI64N_LEN];

	tai64n_from_ms(unix_ms, now);
	if (tai64n_compare(now, last) <= 0) {
		uint64_t seconds = get_u64(last);
		uint32_t nanoseconds = get_u32(last + 8) + 1;

		if (nanoseconds >= NS_PER_SECOND) {
			nanoseconds = 0;
			seconds++;
		}
		put_u64(now, seconds);
		put_u32(now + 8, nanoseconds);
	}
	memcpy(ret, now, sizeof now);
}
