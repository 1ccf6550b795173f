/* sixpn-node - the daemon on every machine of the platform.
 *
 * What it is for. It makes this machine part of the 6PN: a host runs instances and gives each its address, its filters and its
 * names; a gateway lets customers' WireGuard peers in. All machines are one mesh.
 *
 * What it may know. The fabric (regions, nodes, mesh keys), and every network present on this machine; the workload of its own
 * instances. Nothing else is ever sent here. It trusts what comes over the link, because the link is authenticated with a key that
 * came in the join token; it trusts no packet of an instance or a peer, and no host beyond what presence says.
 *
 * What it owns. The routes and the rule of table 6000, the nftables table `sixpn`, the device sixpn-mesh and the wireguard-go
 * behind it, the pinned BPF maps and programs, fdaa::3 and the name server on it, the devices sx*, /run/sixpn, and its state
 * folder. All of this outlives the daemon: stopping it stops nothing that runs, `sixpn-node leave` takes it all back.
 *
 * How it works. One loop thread is the only writer of everything; the journal has a thread that syncs files; the name server has
 * its workers. The controller is asked last and may be away for ever: the last state is on disk and is served.
 *
 * Where to read next. node.c for the order of the start, apply.c for the order of a change, sync.c for the talk with the
 * controller, then the roles: agent/role.c, gateway/role.c. docs/design.md tells why.
 */
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "node/enroll.h"
#include "node/metrics.h"
#include "node/node.h"
#include "node/roles.h"
#include "node/settings.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <fcntl.h>
#include <unistd.h>

extern char **environ;

#define CONFIG_FILE "/etc/sixpn/node.conf"
#define ENROLL_LIMIT_MS 60000

enum { EXIT_USAGE = 2 };

struct daemon {
	struct loop *loop;
	struct loop_signal term, intr;
};

static int usage(const struct config *config, int code)
{
	CLEAN_BUF struct buf text = BUF_INIT(64 << 10);

	buf_add_str(&text, "sixpn-node - makes this machine a node of a 6PN\n\n"
			   "  sixpn-node [--key VALUE ...]         run in the foreground\n"
			   "  sixpn-node status                    what the running node says of itself (JSON)\n"
			   "  sixpn-node leave                     take everything of ours off this machine (stop the daemon first)\n"
			   "  sixpn-node check-config | print-config | sample-config\n"
			   "  sixpn-node metrics                   table of what /metrics says\n"
			   "  sixpn-node version | help\n\n"
			   "Settings come from " CONFIG_FILE ", then SIXPN_KEY variables, then these:\n\n");
	config_help(config, &text);
	fputs(buf_str(&text), code ? stderr : stdout);
	return code;
}

static int refuse(const char *what, int e, const struct why *why)
{
	log_err("main", "%s: %s", what, e > 0 ? why->text : strerror(-e));
	return EXIT_FAILURE;
}

static void raised(struct loop_signal *sig, int number)
{
	struct daemon *d = number == SIGTERM ? container_of(sig, struct daemon, term) : container_of(sig, struct daemon, intr);

	log_info("main", "signal %d: the daemon ends; what it set up goes on", number);
	loop_stop(d->loop, 0);
}

/* One daemon per state folder: two would fight over everything. The lock goes with the process. */
static int lock_state(const char *state_dir, int *ret_fd)
{
	char path[300];
	int fd;

	snprintf(path, sizeof path, "%s/lock", state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EROFS)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return -EBUSY;
	}
	*ret_fd = fd;
	return 0;
}

static int print_status(const struct config *config)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	CLEAN_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char chunk[4096];
	ssize_t n;

	snprintf(at.sun_path, sizeof at.sun_path, "%.80s/node/status.sock", config_str(config, "run_dir"));
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) < 0) {
		fprintf(stderr, "error: no node answers at %s: %s\n  is sixpn-node running, and are you root?\n", at.sun_path, strerror(errno));
		return EXIT_FAILURE;
	}
	while ((n = read(fd, chunk, sizeof chunk)) > 0)
		fwrite(chunk, 1, (size_t)n, stdout);
	putchar('\n');
	return n < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A new machine: ask for an identity, store it, and start again from the top as a node (a fresh process has no second link). */
static int join(const struct config *config, uint32_t role_bits, struct identity *identity, char **argv, struct why *why)
{
	int e;

	if (!config_str(config, "join")[0])
		return why_set(why, "not_joined", "join", "this machine is not a node yet: give --join FILE with a join token (sixpn node token create)");
	e = enroll_run(config, role_bits, identity, ENROLL_LIMIT_MS, why);
	if (e == 0)
		e = identity_save(config_str(config, "state_dir"), identity);
	if (e)
		return e;
	log_info("enroll", "this machine is node %s, host word %08x, region %s", identity->name, identity->host, identity->region);
	execv("/proc/self/exe", argv);
	return -errno;
}

/* A folder that takes no writes must not keep this machine's names and filters down. The next start may have the same count as this
 * one, and the controller makes it wait two park times, as it would a clone. */
static int count_boot(const char *state_dir, const struct clock *clock, struct identity *identity)
{
	int e = identity_count_boot(state_dir, clock, identity);

	if (e != -ENOSPC && e != -EDQUOT && e != -EROFS && e != -EIO)
		return e;
	log_err("main", "the count of starts in %s cannot be written: %s; going on", state_dir, strerror(-e));
	return 0;
}

