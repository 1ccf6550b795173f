/* The Machines view, as flyctl asks it: leases, metadata, addresses, the platform; what it refuses, and who sees what. */
#include "tests/unit/controller/api/flaps_client.h"

#include "controller/store/store_lease.h"

/* ---- leases ---- */

static void a_lease_keeps_everybody_else_from_changing_a_machine(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_good(f, "POST", below(&m, "/lease?ttl=120"), NULL);
	char nonce[LEASE_NONCE_SIZE], own[64];

	fly_types(r.json, "status:s data.nonce:s data.expires_at:i data.owner:s data.version:s");
	assert_string_equal(fly_text(&r, "status"), "success");
	assert_string_equal(fly_text(&r, "data.version"), m.version);
	assert_in_range(json_integer_value(fly_at(r.json, "data.expires_at")), T0 / 1000 + 120, T0 / 1000 + 150);
	snprintf(nonce, sizeof nonce, "%s", fly_text(&r, "data.nonce"));
	client_reply_deinit(&r);

	fly_refused(f, "POST", below(&m, "/lease?ttl=120"), NULL, NULL, 409, "lease_held", "currently held by");
	fly_refused(f, "POST", below(&m, "/stop"), NULL, NULL, 409, "lease_held", "currently held by");
	fly_refused(f, "POST", below(&m, "/stop"), "0000000000000000", NULL, 409, "lease_held", "currently held by");
	fly_refused(f, "POST", below(&m, "/cordon"), "x", NULL, 409, "lease_held", "currently held by");
	fly_refused(f, "POST", below(&m, "/metadata/color"), NULL, "{\"value\":\"x\"}", 409, "lease_held", "currently held by");
	fly_refused(f, "POST", m.path, NULL, "{\"config\":{\"image\":\"x\"}}", 409, "lease_held", "currently held by");
	fly_refused(f, "DELETE", below(&m, "?kill=true"), NULL, NULL, 409, "lease_held", "currently held by");
	fly_refused(f, "DELETE", below(&m, "/lease"), NULL, NULL, 409, "lease_held", "currently held by");
	/* our own view of the same machine keeps it too */
	snprintf(own, sizeof own, "/v1/instances/%s", m.id);
	expect(f, "PATCH", own, f->acme, "{\"cordoned\":true}", 409, "lease_held");
	expect(f, "DELETE", own, f->acme, NULL, 409, "lease_held");

	/* a reader is not told the nonce */
	r = fly_good(f, "GET", below(&m, "/lease"), NULL);
	assert_null(fly_at(r.json, "data.nonce"));
	fly_types(r.json, "data.expires_at:i data.owner:s data.version:s");
	client_reply_deinit(&r);

	r = fly_with(f, "POST", below(&m, "/stop"), f->acme, nonce, "{\"id\":\"x\",\"timeout\":\"0s\"}");
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
	r = fly_with(f, "POST", below(&m, "/lease?ttl=300"), f->acme, nonce, NULL); /* longer */
	assert_int_equal(r.status, 200);
	assert_string_equal(fly_text(&r, "data.nonce"), nonce);
	client_reply_deinit(&r);
	r = fly_with(f, "DELETE", below(&m, "/lease?wait=applied"), f->acme, nonce, NULL);
	assert_int_equal(r.status, 200);
	assert_int_equal(f->waits, 1);
	fly_types(r.json, "v:i applied:b nodes:i laggards:a");
	client_reply_deinit(&r);
	fly_refused(f, "DELETE", below(&m, "/lease"), nonce, NULL, 404, "lease_not_found", "lease not found");
	expect(f, "PATCH", own, f->acme, "{\"cordoned\":true}", 200, NULL);
}

