/* api_routes - the list of lists of routes; see route.h. */
#include "controller/api/api_nouns.h"

const struct route *const route_tables[] = { api_status_routes, api_init_routes, api_region_routes, api_node_routes,
					     api_node_token_routes, api_org_routes, api_network_routes, api_app_routes,
					     api_instance_routes, api_token_routes, api_wait_routes, api_backup_routes,
					     api_peer_routes, api_peer_put_routes, api_peer_move_routes, api_graphql_routes, api_wire_guard_routes,
					     api_access_routes, api_login_routes, api_ip_routes, api_user_routes, api_audit_routes, api_prometheus_routes, api_rule_routes,
					     flaps_machine_routes, flaps_action_routes, flaps_lease_routes, flaps_metadata_routes,
					     flaps_ip_routes, flaps_platform_routes, NULL };
