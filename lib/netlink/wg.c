/* wg - see wg.h. */
#include "lib/netlink/wg.h"
#include "lib/base/crypto.h"
#include "lib/netlink/wg_plan.h"

#include <stdlib.h>
#include <string.h>

#define GREETING_KEEPALIVE_S 25

struct wg_prefix wg_prefix_in6(const struct in6_addr *addr, uint8_t len)
{
	struct wg_prefix prefix = { .family = AF_INET6, .len = len };

	for (unsigned i = 0; i < 16 && i * 8 < len; i++) {
		unsigned bits = len - i * 8 >= 8 ? 8 : len - i * 8;

		prefix.addr[i] = (uint8_t)(addr->s6_addr[i] & (0xff00 >> bits));
	}
	return prefix;
}

bool wg_prefix_equal(const struct wg_prefix *a, const struct wg_prefix *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* Everything as IPv6, so that the two ways to write an IPv4 endpoint are one. */
static bool endpoint_as_in6(const struct sockaddr_storage *endpoint, struct sockaddr_in6 *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (endpoint->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)endpoint;

		ret->sin6_addr = in6->sin6_addr;
		ret->sin6_port = in6->sin6_port;
		ret->sin6_scope_id = in6->sin6_scope_id;
		return true;
	}
	if (endpoint->ss_family == AF_INET) {
		const struct sockaddr_in *in4 = (const void *)endpoint;

		ret->sin6_addr.s6_addr[10] = ret->sin6_addr.s6_addr[11] = 0xff;
		memcpy(&ret->sin6_addr.s6_addr[12], &in4->sin_addr, 4);
		ret->sin6_port = in4->sin_port;
		return true;
	}
	return false;
}

bool wg_endpoint_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	struct sockaddr_in6 one, two;
	bool has_one = endpoint_as_in6(a, &one), has_two = endpoint_as_in6(b, &two);

	return has_one == has_two && !memcmp(&one, &two, sizeof(one));
}

struct observing {
	struct wg_observed *observed;
	int error;
};

static void free_statuses(struct wg_peer_status *peers, size_t n)
{
	if (peers)
		crypto_wipe(peers, n * sizeof(*peers));
	free(peers);
}

/* realloc would leave preshared keys behind. */
int wg_observed_add(struct wg_observed *observed, const struct wg_peer_status *status)
{
	if (observed->n == observed->cap) {
		size_t cap = observed->cap ? observed->cap * 2 : 64;
		struct wg_peer_status *peers = calloc(cap, sizeof(*peers));

		if (!peers)
			return -ENOMEM;
		if (observed->n)
			memcpy(peers, observed->peers, observed->n * sizeof(*peers));
		free_statuses(observed->peers, observed->n);
		observed->peers = peers;
		observed->cap = cap;
	}
	observed->peers[observed->n++] = *status;
	return 0;
}

static void observe_peer(void *ctx, const struct wg_peer_status *status)
{
	struct observing *observing = ctx;
	struct wg_peer_status copy = *status;
	struct wg_prefix *allowed = NULL;

	if (observing->error)
		return;
	if (status->peer.n_allowed) {
		allowed = malloc(status->peer.n_allowed * sizeof(*allowed));
		if (!allowed) {
			observing->error = -ENOMEM;
			return;
		}
		memcpy(allowed, status->peer.allowed, status->peer.n_allowed * sizeof(*allowed));
	}
	copy.peer.allowed = allowed;
	observing->error = wg_observed_add(observing->observed, &copy);
	if (observing->error)
		free(allowed);
	crypto_wipe(copy.peer.preshared_key, WG_KEY_LEN);
}

int wg_observe(const struct wg *wg, struct wg_observed *ret_observed)
{
	struct wg_observed observed = { 0 };
	struct observing observing = { .observed = &observed };
	int r = wg_dump(wg, observe_peer, &observing, &observed.device);

	if (r == 0)
		r = observing.error;
	if (r == 0)
		*ret_observed = observed;
	else
		wg_observed_deinit(&observed);
	return r;
}

void wg_observed_deinit(struct wg_observed *observed)
{
	for (size_t i = 0; i < observed->n; i++)
		free((void *)observed->peers[i].peer.allowed);
	free_statuses(observed->peers, observed->n);
	*observed = (struct wg_observed){ 0 };
}

int wg_reconcile(const struct wg *wg, const struct wg_peer *desired, size_t n, size_t *ret_steps, struct why *why)
{
	struct wg_observed observed;
	struct wg_plan plan;
	int r = wg_observe(wg, &observed);

	if (r)
		return r;
	r = wg_plan_make(desired, n, observed.peers, observed.n, &plan, why);
	if (r == 0) {
		if (plan.n)
			r = wg_apply(wg, plan.steps, plan.n);
		if (r == 0 && ret_steps)
			*ret_steps = plan.n;
		wg_plan_deinit(&plan);
	}
	wg_observed_deinit(&observed);
	return r;
}

/* The one lever there is, in the kernel and in wireguard-go: a keepalive that is switched on is sent at once. */
int wg_greet(const struct wg *wg, const struct wg_peer *desired, size_t n)
{
	struct wg_peer *peers = calloc(2 * n + 1, sizeof(*peers));
	struct wg_step *steps = calloc(2 * n + 1, sizeof(*steps));
	size_t k = 0;
	int r = peers && steps ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (desired[i].keepalive_s || !desired[i].endpoint.ss_family)
			continue;
		for (unsigned off = 0; off < 2; off++, k++) {
			peers[k] = desired[i];
			peers[k].keepalive_s = off ? 0 : GREETING_KEEPALIVE_S;
			peers[k].n_allowed = 0;
			steps[k] = (struct wg_step){ .kind = WG_STEP_UPDATE, .peer = &peers[k], .set_keepalive = true };
		}
	}
	if (r == 0 && k)
		r = wg_apply(wg, steps, k);
	if (peers)
		crypto_wipe(peers, k * sizeof(*peers)); /* copies of preshared keys */
	free(peers);
	free(steps);
	return r;
}
