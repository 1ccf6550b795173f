/* A walk over every route of the table with tokens that must not: for another organization's token an object that is there must
 * look exactly like one that is not; for customers the operators' routes look the same whatever is behind them. */
#include "tests/unit/controller/api/api_fixture.h"

#define NAMES_MAX 3

/* What stands in a pattern, as it is called in acme, and a name of the same form that nobody has. */
struct naming {
	const char *param, *there, *nowhere;
	bool foreign; /* false: everybody may see it */
};

static size_t namings(const struct api_fixture *f, const char *param, struct naming *ret)
{
	const struct naming all[] = {
		{ "org", "acme", "nosuch", true },
		{ "org", f->org_id, "00000000000000aa", true },
		{ "network", "acme%2Fdefault", "nosuch%2Fdefault", true },
		{ "network", f->network_id, "7f7f7f7f", true },
		{ "app", "acme%2Fweb", "acme%2Fnosuch", true },
		{ "app", "web", "wex", true },
		{ "app", f->app_id, "00000000000000aa", true },
		{ "instance", f->instance, "00000000000000", true },
		{ "peer", "acme%2Flaptop", "acme%2Fnosuch", true },
		{ "peer", "laptop", "laptox", true },
		{ "peer", f->peer_id, "00000000000000aa", true },
		{ "ip", f->ip, "fdaa::1", true },
		{ "ip", f->ip_id, "00000000000000aa", true },
		{ "user", "zoe@example.net", "nobody@example.net", true },
		{ "user", f->user_id, "00000000000000aa", true },
		{ "member", "zoe@example.net", "nobody@example.net", true },
		{ "member", f->user_id, "00000000000000aa", true },
		{ "token", f->acme_token_id, "00000000000000aa", true },
		{ "rule", f->rule_id, "00000000000000aa", true },
		{ "region", "ord", "nrt", false },
		{ "login", "BCDF-GHJK", "XXXX-XXXX", false }, /* nobody's until it is approved: test_api_login */
		{ "node", "ord-1", "ord-9", true },
		{ "key", "color", "nocolor", true },
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (!strcmp(all[i].param, param))
			ret[n++] = all[i];
	return n;
}

/* A body that the table accepts. `org` and `app` are used where the body names one. */
static char *make_body(const struct route *r, const char *org, const char *app)
{
	CLEAN_JSON json_t *body = json_object();

	if (!r->fields)
		return NULL;
	for (const struct route_field *field = r->fields; field->name; field++) {
		if (!strcmp(field->name, "org") || !strcmp(field->name, "from_org") || !strcmp(field->name, "to_org"))
			json_object_set_new(body, field->name, json_string(org));
		else if (!strcmp(field->name, "from_app"))
			json_object_set_new(body, "from_app", json_string("web"));
		else if (!strcmp(field->name, "app"))
			json_object_set_new(body, "app", json_string(app));
		else if (!strcmp(field->name, "role"))
			json_object_set_new(body, "role", json_string("member"));
		else if (!strcmp(field->name, "region"))
			json_object_set_new(body, "region", json_string("ord"));
		else if (!strcmp(field->name, "public_key") || !strcmp(field->name, "pubkey"))
			json_object_set_new(body, field->name, json_string("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="));
		else if (!strcmp(field->name, "command"))
			json_object_set_new(body, "command", json_pack("[s]", "/bin/true"));
		else if (!strcmp(field->name, "config"))
			json_object_set_new(body, "config", json_pack("{s:s}", "image", "nginx"));
		else if ((field->required || !strcmp(field->name, "name")) && field->type == FIELD_STR)
			json_object_set_new(body, field->name, json_string("fresh"));
		else if (field->type == FIELD_BOOL)
			json_object_set_new(body, field->name, json_true());
	}
	return json_dumps(body, 0);
}

/* The first parameter of the pattern is name; those after it are things that are there. */
static void make_target(const struct api_fixture *f, const struct route *r, const char *name, const char *query, char *ret, size_t size)
{
	const char *p = r->pattern, *open;
	size_t at = 0;

	for (ret[0] = 0; (open = strchr(p, '{')); p = strchr(open, '}') + 1) {
		struct naming names[NAMES_MAX];
		char param[32];

		snprintf(param, sizeof param, "%.*s", (int)strcspn(open + 1, "}"), open + 1);
		if (p != r->pattern)
			name = !strncmp(r->pattern, "/v1/orgs/{org}/", 15) ? "fresh" /* what is made by its name */ :
			       namings(f, param, names)			    ? names[0].there :
										     "x";
		at += (size_t)snprintf(ret + at, size - at, "%.*s%s", (int)(open - p), p, name);
	}
	snprintf(ret + at, size - at, "%s%s", p, query);
}

/* Status and body with the request id gone and every quoted value (the name that was asked for) made one. */
static char *shape(struct client_reply *r)
{
	CLEAN_BUF struct buf out = BUF_INIT(1u << 20);
	bool quoted = false;
	char *text;

	json_object_del(json_object_get(r->json, "error"), "request");
	json_object_del(r->json, "request");
	text = json_dumps(r->json, JSON_SORT_KEYS | JSON_ENCODE_ANY);
	buf_printf(&out, "%d ", r->status);
	for (const char *p = text ? text : ""; *p; p++) {
		if (p[0] == '\\' && p[1] == '"') {
			quoted = !quoted;
			buf_add_str(&out, quoted ? "<NAME" : ">");
			p++;
		} else if (!quoted) {
			buf_add_u8(&out, (uint8_t)*p);
		}
	}
	free(text);
	return strdup(buf_str(&out));
}

static char *ask_shape(struct api_fixture *f, const struct route *r, const char *name, const char *query, const char *token, const char *body,
		       int *ret_status)
{
	struct client_reply reply;
	char target[256], *text;

	make_target(f, r, name, query, target, sizeof target);
	reply = ask(f, r->method, target, token, body);
	*ret_status = reply.status;
	text = shape(&reply);
	client_reply_deinit(&reply);
	return text;
}

static void compare(struct api_fixture *f, const struct route *r, const struct naming *n, const char *token, int wanted)
{
	char *body = make_body(r, "globex", "web");
	int status_there, status_nowhere;
	char *there = ask_shape(f, r, n->there, "", token, body, &status_there);
	char *nowhere = ask_shape(f, r, n->nowhere, "", token, body, &status_nowhere);

	if (strcmp(there, nowhere) || status_there != wanted)
		fail_msg("%s %s with %s (wanted %d):\n  there   %s\n  nowhere %s", r->method, r->pattern, n->there, wanted, there, nowhere);
	free(there);
	free(nowhere);
	free(body);
}

static void anothers_objects_look_like_none_on_every_route(void **state)
{
	struct api_fixture *f = *state;
	size_t walked = 0;

	f->base->time.now_ms += 1000;
	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		const char *open = strchr(r->pattern, '{');
		struct naming names[NAMES_MAX];
		char param[32];
		size_t n;

		if (!open || r->auth != ROUTE_TOKEN)
			continue;
		snprintf(param, sizeof param, "%.*s", (int)strcspn(open + 1, "}"), open + 1);
		n = namings(f, param, names);
		if (!n)
			fail_msg("%s: nobody told this test how to name a {%s}", r->pattern, param);
		for (size_t i = 0; i < n; i++) {
			f->base->time.now_ms += 1000; /* the org's writes per second are not what is tested here */
			if (names[i].foreign)
				compare(f, r, &names[i], f->globex, 404);
			walked += names[i].foreign;
		}
	}
	assert_true(walked >= 20);
	/* and the walk has harmed nothing */
	expect(f, "GET", "/v1/orgs/acme", f->acme, NULL, 200, NULL);
	expect(f, "GET", "/v1/apps/web", f->acme, NULL, 200, NULL);
	expect(f, "GET", "/v1/networks/default", f->acme, NULL, 200, NULL);
}

