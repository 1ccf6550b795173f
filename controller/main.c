/* sixpn-controller - the one place where a 6PN is decided.
 *
 * What it is for. People and tools write here what they want (orgs, networks, apps, instances) over HTTP; the controller gives it a
 * place and an address, writes it down once, in order, and tells every node what it has to know, and nothing else.
 *
 * What it may know. Everything but packets and private keys: the nodes make their keys themselves and keep them. It trusts a node
 * only for what concerns that node: what it has applied, and what became of the instances that run there.
 *
 * What it owns. The store (a SQLite file, and a ballast file for the day the disk is full), the link key in keys/ and the backups in
 * backups/ beside it, the HTTP listeners, the local socket and the control link. One process at a time writes a store: a second one
 * is refused by the lock; where the lock does not reach (a copy of the file, a lock that somebody removed) the later one counts, and
 * the earlier ends itself.
 *
 * How it works. One loop thread answers everybody from memory; one store thread does all SQL. Nodes ask (a long poll), so that a
 * lost reply costs one more question. When the controller is away, everything that runs goes on.
 *
 * Where to read next. controller.h for the path of a change, poll.c for what a node is told and why, scope.c for who may see what,
 * store.h for the log, api.h and route.h for HTTP. docs/design.md tells why.
 */
#include "controller/access.h"
#include "controller/api/api.h"
#include "controller/http/http_tls.h"
#include "controller/nodes/controller.h"
#include "controller/store/link_key.h"
#include "controller/nodes/metrics.h"
#include "controller/offline.h"
#include "controller/settings.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "lib/link/nng_server.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

#define CONFIG_FILE "/etc/sixpn/controller.conf"
#define LIST_MAX 16

enum { EXIT_USAGE = 2 };

struct text_list {
	char text[512];
	const char *items[LIST_MAX];
	size_t n;
};

struct daemon {
	struct loop *loop;
	struct loop_signal term, intr, hup;
	struct loop_timer tick;
	char **argv;
	int argc;
	struct store *store;
	struct link_nng_server *transport;
	struct controller *controller;
	struct api *api;
	struct http_server *http;
	struct http_tls *tls;
	struct api_access access;
	struct access_names names;
	struct text_list tls_listen;
	char external_host[256], tls_cert[PATH_MAX], tls_key[PATH_MAX];
	struct text_list listen, host_names, link_listen;
	char advertise[512], backup_dir[PATH_MAX];
};

static int usage(const struct config *config, int code)
{
	CLEAN_BUF struct buf text = BUF_INIT(64 << 10);

	buf_add_str(&text, "sixpn-controller - decides and tells the nodes of a 6PN\n\n"
			   "  sixpn-controller [--key VALUE ...]   run in the foreground\n"
			   "  sixpn-controller check-config | print-config | sample-config\n"
			   "  sixpn-controller metrics             table of what /metrics says\n"
			   "  sixpn-controller verify-backup FILE | restore-backup FILE [ABOVE-EPOCH] | check-store [FILE]\n"
			   "  sixpn-controller version | help\n\n"
			   "Settings come from " CONFIG_FILE ", then SIXPN_KEY variables, then these:\n\n");
	config_help(config, &text);
	fputs(buf_str(&text), code ? stderr : stdout);
	return code;
}

static int read_settings(struct config *config, int *argc, char **argv, enum log_level *ret_level, struct why *why)
{
	int r = config_read_file(config, CONFIG_FILE, false, why);

	if (r == 0)
		r = config_read_env(config, environ, why);
	if (r == 0)
		r = config_read_args(config, argc, argv, why);
	if (r == 0)
		r = log_level_parse(config_str(config, "log_level"), ret_level, why);
	return r;
}

static int split(const struct config *config, const char *key, struct text_list *ret, struct why *why)
{
	char *save = NULL;

	snprintf(ret->text, sizeof ret->text, "%s", config_str(config, key));
	for (char *item = strtok_r(ret->text, ", ", &save); item; item = strtok_r(NULL, ", ", &save)) {
		if (ret->n == LIST_MAX)
			return why_set(why, "out_of_range", key, "%s has more than %d values", key, LIST_MAX);
		ret->items[ret->n++] = item;
	}
	return 0;
}

/* ---- signals and callbacks ---- */

static void ended(struct daemon *d, int number)
{
	log_info("main", "signal %d: the controller ends; nodes go on with what they have", number);
	loop_stop(d->loop, 0);
}

static void term_raised(struct loop_signal *sig, int number)
{
	ended(container_of(sig, struct daemon, term), number);
}

