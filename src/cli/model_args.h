/* model_args.h - what commands that load a model share: opening it, its prompt, its attention form. */
#ifndef CLI_MODEL_ARGS_H
#define CLI_MODEL_ARGS_H
#include "cli/cmd.h"
#include "engine/lathe.h"
/* Opens CKPT with --threads, --memory-limit, --layers and the precision option of this name. *dir: its
 * folder, for the caller to free. */
LatheModel *model_open(const Args *a, const char *ckpt, const char *precision_option, char **dir, Err *e);
/* --attention: LATHE_ATTENTION_AUTO when not given. */
bool model_attention(const Args *a, LatheAttention *form, Err *e);
/* The prompt of -p, --ids or --ids-file as ids; bos as the tokenizer asks unless --no-bos. E_2003 when
 * none or more than one is given. */
bool model_prompt(const Args *a, const LatheModel *m, int32_t **ids, size_t *n, Err *e);
/* Moves an error of the library into an Err. */
bool model_error(Err *e, const LatheError *from);
/* A file, or standard input for "-", of at most max bytes. */
bool model_read(const char *path, Buf *b, size_t max, Err *e);
void model_json_ids(Jout *j, const char *key, const int32_t *id, size_t n);
/* Rows for Cmd.opts of these commands. */
#define OPT_PROMPT \
	{ "prompt", 'p', OPT_STR, "TEXT", "the prompt as text ('-': standard input)" }, \
	{ "ids", 0, OPT_STR, "1,2,3", "the prompt as token ids" }, \
	{ "ids-file", 0, OPT_STR, "FILE", "the prompt as token ids in a file ('-': standard input)" }, \
	{ "no-bos", 0, OPT_FLAG, NULL, "do not put the begin-of-sentence token in front of the text" }
#define OPT_ATTENTION \
	{ "attention", 0, OPT_STR, "FORM", \
	  "naive, absorbed, or auto: naive for the prompt, absorbed for what follows" }
#define OPT_LAYERS { "layers", 0, OPT_INT, "N", "load and run only the first N layers" }
#endif