static void the_owner_sees_on_every_reading_route_what_the_walk_asked_for(void **state)
{
	struct api_fixture *f = *state;
	char lease[96];

	snprintf(lease, sizeof lease, "/v1/apps/web/machines/%s/lease", f->instance);
	expect(f, "POST", lease, f->acme, NULL, 200, NULL); /* which is one of the things that are read */
	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		const char *open = strchr(r->pattern, '{');
		struct naming names[NAMES_MAX];
		char param[32], target[256];
		size_t n;

		if (!open || r->auth != ROUTE_TOKEN || strcmp(r->method, "GET"))
			continue;
		snprintf(param, sizeof param, "%.*s", (int)strcspn(open + 1, "}"), open + 1);
		n = namings(f, param, names);
		for (size_t i = 0; i < n; i++) {
			make_target(f, r, names[i].there, "", target, sizeof target);
			/* people are seen by themselves and by operators */
			expect(f, "GET", target, strcmp(param, "user") ? f->acme : f->operator_token, NULL, 200, NULL);
		}
	}
}

static bool names_an_org(const struct route *r)
{
	for (const struct route_field *field = r->fields; field && field->name; field++)
		if (!strcmp(field->name, "org") || !strcmp(field->name, "from_org") || !strcmp(field->name, "app"))
			return true;
	return false;
}

