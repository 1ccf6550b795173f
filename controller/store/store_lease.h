/* store_lease - who alone may change an instance for a while. A lease is acknowledged only when it is on the disk; it ends by itself,
 * and with the instance. What is checked is the nonce that its holder was given, whoever shows it. */
#pragma once
#include "controller/store/store_instance.h"

#define LEASE_NONCE_SIZE 17
#define LEASE_TTL_MAX_S 3600
#define LEASE_TTL_DEFAULT_S 120

struct store_lease {
	char nonce[LEASE_NONCE_SIZE];
	char owner[PRINCIPAL_TEXT_SIZE];
	char description[NAME_SIZE];
	uint64_t expires_ms;
};

/* Who may deploy. With the nonce of the lease that is there it is made longer, and keeps its nonce; else E_REFUSED "lease_held". */
int store_lease_acquire(struct store *store, struct op *op, const struct store_instance *instance, const char *nonce, uint32_t ttl_s,
			const char *description, struct store_lease *ret_lease) MUST_CHECK;
/* E_REFUSED "lease_not_found" if there is none, or it has ended. */
int store_lease_find(struct store *store, const struct store_instance *instance, struct store_lease *ret_lease, struct why *why) MUST_CHECK;
int store_lease_release(struct store *store, struct op *op, const struct store_instance *instance, const char *nonce) MUST_CHECK;
/* Before a change, in its op: 0 if there is no lease or it is the nonce's (which may be NULL), else E_REFUSED "lease_held". */
int store_lease_check(struct store *store, const char *id, const char *nonce, struct why *why) MUST_CHECK;
