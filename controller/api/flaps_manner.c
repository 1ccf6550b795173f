/* flaps_manner - how the Machines view refuses and ends waiting. flyctl shows "error" as it is, tests some of its words, and reads
 * "status"; what our own errors have beside it comes under its own name. */
#include "controller/api/flaps.h"
#include "controller/store/error.h"

#include <stdio.h>
#include <string.h>

/* What went wrong, in the few words that the client has for it. */
static const char *status_word(const char *code)
{
	if (!strcmp(code, "name_taken"))
		return "name_taken";
	if (!strncmp(code, "no_host", 7) || !strcmp(code, "quota_exceeded") || !strcmp(code, "region_full"))
		return "insufficient_capacity";
	return "unknown";
}

/* Sentences that the client looks for. */
static json_t *sentence(const struct why *why)
{
	if (!strcmp(why->code, "instance_not_found"))
		return json_sprintf("machine not found: %s", why->text);
	if (!strcmp(why->code, "name_taken"))
		return json_sprintf("Name has already been taken: %s", why->text);
	return json_string(why->text);
}

static json_t *error_json(const struct why *told, const char *request_id)
{
	const char *hint = error_find(told->code)->hint;
	struct why tame = *told;
	const struct why *why = &tame;
	json_t *j;

	/* they may quote what was sent, cut in the middle of a character, and JSON takes no such text */
	name_tame(tame.field);
	name_tame(tame.text);
	j = json_pack("{s:o,s:s,s:s,s:s,s:s}", "error", sentence(why), "status", status_word(why->code), "code", why->code, "field", why->field,
		      "request", request_id);
	if (hint[0])
		json_object_set_new(j, "hint", json_string(hint));
	return j;
}

static json_t *refusal(struct api_call *call, const struct why *why, unsigned *status)
{
	if (!strcmp(why->code, "name_taken"))
		*status = 422;
	return error_json(why, call->request->id);
}

/* The end of GET .../wait. */
static unsigned end_of_wait(struct api_call *call, const struct api_wait_result *result)
{
	const char *state = result->observed[0] ? result->observed : "created", *wanted = flaps_wanted_state(call);
	struct why why;

	json_decref(call->reply);
	if (result->applied) {
		call->reply = json_pack("{s:b}", "ok", 1);
		return 200;
	}
	if (result->ended)
		why_set(&why, "machine_ended", "", "machine failed to reach desired state, %s, currently %s", wanted, state);
	else
		why_set(&why, "deadline_exceeded", "", "deadline exceeded: machine %s is not %s everywhere yet, currently %s", call->wait.instance,
			wanted, state);
	call->reply = error_json(&why, call->request->id);
	return (unsigned)error_http_status(why.code);
}

static unsigned waited(struct api_call *call, const struct api_wait_result *result)
{
	if (!call->route->write)
		return end_of_wait(call, result);
	api_add_wait_result(call->reply, &call->wait, result);
	return result->applied ? 200 : 202;
}

const struct route_manner flaps_manner = { refusal, waited };

bool flaps_is_below_app(const struct http_target *target)
{
	return target->n_segments > 3 && !strcmp(target->segments[0], "v1") && !strcmp(target->segments[1], "apps");
}

json_t *flaps_nothing_there(const char *method, const struct http_target *target, const char *request_id)
{
	char path[160] = "";
	struct why why;

	for (size_t i = 0; i < target->n_segments; i++) {
		size_t at = strlen(path);

		snprintf(path + at, sizeof path - at, "/%.40s", target->segments[i]);
	}
	why_set(&why, "route_not_found", "", "sixpn does not offer %s %s", method, path);
	return error_json(&why, request_id);
}
