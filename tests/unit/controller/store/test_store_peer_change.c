/* Peers in the store: who may change them, what a change is, and what lists hold. */
#include "tests/unit/controller/store/peer_fixture.h"

#include "controller/store/store_member.h"

/* ---- who may ---- */

static void the_profile_peers_does_peers_and_nothing_else(void **state)
{
	static const enum principal_profile allowed[] = { PROFILE_PEERS, PROFILE_DEPLOY, PROFILE_ADMIN };
	struct peers *p = *state;
	struct principal reader = principal_org_token((const uint8_t *)"aaaaaaaa", p->acme.id, PROFILE_READ);
	struct principal peers = principal_org_token((const uint8_t *)"bbbbbbbb", p->acme.id, PROFILE_PEERS);
	struct store_peer_new in = peer_in(NULL, "a", NULL, 1, p->live, 2);
	struct store_peer peer;
	struct store_app app;

	assert_refused(p->f, create(p, &reader, &in, &peer), "forbidden");
	for (unsigned i = 0; i < ARRAY_LEN(allowed); i++) {
		struct principal who = principal_org_token((const uint8_t *)"cccccccc", p->acme.id, allowed[i]);
		char name[8];

		snprintf(name, sizeof name, "p%u", i);
		in = peer_in(NULL, name, NULL, 10 + i, p->live, 2);
		assert_good(p->f, create(p, &who, &in, &peer));
		assert_string_equal(peer.made_by_text, who.text);
	}
	assert_refused(p->f, DO(p->f, &peers, store_app_create(store, op, "acme", NULL, "web", &app)), "forbidden");
	assert_refused(p->f, DO(p->f, &reader, store_peer_delete(store, op, NULL, "p0", &peer)), "forbidden");
	assert_int_equal(store_peer_find(p->f->store, &reader, NULL, "p0", &peer, NULL), 0);
	assert_good(p->f, DO(p->f, &peers, store_peer_delete(store, op, NULL, "p0", &peer)));
}

static void count_pruned(void *arg, const struct store_peer *peer)
{
	unsigned *n = arg;

	assert_string_equal(peer->record.name, "own");
	(*n)++;
}

static void count_members(void *arg, const struct store_user *user, enum store_role role, uint64_t since_ms)
{
	(void)user;
	(void)role;
	(void)since_ms;
	++*(unsigned *)arg;
}

static void a_token_that_is_own_only_changes_what_it_made_and_nothing_else(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_token_new in = { .kind = PRINCIPAL_ORG_TOKEN, .org = "acme", .profile = PROFILE_PEERS, .own_only = true };
	struct store_peer_new own = peer_in(NULL, "own", NULL, 1, p->live, 2);
	struct store_peer_update update = { .set_suspended = true, .suspended = true };
	struct store_peer peer, another = make_peer(f, "acme", "another", 2, p->live, 2);
	struct principal who;
	struct store_token token;
	char text[TOKEN_TEXT_SIZE];
	unsigned pruned = 0, members = 0;
	uint8_t key[32];
	struct why why;
	bool more;

	make_public_key(9, key);
	assert_good(f, DO(f, &f->root, store_token_create(store, op, &in, &token, text)));
	assert_int_equal(store_token_find_by_id(f->store, &f->root, token.id, &token, &who, NULL), 0);
	assert_true(who.own_only);
	assert_int_equal(store_membership_list(f->store, &who, "acme", count_members, &members, &why), E_REFUSED);
	assert_string_equal(why.code, "forbidden");
	assert_int_equal(members, 0);
	assert_good(f, create(p, &who, &own, &peer));
	assert_refused(f, DO(f, &who, store_peer_update(store, op, NULL, "another", &update, &peer)), "forbidden");
	assert_refused(f, DO(f, &who, store_peer_rekey(store, op, NULL, "another", key, NULL, &peer)), "forbidden");
	assert_refused(f, DO(f, &who, store_peer_delete(store, op, NULL, "another", &peer)), "forbidden");
	assert_good(f, DO(f, &who, store_peer_update(store, op, NULL, "own", &update, &peer)));
	assert_good(f, DO(f, &who, store_peer_rekey(store, op, NULL, "own", key, NULL, &peer)));
	assert_good(f, DO(f, &who, store_peer_delete(store, op, NULL, "own", &peer)));
	memcpy(own.public_key, key, sizeof key);
	assert_good(f, create(p, &who, &own, &peer));
	assert_good(f, DO(f, &who, store_peer_prune(store, op, &(struct store_peer_prune){ .org = "acme" }, count_pruned, &pruned, &more)));
	assert_int_equal(pruned, 1);
	assert_int_equal(store_peer_find(f->store, &f->root, "acme", "another", &peer, NULL), 0);
	assert_memory_equal(peer.record.id, another.record.id, ID_LEN);
	in.profile = PROFILE_DEPLOY; /* it could delete the app beside which it may not touch a peer */
	assert_refused(f, DO(f, &f->root, store_token_create(store, op, &in, &token, text)), "profile_invalid");
}

