/* op - see op.h. */
#include "controller/store/op.h"

#include <stdio.h>
#include <stdlib.h>

void op_init(struct op *op, int (*run)(struct store *store, struct op *op), void (*done)(struct op *op), const struct principal *who,
	     const char *request_id)
{
	*op = (struct op){ .run = run, .done = done, .write = true, .principal = *who };
	snprintf(op->request_id, sizeof op->request_id, "%s", request_id ? request_id : "");
}

void op_reset(struct op *op)
{
	for (size_t i = 0; i < op->n_records; i++)
		free(op->records[i]);
	op->n_records = 0;
	op->result = 0;
	op->first_v = op->v = 0;
	op->committed_ms = 0;
	op->keep_refusal = false;
	op->why = (struct why){ 0 };
}

void op_deinit(struct op *op)
{
	for (size_t i = 0; i < op->n_records; i++)
		free(op->records[i]);
	free(op->records);
	op->records = NULL;
	op->n_records = op->cap_records = 0;
}
