/* nng_address - see nng_address.h. */
#include "lib/link/nng_address.h"

#include <string.h>

void link_nng_address(nng_pipe pipe, const char *which, struct link_source *ret)
{
	nng_sockaddr address;

	memset(ret, 0, sizeof *ret);
	if (nng_pipe_get_addr(pipe, which, &address) != 0)
		return;
	if (address.s_family == NNG_AF_INET6) {
		memcpy(ret->address, address.s_in6.sa_addr, 16);
	} else if (address.s_family == NNG_AF_INET) {
		ret->address[10] = ret->address[11] = 0xff;
		memcpy(ret->address + 12, &address.s_in.sa_addr, 4);
	} else {
		return;
	}
	ret->len = 16;
}
