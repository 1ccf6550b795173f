/* api_match - see api_match.h. A tag is "<12 letters: what stays>.<12 letters: all>.<2 letters per field that stays>". */
#include "controller/api/api_match.h"

#include "controller/api/shape.h"
#include "lib/base/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_BYTES 9 /* 12 letters */
#define DIGEST_LETTERS 12
#define FIELDS_MAX 100
#define HEADER_TAGS_MAX 32

struct tag_parts {
	char stays[DIGEST_LETTERS + 1], all[DIGEST_LETTERS + 1];
	char fields[2 * FIELDS_MAX + 1];
};

static void letters(const uint8_t *hash, size_t n_bytes, size_t n_letters, char *ret)
{
	char text[2 * DIGEST_BYTES + 8];

	crypto_base64(hash, n_bytes, text);
	for (size_t i = 0; i < n_letters; i++)
		ret[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	ret[n_letters] = 0;
}

static void digest_of(const void *bytes, size_t len, uint8_t ret[CRYPTO_HASH_LEN])
{
	crypto_blake2b(NULL, 0, &(struct crypto_part){ bytes, len }, 1, ret);
}

/* Absent and null are told apart: a field that appears is a change. */
static bool field_digest(const struct shape_field *f, const json_t *object, uint8_t ret[CRYPTO_HASH_LEN])
{
	const json_t *value = json_object_get(object, f->name);
	CLEAN_FREE char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : strdup("");

	if (!text)
		return false;
	digest_of(text, strlen(text), ret);
	return true;
}

static bool make_parts(const struct shape *shape, const json_t *object, struct tag_parts *ret)
{
	uint8_t stays[FIELDS_MAX][CRYPTO_HASH_LEN], all[FIELDS_MAX][CRYPTO_HASH_LEN], hash[CRYPTO_HASH_LEN];
	size_t n_stays = 0, n_all = 0;

	for (const struct shape_field *f = shape->fields; f && f->name; f++) {
		if (n_all == FIELDS_MAX || !field_digest(f, object, all[n_all]))
			return false;
		if (!(f->flags & SHAPE_MOVES)) {
			letters(all[n_all], 3, 2, ret->fields + 2 * n_stays);
			memcpy(stays[n_stays++], all[n_all], CRYPTO_HASH_LEN);
		}
		n_all++;
	}
	ret->fields[2 * n_stays] = 0;
	digest_of(stays, n_stays * sizeof *stays, hash);
	letters(hash, DIGEST_BYTES, DIGEST_LETTERS, ret->stays);
	digest_of(all, n_all * sizeof *all, hash);
	letters(hash, DIGEST_BYTES, DIGEST_LETTERS, ret->all);
	return true;
}

void match_tag(const struct shape *shape, const json_t *object, char ret_tag[MATCH_TAG_SIZE])
{
	struct tag_parts parts;

	if (make_parts(shape, object, &parts))
		snprintf(ret_tag, MATCH_TAG_SIZE, "\"%s.%s.%s\"", parts.stays, parts.all, parts.fields);
	else
		ret_tag[0] = 0;
}

/* ---- headers ---- */

/* The next tag of a list (RFC 9110 8.8.3, 13.1.1): its opaque part. A weak tag is taken as it is: proxies that compress make ours weak. False
 * at the end, *at NULL if it is no list. */
static bool next_tag(const char **at, const char **ret_text, size_t *ret_len)
{
	const char *p = *at, *end;

	p += strspn(p, " \t,");
	if (!*p)
		return false;
	if (p[0] == 'W' && p[1] == '/')
		p += 2;
	end = *p == '"' ? strchr(p + 1, '"') : NULL;
	if (!end) {
		*at = NULL;
		return false;
	}
	*ret_text = p + 1;
	*ret_len = (size_t)(end - p - 1);
	end++;
	end += strspn(end, " \t");
	if (*end && *end != ',') {
		*at = NULL;
		return false;
	}
	*at = end;
	return true;
}

int match_header(const char *field, const char *header, const char *tag, bool exact, bool *ret_matches, struct why *why)
{
	size_t head = exact ? strlen(tag) - 2 : DIGEST_LETTERS + 1, len, n = 0; /* letters that must be alike, within the quotes */
	const char *at = header, *text;
	bool matches = false;

	if (!strcmp(header, "*")) {
		*ret_matches = true;
		return 0;
	}
	while (n < HEADER_TAGS_MAX && next_tag(&at, &text, &len)) {
		n++;
		if ((exact ? len == head : len >= head) && !strncmp(text, tag + 1, head))
			matches = true;
	}
	if (!at || n == 0 || n == HEADER_TAGS_MAX)
		return why_set(why, "header_invalid", field, "%s is \"%.60s\": it must be \"*\" or up to %d tags in quotes, as they came in ETag", field,
			       header, HEADER_TAGS_MAX - 1);
	*ret_matches = matches;
	return 0;
}

json_t *match_differs(const struct shape *shape, const json_t *object, const char *header)
{
	struct tag_parts now;
	const char *at = header, *text, *fields;
	size_t len, i = 0;
	json_t *names;

	if (!next_tag(&at, &text, &len) || !make_parts(shape, object, &now))
		return NULL;
	if (len != 2 * (DIGEST_LETTERS + 1) + strlen(now.fields) || text[DIGEST_LETTERS] != '.' || text[2 * DIGEST_LETTERS + 1] != '.')
		return NULL; /* another noun's, or of a version of ours with other fields */
	fields = text + 2 * (DIGEST_LETTERS + 1);
	names = json_array();
	for (const struct shape_field *f = shape->fields; f && f->name; f++) {
		if (f->flags & SHAPE_MOVES)
			continue;
		if (memcmp(fields + i, now.fields + i, 2) != 0)
			json_array_append_new(names, json_string(f->name));
		i += 2;
	}
	return names;
}

/* ---- calls ---- */

int api_match_check(const struct api_call *call, struct why *why)
{
	const struct http_request *q = call->request;
	const struct route *r = call->route;
	bool ignored;

	if (q->if_match && !(r->write && r->current))
		return why_set(why, "header_invalid", "If-Match", "%s %s takes no If-Match: what it does is not about one version of one object", r->method,
			       r->pattern);
	if (q->if_none_match && r->write && (strcmp(r->method, "PUT") != 0 || strcmp(q->if_none_match, "*") != 0))
		return why_set(why, "header_invalid", "If-None-Match", "%s %s takes no If-None-Match but \"*\" with PUT, which means: only if there is none",
			       r->method, r->pattern);
	if (q->if_match && match_header("If-Match", q->if_match, "\"\"", true, &ignored, why))
		return E_REFUSED;
	return 0;
}

static int refuse(struct api_call *call, const char *tag, json_t *object, const char *text)
{
	const char *given = call->request->if_match ? call->request->if_match : call->request->if_none_match;
	json_t *differs = object && strcmp(given, "*") != 0 ? match_differs(call->route->object, object, given) : NULL;
	char shown[MATCH_TAG_SIZE];

	snprintf(shown, sizeof shown, "%s", given);
	name_tame(shown);
	json_decref(call->detail);
	call->detail = json_pack("{s:s,s:s?,s:o?,s:O?}", "given", shown, "current", tag && *tag ? tag : NULL, "differs", differs, "object", object);
	return why_set(&call->op.why, "precondition_failed", call->request->if_match ? "If-Match" : "If-None-Match", "%s", text);
}

int api_match_judge(struct store *store, struct api_call *call)
{
	const struct http_request *q = call->request;
	CLEAN_JSON json_t *object = NULL;
	char tag[MATCH_TAG_SIZE] = "";
	bool matches = false;
	struct why why;
	int r;

	if (!call->route->write || !call->route->current || (!q->if_match && !q->if_none_match))
		return 0;
	r = call->route->current(store, call);
	object = TAKE(call->reply);
	why = call->op.why;
	call->op.why = (struct why){ .text = "" };
	if (r < 0)
		return r;
	if (r == E_REFUSED && q->if_none_match)
		return 0; /* there is none, or none for you: what follows says so */
	if (r == E_REFUSED && strcmp(call->route->method, "PUT") != 0) {
		call->op.why = why;
		return r;
	}
	if (r == E_REFUSED)
		return refuse(call, NULL, NULL, "there is no such object any more, and If-Match asks for a version of it: nothing was changed");
	match_tag(call->route->object, object, tag);
	if (q->if_none_match)
		return refuse(call, tag, object, "there is such an object already, and If-None-Match: * asks that there be none: nothing was changed");
	r = match_header("If-Match", q->if_match, tag, false, &matches, &call->op.why);
	if (r || matches)
		return r;
	return refuse(call, tag, object, "somebody has changed it since the version that If-Match names: nothing was changed");
}

void api_match_reply(const struct api_call *call, char ret_tag[MATCH_TAG_SIZE], bool *ret_same)
{
	const char *seen = call->request->if_none_match;

	*ret_same = false;
	ret_tag[0] = 0;
	if (!call->route->object || call->route->object != call->route->reply || !json_is_object(call->reply) || call->dry_run)
		return;
	match_tag(call->route->object, call->reply, ret_tag);
	if (ret_tag[0] && seen && !call->route->write && match_header("If-None-Match", seen, ret_tag, true, ret_same, NULL))
		*ret_same = false; /* a list that is none: it has not seen this one */
}
