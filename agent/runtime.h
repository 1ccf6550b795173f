/* runtime - what runs an instance, behind a table of functions: the process runtime (runtime_process.c) and the fake of the
 * tests. Starting has two parts, because the interface goes between them: start() makes the instance's namespaces and holds the
 * command back, open() lets it run; that it runs is told when the kernel has taken it for a program, not before.
 *
 * An instance is known by its folder's last part, its id. What happens to it is told through the listener, never from inside a
 * call of the one who listens. Nothing here depends on a daemon's life: adopt() finds what an earlier one started. */
#pragma once
#include "agent/launch.h"

struct loop;

enum runtime_state {
	RUNTIME_NONE,    /* never started here, or its traces are gone */
	RUNTIME_HELD,    /* at its gate */
	RUNTIME_OPENED,  /* its gate was opened; running() or ended() follows */
	RUNTIME_RUNNING,
	RUNTIME_ENDED,   /* exit_code counts, or failure says why it never ran */
};

struct runtime_status {
	enum runtime_state state;
	uint64_t generation;
	int32_t exit_code;
	uint64_t age_ms; /* of a living one, since its process was made */
	char failure[160];
};

struct runtime_listener {
	void (*ready)(void *ctx, const char *id);   /* it is at its gate */
	void (*running)(void *ctx, const char *id); /* after open(): its command runs */
	/* The process is gone. text "": exit_code is the command's own; else the sentence says why it could not be held or run. */
	void (*ended)(void *ctx, const char *id, int32_t exit_code, const char *text);
	void *ctx;
};

struct runtime_ops {
	void (*listen)(void *runtime, const struct runtime_listener *listener);
	/* The folder holds `launch`. ready() or ended() follows. -EALREADY: one is alive. */
	int (*start)(void *runtime, const char *folder, const char *id);
	int (*open)(void *runtime, const char *id); /* running() or ended() follows */
	int (*term)(void *runtime, const char *id);             /* SIGTERM for the command */
	int (*kill)(void *runtime, const char *id, bool force); /* the whole family; force: the holder too */
	/* After kill(): waits a little until all of it is gone, and ends without asking what is not. May be NULL. */
	int (*end)(void *runtime, const char *id);
	/* Before the first adopt(): ends what adopt() would not find of all that was ever started for folders below `instances`.
	 * -EBUSY: some of it does not go. */
	int (*sweep)(void *runtime, const char *instances);
	/* What an earlier daemon left; from here on ended() is told. */
	int (*adopt)(void *runtime, const char *folder, const char *id, struct runtime_status *ret_status);
	/* A descriptor of the network namespace of a held or running instance; close() it. -ESRCH. */
	int (*netns)(void *runtime, const char *id, int *ret_fd);
	/* Lets go of the instance, which may go on living. */
	void (*release)(void *runtime, const char *id);
};

/* shim_path: the program. NULL if there is no memory. */
struct runtime_process;
struct runtime_process *runtime_process_new(struct loop *loop, const char *shim_path);
struct runtime_process *runtime_process_free(struct runtime_process *runtime); /* instances live on; returns NULL */
extern const struct runtime_ops runtime_process_ops;
