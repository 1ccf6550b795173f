/* enroll - see enroll.h. */
#include "node/enroll.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/link/client.h"
#include "lib/link/nng_client.h"
#include "lib/link/token.h"
#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_MS 500

struct enrolment {
	struct loop *loop;
	struct clock clock;
	struct link_client *link;
	struct loop_timer tick, again, limit;
	struct buf request;
	struct identity *identity;
	struct why *why;
	int result;
};

/* ---- endpoints ---- */

/* The address the kernel would speak from towards `towards` (host:port): no packet is sent by connecting a UDP socket. */
static int source_towards(const char *towards, struct addr_endpoint *ret)
{
	char host[LINK_ADDRESS_MAX + 1];
	const char *colon = strrchr(towards, ':');
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *found = NULL;
	struct sockaddr_storage own;
	socklen_t len = sizeof own;
	int e = -EHOSTUNREACH;

	snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - towards) : (int)strlen(towards), towards);
	if (host[0] == '[') {
		memmove(host, host + 1, strlen(host));
		host[strcspn(host, "]")] = 0;
	}
	if (getaddrinfo(host, colon ? colon + 1 : "1", &hints, &found) != 0)
		return e;
	for (struct addrinfo *a = found; a && e < 0; a = a->ai_next) {
		CLEAN_CLOSE int fd = socket(a->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || connect(fd, a->ai_addr, a->ai_addrlen) < 0 || getsockname(fd, (struct sockaddr *)&own, &len) < 0)
			continue;
		e = 0;
	}
	freeaddrinfo(found);
	if (e < 0)
		return e;
	memset(ret, 0, sizeof *ret);
	if (own.ss_family == AF_INET) {
		ret->address_len = 4;
		memcpy(ret->address, &((struct sockaddr_in *)&own)->sin_addr, 4);
	} else {
		ret->address_len = 16;
		memcpy(ret->address, &((struct sockaddr_in6 *)&own)->sin6_addr, 16);
	}
	return 0;
}

int enroll_endpoints(const struct config *config, const char *towards, struct addr_endpoint *ret_endpoints, size_t *ret_n, struct why *why)
{
	char text[512], *save = NULL;
	size_t n = 0;
	int e;

	snprintf(text, sizeof text, "%s", config_str(config, "endpoint"));
	for (char *one = strtok_r(text, ", ", &save); one; one = strtok_r(NULL, ", ", &save)) {
		if (n == RECORD_ENDPOINTS_MAX)
			return why_set(why, "endpoint_invalid", "endpoint", "more than %d endpoints", RECORD_ENDPOINTS_MAX);
		if (!strcmp(one, "auto")) {
			e = source_towards(towards, &ret_endpoints[n]);
			if (e < 0)
				return why_set(why, "endpoint_unknown", "endpoint",
					       "no address of this machine leads to %s; set endpoint = ADDRESS:PORT", towards);
			ret_endpoints[n].port = (uint16_t)config_int(config, "port");
		} else {
			e = addr_endpoint_parse(one, &ret_endpoints[n], why);
			if (e)
				return e;
		}
		n++;
	}
	*ret_n = n;
	return 0;
}

/* ---- the call ---- */

static void finish(struct enrolment *en, int result)
{
	en->result = result;
	loop_stop(en->loop, 0);
}

static int take_reply(struct enrolment *en, const Sixpn__EnrollReply *m)
{
	char code[48] = "enroll_refused", text[300] = "the controller refused";
	struct identity *id = en->identity;
	struct why *why = en->why;

	if (!m->ok) {
		if (pb_text(&m->error_code, "error_code", code, sizeof code, NULL) || pb_text(&m->error, "error", text, sizeof text, NULL))
			return why_set(why, "enroll_refused", "join", "the controller refused");
		return why_set(why, code, "join", "%s", text);
	}
	if (!addr_host_valid(m->host))
		return why_set(why, "enroll_broken", "host", "the controller gave a host word that cannot be: %08x", m->host);
	id->host = m->host;
	if (pb_text(&m->name, "name", id->name, sizeof id->name, why) || name_check_node(id->name, why) ||
	    pb_text(&m->region, "region", id->region, sizeof id->region, why) || name_check_region(id->region, why))
		return E_REFUSED;
	id->enrolled = true;
	return 0;
}

static void call(struct enrolment *en);

static void call_done(void *ctx, enum link_result result, const uint8_t *payload, size_t len)
{
	struct enrolment *en = ctx;
	struct pb_arena arena;
	Sixpn__EnrollReply *m;

	if (result == LINK_STOPPED)
		return;
	pb_arena_init(&arena, 64 << 10);
	m = result == LINK_OK ? (Sixpn__EnrollReply *)pb_unpack(&arena, &sixpn__enroll_reply__descriptor, payload, len) : NULL;
	if (m)
		finish(en, take_reply(en, m));
	else if (loop_set_timer_in(en->loop, &en->again, AGAIN_MS) < 0)
		finish(en, -ENOMEM);
	pb_arena_deinit(&arena);
}

static void call(struct enrolment *en)
{
	int e = link_client_call(en->link, LINK_ENROLL, en->request.data, en->request.len, call_done, en);

	if (e < 0)
		finish(en, e);
}

static void again_expired(struct loop_timer *t)
{
	call(container_of(t, struct enrolment, again));
}

static void tick_expired(struct loop_timer *t)
{
	link_client_tick(container_of(t, struct enrolment, tick)->link);
}

static void limit_expired(struct loop_timer *t)
{
	struct enrolment *en = container_of(t, struct enrolment, limit);

	finish(en, why_set(en->why, "controller_unreachable", "join", "the controller at %s has not answered", link_client_address(en->link)));
}

