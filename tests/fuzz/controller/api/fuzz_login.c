/* Whatever strangers send to start, find and redeem logins: no token without all three secrets, and never one twice. */
#include "controller/api/logins.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct clock_virtual time = { .now_ms = 1 };
	struct logins l = { .clock = clock_virtual(&time) };
	char *text = malloc(size + 1), *rest = text, *line, token[LOGIN_TOKEN_SIZE];
	const char *last = "";
	const uint8_t source[16] = { size ? data[0] : 0 };
	const struct login *one;
	struct why why;

	crypto_init();
	memcpy(text, data, size);
	text[size] = 0;
	while ((line = strsep(&rest, "\n"))) {
		const char *rest_of = *line ? line + 1 : line;

		switch (*line) {
		case 's':
			(void)!logins_start(&l, &(struct login_new){ .name = last, .challenge = rest_of, .state = last, .source = source }, &one, &why);
			break;
		case 'o':
			(void)!logins_start(&l, &(struct login_new){ .name = rest_of, .source = source }, &one, &why);
			break;
		case 'a':
			if (logins_approve(&l, l.all && rest_of[0] == '!' ? l.all->code : rest_of, "sx1_t", 5, source, &one, &why) == 0 && rest_of[0] != '!')
				abort(); /* guessed */
			break;
		case 'r':
			if (logins_redeem(&l, l.all && rest_of[0] == '!' ? l.all->id : rest_of, last, rest_of, token, &why) == 0)
				abort();
			break;
		case 'p':
			if (logins_poll(&l, l.all && rest_of[0] == '!' ? l.all->id : rest_of, token, &why) == 0 && strcmp(token, "sx1_t"))
				abort();
			break;
		default:
			(void)logins_find(&l, line);
		}
		last = line;
	}
	if (l.n > LOGINS_PER_SOURCE)
		abort();
	logins_deinit(&l);
	free(text);
	return 0;
}
