/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change - one Dockerfile instruction of `import --change` and `commit --change`
 *
 * Source: spec/cli.md, "import"; spec/dockerfile.md for the instructions' forms.
 */
#ifndef OCI_CHANGE_H
#define OCI_CHANGE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/**
 * change_apply - apply one instruction to a "config" object
 * @settings: as in an image config; changed in place
 * @text:     "CMD [\"bash\"]", "ENV A=b", …; keywords in any case
 *
 * CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER,
 * VOLUME and WORKDIR. As with docker, several lines are several instructions.
 * Returns 0, or -1: ERR_USAGE with "x is not a valid change command" or what is
 * wrong with the arguments, ERR_UNSUPPORTED for an odd variable modifier,
 * ERR_LIMIT for what is too long, ERR_CORRUPT for settings of the wrong type;
 * settings are unchanged then.
 */
int change_apply(json_t *settings, const char *text, struct error *err);

/**
 * change_apply_over - likewise, for settings that were there before, as in `commit`
 * @cmd_given: false at first: ENTRYPOINT takes the CMD away that was there; one of
 *             an earlier change stays. Kept up to date
 */
int change_apply_over(json_t *settings, const char *text, bool *cmd_given, struct error *err);

#endif
