/* cli_env - `sixpn env`: lines for a shell that point sixpn, or flyctl, at this controller.
 *
 * flyctl knows a dozen addresses and each has a default in another cloud, which would be sent our token. So all of them are set,
 * also those that a command of today does not use, and what would bring a token, an organization or an agent of that cloud here
 * is unset. flyctl keeps sessions, tunnels and the socket of its agent in FLY_CONFIG_DIR: that is a folder of its own, one per
 * context and controller. */
#include "controller/cli/commands.h"

#include "controller/cli/context.h"
#include "controller/cli/request.h"
#include "lib/base/crypto.h"
#include "lib/base/file.h"

#include <string.h>
#include <unistd.h>

#define TEXT_MAX (64u << 10)
#define PEM_MAX (4u << 20)
#define AGENT_SOCKET "/fly-agent.sock"
#define SOCKET_PATH_MAX 103 /* of the system that allows least */

/* What a variable of flyctl is set to. */
enum source {
	FROM_URL,    /* the controller's, and `value` behind it */
	FROM_HOST,   /* its host and port */
	FROM_TOKEN,
	FROM_FOLDER,
	FROM_ROOTS,  /* the file of certificates that it trusts; not set where those of the machine will do */
	FROM_ORG,
	FROM_VALUE,
	UNSET,
};

static const struct variable {
	const char *name;
	enum source source;
	const char *value;
} flyctl[] = {
	{ "FLY_API_BASE_URL", FROM_URL, "" },
	{ "FLY_FLAPS_BASE_URL", FROM_URL, "" },
	{ "FLY_UIEX_BASE_URL", FROM_URL, "" },
	{ "FLY_METRICS_BASE_URL", FROM_URL, "" },
	{ "FLY_SYNTHETICS_BASE_URL", FROM_URL, "" },
	{ "FLY_STATUSPAGE_UNRESOLVED_INCIDENTS_URL", FROM_URL, "/incidents" },
	{ "FLY_REGISTRY_HOST", FROM_HOST, "" },
	{ "FLY_TRACE_COLLECTOR_URL", FROM_VALUE, "127.0.0.1" }, /* nobody is there */
	{ "FLY_CONFIG_DIR", FROM_FOLDER, "" },
	{ "FLY_API_TOKEN", FROM_TOKEN, "" },
	{ "SSL_CERT_FILE", FROM_ROOTS, "" },
	{ "FLY_ORG", FROM_ORG, "" },
	{ "FLY_SEND_METRICS", FROM_VALUE, "0" },
	{ "FLY_NO_UPDATE_CHECK", FROM_VALUE, "1" },
	{ "FLY_NO_INCIDENTS_CHECK", FROM_VALUE, "1" },
	{ "FLY_SYNTHETICS_AGENT", FROM_VALUE, "0" },
	/* these would win over ours, or bring tokens, apps and regions of elsewhere */
	{ "FLY_ACCESS_TOKEN", UNSET, "" },
	{ "FLY_METRICS_TOKEN", UNSET, "" },
	{ "FLY_WIREGUARD_TOKEN", UNSET, "" },
	{ "FLY_ORGANIZATION", UNSET, "" },
	{ "FLY_APP", UNSET, "" },
	{ "FLY_REGION", UNSET, "" },
	{ "FLYCTL_WG_REGION", UNSET, "" },
	{ "FLY_AGENT_WG_REGION", UNSET, "" },
	{ "FLY_FORCE_REGION", UNSET, "" },
	{ "FLY_FORCE_INSTANCE_ID", UNSET, "" },
	{ "FLY_FORCE_TRACE", UNSET, "" },
	/* with any of these its agent speaks WireGuard over WebSocket, which no gateway of ours does */
	{ "WSWG", UNSET, "" },
	{ "CI", UNSET, "" },
	{ "GITHUB_ACTIONS", UNSET, "" },
	{ "CONTINUOUS_INTEGRATION", UNSET, "" },
	{ "BUILD_NUMBER", UNSET, "" },
	{ "RUN_ID", UNSET, "" },
};

