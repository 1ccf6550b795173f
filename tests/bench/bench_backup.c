/* bench_backup - what a backup costs the writers. A closed loop of writes (each an org and its network, synced) through the real store
 * thread on a real disk: alone, and while a backup of the same store is made, in the same run. The ratio is how much longer a writer
 * waits; the absolute times are the disk's. */
#include "controller/store/backup.h"
#include "controller/store/store_app.h"
#include "controller/store/store_instance.h"
#include "controller/store/store_node.h"
#include "controller/store/store_node_token.h"
#include "controller/store/store_org.h"
#include "controller/store/store_region.h"
#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INSTANCES 400 /* of 60 KB each, which are in the store three times */
#define ALONE 1500
#define WRITES_MAX 100000

struct bench {
	struct store *store;
	struct store_thread *thread;
	struct loop *loop;
	struct backups *backups;
	struct op write;
	unsigned n_written, serial;
	uint64_t begun_us;
	double *us;
	bool written, made;
	struct backup_result result;
	uint32_t host;
	char secret[STORE_NODE_SECRET_SIZE];
	struct store_node_token token;
};

static struct bench b;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void must(int result, const char *what)
{
	if (result == 0)
		return;
	fprintf(stderr, "%s: %d\n", what, result);
	exit(1);
}

/* ---- the store, filled ---- */

static int fill_world(struct store *store, struct op *op)
{
	struct store_region_new region_in = { .name = "ord" };
	struct store_node_token_new token_in = { .region = "ord", .roles = ROLE_HOST, .uses = 1 };
	struct store_enroll enroll = { .secret = b.secret, .name = "n", .roles = ROLE_HOST, .version = "0" };
	struct store_region region;
	struct store_node node;
	struct store_org org;
	struct store_app app;
	bool created;

	must(store_region_create(store, op, &region_in, &region), "region");
	must(store_node_token_create(store, op, &token_in, &b.token, b.secret), "token");
	memcpy(enroll.token_id, b.token.id, ID_LEN);
	memset(enroll.link_key, 1, 32);
	memset(enroll.mesh_key, 2, 32);
	must(store_node_enroll(store, op, &enroll, &node, &created), "node");
	b.host = node.host;
	must(store_org_create(store, op, "acme", &org), "org");
	must(store_app_create(store, op, "acme", NULL, "web", &app), "app");
	return 0;
}

static int fill_instance(struct store *store, struct op *op)
{
	static char spec[60000];
	struct store_instance_new in = { .app = "acme/web", .region = "ord", .desired = DESIRED_STOPPED, .spec = spec, .spec_len = sizeof spec,
					 .live = &b.host, .n_live = 1 };
	struct store_instance instance;

	memset(spec, 'x', sizeof spec);
	memcpy(spec, "{\"a\":\"", 6);
	memcpy(spec + sizeof spec - 2, "\"}", 2);
	return store_instance_create(store, op, &in, &instance);
}

static void fill(void)
{
	struct principal who = principal_local("bench");

	for (unsigned i = 0; i <= INSTANCES; i++) {
		struct op op;

		op_init(&op, i ? fill_instance : fill_world, NULL, &who, "r");
		must(store_run_now(b.store, &op), "fill");
		op_deinit(&op);
	}
}

/* ---- writers ---- */

static int run_write(struct store *store, struct op *op)
{
	struct store_org org;
	char name[NAME_SIZE];

	snprintf(name, sizeof name, "org-%u", b.serial++);
	return store_org_create(store, op, name, &org);
}

static void write_done(struct op *op)
{
	must(op->result, "write");
	b.us[b.n_written++] = (double)(now_us() - b.begun_us);
	op_deinit(op);
	b.written = true;
}

static void write_one(void)
{
	struct principal who = principal_local("bench");

	b.written = false;
	op_init(&b.write, run_write, write_done, &who, "r");
	b.begun_us = now_us();
	store_thread_put(b.thread, &b.write);
	while (!b.written)
		must(loop_round(b.loop, 1000), "loop");
}

static void backup_done(void *ctx, const struct backup_result *result)
{
	(void)ctx;
	b.result = *result;
	b.made = true;
}

static int by_size(const void *x, const void *y)
{
	double a = *(const double *)x, c = *(const double *)y;

	return a < c ? -1 : a > c;
}

struct figures {
	double p50, p99, max;
	unsigned n;
};

static struct figures figures(void)
{
	qsort(b.us, b.n_written, sizeof *b.us, by_size);
	return (struct figures){ b.us[b.n_written / 2], b.us[b.n_written * 99 / 100], b.us[b.n_written - 1], b.n_written };
}

static void print(const char *what, struct figures f)
{
	printf("  %-28s p50 %7.0f us   p99 %7.0f us   longest %7.0f us   (%u writes)\n", what, f.p50, f.p99, f.max, f.n);
}

static void measure(void)
{
	struct figures alone, during;
	uint64_t begun;
	struct why why = { 0 };

	while (b.n_written < ALONE)
		write_one();
	alone = figures();
	b.n_written = 0;
	begun = now_us();
	must(backups_start(b.backups, 0, backup_done, NULL, &why), "backup");
	while (!b.made && b.n_written < WRITES_MAX)
		write_one();
	during = figures();
	must(b.result.result, b.result.why.text);
	printf("backup of %.1f MiB in %.2f s (copied in %.2f s, in steps of at most %.2f ms), sealed and verified\n",
	       (double)b.result.info.size / (1 << 20), (double)(now_us() - begun) / 1e6, (double)b.result.copy_ms / 1e3,
	       (double)b.result.step_us / 1e3);
	print("a write, alone", alone);
	print("a write, while it is made", during);
	printf("  a write meanwhile: p50 %.2f x, p99 %.2f x the same writer alone\n", during.p50 / alone.p50, during.p99 / alone.p99);
}

int main(void)
{
	struct store_thread_events events = { 0 };
	char dir[] = "/var/tmp/sixpn-bench-XXXXXX", path[64], folder[64], command[80];
	struct store_options options = { .path = path, .clock = clock_real() };
	struct backups_config config = { .clock = clock_real(), .dir = folder, .link_key = { 1 } };
	struct why why = { 0 };

	crypto_init();
	log_set_level(LOG_L_ERR);
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof path, "%s/sixpn.db", dir);
	snprintf(folder, sizeof folder, "%s/backups", dir);
	b.us = calloc(WRITES_MAX + 1, sizeof *b.us);
	must(store_open(&options, &b.store, &why), why.text);
	fill();
	must(loop_new(&b.loop), "loop");
	must(store_thread_start(b.store, b.loop, &events, &b.thread), "thread");
	config.loop = b.loop;
	config.thread = b.thread;
	must(backups_new(&config, &b.backups), "backups");
	measure();
	backups_stop(b.backups);
	store_thread_stop(b.thread);
	backups_free(b.backups);
	store_close(b.store);
	loop_free(b.loop);
	free(b.us);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) != 0;
}
