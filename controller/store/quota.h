/* quota - what an org may have, set by the operator. One table: name for people, column of org, default, upper bound. */
#pragma once
#include "lib/base/err.h"

enum quota_kind { QUOTA_NETWORKS, QUOTA_APPS, QUOTA_INSTANCES, QUOTA_PEERS, QUOTA_TOKENS, QUOTA_WRITES, QUOTA_KINDS };

struct quota_def {
	const char *name; /* "networks" */
	uint32_t fallback, max;
};
extern const struct quota_def quota_defs[QUOTA_KINDS];

struct quotas {
	uint32_t limit[QUOTA_KINDS]; /* QUOTA_WRITES is per second and enforced at the HTTP door */
};
struct quotas quotas_default(void);
/* "networks" -> QUOTA_NETWORKS; E_REFUSED names the known ones. */
int quota_parse(const char *name, enum quota_kind *ret_kind, struct why *why) MUST_CHECK;
/* E_REFUSED "quota_exceeded" naming quota and value, if one more than `used` is too many. */
int quota_check(const struct quotas *quotas, enum quota_kind kind, uint64_t used, const char *org, struct why *why) MUST_CHECK;
