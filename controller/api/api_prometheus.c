/* api_prometheus - what Prometheus should scrape, in the form of its http_sd_config: a list of {targets, labels}. */
#include "controller/api/api_nouns.h"
#include "controller/api/shape.h"

#include <string.h>

static const struct shape_field target_fields[] = {
	{ "targets", SHAPE_STRINGS, 0, NULL, "address:port" },
	{ "labels", SHAPE_MAP, 0, NULL, "job, and of nodes: node, region, roles, version" },
	{ 0 },
};
static const struct shape target_shape = { "ScrapeTarget", false, target_fields };

/* As it was reached, which the one who scrapes can do again. Prometheus wants no scheme there. */
static json_t *controller_target(const struct api_env *env)
{
	const char *url = env->access ? env->access->url : "", *host = strstr(url, "://");
	bool tls = !strncmp(url, "https:", 6);

	if (!host)
		return NULL;
	host += 3;
	return json_pack("{s:[o],s:{s:s,s:s,s:s}}", "targets", json_stringn(host, strcspn(host, "/")), "labels", "job", "sixpn-controller", "version",
			 SIXPN_VERSION, "__scheme__", tls ? "https" : "http");
}

static void add_node(void *ctx, const struct api_node_state *node)
{
	const char *roles = node->roles == ROLE_HOST ? "host" : node->roles == ROLE_GATEWAY ? "gateway" : "host,gateway";

	if (node->metrics[0])
		json_array_append_new(ctx, json_pack("{s:[s],s:{s:s,s:s,s:s,s:s,s:s}}", "targets", node->metrics, "labels", "job", "sixpn-node", "node",
						     node->name, "region", node->region, "roles", roles, "version", node->version));
}

static int targets(struct api_call *call, struct why *why)
{
	const struct api_env *env = api_get_env(call->api);
	json_t *list = json_array(), *controller = controller_target(env);

	(void)why;
	if (controller)
		json_array_append_new(list, controller);
	env->ops->each_node(env->ctx, add_node, list);
	call->reply = list;
	return 0;
}

const struct route api_prometheus_routes[] = {
	{ "GET", "/v1/prometheus/targets", ROUTE_NEAR, .reply = &target_shape, .array = true, .answer = targets,
	  .help = "for http_sd_configs of Prometheus: this controller, and the nodes that others can scrape" },
	{ 0 },
};
