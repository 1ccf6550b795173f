/* The texts by which strangers name tokens (and the header around them), ids, roles, organizations and places in lists: parsed before anything is known of who sent them. */
#include "controller/api/auth.h"
#include "controller/store/store_internal.h"
#include "controller/store/store_org.h"
#include "controller/store/store_user.h"
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
	enum store_role role;
	size_t len = 0;
	const char *found;
	struct why why;

	memcpy(text, data, size);
	text[size] = 0;
	if (token_parse(text, size, id, secret) == 0 && size != TOKEN_TEXT_SIZE - 1)
		abort();
	if (store_page_org_name(&page, id, name, &why) == 0 && strlen(name) >= NAME_SIZE)
		abort();
	if (store_page_id(&page, id, &why) > E_REFUSED || principal_profile_parse(text, &profile, &why) > E_REFUSED)
		abort();
	found = auth_token_in(text, &len); /* of the header, up to its first NUL */
	if (found && (found < text || found + len > text + strlen(text)))
		abort();
	store_org_name_of(text, name);
	if (name[0] && (strlen(name) >= NAME_SIZE || name_check_org(name, &why) != 0))
		abort();
	if (store_role_parse(text, &role, &why) > E_REFUSED)
		abort();
	free(text);
	return 0;
}
