/* ids - see ids.h. */
#include "controller/store/ids.h"

#include "lib/base/crypto.h"

#include <string.h>

void id_make(const struct clock *clock, uint8_t ret_id[ID_LEN])
{
	clock_random(clock, ret_id, ID_LEN);
}

const char *id_text(const uint8_t id[ID_LEN], char ret_text[ID_TEXT_SIZE])
{
	crypto_hex(id, ID_LEN, ret_text);
	return ret_text;
}

int id_parse(const char *text, uint8_t ret_id[ID_LEN])
{
	return crypto_unhex(text, strlen(text), ret_id, ID_LEN) < 0 ? E_REFUSED : 0;
}
