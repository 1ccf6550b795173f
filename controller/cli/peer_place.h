/* peer_place - where the file of a peer goes: made before the peer is, with the key in it, as big as it can get; then the file itself
 * over that, as often as the peer changes while it is waited for. On standard output or as a QR code on a terminal instead. */
#pragma once
#include "controller/cli/context.h"
#include "controller/cli/peer_file.h"

struct peer_place {
	struct secret_place secret;
	enum peer_form form;
	enum peer_dns dns; /* as chosen */
	bool qr, to_out; /* to_out: the file is the data on standard output */
	bool holds_key; /* what is written is a secret */
	struct peer_file file;
};

/* From --form, --dns, --qr and -o, before any key is made. 0 or an exit status. */
int peer_place_choose(struct cli *cli, struct peer_place *place);
/* The file was read from a disk: chooses again, now with what that says of form and DNS. 0 or an exit status. */
int peer_place_follow(struct cli *cli, struct peer_place *place);
/* The file's keys are set: makes the file and fills it with the draft. with -o, or a terminal, unless nothing is secret. */
int peer_place_prepare(struct cli *cli, struct peer_place *place);
/* What the API says of the peer becomes the file. Only into a file; may be called again. 0 or an exit status: then the draft is there. */
int peer_place_take(struct cli *cli, struct peer_place *place, const json_t *peer);
/* The end: closes the file, or prints to standard output, or draws. */
int peer_place_finish(struct cli *cli, struct peer_place *place);
/* Nothing was made: the file goes. */
void peer_place_abandon(struct peer_place *place);
/* It is not known what was made: the draft stays. */
void peer_place_keep(struct peer_place *place);