static void intr_raised(struct loop_signal *sig, int number)
{
	ended(container_of(sig, struct daemon, intr), number);
}

/* The level of the log and the certificate are read again; all else needs a restart, which costs nobody anything. */
static void hup_raised(struct loop_signal *sig, int number)
{
	struct daemon *d = container_of(sig, struct daemon, hup);
	CLEAN_FREE char **argv = calloc((size_t)d->argc + 1, sizeof *argv);
	struct config config;
	enum log_level level;
	struct why why = { 0 };
	int argc = d->argc;

	(void)number;
	if (d->tls)
		http_tls_reload(d->tls);
	if (!argv || settings_init(&config) < 0)
		return;
	memcpy(argv, d->argv, (size_t)argc * sizeof *argv);
	if (read_settings(&config, &argc, argv, &level, &why) == 0) {
		log_set_level(level);
		log_info("main", "log level is %s now", config_str(&config, "log_level"));
	} else {
		log_warn("main", "the settings cannot be read again: %s, ignoring", why.text);
	}
	config_deinit(&config);
}

static void tick_expired(struct loop_timer *timer)
{
	controller_tick(container_of(timer, struct daemon, tick)->controller);
}

static void wake_at(void *ctx, uint64_t mono_ms)
{
	struct daemon *d = ctx;

	if (loop_set_timer(d->loop, &d->tick, mono_ms) < 0) {
		log_err("main", "no memory for a timer");
		loop_stop(d->loop, EXIT_FAILURE);
	}
}

static void must_stop(void *ctx, const char *reason)
{
	struct daemon *d = ctx;

	log_err("main", "ending: %s", reason);
	loop_stop(d->loop, EXIT_FAILURE);
}

static void committed(void *ctx, const struct record *record)
{
	struct daemon *d = ctx;

	if (d->api)
		api_note_record(d->api, record);
}

/* ---- start and end ---- */

/* What join tokens say when the operator said nothing: the address we listen on, or the machine's name if that is a wildcard. */
static void find_advertise(struct daemon *d, const struct config *config)
{
	const char *listen = d->link_listen.n ? d->link_listen.items[0] : "", *port = strrchr(listen, ':');
	char name[256] = "localhost";

	snprintf(d->advertise, sizeof d->advertise, "%s", config_str(config, "advertise"));
	if (d->advertise[0])
		return;
	if (strncmp(listen, "[::]", 4) && strncmp(listen, "0.0.0.0:", 8)) {
		snprintf(d->advertise, sizeof d->advertise, "%s", listen);
		return;
	}
	gethostname(name, sizeof name - 1);
	snprintf(d->advertise, sizeof d->advertise, "%s%s", name, port ? port : ":4281");
	log_warn("main", "advertise is not set: join tokens will name %s", d->advertise);
}

static int start_core(struct daemon *d, const struct config *config, struct why *why)
{
	static const struct controller_events events = { .wake_at = wake_at, .must_stop = must_stop, .committed = committed };
	struct store_options store = { .path = config_str(config, "path"), .clock = clock_real(), .ballast_bytes = STORE_BALLAST_BYTES };
	struct controller_config core = { .clock = clock_real(), .loop = d->loop, .advertise = d->advertise,
					  .park_ms = (uint32_t)config_int(config, "park_ms"),
					  .window_changes = (size_t)config_int(config, "window_changes") };
	int r = link_key_load(store.path, core.link_key, why);

	find_advertise(d, config);
	core.backup_dir = d->backup_dir;
	if (r == 0)
		r = offline_backup_dir(config, d->backup_dir, sizeof d->backup_dir);
	if (r == 0)
		r = store_open(&store, &d->store, why);
	if (r == 0)
		r = link_nng_server_new(d->loop, &d->transport);
	if (r == 0) {
		core.store = d->store;
		core.transport = link_nng_server_transport(d->transport);
		r = controller_new(&core, &events, d, &d->controller);
	}
	crypto_wipe(core.link_key, sizeof core.link_key);
	for (size_t i = 0; r == 0 && i < d->link_listen.n; i++) {
		r = link_nng_server_listen(d->transport, d->link_listen.items[i], NULL);
		if (r < 0)
			r = why_set(why, "listen_failed", "link_listen", "the control link cannot listen on %s: %s", d->link_listen.items[i],
				    strerror(-r));
	}
	return r;
}

/* The host of the URL that we tell people is one by which they may call us. */
static int take_external_url(struct daemon *d, const char *url, struct why *why)
{
	if (!*url)
		return 0;
	if (access_check_url(url, d->external_host, sizeof d->external_host, why))
		return E_REFUSED;
	if (d->host_names.n < LIST_MAX)
		d->host_names.items[d->host_names.n++] = d->external_host;
	snprintf(d->access.url, sizeof d->access.url, "%s", url);
	return 0;
}

