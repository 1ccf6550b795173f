/* error - see error.h. */
#include "controller/store/error.h"

#include <string.h>

#define NOT_FOUND 404, 3
#define CONFLICT 409, 1
#define INVALID 400, 1
#define FORBIDDEN 403, 4

/* The last entry is what unknown codes get. */
static const struct error_code table[] = {
	/* who asks */
	{ "unauthorized", 401, 4, "give a token: SIXPN_TOKEN, --token-file, or `sixpn init` on the controller" },
	{ "token_expired", 401, 4, "make a new one: sixpn token create" },
	{ "forbidden", FORBIDDEN, "use a token with a wider profile" },
	{ "org_suspended", FORBIDDEN, "ask the operator: sixpn org resume" },
	/* what does not exist, or not for you */
	{ "not_found", NOT_FOUND, "" },
	{ "route_not_found", NOT_FOUND, "GET /v1/openapi.json lists the routes" },
	{ "region_not_found", NOT_FOUND, "sixpn region list" },
	{ "node_not_found", NOT_FOUND, "sixpn node list" },
	{ "org_not_found", NOT_FOUND, "sixpn org list" },
	{ "network_not_found", NOT_FOUND, "sixpn network list" },
	{ "app_not_found", NOT_FOUND, "sixpn app list" },
	{ "instance_not_found", NOT_FOUND, "sixpn instance list" },
	{ "token_not_found", NOT_FOUND, "sixpn token list" },
	{ "node_token_not_found", NOT_FOUND, "sixpn node token list" },
	{ "user_not_found", NOT_FOUND, "sixpn user list" },
	{ "member_not_found", NOT_FOUND, "sixpn org member list" },
	{ "peer_not_found", NOT_FOUND, "sixpn peer list" },
	{ "rule_not_found", NOT_FOUND, "sixpn rule list" },
	{ "ip_not_found", NOT_FOUND, "sixpn ip list" },
	{ "login_not_found", NOT_FOUND, "start it again" },
	{ "gateway_not_found", NOT_FOUND, "leave it out: the controller finds one" },
	/* what stands in the way */
	{ "events_gone", 410, 1, "read the lists again, and then follow without an id" },
	{ "ambiguous_app", CONFLICT, "write org/name" },
	{ "ambiguous_network", CONFLICT, "write org/name" },
	{ "ambiguous_peer", CONFLICT, "write org/name" },
	{ "ambiguous_name", CONFLICT, "give more of it" },
	{ "name_taken", CONFLICT, "choose another name" },
	{ "key_taken", CONFLICT, "make a new key pair: wg genkey" },
	{ "preshared_key_missing", CONFLICT, "say it: --preshared makes another, --no-preshared goes without (preshared_key: a key, or null)" },
	{ "rule_exists", CONFLICT, "sixpn rule list" },
	{ "rule_agreed", CONFLICT, "" },
	{ "rule_leads_nowhere", CONFLICT, "delete it and propose another" },
	{ "locator_taken", CONFLICT, "leave the locator out to get the nearest free one" },
	{ "locators_used_up", CONFLICT, "" },
	{ "quota_exceeded", CONFLICT, "delete some or ask the operator: sixpn org update --limit" },
	{ "flycast_used_up", CONFLICT, "wait until released ones have rested, or use another network" },
	{ "region_in_use", CONFLICT, "delete its nodes first" },
	{ "region_full", CONFLICT, "" },
	{ "no_host", CONFLICT, "join a host: sixpn node token create" },
	{ "no_host_in_region", CONFLICT, "choose one of those regions, or join a host there" },
	{ "no_gateway", CONFLICT, "join a gateway: sixpn node token create" },
	{ "no_gateway_in_region", CONFLICT, "choose one of those regions, or leave out --strict" },
	{ "gateway_not_live", CONFLICT, "leave the gateway out, or choose another" },
	{ "gateway_wrong_region", CONFLICT, "leave out the region or the gateway" },
	{ "gateway_unfit", CONFLICT, "sixpn peer create" },
	{ "gateway_same", CONFLICT, "sixpn node drain, or name another region or gateway" },
	{ "host_not_live", CONFLICT, "sixpn status says what is wrong with it" },
	{ "host_draining", CONFLICT, "sixpn node undrain, or choose another" },
	{ "host_full", CONFLICT, "choose another, or let it have more: sixpn node update --max-instances" },
	{ "host_wrong_region", CONFLICT, "leave out the region or the host" },
	{ "not_a_host", CONFLICT, "" },
	{ "node_not_empty", CONFLICT, "drain it and delete or move what is there first, or --force" },
	{ "node_revoked", CONFLICT, "remove its keys and join with a new token" },
	{ "node_too_old", CONFLICT, "upgrade it first" },
	{ "node_boot_conflict", CONFLICT, "two machines use one identity; end one of them" },
	{ "last_admin", CONFLICT, "sixpn org member update PERSON --role admin" },
	{ "org_is_personal", CONFLICT, "ask the operator: sixpn org delete" },
	{ "org_deleting", CONFLICT, "wait until it is gone" },
	{ "network_deleting", CONFLICT, "wait until it is gone" },
	{ "network_is_default", CONFLICT, "it goes with its org" },
	{ "app_deleting", CONFLICT, "wait until it is gone" },
	{ "instance_destroyed", CONFLICT, "create a new one" },
	{ "lease_held", CONFLICT, "wait until it ends" },
	{ "lease_not_found", NOT_FOUND, "" },
	{ "version_conflict", 412, 1, "read it again" },
	{ "machine_running", 412, 1, "" },
	{ "machine_ended", 412, 1, "" },
	{ "deadline_exceeded", 408, 6, "" },
	{ "already_initialized", CONFLICT, "as root on this machine: sixpn token create --kind operator" },
	{ "request_in_flight", CONFLICT, "wait for its reply, or ask again in a second" },
	{ "reply_not_kept", CONFLICT, "the request was done: look at what it made instead of sending it again" },
	{ "idempotency_mismatch", 422, 1, "a new request needs a new Idempotency-Key" },
	{ "field_immutable", CONFLICT, "leave it out, or delete the object and make another" },
	{ "precondition_failed", 412, 1, "look at what is there now, and change that" },
	{ "org_missing", INVALID, "give --org" },
	{ "not_offered", 422, 1, "" },
	/* joining */
	{ "join_token_invalid", FORBIDDEN, "make a new one: sixpn node token create" },
	{ "join_token_expired", FORBIDDEN, "make a new one: sixpn node token create" },
	{ "join_token_revoked", FORBIDDEN, "make a new one: sixpn node token create" },
	{ "join_token_used_up", FORBIDDEN, "make a new one: sixpn node token create --uses N" },
	{ "join_token_wrong_role", FORBIDDEN, "make one for that role: sixpn node token create --role" },
	{ "join_token_wrong_key", FORBIDDEN, "the token is for another machine" },
	{ "join_token_wrong_source", FORBIDDEN, "the token is for another address" },
	{ "link_key_in_use", CONFLICT, "two machines have one key; remove the copy and join again" },
	{ "mesh_key_in_use", CONFLICT, "two machines have one key; remove the copy and join again" },
	{ "gateway_key_in_use", CONFLICT, "two machines have one key; remove the copy and join again" },
	/* what was given */
	{ "key_invalid", INVALID, "wg genkey | wg pubkey makes one" },
	{ "name_invalid", INVALID, "" },
	{ "name_reserved", INVALID, "choose another name" },
	{ "id_invalid", INVALID, "" },
	{ "text_invalid", INVALID, "" },
	{ "too_long", INVALID, "" },
	{ "too_large", 413, 1, "" },
	{ "metadata_invalid", INVALID, "" },
	{ "query_too_deep", INVALID, "" },
	{ "query_too_large", INVALID, "" },
	{ "operation_unknown", INVALID, "" },
	{ "variable_unknown", INVALID, "" },
	{ "fragment_unknown", INVALID, "" },
	{ "fragment_cycle", INVALID, "" },
	{ "type_unknown", INVALID, "" },
	{ "profile_invalid", INVALID, "" },
	{ "role_invalid", INVALID, "" },
	{ "quota_unknown", INVALID, "" },
	{ "value_invalid", INVALID, "" },
	{ "value_missing", INVALID, "" },
	{ "host_invalid", INVALID, "" },
	{ "cursor_invalid", INVALID, "give the cursor exactly as it came" },
	{ "place_unknown", INVALID, "give city, latitude and longitude" },
	{ "field_missing", INVALID, "" },
	{ "field_unknown", INVALID, "" },
	{ "field_invalid", INVALID, "" },
	{ "json_invalid", INVALID, "" },
	{ "type_invalid", INVALID, "" },
	{ "out_of_range", INVALID, "" },
	{ "record_invalid", INVALID, "" },
	{ "path_invalid", INVALID, "" },
	{ "query_invalid", INVALID, "" },
	{ "header_invalid", INVALID, "" },
	{ "login_pending", CONFLICT, "open the page that was named, and approve it there" },
	{ "login_wrong", INVALID, "copy the whole code" },
	{ "login_elsewhere", FORBIDDEN, "or use a newer program" },
	{ "body_unexpected", INVALID, "send no body" },
	{ "body_too_large", 413, 1, "" },
	{ "host_unknown", 421, 1, "use an address of the controller, or add the name to its configuration" },
	{ "address_invalid", INVALID, "" },
	{ "method_not_allowed", 405, 2, "" },
	{ "rate_limited", 429, 1, "wait a moment and try again" },
	/* the store and the machine below */
	{ "store_in_use", 503, 5, "end the other controller first" },
	{ "store_corrupt", 503, 5, "restore a backup: sixpn backup restore" },
	{ "store_broken", 503, 5, "the controller's log says why it ends; what runs goes on" },
	{ "store_newer", 503, 5, "start a controller at least as new as the one that wrote it" },
	{ "store_foreign", 503, 5, "choose another file" },
	{ "store_unwritable", 503, 5, "mount it writable, or mend its owner and mode" },
	{ "store_missing", 503, 5, "put it back, or restore a backup: sixpn backup restore" },
	{ "restore_unfinished", 503, 5, "run the same sixpn backup restore again" },
	{ "backup_running", CONFLICT, "wait until it is done" },
	{ "backup_exists", CONFLICT, "wait a second" },
	{ "backup_no_room", 507, 1, "make room there, or set backup_dir to another disk" },
	{ "backup_failed", 500, 5, "is backup_dir right? See the controller's log" },
	{ "backup_foreign", INVALID, "give a file that sixpn backup create made" },
	{ "backup_newer", INVALID, "use the program that made it, or a newer one" },
	{ "backup_corrupt", INVALID, "use another backup: sixpn backup list" },
	{ "disk_full", 507, 1, "make room on the controller's disk" },
	{ "not_applied", 503, 6, "" },
	{ "unavailable", 503, 5, "try again; see the controller's log" },
	{ "fenced", 503, 5, "another controller has taken over" },
	{ "internal", 500, 5, "see the controller's log for this request id" },
};

const struct error_code *error_find(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (!strcmp(table[i].code, code))
			return &table[i];
	return &table[ARRAY_LEN(table) - 1];
}

int error_http_status(const char *code)
{
	return error_find(code)->http_status;
}

int error_status_of(int result, const struct why *why)
{
	switch (result) {
	case 0:
		return 200;
	case E_REFUSED:
		return error_http_status(why->code);
	case -ENOSPC:
		return 507;
	case -ESTALE:
	case -EIDRM:
	case -EBADMSG:
	case -EROFS:
	case -EIO:
	case -ECANCELED:
		return 503;
	default:
		return 500;
	}
}

const struct error_code *error_table(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(table);
	return table;
}
