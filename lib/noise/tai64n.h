/* tai64n - the 12-byte timestamp that WireGuard and our link put into message 1 so that a recorded one is recognised.
 * Big-endian: 8 bytes 2^62 + 10 + Unix seconds, 4 bytes nanoseconds. Order of the bytes is order in time; a receiver accepts only
 * what is later than the last from that key, so a sender that may send twice in one tick keeps its last stamp and goes one up
 * (tai64n_next). */
#pragma once
#include "lib/base/err.h"

#define TAI64N_LEN 12

/* nanoseconds < 1e9. */
void tai64n_from_unix(uint64_t seconds, uint32_t nanoseconds, uint8_t ret[TAI64N_LEN]);
void tai64n_from_ms(uint64_t unix_ms, uint8_t ret[TAI64N_LEN]);
void tai64n_from_ns(uint64_t unix_ns, uint8_t ret[TAI64N_LEN]);
/* < 0, 0, > 0 as memcmp. */
int tai64n_compare(const uint8_t a[TAI64N_LEN], const uint8_t b[TAI64N_LEN]);
/* The stamp for unix_ms, or last + 1 ns if that would not be later than last (all zero = none yet). ret may be last. */
void tai64n_next(const uint8_t last[TAI64N_LEN], uint64_t unix_ms, uint8_t ret[TAI64N_LEN]);