static void anothers_names_in_queries_and_bodies_look_like_none(void **state)
{
	static const char *const queries[][3] = { { "?org=acme", "?org=nosuch", "org" }, { "?app=acme/web", "?app=acme/wex", "app" },
						  { "?network=acme/default", "?network=nosuch/default", "network" } };
	struct api_fixture *f = *state;
	int there_status, nowhere_status;

	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		if (r->auth != ROUTE_TOKEN || strchr(r->pattern, '{'))
			continue;
		for (size_t q = 0; q < ARRAY_LEN(queries); q++) {
			struct client_reply a, b;
			char target[128], *sa, *sb;

			if (!r->query || !strstr(r->query, queries[q][2]))
				continue;
			make_target(f, r, "", queries[q][0], target, sizeof target);
			a = ask(f, r->method, target, f->globex, NULL);
			make_target(f, r, "", queries[q][1], target, sizeof target);
			b = ask(f, r->method, target, f->globex, NULL);
			sa = shape(&a);
			sb = shape(&b);
			if (strcmp(sa, sb) || a.status == 200)
				fail_msg("%s %s: %s / %s", r->pattern, queries[q][0], sa, sb);
			free(sa);
			free(sb);
			client_reply_deinit(&a);
			client_reply_deinit(&b);
		}
		if (r->write && names_an_org(r)) {
			char *mine = make_body(r, "acme", "acme/web"), *nobodys = make_body(r, "nosuch", "nosuch/web");
			char *there, *nowhere;

			f->base->time.now_ms += 1000;
			there = ask_shape(f, r, "acme", "", f->globex, mine, &there_status);
			nowhere = ask_shape(f, r, "nosuch", "", f->globex, nobodys, &nowhere_status);
			if (strcmp(there, nowhere) || there_status != 404)
				fail_msg("%s %s: %s / %s", r->method, r->pattern, there, nowhere);
			free(there);
			free(nowhere);
			free(mine);
			free(nobodys);
		}
	}
}

static void operators_routes_say_nothing_to_customers(void **state)
{
	struct api_fixture *f = *state;

	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		struct naming n = { "", "ord", "nrt", true };
		struct naming names[NAMES_MAX];
		const char *open = strchr(r->pattern, '{');
		char param[32];

		if (r->auth != ROUTE_OPERATOR)
			continue;
		if (open) {
			snprintf(param, sizeof param, "%.*s", (int)strcspn(open + 1, "}"), open + 1);
			if (namings(f, param, names))
				n = names[0];
		}
		compare(f, r, &n, f->globex, 403);
		compare(f, r, &n, f->acme, 403);
	}
}

