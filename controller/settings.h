/* settings - the one table of the controller's settings: INI file, environment, command line, help and sample come from it. */
#pragma once
#include "lib/base/config.h"

int settings_init(struct config *config);
