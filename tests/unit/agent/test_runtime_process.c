/* The real shim and the process runtime, end to end: gate, files, environment, signals, orphans, log, and daemons that come and
 * go. Commands say "I am there" by a FIFO, so nothing here waits for time to pass. Root only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/agent/held.h"

#define OPS runtime_process_ops

static int setup(void **state)
{
	struct held *h = calloc(1, sizeof *h);

	*state = h;
	return held_setup(h);
}

static int teardown(void **state)
{
	held_teardown(*state);
	free(*state);
	return 0;
}

static const char *in_dir(const struct held *h, const char *name)
{
	static char path[8][200];
	static unsigned next;
	char *p = path[next++ % 8];

	snprintf(p, 200, "%s/%s", h->dir, name);
	return p;
}

/* sh -c script with "@" standing for the test's folder; more = further fields of the spec. */
static void start_shell(struct held *h, const char *script, const char *more)
{
	struct buf json = BUF_INIT(65536);

	buf_add_str(&json, "{\"schema\":1,\"command\":[\"/bin/sh\",\"-c\",\"");
	for (const char *p = script; *p; p++)
		if (*p == '@')
			buf_add_str(&json, h->dir);
		else
			buf_add(&json, p, 1);
	buf_printf(&json, "\"]%s}", more);
	held_start(h, buf_str(&json));
	buf_deinit(&json);
}

static void expect_file(const char *path, const char *text)
{
	struct buf content = BUF_INIT(65536);

	assert_int_equal(file_read(path, 65536, &content), 0);
	assert_string_equal(buf_str(&content), text);
	buf_deinit(&content);
}

