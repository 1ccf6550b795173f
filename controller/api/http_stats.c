/* http_stats - see http_stats.h. */
#include "controller/api/http_stats.h"

#include "controller/api/event_stream.h"
#include "controller/api/route.h"
#include "controller/http/http.h"
#include "controller/http/http_tls.h"

#include <stdio.h>
#include <stdlib.h>

#define STATUS_SLOTS 600

static const struct route no_route = { .method = "", .pattern = "none" };

struct http_stats_route {
	const struct route *route; /* the key of the map is this pointer */
	struct histogram times;
	uint32_t counts[STATUS_SLOTS];
};

void http_stats_deinit(struct http_stats *s)
{
	struct http_stats_route *r;

	for (size_t i = 0; (r = map_next(&s->routes, &i));)
		free(r);
	map_deinit(&s->routes);
	*s = (struct http_stats){ 0 };
}

void http_stats_note(struct http_stats *s, const struct route *route, unsigned status, uint64_t us)
{
	struct http_stats_route *r;

	if (!route)
		route = &no_route;
	r = map_get(&s->routes, &route, sizeof route);
	if (!r) {
		r = calloc(1, sizeof *r);
		if (!r)
			return;
		r->route = route;
		if (map_set(&s->routes, &r->route, sizeof r->route, r, NULL) < 0) {
			free(r);
			return;
		}
	}
	histogram_add(&r->times, us);
	r->counts[status < STATUS_SLOTS ? status : 0]++;
}

void http_stats_write_counts(const struct http_stats *s, struct metric_out *out)
{
	const struct http_stats_route *r;
	char code[12];

	for (size_t i = 0; (r = map_next(&s->routes, &i));)
		for (unsigned status = 0; status < STATUS_SLOTS; status++)
			if (r->counts[status]) {
				snprintf(code, sizeof code, "%u", status);
				metric_count(out, r->counts[status], METRIC_LABELS(r->route->method, r->route->pattern, code));
			}
}

void http_stats_write_times(const struct http_stats *s, struct metric_out *out)
{
	const struct http_stats_route *r;

	for (size_t i = 0; (r = map_next(&s->routes, &i));)
		metric_histogram(out, &r->times, METRIC_LABELS(r->route->method, r->route->pattern));
}

void http_stats_write_expiry(const struct http_stats *s, struct metric_out *out)
{
	if (s->tls)
		metric_number(out, (double)http_tls_stats(s->tls).expires_ms / 1000, METRIC_NONE);
}

void http_stats_write_reloads(const struct http_stats *s, struct metric_out *out)
{
	struct http_tls_stats stats;

	if (!s->tls)
		return;
	stats = http_tls_stats(s->tls);
	metric_count(out, stats.reloads, METRIC_LABELS("good"));
	metric_count(out, stats.failed_reloads, METRIC_LABELS("failed"));
}

void http_stats_write_connections(const struct http_stats *s, struct metric_out *out)
{
	if (s->server)
		metric_number(out, (double)http_server_counts(s->server).connections, METRIC_NONE);
}

void http_stats_write_closed(const struct http_stats *s, struct metric_out *out)
{
	struct http_counts counts;

	if (!s->server)
		return;
	counts = http_server_counts(s->server);
	metric_count(out, counts.refused, METRIC_LABELS("address"));
	metric_count(out, counts.evicted, METRIC_LABELS("room"));
	metric_count(out, counts.late, METRIC_LABELS("slow"));
}

void http_stats_write_limited(const struct http_stats *s, struct metric_out *out)
{
	if (s->server)
		metric_count(out, http_server_counts(s->server).limited, METRIC_LABELS("address"));
	metric_count(out, s->limited_tokens, METRIC_LABELS("token"));
	metric_count(out, s->limited_shares, METRIC_LABELS("organization"));
}

void http_stats_write_streams(const struct http_stats *s, struct metric_out *out)
{
	if (s->streams)
		metric_count(out, s->streams->now, METRIC_NONE);
}

void http_stats_write_streams_ended(const struct http_stats *s, struct metric_out *out)
{
	const struct event_stream_stats *e = s->streams;

	if (!e)
		return;
	metric_count(out, e->ended_client, METRIC_LABELS("client"));
	metric_count(out, e->ended_slow, METRIC_LABELS("slow"));
	metric_count(out, e->ended_revoked, METRIC_LABELS("revoked"));
	metric_count(out, e->ended_expired, METRIC_LABELS("expired"));
	metric_count(out, e->ended_stopped, METRIC_LABELS("stopped"));
}

void http_stats_write_events(const struct http_stats *s, struct metric_out *out)
{
	if (s->streams)
		metric_count(out, s->streams->sent, METRIC_NONE);
}
