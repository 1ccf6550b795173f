/* store_internal - what the files of the store share with each other and with nobody else. */
#pragma once
#include "controller/store/store.h"
#include "controller/store/store_driver.h"
#include "lib/base/buf.h"
#include "lib/base/histogram.h"

struct store {
	struct driver *driver;
	struct clock clock;
	char *path, *ballast_path;
	uint64_t ballast_bytes;
	struct store_identity identity;
	uint64_t head; /* V of the last COMMIT */
	bool full;
	bool no_ballast; /* there was no room for it */
	int broken;    /* -errno: nothing can be written any more */
	uint32_t audit_max; /* rows of the audit that are kept */
	struct histogram commits;
};

/* The ballast file (store_ballast.c). make: if there is room for it. */
void store_ballast_make(struct store *store);
void store_ballast_drop(struct store *store);
/* After the disk was full: is there room for writes and a new ballast? */
bool store_ballast_room(const struct store *store);

/* ---- SQL in few words (store_sql.c) ----
 * `types` says what follows, one letter per parameter ?1 ?2 ...: i int64_t, u uint32_t or smaller, t const char * (NULL = NULL),
 * d const uint8_t[8] (NULL = NULL), k const uint8_t[32] (NULL = NULL), b const void * + size_t. Pointers are borrowed until the
 * statement is finished. */
enum { SQL_E_NONE = 8 };
int sql_query(struct store *store, struct statement **ret_statement, const char *sql, const char *types, ...) MUST_CHECK;
/* A statement without rows. A broken constraint is a bug of ours: -EINVAL. */
int sql_run(struct store *store, const char *sql, const char *types, ...) MUST_CHECK;
/* The same where a UNIQUE may say no: DRIVER_E_UNIQUE. */
int sql_insert(struct store *store, const char *sql, const char *types, ...) MUST_CHECK;
/* First column of the first row; SQL_E_NONE if there is no row. */
int sql_get_int(struct store *store, int64_t *ret_value, const char *sql, const char *types, ...) MUST_CHECK;
/* Next row of a query: true; at the end or on an error false, with *ret_result set. */
bool sql_next(struct statement *st, int *ret_result);
void sql_text(struct statement *st, int column, char *ret, size_t size);
void sql_bytes(struct statement *st, int column, void *ret, size_t n); /* zeros if the column is not exactly that long */

/* ---- changes (store_change.c): V+1, record encoded once, log row, copy in the op ---- */
/* r: kind, key, network, node; body is put in. *ret_v may be NULL. E_REFUSED "too_large". */
int change_put(struct store *store, struct op *op, struct record r, const struct buf *body, const uint8_t *org, uint64_t *ret_v) MUST_CHECK;
int change_remove(struct store *store, struct op *op, struct record r, uint32_t intent, const uint8_t *org) MUST_CHECK;
/* `rows` of what the op wrote are the store's own bookkeeping (an answer to be given again, ...), which nobody needs to be told of. An op
 * that is not quiet and writes anything else without a row in the audit is undone: -EINVAL. */
static inline void op_excuse(struct op *op, int64_t rows)
{
	op->excused += rows;
}
/* For the kinds that stay in the controller: key of n bytes, body = JSON text. */
struct record change_envelope(uint32_t kind, const void *key, size_t n);

/* ---- judgements that several nouns share ---- */
#define STORE_SUSPENDED "org \"%s\" is suspended: nothing of it passes and nothing can be changed until the operator resumes it"
/* Whoever changes something of an org: E_REFUSED "forbidden" unless who may do that in it (noun is for the sentence), "org_suspended"
 * if nobody but operators may for now. */
int store_check_may(struct store *store, const struct principal *who, const uint8_t org[ID_LEN], enum principal_action action,
		    const char *noun, struct why *why) MUST_CHECK;
/* The first of the two alone: what reads more than a principal may see. */
int store_check_role(const struct principal *who, const uint8_t org[ID_LEN], enum principal_action action, const char *noun,
		     struct why *why) MUST_CHECK;
int store_check_operator(const struct principal *who, const char *what, struct why *why) MUST_CHECK;

/* ---- a page of a list (store_page.c) ---- */
unsigned store_page_limit(const struct store_page *page);
/* The cursor of (org, name) lists: "<16 hex>/<name>". Empty cursor: zeros and "". */
int store_page_org_name(const struct store_page *page, uint8_t ret_org[ID_LEN], char ret_name[NAME_SIZE], struct why *why) MUST_CHECK;
/* The cursor of lists by id: 16 hex digits. */
int store_page_id(const struct store_page *page, uint8_t ret_id[ID_LEN], struct why *why) MUST_CHECK;
static inline const char *store_page_prefix(const struct store_page *page)
{
	return page && page->prefix ? page->prefix : "";
}
static inline const char *store_page_after(const struct store_page *page)
{
	return page && page->after ? page->after : "";
}
/* One page as it is read: rows that the caller may not see are skipped before they are taken, so they neither count nor end up in
 * a cursor; a cursor is given only if there is a row after the page. */
struct page_walk {
	unsigned left; /* rows that still fit */
	bool more;     /* there was one that did not */
	char cursor[STORE_CURSOR_SIZE];
	/* what the query borrows */
	uint8_t after[ID_LEN], only_id[ID_LEN];
	char after_name[NAME_SIZE];
	const uint8_t *only; /* rows of this org; NULL = of all */
};
void page_walk_begin(struct page_walk *walk, const struct store_page *page);
/* org_ref, unless it is NULL or "": rows of this org only. */
int page_walk_only_org(struct page_walk *walk, struct store *store, const struct principal *who, const char *org_ref,
		       struct why *why) MUST_CHECK;
/* Begins a list by (org, name); sql ends in PAGE_BY_ORG_NAME(alias of the table). */
#define PAGE_BY_ORG_NAME(t)                                                                                            \
	"WHERE (" t ".org, lower(" t ".name)) > (?1, ?2) AND (?3 IS NULL OR " t ".org = ?3) AND "                      \
	"substr(lower(" t ".name), 1, length(?4)) = ?4 ORDER BY " t ".org, lower(" t ".name)"
int page_walk_query_org_name(struct page_walk *walk, struct store *store, const struct principal *who, const char *org_ref,
			     const struct store_page *page, const char *sql, struct statement **ret_statement,
			     struct why *why) MUST_CHECK;
/* Room for this row? Its cursor is made of id, name or both (the other NULL). False: the page is full, stop. */
bool page_walk_take(struct page_walk *walk, const uint8_t *id, const char *name);
/* Returns result; *ret_next is set if that is 0, and only then: it may be where page->after points. */
int page_walk_end(const struct page_walk *walk, int result, struct store_next *ret_next);
