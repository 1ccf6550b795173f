/* principal - see principal.h. Pure. */
#include "controller/store/principal.h"

#include <stdio.h>
#include <string.h>

struct principal principal_local(const char *text)
{
	struct principal who = { .kind = PRINCIPAL_LOCAL };

	snprintf(who.text, sizeof who.text, "%s", text);
	return who;
}

struct principal principal_node(uint32_t host, const char *name)
{
	struct principal who = { .kind = PRINCIPAL_NODE, .node = host };

	snprintf(who.text, sizeof who.text, "node %s", name);
	return who;
}

static struct principal of_token(enum principal_kind kind, const uint8_t token_id[ID_LEN], const char *noun)
{
	struct principal who = { .kind = kind };
	char id[ID_TEXT_SIZE];

	memcpy(who.id, token_id, ID_LEN);
	snprintf(who.text, sizeof who.text, "%s %s", noun, id_text(token_id, id));
	return who;
}

struct principal principal_operator(const uint8_t token_id[ID_LEN])
{
	return of_token(PRINCIPAL_OPERATOR, token_id, "operator");
}

struct principal principal_org_token(const uint8_t token_id[ID_LEN], const uint8_t org[ID_LEN], enum principal_profile profile)
{
	struct principal who = of_token(PRINCIPAL_ORG_TOKEN, token_id, "token");

	memcpy(who.orgs[0].id, org, ID_LEN);
	who.orgs[0].profile = profile;
	who.n_orgs = 1;
	return who;
}

bool principal_is_operator(const struct principal *who)
{
	return who->kind == PRINCIPAL_OPERATOR || who->kind == PRINCIPAL_LOCAL;
}

static enum principal_profile profile_in(const struct principal *who, const uint8_t org[ID_LEN])
{
	if (principal_is_operator(who))
		return PROFILE_ADMIN;
	if (who->kind != PRINCIPAL_USER && who->kind != PRINCIPAL_ORG_TOKEN)
		return PROFILE_NONE;
	for (size_t i = 0; i < who->n_orgs; i++)
		if (id_equal(who->orgs[i].id, org))
			return who->orgs[i].profile;
	return PROFILE_NONE;
}

bool principal_sees_org(const struct principal *who, const uint8_t org[ID_LEN])
{
	return profile_in(who, org) >= PROFILE_READ;
}

bool principal_may(const struct principal *who, const uint8_t org[ID_LEN], enum principal_action action)
{
	enum principal_profile has = profile_in(who, org);

	switch (action) {
	case ACTION_READ:
		return has >= PROFILE_READ;
	case ACTION_PEERS:
		return has >= PROFILE_PEERS;
	case ACTION_DEPLOY:
		return has >= PROFILE_DEPLOY;
	case ACTION_ADMIN:
		return has >= PROFILE_ADMIN;
	}
	return false;
}

const uint8_t *principal_only_org(const struct principal *who)
{
	if ((who->kind == PRINCIPAL_USER || who->kind == PRINCIPAL_ORG_TOKEN) && who->n_orgs == 1)
		return who->orgs[0].id;
	return NULL;
}

const uint8_t *principal_personal_org(const struct principal *who)
{
	return who->kind == PRINCIPAL_USER && principal_sees_org(who, who->personal_org) ? who->personal_org : NULL;
}

static const char *const profile_names[] = { "", "read", "peers", "deploy", "admin" };

const char *principal_profile_name(enum principal_profile profile)
{
	return (unsigned)profile < ARRAY_LEN(profile_names) ? profile_names[profile] : "";
}

int principal_profile_parse(const char *text, enum principal_profile *ret_profile, struct why *why)
{
	for (unsigned i = 1; i < ARRAY_LEN(profile_names); i++)
		if (!strcmp(text, profile_names[i])) {
			*ret_profile = (enum principal_profile)i;
			return 0;
		}
	return why_set(why, "profile_invalid", "profile", "profile \"%.40s\" is not one of read, peers, deploy, admin", text);
}
