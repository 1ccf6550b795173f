/* locator - see locator.h. Places are the cities where hosters and clouds have data centres, under the airport-like codes that
 * operators of such platforms use; coordinates in degrees, to two places. */
#include "lib/sixpn/locator.h"

#include <math.h>
#include <string.h>

uint16_t locator_encode(double latitude, double longitude)
{
	double east = fmod(longitude - 40.0, 360.0), row = floor((latitude + 60.0) * 64.0 / 100.0);
	unsigned x, y, code = 0;

	if (east < 0)
		east += 360.0;
	x = (unsigned)floor(east * 64.0 / 360.0) & 63;
	y = row < 0 ? 0 : row > 63 ? 63 : (unsigned)row;
	for (int bit = 5; bit >= 0; bit--)
		code = code << 2 | (x >> bit & 1) << 1 | (y >> bit & 1);
	return (uint16_t)(LOCATOR_TOP | code);
}

int locator_nearest_free(uint16_t wanted, const uint8_t taken[512], uint16_t *ret_locator)
{
	for (unsigned distance = 0; distance < 4096; distance++) {
		unsigned code = (wanted & 0xfff) ^ distance;

		if (!(taken[code / 8] >> (code % 8) & 1)) {
			*ret_locator = (uint16_t)(LOCATOR_TOP | code);
			return 0;
		}
	}
	return E_REFUSED;
}

double locator_distance_km(double lat1, double lon1, double lat2, double lon2)
{
	const double radian = M_PI / 180.0;
	double a = sin((lat2 - lat1) * radian / 2), b = sin((lon2 - lon1) * radian / 2);
	double h = a * a + cos(lat1 * radian) * cos(lat2 * radian) * b * b;

	return 2 * 6371.0 * asin(sqrt(h > 1 ? 1 : h));
}

static const struct locator_place places[] = {
	{ "ams", "Amsterdam", 52.37, 4.90 },      { "arn", "Stockholm", 59.33, 18.07 },     { "atl", "Atlanta", 33.75, -84.39 },
	{ "bah", "Bahrain", 26.07, 50.56 },       { "bkk", "Bangkok", 13.76, 100.50 },      { "blr", "Bengaluru", 12.97, 77.59 },
	{ "bog", "Bogota", 4.71, -74.07 },        { "bom", "Mumbai", 19.08, 72.88 },        { "bos", "Boston", 42.36, -71.06 },
	{ "bru", "Brussels", 50.85, 4.35 },       { "bud", "Budapest", 47.50, 19.04 },      { "cdg", "Paris", 48.86, 2.35 },
	{ "cgk", "Jakarta", -6.21, 106.85 },      { "cpt", "Cape Town", -33.92, 18.42 },    { "den", "Denver", 39.74, -104.99 },
	{ "dev", "Ashburn (test)", 39.04, -77.49 }, { "dfw", "Dallas", 32.78, -96.80 },     { "doh", "Doha", 25.29, 51.53 },
	{ "dub", "Dublin", 53.35, -6.26 },        { "dxb", "Dubai", 25.20, 55.27 },         { "ewr", "New York", 40.71, -74.01 },
	{ "eze", "Buenos Aires", -34.60, -58.38 }, { "fra", "Frankfurt", 50.11, 8.68 },     { "gdl", "Guadalajara", 20.66, -103.35 },
	{ "gig", "Rio de Janeiro", -22.91, -43.17 }, { "gru", "Sao Paulo", -23.55, -46.63 }, { "gva", "Geneva", 46.20, 6.14 },
	{ "hel", "Helsinki", 60.17, 24.94 },      { "hkg", "Hong Kong", 22.32, 114.17 },    { "hyd", "Hyderabad", 17.39, 78.49 },
	{ "iad", "Ashburn", 39.04, -77.49 },      { "icn", "Seoul", 37.57, 126.98 },        { "ist", "Istanbul", 41.01, 28.98 },
	{ "jnb", "Johannesburg", -26.20, 28.05 }, { "kix", "Osaka", 34.69, 135.50 },        { "kul", "Kuala Lumpur", 3.14, 101.69 },
	{ "lax", "Los Angeles", 34.05, -118.24 }, { "lhr", "London", 51.51, -0.13 },        { "lis", "Lisbon", 38.72, -9.14 },
	{ "los", "Lagos", 6.52, 3.38 },           { "mad", "Madrid", 40.42, -3.70 },        { "man", "Manchester", 53.48, -2.24 },
	{ "mel", "Melbourne", -37.81, 144.96 },   { "mia", "Miami", 25.76, -80.19 },        { "mrs", "Marseille", 43.30, 5.37 },
	{ "muc", "Munich", 48.14, 11.58 },        { "mxp", "Milan", 45.46, 9.19 },          { "nbo", "Nairobi", -1.29, 36.82 },
	{ "nrt", "Tokyo", 35.68, 139.69 },        { "ord", "Chicago", 41.88, -87.63 },      { "osl", "Oslo", 59.91, 10.75 },
	{ "otp", "Bucharest", 44.43, 26.10 },     { "pdx", "Portland", 45.52, -122.68 },    { "phx", "Phoenix", 33.45, -112.07 },
	{ "prg", "Prague", 50.08, 14.44 },        { "qro", "Queretaro", 20.59, -100.39 },   { "scl", "Santiago", -33.45, -70.67 },
	{ "sea", "Seattle", 47.61, -122.33 },     { "sin", "Singapore", 1.35, 103.82 },     { "sjc", "San Jose", 37.34, -121.89 },
	{ "slc", "Salt Lake City", 40.76, -111.89 }, { "sof", "Sofia", 42.70, 23.32 },      { "syd", "Sydney", -33.87, 151.21 },
	{ "tlv", "Tel Aviv", 32.09, 34.78 },      { "tpe", "Taipei", 25.03, 121.57 },       { "txl", "Berlin", 52.52, 13.40 },
	{ "vie", "Vienna", 48.21, 16.37 },        { "waw", "Warsaw", 52.23, 21.01 },        { "yul", "Montreal", 45.50, -73.57 },
	{ "yvr", "Vancouver", 49.28, -123.12 },   { "yyz", "Toronto", 43.65, -79.38 },      { "zrh", "Zurich", 47.38, 8.54 },
};

const struct locator_place *locator_place_find(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (!strcmp(places[i].code, code))
			return &places[i];
	return NULL;
}

const struct locator_place *locator_places(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(places);
	return places;
}
