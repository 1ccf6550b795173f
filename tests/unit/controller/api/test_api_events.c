/* GET /v1/events as server-sent events: nothing is missed and nothing comes twice, whoever may not see it does not, and it ends when it must. */
#include "tests/unit/controller/api/api_fixture.h"

#include "controller/api/event_stream.h"

/* ---- a client that follows ---- */

struct follower {
	int fd;
	struct buf raw, text; /* as it came; without the chunks */
	size_t taken;         /* of raw */
	bool headed, ended, closed; /* ended: with the last chunk, as it should */
	int status;
};

static void follow(struct api_fixture *f, struct follower *w, const char *query, const char *token, const char *last_id)
{
	CLEAN_BUF struct buf b = BUF_INIT(65536);

	*w = (struct follower){ .fd = client_connect(f->port), .raw = BUF_INIT(16u << 20), .text = BUF_INIT(16u << 20) };
	buf_printf(&b, "GET /v1/events%s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nAuthorization: Bearer %s\r\n", query, token);
	if (last_id)
		buf_printf(&b, "Last-Event-ID: %s\r\n", last_id);
	buf_add_str(&b, "\r\n");
	client_send(w->fd, b.data, b.len);
}

static void unfollow(struct follower *w)
{
	close(w->fd);
	buf_deinit(&w->raw);
	buf_deinit(&w->text);
}

static void take_chunks(struct follower *w)
{
	const char *text = buf_str(&w->raw), *end;

	if (!w->headed) {
		end = strstr(text, "\r\n\r\n");
		if (!end)
			return;
		w->headed = true;
		w->status = atoi(text + 9);
		w->taken = (size_t)(end + 4 - text);
	}
	while (w->status == 200 && !w->ended && (end = strstr(text + w->taken, "\r\n"))) {
		size_t n = strtoul(text + w->taken, NULL, 16), at = (size_t)(end + 2 - text);

		if (w->raw.len < at + n + 2)
			return;
		buf_add(&w->text, text + at, n);
		w->taken = at + n + 2;
		w->ended = n == 0;
	}
}

static void pump(struct api_fixture *f, struct follower *w)
{
	char chunk[65536];
	ssize_t n;

	loop_round(f->loop, 2);
	while (!w->closed && (n = recv(w->fd, chunk, sizeof chunk, MSG_DONTWAIT)) != -1) {
		if (n > 0)
			buf_add(&w->raw, chunk, (size_t)n);
		w->closed = n == 0;
	}
	take_chunks(w);
}

/* Until that is there; or it closed, or a long time passed, which is a failure unless `may_not`. */
static bool pump_until(struct api_fixture *f, struct follower *w, const char *what)
{
	uint64_t end = loop_now_ms(f->loop) + 30000;

	while (loop_now_ms(f->loop) < end && !w->closed && !w->ended && !(w->text.len && strstr(buf_str(&w->text), what)))
		pump(f, w);
	return w->text.len && strstr(buf_str(&w->text), what);
}

static void await(struct api_fixture *f, struct follower *w, const char *what)
{
	if (!pump_until(f, w, what))
		fail_msg("never came: %s\nstatus %d, what came: %s", what, w->status, w->text.len ? buf_str(&w->text) : "nothing");
}

static void await_end(struct api_fixture *f, struct follower *w)
{
	uint64_t end = loop_now_ms(f->loop) + 30000;

	while (loop_now_ms(f->loop) < end && !w->closed && !w->ended)
		pump(f, w);
	assert_true(w->ended);
}

/* An event counts once its empty line is there: what was cut off in the middle comes again. */
static void cut(struct follower *w)
{
	while (w->text.len >= 2 && memcmp(w->text.data + w->text.len - 2, "\n\n", 2) != 0)
		w->text.len--;
}

/* The V of every change that came, in order; how many. */
static size_t versions(const struct follower *w, uint64_t *ret, size_t max)
{
	size_t n = 0;

	for (const char *p = w->text.len ? buf_str((struct buf *)(uintptr_t)&w->text) : ""; (p = strstr(p, "event: change\ndata: {\"v\":")); p++)
		if (n < max)
			ret[n++] = strtoull(p + 25, NULL, 10);
	return n;
}

