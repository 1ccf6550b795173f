/* metric - see metric.h. */
#include "lib/base/metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metric_out {
	struct buf *text;
	const struct metric *metric;
	bool headed;
};

const char *metric_type_name(enum metric_type type)
{
	switch (type) {
	case METRIC_COUNTER: return "counter";
	case METRIC_GAUGE: return "gauge";
	case METRIC_HISTOGRAM: return "histogram";
	}
	return "?";
}

static void add_escaped(struct buf *text, const char *value, bool quote)
{
	for (; *value; value++) {
		if (*value == '\\')
			buf_add_str(text, "\\\\");
		else if (*value == '\n')
			buf_add_str(text, "\\n");
		else if (*value == '"' && quote)
			buf_add_str(text, "\\\"");
		else
			buf_add_u8(text, (uint8_t)*value);
	}
}

static void head(struct metric_out *out)
{
	const struct metric *m = out->metric;

	if (out->headed)
		return;
	out->headed = true;
	buf_printf(out->text, "# HELP %s ", m->name);
	add_escaped(out->text, m->help, false);
	buf_printf(out->text, "\n# TYPE %s %s\n", m->name, metric_type_name(m->type));
}

static size_t count_words(const char *words)
{
	size_t n = 0;

	for (const char *p = words; *p; p += strcspn(p, " "), p += strspn(p, " "))
		n++;
	return n;
}

/* name<suffix>{labels,le="..."}; le may be NULL. */
static void add_series(struct metric_out *out, const char *suffix, const char *const *labels, size_t n_labels, const char *le)
{
	const char *name = out->metric->labels;

	if (n_labels != count_words(name))
		abort(); /* a reader that does not fit its row: a bug of ours that the first test of it meets */
	head(out);
	buf_printf(out->text, "%s%s", out->metric->name, suffix);
	if (n_labels || le)
		buf_add_u8(out->text, '{');
	for (size_t i = 0; i < n_labels; i++) {
		buf_printf(out->text, "%s%.*s=\"", i ? "," : "", (int)strcspn(name, " "), name);
		add_escaped(out->text, labels[i], true);
		buf_add_u8(out->text, '"');
		name += strcspn(name, " ");
		name += strspn(name, " ");
	}
	if (le)
		buf_printf(out->text, "%sle=\"%s\"", n_labels ? "," : "", le);
	if (n_labels || le)
		buf_add_u8(out->text, '}');
}

void metric_count(struct metric_out *out, uint64_t value, const char *const *labels, size_t n_labels)
{
	add_series(out, "", labels, n_labels, NULL);
	buf_printf(out->text, " %llu\n", (unsigned long long)value);
}

void metric_number(struct metric_out *out, double value, const char *const *labels, size_t n_labels)
{
	add_series(out, "", labels, n_labels, NULL);
	buf_printf(out->text, " %.15g\n", value);
}

void metric_histogram(struct metric_out *out, const struct histogram *value, const char *const *labels, size_t n_labels)
{
	struct histogram h = histogram_read(value);
	uint64_t n = 0;
	char le[24];

	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		n += h.counts[i];
		snprintf(le, sizeof le, "%.6g", histogram_bounds_us[i] / 1e6);
		add_series(out, "_bucket", labels, n_labels, le);
		buf_printf(out->text, " %llu\n", (unsigned long long)n);
	}
	n += h.counts[HISTOGRAM_BOUNDS];
	add_series(out, "_bucket", labels, n_labels, "+Inf");
	buf_printf(out->text, " %llu\n", (unsigned long long)n);
	add_series(out, "_sum", labels, n_labels, NULL);
	buf_printf(out->text, " %.15g\n", (double)h.sum_us / 1e6);
	add_series(out, "_count", labels, n_labels, NULL);
	buf_printf(out->text, " %llu\n", (unsigned long long)n);
}

void metric_write(const struct metric *table, size_t n, void *ctx, struct buf *text)
{
	for (size_t i = 0; i < n; i++) {
		struct metric_out out = { .text = text, .metric = &table[i] };

		table[i].read(ctx, &table[i], &out);
	}
}

void metric_document(const struct metric *table, size_t n, struct buf *text)
{
	buf_add_str(text, "| name | type | labels | what it says |\n|---|---|---|---|\n");
	for (size_t i = 0; i < n; i++) {
		buf_printf(text, "| `%s` | %s | ", table[i].name, metric_type_name(table[i].type));
		for (const char *p = table[i].labels; *p; p += strcspn(p, " "), p += strspn(p, " "))
			buf_printf(text, "%s%.*s", p == table[i].labels ? "" : ", ", (int)strcspn(p, " "), p);
		buf_printf(text, " | %s |\n", table[i].help);
	}
}
