/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd - the rows of the command table; each is defined in the file of its command
 */
#ifndef CMD_H
#define CMD_H

#include "table.h"

extern const struct command cmd_appliance_exec;
extern const struct command cmd_appliance_shell;
extern const struct command cmd_appliance_status;
extern const struct command cmd_appliance_stop;
extern const struct command cmd_attach;
extern const struct command cmd_build;
extern const struct command cmd_builder_build;
extern const struct command cmd_builder_prune;
extern const struct command cmd_check;
extern const struct command cmd_commit;
extern const struct command cmd_complete;
extern const struct command cmd_completion;
extern const struct command cmd_container_ended;
extern const struct command cmd_container_inspect;
extern const struct command cmd_container_prune;
extern const struct command cmd_container_shim;
extern const struct command cmd_cp;
extern const struct command cmd_create;
extern const struct command cmd_detach;
extern const struct command cmd_diff;
extern const struct command cmd_doctor;
extern const struct command cmd_exec;
extern const struct command cmd_explain;
extern const struct command cmd_export;
extern const struct command cmd_help;
extern const struct command cmd_history;
extern const struct command cmd_image_inspect;
extern const struct command cmd_image_prune;
extern const struct command cmd_image_receive;
extern const struct command cmd_image_send;
extern const struct command cmd_images;
extern const struct command cmd_import;
extern const struct command cmd_info;
extern const struct command cmd_inspect;
extern const struct command cmd_kill;
extern const struct command cmd_layers;
extern const struct command cmd_load;
extern const struct command cmd_login;
extern const struct command cmd_logout;
extern const struct command cmd_logs;
extern const struct command cmd_monitor;
extern const struct command cmd_mount;
extern const struct command cmd_pool_activate;
extern const struct command cmd_pool_check;
extern const struct command cmd_pool_create;
extern const struct command cmd_pool_deactivate;
extern const struct command cmd_pool_destroy;
extern const struct command cmd_pool_grow;
extern const struct command cmd_pool_ls;
extern const struct command cmd_pool_repair;
extern const struct command cmd_pool_status;
extern const struct command cmd_provision;
extern const struct command cmd_ps;
extern const struct command cmd_pull;
extern const struct command cmd_push;
extern const struct command cmd_rm;
extern const struct command cmd_rmi;
extern const struct command cmd_run;
extern const struct command cmd_save;
extern const struct command cmd_scrub;
extern const struct command cmd_search;
extern const struct command cmd_start;
extern const struct command cmd_stop;
extern const struct command cmd_system_df;
extern const struct command cmd_system_prune;
extern const struct command cmd_tag;
extern const struct command cmd_unmount;
extern const struct command cmd_verify;
extern const struct command cmd_version;
extern const struct command cmd_volume_attach;
extern const struct command cmd_volume_create;
extern const struct command cmd_volume_detach;
extern const struct command cmd_volume_grow;
extern const struct command cmd_volume_inspect;
extern const struct command cmd_volume_ls;
extern const struct command cmd_volume_mount;
extern const struct command cmd_volume_prune;
extern const struct command cmd_volume_rename;
extern const struct command cmd_volume_rm;
extern const struct command cmd_volume_rollback;
extern const struct command cmd_volume_snapshot;
extern const struct command cmd_volume_unmount;
extern const struct command cmd_wait;
extern const struct command cmd_why_busy;

#endif