static void a_lease_ends_with_its_time_and_with_its_machine(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_good(f, "POST", below(&m, "/lease"), "{\"ttl\":10,\"description\":\"mine\"}");

	client_reply_deinit(&r);
	fly_refused(f, "POST", below(&m, "/stop"), NULL, NULL, 409, "lease_held", "currently held by");
	f->base->time.now_ms += 11000;
	fly_refused(f, "GET", below(&m, "/lease"), NULL, NULL, 404, "lease_not_found", "lease not found");
	r = fly_good(f, "POST", below(&m, "/stop"), NULL);
	client_reply_deinit(&r);
	r = fly_good(f, "POST", below(&m, "/lease?ttl=120"), NULL); /* another may have it now */
	client_reply_deinit(&r);
	f->base->time.now_ms += 121000;
	r = fly_good(f, "DELETE", below(&m, "?kill=true"), NULL);
	client_reply_deinit(&r);
	fly_refused(f, "POST", below(&m, "/lease"), NULL, NULL, 409, "instance_destroyed", "is being destroyed");
	report(f, m.id, STATE_DESTROYED, 3, 0);
	fly_refused(f, "DELETE", below(&m, "/lease"), NULL, NULL, 404, "lease_not_found", "lease not found");
	fly_refused(f, "POST", below(&m, "/lease?ttl=many"), NULL, NULL, 400, "value_invalid", "many");
	fly_refused(f, "POST", below(&m, "/lease?ttl=999999"), NULL, NULL, 400, "out_of_range", "999999");
}

static void a_machine_may_be_made_with_its_lease(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/machines", "{\"config\":{\"image\":\"nginx\"},\"lease_ttl\":60}");
	struct made m;
	char nonce[LEASE_NONCE_SIZE];

	snprintf(m.path, sizeof m.path, "/v1/apps/web/machines/%s", fly_text(&r, "id"));
	snprintf(nonce, sizeof nonce, "%s", fly_text(&r, "nonce"));
	client_reply_deinit(&r);
	fly_refused(f, "POST", below(&m, "/stop"), NULL, NULL, 409, "lease_held", "currently held by");
	r = fly_with(f, "POST", below(&m, "/stop"), f->acme, nonce, NULL);
	assert_int_equal(r.status, 200);
	client_reply_deinit(&r);
}

/* ---- metadata ---- */

static void metadata_is_read_and_written_one_key_at_a_time(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_good(f, "POST", below(&m, "/metadata/shape"), "{\"value\":\"round\"}");

	client_reply_deinit(&r);
	r = fly_good(f, "DELETE", below(&m, "/metadata/color"), NULL);
	client_reply_deinit(&r);
	r = fly_good(f, "GET", below(&m, "/metadata"), NULL);
	assert_string_equal(fly_text(&r, "shape"), "round");
	assert_string_equal(fly_text(&r, "fly_platform_version"), "v2");
	assert_null(fly_at(r.json, "color"));
	client_reply_deinit(&r);
	r = fly_good(f, "GET", m.path, NULL); /* the configuration shows the same */
	assert_string_equal(fly_text(&r, "config.metadata.shape"), "round");
	assert_string_equal(fly_text(&r, "instance_id"), m.version);
	client_reply_deinit(&r);
	fly_refused(f, "DELETE", below(&m, "/metadata/color"), NULL, NULL, 404, "not_found", "color");
	fly_refused(f, "POST", below(&m, "/metadata/a%20b"), NULL, "{\"value\":\"x\"}", 400, "metadata_invalid", "a b");
	fly_refused(f, "POST", below(&m, "/metadata/a"), NULL, "{\"value\":7}", 400, "type_invalid", "value");
	fly_refused(f, "POST", below(&m, "/metadata/a"), NULL, NULL, 400, "field_missing", "value");
	fly_refused(f, "POST", below(&m, "/metadata/a"), NULL, "{\"value\":\"x\",\"other\":1}", 400, "field_unknown", "other");
}

/* ---- addresses ---- */

