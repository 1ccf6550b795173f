/* offline - calls sixpn-controller on this machine for what only it can do with files, and takes its one JSON object. */
#pragma once
#include "controller/cli/cli.h"

/* argv ends with NULL; argv[0] is the verb. cli->rest, if any, goes behind it. 0 with the object (owned), or an exit status after the
 * error was told. */
int offline_call(struct cli *cli, const char *const *argv, json_t **ret_reply);
