/* zone_lists - the TXT names of a zone: lists of regions, instances, apps and peers, in pages if need be. */
#include "lib/dns/text.h"
#include "lib/dns/zone_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 255

struct list {
	struct zone_build *b;
	const char *prefix, *app;
	struct dns_text text;
	unsigned page;
};

static void list_start(struct list *l, struct zone_build *b, const char *prefix, const char *app, char separator)
{
	*l = (struct list){ .b = b, .prefix = prefix, .app = app, .page = 1 };
	dns_text_start(&l->text, &b->z->bytes, separator, DNS_TEXT_PAGE);
}

/* Gives the page that is being written to its name. Names are added to the same buffer, so the page's place is noted before. */
static int list_page(struct list *l, bool more)
{
	uint32_t at = (uint32_t)l->text.page_at, len = (uint32_t)dns_text_page_len(&l->text);
	char prefix[64];
	struct zone_node *node;
	int r;

	if (l->page == 1)
		snprintf(prefix, sizeof prefix, "%s", l->prefix);
	else
		snprintf(prefix, sizeof prefix, "p%u.%s", l->page, l->prefix);
	r = zone_add_node(l->b->z, prefix, l->app, &node);
	if (r < 0)
		return r;
	node->text_at = at;
	node->text_len = len;
	node->more = more;
	l->page++;
	return 0;
}

static int list_add(struct list *l, const char *word)
{
	int r;

	if (dns_text_add(&l->text, word))
		return buf_failed(&l->b->z->bytes) ? -ENOMEM : 0;
	if (!l->text.n_words)
		return -EINVAL;
	r = list_page(l, true);
	dns_text_next_page(&l->text);
	return r < 0 ? r : list_add(l, word);
}

/* Two names with one list. */
int zone_alias_text(struct zone_build *b, const char *from_prefix, const char *to_prefix, const char *app)
{
	struct zone_node *from, *to, copy;
	int r = zone_add_node(b->z, from_prefix, app, &from);

	if (r < 0)
		return r;
	copy = *from; /* the next add may move the nodes */
	r = zone_add_node(b->z, to_prefix, app, &to);
	if (r < 0)
		return r;
	to->text_at = copy.text_at;
	to->text_len = copy.text_len;
	to->more = copy.more;
	return 0;
}

int zone_add_regions_list(struct zone_build *b, const char *prefix, const char *app, size_t from, size_t to, bool all)
{
	size_t n = 0;
	CLEAN_FREE char(*names)[NAME_REGION_SIZE] = calloc(to - from + 1, sizeof *names);
	struct list list;

	if (!names)
		return -ENOMEM;
	/* Equal ones stand together already (same distance, same name). */
	for (size_t i = from; i < to; i++)
		if ((all || zone_candidate_answers(&b->all[i])) && (!n || strcmp(names[n - 1], b->all[i].in->region)))
			memcpy(names[n++], b->all[i].in->region, NAME_REGION_SIZE);
	qsort(names, n, sizeof *names, zone_compare_regions);
	list_start(&list, b, prefix, app, ',');
	for (size_t i = 0; i < n; i++) {
		int r = list_add(&list, names[i]);

		if (r < 0)
			return r;
	}
	return list_page(&list, false);
}

int zone_add_vms_list(struct zone_build *b, const char *prefix, const char *app, const struct zone_candidate *by_id, size_t n,
		      bool all)
{
	struct list list;

	list_start(&list, b, prefix, app, ',');
	for (size_t i = 0; i < n; i++) {
		char word[WORD_MAX];
		int r;

		if (!all && !zone_candidate_answers(&by_id[i]))
			continue;
		snprintf(word, sizeof word, "%s %s", by_id[i].in->id, by_id[i].in->region);
		r = list_add(&list, word);
		if (r < 0)
			return r;
	}
	return list_page(&list, false);
}

int zone_add_words_list(struct zone_build *b, const char *prefix, const char *const *words, size_t n)
{
	struct list list;

	list_start(&list, b, prefix, "", ',');
	for (size_t i = 0; i < n; i++) {
		int r = list_add(&list, words[i]);

		if (r < 0)
			return r;
	}
	return list_page(&list, false);
}

/* by_id: sorted by app, then id. */
int zone_add_instances_list(struct zone_build *b, const char *prefix, const struct zone_candidate *by_id, bool all)
{
	struct list list;

	list_start(&list, b, prefix, "", ';');
	for (size_t i = 0; i < b->n_all; i++) {
		const struct dns_instance *in = by_id[i].in;
		char word[WORD_MAX], address[ADDR_TEXT_LEN];
		int r;

		if (in->far || (!all && !zone_candidate_answers(&by_id[i])))
			continue;
		snprintf(word, sizeof word, "instance=%s,app=%s,ip=%s,region=%s", in->id, in->app, addr_text(&in->address, address),
			 in->region);
		r = list_add(&list, word);
		if (r < 0)
			return r;
	}
	return list_page(&list, false);
}