static void an_address_is_reserved_listed_and_released(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/ip_assignments",
					 "{\"type\":\"private_v6\",\"region\":\"\",\"org_slug\":\"\",\"network\":\"\",\"service_name\":\"\"}");
	char path[128];

	fly_types(r.json, "ip:s region:s service_name:s shared:b created_at:t egress:b network.name:s network.org_slug:s");
	assert_ptr_equal(strstr(fly_text(&r, "ip"), "fdaa:"), fly_text(&r, "ip"));
	snprintf(path, sizeof path, "/v1/apps/web/ip_assignments/%s", fly_text(&r, "ip"));
	client_reply_deinit(&r);
	r = fly_good(f, "GET", "/v1/apps/web/ip_assignments", NULL);
	fly_types(r.json, "ips:a ips.0.ip:s");
	client_reply_deinit(&r);
	r = fly_with(f, "DELETE", path, f->globex, NULL, NULL);
	assert_int_equal(r.status, 404);
	client_reply_deinit(&r);
	r = fly_good(f, "DELETE", path, NULL);
	client_reply_deinit(&r);
	fly_refused(f, "DELETE", path, NULL, NULL, 404, "ip_not_found", "");
	fly_refused(f, "POST", "/v1/apps/web/ip_assignments", NULL, "{\"type\":\"v4\"}", 422, "not_offered", "no addresses of type \"v4\"");
	fly_refused(f, "POST", "/v1/apps/web/ip_assignments", NULL, "{\"type\":\"private_v6\",\"network\":\"globex/default\"}", 404,
		    "org_not_found", "globex");
}

/* ---- the platform ---- */

static void regions_organizations_and_builds_have_flys_form(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "GET", "/v1/platform/regions", NULL);

	fly_types(r.json, "Nearest:s Regions:a Regions.0.code:s Regions.0.name:s Regions.0.latitude:f Regions.0.longitude:f "
			  "Regions.0.gateway_available:b Regions.0.requires_paid_plan:b Regions.0.deprecated:b Regions.0.capacity:i "
			  "Regions.0.geo_region:s Regions.0.mpg_available:b");
	assert_string_equal(fly_text(&r, "Nearest"), "ord");
	assert_string_equal(fly_text(&r, "Regions.0.geo_region"), "north_america");
	client_reply_deinit(&r);
	r = fly_good(f, "GET", "/api/v1/organizations/acme", NULL);
	fly_types(r.json, "organization.id:s organization.internal_numeric_id:i organization.slug:s organization.raw_slug:s organization.paid_plan:b "
			  "organization.personal:b organization.billing_status:s organization.provisions_beta_extensions:b organization.name:s "
			  "organization.billable:b organization.remote_builder_image:s");
	client_reply_deinit(&r);
	r = fly_good(f, "GET", "/api/v1/organizations", NULL);
	assert_int_equal(json_array_size(fly_at(r.json, "organizations")), 1);
	client_reply_deinit(&r);
	r = fly_good(f, "POST", "/api/v1/builds", "{\"app_name\":\"web\",\"builder_type\":\"\",\"strategies_available\":[\"a\"],\"more\":{}}");
	fly_types(r.json, "id:i status:s wallclock_time_ms:i");
	client_reply_deinit(&r);
	r = fly_good(f, "POST", "/api/v1/builds/finish", "{\"id\":1,\"status\":\"completed\"}");
	client_reply_deinit(&r);
}

static void what_is_not_offered_is_named_in_a_sentence(void **state)
{
	static const char *const paths[][2] = { { "GET", "/v1/apps/web/volumes" }, { "POST", "/v1/apps/web/machines/x/exec" },
						{ "POST", "/v1/apps/web/machines/x/suspend" }, { "GET", "/v1/apps/web/secrets" } };
	struct api_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		fly_refused(f, paths[i][0], paths[i][1], NULL, NULL, 404, "route_not_found", paths[i][1]);
}

/* ---- bad input ---- */

