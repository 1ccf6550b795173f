/* flaps_shape - see flaps_shape.h. */
#include "controller/api/flaps_shape.h"

#include <stddef.h>

static const struct shape free_shape = { "Free", true, NULL };

static const struct shape_field image_fields[] = {
	{ "registry", SHAPE_STR, 0, NULL, NULL },
	{ "repository", SHAPE_STR, 0, NULL, NULL },
	{ "tag", SHAPE_STR, 0, NULL, NULL },
	{ "digest", SHAPE_STR, 0, NULL, NULL },
	{ "labels", SHAPE_OBJECT, 0, &free_shape, NULL },
	{ 0 },
};
static const struct shape image_shape = { "MachineImage", false, image_fields };

static const struct shape_field container_fields[] = {
	{ "name", SHAPE_STR, SHAPE_MAYBE | SHAPE_NULL, NULL, NULL },
	{ "state", SHAPE_STR, 0, NULL, "that of the machine" },
	{ 0 },
};
static const struct shape container_shape = { "MachineContainer", false, container_fields };

static const struct shape_field event_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, "the version of the change" },
	{ "type", SHAPE_STR, 0, NULL, "launch, start, stop, exit, restart, update, destroy" },
	{ "status", SHAPE_STR, 0, NULL, "the state then" },
	{ "source", SHAPE_STR, 0, NULL, "user, or flyd: its host" },
	{ "timestamp", SHAPE_INT, 0, NULL, "Unix ms" },
	{ "request", SHAPE_OBJECT, SHAPE_MAYBE, &free_shape, "of an exit" },
	{ 0 },
};
const struct shape flaps_event_shape = { "MachineEvent", false, event_fields };

static const struct shape_field machine_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, "that of the instance" },
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "state", SHAPE_STR, SHAPE_MOVES, NULL, "created, starting, started, stopping, stopped, restarting, failed, destroying" },
	{ "region", SHAPE_STR, 0, NULL, NULL },
	{ "image_ref", SHAPE_OBJECT, 0, &image_shape, "a label: nothing is pulled" },
	{ "instance_id", SHAPE_STR, 0, NULL, "version of its configuration" },
	{ "version", SHAPE_STR, 0, NULL, "the same" },
	{ "private_ip", SHAPE_STR, 0, NULL, "its address in the network" },
	{ "created_at", SHAPE_TIME, 0, NULL, NULL },
	{ "updated_at", SHAPE_TIME, SHAPE_MOVES, NULL, NULL },
	{ "config", SHAPE_OBJECT, 0, &free_shape, "as it was sent, with guest, init and metadata; a reader sees no environment" },
	{ "events", SHAPE_LIST, SHAPE_MOVES, &flaps_event_shape, "newest first; none in a list" },
	{ "checks", SHAPE_LIST, 0, &free_shape, "none" },
	{ "host_status", SHAPE_STR, SHAPE_MOVES, NULL, "ok or unreachable" },
	{ "cordoned", SHAPE_BOOL, 0, NULL, NULL },
	{ "host", SHAPE_STR, 0, NULL, "the node it runs on" },
	{ "containers", SHAPE_LIST, SHAPE_MOVES, &container_shape, NULL },
	{ "no_effect", SHAPE_STRINGS, SHAPE_MAYBE, NULL, "what is in config and does nothing here" },
	{ "nonce", SHAPE_STR, SHAPE_MAYBE, NULL, "of the lease that was asked for with it" },
	{ 0 },
};
const struct shape flaps_machine_shape = { "Machine", false, machine_fields };

static const struct shape_field ok_fields[] = {
	{ "ok", SHAPE_BOOL, 0, NULL, "true" },
	{ "previous_state", SHAPE_STR, SHAPE_MAYBE, NULL, "of start" },
	{ "status", SHAPE_STR, SHAPE_MAYBE, NULL, "of start" },
	{ "message", SHAPE_STR, SHAPE_MAYBE, NULL, "of start" },
	{ 0 },
};
const struct shape flaps_ok_shape = { "MachineOk", false, ok_fields };

static const struct shape_field lease_data_fields[] = {
	{ "nonce", SHAPE_STR, SHAPE_MAYBE, NULL, "for its holder only" },
	{ "expires_at", SHAPE_INT, 0, NULL, "Unix seconds" },
	{ "owner", SHAPE_STR, 0, NULL, NULL },
	{ "description", SHAPE_STR, 0, NULL, NULL },
	{ "version", SHAPE_STR, 0, NULL, "of the machine's configuration" },
	{ 0 },
};
static const struct shape lease_data_shape = { "MachineLeaseData", false, lease_data_fields };
static const struct shape_field lease_fields[] = {
	{ "status", SHAPE_STR, 0, NULL, "success" },
	{ "data", SHAPE_OBJECT, 0, &lease_data_shape, NULL },
	{ 0 },
};
const struct shape flaps_lease_shape = { "MachineLease", false, lease_fields };

const struct shape flaps_metadata_shape = { "MachineMetadata", true, NULL };

