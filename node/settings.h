/* settings - the one table of the node's configuration keys (/etc/sixpn/node.conf, SIXPN_KEY, --key). */
#pragma once
#include "lib/base/config.h"

int settings_init(struct config *config);
