/* flaps_shape - what the replies of the Machines view look like; see shape.h. */
#pragma once
#include "controller/api/shape.h"

extern const struct shape flaps_machine_shape, flaps_event_shape, flaps_ok_shape, flaps_lease_shape, flaps_metadata_shape,
	flaps_regions_shape, flaps_org_shape, flaps_orgs_shape, flaps_build_shape, flaps_apps_shape, flaps_app_org_shape, flaps_error_shape,
	flaps_ip_shape, flaps_ips_shape;

/* The rows that an app has beside ours. */
#define FLAPS_APP_FIELDS                                                                                             \
	{ "internal_numeric_id", SHAPE_INT, 0, NULL, "for flyctl" }, { "status", SHAPE_STR, SHAPE_MOVES, NULL, "for flyctl" }, \
		{ "machine_count", SHAPE_INT, SHAPE_MOVES, NULL, "the same as instances" },                          \
		{ "volume_count", SHAPE_INT, 0, NULL, "0: there are none" },                                         \
		{ "organization", SHAPE_OBJECT, 0, &flaps_app_org_shape, "the same as org" },                        \
		{ "cname_target", SHAPE_STR, 0, NULL, "empty: there is none" },                                      \
	{ "app_role", SHAPE_STR, SHAPE_NULL, NULL, "null: there are none" }
