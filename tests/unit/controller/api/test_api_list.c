/* Lists over HTTP: their cursors, their pages, and what narrows them. */
#include "tests/unit/controller/api/api_fixture.h"

#include "controller/api/cursor.h"

static size_t count(struct api_fixture *f, const char *target, const char *token)
{
	struct client_reply r = ask(f, "GET", target, token, NULL);
	size_t n = json_array_size(json_object_get(r.json, "items"));

	if (r.status != 200)
		fail_msg("%s: %d %s", target, r.status, r.body);
	client_reply_deinit(&r);
	return n;
}

static void next_of(struct api_fixture *f, const char *target, const char *token, char ret[CURSOR_TEXT_SIZE])
{
	struct client_reply r = ask(f, "GET", target, token, NULL);

	if (r.status != 200 || !text_of(&r, "next")[0])
		fail_msg("%s has no next page: %s", target, r.body);
	snprintf(ret, CURSOR_TEXT_SIZE, "%s", text_of(&r, "next"));
	client_reply_deinit(&r);
}

static void make_apps(struct api_fixture *f, int n)
{
	char name[16];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "app%02d", i);
		make_app(f->base, "acme", name);
	}
	make_app(f->base, "globex", "one");
	make_app(f->base, "globex", "two");
}

static void ask_after(struct api_fixture *f, const char *target, const char *cursor, const char *token, int status)
{
	char whole[512];

	snprintf(whole, sizeof whole, "%s%safter=%s", target, strchr(target, '?') ? "&" : "?", cursor);
	expect(f, "GET", whole, token, NULL, status, status == 200 ? NULL : "cursor_invalid");
}

static void a_cursor_is_good_for_the_same_question_of_the_same_asker_only(void **state)
{
	struct api_fixture *f = *state;
	char cursor[CURSOR_TEXT_SIZE];

	make_apps(f, 5);
	next_of(f, "/v1/apps?limit=2&prefix=a", f->acme, cursor);
	ask_after(f, "/v1/apps?limit=2&prefix=a", cursor, f->acme, 200);
	ask_after(f, "/v1/apps?prefix=a&limit=3", cursor, f->acme, 200); /* the size of a page is no filter */
	ask_after(f, "/v1/apps?limit=2", cursor, f->acme, 400);
	ask_after(f, "/v1/apps?limit=2&prefix=ap", cursor, f->acme, 400);
	ask_after(f, "/v1/apps?limit=2&prefix=a&org=acme", cursor, f->acme, 400);
	ask_after(f, "/v1/networks?limit=2&prefix=a", cursor, f->acme, 400);
	ask_after(f, "/v1/apps?limit=2&prefix=a", cursor, f->globex, 400);
	ask_after(f, "/v1/apps?limit=2&prefix=a", cursor, f->acme_read, 400);
	ask_after(f, "/v1/apps?limit=2&prefix=a", cursor, f->operator_token, 400);
}

static void a_cursor_that_was_bent_anywhere_is_refused(void **state)
{
	struct api_fixture *f = *state;
	char cursor[CURSOR_TEXT_SIZE], bent[CURSOR_TEXT_SIZE + 4], raw[64];

	make_apps(f, 3);
	next_of(f, "/v1/apps?limit=1", f->acme, cursor);
	for (size_t i = 0; cursor[i]; i++) {
		strcpy(bent, cursor);
		bent[i] = bent[i] == 'A' ? 'B' : 'A';
		ask_after(f, "/v1/apps?limit=1", bent, f->acme, 400);
		strcpy(bent, cursor);
		bent[i] = 0;
		if (i)
			ask_after(f, "/v1/apps?limit=1", bent, f->acme, 400);
	}
	snprintf(bent, sizeof bent, "%sA", cursor);
	ask_after(f, "/v1/apps?limit=1", bent, f->acme, 400);
	snprintf(raw, sizeof raw, "%s%%2Fapp00", f->org_id); /* the store's own form */
	ask_after(f, "/v1/apps", raw, f->acme, 400);
}

