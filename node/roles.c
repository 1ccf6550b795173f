/* roles - see roles.h. A new role is one line here. */
#include "node/roles.h"

#include <string.h>

const struct role_ops *const roles[] = { &agent_role, &gateway_role };
const size_t n_roles = ARRAY_LEN(roles);

int roles_parse(const char *text, uint32_t *ret_bits, struct why *why)
{
	uint32_t bits = 0;

	while (*text) {
		size_t n = strcspn(text, ", ");
		uint32_t bit = 0;

		for (size_t i = 0; i < n_roles; i++)
			if (strlen(roles[i]->name) == n && !strncmp(roles[i]->name, text, n))
				bit = roles[i]->bit;
		if (n && !bit)
			return why_set(why, "value_invalid", "roles", "role \"%.*s\" is not host or gateway", (int)n, text);
		bits |= bit;
		text += n + (text[n] != 0);
	}
	if (!bits)
		return why_set(why, "value_invalid", "roles", "no role is given; use host, gateway, or \"host, gateway\"");
	*ret_bits = bits;
	return 0;
}
