/* Many peers, one after the other and at once, and a controller that is killed between them. */
#include "tests/unit/controller/store/peer_fixture.h"

#include <signal.h>
#include <sys/wait.h>

/* ---- many ---- */

static int compare_prefixes(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static int make_one(struct peers *p, struct op *op, unsigned i, struct store_peer *ret)
{
	char warning[STORE_PEER_WARNING_SIZE], name[16];
	struct store_peer_new in = { .org = "acme", .name = name, .live = &p->live[i % 2], .n_live = 1 };

	snprintf(name, sizeof name, "p%u", i);
	memcpy(in.public_key + 4, &i, sizeof i); /* the store does not judge keys, and a thousand multiplications take long */
	return store_peer_create(p->f->store, op, &in, ret, warning);
}

static void note_prefix(const struct store_peer *peer, uint8_t ret_prefix[16])
{
	const struct peer_record *rec = &peer->record;
	struct in6_addr a = addr_natural((struct addr_parts){ rec->network, rec->home_gateway, rec->instance, (uint16_t)(rec->slot << 8) });

	assert_true(rec->instance >= ADDR_PEER_INSTANCE_MIN && rec->instance < ADDR_PEER_INSTANCE_MIN + 64);
	assert_int_equal(rec->home_gateway, rec->gateway);
	memcpy(ret_prefix, &a, 16);
}

static void prefixes_never_overlap_and_do_not_come_back_within_a_day(void **state)
{
	enum { STEPS = 3000, EACH = 50 };
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_org_change limit = { .set_quota = { [QUOTA_PEERS] = true }, .quota = { [QUOTA_PEERS] = 50000 } };
	uint8_t(*given)[16] = calloc(STEPS, 16);
	uint64_t seed = 4711;
	struct store_org org;
	unsigned alive[256], n_alive = 0, n_given = 0;
	struct store_peer peer;
	char name[16];

	assert_good(f, DO(f, &f->root, store_org_update(store, op, "acme", &limit, &org)));
	for (unsigned at = 0; at < STEPS; at += EACH) {
		struct op *op = fixture_begin(f, &f->root);
		int r = 0;

		for (unsigned i = at; i < at + EACH && r == 0; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			if (n_alive == ARRAY_LEN(alive) || (n_alive && seed >> 62 == 0)) {
				unsigned k = (unsigned)(seed >> 33) % n_alive;

				snprintf(name, sizeof name, "p%u", alive[k]);
				r = store_peer_delete(f->store, op, "acme", name, &peer);
				alive[k] = alive[--n_alive];
				continue;
			}
			r = make_one(p, op, i, &peer);
			note_prefix(&peer, given[n_given++]);
			alive[n_alive++] = i;
		}
		assert_good(f, fixture_end(f, r));
	}
	qsort(given, n_given, 16, compare_prefixes);
	for (unsigned i = 1; i < n_given; i++) /* /120s, all that were given within this day, whether they live or rest */
		assert_memory_not_equal(given[i - 1], given[i], 15);
	assert_true(n_given > 1000);
	free(given);
}

/* The sanitizers see all they can in fewer. */
#ifdef __SANITIZE_ADDRESS__
#define STORM 2000
#else
#define STORM 10000
#endif

static void a_storm_of_ten_thousand_leaves_nothing_behind(void **state)
{
	enum { ALL = STORM, EACH = 100 };
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_org_change limit = { .set_quota = { [QUOTA_PEERS] = true }, .quota = { [QUOTA_PEERS] = 50000 } };
	char warning[STORE_PEER_WARNING_SIZE], name[16];
	struct store_peer peer;
	struct store_org org;
	int64_t n;

	assert_good(f, DO(f, &f->root, store_org_update(store, op, "acme", &limit, &org)));
	for (unsigned at = 0; at < 2 * ALL; at += EACH) { /* in groups, as the store thread commits them; deletes from the middle on */
		struct op *op = fixture_begin(f, &f->root);
		int r = 0;

		for (unsigned i = at; i < at + EACH && r == 0; i++) {
			struct store_peer_new in = { .org = "acme", .name = name, .live = p->live, .n_live = 2 };

			snprintf(name, sizeof name, "p%u", i % ALL);
			memcpy(in.public_key + 4, &i, sizeof i); /* the store does not judge keys, and 10,000 multiplications take long */
			r = i < ALL ? store_peer_create(f->store, op, &in, &peer, warning) :
				      store_peer_delete(f->store, op, "acme", name, &peer);
		}
		assert_good(f, fixture_end(f, r));
		if (at + EACH == ALL) {
			assert_int_equal(sql_get_int(f->store, &n, "SELECT count(DISTINCT prefix) FROM peer", ""), 0);
			assert_int_equal(n, ALL);
		}
	}
	assert_int_equal(sql_get_int(f->store, &n, "SELECT (SELECT count(*) FROM peer) + (SELECT count(*) FROM peer_key) + "
							 "(SELECT count(*) FROM record WHERE kind IN (7, 8))", ""), 0);
	assert_int_equal(n, 0);
	assert_int_equal(sql_get_int(f->store, &n, "SELECT count(*) FROM peer_resting", ""), 0);
	assert_int_equal(n, ALL);
}

/* ---- kill -9 ---- */

static void make_and_delete_for_ever(struct peers *p, int out, unsigned round)
{
	char warning[STORE_PEER_WARNING_SIZE], name[32];
	struct store_peer peer;

	for (unsigned i = 0;; i++) {
		struct store_peer_new in = { .org = "acme", .name = name, .live = p->live, .n_live = 2 };
		struct op *op = fixture_begin(p->f, &p->f->root);
		int r;

		snprintf(name, sizeof name, "r%u-%u", round, i - (i % 3 == 2));
		memcpy(in.public_key + 4, &i, sizeof i);
		memcpy(in.public_key + 8, &round, sizeof round);
		r = i % 3 == 2 ? store_peer_delete(p->f->store, op, "acme", name, &peer) :
				 store_peer_create(p->f->store, op, &in, &peer, warning);
		if (fixture_end(p->f, r) || write(out, &p->f->op.v, sizeof p->f->op.v) != sizeof p->f->op.v)
			_exit(1);
	}
}

static void after_kill_9_no_peer_is_half_there(void **state)
{
	static const char *const halves[] = {
		"SELECT count(*) FROM peer p WHERE NOT EXISTS (SELECT 1 FROM peer_key k WHERE k.peer = p.id)",
		"SELECT count(*) FROM peer p WHERE NOT EXISTS (SELECT 1 FROM record r WHERE r.kind = 7 AND r.key = p.id)",
		"SELECT count(*) FROM record r WHERE r.kind = 7 AND NOT EXISTS (SELECT 1 FROM peer p WHERE p.id = r.key)",
		"SELECT count(*) FROM record r WHERE r.kind = 8 AND NOT EXISTS (SELECT 1 FROM peer p WHERE p.id = substr(r.key, 1, 8))",
		"SELECT count(*) FROM peer p WHERE 1 <> (SELECT count(*) FROM record r WHERE r.kind = 8 AND substr(r.key, 1, 8) = p.id)",
	};
	struct peers *p = *state;
	struct fixture *f = p->f;
	int64_t n = 0;

	for (unsigned round = 0; round < 5; round++) {
		unsigned wanted = 10 + 7 * round, got = 0;
		uint64_t v, last = 0;
		int ends[2], status;
		pid_t child;

		f->store = store_close(f->store);
		assert_int_equal(pipe(ends), 0);
		child = fork();
		if (child == 0) {
			close(ends[0]);
			f->time.seed += 1000 + (uint64_t)round;
			fixture_open(f);
			make_and_delete_for_ever(p, ends[1], round);
		}
		close(ends[1]);
		while (got++ < wanted && read(ends[0], &v, sizeof v) == sizeof v)
			last = v;
		kill(child, SIGKILL);
		while (read(ends[0], &v, sizeof v) == sizeof v)
			last = v;
		close(ends[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		fixture_open(f);
		assert_true(store_head(f->store) >= last);
		for (size_t i = 0; i < ARRAY_LEN(halves); i++) {
			assert_int_equal(sql_get_int(f->store, &n, halves[i], ""), 0);
			if (n)
				fail_msg("round %u: %lld rows of: %s", round, (long long)n, halves[i]);
		}
	}
	assert_int_equal(sql_get_int(f->store, &n, "SELECT count(*) FROM peer", ""), 0);
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(prefixes_never_overlap_and_do_not_come_back_within_a_day),
		T(a_storm_of_ten_thousand_leaves_nothing_behind),
		T(after_kill_9_no_peer_is_half_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
