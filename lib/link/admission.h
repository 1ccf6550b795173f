/* admission - who may cost the controller a Diffie-Hellman now. Fixed memory whatever strangers do.
 *
 * Per source address (IPv6: per /64) a token bucket; for all together two: one for everybody, and a reserved share for addresses
 * that held a session in the last hour, so that a flood of strangers cannot keep the fleet out. Above `load_per_second` plausible
 * handshakes a second the caller asks for cookies first. Times are monotonic ms from the clock. */
#pragma once
#include "lib/base/clock.h"
#include "lib/link/transport.h"

struct link_admission;

struct link_admission_limits { /* 0 = default */
	uint32_t source_per_second, source_burst;     /* 20, 100 */
	uint32_t total_per_second, total_burst;       /* 500, 1000 */
	uint32_t reserved_per_second, reserved_burst; /* 500, 1000 */
	uint32_t load_per_second;                     /* 200 */
};

enum link_verdict { LINK_ADMIT, LINK_REFUSE_SOURCE, LINK_REFUSE_TOTAL };

int link_admission_new(const struct clock *clock, const struct link_admission_limits *limits, struct link_admission **ret_admission);
struct link_admission *link_admission_free(struct link_admission *a);

/* Counts one plausible handshake and says whether we are under load (this second or the one before was above the limit). */
bool link_admission_loaded(struct link_admission *a);
/* Takes tokens, or says which bucket was empty (then nothing was taken). */
enum link_verdict link_admission_take(struct link_admission *a, const struct link_source *source);
/* This address holds a session now. */
void link_admission_held(struct link_admission *a, const struct link_source *source);
bool link_admission_is_known(struct link_admission *a, const struct link_source *source);
