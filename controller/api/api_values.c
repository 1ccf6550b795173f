/* api_values - what the nouns read from a call and how values look in replies; see api.h. */
#include "controller/api/api.h"
#include "controller/store/store_org.h"
#include "controller/store/store_network.h"
#include "controller/store/store_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPIRY_MAX_MS (3650ull * 86400000)

const struct principal *api_who(const struct api_call *call)
{
	return &call->question.principal;
}

static const json_t *field(const struct api_call *call, const char *name)
{
	const json_t *j = json_object_get(call->body, name);

	return j && !json_is_null(j) ? j : NULL;
}

bool api_has(const struct api_call *call, const char *name)
{
	return field(call, name) != NULL;
}

const char *api_str(const struct api_call *call, const char *name)
{
	return json_string_value(field(call, name));
}

int64_t api_int(const struct api_call *call, const char *name, int64_t fallback)
{
	const json_t *j = field(call, name);

	return j ? json_integer_value(j) : fallback;
}

double api_num(const struct api_call *call, const char *name, double fallback)
{
	const json_t *j = field(call, name);

	return j ? json_number_value(j) : fallback;
}

bool api_bool(const struct api_call *call, const char *name, bool fallback)
{
	const json_t *j = field(call, name);

	return j ? json_is_true(j) : fallback;
}

const char *api_query(const struct api_call *call, const char *name)
{
	return http_target_query(&call->request->target, name);
}

int api_check_word(const struct api_call *call, const char *name, const char *const *words, struct why *why)
{
	const char *value = api_query(call, name);
	char list[200] = "";

	for (size_t i = 0; value && words[i]; i++) {
		if (!strcmp(value, words[i]))
			return 0;
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
	}
	return !value ? 0 : why_set(why, "value_invalid", name, "query parameter \"%s\" is \"%.30s\": it can be %s", name, value, list);
}

int api_may(struct api_call *call, const uint8_t org[ID_LEN], enum principal_action action, const char *noun)
{
	if (principal_may(api_who(call), org, action))
		return 0;
	return why_set(&call->op.why, "forbidden", "", "this token may not change %s", noun);
}

int api_immutable(struct api_call *call, const char *field_name, const char *is, const char *given)
{
	return why_set(&call->op.why, "field_immutable", field_name,
		       "field \"%s\" is \"%.60s\" and cannot become \"%.60s\": it is given once, when the object is made", field_name, is, given);
}

bool api_query_true(const struct api_call *call, const char *name)
{
	const char *text = api_query(call, name);

	return text && (!*text || !strcmp(text, "1") || !strcmp(text, "true"));
}

struct store_page api_page(const struct api_call *call)
{
	const char *limit = api_query(call, "limit");
	unsigned long n = limit ? strtoul(limit, NULL, 10) : 0;

	return (struct store_page){ .after = call->after, .prefix = api_query(call, "prefix"),
				    .limit = n > STORE_PAGE_MAX ? STORE_PAGE_MAX : (unsigned)n };
}

void api_add_item(struct api_call *call, json_t *item)
{
	if (!call->items)
		call->items = json_array();
	json_array_append_new(call->items, item);
}

void api_set_list(struct api_call *call, const struct store_next *next)
{
	json_t *items = TAKE(call->items);

	call->reply = json_pack("{s:o,s:o}", "items", items ? items : json_array(), "next", api_json_str(next->cursor));
}

json_t *api_json_time(uint64_t unix_ms)
{
	time_t seconds = (time_t)(unix_ms / 1000);
	char date[24], text[40];
	struct tm tm;

	if (!unix_ms || !gmtime_r(&seconds, &tm))
		return json_null();
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof text, "%s.%03uZ", date, (unsigned)(unix_ms % 1000));
	return json_string(text);
}

json_t *api_json_id(const uint8_t id[ID_LEN])
{
	char text[ID_TEXT_SIZE];

	return json_string(id_text(id, text));
}

const char *api_org_slug(const struct principal *who, const uint8_t org[ID_LEN], const char *name)
{
	const uint8_t *own = principal_personal_org(who);

	return own && id_equal(own, org) ? STORE_ORG_PERSONAL : name;
}

json_t *api_json_str(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

json_t *api_json_deletion(const struct store_deletion *deletion)
{
	return json_pack("{s:b,s:I}", "finished", deletion->finished, "instances_left", (json_int_t)deletion->instances_left);
}

int api_parse_expiry(const char *field_name, const char *text, uint64_t now_ms, uint64_t *ret_ms, struct why *why)
{
	static const struct {
		char unit;
		uint64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	struct tm tm = { 0 };
	char *end;

	if (!text || !*text || !strcmp(text, "never")) {
		*ret_ms = 0;
		return 0;
	}
	if (text[0] >= '0' && text[0] <= '9') {
		unsigned long long n = strtoull(text, &end, 10);

		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (end[0] == units[i].unit && !end[1] && n > 0 && n <= EXPIRY_MAX_MS / units[i].ms) {
				*ret_ms = now_ms + n * units[i].ms;
				return 0;
			}
		end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
		if (end && !*end) {
			time_t at = timegm(&tm);

			if (at > 0 && (uint64_t)at * 1000 > now_ms && (uint64_t)at * 1000 < now_ms + EXPIRY_MAX_MS) {
				*ret_ms = (uint64_t)at * 1000;
				return 0;
			}
		}
	}
	return why_set(why, "value_invalid", field_name,
		       "\"%s\" is \"%.40s\": give a time from now such as 30m, 12h or 7d, or a future date such as 2030-01-31T00:00:00Z, at most ten years",
		       field_name, text);
}

int api_query_place(struct store *store, struct api_call *call, const char *node_field, uint32_t *ret_host, uint32_t *ret_network,
		    bool *ret_none)
{
	const char *name = api_query(call, node_field), *network = api_query(call, "network");
	struct principal self = principal_local("the API"); /* customers may not look nodes up, but see their names */
	struct store_network in_network;
	struct store_node node;
	int r;

	*ret_host = *ret_network = 0;
	*ret_none = false;
	if (name) {
		r = store_node_find(store, &self, name, &node, NULL);
		if (r < 0)
			return r;
		*ret_none = r != 0;
		*ret_host = r ? 0 : node.host;
	}
	if (!network)
		return 0;
	r = store_network_find(store, api_who(call), api_query(call, "org"), network, &in_network, &call->op.why);
	if (r == 0)
		*ret_network = in_network.id;
	return r;
}
