/* bench_dns - what an answer costs the server that gives it, in CPU: ours, beside a bare reflector of UDP datagrams (the floor: the
 * kernel's part, to which no server adds nothing) and beside NSD on the same data. One thread each, on one core, the generator on
 * another, in a network namespace of their own; all in this run. Only the ratios mean something elsewhere.
 *
 * bench_dns FOLDER: where NSD was unpacked (deploy/install-deps.sh --unpack); an installed one does as well. */
#include "lib/base/crypto.h"
#include "lib/base/file.h"
#include "lib/dns/server.h"
#include "tests/bench/blast.h"

#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NETWORK 0x00180042u
#define HOST 0xa9a80001u
#define ASKER "fdaa:18:42:a9a8:1:1:1:2"
#define APPS 10000
#define ROUNDS 5
#define ANSWERS 150000
#define SERVER_CORE 0
#define GENERATOR_CORE 1

enum which { OURS, REFLECTOR, NSD, SERVERS };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void stay_on(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	(void)sched_setaffinity(0, sizeof set, &set); /* one core only: then all share it */
}

/* ---- a place of our own ---- */

static bool make_place(void)
{
	char map[64];
	uid_t uid = getuid();

	if (unshare(CLONE_NEWNET | (uid ? CLONE_NEWUSER : 0)) < 0)
		return false;
	snprintf(map, sizeof map, "0 %u 1", uid);
	if (uid && file_put("/proc/self/uid_map", map) < 0)
		return false;
	return !system("ip link set lo up && ip addr add fdaa::3/128 dev lo nodad && ip addr add " ASKER "/128 dev lo nodad");
}

static struct sockaddr_in6 name_server(void)
{
	return (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = addr_resolver(), .sin6_port = htons(53) };
}

static int ask_socket(void)
{
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 }, to = name_server();
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 4 << 20;

	inet_pton(AF_INET6, ASKER, &from.sin6_addr);
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		die("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	return fd;
}

/* ---- the servers, each a process ---- */

static struct dns_zone *make_zone(void)
{
	static char names[APPS][NAME_SIZE];
	static const char *apps[APPS];
	static struct dns_instance instances[3 * APPS];
	struct dns_region regions[] = { { "ord", 0 } };
	struct dns_here here = { .host = HOST, .region = "ord", .regions = regions, .n_regions = 1 };
	struct dns_zone_input in = { .network = NETWORK, .v = 1, .apps = apps, .n_apps = APPS, .instances = instances, .n_instances = 3 * APPS };
	struct dns_zone *zone;

	for (int i = 0; i < 3 * APPS; i++) {
		struct dns_instance *one = &instances[i];

		snprintf(names[i / 3], sizeof names[0], "app-%d", i / 3);
		apps[i / 3] = names[i / 3];
		*one = (struct dns_instance){ .address = addr_instance(NETWORK, HOST, 0x10000u + (uint32_t)i), .host = HOST, .answers = true,
					      .region = "ord" };
		snprintf(one->id, sizeof one->id, "%014x", (unsigned)i);
		memcpy(one->app, names[i / 3], sizeof one->app);
	}
	if (dns_zone_build(&in, &here, &zone))
		die("zone");
	return zone;
}

static void run_ours(void)
{
	struct dns_server_options o = { .address = addr_resolver(), .n_workers = 1 };
	struct dns_server *server;
	struct why why;

	if (dns_views_new(&o.views) || dns_views_replace(o.views, make_zone()))
		die("views");
	dns_views_set_synced(o.views, true);
	if (dns_server_start(&o, &server, &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		exit(1);
	}
	for (;;)
		pause();
}

/* Sends back what comes, stretched to the length that an answer has. */
static void run_reflector(size_t answer_len)
{
	enum { N = 32 };
	static struct mmsghdr in[N];
	static struct iovec io[N];
	static struct sockaddr_in6 from[N];
	static uint8_t bytes[N][2048];
	struct sockaddr_in6 at = name_server();
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), room = 4 << 20;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
		die("bind");
	for (;;) {
		int n;

		for (int i = 0; i < N; i++) {
			io[i] = (struct iovec){ bytes[i], sizeof bytes[i] };
			in[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &io[i], .msg_iovlen = 1 };
		}
		n = recvmmsg(fd, in, N, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++)
			io[i].iov_len = answer_len;
		for (int sent = 0; sent < n;) {
			int k = sendmmsg(fd, in + sent, (unsigned)(n - sent), 0);

			sent += k > 0 ? k : 1;
		}
	}
}

