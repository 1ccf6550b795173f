/* store_page - a page of a list: where it begins, what it holds, how the next one is found. See store_internal.h. */
#include "controller/store/store_internal.h"
#include "controller/store/store_org.h"

#include <stdio.h>
#include <string.h>

unsigned store_page_limit(const struct store_page *page)
{
	return !page || !page->limit || page->limit > STORE_PAGE_MAX ? STORE_PAGE_MAX : page->limit;
}

static int bad_cursor(const char *cursor, struct why *why)
{
	return why_set(why, "cursor_invalid", "cursor", "cursor \"%.80s\" did not come from this list", cursor);
}

int store_page_org_name(const struct store_page *page, uint8_t ret_org[ID_LEN], char ret_name[NAME_SIZE], struct why *why)
{
	const char *after = store_page_after(page);
	char hex[ID_TEXT_SIZE];

	memset(ret_org, 0, ID_LEN);
	ret_name[0] = 0;
	if (!*after)
		return 0;
	snprintf(hex, sizeof hex, "%s", after);
	if (strlen(after) <= 17 || after[16] != '/' || strlen(after + 17) >= NAME_SIZE || id_parse(hex, ret_org) != 0)
		return bad_cursor(after, why);
	strcpy(ret_name, after + 17);
	return 0;
}

int store_page_id(const struct store_page *page, uint8_t ret_id[ID_LEN], struct why *why)
{
	const char *after = store_page_after(page);

	memset(ret_id, 0, ID_LEN);
	if (*after && id_parse(after, ret_id) != 0)
		return bad_cursor(after, why);
	return 0;
}

void page_walk_begin(struct page_walk *walk, const struct store_page *page)
{
	*walk = (struct page_walk){ .left = store_page_limit(page) };
}

int page_walk_only_org(struct page_walk *walk, struct store *store, const struct principal *who, const char *org_ref, struct why *why)
{
	struct store_org org;
	int r;

	if (!org_ref || !*org_ref)
		return 0;
	r = store_org_find(store, who, org_ref, &org, why);
	if (r == 0) {
		memcpy(walk->only_id, org.id, ID_LEN);
		walk->only = walk->only_id;
	}
	return r;
}

int page_walk_query_org_name(struct page_walk *walk, struct store *store, const struct principal *who, const char *org_ref,
			     const struct store_page *page, const char *sql, struct statement **ret_statement, struct why *why)
{
	int r;

	page_walk_begin(walk, page);
	walk->only = principal_only_org(who);
	r = store_page_org_name(page, walk->after, walk->after_name, why);
	if (r == 0)
		r = page_walk_only_org(walk, store, who, org_ref, why);
	return r ? r : sql_query(store, ret_statement, sql, "dtdt", walk->after, walk->after_name, walk->only, store_page_prefix(page));
}

bool page_walk_take(struct page_walk *walk, const uint8_t *id, const char *name)
{
	char hex[ID_TEXT_SIZE] = "";

	if (walk->left == 0) {
		walk->more = true;
		return false;
	}
	if (--walk->left == 0) /* the last that fits: where the next page goes on, if there is one */
		snprintf(walk->cursor, sizeof walk->cursor, "%s%s%s", id ? id_text(id, hex) : "", id && name ? "/" : "", name ? name : "");
	return true;
}

int page_walk_end(const struct page_walk *walk, int result, struct store_next *ret_next)
{
	if (result == 0)
		snprintf(ret_next->cursor, sizeof ret_next->cursor, "%s", walk->more ? walk->cursor : "");
	return result;
}
