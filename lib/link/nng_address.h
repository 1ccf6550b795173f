/* nng_address - an address of a connection of nng's, as 16 bytes. */
#pragma once
#include "lib/link/transport.h"

#include <nng/nng.h>

/* which: NNG_OPT_REMADDR or NNG_OPT_LOCADDR. len 0 if there is none, or it is of another family. */
void link_nng_address(nng_pipe pipe, const char *which, struct link_source *ret);
