/* gql_machine - instances as flyctl sees them: machines. */
#include "controller/api/api_graphql.h"
#include "controller/api/flaps.h"

#include <stdio.h>
#include <string.h>

#define MACHINES_MAX 10000u
#define PRIVATE_BITS 112 /* every instance has its own prefix */

static json_t *machine_json(const struct store_instance *i)
{
	struct in6_addr address;
	char text[ADDR_TEXT_LEN];

	memcpy(&address, i->address, sizeof address);
	return json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:{s:[{s:s,s:s,s:s,s:i}]},s:{s:s},s:{s:[]}}", "id", i->record.id, "name",
			 i->record.name[0] ? i->record.name : i->record.id, "state", flaps_state(&i->record), "region", i->region, "createdAt",
			 api_json_time(i->created_ms), "updatedAt", api_json_time(i->updated_ms), "ips", "nodes", "family", "v6", "kind",
			 "privatenet", "ip", addr_text(&address, text), "maskSize", PRIVATE_BITS, "host", "id", i->host_name,
			 "egressIpAddresses", "nodes");
}

struct listing {
	json_t *nodes, *app;
};

static void add(void *arg, const struct store_instance *instance)
{
	struct listing *l = arg;
	json_t *machine = machine_json(instance);

	json_object_set(machine, "app", l->app);
	json_array_append_new(l->nodes, machine);
}

static int machines(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	struct store_instance_filter filter = { .org = gql_str(json_object_get(parent, "organization"), "id"), .app = gql_str(parent, "id") };
	struct listing l = { json_array(), (json_t *)(uintptr_t)parent };
	struct store_next next = { "" };
	int r = gql_spend(gql, 0, why);

	(void)args;
	if (r == 0 && !filter.app) /* of the app that has no name */
		r = why_set(why, "app_not_found", "app", "Could not find App \"\"");
	do {
		struct store_next before = next;
		struct store_page page = { .after = before.cursor };

		next = (struct store_next){ "" };
		if (r == 0)
			r = store_instance_list(gql->store, api_who(gql->call), &filter, &page, add, &l, &next, why);
	} while (r == 0 && next.cursor[0] && json_array_size(l.nodes) < MACHINES_MAX);
	if (r == 0 && next.cursor[0]) /* a part would look like all of it */
		r = why_set(why, "query_too_large", "machines", "app \"%s\" has more than %u machines: list them by the Machines API, page by page",
			    gql_str(parent, "name"), MACHINES_MAX);
	if (r == 0)
		r = gql_spend(gql, json_array_size(l.nodes), why);
	if (r)
		json_decref(l.nodes);
	else
		*ret = json_pack("{s:i,s:o}", "totalCount", (int)json_array_size(l.nodes), "nodes", l.nodes);
	return r;
}

/* Its app is looked up for everybody who sees it: an instance is never of an org that its app is not of. */
static int machine(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	const char *id = gql_str(args, "machineId");
	char app_id[ID_TEXT_SIZE], org_id[ID_TEXT_SIZE];
	struct store_instance found;
	struct store_app app;
	json_t *of = NULL;
	int r = store_instance_find(gql->store, api_who(gql->call), id ? id : "", &found, why);

	(void)parent;
	if (r == 0)
		r = store_app_find(gql->store, api_who(gql->call), id_text(found.org, org_id), id_text(found.record.app, app_id), &app, why);
	if (r == 0)
		r = gql_app_json(gql, &app, &of, why);
	if (r)
		return r;
	*ret = machine_json(&found);
	json_object_set_new(*ret, "app", of);
	return 0;
}

/* As the Machines view shows it: without what is secret to those who may not deploy. Only where it is asked for, since it may be long. */
static int config(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	struct gql_call *gql = ctx;
	CLEAN_BUF struct buf texts = BUF_INIT(2 * STORE_SPEC_MAX);
	CLEAN_JSON json_t *shown = NULL;
	struct store_machine machine;
	int r = store_machine_find(gql->store, api_who(gql->call), gql_str(json_object_get(parent, "app"), "id"), gql_str(parent, "id"), &texts,
				   &machine, why);

	(void)args;
	if (r)
		return r;
	gql->told += texts.len; /* one machine can be asked for in many places */
	if (gql->told > GQL_TOLD_MAX)
		return why_set(why, "query_too_large", "config", "the configurations in the reply would be longer than %u bytes: ask for fewer machines",
			       GQL_TOLD_MAX);
	shown = flaps_machine_json(&machine);
	*ret = json_incref(json_object_get(shown, "config"));
	return 0;
}

static const struct gql_input machine_args[] = { { "machineId", "String!" }, { 0 } };
static const struct gql_field query[] = { { "machine", "Machine", machine, machine_args }, { 0 } };
static const struct gql_field app_fields[] = { { "machines", "MachineConnection!", machines, NULL }, { 0 } };
static const struct gql_field connection[] = { { "nodes", "[Machine!]!", NULL, NULL }, { "totalCount", "Int!", NULL, NULL }, { 0 } };
static const struct gql_field machine_fields[] = { { "id", "ID!", NULL, NULL },
						   { "name", "String!", NULL, NULL },
						   { "state", "String!", NULL, NULL },
						   { "region", "String!", NULL, NULL },
						   { "createdAt", "ISO8601DateTime!", NULL, NULL },
						   { "updatedAt", "ISO8601DateTime!", NULL, NULL },
						   { "config", "JSON!", config, NULL }, /* a refusal ends the reply */
						   { "app", "App!", NULL, NULL },
						   { "ips", "MachineIPConnection!", NULL, NULL },
						   { "host", "Host!", NULL, NULL },
						   { "egressIpAddresses", "EgressIPAddressConnection!", NULL, NULL },
						   { 0 } };
static const struct gql_field ips[] = { { "nodes", "[MachineIP!]!", NULL, NULL }, { 0 } };
static const struct gql_field ip_fields[] = { { "family", "String!", NULL, NULL },
					      { "kind", "String!", NULL, NULL },
					      { "ip", "String!", NULL, NULL },
					      { "maskSize", "Int!", NULL, NULL },
					      { 0 } };
static const struct gql_field host[] = { { "id", "ID!", NULL, NULL }, { 0 } };

const struct gql_type gql_machine_types[] = {
	{ .name = "Query", .fields = query },
	{ .name = "App", .fields = app_fields },
	{ .name = "MachineConnection", .fields = connection },
	{ .name = "Machine", .fields = machine_fields },
	{ .name = "MachineIPConnection", .fields = ips },
	{ .name = "MachineIP", .fields = ip_fields },
	{ .name = "Host", .fields = host },
	{ 0 },
};
