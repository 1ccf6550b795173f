/* locator - the 16 bits of a region in every address of its nodes, chosen so that longest-prefix sorting (RFC 6724 rule 9) in
 * getaddrinfo puts near regions first: 0xA000 | x5 y5 x4 y4 .. x0 y0, x and y being the place on a 64 x 64 grid of the world.
 * The cuts at 40 E / 140 W and 10 S run where few data centres are. */
#pragma once
#include "lib/base/err.h"

#define LOCATOR_TOP 0xA000u

/* Degrees; latitude in [-90, 90], longitude in [-180, 180]. */
uint16_t locator_encode(double latitude, double longitude);
/* The free code with the smallest XOR to `wanted`; E_REFUSED if all 4096 are taken. `taken` is a bitmap of 4096 bits. */
int locator_nearest_free(uint16_t wanted, const uint8_t taken[512], uint16_t *ret_locator) MUST_CHECK;
/* Great-circle distance in km (spherical earth). */
double locator_distance_km(double lat1, double lon1, double lat2, double lon2);

/* The built-in list of places, by the three-letter codes that operators use. */
struct locator_place {
	char code[4];
	const char *city;
	double latitude, longitude;
};
const struct locator_place *locator_place_find(const char *code); /* NULL if not in the list */
const struct locator_place *locator_places(size_t *ret_count);
