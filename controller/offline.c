/* offline - see offline.h. */
#include "controller/offline.h"

#include "controller/api/api_nouns.h"
#include "controller/store/restore.h"
#include "controller/store/store_audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

struct verb {
	const char *name;
	int min_args, max_args;
	int (*run)(const struct config *config, char *const *args, json_t *ret, struct why *why);
};

int offline_backup_dir(const struct config *config, char *ret_path, size_t size)
{
	const char *store = config_str(config, "path"), *dir = config_str(config, "backup_dir"), *slash = strrchr(store, '/');
	int n = dir[0] ? snprintf(ret_path, size, "%s", dir) :
			 snprintf(ret_path, size, "%.*s/backups", slash ? (int)(slash - store) : 1, slash ? store : ".");

	return n >= 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static void add_summary(json_t *ret, const struct store_summary *s)
{
	char log_id[2 * STORE_LOG_ID_LEN + 1];

	crypto_hex(s->log_id, sizeof s->log_id, log_id);
	json_object_set_new(ret, "v", json_integer((json_int_t)s->v));
	json_object_set_new(ret, "log_id", json_string(log_id));
	json_object_set_new(ret, "epoch", json_integer((json_int_t)s->epoch));
	json_object_set_new(ret, "schema", json_integer(s->schema));
	json_object_set_new(ret, "newest_change", api_json_time(s->newest_ms));
	json_object_set_new(ret, "records", json_integer((json_int_t)s->records));
	json_object_set_new(ret, "orgs", json_integer((json_int_t)s->orgs));
	json_object_set_new(ret, "nodes", json_integer((json_int_t)s->nodes));
	json_object_set_new(ret, "instances", json_integer((json_int_t)s->instances));
}

/* A folder of our own for the store that is taken out: 0700, gone afterwards. Beside the backup may be a disk that cannot be written. */
static int make_scratch(char *ret_dir, size_t size)
{
	const char *tmp = getenv("TMPDIR");

	if ((size_t)snprintf(ret_dir, size, "%s/sixpn-verify-XXXXXX", tmp && *tmp ? tmp : "/var/tmp") >= size)
		return -ENAMETOOLONG;
	return mkdtemp(ret_dir) ? 0 : -errno;
}

static int verify_backup(const struct config *config, char *const *args, json_t *ret, struct why *why)
{
	char dir[PATH_MAX - 16], scratch[PATH_MAX];
	struct backup_header h = { .v = 0 };
	struct store_summary s;
	int r = make_scratch(dir, sizeof dir);

	(void)config;
	if (r < 0)
		return r;
	snprintf(scratch, sizeof scratch, "%s/store", dir);
	r = backup_verify(args[0], scratch, &h, &s, why);
	rmdir(dir);
	if (r == 0) {
		json_object_set_new(ret, "file", json_string(args[0]));
		json_object_set_new(ret, "verified", json_true());
		json_object_set_new(ret, "made", api_json_time(h.made_ms));
		add_summary(ret, &s);
	}
	crypto_wipe(&h, sizeof h);
	return r;
}

static int parse_epoch(const char *text, uint64_t *ret_epoch, struct why *why)
{
	char *end;

	errno = 0;
	*ret_epoch = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || *ret_epoch >= INT64_MAX)
		return why_set(why, "value_invalid", "epoch", "epoch is \"%.40s\": a number is wanted, as a node's log names it", text);
	return 0;
}

static int restore_backup(const struct config *config, char *const *args, json_t *ret, struct why *why)
{
	struct clock clock = clock_real();
	struct restore_report report;
	uint64_t above = 0;
	int r = args[1] ? parse_epoch(args[1], &above, why) : 0;

	if (r == 0)
		r = restore_run(args[0], config_str(config, "path"), above, &clock, &report, why);
	if (r != 0)
		return r;
	json_object_set_new(ret, "file", json_string(args[0]));
	json_object_set_new(ret, "store", json_string(config_str(config, "path")));
	json_object_set_new(ret, "made", api_json_time(report.made_ms));
	add_summary(ret, &report.summary);
	json_object_del(ret, "log_id"); /* there is a new one */
	json_object_set_new(ret, "epoch", json_integer((json_int_t)report.epoch));
	json_object_set_new(ret, "lost_changes", json_integer((json_int_t)report.lost));
	json_object_set_new(ret, "replaced", api_json_str(report.replaced));
	json_object_set_new(ret, "link_key_replaced", json_boolean(report.key_replaced));
	return 0;
}

