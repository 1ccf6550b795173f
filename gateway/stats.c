/* stats - see stats.h. */
#include "gateway/stats.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct telling {
	struct role_peer_stats told[STATS_TELL_MAX];
	size_t n;
	void (*tell)(void *ctx, const struct role_peer_stats *told, size_t n);
	void *ctx;
};

static void flush(struct telling *t)
{
	if (t->n)
		t->tell(t->ctx, t->told, t->n);
	t->n = 0;
}

static void endpoint_text(const struct sockaddr_storage *endpoint, char *ret_text, size_t size)
{
	const struct sockaddr_in6 *in6 = (const void *)endpoint;
	const struct sockaddr_in *in4 = (const void *)endpoint;
	char host[INET6_ADDRSTRLEN];

	ret_text[0] = 0;
	if (endpoint->ss_family == AF_INET && inet_ntop(AF_INET, &in4->sin_addr, host, sizeof host))
		snprintf(ret_text, size, "%s:%u", host, ntohs(in4->sin_port));
	else if (endpoint->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) &&
		 inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof host))
		snprintf(ret_text, size, "%s:%u", host, ntohs(in6->sin6_port));
	else if (endpoint->ss_family == AF_INET6 && inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host))
		snprintf(ret_text, size, "[%s]:%u", host, ntohs(in6->sin6_port));
}

/* Nothing is said of a peer that was never there: that is what is known without us. */
static bool is_news(const struct peers_entry *e, uint64_t now_ms)
{
	const struct wg_peer_status *seen = &e->seen;

	if (!e->said_ms)
		return seen->last_handshake_s != 0;
	if (seen->last_handshake_s != e->said_handshake_s || !wg_endpoint_equal(&seen->peer.endpoint, &e->said_endpoint))
		return true;
	return (seen->rx_bytes != e->said_rx || seen->tx_bytes != e->said_tx) && now_ms >= e->said_ms + STATS_BYTES_MS;
}

static void say(struct telling *t, struct peers_entry *e, uint64_t now_ms)
{
	struct role_peer_stats *out = &t->told[t->n++];

	*out = (struct role_peer_stats){ .last_handshake_ms = e->seen.last_handshake_s * 1000, .rx_bytes = e->seen.rx_bytes, .tx_bytes = e->seen.tx_bytes };
	memcpy(out->peer, e->id, sizeof out->peer);
	endpoint_text(&e->seen.peer.endpoint, out->endpoint, sizeof out->endpoint);
	e->said_ms = now_ms ? now_ms : 1;
	e->said_handshake_s = e->seen.last_handshake_s;
	e->said_rx = e->seen.rx_bytes;
	e->said_tx = e->seen.tx_bytes;
	e->said_endpoint = e->seen.peer.endpoint;
	if (t->n == STATS_TELL_MAX)
		flush(t);
}

static void keep(struct stats *s, struct peers_entry *e, const struct wg_peer_status *status)
{
	bool fresh = status->last_handshake_s && (e->is_seen ? status->last_handshake_s != e->seen.last_handshake_s : e->wanted_ms != 0);

	s->handshakes += fresh;
	e->seen = *status;
	e->seen.peer.allowed = NULL;
	e->seen.peer.n_allowed = 0;
	e->seen.peer.has_preshared = false;
	memset(e->seen.peer.preshared_key, 0, WG_KEY_LEN);
	e->is_seen = true;
}

void stats_take(struct stats *s, struct peers *peers, const struct wg_observed *observed, const struct clock *clock,
		void (*tell)(void *ctx, const struct role_peer_stats *told, size_t n), void *ctx)
{
	uint64_t now_ms = clock_mono_ms(clock), now_s = clock_real_ms(clock) / 1000;
	struct telling t = { .tell = tell, .ctx = ctx };

	s->online = s->offline = s->never = 0;
	for (size_t i = 0; i < observed->n; i++) {
		struct peers_entry *e = peers_find(peers, observed->peers[i].peer.public_key);
		uint64_t last = observed->peers[i].last_handshake_s;

		if (!e)
			continue;
		keep(s, e, &observed->peers[i]);
		*(!last ? &s->never : last + STATS_ONLINE_S > now_s ? &s->online : &s->offline) += 1;
		if (is_news(e, now_ms))
			say(&t, e, now_ms);
	}
	flush(&t);
}
