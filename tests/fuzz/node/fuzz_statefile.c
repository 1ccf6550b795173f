/* The door of the state file. The bytes are tried as they are and with a checksum that fits, so that what is behind it is reached;
 * what is taken must come out of the encoder as it went in, counted the same. */
#include "lib/base/crypto.h"
#include "node/statefile.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try(const uint8_t *bytes, size_t n)
{
	CLEAN_BUF struct buf again = BUF_INIT(64 << 20);
	struct replica r, same;
	uint8_t hash[32];
	struct why why;

	replica_init(&r);
	replica_init(&same);
	if (statefile_decode(bytes, n, &r, hash, &why) == 0 &&
	    (statefile_encode(&r, &again, hash) != 0 || statefile_decode(again.data, again.len, &same, hash, &why) != 0 ||
	     same.records.n != r.records.n || same.v != r.v || same.n_held != r.n_held))
		abort();
	replica_deinit(&r);
	replica_deinit(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t head[] = "sixpnst\0\0\0\0\1";
	uint8_t *bytes = malloc(12 + size + 32);

	head[11] = (uint8_t)(1 + size % 2); /* both formats */

	try(data, size);
	memcpy(bytes, head, 12);
	if (size)
		memcpy(bytes + 12, data, size);
	crypto_blake2b((const uint8_t *)"sixpn state", 11, (struct crypto_part[]){ { bytes, 12 + size } }, 1, bytes + 12 + size);
	try(bytes, 12 + size + 32);
	free(bytes);
	return 0;
}
