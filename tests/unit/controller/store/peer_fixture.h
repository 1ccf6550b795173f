/* peer_fixture - two organizations and two gateways, in ord and fra (nrt has none). For the tests of peers. */
#pragma once
#include "tests/unit/controller/store/store_fixture.h"

struct peers {
	struct fixture *f;
	struct store_org acme, globex;
	struct store_node ord, dev;
	uint32_t live[2];
};

static inline int peers_setup(void **state)
{
	struct peers *p = calloc(1, sizeof *p);
	void *base;

	fixture_setup(&base);
	p->f = base;
	make_region(p->f, "ord");
	make_region(p->f, "nrt");
	make_region(p->f, "fra");
	p->acme = make_org(p->f, "acme");
	p->globex = make_org(p->f, "globex");
	p->ord = make_gateway(p->f, "ord", 1);
	p->dev = make_gateway(p->f, "fra", 2);
	p->live[0] = p->ord.host;
	p->live[1] = p->dev.host;
	*state = p;
	return 0;
}

static inline int peers_teardown(void **state)
{
	struct peers *p = *state;
	void *base = p->f;

	fixture_teardown(&base);
	free(p);
	return 0;
}

static inline int create(struct peers *p, const struct principal *who, const struct store_peer_new *in, struct store_peer *ret)
{
	char warning[STORE_PEER_WARNING_SIZE];

	return DO(p->f, who, store_peer_create(store, op, in, ret, warning));
}

static inline bool is_tombstone(const struct record *r, uint32_t kind, uint32_t intent)
{
	return r->kind == kind && r->deleted && r->intent == intent;
}

#define T(name) cmocka_unit_test_setup_teardown(name, peers_setup, peers_teardown)
