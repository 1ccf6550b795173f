/* text - see text.h. */
#include "lib/dns/text.h"

#include <string.h>

#define STRING_MAX 255

void dns_text_start(struct dns_text *t, struct buf *out, char separator, size_t page_max)
{
	*t = (struct dns_text){ .out = out, .separator = separator, .page_max = page_max };
	dns_text_next_page(t);
}

void dns_text_next_page(struct dns_text *t)
{
	t->page_at = t->string_at = t->out->len;
	t->n_words = 0;
}

bool dns_text_add(struct dns_text *t, const char *word)
{
	size_t len = strlen(word), with_separator = len + (t->n_words > 0);
	bool fresh = t->n_words == 0 || t->out->data[t->string_at] + with_separator > STRING_MAX;

	if (with_separator > STRING_MAX || dns_text_page_len(t) + fresh + with_separator > t->page_max)
		return false;
	if (fresh) {
		t->string_at = t->out->len;
		buf_add_u8(t->out, 0);
	}
	if (t->n_words)
		buf_add_u8(t->out, (uint8_t)t->separator);
	buf_add_str(t->out, word);
	if (buf_failed(t->out))
		return true; /* the owner of the buffer finds out at the end */
	t->out->data[t->string_at] = (uint8_t)(t->out->data[t->string_at] + with_separator);
	t->n_words++;
	return true;
}
