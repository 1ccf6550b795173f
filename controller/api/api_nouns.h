/* api_nouns - the routes of each noun, and JSON forms that one noun shows inside another. */
#pragma once
#include "controller/api/api.h"
#include "controller/store/store_instance.h"
#include "controller/store/store_node_token.h"
#include "controller/store/store_peer.h"
#include "controller/store/store_region.h"
#include "controller/store/store_token.h"

extern const struct route api_status_routes[], api_init_routes[], api_region_routes[], api_node_routes[], api_node_token_routes[],
	api_org_routes[], api_network_routes[], api_app_routes[], api_instance_routes[], api_token_routes[], api_wait_routes[],
	api_backup_routes[], api_peer_routes[], api_peer_put_routes[], api_peer_move_routes[], api_ip_routes[], api_user_routes[],
	api_graphql_routes[], api_rule_routes[],
	api_access_routes[], api_login_routes[],
	api_wire_guard_routes[],
	api_audit_routes[], api_prometheus_routes[];
extern const struct route flaps_machine_routes[], flaps_action_routes[], flaps_lease_routes[], flaps_metadata_routes[],
	flaps_ip_routes[], flaps_platform_routes[];

/* What `sixpn audit verify` tells. */
struct store_audit_check;
json_t *api_audit_check_json(const struct store_audit_check *check);

struct shape;
extern const struct shape api_region_shape, api_peer_shape, api_peer_made_shape, api_access_shape;
/* How to get here; NULL if this controller does not know. */
json_t *api_access_json(const struct api_env *env);
json_t *api_region_json(const struct store_region *region);
json_t *api_peer_json(const struct store_peer *peer);
/* A peer of the keys and names in `in` (the rest is filled in here), to be waited for. */
int api_peer_make(struct store *store, struct api_call *call, struct store_peer_new *in, struct store_peer *ret_peer,
		  char ret_warning[STORE_PEER_WARNING_SIZE]) MUST_CHECK;
json_t *api_peer_warnings(const struct api_call *call, const struct store_peer *peer, const char *warning);
bool api_peer_make_again(struct api_call *call); /* as route->again */
int api_peer_parse_public(const struct api_call *call, const char *field, const char *text, uint8_t ret_key[32],
			  struct why *why) MUST_CHECK;
struct store_app;
/* A network that is named for the first time is made with the app, as Fly's is. network NULL = the default one. */
int api_app_make(struct store *store, struct op *op, const char *org, const char *network, const char *name,
		 struct store_app *ret_app) MUST_CHECK;
json_t *api_token_json(const struct store_token *token);
/* "host", "gateway", "host,gateway" <-> ROLE_* bits. E_REFUSED. */
int api_parse_roles(const char *field, const char *text, uint32_t *ret_roles, struct why *why) MUST_CHECK;
json_t *api_roles_json(uint32_t roles);
/* The workload of a new instance: `spec` as given, or made of command, env, files, root ... of the body. New text, NULL + why. */
int api_spec_make(const struct api_call *call, char **ret_spec, struct why *why) MUST_CHECK;
