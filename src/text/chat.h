/* chat.h - chat formats by name: V2, V2.5, V3, R1, V3.1, V3.2. No template language: one function per family,
 * exact with the released templates (golden cases in the tests). */
#ifndef TEXT_CHAT_H
#define TEXT_CHAT_H
#include "base/json.h"
typedef struct ChatFamily ChatFamily;
const ChatFamily *chat_by_name(const char *name);   /* any case; NULL: unknown */
const ChatFamily *chat_at(size_t i);                /* NULL after the last */
const char *chat_name(const ChatFamily *f);
/* The family that a tokenizer_config.json describes, NULL when none of ours (then e says so). */
const ChatFamily *chat_of_config(const char *tokenizer_config_path, Err *e);
/* request: {"messages":[...], "add_generation_prompt":bool, "thinking":bool, "tools":[...]}. Appends the
 * text. */
bool chat_render(const ChatFamily *f, const json_t *request, Buf *out, Err *e);
#endif
