/* store_audit_read - the audit for people (lists) and for judges (is the chain whole?). */
#include "controller/store/store_audit_internal.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_org.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                                                     \
	"n, at_ms, v, org, org_name, principal, token, address, request_id, verb, noun, object, name, before, after, hash FROM audit "

#define SCAN_MAX 2000u /* rows of others that one page passes over: it ends there, and the next goes on */

/* False: a text has a NUL in it, or a blob has another length; no row of ours does, and C would not see what stands behind. */
static bool text_is_whole(struct statement *st, int column, const char **ret)
{
	size_t len;

	*ret = driver_is_null(st, column) ? NULL : driver_text(st, column);
	(void)driver_blob(st, column, &len);
	return !*ret || strlen(*ret) == len;
}

static bool read_row(struct statement *st, struct audit_row *ret)
{
	const char **texts[] = { &ret->org_name, &ret->principal, &ret->token, &ret->address, &ret->request_id, &ret->verb,
				 &ret->noun,	 &ret->object,	  &ret->name,  &ret->before,  &ret->after };
	bool whole = true;
	size_t len;

	*ret = (struct audit_row){ .n = (uint64_t)driver_int(st, 0), .at_ms = (uint64_t)driver_int(st, 1), .v = (uint64_t)driver_int(st, 2),
				   .has_org = !driver_is_null(st, 3) };
	sql_bytes(st, 3, ret->org, sizeof ret->org);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		whole = text_is_whole(st, 4 + (int)i, texts[i]) && whole;
	(void)driver_blob(st, 15, &len);
	sql_bytes(st, 15, ret->hash, sizeof ret->hash);
	return whole && len == sizeof ret->hash;
}

/* ---- lists ---- */

static int parse_cursor(const struct store_page *page, int64_t *ret_before, struct why *why)
{
	const char *text = store_page_after(page);
	char *end;

	*ret_before = INT64_MAX;
	if (!*text)
		return 0;
	errno = 0;
	*ret_before = strtoll(text, &end, 10);
	if (errno || *end || *ret_before <= 0)
		return why_set(why, "cursor_invalid", "cursor", "cursor \"%.80s\" did not come from this list", text);
	return 0;
}

/* Whose rows: *ret_org of one org, or NULL with *ret_all of all. */
static int judge(struct store *store, const struct principal *who, const struct store_audit_filter *filter, struct store_org *org,
		 const uint8_t **ret_only, struct why *why)
{
	int r = 0;

	*ret_only = NULL;
	if (filter->org && *filter->org) {
		r = store_org_find(store, who, filter->org, org, why);
		if (r == 0 && !principal_may(who, org->id, ACTION_ADMIN))
			r = why_set(why, "forbidden", "", "%s is no admin of \"%s\": only admins read the audit of an organization", who->text,
				    org->name);
		*ret_only = org->id;
	} else if (!principal_is_operator(who)) {
		for (size_t i = 0; i < who->n_orgs; i++)
			if (principal_may(who, who->orgs[i].id, ACTION_ADMIN))
				return 0;
		r = why_set(why, "forbidden", "", "%s is no admin of an organization: only admins read its audit", who->text);
	}
	return r;
}

static bool may_see(const struct principal *who, const struct audit_row *row)
{
	return principal_is_operator(who) || (row->has_org && principal_may(who, row->org, ACTION_ADMIN));
}