static void a_reading_token_writes_nothing_on_any_route(void **state)
{
	struct api_fixture *f = *state;
	uint64_t before = f->v;

	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		const char *open = strchr(r->pattern, '{');
		struct naming names[NAMES_MAX] = { { "", "", "", false } };
		char param[32], target[256], *body;
		struct client_reply reply;

		if (!r->write || r->auth == ROUTE_LOCAL)
			continue;
		if (open) {
			snprintf(param, sizeof param, "%.*s", (int)strcspn(open + 1, "}"), open + 1);
			namings(f, param, names);
		}
		f->base->time.now_ms += 1000;
		make_target(f, r, names[0].there, "", target, sizeof target);
		body = make_body(r, "acme", "acme/web");
		reply = ask(f, r->method, target, f->acme_read, body);
		if (reply.status != 403 && reply.status != 404) /* 404: tokens are not even shown to it */
			fail_msg("%s %s: %d %s", r->method, target, reply.status, reply.body);
		client_reply_deinit(&reply);
		free(body);
	}
	assert_int_equal(f->v, before);
}

/* The first name that stands for the pattern's parameter in acme; "" if the pattern has none. */
static const char *first_name(const struct api_fixture *f, const struct route *r)
{
	const char *open = strchr(r->pattern, '{');
	struct naming names[NAMES_MAX];
	char param[32];

	if (!open)
		return "";
	snprintf(param, sizeof param, "%.*s", (int)strcspn(open + 1, "}"), open + 1);
	return namings(f, param, names) ? names[0].there : "x";
}

#define LONG64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void a_path_with_what_is_no_name_is_refused_on_every_route(void **state)
{
	static const char *const wrong[] = { "%20", "..", "%2e%2e%2f", "%00", "%ff%fe", "UPPER%20CASE", "-x", "*", "a%2Fb%2Fc", "%2F", "vms",
					     LONG64, "18446744073709551616", "acme%00", "web%0d%0aX:%20y" };
	struct api_fixture *f = *state;
	uint64_t before = f->v;

	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		char *body = make_body(r, "acme", "acme/web");

		for (size_t i = 0; i < ARRAY_LEN(wrong) && strchr(r->pattern, '{') && r->auth != ROUTE_LOCAL; i++) {
			struct client_reply reply;
			char target[256];

			if (!strcmp(r->method, "PUT") && !strcmp(r->pattern, "/v1/orgs/{org}") && !strcmp(wrong[i], "vms"))
				continue; /* is a name for an org, which stands in no DNS name */
			f->base->time.now_ms += 1000;
			make_target(f, r, wrong[i], "", target, sizeof target);
			reply = ask(f, r->method, target, f->operator_token, body);
			if (reply.status < 400 || reply.status > 499 || !client_error_code(&reply)[0])
				fail_msg("%s %s: %d %s", r->method, target, reply.status, reply.body);
			client_reply_deinit(&reply);
		}
		free(body);
	}
	assert_int_equal(f->v, before);
}

/* A field that names something: the API looks it up or, where it makes one, checks and reserves it. */
static bool is_a_name(const struct route *r, const char *field, const char *wrong)
{
	static const char *const references[] = { "org", "org_slug", "app", "network", "region", "host", "gateway", NULL };
	static const char *const made[] = { "/v1/orgs", "/v1/networks", "/v1/peers", "/v1/apps", "/v1/regions", NULL };

	for (size_t i = 0; references[i]; i++) /* flyctl sends "" for what it was not told */
		if (!strcmp(field, references[i]))
			return *wrong || strncmp(r->pattern, "/v1/apps", 8) != 0;
	for (size_t i = 0; made[i]; i++)
		if (!strcmp(field, "name") && !strcmp(r->pattern, made[i]))
			return (i >= 3 || strcmp(wrong, "vms")) && /* reserved where it would be a name in DNS: apps and regions */
			       (i != 2 || strcmp(wrong, LONG64));  /* names of peers may be longer than a label */
	return false;
}