/* Whoever leaves takes its filters along, so instances go too: also those of a role that was taken out of the configuration before. */
static bool has_instances(const char *run_dir)
{
	const struct dirent *entry;
	bool found = false;
	char path[300];
	DIR *folder;

	snprintf(path, sizeof path, "%.280s/instances", run_dir);
	folder = opendir(path);
	while (folder && !found && (entry = readdir(folder)))
		found = entry->d_name[0] != '.';
	if (folder)
		closedir(folder);
	return found;
}

static int run(struct config *config, char **argv, bool leave)
{
	struct daemon d = { .term = { .number = SIGTERM, .raised = raised }, .intr = { .number = SIGINT, .raised = raised } };
	const char *state_dir = config_str(config, "state_dir");
	struct clock clock = clock_real();
	struct identity identity = { 0 };
	struct node *node = NULL;
	struct why why = { 0 };
	uint32_t role_bits;
	CLEAN_CLOSE int lock = -1;
	int e = roles_parse(config_str(config, "roles"), &role_bits, &why);

	if (e == 0 && !leave)
		e = settings_check_roles(config, role_bits, &why);
	if (e == 0 && leave && has_instances(config_str(config, "run_dir")))
		role_bits |= ROLE_HOST;
	if (e == 0)
		e = file_make_dirs(config_str(config, "run_dir"), 0755);
	if (e == 0)
		e = file_make_dirs(state_dir, 0700);
	if (e == 0)
		e = lock_state(state_dir, &lock);
	if (e)
		return refuse(e == -EBUSY ? "another sixpn-node uses this state_dir" : "start", e, &why);
	e = identity_load(state_dir, &clock, &identity, &why);
	if (e == 0 && role_bits & ROLE_GATEWAY)
		e = identity_load_gateway(state_dir, &identity, &why);
	if (e == 0 && !identity.enrolled)
		e = join(config, role_bits, &identity, argv, &why);
	if (e == 0)
		e = count_boot(state_dir, &clock, &identity);
	if (e == 0)
		e = loop_new(&d.loop);
	if (e == 0)
		e = loop_add_signal(d.loop, &d.term);
	if (e == 0)
		e = loop_add_signal(d.loop, &d.intr);
	if (e)
		return refuse("start", e, &why);
	node = calloc(1, sizeof *node);
	e = node ? node_start(node, NULL, d.loop, config, &identity, role_bits, leave, &why) : -ENOMEM;
	identity_wipe(&identity);
	if (e == 0) {
		log_info("main", "node %s (%s), V %llu", node->identity.name, node->identity.region, (unsigned long long)node->replica.v);
		if (leave) {
			node_wipe(node);
		} else {
			notify_send("READY=1");
			e = loop_run(d.loop);
		}
		node_stop(node);
	} else {
		e = refuse("start", e, &why);
	}
	free(node);
	loop_free(d.loop);
	return e < 0 ? refuse("loop", e, &why) : e;
}

static int print_metrics(void)
{
	CLEAN_BUF struct buf text = BUF_INIT(256 << 10);

	node_metrics_document(&text);
	return fputs(buf_str(&text), stdout) < 0;
}

static int print(const struct config *config, void (*what)(const struct config *config, struct buf *ret_text))
{
	CLEAN_BUF struct buf text = BUF_INIT(64 << 10);

	what(config, &text);
	fputs(buf_str(&text), stdout);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	char **all_args = calloc((size_t)argc + 1, sizeof *all_args);
	struct config config;
	struct why why = { 0 };
	enum log_level level;
	const char *verb;
	int e, code;

	signal(SIGPIPE, SIG_IGN);
	umask(0077);
	file_limit_raise();
	crypto_init();
	if (!all_args || settings_init(&config) < 0)
		return EXIT_FAILURE;
	memcpy(all_args, argv, (size_t)argc * sizeof *argv);
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--version")))
		argv[1] += strspn(argv[1], "-");
	e = config_read_file(&config, CONFIG_FILE, false, &why);
	if (e == 0)
		e = config_read_env(&config, environ, &why);
	if (e == 0)
		e = config_read_args(&config, &argc, argv, &why);
	if (e == 0)
		e = log_level_parse(config_str(&config, "log_level"), &level, &why);
	if (e == 0)
		e = settings_check(&config, &why);
	if (e) {
		fprintf(stderr, "error: %s\n", e > 0 ? why.text : strerror(-e));
		return EXIT_USAGE;
	}
	log_set_level(level);
	verb = argc > 1 ? argv[1] : "run";
	if (!strcmp(verb, "help") || !strcmp(verb, "h"))
		code = usage(&config, 0);
	else if (!strcmp(verb, "version"))
		code = puts("sixpn-node " SIXPN_VERSION) < 0;
	else if (!strcmp(verb, "status"))
		code = print_status(&config);
	else if (!strcmp(verb, "metrics"))
		code = print_metrics();
	else if (!strcmp(verb, "check-config"))
		code = 0;
	else if (!strcmp(verb, "print-config"))
		code = print(&config, config_print);
	else if (!strcmp(verb, "sample-config"))
		code = print(&config, config_sample);
	else if ((!strcmp(verb, "run") || !strcmp(verb, "leave")) && argc <= 2)
		code = run(&config, all_args, !strcmp(verb, "leave"));
	else
		code = usage(&config, EXIT_USAGE);
	config_deinit(&config);
	free(all_args);
	return code;
}
