/* Lists in TXT: strings of 255 bytes at most that join to the list and break before a separator. */
#include "lib/dns/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Joins the strings of rdata; checks lengths and breaks. */
static size_t join(const uint8_t *rdata, size_t len, char separator, char *ret)
{
	size_t n = 0, out = 0;

	for (size_t at = 0; at < len; n++) {
		size_t string = rdata[at];

		assert_true(string > 0 && at + 1 + string <= len);
		assert_int_equal(rdata[at + 1] == (uint8_t)separator, n > 0);
		assert_int_not_equal(rdata[at + string], (uint8_t)separator);
		memcpy(ret + out, rdata + at + 1, string);
		out += string;
		at += 1 + string;
	}
	ret[out] = 0;
	return n;
}

static void check_list(size_t n_words, size_t word_len, char separator)
{
	CLEAN_BUF struct buf out = BUF_INIT(0), list = BUF_INIT(0);
	char word[256], *joined;
	struct dns_text t;
	size_t n;

	dns_text_start(&t, &out, separator, 60000);
	for (size_t i = 0; i < n_words; i++) {
		memset(word, 'a' + (int)(i % 26), word_len);
		word[word_len] = 0;
		assert_true(dns_text_add(&t, word));
		buf_printf(&list, "%s%.1s", word, i + 1 < n_words ? &separator : "");
	}
	joined = malloc(list.len + 1);
	n = join(out.data, out.len, separator, joined);
	assert_string_equal(joined, buf_str(&list));
	assert_true(n >= list.len / 256);
	free(joined);
}

static void strings_join_to_the_list(void **state)
{
	(void)state;
	for (size_t word_len = 1; word_len <= 254; word_len++)
		check_list(20, word_len, word_len % 2 ? ',' : ';');
}

static void a_string_of_exactly_255_bytes_is_not_broken(void **state)
{
	CLEAN_BUF struct buf out = BUF_INIT(0);
	char first[255], second[4] = "xy";
	struct dns_text t;

	(void)state;
	memset(first, 'a', 252);
	first[252] = 0;
	dns_text_start(&t, &out, ',', 60000);
	assert_true(dns_text_add(&t, first));
	assert_true(dns_text_add(&t, second));
	assert_int_equal(out.data[0], 255);
	assert_int_equal(out.len, 256);
	assert_true(dns_text_add(&t, "z"));
	assert_int_equal(out.data[256], 2);
}

static void a_page_is_never_longer_than_asked(void **state)
{
	for (size_t max = 20; max < 600; max++) {
		CLEAN_BUF struct buf out = BUF_INIT(0);
		struct dns_text t;
		size_t n = 0;

		(void)state;
		dns_text_start(&t, &out, ',', max);
		while (dns_text_add(&t, "0123456789"))
			n++;
		assert_true(dns_text_page_len(&t) <= max && n > 0);
		dns_text_next_page(&t);
		assert_int_equal(dns_text_page_len(&t), 0);
		assert_true(dns_text_add(&t, "0123456789"));
		assert_int_equal(dns_text_page_len(&t), 11);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_join_to_the_list),
		cmocka_unit_test(a_string_of_exactly_255_bytes_is_not_broken),
		cmocka_unit_test(a_page_is_never_longer_than_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