/* The last id that came, as a browser would keep it. */
static void last_id(const struct follower *w, char ret[EVENT_ID_SIZE])
{
	ret[0] = 0;
	for (const char *p = buf_str((struct buf *)(uintptr_t)&w->text); (p = strstr(p, "id: ")); p++)
		if (strchr(p, '\n'))
			snprintf(ret, EVENT_ID_SIZE, "%.*s", (int)strcspn(p + 4, "\n"), p + 4);
}

static void make_one(struct api_fixture *f, const char *org, const char *name)
{
	char body[128];

	f->base->time.now_ms += 1000;
	snprintf(body, sizeof body, "{\"org\":\"%s\",\"name\":\"%s\"}", org, name);
	expect(f, "POST", "/v1/apps", f->operator_token, body, 201, NULL);
}

static void make_many(struct api_fixture *f, const char *prefix, int from, int n)
{
	char name[40];

	for (int i = from; i < from + n; i++) {
		snprintf(name, sizeof name, "%s-%d", prefix, i);
		make_one(f, "acme", name);
	}
}

static void lift_limits(struct api_fixture *f)
{
	expect(f, "PATCH", "/v1/orgs/acme", f->operator_token, "{\"limits\":{\"apps\":20000}}", 200, NULL);
}

/* ---- what comes ---- */

static void a_change_comes_with_its_version_as_it_is_committed(void **state)
{
	struct api_fixture *f = *state;
	struct follower w;
	char id[40];

	follow(f, &w, "", f->operator_token, NULL);
	await(f, &w, "id: ");
	make_one(f, "acme", "db");
	snprintf(id, sizeof id, "id: %llu-", (unsigned long long)f->v);
	await(f, &w, id);
	await(f, &w, "\"kind\":\"app\"");
	await(f, &w, "\"name\":\"db\",\"org\":\"acme\"");
	await(f, &w, "\"what\":\"written\"");
	assert_non_null(strstr(buf_str(&w.raw), "Content-Type: text/event-stream"));
	expect(f, "DELETE", "/v1/apps/acme%2Fdb", f->operator_token, NULL, 200, NULL);
	await(f, &w, "\"what\":\"deleted\"");
	unfollow(&w);
}

/* By the ring, by the log, over many pages, over a controller that is another one. */
static void nothing_is_missed_and_nothing_comes_twice(void **state)
{
	struct api_fixture *f = *state;
	uint64_t *seen = calloc(4000, sizeof *seen), next = 0;
	char id[EVENT_ID_SIZE] = "";
	size_t n_all = 0;
	struct follower w;

	lift_limits(f);
	next = f->v + 1;
	snprintf(id, sizeof id, "%llu", (unsigned long long)f->v);
	for (int round = 0; round < 6; round++) {
		char target[40];
		size_t n;

		make_many(f, "away", round * 1000, round == 2 ? 120 : 8); /* while nobody follows */
		follow(f, &w, "", f->operator_token, id);
		await(f, &w, "id: ");
		make_many(f, "here", round * 1000, 8);
		snprintf(target, sizeof target, "\"v\":%llu,", (unsigned long long)f->v);
		if (round % 2) /* cut off anywhere in between */
			await(f, &w, target);
		else
			pump(f, &w);
		cut(&w);
		n = versions(&w, seen, 4000);
		for (size_t i = 0; i < n; i++)
			if (seen[i] != next++)
				fail_msg("round %d: V %llu where %llu was to come", round, (unsigned long long)seen[i], (unsigned long long)(next - 1));
		n_all += n;
		last_id(&w, id);
		next = strtoull(id, NULL, 10) + 1;
		assert_true(n == 0 || next == seen[n - 1] + 1);
		unfollow(&w);
		if (round == 3)
			api_restart(f);
	}
	assert_true(n_all >= 100);
	free(seen);
}

/* ---- who sees what ---- */

