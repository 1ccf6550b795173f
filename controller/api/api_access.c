/* api_access - how other programs get to this API, and the place where flyctl puts its own measurements, which nobody keeps. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"

static const struct shape_field access_fields[] = { { "url", SHAPE_STR, 0, NULL, NULL }, { 0 } };
static const struct shape access_shape = { "Access", false, access_fields };
static const struct shape nothing_shape = { "Nothing", false, NULL };

static int show_access(struct api_call *call, struct why *why)
{
	const struct api_access *access = api_get_env(call->api)->access;

	if (!access || !access->url[0])
		return why_set(why, "unavailable", "", "this controller does not know its own address: set external_url");
	call->reply = json_pack("{s:s}", "url", access->url);
	return 0;
}

static int drop_metrics(struct api_call *call, struct why *why)
{
	(void)why;
	call->reply = json_object();
	return 0;
}

const struct route api_access_routes[] = {
	{ "GET", "/v1/access", ROUTE_TOKEN, .reply = &access_shape, .answer = show_access, .help = "the address at which programs reach this API" },
	{ "POST", "/metrics_post", ROUTE_TOKEN, .reply = &nothing_shape, .drops = true, .answer = drop_metrics,
	  .help = "flyctl's measurements of itself: answered and thrown away" },
	{ 0 },
};
