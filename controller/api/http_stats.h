/* http_stats - requests by route, status and duration. The route, never the path: paths hold names of customers and have no end. */
#pragma once
#include "lib/base/map.h"
#include "lib/base/metric.h"

struct route;
struct http_tls;
struct http_server;
struct event_stream_stats;
struct http_stats {
	const struct event_stream_stats *streams; /* NULL: none */
	const struct http_tls *tls; /* NULL: no https */
	const struct http_server *server; /* NULL: not known yet */
	uint64_t limited_tokens, limited_shares;
	struct map routes; /* route -> struct http_stats_route */
};

void http_stats_deinit(struct http_stats *s);
/* route NULL = no such route. */
void http_stats_note(struct http_stats *s, const struct route *route, unsigned status, uint64_t us);
void http_stats_write_counts(const struct http_stats *s, struct metric_out *out); /* labels method, route, code */
void http_stats_write_times(const struct http_stats *s, struct metric_out *out);  /* labels method, route */
void http_stats_write_connections(const struct http_stats *s, struct metric_out *out);
void http_stats_write_closed(const struct http_stats *s, struct metric_out *out);  /* label reason */
void http_stats_write_limited(const struct http_stats *s, struct metric_out *out); /* label what */
void http_stats_write_streams(const struct http_stats *s, struct metric_out *out);       /* how many there are */
void http_stats_write_streams_ended(const struct http_stats *s, struct metric_out *out); /* label reason */
void http_stats_write_events(const struct http_stats *s, struct metric_out *out);        /* that were sent */
void http_stats_write_expiry(const struct http_stats *s, struct metric_out *out);
void http_stats_write_reloads(const struct http_stats *s, struct metric_out *out); /* label result */