static void write_zone_file(const char *folder)
{
	char path[256], address[ADDR_TEXT_LEN];
	FILE *f;

	snprintf(path, sizeof path, "%s/zone", folder);
	if (!(f = fopen(path, "w")))
		die(path);
	fprintf(f, "$TTL 5\n@ IN SOA internal. hostmaster.internal. 1 5 5 86400 5\n@ IN NS internal.\n@ IN AAAA fdaa::3\n");
	for (unsigned i = 0; i < 3 * APPS; i++) {
		struct in6_addr a = addr_instance(NETWORK, HOST, 0x10000 + i);

		fprintf(f, "app-%u IN AAAA %s\n", i / 3, addr_text(&a, address));
		if (i % 3 == 0)
			fprintf(f, "regions.app-%u IN TXT \"ord\"\n", i / 3);
	}
	fclose(f);
	snprintf(path, sizeof path, "%s/nsd.conf", folder);
	if (!(f = fopen(path, "w")))
		die(path);
	fprintf(f,
		"server:\n server-count: 1\n ip-address: fdaa::3\n port: 53\n do-ip4: no\n username: \"\"\n chroot: \"\"\n zonesdir: \"%s\"\n"
		" database: \"\"\n pidfile: \"%s/pid\"\n xfrdfile: \"%s/xfrd\"\n xfrdir: \"%s\"\n zonelistfile: \"%s/list\"\n"
		" minimal-responses: yes\n verbosity: 0\n rrl-ratelimit: 0\n logfile: \"%s/log\"\n"
		"remote-control:\n control-enable: no\nzone:\n name: internal\n zonefile: zone\n",
		folder, folder, folder, folder, folder, folder);
	fclose(f);
}

static const char *find_nsd(const char *unpacked)
{
	static char path[512], libraries[512];

	snprintf(path, sizeof path, "%s/usr/sbin/nsd", unpacked);
	if (access(path, X_OK) == 0) {
		snprintf(libraries, sizeof libraries, "%s/usr/lib/x86_64-linux-gnu:%s/usr/lib/aarch64-linux-gnu", unpacked, unpacked);
		setenv("LD_LIBRARY_PATH", libraries, 1);
		return path;
	}
	return access("/usr/sbin/nsd", X_OK) == 0 ? "/usr/sbin/nsd" : NULL;
}

static pid_t start(enum which which, size_t answer_len, const char *nsd, const char *folder)
{
	pid_t pid = fork();
	char config[256];

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	stay_on(SERVER_CORE);
	if (which == OURS)
		run_ours();
	if (which == REFLECTOR)
		run_reflector(answer_len);
	snprintf(config, sizeof config, "%s/nsd.conf", folder);
	execl(nsd, nsd, "-d", "-c", config, (char *)NULL);
	_exit(127);
}

/* ---- measuring ---- */

