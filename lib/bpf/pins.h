/* pins - the files of ours in the pin folder: maps ("sixpn_v<layout>_<map>") and TCX links ("link_<ifindex>_<direction>").
 *
 * The layout in the name is the whole contract between versions of the daemon: what is pinned under another number is never read and
 * never written, whoever is older. The programs that use it go on with it until bpf_attach() has replaced them, device by device; with
 * the last of them it is gone. So an upgrade is: open (maps of our layout are made, empty) - fill them - attach - bpf_settle(). */
#pragma once
#include "lib/bpf/datapath.h"

/* Call when every device has the new programs: removes the pins of vanished devices and of maps that dp does not use. */
int bpf_settle(struct bpf_datapath *dp);
/* Takes away everything of ours: programs on all devices of the namespace, link pins, map pins, the pin folder if nothing else is in
 * it. Goes on after an error and returns the first. */
int bpf_wipe(struct bpf_datapath *dp);
/* Puts back the pins of maps in use that are gone or lead to another map; calls back for each, with the file's name and 0 or -errno.
 * Without them a daemon that starts would make its maps anew. */
int bpf_pins_repair(struct bpf_datapath *dp, void (*each)(void *ctx, const char *file_name, int err), void *ctx);

struct bpf_layouts {
	unsigned n;      /* pinned maps of other layouts */
	unsigned newest; /* of these */
};
/* What other versions of the daemon left in the folder, as bpf_datapath_open() found it. */
struct bpf_layouts bpf_pins_found(const struct bpf_datapath *dp);
