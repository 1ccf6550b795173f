/* metrics - the one table of what the controller exports at /metrics: its own numbers, and those of the nodes with their name. */
#pragma once
#include "controller/api/http_stats.h"
#include "lib/base/metric.h"

struct controller;

/* http may be NULL. */
void controller_metrics(const struct controller *c, const struct http_stats *http, struct buf *text);
/* docs/reference/metrics.md, the controller's part. */
void controller_metrics_document(struct buf *text);