/* CPU of a process and all below it, in nanoseconds. */
static double cpu_ns(pid_t pid)
{
	char path[64];
	clockid_t id;
	struct timespec t;
	double sum = 0;
	FILE *f;
	int child;

	if (clock_getcpuclockid(pid, &id) == 0 && clock_gettime(id, &t) == 0)
		sum = (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	while (f && fscanf(f, "%d", &child) == 1)
		sum += cpu_ns(child);
	if (f)
		fclose(f);
	return sum;
}

/* NSD reads 30,000 records first. */
static bool comes_up(int fd, const struct blast_query *q)
{
	for (int i = 0; i < 100; i++) {
		struct blast_result r = blast_run(fd, q, 1, 1);

		if (r.answered && !r.wrong)
			return true;
		usleep(100000);
	}
	return false;
}

static void end(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

static size_t make_queries(struct blast_query *queries, bool mixed)
{
	size_t n = 0;

	for (unsigned i = 0; n < BLAST_QUERIES_MAX; i++) {
		unsigned app = i * 7919u % APPS, kind = mixed ? i % 20 : 0;
		char name[64];

		snprintf(name, sizeof name, "%s%s-%u.internal", kind == 16 || kind == 17 ? "regions." : "", kind >= 18 ? "nobody" : "app", app);
		if (kind >= 18)
			n = blast_add(queries, n, name, DNS_TYPE_AAAA, DNS_NXDOMAIN, 0);
		else if (kind >= 16)
			n = blast_add(queries, n, name, DNS_TYPE_TXT, DNS_NOERROR, 1);
		else if (kind >= 9)
			n = blast_add(queries, n, name, DNS_TYPE_A, DNS_NOERROR, 0);
		else
			n = blast_add(queries, n, name, DNS_TYPE_AAAA, DNS_NOERROR, 3);
	}
	return n;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *of)
{
	qsort(of, ROUNDS, sizeof *of, compare);
	return of[ROUNDS / 2];
}

/* One server, one round. Ours also tells how long an answer is, on average. */
static double measure(enum which which, const struct blast_query *queries, size_t n, size_t *answer_len, const char *nsd, const char *folder)
{
	pid_t pid = start(which, *answer_len, nsd, folder);
	int fd = ask_socket();
	struct blast_result r;
	double before;

	usleep(which == REFLECTOR ? 100000 : 0);
	if (which != REFLECTOR && !comes_up(fd, queries)) {
		fprintf(stderr, "a server does not come up\n");
		exit(1);
	}
	(void)blast_run(fd, queries, n, ANSWERS / 10); /* warm */
	before = cpu_ns(pid);
	r = blast_run(fd, queries, n, ANSWERS);
	before = cpu_ns(pid) - before;
	if (r.answered < ANSWERS || (r.wrong && which != REFLECTOR)) {
		fprintf(stderr, "server %d: %llu answers, %llu wrong, %llu lost\n", which, (unsigned long long)r.answered,
			(unsigned long long)r.wrong, (unsigned long long)r.lost);
		exit(1);
	}
	if (which == OURS)
		*answer_len = (size_t)(r.bytes / r.answered);
	close(fd);
	end(pid);
	return before / (double)r.answered / 1000;
}

static void compare_servers(const char *what, bool mixed, const char *nsd, const char *folder)
{
	static struct blast_query queries[BLAST_QUERIES_MAX];
	size_t n = make_queries(queries, mixed), answer_len = 0;
	double us[SERVERS][ROUNDS], ours, floor_us, nsd_us;

	for (int round = 0; round < ROUNDS; round++)
		for (enum which w = OURS; w < SERVERS; w++)
			if (w != NSD || nsd)
				us[w][round] = measure(w, queries, n, &answer_len, nsd, folder);
	ours = median(us[OURS]);
	floor_us = median(us[REFLECTOR]);
	printf("DNS server, %s, %d names, CPU per answer (%zu bytes; median of %d rounds of %d): ours %.2f us = %.2f x a bare reflector (%.2f us)",
	       what, APPS, answer_len, ROUNDS, ANSWERS, ours, ours / floor_us, floor_us);
	nsd_us = nsd ? median(us[NSD]) : 0;
	if (nsd)
		printf(" = %.2f x NSD (%.2f us)", ours / nsd_us, nsd_us);
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *nsd = argc > 1 ? find_nsd(argv[1]) : NULL;
	char folder[] = "/tmp/sixpn-bench-XXXXXX", command[64];

	crypto_init();
	if (!make_place()) {
		printf("SKIP bench_dns: no network namespace of our own here (%s)\n", strerror(errno));
		return 0;
	}
	if (!nsd)
		printf("SKIP the comparison with NSD: not unpacked in %s and not installed\n", argc > 1 ? argv[1] : "FOLDER");
	if (!mkdtemp(folder))
		die("mkdtemp");
	write_zone_file(folder);
	stay_on(GENERATOR_CORE);
	compare_servers("AAAA (3 addresses)", false, nsd, folder);
	compare_servers("45 % AAAA, 35 % A, 10 % TXT, 10 % NXDOMAIN", true, nsd, folder);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) != 0;
}