static void an_org_has_so_many_peers_and_no_more(void **state)
{
	struct peers *p = *state;
	struct store_org_change limit = { .set_quota = { [QUOTA_PEERS] = true }, .quota = { [QUOTA_PEERS] = 2 } };
	struct store_peer_new in = peer_in("acme", "c", NULL, 3, p->live, 2);
	struct store_peer peer;
	struct store_org org;

	assert_good(p->f, DO(p->f, &p->f->root, store_org_update(store, op, "acme", &limit, &org)));
	make_peer(p->f, "acme", "a", 1, p->live, 2);
	make_peer(p->f, "acme", "b", 2, p->live, 2);
	assert_refused(p->f, create(p, &p->f->root, &in, &peer), "quota_exceeded");
	assert_string_equal(p->f->op.why.field, "peers");
	assert_non_null(strstr(p->f->op.why.text, "2 of at most 2 peers"));
	make_peer(p->f, "globex", "a", 4, p->live, 2);
}

static void a_suspended_org_gets_no_peers(void **state)
{
	struct peers *p = *state;
	struct store_org_change change = { .set_suspended = true, .suspended = true };
	struct store_peer_new in = peer_in("acme", "a", NULL, 3, p->live, 2);
	struct store_peer peer;
	struct store_org org;

	assert_good(p->f, DO(p->f, &p->f->root, store_org_update(store, op, "acme", &change, &org)));
	assert_refused(p->f, create(p, &p->f->root, &in, &peer), "org_suspended");
}

/* ---- changes ---- */

static void what_is_so_already_changes_nothing(void **state)
{
	struct peers *p = *state;
	struct store_peer_update in = { .set_expires = true, .expires_ms = T0 + 60000, .set_ephemeral = true, .ephemeral = true };
	struct store_peer peer;
	struct peer_record rec;

	make_peer(p->f, "acme", "laptop", 1, p->live, 2);
	assert_good(p->f, DO(p->f, &p->f->root, store_peer_update(store, op, "acme", "laptop", &in, &peer)));
	assert_int_equal(p->f->op.n_records, 1);
	assert_int_equal(peer_decode(p->f->op.records[0], &rec, NULL), 0);
	assert_true(rec.ephemeral);
	assert_int_equal(rec.expires_at_ms, T0 + 60000);
	assert_good(p->f, DO(p->f, &p->f->root, store_peer_update(store, op, "acme", "laptop", &in, &peer)));
	assert_int_equal(p->f->op.v, 0);
	in.expires_ms = T0 - 1;
	assert_refused(p->f, DO(p->f, &p->f->root, store_peer_update(store, op, "acme", "laptop", &in, &peer)), "value_invalid");
}

static void a_deleted_peer_is_gone_with_its_key_and_its_prefix_rests(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_peer peer = make_peer(f, "acme", "laptop", 1, p->live, 2), gone;
	int64_t n;

	assert_good(f, DO(f, &f->root, store_peer_delete(store, op, "acme", "LAPTOP", &gone)));
	assert_int_equal(f->op.n_records, 2);
	assert_true(is_tombstone(f->op.records[0], RECORD_PEER, INTENT_DELETE));
	assert_true(is_tombstone(f->op.records[1], RECORD_PEER_KEY, INTENT_DELETE));
	assert_int_equal(f->op.records[1]->node, peer.record.gateway);
	assert_int_equal(sql_get_int(f->store, &n, "SELECT count(*) FROM peer_resting", ""), 0);
	assert_int_equal(n, 1);
	assert_int_equal(sql_get_int(f->store, &n, "SELECT count(*) FROM peer_key", ""), 0);
	assert_int_equal(n, 0);
	make_peer(f, "acme", "laptop", 1, p->live, 2); /* name and key are free at once */
	f->time.now_ms += 25 * 3600 * 1000;
	make_peer(f, "acme", "second", 2, p->live, 2);
	assert_int_equal(sql_get_int(f->store, &n, "SELECT count(*) FROM peer_resting", ""), 0);
	assert_int_equal(n, 0);
}

static void networks_and_orgs_take_their_peers_along(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_deletion deletion;
	struct store_network network;
	struct store_peer_new in = peer_in("acme", "b", NULL, 2, p->live, 2);
	struct store_peer peer;

	assert_good(f, DO(f, &f->root, store_network_create(store, op, "acme", "staging", &network)));
	make_peer(f, "acme", "a", 1, p->live, 2);
	in.network = "staging";
	assert_good(f, create(p, &f->root, &in, &peer));
	assert_good(f, DO(f, &f->root, store_network_delete(store, op, "acme", "staging", &deletion)));
	assert_true(deletion.finished);
	assert_true(is_tombstone(f->op.records[0], RECORD_PEER, INTENT_NETWORK));
	assert_int_equal(store_peer_find(f->store, &f->root, "acme", "b", &peer, NULL), E_REFUSED);
	assert_int_equal(store_peer_find(f->store, &f->root, "acme", "a", &peer, NULL), 0);
	assert_good(f, DO(f, &f->root, store_org_delete(store, op, "acme", &deletion)));
	assert_true(deletion.finished);
	assert_int_equal(store_peer_find(f->store, &f->root, NULL, "a", &peer, NULL), E_REFUSED);
}

