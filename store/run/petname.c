/* SPDX-License-Identifier: Apache-2.0 */
#include "run/petname.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"

#define NR(list) (sizeof(list) / sizeof(*(list)))

static const char *const adjectives[] = {
	"airy",	   "amber",    "ample",	  "balmy",  "bold",    "brave",	 "breezy",   "bright",
	"brisk",   "calm",     "candid",  "cheery", "clever",  "cosy",	 "crisp",    "curious",
	"daring",  "deft",     "dreamy",  "eager",  "earnest", "fair",	 "festive",  "fleet",
	"fond",	   "frank",    "gallant", "gentle", "glad",    "golden", "graceful", "handy",
	"hardy",   "hearty",   "honest",  "humble", "jaunty",  "jolly",	 "keen",     "kind",
	"lively",  "loyal",    "lucid",	  "lucky",  "mellow",  "merry",	 "mild",     "nifty",
	"nimble",  "noble",    "patient", "placid", "plucky",  "polite", "proud",    "quick",
	"quiet",   "rapid",    "serene",  "sharp",  "silent",  "smart",	 "snug",     "sober",
	"spry",	   "steady",   "stout",	  "sturdy", "sunny",   "swift",	 "tidy",     "tender",
	"thrifty", "tranquil", "trusty",  "upbeat", "valiant", "vivid",	 "warm",     "witty",
};

static const char *const surnames[] = {
	"abel",	     "agnesi",	 "ampere",	"avogadro", "babbage",	   "bernoulli", "bohr",
	"boltzmann", "boole",	 "bose",	"brahe",    "cantor",	   "carson",	"cauchy",
	"cavendish", "celsius",	 "church",	"clarke",   "copernicus",  "coulomb",	"curie",
	"darwin",    "dedekind", "diesel",	"dijkstra", "dirac",	   "edison",	"einstein",
	"erdos",     "euclid",	 "euler",	"faraday",  "fermat",	   "fermi",	"feynman",
	"fourier",   "franklin", "galilei",	"galois",   "gauss",	   "germain",	"goedel",
	"hamilton",  "hawking",	 "hertz",	"hilbert",  "hopper",	   "hubble",	"huygens",
	"jacobi",    "joule",	 "kelvin",	"kepler",   "knuth",	   "laplace",	"lagrange",
	"leibniz",   "linnaeus", "lovelace",	"maxwell",  "meitner",	   "mendel",	"mendeleev",
	"mersenne",  "moebius",	 "napier",	"newton",   "nightingale", "noether",	"ohm",
	"pascal",    "pasteur",	 "pauli",	"planck",   "poincare",	   "ramanujan", "riemann",
	"ritchie",   "rubin",	 "rutherford",	"sagan",    "shannon",	   "tesla",	"turing",
	"volta",     "watt",	 "weierstrass", "wright",   "young",	   "yukawa",	"zuse",
};

char *petname_make(uint64_t seed, unsigned attempt)
{
	const char *adjective = adjectives[seed % NR(adjectives)];
	const char *surname = surnames[seed / NR(adjectives) % NR(surnames)];

	if (attempt)
		return xasprintf("%s_%s%u", adjective, surname, attempt);
	return xasprintf("%s_%s", adjective, surname);
}

int petname_check(const char *name, struct error *err)
{
	size_t len = 0;

	if (isalnum((unsigned char)*name))
		while (name[len] && (isalnum((unsigned char)name[len]) || strchr("_.-", name[len])))
			len++;
	if (len < 2 || name[len])
		return err_set(err, ERR_USAGE,
			       "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
			       "allowed",
			       name);
	return 0;
}
