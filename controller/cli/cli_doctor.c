/* cli_doctor - `sixpn doctor peer`: what is wrong with the tunnel of a peer, on the machine that has it. */
#include "controller/cli/commands.h"

#include "controller/cli/doctor.h"
#include "controller/cli/output.h"

#include <glob.h>
#include <string.h>
#include <unistd.h>

#define WG_QUICK_DIR "/etc/wireguard"

/* NAME -> a file of that name here or where wg-quick looks; NULL = none. */
static const char *find_file(const char *name, char *ret, size_t size)
{
	static const char *const folders[] = { "./", WG_QUICK_DIR "/" };
	const char *slash = strrchr(name, '/');

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		snprintf(ret, size, "%s%s.conf", folders[i], slash ? slash + 1 : name);
		if (access(ret, F_OK) == 0)
			return ret;
	}
	return NULL;
}

/* The only file of a 6PN that wg-quick would find. */
static int only_file(struct cli *cli, char *ret, size_t size)
{
	glob_t found = { 0 };
	size_t n = 0;

	if (glob(WG_QUICK_DIR "/*.conf", 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++) {
			CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_READ_MAX + 1);
			struct peer_file file = { 0 };

			if (doctor_real_ops.read_file(cli, found.gl_pathv[i], &text) == 0 &&
			    peer_file_parse(buf_str(&text), text.len, &file, NULL) == 0 && file.address.len && n++ == 0)
				snprintf(ret, size, "%s", found.gl_pathv[i]);
			if (text.data)
				crypto_wipe(text.data, text.cap);
			peer_file_wipe(&file);
		}
	globfree(&found);
	return n == 1 ? 0
		      : cli_fail(cli, EXIT_USAGE, "usage", "sixpn doctor peer ./laptop.conf", "%s in " WG_QUICK_DIR ": say which",
				 n ? "there are several files of peers" : "there is no file of a peer that can be read");
}

static int choose(struct cli *cli, struct doctor *d, char *path, size_t size)
{
	const char *arg = cli->args[0];
	size_t n = arg ? strlen(arg) : 0;

	d->ref = "";
	if (!arg) {
		d->path = path;
		return only_file(cli, path, size);
	}
	if ((n > 5 && !strcmp(arg + n - 5, ".conf")) || access(arg, F_OK) == 0) {
		d->path = arg;
		return 0;
	}
	d->ref = arg;
	d->path = find_file(arg, path, size);
	if (!d->path)
		cli_note(cli, "no file %s.conf is here or in " WG_QUICK_DIR ": only the gateway's side is looked at", arg);
	return 0;
}

/* The API knows a peer by the name that its file says. Read before the checks, which begin with the same file. */
static void take_ref(struct cli *cli, struct doctor *d, char *ref, size_t size)
{
	CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_READ_MAX + 1);
	struct peer_file file = { 0 };

	if (d->path && !d->ref[0] && doctor_real_ops.read_file(cli, d->path, &text) == 0 &&
	    peer_file_parse(buf_str(&text), text.len, &file, NULL) == 0 && file.name[0]) {
		snprintf(ref, size, "%s%s%s", strchr(file.name, '/') ? "" : file.org, strchr(file.name, '/') ? "" : "/", file.name);
		d->ref = ref;
	}
	if (text.data)
		crypto_wipe(text.data, text.cap);
	peer_file_wipe(&file);
}

static json_t *findings_json(const struct doctor *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->n; i++)
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s,s:s}", "level", doctor_level_text(d->findings[i].level), "check",
						d->findings[i].check, "text", d->findings[i].text, "next", d->findings[i].next));
	return list;
}

static void print(struct cli *cli, const struct doctor *d, size_t n_fail, size_t n_warn)
{
	static const struct cli_column columns[] = {
		{ "LEVEL", "level" }, { "CHECK", "check" }, { "TEXT", "text" }, { "NEXT", "next" }, { 0 }
	};
	CLEAN_JSON json_t *list = findings_json(d);

	if (cli_has(cli, "json")) {
		CLEAN_JSON json_t *whole = json_pack("{s:O,s:i,s:i}", "findings", list, "fail", (int)n_fail, "warn", (int)n_warn);

		output_json(cli, whole);
		return;
	}
	if (cli_has(cli, "tsv")) {
		output_list(cli, list, columns, "check");
		return;
	}
	for (size_t i = 0; i < d->n; i++) {
		const struct doctor_finding *f = &d->findings[i];

		if (cli_has(cli, "q") && f->level < DOCTOR_WARN)
			continue;
		if (cli_has(cli, "q"))
			fprintf(cli->out, "%s\n", f->check);
		else
			fprintf(cli->out, "%-5s %s\n%s%s%s", doctor_level_text(f->level), f->text,
				f->next[0] ? "        next: " : "", f->next, f->next[0] ? "\n" : "");
	}
	cli_note(cli, "%zu fail, %zu warnings", n_fail, n_warn);
}

int cli_doctor_peer(struct cli *cli)
{
	struct doctor d = { .ops = &doctor_real_ops, .ctx = cli };
	char path[4096], ref[400];
	size_t n_fail = 0, n_warn = 0;
	int r = choose(cli, &d, path, sizeof path);

	if (r)
		return r;
	crypto_init();
	take_ref(cli, &d, ref, sizeof ref);
	doctor_run(&d);
	doctor_deinit(&d);
	for (size_t i = 0; i < d.n; i++) {
		n_fail += d.findings[i].level == DOCTOR_FAIL;
		n_warn += d.findings[i].level == DOCTOR_WARN;
	}
	print(cli, &d, n_fail, n_warn);
	return n_fail ? EXIT_REFUSED : EXIT_GOOD;
}
