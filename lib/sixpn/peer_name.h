/* peer_name - the names of WireGuard peers, and the DNS label that each gets. flyctl makes names such as
 * `static-<hostname>-<e-mail>-<ULID>`: mixed case, and longer than a label may be. */
#pragma once
#include "lib/sixpn/name.h"

#define PEER_NAME_MAX 255
#define PEER_NAME_SIZE 256
#define PEER_LABEL_TRIES 8

/* 1 to 255 letters, digits and dashes, no dash first or last. Case is kept; two names that differ only in it are one. */
int peer_name_check(const char *name, struct why *why) MUST_CHECK;

/* The label of a valid name: the name in lower case if that is a label already; else cut, with a hash of the whole name behind it (the
 * same name has the same label, everywhere). attempt: 0, and counting up while another peer of the network has that label; each makes
 * the hash longer. */
void peer_name_label(const char *name, unsigned attempt, char ret_label[NAME_SIZE]);
