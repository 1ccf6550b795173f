/* name - the rules for every name people give. One function per noun; each refusal quotes the value, says which character at
 * which position is wrong, and offers what is allowed. Names are compared case-insensitively by storing them in lower case:
 * upper case is refused with the lower-case form as the suggestion. */
#pragma once
#include "lib/base/err.h"

#define NAME_LABEL_MAX 63
#define NAME_SIZE 64            /* a label and its NUL */
#define NAME_REGION_SIZE 4
#define NAME_INSTANCE_ID_LEN 14
#define NAME_INSTANCE_ID_SIZE 15

/* DNS label (RFC 1035 with the digit rule of RFC 1123): a-z 0-9 -, starts with a letter, does not end with -. */
int name_check_app(const char *name, struct why *why);     /* also not: global, vms, regions, all, or a region-like trap */
int name_check_org(const char *name, struct why *why);
int name_check_network(const char *name, struct why *why);
int name_check_node(const char *name, struct why *why);
int name_check_group(const char *name, struct why *why);
int name_check_region(const char *name, struct why *why);  /* [a-z]{3}, not all any vms not */
int name_check_instance_id(const char *id, struct why *why); /* 14 lower-case hex digits */
int name_check_metadata(const char *key, const char *value, struct why *why);
/* Any UTF-8 text of at most `max` bytes without control characters, for descriptions and cities. */
int name_check_text(const char *field, const char *text, size_t max, struct why *why);
/* What can be dialled, without a port: a host name of DNS (case is kept), or an IPv4 or IPv6 address without brackets; at most 253 bytes. */
int name_check_hostname(const char *field, const char *name, struct why *why);
bool name_is_utf8(const void *bytes, size_t n);
/* Makes any text one that name_check_text takes, in place: for sentences that quote what others wrote, and may be cut anywhere. */
void name_tame(char *text);
