/* SPDX-License-Identifier: Apache-2.0 */
#include "opts.h"

#include <stdint.h>

#include "base/cleanup.h"
#include "unit.h"

struct sample {
	bool all;
	bool quiet;
	bool human;
	const char *format;
	struct strlist names;
	struct strlist filters;
	int64_t limit;
	uint64_t size_bytes;
};

static const struct opt sample_opts[] = {
	OPT_FLAG("all", 'a', sample, all, "Everything"),
	OPT_FLAG("quiet", 'q', sample, quiet, "IDs only"),
	{ .name = "human",
	  .letter = 'H',
	  .kind = OPT_BOOL,
	  .help = "For people",
	  .offset = offsetof(struct sample, human),
	  .preset = "true" },
	OPT_VALUE(OPT_STRING, "format", 0, sample, format, "string", "How"),
	OPT_VALUE(OPT_LIST, "name", 'n', sample, names, "list", "Which"),
	OPT_VALUE(OPT_FILTER, "filter", 'f', sample, filters, "filter", "Which"),
	OPT_VALUE(OPT_INT, "limit", 0, sample, limit, "int", "How many"),
	OPT_VALUE(OPT_SIZE, "size", 's', sample, size_bytes, "bytes", "How large"),
	{ 0 },
};

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

struct parsed {
	struct sample values;
	struct opts_words words;
	struct error err;
	int result;
};

static void parsed_done(struct parsed *parsed)
{
	opts_done(sample_opts, &parsed->values);
	opts_words_done(&parsed->words);
}
#define auto_parsed __attribute__((cleanup(parsed_done)))

static struct parsed parse(bool stop_at_word, const char *const *argv)
{
	struct parsed ret = { 0 };

	ret.result = opts_parse(sample_opts, stop_at_word, argv, &ret.values, &ret.words, &ret.err);
	return ret;
}

static void test_every_spelling_of_a_value(void)
{
	const char *const *const spellings[] = {
		ARGV("-qn", "x"),	   ARGV("-qnx"),	   ARGV("-q", "-n=x"),
		ARGV("-q", "--name", "x"), ARGV("-q", "--name=x"), ARGV("--quiet=true", "-n", "x"),
		ARGV("-q=1", "-nx"),
	};

	for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++) {
		auto_parsed struct parsed got = parse(false, spellings[i]);

		CU_ASSERT_EQUAL_FATAL(got.result, 0);
		CU_ASSERT_TRUE(got.values.quiet);
		CU_ASSERT_EQUAL_FATAL(got.values.names.nr, 1);
		CU_ASSERT_STRING_EQUAL(got.values.names.items[0], "x");
		CU_ASSERT_EQUAL(got.words.nr, 0);
	}
}

static void test_bools_take_values_only_by_equals_sign(void)
{
	auto_parsed struct parsed got =
		parse(false, ARGV("--all=false", "--human=F", "-q", "true", "--format="));

	CU_ASSERT_EQUAL_FATAL(got.result, 0);
	CU_ASSERT_FALSE(got.values.all);
	CU_ASSERT_FALSE(got.values.human);
	CU_ASSERT_TRUE(got.values.quiet);
	CU_ASSERT_STRING_EQUAL(got.values.format, "");
	CU_ASSERT_EQUAL_FATAL(got.words.nr, 1);
	CU_ASSERT_STRING_EQUAL(got.words.items[0], "true");
}

static void test_presets_hold_unless_overridden(void)
{
	auto_parsed struct parsed got = parse(false, ARGV("x"));

	CU_ASSERT_EQUAL_FATAL(got.result, 0);
	CU_ASSERT_TRUE(got.values.human);
	CU_ASSERT_PTR_NULL(got.values.format);
	CU_ASSERT_EQUAL(got.values.limit, 0);
}

static void test_words_and_options_mix_until_two_hyphens(void)
{
	auto_parsed struct parsed got = parse(false, ARGV("a", "-q", "-", "--", "-a", "--"));

	CU_ASSERT_EQUAL_FATAL(got.result, 0);
	CU_ASSERT_TRUE(got.values.quiet);
	CU_ASSERT_FALSE(got.values.all);
	CU_ASSERT_EQUAL_FATAL(got.words.nr, 4);
	CU_ASSERT_STRING_EQUAL(got.words.items[0], "a");
	CU_ASSERT_STRING_EQUAL(got.words.items[1], "-");
	CU_ASSERT_STRING_EQUAL(got.words.items[2], "-a");
	CU_ASSERT_STRING_EQUAL(got.words.items[3], "--");
	CU_ASSERT_PTR_NULL(got.words.items[4]);
}

