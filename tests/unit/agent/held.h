/* held.h - for tests with the real shim: a run folder of their own, a runtime, one instance, and waiting for events. Needs root;
 * everything happens in network and mount namespaces of the test's own. */
#pragma once
#include "agent/files.h"
#include "agent/identity.h"
#include "agent/runtime.h"
#include "lib/base/file.h"
#include "lib/base/loop.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELD_HELPER static __attribute__((unused)) /* not every test needs all */
#define HELD_ID "e784079b449483"

struct held {
	struct loop *loop;
	struct runtime_process *runtime;
	char dir[64], folder[128], shim[PATH_MAX];
	bool ready, running, ended;
	int32_t exit_code;
	char text[600];
};

HELD_HELPER void held_ready(void *ctx, const char *id)
{
	(void)id;
	((struct held *)ctx)->ready = true;
}

HELD_HELPER void held_running(void *ctx, const char *id)
{
	(void)id;
	((struct held *)ctx)->running = true;
}

HELD_HELPER void held_ended(void *ctx, const char *id, int32_t exit_code, const char *text)
{
	struct held *h = ctx;

	(void)id;
	h->ended = true;
	h->exit_code = exit_code;
	snprintf(h->text, sizeof h->text, "%s", text);
}

HELD_HELPER void held_new_runtime(struct held *h)
{
	const struct runtime_listener listener = { held_ready, held_running, held_ended, h };

	runtime_process_free(h->runtime);
	h->runtime = runtime_process_new(h->loop, h->shim);
	runtime_process_ops.listen(h->runtime, &listener);
}

/* Once per program, before any test. */
HELD_HELPER bool held_private(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

HELD_HELPER int held_setup(struct held *h)
{
	ssize_t n = readlink("/proc/self/exe", h->shim, sizeof h->shim - 1);

	for (int i = 0; i < 4 && n > 0; i++)
		*strrchr(h->shim, '/') = 0;
	strcat(h->shim, "/bin/sixpn-shim");
	snprintf(h->dir, sizeof h->dir, "/tmp/sixpn-held-XXXXXX");
	if (n <= 0 || !mkdtemp(h->dir) || loop_new(&h->loop) < 0)
		return -1;
	snprintf(h->folder, sizeof h->folder, "%s/instances/" HELD_ID, h->dir);
	held_new_runtime(h);
	return file_make_dirs(h->folder, 0700);
}

HELD_HELPER void held_until(struct held *h, const bool *flag)
{
	uint64_t end = 0;

	loop_round(h->loop, 0);
	for (end = loop_now_ms(h->loop) + 20000; !*flag && loop_now_ms(h->loop) < end; )
		loop_round(h->loop, 1000);
	assert_true(*flag);
}

HELD_HELPER void held_teardown(struct held *h)
{
	int fd;
	pid_t pid;

	runtime_process_free(h->runtime);
	if (identity_open(h->folder, &pid, &fd) == 0) { /* a test that failed half-way */
		struct pollfd p = { .fd = fd, .events = POLLIN };

		pidfd_send_signal(fd, SIGUSR1, NULL, 0);
		poll(&p, 1, 5000);
		close(fd);
	}
	loop_free(h->loop);
	files_remove(h->dir);
}

/* Writes files and launch for a spec and starts the shim. */
HELD_HELPER void held_start(struct held *h, const char *json)
{
	const struct launch_facts facts = { .id = HELD_ID,
					    .app = "web",
					    .region = "ord",
					    .group = "",
					    .address = addr_instance(0x002a0001, 0xa9a80001, 0x51c290ab),
					    .generation = 9 };
	struct why why = { .text = "" };
	struct launch launch;
	struct spec spec;
	char path[200];

	if (spec_parse(json, strlen(json), &spec, &why) != 0)
		fail_msg("%s", why.text);
	assert_int_equal(launch_make(&spec, &facts, &launch, NULL), 0);
	assert_int_equal(files_write(h->folder, &facts, &spec, &launch), 0);
	snprintf(path, sizeof path, "%s/launch", h->folder);
	assert_int_equal(launch_write(&launch, path), 0);
	launch_deinit(&launch);
	spec_deinit(&spec);
	h->ready = h->running = h->ended = false;
	assert_int_equal(runtime_process_ops.start(h->runtime, h->folder, HELD_ID), 0);
}

HELD_HELPER void held_open(struct held *h)
{
	held_until(h, &h->ready);
	assert_int_equal(runtime_process_ops.open(h->runtime, HELD_ID), 0);
}
