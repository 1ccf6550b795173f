/* store_instance_change - what the API wants of an instance, and what its host saw of it. */
#include "controller/store/store_finish.h"
#include "controller/store/store_instance_metadata.h"
#include "controller/store/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int save(struct store *store, struct op *op, struct store_instance *row)
{
	const struct instance_record *rec = &row->record;
	const struct observed *seen = &rec->observed;
	int r = instance_emit(store, op, row);

	row->updated_ms = clock_real_ms(&store->clock);
	if (r != 0)
		return r;
	return sql_run(store,
		       "UPDATE instance SET desired = ?2, generation = ?3, observed_state = ?4, observed_generation = ?5, "
		       "observed_exit_code = ?6, observed_since_ms = ?7, observed_restarts = ?8, observed_message = ?9, dns_skip = ?10, "
		       "cordoned = ?11, updated_ms = ?12, v = ?13 WHERE id = ?1",
		       "tuiuiiiutuuii", rec->id, rec->desired, (int64_t)rec->generation, seen->state, (int64_t)seen->generation,
		       (int64_t)seen->exit_code, (int64_t)seen->since_ms, seen->restarts, seen->message, (uint32_t)rec->dns_skip,
		       (uint32_t)rec->cordoned, (int64_t)row->updated_ms, (int64_t)row->v);
}

int instance_want(struct store *store, struct op *op, struct store_instance *instance, uint32_t desired, bool always)
{
	if (instance->record.desired == desired && !always)
		return 0;
	instance->record.desired = desired;
	instance->record.generation++;
	return save(store, op, instance);
}

static int find_to_change(struct store *store, struct op *op, const char *id, struct store_instance *ret)
{
	int r = store_instance_find(store, &op->principal, id, ret, &op->why);

	return r ? r : store_check_may(store, &op->principal, ret->org, ACTION_DEPLOY, "instances", &op->why);
}

/* It ended although it is wanted started, and its host does not try again: `start` is a new try. */
static bool has_ended(const struct instance_record *rec)
{
	return rec->observed.generation == rec->generation &&
	       (rec->observed.state == STATE_STOPPED || rec->observed.state == STATE_FAILED || rec->observed.state == STATE_DESTROYED);
}

int store_instance_change(struct store *store, struct op *op, const char *id, enum store_instance_verb verb, bool force,
			  struct store_instance *ret_instance, bool *ret_gone)
{
	struct store_instance row;
	bool gone = false;
	int r = find_to_change(store, op, id, &row);

	if (r != 0)
		return r;
	if (row.record.desired == DESIRED_DESTROYED && verb != INSTANCE_DESTROY)
		return why_set(&op->why, "instance_destroyed", "instance", "instance \"%s\" is being destroyed", row.record.id);
	switch (verb) {
	case INSTANCE_START:
		r = instance_want(store, op, &row, DESIRED_STARTED, has_ended(&row.record));
		break;
	case INSTANCE_STOP:
		r = instance_want(store, op, &row, DESIRED_STOPPED, false);
		break;
	case INSTANCE_RESTART:
		r = instance_want(store, op, &row, DESIRED_STARTED, true);
		break;
	case INSTANCE_DESTROY:
		gone = force;
		r = instance_want(store, op, &row, DESIRED_DESTROYED, false);
		if (r == 0 && force)
			r = finish_instance(store, op, &row, INTENT_NONE);
		break;
	}
	if (r != 0)
		return r;
	*ret_instance = row;
	*ret_gone = gone;
	return 0;
}

int store_instance_update(struct store *store, struct op *op, const char *id, const struct store_instance_update *in,
			  struct store_instance *ret_instance)
{
	CLEAN_FREE char *text = NULL;
	struct store_instance row;
	int r = find_to_change(store, op, id, &row);

	if (r == 0 && row.record.desired == DESIRED_DESTROYED)
		r = why_set(&op->why, "instance_destroyed", "instance", "instance \"%s\" is being destroyed", row.record.id);
	if (r == 0 && in->metadata)
		r = metadata_set(&row.record, in->metadata, in->n_metadata, &op->why);
	if (r != 0)
		return r;
	if (in->set_dns_skip)
		row.record.dns_skip = in->dns_skip;
	if (in->set_cordoned)
		row.record.cordoned = in->cordoned;
	text = metadata_text(&row.record);
	if (!text)
		return -ENOMEM;
	r = sql_run(store, "UPDATE instance SET metadata = ?2 WHERE id = ?1", "tt", row.record.id, text);
	if (r == 0)
		r = save(store, op, &row);
	if (r == 0)
		*ret_instance = row;
	return r;
}

static int judge_config(struct store_instance *row, const struct store_instance_config *in, struct why *why)
{
	struct instance_record *rec = &row->record;
	int r = 0;

	if (rec->desired == DESIRED_DESTROYED)
		return why_set(why, "instance_destroyed", "instance", "instance \"%s\" is being destroyed", rec->id);
	if (in->spec_len > STORE_SPEC_MAX)
		return why_set(why, "too_large", "config", "the workload has %zu bytes, at most %d are allowed", in->spec_len, STORE_SPEC_MAX);
	if (in->name)
		r = name_check_text("name", in->name, sizeof rec->name - 1, why);
	if (r == 0 && in->group)
		r = name_check_group(in->group, why);
	if (r == 0)
		r = metadata_set(rec, in->metadata, in->n_metadata, why);
	if (r != 0)
		return r;
	if (in->name)
		snprintf(rec->name, sizeof rec->name, "%s", in->name);
	if (in->group)
		snprintf(rec->group, sizeof rec->group, "%s", in->group);
	rec->dns_skip = in->dns_skip;
	return 0;
}

