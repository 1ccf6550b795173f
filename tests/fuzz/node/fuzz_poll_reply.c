/* A PollReply from the link or the journal, taken by a replica that holds a little. Refused or not, the digest must stay what the
 * records add up to, without those whose delete is held back. */
#include "lib/sixpn/pb.h"
#include "node/replica.h"
#include "node/statefile.h"
#include "proto/sixpn.pb-c.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void hold_a_little(struct replica *r)
{
	static const uint8_t body[] = "body";
	struct record rec = { .kind = RECORD_APP, .key = "abcdefgh", .key_len = 8, .network = 0x00020001, .v = 3, .body = body, .body_len = 4 };

	if (replica_insert(r, &rec, 0) < 0)
		abort();
	rec.kind = RECORD_REGION;
	rec.key_len = 3;
	rec.network = 0;
	if (replica_insert(r, &rec, 0) < 0)
		abort();
	rec.key[0] = 'z';
	if (replica_insert(r, &rec, 4) < 0) /* its delete is held back */
		abort();
	r->has_log_id = true;
	r->v = 5;
	r->epoch = 1;
}

static void take(struct replica *r, const uint8_t *data, size_t size)
{
	struct replica_change change = { 0 };
	struct digest kept, sum = { 0 };
	struct pb_arena arena;
	struct why why;
	Sixpn__PollReply *m;
	uint8_t zeros[16] = { 0 };
	struct replica_record *rec;
	size_t n_held = 0;

	pb_arena_init(&arena, STATEFILE_ARENA_MAX);
	m = (Sixpn__PollReply *)pb_unpack(&arena, &sixpn__poll_reply__descriptor, data, size);
	for (int round = 0; m && round < 2; round++) {
		if (round) { /* as if it were from our controller and followed what we have */
			m->log_id = pb_bytes(zeros, sizeof zeros);
			m->epoch = r->epoch;
			m->from_v = r->v;
		}
		int e = replica_take(r, m, &change, &why);

		if (e > 0 && e != REPLICA_NOT_OURS && r->staging) /* a stranger's reply ends no snapshot of ours */
			abort();
		replica_change_deinit(&change);
	}
	pb_arena_deinit(&arena);
	for (size_t i = 0; (rec = map_next(&r->records, &i));)
		if (rec->held_v)
			n_held++;
		else
			digest_add(&sum, rec->record);
	kept = replica_digest(r);
	if (!digest_equal(&kept, &sum) || sum.count + n_held != r->records.n || n_held != r->n_held)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct replica r;
	size_t half = size ? data[0] * size / 256 : 0; /* two replies, so that parts of snapshots meet */

	replica_init(&r);
	hold_a_little(&r);
	take(&r, data + (size > 0), half > 0 ? half - 1 : 0);
	take(&r, data + half, size - half);
	replica_deinit(&r);
	return 0;
}
