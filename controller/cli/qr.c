/* qr - see qr.h. The only file that includes libqrencode. */
#include "controller/cli/qr.h"

#include "lib/base/crypto.h"

#include <qrencode.h>

#define QUIET 2 /* white squares around it; the standard wants 4, but phones read 2 and a terminal is small */

static bool dark(const QRcode *code, int x, int y)
{
	return x >= 0 && y >= 0 && x < code->width && y < code->width && (code->data[y * code->width + x] & 1);
}

/* White on black terminals and black on white ones show it the same way: both colours are set. */
static void print_rows(const QRcode *code, FILE *out)
{
	for (int y = -QUIET; y < code->width + QUIET; y += 2) {
		fputs("\033[30;107m", out);
		for (int x = -QUIET; x < code->width + QUIET; x++) {
			bool upper = dark(code, x, y), lower = dark(code, x, y + 1);

			fputs(upper && lower ? "\u2588" : upper ? "\u2580" : lower ? "\u2584" : " ", out);
		}
		fputs("\033[0m\n", out);
	}
}

int qr_print(const char *text, FILE *out)
{
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);

	if (!code)
		return errno == ERANGE ? -E2BIG : -errno;
	print_rows(code, out);
	crypto_wipe(code->data, (size_t)code->width * (size_t)code->width);
	QRcode_free(code);
	return 0;
}