int store_instance_configure(struct store *store, struct op *op, const char *id, const struct store_instance_config *in,
			     struct store_instance *ret_instance)
{
	CLEAN_FREE char *metadata = NULL;
	struct store_instance row;
	char version[ULID_SIZE];
	int r = find_to_change(store, op, id, &row);

	if (r == 0)
		r = judge_config(&row, in, &op->why);
	if (r != 0)
		return r;
	metadata = metadata_text(&row.record);
	if (!metadata)
		return -ENOMEM;
	/* the workload first, as when it was made: whoever sees the new generation can start it */
	r = instance_emit_workload(store, op, &row, in->spec, in->spec_len);
	if (r == 0)
		r = sql_run(store, "UPDATE workload SET spec = ?2 WHERE instance = ?1", "tb", row.record.id, in->spec, in->spec_len);
	if (r == 0)
		r = sql_run(store, "UPDATE instance SET metadata = ?2, name = ?3, group_name = ?4, instance_id = ?5 WHERE id = ?1", "ttttt",
			    row.record.id, metadata, row.record.name, row.record.group, ulid_make(&store->clock, version));
	if (r == 0)
		r = instance_want(store, op, &row, in->start ? DESIRED_STARTED : row.record.desired, true);
	if (r == 0)
		*ret_instance = row;
	return r;
}

/* ---- reports ---- */

struct reporting {
	struct store_report_refusal *refused;
	size_t n_refused, made, max;
};

static void refuse(struct reporting *ing, const char *id, bool later, const char *text)
{
	struct store_report_refusal *at = &ing->refused[ing->n_refused++];

	snprintf(at->id, sizeof at->id, "%s", id);
	snprintf(at->text, sizeof at->text, "%s", text);
	at->later = later;
}

#define GENERATIONS_LOST_MAX (1ull << 32)

/* Whether the host is on its way to what is wanted, or there. */
static bool agrees(const struct instance_record *rec, const struct observed *seen)
{
	switch (rec->desired) {
	case DESIRED_STARTED: return seen->state <= STATE_STARTED || seen->state == STATE_FAILED;
	case DESIRED_STOPPED: return seen->state == STATE_DRAINING || seen->state == STATE_STOPPED;
	default: return seen->state == STATE_DRAINING || seen->state == STATE_DESTROYED;
	}
}

/* The host has acted upon a wish that this store does not know: it was restored, or went back. Hosts ignore wishes older than
 * those they acted upon, so the generation follows; where the host does something else than what is wanted here, the next one is
 * the wish anew. */
static void catch_up(struct instance_record *rec, const struct observed *seen)
{
	rec->generation = agrees(rec, seen) ? seen->generation : seen->generation + 1;
}

static int report_one(struct store *store, struct op *op, const struct store_report *report, struct reporting *ing)
{
	const struct observed *seen = &report->observed;
	struct store_instance row;
	bool found, done;
	uint32_t was;
	int r = instance_get(store, report->id, &row, &found);

	if (r != 0)
		return r;
	if (!found || row.record.host != op->principal.node) {
		refuse(ing, report->id, false, "not here");
		return 0;
	}
	if (seen->generation < row.record.generation)
		return 0; /* the answer to an older wish; the host reports again once it has the newer one */
	if (seen->generation > row.record.generation + GENERATIONS_LOST_MAX || seen->state < STATE_CREATED || seen->state > STATE_DESTROYED) {
		refuse(ing, report->id, false, "a state or generation that cannot be");
		return 0;
	}
	if (seen->state == STATE_DESTROYED && row.record.desired == DESIRED_DESTROYED)
		return finish_instance(store, op, &row, INTENT_NONE); /* somebody asked for it, once */
	if (observed_equal(seen, &row.record.observed))
		return 0;
	if (ing->made == ing->max) {
		refuse(ing, report->id, true, "this node changes its instances too often: it is heard again later");
		return 0;
	}
	ing->made++;
	if (seen->generation > row.record.generation)
		catch_up(&row.record, seen);
	was = row.record.observed.state;
	row.record.observed = *seen;
	r = machine_is_done(store, &row.record, was, &done);
	if (r == 0 && done) { /* one record for both: nobody sees it stopped and wanted */
		row.record.desired = DESIRED_DESTROYED;
		row.record.generation++;
	}
	return r ? r : save(store, op, &row);
}

int store_instance_report(struct store *store, struct op *op, const struct store_report *reports, size_t n, size_t max,
			  struct store_report_refusal *ret_refused, size_t *ret_n_refused, size_t *ret_n_made)
{
	struct reporting ing = { .refused = ret_refused, .max = max };
	int r = 0;

	if (op->principal.kind != PRINCIPAL_NODE)
		return why_set(&op->why, "forbidden", "", "%s is not a node", op->principal.text);
	if (n > STORE_REPORT_MAX)
		return why_set(&op->why, "too_large", "instances", "a report of %zu instances; at most %d are allowed", n, STORE_REPORT_MAX);
	for (size_t i = 0; i < n && r == 0; i++)
		r = report_one(store, op, &reports[i], &ing);
	if (r == 0) {
		*ret_n_refused = ing.n_refused;
		*ret_n_made = ing.made;
	}
	return r;
}
