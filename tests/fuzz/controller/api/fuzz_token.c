/* The texts by which strangers name tokens, ids and places in lists: parsed before anything is known of who sent them. */
#include "controller/store/store_internal.h"
#include "controller/store/store_token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), name[NAME_SIZE];
	uint8_t id[ID_LEN], secret[32];
	struct store_page page = { .after = text };
	enum principal_profile profile;
	struct why why;

	memcpy(text, data, size);
	text[size] = 0;
	if (token_parse(text, size, id, secret) == 0 && size != TOKEN_TEXT_SIZE - 1)
		abort();
	if (store_page_org_name(&page, id, name, &why) == 0 && strlen(name) >= NAME_SIZE)
		abort();
	if (store_page_id(&page, id, &why) > E_REFUSED || principal_profile_parse(text, &profile, &why) > E_REFUSED)
		abort();
	free(text);
	return 0;
}
