/* seams - see seams.h. */
#include "tests/sim/seams.h"

#include "lib/base/log.h"
#include "tests/sim/world.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* Zones that were replaced are freed at once: nobody reads while one thread writes. */
struct rcu_head;
void __wrap_urcu_qsbr_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
void __wrap_urcu_qsbr_barrier(void);

void __wrap_urcu_qsbr_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	func(head);
}

void __wrap_urcu_qsbr_barrier(void)
{
}

/* The daemons' own words, with the time and the machine of the simulation. LOG=1 shows them. */
void __wrap_log_line(enum log_level level, const char *area, const char *fmt, ...) PRINTF_LIKE(3, 4);
void __wrap_log_limited_line(struct log_limit *limit, enum log_level level, const char *area, const char *fmt, ...) PRINTF_LIKE(4, 5);
static bool shows_log;

static void show_log(enum log_level level, const char *area, const char *fmt, va_list ap)
{
	const struct world *w = world_running();
	char text[400];

	vsnprintf(text, sizeof text, fmt, ap);
	fprintf(stderr, "%9" PRIu64 "   [%s] %s: %s%s\n", w ? w->now_ms - WORLD_START_MS : 0, w ? world_actor_name(w) : "", area,
		level == LOG_L_ERR ? "error: " : "", text);
}

void __wrap_log_line(enum log_level level, const char *area, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (shows_log)
		show_log(level, area, fmt, ap);
	va_end(ap);
}

void __wrap_log_limited_line(struct log_limit *limit, enum log_level level, const char *area, const char *fmt, ...)
{
	va_list ap;

	(void)limit;
	va_start(ap, fmt);
	if (shows_log)
		show_log(level, area, fmt, ap);
	va_end(ap);
}

/* What libsodium hands out: keys, hash keys, enrolment tokens. Seeded too, or no run could be repeated. */
static uint64_t sodium_state;

static uint64_t next_random(void)
{
	uint64_t z = (sodium_state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static const char *sodium_name(void)
{
	return "sim";
}

static uint32_t sodium_random(void)
{
	return (uint32_t)next_random();
}

static void sodium_fill(void *const bytes, const size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)bytes)[i] = (uint8_t)next_random();
}

void seams_seed(uint64_t seed)
{
	static struct randombytes_implementation implementation = { .implementation_name = sodium_name, .random = sodium_random,
								    .buf = sodium_fill };

	sodium_state = seed;
	randombytes_set_implementation(&implementation);
}

/* The key of all hash tables is drawn once per process: always the same one. */
void seams_prepare(bool with_log)
{
	struct map first = { 0 };

	shows_log = with_log;
	seams_seed(0);
	if (map_set_str(&first, "", &first) < 0)
		abort();
	map_deinit(&first);
}

void __real_handover_put(struct handover *handover, struct handover_item *item);

/* What is put into a queue waits for the machine's disk: it is done some time later. */
void __wrap_handover_put(struct handover *handover, struct handover_item *item)
{
	struct world *w = world_running();
	uint64_t at = w ? w->now_ms + world_below(w, 4) : 0;

	__real_handover_put(handover, item);
	for (size_t i = 0; w && i < CTLS_MAX; i++)
		if (w->actor == &w->ctls[i] && at < w->ctls[i].pump_ms)
			w->ctls[i].pump_ms = at;
	for (unsigned i = 0; w && i < w->n_hosts; i++) {
		struct host *h = &w->hosts[i];

		if (w->actor == h && at + h->slow_disk_ms < h->pump_ms)
			h->pump_ms = at + h->slow_disk_ms;
	}
}
