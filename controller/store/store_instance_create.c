/* store_instance_create - a new instance: judged, placed from the tables, given an id, an address and a workload, in one op. */
#include "controller/store/placement.h"
#include "controller/store/store_app.h"
#include "controller/store/store_finish.h"
#include "controller/store/store_instance_metadata.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_node.h"
#include "controller/store/store_region.h"
#include "lib/base/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_input(const struct store_instance_new *in, struct instance_record *rec, struct why *why)
{
	const char *group = in->group && *in->group ? in->group : "app", *name = in->name ? in->name : "";
	int r = name_check_group(group, why);

	if (r == 0)
		r = name_check_text("name", name, sizeof rec->name - 1, why);
	if (r == 0)
		r = metadata_set(rec, in->metadata, in->n_metadata, why);
	if (r != 0)
		return r;
	if (in->desired != DESIRED_STARTED && in->desired != DESIRED_STOPPED)
		return why_set(why, "value_invalid", "desired", "a new instance is wanted started or stopped, not %u", in->desired);
	if (in->spec_len > STORE_SPEC_MAX)
		return why_set(why, "too_large", "config", "the workload has %zu bytes, at most %d are allowed", in->spec_len, STORE_SPEC_MAX);
	snprintf(rec->group, sizeof rec->group, "%s", group);
	snprintf(rec->name, sizeof rec->name, "%s", name);
	rec->desired = in->desired;
	rec->generation = 1;
	rec->dns_skip = in->dns_skip;
	rec->cordoned = in->cordoned;
	return 0;
}

static int check_parents(struct store *store, struct op *op, const struct store_instance_new *in, struct store_app *ret_app)
{
	struct store_org org;
	int r = store_app_find(store, &op->principal, in->org, in->app, ret_app, &op->why);

	if (r == 0)
		r = store_check_may(store, &op->principal, ret_app->org, ACTION_DEPLOY, "instances", &op->why);
	if (r == 0)
		r = store_org_find_by_id(store, &op->principal, ret_app->org, &org, &op->why);
	if (r == 0)
		r = store_org_check_usable(&org, &op->why);
	if (r == 0 && ret_app->deleting)
		r = why_set(&op->why, "app_deleting", "app", "app \"%s\" is being deleted", ret_app->name);
	return r ? r : store_org_check_quota(store, op, &org, QUOTA_INSTANCES);
}

/* ---- place ---- */

static bool is_live(const struct store_instance_new *in, uint32_t host)
{
	for (size_t i = 0; i < in->n_live; i++)
		if (in->live[i] == host)
			return true;
	return false;
}

static int load_nodes(struct store *store, const struct store_instance_new *in, struct buf *ret_nodes)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st,
			  "SELECT n.host, n.name, n.region, r.latitude_udeg, r.longitude_udeg, n.roles, n.draining, "
			  "(SELECT count(*) FROM instance i WHERE i.host = n.host AND i.desired <> 3), n.max_instances "
			  "FROM node n JOIN region r ON r.name = n.region WHERE n.revoked_at = 0 ORDER BY n.host",
			  "");

	while (r == 0 && sql_next(st, &r)) {
		struct placement_node *node = buf_reserve(ret_nodes, sizeof *node);

		if (!node)
			return -ENOMEM;
		*node = (struct placement_node){ .host = (uint32_t)driver_int(st, 0),
						 .latitude = (double)driver_int(st, 3) / 1e6,
						 .longitude = (double)driver_int(st, 4) / 1e6,
						 .roles = (uint32_t)driver_int(st, 5),
						 .draining = driver_int(st, 6),
						 .load = (uint64_t)driver_int(st, 7) };
		node->full = driver_int(st, 8) && node->load >= (uint64_t)driver_int(st, 8);
		sql_text(st, 1, node->name, sizeof node->name);
		sql_text(st, 2, node->region, sizeof node->region);
		node->live = is_live(in, node->host);
	}
	return r;
}

