/* cli - the `sixpn` command: one table of nouns, verbs and flags (table.c), and what every verb uses. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/json.h"

#include <signal.h>
#include <stdio.h>

/* Exit statuses. */
enum {
	EXIT_GOOD = 0,
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_NOT_ALLOWED = 4,
	EXIT_UNREACHABLE = 5,
	EXIT_NOT_APPLIED = 6,
	EXIT_PARTLY = 7,
	EXIT_INTERRUPTED = 130, /* what a shell says of ^C */
};

#define CLI_FLAGS_MAX 96 /* given on one command line */
#define CLI_ARGS_MAX 8

struct cli;

struct cli_column {
	const char *title, *path; /* path into the JSON: "observed.state" */
};

/* What the API calls by one path, and how it looks. */
struct cli_noun {
	const char *name;   /* "node token" */
	const char *path;   /* "/v1/node-tokens"; NULL = nothing in the API */
	const char *key;    /* the field that names one: "name" or "id" */
	const char *help;
	const struct cli_column *columns; /* of list and show, ended by a NULL title */
	const char *line;   /* fields of the one line that a write prints, separated by spaces */
};

struct cli_flag {
	const char *name;  /* without the dashes; "o" is -o, "q" is -q */
	const char *value; /* placeholder; NULL = no value */
	bool repeat;
	const char *help;
};

enum cli_kind { CLI_READ, CLI_WRITE, CLI_DESTROY, CLI_HERE /* nothing goes to the controller */ };

struct cli_command {
	const struct cli_noun *noun; /* NULL: a command without noun */
	const char *verb;
	const char *args;     /* "NAME", "NAME [TYPE]", "[-- COMMAND...]"; "" = none */
	enum cli_kind kind;
	const struct cli_flag *flags; /* its own, ended by a NULL name; NULL = none */
	const char *help;
	const char *examples; /* lines */
	int (*run)(struct cli *cli);
};

extern const struct cli_noun *const cli_nouns[]; /* ended by NULL */
extern const struct cli_command cli_commands[];  /* ended by a NULL verb */
extern const struct cli_flag cli_flags_all[], cli_flags_write[], cli_flags_destroy[];

struct cli {
	FILE *out, *err, *in;
	bool out_is_terminal, in_is_terminal;
	bool local; /* only the local socket will do, whatever the context says */
	char *const *env;
	const struct cli_command *command;
	const char *args[CLI_ARGS_MAX];
	size_t n_args;
	struct cli_given {
		const struct cli_flag *flag;
		const char *value;
	} given[CLI_FLAGS_MAX];
	size_t n_given;
	char *const *rest; /* after "--", NULL-ended; NULL = no "--" */
	struct connection *connection; /* made on first use */
	bool unanswered; /* the last request may have been carried out, though no answer to it was understood */
	const volatile sig_atomic_t *stop; /* set: a request that is under way ends; NULL = nobody will */
};

/* The whole program but for the process's exit. */
int cli_main(struct cli *cli, int argc, char *const *argv);

/* ---- what verbs ask ---- */

const char *cli_env(const struct cli *cli, const char *name); /* NULL if unset or empty */
bool cli_has(const struct cli *cli, const char *flag);
const char *cli_value(const struct cli *cli, const char *flag); /* NULL if not given */
/* The n-th value of a flag that may be repeated; NULL at the end. */
const char *cli_value_at(const struct cli *cli, const char *flag, size_t n);
const struct cli_noun *cli_noun_find(const char *name);
const struct cli_command *cli_command_find(const char *noun, const char *verb);
/* The flags of a command, its own and those of its kind, one after the other; NULL at the end. */
const struct cli_flag *cli_flag_at(const struct cli_command *command, size_t n);

/* Three lines: what, what to do (may be NULL), code. Returns exit_status. */
int cli_fail(struct cli *cli, int exit_status, const char *code, const char *hint, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Progress and hints, for people: to standard error, not with -q. */
void cli_note(struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- verbs that every noun has ---- */

int cli_list(struct cli *cli);
int cli_show(struct cli *cli);
int cli_delete(struct cli *cli); /* asks first */

/* Sends a write (body is taken, may be NULL) and prints its outcome. path as in request_send. */
int cli_write(struct cli *cli, const char *method, const char *path, json_t *body, const char *done_word);
/* The two halves of it, for what has something to do between them: sending, then waiting and printing. */
struct request_reply;
int cli_write_send(struct cli *cli, const char *method, const char *path, json_t *body, struct request_reply *ret_reply);
int cli_write_told(struct cli *cli, struct request_reply *reply, uint64_t sent_ms, const char *done_word);
/* /v1/apps/<the object that the first argument means>[/action]; names, ids and unambiguous prefixes. 0 or an exit status. */
int cli_resolve(struct cli *cli, const struct cli_noun *noun, const char *ref, struct buf *ret_path);
/* Wants --yes or the typed name; says first what will go. */
int cli_confirm(struct cli *cli, const char *name, const char *what);
/* Copies flags of these names into the body as strings, "-" as "_". */
void cli_body_strings(const struct cli *cli, json_t *body, const char *const *names);
int cli_body_number(struct cli *cli, json_t *body, const char *flag, bool integer);
