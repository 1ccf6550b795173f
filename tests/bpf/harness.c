#include "tests/bpf/harness.h"

#include "lib/base/buf.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

int harness_open(uint32_t self_host, struct harness *ret_harness)
{
	struct bpf_config config = { .self_host = self_host };
	struct harness h = { 0 };
	int err = bpf_datapath_open(NULL, &config, &h.dp);

	if (!err)
		*ret_harness = h;
	return err;
}

void harness_close(struct harness *h)
{
	h->dp = bpf_datapath_close(h->dp);
}

unsigned harness_l2_len(enum sixpn_hook hook)
{
	static const unsigned lens[] = {
#define L2_LEN(number, NAME, program, l2_len) [number] = l2_len,
		SIXPN_HOOKS(L2_LEN)
#undef L2_LEN
	};

	return lens[hook];
}

int harness_run(struct harness *h, enum sixpn_hook hook, unsigned l2_len, const void *packet, size_t len, uint32_t mark,
		struct harness_result *ret_result)
{
	struct __sk_buff in = {
		.mark = mark, .ifindex = HARNESS_IFINDEX, .ingress_ifindex = h->came_in_by, .gso_segs = h->segments
	}, out = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = (uint32_t)len, .data_out = ret_result->packet,
		    .data_size_out = sizeof(ret_result->packet), .ctx_in = &in, .ctx_size_in = sizeof(in), .ctx_out = &out,
		    .ctx_size_out = sizeof(out), .repeat = 1);
	int err = bpf_prog_test_run_opts(bpf_datapath_program(h->dp, hook, l2_len), &run);

	if (err)
		return err;
	ret_result->verdict = (int)run.retval;
	ret_result->mark = out.mark;
	ret_result->len = run.data_size_out;
	ret_result->reason = SIXPN_REASON_NONE;
	return 0;
}

int harness_run_counted(struct harness *h, enum sixpn_hook hook, unsigned l2_len, const void *packet, size_t len, uint32_t mark,
			struct harness_result *ret_result)
{
	struct bpf_counters now;
	unsigned n = 0;
	int err = bpf_counters_read(h->dp, &h->seen);

	if (!err)
		err = harness_run(h, hook, l2_len, packet, len, mark, ret_result);
	if (!err)
		err = bpf_counters_read(h->dp, &now);
	if (err)
		return err;
	for (unsigned reason = 0; reason < SIXPN_REASON_SLOTS; reason++) {
		if (now.dropped[reason].packets == h->seen.dropped[reason].packets)
			continue;
		ret_result->reason = reason;
		n++;
	}
	return n > 1 ? -EPROTO : 0;
}

size_t harness_packet(unsigned l2_len, const char *source, const char *destination, uint8_t next, const void *payload,
		      size_t payload_len, uint8_t ret_packet[HARNESS_PACKET_MAX])
{
	static const uint8_t ethernet[HARNESS_ETHERNET_LEN] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd };
	uint8_t *p = ret_packet + l2_len;

	memset(ret_packet, 0, HARNESS_PACKET_MAX);
	memcpy(ret_packet, ethernet, l2_len);
	p[0] = 0x60;
	put_u16(p + 4, (uint16_t)payload_len);
	p[6] = next;
	p[7] = 64;
	if (inet_pton(AF_INET6, source, p + 8) != 1 || inet_pton(AF_INET6, destination, p + 24) != 1)
		abort();
	if (payload_len)
		memcpy(p + 40, payload, payload_len);
	return l2_len + 40 + payload_len;
}