static void a_node_with_peers_is_deleted_only_by_force_and_they_are_named(void **state)
{
	struct peers *p = *state;
	struct fixture *f = p->f;
	struct store_peer peer = make_peer(f, "acme", "laptop", 1, &p->live[0], 1);
	struct store_node node;
	size_t n = 0;

	assert_refused(f, DO(f, &f->root, store_node_delete(store, op, p->ord.name, false, &node)), "node_not_empty");
	assert_non_null(strstr(f->op.why.text, "acme/laptop"));
	assert_good(f, DO(f, &f->root, store_node_delete(store, op, p->ord.name, true, &node)));
	for (size_t i = 0; i < f->op.n_records; i++)
		n += is_tombstone(f->op.records[i], RECORD_PEER, INTENT_NODE) || is_tombstone(f->op.records[i], RECORD_PEER_KEY, INTENT_NODE);
	assert_int_equal(n, 2);
	assert_int_equal(store_peer_find(f->store, &f->root, "acme", "laptop", &peer, NULL), E_REFUSED);
}

/* ---- lists ---- */

struct names {
	char list[64][16];
	size_t n;
};

static void note_name(void *arg, const struct store_peer *peer)
{
	struct names *names = arg;

	assert_true(names->n < ARRAY_LEN(names->list));
	snprintf(names->list[names->n++], 16, "%.15s", peer->record.name);
}

static size_t list(struct peers *p, const struct principal *who, struct store_peer_filter filter, const char *prefix, unsigned limit)
{
	struct store_next next = { "" };
	struct names names = { .n = 0 };
	struct why why;

	do {
		struct store_next at = next;
		struct store_page page = { .after = at.cursor, .limit = limit, .prefix = prefix };

		assert_int_equal(store_peer_list(p->f->store, who, &filter, &page, note_name, &names, &next, &why), 0);
	} while (next.cursor[0]);
	for (size_t i = 0; i < names.n; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(names.list[i], names.list[k]);
	return names.n;
}

static void lists_are_whole_in_pages_and_hold_what_was_asked_for(void **state)
{
	struct peers *p = *state;
	struct principal acme = principal_org_token((const uint8_t *)"aaaaaaaa", p->acme.id, PROFILE_READ);
	struct store_peer peer;

	for (unsigned i = 0; i < 30; i++) {
		char name[8];

		snprintf(name, sizeof name, "%c%u", i % 3 ? 'A' : 'b', i);
		peer = make_peer(p->f, i % 5 ? "acme" : "globex", name, i + 1, &p->live[i % 2], 1);
	}
	assert_int_equal(list(p, &p->f->root, (struct store_peer_filter){ 0 }, NULL, 7), 30);
	assert_int_equal(list(p, &acme, (struct store_peer_filter){ 0 }, NULL, 7), 24);
	assert_int_equal(list(p, &p->f->root, (struct store_peer_filter){ .org = "globex" }, NULL, 1), 6);
	assert_int_equal(list(p, &p->f->root, (struct store_peer_filter){ .region = "fra" }, NULL, 4), 15);
	assert_int_equal(list(p, &p->f->root, (struct store_peer_filter){ .gateway = p->ord.host }, NULL, 4), 15);
	assert_int_equal(list(p, &acme, (struct store_peer_filter){ .network = peer.record.network }, NULL, 4), 24);
	assert_int_equal(list(p, &p->f->root, (struct store_peer_filter){ 0 }, "a", 4), 20); /* whatever the case */
}

static void a_name_in_front_of_anothers_id_hides_nothing(void **state)
{
	struct peers *p = *state;
	struct store_peer theirs = make_peer(p->f, "globex", "laptop", 1, p->live, 2), found;
	char id[ID_TEXT_SIZE];

	make_peer(p->f, "acme", id_text(theirs.record.id, id), 2, p->live, 2);
	assert_int_equal(store_peer_find(p->f->store, &p->f->root, NULL, id, &found, NULL), 0);
	assert_memory_equal(found.record.id, theirs.record.id, ID_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_profile_peers_does_peers_and_nothing_else),
		T(a_token_that_is_own_only_changes_what_it_made_and_nothing_else),
		T(an_org_has_so_many_peers_and_no_more),
		T(a_suspended_org_gets_no_peers),
		T(what_is_so_already_changes_nothing),
		T(a_deleted_peer_is_gone_with_its_key_and_its_prefix_rests),
		T(networks_and_orgs_take_their_peers_along),
		T(a_node_with_peers_is_deleted_only_by_force_and_they_are_named),
		T(lists_are_whole_in_pages_and_hold_what_was_asked_for),
		T(a_name_in_front_of_anothers_id_hides_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
