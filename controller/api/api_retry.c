/* api_retry - see api_retry.h. */
#include "controller/api/api_retry.h"

#include "controller/store/store_kept.h"
#include "lib/base/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 255

/* ---- the request ---- */

static int check_key(const char *key, struct why *why)
{
	size_t len = strlen(key);

	if (len < 1 || len > KEY_MAX)
		return why_set(why, "header_invalid", "Idempotency-Key", "Idempotency-Key has %zu characters; it must have 1 to %d", len, KEY_MAX);
	for (const char *p = key; *p; p++)
		if (*p < 0x21 || *p > 0x7e)
			return why_set(why, "header_invalid", "Idempotency-Key",
				       "Idempotency-Key may hold visible ASCII characters only, and no space; character %zu is another",
				       (size_t)(p - key) + 1);
	return 0;
}

static void add_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text) + 1);
}

static void hash_buf(const struct buf *b, uint8_t ret_hash[32])
{
	crypto_blake2b(NULL, 0, &(struct crypto_part){ b->data, b->len }, 1, ret_hash);
}

static bool changes_nothing(const char *name)
{
	static const char *const names[] = { "wait", "timeout", "strict", "on" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct http_query *const *)a)->name, (*(const struct http_query *const *)b)->name);
}

static int hash_request(const struct api_call *call, uint8_t ret_hash[32])
{
	const struct http_target *target = &call->request->target;
	const struct http_query *sorted[HTTP_QUERY_MAX];
	CLEAN_FREE char *body = json_dumps(call->body, JSON_COMPACT | JSON_SORT_KEYS);
	CLEAN_BUF struct buf b = BUF_INIT(0);
	size_t n = 0;

	add_text(&b, call->route->method);
	for (size_t i = 0; i < target->n_segments; i++)
		add_text(&b, target->segments[i]);
	add_text(&b, "");
	for (size_t i = 0; i < target->n_query; i++)
		if (!changes_nothing(target->query[i].name))
			sorted[n++] = &target->query[i];
	qsort(sorted, n, sizeof *sorted, by_name);
	for (size_t i = 0; i < n; i++) {
		add_text(&b, sorted[i]->name);
		add_text(&b, sorted[i]->value);
	}
	add_text(&b, "");
	add_text(&b, body ? body : "");
	hash_buf(&b, ret_hash);
	if (b.data)
		crypto_wipe(b.data, b.len); /* a body may hold a preshared key */
	if (body)
		crypto_wipe(body, strlen(body));
	return body && !buf_failed(&b) ? 0 : -ENOMEM;
}

int api_retry_begin(struct api_call *call, struct why *why)
{
	const char *key = call->request->idempotency_key;
	const struct principal *who = api_who(call);
	CLEAN_BUF struct buf b = BUF_INIT(1024);

	if (call->route->graphql || !call->route->write || call->dry_run)
		return API_RETRY_NOT;
	if (check_key(key, why))
		return E_REFUSED;
	if (!call->route->run)
		return why_set(why, "header_invalid", "Idempotency-Key", "%s %s keeps no replies: send it without Idempotency-Key", call->route->method,
			       call->route->pattern);
	buf_add_u8(&b, (uint8_t)who->kind);
	buf_add(&b, who->id, sizeof who->id);
	add_text(&b, who->kind == PRINCIPAL_LOCAL ? who->text : ""); /* has no id */
	add_text(&b, key);
	hash_buf(&b, call->retry.id);
	if (buf_failed(&b) || hash_request(call, call->retry.request))
		return why_set(why, "unavailable", "", "no memory");
	return 0;
}

/* ---- what was to be waited for ---- */

static char *wait_text(const struct api_wait *w)
{
	CLEAN_JSON json_t *j = json_pack("{s:s,s:i,s:I,s:s,s:I,s:s}", "instance", w->instance, "desired", (int)w->desired, "generation",
					 (json_int_t)w->generation, "gateway", w->gateway, "gateway_v", (json_int_t)w->gateway_v, "peer", w->peer);

	return j ? json_dumps(j, JSON_COMPACT) : NULL;
}