static int check_room(struct store *store, struct op *op, const struct store_node *node)
{
	int64_t n = 0;
	int r = sql_get_int(store, &n, "SELECT count(*) FROM instance WHERE host = ?1 AND desired <> 3", "u", node->host);

	if (r == 0 && node->max_instances && n >= (int64_t)node->max_instances)
		return why_set(&op->why, "host_full", "host", "node \"%s\" has %lld instances, and may have %u", node->name, (long long)n,
			       node->max_instances);
	return r;
}

/* Customers see the names of hosts beside their instances, but who may choose his host may choose whose neighbour he is. */
static int place_on(struct store *store, struct op *op, const struct store_instance_new *in, uint32_t *ret_host)
{
	struct store_node node;
	int r;

	if (!principal_is_operator(&op->principal))
		return why_set(&op->why, "forbidden", "host", "only operators choose the host of an instance: give a region instead");
	r = store_node_find(store, &op->principal, in->host, &node, &op->why);
	if (r != 0)
		return r;
	if (node.revoked_ms || !(node.roles & ROLE_HOST))
		return why_set(&op->why, "not_a_host", "host", "node \"%s\" runs no instances", node.name);
	if (in->region && *in->region && strcmp(in->region, node.region))
		return why_set(&op->why, "host_wrong_region", "host", "node \"%s\" is in region \"%s\", not \"%s\"", node.name, node.region,
			       in->region);
	if (node.draining)
		return why_set(&op->why, "host_draining", "host", "node \"%s\" is being drained", node.name);
	if (!is_live(in, node.host))
		return why_set(&op->why, "host_not_live", "host", "node \"%s\" has not been heard of lately", node.name);
	r = check_room(store, op, &node);
	if (r == 0)
		*ret_host = node.host;
	return r;
}

/* The region of the least loaded host that can be had; "" if none can. */
static const char *emptiest_region(const struct buf *nodes)
{
	const struct placement_node *all = (const void *)nodes->data, *best = NULL;

	for (size_t i = 0; i < nodes->len / sizeof *all; i++)
		if (all[i].live && !all[i].draining && (all[i].roles & ROLE_HOST) && (!best || all[i].load < best->load))
			best = &all[i];
	return best ? best->region : "";
}

static int place(struct store *store, struct op *op, const struct store_instance_new *in, const char *id, uint32_t *ret_host)
{
	CLEAN_BUF struct buf nodes = BUF_INIT(16u << 20);
	struct store_region region;
	int r;

	if (in->host && *in->host)
		return place_on(store, op, in, ret_host);
	if ((!in->region || !*in->region) && !in->anywhere)
		return why_set(&op->why, "field_missing", "region", "say in which region the instance is to run");
	r = load_nodes(store, in, &nodes);
	if (r == 0)
		r = store_region_find(store, &op->principal,
				      in->region && *in->region ? in->region : emptiest_region(&nodes), &region, &op->why);
	if (r != 0)
		return r;
	return placement_instance((const struct placement_node *)(const void *)nodes.data, nodes.len / sizeof(struct placement_node),
				  region.name, id, strlen(id), ret_host, &op->why);
}

/* ---- identity ---- */

static int draw_id(struct store *store, char ret_id[NAME_INSTANCE_ID_SIZE])
{
	uint8_t bytes[NAME_INSTANCE_ID_LEN / 2];
	int64_t n;
	int r;

	for (int tries = 0; tries < 16; tries++) {
		clock_random(&store->clock, bytes, sizeof bytes);
		crypto_hex(bytes, sizeof bytes, ret_id);
		r = sql_get_int(store, &n, "SELECT count(*) FROM instance WHERE id = ?1", "t", ret_id);
		if (r != 0 || n == 0)
			return r;
	}
	return -EAGAIN;
}