static void configurations_that_cannot_be_are_refused_by_field(void **state)
{
	static const struct {
		const char *config, *code, *words;
		int status;
	} rows[] = {
		{ "7", "type_invalid", "config", 400 },
		{ "{}", "field_missing", "image", 400 },
		{ "{\"image\":7}", "type_invalid", "image", 400 },
		{ "{\"image\":\"a\",\"env\":{\"A\":1}}", "type_invalid", "env", 400 },
		{ "{\"image\":\"a\",\"env\":[]}", "type_invalid", "env", 400 },
		{ "{\"image\":\"a\",\"init\":{\"cmd\":\"x\"}}", "type_invalid", "cmd", 400 },
		{ "{\"image\":\"a\",\"guest\":{\"cpus\":\"1\"}}", "type_invalid", "cpus", 400 },
		{ "{\"image\":\"a\",\"metadata\":{\"a b\":\"c\"}}", "metadata_invalid", "a b", 400 },
		{ "{\"image\":\"a\",\"metadata\":{\"fly_process_group\":\"-\"}}", "name_invalid", "-", 400 },
		{ "{\"image\":\"a\",\"restart\":{\"policy\":\"sometimes\"}}", "value_invalid", "sometimes", 400 },
		{ "{\"image\":\"a\",\"stop_config\":{\"timeout\":\"long\"}}", "field_invalid", "long", 400 },
		{ "{\"image\":\"a\",\"mounts\":[{\"path\":\"/data\"}]}", "not_offered", "no volumes", 422 },
		{ "{\"image\":\"a\",\"containers\":[{},{}]}", "not_offered", "2 containers", 422 },
		{ "{\"image\":\"a\",\"files\":[{\"guest_path\":\"/x\",\"raw_value\":\"*\"}]}", "value_invalid", "/x", 400 },
		{ "{\"image\":\"a\",\"files\":[{\"guest_path\":\"/x\",\"raw_value\":\"YWJjYWJjYWJjYWJjYW=J\"}]}", "value_invalid", "/x", 400 },
		{ "{\"image\":\"a\",\"files\":[{\"guest_path\":\"/x\",\"raw_value\":\"AA==\"}]}", "value_invalid", "/x", 400 },
		{ "{\"image\":\"a\",\"files\":[{\"guest_path\":\"/x\",\"secret_name\":\"S\"}]}", "not_offered", "secrets", 422 },
		{ "{\"image\":\"a\",\"files\":[{\"raw_value\":\"\"}]}", "field_missing", "guest_path", 400 },
	};
	struct api_fixture *f = *state;
	uint64_t before = f->v;
	char body[512];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(body, sizeof body, "{\"config\":%s,\"region\":\"ord\"}", rows[i].config);
		fly_refused(f, "POST", "/v1/apps/web/machines", NULL, body, rows[i].status, rows[i].code, rows[i].words);
	}
	fly_refused(f, "POST", "/v1/apps/web/machines", NULL, "{\"region\":\"ord\"}", 400, "field_missing", "config");
	fly_refused(f, "POST", "/v1/apps/web/machines", NULL, "{\"config\":{\"image\":\"a\"},\"regoin\":\"ord\"}", 400, "field_unknown", "regoin");
	fly_refused(f, "POST", "/v1/apps/web/machines", NULL, "{\"config\":{\"image\":\"a\"},\"region\":\"nrt\"}", 404, "region_not_found", "nrt");
	fly_refused(f, "POST", "/v1/apps/web/machines", NULL, "[]", 400, "json_invalid", "object");
	fly_refused(f, "POST", "/v1/apps/web/machines", NULL, "{", 400, "json_invalid", "");
	assert_int_equal(f->v, before);
}

/* An agent runs nothing that sets them (T=spec), and fly deploy sets FLY_PROCESS_GROUP everywhere. */
static void what_a_host_says_of_a_machine_is_not_asked_of_it_otherwise(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/machines",
					 "{\"config\":{\"image\":\"a\",\"env\":{\"A\":\"b\",\"FLY_PROCESS_GROUP\":\"app\",\"FLY_REGION\":\"iad\"}},\"region\":"
					 "\"ord\",\"skip_secrets\":false}");
	char own[96];

	snprintf(own, sizeof own, "/v1/instances/%s/spec", fly_text(&r, "id"));
	assert_string_equal(fly_text(&r, "config.env.FLY_PROCESS_GROUP"), "app"); /* as it was sent */
	client_reply_deinit(&r);
	r = ask(f, "GET", own, f->acme, NULL);
	assert_string_equal(fly_text(&r, "env.A"), "b");
	assert_string_equal(fly_text(&r, "env.FLY_IMAGE_REF"), "a");
	assert_int_equal(json_object_size(fly_at(r.json, "env")), 2);
	client_reply_deinit(&r);
}

