/* store_lease - see store_lease.h. */
#include "controller/store/store_lease.h"

#include "controller/store/store_audit.h"
#include "controller/store/store_internal.h"
#include "lib/base/crypto.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int load(struct store *store, const char *id, struct store_lease *ret, bool *ret_found)
{
	CLEAN_STATEMENT struct statement *st = NULL;
	int r = sql_query(store, &st, "SELECT nonce, owner, description, expires_ms FROM lease WHERE instance = ?1 AND expires_ms > ?2", "ti",
			  id, (int64_t)clock_real_ms(&store->clock));

	*ret_found = false;
	if (r != 0 || !sql_next(st, &r))
		return r;
	sql_text(st, 0, ret->nonce, sizeof ret->nonce);
	sql_text(st, 1, ret->owner, sizeof ret->owner);
	sql_text(st, 2, ret->description, sizeof ret->description);
	ret->expires_ms = (uint64_t)driver_int(st, 3);
	*ret_found = true;
	return 0;
}

/* A nonce is a secret between its holder and us: compared in constant time. */
static bool is_nonce(const struct store_lease *lease, const char *nonce)
{
	return nonce && strlen(nonce) == LEASE_NONCE_SIZE - 1 && crypto_equal(lease->nonce, nonce, LEASE_NONCE_SIZE - 1);
}

static int held(const char *id, const struct store_lease *lease, struct why *why)
{
	time_t at = (time_t)(lease->expires_ms / 1000);
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&at, &tm))
		strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return why_set(why, "lease_held", "", "instance \"%s\" has a lease, currently held by %s, which expires at %s", id, lease->owner, when);
}

int store_lease_check(struct store *store, const char *id, const char *nonce, struct why *why)
{
	struct store_lease lease;
	bool found;
	int r = load(store, id, &lease, &found);

	if (r != 0 || !found || is_nonce(&lease, nonce))
		return r;
	return held(id, &lease, why);
}

int store_lease_find(struct store *store, const struct store_instance *instance, struct store_lease *ret_lease, struct why *why)
{
	bool found;
	int r = load(store, instance->record.id, ret_lease, &found);

	if (r == 0 && !found)
		r = why_set(why, "lease_not_found", "", "lease not found: nobody holds one of instance \"%s\"", instance->record.id);
	return r;
}

static void make_nonce(struct store *store, char ret[LEASE_NONCE_SIZE])
{
	uint8_t bytes[(LEASE_NONCE_SIZE - 1) / 2];

	clock_random(&store->clock, bytes, sizeof bytes);
	crypto_hex(bytes, sizeof bytes, ret);
}

/* A lease is no record: the audit is told of it here. */
static int note(struct store *store, struct op *op, const struct store_instance *instance, const char *verb, uint64_t expires_ms)
{
	struct store_act act = { .verb = verb, .noun = "lease", .object = instance->record.id, .name = "", .org = instance->org };
	char after[64];

	snprintf(after, sizeof after, "{\"expires_ms\":%llu}", (unsigned long long)expires_ms);
	act.after = expires_ms ? after : NULL;
	return store_audit_note(store, op, &act);
}

int store_lease_acquire(struct store *store, struct op *op, const struct store_instance *instance, const char *nonce, uint32_t ttl_s,
			const char *description, struct store_lease *ret_lease)
{
	const char *id = instance->record.id;
	struct store_lease lease = { .owner = "" };
	bool found;
	int r = store_check_may(store, &op->principal, instance->org, ACTION_DEPLOY, "instances", &op->why);

	if (r == 0 && instance->record.desired == DESIRED_DESTROYED)
		r = why_set(&op->why, "instance_destroyed", "instance", "instance \"%s\" is being destroyed", id);
	if (r == 0)
		r = load(store, id, &lease, &found);
	if (r != 0)
		return r;
	if (found && !is_nonce(&lease, nonce))
		return held(id, &lease, &op->why);
	if (!found) {
		make_nonce(store, lease.nonce);
		snprintf(lease.owner, sizeof lease.owner, "%s", op->principal.text[0] ? op->principal.text : "nobody");
		snprintf(lease.description, sizeof lease.description, "%s", description ? description : "");
	}
	lease.expires_ms = clock_real_ms(&store->clock) + 1000ull * ttl_s;
	r = sql_run(store,
		    "INSERT INTO lease (instance, nonce, owner, description, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (instance) "
		    "DO UPDATE SET nonce = excluded.nonce, owner = excluded.owner, description = excluded.description, "
		    "expires_ms = excluded.expires_ms",
		    "tttti", id, lease.nonce, lease.owner, lease.description, (int64_t)lease.expires_ms);
	if (r == 0)
		r = note(store, op, instance, found ? "extend" : "create", lease.expires_ms);
	if (r == 0)
		*ret_lease = lease;
	return r;
}

int store_lease_release(struct store *store, struct op *op, const struct store_instance *instance, const char *nonce)
{
	struct store_lease lease;
	int r = store_check_may(store, &op->principal, instance->org, ACTION_DEPLOY, "instances", &op->why);

	if (r == 0)
		r = store_lease_find(store, instance, &lease, &op->why);
	if (r != 0)
		return r;
	if (!is_nonce(&lease, nonce))
		return held(instance->record.id, &lease, &op->why);
	r = sql_run(store, "DELETE FROM lease WHERE instance = ?1", "t", instance->record.id);
	return r ? r : note(store, op, instance, "delete", 0);
}
