/* harness - the real programs in the kernel, fed one packet at a time with BPF_PROG_TEST_RUN. Nothing is pinned or attached. Needs
 * root (or CAP_BPF and CAP_NET_ADMIN). */
#pragma once
#include "lib/bpf/counters.h"
#include "lib/bpf/maps.h"

#define HARNESS_PACKET_MAX 2048
#define HARNESS_IFINDEX 1 /* packets run on lo, which every network namespace has */
#define HARNESS_ETHERNET_LEN 14

enum { HARNESS_PASS = -1, HARNESS_DROP = 2 }; /* TC_ACT_UNSPEC, TC_ACT_SHOT */

struct harness {
	struct bpf_datapath *dp; /* for the functions of lib/bpf/maps.h */
	struct bpf_counters seen;
	uint32_t segments; /* that one packet stands for (GSO); 0 = it is one */
	uint32_t came_in_by; /* interface by which the packets are to have come in; 0 = made by this machine */
};

struct harness_result {
	int verdict; /* as the program returned it */
	uint32_t mark;
	unsigned reason; /* enum sixpn_reason; of harness_run_counted alone */
	size_t len;
	uint8_t packet[HARNESS_PACKET_MAX];
};

/* Loads all programs for a node with this host word, default mark, no device, presence or moved entry. -EPERM if not root. */
int harness_open(uint32_t self_host, struct harness *ret_harness);
void harness_close(struct harness *h);

/* The packet begins with an Ethernet header on the hooks of instances and on underlay_ingress with l2_len 14, else with the IPv6
 * header. The kernel refuses (-EINVAL) less than 14 bytes, and less than 40 behind ethertype IPv6. */
int harness_run(struct harness *h, enum sixpn_hook hook, unsigned l2_len, const void *packet, size_t len, uint32_t mark,
		struct harness_result *ret_result);
/* The same, and finds the reason by the counter that went up; 0 = none. -EPROTO if more than one did. Slower. */
int harness_run_counted(struct harness *h, enum sixpn_hook hook, unsigned l2_len, const void *packet, size_t len, uint32_t mark,
			struct harness_result *ret_result);
/* 14 or 0: what the packets of a hook begin with (14 for underlay_ingress). */
unsigned harness_l2_len(enum sixpn_hook hook);

/* Writes an IPv6 packet with addresses in text form; l2_len 14 puts an Ethernet header in front. Returns its length. */
size_t harness_packet(unsigned l2_len, const char *source, const char *destination, uint8_t next, const void *payload,
		      size_t payload_len, uint8_t ret_packet[HARNESS_PACKET_MAX]);
