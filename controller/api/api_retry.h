/* api_retry - the header Idempotency-Key: whoever never saw the reply of a write sends it again with the same key and gets that reply, and
 * nothing is written twice. A key belongs to the principal that used it and to one request: method, path, query and body in any spelling;
 * wait, timeout, strict and on may differ, since they change nothing.
 *
 * Replies are kept in the op of the write (store_kept.h), so neither a restart nor kill -9 comes between the two. Only what succeeded is
 * kept: a refused request changed nothing and is simply tried again. A reply that held a secret is kept without any of it: asked again, it
 * is refused with a sentence that names what was made. */
#pragma once
#include "controller/api/api.h"

/* Loop thread, once body and query are judged. 0: call->retry is filled; API_RETRY_NOT: there is nothing to be kept (a reading request, a dry
 * run, GraphQL); E_REFUSED: the key is none, or this route keeps no replies. */
enum { API_RETRY_NOT = 2 };
int api_retry_begin(struct api_call *call, struct why *why) MUST_CHECK;
/* Store thread. find: sets call->reply, call->wait and call->retry.replayed if that request was done before; E_REFUSED with call->op.why. */
int api_retry_find(struct store *store, struct api_call *call) MUST_CHECK;
int api_retry_keep(struct store *store, struct api_call *call) MUST_CHECK;
/* A second try was refused and has taken the first back (op->keep_refusal): its reply goes too. result, or -errno. */
int api_retry_forget(struct store *store, struct api_call *call, int result) MUST_CHECK;
