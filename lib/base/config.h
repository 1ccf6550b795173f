/* config - settings as one table of (section.key, type, default, range, help). Sources, weakest first: the table's default, the
 * INI file, the environment (SIXPN_KEY), the command line (--key value). Unknown keys refuse the start and name the nearest known
 * one. The same table prints --help, --print-config and the sample file. */
#pragma once
#include "lib/base/buf.h"

enum config_type { CONFIG_STR, CONFIG_INT, CONFIG_BOOL, CONFIG_SECRET_FILE };

struct config_key {
	const char *section, *key; /* on the command line --key, in the environment SIXPN_KEY; keys are unique over sections */
	enum config_type type;
	const char *fallback; /* as text; "" = empty */
	int64_t min, max;     /* of CONFIG_INT; of the length of CONFIG_STR (max 0 = 255) */
	const char *help;
};

struct config_value {
	char *text;
	int64_t number;
	bool is_default;
	char *source; /* "default", the file's path, "environment", "command line"; owned */
};

struct config {
	const struct config_key *keys;
	size_t n_keys;
	struct config_value *values;
	char *file;
};

int config_init(struct config *c, const struct config_key *keys, size_t n_keys);
void config_deinit(struct config *c);
/* path missing is fine unless `must_exist`. E_REFUSED with why: file, line, key and value are named; keys before that line are set.
 * Lines may be indented; one that holds no comment has at most 198 bytes. Reading another file later is fine. */
int config_read_file(struct config *c, const char *path, bool must_exist, struct why *why);
int config_read_text(struct config *c, const char *text, const char *source, struct why *why);
int config_read_env(struct config *c, char *const *environ_, struct why *why);
/* Takes --key value, --key=value and --flag (bool) out of argv; *ret_argc gets what is left, in order, with argv[0]. */
int config_read_args(struct config *c, int *argc, char **argv, struct why *why);
const char *config_str(const struct config *c, const char *key);
int64_t config_int(const struct config *c, const char *key);
bool config_bool(const struct config *c, const char *key);
void config_print(const struct config *c, struct buf *ret_text);  /* effective values and where they came from */
void config_help(const struct config *c, struct buf *ret_text);   /* --key VALUE  help (default) */
void config_sample(const struct config *c, struct buf *ret_text); /* the INI file with every line commented out */
