/* chat.c - the chat formats of V2, V2.5, V3, R1 and V3.1, each the same text as the released Jinja template
 * (checkpoints.md section 7), their names, and the choice by what a tokenizer_config.json holds. */
#include "text/chat_parts.h"
#include "base/utf8.h"
#include <string.h>
#include <strings.h>

enum { CONFIG_MAX = 1 << 24 };

bool chat_fail(const Render *r, const char *what)
{
	return err_set(r->e, E_3251, "messages[%zu]: %s", r->i, what);
}

const char *chat_role(const json_t *message)
{
	const char *role = json_string_value(json_object_get(message, "role"));
	return role ? role : "";
}

bool chat_is(const json_t *message, const char *role)
{
	return strcmp(chat_role(message), role) == 0;
}

bool chat_text(const Render *r, const json_t *o, const char *key, const char **s, size_t *n)
{
	const json_t *v = json_object_get(o, key);
	if (!json_is_string(v))
		return err_set(r->e, E_3251, "messages[%zu] (%s): \"%s\" is not a string", r->i,
			chat_role(json_array_get(r->messages, r->i)), key);
	*s = json_string_value(v);
	*n = json_string_length(v);
	return true;
}

bool chat_put(const Render *r, const json_t *o, const char *key)
{
	const char *s;
	size_t n;
	if (!chat_text(r, o, key, &s, &n))
		return false;
	buf_add(r->out, s, n);
	return true;
}

bool chat_calls(const Render *r, const json_t *message, const json_t **calls)
{
	const json_t *v = json_object_get(message, "tool_calls");
	*calls = v && !json_is_null(v) ? v : NULL;
	return !*calls || json_is_array(v) || chat_fail(r, "\"tool_calls\" is not an array");
}

static bool has_content(const json_t *message)
{
	const json_t *v = json_object_get(message, "content");
	return v && !json_is_null(v);
}

/* "before" content "after" */
static bool wrap_put(Render *r, const json_t *m, const char *before, const char *after)
{
	buf_adds(r->out, before);
	if (!chat_put(r, m, "content"))
		return false;
	buf_adds(r->out, after);
	return true;
}

/* All system messages joined by an empty line, or only the last. */
static bool system_put(Render *r, bool join)
{
	size_t n = json_array_size(r->messages), start = r->out->len;
	bool first = true;
	for (r->i = 0; r->i < n; r->i++) {
		const json_t *m = json_array_get(r->messages, r->i);
		if (!chat_is(m, "system"))
			continue;
		if (!join && !first) {
			r->out->len = start;
			r->out->s[start] = '\0';
		}
		if (join && !first)
			buf_adds(r->out, "\n\n");
		first = false;
		if (!chat_put(r, m, "content"))
			return false;
	}
	return true;
}

static bool render_v2(Render *r)
{
	const json_t *m;
	buf_adds(r->out, CHAT_BOS);
	json_array_foreach(r->messages, r->i, m) {
		bool ok = true;
		if (chat_is(m, "system"))
			ok = wrap_put(r, m, "", "\n\n");
		else if (chat_is(m, "user"))
			ok = wrap_put(r, m, "User: ", "\n\n");
		else if (chat_is(m, "assistant"))
			ok = wrap_put(r, m, "Assistant: ", CHAT_EOS);
		if (!ok)
			return false;
	}
	if (r->prompt)
		buf_adds(r->out, "Assistant:");
	return true;
}

/* Where V2.5, V3 and R1 differ. */
typedef struct Style {
	bool join;           /* all system messages count, not only the last */
	/* an assistant message is one of calls by its "tool_calls", not by lack of content */
	bool calls_by_key;
	bool cut_thought;    /* history keeps only what follows the last </think> */
	const char *output;  /* in front of the second and later tool outputs */
	const char *prompt;
} Style;

/* What the template's namespace holds. first and output_first are never set back: that is so in the released
 * templates. */
typedef struct State { const Style *style; bool called, is_tool, output; } State;

