/* api_list - cursors of all lists: the nouns know the store's, those who ask hold sealed ones (cursor.h). */
#pragma once
#include "controller/api/api.h"

/* Store thread, before and after route->run. open: E_REFUSED with call->op.why. */
int api_list_open(struct store *store, struct api_call *call) MUST_CHECK;
int api_list_seal(struct store *store, struct api_call *call) MUST_CHECK;