static int check_store(const struct config *config, char *const *args, json_t *ret, struct why *why)
{
	const char *path = args[0] ? args[0] : config_str(config, "path");
	struct store_summary s;
	int r = store_check(path, false, &s, why);

	if (r == 0) {
		json_object_set_new(ret, "store", json_string(path));
		json_object_set_new(ret, "whole", json_true());
		add_summary(ret, &s);
	}
	return r;
}

/* A backup, taken out for the time of it, or a store that a controller may be writing. */
static int check_audit(const char *file, struct store_audit_check *check, struct why *why)
{
	char dir[PATH_MAX - 16], scratch[PATH_MAX];
	struct backup_header h;
	int r = backup_peek(file, &h, &(uint64_t){ 0 }, why);

	if (r == E_REFUSED && !strcmp(why->code, "backup_foreign"))
		return store_audit_check_file(file, false, check, why);
	if (r == 0)
		r = make_scratch(dir, sizeof dir);
	if (r != 0)
		return r;
	snprintf(scratch, sizeof scratch, "%s/store", dir);
	r = backup_unpack(file, scratch, &h, why);
	crypto_wipe(&h, sizeof h);
	if (r == 0)
		r = store_audit_check_file(scratch, true, check, why);
	unlink(scratch);
	rmdir(dir);
	return r;
}

static int verify_audit(const struct config *config, char *const *args, json_t *ret, struct why *why)
{
	const char *path = args[0] ? args[0] : config_str(config, "path");
	struct audit_place known;
	struct store_audit_check check = { .known = args[0] && args[1] ? &known : NULL };
	int r = check.known ? audit_place_parse("head", args[1], &known, why) : 0;
	CLEAN_JSON json_t *found = NULL;

	if (r == 0)
		r = check_audit(path, &check, why);
	if (r != 0)
		return r;
	json_object_set_new(ret, "file", json_string(path));
	found = api_audit_check_json(&check);
	return json_object_update(ret, found) == 0 ? 0 : -ENOMEM;
}

static const struct verb verbs[] = {
	{ "verify-audit", 0, 2, verify_audit },
	{ "verify-backup", 1, 1, verify_backup },
	{ "restore-backup", 1, 2, restore_backup },
	{ "check-store", 0, 1, check_store },
};

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

bool offline_is_verb(const char *verb)
{
	return find(verb) != NULL;
}

int offline_run(const struct config *config, const char *name, int n_args, char *const *args)
{
	const struct verb *verb = find(name);
	CLEAN_JSON json_t *reply = json_object();
	char *given[3] = { NULL };
	struct why why = { 0 };
	int r;

	if (n_args < verb->min_args || n_args > verb->max_args) {
		fprintf(stderr, "usage: sixpn-controller %s%s\n", name,
			!strcmp(name, "check-store") ? " [FILE]" : !strcmp(name, "verify-audit") ? " [FILE] [HEAD]" : !strcmp(name, "verify-backup") ? " FILE" : " FILE [ABOVE-EPOCH]");
		return EXIT_USAGE;
	}
	for (int i = 0; i < n_args; i++)
		given[i] = args[i];
	r = verb->run(config, given, reply, &why);
	if (r < 0)
		why_set(&why, r == -ENOENT ? "file_not_found" : r == -ENOSPC ? "disk_full" : "file_error", "", "%s: %s",
			given[0] ? given[0] : config_str(config, "path"), strerror(-r));
	if (r != 0)
		json_object_set_new(reply, "error", json_pack("{s:s,s:s}", "code", why.code, "message", why.text));
	json_dumpf(reply, stdout, JSON_COMPACT);
	putchar('\n');
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
