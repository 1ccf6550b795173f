/* flaps_config - the configuration of a machine, as flyctl writes it, and what our instances make of it. Pure.
 *
 * What is known is checked for its type; what is not known is kept and shown again, because each version of flyctl sends more than
 * the last. Nothing is pulled: `image` is a label. A machine runs init.exec, or entrypoint and cmd, of itself or of its only
 * container, in its host's own file tree; without any of them it is a placeholder that holds its address and its names. */
#pragma once
#include "lib/base/json.h"
#include "lib/sixpn/record.h"

#define FLAPS_CONFIG_MAX 61440

struct flaps_config {
	char *text;  /* the configuration, to be kept */
	char *spec;  /* the workload, schema 1 */
	struct metadata_pair metadata[RECORD_METADATA_MAX];
	size_t n_metadata;
	char group[NAME_SIZE]; /* "" = none is given */
	bool dns_skip;
};

/* E_REFUSED with why, or -ENOMEM: ret is empty then. */
int flaps_config_parse(const json_t *config, struct flaps_config *ret, struct why *why) MUST_CHECK;
void flaps_config_deinit(struct flaps_config *c);
/* What no configuration can say stays as it is in an update: the user a machine runs as, its directories, its runtime. */
int flaps_config_keep_rest(struct flaps_config *c, const char *old_spec, size_t old_len, struct why *why) MUST_CHECK;
/* The names of what is given and has no effect here, new list. */
json_t *flaps_config_ignored(const json_t *config);
/* What a machine that another view made would have been made of. spec may be NULL: then without its command and environment. */
json_t *flaps_config_of_spec(const char *spec, size_t spec_len);
/* "registry/repository:tag@sha256:..." as {"registry","repository","tag","digest"}. */
json_t *flaps_image_ref(const char *image);