static void an_organization_follows_its_own_changes_only(void **state)
{
	struct api_fixture *f = *state;
	struct follower acme, globex, reader;

	follow(f, &acme, "", f->acme, NULL);
	follow(f, &globex, "", f->globex, NULL);
	follow(f, &reader, "", f->acme_read, NULL);
	await(f, &acme, "id: ");
	await(f, &globex, "id: ");
	await(f, &reader, "id: ");
	make_one(f, "acme", "secret-plan");
	expect(f, "POST", "/v1/tokens", f->operator_token, "{\"org\":\"acme\",\"profile\":\"read\",\"name\":\"for-admins\"}", 201, NULL);
	expect(f, "POST", "/v1/node-tokens", f->operator_token, "{\"region\":\"ord\"}", 201, NULL);
	make_one(f, "globex", "theirs");
	make_one(f, "acme", "last");
	await(f, &acme, "\"name\":\"last\"");
	await(f, &reader, "\"name\":\"last\"");
	await(f, &globex, "\"name\":\"theirs\"");
	assert_non_null(strstr(buf_str(&acme.text), "secret-plan"));
	assert_non_null(strstr(buf_str(&acme.text), "for-admins"));
	assert_null(strstr(buf_str(&acme.text), "theirs"));
	assert_null(strstr(buf_str(&acme.text), "node_token"));
	assert_null(strstr(buf_str(&globex.text), "acme"));
	assert_null(strstr(buf_str(&globex.text), "secret-plan"));
	assert_null(strstr(buf_str(&reader.text), "for-admins"));
	unfollow(&acme);
	unfollow(&globex);
	unfollow(&reader);
	/* the same from the log */
	follow(f, &globex, "?since=1", f->globex, NULL);
	await(f, &globex, "\"name\":\"theirs\"");
	assert_null(strstr(buf_str(&globex.text), "acme"));
	unfollow(&globex);
}

static void expect_stream_refused(struct api_fixture *f, const char *query, const char *token, const char *id, int status, const char *code)
{
	struct follower w;
	uint64_t end = loop_now_ms(f->loop) + 30000;

	follow(f, &w, query, token, id);
	while (loop_now_ms(f->loop) < end && !(w.headed && strstr(buf_str(&w.raw), "}}")))
		pump(f, &w);
	assert_int_equal(w.status, status);
	if (!strstr(buf_str(&w.raw), code))
		fail_msg("%s", buf_str(&w.raw));
	unfollow(&w);
}

static void a_place_that_is_not_of_this_log_is_gone(void **state)
{
	struct api_fixture *f = *state;

	expect_stream_refused(f, "", f->operator_token, "99999999", 410, "events_gone");
	expect_stream_refused(f, "", f->operator_token, "1-00000000", 410, "events_gone");
	expect_stream_refused(f, "?since=99999999", f->acme, NULL, 410, "events_gone");
	expect_stream_refused(f, "", f->operator_token, "yesterday", 400, "value_invalid");
	expect_stream_refused(f, "", f->operator_token, "1-0000000g", 400, "value_invalid");
	expect_stream_refused(f, "?since=", f->operator_token, NULL, 400, "value_invalid");
	expect_stream_refused(f, "?org=acme", f->globex, NULL, 404, "org_not_found");
	expect_stream_refused(f, "?org=nosuch", f->globex, NULL, 404, "org_not_found");
	expect_stream_refused(f, "", "sx1_nobody", NULL, 401, "unauthorized");
	expect(f, "GET", "/v1/events", f->acme, NULL, 403, "forbidden"); /* the other form is for operators */
}

static void an_operator_may_follow_one_organization(void **state)
{
	struct api_fixture *f = *state;
	struct follower w;

	follow(f, &w, "?org=globex", f->operator_token, NULL);
	await(f, &w, "id: ");
	make_one(f, "acme", "ours");
	make_one(f, "globex", "theirs");
	await(f, &w, "\"name\":\"theirs\"");
	assert_null(strstr(buf_str(&w.text), "ours"));
	unfollow(&w);
}

/* ---- its end ---- */

static void a_stream_ends_with_its_token(void **state)
{
	struct api_fixture *f = *state;
	struct follower w, other;
	char target[64];

	follow(f, &w, "", f->acme, NULL);
	follow(f, &other, "", f->acme_read, NULL);
	await(f, &w, "id: ");
	await(f, &other, "id: ");
	snprintf(target, sizeof target, "/v1/tokens/%s", f->acme_token_id);
	expect(f, "DELETE", target, f->operator_token, NULL, 200, NULL);
	await_end(f, &w);
	make_one(f, "acme", "after");
	await(f, &other, "\"name\":\"after\"");
	assert_false(other.ended);
	assert_null(strstr(buf_str(&w.text), "after"));
	unfollow(&w);
	unfollow(&other);
}

