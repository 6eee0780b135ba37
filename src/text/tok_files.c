/* tok_files.c - the files that make up a tokenizer beside a checkpoint, for those who copy it. */
#include "text/tok.h"

const char *const *tok_files(void)
{
	static const char *const names[] = { "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
		"vocab.json", "merges.txt", "tokenizer.model", "tiktoken.model", "chat_template.jinja", "chat_template.json", NULL };
	return names;
}
