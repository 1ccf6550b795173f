/* private - names outside our own trees that must not be asked of anybody: other people's private reverse zones (RFC 6303, 7793),
 * special names (RFC 6761, 6762, 7686, 8375, 9462, 9476). They are answered here, for every network alike. Pure. */
#pragma once
#include "lib/dns/wire.h"

/* Where in the name its private zone begins, -1 if it is in none: the forwarder's last look before a name leaves. */
int dns_private_find(const uint8_t *key, size_t key_len);
/* Answers the question of r->query and returns true if its name is private; otherwise r is untouched. */
bool dns_private_answer(struct dns_reply *r);
