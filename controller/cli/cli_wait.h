/* cli_wait - after a write: how far it is, until it is applied everywhere or the time is up. */
#pragma once
#include "controller/cli/request.h"

/* Adds what makes the write wait to its path. 0 or an exit status. */
int cli_wait_ask(struct cli *cli, struct buf *path);
/* Goes on where the write's reply says that it has not come everywhere yet, telling people about it; the reply's body gets what is
 * newer. sent_ms: monotonic, when the write was sent. 0 or an exit status. */
int cli_wait_on(struct cli *cli, struct request_reply *reply, uint64_t sent_ms);
/* Where the change is, in words; the exit status it means. */
int cli_wait_tell(struct cli *cli, const json_t *body);
