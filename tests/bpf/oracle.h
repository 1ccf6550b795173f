/* oracle - a second opinion on the BPF programs: the policy of bpf/sixpn.h as a plain C model, written from its text and from nothing
 * else. It is slow and simple on purpose and shares no line with the programs. Whoever changes a program does not change this file
 * to fit; whoever changes the policy changes the text first, then this, then the program.
 *
 * Words are plain numbers, addresses 16 bytes as on the wire. Nothing here can fail or allocates. */
#pragma once
#include "bpf/sixpn.h"
#include "lib/base/err.h"

#define ORACLE_PACKET_MAX 2048
#define ORACLE_ENTRIES 48

/* What the maps and constants of one node hold. */
struct oracle_state {
	uint32_t self_host, mark_value, mark_mask;
	bool has_device; /* of the device that the packet comes through */
	struct sixpn_device device;
	struct sixpn_presence_key presence[ORACLE_ENTRIES];
	size_t n_presence;
	uint8_t moved_here[ORACLE_ENTRIES][16]; /* natural form, any address of the /112 or /120 that moved */
	size_t n_moved_here;
	uint8_t moved_away[ORACLE_ENTRIES][16];
	size_t n_moved_away;
	struct oracle_member {
		uint8_t address[16]; /* natural form, any address of the /112 */
		uint8_t app;
	} members[ORACLE_ENTRIES];
	size_t n_members;
	struct oracle_pair {
		uint32_t from_network, to_network;
		uint8_t from_app, to_app; /* from_app 0 = every app */
	} pairs[ORACLE_ENTRIES];
	size_t n_pairs; /* of UDP that was sent before nothing is known here: the caller forgets it from packet to packet */
};

struct oracle_answer {
	bool pass;
	/* Bit set of 1 << enum sixpn_reason: every reason that is true of the packet; 0 if it passes. The policy gives no order of
	 * the checks, so a program may count any one of them. */
	uint64_t reasons;
	uint32_t mark; /* as it was, if the packet is dropped */
	size_t len;
	uint8_t packet[ORACLE_PACKET_MAX]; /* as it was, if the packet is dropped */
};

/* l2_len: 14 = the packet begins with an Ethernet header, 0 = with the IP header. len <= ORACLE_PACKET_MAX. */
void oracle_judge(const struct oracle_state *state, enum sixpn_hook hook, unsigned l2_len, const uint8_t *packet, size_t len,
		  uint32_t mark, struct oracle_answer *ret_answer);
