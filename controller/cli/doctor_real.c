/* doctor_real - the effects of doctor.h on the machine it runs on. */
#include "controller/cli/doctor.h"

#include "controller/cli/commands.h"
#include "controller/cli/context.h"
#include "controller/cli/request.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ldns/ldns.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_MS 20000 /* resolvectl waits so long for a bus that is not there */
#define ASK_S 3

static int real_read_file(void *ctx, const char *path, struct buf *ret_text)
{
	(void)ctx;
	return file_read(path, PEER_FILE_READ_MAX, ret_text);
}

static int real_file_mode(void *ctx, const char *path, unsigned *ret_mode)
{
	struct stat st;

	(void)ctx;
	if (stat(path, &st) < 0)
		return -errno;
	*ret_mode = st.st_mode & 07777;
	return 0;
}

static uint64_t now_ms(void)
{
	struct clock clock = clock_real();

	return clock_mono_ms(&clock);
}

/* Until the program closes its end: true; or the time is up. What does not fit is read and dropped. */
static bool read_all(int fd, struct buf *text)
{
	uint64_t end = now_ms() + RUN_MS;
	char chunk[4096];
	uint64_t now;

	while ((now = now_ms()) < end) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, (int)(end - now)) <= 0)
			continue;
		n = read(fd, chunk, sizeof chunk);
		if (n <= 0)
			return true;
		buf_add(text, chunk, (size_t)n);
	}
	return false;
}

