/* main - runs seeds. `sim FIRST [COUNT] [STEP]`: COUNT seeds from FIRST on, each STEP further; TRACE=1 tells all that happens, LOG=1
 * also what the daemons log. Ends at the first violation with the command that shows it again. Every 50th seed is run twice: the same
 * seed must take the same way. */
#include "lib/base/crypto.h"
#include "lib/dns/views.h"
#include "tests/sim/seams.h"
#include "tests/sim/vfs.h"
#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TWICE_EVERY 50
#define EVENTS_TOLD 40

static void tell_failure(const struct world *w)
{
	uint64_t first = w->n_events > EVENTS_TOLD ? w->n_events - EVENTS_TOLD : 0;

	for (uint64_t i = first; i < w->n_events && !w->trace; i++)
		fprintf(stderr, "%s\n", w->events[i % EVENTS_TOLD_MAX]);
	fprintf(stderr, "\nseed %" PRIu64 ": %s\n  again: make sim SEED=%" PRIu64 " TRACE=1\n", w->seed, w->failure, w->seed);
	fprintf(stderr, "  rules: %u hosts, park %u ms, window %zu, batch %zu, snapshots %u, loss %u, duplicates %u, late %u, exits %u\n",
		w->rules.n_hosts, w->rules.park_ms, w->rules.window_changes, w->rules.batch_bytes, w->rules.snapshots_max, w->rules.loss,
		w->rules.duplicates, w->rules.late, w->rules.exits);
}

static void add_counts(struct world_counts *sum, const struct world_counts *one)
{
	for (size_t i = 0; i < sizeof *sum / sizeof(uint64_t); i++)
		((uint64_t *)sum)[i] += ((const uint64_t *)one)[i];
}

/* The hash of its way; the process ends if it goes wrong. */
static uint64_t run(uint64_t seed, bool trace, struct world_counts *sum, uint64_t *steps)
{
	struct world *w = world_new(seed, trace);
	uint64_t hash;

	if (!world_run(w)) {
		tell_failure(w);
		exit(EXIT_FAILURE);
	}
	hash = w->hash;
	if (sum)
		add_counts(sum, &w->counts);
	*steps += w->steps;
	world_free(w);
	return hash;
}

static uint64_t number(const char *text, uint64_t otherwise)
{
	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	uint64_t first = number(argc > 1 ? argv[1] : NULL, 1), count = number(argc > 2 ? argv[2] : NULL, 1);
	uint64_t step = number(argc > 3 ? argv[3] : NULL, 1), steps = 0, none = 0, until = number(getenv("MINUTES"), 0) * 60;
	bool trace = number(getenv("TRACE"), 0);
	struct world_counts sum = { 0 };
	time_t began = time(NULL);
	uint64_t n = 0;

	crypto_init();
	seams_prepare(number(getenv("LOG"), 0));
	vfs_install();
	dns_views_reader_start();
	for (; until ? (uint64_t)(time(NULL) - began) < until : n < count; n++) {
		uint64_t seed = first + n * step, hash = run(seed, trace, &sum, &steps);

		if (n % TWICE_EVERY == 0 && !trace && run(seed, false, NULL, &none) != hash) {
			fprintf(stderr, "seed %" PRIu64 ": takes another way the second time; something in the product is not driven by the seed\n",
				seed);
			return EXIT_FAILURE;
		}
		if (count == 1)
			printf("seed %" PRIu64 ": way %016" PRIx64 "\n", seed, hash);
	}
	dns_views_reader_stop();
	printf("%" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64 " writes (%" PRIu64 " acknowledged, %" PRIu64 " refused, %" PRIu64
	       " unknown), %" PRIu64 " waits (%" PRIu64 " applied), %" PRIu64 " crashes (%" PRIu64 " of power), %" PRIu64 " roll-backs, %" PRIu64 " second controllers, %" PRIu64 " copied machines\n"
	       "%" PRIu64 " snapshots, %" PRIu64 " deltas, %" PRIu64 " heals of %" PRIu64 " damaged copies; %" PRIu64
	       " copies compared with the log, %" PRIu64 " times all names, %" PRIu64 " disks read as after a crash; %" PRIu64 " proofs, %" PRIu64 " lies; %" PRIu64 " peers compared with the tables\n",
	       n, steps, sum.ops, sum.acked, sum.refused, sum.unknown, sum.waits, sum.applied, sum.crashes, sum.cuts, sum.roll_backs, sum.seconds, sum.clones,
	       sum.snapshots, sum.deltas, sum.heals, sum.corrupted, sum.checks, sum.dns, sum.durable, sum.proofs, sum.lies, sum.peers);
	return EXIT_SUCCESS;
}
