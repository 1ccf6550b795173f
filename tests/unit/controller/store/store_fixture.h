/* store_fixture - a fresh store in a folder of its own, on a virtual clock, and one-line ops. For the tests of the store. */
#pragma once
#include "controller/store/store_app.h"
#include "controller/store/store_instance.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_log.h"
#include "controller/store/store_network.h"
#include "controller/store/store_node.h"
#include "controller/store/store_node_token.h"
#include "controller/store/store_org.h"
#include "controller/store/store_peer.h"
#include "controller/store/store_region.h"
#include "controller/store/store_token.h"
#include "controller/store/store_user.h"
#include "lib/base/crypto.h"
#include "lib/base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define T0 1700000000000ull

struct fixture {
	char dir[64], path[128];
	struct clock_virtual time;
	struct store *store;
	struct principal root;
	struct op op; /* of the last do_() */
};

static inline struct store *fixture_open(struct fixture *f)
{
	struct store_options options = { .path = f->path, .clock = clock_virtual(&f->time), .ballast_bytes = 65536 };
	struct why why = { 0 };
	int r = store_open(&options, &f->store, &why);

	if (r != 0)
		fail_msg("store_open: %d %s", r, why.text);
	return f->store;
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	crypto_init();
	log_set_level(LOG_L_ERR);
	strcpy(f->dir, "/tmp/sixpn-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/store.db", f->dir);
	f->time = (struct clock_virtual){ .real_offset_ms = T0, .seed = 1 };
	f->root = principal_local("test");
	fixture_open(f);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-lock", "-ballast" };
	struct fixture *f = *state;
	char path[160];

	op_deinit(&f->op);
	store_close(f->store);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

/* A file of just these bytes. Not synced: tests that write thousands have no machine that may crash. */
static inline void fixture_put(const char *path, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

static inline struct op *fixture_begin(struct fixture *f, const struct principal *who)
{
	op_deinit(&f->op);
	op_init(&f->op, NULL, NULL, who, "req-1");
	assert_int_equal(driver_exec(f->store->driver, "BEGIN IMMEDIATE"), 0);
	return &f->op;
}

/* As store_batch.c ends an op. */
static inline int fixture_end(struct fixture *f, int result)
{
	bool keep = result == 0 || (result == E_REFUSED && f->op.keep_refusal);

	f->op.result = result;
	assert_int_equal(driver_exec(f->store->driver, keep ? "COMMIT" : "ROLLBACK"), 0);
	if (keep && f->op.v)
		f->store->head = f->op.v;
	return result;
}

/* DO(f, who, call): runs a mutating call, which sees `store` and `op`, in a transaction of its own; gives its result. Refusal, V
 * and records are in f->op afterwards. */
#define DO(f, who, ...)                                 \
	({                                              \
		struct store *store = (f)->store;       \
		struct op *op = fixture_begin(f, who);  \
		(void)store;                            \
		(void)op;                               \
		fixture_end(f, __VA_ARGS__);            \
	})

#define assert_good(f, result)                                                        \
	do {                                                                          \
		int r_ = (result);                                                    \
		if (r_ != 0)                                                          \
			fail_msg("result %d, %s: %s", r_, (f)->op.why.code, (f)->op.why.text); \
	} while (0)

#define assert_refused(f, result, expected_code)                          \
	do {                                                              \
		int r_ = (result);                                        \
		if (r_ == E_REFUSED)                                      \
			assert_string_equal((f)->op.why.code, expected_code); \
		assert_int_equal(r_, E_REFUSED);                          \
	} while (0)

static inline void make_region(struct fixture *f, const char *name)
{
	struct store_region_new in = { .name = name };
	struct store_region region;

	assert_good(f, DO(f, &f->root, store_region_create(store, op, &in, &region)));
}

static inline struct store_org make_org(struct fixture *f, const char *name)
{
	struct store_org org;

	assert_good(f, DO(f, &f->root, store_org_create(store, op, name, &org)));
	return org;
}

static inline struct store_app make_app(struct fixture *f, const char *org, const char *name)
{
	struct store_app app;

	assert_good(f, DO(f, &f->root, store_app_create(store, op, org, NULL, name, &app)));
	return app;
}

static inline struct store_node_token make_node_token(struct fixture *f, const char *region, unsigned uses, char *ret_secret)
{
	struct store_node_token_new in = { .region = region, .roles = ROLE_HOST | ROLE_GATEWAY, .uses = uses };
	struct store_node_token token;

	assert_good(f, DO(f, &f->root, store_node_token_create(store, op, &in, &token, ret_secret)));
	return token;
}

/* A request to join with keys made of one byte. */
static inline struct store_enroll enroll_with(const struct store_node_token *token, const char *secret, uint8_t key)
{
	struct store_enroll in = { .secret = secret, .name = "", .roles = ROLE_HOST, .version = "0.1", .n_endpoints = 1 };

	memcpy(in.token_id, token->id, ID_LEN);
	memset(in.link_key, key, 32);
	memset(in.mesh_key, key ^ 0x80, 32);
	in.endpoints[0] = (struct addr_endpoint){ .address = { 192, 0, 2, key }, .address_len = 4, .port = 51821 };
	return in;
}

static inline struct store_node make_node(struct fixture *f, const char *region, uint8_t key)
{
	char secret[STORE_NODE_SECRET_SIZE];
	struct store_node_token token = make_node_token(f, region, 1, secret);
	struct store_enroll in = enroll_with(&token, secret, key);
	struct store_node node;
	bool created;

	assert_good(f, DO(f, &f->root, store_node_enroll(store, op, &in, &node, &created)));
	assert_true(created);
	return node;
}

static inline struct store_instance make_instance(struct fixture *f, const char *app, const char *region, const uint32_t *live, size_t n_live)
{
	struct store_instance_new in = { .app = app, .region = region, .desired = DESIRED_STARTED, .spec = "{}", .spec_len = 2, .live = live,
					 .n_live = n_live };
	struct store_instance instance;

	assert_good(f, DO(f, &f->root, store_instance_create(store, op, &in, &instance)));
	return instance;
}

/* A node that is a gateway too, with a name to dial and a key. */
static inline struct store_node make_gateway(struct fixture *f, const char *region, uint8_t key)
{
	char secret[STORE_NODE_SECRET_SIZE];
	struct store_node_token token = make_node_token(f, region, 1, secret);
	struct store_enroll in = enroll_with(&token, secret, key);
	struct store_node node;
	bool created;

	in.roles = ROLE_HOST | ROLE_GATEWAY;
	in.gateway_host = "gw.example.net";
	in.gateway_port = 51820;
	in.has_gateway_key = true;
	memset(in.gateway_key, key ^ 0x40, 32);
	assert_good(f, DO(f, &f->root, store_node_enroll(store, op, &in, &node, &created)));
	return node;
}

/* A public key that is good, another for each seed. */
static inline void make_public_key(unsigned seed, uint8_t ret_key[32])
{
	uint8_t private_key[32] = { 0 };

	memcpy(private_key + 4, &seed, sizeof seed); /* the lowest bits of a scalar say nothing */
	crypto_x25519_public(private_key, ret_key);
}

static inline struct store_peer_new peer_in(const char *org, const char *name, const char *region, unsigned seed, const uint32_t *live,
					    size_t n_live)
{
	struct store_peer_new in = { .org = org, .name = name, .region = region, .live = live, .n_live = n_live };

	make_public_key(seed, in.public_key);
	return in;
}

static inline struct store_peer make_peer(struct fixture *f, const char *org, const char *name, unsigned seed, const uint32_t *live,
					  size_t n_live)
{
	struct store_peer_new in = peer_in(org, name, NULL, seed, live, n_live);
	char warning[STORE_PEER_WARNING_SIZE];
	struct store_peer peer;

	assert_good(f, DO(f, &f->root, store_peer_create(store, op, &in, &peer, warning)));
	return peer;
}