static int spawn(const char *const *argv, int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	r = r ? r : posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	r = r ? r : posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	r = r ? r : posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int real_run(void *ctx, const char *const *argv, struct buf *ret_text)
{
	int pipe_fd[2], r, status = 0;
	pid_t pid = -1;

	(void)ctx;
	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return -errno;
	r = spawn(argv, pipe_fd[1], &pid);
	close(pipe_fd[1]);
	if (r == 0 && !read_all(pipe_fd[0], ret_text))
		kill(pid, SIGTERM);
	close(pipe_fd[0]);
	if (r < 0)
		return r;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int real_resolve(void *ctx, const char *host, struct buf *ret_addresses)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list = NULL;
	char text[NI_MAXHOST];

	(void)ctx;
	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return -ENOENT;
	for (const struct addrinfo *a = list; a; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
			buf_printf(ret_addresses, "%s\n", text);
	freeaddrinfo(list);
	return 0;
}

/* ---- names ---- */

static ldns_resolver *resolver_at(const char *server, bool tcp)
{
	ldns_rdf *address = ldns_rdf_new_frm_str(strchr(server, ':') ? LDNS_RDF_TYPE_AAAA : LDNS_RDF_TYPE_A, server);
	ldns_resolver *resolver = ldns_resolver_new();

	if (!address || !resolver || ldns_resolver_push_nameserver(resolver, address) != LDNS_STATUS_OK) {
		ldns_rdf_deep_free(address);
		ldns_resolver_deep_free(resolver);
		return NULL;
	}
	ldns_rdf_deep_free(address);
	ldns_resolver_set_port(resolver, 53);
	ldns_resolver_set_timeout(resolver, (struct timeval){ .tv_sec = ASK_S });
	ldns_resolver_set_retry(resolver, 2);
	ldns_resolver_set_recursive(resolver, true);
	ldns_resolver_set_usevc(resolver, tcp);
	return resolver;
}

static int take_answer(const ldns_pkt *packet, struct buf *ret_text)
{
	const ldns_rr_list *list = ldns_pkt_answer(packet);

	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char *text = ldns_rr2str(ldns_rr_list_rr(list, i));

		buf_add_str(ret_text, text ? text : "");
		free(text);
	}
	return ldns_pkt_get_rcode(packet) == LDNS_RCODE_NOERROR	   ? 0
	       : ldns_pkt_get_rcode(packet) == LDNS_RCODE_NXDOMAIN ? -ENOENT
								   : -EREMOTEIO;
}

static int real_ask(void *ctx, const char *server, const char *name, bool tcp, unsigned *ret_ms, struct buf *ret_text)
{
	ldns_resolver *resolver = resolver_at(server, tcp);
	ldns_rdf *question = ldns_dname_new_frm_str(name);
	ldns_pkt *packet = NULL;
	uint64_t sent = now_ms();
	int r = -EINVAL;

	(void)ctx;
	if (resolver && question) {
		r = -ETIMEDOUT;
		if (ldns_resolver_send(&packet, resolver, question, LDNS_RR_TYPE_TXT, LDNS_RR_CLASS_IN, LDNS_RD) ==
			    LDNS_STATUS_OK &&
		    packet)
			r = take_answer(packet, ret_text);
		*ret_ms = (unsigned)(now_ms() - sent);
	}
	ldns_pkt_free(packet);
	ldns_rdf_deep_free(question);
	ldns_resolver_deep_free(resolver);
	return r;
}

/* ---- the controller ---- */

/* Errors are findings here, not the end: what would be said on standard error goes into *why. */
static FILE *hush(struct cli *cli, char **text, size_t *len)
{
	FILE *old = cli->err, *quiet = open_memstream(text, len);

	if (quiet)
		cli->err = quiet;
	return old;
}

static void unhush(struct cli *cli, FILE *old, char **text, struct why *why)
{
	static const char begin[] = "error: ";
	const char *said;

	if (cli->err != old) {
		fclose(cli->err); /* sets *text */
		cli->err = old;
	}
	said = *text ? *text : "";
	said += !strncmp(said, begin, sizeof begin - 1) ? sizeof begin - 1 : 0;
	if (why)
		why_set(why, "api", "", "%.*s", (int)strcspn(said, "\n"), said);
	free(*text);
}

static bool is_known(struct cli *cli)
{
	struct context context;
	bool known = context_find(cli, &context) == 0 && (strncmp(context.url, "unix:", 5) || access(context.url + 5, F_OK) == 0);

	crypto_wipe(&context, sizeof context);
	return known;
}

static int real_clock_ahead_s(void *ctx, int64_t *ret_s)
{
	struct cli *cli = ctx;
	struct clock clock = clock_real();
	struct request_reply reply;
	char *text = NULL;
	size_t len;
	FILE *err = hush(cli, &text, &len);
	bool known = is_known(cli);

	if (known && request_send(cli, "GET", "/v1/whoami", NULL, true, &reply) == 0)
		request_reply_deinit(&reply);
	unhush(cli, err, &text, NULL);
	if (!known)
		return -ENOTCONN;
	if (request_date(cli) <= 0)
		return -ENODATA;
	*ret_s = (int64_t)(clock_real_ms(&clock) / 1000) - request_date(cli);
	return 0;
}

static int real_look_up(void *ctx, const char *ref, json_t **ret_peer, json_t **ret_status, struct why *why)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	struct cli *cli = ctx;
	struct request_reply reply;
	char *text = NULL;
	size_t len;
	FILE *err = hush(cli, &text, &len);
	bool known = is_known(cli);
	int r = known ? cli_resolve(cli, cli_noun_find("peer"), ref, &path) : EXIT_UNREACHABLE;

	if (r == 0)
		r = request_send(cli, "GET", buf_str(&path), NULL, false, &reply);
	if (r == 0)
		*ret_peer = reply.body;
	if (r == 0)
		r = cli_peer_status_get(cli, ref, ret_status);
	unhush(cli, err, &text, why);
	return !known ? -ENOTCONN : r == EXIT_NOT_FOUND ? -ENOENT : r ? -EACCES : 0;
}

static uint64_t real_s(void *ctx)
{
	struct clock clock = clock_real();

	(void)ctx;
	return clock_real_ms(&clock) / 1000;
}

const struct doctor_ops doctor_real_ops = {
	.read_file = real_read_file,
	.file_mode = real_file_mode,
	.run = real_run,
	.resolve = real_resolve,
	.ask = real_ask,
	.clock_ahead_s = real_clock_ahead_s,
	.look_up = real_look_up,
	.real_s = real_s,
};