static void every_list_refuses_a_cursor_that_is_none(void **state)
{
	struct api_fixture *f = *state;
	size_t walked = 0;

	for (const struct route *r = route_next(NULL); r; r = route_next(r)) {
		char target[256];
		const char *open = strchr(r->pattern, '{');

		if (!r->list || (open && strncmp(open, "{org}", 5) != 0))
			continue;
		snprintf(target, sizeof target, "%.*s%s%s", open ? (int)(open - r->pattern) : (int)strlen(r->pattern), r->pattern, open ? "acme" : "",
			 open ? open + 5 : "");
		if (strchr(target, '{'))
			continue;
		ask_after(f, target, "nonsense", f->operator_token, 400);
		ask_after(f, target, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", f->operator_token, 400);
		walked++;
	}
	assert_true(walked >= 8);
}

/* What is there from the first page to the last is seen once, whatever comes and goes meanwhile. */
static void pages_are_stable_while_rows_come_and_go(void **state)
{
	struct api_fixture *f = *state;
	char target[400] = "/v1/apps?limit=3", seen[64][64];
	size_t n = 0;

	make_apps(f, 20);
	for (int page = 0; page < 20; page++) {
		struct client_reply r = ask(f, "GET", target, f->acme, NULL);
		json_t *item;
		size_t i;
		char name[32];

		assert_int_equal(r.status, 200);
		json_array_foreach(json_object_get(r.json, "items"), i, item)
			snprintf(seen[n++], sizeof seen[0], "%s", json_string_value(json_object_get(item, "name")));
		snprintf(target, sizeof target, "/v1/apps?limit=3&after=%s", text_of(&r, "next"));
		client_reply_deinit(&r);
		if (target[strlen(target) - 1] == '=')
			break;
		f->base->time.now_ms += 1000;
		snprintf(name, sizeof name, "/v1/apps/%s", seen[n - 1]); /* the very row that the cursor stands on goes */
		if (page < 3)
			expect(f, "DELETE", name, f->acme, NULL, 200, NULL);
		snprintf(name, sizeof name, "{\"name\":\"aaa%02d\"}", page); /* and another comes before it */
		expect(f, "POST", "/v1/apps", f->acme, name, 201, NULL);
	}
	assert_int_equal(n, 21); /* 20 and web */
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			assert_string_not_equal(seen[i], seen[k]);
}

static void a_limit_has_bounds(void **state)
{
	static const char *const wrong[] = { "0", "201", "-1", "+5", "1.5", "", "1e3", "99999999999999999999999" };
	struct api_fixture *f = *state;
	char target[64];

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(target, sizeof target, "/v1/apps?limit=%s", wrong[i]);
		expect(f, "GET", target, f->acme, NULL, 400, NULL);
	}
	expect(f, "GET", "/v1/apps?limit=200", f->acme, NULL, 200, NULL);
	expect(f, "GET", "/v1/apps?limit=1", f->acme, NULL, 200, NULL);
}

static void lists_are_narrowed_by_what_they_say_and_by_nothing_else(void **state)
{
	struct api_fixture *f = *state;

	make_region(f->base, "nrt");
	make_apps(f, 2);
	assert_int_equal(count(f, "/v1/apps", f->acme), 3);
	assert_int_equal(count(f, "/v1/apps?network=default", f->acme), 3);
	assert_int_equal(count(f, "/v1/apps?region=ord", f->acme), 1);
	assert_int_equal(count(f, "/v1/apps?region=nrt", f->acme), 0);
	assert_int_equal(count(f, "/v1/apps?state=active", f->acme), 3);
	assert_int_equal(count(f, "/v1/apps?state=deleting", f->acme), 0);
	assert_int_equal(count(f, "/v1/apps?prefix=APP", f->acme), 2); /* names have no case */
	expect(f, "DELETE", "/v1/apps/web", f->acme, NULL, 200, NULL); /* goes when its instance has gone */
	assert_int_equal(count(f, "/v1/apps?state=deleting", f->acme), 1);
	assert_int_equal(count(f, "/v1/apps?state=active", f->acme), 2);

	assert_int_equal(count(f, "/v1/instances?state=none&region=ord&app=web&network=default&host=ord-1", f->acme), 1);
	assert_int_equal(count(f, "/v1/instances?state=started", f->acme), 0);
	assert_int_equal(count(f, "/v1/instances?region=nrt", f->acme), 0);

	f->peer_state = (struct api_peer_state){ .known = true, .online = true };
	assert_int_equal(count(f, "/v1/peers?state=online&network=default&region=ord&gateway=ord-1", f->acme), 1);
	assert_int_equal(count(f, "/v1/peers?state=never", f->acme), 0);
	f->peer_state = (struct api_peer_state){ .known = false };
	assert_int_equal(count(f, "/v1/peers?state=unknown", f->acme), 1);

	expect(f, "GET", "/v1/apps?state=gone", f->acme, NULL, 400, "value_invalid");
	expect(f, "GET", "/v1/instances?state=", f->acme, NULL, 400, "value_invalid");
	expect(f, "GET", "/v1/peers?state=up", f->acme, NULL, 400, "value_invalid");
	expect(f, "GET", "/v1/apps?colour=red", f->acme, NULL, 400, "field_unknown");
	expect(f, "GET", "/v1/apps?host=ord-1", f->acme, NULL, 400, "field_unknown");
	expect(f, "GET", "/v1/networks?state=active", f->acme, NULL, 400, "field_unknown");
}

static void no_filter_shows_anothers(void **state)
{
	static const char *const lists[] = { "/v1/apps?network=", "/v1/instances?network=", "/v1/peers?network=" };
	struct api_fixture *f = *state;
	char target[128];

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		snprintf(target, sizeof target, "%s%s", lists[i], f->network_id);
		expect(f, "GET", target, f->globex, NULL, 404, "network_not_found");
		assert_true(count(f, target, f->operator_token) >= 1);
	}
	assert_int_equal(count(f, "/v1/apps?region=ord", f->globex), 0);
	assert_int_equal(count(f, "/v1/instances?host=ord-1", f->globex), 0);
	assert_int_equal(count(f, "/v1/instances?state=none", f->globex), 0);
	assert_int_equal(count(f, "/v1/peers?gateway=ord-1", f->globex), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, api_setup, api_teardown)
		T(a_cursor_is_good_for_the_same_question_of_the_same_asker_only),
		T(a_cursor_that_was_bent_anywhere_is_refused),
		T(every_list_refuses_a_cursor_that_is_none),
		T(pages_are_stable_while_rows_come_and_go),
		T(a_limit_has_bounds),
		T(lists_are_narrowed_by_what_they_say_and_by_nothing_else),
		T(no_filter_shows_anothers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
