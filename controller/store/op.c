/* op - see op.h. */
#include "controller/store/op.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void op_init(struct op *op, int (*run)(struct store *store, struct op *op), void (*done)(struct op *op), const struct principal *who,
	     const char *request_id)
{
	*op = (struct op){ .run = run, .done = done, .write = true, .principal = *who };
	snprintf(op->request_id, sizeof op->request_id, "%s", request_id ? request_id : "");
}

void op_from(struct op *op, const uint8_t *address, const uint8_t *token)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	snprintf(op->address, sizeof op->address, "local");
	if (address && !memcmp(address, mapped, sizeof mapped))
		inet_ntop(AF_INET, address + sizeof mapped, op->address, sizeof op->address);
	else if (address)
		inet_ntop(AF_INET6, address, op->address, sizeof op->address);
	if (token)
		id_text(token, op->token);
}

void op_reset(struct op *op)
{
	for (size_t i = 0; i < op->n_records; i++)
		free(op->records[i]);
	op->n_records = 0;
	op->result = 0;
	op->first_v = op->v = 0;
	op->committed_ms = 0;
	op->audited = 0;
	op->excused = 0;
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
