/* api_access - how other programs get to this API, and the place where flyctl puts its own measurements, which nobody keeps. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"
#include "controller/http/http_tls.h"

static const struct shape_field certificate_fields[] = {
	{ "pin", SHAPE_STR, 0, NULL, "sha256: and the hash of its SubjectPublicKeyInfo" },
	{ "self_made", SHAPE_BOOL, 0, NULL, "no authority vouches for it: clients pin the key" },
	{ "not_after", SHAPE_TIME, 0, NULL, NULL },
	{ 0 },
};
static const struct shape certificate_shape = { "Certificate", false, certificate_fields };
static const struct shape_field access_fields[] = {
	{ "url", SHAPE_STR, 0, NULL, NULL },
	{ "certificate", SHAPE_OBJECT, SHAPE_NULL, &certificate_shape, "of https, if it is spoken" },
	{ 0 },
};
const struct shape api_access_shape = { "Access", false, access_fields };
static const struct shape nothing_shape = { "Nothing", false, NULL };

json_t *api_access_json(const struct api_env *env)
{
	const struct api_access *access = env->access;
	const struct certificate *certificate;
	json_t *j;

	if (!access || !access->url[0])
		return NULL;
	j = json_pack("{s:s,s:n}", "url", access->url, "certificate");
	if (access->tls) {
		certificate = http_tls_current(access->tls);
		json_object_set_new(j, "certificate", json_pack("{s:s,s:b,s:o}", "pin", certificate_pin(certificate), "self_made", access->self_made,
								"not_after", api_json_time(certificate_not_after_ms(certificate))));
	}
	return j;
}

static int show_access(struct api_call *call, struct why *why)
{
	call->reply = api_access_json(api_get_env(call->api));
	return call->reply ? 0 : why_set(why, "unavailable", "", "this controller does not know its own address: set external_url");
}

static int drop_metrics(struct api_call *call, struct why *why)
{
	(void)why;
	call->reply = json_object();
	return 0;
}

const struct route api_access_routes[] = {
	{ "GET", "/v1/access", ROUTE_TOKEN, .reply = &api_access_shape, .answer = show_access,
	  .help = "the address at which programs reach this API, and the key of its certificate" },
	{ "POST", "/metrics_post", ROUTE_TOKEN, .reply = &nothing_shape, .drops = true, .answer = drop_metrics,
	  .help = "flyctl's measurements of itself: answered and thrown away" },
	{ 0 },
};