/* call_begin type sep name, fenced arguments, call_end */
static bool call_put(Render *r, const json_t *call)
{
	const json_t *f = json_object_get(call, "function");
	buf_adds(r->out, CHAT_CALL);
	if (!chat_put(r, call, "type"))
		return false;
	buf_adds(r->out, CHAT_SEP);
	if (!chat_put(r, f, "name"))
		return false;
	buf_adds(r->out, "\n```json\n");
	if (!chat_put(r, f, "arguments"))
		return false;
	buf_adds(r->out, "\n```" CHAT_CALL_END);
	return true;
}

static bool calls_put(Render *r, State *s, const json_t *m)
{
	const json_t *calls, *call;
	size_t i;
	if (!chat_calls(r, m, &calls))
		return false;
	s->is_tool = false;
	json_array_foreach(calls, i, call) {
		bool again = s->called;
		buf_adds(r->out, again ? "\n" : CHAT_ASSISTANT);
		if (!again && has_content(m) && !chat_put(r, m, "content"))
			return false;
		if (!again)
			buf_adds(r->out, CHAT_CALLS);
		s->called = true;
		if (!call_put(r, call))
			return false;
		if (again && !s->style->calls_by_key) /* V3 closes after the second call and each behind it */
			buf_adds(r->out, CHAT_CALLS_END CHAT_EOS);
	}
	if (s->style->calls_by_key)
		buf_adds(r->out, CHAT_CALLS_END CHAT_EOS);
	return true;
}

/* The part of s behind the last or the first </think>. */
static const char *thought_cut(const char *s, size_t *n, bool last)
{
	static const char end[] = "</think>";
	const size_t k = sizeof end - 1;
	const char *from = s, *stop = s + *n;
	for (const char *p = s; p + k <= stop; p++)
		if (memcmp(p, end, k) == 0) {
			from = p + k;
			if (!last)
				break;
			p += k - 1;
		}
	*n = (size_t)(stop - from);
	return from;
}

static bool answer_put(Render *r, State *s, const json_t *m)
{
	const char *text;
	size_t n;
	if (!chat_text(r, m, "content", &text, &n))
		return false;
	if (s->style->cut_thought && !s->is_tool)
		text = thought_cut(text, &n, true);
	buf_adds(r->out, s->is_tool ? CHAT_OUTPUTS_END : CHAT_ASSISTANT);
	buf_add(r->out, text, n);
	buf_adds(r->out, CHAT_EOS);
	s->is_tool = false;
	return true;
}

static bool message_put(Render *r, State *s, const json_t *m)
{
	if (chat_is(m, "user")) {
		s->is_tool = false;
		return wrap_put(r, m, CHAT_USER, "");
	}
	if (chat_is(m, "assistant")) {
		bool named = json_object_get(m, "tool_calls") != NULL,
		     null = json_is_null(json_object_get(m, "content"));
		bool calls = s->style->calls_by_key ? named : null || (named && !has_content(m));
		return calls ? calls_put(r, s, m) : answer_put(r, s, m);
	}
	if (chat_is(m, "tool")) {
		buf_adds(r->out, s->output ? s->style->output : CHAT_OUTPUTS);
		s->is_tool = s->output = true;
		return wrap_put(r, m, CHAT_OUTPUT, CHAT_OUTPUT_END);
	}
	return true; /* system messages stand in front; the templates pass over other roles */
}

static bool render_styled(Render *r, const Style *style)
{
	State s = { .style = style };
	const json_t *m;
	buf_adds(r->out, CHAT_BOS);
	if (!system_put(r, style->join))
		return false;
	json_array_foreach(r->messages, r->i, m)
		if (!message_put(r, &s, m))
			return false;
	if (s.is_tool)
		buf_adds(r->out, CHAT_OUTPUTS_END);
	if (r->prompt && !s.is_tool)
		buf_adds(r->out, style->prompt);
	return true;
}

static bool render_v25(Render *r)
{
	return render_styled(r, &(Style){ .output = "\n", .prompt = CHAT_ASSISTANT });
}

static bool render_v3(Render *r)
{
	return render_styled(r, &(Style){ .join = true, .output = "\n", .prompt = CHAT_ASSISTANT });
}

static bool render_r1(Render *r)
{
	return render_styled(r,
		&(Style){ .join = true,
			.calls_by_key = true,
			.cut_thought = true,
			.output = "",
			.prompt = CHAT_ASSISTANT "<think>\n" });
}

