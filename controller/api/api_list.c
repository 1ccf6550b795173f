/* api_list - see api_list.h. A cursor is good for one asker, one route and one set of filters: of another's, or with other filters, it
 * would silently skip rows. The size of the page is no filter and may change on the way. */
#include "controller/api/api_list.h"

#include "controller/api/cursor.h"
#include "lib/base/crypto.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct http_query *const *)a)->name, (*(const struct http_query *const *)b)->name);
}

static void add_text(struct buf *bound, const char *text)
{
	buf_add(bound, text, strlen(text) + 1); /* no value holds a NUL, so this has one reading */
}

static int make_key(struct store *store, const struct api_call *call, uint8_t ret_key[32])
{
	const struct http_target *target = &call->request->target;
	const struct principal *who = api_who(call);
	const struct http_query *sorted[HTTP_QUERY_MAX];
	CLEAN_BUF struct buf bound = BUF_INIT(2 * HTTP_TARGET_MAX + 1024);
	struct store_identity identity;
	size_t n = 0;

	buf_add_u8(&bound, (uint8_t)who->kind);
	buf_add(&bound, who->id, sizeof who->id);
	add_text(&bound, call->route->pattern);
	for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
		add_text(&bound, call->params[i] ? call->params[i] : "");
	for (size_t i = 0; i < target->n_query; i++)
		if (strcmp(target->query[i].name, "after") != 0 && strcmp(target->query[i].name, "limit") != 0)
			sorted[n++] = &target->query[i];
	qsort(sorted, n, sizeof *sorted, by_name);
	for (size_t i = 0; i < n; i++) {
		add_text(&bound, sorted[i]->name);
		add_text(&bound, sorted[i]->value);
	}
	if (buf_failed(&bound))
		return -ENOMEM;
	store_get_identity(store, &identity);
	cursor_key(identity.secret, &(struct crypto_part){ bound.data, bound.len }, 1, ret_key);
	crypto_wipe(&identity, sizeof identity);
	return 0;
}

int api_list_open(struct store *store, struct api_call *call)
{
	const char *after = api_query(call, "after");
	uint8_t key[32];
	int r;

	call->after[0] = 0;
	if (!after || !*after)
		return 0;
	r = make_key(store, call, key);
	return r ? r : cursor_open(key, after, call->after, &call->op.why);
}

int api_list_seal(struct store *store, struct api_call *call)
{
	const char *next = json_string_value(json_object_get(call->reply, "next"));
	char text[CURSOR_TEXT_SIZE];
	uint8_t key[32];

	int r;

	if (!next)
		return 0;
	r = make_key(store, call, key);
	if (r)
		return r;
	cursor_seal(key, next, text);
	json_object_set_new(call->reply, "next", json_string(text));
	return 0;
}
