/* SPDX-License-Identifier: Apache-2.0 */
#include "build/cachefrom.h"

#include <string.h>

#include "base/cleanup.h"
#include "build/cache.h"
#include "unit.h"

static struct digest of(const char *text)
{
	struct digest digest;

	digest_of(text, strlen(text), &digest);
	return digest;
}

static struct digest on(const struct digest *parent, const char *layer)
{
	struct digest chain, diff_id = of(layer);

	chain_id_next(parent, &diff_id, &chain);
	return chain;
}

/* Layers "1", "2", "3" with keys "a", none, "c", and an entry of metadata with one that counts not. */
struct box {
	struct image_config config;
	struct digest diff_ids[3];
	struct image_history history[4];
	struct digest chains[3];
	struct platform platform;
	struct cachefrom from;
};

static void box_init(struct box *box)
{
	static char architecture[] = "arm", os[] = "linux", variant[] = "v7";

	*box = (struct box){
		.diff_ids = { of("1"), of("2"), of("3") },
		.history = {
			{ .step_key = of("a"), .has_created = true, .created_ns = 7 },
			{ .step_key = of("env"), .empty_layer = true },
			{ 0 },
			{ .step_key = of("c") },
		},
	};
	box->config = (struct image_config){
		.architecture = architecture,
		.os = os,
		.variant = variant,
		.diff_ids = box->diff_ids,
		.nr_layers = 3,
		.history = box->history,
		.nr_history = 4,
	};
	box->chains[0] = on(NULL, "1");
	box->chains[1] = on(&box->chains[0], "2");
	box->chains[2] = on(&box->chains[1], "3");
	image_config_platform(&box->config, &box->platform);
}

static const struct cachefrom_step *find(const struct box *box, const char *key,
					 const struct digest *parent)
{
	const struct digest digest = of(key), none = { 0 };

	return cachefrom_find(&box->from, &digest, parent ? parent : &none, &box->platform);
}

static void test_a_key_finds_the_layer_above_its_parent(void)
{
	const struct cachefrom_step *step;
	struct box box;

	box_init(&box);
	CU_ASSERT_EQUAL(cachefrom_add(&box.from, &box.config), 2);
	step = find(&box, "a", NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(step);
	CU_ASSERT_TRUE(digest_equal(&step->chain, &box.chains[0]));
	CU_ASSERT_TRUE(step->has_created);
	CU_ASSERT_EQUAL(step->created_ns, 7);
	step = find(&box, "c", &box.chains[1]);
	CU_ASSERT_PTR_NOT_NULL_FATAL(step);
	CU_ASSERT_TRUE(digest_equal(&step->chain, &box.chains[2]));
	CU_ASSERT_FALSE(step->has_created);
	cachefrom_done(&box.from);
	CU_ASSERT_PTR_NULL(find(&box, "a", NULL));
}

/* A false history says of any key that its layer is here. */
static void test_a_key_counts_only_on_its_parent(void)
{
	struct box box;
	struct digest other = of("other");

	box_init(&box);
	cachefrom_add(&box.from, &box.config);
	CU_ASSERT_PTR_NULL(find(&box, "a", &box.chains[0]));
	CU_ASSERT_PTR_NULL(find(&box, "a", &other));
	CU_ASSERT_PTR_NULL(find(&box, "c", NULL));
	CU_ASSERT_PTR_NULL(find(&box, "c", &box.chains[0]));
	CU_ASSERT_PTR_NULL(find(&box, "c", &box.chains[2]));
	CU_ASSERT_PTR_NULL(find(&box, "env", &box.chains[0]));
	CU_ASSERT_PTR_NULL(find(&box, "b", &box.chains[0]));
	CU_ASSERT_PTR_NULL(find(&box, "", &box.chains[0]));
	cachefrom_done(&box.from);
}

static void test_other_platforms_do_not_count(void)
{
	struct box box;

	box_init(&box);
	cachefrom_add(&box.from, &box.config);
	platform_set(&box.platform, "linux", "arm", "v6");
	CU_ASSERT_PTR_NULL(find(&box, "a", NULL));
	platform_set(&box.platform, "linux", "arm64", "v7");
	CU_ASSERT_PTR_NULL(find(&box, "a", NULL));
	platform_set(&box.platform, "freebsd", "arm", "v7");
	CU_ASSERT_PTR_NULL(find(&box, "a", NULL));
	platform_set(&box.platform, "linux", "arm", "v7");
	CU_ASSERT_PTR_NOT_NULL(find(&box, "a", NULL));
	cachefrom_done(&box.from);
}

static void test_a_history_that_leaves_layers_out_is_none(void)
{
	struct box box;

	box_init(&box);
	box.config.nr_history = 3;
	CU_ASSERT_EQUAL(cachefrom_add(&box.from, &box.config), 0);
	box.config.nr_history = 0;
	CU_ASSERT_EQUAL(cachefrom_add(&box.from, &box.config), 0);
	CU_ASSERT_PTR_NULL(find(&box, "a", NULL));
	cachefrom_done(&box.from);
}

static void test_the_first_image_wins(void)
{
	struct box one, two;
	const struct cachefrom_step *step;

	box_init(&one);
	box_init(&two);
	two.diff_ids[0] = of("other");
	two.history[2].step_key = of("b");
	CU_ASSERT_EQUAL(cachefrom_add(&one.from, &one.config), 2);
	CU_ASSERT_EQUAL(cachefrom_add(&one.from, &two.config), 3);
	step = find(&one, "a", NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(step);
	CU_ASSERT_TRUE(digest_equal(&step->chain, &one.chains[0]));
	CU_ASSERT_PTR_NULL(find(&one, "b", &one.chains[0]));
	two.chains[0] = on(NULL, "other");
	CU_ASSERT_PTR_NOT_NULL(find(&one, "b", &two.chains[0]));
	cachefrom_done(&one.from);
}

/*
 * Images carry them to other machines and later versions: they must not change by themselves.
 * Made by hand: SHA-256 of each field behind its length, 64 bits, little end first.
 */
static void test_the_form_of_keys_is_kept(void)
{
	char path[] = "PATH=/bin", a[] = "A=1", text[] = "/m 0";
	char *items[] = { path, a };
	const struct strlist env = { .items = items, .nr = 2 };
	const struct digest parent = of("p"), contents[] = { of("x"), of("y") };
	const struct cache_mount mount = { text, &contents[0] };
	const struct cache_input input = {
		.parent = &parent,
		.operation = "[\"RUN\"]",
		.env = &env,
		.contents = contents,
		.nr_contents = 2,
		.mounts = &mount,
		.nr_mounts = 1,
	};
	struct digest key;

	cache_key(&input, &key);
	CU_ASSERT_STRING_EQUAL(
		key.text,
		"sha256:517aa9e1eee96abdb88f6bee02e35ef9ea4cfb77abc2e17d6e4d59a7d0adcaa6");
}

UNIT_SUITE(cachefrom,
	   { "a key finds the layer above its parent",
	     test_a_key_finds_the_layer_above_its_parent },
	   { "a key counts only on its parent", test_a_key_counts_only_on_its_parent },
	   { "other platforms do not count", test_other_platforms_do_not_count },
	   { "a history that leaves layers out is none",
	     test_a_history_that_leaves_layers_out_is_none },
	   { "the first image wins", test_the_first_image_wins },
	   { "the form of keys is kept", test_the_form_of_keys_is_kept });
