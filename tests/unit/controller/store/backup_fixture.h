/* backup_fixture - a store with backups: made, verified, taken apart. For the tests of backup and restore. */
#pragma once
#include "tests/unit/controller/store/store_fixture.h"

#include "controller/store/backup.h"
#include "controller/store/store_thread.h"
#include "lib/base/file.h"

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

static const uint8_t link_key[32] = { 1, 2, 3, 4, 5 };

struct made {
	struct fixture *f;
	struct store_thread *thread;
	struct backups *backups;
	char dir[128];
	int n_done;
	struct backup_result result;
};

static inline void done(void *ctx, const struct backup_result *result)
{
	struct made *m = ctx;

	m->n_done++;
	m->result = *result;
}

static inline void committed(void *arg, struct record *record, uint64_t committed_ms)
{
	(void)arg;
	(void)committed_ms;
	free(record);
}

static inline void begin(struct fixture *f, struct made *m)
{
	struct store_thread_events events = { .committed = committed };
	struct backups_config config = { .clock = clock_virtual(&f->time), .dir = m->dir };

	*m = (struct made){ .f = f };
	snprintf(m->dir, sizeof m->dir, "%s/backups", f->dir);
	memcpy(config.link_key, link_key, 32);
	assert_int_equal(store_thread_start(f->store, NULL, &events, &m->thread), 0);
	config.thread = m->thread;
	assert_int_equal(backups_new(&config, &m->backups), 0);
}

static inline void end(struct made *m)
{
	backups_stop(m->backups);
	store_thread_stop(m->thread);
	backups_free(m->backups);
}

static inline void remove_tree(const char *dir)
{
	char command[200];

	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

/* A backup of the store as it is, its path. */
static inline void make_backup(struct fixture *f, unsigned keep, char *ret_path, size_t size)
{
	struct made m;
	struct why why;

	begin(f, &m);
	assert_int_equal(backups_start(m.backups, keep, done, &m, &why), 0);
	for (int i = 0; i < 100000 && !m.n_done; i++)
		store_thread_pump(m.thread);
	assert_int_equal(m.n_done, 1);
	if (m.result.result)
		fail_msg("backup: %d %s", m.result.result, m.result.why.text);
	if (ret_path)
		snprintf(ret_path, size, "%s/%s", m.dir, m.result.info.name);
	end(&m);
}

static inline int verify(const char *path, struct backup_header *h, struct store_summary *s, struct why *why)
{
	char scratch[200];

	snprintf(scratch, sizeof scratch, "/tmp/sixpn-scratch-%d", getpid());
	return backup_verify(path, scratch, h, s, why);
}

static inline unsigned files_in(const char *dir)
{
	unsigned n = 0;
	struct dirent *e;
	DIR *d = opendir(dir);

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return n;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	char dir[64];

	snprintf(dir, sizeof dir, "%s", f->dir);
	fixture_teardown(state);
	remove_tree(dir);
	return 0;
}
