/* flaps_client - the Machines view as flyctl asks it over the API of api_fixture.h: its headers, and what it reads of the replies with
 * the types that it reads it into. */
#pragma once
#include "tests/unit/controller/api/api_fixture.h"

#define RUN_BODY                                                                                                                         \
	"{\"config\":{\"env\":{\"MODE\":\"blue\"},\"init\":{\"cmd\":[\"sleep\",\"1000\"]},\"guest\":{\"cpu_kind\":\"shared\",\"cpus\":1,"  \
	"\"memory_mb\":256},\"metadata\":{\"fly_flyctl_version\":\"0.4.87\",\"color\":\"red\"},\"image\":\"registry-1.docker.io/library/"   \
	"nginx:1.27@sha256:0123\",\"restart\":{\"policy\":\"on-failure\"},\"dns\":{}},\"region\":\"ord\",\"name\":\"blue\","                 \
	"\"skip_secrets\":false,\"min_secrets_version\":null}"

static inline struct client_reply fly_with(struct api_fixture *f, const char *method, const char *target, const char *token,
					   const char *nonce, const char *body)
{
	CLEAN_BUF struct buf b = BUF_INIT(4u << 20);
	struct client_reply r;

	buf_printf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:4280\r\nAuthorization: Bearer %s\r\n", method, target, token);
	buf_add_str(&b, "User-Agent: flyctl/0.4.87 (interactive=false; parent=bash)\r\nFly-Client-Interactive: false\r\n"
			"Fly-Client-Parent: bash\r\nAccept-Encoding: gzip\r\n");
	if (nonce)
		buf_printf(&b, "fly-machine-lease-nonce: %s\r\n", nonce);
	if (body)
		buf_printf(&b, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
	buf_add_str(&b, "\r\n");
	buf_add_str(&b, body ? body : "");
	r = client_raw(f->loop, f->port, b.data, b.len);
	return r.status < 400 ? openapi_held(method, target, r) : r; /* errors of the paths that both views have are in flyctl's form */
}

static inline struct client_reply fly(struct api_fixture *f, const char *method, const char *target, const char *body)
{
	f->base->time.now_ms += 1000; /* the org's writes per second are not what is tested here */
	return fly_with(f, method, target, f->acme, NULL, body);
}

static inline struct client_reply fly_good(struct api_fixture *f, const char *method, const char *target, const char *body)
{
	struct client_reply r = fly(f, method, target, body);

	if (r.status < 200 || r.status > 299)
		fail_msg("%s %s %s: %d %s", method, target, body ? body : "", r.status, r.body ? r.body : "");
	return r;
}

/* What flyctl sees of an error: a status above 299 and a sentence at "error" that holds these words; and our code. */
static inline void fly_refused(struct api_fixture *f, const char *method, const char *target, const char *nonce, const char *body, int status,
			       const char *code, const char *words)
{
	struct client_reply r;

	f->base->time.now_ms += 1000;
	r = fly_with(f, method, target, f->acme, nonce, body);
	if (r.status != status || !strstr(text_of(&r, "error"), words) || strcmp(text_of(&r, "code"), code) || !text_of(&r, "status")[0])
		fail_msg("%s %s %.200s: wanted %d %s \"%s\", got %d %s", method, target, body ? body : "", status, code, words, r.status, r.body);
	client_reply_deinit(&r);
}

/* What stands at a path such as "config.guest.cpus" or "0.id". */
static inline json_t *fly_at(const json_t *j, const char *path)
{
	char part[64];

	for (const char *p = path; *p; p += strcspn(p, "."), p += *p == '.') {
		snprintf(part, sizeof part, "%.*s", (int)strcspn(p, "."), p);
		j = json_is_array(j) ? json_array_get(j, strtoul(part, NULL, 10)) : json_object_get(j, part);
	}
	return (json_t *)(uintptr_t)j;
}

static inline const char *fly_text(const struct client_reply *r, const char *path)
{
	if (!json_is_string(fly_at(r->json, path)))
		fail_msg("%s is no string in %s", path, r->body);
	return json_string_value(fly_at(r->json, path));
}

/* "id:s name:s cordoned:b events:a config.guest.cpus:i": s string, b bool, i whole number, f number, a list, o object, t RFC 3339. */
static inline void fly_types(const json_t *j, const char *spec)
{
	char path[64];

	for (const char *p = spec; *p; p += strcspn(p, " "), p += *p == ' ') {
		size_t n = strcspn(p, ":");
		json_t *value;
		bool good;

		snprintf(path, sizeof path, "%.*s", (int)n, p);
		value = fly_at(j, path);
		switch (p[n + 1]) {
		case 's': good = json_is_string(value); break;
		case 'b': good = json_is_boolean(value); break;
		case 'i': good = json_is_integer(value); break;
		case 'f': good = json_is_number(value); break;
		case 'a': good = json_is_array(value); break;
		case 'o': good = json_is_object(value); break;
		case 't': good = json_is_string(value) && strlen(json_string_value(value)) >= 20 && json_string_value(value)[10] == 'T' &&
				 strchr(json_string_value(value), 'Z'); break;
		default: good = false;
		}
		if (!good) {
			char *text = json_dumps(j, JSON_ENCODE_ANY);

			fail_msg("%s is not of type %c in %s", path, p[n + 1], text ? text : "nothing");
		}
	}
}

#define MACHINE_TYPES                                                                                                                  \
	"id:s name:s state:s region:s image_ref.registry:s image_ref.repository:s image_ref.tag:s image_ref.digest:s instance_id:s "      \
	"version:s private_ip:s created_at:t updated_at:t config:o config.guest.cpu_kind:s config.guest.cpus:i "                           \
	"config.guest.memory_mb:i config.init:o config.metadata:o config.image:s events:a checks:a host_status:s cordoned:b containers:a"

/* What the last answer says of the machine that a test made. */
struct made {
	char path[96], id[NAME_INSTANCE_ID_SIZE], version[ULID_SIZE];
};

static inline struct made run_machine(struct api_fixture *f)
{
	struct client_reply r = fly_good(f, "POST", "/v1/apps/web/machines", RUN_BODY);
	struct made m;

	fly_types(r.json, MACHINE_TYPES);
	snprintf(m.id, sizeof m.id, "%s", fly_text(&r, "id"));
	snprintf(m.version, sizeof m.version, "%s", fly_text(&r, "instance_id"));
	snprintf(m.path, sizeof m.path, "/v1/apps/web/machines/%s", m.id);
	client_reply_deinit(&r);
	return m;
}

static inline const char *below(const struct made *m, const char *rest)
{
	static char path[sizeof m->path + 128];

	snprintf(path, sizeof path, "%s%s", m->path, rest);
	return path;
}

/* The node says what it sees. */
static inline void report(struct api_fixture *f, const char *id, uint32_t state, uint64_t generation, int exit_code)
{
	struct store_report report = { .observed = { .state = state, .generation = generation, .exit_code = exit_code, .since_ms = T0 } };
	struct store_report_refusal refused;
	struct principal node = principal_node(f->host, "ord-1");
	size_t n_refused, made;

	snprintf(report.id, sizeof report.id, "%s", id);
	assert_good(f->base, DO(f->base, &node, store_instance_report(store, op, &report, 1, 10, &refused, &n_refused, &made)));
	assert_int_equal(n_refused, 0);
}

static inline void expect_state(struct api_fixture *f, const struct made *m, const char *state)
{
	struct client_reply r = fly_good(f, "GET", m->path, NULL);

	assert_string_equal(fly_text(&r, "state"), state);
	client_reply_deinit(&r);
}
