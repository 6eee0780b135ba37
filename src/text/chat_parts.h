/* chat_parts.h - what the chat formats share; for the files chat*.c only. */
#ifndef TEXT_CHAT_PARTS_H
#define TEXT_CHAT_PARTS_H
#include "text/chat.h"

#define CHAT_BOS "<｜begin▁of▁sentence｜>"
#define CHAT_EOS "<｜end▁of▁sentence｜>"
#define CHAT_USER "<｜User｜>"
#define CHAT_ASSISTANT "<｜Assistant｜>"
#define CHAT_CALLS "<｜tool▁calls▁begin｜>"
#define CHAT_CALLS_END "<｜tool▁calls▁end｜>"
#define CHAT_CALL "<｜tool▁call▁begin｜>"
#define CHAT_CALL_END "<｜tool▁call▁end｜>"
#define CHAT_SEP "<｜tool▁sep｜>"
#define CHAT_OUTPUTS "<｜tool▁outputs▁begin｜>"
#define CHAT_OUTPUTS_END "<｜tool▁outputs▁end｜>"
#define CHAT_OUTPUT "<｜tool▁output▁begin｜>"
#define CHAT_OUTPUT_END "<｜tool▁output▁end｜>"

/* One rendering. i is the message at hand, for errors. */
typedef struct Render {
	const json_t *request, *messages;
	bool prompt, thinking; /* add_generation_prompt, thinking */
	size_t i;
	Buf *out;
	Err *e;
} Render;

struct ChatFamily {
	const char *name;
	bool (*render)(Render *r);
};

/* Errors name the message; always false. */
bool chat_fail(const Render *r, const char *what);
const char *chat_role(const json_t *message);
bool chat_is(const json_t *message, const char *role);
/* The string at a key of an object; false with an error when it is not there. */
bool chat_text(const Render *r, const json_t *o, const char *key, const char **s, size_t *n);
/* The same, appended. */
bool chat_put(const Render *r, const json_t *o, const char *key);
/* "tool_calls": the array, or NULL when absent or null. */
bool chat_calls(const Render *r, const json_t *message, const json_t **calls);

bool chat_render_v32(Render *r);
#endif
