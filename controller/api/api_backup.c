/* api_backup - backups: made by the controller in its own folder, and never sent over the network, since they hold its keys. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/store/backup.h"

#include <stdlib.h>

#define BACKUP_FIELDS                                                                          \
	{ "name", SHAPE_STR, 0, NULL, NULL }, { "v", SHAPE_INT, SHAPE_NULL, NULL, "up to which change" }, \
	{ "made", SHAPE_TIME, SHAPE_NULL, NULL, NULL }, { "size", SHAPE_INT, 0, NULL, "bytes" },     \
	{ "verified", SHAPE_BOOL, 0, NULL, NULL }, { "path", SHAPE_STR, 0, NULL, "on the controller's machine" }, \
	{ "problem", SHAPE_STR, SHAPE_NULL, NULL, NULL }

static const struct shape_field backup_fields[] = { BACKUP_FIELDS, { 0 } };
static const struct shape backup_shape = { "Backup", false, backup_fields };
static const struct shape_field backups_fields[] = {
	{ "items", SHAPE_LIST, 0, &backup_shape, NULL },
	{ "next", SHAPE_STR, SHAPE_NULL, NULL, "always null: all come at once" },
	{ 0 },
};
static const struct shape backups_shape = { "Backups", false, backups_fields };
static const struct shape_field backup_made_fields[] = {
	BACKUP_FIELDS,
	{ "removed", SHAPE_INT, 0, NULL, "older ones that went" },
	{ "copy_ms", SHAPE_INT, 0, NULL, "how long it took" },
	{ "step_us", SHAPE_INT, 0, NULL, "how long writes waited for it at most" },
	{ 0 },
};
/* A dry run says nothing but that. */
static const struct shape backup_made_shape = { "BackupMade", false, backup_made_fields };

static json_t *backup_json(const struct backups *backups, const struct backup_info *info)
{
	json_t *json = json_pack("{s:s,s:o,s:o,s:I,s:b}", "name", info->name, "v", info->good ? json_integer((json_int_t)info->v) : json_null(),
				 "made", api_json_time(info->made_ms), "size", (json_int_t)info->size, "verified", info->good);

	json_object_set_new(json, "path", json_sprintf("%s/%s", backups_dir(backups), info->name));
	json_object_set_new(json, "problem", api_json_str(info->problem));
	return json;
}

static int list(struct store *store, struct api_call *call)
{
	struct backups *backups = api_get_env(call->api)->backups;
	CLEAN_FREE struct backup_info *infos = NULL;
	struct store_next end = { "" };
	size_t n = 0;
	int r = backups ? backup_dir_list(backups_dir(backups), &infos, &n) : 0;

	(void)store;
	for (size_t i = 0; r == 0 && i < n; i++)
		api_add_item(call, backup_json(backups, &infos[i]));
	if (r == 0)
		api_set_list(call, &end);
	return r;
}

static void made(void *ctx, const struct backup_result *result)
{
	struct api_call *call = ctx;

	call->op.why = result->why;
	if (result->result == 0) {
		call->reply = backup_json(api_get_env(call->api)->backups, &result->info);
		json_object_set_new(call->reply, "removed", json_integer(result->removed));
		json_object_set_new(call->reply, "copy_ms", json_integer((json_int_t)result->copy_ms));
		json_object_set_new(call->reply, "step_us", json_integer((json_int_t)result->step_us));
	}
	api_end(call, result->result);
}

static int create(struct api_call *call, struct why *why)
{
	struct backups *backups = api_get_env(call->api)->backups;

	if (!backups)
		return why_set(why, "unavailable", "", "this controller makes no backups");
	return backups_start(backups, (unsigned)api_int(call, "keep", 0), made, call, why);
}

static const struct route_field fields[] = {
	{ "keep", FIELD_INT, 0, 10000, false, "afterwards remove the oldest but so many; 0 = keep all" },
	{ 0 },
};

const struct route api_backup_routes[] = {
	{ "GET", "/v1/backups", ROUTE_OPERATOR, .reply = &backups_shape, .run = list,
	  .help = "backups in the controller's folder, newest first" },
	{ "POST", "/v1/backups", ROUTE_OPERATOR, .reply = &backup_made_shape, .write = true, .frees = true, .act = "create backup", .success = 201,
	  .fields = fields, .start = create, .help = "make a backup of the store and the link key, and verify it" },
	{ 0 },
};
