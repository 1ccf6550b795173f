/* sync_events - what the controller's word does to the node, and what the node says in its polls. */
#include "node/apply_internal.h"
#include "node/awaits.h"

#include "lib/base/log.h"
#include "lib/sixpn/pb.h"
#include "node/enroll.h"
#include "node/health.h"
#include "node/scrape.h"
#include "proto/sixpn.pb-c.h"

#include <string.h>

#define AWAITS_PER_POLL 64

static void on_apply(void *ctx, const struct replica_change *change)
{
	node_apply(ctx, change);
}

struct poll_extras {
	struct node_errors_said errors;
	Sixpn__Gateway gateway;
	Sixpn__Endpoint endpoints[RECORD_ENDPOINTS_MAX], *endpoint_list[RECORD_ENDPOINTS_MAX];
	struct addr_endpoint endpoints_at[RECORD_ENDPOINTS_MAX]; /* what they borrow */
	Sixpn__Endpoint metrics;
	struct addr_endpoint metrics_at; /* what it borrows */
	Sixpn__Await awaits[AWAITS_PER_POLL], *await_list[AWAITS_PER_POLL];
};

/* What is applied and not answered yet must not pass for done. It needs no memory: that is what there is none of. */
void node_say_errors(struct node *node, struct node_errors_said *said, struct Sixpn__PollRequest *poll)
{
	struct node_error behind = { .kind = RECORD_NODE, .key_len = 4, .v = node->replica.v,
				     .text = "names: there is no memory for the new ones, the name server gives older answers" };

	put_u32(behind.key, node->identity.host);
	node_errors_say(&node->errors, names_are_behind(node->names) ? &behind : NULL, said, poll);
}

/* The configuration may have changed since this machine joined. */
static void say_gateway(const struct node *node, Sixpn__Gateway *ret, struct Sixpn__PollRequest *poll)
{
	const char *host = config_str(node->config, "gateway_host");

	sixpn__gateway__init(ret);
	ret->host = pb_bytes(host, strlen(host));
	ret->port = (uint32_t)config_int(node->config, "gateway_port");
	ret->key = pb_bytes(node->identity.gateway_public, sizeof node->identity.gateway_public);
	poll->gateway = ret;
}

/* Where other nodes dial this one. Its address may be another than when it joined: a lease, a container that was made anew. Asked of
 * the connection that the poll goes by, because the controller's name may be slow to resolve. */
static void say_endpoints(const struct node *node, struct poll_extras *x, struct Sixpn__PollRequest *poll)
{
	struct addr_endpoint own = { .port = 1 };
	struct link_source source;
	char text[ADDR_ENDPOINT_TEXT_LEN];
	size_t n;

	link_client_own_address(node->link, &source);
	if (!source.len)
		return;
	own.address_len = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)source.address) ? 4 : 16;
	memcpy(own.address, source.address + sizeof source.address - own.address_len, own.address_len);
	addr_endpoint_text(&own, text);
	if (enroll_endpoints(node->config, text, x->endpoints_at, &n, NULL))
		return;
	for (size_t i = 0; i < n; i++) {
		sixpn__endpoint__init(&x->endpoints[i]);
		x->endpoints[i].address = pb_bytes(x->endpoints_at[i].address, x->endpoints_at[i].address_len);
		x->endpoints[i].port = x->endpoints_at[i].port;
		x->endpoint_list[i] = &x->endpoints[i];
	}
	poll->endpoints = x->endpoint_list;
	poll->n_endpoints = n;
}

static void say_metrics(const struct node *node, struct poll_extras *x, struct Sixpn__PollRequest *poll)
{
	if (!scrape_find_open(config_str(node->config, "metrics_listen"), &x->metrics_at))
		return;
	sixpn__endpoint__init(&x->metrics);
	x->metrics.address = pb_bytes(x->metrics_at.address, x->metrics_at.address_len);
	x->metrics.port = x->metrics_at.port;
	poll->metrics = &x->metrics;
}

static void on_fill_poll(void *ctx, struct Sixpn__PollRequest *poll)
{
	static __thread struct poll_extras x; /* lives until the next call, as sync.h promises */
	struct node *node = ctx;

	node_say_errors(node, &x.errors, poll);
	if (poll->at_once && node->identity.has_gateway_key)
		say_gateway(node, &x.gateway, poll);
	if (poll->at_once)
		say_metrics(node, &x, poll);
	say_endpoints(node, &x, poll); /* always: the first poll of a start is made before there is a connection */
	for (struct node_await *a = node->awaits; a && poll->n_await < AWAITS_PER_POLL; a = a->next) {
		Sixpn__Await *out = &x.awaits[poll->n_await];

		sixpn__await__init(out);
		out->network = a->network;
		out->v = a->v;
		x.await_list[poll->n_await++] = out;
	}
	poll->await = x.await_list;
	health_fill_poll(node, &node->said, poll);
}

/* The roles were fixed when this machine joined: what was added to the configuration since gets nothing to do. */
static void compare_roles(const struct node *node)
{
	const struct record *record = apply_find_u32(&node->replica, RECORD_NODE, node->identity.host);
	struct node_record own;

	if (record && node_decode(record, &own, NULL) == 0 && node->role_bits & ~own.roles)
		log_err("sync", "the controller knows this machine without the role %s: leave, then join with a token for all of its roles",
			node->role_bits & ~own.roles & ROLE_GATEWAY ? "gateway" : "host");
}

static void on_synced(void *ctx)
{
	struct node *node = ctx;

	compare_roles(node);

	dns_views_set_synced(node->views, true); /* SERVFAIL stays SERVFAIL, but for another reason */
	log_info("sync", "in step with the controller at V %llu, %zu records", (unsigned long long)node->replica.v, node->replica.records.n);
}

static void on_heard(void *ctx)
{
	struct node *node = ctx;

	node->hears = true;
	node->heard_ms = (int64_t)clock_mono_ms(&node->clock);
	if (node->role_peers.n_over && loop_set_timer_in(node->loop, &node->peers_due, 0) < 0) /* its word counts again */
		log_err("apply", "no memory for a timer: peers that had expired wait for the next change");
	node_publish_heard(node);
}

const struct sync_events node_sync_events = {
	.apply = on_apply,
	.heard = on_heard,
	.settled = awaits_settled,
	.fill_poll = on_fill_poll,
	.synced = on_synced,
};
