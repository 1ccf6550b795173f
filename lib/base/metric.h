/* metric - what a daemon can be asked to count, as one table: name, type, labels, help and the function that reads it. Prometheus'
 * text format and the reference page are both written from the table, so neither can say what the other does not.
 *
 * Names are sixpn_<part>_<what>_<unit> in base units, counters end in _total. A family without a sample is left out. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/histogram.h"

#define METRIC_LABELS_MAX 4
#define METRIC_TEXT_MAX (32u << 20) /* of one exposition */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
const char *metric_type_name(enum metric_type type);

struct metric_out;
struct metric {
	const char *name;
	enum metric_type type;
	const char *labels; /* separated by spaces; "" = none */
	const char *help;   /* one sentence */
	void (*read)(void *ctx, const struct metric *row, struct metric_out *out);
	unsigned arg; /* for readers that serve several rows */
};

/* What a reader calls, once per series; label values in the order of the table, as many as it names. */
#define METRIC_LABELS(...) (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)
#define METRIC_NONE NULL, 0
void metric_count(struct metric_out *out, uint64_t value, const char *const *labels, size_t n_labels);
void metric_number(struct metric_out *out, double value, const char *const *labels, size_t n_labels);
void metric_histogram(struct metric_out *out, const struct histogram *value, const char *const *labels, size_t n_labels);

/* Prometheus text format 0.0.4. Check buf_failed() of the text. */
#define METRIC_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
void metric_write(const struct metric *table, size_t n, void *ctx, struct buf *text);
/* The rows of a Markdown table. */
void metric_document(const struct metric *table, size_t n, struct buf *text);