/* The template of January 2025: R1 on that of V2.5, and no <think> for it. */
static bool render_r1_first(Render *r)
{
	return render_styled(r, &(Style){ .cut_thought = true, .output = "\n", .prompt = CHAT_ASSISTANT });
}

static bool v31_calls(Render *r, const json_t *m, const json_t *calls, bool after_user)
{
	const json_t *call;
	size_t i;
	if (after_user)
		buf_adds(r->out, CHAT_ASSISTANT "</think>");
	json_array_foreach(calls, i, call) {
		const json_t *f = json_object_get(call, "function");
		if (i == 0 && has_content(m) && !chat_put(r, m, "content"))
			return false;
		buf_adds(r->out, i == 0 ? CHAT_CALLS CHAT_CALL : CHAT_CALL);
		if (!chat_put(r, f, "name"))
			return false;
		buf_adds(r->out, CHAT_SEP);
		if (!chat_put(r, f, "arguments"))
			return false;
		buf_adds(r->out, CHAT_CALL_END);
	}
	buf_adds(r->out, CHAT_CALLS_END CHAT_EOS);
	return true;
}

static bool v31_answer(Render *r, const json_t *m, bool after_user, bool is_tool)
{
	const char *text;
	size_t n;
	bool prefix = r->thinking && json_is_true(json_object_get(m, "prefix"));
	if (after_user)
		buf_adds(r->out, prefix ? CHAT_ASSISTANT "<think>" : CHAT_ASSISTANT "</think>");
	if (!chat_text(r, m, "content", &text, &n))
		return false;
	if (!is_tool)
		text = thought_cut(text, &n, false);
	buf_add(r->out, text, n);
	buf_adds(r->out, CHAT_EOS);
	return true;
}

static bool v31_message(Render *r, const json_t *m, bool *is_tool, bool *after_user)
{
	const json_t *calls = NULL;
	bool was = *after_user, tool = *is_tool;
	if (chat_is(m, "user")) {
		*is_tool = false;
		*after_user = true;
		return wrap_put(r, m, CHAT_USER, "");
	}
	if (chat_is(m, "assistant")) {
		*is_tool = *after_user = false;
		if (!chat_calls(r, m, &calls))
			return false;
		return calls ? v31_calls(r, m, calls, was) : v31_answer(r, m, was, tool);
	}
	if (chat_is(m, "tool")) {
		*is_tool = true;
		*after_user = false;
		return wrap_put(r, m, CHAT_OUTPUT, CHAT_OUTPUT_END);
	}
	return true;
}

static bool render_v31(Render *r)
{
	bool is_tool = false, after_user = false;
	const json_t *m;
	buf_adds(r->out, CHAT_BOS);
	if (!system_put(r, true))
		return false;
	json_array_foreach(r->messages, r->i, m)
		if (!v31_message(r, m, &is_tool, &after_user))
			return false;
	if (r->prompt && after_user && !is_tool)
		buf_adds(r->out, r->thinking ? CHAT_ASSISTANT "<think>" : CHAT_ASSISTANT "</think>");
	return true;
}

static const ChatFamily families[] = {
	{ "V2", render_v2 },
	{ "V2.5", render_v25 },
	{ "V3", render_v3 },
	{ "R1", render_r1 },
	{ "R1-2025-01", render_r1_first },
	{ "V3.1", render_v31 },
	{ "V3.2", chat_render_v32 },
};

const ChatFamily *chat_at(size_t i)
{
	return i < sizeof families / sizeof families[0] ? &families[i] : NULL;
}

const char *chat_name(const ChatFamily *f)
{
	return f->name;
}

const ChatFamily *chat_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		if (strcasecmp(families[i].name, name) == 0)
			return &families[i];
	return NULL;
}

static bool request_flag(const json_t *request, const char *key, bool *out, Err *e)
{
	const json_t *v = json_object_get(request, key);
	*out = json_is_true(v);
	return !v || json_is_boolean(v) || json_is_null(v) ||
		err_set(e, E_3251, "conversation: \"%s\" is not true or false", key);
}

