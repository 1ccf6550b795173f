/* nft_internal - what the files of nft share: running a command and reading its answer. */
#pragma once
#include "lib/base/json.h"
#include "lib/netlink/nft.h"

#include <nftables/libnftables.h>

struct nft {
	struct nft_ctx *context;
	struct why why;
	bool no_arp; /* found out by a load */
	struct mnl_socket *socket; /* of nft_generation.c */
	uint32_t sequence;
};

/* Runs a command and copies what it printed (may be NULL) as text or as a JSON document. -EIO with why. */
int nft_run_text(struct nft *nft, const char *command, struct buf *ret_output);
int nft_run_json(struct nft *nft, const json_t *command, json_t **ret_output);
int nft_ask_json(struct nft *nft, const char *command, json_t **ret_output);
/* The match (mark & mask) op mark, as nftables writes it. New reference, NULL without memory. */
json_t *nft_match_mark(const struct nft_gate *gate, const char *op);
int nft_generation_open(struct nft *nft);
void nft_generation_close(struct nft *nft);
int nft_generation_parse(const void *reply, size_t len, uint32_t sequence, uint32_t port_id, uint32_t *ret_generation);