/* flyctl reads all of it, and sends all of that again with what it changes. */
static void a_machine_of_another_view_loses_nothing_in_an_update(void **state)
{
	static const char before[] = "{\"schema\":1,\"command\":[\"/bin/app\"],\"env\":{\"A\":\"b\"},\"files\":[{\"path\":\"/etc/a\",\"content\":\"x\\ny\","
				     "\"mode\":\"0600\"}],\"root\":\"/srv/tree\",\"workdir\":\"/tmp\",\"user\":\"1000:1000\",\"restart\":\"never\","
				     "\"drain_ms\":7,\"stop_timeout_ms\":1500,\"runtime\":\"process\"}";
	struct api_fixture *f = *state;
	CLEAN_JSON json_t *was = json_loads(before, 0, NULL), *body = json_pack("{s:s,s:s,s:O}", "app", "web", "region", "ord", "spec", was), *update = NULL;
	CLEAN_FREE char *made = json_dumps(body, 0);
	struct client_reply r = ask(f, "POST", "/v1/instances", f->acme, made);
	char path[96], own[96];

	assert_int_equal(r.status, 201);
	snprintf(path, sizeof path, "/v1/apps/web/machines/%s", text_of(&r, "id"));
	snprintf(own, sizeof own, "/v1/instances/%s/spec", text_of(&r, "id"));
	client_reply_deinit(&r);
	for (int i = 0; i < 2; i++) { /* and what is kept is kept again */
		CLEAN_FREE char *text = NULL;

		r = fly_good(f, "GET", path, NULL);
		json_decref(update);
		update = json_pack("{s:O,s:b}", "config", fly_at(r.json, "config"), "skip_secrets", 0);
		client_reply_deinit(&r);
		json_object_set_new(json_object_get(json_object_get(update, "config"), "metadata"), "color", json_string("green"));
		text = json_dumps(update, 0);
		r = fly_good(f, "POST", path, text);
		client_reply_deinit(&r);
		r = ask(f, "GET", own, f->acme, NULL);
		if (!json_equal(r.json, was))
			fail_msg("it was %s, and is %s", before, r.body);
		client_reply_deinit(&r);
	}
}

static void what_is_not_known_in_a_configuration_is_kept_and_shown(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/machines",
					 "{\"config\":{\"image\":\"a\",\"brand_new\":{\"x\":[1]},\"services\":[],\"auto_destroy\":true,\"files\":"
					 "[{\"guest_path\":\"/etc/motd\",\"raw_value\":\"aGVsbG8\",\"mode\":384}]}}");
	char own[64];

	assert_int_equal(json_integer_value(fly_at(r.json, "config.brand_new.x.0")), 1);
	assert_int_equal(json_array_size(fly_at(r.json, "no_effect")), 2); /* image and brand_new */
	snprintf(own, sizeof own, "/v1/instances/%s/spec", fly_text(&r, "id"));
	client_reply_deinit(&r);
	r = ask(f, "GET", own, f->acme, NULL);
	assert_string_equal(fly_text(&r, "files.0.path"), "/etc/motd");
	assert_string_equal(fly_text(&r, "files.0.content"), "hello");
	assert_string_equal(fly_text(&r, "files.0.mode"), "0600");
	client_reply_deinit(&r);
}

static void a_huge_body_is_413(void **state)
{
	struct api_fixture *f = *state;
	CLEAN_BUF struct buf body = BUF_INIT(4u << 20);
	struct client_reply r;

	buf_add_str(&body, "{\"config\":{\"image\":\"");
	for (int i = 0; i < 70000; i++)
		buf_add_u8(&body, 'a' + i % 26);
	buf_add_str(&body, "\"}}");
	r = fly(f, "POST", "/v1/apps/web/machines", buf_str(&body));
	assert_int_equal(r.status, 400); /* of one field */
	client_reply_deinit(&r);
	buf_clear(&body);
	buf_add_str(&body, "{\"config\":{\"image\":\"a\",\"more\":\"");
	for (int i = 0; i < 70000; i++)
		buf_add_u8(&body, 'a' + i % 26);
	buf_add_str(&body, "\"}}");
	r = fly(f, "POST", "/v1/apps/web/machines", buf_str(&body));
	assert_int_equal(r.status, 413);
	assert_string_equal(fly_text(&r, "code"), "too_large");
	client_reply_deinit(&r);
	buf_clear(&body);
	for (int i = 0; i < (1 << 20) + 10; i++)
		buf_add_u8(&body, ' ');
	r = fly(f, "POST", "/v1/apps/web/machines", buf_str(&body));
	assert_int_equal(r.status, 413);
	assert_true(json_is_string(fly_at(r.json, "error"))); /* also what the door itself says */
	client_reply_deinit(&r);
	r = fly(f, "PUT", "/v1/apps/web/machines", NULL);
	assert_int_equal(r.status, 405);
	assert_true(json_is_string(fly_at(r.json, "error")));
	client_reply_deinit(&r);
}

