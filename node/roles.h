/* roles - the table of what a node can be, and the parsing of `roles = host, gateway`. */
#pragma once
#include "node/role.h"

extern const struct role_ops *const roles[];
extern const size_t n_roles;
int roles_parse(const char *text, uint32_t *ret_bits, struct why *why) MUST_CHECK;