/* Random and free in the network, also among those that were in use within the last day. */
static int draw_field(struct store *store, uint32_t network, uint32_t *ret_field)
{
	int64_t n, now = (int64_t)clock_real_ms(&store->clock);
	int r = sql_run(store, "DELETE FROM instance_resting WHERE until_ms <= ?1", "i", now);

	for (int tries = 0; r == 0 && tries < 64; tries++) {
		uint32_t field;

		clock_random(&store->clock, &field, sizeof field);
		if (!addr_instance_valid(field))
			continue;
		r = sql_get_int(store, &n,
				"SELECT (SELECT count(*) FROM instance WHERE network = ?1 AND instance = ?2) + "
				"(SELECT count(*) FROM instance_resting WHERE network = ?1 AND instance = ?2)",
				"uu", network, field);
		if (r == 0 && n == 0) {
			*ret_field = field;
			return 0;
		}
	}
	return r ? r : -EAGAIN;
}

int instance_emit_workload(struct store *store, struct op *op, const struct store_instance *row, const char *spec, size_t spec_len)
{
	CLEAN_BUF struct buf body = BUF_INIT(RECORD_MAX);
	struct workload_record rec = { .spec = spec, .spec_len = spec_len };
	int r;

	memcpy(rec.instance, row->record.id, sizeof rec.instance);
	r = workload_encode(&rec, &body);
	if (r != 0)
		return r;
	return change_put(store, op, workload_envelope(rec.instance, row->record.network, row->record.host), &body, row->org, NULL);
}

static int insert(struct store *store, const struct store_instance *row, const struct store_instance_new *in)
{
	const struct instance_record *rec = &row->record;
	struct in6_addr address = instance_address(rec);
	CLEAN_FREE char *metadata = metadata_text(rec);
	char version[ULID_SIZE];
	int r;

	if (!metadata)
		return -ENOMEM;
	r = sql_run(store,
		    "INSERT INTO instance (id, org, app, network, home_host, host, instance, address, desired, generation, instance_id, name, "
		    "group_name, metadata, dns_skip, cordoned, created_ms, updated_ms, v) "
		    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
		    "tdduuuubuittttuuiii", rec->id, row->org, rec->app, rec->network, rec->home_host, rec->host, rec->instance, &address,
		    sizeof address, rec->desired, (int64_t)rec->generation, ulid_make(&store->clock, version), rec->name, rec->group, metadata,
		    (uint32_t)rec->dns_skip, (uint32_t)rec->cordoned, (int64_t)row->created_ms, (int64_t)row->created_ms, (int64_t)row->v);
	if (r == 0)
		r = sql_run(store, "INSERT INTO workload (instance, spec) VALUES (?1, ?2)", "tb", rec->id, in->spec ? in->spec : "",
			    in->spec ? in->spec_len : 0);
	return r;
}

int store_instance_create(struct store *store, struct op *op, const struct store_instance_new *in, struct store_instance *ret_instance)
{
	struct store_instance row = { .created_ms = clock_real_ms(&store->clock) };
	struct store_app app;
	bool found;
	int r = check_parents(store, op, in, &app);

	if (r == 0)
		r = check_input(in, &row.record, &op->why);
	if (r == 0)
		r = draw_id(store, row.record.id);
	if (r == 0)
		r = place(store, op, in, row.record.id, &row.record.host);
	if (r == 0)
		r = draw_field(store, app.network, &row.record.instance);
	if (r != 0)
		return r;
	memcpy(row.org, app.org, ID_LEN);
	memcpy(row.record.app, app.id, ID_LEN);
	row.record.network = app.network;
	row.record.home_host = row.record.host;
	/* The workload first: a host that sees the instance can start it. */
	r = instance_emit_workload(store, op, &row, in->spec, in->spec_len);
	if (r == 0)
		r = instance_emit(store, op, &row);
	if (r == 0)
		r = insert(store, &row, in);
	if (r == 0)
		r = instance_get(store, row.record.id, ret_instance, &found);
	return r;
}
