/* admission - see admission.h. Two fixed tables of four-way sets, indexed by a keyed hash of the address so that nobody can choose
 * whose place he takes: one of buckets, one of addresses that held a session. A full set gives up its oldest entry: forgetting a
 * bucket lets one source begin afresh, which the total buckets bound. */
#include "lib/link/admission.h"

#include "lib/base/buf.h"
#include "lib/base/crypto.h"

#include <stdlib.h>
#include <string.h>

#define SETS 2048
#define WAYS 4
#define KNOWN_MS (60 * 60 * 1000)

struct bucket {
	uint64_t milli; /* tokens in thousandths */
	uint64_t at_ms;
};

struct entry {
	uint8_t address[16];
	bool used;
	uint64_t at_ms; /* last touched */
	struct bucket bucket;
};

struct link_admission {
	struct clock clock;
	struct link_admission_limits limits;
	uint8_t hash_key[CRYPTO_KEY_LEN];
	struct bucket total, reserved;
	uint64_t second, this_second, last_second; /* how many handshakes */
	struct entry sources[SETS][WAYS], known[SETS][WAYS];
};

static void limits_default(struct link_admission_limits *l)
{
#define DEFAULT(field, value) l->field = l->field ? l->field : (value)
	DEFAULT(source_per_second, 20);
	DEFAULT(source_burst, 100);
	DEFAULT(total_per_second, 500);
	DEFAULT(total_burst, 1000);
	DEFAULT(reserved_per_second, 500);
	DEFAULT(reserved_burst, 1000);
	DEFAULT(load_per_second, 200);
#undef DEFAULT
}

static struct bucket bucket_full(uint32_t burst, uint64_t now)
{
	return (struct bucket){ .milli = (uint64_t)burst * 1000, .at_ms = now };
}

/* Per second tokens are per ms thousandths: the refill is exact. */
static bool bucket_has(struct bucket *b, uint32_t per_second, uint32_t burst, uint64_t now)
{
	uint64_t full = (uint64_t)burst * 1000, gone = now - b->at_ms;

	b->milli = gone >= full ? full : b->milli + gone * per_second;
	if (b->milli > full)
		b->milli = full;
	b->at_ms = now;
	return b->milli >= 1000;
}

static void address_key(const struct link_source *source, bool whole, uint8_t ret[16])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	memset(ret, 0, 16);
	if (source->len != 16)
		return; /* all unknown sources share one place */
	memcpy(ret, source->address, 16);
	if (!whole && memcmp(ret, mapped, sizeof mapped) != 0)
		memset(ret + 8, 0, 8); /* whoever has one IPv6 address has 2^64 */
}

static struct entry *set_of(struct link_admission *a, struct entry table[SETS][WAYS], const uint8_t address[16])
{
	struct crypto_part part = { address, 16 };
	uint8_t hash[CRYPTO_HASH_LEN];

	crypto_blake2b(a->hash_key, sizeof a->hash_key, &part, 1, hash);
	return table[get_u16(hash) % SETS];
}

static struct entry *find(struct entry *set, const uint8_t address[16])
{
	for (int i = 0; i < WAYS; i++)
		if (set[i].used && memcmp(set[i].address, address, 16) == 0)
			return &set[i];
	return NULL;
}

static struct entry *claim(struct entry *set, const uint8_t address[16], uint64_t now)
{
	struct entry *e = &set[0];

	for (int i = 0; i < WAYS; i++) {
		if (!set[i].used) {
			e = &set[i];
			break;
		}
		if (set[i].at_ms < e->at_ms)
			e = &set[i];
	}
	*e = (struct entry){ .used = true, .at_ms = now };
	memcpy(e->address, address, 16);
	return e;
}

int link_admission_new(const struct clock *clock, const struct link_admission_limits *limits, struct link_admission **ret_admission)
{
	struct link_admission *a = calloc(1, sizeof *a);
	uint64_t now = clock_mono_ms(clock);

	if (!a)
		return -ENOMEM;
	a->clock = *clock;
	a->limits = *limits;
	limits_default(&a->limits);
	clock_random(clock, a->hash_key, sizeof a->hash_key);
	a->total = bucket_full(a->limits.total_burst, now);
	a->reserved = bucket_full(a->limits.reserved_burst, now);
	*ret_admission = a;
	return 0;
}

struct link_admission *link_admission_free(struct link_admission *a)
{
	free(a);
	return NULL;
}

bool link_admission_loaded(struct link_admission *a)
{
	uint64_t second = clock_mono_ms(&a->clock) / 1000;

	if (second != a->second) {
		a->last_second = second == a->second + 1 ? a->this_second : 0;
		a->this_second = 0;
		a->second = second;
	}
	a->this_second++;
	return a->this_second > a->limits.load_per_second || a->last_second > a->limits.load_per_second;
}

enum link_verdict link_admission_take(struct link_admission *a, const struct link_source *source)
{
	const struct link_admission_limits *l = &a->limits;
	uint64_t now = clock_mono_ms(&a->clock);
	struct bucket *pool = NULL;
	struct entry *set, *e;
	uint8_t address[16];

	address_key(source, false, address);
	set = set_of(a, a->sources, address);
	e = find(set, address);
	if (!e) {
		e = claim(set, address, now);
		e->bucket = bucket_full(l->source_burst, now);
	}
	e->at_ms = now;
	if (!bucket_has(&e->bucket, l->source_per_second, l->source_burst, now))
		return LINK_REFUSE_SOURCE;
	if (link_admission_is_known(a, source) && bucket_has(&a->reserved, l->reserved_per_second, l->reserved_burst, now))
		pool = &a->reserved;
	else if (bucket_has(&a->total, l->total_per_second, l->total_burst, now))
		pool = &a->total;
	if (!pool)
		return LINK_REFUSE_TOTAL;
	e->bucket.milli -= 1000;
	pool->milli -= 1000;
	return LINK_ADMIT;
}

void link_admission_held(struct link_admission *a, const struct link_source *source)
{
	uint64_t now = clock_mono_ms(&a->clock);
	struct entry *set, *e;
	uint8_t address[16];

	if (source->len != 16)
		return;
	address_key(source, true, address);
	set = set_of(a, a->known, address);
	e = find(set, address);
	if (!e)
		e = claim(set, address, now);
	e->at_ms = now;
}

bool link_admission_is_known(struct link_admission *a, const struct link_source *source)
{
	struct entry *e;
	uint8_t address[16];

	if (source->len != 16)
		return false;
	address_key(source, true, address);
	e = find(set_of(a, a->known, address), address);
	return e && clock_mono_ms(&a->clock) - e->at_ms < KNOWN_MS;
}
