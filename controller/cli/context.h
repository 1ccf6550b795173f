/* context - where the controller is and with which token: flags, environment, the contexts of ~/.config/sixpn/config, or the local
 * socket, in this order. The file is JSON, mode 0600:
 *   {"current":"local","contexts":{"local":{"url":"unix:/run/sixpn/controller.sock","token":"sx1_..."},
 *                                  "prod":{"url":"https://192.0.2.10:4283","token":"sx1_...","pin":"sha256:..."}}} */
#pragma once
#include "controller/cli/cli.h"
#include "controller/cli/pin.h"

#define CONTEXT_TOKEN_MAX 256
#define CONTEXT_DEFAULT_SOCKET "/run/sixpn/controller.sock"

struct context {
	char name[64]; /* of the file's context that was taken; "" = flags, environment or the local socket */
	char url[256]; /* "http://..." or "unix:/path" */
	char token[CONTEXT_TOKEN_MAX];
	char pin[PIN_TEXT_SIZE]; /* of https with a self-made certificate; "" = an authority vouches for it */
};

/* 0 or an exit status after the error was told. */
int context_find(struct cli *cli, struct context *ret_context);
const char *context_socket(const struct cli *cli);
/* A folder for another program's state (FOLDER beside the context file), 0700 and made if it is not there; one that others may enter
 * is refused. 0 or an exit status. */
int context_folder(struct cli *cli, const char *folder, char *ret_path, size_t size);

/* A place for a secret, made (0600, new) before the secret is asked for, so that a full disk leaves nothing half made. */
struct secret_place {
	int fd; /* -1: printed to the terminal or to standard output */
	char path[4096], final_path[4096]; /* final_path "": stays where it is */
};
/* By -o FILE ("-": standard output, on purpose) or, without it, only if standard output is a terminal. 0 or an exit status. */
int secret_prepare(struct cli *cli, const char *what, struct secret_place *ret_place);
/* The same, but a pipe will do: for what a shell evaluates. */
int secret_prepare_piped(struct cli *cli, const char *what, struct secret_place *ret_place);
/* For the context file: written beside it. */
int secret_prepare_context(struct cli *cli, struct secret_place *ret_place);
int secret_write(struct cli *cli, struct secret_place *place, const char *secret);
/* The context file with this context added and made current. */
int secret_write_context(struct cli *cli, struct secret_place *place, const char *name, const struct context *context);
/* The context file as it is (an empty object if there is none) in *ret_doc, and as it is to be. 0 or an exit status. */
int context_file_read(struct cli *cli, json_t **ret_doc);
int context_file_write(struct cli *cli, const json_t *doc);
int context_set_url(struct cli *cli, struct context *context, const char *url);
int context_set_pin(struct cli *cli, struct context *context, const char *pin, const char *where);
int context_set_token_file(struct cli *cli, struct context *context, const char *path);
void secret_abandon(struct secret_place *place); /* after a failure: removes the empty file */
