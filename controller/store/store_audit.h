/* store_audit - who changed what, when and from where, in a chain of hashes. Rows are written in the transaction of what they tell, by
 * the one function that every change passes (store_change), and by nothing else changed or deleted, but for the oldest, which are let go
 * when there are more than STORE_AUDIT_MAX. */
#pragma once
#include "controller/store/audit_row.h"
#include "controller/store/store.h"

#define STORE_AUDIT_MAX 1000000u /* rows kept */
#define STORE_AUDIT_STEP 2000u   /* rows that are let go at once; each time one row says so */

/* An act that is no change of the log: a backup was made, held deletes were released. */
struct store_act {
	const char *verb, *noun, *object, *name;
	const uint8_t *org;  /* NULL = of operators only */
	const char *after;   /* JSON, NULL = nothing to say */
};
/* One row for it, in the op's transaction. */
int store_audit_note(struct store *store, struct op *op, const struct store_act *act) MUST_CHECK;

struct store_audit_filter {
	const char *org;   /* name or id; NULL = all that the principal may see */
	uint64_t since_ms; /* Unix time */
};
/* Newest first. Operators see all rows, admins those of their orgs (E_REFUSED "forbidden" if they are admin of none); cursor = number
 * of a row. What each gets is valid for the call. */
int store_audit_list(struct store *store, const struct principal *who, const struct store_audit_filter *filter, const struct store_page *page,
		     void (*each)(void *arg, const struct audit_row *row), void *arg, struct store_next *ret_next, struct why *why) MUST_CHECK;
/* Of operators. */
int store_audit_head(struct store *store, const struct principal *who, struct audit_place *ret_head, struct why *why) MUST_CHECK;

/* A walk over the whole chain, in steps, so that a controller can do it while others write. */
struct store_audit_check {
	const struct audit_place *known; /* a head that was noted before; NULL = none is known. Borrowed */
	/* results */
	struct audit_place first; /* the place before the oldest row that is kept */
	struct audit_place head;
	uint64_t rows;
	bool bad;
	uint64_t bad_n;     /* the first bad row */
	char finding[200];  /* what is wrong with it */
	/* private */
	struct audit_place at;
	bool begun, base_told, known_met;
};
/* Looks at up to `rows` more rows (0 = all). *ret_done: the end was reached, or something bad. */
int store_audit_check_step(struct store *store, const struct principal *who, struct store_audit_check *check, unsigned rows, bool *ret_done,
			   struct why *why) MUST_CHECK;
/* The same over a database file that `still` nobody writes, or that a controller has open. E_REFUSED: store_foreign, audit_missing. */
int store_audit_check_file(const char *path, bool still, struct store_audit_check *check, struct why *why) MUST_CHECK;