static void test_the_first_word_can_end_the_options(void)
{
	auto_parsed struct parsed got = parse(true, ARGV("-q", "image", "-a", "--", "--bogus"));

	CU_ASSERT_EQUAL_FATAL(got.result, 0);
	CU_ASSERT_TRUE(got.values.quiet);
	CU_ASSERT_FALSE(got.values.all);
	CU_ASSERT_EQUAL_FATAL(got.words.nr, 4);
	CU_ASSERT_STRING_EQUAL(got.words.items[1], "-a");
	CU_ASSERT_STRING_EQUAL(got.words.items[2], "--");
}

static void test_filters_are_tidied(void)
{
	auto_parsed struct parsed got =
		parse(false, ARGV("-f", " Dangling = true ", "--filter", "label!=A=B", "-f", ""));

	CU_ASSERT_EQUAL_FATAL(got.result, 0);
	CU_ASSERT_EQUAL_FATAL(got.values.filters.nr, 2);
	CU_ASSERT_STRING_EQUAL(got.values.filters.items[0], "dangling=true");
	CU_ASSERT_STRING_EQUAL(got.values.filters.items[1], "label!=A=B");
}

static void test_numbers_and_sizes(void)
{
	auto_parsed struct parsed got = parse(false, ARGV("--limit", "-7", "-s64K"));

	CU_ASSERT_EQUAL_FATAL(got.result, 0);
	CU_ASSERT_EQUAL(got.values.limit, -7);
	CU_ASSERT_EQUAL(got.values.size_bytes, 65536);
}

static void test_help_is_always_an_option(void)
{
	auto_parsed struct parsed got = parse(false, ARGV("x", "--help"));
	struct opts_words words;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(got.result, 0);
	CU_ASSERT_TRUE(got.words.help);
	CU_ASSERT_FALSE(got.words.help_short);
	CU_ASSERT_EQUAL(opts_parse(NULL, false, ARGV("-h"), NULL, &words, &err), 0);
	CU_ASSERT_TRUE(words.help && words.help_short);
	opts_words_done(&words);
}

static void test_wrong_options_are_named(void)
{
	static const struct {
		const char *arg;
		const char *text;
	} cases[] = {
		{ "--x", "unknown flag: --x" },
		{ "--x=1", "unknown flag: --x" },
		{ "--al", "unknown flag: --al" },
		{ "-x", "unknown shorthand flag: 'x' in -x" },
		{ "-qxa", "unknown shorthand flag: 'x' in -xa" },
		{ "--format", "flag needs an argument: --format" },
		{ "-qn", "flag needs an argument: 'n' in -n" },
		{ "---x", "bad flag syntax: ---x" },
		{ "--=x", "bad flag syntax: --=x" },
		{ "--all=maybe", "invalid argument \"maybe\" for \"-a, --all\" flag: "
				 "strconv.ParseBool: parsing \"maybe\": invalid syntax" },
		{ "--limit=1x", "invalid argument \"1x\" for \"--limit\" flag: "
				"strconv.ParseInt: parsing \"1x\": invalid syntax" },
		{ "--limit=99999999999999999999",
		  "invalid argument \"99999999999999999999\" for \"--limit\" flag: "
		  "strconv.ParseInt: parsing \"99999999999999999999\": value out of range" },
		{ "--filter=x", "invalid argument \"x\" for \"-f, --filter\" flag: "
				"bad format of filter (expected name=value)" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_parsed struct parsed got = parse(false, ARGV(cases[i].arg));

		CU_ASSERT_EQUAL_FATAL(got.result, -1);
		CU_ASSERT_EQUAL(got.err.kind, ERR_USAGE);
		CU_ASSERT_STRING_EQUAL(got.err.text, cases[i].text);
	}
}

static void test_no_size_is_nothing(void)
{
	auto_parsed struct parsed good = parse(false, ARGV("--size", "1K"));
	auto_parsed struct parsed zero = parse(false, ARGV("--size=0"));

	CU_ASSERT_EQUAL(good.result, 0);
	CU_ASSERT_EQUAL(good.values.size_bytes, 1024);
	CU_ASSERT_EQUAL(zero.result, -1);
	CU_ASSERT_STRING_EQUAL(
		zero.err.text,
		"invalid argument \"0\" for \"-s, --size\" flag: must be more than 0");
}

UNIT_SUITE(opts, { "a value can be given in every GNU spelling", test_every_spelling_of_a_value },
	   { "a bool takes a value only by an equals sign",
	     test_bools_take_values_only_by_equals_sign },
	   { "presets hold unless overridden", test_presets_hold_unless_overridden },
	   { "words and options mix until --", test_words_and_options_mix_until_two_hyphens },
	   { "the first word can end the options", test_the_first_word_can_end_the_options },
	   { "filters are trimmed and their keys in lower case", test_filters_are_tidied },
	   { "numbers and sizes are parsed", test_numbers_and_sizes },
	   { "help is always an option", test_help_is_always_an_option },
	   { "what is wrong is named in the texts of the specification",
	     test_wrong_options_are_named },
	   { "a size of nothing is refused", test_no_size_is_nothing });
