/* A dump of any bytes in any number of messages: what is read is in bounds. */
#include <stdlib.h>
#include <string.h>

#include <linux/netlink.h>

#include "lib/netlink/wg_genl_message.h"

/* The next message: one byte says how much of the input is its content. In memory of its own, of exactly its size. */
static int read_one(struct wg_genl_reader *reader, const uint8_t **data, size_t *size)
{
	size_t n = 8u * (*data)[0] < *size - 1 ? 8u * (*data)[0] : *size - 1, whole = NLMSG_HDRLEN + n;
	struct nlmsghdr *message = calloc(1, whole);
	uint16_t family;
	int e;

	message->nlmsg_len = (uint32_t)whole;
	memcpy((uint8_t *)message + NLMSG_HDRLEN, *data + 1, n);
	wg_genl_read_family(message, &family);
	e = wg_genl_read(reader, message);
	free(message);
	*data += n + 1;
	*size -= n + 1;
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wg_genl_reader reader = { 0 };
	int e = 0;

	while (size && e == 0)
		e = read_one(&reader, &data, &size);
	if (e == 0)
		e = wg_genl_read_end(&reader);
	if (e != 0 && e != -EPROTO)
		abort();
	for (size_t i = 0; i < reader.observed.n; i++) {
		const struct wg_peer *peer = &reader.observed.peers[i].peer;

		for (size_t k = 0; k < peer->n_allowed; k++)
			if (peer->allowed[k].len > (peer->allowed[k].family == AF_INET ? 32 : 128))
				abort();
	}
	wg_genl_reader_deinit(&reader);
	return 0;
}
