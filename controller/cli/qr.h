/* qr - a text as a QR code on a terminal, two squares per character. */
#pragma once
#include "lib/base/err.h"

#include <stdio.h>

/* -E2BIG if it does not fit, -errno. */
int qr_print(const char *text, FILE *out) MUST_CHECK;
