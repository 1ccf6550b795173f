/* api_fixture - the whole API over a socket: real store and store thread, real HTTP server, and a faked rest of the controller. The
 * world: organizations acme and globex, region ord with one node, acme's app web with one instance, a token for each. */
#pragma once
#include "tests/unit/controller/store/store_fixture.h"

#include "controller/api/api.h"
#include "controller/store/store_flycast.h"
#include "controller/store/store_rule.h"
#include "tests/unit/controller/api/openapi.h"
#include "tests/unit/controller/client.h"

struct api_fixture {
	struct fixture *base;
	struct loop *loop;
	struct store_thread *thread;
	struct api_env_ops ops;
	struct api_env env;
	struct api *api;
	struct http_server *http;
	uint16_t port;
	char socket[96];
	const struct api_access *access; /* from the next api_start on */
	uint64_t v;
	uint32_t host;
	struct api_wait_result wait_result; /* what the next waits end with */
	struct api_wait last_wait;
	bool park; /* waits do not end until `parked` is called */
	void (*parked)(void *done_ctx, const struct api_wait_result *result);
	void *parked_ctx;
	int waits, releases;
	int silent;      /* so many of the next waits end because the gateway fell silent */
	bool none_lives; /* no node is live after that */
	struct api_peer_state peer_state;
	int held; /* what the node holds back; -EOPNOTSUPP: it is too old for that */
	char operator_token[TOKEN_TEXT_SIZE], acme[TOKEN_TEXT_SIZE], acme_read[TOKEN_TEXT_SIZE], globex[TOKEN_TEXT_SIZE];
	char acme_token_id[ID_TEXT_SIZE], instance[NAME_INSTANCE_ID_SIZE], app_id[ID_TEXT_SIZE], peer_id[ID_TEXT_SIZE], rule_id[ID_TEXT_SIZE], org_id[ID_TEXT_SIZE], network_id[16];
	char ip[ADDR_TEXT_LEN], ip_id[ID_TEXT_SIZE], user_id[ID_TEXT_SIZE]; /* of zoe@example.net, who is a member of acme */
};

static inline void fake_committed(void *arg, struct record *record, uint64_t committed_ms)
{
	struct api_fixture *f = arg;

	(void)committed_ms;
	f->v = record->v;
	api_note_record(f->api, record);
	free(record);
}

static inline void fake_broken(void *arg, int error)
{
	(void)arg;
	fail_msg("the store broke: %d", error);
}

static inline uint64_t fake_v(void *ctx)
{
	return ((struct api_fixture *)ctx)->v;
}

static inline void fake_each_node(void *ctx, void (*visit)(void *visit_ctx, const struct api_node_state *node), void *visit_ctx)
{
	struct api_fixture *f = ctx;
	struct api_node_state node = { .host = f->host, .name = "ord-1", .region = "ord", .roles = ROLE_HOST, .ready = true,
				       .applied_v = f->v, .version = "0.1" };

	visit(visit_ctx, &node);
}

static inline size_t fake_live(void *ctx, uint32_t *ret_hosts, size_t max)
{
	assert_true(max >= 1);
	ret_hosts[0] = ((struct api_fixture *)ctx)->host;
	return ((struct api_fixture *)ctx)->none_lives ? 0 : 1;
}

static inline bool fake_peer_state(void *ctx, const uint8_t id[8], struct api_peer_state *ret)
{
	(void)id;
	*ret = ((struct api_fixture *)ctx)->peer_state;
	return true;
}

static inline int fake_wait(void *ctx, const struct api_wait *wait, void (*done)(void *done_ctx, const struct api_wait_result *result),
			    void *done_ctx)
{
	struct api_fixture *f = ctx;

	f->waits++;
	f->last_wait = *wait;
	f->wait_result.v = wait->v;
	if (f->park) {
		f->parked = done;
		f->parked_ctx = done_ctx;
		return 0;
	}
	if (f->silent > 0 && f->silent-- > 0) {
		struct api_wait_result silent = { .lost = true, .v = wait->v, .nodes = 1 };

		done(done_ctx, &silent);
		return 0;
	}
	done(done_ctx, &f->wait_result);
	return 0;
}

static inline int fake_release(void *ctx, uint32_t host)
{
	struct api_fixture *f = ctx;

	if (host != f->host)
		return -ENOENT;
	f->releases++;
	return f->held;
}

static inline void make_tokens(struct api_fixture *f)
{
	static const struct {
		enum principal_kind kind;
		const char *org;
		enum principal_profile profile;
		size_t at;
	} rows[] = { { PRINCIPAL_OPERATOR, NULL, PROFILE_NONE, offsetof(struct api_fixture, operator_token) },
		     { PRINCIPAL_ORG_TOKEN, "acme", PROFILE_ADMIN, offsetof(struct api_fixture, acme) },
		     { PRINCIPAL_ORG_TOKEN, "acme", PROFILE_READ, offsetof(struct api_fixture, acme_read) },
		     { PRINCIPAL_ORG_TOKEN, "globex", PROFILE_ADMIN, offsetof(struct api_fixture, globex) } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_token_new in = { .kind = rows[i].kind, .org = rows[i].org, .profile = rows[i].profile, .name = "t" };
		struct store_token token;

		assert_good(f->base, DO(f->base, &f->base->root,
					store_token_create(store, op, &in, &token, (char *)f + rows[i].at)));
		if (i == 1)
			id_text(token.id, f->acme_token_id);
	}
}

