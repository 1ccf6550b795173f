/* settings - the one table of the node's configuration keys (/etc/sixpn/node.conf, SIXPN_KEY, --key). */
#pragma once
#include "lib/base/config.h"

int settings_init(struct config *config);
/* What the table cannot judge: values that only a part of the node understands. E_REFUSED with why. */
int settings_check(const struct config *config, struct why *why) MUST_CHECK;
/* The same of what only these roles need. */
int settings_check_roles(const struct config *config, uint32_t role_bits, struct why *why) MUST_CHECK;
