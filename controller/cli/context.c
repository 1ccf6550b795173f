/* context - see context.h. */
#include "controller/cli/context.h"

#include "lib/base/crypto.h"
#include "lib/base/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (256u << 10)

const char *context_socket(const struct cli *cli)
{
	const char *path = cli_env(cli, "SIXPN_SOCKET");

	return path ? path : CONTEXT_DEFAULT_SOCKET;
}

static int config_path(const struct cli *cli, char *ret_path, size_t size)
{
	const char *base = cli_env(cli, "XDG_CONFIG_HOME"), *home = cli_env(cli, "HOME");

	if (base)
		snprintf(ret_path, size, "%s/sixpn/config", base);
	else if (home)
		snprintf(ret_path, size, "%s/.config/sixpn/config", home);
	else
		return -ENOENT;
	return 0;
}

/* A file with a token that others can read is not used: whoever made it so should hear of it. */
static int read_private(struct cli *cli, const char *path, size_t max, struct buf *ret_text)
{
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return cli_fail(cli, EXIT_USAGE, "file_unreadable", NULL, "cannot read %s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode) && (st.st_mode & 077))
		return cli_fail(cli, EXIT_NOT_ALLOWED, "file_too_open", "chmod 600 it, and make a new token if others may have read it",
				"%s holds a secret but others can read it (mode %04o)", path, (unsigned)st.st_mode & 07777);
	r = file_read(path, max, ret_text);
	if (r < 0)
		return cli_fail(cli, EXIT_USAGE, "file_unreadable", NULL, "cannot read %s: %s", path, strerror(-r));
	return 0;
}

static int set_token(struct cli *cli, struct context *context, const char *text, const char *where)
{
	size_t len = strcspn(text, " \t\r\n");

	if (len == 0 || len >= sizeof context->token || text[len + strspn(text + len, " \t\r\n")])
		return cli_fail(cli, EXIT_USAGE, "token_malformed", "it is one word that begins with sx1_", "%s holds no token", where);
	memcpy(context->token, text, len);
	context->token[len] = 0;
	return 0;
}

int context_set_token_file(struct cli *cli, struct context *context, const char *path)
{
	CLEAN_BUF struct buf text = BUF_INIT(4096);
	int r = read_private(cli, path, 4000, &text);

	if (r == 0)
		r = set_token(cli, context, buf_str(&text), path);
	if (text.data)
		crypto_wipe(text.data, text.cap);
	return r;
}

int context_set_url(struct cli *cli, struct context *context, const char *url)
{
	size_t len = strlen(url);

	while (len && url[len - 1] == '/')
		len--;
	if ((strncmp(url, "http://", 7) && strncmp(url, "https://", 8) && strncmp(url, "unix:/", 6)) || len >= sizeof context->url ||
	    strchr(url, '@'))
		return cli_fail(cli, EXIT_USAGE, "url_malformed", "for example http://192.0.2.10:4280 or unix:" CONTEXT_DEFAULT_SOCKET,
				"\"%.80s\" is no address of a controller", url);
	memcpy(context->url, url, len);
	context->url[len] = 0;
	return 0;
}

int context_set_pin(struct cli *cli, struct context *context, const char *pin, const char *where)
{
	uint8_t bytes[PIN_LEN];

	if (pin_parse(pin, bytes) < 0)
		return cli_fail(cli, EXIT_USAGE, "pin_malformed", "it is sha256: and 64 hexadecimal digits, as sixpn init printed it",
				"%s is no fingerprint of a key", where);
	pin_text(bytes, context->pin);
	return 0;
}

static json_t *read_file(struct cli *cli, const char *path, int *ret_status)
{
	CLEAN_BUF struct buf text = BUF_INIT(FILE_MAX);
	struct why why;
	json_t *doc;

	*ret_status = read_private(cli, path, FILE_MAX - 1, &text);
	if (*ret_status)
		return NULL;
	doc = json_parse(buf_str(&text), text.len, &why);
	if (!doc)
		*ret_status = cli_fail(cli, EXIT_USAGE, "context_malformed", "mend or remove it", "%s: %s", path, why.text);
	return doc;
}

/* Sets what the file's current context says and flags and environment did not. */
static int from_file(struct cli *cli, struct context *context, bool want_url, bool want_token)
{
	char path[4096];
	const char *url, *token, *current, *pin;
	int r = 0;

	if (config_path(cli, path, sizeof path) < 0 || access(path, F_OK) < 0)
		return 0;
	CLEAN_JSON json_t *doc = read_file(cli, path, &r);
	if (!doc)
		return r;
	current = json_string_value(json_object_get(doc, "current"));
	const json_t *one = json_object_get(json_object_get(doc, "contexts"), current ? current : "");
	url = json_string_value(json_object_get(one, "url"));
	token = json_string_value(json_object_get(one, "token"));
	pin = json_string_value(json_object_get(one, "pin"));
	if (url && want_url) {
		snprintf(context->name, sizeof context->name, "%s", current);
		r = context_set_url(cli, context, url);
	}
	if (r == 0 && token && want_token)
		r = set_token(cli, context, token, path);
	if (r == 0 && pin)
		r = context_set_pin(cli, context, pin, path);
	return r;
}

int context_find(struct cli *cli, struct context *ret_context)
{
	const char *url = cli_value(cli, "url"), *token_file = cli_value(cli, "token-file"), *token = NULL;
	struct context context = { 0 };
	int r = 0;

	if (cli->local && !url) {
		snprintf(context.url, sizeof context.url, "unix:%s", context_socket(cli));
		*ret_context = context;
		return 0;
	}
	if (!url)
		url = cli_env(cli, "SIXPN_URL");
	if (!token_file) {
		token = cli_env(cli, "SIXPN_TOKEN");
		token_file = token ? NULL : cli_env(cli, "SIXPN_TOKEN_FILE");
	}
	if (url)
		r = context_set_url(cli, &context, url);
	if (r == 0 && token_file)
		r = context_set_token_file(cli, &context, token_file);
	if (r == 0 && token)
		r = set_token(cli, &context, token, "SIXPN_TOKEN");
	/* the token of a context goes only where that context says, not to a URL from elsewhere */
	if (r == 0 && !url && !cli_env(cli, "SIXPN_SOCKET"))
		r = from_file(cli, &context, true, !context.token[0]);
	if (r == 0 && cli_env(cli, "SIXPN_PIN"))
		r = context_set_pin(cli, &context, cli_env(cli, "SIXPN_PIN"), "SIXPN_PIN");
	if (r == 0 && context.pin[0] && !strncmp(context.url, "http://", 7)) /* who asks for a key must not get anybody */
		r = cli_fail(cli, EXIT_USAGE, "pin_without_https", "use its https:// address, or unset SIXPN_PIN",
			     "a key is pinned, and plain %s has none: nothing was sent", context.url);
	if (r == 0 && !context.url[0])
		snprintf(context.url, sizeof context.url, "unix:%s", context_socket(cli));
	if (r == 0)
		*ret_context = context;
	crypto_wipe(&context, sizeof context);
	return r;
}

int context_folder(struct cli *cli, const char *folder, char *ret_path, size_t size)
{
	char config[4096];
	struct stat st;
	int r;

	if (config_path(cli, config, sizeof config) < 0)
		return cli_fail(cli, EXIT_REFUSED, "no_home", "set HOME or XDG_CONFIG_HOME", "HOME is not set: there is no place for %s", folder);
	*strrchr(config, '/') = 0;
	if ((size_t)snprintf(ret_path, size, "%s/%s", config, folder) >= size)
		return cli_fail(cli, EXIT_REFUSED, "path_too_long", "set XDG_CONFIG_HOME to a shorter one", "the path %.60s.../%s is too long", config, folder);
	r = file_make_dirs(ret_path, 0700);
	if (r == 0 && stat(ret_path, &st) < 0)
		r = -errno;
	if (r < 0)
		return cli_fail(cli, EXIT_REFUSED, "file_unwritable", NULL, "cannot make the folder %s: %s", ret_path, strerror(-r));
	if (st.st_mode & 077)
		return cli_fail(cli, EXIT_NOT_ALLOWED, "file_too_open", "chmod 700 it", "%s will hold secrets but others can enter it (mode %04o)",
				ret_path, (unsigned)st.st_mode & 07777);
	return 0;
}

/* ---- places for secrets ---- */

static int make_new(struct cli *cli, struct secret_place *place)
{
	place->fd = open(place->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (place->fd < 0)
		return cli_fail(cli, EXIT_REFUSED, errno == EEXIST ? "file_exists" : "file_unwritable",
				errno == EEXIST ? "remove it or choose another: a secret never replaces a file" : NULL,
				"cannot make %s: %s", place->path, strerror(errno));
	(void)!fchmod(place->fd, 0600); /* whatever the umask took away: who made it must read it */
	return 0;
}

/* Standard output as a file: *ret_mode of one that is there; false for pipes, terminals and what a test gives. */
static bool out_is_file(const struct cli *cli, unsigned *ret_mode)
{
	int fd = fileno(cli->out);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	*ret_mode = st.st_mode & 07777;
	return true;
}

static int prepare(struct cli *cli, const char *what, bool pipe_will_do, struct secret_place *ret_place)
{
	static const char hint[] = "do this: -o FILE (makes it 0600), or -o - if it shall go to standard output";
	const char *file = cli_value(cli, "o");
	unsigned mode = 0;
	bool redirected = out_is_file(cli, &mode);

	*ret_place = (struct secret_place){ .fd = -1 };
	if ((!file || !strcmp(file, "-")) && redirected && !cli_has(cli, "dry-run") && (mode & 077))
		return cli_fail(cli, EXIT_REFUSED, "secret_to_readable_file", "do this: -o FILE (makes it 0600)",
				"refusing to write %s to a file that others can read (standard output, mode %04o)", what, mode);
	if (!file && !pipe_will_do && !cli->out_is_terminal && !redirected && !cli_has(cli, "dry-run"))
		return cli_fail(cli, EXIT_REFUSED, "secret_to_readable_file", hint, "refusing to write %s to something that is not a terminal", what);
	if (!file || !strcmp(file, "-"))
		return 0;
	if ((size_t)snprintf(ret_place->path, sizeof ret_place->path, "%s", file) >= sizeof ret_place->path)
		return cli_fail(cli, EXIT_REFUSED, "file_unwritable", NULL, "cannot make %.80s...: %s", file, strerror(ENAMETOOLONG));
	return make_new(cli, ret_place);
}

int secret_prepare(struct cli *cli, const char *what, struct secret_place *ret_place)
{
	return prepare(cli, what, false, ret_place);
}

int secret_prepare_piped(struct cli *cli, const char *what, struct secret_place *ret_place)
{
	return prepare(cli, what, true, ret_place);
}

int secret_prepare_context(struct cli *cli, struct secret_place *ret_place)
{
	char *slash;
	int r;

	*ret_place = (struct secret_place){ .fd = -1 };
	if (config_path(cli, ret_place->final_path, sizeof ret_place->final_path - 8) < 0)
		return cli_fail(cli, EXIT_REFUSED, "no_home", "give -o FILE", "HOME is not set: there is no place for the token");
	snprintf(ret_place->path, sizeof ret_place->path, "%.4080s", ret_place->final_path);
	slash = strrchr(ret_place->path, '/');
	*slash = 0;
	r = file_make_dirs(ret_place->path, 0700);
	*slash = '/';
	if (r < 0)
		return cli_fail(cli, EXIT_REFUSED, "file_unwritable", "give -o FILE", "cannot make the folder of %s: %s",
				ret_place->final_path, strerror(-r));
	strcat(ret_place->path, ".new");
	return make_new(cli, ret_place);
}

static int finish(struct cli *cli, struct secret_place *place, const char *text)
{
	int r = file_write_all(place->fd, text, strlen(text));

	if (r == 0 && (fsync(place->fd) < 0 || close(place->fd) < 0))
		r = -errno;
	if (r == 0 && place->final_path[0] && rename(place->path, place->final_path) < 0)
		r = -errno;
	if (r == 0) {
		place->fd = -1;
		return 0;
	}
	/* better on the screen of the one who asked than nowhere: it is given only once */
	fprintf(cli->err, "%s\n", text);
	return cli_fail(cli, EXIT_PARTLY, "file_unwritable", "the secret is printed above instead: keep it", "cannot write %s: %s",
			place->path, strerror(-r));
}

int secret_write(struct cli *cli, struct secret_place *place, const char *secret)
{
	CLEAN_BUF struct buf line = BUF_INIT(8192);
	int r;

	if (place->fd < 0) {
		fprintf(cli->out, "%s\n", secret);
		return 0;
	}
	buf_printf(&line, "%s\n", secret);
	r = finish(cli, place, buf_str(&line));
	if (line.data)
		crypto_wipe(line.data, line.cap);
	return r;
}

static int write_document(struct cli *cli, struct secret_place *place, const json_t *doc)
{
	CLEAN_FREE char *text = json_dumps(doc, JSON_INDENT(2));
	int r = text ? finish(cli, place, text) : cli_fail(cli, EXIT_REFUSED, "no_memory", NULL, "no memory");

	if (text)
		crypto_wipe(text, strlen(text));
	return r;
}

int secret_write_context(struct cli *cli, struct secret_place *place, const char *name, const struct context *context)
{
	CLEAN_JSON json_t *doc = NULL;
	json_t *contexts, *one;
	int r = context_file_read(cli, &doc);

	if (r)
		doc = json_object(); /* what is there was told; the secret must not get lost */
	contexts = json_object_get(doc, "contexts");
	if (!json_is_object(contexts)) {
		contexts = json_object();
		json_object_set_new(doc, "contexts", contexts);
	}
	one = json_pack("{s:s}", "url", context->url);
	if (context->token[0])
		json_object_set_new(one, "token", json_string(context->token));
	if (context->pin[0])
		json_object_set_new(one, "pin", json_string(context->pin));
	json_object_set_new(contexts, name, one);
	json_object_set_new(doc, "current", json_string(name));
	return write_document(cli, place, doc);
}

int context_file_read(struct cli *cli, json_t **ret_doc)
{
	char path[4096];
	int r = 0;

	*ret_doc = NULL;
	if (config_path(cli, path, sizeof path) < 0)
		return cli_fail(cli, EXIT_REFUSED, "no_home", NULL, "HOME is not set: there is no file of contexts");
	if (access(path, F_OK) == 0)
		*ret_doc = read_file(cli, path, &r);
	if (r == 0 && !json_is_object(*ret_doc)) {
		json_decref(*ret_doc);
		*ret_doc = json_object();
	}
	return r;
}

int context_file_write(struct cli *cli, const json_t *doc)
{
	struct secret_place place;
	int r = secret_prepare_context(cli, &place);

	if (r == 0)
		r = write_document(cli, &place, doc);
	secret_abandon(&place);
	return r;
}

void secret_abandon(struct secret_place *place)
{
	if (place->fd < 0)
		return;
	close(place->fd);
	unlink(place->path);
	place->fd = -1;
}
