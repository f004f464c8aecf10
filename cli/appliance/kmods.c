/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/kmods.h"

#include <errno.h>
#include <libkmod.h>
#include <stddef.h>

static void unref_ctx(struct kmod_ctx **ctx)
{
	kmod_unref(*ctx);
}

static void unref_list(struct kmod_list **list)
{
	kmod_module_unref_list(*list);
}

static int load(struct kmod_ctx *ctx, const char *name, struct error *err)
{
	__attribute__((cleanup(unref_list))) struct kmod_list *list = NULL;
	struct kmod_list *at;
	int result = kmod_module_new_from_lookup(ctx, name, &list);

	if (result < 0)
		return err_sys(err, -result, "look for the module '%s'", name);
	if (!list)
		return err_set(err, ERR_NOT_FOUND, "the appliance's kernel has no module '%s'",
			       name);
	kmod_list_foreach(at, list)
	{
		struct kmod_module *module = kmod_module_get_module(at);

		result = kmod_module_probe_insert_module(module, 0, NULL, NULL, NULL, NULL);
		kmod_module_unref(module);
		if (result < 0 && result != -EEXIST)
			return err_sys(err, -result, "load the module '%s'", name);
	}
	return 0;
}

int kmods_load(const char *dir, const char *const names[], struct error *err)
{
	static const char *const no_config[] = { NULL };
	__attribute__((cleanup(unref_ctx))) struct kmod_ctx *ctx = kmod_new(dir, no_config);

	if (!ctx)
		return err_set(err, ERR_NOT_FOUND, "no modules in '%s'", dir);
	for (; *names; names++)
		if (load(ctx, *names, err) < 0)
			return -1;
	return 0;
}