static void texts_that_are_cut_inside_a_character_are_told_all_the_same(void **state)
{
	struct api_fixture *f = *state;
	char path[400] = "/v1/apps/web/machines/";

	for (int i = 0; i < 40; i++)
		strcat(path, i % 2 ? "%C3%BC" : "x");
	fly_refused(f, "GET", path, NULL, NULL, 404, "instance_not_found", "machine not found");
	strcat(path, "/nothing");
	fly_refused(f, "GET", path, NULL, NULL, 404, "route_not_found", "does not offer");
}

/* ---- who may see what ---- */

static void anothers_machine_is_none_also_below_an_app_of_ones_own(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_with(f, "POST", "/v1/apps", f->globex, NULL, "{\"name\":\"own\",\"org_slug\":\"globex\"}");
	char path[96];

	assert_int_equal(r.status, 201);
	client_reply_deinit(&r);
	snprintf(path, sizeof path, "/v1/apps/own/machines/%s", m.id);
	r = fly_with(f, "GET", path, f->globex, NULL, NULL);
	assert_int_equal(r.status, 404);
	client_reply_deinit(&r);
	r = fly_with(f, "POST", path, f->globex, NULL, "{\"config\":{\"image\":\"x\"}}");
	assert_int_equal(r.status, 404);
	client_reply_deinit(&r);
	/* nor below another app of the same organization */
	r = fly_good(f, "POST", "/v1/apps", "{\"name\":\"own\",\"org_slug\":\"acme\"}");
	client_reply_deinit(&r);
	fly_refused(f, "GET", path, NULL, NULL, 404, "instance_not_found", "machine not found");
	fly_refused(f, "DELETE", path, NULL, NULL, 404, "instance_not_found", "machine not found");
}

static void a_reading_token_sees_no_environment(void **state)
{
	struct api_fixture *f = *state;
	struct made m = run_machine(f);
	struct client_reply r = fly_with(f, "GET", m.path, f->acme_read, NULL, NULL);

	assert_int_equal(r.status, 200);
	fly_types(r.json, MACHINE_TYPES);
	assert_null(strstr(r.body, "MODE"));
	assert_null(strstr(r.body, "\"cmd\""));
	assert_string_equal(fly_text(&r, "image_ref.tag"), "1.27");
	client_reply_deinit(&r);
	r = fly_with(f, "GET", "/v1/apps/web/machines", f->acme_read, NULL, NULL);
	assert_null(strstr(r.body, "MODE"));
	client_reply_deinit(&r);
	r = fly_with(f, "POST", below(&m, "/lease"), f->acme_read, NULL, NULL);
	assert_int_equal(r.status, 403);
	client_reply_deinit(&r);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, api_setup, api_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_lease_keeps_everybody_else_from_changing_a_machine),
		TEST(a_lease_ends_with_its_time_and_with_its_machine),
		TEST(a_machine_may_be_made_with_its_lease),
		TEST(metadata_is_read_and_written_one_key_at_a_time),
		TEST(an_address_is_reserved_listed_and_released),
		TEST(regions_organizations_and_builds_have_flys_form),
		TEST(what_is_not_offered_is_named_in_a_sentence),
		TEST(configurations_that_cannot_be_are_refused_by_field),
		TEST(what_a_host_says_of_a_machine_is_not_asked_of_it_otherwise),
		TEST(a_machine_of_another_view_loses_nothing_in_an_update),
		TEST(what_is_not_known_in_a_configuration_is_kept_and_shown),
		TEST(a_huge_body_is_413),
		TEST(texts_that_are_cut_inside_a_character_are_told_all_the_same),
		TEST(anothers_machine_is_none_also_below_an_app_of_ones_own),
		TEST(a_reading_token_sees_no_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
