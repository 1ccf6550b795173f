/* nng_error - see nng_error.h. */
#include "lib/link/nng_error.h"

#include <errno.h>
#include <nng/nng.h>

int link_nng_error(int nng_result)
{
	static const int known[] = {
		[0] = 0,
		[NNG_EINTR] = EINTR,
		[NNG_ENOMEM] = ENOMEM,
		[NNG_EINVAL] = EINVAL,
		[NNG_EBUSY] = EBUSY,
		[NNG_ETIMEDOUT] = ETIMEDOUT,
		[NNG_ECONNREFUSED] = ECONNREFUSED,
		[NNG_ECLOSED] = EBADF,
		[NNG_EAGAIN] = EAGAIN,
		[NNG_ENOTSUP] = EOPNOTSUPP,
		[NNG_EADDRINUSE] = EADDRINUSE,
		[NNG_ESTATE] = EINVAL,
		[NNG_ENOENT] = ENOENT,
		[NNG_EPROTO] = EPROTO,
		[NNG_EUNREACHABLE] = EHOSTUNREACH,
		[NNG_EADDRINVAL] = EADDRNOTAVAIL,
		[NNG_EPERM] = EPERM,
		[NNG_EMSGSIZE] = EMSGSIZE,
		[NNG_ECONNABORTED] = ECONNABORTED,
		[NNG_ECONNRESET] = ECONNRESET,
		[NNG_ENOFILES] = EMFILE,
		[NNG_ENOSPC] = ENOSPC,
		[NNG_EEXIST] = EEXIST,
	};

	if (nng_result & NNG_ESYSERR)
		return -(nng_result & ~NNG_ESYSERR);
	if (nng_result > 0 && (unsigned)nng_result < sizeof known / sizeof known[0] && known[nng_result])
		return -known[nng_result];
	return nng_result ? -EIO : 0;
}
