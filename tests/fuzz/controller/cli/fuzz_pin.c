/* What a server shows as its certificate, and what a person gives as a pin. What is taken reads back as it was. */
#include "controller/cli/pin.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), again[PIN_TEXT_SIZE];
	uint8_t pin[PIN_LEN], back[PIN_LEN];

	memcpy(text, data, size);
	text[size] = 0;
	if (pin_parse(text, pin) == 0) {
		pin_text(pin, again);
		if (strncmp(again, "sha256:", 7) || strcasecmp(again + 7, text + 7) || pin_parse(again, back) < 0 || memcmp(pin, back, PIN_LEN))
			abort();
	}
	if (pin_of_pem(text, size, pin) == 0)
		(void)pin_pem_is_for(text, size, "127.0.0.1");
	free(text);
	return 0;
}
