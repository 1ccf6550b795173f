/* nng_close - the end of a socket of nng's, in bounded time.
 *
 * nng_close of nng 1.5.2 sometimes never returns when a connection is closed while it sends or receives: its reaper waits for an
 * operation that nobody ends. A daemon that is told to stop would hang until it is killed. */
#pragma once
#include "lib/base/err.h"

#include <nng/nng.h>

#define LINK_NNG_CLOSE_MS 1000

/* False: it did not end in time. nng's threads may go on to use whatever its callbacks were given, so that must not be freed. */
bool link_nng_close(nng_socket socket) MUST_CHECK;
