/* errors - see errors.h. */
#include "node/errors.h"

#include "lib/base/log.h"
#include "lib/sixpn/pb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NULL = no memory. */
static struct node_error *place_of(struct node_errors *errors, uint32_t kind, const void *key, size_t key_len)
{
	for (size_t i = 0; i < errors->n; i++) {
		struct node_error *e = &errors->items[i];

		if (e->kind == kind && e->key_len == key_len && !memcmp(e->key, key, key_len))
			return e;
	}
	if (errors->n == errors->cap) {
		size_t cap = errors->cap ? 2 * errors->cap : 16;
		struct node_error *bigger = realloc(errors->items, cap * sizeof *bigger);

		if (!bigger)
			return NULL;
		errors->items = bigger;
		errors->cap = cap;
	}
	return &errors->items[errors->n++];
}

void node_errors_add(struct node_errors *errors, uint32_t kind, const void *key, size_t key_len, uint64_t v, const char *text)
{
	struct record r = { .kind = kind, .key_len = (uint8_t)key_len };
	struct node_error *e;
	char name[80];

	memcpy(r.key, key, key_len);
	log_limited(LOG_L_ERR, "apply", "%s %s: %s", record_kind_name(kind), record_key_text(&r, name, sizeof name), text);
	e = place_of(errors, kind, key, key_len);
	if (!e)
		return;
	*e = (struct node_error){ .kind = kind, .key_len = (uint8_t)key_len, .v = v };
	memcpy(e->key, key, key_len);
	snprintf(e->text, sizeof e->text, "%s", text);
}

static void say(const struct node_error *e, struct node_errors_said *said, Sixpn__PollRequest *poll)
{
	Sixpn__RecordError *out = &said->items[poll->n_errors];

	poll->errors_total++;
	if (poll->n_errors == NODE_ERRORS_PER_POLL)
		return;
	sixpn__record_error__init(out);
	out->kind = e->kind;
	out->key = pb_bytes(e->key, e->key_len);
	out->v = e->v;
	out->text = pb_bytes(e->text, strlen(e->text));
	said->list[poll->n_errors++] = out;
}

void node_errors_say(const struct node_errors *errors, const struct node_error *also, struct node_errors_said *said, Sixpn__PollRequest *poll)
{
	poll->errors = said->list;
	if (also) {
		said->first = *also;
		say(&said->first, said, poll);
	}
	for (size_t i = 0; i < errors->n; i++)
		say(&errors->items[i], said, poll);
}

void node_errors_deinit(struct node_errors *errors)
{
	free(errors->items);
	*errors = (struct node_errors){ .n = 0 };
}
