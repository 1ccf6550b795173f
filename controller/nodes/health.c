/* health - see health.h. */
#include "controller/nodes/health.h"

#include "proto/sixpn.pb-c.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void health_deinit(struct health *h)
{
	free(h->values);
	*h = (struct health){ 0 };
}

static bool is_label(const ProtobufCBinaryData *label)
{
	static const char others[] = "_.:[]%-";

	for (size_t i = 0; i < label->len; i++) {
		char c = (char)label->data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(others, c))))
			return false;
	}
	return label->len > 0;
}

static bool take_value(const Sixpn__HealthValue *in, struct health_value *out)
{
	size_t at = 0;

	if (health_n_labels(in->what) < 0 || (size_t)health_n_labels(in->what) != in->n_labels)
		return false;
	*out = (struct health_value){ .what = in->what, .n = in->n };
	for (size_t i = 0; i < in->n_labels; i++) {
		if (!is_label(&in->labels[i]) || in->labels[i].len >= sizeof out->labels - at)
			return false;
		memcpy(out->labels + at, in->labels[i].data, in->labels[i].len);
		at += in->labels[i].len + 1;
	}
	return true;
}

static int by_key(const void *a, const void *b)
{
	const struct health_value *x = a, *y = b;

	return x->what != y->what ? (x->what < y->what ? -1 : 1) : memcmp(x->labels, y->labels, sizeof x->labels);
}

void health_take(struct health *h, const Sixpn__Health *said)
{
	size_t n_said = said->n_values < HEALTH_VALUES_MAX ? said->n_values : HEALTH_VALUES_MAX, n = 0, kept = 0;
	struct health_value *values = calloc(n_said ? n_said : 1, sizeof *values);

	if (!values)
		return;
	for (size_t i = 0; i < n_said; i++)
		n += take_value(said->values[i], &values[n]);
	qsort(values, n, sizeof *values, by_key);
	for (size_t i = 0; i < n; i++) /* one series twice would spoil the whole page */
		if (!kept || by_key(&values[kept - 1], &values[i]))
			values[kept++] = values[i];
	h->left_out += said->n_values - kept;
	free(h->values);
	h->values = values;
	h->n = kept;
}

uint64_t health_sum(const struct health *h, uint32_t what, const char *label)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < h->n; i++)
		if (h->values[i].what == what && (!label || !strcmp(h->values[i].labels, label)))
			sum += h->values[i].n;
	return sum;
}