static const struct shape_field region_fields[] = {
	{ "code", SHAPE_STR, 0, NULL, NULL },
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "latitude", SHAPE_NUM, 0, NULL, NULL },
	{ "longitude", SHAPE_NUM, 0, NULL, NULL },
	{ "gateway_available", SHAPE_BOOL, 0, NULL, NULL },
	{ "requires_paid_plan", SHAPE_BOOL, 0, NULL, NULL },
	{ "deprecated", SHAPE_BOOL, 0, NULL, NULL },
	{ "capacity", SHAPE_INT, 0, NULL, "its nodes" },
	{ "geo_region", SHAPE_STR, 0, NULL, "roughly which continent" },
	{ "mpg_available", SHAPE_BOOL, 0, NULL, NULL },
	{ 0 },
};
static const struct shape region_shape = { "PlatformRegion", false, region_fields };
static const struct shape_field regions_fields[] = {
	{ "Regions", SHAPE_LIST, 0, &region_shape, NULL },
	{ "Nearest", SHAPE_STR, 0, NULL, "the first that has a gateway" },
	{ 0 },
};
const struct shape flaps_regions_shape = { "PlatformRegions", false, regions_fields };

static const struct shape_field org_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, NULL },
	{ "internal_numeric_id", SHAPE_INT, 0, NULL, NULL },
	{ "slug", SHAPE_STR, 0, NULL, NULL },
	{ "raw_slug", SHAPE_STR, 0, NULL, NULL },
	{ "paid_plan", SHAPE_BOOL, 0, NULL, NULL },
	{ "personal", SHAPE_BOOL, 0, NULL, NULL },
	{ "billing_status", SHAPE_STR, 0, NULL, NULL },
	{ "provisions_beta_extensions", SHAPE_BOOL, 0, NULL, NULL },
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "billable", SHAPE_BOOL, 0, NULL, NULL },
	{ "remote_builder_image", SHAPE_STR, 0, NULL, NULL },
	{ 0 },
};
static const struct shape one_org_shape = { "PlatformOrganization", false, org_fields };
static const struct shape_field org_reply_fields[] = { { "organization", SHAPE_OBJECT, 0, &one_org_shape, NULL }, { 0 } };
static const struct shape_field orgs_reply_fields[] = { { "organizations", SHAPE_LIST, 0, &one_org_shape, NULL }, { 0 } };
const struct shape flaps_org_shape = { "PlatformOrganizationReply", false, org_reply_fields };
const struct shape flaps_orgs_shape = { "PlatformOrganizations", false, orgs_reply_fields };

static const struct shape_field build_fields[] = {
	{ "id", SHAPE_INT, 0, NULL, NULL },
	{ "status", SHAPE_STR, 0, NULL, NULL },
	{ "wallclock_time_ms", SHAPE_INT, 0, NULL, NULL },
	{ 0 },
};
const struct shape flaps_build_shape = { "PlatformBuild", false, build_fields };

static const struct shape_field app_org_fields[] = {
	{ "name", SHAPE_STR, 0, NULL, NULL },
	{ "slug", SHAPE_STR, 0, NULL, NULL },
	{ "internal_numeric_id", SHAPE_INT, 0, NULL, NULL },
	{ 0 },
};
const struct shape flaps_app_org_shape = { "AppOrganization", false, app_org_fields };

static const struct shape_field apps_fields[] = {
	{ "total_apps", SHAPE_INT, 0, NULL, NULL },
	{ "apps", SHAPE_LIST, 0, &free_shape, "as items" },
	{ 0 },
};
const struct shape flaps_apps_shape = { "AppsOfOrg", false, apps_fields };

static const struct shape_field ip_network_fields[] = {
	{ "name", SHAPE_STR, 0, NULL, "empty: the default one" },
	{ "org_slug", SHAPE_STR, 0, NULL, NULL },
	{ 0 },
};
static const struct shape ip_network_shape = { "AppIpNetwork", false, ip_network_fields };
static const struct shape_field ip_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, NULL },
	{ "ip", SHAPE_STR, 0, NULL, "fdaa:<network>:0:1::N" },
	{ "region", SHAPE_STR, 0, NULL, "global" },
	{ "service_name", SHAPE_STR, 0, NULL, "empty" },
	{ "shared", SHAPE_BOOL, 0, NULL, "false" },
	{ "created_at", SHAPE_TIME, 0, NULL, NULL },
	{ "egress", SHAPE_BOOL, 0, NULL, "false" },
	{ "network", SHAPE_OBJECT, 0, &ip_network_shape, "in which it is" },
	{ "note", SHAPE_STR, 0, NULL, "that nothing answers there yet" },
	{ 0 },
};
const struct shape flaps_ip_shape = { "AppIp", false, ip_fields };
static const struct shape_field ips_fields[] = { { "ips", SHAPE_LIST, 0, &flaps_ip_shape, NULL }, { 0 } };
const struct shape flaps_ips_shape = { "AppIps", false, ips_fields };

static const struct shape_field error_fields[] = {
	{ "error", SHAPE_STR, 0, NULL, "for people" },
	{ "status", SHAPE_STR, 0, NULL, "name_taken, insufficient_capacity or unknown" },
	{ "code", SHAPE_STR, 0, NULL, "stable, for programs" },
	{ "field", SHAPE_STR, 0, NULL, "of body or query; empty = none" },
	{ "request", SHAPE_STR, 0, NULL, "as in the header Sixpn-Request and in the controller's log" },
	{ "hint", SHAPE_STR, SHAPE_MAYBE, NULL, "what helps" },
	{ 0 },
};
const struct shape flaps_error_shape = { "MachineError", false, error_fields };
