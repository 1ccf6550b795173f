/* spec - the workload of one instance: JSON, schema 1, written by the customer and known to its host alone.
 *
 *   {"schema":1, "command":["/bin/x","arg"], "env":{"K":"V"}, "files":[{"path":"/etc/x","content":"...","mode":"0644"}],
 *    "root":"/srv/tree", "workdir":"/", "user":"1000:1000", "restart":"always|on-failure|never", "drain_ms":5000,
 *    "stop_timeout_ms":10000, "runtime":"process|hook"}
 *
 * Only schema and command must be there. A field, name or value that is not known here is refused: a spelling mistake must not
 * start something else than what was meant. Texts hold no NUL (JSON parser) and are bounded; the whole is at most one record. */
#pragma once
#include "lib/base/json.h"

#include <sys/types.h>

#define SPEC_SIZE_MAX (64u << 10)
#define SPEC_COMMAND_MAX 128
#define SPEC_ENV_MAX 128
#define SPEC_FILES_MAX 16
#define SPEC_TEXT_MAX 8192    /* one argument or one value */
#define SPEC_NAME_MAX 128     /* the name of a variable */
#define SPEC_PATH_SIZE 256
#define SPEC_CONTENT_MAX (32u << 10)
#define SPEC_TIME_MAX_MS 600000

enum spec_restart { SPEC_RESTART_ALWAYS, SPEC_RESTART_ON_FAILURE, SPEC_RESTART_NEVER };
enum spec_runtime { SPEC_RUNTIME_PROCESS, SPEC_RUNTIME_HOOK };

struct spec_variable {
	const char *name, *value;
};

struct spec_file {
	const char *path, *content;
	size_t content_len;
	mode_t mode;
};

struct spec {
	const char *command[SPEC_COMMAND_MAX];
	size_t n_command;
	struct spec_variable env[SPEC_ENV_MAX];
	size_t n_env;
	struct spec_file files[SPEC_FILES_MAX];
	size_t n_files;
	char root[SPEC_PATH_SIZE];    /* "" = the machine's own file tree */
	char workdir[SPEC_PATH_SIZE]; /* "" = / */
	bool has_user;
	uid_t uid;
	gid_t gid;
	enum spec_restart restart;
	enum spec_runtime runtime;
	uint32_t drain_ms, stop_timeout_ms;
	json_t *document; /* owns every text above */
};

/* The door for workloads. E_REFUSED with why: *ret_spec is untouched. */
int spec_parse(const char *text, size_t len, struct spec *ret_spec, struct why *why) MUST_CHECK;
void spec_deinit(struct spec *spec); /* may be called twice, and on zeros */