/* Blocks until the command has written to the FIFO and closed it. */
static void hear(const char *fifo, char *ret_text, size_t size)
{
	int fd = open(fifo, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	assert_true(fd >= 0);
	while ((got = read(fd, ret_text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	ret_text[n] = 0;
	close(fd);
}

static void the_gate_holds_until_it_is_opened(void **state)
{
	struct held *h = *state;

	start_shell(h, "echo ran > @/out", "");
	held_until(h, &h->ready);
	for (int i = 0; i < 3; i++)
		loop_round(h->loop, 0);
	assert_int_equal(access(in_dir(h, "out"), F_OK), -1);
	assert_false(h->ended);
	held_open(h);
	held_until(h, &h->ended);
	assert_int_equal(h->exit_code, 0);
	expect_file(in_dir(h, "out"), "ran\n");
}

static void the_command_sees_its_files_and_environment(void **state)
{
	struct held *h = *state;

	start_shell(h, "{ echo $FLY_LOCAL_6PN $FLY_APP_NAME $FLY_REGION $GREETING ${FLY_MACHINE_ID}; getent hosts fly-local-6pn; "
		       "cat /etc/resolv.conf; hostname; cat /proc/net/dev | grep -c :; } > @/out", ",\"env\":{\"GREETING\":\"hi-${FLY_REGION}\"}");
	held_open(h);
	held_until(h, &h->ended);
	expect_file(in_dir(h, "out"), "fdaa:2a:1:a9a8:1:51c2:90ab:2 web ord hi-ord " HELD_ID "\n"
				      "fdaa:2a:1:a9a8:1:51c2:90ab:2 fly-local-6pn\n"
				      "nameserver fdaa::3\noptions edns0 timeout:1 attempts:3\n" HELD_ID "\n1\n");
}

static void the_command_gets_the_usual_number_of_files(void **state)
{
	struct held *h = *state;

	file_limit_raise();
	start_shell(h, "ulimit -Sn > @/out", "");
	held_open(h);
	held_until(h, &h->ended);
	expect_file(in_dir(h, "out"), "1024\n");
}

static void the_exit_code_is_told_and_kept(void **state)
{
	struct held *h = *state;
	int64_t code;

	start_shell(h, "exit 3", "");
	held_open(h);
	held_until(h, &h->ended);
	assert_int_equal(h->exit_code, 3);
	assert_string_equal(h->text, "");
	assert_int_equal(identity_read(h->folder, "exit", &code), 0);
	assert_int_equal(code, 3);
}

static void that_it_runs_is_told_after_the_exec(void **state)
{
	struct held *h = *state;

	start_shell(h, "read line < @/end", "");
	assert_int_equal(mkfifo(in_dir(h, "end"), 0600), 0);
	held_until(h, &h->ready);
	assert_false(h->running);
	held_open(h);
	held_until(h, &h->running);
	assert_false(h->ended);
	assert_int_equal(access(in_dir(h, "instances/" HELD_ID "/running"), F_OK), 0);
	assert_int_equal(OPS.kill(h->runtime, HELD_ID, false), 0);
	held_until(h, &h->ended);
}

/* The daemon that opened the gate is gone before the exec; the shim is stopped meanwhile, so that nothing depends on luck. */
static void a_second_daemon_hears_that_it_runs(void **state)
{
	struct held *h = *state;
	struct runtime_status status;
	int fd;
	pid_t shim;

	start_shell(h, "read line < @/end", "");
	assert_int_equal(mkfifo(in_dir(h, "end"), 0600), 0);
	held_until(h, &h->ready);
	assert_int_equal(identity_open(h->folder, &shim, &fd), 0);
	assert_int_equal(kill(shim, SIGSTOP), 0);
	held_open(h);
	held_new_runtime(h);
	assert_int_equal(OPS.adopt(h->runtime, h->folder, HELD_ID, &status), 0);
	assert_int_equal(status.state, RUNTIME_HELD); /* nobody can tell yet: it is opened once more, which is once in all */
	assert_int_equal(kill(shim, SIGCONT), 0);
	held_open(h);
	held_until(h, &h->running);
	held_new_runtime(h);
	assert_int_equal(OPS.adopt(h->runtime, h->folder, HELD_ID, &status), 0);
	assert_int_equal(status.state, RUNTIME_RUNNING);
	identity_remove(h->folder, "running"); /* as between exec and the word of it */
	held_new_runtime(h);
	assert_int_equal(OPS.adopt(h->runtime, h->folder, HELD_ID, &status), 0);
	assert_int_equal(status.state, RUNTIME_OPENED);
	assert_int_equal(OPS.kill(h->runtime, HELD_ID, false), 0);
	held_until(h, &h->ended);
	close(fd);
}

static void a_program_that_is_not_there_never_ran_and_says_why(void **state)
{
	struct held *h = *state;
	struct buf log = BUF_INIT(65536);
	struct runtime_status status;

	held_start(h, "{\"schema\":1,\"command\":[\"/no/such/program\"]}");
	held_open(h);
	held_until(h, &h->ended);
	assert_false(h->running);
	assert_int_equal(h->exit_code, 127);
	assert_string_equal(h->text, "its command: cannot run /no/such/program: No such file or directory");
	held_new_runtime(h);
	assert_int_equal(OPS.adopt(h->runtime, h->folder, HELD_ID, &status), 0);
	assert_int_equal(status.state, RUNTIME_ENDED); /* and a later daemon says the same */
	assert_string_equal(status.failure, "its command: cannot run /no/such/program: No such file or directory");
	assert_int_equal(file_read(in_dir(h, "instances/" HELD_ID "/log"), 65536, &log), 0);
	assert_non_null(strstr(buf_str(&log), "cannot run /no/such/program: No such file"));
	buf_deinit(&log);
}

static void a_root_that_is_not_there_is_a_sentence(void **state)
{
	struct held *h = *state;

	held_start(h, "{\"schema\":1,\"command\":[\"/x\"],\"root\":\"/no/such/tree\"}");
	held_until(h, &h->ended);
	assert_string_equal(h->text, "the shim: root \"/no/such/tree\": No such file or directory");
}

static void sigterm_reaches_the_command(void **state)
{
	struct held *h = *state;
	char text[64];

	assert_int_equal(mkfifo(in_dir(h, "up"), 0600), 0);
	start_shell(h, "trap 'exit 7' TERM; echo up > @/up; while :; do read x < @/never; done", "");
	assert_int_equal(mkfifo(in_dir(h, "never"), 0600), 0);
	held_open(h);
	hear(in_dir(h, "up"), text, sizeof text);
	assert_int_equal(OPS.term(h->runtime, HELD_ID), 0);
	held_until(h, &h->ended);
	assert_int_equal(h->exit_code, 7);
}

static void orphans_end_with_the_command(void **state)
{
	struct held *h = *state;
	char text[64];
	pid_t orphan;

	assert_int_equal(mkfifo(in_dir(h, "up"), 0600), 0);
	start_shell(h, "setsid sh -c 'trap : TERM; echo $$ > @/up; sleep 1000 & wait' & read x < @/go; exit 0", "");
	assert_int_equal(mkfifo(in_dir(h, "go"), 0600), 0);
	held_open(h);
	hear(in_dir(h, "up"), text, sizeof text);
	orphan = (pid_t)atoi(text);
	assert_int_equal(kill(orphan, 0), 0);
	close(open(in_dir(h, "go"), O_WRONLY));
	held_until(h, &h->ended);
	assert_int_equal(h->exit_code, 0);
	assert_int_equal(kill(orphan, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void orphans_end_with_a_shim_that_was_killed(void **state)
{
	struct held *h = *state;
	char text[64];
	pid_t orphan;
	int64_t shim;
	int netns;

	assert_int_equal(mkfifo(in_dir(h, "up"), 0600), 0);
	assert_int_equal(mkfifo(in_dir(h, "never"), 0600), 0);
	start_shell(h, "setsid sh -c 'echo $$ > @/up; read x < @/never' & read x < @/never", "");
	held_until(h, &h->ready);
	assert_int_equal(OPS.netns(h->runtime, HELD_ID, &netns), 0);
	close(netns);
	held_open(h);
	hear(in_dir(h, "up"), text, sizeof text);
	orphan = (pid_t)atoi(text);
	assert_int_equal(identity_read(h->folder, "pid", &shim), 0);
	assert_int_equal(kill((pid_t)shim, SIGKILL), 0);
	held_until(h, &h->ended);
	assert_int_equal(h->exit_code, 128 + SIGKILL);
	snprintf(text, sizeof text, "/proc/%d/ns/net", orphan); /* a zombie, until somebody reaps it, has none */
	assert_int_equal(access(text, F_OK), -1);
}

static void the_namespace_of_a_shim_that_has_none_yet_is_not_ours(void **state)
{
	struct held *h = *state;
	struct runtime_status status;
	uint64_t start;
	int netns;

	/* the folder of a shim that is still on its way, and a daemon that adopts it */
	assert_int_equal(identity_start_time(getpid(), &start), 0);
	assert_int_equal(identity_write(h->folder, "start_time", (int64_t)start), 0);
	assert_int_equal(identity_write(h->folder, "pid", getpid()), 0);
	assert_int_equal(OPS.adopt(h->runtime, h->folder, HELD_ID, &status), 0);
	assert_int_equal(status.state, RUNTIME_HELD);
	assert_int_equal(OPS.netns(h->runtime, HELD_ID, &netns), -ESRCH);
	OPS.release(h->runtime, HELD_ID);
	identity_remove(h->folder, "pid");
}

static void kill_ends_a_family_that_ignores_sigterm(void **state)
{
	struct held *h = *state;
	char text[64];

	assert_int_equal(mkfifo(in_dir(h, "up"), 0600), 0);
	assert_int_equal(mkfifo(in_dir(h, "never"), 0600), 0);
	start_shell(h, "trap '' TERM; (trap '' TERM; sleep 1000) & echo $! > @/up; while :; do read x < @/never; done", "");
	held_open(h);
	hear(in_dir(h, "up"), text, sizeof text);
	assert_int_equal(OPS.term(h->runtime, HELD_ID), 0);
	assert_int_equal(OPS.kill(h->runtime, HELD_ID, false), 0);
	held_until(h, &h->ended);
	assert_int_equal(h->exit_code, 137);
	assert_int_equal(kill((pid_t)atoi(text), 0), -1);
}

static void a_second_daemon_finds_it_running_and_hears_its_end(void **state)
{
	struct held *h = *state;
	struct runtime_status status;
	char text[64];

	assert_int_equal(mkfifo(in_dir(h, "up"), 0600), 0);
	assert_int_equal(mkfifo(in_dir(h, "never"), 0600), 0);
	start_shell(h, "trap 'exit 9' TERM; echo up > @/up; while :; do read x < @/never; done", "");
	held_open(h);
	hear(in_dir(h, "up"), text, sizeof text);
	held_until(h, &h->running);
	held_new_runtime(h);
	assert_int_equal(OPS.adopt(h->runtime, h->folder, HELD_ID, &status), 0);
	assert_int_equal(status.state, RUNTIME_RUNNING);
	assert_int_equal(status.generation, 9);
	assert_int_equal(OPS.start(h->runtime, h->folder, HELD_ID), -EALREADY);
	assert_int_equal(OPS.term(h->runtime, HELD_ID), 0);
	held_until(h, &h->ended);
	assert_int_equal(h->exit_code, 9);
}

static void a_second_daemon_opens_the_gate_of_the_first(void **state)
{
	struct held *h = *state;
	struct runtime_status status;

	start_shell(h, "exit 4", "");
	held_until(h, &h->ready);
	held_new_runtime(h);
	assert_int_equal(OPS.adopt(h->runtime, h->folder, HELD_ID, &status), 0);
	assert_int_equal(status.state, RUNTIME_HELD);
	assert_int_equal(OPS.open(h->runtime, HELD_ID), 0);
	held_until(h, &h->ended);
	assert_int_equal(h->exit_code, 4);
}

static void an_end_without_a_daemon_is_found_by_the_next(void **state)
{
	struct held *h = *state;
	struct runtime_status status;
	struct pollfd death = { .events = POLLIN };
	pid_t pid;

	start_shell(h, "exit 5", "");
	held_until(h, &h->ready);
	assert_int_equal(identity_open(h->folder, &pid, &death.fd), 0);
	assert_int_equal(OPS.open(h->runtime, HELD_ID), 0);
	held_new_runtime(h);
	assert_int_equal(poll(&death, 1, 20000), 1);
	close(death.fd);
	assert_int_equal(OPS.adopt(h->runtime, h->folder, HELD_ID, &status), 0);
	assert_int_equal(status.state, RUNTIME_ENDED);
	assert_int_equal(status.exit_code, 5);
}

static void there_is_never_a_second_shim(void **state)
{
	struct held *h = *state;

	start_shell(h, "exit 0", "");
	held_until(h, &h->ready);
	held_new_runtime(h);
	identity_remove(h->folder, "pid"); /* a daemon that cannot see the first */
	start_shell(h, "exit 0", "");
	held_until(h, &h->ended);
	assert_string_equal(h->text, "the shim: another shim holds this instance");
	close(open(in_dir(h, "instances/" HELD_ID "/gate"), O_WRONLY | O_NONBLOCK)); /* the first is still there */
	{
		int fd = open(in_dir(h, "instances/" HELD_ID "/gate"), O_WRONLY | O_NONBLOCK);
		int lock = open(in_dir(h, "instances/" HELD_ID "/lock"), O_RDWR);

		assert_true(fd >= 0);
		assert_int_equal(write(fd, "open\n", 5), 5);
		assert_int_equal(flock(lock, LOCK_EX), 0); /* until it has ended */
		close(fd);
		close(lock);
	}
}

static void one_killed_before_it_said_who_it_is_ends(void **state)
{
	struct held *h = *state;

	/* a `launch` that nobody writes keeps the shim on its way */
	assert_int_equal(mkfifo(in_dir(h, "instances/" HELD_ID "/launch"), 0600), 0);
	assert_int_equal(OPS.start(h->runtime, h->folder, HELD_ID), 0);
	assert_int_equal(OPS.kill(h->runtime, HELD_ID, false), 0);
	held_until(h, &h->ended); /* the end of the pipe that it and its starter alone hold: none is left */
	assert_string_equal(h->text, "the shim: it ended before it was at its gate");
}

static void at_the_gate_it_ends_when_its_folder_is_removed(void **state)
{
	struct held *h = *state;
	struct pollfd death = { .events = POLLIN };
	pid_t pid;

	start_shell(h, "exit 0", "");
	held_until(h, &h->ready);
	assert_int_equal(identity_open(h->folder, &pid, &death.fd), 0);
	assert_int_equal(files_remove(h->folder), 0);
	assert_int_equal(poll(&death, 1, 20000), 1);
	close(death.fd);
}

/* Sweeps as a new daemon would; whether the shim is alive then. */
static bool lives_after_sweep(struct held *h, int shim)
{
	struct pollfd death = { .fd = shim, .events = POLLIN };

	held_new_runtime(h);
	assert_int_equal(OPS.sweep(h->runtime, in_dir(h, "instances")), 0);
	return poll(&death, 1, 0) == 0;
}

static void a_sweep_ends_a_shim_without_a_name_and_no_other(void **state)
{
	struct held *h = *state;
	char text[64];
	pid_t pid;
	int shim;

	assert_int_equal(mkfifo(in_dir(h, "up"), 0600), 0);
	assert_int_equal(mkfifo(in_dir(h, "never"), 0600), 0);
	start_shell(h, "setsid sh -c 'echo $$ > @/up; read x < @/never' & read x < @/never", "");
	held_open(h);
	hear(in_dir(h, "up"), text, sizeof text);
	held_until(h, &h->running);
	assert_int_equal(identity_open(h->folder, &pid, &shim), 0);
	assert_int_equal(OPS.sweep(h->runtime, "/tmp/no-such-folder"), 0);
	assert_true(lives_after_sweep(h, shim));
	assert_int_equal(files_remove(h->folder), 0);
	assert_false(lives_after_sweep(h, shim));
	assert_int_equal(kill((pid_t)atoi(text), 0), -1); /* its family too */
	close(shim);
}

static void a_private_file_appears_for_the_instance_alone(void **state)
{
	struct held *h = *state;

	start_shell(h, "cat /srv/sixpn-test/deep/a /srv/sixpn-test/deep/b > @/out",
		    ",\"files\":[{\"path\":\"/srv/sixpn-test/deep/a\",\"content\":\"one\\n\"},{\"path\":\"/srv/sixpn-test/deep/b\",\"content\":\"two\\n\"}]");
	held_open(h);
	held_until(h, &h->ended);
	if (h->exit_code != 0)
		fail_msg("exit %d %s", h->exit_code, h->text);
	expect_file(in_dir(h, "out"), "one\ntwo\n");
	assert_int_equal(access("/srv/sixpn-test", F_OK), -1);
}

static void bind_tree(const char *root)
{
	static const char *const links[][2] = { { "usr/bin", "bin" }, { "usr/lib", "lib" }, { "usr/lib64", "lib64" } };
	char path[300];

	snprintf(path, sizeof path, "%s/usr", root);
	assert_int_equal(file_make_dirs(path, 0755), 0);
	assert_int_equal(mount("/usr", path, NULL, MS_BIND, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		snprintf(path, sizeof path, "%s/%s", root, links[i][1]);
		assert_int_equal(symlink(links[i][0], path), 0);
	}
}

static void a_tree_of_its_own_gets_what_it_lacks(void **state)
{
	struct held *h = *state;
	const char *root = in_dir(h, "tree");
	char more[300], path[300];
	struct stat st;

	bind_tree(root);
	snprintf(path, sizeof path, "%s/etc", root);
	assert_int_equal(file_make_dirs(path, 0755), 0);
	snprintf(path, sizeof path, "%s/etc/resolv.conf", root);
	assert_int_equal(symlink("/../../run/nowhere/resolv.conf", path), 0); /* leads nowhere, and must not lead out */
	snprintf(more, sizeof more, ",\"root\":\"%s\",\"user\":\"65534:65534\",\"workdir\":\"/etc\"", root);
	start_shell(h, "set -e; pwd; id -u; cat nsswitch.conf hostname; head -1 resolv.conf", more);
	held_open(h);
	held_until(h, &h->ended);
	assert_int_equal(umount2(in_dir(h, "tree/usr"), MNT_DETACH), 0);
	expect_file(in_dir(h, "instances/" HELD_ID "/log"),
		    "/etc\n65534\npasswd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n" HELD_ID
		    "\nnameserver fdaa::3\n");
	assert_int_equal(h->exit_code, 0);
	assert_int_equal(stat("/run/nowhere", &st), -1);
}

static void a_bind_that_the_machine_takes_away_comes_back(void **state)
{
	struct held *h = *state;
	char text[64];
	int go;

	/* this test's own machine: an /etc of which it may replace a file */
	assert_int_equal(mkdir(in_dir(h, "etc"), 0755), 0);
	assert_int_equal(file_replace(in_dir(h, "etc/hosts"), "127.0.0.1 first\n", 16, 0644), 0);
	assert_int_equal(mount(in_dir(h, "etc"), "/etc", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mkfifo(in_dir(h, "up"), 0600), 0);
	assert_int_equal(mkfifo(in_dir(h, "go"), 0600), 0);
	start_shell(h, "grep -c fly-local-6pn /etc/hosts > @/up; read x < @/go; until grep -q fly-local-6pn /etc/hosts; do :; done", "");
	held_open(h);
	hear(in_dir(h, "up"), text, sizeof text);
	assert_string_equal(text, "1\n");
	assert_int_equal(file_replace("/etc/hosts", "127.0.0.1 second\n", 17, 0644), 0);
	go = open(in_dir(h, "go"), O_WRONLY);
	close(go);
	held_until(h, &h->ended);
	assert_int_equal(umount2("/etc", MNT_DETACH), 0);
	assert_int_equal(h->exit_code, 0);
	expect_file(in_dir(h, "etc/hosts"), "127.0.0.1 second\n");
}

static void the_log_is_bounded(void **state)
{
	struct held *h = *state;
	struct stat now, old;

	start_shell(h, "head -c 3000000 /dev/zero; echo the end", "");
	held_open(h);
	held_until(h, &h->ended);
	assert_int_equal(stat(in_dir(h, "instances/" HELD_ID "/log"), &now), 0);
	assert_int_equal(stat(in_dir(h, "instances/" HELD_ID "/log.1"), &old), 0);
	assert_true(now.st_size > 0 && now.st_size <= (1 << 20));
	assert_true(old.st_size > 0 && old.st_size <= (1 << 20));
}

static void the_network_namespace_is_its_own(void **state)
{
	struct held *h = *state;
	struct stat mine, its;
	int fd;

	start_shell(h, "exit 0", "");
	held_until(h, &h->ready);
	assert_int_equal(OPS.netns(h->runtime, HELD_ID, &fd), 0);
	assert_int_equal(fstat(fd, &its), 0);
	assert_int_equal(stat("/proc/thread-self/ns/net", &mine), 0);
	assert_true(mine.st_ino != its.st_ino);
	close(fd);
	assert_int_equal(OPS.term(h->runtime, HELD_ID), 0); /* at the gate: it ends without having run */
	held_until(h, &h->ended);
	assert_int_equal(h->exit_code, 143);
	assert_int_equal(OPS.netns(h->runtime, HELD_ID, &fd), -ESRCH);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_gate_holds_until_it_is_opened),
		TEST(the_command_sees_its_files_and_environment),
		TEST(the_command_gets_the_usual_number_of_files),
		TEST(the_exit_code_is_told_and_kept),
		TEST(that_it_runs_is_told_after_the_exec),
		TEST(a_second_daemon_hears_that_it_runs),
		TEST(a_program_that_is_not_there_never_ran_and_says_why),
		TEST(a_root_that_is_not_there_is_a_sentence),
		TEST(sigterm_reaches_the_command),
		TEST(orphans_end_with_the_command),
		TEST(orphans_end_with_a_shim_that_was_killed),
		TEST(the_namespace_of_a_shim_that_has_none_yet_is_not_ours),
		TEST(kill_ends_a_family_that_ignores_sigterm),
		TEST(a_second_daemon_finds_it_running_and_hears_its_end),
		TEST(a_second_daemon_opens_the_gate_of_the_first),
		TEST(an_end_without_a_daemon_is_found_by_the_next),
		TEST(there_is_never_a_second_shim),
		TEST(one_killed_before_it_said_who_it_is_ends),
		TEST(at_the_gate_it_ends_when_its_folder_is_removed),
		TEST(a_sweep_ends_a_shim_without_a_name_and_no_other),
		TEST(a_private_file_appears_for_the_instance_alone),
		TEST(a_tree_of_its_own_gets_what_it_lacks),
		TEST(a_bind_that_the_machine_takes_away_comes_back),
		TEST(the_log_is_bounded),
		TEST(the_network_namespace_is_its_own),
	};

	if (!held_private()) {
		printf("SKIP: needs root and its own network and mount namespaces\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
