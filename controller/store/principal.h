/* principal - who asks. Every look-up of the store takes one, and every line of the log names one. A principal sees an org or it
 * does not; what it does not see is, in every answer, the same as what does not exist. */
#pragma once
#include "controller/store/ids.h"
#include "lib/sixpn/name.h"

enum principal_kind {
	PRINCIPAL_NONE,      /* nobody: sees nothing, may nothing */
	PRINCIPAL_USER,      /* a person, through memberships */
	PRINCIPAL_ORG_TOKEN, /* one org, limited by a profile */
	PRINCIPAL_OPERATOR,  /* everything */
	PRINCIPAL_NODE,      /* a machine of ours, over the link: only its own instances */
	PRINCIPAL_LOCAL,     /* root or sixpn-admin at the local socket, or the controller itself: everything */
};

/* Of org tokens and (as the nearest equal of their role) of memberships. */
enum principal_profile { PROFILE_NONE, PROFILE_READ, PROFILE_PEERS, PROFILE_DEPLOY, PROFILE_ADMIN };

enum principal_action {
	ACTION_READ,   /* READ, PEERS, DEPLOY, ADMIN */
	ACTION_PEERS,  /* PEERS, DEPLOY, ADMIN: WireGuard peers */
	ACTION_DEPLOY, /* DEPLOY, ADMIN: networks, apps, instances */
	ACTION_ADMIN,  /* ADMIN: tokens, members, deletion of the org */
};

#define PRINCIPAL_ORGS_MAX 32
#define PRINCIPAL_TEXT_SIZE 96

struct principal_org {
	uint8_t id[ID_LEN];
	enum principal_profile profile;
};

struct principal {
	enum principal_kind kind;
	uint8_t id[ID_LEN];      /* of the token, or of the user */
	uint32_t node;           /* PRINCIPAL_NODE: host word */
	struct principal_org orgs[PRINCIPAL_ORGS_MAX]; /* ORG_TOKEN: one; USER: memberships */
	size_t n_orgs;
	uint8_t personal_org[ID_LEN];                  /* USER: what "personal" stands for; zeros = nothing */
	uint64_t expires_ms;     /* Unix time; 0 = never */
	bool own_only;           /* ORG_TOKEN: changes only the peers that were made with it */
	char text[PRINCIPAL_TEXT_SIZE]; /* for the log: "operator 1f2e..", "token 99ab..", "node ord-1", "local uid 0" */
};

struct principal principal_local(const char *text);
struct principal principal_node(uint32_t host, const char *name);
struct principal principal_operator(const uint8_t token_id[ID_LEN]);
struct principal principal_org_token(const uint8_t token_id[ID_LEN], const uint8_t org[ID_LEN], enum principal_profile profile);

bool principal_is_operator(const struct principal *who); /* OPERATOR or LOCAL */
bool principal_sees_org(const struct principal *who, const uint8_t org[ID_LEN]);
bool principal_may(const struct principal *who, const uint8_t org[ID_LEN], enum principal_action action);
/* The only org it can mean, NULL if it sees several, all or none. Borrowed from who. */
const uint8_t *principal_only_org(const struct principal *who);
/* Of a person, if it has one and sees it; else NULL. Borrowed from who. */
const uint8_t *principal_personal_org(const struct principal *who);
const char *principal_profile_name(enum principal_profile profile); /* "read", "peers", "deploy", "admin"; "" */
int principal_profile_parse(const char *text, enum principal_profile *ret_profile, struct why *why) MUST_CHECK;
