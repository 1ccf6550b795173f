/* store_instance_metadata - see store_instance_metadata.h. */
#include "controller/store/store_instance_metadata.h"

#include "lib/base/json.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct metadata_pair *x = a, *y = b;

	return strcmp(x->key, y->key);
}

int metadata_set(struct instance_record *rec, const struct metadata_pair *pairs, size_t n, struct why *why)
{
	if (n > RECORD_METADATA_MAX)
		return why_set(why, "metadata_invalid", "metadata", "%zu metadata keys; at most %d are allowed", n, RECORD_METADATA_MAX);
	for (size_t i = 0; i < n; i++) {
		int r = name_check_metadata(pairs[i].key, pairs[i].value, why);

		if (r != 0)
			return r;
		for (size_t k = 0; k < i; k++)
			if (!strcmp(pairs[i].key, pairs[k].key))
				return why_set(why, "metadata_invalid", "metadata", "metadata key \"%s\" is given twice", pairs[i].key);
	}
	if (n)
		memcpy(rec->metadata, pairs, n * sizeof *pairs);
	rec->n_metadata = n;
	qsort(rec->metadata, n, sizeof rec->metadata[0], compare);
	return 0;
}

char *metadata_text(const struct instance_record *rec)
{
	CLEAN_JSON json_t *doc = json_object();

	for (size_t i = 0; doc && i < rec->n_metadata; i++)
		if (json_object_set_new(doc, rec->metadata[i].key, json_string(rec->metadata[i].value)) != 0)
			return NULL;
	return doc ? json_dumps(doc, JSON_COMPACT) : NULL;
}