static void a_stream_ends_when_its_organization_changes(void **state)
{
	struct api_fixture *f = *state;
	struct follower w, operators;

	follow(f, &w, "", f->acme, NULL);
	follow(f, &operators, "", f->operator_token, NULL);
	await(f, &w, "id: ");
	await(f, &operators, "id: ");
	expect(f, "PATCH", "/v1/orgs/acme", f->operator_token, "{\"suspended\":true}", 200, NULL);
	await_end(f, &w);
	await(f, &operators, "\"suspended\":true");
	unfollow(&w);
	unfollow(&operators);
}

static void a_stream_ends_when_its_token_expires(void **state)
{
	struct api_fixture *f = *state;
	struct client_reply r = ask(f, "POST", "/v1/tokens", f->operator_token, "{\"org\":\"acme\",\"profile\":\"read\",\"expires\":\"60s\"}");
	char token[TOKEN_TEXT_SIZE];
	struct follower w;

	assert_int_equal(r.status, 201);
	snprintf(token, sizeof token, "%s", text_of(&r, "token"));
	client_reply_deinit(&r);
	follow(f, &w, "", token, NULL);
	await(f, &w, "id: ");
	f->base->time.real_offset_ms += 61000;
	await_end(f, &w);
	unfollow(&w);
}

static void streams_end_cleanly_when_the_server_does(void **state)
{
	struct api_fixture *f = *state;
	struct follower w[20];
	char chunk[4096];

	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		follow(f, &w[i], "", f->operator_token, NULL);
	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		await(f, &w[i], "id: ");
	api_stop(f);
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		ssize_t n;

		while ((n = recv(w[i].fd, chunk, sizeof chunk, 0)) > 0)
			buf_add(&w[i].raw, chunk, (size_t)n);
		take_chunks(&w[i]);
		assert_true(w[i].ended);
		unfollow(&w[i]);
	}
	api_start(f);
}

static void one_organization_does_not_take_all_streams(void **state)
{
	struct api_fixture *f = *state;
	struct follower *all = calloc(EVENT_STREAMS_PER_ORG, sizeof *all), more;

	for (int i = 0; i < EVENT_STREAMS_PER_ORG; i++) {
		follow(f, &all[i], "", f->acme, NULL);
		await(f, &all[i], "retry: ");
	}
	expect_stream_refused(f, "", f->acme_read, NULL, 429, "rate_limited");
	follow(f, &more, "", f->globex, NULL);
	await(f, &more, "retry: ");
	unfollow(&more);
	expect(f, "PATCH", "/v1/orgs/acme", f->operator_token, "{\"strict_region\":true}", 200, NULL); /* which ends them */
	for (int i = 0; i < EVENT_STREAMS_PER_ORG; i++)
		await_end(f, &all[i]);
	follow(f, &more, "", f->acme_read, NULL);
	await(f, &more, "retry: "); /* and what they held is there again */
	unfollow(&more);
	for (int i = 0; i < EVENT_STREAMS_PER_ORG; i++)
		unfollow(&all[i]);
	free(all);
}

static void many_follow_and_each_gets_everything_once(void **state)
{
	struct api_fixture *f = *state;
	struct follower w[100];
	uint64_t seen[64], first;
	char target[40];

	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		follow(f, &w[i], "", i % 2 ? f->operator_token : f->acme, NULL);
	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		await(f, &w[i], "id: ");
	first = f->v + 1;
	make_many(f, "one", 0, 20);
	snprintf(target, sizeof target, "\"v\":%llu,", (unsigned long long)f->v);
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		await(f, &w[i], target);
		assert_int_equal(versions(&w[i], seen, 64), 20);
		for (size_t k = 0; k < 20; k++)
			assert_int_equal(seen[k], first + k);
		unfollow(&w[i]);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_setup, api_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_change_comes_with_its_version_as_it_is_committed),
		T(nothing_is_missed_and_nothing_comes_twice),
		T(an_organization_follows_its_own_changes_only),
		T(a_place_that_is_not_of_this_log_is_gone),
		T(an_operator_may_follow_one_organization),
		T(a_stream_ends_with_its_token),
		T(a_stream_ends_when_its_organization_changes),
		T(a_stream_ends_when_its_token_expires),
		T(streams_end_cleanly_when_the_server_does),
		T(one_organization_does_not_take_all_streams),
		T(many_follow_and_each_gets_everything_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