static void a_field_with_what_is_no_name_is_refused_on_every_route(void **state)
{
	static const char *const wrong[] = { "", " ", "..", "UPPER CASE", "-x", "*", "a/b/c", "\r\nX: y", "\xc3\xbc", "vms", LONG64 };
	struct api_fixture *f = *state;
	uint64_t before = f->v;
	size_t walked = 0;

	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		for (const struct route_field *field = r->fields; field && field->name && r->auth != ROUTE_LOCAL; field++) {
			for (size_t i = 0; i < ARRAY_LEN(wrong) && field->type == FIELD_STR; i++) {
				char target[256], *usual = make_body(r, "acme", "acme/web"), *text;
				CLEAN_JSON json_t *body = json_parse(usual, strlen(usual), NULL);
				struct client_reply reply;

				json_object_set_new(body, field->name, json_string(wrong[i]));
				text = json_dumps(body, 0);
				f->base->time.now_ms += 1000;
				make_target(f, r, first_name(f, r), "?dry_run=1", target, sizeof target);
				reply = ask(f, r->method, target, f->operator_token, text);
				if (reply.status >= 500 || (reply.status < 400 && is_a_name(r, field->name, wrong[i]) &&
							    (wrong[i][0] || field->min))) /* "" may stand for absent */
					fail_msg("%s %s %s: %d %s", r->method, target, text, reply.status, reply.body);
				client_reply_deinit(&reply);
				free(text);
				free(usual);
				walked++;
			}
		}
	}
	assert_true(walked > 100);
	assert_int_equal(f->v, before);
}

static void nobody_without_a_token_gets_past_the_door(void **state)
{
	struct api_fixture *f = *state;

	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		char target[256];
		int wanted = r->auth == ROUTE_OPEN ? 200 : r->auth == ROUTE_LOCAL ? 403 : r->auth == ROUTE_NEAR ? (r->text_type ? 503 : 200) : 401;

		make_target(f, r, "x", "", target, sizeof target);
		if (strstr(r->pattern, "/cli_sessions") || strstr(r->pattern, "/sessions") || strstr(r->pattern, "/login")) {
			struct client_reply reply = ask(f, r->method, target, NULL, NULL); /* the way to a token: nothing to be had for nothing */

			assert_in_range(reply.status, 400, 404);
			client_reply_deinit(&reply);
			continue;
		}
		if (r->graphql) { /* which says it in its own way */
			struct client_reply reply = ask(f, r->method, target, NULL, "{\"query\":\"{viewer{__typename}}\"}");

			assert_non_null(strstr(reply.body, "\"UNAUTHORIZED\""));
			assert_null(json_object_get(reply.json, "data"));
			client_reply_deinit(&reply);
			continue;
		}
		expect(f, r->method, target, NULL, NULL, wanted, NULL);
	}
}

static void every_route_is_described_and_named_once(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "GET", "/v1/openapi.json", NULL, NULL);
	const json_t *paths = json_object_get(r.json, "paths");
	size_t described = 0, n = 0;
	const char *path;
	json_t *methods;

	assert_int_equal(r.status, 200);
	json_object_foreach((json_t *)(uintptr_t)paths, path, methods)
		described += json_object_size(methods);
	for (const struct route *route = route_next(NULL); route; route = route_next(route)) {
		n++;
		assert_non_null(route->help);
		if (!route->reply && !route->text_type)
			fail_msg("%s %s: its row in the table has no .reply: say what a good reply looks like (controller/api/shape.h)", route->method,
				 route->pattern);
		assert_int_equal((route->run != NULL) + (route->answer != NULL) + (route->start != NULL), 1);
		/* reading has no side effects; what GraphQL does depends on the operation */
		assert_true(route->write == (!route->graphql && !route->drops && strcmp(route->method, "GET") != 0));
		for (const struct route_field *field = route->fields; field && field->name; field++)
			assert_non_null(field->help);
	}
	assert_int_equal(described, n);
	client_reply_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(anothers_objects_look_like_none_on_every_route, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(the_owner_sees_on_every_reading_route_what_the_walk_asked_for, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(anothers_names_in_queries_and_bodies_look_like_none, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(operators_routes_say_nothing_to_customers, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_reading_token_writes_nothing_on_any_route, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_path_with_what_is_no_name_is_refused_on_every_route, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(a_field_with_what_is_no_name_is_refused_on_every_route, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(nobody_without_a_token_gets_past_the_door, api_setup, api_teardown),
		cmocka_unit_test_setup_teardown(every_route_is_described_and_named_once, api_setup, api_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
