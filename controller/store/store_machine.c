/* store_machine - see store_machine.h. */
#include "controller/store/store_machine.h"

#include "controller/store/store_app.h"
#include "controller/store/store_finish.h"
#include "controller/store/store_internal.h"
#include "lib/base/json.h"

#include <stdlib.h>
#include <string.h>

/* What is no secret of the workload: all that a reader is shown. */
static int keep_harmless(const char *config, struct buf *texts, struct store_machine *m)
{
	static const char *const names[] = { "image", "guest", "restart" };
	CLEAN_JSON json_t *all = *config ? json_parse(config, strlen(config), NULL) : NULL, *some = json_object();
	CLEAN_FREE char *text = NULL;
	size_t at = texts->len;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (json_object_get(all, names[i]))
			json_object_set(some, names[i], json_object_get(all, names[i]));
	text = json_dumps(some, JSON_COMPACT);
	buf_add(texts, text ? text : "", text ? strlen(text) + 1 : 1);
	if (!text || buf_failed(texts))
		return -ENOMEM;
	m->config = (const char *)texts->data + at;
	return 0;
}

/* Fills what the instance's own row does not say. */
static int complete(struct store *store, const struct principal *who, struct buf *texts, struct store_machine *m)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	size_t config_len = 0, at = texts->len;
	const void *text;
	int r;

	m->may_see = principal_may(who, m->instance.org, ACTION_DEPLOY);
	m->config = m->spec = NULL;
	m->spec_len = 0;
	r = sql_query(store, &st,
		      "SELECT i.instance_id, m.config, CASE WHEN m.config IS NULL THEN w.spec END FROM instance i "
		      "LEFT JOIN machine m ON m.instance = i.id LEFT JOIN workload w ON w.instance = i.id WHERE i.id = ?1",
		      "t", m->instance.record.id);
	if (r != 0 || !sql_next(st, &r))
		return r;
	sql_text(st, 0, m->version, sizeof m->version);
	if (!m->may_see)
		return keep_harmless(driver_text(st, 1), texts, m);
	text = driver_text(st, 1);
	if (text && *(const char *)text) {
		config_len = strlen(text);
		buf_add(texts, text, config_len + 1);
	} else {
		text = driver_blob(st, 2, &m->spec_len);
		buf_add(texts, text ? text : "", m->spec_len);
		buf_add(texts, "", 1);
	}
	if (buf_failed(texts))
		return -ENOMEM;
	*(config_len ? &m->config : &m->spec) = (const char *)texts->data + at;
	return 0;
}

int store_machine_find(struct store *store, const struct principal *who, const char *app, const char *id, struct buf *texts,
		       struct store_machine *ret, struct why *why)
{
	struct store_app row;
	int r = store_app_find(store, who, NULL, app, &row, why);

	if (r == 0)
		r = store_instance_find(store, who, id, &ret->instance, why);
	if (r == 0 && !id_equal(ret->instance.record.app, row.id))
		r = why_set(why, "instance_not_found", "instance", "instance \"%.40s\" does not exist", id);
	return r ? r : complete(store, who, texts, ret);
}

/* ---- lists ---- */

struct listing {
	struct buf rows; /* of struct store_instance: a page, so that no query runs inside another */
	bool failed;
};

static void keep(void *arg, const struct store_instance *instance)
{
	struct listing *l = arg;

	buf_add(&l->rows, instance, sizeof *instance);
}

static int give_page(struct store *store, const struct principal *who, const struct listing *l,
		     void (*each)(void *arg, const struct store_machine *machine), void *arg, size_t *bytes, struct why *why)
{
	const struct store_instance *rows = (const void *)l->rows.data;

	for (size_t i = 0; i < l->rows.len / sizeof *rows; i++) {
		CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
		struct store_machine m = { .instance = rows[i] };
		int r = complete(store, who, &texts, &m);

		*bytes += texts.len;
		if (r == 0 && *bytes > STORE_MACHINES_BYTES_MAX)
			r = why_set(why, "too_large", "", "the configurations of these machines have more than %u bytes together: list those of one region",
				    STORE_MACHINES_BYTES_MAX);
		if (r != 0)
			return r;
		each(arg, &m);
	}
	return 0;
}

int store_machine_list(struct store *store, const struct principal *who, const char *app, const char *region,
		       void (*each)(void *arg, const struct store_machine *machine), void *arg, struct why *why)
{
	struct store_instance_filter filter = { .app = app, .region = region };
	struct store_next next = { "" };
	size_t given = 0, bytes = 0;
	int r;

	do {
		struct listing l = { .rows = BUF_INIT(STORE_PAGE_MAX * sizeof(struct store_instance)) };
		struct store_next before = next;
		struct store_page page = { .after = before.cursor, .limit = STORE_PAGE_MAX };

		next = (struct store_next){ "" };
		r = store_instance_list(store, who, &filter, &page, keep, &l, &next, why);
		if (r == 0 && buf_failed(&l.rows))
			r = -ENOMEM;
		if (r == 0)
			r = give_page(store, who, &l, each, arg, &bytes, why);
		given += l.rows.len / sizeof(struct store_instance);
		buf_deinit(&l.rows);
	} while (r == 0 && next.cursor[0] && given < STORE_MACHINES_MAX);
	if (r == 0 && next.cursor[0])
		r = why_set(why, "too_large", "", "there are more than %d machines: list those of one region, or /v1/instances page by page",
			    STORE_MACHINES_MAX);
	return r;
}