static void wake_at(void *ctx, uint64_t mono_ms)
{
	struct enrolment *en = ctx;

	if (loop_set_timer(en->loop, &en->tick, mono_ms) < 0)
		finish(en, -ENOMEM);
}

static int pack_request(struct enrolment *en, const struct link_token *token, const struct config *config, uint32_t role_bits)
{
	Sixpn__EnrollRequest m = SIXPN__ENROLL_REQUEST__INIT;
	struct addr_endpoint endpoints[RECORD_ENDPOINTS_MAX];
	Sixpn__Endpoint ends[RECORD_ENDPOINTS_MAX], *list[RECORD_ENDPOINTS_MAX];
	char name[NAME_SIZE] = "", secret[2 * LINK_TOKEN_SECRET_LEN + 1];
	size_t n = 0;
	int e = enroll_endpoints(config, token->address, endpoints, &n, en->why);

	if (e)
		return e;
	snprintf(name, sizeof name, "%s", config_str(config, "name"));
	if (!name[0]) {
		if (gethostname(name, sizeof name - 1) < 0) /* too long: its beginning is in any case a name to ask for */
			name[sizeof name - 1] = 0;
		name[strcspn(name, ".")] = 0;
	}
	crypto_hex(token->secret, sizeof token->secret, secret);
	m.token_id = pb_bytes(token->id, sizeof token->id);
	m.token_secret = pb_bytes(secret, strlen(secret));
	m.name = pb_bytes(name, strlen(name));
	m.roles = role_bits;
	m.mesh_key = pb_bytes(en->identity->mesh_public, CRYPTO_KEY_LEN);
	if (role_bits & ROLE_GATEWAY) {
		const char *host = config_str(config, "gateway_host");

		m.gateway_host = pb_bytes(host, strlen(host));
		m.gateway_port = (uint32_t)config_int(config, "gateway_port");
		m.gateway_key = pb_bytes(en->identity->gateway_public, CRYPTO_KEY_LEN);
	}
	m.version = pb_bytes(SIXPN_VERSION, strlen(SIXPN_VERSION));
	for (size_t i = 0; i < n; i++) {
		sixpn__endpoint__init(&ends[i]);
		ends[i].address = pb_bytes(endpoints[i].address, endpoints[i].address_len);
		ends[i].port = endpoints[i].port;
		list[i] = &ends[i];
	}
	m.endpoints = list;
	m.n_endpoints = n;
	e = pb_pack(&m, &en->request);
	crypto_wipe(secret, sizeof secret);
	return e;
}

static int read_token(const char *path, struct link_token *ret, struct why *why)
{
	CLEAN_BUF struct buf text = BUF_INIT(4096);
	int e = file_read(path, 2048, &text);

	if (e < 0)
		return why_set(why, "file_unreadable", "join", "join token file %s: %s", path, strerror(-e));
	while (text.len && strchr(" \t\r\n", text.data[text.len - 1]))
		text.len--;
	e = link_token_parse(buf_str(&text), ret, why);
	if (text.data)
		crypto_wipe(text.data, text.len);
	return e;
}

static int prepare(struct enrolment *en, const struct link_token *token, const struct config *config, uint32_t role_bits,
		   struct link_nng_client **transport)
{
	static const struct link_client_events events = { .wake_at = wake_at };
	struct link_client_config link = { .kind = LINK_KIND_ENROLL, .addresses = { token->address }, .n_addresses = 1 };
	int e = pack_request(en, token, config, role_bits);

	memcpy(link.private_key, en->identity->link_private, CRYPTO_KEY_LEN);
	memcpy(link.controller_key, token->controller_key, CRYPTO_KEY_LEN);
	memcpy(link.boot_id, en->identity->boot_id, sizeof link.boot_id);
	link.boot_count = 1;
	if (e == 0)
		e = link_nng_client_new(en->loop, transport);
	if (e == 0)
		e = link_client_new(&en->clock, link_nng_client_transport(*transport), &link, &events, en, &en->link);
	crypto_wipe(link.private_key, sizeof link.private_key);
	return e;
}

int enroll_run(const struct config *config, uint32_t role_bits, struct identity *identity, uint64_t limit_ms, struct why *why)
{
	struct enrolment en = { .clock = clock_real(), .request = BUF_INIT(64 << 10), .identity = identity, .why = why };
	struct link_nng_client *transport = NULL;
	struct link_token token;
	int e = read_token(config_str(config, "join"), &token, why);

	if (e)
		return e;
	en.tick.expired = tick_expired;
	en.again.expired = again_expired;
	en.limit.expired = limit_expired;
	e = loop_new(&en.loop);
	if (e == 0)
		e = prepare(&en, &token, config, role_bits, &transport);
	if (e == 0)
		e = loop_set_timer_in(en.loop, &en.limit, limit_ms);
	if (e == 0) {
		log_info("enroll", "asking the controller at %s", token.address);
		link_client_start(en.link);
		call(&en);
		e = loop_run(en.loop);
	}
	if (e == 0)
		e = en.result;
	if (e == 0) {
		memcpy(identity->controller_key, token.controller_key, CRYPTO_KEY_LEN);
		snprintf(identity->controller_addresses, sizeof identity->controller_addresses, "%s", token.address);
	}
	if (en.link)
		link_client_stop(en.link);
	en.link = link_client_free(en.link);
	link_nng_client_free(transport);
	loop_free(en.loop);
	if (en.request.data)
		crypto_wipe(en.request.data, en.request.len);
	buf_deinit(&en.request);
	crypto_wipe(&token, sizeof token);
	return e;
}