struct wanted {
	struct context context; /* url is http(s) */
	const char *org;
	char folder[4096], roots[4096]; /* roots "": those of the machine */
	bool show_token;
};

/* ---- shell ---- */

static void add_quoted(struct buf *text, const char *value)
{
	buf_add_u8(text, '\'');
	for (; *value; value++)
		if (*value == '\'')
			buf_add_str(text, "'\\''");
		else
			buf_add_u8(text, (uint8_t)*value);
	buf_add_u8(text, '\'');
}

static void add_export(struct buf *text, const char *name, const char *value)
{
	buf_printf(text, "export %s=", name);
	add_quoted(text, value);
	buf_add_u8(text, '\n');
}

/* ---- values ---- */

static const char *host_of(const char *url)
{
	return strstr(url, "://") + 3;
}

/* "[fd00::1]:4280" -> "fd00::1", "a.example:4280" -> "a.example": as NO_PROXY wants it. */
static void bare_host(const char *url, char *ret_host, size_t size)
{
	const char *host = host_of(url);

	if (*host == '[')
		snprintf(ret_host, size, "%.*s", (int)strcspn(host + 1, "]"), host + 1);
	else
		snprintf(ret_host, size, "%.*s", (int)strcspn(host, ":/"), host);
}

static void add_variable(struct buf *text, const struct variable *v, const struct wanted *w)
{
	CLEAN_BUF struct buf value = BUF_INIT(8192);

	switch (v->source) {
	case FROM_URL:
		buf_printf(&value, "%s%s", w->context.url, v->value);
		break;
	case FROM_HOST:
		buf_printf(&value, "%.*s", (int)strcspn(host_of(w->context.url), "/"), host_of(w->context.url));
		break;
	case FROM_TOKEN:
		if (w->context.token[0] && !w->show_token) {
			buf_printf(text, "# %s is not shown on a terminal\n", v->name);
			return;
		}
		buf_add_str(&value, w->context.token);
		break;
	case FROM_FOLDER:
		buf_add_str(&value, w->folder);
		break;
	case FROM_ROOTS:
		if (!w->roots[0])
			return;
		buf_add_str(&value, w->roots);
		break;
	case FROM_ORG:
		buf_add_str(&value, w->org ? w->org : "");
		break;
	case FROM_VALUE:
		buf_add_str(&value, v->value);
		break;
	case UNSET:
		break;
	}
	if (value.len)
		add_export(text, v->name, buf_str(&value));
	else
		buf_printf(text, "unset %s\n", v->name);
	if (v->source == FROM_TOKEN && value.data)
		crypto_wipe(value.data, value.cap);
}

/* A proxy would be shown the token of plain http; sixpn itself uses none either. Evaluated twice it adds nothing. */
static void add_no_proxy(struct buf *text, const struct wanted *w)
{
	char host[256];

	bare_host(w->context.url, host, sizeof host);
	buf_add_str(text, "case \",${NO_PROXY:-${no_proxy:-}},\" in *,");
	add_quoted(text, host);
	buf_add_str(text, ",*) ;; *) export NO_PROXY=");
	add_quoted(text, host);
	buf_add_str(text, "\"${NO_PROXY:+,$NO_PROXY}${no_proxy:+,$no_proxy}\" ;; esac\n");
}

/* ---- where ---- */

static int tell_no_url(struct cli *cli)
{
	return cli_fail(cli, EXIT_REFUSED, "url_unknown", "set external_url in the controller's configuration, or use a context with its address",
			"the controller does not say at which address other programs reach it");
}

