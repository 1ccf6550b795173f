/* flaps_metadata - the metadata of a machine, one key at a time. */
#include "controller/api/flaps.h"

#include <stdio.h>
#include <string.h>

static int show(struct store *store, struct api_call *call)
{
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	struct store_machine m;
	int r = flaps_find(store, call, &texts, &m);

	if (r == 0)
		call->reply = flaps_metadata_json(&m.instance.record);
	return r;
}

/* value NULL: the key goes. */
static int set_pair(struct instance_record *rec, const char *key, const char *value, struct why *why)
{
	size_t at = 0;

	while (at < rec->n_metadata && strcmp(rec->metadata[at].key, key))
		at++;
	if (!value) {
		if (at == rec->n_metadata)
			return why_set(why, "not_found", "key", "machine %s has no metadata \"%.63s\"", rec->id, key);
		rec->metadata[at] = rec->metadata[--rec->n_metadata];
		return 0;
	}
	if (at == RECORD_METADATA_MAX)
		return why_set(why, "metadata_invalid", "metadata", "machine %s has %d metadata keys, which is as many as are allowed", rec->id,
			       RECORD_METADATA_MAX);
	if (name_check_metadata(key, value, why))
		return E_REFUSED;
	if (at == rec->n_metadata)
		rec->n_metadata++;
	snprintf(rec->metadata[at].key, sizeof rec->metadata[at].key, "%s", key);
	snprintf(rec->metadata[at].value, sizeof rec->metadata[at].value, "%s", value);
	return 0;
}

static int change(struct store *store, struct api_call *call, const char *value)
{
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	struct store_instance instance;
	struct store_machine m;
	struct store_instance_update in = { .metadata = m.instance.record.metadata };
	int r = flaps_find_to_change(store, call, &texts, &m);

	if (r == 0)
		r = set_pair(&m.instance.record, call->params[2], value, &call->op.why);
	if (r != 0)
		return r;
	in.n_metadata = m.instance.record.n_metadata;
	r = store_instance_update(store, &call->op, m.instance.record.id, &in, &instance);
	if (r == 0)
		call->reply = json_pack("{s:b}", "ok", 1);
	return r;
}

static int set(struct store *store, struct api_call *call)
{
	return change(store, call, api_str(call, "value"));
}

static int delete(struct store *store, struct api_call *call)
{
	return change(store, call, NULL);
}

static const struct route_field fields[] = { { "value", FIELD_STR, 0, 255, true, "the text" }, { 0 } };

const struct route flaps_metadata_routes[] = {
	{ "GET", "/v1/apps/{app}/machines/{instance}/metadata", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_metadata_shape,
	  .error = &flaps_error_shape, .run = show, .help = "the metadata of a machine" },
	{ "POST", "/v1/apps/{app}/machines/{instance}/metadata/{key}", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ok_shape,
	  .error = &flaps_error_shape, .write = true, .fields = fields, .run = set,
	  .help = "set one key of a machine's metadata" },
	{ "DELETE", "/v1/apps/{app}/machines/{instance}/metadata/{key}", ROUTE_TOKEN, .manner = &flaps_manner, .reply = &flaps_ok_shape,
	  .error = &flaps_error_shape, .write = true, .run = delete,
	  .help = "take one key out of a machine's metadata" },
	{ 0 },
};
