/* op - one piece of work for the store thread. The loop fills it (deep copies: nothing it points to may change until done), the
 * store thread runs it, the loop gets it back.
 *
 * `write` ops run one after the other inside savepoints of one transaction; done is called after its COMMIT, in V order. An op
 * that fails is rolled back alone. Read ops run after the writes of their batch are committed: they never see what may yet be lost.
 * Mutating store calls take the op: the principal and request id for the log come from it, a refusal's sentence goes into op->why.
 */
#pragma once
#include "controller/store/principal.h"
#include "lib/base/handover.h"
#include "lib/sixpn/record.h"

#define OP_REQUEST_ID_SIZE 40
#define OP_RECORDS_MAX 100000 /* one change of one op: an org with all that is in it */

struct store;

struct op {
	struct handover_item item;
	/* On the store thread. 0; E_REFUSED with op->why filled; -errno. Anything but 0 undoes what it wrote. */
	int (*run)(struct store *store, struct op *op);
	/* On the loop's thread; the op is the owner's again (and may be freed here, after op_deinit). */
	void (*done)(struct op *op);
	bool write;
	bool frees; /* makes room in the end (deletes, reports): runs on a full disk, in the room that the ballast gave back */

	struct principal principal;
	char request_id[OP_REQUEST_ID_SIZE];
	char token[17], address[48]; /* for the audit: id of the API token, and from where; "" = none, the controller itself */
	bool quiet; /* bookkeeping or what a node has seen: may write without a row in the audit (deletes have one all the same) */

	/* Results. */
	int result;
	struct why why;
	uint64_t first_v, v;   /* the first and the last V it made; 0 = none. What it made in between is its own: one writer, no gaps */
	uint64_t committed_ms; /* Unix time of that */
	struct record **records; /* copies of what it made, in V order; given away to the committed callback */
	size_t n_records, cap_records;
	size_t audited; /* rows that it added to the audit */
	int64_t excused; /* rows that it wrote beside: op_excuse */
	bool keep_refusal; /* set by store calls whose refusal itself is to be kept (audit): E_REFUSED is then not undone */
};

/* write = true, frees = false; who is copied. request_id may be NULL. */
void op_init(struct op *op, int (*run)(struct store *store, struct op *op), void (*done)(struct op *op), const struct principal *who,
	     const char *request_id);
/* Who asked, for the audit: the address (IPv4 mapped into IPv6; NULL = the local socket) and the id of the token (NULL = none). */
void op_from(struct op *op, const uint8_t *address, const uint8_t *token);
void op_deinit(struct op *op); /* frees the records that nobody took */
/* Forgets records and results, for a second run. */
void op_reset(struct op *op);