static void find_names(struct daemon *d)
{
	char name[256] = "";

	for (size_t i = 0; i < d->host_names.n; i++)
		access_names_add(&d->names, d->host_names.items[i]);
	for (size_t i = 0; i < d->tls_listen.n; i++)
		access_names_add_listener(&d->names, d->tls_listen.items[i]);
	access_names_add(&d->names, "localhost");
	access_names_add(&d->names, "127.0.0.1");
	access_names_add(&d->names, "::1");
	gethostname(name, sizeof name - 1);
	access_names_add(&d->names, name);
}

/* The operator's files, or our own in keys/ beside the store. */
static int start_tls(struct daemon *d, const struct config *config, struct why *why)
{
	const char *cert = config_str(config, "tls_cert"), *key = config_str(config, "tls_key"), *path = config_str(config, "path");
	struct http_tls_config tls = { .cert_path = d->tls_cert, .key_path = d->tls_key, .self_made = !*cert, .names = d->names.items };
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash - path) : 1;

	if (!*cert != !*key)
		return why_set(why, "value_invalid", *cert ? "tls_key" : "tls_cert", "tls_cert and tls_key go together: %s is not set",
			       *cert ? "tls_key" : "tls_cert");
	if (!d->tls_listen.n)
		return 0;
	if (*cert) {
		snprintf(d->tls_cert, sizeof d->tls_cert, "%s", cert);
		snprintf(d->tls_key, sizeof d->tls_key, "%s", key);
	} else {
		find_names(d);
		tls.n_names = d->names.n;
		snprintf(d->tls_cert, sizeof d->tls_cert, "%.*s/keys/api.crt", folder, slash ? path : ".");
		snprintf(d->tls_key, sizeof d->tls_key, "%.*s/keys/api.key", folder, slash ? path : ".");
	}
	d->access.self_made = tls.self_made;
	return http_tls_new(d->loop, &(struct clock){ .ops = &clock_real_ops }, &tls, &d->tls, why);
}

static void find_url(struct daemon *d)
{
	bool plain = d->listen.n != 0;

	if (!d->access.url[0] && (plain || d->tls_listen.n))
		access_url_of(plain ? d->listen.items[0] : d->tls_listen.items[0], http_server_port(d->http, 0), !plain, d->access.url,
			      sizeof d->access.url);
}

static int start_http(struct daemon *d, const struct config *config, struct why *why)
{
	struct api_env env = *controller_env(d->controller);
	const char *socket_path = config_str(config, "socket");
	struct http_config http = { .listen = d->listen.items, .n_listen = d->listen.n, .socket_path = socket_path[0] ? socket_path : NULL,
				    .socket_group = config_str(config, "socket_group"), .host_names = d->host_names.items };
	struct clock clock = clock_real();
	char folder[128];
	char *slash;
	int r = take_external_url(d, config_str(config, "external_url"), why);

	if (r == 0)
		r = start_tls(d, config, why);
	http.n_host_names = d->host_names.n;
	http.tls_listen = d->tls_listen.items;
	http.n_tls_listen = d->tls_listen.n;
	http.tls = d->tls;
	http.connections = (unsigned)config_int(config, "connections");
	http.connections_per_address = (unsigned)config_int(config, "connections_per_address");
	http.requests_per_address = (unsigned)config_int(config, "requests_per_address");
	env.requests_per_token = (uint32_t)config_int(config, "requests_per_token");
	d->access.tls = d->tls;
	env.access = &d->access;
	snprintf(folder, sizeof folder, "%s", socket_path);
	slash = strrchr(folder, '/');
	if (r == 0 && slash && slash != folder) {
		*slash = 0;
		umask(0022); /* the admins' group must get to the socket */
		r = file_make_dirs(folder, 0755);
		umask(0077);
	}
	if (r == 0)
		r = api_new(&env, &d->api);
	if (r == 0)
		r = http_server_new(d->loop, &clock, &http, api_handle, d->api, &d->http, why);
	if (r == 0) {
		find_url(d);
		api_set_server(d->api, d->http);
	}
	return r;
}

