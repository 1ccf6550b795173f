/* nng_error - nng's result as a negative errno, as everywhere else. */
#pragma once

int link_nng_error(int nng_result);
