/* launch - what the shim is to run, made from the workload and from what the host knows of the instance, and the file by which
 * the agent hands it over (JSON in the instance's folder, 0600, root's own on both sides).
 *
 * ${NAME} in arguments and values of the workload is replaced where NAME is one of the variables that the host gives; every other
 * ${...} stays as it is (it may be meant for a shell), and $${NAME} gives the text ${NAME}. So a program that takes only an
 * address needs no shell: ["redis-server", "--bind", "${FLY_LOCAL_6PN}"]. */
#pragma once
#include "agent/spec.h"
#include "lib/sixpn/record.h"

#define LAUNCH_BINDS_MAX (SPEC_FILES_MAX + 4)
#define LAUNCH_GIVEN 7 /* variables of the host */

/* What the host knows of the instance. Borrowed texts. */
struct launch_facts {
	const char *id, *app, *region, *group; /* group "" = "app" */
	struct in6_addr address;
	uint64_t generation;
};

enum launch_bind_kind {
	/* A target that is missing is made: below `root` in it, else in a private layer over its folder. */
	LAUNCH_BIND_WEAK,   /* what cannot be bound is left as it is, and said in the log */
	LAUNCH_BIND_STRICT, /* it must be there in the end, or nothing starts */
	LAUNCH_BIND_ABSENT, /* only where there is no such file, and only below `root` */
};

struct launch_bind {
	char *source, *target;
	enum launch_bind_kind kind;
};

struct launch {
	char id[NAME_INSTANCE_ID_SIZE];
	uint64_t generation;
	char **command, **env; /* NULL-ended; env as NAME=value */
	size_t n_command, n_env;
	struct launch_bind binds[LAUNCH_BINDS_MAX];
	size_t n_binds;
	char root[SPEC_PATH_SIZE], workdir[SPEC_PATH_SIZE];
	bool has_user;
	uid_t uid;
	gid_t gid;
};

/* Command, environment, root, user; no binds yet. E_REFUSED: the substituted text is too long. */
int launch_make(const struct spec *spec, const struct launch_facts *facts, struct launch *ret_launch, struct why *why) MUST_CHECK;
int launch_add_bind(struct launch *launch, const char *source, const char *target, enum launch_bind_kind kind) MUST_CHECK;
void launch_deinit(struct launch *launch); /* may be called twice, and on zeros */

int launch_write(const struct launch *launch, const char *path) MUST_CHECK;
/* E_REFUSED with why: not a file of launch_write. */
int launch_read(const char *path, struct launch *ret_launch, struct why *why) MUST_CHECK;
