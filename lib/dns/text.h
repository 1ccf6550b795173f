/* text - a list of words as the rdata of TXT records (RFC 1035 3.3.14): strings of at most 255 bytes that, joined, give the list.
 * A string always breaks before a separator, so the first one alone is a list too. */
#pragma once
#include "lib/base/buf.h"

struct dns_text {
	struct buf *out; /* rdata is appended here */
	char separator;
	size_t page_max; /* rdata bytes of one page */
	size_t page_at;  /* where in out the current page starts */
	size_t string_at;
	size_t n_words;  /* on this page */
};

void dns_text_start(struct dns_text *t, struct buf *out, char separator, size_t page_max);
/* False: the word (at most 254 bytes) does not fit on this page. Take the page, call dns_text_next_page, and add it again. */
bool dns_text_add(struct dns_text *t, const char *word);
void dns_text_next_page(struct dns_text *t);
static inline size_t dns_text_page_len(const struct dns_text *t)
{
	return t->out->len - t->page_at;
}
