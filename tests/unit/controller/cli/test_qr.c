/* The picture is the code: every square of it, read back from what is printed. */
#include "controller/cli/qr.h"

#include "controller/cli/peer_file.h"

#include <qrencode.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define QUIET 2
#define QR_MAX 177

struct picture {
	bool dark[QR_MAX + 2 * QUIET + 1][QR_MAX + 2 * QUIET];
	int width, height;
};

static char *drawn(const char *text)
{
	char *out = NULL;
	size_t len;
	FILE *file = open_memstream(&out, &len);

	assert_int_equal(qr_print(text, file), 0);
	fclose(file);
	return out;
}

/* Two squares a character: the upper half block, the lower, both or none. */
static void read_line(struct picture *p, const char *line, size_t len)
{
	static const char begin[] = "\033[30;107m", end[] = "\033[0m";
	int x = 0;

	assert_true(len > strlen(begin) + strlen(end));
	assert_memory_equal(line, begin, strlen(begin));
	assert_memory_equal(line + len - strlen(end), end, strlen(end));
	for (const char *at = line + strlen(begin); at < line + len - strlen(end); x++) {
		bool upper = !strncmp(at, "\u2580", 3), lower = !strncmp(at, "\u2584", 3), both = !strncmp(at, "\u2588", 3);

		p->dark[p->height][x] = upper || both;
		p->dark[p->height + 1][x] = lower || both;
		assert_true(upper || lower || both || *at == ' ');
		at += *at == ' ' ? 1 : 3;
	}
	assert_true(p->height == 0 || x == p->width);
	p->width = x;
	p->height += 2;
}

static void every_square_is_where_the_code_has_it_with_white_around(void **state)
{
	static const char text[] =
		"[Interface]\nPrivateKey = cHJpdmF0ZXByaXZhdGVwcml2YXRlcHJpdmF0ZXByaXY=\nAddress = fdaa:1:2a:ae03:2:0:a:102/120\n";
	CLEAN_FREE char *out = drawn(text);
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	static struct picture p;

	(void)state;
	for (const char *line = out; *line; line += strcspn(line, "\n") + 1)
		read_line(&p, line, strcspn(line, "\n"));
	assert_int_equal(p.width, code->width + 2 * QUIET);
	assert_true(p.height >= p.width);
	for (int y = 0; y < p.height; y++)
		for (int x = 0; x < p.width; x++) {
			int cx = x - QUIET, cy = y - QUIET;
			bool inside = cx >= 0 && cy >= 0 && cx < code->width && cy < code->width;

			assert_int_equal(p.dark[y][x], inside && (code->data[cy * code->width + cx] & 1));
		}
	QRcode_free(code);
}

static void a_phones_file_fits_a_terminal_of_80_by_40(void **state)
{
	CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_TEXT_MAX);
	struct peer_file file = {
		.has_private = true, .has_gateway_key = true, .port = 51820, .n_ips = 1, .host = "gateway-ord-1.example.net"
	};
	CLEAN_FREE char *out = NULL;
	int lines = 0;

	(void)state;
	memset(&file.address.address, 0xfd, 16); /* as long as an address can be */
	file.dns = file.ips[0].address = file.address.address;
	file.address.len = 120;
	file.ips[0].len = 48;
	peer_file_write(&file, PEER_FORM_ANDROID, PEER_DNS_ALL, false, &text);
	out = drawn(buf_str(&text));
	for (const char *at = out; (at = strchr(at, '\n')); at++)
		lines++;
	assert_in_range(lines, 20, 39);
	assert_true(2 * lines <= 80);
}

static void what_does_not_fit_is_refused(void **state)
{
	CLEAN_FREE char *text = malloc(4000);
	CLEAN_FREE char *out = NULL;
	size_t len;
	FILE *file = open_memstream(&out, &len);

	(void)state;
	memset(text, 'x', 3999);
	text[3999] = 0;
	assert_int_equal(qr_print(text, file), -E2BIG);
	fclose(file);
	assert_int_equal(len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_square_is_where_the_code_has_it_with_white_around),
		cmocka_unit_test(a_phones_file_fits_a_terminal_of_80_by_40),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
