/* list.c - every command, in the order of the help. The program dispatches on this table, and the help, the
 * manual pages and the usage errors are made from it. A new command: its file, its name in local.mk, its row
 * here. */
#include "cli/cmd.h"
#include <string.h>

const Cmd *const cmd_table[] = { &cmd_open, &cmd_generate, &cmd_info, &cmd_kv, &cmd_tokenize, &cmd_verify,
	&cmd_diff, &cmd_fp8, &cmd_convert, &cmd_train, &cmd_rl, &cmd_eval, &cmd_run, &cmd_repl, &cmd_scene, &cmd_bench, &cmd_engine, &cmd_attach, &cmd_record, &cmd_replay,
	&cmd_doctor, &cmd_help, &cmd_explain, NULL };

const Cmd *cmd_find(const char *name)
{
	for (int i = 0; cmd_table[i]; i++)
		if (!strcmp(cmd_table[i]->name, name))
			return cmd_table[i];
	return NULL;
}
