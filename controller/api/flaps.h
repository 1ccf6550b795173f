/* flaps - what the files of the Machines view share. It is a second view of apps and instances, in the names and forms that flyctl
 * reads; every change goes through the same calls of the store as in ours. Errors are {"error":"sentence","status":...}. */
#pragma once
#include "controller/api/api_nouns.h"
#include "controller/api/flaps_shape.h"
#include "controller/store/store_app.h"
#include "controller/store/store_lease.h"
#include "controller/store/store_machine.h"

/* How it answers: also on paths that both views have, to whoever says that he is flyctl. */
extern const struct route_manner flaps_manner;
/* "/v1/apps/web/...": only that view has such paths. */
bool flaps_is_below_app(const struct http_target *target);
/* The error of a path that is in nobody's table, in a sentence that names it. */
json_t *flaps_nothing_there(const char *method, const struct http_target *target, const char *request_id);

/* The words of Fly's machine states: created, starting, started, stopping, stopped, restarting, replacing, failed, destroying. */
const char *flaps_state(const struct instance_record *rec);
/* New reference. Its host_status is "unknown" until flaps_finish_machines has looked at the nodes. */
json_t *flaps_machine_json(const struct store_machine *machine);
json_t *flaps_metadata_json(const struct instance_record *rec);
json_t *flaps_event_json(const struct store_machine_event *event);
/* As route->finish: host_status of the machine, or of the list of machines, in call->reply. */
void flaps_finish_machines(struct api_call *call);
json_t *flaps_lease_json(const struct store_lease *lease, const char *version, bool with_nonce);

/* The machine of the path, {app} and {instance}. `texts` keeps what it borrows. */
int flaps_find(struct store *store, struct api_call *call, struct buf *texts, struct store_machine *ret) MUST_CHECK;
/* ... that is to be changed now: by somebody who may, and against no lease of another. */
int flaps_find_to_change(struct store *store, struct api_call *call, struct buf *texts, struct store_machine *ret) MUST_CHECK;
/* call->reply is that machine as it is now. */
int flaps_reply_machine(struct store *store, struct api_call *call, const char *id) MUST_CHECK;

/* What GET .../wait waits for. */
const char *flaps_wanted_state(const struct api_call *call);

/* Of api_app's routes. The keys that flyctl reads of an app, put into ours (it looks the slug up in its list of organizations, where who's
 * own is "personal"); the list that it asks for with org_slug; creation in the words of either view. */
#define FLAPS_APPS_MAX 2000
void flaps_add_app(json_t *reply, const struct principal *who, const struct store_app *app);
int flaps_list_apps(struct store *store, struct api_call *call, json_t *(*app_json)(const struct api_call *call, const struct store_app *app)) MUST_CHECK;
int flaps_check_create_app(struct api_call *call, struct why *why) MUST_CHECK;
int flaps_create_app(struct store *store, struct api_call *call, struct store_app *ret_app) MUST_CHECK;
