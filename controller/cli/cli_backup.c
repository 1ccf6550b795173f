/* cli_backup - backups of the controller, and whether its store is whole. */
#include "controller/cli/commands.h"

#include "controller/cli/offline.h"
#include "controller/cli/output.h"
#include "controller/cli/request.h"
#include "lib/base/crypto.h"
#include "lib/base/file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct cli_column found[] = {
	{ "FILE", "file" }, { "STORE", "store" }, { "MADE", "made" }, { "V", "v" }, { "NEWEST CHANGE", "newest_change" },
	{ "ORGS", "orgs" }, { "NODES", "nodes" }, { "INSTANCES", "instances" }, { "LOST CHANGES", "lost_changes" },
	{ "OLD STORE", "replaced" }, { 0 },
};

/* ---- create ---- */

static int copy_to(int out, const char *path)
{
	CLEAN_CLOSE int in = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t chunk[65536];
	ssize_t n = 0;
	int r = in < 0 ? -errno : 0;

	while (r == 0 && (n = read(in, chunk, sizeof chunk)) > 0)
		r = file_write_all(out, chunk, (size_t)n);
	if (r == 0 && (n < 0 || fsync(out) < 0))
		r = -errno;
	crypto_wipe(chunk, sizeof chunk);
	return r;
}

static int finish_copy(struct cli *cli, int out, const json_t *reply)
{
	const char *path = json_string_value(json_object_get(reply, "path"));
	int r = path ? copy_to(out, path) : -ENOENT;

	if (r == 0)
		return 0;
	unlink(cli_value(cli, "o"));
	return cli_fail(cli, EXIT_PARTLY, "copy_failed", "a backup holds keys and is not sent over the network: copy it on the controller's machine",
			"the backup is made, but %s cannot be copied to %s: %s", path ? path : "it", cli_value(cli, "o"), strerror(-r));
}

int cli_backup_create(struct cli *cli)
{
	const char *to = cli_value(cli, "o");
	json_t *body = json_object();
	struct request_reply reply;
	CLEAN_CLOSE int out = -1;
	int r = cli_body_number(cli, body, "keep", true);

	/* the place first: a backup that nobody can take away is half a success */
	if (r == 0 && to && !cli_has(cli, "dry-run") && (out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
		r = cli_fail(cli, EXIT_REFUSED, "file_exists", "give the name of a new file", "cannot make %s: %s", to, strerror(errno));
	if (r) {
		json_decref(body);
		return r;
	}
	r = request_send(cli, "POST", cli_has(cli, "dry-run") ? "/v1/backups?dry_run=1" : "/v1/backups", body, false, &reply);
	if (r) {
		if (out >= 0)
			unlink(to);
		return r;
	}
	if (cli_has(cli, "dry-run"))
		cli_note(cli, "dry run: it would work; nothing was made");
	else if (cli_has(cli, "json"))
		output_json(cli, reply.body);
	else if (cli_has(cli, "q"))
		fprintf(cli->out, "%s\n", json_string_value(json_object_get(reply.body, "name")));
	else
		fprintf(cli->out, "backup %s  V %lld, %lld bytes, verified\n", json_string_value(json_object_get(reply.body, "path")),
			(long long)json_integer_value(json_object_get(reply.body, "v")),
			(long long)json_integer_value(json_object_get(reply.body, "size")));
	if (out >= 0)
		r = finish_copy(cli, out, reply.body);
	else if (!cli_has(cli, "dry-run"))
		cli_note(cli, "it holds the store and the controller's link key: keep it secret, and keep a copy on another machine");
	request_reply_deinit(&reply);
	return r;
}

/* ---- without the controller ---- */

static int show(struct cli *cli, const char *const *argv, const char *good)
{
	CLEAN_JSON json_t *reply = NULL;
	int r = offline_call(cli, argv, &reply);

	if (r)
		return r;
	if (cli_has(cli, "json"))
		output_json(cli, reply);
	else
		output_object(cli, reply, found, json_object_get(reply, "file") ? "file" : "store");
	cli_note(cli, "%s", good);
	return 0;
}

int cli_backup_verify(struct cli *cli)
{
	return show(cli, (const char *const[]){ "verify-backup", cli->args[0], NULL },
		    "every digest is right, and the store in it is whole");
}

int cli_store_check(struct cli *cli)
{
	return show(cli, (const char *const[]){ "check-store", cli->args[0], NULL },
		    "the store is whole: pages, indexes, references, a log without a gap, and records as the log says");
}

static int confirm(struct cli *cli)
{
	char line[64];

	if (cli_has(cli, "yes"))
		return 0;
	fprintf(cli->err, "this puts %s in the place of the controller's store; the present store is moved aside, not deleted\n", cli->args[0]);
	if (!cli->in_is_terminal)
		return cli_fail(cli, EXIT_USAGE, "not_confirmed", "add --yes", "nobody is here to type the word");
	fprintf(cli->err, "type restore to go on: ");
	fflush(cli->err);
	if (!fgets(line, sizeof line, cli->in))
		line[0] = 0;
	line[strcspn(line, "\r\n")] = 0;
	return strcmp(line, "restore") ? cli_fail(cli, EXIT_REFUSED, "not_confirmed", NULL, "nothing was changed") : 0;
}

int cli_backup_restore(struct cli *cli)
{
	int r;

	if (cli_has(cli, "dry-run"))
		return cli_backup_verify(cli);
	r = confirm(cli);
	if (r)
		return r;
	return show(cli, (const char *const[]){ "restore-backup", cli->args[0], cli_value(cli, "above-epoch"), NULL },
		    "restored under a new log id. Next: start sixpn-controller; nodes take one snapshot each. Then revoke again whatever was\n"
		    "revoked since the backup was made (tokens, nodes), and look at sixpn status");
}