/* Where operators and our machines sit is not for customers. */
static void tame_for(const struct principal *who, struct audit_row *row)
{
	static const char *const theirs[] = { "token ", "user " };

	if (principal_is_operator(who))
		return;
	if (!strcmp(row->name, AUDIT_OF_THE_OTHER) && (!strcmp(row->noun, "rule") || !strcmp(row->noun, "peering"))) {
		row->principal = AUDIT_OF_THE_OTHER;
		row->address = row->token = "";
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
		if (!strncmp(row->principal, theirs[i], strlen(theirs[i])))
			return;
	row->address = row->token = "";
}

int store_audit_list(struct store *store, const struct principal *who, const struct store_audit_filter *filter, const struct store_page *page,
		     void (*each)(void *arg, const struct audit_row *row), void *arg, struct store_next *ret_next, struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	unsigned limit = store_page_limit(page), given = 0, passed = 0;
	struct store_next next = { { 0 } }; /* ret_next may be where page->after points */
	const uint8_t *only = NULL;
	struct store_org org;
	struct audit_row row;
	uint64_t last = 0;
	int64_t before;
	int r = parse_cursor(page, &before, why);

	if (r == 0)
		r = judge(store, who, filter, &org, &only, why);
	if (r == 0 && !only)
		only = principal_only_org(who);
	if (r == 0 && only)
		r = sql_query(store, &st, "SELECT " COLUMNS "WHERE org = ?2 AND n < ?1 ORDER BY n DESC", "id", before, only);
	else if (r == 0)
		r = sql_query(store, &st, "SELECT " COLUMNS "WHERE n < ?1 ORDER BY n DESC", "i", before);
	while (r == 0 && sql_next(st, &r)) {
		read_row(st, &row);
		if (row.at_ms < filter->since_ms)
			break;
		if (!may_see(who, &row)) {
			if (++passed < SCAN_MAX)
				continue;
			snprintf(next.cursor, sizeof next.cursor, "%" PRIu64, row.n);
			break;
		}
		if (given == limit) {
			snprintf(next.cursor, sizeof next.cursor, "%" PRIu64, last);
			break;
		}
		last = row.n;
		tame_for(who, &row);
		each(arg, &row);
		given++;
	}
	if (r == 0)
		*ret_next = next;
	return r;
}

int store_audit_head(struct store *store, const struct principal *who, struct audit_place *ret_head, struct why *why)
{
	struct audit_place base;
	int r = store_check_operator(who, "read the head of the audit", why);

	return r ? r : audit_chain_get(store, &base, ret_head);
}

/* ---- is the chain whole? ---- */

static void find(struct store_audit_check *c, uint64_t n, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void find(struct store_audit_check *c, uint64_t n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->finding, sizeof c->finding, fmt, ap);
	va_end(ap);
	c->bad = true;
	c->bad_n = n;
}

static void begin(struct store_audit_check *c, const struct audit_place *base)
{
	c->begun = true;
	c->first = c->at = *base;
	c->base_told = base->n == 0;
	if (base->n == 0 && memcmp(base->hash, (uint8_t[AUDIT_HASH_LEN]){ 0 }, AUDIT_HASH_LEN) != 0)
		find(c, 1, "the chain does not begin at its beginning");
	if (c->known && c->known->n <= base->n) {
		if (c->known->n == base->n && memcmp(c->known->hash, base->hash, AUDIT_HASH_LEN) != 0)
			find(c, base->n + 1, "row %" PRIu64 ", of which the head is known, was another", base->n);
		c->known_met = c->known->n == base->n;
	}
}

/* The row that says up to where older ones were let go. */
static void look_for_base(struct store_audit_check *c, const struct audit_row *row)
{
	char text[AUDIT_PLACE_TEXT_SIZE], told[AUDIT_PLACE_TEXT_SIZE + 16];

	snprintf(told, sizeof told, "{\"up_to\":\"%s\"}", audit_place_text(&c->first, text));
	if (!strcmp(row->verb, "let_go") && !strcmp(row->noun, "audit") && row->after && !strcmp(row->after, told))
		c->base_told = true;
}

static void take(struct store_audit_check *c, const struct audit_row *row, bool whole, bool in_log)
{
	uint8_t hash[AUDIT_HASH_LEN];

	if (row->n != c->at.n + 1) {
		find(c, c->at.n + 1, "row %" PRIu64 " is missing", c->at.n + 1);
		return;
	}
	audit_row_hash(c->at.hash, row, hash);
	if (!whole || memcmp(hash, row->hash, sizeof hash) != 0) {
		find(c, row->n, "row %" PRIu64 " is not what was written, or does not belong behind the row before it", row->n);
		return;
	}
	if (!in_log) {
		find(c, row->n, "row %" PRIu64 " tells of version %" PRIu64 ", and the log has another change there", row->n, row->v);
		return;
	}
	c->at.n = row->n;
	memcpy(c->at.hash, hash, sizeof hash);
	c->rows++;
	look_for_base(c, row);
	if (c->known && c->known->n == row->n) {
		c->known_met = true;
		if (memcmp(c->known->hash, hash, sizeof hash) != 0)
			find(c, row->n, "row %" PRIu64 ", of which the head is known, was another: it or rows before it were written anew", row->n);
	}
}

static void end(struct store_audit_check *c)
{
	if (c->at.n != c->head.n || memcmp(c->at.hash, c->head.hash, AUDIT_HASH_LEN) != 0)
		find(c, c->at.n + 1, "the rows from %" PRIu64 " on are missing: there were %" PRIu64, c->at.n + 1, c->head.n);
	else if (c->known && c->known->n > c->at.n)
		find(c, c->at.n + 1, "the rows from %" PRIu64 " on are missing: there were %" PRIu64 " when the head was noted", c->at.n + 1,
		     c->known->n);
	else if (!c->base_told)
		find(c, c->first.n + 1, "rows before %" PRIu64 " are gone, and no row says that they were let go", c->first.n + 1);
}

/* A row's change must be the log's, too: same version, person and request. */
#define IN_LOG                                                                                                                          \
	", a.v = 0 OR EXISTS (SELECT 1 FROM log l WHERE l.v = a.v AND l.principal = a.principal AND l.request_id = a.request_id)"

static int step(struct store *store, struct store_audit_check *c, unsigned rows, bool *ret_done)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	struct audit_place base, head;
	struct audit_row row;
	unsigned seen = 0;
	bool at_end = false;
	int r = audit_chain_get(store, &base, &head);

	if (r != 0)
		return r;
	if (!c->begun)
		begin(c, &base);
	else if (base.n > c->at.n) /* older rows were let go meanwhile, and with them what was to be looked at */
		*c = (struct store_audit_check){ .known = c->known };
	if (!c->begun)
		begin(c, &base);
	c->head = head;
	if (!c->bad)
		r = sql_query(store, &st,
			      "SELECT n, at_ms, v, org, org_name, principal, token, address, request_id, verb, noun, object, name, before, after, "
			      "hash" IN_LOG " FROM audit a WHERE n > ?1 ORDER BY n LIMIT ?2",
			      "iu", (int64_t)c->at.n, rows);
	while (r == 0 && !c->bad && !at_end) {
		if (sql_next(st, &r)) {
			bool whole = read_row(st, &row);

			take(c, &row, whole, driver_int(st, 16));
			seen++;
		} else {
			at_end = true;
		}
	}
	*ret_done = c->bad || seen < rows;
	if (r == 0 && *ret_done && !c->bad)
		end(c);
	return r;
}