int store_machine_keep_config(struct store *store, const char *id, const char *config)
{
	return sql_run(store, "INSERT INTO machine (instance, config) VALUES (?1, ?2) ON CONFLICT (instance) DO UPDATE SET config = excluded.config",
		       "tt", id, config);
}

/* A failure counts only if its policy lets it be; one without an exit code was a start that is tried again. What was never started is
 * stopped, too, but has not ended. */
int machine_is_done(struct store *store, const struct instance_record *rec, uint32_t was, bool *ret_done)
{
	bool stopped = rec->observed.state == STATE_STOPPED, failed = rec->observed.state == STATE_FAILED && rec->observed.exit_code != 0;
	CLEAN_STATEMENT struct statement *st = NULL;
	CLEAN_JSON json_t *config = NULL;
	const char *policy, *text;
	int r;

	*ret_done = false;
	if (rec->desired == DESIRED_STOPPED && was != STATE_STARTING && was != STATE_STARTED && was != STATE_DRAINING)
		return 0;
	if (rec->desired == DESIRED_DESTROYED || rec->observed.generation != rec->generation || !(stopped || failed))
		return 0;
	r = sql_query(store, &st, "SELECT config FROM machine WHERE instance = ?1", "t", rec->id);
	if (r != 0 || !sql_next(st, &r))
		return r;
	text = driver_text(st, 0);
	config = json_parse(text, strlen(text), NULL);
	policy = json_string_value(json_object_get(json_object_get(config, "restart"), "policy"));
	*ret_done = json_is_true(json_object_get(config, "auto_destroy")) && (stopped || (policy && !strcmp(policy, "no")));
	return 0;
}

/* ---- the log ---- */

static int read_instance(struct statement *st, bool deleted, struct instance_record *ret)
{
	struct record r = { .kind = RECORD_INSTANCE };
	size_t n;

	memset(ret, 0, sizeof *ret);
	if (deleted)
		return 0;
	r.body = driver_blob(st, 4, &n);
	r.body_len = n;
	r.v = (uint64_t)driver_int(st, 0);
	r.network = (uint32_t)driver_int(st, 5);
	r.key_len = NAME_INSTANCE_ID_LEN;
	sql_bytes(st, 6, r.key, NAME_INSTANCE_ID_LEN);
	return instance_decode(&r, ret, NULL) ? -EBADMSG : 0;
}

/* Newest first, so each row is told once the one before it in time is known. */
int store_machine_events(struct store *store, const struct store_instance *instance, unsigned limit,
			 void (*each)(void *arg, const struct store_machine_event *event), void *arg)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct store_machine_event event = { 0 };
	char principal[PRINCIPAL_TEXT_SIZE];
	bool pending = false;
	unsigned given = 0;
	int r = sql_query(store, &st,
			  "SELECT v, committed_ms, principal, deleted, body, network, key FROM log WHERE kind = 5 AND key = ?1 AND org = ?2 "
			  "ORDER BY v DESC LIMIT ?3",
			  "bdu", instance->record.id, (size_t)NAME_INSTANCE_ID_LEN, instance->org, limit + 1);

	event.principal = principal;
	while (r == 0 && sql_next(st, &r)) {
		struct instance_record rec;
		bool deleted = driver_int(st, 3);

		r = read_instance(st, deleted, &rec);
		if (r != 0)
			break;
		if (pending) {
			event.was = rec;
			each(arg, &event);
			given++;
		}
		event.v = (uint64_t)driver_int(st, 0);
		event.at_ms = (uint64_t)driver_int(st, 1);
		sql_text(st, 2, principal, sizeof principal);
		event.deleted = deleted;
		event.is = rec;
		pending = true;
	}
	if (r == 0 && pending && given < limit) {
		memset(&event.was, 0, sizeof event.was);
		each(arg, &event);
	}
	return r;
}

int store_machine_was(struct store *store, const struct principal *who, const char *id, bool *ret_was)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	uint8_t org[ID_LEN];
	int r;

	*ret_was = false;
	if (strlen(id) != NAME_INSTANCE_ID_LEN)
		return 0;
	r = sql_query(store, &st, "SELECT org FROM log WHERE kind = 5 AND key = ?1 AND deleted = 1 ORDER BY v DESC LIMIT 1", "b", id,
		      (size_t)NAME_INSTANCE_ID_LEN);
	if (r == 0 && sql_next(st, &r)) {
		sql_bytes(st, 0, org, ID_LEN);
		*ret_was = principal_sees_org(who, org);
	}
	return r;
}
