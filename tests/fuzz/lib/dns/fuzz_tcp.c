/* Any bytes as a TCP stream in pieces: the same queries come out, whatever the pieces. */
#include "lib/dns/stream.h"

#include <stdlib.h>
#include <string.h>

/* How many queries, and a sum over them; ends at the first bad length. */
static uint64_t run(const uint8_t *data, size_t size, size_t piece)
{
	struct dns_stream s;
	uint64_t sum = 0;
	int r = DNS_STREAM_MORE;

	dns_stream_init(&s);
	while (size && r != DNS_STREAM_BAD) {
		const uint8_t *query;
		size_t room, len;
		uint8_t *at = dns_stream_room(&s, &room);

		room = room > piece ? piece : room;
		room = room > size ? size : room;
		memcpy(at, data, room);
		dns_stream_received(&s, room);
		data += room, size -= room;
		while ((r = dns_stream_next(&s, &query, &len)) == 0) {
			for (size_t i = 0; i < len; i++)
				sum = sum * 31 + query[i];
			if (dns_stream_reply(&s, query, len) == 0 && dns_stream_full(&s))
				dns_stream_sent(&s, dns_stream_unsent(&s, &len) ? len : 0);
		}
	}
	dns_stream_deinit(&s);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole;

	if (size < 1)
		return 0;
	whole = run(data + 1, size - 1, size);
	if (run(data + 1, size - 1, 1u + data[0]) != whole)
		abort();
	return 0;
}