bool chat_render(const ChatFamily *f, const json_t *request, Buf *out, Err *e)
{
	Render r = {
		.request = request, .messages = json_object_get(request, "messages"), .out = out, .e = e
	};
	const json_t *m;
	if (!json_is_array(r.messages))
		return err_set(e, E_3251, "conversation: no \"messages\" array");
	if (!request_flag(request, "add_generation_prompt", &r.prompt, e) ||
		!request_flag(request, "thinking", &r.thinking, e))
		return false;
	json_array_foreach(r.messages, r.i, m)
		if (!json_is_string(json_object_get(m, "role")))
			return chat_fail(&r, "no \"role\"");
	if (!f->render(&r))
		return false;
	return !out->failed || err_set(e, E_5001, "out of memory for a conversation");
}

/* The family by what only its template says. */
static const ChatFamily *template_family(const char *t)
{
	if (strstr(t, "｜DSML｜"))
		return chat_by_name("V3.2");
	if (!strstr(t, CHAT_USER))
		return strstr(t, "'User: '") && strstr(t, "'Assistant:") ? chat_by_name("V2") : NULL;
	if (!strstr(t, "system_prompt") || !strstr(t, CHAT_ASSISTANT))
		return NULL;
	if (strstr(t, "is_last_user") && strstr(t, "thinking"))
		return chat_by_name("V3.1");
	if (strstr(t, "split('</think>')"))
		return chat_by_name(strstr(t, CHAT_ASSISTANT "<think>") ? "R1" : "R1-2025-01");
	if (!strstr(t, "is_output_first") || strstr(t, "think"))
		return NULL;
	return chat_by_name(strstr(t, "is_first_sp") ? "V3" : "V2.5");
}

/* The file `name` beside `path`, appended to out; false without an error when it cannot be read. */
static bool beside_read(const char *path, const char *name, Buf *out)
{
	const char *slash = strrchr(path, '/');
	Buf p = BUF_INIT;
	buf_add(&p, path, slash ? (size_t)(slash - path) + 1 : 0);
	buf_adds(&p, name);
	bool ok = !p.failed && buf_read_file(out, p.s, CONFIG_MAX, NULL);
	buf_done(&p);
	return ok;
}

/* V3.2 came without a template: its model type tells. */
static const ChatFamily *model_family(const char *path)
{
	Buf b = BUF_INIT;
	const ChatFamily *f = NULL;
	if (beside_read(path, "config.json", &b)) {
		json_t *j = json_parse(buf_str(&b), b.len, "config.json", E_3137, NULL);
		const char *type = json_string_value(json_object_get(j, "model_type"));
		if (type && strcmp(type, "deepseek_v32") == 0)
			f = chat_by_name("V3.2");
		json_decref(j);
	}
	buf_done(&b);
	return f;
}

/* "chat_template": a string, or a list of {"name", "template"} of which "default" counts. */
static const char *template_text(const json_t *config)
{
	const json_t *v = json_object_get(config, "chat_template"), *x;
	size_t i;
	json_array_foreach(v, i, x) {
		const char *name = json_string_value(json_object_get(x, "name"));
		if (name && strcmp(name, "default") == 0)
			return json_string_value(json_object_get(x, "template"));
	}
	return json_string_value(v);
}

static const ChatFamily *config_family(const char *path, const json_t *config, Err *e)
{
	Buf file = BUF_INIT;
	const char *text = template_text(config);
	if (!text && beside_read(path, "chat_template.jinja", &file))
		text = buf_str(&file);
	const char *why = config ? "no chat_template" : "not there";
	if (text)
		why = "its chat_template is none that lathe knows";
	const ChatFamily *f = text ? template_family(text) : model_family(path);
	if (!f)
		err_set(e, E_3250, "%s: %s; name a format with --chat: V2, V2.5, V3, R1, V3.1 or V3.2", path, why);
	buf_done(&file);
	return f;
}

const ChatFamily *chat_of_config(const char *path, Err *e)
{
	Err mine = { 0 };
	json_t *config = json_parse_file(path, CONFIG_MAX, E_3137, &mine);
	if (!config && mine.code != E_4001) {
		err_set(e, mine.code, "%s", mine.text);
		return NULL;
	}
	const ChatFamily *f = config_family(path, config, e);
	json_decref(config);
	return f;
}