/* The order matters: what is parked ends first, then the store, then HTTP, then what they stood on. */
static void stop(struct daemon *d)
{
	if (d->controller)
		controller_stop(d->controller);
	if (d->api)
		api_set_server(d->api, NULL);
	d->http = http_server_free(d->http);
	d->api = api_free(d->api);
	d->tls = http_tls_free(d->tls);
	d->controller = controller_free(d->controller);
	if (d->transport)
		d->transport = link_nng_server_free(d->transport);
	d->store = store_close(d->store);
	if (d->loop)
		loop_cancel_timer(&d->tick);
	d->loop = loop_free(d->loop);
}

static int start_loop(struct daemon *d)
{
	int r = loop_new(&d->loop);

	d->term = (struct loop_signal){ .number = SIGTERM, .raised = term_raised };
	d->intr = (struct loop_signal){ .number = SIGINT, .raised = intr_raised };
	d->hup = (struct loop_signal){ .number = SIGHUP, .raised = hup_raised };
	d->tick.expired = tick_expired;
	if (r == 0)
		r = loop_add_signal(d->loop, &d->term);
	if (r == 0)
		r = loop_add_signal(d->loop, &d->intr);
	return r ? r : loop_add_signal(d->loop, &d->hup);
}

static int run(const struct config *config, int argc, char **argv)
{
	struct daemon d = { .argc = argc, .argv = argv };
	struct why why = { 0 };
	int r = split(config, "listen", &d.listen, &why);

	if (r == 0)
		r = split(config, "tls_listen", &d.tls_listen, &why);
	if (r == 0)
		r = split(config, "host_names", &d.host_names, &why);
	if (r == 0)
		r = split(config, "link_listen", &d.link_listen, &why);
	if (r == 0)
		r = start_loop(&d);
	if (r == 0)
		r = start_core(&d, config, &why);
	if (r == 0)
		r = start_http(&d, config, &why);
	if (r == 0) {
		log_info("main", "sixpn-controller " SIXPN_VERSION " is ready, V %llu",
			 (unsigned long long)controller_env(d.controller)->ops->current_v(d.controller));
		notify_send("READY=1");
		r = loop_run(d.loop);
		notify_send("STOPPING=1");
		if (r < 0)
			log_err("main", "the loop: %s", strerror(-r));
		r = r ? EXIT_FAILURE : EXIT_SUCCESS;
	} else {
		log_err("main", "start: %s", r > 0 ? why.text : strerror(-r));
		r = EXIT_FAILURE;
	}
	stop(&d);
	return r;
}

static int print(const struct config *config, void (*what)(const struct config *config, struct buf *ret_text))
{
	CLEAN_BUF struct buf text = BUF_INIT(64 << 10);

	what(config, &text);
	fputs(buf_str(&text), stdout);
	return EXIT_SUCCESS;
}

static int print_metrics(void)
{
	CLEAN_BUF struct buf text = BUF_INIT(256 << 10);

	controller_metrics_document(&text);
	return fputs(buf_str(&text), stdout) < 0;
}

static int obey(const struct config *config, const char *verb, int n_args, char **args, int all_argc, char **all_args)
{
	if (!strcmp(verb, "help") || !strcmp(verb, "h"))
		return usage(config, 0);
	if (!strcmp(verb, "version"))
		return puts("sixpn-controller " SIXPN_VERSION) < 0;
	if (!strcmp(verb, "check-config"))
		return EXIT_SUCCESS;
	if (!strcmp(verb, "metrics"))
		return print_metrics();
	if (!strcmp(verb, "print-config"))
		return print(config, config_print);
	if (!strcmp(verb, "sample-config"))
		return print(config, config_sample);
	if (offline_is_verb(verb))
		return offline_run(config, verb, n_args - 2, args + 2);
	if (!strcmp(verb, "run") && n_args <= 2)
		return run(config, all_argc, all_args);
	return usage(config, EXIT_USAGE);
}

int main(int argc, char **argv)
{
	char **all_args = calloc((size_t)argc + 1, sizeof *all_args);
	int all_argc = argc, code, r;
	struct config config;
	struct why why = { 0 };
	enum log_level level;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on files is a full disk, not the end */
	umask(0077);
	file_limit_raise();
	crypto_init();
	if (!all_args || settings_init(&config) < 0)
		return EXIT_FAILURE;
	memcpy(all_args, argv, (size_t)argc * sizeof *argv);
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--version")))
		argv[1] += strspn(argv[1], "-");
	r = read_settings(&config, &argc, argv, &level, &why);
	if (r) {
		fprintf(stderr, "error: %s\n", r > 0 ? why.text : strerror(-r));
		code = EXIT_USAGE;
	} else {
		log_set_level(level);
		code = obey(&config, argc > 1 ? argv[1] : "run", argc, argv, all_argc, all_args);
	}
	config_deinit(&config);
	free(all_args);
	return code;
}
