/* store_sql - SQL in few words: see store_internal.h. */
#include "controller/store/store_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void bind_all(struct statement *st, const char *types, va_list ap)
{
	for (int at = 1; *types; types++, at++) {
		const void *p;

		switch (*types) {
		case 'i':
			driver_bind_int(st, at, va_arg(ap, int64_t));
			break;
		case 'u':
			driver_bind_int(st, at, (int64_t)va_arg(ap, uint32_t));
			break;
		case 't':
			driver_bind_text(st, at, va_arg(ap, const char *));
			break;
		case 'd':
			driver_bind_blob(st, at, va_arg(ap, const uint8_t *), ID_LEN);
			break;
		case 'k':
			driver_bind_blob(st, at, va_arg(ap, const uint8_t *), 32);
			break;
		case 'b':
			p = va_arg(ap, const void *);
			driver_bind_blob(st, at, p, va_arg(ap, size_t));
			break;
		default:
			abort(); /* a letter that the comment in the header does not know */
		}
	}
}

static int query(struct store *store, struct statement **ret, const char *sql, const char *types, va_list ap)
{
	struct statement *st;
	int r = driver_prepare(store->driver, sql, &st);

	if (r != 0)
		return r;
	bind_all(st, types, ap);
	*ret = st;
	return 0;
}

int sql_query(struct store *store, struct statement **ret_statement, const char *sql, const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = query(store, ret_statement, sql, types, ap);
	va_end(ap);
	return r;
}

static int run(struct store *store, const char *sql, const char *types, va_list ap)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	bool row;
	int r = query(store, &st, sql, types, ap);

	return r ? r : driver_step(st, &row);
}

int sql_run(struct store *store, const char *sql, const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = run(store, sql, types, ap);
	va_end(ap);
	return r > 0 ? -EINVAL : r;
}

int sql_insert(struct store *store, const char *sql, const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = run(store, sql, types, ap);
	va_end(ap);
	return r > 0 && r != DRIVER_E_UNIQUE ? -EINVAL : r;
}

int sql_get_int(struct store *store, int64_t *ret_value, const char *sql, const char *types, ...)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	bool row = false;
	va_list ap;
	int r;

	va_start(ap, types);
	r = query(store, &st, sql, types, ap);
	va_end(ap);
	if (r == 0)
		r = driver_step(st, &row);
	if (r != 0)
		return r > 0 ? -EINVAL : r;
	if (!row)
		return SQL_E_NONE;
	*ret_value = driver_int(st, 0);
	return 0;
}

bool sql_next(struct statement *st, int *ret_result)
{
	bool row = false;
	int r = driver_step(st, &row);

	*ret_result = r > 0 ? -EINVAL : r;
	return r == 0 && row;
}

void sql_text(struct statement *st, int column, char *ret, size_t size)
{
	snprintf(ret, size, "%s", driver_text(st, column));
}

void sql_bytes(struct statement *st, int column, void *ret, size_t n)
{
	size_t len;
	const void *bytes = driver_blob(st, column, &len);

	if (bytes && len == n)
		memcpy(ret, bytes, n);
	else
		memset(ret, 0, n);
}

/* ---- judgements that several nouns share ---- */

int store_check_role(const struct principal *who, const uint8_t org[ID_LEN], enum principal_action action, const char *noun,
		     struct why *why)
{
	if (principal_may(who, org, action))
		return 0;
	return why_set(why, "forbidden", "", "%s may not change %s", who->text, noun);
}

/* The table is asked, not what the door remembers of the caller: a request may wait in the queue behind the one that suspends. */
static int check_not_suspended(struct store *store, const uint8_t org[ID_LEN], struct why *why)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	char name[NAME_SIZE];
	int r = sql_query(store, &st, "SELECT name FROM org WHERE id = ?1 AND suspended = 1", "d", org);

	if (r != 0 || !sql_next(st, &r))
		return r;
	sql_text(st, 0, name, sizeof name);
	return why_set(why, "org_suspended", "org", STORE_SUSPENDED, name);
}

int store_check_may(struct store *store, const struct principal *who, const uint8_t org[ID_LEN], enum principal_action action,
		    const char *noun, struct why *why)
{
	int r = store_check_role(who, org, action, noun, why);

	return r || principal_is_operator(who) ? r : check_not_suspended(store, org, why);
}

int store_check_operator(const struct principal *who, const char *what, struct why *why)
{
	if (principal_is_operator(who))
		return 0;
	return why_set(why, "forbidden", "", "%s may not %s: only operators may", who->text, what);
}
