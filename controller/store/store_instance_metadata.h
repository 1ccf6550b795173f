/* store_instance_metadata - an instance's metadata: pairs in the record, a JSON object in the table. Internal to the store. */
#pragma once
#include "lib/sixpn/record.h"

/* Replaces rec's metadata; sorted by key, so that equal sets give equal bytes. E_REFUSED "metadata_invalid". */
int metadata_set(struct instance_record *rec, const struct metadata_pair *pairs, size_t n, struct why *why) MUST_CHECK;
char *metadata_text(const struct instance_record *rec); /* free(); NULL = no memory */