/* A context by the local socket knows no address that another program could use: the controller does. */
static int ask_url(struct cli *cli, struct wanted *w)
{
	struct request_reply reply;
	const char *url, *pin;
	const json_t *certificate;
	int r;

	if (strncmp(w->context.url, "unix:", 5))
		return 0;
	r = request_send(cli, "GET", "/v1/access", NULL, true, &reply);
	if (r == EXIT_NOT_FOUND)
		return tell_no_url(cli);
	if (r)
		return r;
	url = json_string_value(json_object_get(reply.body, "url"));
	certificate = json_object_get(reply.body, "certificate");
	pin = json_string_value(json_object_get(certificate, "pin"));
	if (url && (!strncmp(url, "http://", 7) || !strncmp(url, "https://", 8)) && strlen(url) < sizeof w->context.url)
		snprintf(w->context.url, sizeof w->context.url, "%s", url);
	else
		r = tell_no_url(cli);
	if (r == 0 && pin && json_is_true(json_object_get(certificate, "self_made")))
		r = context_set_pin(cli, &w->context, pin, "the controller's answer");
	request_reply_deinit(&reply);
	return r;
}

/* "prod-1f2e3d4c": the name for people, the rest because the same name may point elsewhere tomorrow. */
static int find_folder(struct cli *cli, struct wanted *w)
{
	const char *name = w->context.name[0] ? w->context.name : "controller";
	struct crypto_part part = { w->context.url, strlen(w->context.url) };
	uint8_t hash[CRYPTO_HASH_LEN];
	char hex[9], folder[96];
	int r;

	crypto_blake2b(NULL, 0, &part, 1, hash);
	crypto_hex(hash, 4, hex);
	snprintf(folder, sizeof folder, "flyctl/%s-%s", name, hex);
	for (char *p = folder + 7; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", *p))
			*p = '_';
	r = context_folder(cli, folder, w->folder, sizeof w->folder);
	if (r == 0 && strlen(w->folder) + strlen(AGENT_SOCKET) > SOCKET_PATH_MAX)
		r = cli_fail(cli, EXIT_REFUSED, "path_too_long", "set XDG_CONFIG_HOME to a shorter one",
			     "flyctl's agent cannot have a socket in %s: its path may have %d bytes", w->folder, SOCKET_PATH_MAX);
	return r;
}

/* flyctl knows no pins: it is given a file of trusted certificates in which the controller's stands beside the machine's own. It is
 * fetched now, from whoever has the pinned key, and has power over no other name. */
static int make_roots(struct cli *cli, struct wanted *w)
{
	static const char *const machine[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem" };
	CLEAN_BUF struct buf pem = BUF_INIT(PEM_MAX);
	char host[256];
	size_t own;
	int r;

	if (strncmp(w->context.url, "https://", 8) || !w->context.pin[0])
		return 0;
	r = request_certificate(cli, w->context.url, w->context.pin, TRUST_PIN, &pem);
	if (r)
		return r;
	own = pem.len;
	bare_host(w->context.url, host, sizeof host);
	if (!pin_pem_is_for(buf_str(&pem), own, host))
		cli_note(cli, "the controller's certificate is not for \"%s\", and flyctl will refuse it: add that to host_names of the controller", host);
	for (size_t i = 0; i < ARRAY_LEN(machine); i++)
		if (access(machine[i], R_OK) == 0 && file_read(machine[i], PEM_MAX, &pem) == 0)
			break;
	if ((size_t)snprintf(w->roots, sizeof w->roots, "%s/roots.pem", w->folder) >= sizeof w->roots)
		return cli_fail(cli, EXIT_REFUSED, "path_too_long", NULL, "the path %.60s... is too long", w->folder);
	r = buf_failed(&pem) ? -ENOMEM : file_replace(w->roots, pem.data, pem.len, 0600);
	return r < 0 ? cli_fail(cli, EXIT_REFUSED, "file_unwritable", NULL, "cannot write %s: %s", w->roots, strerror(-r)) : 0;
}

static int find(struct cli *cli, struct wanted *w)
{
	int r = context_find(cli, &w->context);

	if (r == 0 && w->context.token[0] && strncmp(w->context.token, "sx1_", 4))
		r = cli_fail(cli, EXIT_USAGE, "token_malformed", NULL, "the token does not begin with sx1_: it is none of a sixpn controller");
	if (r == 0)
		r = ask_url(cli, w);
	return r;
}

/* ---- the command ---- */

static int print_unset(struct cli *cli, bool for_flyctl)
{
	CLEAN_BUF struct buf text = BUF_INIT(TEXT_MAX);

	buf_add_str(&text, "unset");
	for (size_t i = 0; for_flyctl && i < ARRAY_LEN(flyctl); i++)
		if (flyctl[i].source != UNSET)
			buf_printf(&text, " %s", flyctl[i].name);
	if (!for_flyctl)
		buf_add_str(&text, " SIXPN_URL SIXPN_TOKEN SIXPN_PIN");
	fprintf(cli->out, "%s\n", buf_str(&text));
	return 0;
}

static void add_sixpn(struct buf *text, const struct wanted *w)
{
	add_export(text, "SIXPN_URL", w->context.url);
	if (w->context.pin[0])
		add_export(text, "SIXPN_PIN", w->context.pin);
	else
		buf_add_str(text, "unset SIXPN_PIN\n");
	if (!w->context.token[0])
		buf_add_str(text, "unset SIXPN_TOKEN\n");
	else if (w->show_token)
		add_export(text, "SIXPN_TOKEN", w->context.token);
	else
		buf_add_str(text, "# SIXPN_TOKEN is not shown on a terminal\n");
}

static int make_text(struct cli *cli, struct wanted *w, struct buf *text)
{
	int r = find(cli, w);

	if (r == 0 && !cli_has(cli, "flyctl"))
		add_sixpn(text, w);
	if (r || !cli_has(cli, "flyctl"))
		return r;
	r = find_folder(cli, w);
	if (r == 0)
		r = make_roots(cli, w);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(flyctl); i++)
		add_variable(text, &flyctl[i], w);
	if (r == 0)
		add_no_proxy(text, w);
	if (r == 0 && !w->context.token[0])
		cli_note(cli, "there is no token here yet: flyctl auth login");
	return r;
}

int cli_env_command(struct cli *cli)
{
	CLEAN_BUF struct buf text = BUF_INIT(TEXT_MAX);
	struct wanted w = { .org = cli_value(cli, "org") };
	struct secret_place place;
	int r;

	if (cli_has(cli, "json") || cli_has(cli, "tsv") || cli_has(cli, "q"))
		return cli_fail(cli, EXIT_USAGE, "usage", "eval \"$(sixpn env)\"", "sixpn env writes lines for a shell, and nothing else");
	if (w.org && !cli_has(cli, "flyctl"))
		return cli_fail(cli, EXIT_USAGE, "usage", "sixpn env --flyctl --org acme", "--org goes with --flyctl");
	if (cli_has(cli, "unset"))
		return print_unset(cli, cli_has(cli, "flyctl"));
	r = secret_prepare_piped(cli, "a token", &place);
	if (r)
		return r;
	w.show_token = !cli->out_is_terminal || cli_has(cli, "o");
	r = make_text(cli, &w, &text);
	if (r == 0 && buf_failed(&text))
		r = cli_fail(cli, EXIT_REFUSED, "no_memory", NULL, "no memory");
	if (r == 0) {
		text.data[text.len - 1] = 0; /* secret_write ends the line */
		r = secret_write(cli, &place, (const char *)text.data);
	}
	if (r == 0 && !w.show_token)
		cli_note(cli, "\nthese are for a shell:  eval \"$(sixpn env%s%s%s)\"", cli_has(cli, "flyctl") ? " --flyctl" : "",
			 w.org ? " --org " : "", w.org ? w.org : "");
	secret_abandon(&place);
	if (text.data)
		crypto_wipe(text.data, text.cap);
	crypto_wipe(&w.context, sizeof w.context);
	return r;
}
