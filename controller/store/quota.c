/* quota - see quota.h. Pure. */
#include "controller/store/quota.h"

#include <string.h>

const struct quota_def quota_defs[QUOTA_KINDS] = {
	[QUOTA_NETWORKS] = { "networks", 10, 1000 },     [QUOTA_APPS] = { "apps", 200, 20000 },
	[QUOTA_INSTANCES] = { "instances", 2000, 50000 }, [QUOTA_PEERS] = { "peers", 1000, 50000 },
	[QUOTA_TOKENS] = { "tokens", 100, 10000 },       [QUOTA_WRITES] = { "writes", 50, 10000 },
};

struct quotas quotas_default(void)
{
	struct quotas q;

	for (int i = 0; i < QUOTA_KINDS; i++)
		q.limit[i] = quota_defs[i].fallback;
	return q;
}

int quota_parse(const char *name, enum quota_kind *ret_kind, struct why *why)
{
	for (int i = 0; i < QUOTA_KINDS; i++)
		if (!strcmp(name, quota_defs[i].name)) {
			*ret_kind = (enum quota_kind)i;
			return 0;
		}
	return why_set(why, "quota_unknown", "limit",
		       "there is no limit \"%.40s\"; the limits are networks, apps, instances, peers, tokens, writes", name);
}

int quota_check(const struct quotas *quotas, enum quota_kind kind, uint64_t used, const char *org, struct why *why)
{
	if (used < quotas->limit[kind])
		return 0;
	return why_set(why, "quota_exceeded", quota_defs[kind].name, "org \"%s\" has %llu of at most %u %s; delete some or ask the operator for more",
		       org, (unsigned long long)used, quotas->limit[kind], quota_defs[kind].name);
}
