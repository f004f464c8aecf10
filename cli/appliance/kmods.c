/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/kmods.h"

#include <errno.h>
#include <libkmod.h>
#include <stddef.h>

#include "base/library.h"

static struct {
	__typeof__(kmod_new) *new_ctx;
	__typeof__(kmod_unref) *unref_ctx;
	__typeof__(kmod_module_new_from_lookup) *lookup;
	__typeof__(kmod_module_unref_list) *unref_list;
	__typeof__(kmod_list_next) *next;
	__typeof__(kmod_module_get_module) *module;
	__typeof__(kmod_module_probe_insert_module) *insert;
	__typeof__(kmod_module_unref) *unref_module;
} kmod;

static int open_library(struct error *err)
{
	static const struct library_symbol symbols[] = {
		{ "kmod_new", &kmod.new_ctx },
		{ "kmod_unref", &kmod.unref_ctx },
		{ "kmod_module_new_from_lookup", &kmod.lookup },
		{ "kmod_module_unref_list", &kmod.unref_list },
		{ "kmod_list_next", &kmod.next },
		{ "kmod_module_get_module", &kmod.module },
		{ "kmod_module_probe_insert_module", &kmod.insert },
		{ "kmod_module_unref", &kmod.unref_module },
		{ NULL, NULL },
	};

	return library_load("libkmod.so.2", symbols, err);
}

static void unref_ctx(struct kmod_ctx **ctx)
{
	if (*ctx)
		kmod.unref_ctx(*ctx);
}

static void unref_list(struct kmod_list **list)
{
	kmod.unref_list(*list);
}

static int load(struct kmod_ctx *ctx, const char *name, struct error *err)
{
	__attribute__((cleanup(unref_list))) struct kmod_list *list = NULL;
	int result = kmod.lookup(ctx, name, &list);

	if (result < 0)
		return err_sys(err, -result, "look for the module '%s'", name);
	if (!list)
		return err_set(err, ERR_NOT_FOUND, "the appliance's kernel has no module '%s'",
			       name);
	for (struct kmod_list *at = list; at; at = kmod.next(list, at)) {
		struct kmod_module *module = kmod.module(at);

		result = kmod.insert(module, 0, NULL, NULL, NULL, NULL);
		kmod.unref_module(module);
		if (result < 0 && result != -EEXIST)
			return err_sys(err, -result, "load the module '%s'", name);
	}
	return 0;
}

int kmods_load(const char *dir, const char *const names[], struct error *err)
{
	static const char *const no_config[] = { NULL };
	__attribute__((cleanup(unref_ctx))) struct kmod_ctx *ctx = NULL;

	if (open_library(err) < 0)
		return -1;
	ctx = kmod.new_ctx(dir, no_config);
	if (!ctx)
		return err_set(err, ERR_NOT_FOUND, "no modules in '%s'", dir);
	for (; *names; names++)
		if (load(ctx, *names, err) < 0)
			return -1;
	return 0;
}