int store_audit_check_step(struct store *store, const struct principal *who, struct store_audit_check *check, unsigned rows, bool *ret_done,
			   struct why *why)
{
	int r = store_check_operator(who, "verify the audit", why);

	return r ? r : step(store, check, rows ? rows : UINT32_MAX, ret_done);
}

int audit_check_whole(struct store *store, struct store_audit_check *check, bool *ret_there)
{
	int64_t there = 0;
	bool done;
	int r = sql_get_int(store, &there, "SELECT count(*) FROM sqlite_master WHERE name = 'audit_chain'", "");

	*ret_there = there;
	return r || !there ? r : step(store, check, UINT32_MAX, &done);
}

int store_audit_check_file(const char *path, bool still, struct store_audit_check *check, struct why *why)
{
	struct store store = { .path = (char *)(uintptr_t)path };
	bool there = false;
	int r = driver_open_reader(path, still, &store.driver, why);

	if (r == 0)
		r = driver_exec(store.driver, "BEGIN");
	if (r == 0)
		r = audit_check_whole(&store, check, &there);
	if (r == 0 && !there)
		r = why_set(why, "audit_missing", "", "%s is of a version that kept no audit yet", path);
	driver_close(store.driver);
	if (r == -EBADMSG)
		return why_set(why, "store_corrupt", "", "%s is damaged: a page cannot be read; restore a backup: sixpn backup restore FILE", path);
	return r > E_REFUSED ? -EIO : r;
}