static void copy_text(const json_t *j, const char *name, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(j, name));

	snprintf(ret, size, "%s", text ? text : "");
}

static int take_wait(struct api_wait *w, const struct store_kept *kept)
{
	CLEAN_JSON json_t *j = json_parse(kept->wait, strlen(kept->wait), NULL);

	if (!j)
		return -EBADMSG;
	copy_text(j, "instance", w->instance, sizeof w->instance);
	copy_text(j, "gateway", w->gateway, sizeof w->gateway);
	copy_text(j, "peer", w->peer, sizeof w->peer);
	w->desired = (uint32_t)json_integer_value(json_object_get(j, "desired"));
	w->generation = (uint64_t)json_integer_value(json_object_get(j, "generation"));
	w->gateway_v = (uint64_t)json_integer_value(json_object_get(j, "gateway_v"));
	w->first_v = kept->first_v;
	w->v = kept->v;
	return 0;
}

/* ---- the reply ---- */

static int replay(struct api_call *call, const struct store_kept *kept)
{
	struct why *why = &call->op.why;

	if (!crypto_equal(kept->request, call->retry.request, sizeof kept->request))
		return why_set(why, "idempotency_mismatch", "Idempotency-Key",
			       "this Idempotency-Key was used for another request: its method, path, query or body was not this one");
	if (!kept->reply[0])
		return why_set(why, "reply_not_kept", "Idempotency-Key",
			       "this request was done already%s%s, and its reply, which %s, is not kept", kept->about[0] ? " and was about " : "",
			       kept->about, call->route->secret ? "held a secret" : "was large");
	call->reply = json_parse(kept->reply, strlen(kept->reply), NULL);
	if (!call->reply)
		return -EBADMSG;
	call->retry.status = kept->status;
	call->retry.v = kept->v ? kept->v : (uint64_t)json_integer_value(json_object_get(call->reply, "v"));
	call->retry.replayed = true;
	return take_wait(&call->wait, kept);
}

int api_retry_find(struct store *store, struct api_call *call)
{
	struct store_kept kept = { .status = 0 };
	bool found = false;
	int r = store_kept_find(store, call->retry.id, &kept, &found);

	call->retry.replayed = false;
	if (r == 0 && found)
		r = replay(call, &kept);
	store_kept_deinit(&kept);
	return r;
}

/* "id 1f2e..", "name web" or nothing. */
static void tell_about(const json_t *reply, char *ret, size_t size)
{
	static const char *const names[] = { "id", "name" };

	ret[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(names) && !ret[0]; i++) {
		const char *text = json_string_value(json_object_get(reply, names[i]));

		if (text)
			snprintf(ret, size, "%s %.40s", names[i], text);
	}
}

int api_retry_keep(struct store *store, struct api_call *call)
{
	const uint8_t *org = principal_only_org(api_who(call));
	struct store_kept kept = { .first_v = call->op.first_v, .v = call->op.v, .status = api_success_status(call) };
	int r = kept.v ? 0 : store_kept_newest(store, &call->retry.v);

	if (r)
		return r;
	if (kept.v) /* else it changed nothing and is as new as the newest change, also when it is told again */
		call->retry.v = kept.v;
	memcpy(kept.request, call->retry.request, sizeof kept.request);
	json_object_set_new(call->reply, "v", json_integer((json_int_t)call->retry.v));
	tell_about(call->reply, kept.about, sizeof kept.about);
	if (!call->route->secret && !json_is_string(json_object_get(call->reply, "token")))
		kept.reply = json_dumps(call->reply, JSON_COMPACT);
	if (!kept.reply || strlen(kept.reply) > STORE_KEPT_TEXT_MAX) {
		free(kept.reply);
		kept.reply = strdup("");
	}
	kept.wait = wait_text(&call->wait);
	r = kept.reply && kept.wait ? store_kept_put(store, &call->op, call->retry.id, org ? org : api_who(call)->id, &kept) : -ENOMEM;
	store_kept_deinit(&kept);
	return r;
}

int api_retry_forget(struct store *store, struct api_call *call, int result)
{
	int r = call->op.keep_refusal ? store_kept_remove(store, call->retry.id) : 0;

	return r ? r : result;
}