/* acme has asked somebody who is not there. */
static inline void make_rule(struct api_fixture *f)
{
	struct store_rule_new in = { .from_org = "acme", .from_app = "web", .to_org = "initech", .to_app = "printer" };
	struct store_rule rule;

	assert_good(f->base, DO(f->base, &f->base->root, store_rule_create(store, op, &in, &rule)));
	id_text(rule.id, f->rule_id);
}

static inline void make_world(struct api_fixture *f)
{
	struct store_instance instance;
	struct store_flycast flycast;
	struct in6_addr address;
	struct store_user user;
	struct store_org org;
	struct store_app app;

	make_region(f->base, "ord");
	org = make_org(f->base, "acme");
	id_text(org.id, f->org_id);
	make_org(f->base, "globex");
	f->host = make_gateway(f->base, "ord", 7).host;
	app = make_app(f->base, "acme", "web");
	id_text(app.id, f->app_id);
	snprintf(f->network_id, sizeof f->network_id, "%08x", app.network);
	instance = make_instance(f->base, "acme/web", "ord", &f->host, 1);
	strcpy(f->instance, instance.record.id);
	assert_good(f->base, DO(f->base, &f->base->root, store_flycast_create(store, op, "acme", "web", NULL, &flycast)));
	assert_good(f->base, DO(f->base, &f->base->root, store_user_create(store, op, "zoe@example.net", "Zoe", NULL, &user)));
	assert_good(f->base, DO(f->base, &f->base->root, store_membership_set(store, op, "acme", "zoe@example.net", ROLE_MEMBER)));
	id_text(user.id, f->user_id);
	id_text(flycast.id, f->ip_id);
	address = store_flycast_address(&flycast);
	addr_text(&address, f->ip);
	id_text(make_peer(f->base, "acme", "laptop", 1, &f->host, 1).record.id, f->peer_id);
	make_rule(f);
	make_tokens(f);
}

/* All that stands on the store. */
static inline void api_start(struct api_fixture *f)
{
	static const char *const listen[] = { "127.0.0.1:0" };
	struct http_config config = { .listen = listen, .n_listen = 1 };
	struct store_thread_events events = { fake_committed, fake_broken, f };
	struct clock clock = clock_real();
	struct why why;

	f->v = store_head(f->base->store);
	snprintf(f->socket, sizeof f->socket, "%s/sock", f->base->dir);
	config.socket_path = f->socket;
	f->wait_result = (struct api_wait_result){ .applied = true, .nodes = 1 };
	f->ops = (struct api_env_ops){ .current_v = fake_v, .each_node = fake_each_node, .live_nodes = fake_live, .wait = fake_wait,
				      .release_held = fake_release, .peer_state = fake_peer_state };
	assert_int_equal(loop_new(&f->loop), 0);
	assert_int_equal(store_thread_start(f->base->store, f->loop, &events, &f->thread), 0);
	f->env = (struct api_env){ .ops = &f->ops, .ctx = f, .loop = f->loop, .clock = clock_virtual(&f->base->time), .store = f->thread, .access = f->access,
				   .advertise = "192.0.2.10:4281", .link_public_key = { 1, 2, 3 }, .started_ms = T0 };
	assert_int_equal(api_new(&f->env, &f->api), 0);
	assert_int_equal(http_server_new(f->loop, &clock, &config, api_handle, f->api, &f->http, &why), 0);
	f->port = http_server_port(f->http, 0);
}

static inline void api_stop(struct api_fixture *f)
{
	store_thread_stop(f->thread);
	http_server_free(f->http);
	api_free(f->api);
	loop_free(f->loop);
}

/* Another controller on the same file. */
static inline void api_restart(struct api_fixture *f)
{
	api_stop(f);
	op_deinit(&f->base->op);
	store_close(f->base->store);
	fixture_open(f->base);
	api_start(f);
}

static inline int api_setup_with(void **state, bool world)
{
	struct api_fixture *f = calloc(1, sizeof *f);
	void *base;

	fixture_setup(&base);
	f->base = base;
	if (world)
		make_world(f);
	api_start(f);
	*state = f;
	return 0;
}

static inline int api_setup(void **state)
{
	return api_setup_with(state, true);
}

static inline int api_setup_empty(void **state)
{
	return api_setup_with(state, false);
}

static inline int api_teardown(void **state)
{
	struct api_fixture *f = *state;
	void *base = f->base;

	api_stop(f);
	fixture_teardown(&base);
	free(f);
	return 0;
}

static inline struct client_reply ask(struct api_fixture *f, const char *method, const char *target, const char *token, const char *body)
{
	return openapi_held(method, target, client_ask(f->loop, f->port, NULL, method, target, token, body));
}

static inline struct client_reply ask_with(struct api_fixture *f, const char *method, const char *target, const char *token, const char *headers,
					   const char *body)
{
	return openapi_held(method, target, client_ask_with(f->loop, f->port, NULL, method, target, token, headers, body));
}

static inline struct client_reply ask_locally(struct api_fixture *f, const char *method, const char *target, const char *body)
{
	return openapi_held(method, target, client_ask(f->loop, 0, f->socket, method, target, NULL, body));
}

static inline const char *text_of(const struct client_reply *r, const char *field)
{
	const char *text = json_string_value(json_object_get(r->json, field));

	return text ? text : "";
}

/* Asserts the status, and for refusals the code (NULL = any). */
static inline void expect(struct api_fixture *f, const char *method, const char *target, const char *token, const char *body, int status,
			  const char *code)
{
	struct client_reply r = ask(f, method, target, token, body);

	if (r.status != status || (code && strcmp(client_error_code(&r), code)))
		fail_msg("%s %s %s: %d %s", method, target, body ? body : "", r.status, r.body ? r.body : "");
	client_reply_deinit(&r);
}
